"""Train the model that orders object proposals: `python -m benchmarks.training.train_traits --out FILE`.

The packaged file is `scenes/proposals/traits.json`; the command refuses to write there.

The model predicts the IoU of a candidate with its best object from the candidate's traits, in generated rooms. Every
other room is crowded: chairs are close to tables, with small objects on them. The last quarter of the rooms is held
out; printed figures are of these rooms, also for the order by size.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPRegressor

from benchmarks.report.output import LICENCE, check_out
from openshape_ood.scenes.proposals.candidates import of_tree, parse
from openshape_ood.scenes.proposals.choice import divided, suppressed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.grid import Grid
from openshape_ood.scenes.proposals.traits import TRAITS, traits
from openshape_ood.storage import replacing
from openshape_ood.synthetic.rooms import Room, room

SEEN = 50  # an object with fewer points is ignored
CROWD = 26  # objects of a crowded room, or as many as it has space for


def overlap_with_things(made: Room, grid: Grid, rows: list[np.ndarray]) -> np.ndarray:
    """IoU (c, m) of candidates, lists of voxels, with the objects of a room; points of no object do not count."""
    instances = made.scene.instances
    assert instances is not None  # generated rooms have instances
    numbers, counts = np.unique(instances[instances > 0], return_counts=True)
    numbers = numbers[counts >= SEEN]
    table = np.zeros((len(grid.places), len(numbers) + 1))
    counted = instances > 0
    place = np.searchsorted(numbers, instances[counted])
    place = np.where(np.append(numbers, -1)[place] == instances[counted], place, len(numbers))
    np.add.at(table, (grid.inverse[counted], place), 1)
    inside = np.array([table[one].sum(axis=0) for one in rows])
    return inside[:, :-1] / (table.sum(axis=0)[:-1] + inside.sum(axis=1, keepdims=True) - inside[:, :-1])


def gathered(made: Room) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], int]:
    """Traits (c, 18) of the candidates, overlaps (c, m), voxels of each candidate, and number of voxels."""
    grid = Frame.of(made.scene).grid()
    parsed = parse(grid)
    candidates = sorted(of_tree(parsed), key=lambda one: (-len(one.rows), one.rows.min()))
    rows = [one.rows for one in candidates]
    return traits(candidates, parsed), overlap_with_things(made, grid, rows), rows, len(grid.places)


def figures(kept: list[int], overlap: np.ndarray) -> list[float]:
    """Number of proposals, recall at IoU 0.25 and 0.5, precision at 0.25."""
    chosen = overlap[kept]
    recall = [float((chosen.max(axis=0) >= least).mean()) for least in (0.25, 0.5)]
    return [len(kept), *recall, float((chosen.max(axis=1) >= 0.25).mean())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=60)
    parser.add_argument(
        "--out", type=Path, default=Path("results/traits.json"), help="output file, outside the package"
    )
    args = parser.parse_args()
    check_out(args.out)
    data = [gathered(room(i, objects=CROWD if i % 2 else None)) for i in range(args.rooms)]
    cut = args.rooms * 3 // 4
    x, y = (np.concatenate([part(one) for one in data[:cut]]) for part in (lambda d: d[0], lambda d: d[1].max(axis=1)))
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    model = MLPRegressor(hidden_layer_sizes=(32,), alpha=1.0, max_iter=300, random_state=0)
    model.fit(((x - mean) / scale).clip(-4, 4), y)
    (first, second), (first_bias, second_bias) = model.coefs_, model.intercepts_
    table = {"mean": mean, "scale": scale, "first": first, "first_bias": first_bias}
    table |= {"second": second, "second_bias": second_bias}
    source = f"{cut} generated rooms, every other one crowded, seeds 0 to {cut - 1}; "
    source += "python -m benchmarks.training.train_traits"
    content = {"source": source, "licence": LICENCE, "traits": list(TRAITS)}
    content |= {name: np.round(array, 4).tolist() for name, array in table.items()}
    with replacing(args.out) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
    for title, rooms in {"rooms": data[cut + cut % 2 :: 2], "crowded rooms": data[cut + 1 - cut % 2 :: 2]}.items():
        results: dict[str, list[list[float]]] = {"size": [], "shape": []}
        for given, overlap, rows, count in rooms:
            results["size"].append(figures(suppressed(rows, count), overlap))
            worth = model.predict(((given - mean) / scale).clip(-4, 4))
            results["shape"].append(figures(divided(worth, rows, count), overlap))
        for name, lines in results.items():
            number, low, high, precision = np.mean(lines, axis=0)
            print(
                f"{len(lines)} {title} of {np.mean([d[1].shape[1] for d in rooms]):.0f} objects, {name}: {number:.1f} "
                f"proposals, R25 {low:.3f}, R50 {high:.3f}, precision at 0.25 {precision:.3f}"
            )


if __name__ == "__main__":
    main()

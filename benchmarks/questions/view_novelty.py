"""Unexplained things in a view: generated rooms with one thing whose name is withheld, and rooms without.

Affinities are a stand-in for CLIP's relevancy, made from true masks: another gain for each name, leaks to other things
and to floor and walls, blur, shift and smooth noise; the mean of names that are in no room is taken off. The withheld
name is never asked for.

>>> rooms = [made_room(seed, withheld=True) for seed in range(2)]
>>> [bool(room.truth.any()) for room in rooms]
[True, True]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import options
from benchmarks.intervals import bootstrap
from benchmarks.report.output import write_json
from benchmarks.training.completion_affinities import NOTHING, one_map, scaled
from benchmarks.training.completion_samples import LAYOUT, numbered
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes import find_objects
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views import lift
from openshape_ood.views.affinities import Affinities

FOREIGN = ("bathtub", "bench", "bin", "fan", "piano", "stool", "toilet", "wardrobe")  # of these one is withheld
OTHERS = tuple(name for name in FURNITURE if name not in FOREIGN)
LEAST = 80  # pixels of a thing that counts as seen
SMOOTH, SIZE = 24, 60  # points that are averaged, and that a region has at least
DRAWS = 1000  # of the intervals
BACKGROUND = 6  # names that are in no room
GRID = np.linspace(0.0, 1.2, 49)  # thresholds that are tried


@dataclass(frozen=True, eq=False)
class Judged:
    """Novelty of a room's points by the known names, and mask (n,) of the points of the unnamed thing."""

    found: NoveltyMap
    truth: np.ndarray

    def regions(self, threshold: float) -> int:
        return len(replace(self.found, threshold=Threshold(threshold)).regions(SIZE))


def affinities(made: RoomView, names: Sequence[str], seed: int, severity: float = 1.0) -> Affinities:
    """The stand-in of completion's training for relevancy, less a fixed background; true masks at `severity` 0."""
    if not severity:
        return Affinities.from_masks(np.stack([made.mask(name) for name in names]), names)
    rng, shown = np.random.RandomState([seed, 18]), numbered(made)
    called = np.array([item.category for item in made.items])
    objects = [[LAYOUT[name]] if name in LAYOUT else np.flatnonzero(called == name) + 1 for name in names]
    maps = np.stack([one_map(shown, np.array(own), rng, severity) for own in objects])
    behind = np.mean([one_map(shown, NOTHING, rng, severity) for _ in range(BACKGROUND)], axis=0)
    return Affinities(scaled(maps - behind), tuple(names))


def made_room(seed: int, *, withheld: bool, severity: float = 1.0, objects: bool = False) -> Judged:
    """A room in which everything has a known name, but for one thing if `withheld`, judged by points or by objects."""
    for attempt in range(20):
        rng = np.random.RandomState([seed, attempt, 19])
        foreign = [FOREIGN[rng.randint(len(FOREIGN))]] if withheld else []
        try:
            made = room_view(int(rng.randint(2**31)), categories=OTHERS, foreign=foreign)
        except InputError:  # no place for it
            continue
        hidden = made.mask(foreign[0]) if withheld else np.zeros(made.view.shape, dtype=bool)
        if withheld and hidden.sum() < LEAST:
            continue
        known = tuple(dict.fromkeys(["floor", "wall", *(item.category for item in made.items if not item.foreign)]))
        lifted = lift(made.view, affinities(made, known, seed, severity))
        how: dict[str, Any] = {"objects": find_objects(lifted.scene)} if objects else {"smooth": SMOOTH}
        found = lifted.novelty(**how)
        return Judged(found, hidden.reshape(-1)[made.view.seen.reshape(-1)])
    raise InputError(f"no room of seed {seed} shows a thing to withhold")


def chosen_threshold(rooms: Sequence[Judged], kept: float = 0.85) -> float:
    """The least threshold at which so many rooms in which nothing is withheld have no region."""
    counts = np.array([[room.regions(value) for value in GRID] for room in rooms])
    calm = np.flatnonzero((counts == 0).mean(axis=0) >= kept)
    return float(GRID[calm[0] if len(calm) else -1])


def measure(rooms: int, severity: float = 1.0, seed: int = 0, objects: bool = False) -> dict[str, Any]:
    """Point AUROC, and shares of rooms with exactly one region where one thing is withheld, and with none otherwise.

    The threshold is chosen on as many other rooms; intervals are by resampling rooms.
    """
    first = 1000 * seed
    how: dict[str, Any] = {"severity": severity, "objects": objects}
    calm = [made_room(first + i, withheld=False, **how) for i in range(2 * rooms)]
    told = [made_room(first + 500 + i, withheld=True, **how) for i in range(rooms)]
    threshold = chosen_threshold(calm[:rooms])
    novelty, truth = (
        np.concatenate(part) for part in zip(*((room.found.novelty, room.truth) for room in told), strict=True)
    )
    each = [roc_auc_score(room.truth, room.found.novelty) for room in told]
    return {
        "rooms": rooms,
        "AUROC": float(roc_auc_score(truth, novelty)),
        "AUROC, mean over rooms": bootstrap(each, DRAWS),
        "threshold": threshold,
        "one region": bootstrap([room.regions(threshold) == 1 for room in told], DRAWS),
        "no region": bootstrap([room.regions(threshold) == 0 for room in calm[rooms:]], DRAWS),
    }


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['mean']:.2f} ({value['low']:.2f} to {value['high']:.2f})"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=2, severity=0)
    rows = []
    for severity, objects in itertools.product(args.severity, (False, True)):
        by = "objects" if objects else "points"
        rows.append({"severity": severity, "by": by, **measure(args.rooms, severity, args.seed, objects)})
        told = [f"{name} {shown(value)}" for name, value in rows[-1].items()]
        print(", ".join(told), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    record = {"benchmark": "view_novelty", "seed": args.seed, "smooth": SMOOTH, "least": SIZE, "rows": rows}
    print(write_json(args.out / f"view-novelty{options.suffix(args)}.json", record))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a line a severity and write the JSON: 0 when done, 1 when the input was wrong."""
    parser = options.parser("view_novelty", "what no known name explains in a view", "seed")
    parser.add_argument("--rooms", type=int, default=20, help="of each kind (default: %(default)s)")
    parser.add_argument("--severity", type=float, nargs="+", default=[0.5, 1.0], help="of the stand-in's faults")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))

"""`python -m benchmarks view_novelty`: unexplained objects in one view of generated rooms.

In half of the rooms the name of one object is withheld. Affinities are simulated from true masks instead of CLIP's
relevancy: with a random gain per name, leaks to other objects, floor and walls, blur, shift and smooth noise, minus the
mean of background names.

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
from benchmarks.questions import harness
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

FOREIGN = ("bathtub", "bench", "bin", "fan", "piano", "stool", "toilet", "wardrobe")  # candidates for the withheld name
OTHERS = tuple(name for name in FURNITURE if name not in FOREIGN)
LEAST = 80  # least pixels of a visible object
SMOOTH, SIZE = 24, 60  # points to average; least points of a region
DRAWS = 1000  # bootstrap draws of the intervals
BACKGROUND = 6  # number of background names
GRID = np.linspace(0.0, 1.2, 49)  # thresholds to try


@dataclass(frozen=True, eq=False)
class Judged:
    """Novelty map of a room's points by the known names, and mask (n,) of the points of the unnamed object."""

    map: NoveltyMap
    truth: np.ndarray

    def regions(self, threshold: float) -> int:
        return len(replace(self.map, threshold=Threshold(threshold)).regions(SIZE))


def affinities(made: RoomView, names: Sequence[str], seed: int, severity: float = 1.0) -> Affinities:
    """Simulated affinities, as in the training of completion, minus a background; true masks if `severity` is 0."""
    if not severity:
        return Affinities.from_masks(np.stack([made.mask(name) for name in names]), names)
    rng, shown = np.random.RandomState([seed, 18]), numbered(made)
    called = np.array([item.category for item in made.items])
    objects = [[LAYOUT[name]] if name in LAYOUT else np.flatnonzero(called == name) + 1 for name in names]
    maps = np.stack([one_map(shown, np.array(numbers), rng, severity) for numbers in objects])
    behind = np.mean([one_map(shown, NOTHING, rng, severity) for _ in range(BACKGROUND)], axis=0)
    return Affinities(scaled(maps - behind), tuple(names))


def made_room(seed: int, *, withheld: bool, severity: float = 1.0, objects: bool = False) -> Judged:
    """A scored room in which all objects have known names, or all but one if `withheld`."""
    for attempt in range(20):
        rng = np.random.RandomState([seed, attempt, 19])
        foreign = [FOREIGN[rng.randint(len(FOREIGN))]] if withheld else []
        try:
            made = room_view(int(rng.randint(2**31)), categories=OTHERS, foreign=foreign)
        except InputError:  # the room has no space for it
            continue
        hidden = made.mask(foreign[0]) if withheld else np.zeros(made.view.shape, dtype=bool)
        if withheld and hidden.sum() < LEAST:
            continue
        known = tuple(dict.fromkeys(["floor", "wall", *(item.category for item in made.items if not item.foreign)]))
        lifted = lift(made.view, affinities(made, known, seed, severity))
        how: dict[str, Any] = {"objects": find_objects(lifted.scene)} if objects else {"smooth": SMOOTH}
        return Judged(lifted.novelty(**how), hidden.reshape(-1)[made.view.seen.reshape(-1)])
    raise InputError(f"no room of seed {seed} shows an object to withhold")


def chosen_threshold(rooms: Sequence[Judged], kept: float = 0.85) -> float:
    """Least threshold at which a fraction `kept` of the rooms without a withheld name have no region."""
    counts = np.array([[room.regions(value) for value in GRID] for room in rooms])
    calm = np.flatnonzero((counts == 0).mean(axis=0) >= kept)
    return float(GRID[calm[0] if len(calm) else -1])


def measure(rooms: int, severity: float = 1.0, seed: int = 0, objects: bool = False) -> dict[str, Any]:
    """AUROC of points; fractions of rooms that get the right number of regions, one if a name is withheld, else none.

    The threshold is chosen on `rooms` other rooms. Intervals are a bootstrap over rooms.
    """
    first = 1000 * seed
    how: dict[str, Any] = {"severity": severity, "objects": objects}
    calm = [made_room(first + i, withheld=False, **how) for i in range(2 * rooms)]
    tested = [made_room(first + 500 + i, withheld=True, **how) for i in range(rooms)]
    threshold = chosen_threshold(calm[:rooms])
    novelty, truth = (np.concatenate(part) for part in zip(*((r.map.novelty, r.truth) for r in tested), strict=True))
    each = [roc_auc_score(room.truth, room.map.novelty) for room in tested]
    return {
        "rooms": rooms,
        "AUROC": float(roc_auc_score(truth, novelty)),
        "AUROC, mean over rooms": bootstrap(each, DRAWS),
        "threshold": threshold,
        "one region": bootstrap([room.regions(threshold) == 1 for room in tested], DRAWS),
        "no region": bootstrap([room.regions(threshold) == 0 for room in calm[rooms:]], DRAWS),
    }


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=2, severity=0)
    rows = []
    for severity, objects in itertools.product(args.severity, (False, True)):
        by = "objects" if objects else "points"
        rows.append({"severity": severity, "by": by, **measure(args.rooms, severity, args.seed, objects)})
        print(", ".join(f"{name} {harness.spanned(value, 2)}" for name, value in rows[-1].items()), flush=True)
    record = {"benchmark": "view_novelty", "seed": args.seed, "smooth": SMOOTH, "least": SIZE, "rows": rows}
    print(write_json(args.out / f"view-novelty{options.suffix(args)}.json", record))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("view_novelty", "unexplained objects in one view", "seed")
    parser.add_argument(
        "--rooms", type=int, default=20, help="rooms with a withheld name, and as many without (default: %(default)s)"
    )
    words = "severity of the simulated affinities' errors; one run per value"
    parser.add_argument("--severity", type=float, nargs="+", default=[0.5, 1.0], help=words)
    return options.run(parser, run, argv)

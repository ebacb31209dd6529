"""What no known name explains in a view: generated rooms with one thing whose name is withheld, and rooms without.

Affinities are a stand-in for CLIP's relevancy, made from true masks: another gain for each name, leaks to other things
and to floor and walls, blur, shift and smooth noise; the mean of names that are in no room is taken off. The withheld
name is never asked for.

>>> rooms = [made_room(seed, withheld=True) for seed in range(2)]
>>> [room.truth.any() for room in rooms]
[True, True]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, shift
from sklearn.metrics import roc_auc_score

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views import lift
from openshape_ood.views.affinities import Affinities

LAYOUT = ("floor", "wall", "ceiling")
FOREIGN = ("bathtub", "bench", "bin", "fan", "piano", "stool", "toilet", "wardrobe")  # of these one is withheld
OTHERS = tuple(name for name in FURNITURE if name not in FOREIGN)
LEAST = 80  # pixels of a thing that counts as seen
SMOOTH, SIZE = 24, 60  # points that are averaged, and that a region has at least
BACKGROUND = 6  # names that are in no room
GRID = np.linspace(0.4, 1.2, 21)  # thresholds that are tried


@dataclass(frozen=True, eq=False)
class Judged:
    """What the known names leave unexplained of a room, and whether each point is of what nobody named (n,)."""

    found: NoveltyMap
    truth: np.ndarray

    def regions(self, threshold: float) -> int:
        return len(replace(self.found, threshold=Threshold(threshold)).regions(SIZE))


def stand_in(made: RoomView, names: Sequence[str], seed: int, severity: float = 1.0) -> Affinities:
    """Affinities to names, those of a mask at `severity` 0; from the least to the most of the picture -1 to 1."""
    rng = np.random.RandomState([seed, 18])
    instances, unit = made.instances, made.view.shape[1] / 96
    maps = []
    for name in (*names, *[""] * BACKGROUND):
        share = np.where(rng.random_sample(len(made.names)) < 0.35, rng.uniform(0.2, 0.9, len(made.names)), 0.0)
        share[0] = rng.uniform(0, 0.5)
        picture = np.where(made.mask(name), rng.uniform(0.7, 1.0), severity * share[instances])
        picture = picture * (1 + severity * rng.uniform(-0.5, 0.5))
        picture = shift(picture, severity * unit * rng.uniform(-2, 2, 2), order=1, mode="nearest")
        picture = gaussian_filter(picture, severity * unit * rng.uniform(1.5, 4.5))
        noise = gaussian_filter(rng.normal(size=picture.shape), unit * rng.uniform(2, 8))
        maps.append(picture + severity * rng.uniform(0.02, 0.1) * noise / noise.std())
    values = np.stack(maps[: len(names)]) - np.mean(maps[len(names) :], axis=0)
    return Affinities((values / np.abs(values).max()).astype(np.float32), tuple(names))


def made_room(seed: int, *, withheld: bool, severity: float = 1.0) -> Judged:
    """A room in which everything has a known name, but for one thing if `withheld`."""
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
        known = tuple(dict.fromkeys([*LAYOUT[:2], *(item.category for item in made.items if not item.foreign)]))
        lifted = lift(made.view, stand_in(made, known, seed, severity))
        return Judged(lifted.novelty(smooth=SMOOTH), hidden.reshape(-1)[made.view.seen.reshape(-1)])
    raise InputError(f"no room of seed {seed} shows a thing to withhold")


def chosen_threshold(rooms: Sequence[Judged], kept: float = 0.85) -> float:
    """The least threshold at which so many rooms in which nothing is withheld have no region."""
    counts = np.array([[room.regions(value) for value in GRID] for room in rooms])
    calm = np.flatnonzero((counts == 0).mean(axis=0) >= kept)
    return float(GRID[calm[0] if len(calm) else -1])


def measure(rooms: int, severity: float = 1.0, seed: int = 0) -> dict[str, float]:
    """Point AUROC, and shares of rooms with exactly one region where one thing is withheld, and with none otherwise.

    The threshold is chosen on as many other rooms.
    """
    first = 1000 * seed
    calm = [made_room(first + i, withheld=False, severity=severity) for i in range(2 * rooms)]
    told = [made_room(first + 500 + i, withheld=True, severity=severity) for i in range(rooms)]
    threshold = chosen_threshold(calm[:rooms])
    novelty, truth = (
        np.concatenate(part) for part in zip(*((room.found.novelty, room.truth) for room in told), strict=True)
    )
    each = [roc_auc_score(room.truth, room.found.novelty) for room in told]
    return {
        "rooms": rooms,
        "AUROC": float(roc_auc_score(truth, novelty)),
        "AUROC, mean over rooms": float(np.mean(each)),
        "threshold": threshold,
        "one region": float(np.mean([room.regions(threshold) == 1 for room in told])),
        "no region": float(np.mean([room.regions(threshold) == 0 for room in calm[rooms:]])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--severity", type=float, nargs="+", default=[0.5, 1.0])
    asked = parser.parse_args()
    for severity in asked.severity:
        found = measure(asked.rooms, severity)
        print(f"severity {severity:g}:", ", ".join(f"{name} {value:.3g}" for name, value in found.items()))


if __name__ == "__main__":
    main()

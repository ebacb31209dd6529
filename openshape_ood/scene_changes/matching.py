"""Gone and new objects -> what became of each: moved, replaced, removed, added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from openshape_ood.scenes.boxes import Box

WIDER = 0.05  # meters added to sides before their logarithm: noise of a few centimeters counts little on small things
TOGETHER = 0.5  # of the smaller one's extent on the floor: one thing stands in the place of another
NEVER = 1e6


def differences(before: np.ndarray, after: np.ndarray, boxes: Sequence[Box], later: Sequence[Box]) -> np.ndarray:
    """How much objects differ (p, q), from their embeddings (p, d), (q, d), unit length, and boxes; 0 is the same.

    The cosine distance as a multiple of the usual one between different objects, plus the mean difference of the
    logarithms of the sides.
    """
    cosine = 1 - before @ after.T
    usual = usual_distance(np.concatenate([before, after]))
    sizes = [np.log(np.array([box.size for box in own]).reshape(-1, 3) + WIDER) for own in (boxes, later)]
    return cosine / usual + np.abs(sizes[0][:, None] - sizes[1][None]).mean(axis=2)


def usual_distance(vectors: np.ndarray) -> float:
    """Median cosine distance between the rows; 1 for fewer than two."""
    if len(vectors) < 2:
        return 1.0
    apart = (1 - vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return max(float(np.median(apart)), 1e-6)


def moved(table: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Pairs (i, j) of differences (p, q) up to a limit, one to one, with the least sum (Hungarian)."""
    if not table.size:
        return []
    cost = np.where(table <= limit, table - limit - 1, NEVER)
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return [(int(i), int(j)) for i, j in pairs if cost[i, j] < NEVER]


def replaced(boxes: Sequence[Box], later: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs (i, j) that stand in one place, those that overlap most first."""
    found = [(shared_place(a, b), i, j) for i, a in enumerate(boxes) for j, b in enumerate(later)]
    pairs, one, other = list[tuple[int, int]](), set[int](), set[int]()
    for share, i, j in sorted(found, key=lambda entry: -entry[0]):
        if share >= TOGETHER and i not in one and j not in other:
            pairs.append((i, j))
            one.add(i)
            other.add(j)
    return pairs


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of the boxes' extents along x, y and z; of flat ones as if they were 5 cm."""
    common, one, other = _extents(first, second)
    return float(common.prod() / (one.prod() + other.prod() - common.prod()))


def shared_place(first: Box, second: Box) -> float:
    """Fraction of the smaller extent along x and y that both boxes have; 0 for one above the other."""
    common, one, other = _extents(first, second)
    return float(common[:2].prod() / min(one[:2].prod(), other[:2].prod())) if common[2] > 0 else 0.0


def _extents(first: Box, second: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sides (3,) along the axes of what both have, and of each."""
    ends = []
    for box in (first, second):
        corners = box.corners()
        ends.append((corners.min(axis=0) - WIDER / 2, corners.max(axis=0) + WIDER / 2))
    (low, high), (other_low, other_high) = ends
    return np.maximum(0, np.minimum(high, other_high) - np.maximum(low, other_low)), high - low, other_high - other_low

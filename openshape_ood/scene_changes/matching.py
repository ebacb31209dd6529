"""Matching of removed objects with added objects, for pairs that moved or were replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from openshape_ood.scenes.boxes import Box

WIDER = 0.05  # meters added to each side, so that noise has less effect on small objects
SIZE = 2.0  # weight of the sizes in a difference, relative to the embeddings
TOGETHER = 0.5  # minimum overlap of two objects at one place, relative to the smaller footprint
NEVER = 1e6


def differences(
    before: np.ndarray, after: np.ndarray, boxes: Sequence[Box], later: Sequence[Box], usual: float
) -> np.ndarray:
    """Differences (p, q) between p objects before and q objects after; 0 for equal objects.

    before, after: embeddings (p, d) and (q, d) of unit length; boxes, later: their boxes; usual: `usual_distance` of
    the place. A difference is the cosine distance divided by `usual`, plus twice the mean absolute difference of the
    logarithms of the sides.
    """
    cosine = 1 - before @ after.T
    sizes = [np.log(np.array([box.size for box in listed]).reshape(-1, 3) + WIDER) for listed in (boxes, later)]
    return cosine / usual + SIZE * np.abs(sizes[0][:, None] - sizes[1][None]).mean(axis=2)


def usual_distance(vectors: np.ndarray) -> float:
    """Median cosine distance between the rows (n, d); 1 for fewer than two rows."""
    if len(vectors) < 2:
        return 1.0
    apart = (1 - vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return max(float(np.median(apart)), 1e-6)


def moved(table: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """One-to-one pairs (i, j) with differences of at most `limit`: optimal assignment by the Hungarian method."""
    if not table.size:
        return []
    cost = np.where(table <= limit, table - limit - 1, NEVER)
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return [(int(i), int(j)) for i, j in pairs if cost[i, j] < NEVER]


def replaced(boxes: Sequence[Box], later: Sequence[Box]) -> list[tuple[int, int]]:
    """One-to-one pairs (i, j) of objects at one place, assigned greedily by overlap."""
    shares = [(shared_place(a, b), i, j) for i, a in enumerate(boxes) for j, b in enumerate(later)]
    pairs, one, other = list[tuple[int, int]](), set[int](), set[int]()
    for share, i, j in sorted(shares, key=lambda entry: -entry[0]):
        if share >= TOGETHER and i not in one and j not in other:
            pairs.append((i, j))
            one.add(i)
            other.add(j)
    return pairs


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of axis-parallel extents. Each side is widened by 5 cm, because objects may be flat."""
    common, one, other = _extents(first, second)
    return float(common.prod() / (one.prod() + other.prod() - common.prod()))


def shared_place(first: Box, second: Box) -> float:
    """Overlap of two footprints relative to the smaller one; 0 if one box is above the other."""
    common, one, other = _extents(first, second)
    return float(common[:2].prod() / min(one[:2].prod(), other[:2].prod())) if common[2] > 0 else 0.0


def _extents(first: Box, second: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Axis-parallel sides (3,) of three boxes: the intersection, the first and the second."""
    ends = []
    for box in (first, second):
        corners = box.corners()
        ends.append((corners.min(axis=0) - WIDER / 2, corners.max(axis=0) + WIDER / 2))
    (low, high), (other_low, other_high) = ends
    return np.maximum(0, np.minimum(high, other_high) - np.maximum(low, other_low)), high - low, other_high - other_low

"""Selection among overlapping candidates by score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

INSIDE = 0.8  # minimum fraction of a set in a larger set that contains it
COST = 0.35  # minimum expected overlap of a kept candidate with a whole object
WEIGHT = 0.5  # exponent of the voxel count in a candidate's value: voxels grow with the square of an object's length
OVERLAP = 0.3  # maximum intersection over union of a kept candidate with a better one


def contained(rows: Sequence[np.ndarray], count: int) -> np.ndarray:
    """For each set (p,): index of the smallest larger set that contains at least 80 % of it; -1 without one."""
    table, size = members(rows, count), np.array([len(one) for one in rows], dtype=np.int64)
    both = (table @ table.T).toarray()
    holds = (both >= INSIDE * size[:, None]) & (size[None] > size[:, None])
    least = np.where(holds, size[None], np.iinfo(np.int64).max)
    return np.where(holds.any(axis=1), least.argmin(axis=1), -1) if len(rows) else np.empty(0, dtype=np.int64)


def members(rows: Sequence[np.ndarray | Sequence[int]], count: int) -> csr_array:
    """Sparse table (p, count): 1 where a set contains a row."""
    columns = np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64)
    starts = np.cumsum([0, *map(len, rows)])
    return csr_array((np.ones(len(columns), dtype=np.int64), columns, starts), shape=(len(rows), count))


def suppressed(rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Selection of nested or disjoint sets by size: indices, largest first.

    A set is dropped if its intersection over union with the smallest kept set around it exceeds `OVERLAP`.
    """
    kept, inner = list[int](), np.full(count, -1)
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        around = inner[rows[i][0]]
        if around < 0 or len(rows[i]) <= OVERLAP * len(rows[around]):
            inner[rows[i]] = i
            kept.append(i)
    return kept


def divided(worth: np.ndarray, rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Disjoint selection of nested or disjoint sets with the largest total value: indices, best first.

    The value of a set is its worth minus `COST`, times the square root of its size. A set is preferred to its parts,
    unless their total value is larger. Sizes count because the worth is a noisy estimate: without them, the values of
    four legs would often exceed the value of their table.
    """
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    around, inner = np.full(len(rows), -1), np.full(count, -1)
    for i in order:
        around[i] = inner[rows[i][0]]
        inner[rows[i]] = i
    parts, whole = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    for i in reversed(order):
        value = (worth[i] - COST) * len(rows[i]) ** WEIGHT
        whole[i] = value > 0 and value >= parts[i]
        if around[i] >= 0:
            parts[around[i]] += max(value, parts[i])
    inside = np.zeros(len(rows), dtype=bool)
    for i in order:
        inside[i] = around[i] >= 0 and (inside[around[i]] or whole[around[i]])
    return sorted(np.flatnonzero(whole & ~inside).tolist(), key=lambda i: -worth[i])

"""Selection among overlapping candidates by score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

INSIDE = 0.8  # fraction of a set
COST = 0.35  # minimum overlap with a whole thing for each kept candidate
WEIGHT = 0.5  # exponent of the voxel count in a candidate's weight: its root, which grows like the length
OVERLAP = 0.3  # intersection over union with a better candidate above which a candidate is dropped


def contained(rows: Sequence[np.ndarray], count: int) -> np.ndarray:
    """For each set (p,): index of the smallest larger set with four fifths of it; -1 if none."""
    table, size = members(rows, count), np.array([len(own) for own in rows], dtype=np.int64)
    both = (table @ table.T).toarray()
    holds = (both >= INSIDE * size[:, None]) & (size[None] > size[:, None])
    least = np.where(holds, size[None], np.iinfo(np.int64).max)
    return np.where(holds.any(axis=1), least.argmin(axis=1), -1) if len(rows) else np.empty(0, dtype=np.int64)


def members(rows: Sequence[np.ndarray | Sequence[int]], count: int) -> csr_array:
    """Membership of `count` rows in each set: a table (p, count) of ones."""
    found = np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64)
    starts = np.cumsum([0, *map(len, rows)])
    return csr_array((np.ones(len(found), dtype=np.int64), found, starts), shape=(len(rows), count))


def suppressed(rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Kept indices of nested or disjoint sets, largest first, without sets that overlap a larger kept set by more than
    `OVERLAP`."""
    kept, inner = list[int](), np.full(count, -1)
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        around = inner[rows[i][0]]
        if around < 0 or len(rows[i]) <= OVERLAP * len(rows[around]):
            inner[rows[i]] = i
            kept.append(i)
    return kept


def divided(worth: np.ndarray, rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Disjoint selection of nested or disjoint sets with the largest total worth, best first.

    A set's worth beyond `COST` is weighted by the root of its size. A set stays whole unless its parts are worth more.
    The worth is an estimate: without weights, the errors of four legs would add up to more than a table.
    """
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    around, inner = np.full(len(rows), -1), np.full(count, -1)
    for i in order:
        around[i] = inner[rows[i][0]]
        inner[rows[i]] = i
    parts, whole = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    for i in reversed(order):
        own = (worth[i] - COST) * len(rows[i]) ** WEIGHT
        whole[i] = own > 0 and own >= parts[i]
        if around[i] >= 0:
            parts[around[i]] += max(own, parts[i])
    inside = np.zeros(len(rows), dtype=bool)
    for i in order:
        inside[i] = around[i] >= 0 and (inside[around[i]] or whole[around[i]])
    return sorted(np.flatnonzero(whole & ~inside).tolist(), key=lambda i: -worth[i])

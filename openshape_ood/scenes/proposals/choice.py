"""Which of overlapping candidates are kept: ordered by a score, and without what overlaps a better one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

INSIDE = 0.8  # of a set
COST = 0.35  # overlap with a whole thing that is asked of each that is kept
WEIGHT = 0.5  # power of its voxels by which a candidate counts: the root, as its length does
OVERLAP = 0.3  # intersection over union with a better one above which a candidate goes


def contained(rows: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Which smallest larger set (p,) has four fifths of each set, -1 for none."""
    table, size = members(rows, count), np.array([len(own) for own in rows], dtype=np.int64)
    both = (table @ table.T).toarray()
    holds = (both >= INSIDE * size[:, None]) & (size[None] > size[:, None])
    least = np.where(holds, size[None], np.iinfo(np.int64).max)
    return np.where(holds.any(axis=1), least.argmin(axis=1), -1) if len(rows) else np.empty(0, dtype=np.int64)


def members(rows: Sequence[np.ndarray | Sequence[int]], count: int) -> csr_array:
    """Which of `count` rows each set has: a table (p, count) of ones."""
    found = np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64)
    starts = np.cumsum([0, *map(len, rows)])
    return csr_array((np.ones(len(found), dtype=np.int64), found, starts), shape=(len(rows), count))


def suppressed(rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Of sets of which any two are apart or one inside the other: indices of those that are kept, the largest first,
    without what overlaps a larger one that is kept by more than `OVERLAP`."""
    kept, inner = list[int](), np.full(count, -1)
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        around = inner[rows[i][0]]
        if around < 0 or len(rows[i]) <= OVERLAP * len(rows[around]):
            inner[rows[i]] = i
            kept.append(i)
    return kept


def divided(worth: np.ndarray, rows: Sequence[np.ndarray], count: int) -> list[int]:
    """Of sets of which any two are apart or one inside the other: indices of those, all apart, whose worth beyond
    `COST`, by the root of their size, adds up to most, best first. A set stays whole unless its parts are worth more.

    The worth is an estimate: counted alike, the errors of four legs add up to more than a table.
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

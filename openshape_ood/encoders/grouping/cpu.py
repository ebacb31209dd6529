"""Farthest-point sampling and ball query for the CPU: what `grouping` computes, several times faster.

Same arithmetic, operation by operation, so the same indices. A step of either touches some 10,000 numbers, which
takes numpy about a microsecond: calls, temporaries and waiting for threads would cost more than the arithmetic. So
clouds are taken one at a time with their coordinates in rows, results go to buffers that stay in the core's cache, and
there is one thread (two were no faster).
"""

from __future__ import annotations

import numpy as np

# centers whose distances are held at once: 8 rows of 10,000 points are 320 kB
ROWS = 8


def farthest_point_sampling(clouds: np.ndarray, count: int) -> np.ndarray:
    """Indices (b, count) int64 of points of clouds (b, n, 3) float32, as `grouping.farthest_point_sampling`."""
    picked = np.zeros((len(clouds), count), dtype=np.int64)
    with np.errstate(all="ignore"):
        for cloud, row in zip(clouds, picked, strict=True):
            _sample(np.ascontiguousarray(cloud.T), row)
    return picked


def ball_query(clouds: np.ndarray, centers: np.ndarray, radius: float, count: int) -> np.ndarray:
    """Indices (b, p, count) int64 of points of clouds (b, n, 3) float32, as `grouping.ball_query`."""
    groups = np.zeros((*centers.shape[:2], count), dtype=np.int64)
    with np.errstate(all="ignore"):
        for cloud, own, rows in zip(clouds, centers, groups, strict=True):
            _query(np.ascontiguousarray(cloud.T), own, np.float32(radius**2), rows)
    return groups


def _sample(xyz: np.ndarray, picked: np.ndarray) -> None:
    """Fills `picked` (count,), all 0, with indices of points xyz (3, n)."""
    distance = np.full(xyz.shape[1], np.inf, dtype=np.float32)
    square = np.empty_like(xyz)
    x, y, z = square
    for i in range(1, len(picked)):
        last = picked[i - 1]
        np.subtract(xyz, xyz[:, last : last + 1], out=square)
        np.multiply(square, square, out=square)
        np.add(x, y, out=x)
        np.add(x, z, out=x)
        np.minimum(distance, x, out=distance)
        picked[i] = distance.argmax()


def _query(xyz: np.ndarray, centers: np.ndarray, limit: np.float32, groups: np.ndarray) -> None:
    """Fills `groups` (p, count), all 0, with indices of points xyz (3, n) around centers (p, 3)."""
    product, table = np.empty((2, ROWS, xyz.shape[1]), dtype=np.float32)
    inside = np.empty(table.shape, dtype=bool)
    # -2 goes into the factor: a power of two rounds nothing
    factors, own, theirs = -2 * centers, _norms(centers.T)[:, None], _norms(xyz)
    for start in range(0, len(centers), ROWS):
        a = factors[start : start + ROWS, :, None]
        rows = len(a)
        sums, term, near = table[:rows], product[:rows], inside[:rows]
        np.multiply(a[:, 0], xyz[0], out=sums)
        for axis in (1, 2):
            np.multiply(a[:, axis], xyz[axis], out=term)
            np.add(sums, term, out=sums)
        np.add(sums, own[start : start + ROWS], out=sums)
        np.add(sums, theirs, out=sums)
        np.less_equal(sums, limit, out=near)
        for row, group in zip(near, groups[start : start + ROWS], strict=True):
            _fill(group, np.flatnonzero(row)[: len(group)])


def _norms(xyz: np.ndarray) -> np.ndarray:
    """Squared norms of points (3, n), summed in the order of the axes."""
    x, y, z = xyz * xyz
    return (x + y) + z


def _fill(group: np.ndarray, members: np.ndarray) -> None:
    """Members in front, the first of them in what room is left."""
    if len(members):
        group[: len(members)] = members
        group[len(members) :] = members[0]

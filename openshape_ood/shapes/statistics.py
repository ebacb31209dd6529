"""What a cloud is like, and what looks wrong with it, before any encoder sees it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEW = 256  # points; with fewer, patches are hardly more than points
REPEATED = 0.2  # of the points
STRAY = 3  # times as large by the last hundredth of the points
FAR = 1000  # times its size from the origin: of the seven digits of float32 three are lost
THIN = 0.01  # of its length
SPACED = 50_000  # points, up to which neighbors are looked for among all
PLACES, AROUND, ASKED = 16, 2000, 128  # of more points: places looked at, points around each, and points of these asked
# the length of things of a room, in file units; what the unit then is
UNITS = ((0.03, 8.0, "meters"), (8.0, 400.0, "centimeters, or inches"), (400.0, 20_000.0, "millimeters"))


@dataclass(frozen=True)
class CloudFacts:
    """What a cloud (n, 3|6) of `points` points is like.

    size: its box; spacing: median distance of a point to its nearest neighbor, both in file units; colors: the least
    and the largest, 0 to 1, None without color; remarks: what looks wrong.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [0, 2, 0], [2, 0, 0], [0, 0, 2]])
    >>> CloudFacts.of(corners).spacing, CloudFacts.of(corners).remarks
    (2.0, ('only 4 points',))
    """

    points: int
    size: tuple[float, float, float]
    spacing: float
    colors: tuple[float, float] | None
    remarks: tuple[str, ...]

    @property
    def length(self) -> float:
        """Of the diagonal of its box."""
        return math.hypot(*self.size)

    @classmethod
    def of(cls, cloud: np.ndarray) -> CloudFacts:
        """Of a cloud as `load_shape` gives it."""
        xyz, n = cloud[:, :3], len(cloud)
        size = np.ptp(xyz, axis=0)
        rgb = cloud[:, 3:] if cloud.shape[1] == 6 else None
        colors = None if rgb is None else (float(rgb.min()), float(rgb.max()))
        x, y, z = size.tolist()
        return cls(n, (x, y, z), spacing(xyz), colors, tuple(_remarks(xyz, rgb, size)))


def _remarks(xyz: np.ndarray, rgb: np.ndarray | None, size: np.ndarray) -> list[str]:
    n, length = len(xyz), math.hypot(*size)  # of huge numbers too, whose squares are beyond float64
    repeated = 1 - len(np.unique(xyz, axis=0)) / n
    middle = np.ptp(np.quantile(xyz, (0.005, 0.995), axis=0), axis=0)
    away = math.hypot(*xyz.mean(axis=0))
    found = {
        f"only {n} points": n < FEW,
        f"{100 * repeated:.0f} % of the points are repeated": repeated > REPEATED,
        "a few stray points make it several times as large": n >= FEW and (size > STRAY * middle).any(),
        f"{away / length:,.0f} times its size from the origin, where float32 loses digits": away > FAR * length,
        "flat: a plane, not an object": size.min() < THIN * size.max(),
        "of one color only": rgb is not None and np.ptp(rgb, axis=0).max() == 0,
    }
    return [remark for remark, holds in found.items() if holds]


def spacing(points: np.ndarray) -> float:
    """Median distance of a point to the nearest other place where one is, in the unit of the points (n, 3).

    Of more than 50,000 points those around 16 of them are looked at, all of these. Infinite where all are one place.

    >>> spacing(np.array([[0.0, 0, 0], [0, 0, 0.1], [0, 0, 0.2], [0, 0, 0.2]]))
    0.1
    """
    n = len(points)
    if n <= SPACED:
        return float(np.median(_nearest(points, points[:: -(-n // 2000)])))
    some = points[np.random.RandomState(0).choice(n, SPACED // 2, replace=False)]
    among = max(2, AROUND * len(some) // n)
    found = []
    for place in some[:PLACES]:
        reach = np.partition(np.abs(some - place).max(axis=1), among)[among]
        if reach == 0:  # one point, repeated
            continue
        rows = np.flatnonzero(np.abs(points[:, 0] - place[0]) <= reach)  # one column first: it leaves few
        near = points[rows]
        off = np.abs(near - place).max(axis=1)
        # those asked lie well inside, so that their neighbors are there
        inside = near[off <= reach / 2]
        found.append(_nearest(near[off <= reach], inside[:: -(-len(inside) // ASKED)]))
    return float(np.median(np.concatenate(found))) if found else float("inf")


def _nearest(points: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """From each of `asked`, which are among the points, to the nearest other place of a point."""
    from scipy.spatial import KDTree

    ordered = points[np.lexsort(points.T)]
    again = (ordered[1:] == ordered[:-1]).all(axis=1)
    distance, _ = KDTree(ordered[~np.append(again, False)]).query(asked, k=2)
    return distance[:, 1]


def likely_unit(lengths: Sequence[float]) -> str:
    """What the unit of clouds (n,) of these lengths is, if they are things of a room.

    >>> likely_unit([0.9, 1.4]), likely_unit([1200.0])
    ('meters', 'millimeters')
    """
    half = float(np.median(lengths))
    return next((unit for low, high, unit in UNITS if low <= half < high), "none that is usual")

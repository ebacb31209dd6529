"""Statistics of a cloud and remarks on likely defects. They need no encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# limits for remarks
FEW = 256  # number of points; with fewer, a patch has few points
REPEATED = 0.2  # fraction of repeated points
STRAY = 3  # extent of all points / extent of the central 99 %
FAR = 1000  # distance from the origin / size; float32 then loses three of its seven digits
THIN = 0.01  # thickness / length
SPACED = 50_000  # maximum points of a cloud whose spacing is computed from all points
PLACES, AROUND, QUERIES = 16, 2000, 128  # for larger clouds: random places, neighbors of each place, queries per place
# an object of a room with a length in this range of numbers is probably in this unit
UNITS = ((0.03, 8.0, "meters"), (8.0, 400.0, "centimeters, or inches"), (400.0, 20_000.0, "millimeters"))


@dataclass(frozen=True)
class CloudFacts:
    """Statistics of a cloud.

    Attributes
    ----------
    points : int
        Number of points.
    size : tuple of float
        Sides x, y, z of the bounding box, in units of the file.
    spacing : float
        Median distance of a point to its nearest distinct neighbor, in units of the file.
    colors : tuple of float, or None
        Minimum and maximum of the colors, 0 to 1; None without colors.
    remarks : tuple of str
        Likely defects.

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
        """Diagonal of the bounding box, in units of the file."""
        return math.hypot(*self.size)

    @classmethod
    def of(cls, cloud: np.ndarray) -> CloudFacts:
        """Statistics of a cloud (n, 3|6) from `load_shape`."""
        xyz, n = cloud[:, :3], len(cloud)
        size = np.ptp(xyz, axis=0)
        rgb = cloud[:, 3:] if cloud.shape[1] == 6 else None
        colors = None if rgb is None else (float(rgb.min()), float(rgb.max()))
        x, y, z = size.tolist()
        return cls(n, (x, y, z), spacing(xyz), colors, tuple(_remarks(xyz, rgb, size)))


def _remarks(xyz: np.ndarray, rgb: np.ndarray | None, size: np.ndarray) -> list[str]:
    n, length = len(xyz), math.hypot(*size)  # hypot does not overflow
    repeated = 1 - len(np.unique(xyz, axis=0)) / n
    middle = np.ptp(np.quantile(xyz, (0.005, 0.995), axis=0), axis=0)
    away = math.hypot(*xyz.mean(axis=0))
    remarks = {
        f"only {n} points": n < FEW,
        f"{100 * repeated:.0f} % of the points are repeated": repeated > REPEATED,
        "a few stray points make it several times as large": n >= FEW and (size > STRAY * middle).any(),
        f"{away / length:,.0f} times its size from the origin, where float32 loses digits": away > FAR * length,
        "flat: a plane, not an object": size.min() < THIN * size.max(),
        "of one color only": rgb is not None and np.ptp(rgb, axis=0).max() == 0,
    }
    return [remark for remark, holds in remarks.items() if holds]


def spacing(points: np.ndarray) -> float:
    """Median distance of a point to its nearest distinct neighbor, in the unit of the points (n, 3).

    In clouds of more than 50,000 points, only points around 16 random points are used. The result is infinite if all
    points are equal.

    >>> spacing(np.array([[0.0, 0, 0], [0, 0, 0.1], [0, 0, 0.2], [0, 0, 0.2]]))
    0.1
    """
    n = len(points)
    if n <= SPACED:
        return float(np.median(_nearest(points, points[:: -(-n // 2000)])))
    some = points[np.random.RandomState(0).choice(n, SPACED // 2, replace=False)]
    among = max(2, AROUND * len(some) // n)
    distances = []
    for place in some[:PLACES]:
        reach = np.partition(np.abs(some - place).max(axis=1), among)[among]
        if reach == 0:  # there is one repeated point
            continue
        rows = np.flatnonzero(np.abs(points[:, 0] - place[0]) <= reach)  # one column first, because few points remain
        near = points[rows]
        off = np.abs(near - place).max(axis=1)
        # only the inner points are queries, so that their nearest neighbors are among `near`
        inside = near[off <= reach / 2]
        distances.append(_nearest(near[off <= reach], inside[:: -(-len(inside) // QUERIES)]))
    return float(np.median(np.concatenate(distances))) if distances else float("inf")


def _nearest(points: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Distance from each query to the nearest distinct point. The queries (m, 3) are some of the points (n, 3)."""
    from scipy.spatial import KDTree

    ordered = points[np.lexsort(points.T)]
    repeated = (ordered[1:] == ordered[:-1]).all(axis=1)
    distance, _ = KDTree(ordered[~np.append(repeated, False)]).query(queries, k=2)
    return distance[:, 1]


def likely_unit(lengths: Sequence[float]) -> str:
    """Likely unit of clouds from their lengths (n,), if they are objects of a room.

    >>> likely_unit([0.9, 1.4]), likely_unit([1200.0])
    ('meters', 'millimeters')
    """
    half = float(np.median(lengths))
    return next((unit for low, high, unit in UNITS if low <= half < high), "none that is usual")

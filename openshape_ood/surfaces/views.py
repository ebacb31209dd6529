"""Orthographic views of objects from all sides, with depth and normals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_count, check_positive
from openshape_ood.errors import CloudError, InputError
from openshape_ood.surfaces import tiles
from openshape_ood.surfaces.raster import Raster
from openshape_ood.surfaces.rasterizer import GRANULE, MOST_CELLS, cloud_points

RANGES = dict.fromkeys(("depth", "normal_u", "normal_v"), (-1.0, 1.0))
MARGIN = 0.96  # diameter of the object's ball, relative to the side of a view
FILL = 3  # empty cells are filled from the nearest cell with points, up to this distance in cells
REACH = 2  # cells around a point in which a nearer point hides it, so that sparse clouds are opaque
GOLDEN = (1 + 5**0.5) / 2


@dataclass(frozen=True)
class ViewRasterizer:
    """Rasterizer of objects in any unit. The tiles are views of depth and normals from several directions.

    Parameters
    ----------
    count : {6, 12}
        Number of views: 6 along the axes, or 12 from the corners of an icosahedron.
    size : int
        Cells along a view, a multiple of 16.

    Examples
    --------
    >>> ball = np.random.default_rng(0).normal(size=(20_000, 3))
    >>> raster = ViewRasterizer(size=32).rasterize(ball / np.linalg.norm(ball, axis=1, keepdims=True))
    >>> raster.tiles.shape, bool(raster.seen.mean() > 0.99)
    ((6, 3, 32, 32), True)
    """

    count: int = 6
    size: int = 128

    def __post_init__(self) -> None:
        if self.count not in (6, 12):
            raise InputError(f"count is {self.count!r}. Expected 6 or 12 views. Give count=6, for example.")
        if check_count(self.size, "size", MOST_CELLS, "cells along a view") % GRANULE:
            raise InputError(f"size is {self.size}. Expected a multiple of {GRANULE}. Give size=128, for example.")

    def rasterize(self, points: Any, *, radius: float | None = None, center: Any = None) -> Raster:
        """Render the views of a cloud.

        Parameters
        ----------
        points : array (n, 3)
        radius : float, optional
            Radius of the ball that fills a view, in the unit of the points. Give the same radius for all clouds to keep
            differences of size. Default: the radius of the cloud.
        center : array (3,), optional
            Center of the views. Default: the center of the points' bounding box.

        Returns
        -------
        Raster
            Channels: depth in radii, where 1 is nearest to the viewer, and the components of the normal to the right
            and downwards. The score of a point is its largest score in the views that show it.

        Raises
        ------
        CloudError
            For NaN, and for a single point.
        """
        given = cloud_points(points)
        middle = (given.min(axis=0) + given.max(axis=0)) / 2 if center is None else array(center, "center", "d")
        if middle.shape != (3,):
            raise InputError(
                f"center is {center!r}. Expected the three numbers of a point. Leave it out for the middle of the "
                "cloud."
            )
        centered = given - middle
        across = float(np.linalg.norm(centered, axis=1).max())
        if across == 0:
            raise CloudError("all points are equal. Expected points on the surface of an object. Check the cloud.")
        reach = across if radius is None else check_positive(radius, "radius")
        centered /= reach
        made = [self._view(centered, direction) for direction in directions(self.count)]
        stacked, mask, rows, spot = zip(*made, strict=True)
        owner = np.repeat(np.arange(len(rows), dtype=np.int32), [len(part) for part in rows])
        return Raster(
            np.stack(stacked), np.stack(mask), tuple(RANGES), RANGES, np.empty((0, 2), np.int64), len(given),
            np.concatenate(rows), owner, np.concatenate(spot), None, 2 * reach / (MARGIN * self.size), "max",
        )  # fmt: skip

    def _view(self, points: np.ndarray, toward: np.ndarray) -> tuple[np.ndarray, ...]:
        """Channels (3, h, h) and mask (h, h) of a view; indices and positions of the points that it shows.

        toward: direction to the viewer.
        """
        from scipy.ndimage import maximum_filter

        size = self.size
        side = np.cross([0.0, 1, 0] if abs(toward[2]) > 0.9 else [0.0, 0, 1], toward)
        side /= np.linalg.norm(side)
        local = points @ np.stack([-np.cross(toward, side), side, toward]).T
        spot = ((MARGIN * local[:, :2] + 1) * size / 2).astype(np.float32)
        within = np.flatnonzero(((spot >= 0) & (spot < size)).all(axis=1))
        cells = spot[within, 0].astype(np.int64) * size + spot[within, 1].astype(np.int64)
        front = np.full(size**2, -np.inf)
        np.maximum.at(front, cells, local[within, 2])
        front = maximum_filter(front.reshape(size, size), 2 * REACH + 1).reshape(-1)
        cell = 2 / (MARGIN * size)
        near = local[within, 2] >= front[cells] - 2 * (REACH + 1) * cell
        rows, cells = within[near], cells[near]
        count = np.bincount(cells, minlength=size**2)
        nearest, away = tiles.nearest_cell((count > 0).reshape(size, size))
        mask = away <= FILL
        depth = tiles.cell_mean(local[rows, 2], cells, count)[nearest]
        down, right = tiles.slopes(depth, cell)
        steep = np.sqrt(1 + down**2 + right**2)
        stacked = np.where(mask, np.stack([depth.clip(-1, 1), -right / steep, -down / steep]), 0)
        return stacked.astype(np.float32), mask, rows, spot[rows]


def directions(count: int) -> np.ndarray:
    """Directions (count, 3) to the viewers: 6 along the axes, 12 to the corners of an icosahedron."""
    if count == 6:
        return np.vstack([np.eye(3), -np.eye(3)])
    corners = [np.roll([0, a, b * GOLDEN], shift) for shift in range(3) for a, b in product((-1, 1), repeat=2)]
    return np.array(corners) / np.hypot(1, GOLDEN)

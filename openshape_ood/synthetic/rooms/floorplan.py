"""Free areas of a room's floor, and of the tops of furniture."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.sampling import sample_surface

CELL = 0.05  # meters


class FloorPlan:
    """Grid of occupied cells (x, y) of a room's floor. The origin is a corner of the room."""

    def __init__(self, width: float, depth: float) -> None:
        self.size = np.array([width, depth])
        self.taken = np.zeros(np.ceil(self.size / CELL).astype(int), dtype=bool)

    def is_free(self, middle: np.ndarray, size: np.ndarray, yaw: float) -> bool:
        """True if a rectangle (width, depth), turned by `yaw` about its center (2,), is inside and free."""
        if (np.abs(corners(size, yaw) + middle - self.size / 2) > self.size / 2 + 1e-9).any():
            return False
        part, inside = self._inside(middle, size, yaw)
        return not (self.taken[part] & inside).any()

    def take(self, middle: np.ndarray, size: np.ndarray, yaw: float) -> None:
        part, inside = self._inside(middle, size, yaw)
        self.taken[part] |= inside

    def _inside(self, middle: np.ndarray, size: np.ndarray, yaw: float) -> tuple[tuple[slice, slice], np.ndarray]:
        """Slices of the grid around a rectangle, and mask of the cells in these slices whose center is inside it."""
        reach = np.abs(corners(size, yaw)).max(axis=0) + CELL
        low = np.clip(np.floor((middle - reach) / CELL).astype(int), 0, self.taken.shape)
        high = np.clip(np.ceil((middle + reach) / CELL).astype(int), 0, self.taken.shape)
        x, y = (CELL * (np.arange(low[i], high[i]) + 0.5) - middle[i] for i in (0, 1))
        c, s = np.cos(yaw), np.sin(yaw)
        along, across = c * x[:, None] + s * y, c * y - s * x[:, None]
        inside = (np.abs(along) <= size[0] / 2) & (np.abs(across) <= size[1] / 2)
        return (slice(low[0], high[0]), slice(low[1], high[1])), inside


def corners(size: np.ndarray, yaw: float) -> np.ndarray:
    """Corners (4, 2) of a turned rectangle, relative to its center."""
    c, s = np.cos(yaw), np.sin(yaw)
    half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * size / 2
    return half @ np.array([[c, s], [-s, c]])


class Top:
    """Upper surface of a placed mesh, on which objects can be placed: highest point in each cell, nan if empty."""

    def __init__(self, mesh: Mesh, rng: np.random.RandomState) -> None:
        cloud, _ = sample_surface(mesh, 12_000, rng)
        cells = np.floor(cloud[:, :2] / CELL).astype(int)
        self.low = cells.min(axis=0)
        self.height = np.full(cells.max(axis=0) - self.low + 1, -np.inf)
        np.maximum.at(self.height, tuple((cells - self.low).T), cloud[:, 2])
        self.height[~np.isfinite(self.height)] = np.nan

    def find(
        self, size: np.ndarray, heights: tuple[float, float], rough: float, rng: np.random.RandomState
    ) -> tuple[np.ndarray, float] | None:
        """Center (2,) and height of a random free place for a rectangle along x and y. None if there is none.

        heights: allowed range of the height. rough: maximum difference of heights in the rectangle, in meters.
        """
        cells = np.ceil(size / CELL).astype(int)
        slack = np.array(self.height.shape) - cells
        if (slack < 0).any():
            return None
        for _ in range(20):
            i, j = (rng.randint(most + 1) for most in slack)
            part = self.height[i : i + cells[0], j : j + cells[1]]
            top = part.max()  # nan if a cell is missing or occupied
            if heights[0] <= top <= heights[1] and top - part.min() <= rough:
                part[:] = np.nan
                return CELL * (np.array([i, j]) + self.low + cells / 2), float(top)
        return None

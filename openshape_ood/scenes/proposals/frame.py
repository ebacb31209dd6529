"""A scan in a frame of its own: the same however it is ordered, shifted or turned by quarters, in voxels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scenes.scene import Scene, check_scene

STEP = 1e-6  # meters: whole numbers of it do not change with the origin, as the last digits of a float do
SMALLEST = 0.03  # meters, a voxel
MOST_VOXELS = 150_000
WIDEST = 1_000.0  # meters
NARROWEST = 0.02
NEIGHBORS = 16
QUARTERS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]])


@dataclass(frozen=True, eq=False)
class Frame:
    """A scan's v voxels.

    steps: the points (n, 3) in micrometers, z up, turned by the quarter that fills the first quadrant most; places:
    mean of the points of each voxel (v, 3), meters, sorted by their cells; color: mean color (v, 3) in [0, 1]; inverse:
    the voxel (n,) of each point; size: of a voxel, meters; quarter: what turned x and y (2, 2); middle: the origin (3,)
    of `steps` in the scan's own coordinates.
    """

    steps: np.ndarray
    places: np.ndarray
    color: np.ndarray | None
    inverse: np.ndarray
    size: float
    quarter: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, scene: Scene) -> Frame:
        """Voxels of 3 cm, or as much more as keeps them to 150,000."""
        check_scene(scene)
        low, high = scene.points.min(axis=0), scene.points.max(axis=0)
        _check_extent(scene.name, float((high - low).max()))
        middle = (low + high) / 2
        # from the middle, so that each coordinate is its own negative once the scan is turned
        steps = np.rint((scene.points - middle) / STEP).astype(np.int64)
        quarter = _fullest(steps)
        steps[:, :2] = steps[:, :2] @ quarter.T
        edge = SMALLEST
        while True:
            _, inverse, counts = np.unique(_cells(steps, edge), return_inverse=True, return_counts=True)
            if len(counts) <= MOST_VOXELS:
                break
            edge *= max(1.05, float(len(counts) / MOST_VOXELS) ** 0.5)

        def means(values: np.ndarray) -> np.ndarray:  # sums of whole numbers, which are the same in any order
            return np.stack([np.bincount(inverse, values[:, i]) for i in range(3)], axis=1) / counts[:, None]

        color = None if scene.color is None else means(np.rint(scene.color * 255)) / 255
        return cls(steps, means(steps) * STEP, color, inverse, edge, quarter, middle)

    @cached_property
    def beside(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices (v, 17) of each voxel and its nearest; with fewer voxels, infinity and v."""
        from scipy.spatial import KDTree

        return KDTree(self.places).query(self.places, k=NEIGHBORS + 1)

    @cached_property
    def spacing(self) -> float:
        """Median distance to the fourth neighbor, and the size of a voxel at least: what radii grow with."""
        fourth = self.beside[0][:, min(4, len(self.places) - 1)]
        return max(self.size, float(np.median(fourth)))

    def ordered(self, rows: np.ndarray, most: int) -> np.ndarray:
        """The points `rows` (m,), `most` of them at most, in an order that depends on nothing but where they are."""
        rows = rows[np.lexsort(self.steps[rows].T)]
        return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]

    def crop(self, rows: np.ndarray) -> np.ndarray:
        """Points (m, 3) of this frame in meters."""
        return self.steps[rows] * STEP

    def outward(self, directions: np.ndarray) -> np.ndarray:
        """Directions (..., 3) of this frame in that of the scan."""
        turned = np.array(directions, dtype=np.float64)
        turned[..., :2] = turned[..., :2] @ self.quarter
        return turned

    def place(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of this frame in that of the scan."""
        return self.outward(points) + self.middle


def _check_extent(name: str, across: float) -> None:
    if across > WIDEST:
        raise InputError(
            f"{name} is {across:,.0f} m across; expected meters, {WIDEST:,.0f} at most. If a few points stray, leave "
            "them out: scene.crop(low, high); if these are millimeters, divide them by 1000"
        )
    if across < NARROWEST:
        raise InputError(f"{name} is {across:.2g} m across: a single place, in which there are no objects")


def _fullest(steps: np.ndarray) -> np.ndarray:
    """The quarter turn that puts most points into the first quadrant, of those the one with most in the second."""
    counts = [int(((steps[:, :2] @ turn.T) > 0).all(axis=1).sum()) for turn in QUARTERS]
    best = max(range(4), key=lambda i: [counts[i], counts[i - 3], counts[i - 2], counts[i - 1]])
    return QUARTERS[best]


def _cells(steps: np.ndarray, size: float) -> np.ndarray:
    """A number a point (n,): its cell, of a grid that has the middle in the middle of a cell, symmetric about it."""
    edge = max(2, round(size / STEP))
    cells = np.sign(steps) * ((np.abs(steps) + edge // 2) // edge)
    side = 2 * int(np.abs(cells).max()) + 1
    cells += side // 2
    return (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2]

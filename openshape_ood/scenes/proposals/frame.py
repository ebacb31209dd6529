"""Canonical frame of a scan: independent of point order, shifts and turns about z."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scenes.proposals.grid import Grid
from openshape_ood.scenes.scene import Scene

STEP = 1e-6  # meters; rounding to multiples removes differences in the last digits between origins
SMALLEST = 0.03  # meters, minimum voxel
MOST_VOXELS = 150_000
WIDEST, NARROWEST = 1_000.0, 0.02  # meters, largest and smallest extent of a scan
QUARTERS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]])
FAINT = 1e-6  # a scan whose moment in `heading` is smaller, such as a round one, has no direction


@dataclass(frozen=True, eq=False)
class Frame:
    """Points of a scan as whole numbers.

    steps: points (n, 3) in micrometers, z up, after the quarter turn that puts most points into the first quadrant;
    color: (n, 3) uint8, or None; quarter: matrix (2, 2) of this turn; middle: origin (3,) of `steps` in the scan's
    coordinates.
    """

    steps: np.ndarray
    color: np.ndarray | None
    quarter: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, scene: Scene) -> Frame:
        low, high = scene.points.min(axis=0), scene.points.max(axis=0)
        _check_extent(scene.name, float((high - low).max()))
        middle = (low + high) / 2
        # relative to the middle, so that a half turn negates coordinates exactly
        steps = np.rint((scene.points - middle) / STEP).astype(np.int32)
        quarter = _fullest(steps)
        steps[:, :2] = steps[:, :2] @ quarter.T
        color = None if scene.color is None else np.rint(scene.color * 255).astype(np.uint8)
        return cls(steps, color, quarter, middle)

    @cached_property
    def center(self) -> np.ndarray:
        """Mean (3,) of the points in micrometers. It depends less on noise than the middle of the extent."""
        total: np.ndarray = np.rint(self.steps.sum(axis=0, dtype=np.int64) / len(self.steps))
        return total

    @cached_property
    def heading(self) -> float:
        """Angle about z, in radians, that turns the scan to its canonical direction.

        Computed from moments of all points: they turn with the scan, and noise hardly changes them.
        """
        x, y = ((self.steps[:, i] - self.center[i]) * STEP for i in (0, 1))
        square = (x + 1j * y) ** 2
        far = np.abs(square)
        second, fourth = square.sum() / max(far.sum(), STEP), (square**2).sum() / max((far**2).sum(), STEP)
        # phase of both terms: 4 times the scan's angle; the first is large for long rooms, the other for square ones
        moment = 2 * second**2 - fourth
        # rounded, because the last digits of sums depend on the order of the points
        angle = -round(float(np.angle(moment)) / 4, 9) if abs(moment) > FAINT else 0.0
        columns = [np.rint(one) for one in self._turned(angle)]
        quarter = _fullest(np.stack(columns, axis=1))
        return angle + float(np.arctan2(quarter[1, 0], quarter[0, 0]))

    @cached_property
    def size(self) -> float:
        """Side of a voxel in meters: 3 cm, or more if there would be over 150,000 voxels."""
        edge = SMALLEST
        while True:
            count = len(np.unique(self._cells(self._rotated(0.0), edge, np.zeros(3))))
            if count <= MOST_VOXELS:
                return edge
            edge *= max(1.05, float(count / MOST_VOXELS) ** 0.5)

    def grid(self, turn: float = 0.0, shift: np.ndarray | None = None) -> Grid:
        """Voxels of the scan, after a turn about z by its heading plus `turn` radians.

        shift: origin (3,) of the cells, in fractions of a voxel.
        """
        columns = self._rotated(turn)
        cells = self._cells(columns, self.size, np.zeros(3) if shift is None else shift)
        _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)

        def means(columns: list[np.ndarray]) -> np.ndarray:  # integer sums do not depend on the order
            return np.stack([np.bincount(inverse, one) for one in columns], axis=1) / counts[:, None]

        color = None if self.color is None else means(list(self.color.T)) / 255
        return Grid(means(columns) * STEP, color, inverse, self.size, _matrix(self.heading + turn))

    def _rotated(self, turn: float) -> list[np.ndarray]:
        x, y = self._turned(self.heading + turn)
        return [np.rint(x), np.rint(y), self.steps[:, 2] - self.center[2]]

    def _turned(self, angle: float) -> tuple[np.ndarray, np.ndarray]:
        # no matrix product, because its last digits may depend on a point's row
        (c, minus_s), (s, _) = _matrix(angle)
        x, y = (self.steps[:, i] - self.center[i] for i in (0, 1))
        return c * x + minus_s * y, s * x + c * y

    @staticmethod
    def _cells(columns: list[np.ndarray], size: float, shift: np.ndarray) -> np.ndarray:
        """Cell number (n,) of each point."""
        edge = max(2, round(size / STEP))
        key = np.zeros(len(columns[0]), dtype=np.int64)
        for column, part in zip(columns, shift, strict=True):
            cell = np.floor((column + round(edge * (0.5 + part))) / edge).astype(np.int64)
            cell -= cell.min()
            key = key * (int(cell.max()) + 1) + cell
        return key

    def ordered(self, rows: np.ndarray, most: int) -> np.ndarray:
        """At most `most` of `rows` (m,), in an order that depends only on the positions of the points."""
        rows = rows[np.lexsort(self.steps[rows].T)]
        return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]

    def crop(self, rows: np.ndarray) -> np.ndarray:
        """Points `rows` (m,) in this frame: (m, 3) in meters."""
        return self.steps[rows] * STEP

    def outward(self, directions: np.ndarray) -> np.ndarray:
        """Directions (..., 3) of this frame, converted to the scan's frame."""
        turned = np.array(directions, dtype=np.float64)
        turned[..., :2] = turned[..., :2] @ self.quarter
        return turned

    def place(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of this frame, converted to the scan's frame."""
        return self.outward(points) + self.middle

    def plane(self, grid: Grid, normal: np.ndarray, offset: float) -> tuple[np.ndarray, float]:
        """Normal (3,) and offset of a plane of `grid`, converted to the scan's frame."""
        direction = np.array([*(normal[:2] @ grid.axes), normal[2]])
        outward = self.outward(direction)
        return outward, float(outward @ self.place(self.center * STEP + offset * direction))


def _matrix(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _check_extent(name: str, across: float) -> None:
    if across > WIDEST:
        raise InputError(
            f"{name} is {across:,.0f} m across. Expected at most {WIDEST:,.0f} m. Drop stray points by "
            "scene.crop(low, high), or divide millimeters by 1000."
        )
    if across < NARROWEST:
        raise InputError(f"{name} is {across:.2g} m across. Expected at least {NARROWEST} m. Check the unit.")


def _fullest(steps: np.ndarray) -> np.ndarray:
    """Quarter turn that puts most points into the first quadrant; ties: most points into the second."""
    counts = [int(((steps[:, :2] @ turn.T) > 0).all(axis=1).sum()) for turn in QUARTERS]
    best = max(range(4), key=lambda i: [counts[i], counts[i - 3], counts[i - 2], counts[i - 1]])
    return QUARTERS[best]

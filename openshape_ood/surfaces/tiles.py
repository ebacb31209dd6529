"""Computation of a single tile: its plane, the cells of its points, and values of the cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.surfaces.planes import robust_plane

BLOCKS = 16  # blocks along each side of a tile; the means of their points define the tile's plane
FEWEST = 8  # minimum blocks with points for a plane
STEEP = 0.5  # minimum cosine between a tile's plane and the sheet, 60 degrees: a steeper plane is another surface
NEAR = 0.5  # minimum fraction of points whose distance to the tile's plane is at most `height`
COARSE = 4  # side of the coarse cells for the median of heights, in cells
QUANTILES = (0.05, 0.95)  # quantiles of log intensity that become -0.5 and 0.5
KNOTS = 4  # side of a window, divided by the step between windows


def place(
    points: np.ndarray, size: int, cell: float, reach: float, height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Assign points to the cells of a tile.

    Parameters
    ----------
    points : ndarray (m, 3)
        In the sheet's frame, relative to the tile's center.
    size : int
        Cells along the tile.
    cell : float
        Meters along a cell.
    reach : float
        Points farther from the tile's plane belong to other objects and are ignored.
    height : float
        At least half of the points must be within this distance from the plane.

    Returns
    -------
    tuple or None
        Indices (k,) of the points in the tile, their row and column in cells (k, 2) float32, and their height above the
        tile's plane (k,) in meters. None if no plane fits.
    """
    length = size * cell
    plane = robust_plane(_block_means(points, length))
    if plane is None:
        return None
    normal, offset = plane if plane[0][2] > 0 else (-plane[0], -plane[1])
    if normal[2] < STEEP:
        return None
    u = np.array([normal[2], 0.0, -normal[0]]) / np.hypot(normal[0], normal[2])
    local = (points - [0, 0, offset / normal[2]]) @ np.stack([np.cross(normal, u), u, normal]).T
    distance = local[:, 2]
    if (np.abs(distance) <= height).mean() < NEAR:
        return None
    spot = (local[:, :2] / cell + size / 2).astype(np.float32)
    rows = np.flatnonzero((np.abs(distance) <= reach) & ((spot >= 0) & (spot < size)).all(axis=1))
    return rows, spot[rows], distance[rows]


def _block_means(points: np.ndarray, length: float) -> np.ndarray:
    """Mean point (b, 3) of each block with points. Empty if too few blocks have points for a plane."""
    block = np.clip(((points[:, :2] / length + 0.5) * BLOCKS).astype(np.int64), 0, BLOCKS - 1)
    key = block[:, 0] * BLOCKS + block[:, 1]
    count = np.bincount(key, minlength=BLOCKS**2)
    held = count > 0
    if held.sum() < FEWEST:
        return points[:0]
    return np.stack([np.bincount(key, column, BLOCKS**2)[held] / count[held] for column in points.T], axis=1)


def cell_mean(values: np.ndarray, cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean value (size²,) of the points in each cell. values, cells (k,): value and cell of each point.

    0 for empty cells.
    """
    return np.bincount(cells, values, len(count)) / np.maximum(count, 1)


def nearest_cell(measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat index of the nearest cell with points, and the distance to it in cells, for each cell (h, w)."""
    from scipy.ndimage import distance_transform_edt

    away, (row, column) = distance_transform_edt(~measured, return_indices=True)
    return row * measured.shape[1] + column, away


def broad_median(height: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Median height (h, h) around each cell, over windows of half the tile's side.

    Heights are first averaged over 4 × 4 cells, without empty cells. Windows are shifted in steps of a quarter of their
    side. Medians are interpolated linearly between the centers of the windows.
    """
    size = len(height)
    parts = size // COARSE

    def coarse(values: np.ndarray) -> np.ndarray:
        return values.reshape(parts, COARSE, parts, COARSE).sum(axis=(1, 3))

    count = coarse(measured.astype(np.float64))
    with np.errstate(invalid="ignore"):
        mean = coarse(np.where(measured, height, 0)) / np.where(count, count, np.nan)
    side = max(2, parts // 4) * 2
    step = max(1, side // KNOTS)
    padded = np.pad(mean, side // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[::step, ::step]
    median = np.ma.median(np.ma.masked_invalid(windows.reshape(*windows.shape[:2], -1)), axis=2)
    knots = np.ma.filled(median, 0.0)
    places = np.arange(len(knots)) * step * COARSE
    weights = np.stack([np.interp(np.arange(size) + 0.5, places, row) for row in np.eye(len(knots))], axis=1)
    return weights @ knots @ weights.T


def slopes(height: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Two slopes (h, w) of heights (h, w), downwards (axis 0) and to the right (axis 1), by 3 × 3 Sobel filters."""
    from scipy.ndimage import sobel

    return sobel(height, axis=0, mode="nearest") / (8 * cell), sobel(height, axis=1, mode="nearest") / (8 * cell)


def intensity_scales(sample: np.ndarray, strips: np.ndarray | None) -> dict[int, tuple[float, float]]:
    """Quantiles of the log intensity of each strip, from a sample (n,) of intensities and their strips.

    The key -1 has the quantiles over all strips.
    """
    logs = _logs(sample)
    held = np.array([-1]) if strips is None else np.append(np.unique(strips), -1)
    parts = (logs if strip < 0 or strips is None else logs[strips == strip] for strip in held)
    return {int(strip): tuple(np.quantile(part, QUANTILES).tolist()) for strip, part in zip(held, parts, strict=True)}


def scaled_intensity(
    values: np.ndarray, strips: np.ndarray | None, scales: Mapping[int, tuple[float, float]]
) -> np.ndarray:
    """Logarithms of intensities (n,) scaled to [-1, 1] by the scale of each point's strip."""
    held, index = (np.array([-1]), 0) if strips is None else np.unique(strips, return_inverse=True)
    low, high = np.array([scales.get(strip, scales[-1]) for strip in held.tolist()]).T[:, index]
    return ((_logs(values) - (low + high) / 2) / np.maximum(high - low, 1e-9)).clip(-1, 1)


def _logs(intensity: np.ndarray) -> np.ndarray:
    if not (intensity >= 0).all():
        raise InputError(
            f"the smallest intensity is {intensity.min():g}. Expected numbers of at least 0, without NaN. Correct the "
            "intensities."
        )
    return np.log1p(intensity.astype(np.float64))

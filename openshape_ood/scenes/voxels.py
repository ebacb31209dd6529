"""Voxels of a scan, with an exact map back to its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.checks import blocks, check_positive
from openshape_ood.errors import InputError
from openshape_ood.scenes.scene import whole_numbers

FARTHEST = 2**62  # cells from the origin: limit of 64-bit integers


@dataclass(frozen=True, eq=False)
class Voxels:
    """The v occupied cells of n points, in order of first occurrence.

    Attributes
    ----------
    coords : ndarray (v, 3) int64
        Cell numbers, counted from the origin; may be negative.
    first : ndarray (v,) int64
        First point of each voxel, which represents it; ascending.
    inverse : ndarray (n,) int64
        Voxel of each point.
    """

    coords: np.ndarray
    first: np.ndarray
    inverse: np.ndarray

    def __len__(self) -> int:
        return len(self.coords)


def voxelize(points: np.ndarray, size: float) -> Voxels:
    """Voxels of points.

    Parameters
    ----------
    points : ndarray (n, 3)
        Meters.
    size : float
        Side of a voxel in meters.

    Returns
    -------
    Voxels
        A point p is in the cell floor(p · (1 / size)), computed in double precision.

    Raises
    ------
    InputError
        For no points, for coordinates that are not finite or beyond 2^62 voxels, and for an invalid size.

    References
    ----------
    The grid of github.com/RozDavid/LanguageGroundedSemseg, without its augmentation. It also keeps the first point of
    a voxel.

    Examples
    --------
    >>> found = voxelize(np.array([[0.01, 0, 0], [-0.01, 0, 0], [0.02, 0, 0]]), 0.05)
    >>> found.coords.tolist(), found.first.tolist(), found.inverse.tolist()
    ([[0, 0, 0], [-1, 0, 0]], [0, 1], [0, 1, 0])
    """
    per_meter = 1 / check_positive(size, "size")
    given = np.asarray(points)
    if given.ndim != 2 or given.shape[1] != 3 or len(given) == 0 or given.dtype.kind not in "fiu":
        raise InputError(
            f"points have shape {given.shape} and type {given.dtype}. Expected numbers (n, 3), n at least 1. Give one "
            "row per point."
        )
    cells = np.empty(given.shape, dtype=np.int64)
    for rows, part in blocks(given):
        with np.errstate(over="ignore", invalid="ignore"):
            part = np.floor(part * per_meter)
        if not (np.abs(part) < FARTHEST).all():
            raise InputError(
                f"points hold NaN, infinity, or coordinates beyond 2^62 voxels of {size} m. Expected finite points. "
                "Drop the others."
            )
        cells[rows] = part
    _, first, inverse = np.unique(_keys(cells), return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first = first[order]
    return Voxels(cells[first], first, rank[inverse])


def _keys(cells: np.ndarray) -> np.ndarray:
    """Number (n,) of each cell (n, 3), equal for equal cells."""
    low, high = cells.min(axis=0), cells.max(axis=0)
    spans = [int(b) - int(a) + 1 for a, b in zip(low, high, strict=True)]
    if spans[0] * spans[1] * spans[2] < 2**63:
        return ((cells[:, 0] - low[0]) * spans[1] + (cells[:, 1] - low[1])) * spans[2] + (cells[:, 2] - low[2])
    # ranks are below 2^31, so a product of two fits into 64 bits
    keys = _ranks(cells[:, 0])
    for axis in (1, 2):
        ranks = _ranks(cells[:, axis])
        keys = _ranks(keys * (ranks.max() + 1) + ranks)
    return keys


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def spread(voxels: Voxels, values: np.ndarray) -> np.ndarray:
    """Copy values (v, ...) of voxels to their points (n, ...). Raises `InputError` for another number of voxels.

    Examples
    --------
    >>> spread(voxelize(np.array([[0, 0, 0], [9, 0, 0], [0.4, 0, 0]]), 1.0), np.array([5, 7])).tolist()
    [5, 7, 5]
    """
    return _checked(values, "values", len(voxels), "voxels")[voxels.inverse]


def mean_color(voxels: Voxels, color: np.ndarray) -> np.ndarray:
    """Mean color (v, 3) float32 of each voxel from point colors (n, 3). Raises `InputError` as `spread` does."""
    given, counts = _checked(color, "colors", len(voxels.inverse), "points", 2), np.bincount(voxels.inverse)
    columns = [np.bincount(voxels.inverse, weights=given[:, channel]) / counts for channel in range(given.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)


def majority_label(voxels: Voxels, labels: np.ndarray) -> np.ndarray:
    """Most frequent label (v,) of each voxel, from point labels (n,).

    Points with labels <= 0 are unlabeled and do not count; a voxel without labeled points has 0. Ties: the smaller
    label. Raises `InputError` as `spread` does, and for labels that are no whole numbers.

    Examples
    --------
    >>> voxels = voxelize(np.zeros((5, 3)), 1.0)
    >>> majority_label(voxels, np.array([0, 0, 0, 7, 4])).tolist()
    [4]
    """
    given = whole_numbers(_checked(labels, "labels", len(voxels.inverse), "points", 1), "labels")
    result = np.zeros(len(voxels), dtype=np.int64)
    voting = given != 0
    names, index = np.unique(given[voting], return_inverse=True)
    if not len(names):
        return result
    ballots, votes = np.unique(voxels.inverse[voting] * len(names) + index, return_counts=True)
    of, label = np.divmod(ballots, len(names))
    # sorted so that the last write for each voxel has most votes, then the smallest label
    order = np.lexsort((-label, votes))
    result[of[order]] = names[label[order]]
    return result


def _checked(values: np.ndarray, what: str, count: int, of: str, axes: int | None = None) -> np.ndarray:
    given = np.asarray(values)
    if given.ndim == 0 or given.ndim != (axes or given.ndim):
        shape = (count, 3) if axes == 2 else (count,)
        raise InputError(f"{what} have shape {given.shape}. Expected {shape}. Give one for each of {count} {of}.")
    if len(given) != count:
        raise InputError(f"there are {len(given)} {what} for {count} {of}. Expected equal numbers. Give one for each.")
    return given

"""Which places a view shows, and which it shows to be empty."""

from __future__ import annotations

import numpy as np

from openshape_ood.views.geometry import project
from openshape_ood.views.view import View

TRUNCATION = 5  # voxels


def in_view(points: np.ndarray, view: View) -> np.ndarray:
    """Whether points (n, 3) of the world lie before the camera and within the picture, hidden or not: (n,) bool."""
    at, ahead = project(points, view.intrinsics, view.pose)
    h, w = view.shape
    with np.errstate(invalid="ignore"):
        return (ahead > 0) & ((at >= 0) & (at < [w, h])).all(axis=1)


def signed_distance(points: np.ndarray, view: View, voxel: float) -> np.ndarray:
    """How far points (n, 3) of the world lie before the surface that their pixel shows: (n,), -1 to 1.

    1 is 5 voxels or more; -1 is farther than that behind it, or nothing known. Above 0 a place is seen to be empty.
    """
    at, ahead = project(points, view.intrinsics, view.pose)
    h, w = view.shape
    with np.errstate(invalid="ignore"):
        pixel = np.rint(at)
        shown = (ahead > 0) & ((pixel >= 0) & (pixel < [w, h])).all(axis=1)
    column, row = np.where(shown[:, None], pixel, 0).astype(np.int64).T
    gap = np.where(shown, view.depth[row, column] - ahead, np.nan) / (TRUNCATION * voxel)
    return np.where(gap >= -1, np.clip(gap, -1, 1), -1.0)  # NaN is not

"""Positions in words, as in plots: top, bottom, left, right, front and back."""

from __future__ import annotations

import numpy as np

from openshape_ood.shapes.points import upright

# words for the two outer thirds of each axis, starting with the height
SIDES = ((1, "bottom", "top"), (0, "left", "right"), (2, "back", "front"))


def oriented(places: np.ndarray, up: str) -> np.ndarray:
    """Positions scaled to 0 to 1 along the axes of plots: to the right, up and, for points, to the viewer.

    `places` are positions (n, 3) with the gravity axis `up`, or rows and columns (n, 2) of an image. For a y-up cloud
    the directions are +x, +y and +z. If an axis has no extent, the fraction is 0.5.
    """
    xyz = upright(places[:, :3], up) if places.shape[1] == 3 else np.stack([places[:, 1], -places[:, 0]], axis=1)
    if not len(xyz):
        return xyz
    low, extent = xyz.min(axis=0), np.ptp(xyz, axis=0)
    return np.where(extent > 0, (xyz - low) / np.where(extent > 0, extent, 1), 0.5)


def coordinate(value: float) -> str:
    """Coordinate as text, with four significant digits, or from 1,000 on with two decimals.

    Georeferenced scans have coordinates of millions of meters.

    >>> coordinate(-0.00168), coordinate(365012.345)
    ('-0.00168', '365012.35')
    """
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.2f}"


def in_words(shares: np.ndarray) -> str:
    """Position of a region in words. `shares` (m, 2|3) are the positions of its elements, from `oriented`.

    An axis gives a word if the center of the region's range is in an outer third of the axis. If no axis gives a word,
    the position is "middle", or "throughout" if the range covers two thirds of every axis.

    >>> in_words(np.array([[0.9, 0.95, 0.5], [1.0, 0.9, 0.4]]))
    'top right'
    """
    low, high = shares.min(axis=0), shares.max(axis=0)
    middle = (low + high) / 2  # center of the range, not the mean, because reports show the range of heights too
    words = [
        first if middle[axis] < 1 / 3 else last
        for axis, first, last in SIDES[: shares.shape[1]]
        if not 1 / 3 <= middle[axis] <= 2 / 3
    ]
    return " ".join(words) or ("throughout" if (high - low >= 2 / 3).all() else "middle")

"""Positions in words, as seen in plots: top, bottom, left, right, front and back."""

from __future__ import annotations

import numpy as np

from openshape_ood.shapes.points import upright

# words for the two outer thirds of each axis, the height first
SIDES = ((1, "bottom", "top"), (0, "left", "right"), (2, "back", "front"))


def oriented(places: np.ndarray, up: str) -> np.ndarray:
    """Positions (n, 3) with gravity axis `up`, or rows and columns (n, 2) of an image, as fractions of their extent.

    To the right, upwards and, for three axes, towards the viewer: +x, +y, +z of a y-up cloud, as in plots. An axis
    without extent is 0.5.
    """
    xyz = upright(places[:, :3], up) if places.shape[1] == 3 else np.stack([places[:, 1], -places[:, 0]], axis=1)
    if not len(xyz):
        return xyz
    low, extent = xyz.min(axis=0), np.ptp(xyz, axis=0)
    return np.where(extent > 0, (xyz - low) / np.where(extent > 0, extent, 1), 0.5)


def in_words(shares: np.ndarray) -> str:
    """Position of a region in words, from its elements' fractions (m, 2|3) of the whole extent.

    Each axis gives a word if the center of the region's range lies in an outer third. Without any word the position is
    "middle", or "throughout" if the range covers two thirds of every axis.

    >>> in_words(np.array([[0.9, 0.95, 0.5], [1.0, 0.9, 0.4]]))
    'top right'
    """
    low, high = shares.min(axis=0), shares.max(axis=0)
    middle = (low + high) / 2  # not the mean: the range of heights stands next to the words
    words = [
        first if middle[axis] < 1 / 3 else last
        for axis, first, last in SIDES[: shares.shape[1]]
        if not 1 / 3 <= middle[axis] <= 2 / 3
    ]
    return " ".join(words) or ("throughout" if (high - low >= 2 / 3).all() else "middle")

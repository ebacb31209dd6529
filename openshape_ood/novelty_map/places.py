"""Places of a thing in words, as its pictures show it: top, bottom, left, right, front and back."""

from __future__ import annotations

import numpy as np

from openshape_ood.shapes.points import upright

# words for the two outer thirds of each axis, the height first
SIDES = ((1, "bottom", "top"), (0, "left", "right"), (2, "back", "front"))


def oriented(places: np.ndarray, up: str) -> np.ndarray:
    """Places (n, 3) with gravity axis `up`, or rows and columns (n, 2) of an image, as shares of their extent.

    To the right, upwards and, of three, towards the viewer: +x, +y, +z of a cloud with y up, as in its pictures. An
    axis without extent is 0.5 throughout.
    """
    xyz = upright(places[:, :3], up) if places.shape[1] == 3 else np.stack([places[:, 1], -places[:, 0]], axis=1)
    if not len(xyz):
        return xyz
    low, extent = xyz.min(axis=0), np.ptp(xyz, axis=0)
    return np.where(extent > 0, (xyz - low) / np.where(extent > 0, extent, 1), 0.5)


def in_words(shares: np.ndarray) -> str:
    """Where a piece lies, by its shares of the extent (m, 2|3): its middle is in an outer third, or else the middle.

    >>> in_words(np.array([[0.9, 0.95, 0.5], [1.0, 0.9, 0.4]]))
    'top right'
    """
    middle = shares.mean(axis=0)
    words = [
        low if middle[axis] < 1 / 3 else high
        for axis, low, high in SIDES[: len(middle)]
        if not 1 / 3 <= middle[axis] <= 2 / 3
    ]
    return " ".join(words) or "middle"

"""From patches to points: weights by distance."""

from __future__ import annotations

import numpy as np


def spread(points: np.ndarray, centers: np.ndarray, radius: float) -> np.ndarray:
    """How much each patch (p,) counts at each point (n,): (n, p), rows that sum to 1.

    points (n, 3) and centers (p, 3) in one frame. exp(-d² / 2 r²), r the radius of a patch: nearer patches, of which
    several cover a point, say what it is; a point beyond all patches gets its nearest one.

    >>> spread(np.zeros((1, 3)), np.array([[0.0, 0, 0], [0, 0, 9]]), radius=1.0).round(2).tolist()
    [[1.0, 0.0]]
    """
    squares = _squares(points, centers)
    # the nearest has the weight 1 before the division, so that no row is all zeros
    weights = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * radius**2))
    return weights / weights.sum(axis=1, keepdims=True)


def _squares(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Squared distances (n, p), one axis after the other: (n, p, 3) at once would be three times the memory."""
    total = np.zeros((len(points), len(centers)))
    for axis in range(3):
        total += (points[:, axis, None] - centers[None, :, axis]) ** 2
    return total

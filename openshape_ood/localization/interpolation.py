"""From patches to points: weights by distance."""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 13  # points whose weights are held at once


def weights(points: np.ndarray, centers: np.ndarray, radius: float) -> np.ndarray:
    """How much each patch counts at each point.

    Parameters
    ----------
    points : ndarray (n, 3)
    centers : ndarray (p, 3)
        Of the patches, in the frame of the points.
    radius : float
        Of a patch, r: the weight is exp(-d² / 2 r²), so that of several patches that cover a point the nearer ones
        say what it is. A point beyond all patches gets its nearest one.

    Returns
    -------
    ndarray (n, p)
        Rows sum to 1.

    Examples
    --------
    >>> weights(np.zeros((1, 3)), np.array([[0.0, 0, 0], [0, 0, 9]]), radius=1.0).round(2).tolist()
    [[1.0, 0.0]]
    """
    squares = _squares(points, centers)
    # the nearest has the weight 1 before the division, so that no row is all zeros
    found = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * radius**2))
    return found / found.sum(axis=1, keepdims=True)


def interpolate(
    points: np.ndarray, centers: np.ndarray, radius: float, novelty: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean novelty (n,) of the p patches at each point, and the label (n,) that most of their weight votes for."""
    votes = np.eye(labels.max() + 1)[labels]
    found = []
    for i in range(0, len(points), BLOCK):
        own = weights(points[i : i + BLOCK], centers, radius)
        found.append((own @ novelty, (own @ votes).argmax(axis=1)))
    return np.concatenate([n for n, _ in found]), np.concatenate([label for _, label in found])


def _squares(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Squared distances (n, p), one axis after the other: (n, p, 3) at once would be three times the memory."""
    total = np.zeros((len(points), len(centers)))
    for axis in range(3):
        total += (points[:, axis, None] - centers[None, :, axis]) ** 2
    return total

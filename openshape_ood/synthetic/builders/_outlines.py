"""Flat outlines given depth, seen from the front, from above or from the side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, extrude

Points = Sequence[tuple[float, float]]


def rounded_corners(outline: Points | np.ndarray, rounds: int = 2) -> np.ndarray:
    """A closed outline (n, 2) with its corners cut again and again until it looks smooth."""
    p = np.asarray(outline, dtype=np.float64)
    for _ in range(rounds):
        q = np.roll(p, -1, axis=0)
        p = np.stack([0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q], axis=1).reshape(-1, 2)
    return p


def symmetric(right: Points) -> np.ndarray:
    """A closed outline from its right half, listed bottom to top."""
    p = np.asarray(right, dtype=np.float64)
    return np.concatenate([p, p[::-1] * [-1, 1]])


def panel(width: float, height: float, depth: float, corner: float) -> Mesh:
    """An upright slab whose four corners are rounded, as screens and tablets are."""
    a = np.radians(np.arange(0, 360, 30).reshape(4, 3) + np.array([0, 15, 30]))
    centre = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2 - corner, height / 2 - corner]
    outline = centre[:, None] + corner * np.stack([np.cos(a), np.sin(a)], axis=-1)
    return from_front(outline.reshape(-1, 2), depth)


def from_front(outline: Points | np.ndarray, depth: float) -> Mesh:
    """An upright plate from its outline (x, y), an array or a list; see `extrude`."""
    return extrude([(float(x), float(y)) for x, y in outline], depth)


def from_above(outline: Points | np.ndarray, thickness: float) -> Mesh:
    """A level slab from its outline (x, z) seen from above."""
    return from_front(outline, thickness).turned("x", 90)


def from_side(outline: Points | np.ndarray, width: float) -> Mesh:
    """A body `width` across (along x) from its side view (z, y)."""
    return from_front(outline, width).turned("y", -90)

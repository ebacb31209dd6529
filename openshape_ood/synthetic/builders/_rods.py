"""Straight rods, and cylinders that lie along x or z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import stamp
from openshape_ood.synthetic.mesh import Mesh, cylinder

Point = Sequence[float] | np.ndarray


def rods(starts: np.ndarray, ends: np.ndarray, radius: float | np.ndarray, sides: int = 5) -> Mesh:
    """Many straight rods at once, from starts (n, 3) to ends (n, 3), open at their ends."""
    a, b = np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    along = b - a
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.cross(along, np.eye(3)[np.argmin(np.abs(along), axis=1)])
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * np.cross(along, side)[:, None]
    ring = ring * np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(a),))[:, None, None]
    i = np.arange(sides)
    j = (i + 1) % sides
    faces = np.concatenate([np.stack([i, j, sides + j], axis=1), np.stack([i, sides + j, sides + i], axis=1)])
    return stamp(np.concatenate([a[:, None] + ring, b[:, None] + ring], axis=1), faces)


def bars(pairs: Sequence[tuple[Point, Point]], radius: float | np.ndarray) -> Mesh:
    """Straight rods between pairs of points."""
    ends = np.asarray(pairs, dtype=np.float64)
    return rods(ends[:, 0], ends[:, 1], radius, sides=7)


def barrel(radius: float, length: float, front: float | None = None, segments: int = 16) -> Mesh:
    """A cylinder along z; `front` is its radius at the +z end."""
    return cylinder(radius, length, front, segments).turned("x", 90)


def axle(radius: float, length: float, segments: int = 16) -> Mesh:
    """A cylinder along x."""
    return cylinder(radius, length, segments=segments).turned("z", 90)

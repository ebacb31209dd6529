"""Cuboids, cushions and discs that stand at a height."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join

Rows = list[tuple[float, float, float, float, float, float]]
_CUBE = box(1, 1, 1)


def slab(width: float, height: float, depth: float, y: float = 0.0, x: float = 0.0, z: float = 0.0) -> Mesh:
    """A box whose underside lies at height `y`."""
    return box(width, height, depth).moved(x, y + height / 2, z)


def soft(
    width: float, height: float, depth: float, y: float = 0.0, x: float = 0.0, z: float = 0.0, edge: float = 0.2
) -> Mesh:
    """A cushion whose underside lies at height `y`; `edge` 0.1 is crisp, 1 an ellipsoid."""
    return cushion(width, height, depth, edge).moved(x, y + height / 2, z)


def disc(radius: float, height: float, y: float = 0.0) -> Mesh:
    return cylinder(radius, height, segments=22).moved(y=y + height / 2)


def rails(width: float, height: float, depth: float, thickness: float, y: float = 0.0) -> Mesh:
    """Four boards on edge: an apron or a bed frame without top or bottom."""
    side = slab(thickness, height, depth, y, x=(width - thickness) / 2)
    end = slab(width - 2 * thickness, height, thickness, y, z=(depth - thickness) / 2)
    return join(both(side), both(end, "z"))


def blocks(rows: Sequence[Sequence[float]] | np.ndarray) -> Mesh:
    """Many cuboids at once, a part each; a row is (x0, x1, y0, y1, z0, z1)."""
    ends = np.asarray(rows, dtype=np.float64).reshape(-1, 3, 2)
    middle, size = ends.mean(axis=2), ends[..., 1] - ends[..., 0]
    vertices = middle[:, None] + size[:, None] * _CUBE.vertices
    faces = np.arange(len(ends))[:, None, None] * 8 + _CUBE.faces
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), np.repeat(np.arange(len(ends)), 12))


def block(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Mesh:
    return blocks([(x0, x1, y0, y1, z0, z1)])

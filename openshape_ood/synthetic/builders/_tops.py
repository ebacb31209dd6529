"""Tops of tables and the aprons under them."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._blocks import blocks, slab
from openshape_ood.synthetic.mesh import Mesh, extrude


def outline(kind: str, width: float, depth: float) -> list[tuple[float, float]]:
    """The plan of a table top: round, octagon, rounded (soft corners) or boat (bowed long sides)."""
    if kind == "boat":
        x = np.linspace(-1, 1, 11)
        z = 1 - 0.28 * x**2
        points = np.concatenate([np.stack([x, z], 1), np.stack([x, -z], 1)[::-1]])
    else:
        angle = np.arange(8) * np.pi / 4 + np.pi / 8 if kind == "octagon" else np.arange(28) * np.pi / 14
        power = 0.35 if kind == "rounded" else 1.0
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.sign(points) * np.abs(points) ** power
        points /= np.abs(points).max(axis=0)
    return [(float(x), float(z)) for x, z in points * [width / 2, depth / 2]]


def top(kind: str, width: float, thickness: float, depth: float, y: float) -> Mesh:
    """A table top whose underside lies at `y`: rectangle or any plan of `outline`."""
    if kind == "rectangle":
        return slab(width, thickness, depth, y)
    return extrude(outline(kind, width, depth), thickness).turned("x", 90).moved(y=y + thickness / 2)


def apron(width: float, depth: float, y: float, height: float, thickness: float = 0.02) -> Mesh:
    """The rectangle of rails under a table top, its upper edge at `y`."""
    x, z = width / 2, depth / 2
    rows = [(-x, x, y - height, y, side - thickness / 2, side + thickness / 2) for side in (-z, z)]
    rows += [(side - thickness / 2, side + thickness / 2, y - height, y, -z, z) for side in (-x, x)]
    return blocks(rows)

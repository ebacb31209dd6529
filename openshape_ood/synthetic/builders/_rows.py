"""Copies of a mesh in rows, in rings and in the four quarters of the floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.mesh import Mesh, join


def four(mesh: Mesh) -> Mesh:
    """The mesh mirrored into all four quarters of the floor."""
    return both(both(mesh), "z")


def spread(count: int, width: float) -> np.ndarray:
    """The middles (count,) of equal cells that fill `width` about 0."""
    return ((np.arange(count) + 0.5) / count - 0.5) * width


def row(mesh: Mesh, xs: Sequence[float] | np.ndarray) -> Mesh:
    return join(*[mesh.moved(x) for x in xs])


def ring_of(mesh: Mesh, count: int, start: float = 0.0) -> Mesh:
    """Copies of the mesh turned evenly about the y axis."""
    return join(*[mesh.turned("y", start + 360 * i / count) for i in range(count)])

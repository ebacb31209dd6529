"""Long bodies along z and the wings on them: animals, vehicles, tools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, box, sheet


def body_along_z(stations: Sequence[Sequence[float]], roundness: float = 1.0, columns: int = 16) -> Mesh:
    """A closed body along z through stations (z, y, half width, half height); see `cushion` for roundness."""
    s = np.asarray(stations, dtype=np.float64)
    rows = np.concatenate([s[:1] * [1, 1, 0, 0], s, s[-1:] * [1, 1, 0, 0]])
    z, y, half_width, half_height = (c[:, None] for c in rows.T)

    def soft(t: np.ndarray) -> np.ndarray:
        return np.sign(t) * np.abs(t) ** roundness

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = half_width * soft(np.cos(2 * np.pi * v))
        return np.stack([x, y + half_height * soft(np.sin(2 * np.pi * v)), z + 0 * u], axis=-1)

    return sheet(surface, len(rows), columns + 1)


def blade(span: float, root: float, tip: float, sweep: float, thickness: float, rise: float = 0.0) -> Mesh:
    """A wing or fin from the origin along +x: chords along z, its tip `sweep` further back and `rise` higher."""

    def shape(p: np.ndarray) -> np.ndarray:
        t = p[:, 0] + 0.5
        chord = root + (tip - root) * t
        y = p[:, 1] * thickness * (1 - 0.6 * t) + rise * t
        return np.stack([span * t, y, p[:, 2] * chord - sweep * t], axis=1)

    return box(1, 1, 1).deformed(shape)

"""Surfaces pushed out of shape, as cloth, paper and foliage are."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._chance import Random
from openshape_ood.synthetic.mesh import Mesh


def rumpled(rng: Random, mesh: Mesh, amount: float, waves: int = 3) -> Mesh:
    """Pushed about by a few long waves, as cloth and paper are."""
    size = max(float(mesh.size().max()), 1e-6)

    def push(v: np.ndarray) -> np.ndarray:
        turn, phase = rng.normal(0, 7 / size, (waves, 3)), rng.uniform(0, 2 * np.pi, waves)
        wave = np.sin(v @ turn.T + phase)
        return v + amount * wave @ rng.normal(0, 1, (waves, 3)) / waves

    return mesh.deformed(push)


def bumpy(rng: Random, mesh: Mesh, amount: float) -> Mesh:
    """Every vertex pushed in or out from the origin by up to a share of its distance."""
    return mesh.with_vertices(mesh.vertices * rng.uniform(1 - amount, 1 + amount, (len(mesh.vertices), 1)))

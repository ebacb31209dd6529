"""Leaves, and how they grow from a stem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._chance import Random
from openshape_ood.synthetic.builders._copies import copies, headings
from openshape_ood.synthetic.mesh import Mesh, sheet


def leaf_blade(length: float, width: float, droop: float, fold: float = 0.1) -> Mesh:
    """A leaf from the origin along +z that sinks by `droop` of its length."""

    def blade(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        half = width * np.sin(np.pi * np.clip(u, 0.02, 0.98) ** 0.8) * (v - 0.5)
        lift = fold * np.abs(2 * v - 1) * width - droop * length * u**2
        return np.stack([half, lift, length * u], axis=-1)

    return sheet(blade, rows=6, columns=3)


def rosette(rng: Random, leaf: Mesh, n: int, low: float, high: float) -> Mesh:
    """n leaves from the origin all around, pitched between `low` and `high` degrees."""
    yaw = np.arange(n) * 2.4 + rng.normal(0, 0.2, n)
    pitch = np.radians(np.linspace(low, high, n) + rng.normal(0, 6, n))
    return copies(leaf, headings(yaw, pitch), np.zeros((n, 3)), rng.uniform(0.7, 1.1, n))


def bush_of(rng: Random, leaf: Mesh, n: int, centre: Sequence[float], spread: np.ndarray) -> Mesh:
    """n leaves all over an ellipsoid (half axes `spread`), pointing outwards."""
    direction = rng.normal(0, 1, (n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    spots = np.asarray(centre) + direction * spread * rng.uniform(0.55, 1.0, (n, 1))
    yaw, pitch = np.arctan2(direction[:, 0], direction[:, 2]), np.arcsin(direction[:, 1]) * 0.7
    turns = headings(yaw + rng.normal(0, 0.5, n), pitch + rng.normal(0, 0.4, n))
    return copies(leaf, turns, spots, rng.uniform(0.6, 1.2, n))

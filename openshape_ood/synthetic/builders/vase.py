"""Vases, turned, square and with flowers."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, hollow, leaf_blade, pot, rosette, smooth
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, ellipsoid, join, rod, tube


def vase_size(rng: Random) -> tuple[float, float]:
    """Largest radius and height of a vase."""
    h = rng.uniform(0.15, 0.7)
    return h * rng.uniform(0.15, 0.4), h


def belly_profile(rng: Random, r: float, h: float) -> list[tuple[float, float]]:
    foot, neck_, lip = rng.uniform(0.35, 0.7), rng.uniform(0.25, 0.6), rng.uniform(0.4, 0.8)
    at = rng.uniform(0.3, 0.6)
    return smooth([(foot * r, 0), (r, at * h), (neck_ * r, rng.uniform(0.75, 0.88) * h), (lip * r, h)], 16)


def belly_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    return pot(belly_profile(rng, r, h), 0.008)


def cylinder_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    return pot([(0.7 * r * rng.uniform(0.7, 1), 0), (0.7 * r, h)], rng.uniform(0.005, 0.02))


def amphora(rng: Random) -> Mesh:
    """Two handles from the shoulder to the neck."""
    r, h = vase_size(rng)
    body = pot(belly_profile(rng, r, h), 0.008)
    path = [(0.8 * r, 0.62 * h, 0), (1.15 * r, 0.78 * h, 0), (0.85 * r, 0.94 * h, 0), (0.4 * r, 0.9 * h, 0)]
    return join(body, both(tube(path, 0.05 * r + 0.003)))


def bottle_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    slim = rng.uniform(0.12, 0.3)
    profile = [
        (0.6 * r, 0), (r, 0.22 * h), (0.7 * r, 0.45 * h), (slim * r, 0.62 * h),
        (slim * r, 0.9 * h), (1.6 * slim * r, h),
    ]  # fmt: skip
    return pot(smooth(profile, 18), 0.006)


def trumpet_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    profile = [
        (0.5 * r, 0), (0.3 * r, 0.1 * h), (0.35 * r, 0.5 * h), (0.6 * r, 0.85 * h),
        (rng.uniform(0.8, 1.3) * r, h),
    ]  # fmt: skip
    return pot(smooth(profile, 16), 0.006)


def square_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    d = r * rng.uniform(0.5, 1.6)
    shape = [(t * h, rng.uniform(0.7, 1.1)) for t in (0, 0.4, 0.8, 1)]
    return hollow([Ring(y, 1.5 * r * s, d * s, rng.choice([SHARP, 6.0])) for y, s in shape], 0.008)


def fluted_vase(rng: Random) -> Mesh:
    """Ribs that run straight or twist upwards."""
    r, h = vase_size(rng)
    ribs, depth, twist = count(rng, 4, 10), rng.uniform(0.06, 0.16), rng.uniform(-3, 3)

    def flute(v: np.ndarray) -> np.ndarray:
        wave = 1 + depth * np.cos(ribs * (np.arctan2(v[:, 2], v[:, 0]) + twist * v[:, 1] / h))
        return v * np.stack([wave, np.ones_like(wave), wave], axis=1)

    return pot(belly_profile(rng, r, h), 0.008, 36).deformed(flute)


def vase_with_flowers(rng: Random) -> Mesh:
    vessel = pick(rng, (belly_vase, cylinder_vase, trumpet_vase, bottle_vase, square_vase))(rng)
    h = float(vessel.size()[1])
    petal, leaf = leaf_blade(0.12 * h, 0.09 * h, -0.2), leaf_blade(0.25 * h, 0.07 * h, 0.3).turned("x", -30)
    head = rosette(rng, petal, 8, 5, 60) if chance(rng) else ellipsoid(0.16 * h, 0.16 * h, 0.16 * h, 8)
    parts = [vessel]
    for i in range(count(rng, 3, 12)):
        out, a = h * rng.uniform(0.1, 0.55), 2.4 * i
        x, y, z = out * np.sin(a), h * rng.uniform(1.3, 2.0), out * np.cos(a)
        parts += [rod((0.05 * x, 0.6 * h, 0.05 * z), (x, y, z), 0.004), head.turned("y", a * 57.3).moved(x, y, z)]
        parts += [leaf.turned("y", a * 57.3).moved(0.7 * x, 0.7 * y + 0.1 * h, 0.7 * z)]
    return join(*parts)


category(
    "vase",
    belly=belly_vase,
    cylinder=cylinder_vase,
    amphora=amphora,
    bottle_neck=bottle_vase,
    trumpet=trumpet_vase,
    square=square_vase,
    fluted=fluted_vase,
    with_flowers=vase_with_flowers,
)

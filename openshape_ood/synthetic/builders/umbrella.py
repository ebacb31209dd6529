"""Umbrellas and parasols, open and folded."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import laid
from openshape_ood.synthetic.builders._shapes import bars, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, rod, sheet, torus


def canopy(rng: Random, radius: float, rise: float) -> Mesh:
    """Panels between ribs, scalloped at the edge; the rim at y = 0."""
    ribs, rows, across = rng.randint(6, 11), 7, 4
    scallop, flat = rng.uniform(0.02, 0.12), rng.uniform(0.9, 1.4)

    def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        between = np.abs(np.sin(np.pi * v * ribs))
        reach = radius * u * (1 - scallop * u * between)
        y = rise * (1 - u ** (2 * flat)) + 0.1 * rise * between * u
        return np.stack([reach * np.cos(2 * np.pi * v), y, reach * np.sin(2 * np.pi * v)], axis=-1)

    a = np.linspace(0, 2 * np.pi, ribs, endpoint=False)
    tips = np.stack([radius * np.cos(a), 0 * a, radius * np.sin(a)], axis=1)
    stays = rods(np.tile([0, rise * 0.2, 0], (ribs, 1)), tips * 0.55 + [0, rise * 0.62, 0], 0.006, sides=4)
    return join(sheet(f, rows, ribs * across + 1), stays)


def crook(radius: float, thickness: float) -> Mesh:
    """A walking-stick handle that hangs from the origin."""
    return torus(radius, thickness, 10, degrees=180).turned("x", 90).moved(x=radius)


def open_umbrella(rng: Random) -> Mesh:
    u = rng.uniform
    radius, length = u(0.4, 0.65), u(0.7, 0.9)
    rise = radius * u(0.35, 0.65)
    shaft = rod((0, -length + rise, 0), (0, rise + u(0.03, 0.12), 0), 0.009)
    handle = crook(0.05, 0.014) if chance(rng, 0.7) else cylinder(0.02, 0.12)
    return join(canopy(rng, radius, rise), shaft, handle.moved(y=-length + rise))


def folded_umbrella(rng: Random) -> Mesh:
    u = rng.uniform
    length, wide = u(0.6, 0.85), u(0.03, 0.07)
    folds = rng.randint(5, 9)
    a = np.linspace(0, 2 * np.pi, 2 * folds, endpoint=False)

    def f(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        r = wide * (0.12 + np.minimum(1, (1 - p) * 3) * (0.4 + 0.6 * p)) * (1 + 0.3 * np.cos(2 * np.pi * q * folds))
        return np.stack([r * np.cos(2 * np.pi * q), length * p, r * np.sin(2 * np.pi * q)], axis=-1)

    cloth = sheet(f, 8, 2 * len(a) + 1)
    shaft = rod((0, -0.15, 0), (0, length + 0.08, 0), 0.009)
    return laid(rng, join(cloth, shaft, crook(0.05, 0.014).moved(y=-0.15)), 0.5)


def parasol(rng: Random) -> Mesh:
    u = rng.uniform
    radius, height = u(0.9, 1.7), u(2.0, 2.6)
    rise = radius * u(0.2, 0.45)
    foot = box(0.5, 0.08, 0.5) if chance(rng, 0.4) else cylinder(u(0.22, 0.35), 0.08, 0.2)
    finial = ellipsoid(0.08, 0.1, 0.08, 8).moved(y=height + rise)
    return join(
        canopy(rng, radius, rise).moved(y=height),
        rod((0, 0, 0), (0, height + rise, 0), 0.024),
        foot.moved(y=0.04),
        finial,
    )


def cantilever_parasol(rng: Random) -> Mesh:
    u = rng.uniform
    radius, height = u(1.2, 1.7), u(2.1, 2.4)
    rise, x = radius * 0.3, radius * u(1.05, 1.2)
    arm = bars(
        [
            ((-x, 0, 0), (-x, height + rise, 0)),
            ((-x, height, 0), (0, height + rise + 0.15, 0)),
            ((0, height + rise + 0.15, 0), (0, height, 0)),
        ],
        0.035,
    )
    cross = join(box(0.9, 0.06, 0.1), box(0.1, 0.06, 0.9)).moved(-x, 0.03)
    return join(canopy(rng, radius, rise).moved(y=height), arm, cross)


category(
    "umbrella",
    open=open_umbrella,
    resting=lambda rng: open_umbrella(rng).turned("x", -rng.uniform(95, 125)),
    folded=folded_umbrella,
    parasol=parasol,
    cantilever=cantilever_parasol,
)

"""Bowls: on a foot, with handles, filled or covered."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import Ring, hollow, pot, smooth
from openshape_ood.synthetic.builders._copies import both, placed
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, category, count
from openshape_ood.synthetic.mesh import Mesh, ellipsoid, join, lathe, tube


def bowl_profile(rng: Random, r: float, h: float) -> list[tuple[float, float]]:
    foot, bulge = rng.uniform(0.3, 0.6), rng.uniform(0.75, 0.98)
    return smooth([(foot * r, 0), ((foot + bulge) / 2 * r, 0.15 * h), (bulge * r, 0.5 * h), (r, h)], 10)


def bowl_size(rng: Random) -> tuple[float, float]:
    r = rng.uniform(0.06, 0.18)
    return r, r * rng.uniform(0.45, 1.0)


def round_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    return pot(bowl_profile(rng, r, h), rng.uniform(0.003, 0.012))


def shallow_bowl(rng: Random) -> Mesh:
    """A dish or a soup plate with a broad rim."""
    r = rng.uniform(0.1, 0.2)
    h = r * rng.uniform(0.2, 0.4)
    return pot([(0.5 * r, 0), (0.65 * r, 0.3 * h), (0.72 * r, 0.75 * h), (r, h)], 0.005)


def footed_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    foot = r * rng.uniform(0.15, 0.9)
    stem = lathe([(0, 0), (0.5 * r, 0), (0.45 * r, 0.1 * foot), (0.2 * r, 0.6 * foot), (0.35 * r, foot)], 18)
    return join(stem, pot(bowl_profile(rng, r, h), 0.005).moved(y=foot))


def square_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    s, d = rng.uniform(0.5, 0.8), rng.uniform(0.6, 1.0)
    return hollow(
        [Ring(t * h, 2 * r * (s + (1 - s) * t**0.6), 2 * r * d * (s + (1 - s) * t**0.6), 6) for t in (0, 0.2, 0.6, 1)],
        0.006,
    )


def handled_bowl(rng: Random) -> Mesh:
    """Two lugs at the rim: soup bowl, casserole, mixing bowl."""
    r, h = bowl_size(rng)
    lug = tube(arch(0.5 * r, 0.28 * r), 0.05 * r, segments=6).turned("x", 90).turned("y", 90).moved(0.95 * r, 0.88 * h)
    return join(pot(bowl_profile(rng, r, h), 0.005), both(lug))


def wavy_bowl(rng: Random) -> Mesh:
    """A rim that rises and falls: glass bowls, fruit dishes."""
    r, h = bowl_size(rng)
    waves, depth = count(rng, 3, 10), rng.uniform(0.1, 0.3)

    def wave(v: np.ndarray) -> np.ndarray:
        v[:, 1] *= 1 + depth * np.cos(waves * np.arctan2(v[:, 2], v[:, 0]))
        return v

    return pot(bowl_profile(rng, r, h), 0.005, 36).deformed(wave)


def filled_bowl(rng: Random) -> Mesh:
    """Fruit in a bowl."""
    r, h = rng.uniform(0.12, 0.18), rng.uniform(0.07, 0.12)
    n = count(rng, 4, 8)
    a, out = np.arange(n) * 2.4, 0.5 * r * np.sqrt(np.arange(n) / n)
    fruit = ellipsoid(0.45 * r, 0.42 * r, 0.45 * r, 12)
    heap = placed(fruit, np.stack([out * np.sin(a), h * (1.0 - 0.15 * np.arange(n) / n), out * np.cos(a)], axis=1))
    return join(pot(bowl_profile(rng, r, h), 0.005), heap)


category(
    "bowl",
    round=round_bowl,
    shallow=shallow_bowl,
    footed=footed_bowl,
    square=square_bowl,
    handled=handled_bowl,
    wavy=wavy_bowl,
    filled=filled_bowl,
)

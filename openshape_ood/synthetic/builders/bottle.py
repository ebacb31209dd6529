"""Bottles: for wine, beer, water, spray and soap, jugs and flasks."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import Ring, smooth, solid
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, rod, tube


def bottle_shape(r: float, h: float, shoulder: float, neck_at: float, neck_r: float) -> list[tuple[float, float]]:
    """Outline with straight sides up to `shoulder` and a neck from `neck_at` on (fractions of the height)."""
    middle = ((r + neck_r) / 2, (shoulder + neck_at) / 2 * h)
    return [
        (0, 0.02 * h), (0.85 * r, 0), (r, 0.03 * h), (r, shoulder * h), (0.93 * r, (shoulder + 0.04) * h), middle,
        (neck_r, neck_at * h), (neck_r, 0.93 * h), (1.25 * neck_r, 0.935 * h), (1.25 * neck_r, h), (0, h),
    ]  # fmt: skip


def wine_bottle(rng: Random) -> Mesh:
    r, h = rng.uniform(0.034, 0.048), rng.uniform(0.27, 0.34)
    shoulder = rng.uniform(0.4, 0.62)
    return lathe(bottle_shape(r, h, shoulder, shoulder + rng.uniform(0.07, 0.2), 0.014), 18)


def beer_bottle(rng: Random) -> Mesh:
    r, h = rng.uniform(0.028, 0.036), rng.uniform(0.18, 0.25)
    shoulder = rng.uniform(0.35, 0.55)
    return lathe(bottle_shape(r, h, shoulder, shoulder + rng.uniform(0.15, 0.28), 0.013), 18)


def water_bottle(rng: Random) -> Mesh:
    """A ribbed plastic bottle with a wide screw cap."""
    r, h = rng.uniform(0.03, 0.05), rng.uniform(0.2, 0.34)
    t = np.linspace(0.03, 0.68, 14)
    ripple = 1 - rng.uniform(0.0, 0.07) * (np.arange(14) % 2)
    side = [(float(r * k), float(a * h)) for k, a in zip(ripple, t, strict=True)]
    top = smooth([(r, 0.7 * h), (0.85 * r, 0.79 * h), (0.35 * r, 0.88 * h)], 6)
    return lathe(
        [(0, 0), (0.9 * r, 0), *side, *top, (0.35 * r, 0.91 * h), (0.45 * r, 0.91 * h), (0.45 * r, h), (0, h)], 18
    )


def square_bottle(rng: Random) -> Mesh:
    """Square bottle for whisky, perfume or gin."""
    w, h = rng.uniform(0.06, 0.1), rng.uniform(0.1, 0.28)
    d, cap = w * rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.5) * w
    body = solid(
        [
            Ring(0, w, d, 12),
            Ring(0.68 * h, w, d, 12),
            Ring(0.76 * h, 0.5 * w, 0.5 * w, 4),
            Ring(0.8 * h, 0.3 * w, 0.3 * w),
        ]
    )
    stopper = cylinder(cap / 2, 0.2 * h) if chance(rng) else box(cap, 0.2 * h, cap)
    return join(body, stopper.moved(y=0.88 * h))


def spray_bottle(rng: Random) -> Mesh:
    """A trigger head on an oval bottle."""
    w, h = rng.uniform(0.07, 0.1), rng.uniform(0.15, 0.22)
    d = w * rng.uniform(0.55, 0.9)
    body = solid(
        [Ring(0, w, d, 3), Ring(0.55 * h, w, d, 3), Ring(0.8 * h, 0.5 * w, 0.6 * d, 2.5), Ring(h, 0.35 * w, 0.35 * w)]
    )
    head = join(box(0.03, 0.03, 0.09).moved(y=h + 0.045, z=0.02), cylinder(0.018, 0.04).moved(y=h + 0.015))
    trigger = tube([(0, h + 0.035, 0.04), (0, h + 0.0, 0.05), (0, h - 0.03, 0.045)], 0.006, segments=6)
    return join(body, head, trigger)


def pump_bottle(rng: Random) -> Mesh:
    r, h = rng.uniform(0.028, 0.045), rng.uniform(0.12, 0.2)
    body = solid([Ring(0, 2 * r, 2 * r, 3), Ring(0.8 * h, 2 * r, 2 * r, 3), Ring(0.9 * h, 0.8 * r, 0.8 * r)])
    pump = join(
        cylinder(0.4 * r, 0.12 * h).moved(y=0.95 * h),
        rod((0, h, 0), (0, 1.25 * h, 0), 0.005),
        tube([(0, 1.25 * h, -0.01), (0, 1.27 * h, 0.02), (0, 1.22 * h, 0.05)], 0.007),
    )
    return join(body, pump)


def jug_bottle(rng: Random) -> Mesh:
    """Bottle for milk or detergent: a broad body with a handle at its shoulder."""
    w, h = rng.uniform(0.12, 0.18), rng.uniform(0.22, 0.32)
    d = w * rng.uniform(0.5, 1.0)
    body = solid(
        [
            Ring(0, w, d, 8),
            Ring(0.55 * h, w, d, 8),
            Ring(0.82 * h, 0.45 * w, 0.45 * d, 3, 0.1 * d),
            Ring(0.9 * h, 0.2 * w, 0.2 * w, 2, 0.1 * d),
        ]
    )
    handle = tube([(0, 0.5 * h, -0.48 * d), (0, 0.7 * h, -0.55 * d), (0, 0.84 * h, -0.35 * d), (0, 0.85 * h, 0)], 0.012)
    return join(body, handle, cylinder(0.13 * w, 0.1 * h).moved(y=0.95 * h, z=0.1 * d))


def flask(rng: Random) -> Mesh:
    """A sports or vacuum flask: straight, with cup lid, loop or drinking spout."""
    r, h = rng.uniform(0.03, 0.045), rng.uniform(0.18, 0.32)
    waist = rng.uniform(0.85, 1.0)
    body = lathe(
        [
            (0, 0),
            *smooth([(r, 0), (waist * r, 0.45 * h), (r, 0.78 * h), (0.75 * r, 0.84 * h)], 12),
            (0.75 * r, 0.86 * h),
            (0, 0.86 * h),
        ],
        18,
    )
    lid = cylinder(0.85 * r, 0.14 * h).moved(y=0.93 * h)
    extra = (
        tube(arch(1.2 * r, 0.9 * r), 0.005, segments=6)
        if chance(rng)
        else cylinder(0.3 * r, 0.06 * h).moved(y=0.03 * h)
    )
    return join(body, lid, extra.moved(y=h))


category(
    "bottle",
    wine=wine_bottle,
    beer=beer_bottle,
    water=water_bottle,
    square=square_bottle,
    spray=spray_bottle,
    pump=pump_bottle,
    jug=jug_bottle,
    flask=flask,
)

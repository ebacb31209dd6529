"""Ladders."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._shapes import block, blocks
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, rod, tube


def flight(rng: Random, width: float, height: float, tread: float, top_width: float | None = None) -> Mesh:
    """An upright ladder at z = 0: two rails with rungs, or with treads where `tread` (depth) is not 0."""
    upper = width if top_width is None else top_width
    n = max(2, round(height / rng.uniform(0.24, 0.34)))
    levels = (np.arange(n) + 0.7) * height / n
    half = (width + (upper - width) * levels / height) / 2
    rail = rng.uniform(0.015, 0.035)
    if chance(rng, 0.35) and not tread:
        sides = [rod((s * width / 2, 0, 0), (s * upper / 2, height, 0), rail) for s in (-1, 1)]
        step = cylinder(0.6 * rail, 1, segments=8).turned("z", 90)
        return join(*sides, *[step.scaled(2 * a, 1, 1).moved(y=y) for a, y in zip(half, levels, strict=True)])
    deep, thin = max(rail, 0.4 * tread), 0.012
    side = box(2 * thin, height, 2 * deep).moved(width / 2, height / 2)
    shift = (upper - width) / 2

    def lean(v: np.ndarray) -> np.ndarray:
        v[:, 0] += shift * v[:, 1] / height
        return v

    d, t = (tread / 2, 0.012) if tread else (0.6 * rail, 0.6 * rail)
    return join(
        both(side.deformed(lean)), blocks([(-a, a, y - t, y + t, -d, d) for a, y in zip(half, levels, strict=True)])
    )


def straight_ladder(rng: Random) -> Mesh:
    h = rng.uniform(1.5, 5.0)
    w = rng.uniform(0.3, 0.5)
    ladder = flight(rng, w, h, 0.0, w * rng.uniform(0.65, 1.0))
    return ladder.turned("x", rng.uniform(-25, 0))


def stepped_flight(rng: Random, width: float, height: float, lean: float, top_width: float) -> Mesh:
    """A flight of level treads that leans back by `lean` (meters at the top): sheared, not turned."""
    ladder = flight(rng, width, height, rng.uniform(0.07, 0.13), top_width)

    def shear(v: np.ndarray) -> np.ndarray:
        v[:, 2] -= lean * v[:, 1] / height
        return v

    return ladder.deformed(shear)


def step_ladder(rng: Random) -> Mesh:
    h, w = rng.uniform(0.8, 2.4), rng.uniform(0.4, 0.6)
    lean, upper = rng.uniform(0.2, 0.32) * h, w * rng.uniform(0.6, 0.9)
    fore = stepped_flight(rng, w, h, lean, upper)
    rear = [rod((s * w / 2, 0, -1.9 * lean), (s * upper / 2, h, -1.05 * lean), 0.016) for s in (-1, 1)]
    bars = [
        rod((-w / 2, y * h, -(1.9 - 0.85 * y) * lean), (w / 2, y * h, -(1.9 - 0.85 * y) * lean), 0.01)
        for y in (0.15, 0.5)
    ]
    cap = block(-upper / 2 - 0.03, upper / 2 + 0.03, h, h + 0.03, -1.15 * lean, -0.75 * lean)
    return join(fore, *rear, *bars, cap)


def double_ladder(rng: Random) -> Mesh:
    h, w, lean = rng.uniform(1.2, 3.0), rng.uniform(0.4, 0.55), rng.uniform(12, 20)
    side = flight(rng, w, h, 0.0, w * rng.uniform(0.6, 0.9)).moved(y=-h)
    return join(side.turned("x", -lean), side.turned("x", lean))


def platform_ladder(rng: Random) -> Mesh:
    """Steps up to a platform with a guard hoop."""
    h, w = rng.uniform(0.5, 1.8), rng.uniform(0.42, 0.6)
    lean, upper = 0.4 * h, 0.9 * w
    z, deep, hoop = -0.4 * h, rng.uniform(0.25, 0.4), rng.uniform(0.5, 0.8)
    rear = [rod((s * w / 2, 0, z - deep - 0.15 * h), (s * upper / 2, h, z - deep), 0.016) for s in (-1, 1)]
    guard = tube(
        [
            (-upper / 2, h, z - deep),
            (-upper / 2, h + hoop, z - deep),
            (upper / 2, h + hoop, z - deep),
            (upper / 2, h, z - deep),
        ],
        0.014,
    )
    deck = block(-upper / 2, upper / 2, h, h + 0.03, z - deep, z + 0.05)
    return join(stepped_flight(rng, w, h, lean, upper), *rear, deck, guard)


def extension_ladder(rng: Random) -> Mesh:
    """Two or three flights that slide on one another."""
    h, w = rng.uniform(2.2, 3.5), rng.uniform(0.36, 0.5)
    parts = [flight(rng, w, h, 0.0)]
    reach = rng.uniform(0.25, 0.75)
    for i in range(1, count(rng, 2, 3)):
        parts.append(flight(rng, w - 0.06 * i, h, 0.0).moved(0, i * reach * h, 0.07 * i))
    return join(*parts).turned("x", rng.uniform(-22, 0))


def rope_ladder(rng: Random) -> Mesh:
    w, h, n = rng.uniform(0.3, 0.45), rng.uniform(1.5, 3.5), count(rng, 5, 11)
    levels = np.linspace(0.1, h - 0.1, n)
    t = np.linspace(0, h, 16)
    sway = rng.uniform(0, 0.08) * np.sin(np.pi * t / h * rng.uniform(0.5, 2))
    rope = [tube(np.stack([s * w / 2 + sway, t, 0.5 * sway], axis=1), 0.012) for s in (-1, 1)]
    step = cylinder(0.016, w + 0.08, segments=8).turned("z", 90)
    shift = np.interp(levels, t, sway)
    return join(*rope, *[step.moved(a, y, 0.5 * a) for a, y in zip(shift, levels, strict=True)])


def rolling_ladder(rng: Random) -> Mesh:
    """A library or warehouse ladder: treads, handrails, wheels."""
    h, w, lean = rng.uniform(1.2, 2.6), rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.6)
    lean *= h
    steps, rail = stepped_flight(rng, w, h, lean, w), rng.uniform(0.5, 0.9)
    hand = tube(
        [
            (w / 2, 0.25 * h, -0.15 * lean),
            (w / 2, 0.35 * h + rail, -0.35 * lean),
            (w / 2, h + rail, -lean),
            (w / 2, h, -lean - 0.3),
        ],
        0.015,
    )
    rear = rod((w / 2, 0.08, -lean - 0.3), (w / 2, h, -lean - 0.3), 0.018)
    foot = rod((w / 2, 0.08, 0), (w / 2, 0.08, -lean - 0.3), 0.015)
    wheel = cylinder(0.07, 0.03, segments=10).turned("z", 90).moved(w / 2, 0.07, -lean - 0.3)
    deck = block(-w / 2, w / 2, h - 0.03, h, -lean - 0.3, -lean)
    return join(steps, deck, both(join(hand, rear, foot, wheel, wheel.moved(z=lean + 0.3))))


def loft_ladder(rng: Random) -> Mesh:
    """A leaning ladder with broad treads and hooks or handrails at its head."""
    h, w = rng.uniform(1.6, 2.8), rng.uniform(0.36, 0.55)
    lean = rng.uniform(0.15, 0.45) * h
    parts = [stepped_flight(rng, w, h, lean, w)]
    if chance(rng, 0.6):
        t = np.linspace(-0.3, np.pi, 7)
        hook = tube(np.stack([0 * t + w / 2, h + 0.08 * np.sin(t), -lean - 0.08 + 0.08 * np.cos(t)], axis=1), 0.014)
        parts.append(both(hook))
    if chance(rng, 0.5):
        parts.append(both(rod((w / 2, 0.4 * h, 0.1 - 0.4 * lean), (w / 2, 1.15 * h, 0.1 - 1.15 * lean), 0.014)))
    return join(*parts)


category(
    "ladder",
    straight=straight_ladder,
    step=step_ladder,
    double=double_ladder,
    platform=platform_ladder,
    extension=extension_ladder,
    rope=rope_ladder,
    rolling=rolling_ladder,
    loft=loft_ladder,
)

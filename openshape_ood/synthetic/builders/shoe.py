"""Shoes, boots and sandals, toe towards +z."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import axle, from_above, half_ring, rounded_corners, symmetric
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, torus, tube


def shoe_sole(length: float, width: float, thickness: float, heel: float = 0.0) -> Mesh:
    """A sole from heel (-z) to toe (+z) on y = 0, raised to `heel` at the back."""
    right = [(0.25, -0.5), (0.36, -0.42), (0.34, -0.2), (0.32, -0.02), (0.48, 0.2), (0.46, 0.36), (0.25, 0.5)]
    outline = rounded_corners(symmetric([(x * width, z * length) for x, z in right]), 1)

    def arched(p: np.ndarray) -> np.ndarray:
        t = np.clip(0.2 - p[:, 2] / length, 0, 0.6) / 0.6
        p[:, 1] += heel * (3 * t**2 - 2 * t**3)
        return p

    return from_above(outline, thickness).moved(y=thickness / 2).deformed(arched)


def shoe_upper(length: float, width: float, height: float, toe: float, collar: float) -> Mesh:
    """Closed upper over a sole; `collar` is the fraction of the length where the instep begins to fall."""
    n, w, h = length, width, height
    rows = [
        (-0.49, 0.26, 0.9), (-0.42, 0.33, 1), (collar - 0.5, 0.34, 0.98), (0.05, 0.36, 0.72),
        (0.25, 0.44, 0.45), (0.4, 0.36, toe), (0.49, 0.16, toe * 0.6),
    ]  # fmt: skip
    return body_along_z([(z * n, s * h / 2, x * w, s * h / 2) for z, x, s in rows], 0.75)


def shoe_collar(width: float, depth: float, thickness: float) -> Mesh:
    """The rim of the opening."""
    return torus(1, 0.14, 16).scaled(width, thickness / 0.14, depth)


def sneaker(rng: Random) -> Mesh:
    u = rng.uniform
    n, h, base = u(0.22, 0.32), u(0.08, 0.13), u(0.02, 0.04)
    w = n * u(0.34, 0.4)
    upper = shoe_upper(n, w, h, u(0.4, 0.5), 0.35).moved(y=base * 0.7)
    rim = shoe_collar(w * 0.3, n * 0.17, 0.012).moved(y=h + base * 0.7, z=-n * 0.27)
    laces = stamped(
        axle(0.004, w * 0.45, 6), [(0, base + h * (0.85 - 0.1 * i), n * (-0.02 + 0.06 * i)) for i in range(5)]
    )
    tongue = box(w * 0.35, 0.06, 0.01).turned("x", -35).moved(y=h + base + 0.005, z=-n * 0.08)
    return join(shoe_sole(n * 1.02, w * 1.05, base), upper, rim, laces, tongue)


def loafer(rng: Random) -> Mesh:
    u = rng.uniform
    n, h = u(0.24, 0.31), u(0.06, 0.085)
    w = n * u(0.32, 0.38)
    heel = box(w * 0.6, 0.025, n * 0.22).moved(y=0.0125, z=-n * 0.36)
    strap = half_ring(w * 0.36, 0.006).scaled(y=h / (w * 0.36) * 0.75, z=3).moved(y=0.03, z=n * 0.08)
    rim = shoe_collar(w * 0.3, n * 0.2, 0.008).moved(y=h + 0.025, z=-n * 0.25)
    return join(shoe_sole(n, w, 0.012, 0.015), heel, shoe_upper(n, w, h, 0.45, 0.42).moved(y=0.022), strap, rim)


def high_heel(rng: Random) -> Mesh:
    u = rng.uniform
    n, lift = u(0.2, 0.25), u(0.05, 0.12)
    w = n * u(0.3, 0.36)
    sole = shoe_sole(n, w, 0.008, lift)
    spike = cylinder(u(0.005, 0.015), lift, u(0.015, 0.024), 8).moved(y=lift / 2, z=-n * 0.42)
    toe = body_along_z(
        [(n * 0.1, 0.012, w * 0.4, 0.012), (n * 0.28, 0.018, w * 0.4, 0.02), (n * 0.5, 0.008, w * 0.1, 0.008)]
    )
    back = half_ring(1, 0.12).turned("x", 90).turned("y", 180).scaled(w * 0.36, 0.2, n * 0.2)
    counter = (
        back.mirrored("z").moved(y=lift + 0.03, z=-n * 0.3)
        if chance(rng, 0.5)
        else back.moved(y=lift + 0.03, z=-n * 0.3)
    )
    return join(sole, spike, toe, counter)


def boot(rng: Random) -> Mesh:
    u = rng.uniform
    n, shaft, base = u(0.24, 0.32), u(0.12, 0.4), u(0.015, 0.04)
    w = n * u(0.34, 0.42)
    foot = shoe_upper(n, w, 0.1, 0.6, 0.4).moved(y=base)
    r, flare = w * 0.42, u(0.95, 1.3)
    leg = lathe(
        [(r, 0), (r * 0.95, shaft * 0.4), (r * flare, shaft), (r * flare * 0.88, shaft), (r * 0.8, shaft * 0.4)], 16
    )
    heel = box(w * 0.7, base * 1.2, n * 0.25).moved(y=base * 0.3, z=-n * 0.36)
    return join(shoe_sole(n * 1.02, w * 1.03, base), heel, foot, leg.scaled(z=1.2).moved(y=base + 0.06, z=-n * 0.24))


def sandal(rng: Random) -> Mesh:
    u = rng.uniform
    n, base = u(0.22, 0.3), u(0.012, 0.035)
    w = n * 0.38
    straps = [
        half_ring(w * 0.46, 0.006).scaled(y=u(0.8, 1.1), z=u(2, 6)).moved(y=base * 0.8, z=z * n)
        for z in (0.22, 0.02)[: rng.randint(1, 3)]
    ]
    thong = both(tube([(0, base, n * 0.3), (w * 0.25, base + 0.035, n * 0.15), (w * 0.38, base, -n * 0.08)], 0.006))
    ankle = shoe_collar(w * 0.32, n * 0.14, 0.006).moved(y=base + 0.06, z=-n * 0.32)
    parts = [thong] if chance(rng, 0.4) else [*straps]
    return (
        join(shoe_sole(n, w, base, u(0, 0.02)), *parts, ankle)
        if chance(rng, 0.3)
        else join(shoe_sole(n, w, base), *parts)
    )


def pair_of_shoes(rng: Random) -> Mesh:
    one = [sneaker, loafer, boot][rng.randint(3)](rng)
    return both(one.turned("y", rng.uniform(-10, 20)).moved(x=rng.uniform(0.065, 0.09)))


category(
    "shoe",
    sneaker=sneaker,
    loafer=loafer,
    high_heel=high_heel,
    boot=boot,
    sandal=sandal,
    pair=pair_of_shoes,
)

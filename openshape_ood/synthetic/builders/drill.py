"""Drills: powered, by hand and as a press."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import laid, stamped_around
from openshape_ood.synthetic.builders._shapes import barrel, hoop
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join, lathe, rod, tube


def chuck(rng: Random, radius: float) -> Mesh:
    """Collar, cone and mostly a bit, from z = 0 forwards."""
    u = rng.uniform
    parts = [barrel(radius * 0.75, 0.025).moved(z=0.0125), barrel(radius * 0.7, 0.03, radius * 0.35).moved(z=0.04)]
    if chance(rng, 0.6):
        parts.append(barrel(u(0.002, 0.006), 0.1, 0.001, 8).moved(z=0.1))
    return join(*parts)


def power_drill(rng: Random, battery: bool, lying: float) -> Mesh:
    """Pistol-shaped drill: barrel along +z, grip downwards."""
    u = rng.uniform
    radius, length, grip, rake = u(0.026, 0.038), u(0.12, 0.2), u(0.1, 0.14), u(5, 20)
    body = body_along_z(
        [
            (-length * 0.55, 0, radius * 0.8, radius * 0.85),
            (-length * 0.2, 0, radius, radius * 1.1),
            (length * 0.2, 0, radius * 0.95, radius),
            (length * 0.45, 0, radius * 0.7, radius * 0.75),
        ],
        0.8,
    )
    handle = (
        cushion(radius * 1.15, grip * 1.2, radius * 1.6, 0.5)
        .moved(y=-grip / 2)
        .turned("x", rake)
        .moved(z=-length * 0.2)
    )
    back = -length * 0.2 - grip * np.sin(np.radians(rake))
    foot = box(u(0.06, 0.085), u(0.03, 0.065), u(0.09, 0.13)).moved(y=-grip - 0.02, z=back + 0.02)
    cord = tube([(0, -grip * 1.1, back), (0, -grip * 1.4, back), (0.03, -grip * 1.6, back - 0.06)], 0.006)
    trigger = box(0.014, 0.035, 0.02).moved(y=-radius - 0.02, z=-length * 0.2 + radius)
    tool = join(body, handle, foot if battery else cord, trigger, chuck(rng, radius).moved(z=length * 0.43))
    return tool.turned("z", 90 + u(-8, 8)) if chance(rng, lying) else tool


def hammer_drill(rng: Random) -> Mesh:
    tool = power_drill(rng, chance(rng, 0.4), 0.0)
    side = rod((0, 0, 0.09), (rng.uniform(0.1, 0.14), -0.03, 0.09), 0.016)
    closed = tube([(0, 0, -0.1), (0, -0.04, -0.15), (0, -0.1, -0.13)], 0.012)
    tool = join(tool, side, closed)
    return tool.turned("z", rng.uniform(60, 110)) if chance(rng, 0.5) else tool


def screwdriver_drill(rng: Random) -> Mesh:
    """A straight cordless screwdriver, sometimes bent at the middle."""
    u = rng.uniform
    r = u(0.018, 0.026)
    front = join(
        barrel(r, 0.1, r * 0.8).moved(z=0.05), barrel(r * 0.5, 0.03).moved(z=0.11), barrel(0.004, 0.05).moved(z=0.14)
    )
    return join(
        front.turned("x", u(0, 80)), barrel(r * 1.1, 0.12).moved(z=-0.06), ellipsoid(2.2 * r, 2.2 * r, 2.2 * r, 10)
    )


def hand_drill(rng: Random) -> Mesh:
    u = rng.uniform
    wheel = join(hoop(0.05, 0.005, 18), stamped_around(box(0.006, 0.05, 0.005).moved(y=0.025), 5, "z"))
    knob = join(rod((0.04, 0, 0), (0.04, 0, 0.05), 0.004), ellipsoid(0.025, 0.025, 0.03, 8).moved(0.04, 0, 0.05))
    shaft = rod((0, -0.12, 0), (0, 0.12, 0), 0.008)
    handle = lathe([(0, 0), (0.012, 0), (0.018, 0.04), (0.012, 0.08), (0.02, 0.1), (0, 0.11)], 10).moved(y=0.12)
    tip = join(cylinder(0.008, 0.05, 0.014), cylinder(0.003, 0.08).moved(y=-0.06)).moved(y=-0.14)
    return laid(rng, join(join(wheel, knob).turned("z", u(0, 360)).moved(z=0.015), shaft, handle, tip), 0.8)


def drill_press(rng: Random) -> Mesh:
    u = rng.uniform
    height = u(0.6, 1.6)
    base = box(0.28, 0.05, 0.42).moved(y=0.025, z=0.05)
    column = cylinder(0.035, height).moved(y=height / 2, z=-0.1)
    head = cushion(0.2, 0.24, 0.42, 0.3).moved(y=height, z=0.03)
    spindle = chuck(rng, 0.04).turned("x", 90).moved(y=height - 0.12, z=0.14)
    table = join(box(0.24, 0.03, 0.24).moved(z=0.12), box(0.06, 0.05, 0.2)).moved(y=height * u(0.35, 0.6))
    lever = stamped_around(rod((0, 0, 0), (0, 0.16, 0), 0.008), 3, "x").moved(0.12, height - 0.02, 0.1)
    return join(base, column, head, spindle, table, lever)


category(
    "drill",
    cordless_lying=lambda rng: power_drill(rng, True, 1.0),
    cordless_standing=lambda rng: power_drill(rng, True, 0.0),
    corded=lambda rng: power_drill(rng, False, 0.7),
    hammer_drill=hammer_drill,
    screwdriver=screwdriver_drill,
    hand_drill=hand_drill,
    press=drill_press,
)

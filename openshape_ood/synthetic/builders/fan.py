"""Fans: on a desk, a pedestal, the ceiling or a wall, and towers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._bodies import blade
from openshape_ood.synthetic.builders._copies import both, stamped, stamped_around
from openshape_ood.synthetic.builders._shapes import barrel, frame, hoop, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, rod, tube


def rotor(rng: Random, radius: float, count: int) -> Mesh:
    """Blades about the z axis."""
    u = rng.uniform
    vane = blade(radius * 0.92, radius * u(0.2, 0.4), radius * u(0.5, 0.8), radius * u(-0.2, 0.1), 0.006)
    return join(stamped_around(vane.turned("x", 90 - u(10, 35)), count, "z"), barrel(radius * 0.2, 0.05))


def cage(rng: Random, radius: float, depth: float) -> Mesh:
    """Domed wire guards in front and behind, about the z axis."""
    count = rng.randint(16, 32)
    bend = [(radius * 0.12, depth * 0.5), (radius * 0.7, depth * 0.5), (radius, 0)]
    wires = []
    for (r0, z0), (r1, z1) in pairwise(bend):
        a = np.linspace(0, 2 * np.pi, count, endpoint=False)
        start = np.stack([r0 * np.cos(a), r0 * np.sin(a), np.full(count, z0)], axis=1)
        end = np.stack([r1 * np.cos(a), r1 * np.sin(a), np.full(count, z1)], axis=1)
        wires.append(rods(start, end, 0.002, sides=3))
    cap = barrel(radius * 0.15, 0.012).moved(z=depth / 2)
    return join(both(join(*wires, cap), "z"), hoop(radius, 0.007, 24))


def fan_head(rng: Random, radius: float) -> Mesh:
    motor = barrel(radius * 0.25, radius * 0.6, radius * 0.3).moved(z=-radius * 0.55)
    return join(rotor(rng, radius * 0.88, rng.randint(3, 6)), cage(rng, radius, radius * 0.45), motor)


def desk_fan(rng: Random) -> Mesh:
    u = rng.uniform
    radius = u(0.1, 0.22)
    head = fan_head(rng, radius).turned("x", -u(0, 20)).moved(y=radius * 1.45)
    foot = cylinder(radius * u(0.5, 0.8), 0.03, radius * 0.5).moved(y=0.015)
    return join(head, foot, rod((0, 0, -radius * 0.5), (0, radius * 1.45, -radius * 0.5), 0.018))


def pedestal_fan(rng: Random) -> Mesh:
    u = rng.uniform
    radius, height = u(0.18, 0.26), u(0.9, 1.4)
    head = fan_head(rng, radius).turned("x", -u(0, 20)).moved(y=height, z=radius * 0.5)
    feet = cylinder(0.2, 0.03) if chance(rng, 0.6) else stamped_around(box(0.28, 0.02, 0.05).moved(x=0.14), 4)
    return join(
        head,
        feet.moved(y=0.015),
        rod((0, 0, 0), (0, height, 0), 0.016, 0.012),
        cylinder(0.03, 0.2).moved(y=height * 0.5),
    )


def tower_fan(rng: Random) -> Mesh:
    u = rng.uniform
    height, radius = u(0.7, 1.1), u(0.07, 0.12)
    body = lathe([(0, 0), (radius, 0), (radius, height), (0, height)], 18).scaled(1, 1, u(0.7, 1)).moved(y=0.05)
    slats = stamped(
        box(radius * 1.2, 0.006, 0.02), [(0, y, radius * 0.9) for y in np.linspace(height * 0.2, height * 0.85, 18)]
    )
    return join(
        body, slats, cylinder(radius * 1.6, 0.03).moved(y=0.015), cylinder(radius * 0.8, 0.03).moved(y=height + 0.06)
    )


def ceiling_fan(rng: Random) -> Mesh:
    u = rng.uniform
    radius, drop = u(0.45, 0.75), u(0.1, 0.45)
    vane = box(radius * 0.75, 0.008, u(0.1, 0.16)).turned("x", u(5, 18)).moved(x=radius * 0.62)
    arm = box(radius * 0.3, 0.012, 0.03).moved(x=radius * 0.2)
    hub = lathe([(0, -0.06), (0.08, -0.05), (0.12, 0), (0.1, 0.06), (0.03, 0.09), (0, 0.1)], 16)
    light = ellipsoid(0.22, 0.16, 0.22).moved(y=-0.1) if chance(rng, 0.6) else cylinder(0.04, 0.08).moved(y=-0.08)
    mount = cylinder(0.04, 0.06, 0.07).moved(y=drop + 0.1)
    return join(
        stamped_around(join(vane, arm), rng.randint(3, 7)),
        hub,
        light,
        rod((0, 0.05, 0), (0, drop + 0.1, 0), 0.014),
        mount,
    )


def box_fan(rng: Random) -> Mesh:
    u = rng.uniform
    size, depth = u(0.3, 0.55), u(0.08, 0.14)
    bars = stamped(
        box(0.005, size * 0.94, 0.004),
        [(x, 0, z) for x in np.linspace(-0.45, 0.45, 15) * size for z in (-depth / 2, depth / 2)],
    )
    feet = both(box(0.04, 0.03, depth * 1.8).moved(size * 0.35, -size / 2))
    return join(
        frame(size, size, 0.025, depth), rotor(rng, size * 0.44, rng.randint(4, 6)), bars, feet, hoop(size * 0.46, 0.01)
    )


def wall_fan(rng: Random) -> Mesh:
    u = rng.uniform
    radius = u(0.15, 0.25)
    head = fan_head(rng, radius).turned("x", u(0, 20))
    arm = tube([(0, 0, -radius * 0.7), (0, -radius * 0.5, -radius * 0.9), (0, -radius * 0.6, -radius * 1.5)], 0.018)
    return join(head, arm, box(0.12, 0.2, 0.03).moved(y=-radius * 0.6, z=-radius * 1.5))


category(
    "fan",
    desk=desk_fan,
    pedestal=pedestal_fan,
    tower=tower_fan,
    ceiling=ceiling_fan,
    box=box_fan,
    wall=wall_fan,
)

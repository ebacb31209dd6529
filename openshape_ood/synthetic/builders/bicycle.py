"""Bicycles and tricycles, front towards +z."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import axle, bars, frame, half_ring, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, join, rod, torus, tube


def cycle_wheel(rng: Random, radius: float, tire: float) -> Mesh:
    """Tire, spokes and hub about the x axis."""
    a = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rim = np.stack([0 * a, np.cos(a), np.sin(a)], axis=1) * radius
    spokes = rods(np.zeros_like(rim), rim, 0.003, sides=3)
    return join(torus(radius - tire, tire, 24).turned("z", 90), spokes, axle(0.025, 0.09, 8))


def handlebar(rng: Random, style: int, width: float) -> Mesh:
    w = width / 2
    shapes: list[list[tuple[float, float, float]]] = [
        [(-w, 0, 0), (w, 0, 0)],
        [(-w, 0.03, -0.15), (-w, 0.05, 0), (0, 0, 0.03), (w, 0.05, 0), (w, 0.03, -0.15)],
        [
            (-w, -0.13, 0.02), (-w, -0.06, 0.12), (-w, 0, 0.08), (-w, 0, 0),
            (w, 0, 0), (w, 0, 0.08), (w, -0.06, 0.12), (w, -0.13, 0.02),
        ],
        [(-w, 0.2, -0.05), (-w * 0.4, 0.18, 0), (-0.05, 0, 0), (0.05, 0, 0), (w * 0.4, 0.18, 0), (w, 0.2, -0.05)],
    ]  # fmt: skip
    return tube(shapes[style], 0.014, segments=6)


def two_wheeler(rng: Random, radius: float, tire: float, step: float, bar: int, reach: float = 0.52) -> Mesh:
    """Bicycle with its front towards +z; `step` lowers the top tube (0 diamond, 1 step-through)."""
    u = rng.uniform
    crank = np.array([0, radius * 0.85, 0.0])
    rear, front = np.array([0, radius, -reach * 0.85]), np.array([0, radius, reach * 1.15])
    seat = crank + np.array([0, u(0.42, 0.55), -u(0.12, 0.2)])
    head = np.array([0, radius + u(0.5, 0.62), reach * u(0.68, 0.78)])
    low = head - np.array([0, 0.12, -0.04])
    joint = seat + (crank - seat) * (0.1 + 0.65 * step)
    tubes = [(crank, seat), (joint, head), (crank, low), (rear, crank), (rear, joint)]
    fork = both(bars([(low, front + np.array([0.05, 0, 0]))], 0.014))
    top = head + np.array([0, 0.08, -0.02])
    saddle = body_along_z([(-0.14, 0, 0.07, 0.03), (0, 0, 0.06, 0.03), (0.13, 0, 0.02, 0.02)], columns=8)
    post = bars([(seat, seat + np.array([0, 0.12, 0])), (low, top)], 0.014)
    pedals = join(
        axle(0.1, 0.01, 14).moved(x=0.04),
        box(0.1, 0.02, 0.08).moved(0.13, -0.16),
        box(0.1, 0.02, 0.08).moved(-0.13, 0.16),
    )
    arms = bars([((0.06, 0, 0), (0.06, -0.16, 0)), ((-0.06, 0, 0), (-0.06, 0.16, 0))], 0.01)
    drive = join(pedals, arms).turned("x", u(0, 360)).moved(*crank)
    wheels = stamped(cycle_wheel(rng, radius, tire), [rear, front])
    return join(
        bars(tubes, u(0.015, 0.024)),
        fork,
        saddle.moved(y=0.13).moved(*seat),
        post,
        drive,
        wheels,
        handlebar(rng, bar, u(0.4, 0.65)).moved(*top),
    )


def city_bicycle(rng: Random) -> Mesh:
    radius = rng.uniform(0.31, 0.35)
    machine = two_wheeler(rng, radius, 0.02, rng.uniform(0.6, 1), 1)
    guards = both(half_ring(radius + 0.03, 0.012).turned("y", 90).scaled(x=2).moved(y=radius, z=0.55), "z")
    basket = join(frame(0.34, 0.24, 0.02, 0.26), box(0.34, 0.01, 0.26).moved(y=-0.12)).moved(y=1.0, z=0.65)
    rack = join(box(0.13, 0.015, 0.36).moved(y=2 * radius + 0.06, z=-0.5), guards)
    return join(machine, rack, basket) if chance(rng, 0.5) else join(machine, rack)


def childs_bicycle(rng: Random) -> Mesh:
    radius = rng.uniform(0.16, 0.24)
    machine = two_wheeler(rng, radius, 0.025, rng.uniform(0.3, 1), 3, 0.36)
    small = both(join(axle(0.06, 0.025), rod((0, 0, 0), (-0.1, radius - 0.06, 0), 0.01)).moved(0.13, 0.06, -0.31))
    return join(machine, small) if chance(rng, 0.6) else machine


def tricycle(rng: Random) -> Mesh:
    u = rng.uniform
    front, rear = u(0.15, 0.22), u(0.1, 0.14)
    wheels = [axle(front, 0.05).moved(y=front, z=0.3), both(axle(rear, 0.05).moved(0.22, rear, -0.25))]
    tubes = [
        ((0, rear, -0.25), (0, 0.3, 0.1)),
        ((0, 0.3, 0.1), (0, 0.42, 0.24)),
        ((0, front, 0.3), (0, 0.6, 0.2)),
        ((-0.22, rear, -0.25), (0.22, rear, -0.25)),
    ]
    seat = cushion(0.22, 0.06, 0.22, 0.5).moved(y=0.32, z=-0.12)
    pedals = both(box(0.08, 0.02, 0.06).moved(0.09, front, 0.3))
    return join(*wheels, bars(tubes, 0.018), seat, pedals, handlebar(rng, 1, 0.4).moved(y=0.6, z=0.2))


category(
    "bicycle",
    road=lambda rng: two_wheeler(rng, rng.uniform(0.32, 0.35), 0.013, rng.uniform(0, 0.1), 2),
    mountain=lambda rng: two_wheeler(rng, rng.uniform(0.31, 0.36), 0.03, rng.uniform(0.1, 0.4), 0),
    city=city_bicycle,
    bmx=lambda rng: two_wheeler(rng, rng.uniform(0.23, 0.26), 0.027, rng.uniform(0.1, 0.4), 3, 0.42),
    child=childs_bicycle,
    tricycle=tricycle,
)

"""Clocks: on the wall, the desk, the mantel and the floor."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped, stamped_around
from openshape_ood.synthetic.builders._shapes import (
    Points,
    barrel,
    bars,
    frame,
    from_front,
    from_side,
    half_ring,
    hoop,
    symmetric,
)
from openshape_ood.synthetic.catalog import Random, category
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, rod


def clock_face(rng: Random, radius: float) -> Mesh:
    """Hands and hour marks that face +z."""
    u = rng.uniform
    width = radius * u(0.03, 0.08)
    hour = box(width * 1.5, radius * 0.5, 0.006).moved(y=radius * 0.2).turned("z", u(0, 360))
    minute = box(width, radius * 0.8, 0.006).moved(y=radius * 0.32).turned("z", u(0, 360)).moved(z=0.006)
    marks = stamped_around(box(width, radius * u(0.08, 0.2), 0.005).moved(y=radius * 0.82), 12, "z")
    return join(hour, minute, marks, barrel(radius * 0.05, 0.02, segments=8))


def round_clock(rng: Random) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.1, 0.3), u(0.025, 0.07)
    face = barrel(radius, depth, segments=28)
    rim = hoop(radius, u(0.008, 0.025), 28).moved(z=depth / 2)
    return join(face, rim, clock_face(rng, radius * 0.92).moved(z=depth / 2 + 0.004))


def square_clock(rng: Random) -> Mesh:
    u = rng.uniform
    size, depth, bar = u(0.2, 0.45), u(0.03, 0.06), u(0.015, 0.05)
    high = size * u(0.9, 1.3)
    return join(
        box(size, high, depth * 0.6), frame(size, high, bar, depth), clock_face(rng, size * 0.4).moved(z=depth * 0.4)
    )


def sunburst_clock(rng: Random) -> Mesh:
    u = rng.uniform
    radius = u(0.1, 0.16)
    rays = rng.randint(12, 25)
    ray = box(u(0.008, 0.02), radius * u(0.8, 1.6), 0.008).moved(y=radius * 1.5)
    return join(
        barrel(radius, 0.03, segments=24), stamped_around(ray, rays, "z"), clock_face(rng, radius * 0.9).moved(z=0.018)
    )


def alarm_clock(rng: Random) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.04, 0.065), u(0.03, 0.05)
    bell = lathe([(0, 0.5), (0.6, 0.4), (1, 0), (0.9, 0), (0, 0.4)], 12).scaled(
        radius * 0.5, radius * 0.6, radius * 0.5
    )
    bells = both(bell.turned("z", -35).moved(radius * 0.62, radius * 0.95))
    legs = both(rod((radius * 0.5, -radius * 0.8, 0), (radius * 0.75, -radius * 1.3, 0), radius * 0.1))
    head = join(
        barrel(radius, depth, segments=24),
        hoop(radius, 0.005).moved(z=depth / 2),
        clock_face(rng, radius * 0.9).moved(z=depth / 2),
    )
    handle = half_ring(radius * 0.4, radius * 0.06).moved(y=radius * 1.2)
    return join(head, bells, legs, handle)


def mantel_clock(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.18, 0.45), u(0.2, 0.35), u(0.08, 0.16)
    half = width / 2
    shapes: list[Points] = [
        [(half * 0.7, 0), (half * 0.7, height * 0.6), (half * 0.5, height * 0.95), (half * 0.1, height)],
        [(half, 0), (half * 0.95, height * 0.3), (half * 0.6, height * 0.5), (half * 0.4, height * 0.9), (0, height)],
        [(half * 0.6, 0), (half * 0.6, height * 0.75), (0, height)],
    ]
    case = from_front(symmetric(shapes[rng.randint(3)]), depth)
    radius = min(half * 0.5, height * 0.28)
    face = join(hoop(radius, 0.008), clock_face(rng, radius * 0.9)).moved(y=height * 0.55, z=depth / 2 + 0.004)
    plinth = box(width * 1.05, height * 0.1, depth * 1.15).moved(y=-height * 0.05)
    return join(case, face, plinth)


def grandfather_clock(rng: Random) -> Mesh:
    u = rng.uniform
    height, width, depth = u(1.7, 2.3), u(0.35, 0.55), u(0.2, 0.32)
    head, foot, waist = height * u(0.2, 0.27), height * u(0.16, 0.25), width * u(0.65, 0.85)
    middle = height - head - foot
    trunk = frame(waist, middle, waist * 0.16, depth * 0.85).moved(y=foot + middle / 2)
    back = box(waist, middle, 0.02).moved(y=foot + middle / 2, z=-depth * 0.4)
    pendulum = join(box(0.015, middle * 0.7, 0.01), barrel(waist * 0.2, 0.02).moved(y=-middle * 0.3)).moved(
        y=foot + middle * 0.55
    )
    hood = box(width, head, depth).moved(y=height - head / 2)
    dial = join(hoop(width * 0.38, 0.01), clock_face(rng, width * 0.36)).moved(y=height - head / 2, z=depth / 2 + 0.004)
    crown = from_front(symmetric([(width * 0.55, 0), (width * 0.5, 0.04), (0.02, u(0.06, 0.2))]), depth).moved(y=height)
    base = join(box(width, foot, depth).moved(y=foot / 2), box(width * 1.08, 0.06, depth * 1.08).moved(y=0.03))
    return join(trunk, back, pendulum, hood, dial, crown, base)


def cuckoo_clock(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.18, 0.3), u(0.2, 0.35), u(0.1, 0.15)
    wall = from_front(
        [(-width / 2, 0), (width / 2, 0), (width / 2, height * 0.6), (0, height), (-width / 2, height * 0.6)], depth
    )
    slope = np.degrees(np.arctan2(height * 0.4, width / 2))
    roof = (
        box(np.hypot(width / 2, height * 0.4) * 1.25, 0.015, depth * 1.4)
        .turned("z", -slope)
        .moved(width * 0.27, height * 0.8)
    )
    dial = join(hoop(width * 0.3, 0.008), clock_face(rng, width * 0.28)).moved(y=height * 0.38, z=depth / 2 + 0.004)
    weights = [
        join(bars([((x, 0, 0), (x, -drop, 0))], 0.003), cylinder(0.015, 0.07).moved(x, -drop))
        for x, drop in ((-0.04, u(0.1, 0.4)), (0.04, u(0.1, 0.4)))
    ]
    return join(wall, both(roof), dial, *weights)


def digital_clock(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.12, 0.3), u(0.05, 0.1), u(0.04, 0.1)
    case = from_side([(-depth / 2, 0), (depth / 2, 0), (depth * u(0.2, 0.5), height), (-depth * 0.4, height)], width)
    segments = [(x * width, height / 2, depth * 0.42) for x in (-0.33, -0.15, 0.15, 0.33)]
    digits = stamped(frame(width * 0.12, height * 0.6, width * 0.025, 0.01), segments)
    button = box(width * 0.4, 0.008, depth * 0.3).moved(y=height)
    return join(case, digits, button)


def desk_clock(rng: Random) -> Mesh:
    clock = round_clock(rng).scaled(0.4, 0.4, 0.6)
    radius = clock.size()[1] / 2
    foot = box(radius * 1.4, radius * 0.2, radius * 0.9).moved(y=-radius * 1.05)
    return join(clock.turned("x", -rng.uniform(0, 15)), foot)


category(
    "clock",
    round_wall=round_clock,
    square_wall=square_clock,
    sunburst=sunburst_clock,
    alarm=alarm_clock,
    mantel=mantel_clock,
    grandfather=grandfather_clock,
    cuckoo=cuckoo_clock,
    digital=digital_clock,
    desk=desk_clock,
)

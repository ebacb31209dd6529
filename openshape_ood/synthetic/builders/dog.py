"""Dogs and other four-legged animals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, ellipsoid, join, rod, tube


class Beast(NamedTuple):
    """Proportions of a four-legged animal; lengths relative to the trunk's length, angles in degrees."""

    length: float  # of the trunk in meters
    leg: float
    girth: float
    neck: float
    neck_angle: float
    head: float
    muzzle: float
    ear: float
    tail: float
    tail_angle: float  # up from straight back
    leg_width: float = 0.07


BEASTS = {
    "dog": Beast(0.55, 0.75, 0.36, 0.25, 50, 0.3, 0.28, 0.16, 0.5, 30),
    "terrier": Beast(0.35, 0.6, 0.42, 0.2, 60, 0.36, 0.2, 0.2, 0.3, 70),
    "dachshund": Beast(0.5, 0.25, 0.3, 0.18, 40, 0.24, 0.28, 0.2, 0.4, 10),
    "cat": Beast(0.35, 0.55, 0.34, 0.12, 40, 0.32, 0.08, 0.18, 0.8, 40, 0.05),
    "horse": Beast(1.4, 0.75, 0.38, 0.6, 55, 0.22, 0.35, 0.12, 0.5, -60, 0.055),
    "cow": Beast(1.6, 0.55, 0.46, 0.25, 25, 0.24, 0.25, 0.18, 0.5, -80),
    "pig": Beast(1.0, 0.35, 0.5, 0.08, 10, 0.32, 0.22, 0.14, 0.12, 40, 0.09),
    "elephant": Beast(2.4, 0.65, 0.6, 0.1, 20, 0.42, 0.1, 0.4, 0.3, -75, 0.13),
    "giraffe": Beast(1.6, 1.1, 0.42, 1.4, 70, 0.22, 0.25, 0.12, 0.4, -75),
    "sheep": Beast(0.9, 0.45, 0.55, 0.18, 40, 0.24, 0.18, 0.14, 0.1, -50),
}


def jittered(rng: Random, beast: Beast) -> Beast:
    shares = rng.uniform(0.8, 1.2, len(beast))
    angles = rng.uniform(-12, 12, 2)
    values = [v * s for v, s in zip(beast, shares, strict=True)]
    return Beast(*values)._replace(neck_angle=beast.neck_angle + angles[0], tail_angle=beast.tail_angle + angles[1])


def beast_trunk(b: Beast) -> Mesh:
    """Trunk along z, chest towards +z, its middle at the origin."""
    n, g = b.length, b.girth * b.length / 2
    return body_along_z(
        [
            (-n / 2, 0, g * 0.6, g * 0.6), (-n * 0.4, 0, g * 0.9, g * 0.95), (0, 0, g * 0.9, g * 0.85),
            (n * 0.35, 0, g * 0.95, g * 1.1), (n / 2, 0.1 * g, g * 0.6, g * 0.7),
        ]
    )  # fmt: skip


def beast_head(rng: Random, b: Beast) -> Mesh:
    """Head, muzzle and ears about the origin, facing +z."""
    size, reach = b.head * b.length, b.muzzle * b.length
    skull = ellipsoid(size * 0.75, size * 0.75, size * 0.9, 12)
    muzzle = body_along_z(
        [
            (size * 0.2, -size * 0.08, size * 0.28, size * 0.28),
            (size * 0.35 + reach, -size * 0.18, size * 0.17, size * 0.17),
        ],
        columns=10,
    )
    ear = b.ear * b.length
    flap = ellipsoid(ear * 0.6, ear * 1.6, ear * 0.25, 8)
    droop = rng.uniform(130, 170) if chance(rng, 0.4) else rng.uniform(5, 40)
    return join(
        skull, muzzle, both(flap.moved(y=ear * 0.8).turned("z", -droop).moved(size * 0.28, size * 0.28, -size * 0.1))
    )


def front_end(rng: Random, b: Beast, tilt: float) -> Mesh:
    """Neck and head, from the chest at the origin."""
    g = b.girth * b.length / 2
    angle = np.radians(b.neck_angle)
    tip = b.length * (b.neck + 0.1) * np.array([0, np.sin(angle), np.cos(angle)])
    head = beast_head(rng, b).turned("x", tilt).moved(*tip)
    return join(
        tube(np.stack([np.array([0, 0, -0.05 * b.length]), tip]), [g * 0.75, max(g * 0.35, b.head * b.length * 0.25)]),
        head,
    )


def beast_tail(b: Beast) -> Mesh:
    a = np.radians(b.tail_angle)
    n = b.tail * b.length
    bend = np.array([0, np.sin(a), -np.cos(a)]) * n
    path = np.stack([0 * bend, bend * 0.5, bend + np.array([0, 0.1 * n, 0])])
    thick = b.leg_width * b.length * 0.45
    return tube(path, [thick, thick, 0.012 * b.length])


def standing_legs(rng: Random, b: Beast) -> Mesh:
    legs = []
    r, drop, x = b.leg_width * b.length, b.leg * b.length, b.girth * b.length * 0.28
    for end in (-1, 1):
        for side in (-1, 1):
            step = rng.uniform(-0.12, 0.12) * drop
            z = end * b.length * 0.38
            knee = (side * x, -drop * 0.55, z + step * 0.5 + (0.06 * drop if end > 0 else -0.06 * drop))
            legs.append(tube([(side * x, 0, z), knee, (side * x, -drop, z + step)], [r * 1.5, r * 0.85, r * 0.7]))
            legs.append(cushion(r * 1.7, r * 1.1, r * 2.4, 0.6, 8).moved(side * x, -drop, z + step + r * 0.5))
    return join(*legs)


def four_legged(rng: Random, kind: str) -> Mesh:
    b = jittered(rng, BEASTS[kind])
    front = front_end(rng, b, rng.uniform(-10, 25)).moved(y=b.girth * b.length * 0.12, z=b.length * 0.42)
    tail = beast_tail(b).moved(y=b.girth * b.length * 0.2, z=-b.length * 0.47)
    parts = [beast_trunk(b), front, tail, standing_legs(rng, b), *EXTRAS.get(kind, lambda b: [])(b)]
    return join(*parts)


def horns(b: Beast) -> list[Mesh]:
    a = np.radians(b.neck_angle)
    y, z = np.array([np.sin(a), np.cos(a)]) * b.length * (b.neck + 0.1) + b.length * np.array([b.girth * 0.12, 0.42])
    size = b.head * b.length
    horn = [(size * 0.2, y + size * 0.3, z), (size * 0.7, y + size * 0.4, z), (size * 0.8, y + size * 0.8, z)]
    return [both(tube(horn, [size * 0.09, size * 0.07, size * 0.02]))]


def trunk_and_tusks(b: Beast) -> list[Mesh]:
    n = b.length
    nose = [(0, 0.05 * n, 0.75 * n), (0, -0.2 * n, 0.85 * n), (0, -0.5 * n, 0.82 * n), (0, -0.6 * n, 0.95 * n)]
    tusk = both(tube([(0.1 * n, -0.05 * n, 0.7 * n), (0.12 * n, -0.2 * n, 0.9 * n)], [0.025 * n, 0.008 * n]))
    return [tube(nose, [0.1 * n, 0.07 * n, 0.05 * n, 0.035 * n]), tusk]


EXTRAS: dict[str, Callable[[Beast], list[Mesh]]] = {"cow": horns, "elephant": trunk_and_tusks}


def sitting_dog(rng: Random) -> Mesh:
    b = jittered(rng, BEASTS["cat" if chance(rng, 0.4) else "dog"])
    n, g, pitch = b.length, b.girth * b.length / 2, rng.uniform(50, 68)
    trunk = beast_trunk(b).turned("x", -pitch)
    a = np.radians(pitch)
    chest = np.array([0, np.sin(a), np.cos(a)]) * n * 0.45
    floor = -np.sin(a) * n * 0.5
    r = b.leg_width * n
    front = [
        tube([(x, chest[1] * 0.6, chest[2]), (x, floor, chest[2] + g * 0.3)], [r * 1.3, r * 0.8])
        for x in (-g * 0.5, g * 0.5)
    ]
    haunch = both(ellipsoid(g * 0.9, g * 1.6, g * 2).moved(g * 0.6, floor + g * 0.6, -g * 0.2))
    paws = stamped(
        cushion(r * 2, r * 1.2, r * 4, 0.6, 8),
        [(x, floor + r * 0.4, z) for x in (-g * 0.7, g * 0.7) for z in (g * 0.8, chest[2] + g * 0.5)],
    )
    tail = beast_tail(b._replace(tail_angle=rng.uniform(0, 40))).moved(y=floor + r, z=-g)
    return join(
        trunk, front_end(rng, b._replace(neck_angle=75), rng.uniform(-5, 20)).moved(*chest), *front, haunch, paws, tail
    )


def lying_dog(rng: Random) -> Mesh:
    b = jittered(rng, BEASTS["cat" if chance(rng, 0.3) else "dog"])
    n, g, r = b.length, b.girth * b.length / 2, b.leg_width * b.length
    fore = both(tube([(g * 0.7, -g * 0.5, n * 0.3), (g * 0.7, -g * 0.85, n * 0.75)], [r * 1.1, r * 0.8]))
    hind = both(
        join(
            ellipsoid(g, g * 1.3, g * 1.6).moved(g * 0.75, -g * 0.4, -n * 0.3),
            rod((g, -g * 0.9, -n * 0.35), (g, -g * 0.9, 0), r * 0.8),
        )
    )
    tail = beast_tail(b._replace(tail_angle=-5)).moved(y=-g * 0.6, z=-n * 0.45)
    return join(beast_trunk(b), front_end(rng, b, 10).moved(y=g * 0.2, z=n * 0.42), fore, hind, tail)


def short_legged(rng: Random) -> Mesh:
    """A corgi: long heavy trunk, short legs, thick neck, ears that stand, a stump of a tail."""
    u = rng.uniform
    n, girth, leg, neck, raised = u(0.35, 0.6), u(0.38, 0.58), u(0.24, 0.42), u(0.12, 0.3), u(40, 75)
    b = Beast(n, leg, girth, neck, raised, u(0.3, 0.42), u(0.12, 0.24), 0.01, u(0.05, 0.3), u(0, 70), u(0.07, 0.1))
    g, size, ear, a = girth * n / 2, b.head * n, n * u(0.12, 0.22), np.radians(raised)
    lean = u(-5, 35)
    tip = n * (neck + 0.1) * np.array([0, np.sin(a), np.cos(a)]) + [0, 0.24 * g, 0.42 * n]
    point = cylinder(0.42 * ear, ear, 0.08 * ear, 8).scaled(1, 1, 0.45).moved(y=ear / 2)
    ears = both(point.turned("z", -lean).moved(0.22 * size, 0.28 * size, -0.05 * size)).moved(*tip)
    ruff = tube(np.stack([(0, 0.1 * g, 0.3 * n), tip * [1, 0.9, 0.95]]), [g * u(0.85, 1.05), size * u(0.33, 0.45)], 12)
    front = front_end(rng, b, u(-5, 15)).moved(y=0.24 * g, z=0.42 * n)
    tail = beast_tail(b).moved(y=0.4 * g, z=-0.47 * n)
    return join(beast_trunk(b), ruff, front, ears, tail, standing_legs(rng, b))


category(
    "dog",
    **{kind: partial(four_legged, kind=kind) for kind in BEASTS},
    sitting=sitting_dog,
    lying=lying_dog,
    short_legged=short_legged,
)

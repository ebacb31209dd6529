"""Knives: for the kitchen, the table and the pocket, and daggers."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import laid
from openshape_ood.synthetic.builders._shapes import Points, from_front, panel, rounded_corners
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join


def knife_grip(rng: Random, length: float, width: float, depth: float) -> Mesh:
    """A handle downwards from the origin, in one of three sections."""
    kind = rng.randint(3)
    if kind == 0:
        return box(width, length, depth).moved(y=-length / 2)
    if kind == 1:
        return cushion(width, length, depth, 0.4).moved(y=-length / 2)
    bend = [(-0.5, 0), (0.5, 0), (0.35, -0.5), (0.7, -0.95), (0.2, -1), (-0.5, -0.95), (-0.45, -0.5)]
    return from_front([(x * width, y * length) for x, y in bend], depth)


def bladed(rng: Random, outline: Points, blade: float, width: float, grip: float, depth: float) -> Mesh:
    """A blade on a handle. outline: points of the blade, in fractions of width and length."""
    steel = from_front([(x * width, y * blade) for x, y in outline], rng.uniform(0.0015, 0.004))
    return laid(rng, join(steel, knife_grip(rng, grip, width * rng.uniform(0.5, 0.9), depth)), 0.9)


CHEF: Points = [(-0.5, 0), (0.5, 0), (0.5, 0.5), (0.3, 0.8), (-0.45, 1), (-0.5, 0.6)]

CLEAVER: Points = [(-0.3, 0), (0.3, 0), (0.35, 0.06), (0.75, 0.08), (0.75, 1), (-0.3, 1)]

DAGGER: Points = [(-0.5, 0), (0.5, 0), (0.4, 0.7), (0, 1), (-0.4, 0.7)]


BREAD: Points = [
    (-0.5, 0),
    (0.5, 0),
    *[(0.5 - 0.12 * (i % 2), 0.05 + 0.06 * i) for i in range(15)],
    (0.3, 1),
    (-0.3, 1),
    (-0.5, 0.9),
]


def chef_knife(rng: Random) -> Mesh:
    u = rng.uniform
    return bladed(rng, CHEF, u(0.08, 0.25), u(0.02, 0.05), u(0.09, 0.13), u(0.014, 0.024))


def cleaver(rng: Random) -> Mesh:
    u = rng.uniform
    return bladed(rng, CLEAVER, u(0.14, 0.2), u(0.05, 0.08), u(0.1, 0.13), u(0.016, 0.024))


def bread_knife(rng: Random) -> Mesh:
    u = rng.uniform
    return bladed(rng, BREAD, u(0.18, 0.26), u(0.022, 0.035), u(0.1, 0.13), u(0.016, 0.024))


def dagger(rng: Random) -> Mesh:
    u = rng.uniform
    wide, blade, grip = u(0.025, 0.04), u(0.12, 0.3), u(0.09, 0.13)
    steel = from_front([(x * wide, y * blade) for x, y in DAGGER], 0.005)
    guard = box(u(0.06, 0.12), 0.012, 0.016)
    handle = cylinder(0.012, grip, 0.01, 10).moved(y=-grip / 2)
    pommel = ellipsoid(0.03, 0.025, 0.025, 8).moved(y=-grip)
    return laid(rng, join(steel, guard, handle, pommel), 0.8)


def table_knife(rng: Random) -> Mesh:
    u = rng.uniform
    n, wide = u(0.18, 0.24), u(0.016, 0.024)
    shape = [
        (-0.3, -0.5), (0.3, -0.5), (0.42, -0.35), (0.25, 0), (0.5, 0.08),
        (0.55, 0.35), (0.2, 0.5), (-0.2, 0.5), (-0.3, 0),
    ]  # fmt: skip
    return laid(rng, from_front(rounded_corners([(x * wide, y * n) for x, y in shape], 1), u(0.003, 0.006)), 0.95)


def pocket_knife(rng: Random) -> Mesh:
    u = rng.uniform
    n, wide = u(0.08, 0.12), u(0.018, 0.028)
    handle = panel(wide, n, u(0.01, 0.02), wide * 0.4).moved(y=-n / 2)
    steel = from_front([(x * wide * 0.8, y * n * 0.85) for x, y in CHEF], 0.003).turned(
        "z", u(0, 110) if chance(rng, 0.5) else 0
    )
    return laid(rng, join(handle, steel), 0.9)


def utility_knife(rng: Random) -> Mesh:
    u = rng.uniform
    n, wide = u(0.13, 0.18), u(0.018, 0.035)
    body = cushion(wide, n, u(0.012, 0.025), 0.3)
    blade = from_front([(-wide * 0.3, 0), (wide * 0.3, 0), (wide * 0.3, 0.015), (-wide * 0.3, 0.03)], 0.001).moved(
        y=n / 2 - 0.005
    )
    return laid(rng, join(body, blade, box(0.01, 0.025, 0.006).moved(y=n * 0.2, z=0.012)), 0.9)


category(
    "knife",
    chef=chef_knife,
    cleaver=cleaver,
    bread=bread_knife,
    dagger=dagger,
    table=table_knife,
    pocket=pocket_knife,
    utility=utility_knife,
)

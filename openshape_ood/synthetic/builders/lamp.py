"""Lamps: on a table, the floor or a wall, and hung from the ceiling."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, loft, pot, smooth, solid
from openshape_ood.synthetic.builders._copies import around, at_corners, both, placed
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, rod, tube


def shade(rng: Random, radius: float, height: float, power: float = 2.0) -> Mesh:
    """A thin open shade on y = 0: drum, cone, bell or globe."""
    kind = rng.randint(5)
    if kind == 3:
        return ellipsoid(2 * radius, height, 2 * radius, 16).moved(y=height / 2)
    if kind == 4:
        curve = smooth(
            [(radius, 0), (0.75 * radius, 0.3 * height), (0.5 * radius, 0.7 * height), (0.35 * radius, height)], 8
        )
        return loft([Ring(y, 2 * r, 2 * r, power) for r, y in curve])
    top = (1.0, rng.uniform(0.5, 0.85), rng.uniform(0.15, 0.5))[kind]
    rings = [Ring(0, 2 * radius, 2 * radius, power), Ring(height, 2 * top * radius, 2 * top * radius, power)]
    return loft([*rings, *[r.shrunk(0.006) for r in rings[::-1]]])


def lamp_foot(rng: Random, radius: float) -> Mesh:
    t = rng.uniform(0.015, 0.04)
    return (
        box(1.6 * radius, t, 1.6 * radius).moved(y=t / 2)
        if chance(rng, 0.25)
        else cylinder(radius, t, top=0.85 * radius).moved(y=t / 2)
    )


def turned_body(rng: Random, radius: float, height: float) -> Mesh:
    """A lamp's vase-like body: random turned profile."""
    radii = radius * rng.uniform(0.25, 1.0, 6)
    profile = [(float(r), float(y)) for r, y in zip([*radii, 0.15 * radius], np.linspace(0, height, 7), strict=True)]
    return lathe([(0, 0), *smooth(profile, 16), (0, height)], 14)


def table_lamp(rng: Random) -> Mesh:
    r, h = rng.uniform(0.1, 0.24), rng.uniform(0.16, 0.4)
    kind = rng.randint(4)
    stem = (
        turned_body(rng, rng.uniform(0.06, 0.14), h),
        join(lamp_foot(rng, 0.09), cylinder(0.012, h).moved(y=h / 2)),
        ellipsoid(1.2 * r, 0.9 * h, 1.2 * r).moved(y=0.45 * h),
        box(0.6 * r, h, 0.6 * r).moved(y=h / 2),
    )[kind]
    top = shade(rng, r, r * rng.uniform(0.8, 1.8), rng.choice([2.0, 2.0, 2.0, SHARP]))
    return join(stem, cylinder(0.01, 0.2).moved(y=h + 0.02), top.moved(y=h + rng.uniform(0.0, 0.05)))


def floor_lamp(rng: Random) -> Mesh:
    h, r = rng.uniform(1.1, 1.7), rng.uniform(0.14, 0.28)
    stem = cylinder(rng.uniform(0.01, 0.03), h, segments=8).moved(y=h / 2)
    return join(
        lamp_foot(rng, rng.uniform(0.12, 0.2)), stem, shade(rng, r, r * rng.uniform(0.8, 2.0)).moved(y=h - 0.12)
    )


def desk_lamp(rng: Random) -> Mesh:
    """Two arms with a joint, or a bent neck, and a tilted reflector."""
    a, b = rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.4)
    p, q = np.radians(rng.uniform(95, 130)), np.radians(rng.uniform(10, 55))
    y, z = a * np.sin(p), a * np.cos(p)
    top, front = y + b * np.sin(q), z + b * np.cos(q)
    if chance(rng, 0.4):
        bend = (0, (y + top) / 2 + 0.04, (z + front) / 2)
        arm = tube([(0, 0, 0), (0, 0.6 * y, 0.6 * z), (0, y, z), bend, (0, top, front)], 0.01)
    else:
        twin = tube([(0.012, 0, 0), (0.012, y, z), (0.012, top, front)], 0.006, segments=6)
        arm = join(both(twin), rod((-0.03, y, z), (0.03, y, z), 0.014))
    r = rng.uniform(0.05, 0.1)
    head = lathe([(r, -0.13), (0.9 * r, -0.08), (0.45 * r, -0.02), (0.3 * r, 0.04), (0, 0.05)], 16)
    head = head if chance(rng, 0.7) else box(0.08, 0.025, rng.uniform(0.2, 0.4))
    return join(
        lamp_foot(rng, rng.uniform(0.07, 0.12)), arm, head.turned("x", -rng.uniform(0, 40)).moved(y=top, z=front)
    )


def pendant_lamp(rng: Random) -> Mesh:
    r, cord, n = rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.9), rng.choice([1, 1, 1, 3])
    top = shade(rng, r, r * rng.uniform(0.5, 1.5))
    one = join(top, rod((0, top.size()[1], 0), (0, top.size()[1] + cord, 0), 0.005))
    ceiling = top.size()[1] + cord
    if n == 1:
        return join(one, cylinder(0.05, 0.03).moved(y=ceiling))
    return join(placed(one, [(2.3 * r * i, 0, 0) for i in (-1, 0, 1)]), box(5 * r, 0.03, 0.06).moved(y=ceiling))


def arc_lamp(rng: Random) -> Mesh:
    reach, h = rng.uniform(0.7, 1.5), rng.uniform(1.3, 2.0)
    t = np.linspace(0, np.pi * rng.uniform(0.75, 0.95), 14)
    path = np.stack([reach / 2 * (1 - np.cos(t)), h * np.sin(np.minimum(t, 9)) ** 0.8, 0 * t], axis=1)
    r = rng.uniform(0.12, 0.24)
    top = shade(rng, r, r * rng.uniform(0.7, 1.2))
    return join(
        lamp_foot(rng, rng.uniform(0.13, 0.2)),
        tube(path, 0.013, segments=6),
        top.moved(path[-1, 0], path[-1, 1] - top.size()[1]),
    )


def tripod_lamp(rng: Random) -> Mesh:
    h, spread, r = rng.uniform(0.35, 1.3), rng.uniform(0.12, 0.35), rng.uniform(0.14, 0.28)
    leg = rod((0, 0, spread * (0.6 + 0.4 * h)), (0, h, 0.02), rng.uniform(0.01, 0.025))
    return join(
        around(leg, rng.choice([3, 3, 4])),
        cylinder(0.05, 0.05).moved(y=h),
        shade(rng, r, r * rng.uniform(0.9, 1.6)).moved(y=h),
    )


def ceiling_lamp(rng: Random) -> Mesh:
    """Close to the ceiling: a dish, a drum, or a bar with spots."""
    kind, r = rng.randint(3), rng.uniform(0.14, 0.3)
    if kind == 0:
        t = np.linspace(0, np.pi / 2, 7)
        deep = r * rng.uniform(0.25, 0.6)
        dish = lathe([(r * np.sin(a), -deep * np.cos(a)) for a in t], 20)
        return join(dish, cylinder(1.03 * r, 0.03, segments=20).moved(y=0.015))
    if kind == 1:
        return join(cylinder(r, rng.uniform(0.06, 0.18), segments=20), cylinder(0.4 * r, 0.04).moved(y=0.1))
    spot = join(
        lathe([(0.045, -0.12), (0.045, -0.02), (0.02, 0.0), (0, 0)], 12).turned("x", rng.uniform(-50, 50)),
        rod((0, 0, 0), (0, 0.08, 0), 0.008),
    )
    return join(box(3 * r, 0.03, 0.06).moved(y=0.09), placed(spot, [(x * r, 0, 0) for x in (-1.2, 0, 1.2)]))


def lantern(rng: Random) -> Mesh:
    """A glazed cage with roof and ring, or a storm lantern with its globe."""
    w, h, power = rng.uniform(0.1, 0.22), rng.uniform(0.16, 0.35), rng.choice([2.0, SHARP])
    base = solid([Ring(0, 1.1 * w, 1.1 * w, power), Ring(0.03, 1.1 * w, 1.1 * w, power)])
    roof = solid(
        [
            Ring(h, 1.15 * w, 1.15 * w, power),
            Ring(h + 0.02, 1.1 * w, 1.1 * w, power),
            Ring(h + 0.45 * w, 0.25 * w, 0.25 * w, power),
        ]
    )
    posts = at_corners(rod((0, 0, 0), (0, h, 0), 0.006), 0.4 * w, 0.4 * w)
    core = ellipsoid(0.7 * w, 0.85 * h, 0.7 * w) if chance(rng) else cylinder(0.2 * w, 0.5 * h)
    ring = tube(arch(0.7 * w, rng.uniform(0.05, 0.18)), 0.004, segments=6).moved(y=h + 0.4 * w)
    return join(base, roof, posts, core.moved(y=h / 2), ring)


def chandelier(rng: Random) -> Mesh:
    """Curved arms with cups and candles or little shades around a stem."""
    r, n = rng.uniform(0.25, 0.5), count(rng, 4, 8)
    path = [(0, 0, 0.03), (0, -0.4 * r, 0.35 * r), (0, -0.45 * r, 0.75 * r), (0, -0.1 * r, r)]
    top = shade(rng, 0.05, 0.07) if chance(rng) else cylinder(0.012, 0.1, segments=8).moved(y=0.05)
    arm = join(
        tube(path, 0.009, segments=6),
        top.moved(y=-0.1 * r, z=r),
        cylinder(0.03, 0.012, segments=10).moved(y=-0.1 * r, z=r),
    )
    hub = ellipsoid(0.1, 0.16, 0.1).moved(y=-0.02)
    return join(around(arm, n), hub, rod((0, 0, 0), (0, rng.uniform(0.4, 0.9), 0), 0.008))


def torchiere(rng: Random) -> Mesh:
    """A tall stem with a bowl that shines upwards."""
    h, r = rng.uniform(1.5, 1.9), rng.uniform(0.12, 0.22)
    dish = pot(smooth([(0.03, 0), (0.6 * r, 0.2 * r), (r, 0.7 * r)], 7), 0.006)
    parts = [lamp_foot(rng, 0.15), cylinder(0.014, h, segments=8).moved(y=h / 2), dish.moved(y=h)]
    if chance(rng, 0.4):
        parts += [
            tube([(0, 0.65 * h, 0), (0.1, 0.7 * h, 0), (0.22, 0.68 * h, 0)], 0.008),
            cylinder(0.06, 0.09, top=0.03).moved(0.22, 0.65 * h),
        ]
    return join(*parts)


category(
    "lamp",
    "table lamp, floor lamp, desk lamp, bedside lamp, reading lamp, pendant lamp, ceiling lamp, lantern, chandelier, "
    "light fixture, standing lamp, lampshade, torchiere, hanging lamp",
    table=table_lamp,
    floor=floor_lamp,
    desk_arm=desk_lamp,
    pendant=pendant_lamp,
    arc=arc_lamp,
    tripod=tripod_lamp,
    ceiling=ceiling_lamp,
    lantern=lantern,
    chandelier=chandelier,
    torchiere=torchiere,
)

"""Lamps: on a table, the floor or a wall, and hung from the ceiling."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, loft, pot, smooth, solid
from openshape_ood.synthetic.builders._copies import around, at_corners, both, placed
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, rod, torus, tube


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
    """Two arms with a joint, or a bent neck, with a tilted reflector."""
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


def wall_plate(rng: Random, reach: float, y: float) -> Mesh:
    """A plate on the wall at z = -reach with an arm from it to (0, y, 0), straight or bent."""
    tall, w, drop = rng.uniform(0.08, 0.22), rng.uniform(0.06, 0.12), rng.uniform(-0.08, 0.1)
    plate = box(w, tall, 0.02) if chance(rng) else cylinder(w / 2, 0.02).turned("x", 90).scaled(1, tall / w, 1)
    bend = (0, y + drop + rng.uniform(-0.02, 0.06), -0.4 * reach)
    return join(plate.moved(y=y - drop, z=-reach), tube([(0, y - drop, -reach), bend, (0, y, 0)], 0.01))


def wall_lantern(rng: Random) -> Mesh:
    """A tapered square or round body with rings, louvers or bars, on a short arm from a plate on the wall."""
    h, power = rng.uniform(0.14, 0.4), rng.choice([2.0, SHARP])
    w, foot, n = h * rng.uniform(0.35, 0.75), rng.uniform(0.45, 1.1), count(rng, 0, 7)
    body = solid([Ring(0, foot * w, foot * w, power), Ring(h, w, w, power)])
    wide = [(y, 1.12 * w * (foot + (1 - foot) * y)) for y in np.linspace(0.1, 0.9, n)]
    parts = [body, *[solid([Ring(y * h, s, s, power), Ring((y + 0.035) * h, s, s, power)]) for y, s in wide]]
    if chance(rng, 0.7):
        peak, rim = h * rng.uniform(1.08, 1.5), w * rng.uniform(1.1, 1.5)
        parts.append(solid([Ring(h, rim, rim, power), Ring(h + 0.01, rim, rim, power), Ring(peak, 0.03, 0.03, power)]))
    if chance(rng, 0.4):
        parts.append(at_corners(rod((0, 0, 0), (0, h, 0), 0.006), 0.36 * w, 0.36 * w))
    y = h * rng.uniform(0.0, 1.15)
    return join(*parts, wall_plate(rng, w * rng.uniform(0.65, 1.3) + 0.02, y))


def wall_sconce(rng: Random) -> Mesh:
    """One to three shades on arms from a plate on the wall, or a half bowl or box close to it."""
    if chance(rng, 0.35):
        r, h = rng.uniform(0.08, 0.18), rng.uniform(0.1, 0.35)
        half = solid([Ring(0, 2 * rng.uniform(0.3, 1) * r, r, rng.choice([2.0, SHARP])), Ring(h, 2 * r, 1.6 * r)])
        return join(half, box(1.2 * r, 0.8 * h, 0.02).moved(y=h / 2, z=-0.8 * r))
    n, r, reach = count(rng, 1, 3), rng.uniform(0.05, 0.12), rng.uniform(0.08, 0.2)
    cover = shade(rng, r, r * rng.uniform(0.8, 2), rng.choice([2.0, 2.0, SHARP]))
    x = (np.arange(n) - (n - 1) / 2) * 2.3 * r
    arms = [tube([(0, 0, -reach), (a, -0.04, -reach / 2), (a, 0.03, 0)], 0.009) for a in x]
    lights = placed(join(cover, cylinder(0.018, 0.05).moved(y=0.02)), [(a, 0.02, 0) for a in x])
    return join(lights, *arms, box(0.09 + 0.5 * r * (n - 1), rng.uniform(0.1, 0.25), 0.02).moved(z=-reach))


def ring_chandelier(rng: Random) -> Mesh:
    """Candles or shades on a ring or a polygon that hangs by slanted cords from a plate on the ceiling."""
    r, n, h = rng.uniform(0.2, 0.6), count(rng, 4, 12), rng.uniform(0.3, 1.0)
    t, sides, cords = rng.uniform(0.008, 0.03), rng.choice([4, 5, 6, 8, 24, 24, 24]), count(rng, 2, 4)
    size, tall = rng.uniform(0.012, 0.05), rng.uniform(0.06, 0.2)
    candle = cylinder(size, tall, segments=10).moved(y=tall / 2) if chance(rng, 0.7) else shade(rng, 1.3 * size, tall)
    candle = candle.moved(y=t) if chance(rng, 0.75) else candle.moved(y=-tall - t)
    ring = torus(r, t, sides).scaled(1, rng.uniform(0.6, 2.5), 1)
    cup = cylinder(1.3 * size, 0.012, segments=10).moved(y=t)
    hub = rng.uniform(0.2, 1.0) * h
    parts = [ring, around(join(candle, cup).moved(z=r), n), around(rod((0, 0, r), (0, hub, 0.02), 0.005), cords)]
    parts += [rod((0, hub, 0), (0, h, 0), 0.006), cylinder(rng.uniform(0.04, 0.1), 0.03).moved(y=h)]
    if chance(rng, 0.25):
        parts.append(join(ring, around(candle.moved(z=r), n)).scaled(0.6, 1, 0.6).moved(y=0.4 * hub))
    return join(*parts)


def spot_rail(rng: Random) -> Mesh:
    """Two to six spots, each turned its own way, below a straight rail or on a round plate."""
    n, r, drop, size = count(rng, 2, 6), rng.uniform(0.025, 0.06), rng.uniform(0.03, 0.12), rng.uniform(0.4, 1.6)
    deep = r * rng.uniform(1.5, 3.5)
    can = lathe([(r, -deep), (r, -0.2 * deep), (0.5 * r, 0), (0, 0)], 12)
    x = np.linspace(-0.45, 0.45, n) * size
    spots = [
        can.turned("x", a).turned("y", b).moved(p) for p, a, b in zip(x, *rng.uniform(-70, 70, (2, n)), strict=True)
    ]
    stems = placed(rod((0, -0.1 * r, 0), (0, drop, 0), 0.007), [(p, 0, 0) for p in x])
    return join(*spots, stems, box(size, rng.uniform(0.015, 0.04), rng.uniform(0.02, 0.08)).moved(y=drop))


category(
    "lamp",
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
    wall_lantern=wall_lantern,
    ring_chandelier=ring_chandelier,
    spot_rail=spot_rail,
    wall_sconce=wall_sconce,
)

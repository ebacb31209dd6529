"""Waste bins: from the paper basket to the skip."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, hollow, loft, pot, shell_rings, slab, solid
from openshape_ood.synthetic.builders._copies import around, at_corners, both, placed
from openshape_ood.synthetic.builders._fittings import caster
from openshape_ood.synthetic.builders._shapes import arch, rumpled
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, rod, torus, tube


def waste_basket(rng: Random) -> Mesh:
    """Open tapered basket, round or rectangular, often with a rolled rim or a liner."""
    w, h = rng.uniform(0.2, 0.42), rng.uniform(0.25, 0.6)
    d, power = w * rng.uniform(0.55, 1.0), rng.choice([2.0, 2.0, 5.0, SHARP])
    d = w if power == 2.0 else d
    parts = [hollow(shell_rings(h, rng.uniform(0.65, 1.0), w, d, power), rng.uniform(0.003, 0.012))]
    if chance(rng):
        parts += [collar(Ring(h - 0.02, w + 0.02, d + 0.02, power), Ring(h, w - 0.01, d - 0.01, power), 0.025)]
    if chance(rng, 0.25):
        liner = loft([Ring(h - rng.uniform(0.05, 0.15), w + 0.01, d + 0.01, power), Ring(h + 0.01, w, d, power)])
        parts += [rumpled(rng, liner.scaled(1.02, 1, 1.02), 0.015, 5)]
    return join(*parts)


def pedal_bin(rng: Random) -> Mesh:
    """A drum with a domed lid, shut or tipped up, and a pedal."""
    w, h = rng.uniform(0.2, 0.42), rng.uniform(0.28, 0.75)
    d, power = w * rng.uniform(0.75, 1.0), rng.choice([2.0, 2.0, 5.0, 12.0])
    dome = rng.uniform(0.02, 0.08)
    lid = solid([Ring(0, w, d, power), Ring(0.4 * dome, w, d, power), Ring(dome, 0.6 * w, 0.6 * d, power)])
    pedal = join(box(0.08, 0.015, 0.06), box(0.02, 0.015, 0.06).moved(z=-0.04)).moved(y=0.025, z=d / 2 + 0.04)
    rings = shell_rings(h, rng.uniform(0.88, 1.0), w, d, power)
    if chance(rng, 0.65):
        return join(solid(rings), lid.moved(y=h + 0.005), pedal)
    tipped = lid.moved(z=d / 2).turned("x", -rng.uniform(40, 95)).moved(y=h, z=-d / 2)
    return join(hollow(rings, 0.008), tipped, pedal)


def swing_bin(rng: Random) -> Mesh:
    """A tall bin whose hood narrows to a swinging flap."""
    w, h = rng.uniform(0.26, 0.42), rng.uniform(0.45, 0.75)
    d, hood = w * rng.uniform(0.65, 1.0), rng.uniform(0.12, 0.24)
    power = rng.choice([4.0, 8.0, SHARP])
    rings = shell_rings(h, rng.uniform(0.75, 0.95), w, d, power)
    body = loft([rings[0].closed(), *rings])
    skirt = [Ring(h + y, w + 0.02, d + 0.02, power) for y in (-0.02, 0.02)]
    top = loft([*skirt, Ring(h + hood, 0.7 * w, rng.uniform(0.2, 0.6) * d, power)])
    flap = box(0.62 * w, 0.01, 0.55 * d).turned("x", rng.choice([0.0, 25.0, -30.0]))
    return join(body, top, flap.moved(y=h + hood - 0.01))


def wheeled_bin(rng: Random) -> Mesh:
    """A wheeled bin for refuse lorries: tapered, with an overhanging hinged lid, two wheels and a grab bar."""
    w, h, d = rng.uniform(0.45, 0.62), rng.uniform(0.8, 1.05), rng.uniform(0.5, 0.75)
    foot = rng.uniform(0.65, 0.85)
    rings = [Ring(0.04, foot * w, foot * d, SHARP), Ring(0.85 * h, 0.95 * w, 0.93 * d, SHARP), Ring(h, w, d, SHARP)]
    lid = slab(Ring(0, w + 0.04, d + 0.05, 12, 0, SHARP), 0.03).tapered(0.9)
    wheel = caster(rng.uniform(0.08, 0.12)).moved(foot * w / 2, z=-foot * d / 2)
    bar = rod((-0.4 * w, h - 0.02, -d / 2 - 0.06), (0.4 * w, h - 0.02, -d / 2 - 0.06), 0.015)
    slope = lid.turned("x", rng.uniform(0, 8)).moved(y=h + 0.02)
    if chance(rng, 0.7):
        return join(solid(rings), slope, both(wheel), bar)
    back = lid.moved(z=d / 2).turned("x", -rng.uniform(60, 250)).moved(y=h + 0.03, z=-d / 2)
    return join(hollow(rings, 0.01), back, both(wheel), bar)


def dome_bin(rng: Random) -> Mesh:
    """A public bin: drum with a bullet top and a mouth in its side."""
    r, h = rng.uniform(0.17, 0.3), rng.uniform(0.5, 0.9)
    body = lathe([(0, 0), (0.95 * r, 0), (r, 0.03), (r, h), (1.04 * r, h), (1.04 * r, h + 0.03)], 20)
    t = np.linspace(0, 0.97, 7) * np.pi / 2
    rise = r * rng.uniform(0.6, 1.2)
    dome = lathe([(1.02 * r * np.cos(a), h + 0.03 + rise * np.sin(a)) for a in t], 20)
    mouth = box(1.1 * r, 0.4 * r, 0.04).turned("x", -25).moved(y=h + 0.4 * rise, z=0.85 * r)
    return join(body, dome, mouth)


def litter_bin(rng: Random) -> Mesh:
    """A street bin: slats or bars around a can, on a post or legs, perhaps with a rain hood."""
    r, h, lift = rng.uniform(0.16, 0.3), rng.uniform(0.4, 0.75), rng.uniform(0.02, 0.25)
    n = count(rng, 12, 26)
    slat = box(2 * np.pi * r / n * rng.uniform(0.4, 0.8), h, 0.015).moved(z=r)
    if chance(rng, 0.35):
        slat = slat.turned("x", -rng.uniform(2, 8))
    rings = [torus(r + 0.005, 0.012, segments=18).moved(y=y) for y in (-0.45 * h, 0.45 * h)]
    can = pot([(0.9 * r, -h / 2), (0.9 * r, h / 2)], 0.01, 16)
    parts = [join(around(slat, n), *rings, can).moved(y=lift + h / 2)]
    if lift > 0.08:
        parts += [cylinder(0.04, lift).moved(y=lift / 2), cylinder(0.6 * r, 0.015).moved(y=0.01)]
    if chance(rng, 0.4):
        posts = placed(rod((0, lift + h, 0), (0, lift + h + 0.2, 0), 0.012), [(0.9 * r, 0, 0), (-0.9 * r, 0, 0)])
        parts += [posts, cylinder(1.05 * r, 0.08, top=0.5 * r).moved(y=lift + h + 0.22)]
    return join(*parts)


def wire_bin(rng: Random) -> Mesh:
    """A basket of wires and hoops: waste paper, laundry."""
    r, h, s = rng.uniform(0.12, 0.2), rng.uniform(0.25, 0.4), rng.uniform(0.65, 1.0)
    wire = rod((0, 0, s * r), (0, h, r), 0.003)
    n = count(rng, 18, 32)
    levels = np.linspace(0, 1, count(rng, 3, 8))
    hoops = [torus(r * (s + (1 - s) * t), 0.004, segments=16).moved(y=t * h) for t in levels]
    rim = torus(r, 0.008, segments=18).moved(y=h)
    return join(around(wire, n), *hoops, rim, cylinder(s * r, 0.006).moved(y=0.003))


def touch_bin(rng: Random) -> Mesh:
    """A tall closed box with a flat or sloped top: kitchens, offices."""
    w, h, d = rng.uniform(0.2, 0.45), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.4)
    power = rng.choice([8.0, SHARP])
    body = solid([Ring(0.02, w, d, power), Ring(h, w, d, power)])
    lid = solid([Ring(h + 0.008, w, d, power), Ring(h + rng.uniform(0.03, 0.12), w, d, power)])
    slot = box(0.6 * w, 0.03, 0.012).moved(y=0.93 * h, z=d / 2)
    return join(body, lid, slot, slab(Ring(0, 0.92 * w, 0.92 * d, power), 0.02))


def recycling_station(rng: Random) -> Mesh:
    """Two or three bins side by side with round or slotted mouths."""
    w, h, d, n = rng.uniform(0.25, 0.4), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.45), count(rng, 2, 3)
    hole = 0.5 * w
    top = collar(Ring(h, w - 0.01, d, SHARP), Ring(h, hole, hole, 2.0), 0.02)
    well = loft([Ring(y, hole, hole) for y in (h - 0.12, h)])
    body = loft([Ring(0, 0, 0), Ring(0, w - 0.01, d, SHARP), Ring(h, w - 0.01, d, SHARP)])
    return placed(join(body, top, well), [((i - (n - 1) / 2) * w, 0, 0) for i in range(n)])


def skip(rng: Random) -> Mesh:
    """A dumpster: long, sloping front, ribs, lids or open."""
    w, h, d = rng.uniform(1.2, 2.4), rng.uniform(0.9, 1.4), rng.uniform(0.9, 1.3)
    foot = rng.uniform(0.65, 0.9)
    rings = [Ring(0.12, w * rng.uniform(0.75, 1), foot * d, SHARP), Ring(h, w, d, SHARP)]
    rib = box(0.06, 0.8 * h, 0.06).moved(y=0.55 * h)
    parts = [at_corners(caster(0.08), 0.38 * w * foot, 0.4 * foot * d)]
    parts += [placed(rib, [(x * w, 0, s * (foot + 1) / 4 * d) for x in (-0.3, 0, 0.3) for s in (-1, 1)])]
    parts += [box(0.12, 0.1, 0.5 * d).moved(s * w / 2, 0.75 * h) for s in (-1, 1)]
    if chance(rng):
        lid = box(0.49 * w, 0.04, d + 0.05).turned("x", rng.uniform(0, 12)).moved(y=h + 0.08)
        return join(solid(rings), *parts, both(lid.moved(0.25 * w)))
    return join(hollow(rings, 0.02), *parts)


def garbage_can(rng: Random) -> Mesh:
    """The ribbed metal can with a separate lid and two handles."""
    r, h = rng.uniform(0.2, 0.3), rng.uniform(0.5, 0.75)
    t, ripple = np.linspace(0, 1, 9), np.tile([0.0, 0.012], 5)[:9]
    profile = [(r * (0.85 + 0.15 * a) + b, a * h) for a, b in zip(t, ripple, strict=True)]
    bail = tube(arch(0.14, 0.06), 0.008, segments=6)
    grips = both(bail.turned("z", -90).moved(0.97 * r, 0.75 * h))
    lid = lathe([(0, 0), (1.06 * r, 0), (1.06 * r, 0.03), (0.7 * r, 0.08), (0, 0.1)], 20)
    lid = join(lid, bail.moved(y=0.09))
    if chance(rng, 0.7):
        return join(lathe([(0, 0), *profile, (0, h)], 20), grips, lid.moved(y=h))
    leaning = lid.turned("z", 75).moved(-1.3 * r, 1.03 * r)
    return join(pot(profile, 0.006), grips, leaning) if chance(rng) else join(pot(profile, 0.006), grips)


def slim_bin(rng: Random) -> Mesh:
    """A tall round can open at its top: straight, waisted or flared, with a rim, hoops or a bag."""
    r, h = rng.uniform(0.09, 0.2), rng.uniform(0.4, 0.85)
    waist, foot = rng.uniform(0.8, 1.05), rng.uniform(0.75, 1.1)
    parts = [pot([(foot * r, 0), (waist * r * (1 + foot) / 2, h / 2), (r, h)], rng.uniform(0.003, 0.015))]
    if chance(rng, 0.6):
        parts.append(torus(r, rng.uniform(0.005, 0.015)).moved(y=h))
    if chance(rng, 0.3):
        parts += [torus(foot * r, 0.008).moved(y=y) for y in (0.008, 0.06)]
    if chance(rng, 0.25):
        bag = loft([Ring(y, 2 * s * r, 2 * s * r) for y, s in ((0.75 * h, 1.02), (h + 0.01, 1.06), (0.8 * h, 0.9))])
        parts.append(rumpled(rng, bag, 0.015, 5))
    return join(*parts)


category(
    "bin",
    open_tapered=waste_basket,
    pedal=pedal_bin,
    swing_lid=swing_bin,
    wheeled=wheeled_bin,
    dome=dome_bin,
    litter=litter_bin,
    wire=wire_bin,
    touch_lid=touch_bin,
    recycling_station=recycling_station,
    skip=skip,
    garbage_can=garbage_can,
    slim=slim_bin,
)

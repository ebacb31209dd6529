"""Sinks: wash basins on a pedestal, a wall or a cabinet, kitchen sinks, troughs and laundry tubs."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, hollow, loft
from openshape_ood.synthetic.builders._copies import at_corners, placed
from openshape_ood.synthetic.builders._fittings import bar_handle, basin, gooseneck_tap, inset_basin, mixer_tap, tap
from openshape_ood.synthetic.builders._shapes import open_box
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, rod, tube


def wall_basin(rng: Random) -> tuple[Mesh, float, float]:
    """A wash basin with its tap. Returns the mesh, the height of the basin's underside, and its depth."""
    width, depth, height = rng.uniform(0.4, 0.75), rng.uniform(0.34, 0.55), rng.uniform(0.13, 0.24)
    rim, deck = rng.uniform(0.78, 0.92), rng.uniform(0.05, 0.12)
    bowl = basin(rng, width, height, depth, rng.choice([2.0, 2.5, 4.0, 12.0]), deck)
    spigot = tap(rng).moved(y=rim - 0.01, z=-depth / 2 + 0.55 * deck)
    return join(bowl.moved(y=rim - height), spigot), rim - height, depth


def pedestal_sink(rng: Random) -> Mesh:
    top, underside, depth = wall_basin(rng)
    w, d, waist = rng.uniform(0.16, 0.26), rng.uniform(0.14, 0.22), rng.uniform(0.6, 0.95)
    power, z = rng.choice([2.0, 3.0, 8.0]), -0.1 * depth
    heights = ((0.0, 1.15), (0.06, 1.1), (0.12, waist), (0.6 * underside, waist), (underside + 0.03, 1.1))
    return join(top, loft([Ring(y, s * w, s * d, power, z) for y, s in heights]))


def wall_hung_sink(rng: Random) -> Mesh:
    top, underside, depth = wall_basin(rng)
    if chance(rng, 0.5):
        pipe = [(0, underside, 0), (0, underside - 0.15, 0), (0, underside - 0.19, -0.04), (0, underside - 0.1, -0.07)]
        return join(top, tube([*pipe, (0, underside - 0.1, -depth / 2)], 0.018))
    shroud = ellipsoid(0.22, rng.uniform(0.3, 0.45), 0.26).moved(y=underside - 0.02, z=-depth / 2 + 0.13)
    return join(top, shroud) if chance(rng) else top


def cabinet_front(rng: Random, width: float, height: float, doors: int) -> Mesh:
    """Doors or drawers with handles, standing on y = 0 in front of z = 0."""
    leaf = width / doors
    panel = box(leaf - 0.012, height - 0.03, 0.018).moved(y=height / 2, z=0.009)
    handle = bar_handle(0.14, 0.035, 0.007)
    handle = handle.turned("z", 90) if chance(rng) else handle
    front = join(panel, handle.moved(y=0.8 * height, z=0.018))
    return placed(front, [((i - (doors - 1) / 2) * leaf, 0, 0) for i in range(doors)])


def vanity(rng: Random, width: float, height: float, depth: float) -> Mesh:
    """A cabinet below a sink: on a plinth, on feet or hung from the wall."""
    kind = rng.randint(3)
    foot = (0.06, 0.15, 0.35)[kind] * height
    body = box(width, height - foot, depth).moved(y=(height + foot) / 2)
    doors = cabinet_front(rng, width, height - foot, count(rng, 1, 3)).moved(y=foot, z=depth / 2)
    leg = cylinder(0.02, foot).moved(y=foot / 2)
    under = (box(width, foot, depth - 0.08).moved(y=foot / 2), at_corners(leg, width / 2 - 0.04, depth / 2 - 0.04))
    return join(body, doors, under[kind]) if kind < 2 else join(body, doors)


def counter_inset_sink(rng: Random) -> Mesh:
    width, depth, height = rng.uniform(0.6, 1.6), rng.uniform(0.48, 0.65), rng.uniform(0.75, 0.92)
    hole_w, hole_d = rng.uniform(0.38, 0.52), rng.uniform(0.28, 0.36)
    power = rng.choice([2.0, 3.0, SHARP])
    slabs = collar(Ring(height, width, depth, SHARP), Ring(height, hole_w, hole_d, power, 0.03), 0.035)
    bowl = inset_basin(rng, hole_w, hole_d, rng.uniform(0.12, 0.2), power).moved(y=height + 0.035, z=0.03)
    # the cabinet is a shell without a top, which would cut through the bowl
    body = loft([Ring(y, width - 0.02, depth - 0.04, SHARP) for y in (0.08, height)])
    doors = cabinet_front(rng, width - 0.02, height - 0.08, count(rng, 1, 4)).moved(y=0.08, z=depth / 2 - 0.02)
    return join(slabs, bowl, body, doors, tap(rng).moved(y=height + 0.035, z=-depth / 2 + 0.07))


def kitchen_unit(rng: Random, bowls: int, drainer: float) -> Mesh:
    """A steel sink top at y = 0: bowls side by side, then a ribbed drainer."""
    cell, depth, rim = rng.uniform(0.36, 0.46), rng.uniform(0.44, 0.55), 0.012
    power, deep, hole_d = rng.choice([6.0, SHARP]), rng.uniform(0.14, 0.23), depth - 0.14
    plate = collar(Ring(0, cell, depth, SHARP), Ring(0, cell - 0.05, hole_d, power, 0.03), rim)
    one = join(plate, inset_basin(rng, cell - 0.05, hole_d, deep, power).moved(y=rim, z=0.03))
    parts = [placed(one, [(i * cell, 0, 0) for i in range(bowls)])]
    if drainer:
        x = (bowls - 0.5) * cell
        ribs = rod((x + 0.04, rim, 0), (x + drainer - 0.04, rim, 0), 0.008)
        parts += [box(drainer, rim, depth).moved(x + drainer / 2, rim / 2)]
        parts += [placed(ribs, [(0, 0, z) for z in np.linspace(-0.38, 0.38, 7) * depth])]
    parts += [tap(rng).moved((bowls - 1) * cell / 2, rim, -depth / 2 + 0.05)]
    return join(*parts)


def kitchen_sink(rng: Random) -> Mesh:
    unit = kitchen_unit(rng, count(rng, 1, 2), rng.uniform(0.3, 0.5) if chance(rng, 0.7) else 0.0)
    unit = unit.mirrored("x") if chance(rng) else unit
    if chance(rng, 0.55):
        return unit
    low, high = unit.vertices.min(axis=0), unit.vertices.max(axis=0)
    width, depth, height = high[0] - low[0], min(high[2] - low[2], 0.58), rng.uniform(0.78, 0.9)
    body = loft([Ring(y, width, depth - 0.03, SHARP) for y in (0.08, height)])
    doors = cabinet_front(rng, width, height - 0.08, count(rng, 2, 3)).moved(y=0.08, z=depth / 2 - 0.015)
    return join(unit.moved(y=height), join(body, doors).moved((low[0] + high[0]) / 2))


def vessel_bowl(rng: Random) -> Mesh:
    """A bowl with a tall tap behind it, as on a wash stand."""
    width, height = rng.uniform(0.34, 0.6), rng.uniform(0.1, 0.2)
    depth = width * rng.uniform(0.6, 1.0)
    bowl = basin(rng, width, height, depth, rng.choice([2.0, 2.0, 3.0, 20.0]))
    spigot = gooseneck_tap(rng) if chance(rng) else mixer_tap(rng).scaled(1, 1.7, 1)
    return join(bowl, spigot.moved(z=-depth / 2 - 0.04))


def vessel_sink(rng: Random) -> Mesh:
    width, height, depth = rng.uniform(0.6, 1.3), rng.uniform(0.55, 0.8), rng.uniform(0.45, 0.58)
    top = box(width + 0.02, 0.03, depth + 0.03).moved(y=height + 0.015)
    if chance(rng, 0.7):
        stand = vanity(rng, width, height, depth)
    else:
        leg = box(0.04, height, 0.04).moved(y=height / 2)
        stand = join(at_corners(leg, width / 2 - 0.03, depth / 2 - 0.03), box(width, 0.02, depth).moved(y=0.15))
    return join(stand, top, vessel_bowl(rng).moved(y=height + 0.03, z=0.04))


def corner_sink(rng: Random) -> Mesh:
    """A quarter-round basin; the walls stand behind it on both sides."""
    size, height, rim = rng.uniform(0.35, 0.55), rng.uniform(0.12, 0.2), rng.uniform(0.78, 0.9)

    def quarter(v: np.ndarray) -> np.ndarray:
        squeeze = np.clip(0.55 + 0.75 * v[:, 2] / size, 0.12, 1.0)
        return v * np.stack([squeeze, np.ones_like(squeeze), np.ones_like(squeeze)], axis=1)

    bowl = basin(rng, 1.3 * size, height, 0.95 * size, 3.0, 0.06).deformed(quarter)
    spigot = mixer_tap(rng).moved(y=height, z=-0.4 * size)
    column = cylinder(0.09, rim - height, top=0.08).moved(y=-(rim - height) / 2 + 0.02, z=-0.08)
    return join(bowl, spigot, column) if chance(rng, 0.4) else join(bowl, spigot)


def trough_sink(rng: Random) -> Mesh:
    width, depth, height = rng.uniform(0.9, 2.2), rng.uniform(0.36, 0.55), rng.uniform(0.13, 0.3)
    s = rng.uniform(0.8, 1.0)
    bowl = hollow([Ring(0, s * width, s * depth, SHARP), Ring(height, width, depth, SHARP)], rng.uniform(0.02, 0.05))
    board = box(width, rng.uniform(0.1, 0.3), 0.03).moved(y=height + 0.05, z=-depth / 2)
    taps = placed(mixer_tap(rng).moved(y=height, z=-depth / 2 + 0.02), [(x * width, 0, 0) for x in (-0.3, 0, 0.3)])
    parts = [bowl, board, taps]
    if chance(rng, 0.6):
        drop = rng.uniform(0.5, 0.65)
        leg = box(0.05, drop, 0.3 if chance(rng) else 0.05).moved(y=-drop / 2)
        parts += [at_corners(leg, s * width * 0.42, 0.0 if chance(rng) else depth * 0.3)]
    return join(*parts)


def drop_in_sink(rng: Random) -> Mesh:
    """The basin alone with its wide flat rim, as sold."""
    width, depth, deep = rng.uniform(0.4, 0.85), rng.uniform(0.38, 0.55), rng.uniform(0.12, 0.24)
    power = rng.choice([2.0, 2.5, 5.0, SHARP])
    hole_w, hole_d = width - rng.uniform(0.05, 0.12), depth - rng.uniform(0.11, 0.17)
    rim = collar(Ring(0, width, depth, power), Ring(0, hole_w, hole_d, power, 0.03), 0.015)
    bowl = inset_basin(rng, hole_w, hole_d, deep, power).moved(y=0.015, z=0.03)
    parts = [rim, bowl, cylinder(0.03, 0.01).moved(y=-deep + 0.02, z=0.03)]
    return join(*parts, tap(rng).moved(y=0.015, z=-depth / 2 + 0.045)) if chance(rng, 0.85) else join(*parts)


def utility_sink(rng: Random) -> Mesh:
    """A deep tub on four legs: laundries, restaurants."""
    width, depth, deep = rng.uniform(0.45, 1.2), rng.uniform(0.45, 0.65), rng.uniform(0.25, 0.38)
    rim, tubs = rng.uniform(0.8, 0.95), count(rng, 1, 2)
    one = open_box(width / tubs, deep, depth, rng.uniform(0.01, 0.03)).moved(y=rim - deep)
    tub = placed(one, [((i - (tubs - 1) / 2) * width / tubs, 0, 0) for i in range(tubs)])
    leg = cylinder(rng.uniform(0.015, 0.025), rim - deep).moved(y=(rim - deep) / 2)
    parts = [tub, at_corners(leg, width / 2 - 0.04, depth / 2 - 0.04), tap(rng).moved(y=rim, z=-depth / 2 + 0.01)]
    if chance(rng):
        parts += [box(width, 0.25, 0.015).moved(y=rim + 0.125, z=-depth / 2)]
    if chance(rng):
        parts += [box(width - 0.04, 0.015, depth - 0.04).moved(y=0.2)]
    return join(*parts)


category(
    "sink",
    pedestal=pedestal_sink,
    wall_hung=wall_hung_sink,
    counter_inset=counter_inset_sink,
    kitchen_drainer=kitchen_sink,
    vessel_on_cabinet=vessel_sink,
    vessel_bowl=vessel_bowl,
    corner=corner_sink,
    trough=trough_sink,
    drop_in=drop_in_sink,
    utility=utility_sink,
)

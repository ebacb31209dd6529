"""Fixtures, appliances and containers: sinks, toilets, monitors, bags, bins, boxes and their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.catalogue import category
from openshape_ood.synthetic.mesh import (
    Mesh,
    box,
    cushion,
    cylinder,
    ellipsoid,
    extrude,
    join,
    lathe,
    rod,
    sheet,
    torus,
    tube,
)

Random = np.random.RandomState
Maker = Callable[[Random], Mesh]

# A superellipse of this power has corners that look sharp at any sampling.
SHARP = 40.0


# --- chance ---------------------------------------------------------------------------------------


def between(rng: Random, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def count(rng: Random, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.randint(low, high + 1))


def chance(rng: Random, probability: float = 0.5) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, makers: Sequence[Maker]) -> Mesh:
    return makers[rng.randint(len(makers))](rng)


# --- primitives of this file ----------------------------------------------------------------------


class Ring(NamedTuple):
    """A horizontal outline: a superellipse of the given full widths around (0, y, z).

    `power` 2 is an ellipse, 10 nearly a rectangle; `back` is the power of the half towards -z.
    """

    y: float
    width: float
    depth: float
    power: float = 2.0
    z: float = 0.0
    back: float | None = None

    def shrunk(self, by: float) -> Ring:
        return self._replace(width=max(self.width - by, 0.004), depth=max(self.depth - by, 0.004))

    def closed(self) -> Ring:
        return self._replace(width=0.0, depth=0.0)


def loft(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    """The surface through a stack of rings, in their order."""
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    # sin(pi) is not quite 0, and a high power would blow the difference up
    cos, sin = np.cos(angle).round(9), np.sin(angle).round(9)
    columns = [(r.y, r.width, r.depth, r.power, r.z, r.back or r.power) for r in rings]
    y, width, depth, front, z, back = np.array(columns).T[:, :, None]
    power = 2 / np.where(sin < 0, back, front)
    across = np.sign(cos) * np.abs(cos) ** power * width / 2
    along = np.sign(sin) * np.abs(sin) ** power * depth / 2 + z
    grid = np.stack([across, np.broadcast_to(y, across.shape), along], axis=-1)
    return sheet(lambda u, v: grid, rows=len(rings), columns=segments + 1)


def solid(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    return loft([rings[0].closed(), *rings, rings[-1].closed()], segments)


def slab(ring: Ring, thickness: float) -> Mesh:
    """A plate of a ring's outline that stands on the ring."""
    return solid([ring, ring._replace(y=ring.y + thickness)])


def collar(outer: Ring, inner: Ring, thickness: float) -> Mesh:
    """A plate with a hole, from the height of `outer` upwards."""
    top, y = outer.y + thickness, outer.y
    return loft([outer, outer._replace(y=top), inner._replace(y=top), inner._replace(y=y), outer])


def hollow(rings: Sequence[Ring], wall: float, floor: float | None = None, deck: float = 0.0) -> Mesh:
    """A vessel open at the top with the given outside; a `deck` widens the rim at the back."""
    bottom = rings[0].y + (wall if floor is None else floor)
    inside = [r.shrunk(2 * wall)._replace(y=max(r.y, bottom)) for r in rings]
    inside = [r._replace(depth=max(r.depth - deck, 0.004), z=r.z + deck / 2) for r in inside]
    return loft([rings[0].closed(), *rings, *inside[::-1], inside[0].closed()])


def pot(profile: Sequence[tuple[float, float]], wall: float, segments: int = 20, filled: float = 0.0) -> Mesh:
    """A turned vessel open at the top, its outside given as (radius, y) from the foot up; filled up to a height."""
    floor = max(profile[0][1] + wall, filled)
    inside = [(max(r - wall, 0.001), max(y, floor)) for r, y in profile]
    return lathe([(0, profile[0][1]), *profile, *inside[::-1], (0, floor)], segments)


def smooth(profile: Sequence[tuple[float, float]], points: int = 12) -> list[tuple[float, float]]:
    """A (radius, y) profile rounded by a Catmull-Rom spline."""
    p = np.asarray(profile, dtype=np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(profile) - 1, points)
    i = np.minimum(t.astype(int), len(profile) - 2)
    s = (t - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    curve = b + 0.5 * s * (c - a + s * (2 * a - 5 * b + 4 * c - d + s * (3 * (b - c) + d - a)))
    return [(max(float(r), 0.001), float(y)) for r, y in curve]


def open_box(width: float, height: float, depth: float, wall: float) -> Mesh:
    """A box without its top, standing on y = 0."""
    side = box(wall, height, depth).moved(y=height / 2)
    end = box(width - 2 * wall, height, wall).moved(y=height / 2)
    x, z = (width - wall) / 2, (depth - wall) / 2
    floor = box(width - 2 * wall, wall, depth - 2 * wall).moved(y=wall / 2)
    return join(side.moved(-x), side.moved(x), end.moved(z=-z), end.moved(z=z), floor)


def open_front(width: float, height: float, depth: float, wall: float) -> Mesh:
    """A box without its front, standing on y = 0."""
    return open_box(width, depth, height, wall).turned("x", 90).moved(y=height / 2, z=-depth / 2)


def ribbon(path: np.ndarray, across: Sequence[float], width: float, thickness: float) -> Mesh:
    """A flat strap along a polyline (m, 3), `width` wide in the direction `across`."""
    p, side = np.asarray(path, dtype=np.float64), np.asarray(across, dtype=np.float64)
    normal = np.cross(np.gradient(p, axis=0), side)
    normal *= thickness / 2 / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
    half = side * width / 2
    grid = np.stack([p - half - normal, p + half - normal, p + half + normal, p - half + normal], axis=1)
    grid = np.concatenate([grid, grid[:, :1]], axis=1)
    return sheet(lambda u, v: grid, rows=len(p), columns=5)


def copies(mesh: Mesh, turns: np.ndarray, offsets: np.ndarray, scales: np.ndarray | None = None) -> Mesh:
    """The mesh n times over: scaled (n,), rotated (n, 3, 3), moved (n, 3); much faster than `join`."""
    n, size = len(offsets), len(mesh.vertices)
    factor = np.ones(n) if scales is None else scales
    vertices = np.einsum("nij,vj->nvi", turns * factor[:, None, None], mesh.vertices) + offsets[:, None]
    faces = mesh.faces[None] + np.arange(n)[:, None, None] * size
    parts = mesh.parts[None] + np.arange(n)[:, None] * (int(mesh.parts.max()) + 1)
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), parts.reshape(-1))


def headings(yaw: np.ndarray, pitch: np.ndarray | float) -> np.ndarray:
    """Rotations (n, 3, 3) that turn +z to the given yaw about y and pitch upwards, in radians."""
    level, rise = np.cos(pitch), np.broadcast_to(np.sin(pitch), yaw.shape)
    forward = np.stack([np.sin(yaw) * level, rise, np.cos(yaw) * level], axis=-1)
    right = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=-1)
    return np.stack([right, np.cross(forward, right), forward], axis=-1)


def placed(mesh: Mesh, offsets: Sequence[Sequence[float]] | np.ndarray) -> Mesh:
    return copies(mesh, np.tile(np.eye(3), (len(offsets), 1, 1)), np.asarray(offsets, dtype=np.float64))


def at_corners(mesh: Mesh, x: float, z: float) -> Mesh:
    return placed(mesh, [(sx * x, 0, sz * z) for sx in (-1, 1) for sz in (-1, 1)])


def pair(mesh: Mesh) -> Mesh:
    return join(mesh, mesh.mirrored("x"))


def around(mesh: Mesh, n: int) -> Mesh:
    """n copies evenly turned about the y axis."""
    return copies(mesh, headings(np.arange(n) * 2 * np.pi / n, 0.0), np.zeros((n, 3)))


def arch(width: float, height: float, squareness: float = 0.7, points: int = 13) -> np.ndarray:
    """A path (points, 3) up and over in the x-y plane, from -width/2 to width/2."""
    t = np.linspace(0, np.pi, points)
    x = -np.sign(np.cos(t)) * np.abs(np.cos(t)) ** squareness * width / 2
    return np.stack([x, np.sin(t) ** squareness * height, np.zeros_like(t)], axis=1)


def rumpled(rng: Random, mesh: Mesh, amount: float, waves: int = 3) -> Mesh:
    """Pushed about by a few long waves, as cloth and paper are."""
    size = max(float(mesh.size().max()), 1e-6)

    def push(v: np.ndarray) -> np.ndarray:
        turn, phase = rng.normal(0, 7 / size, (waves, 3)), rng.uniform(0, 2 * np.pi, waves)
        wave = np.sin(v @ turn.T + phase)
        return v + amount * wave @ rng.normal(0, 1, (waves, 3)) / waves

    return mesh.deformed(push)


def hung(leaf: Mesh, x: float, z: float, degrees: float) -> Mesh:
    """A door leaf that reaches from its hinge at the origin to +x, opened towards +z."""
    return leaf.turned("y", -degrees).moved(x, z=z)


def bar_handle(length: float, reach: float = 0.04, radius: float = 0.01) -> Mesh:
    """An upright bar in front of z = 0 on two stays."""
    stay = rod((0, 0, 0), (0, 0, reach), radius * 0.8)
    bar = rod((0, -length / 2, reach), (0, length / 2, reach), radius)
    return join(bar, stay.moved(y=0.4 * length), stay.moved(y=-0.4 * length))


def dial(radius: float, thickness: float) -> Mesh:
    """A knob that sticks out of z = 0."""
    return cylinder(radius, thickness, top=0.85 * radius, segments=10).turned("x", 90).moved(z=thickness / 2)


def castor(radius: float) -> Mesh:
    return cylinder(radius, radius * 0.6, segments=12).turned("z", 90).moved(y=radius)


# --- sink -----------------------------------------------------------------------------------------


def gooseneck_tap(rng: Random) -> Mesh:
    """Stands on the origin and pours towards +z, as all taps here."""
    height, reach, r = between(rng, 0.2, 0.4), between(rng, 0.07, 0.12), between(rng, 0.01, 0.016)
    t = np.linspace(0, np.pi * between(rng, 0.8, 1.0), 9)
    bow = np.stack([0 * t, height - reach + reach * np.sin(t), reach - reach * np.cos(t)], axis=1)
    lever = rod((0, 0.05, 0), (0.09, 0.08, 0), 0.007)
    return join(cylinder(0.026, 0.08).moved(y=0.04), tube([(0, 0, 0), *bow], r), lever)


def mixer_tap(rng: Random) -> Mesh:
    height, reach = between(rng, 0.1, 0.18), between(rng, 0.1, 0.17)
    body = cylinder(0.024, height).moved(y=height / 2)
    spout = rod((0, 0.65 * height, 0), (0, 0.75 * height, reach), 0.017, 0.013)
    lever = box(0.02, 0.01, 0.1).turned("x", -between(rng, 0, 35)).moved(y=height + 0.015, z=0.02)
    return join(body, spout, lever)


def pillar_taps(rng: Random) -> Mesh:
    gap, height = between(rng, 0.08, 0.12), between(rng, 0.06, 0.1)
    cross = join(rod((-0.03, 0, 0), (0.03, 0, 0), 0.007), rod((0, 0, -0.03), (0, 0, 0.03), 0.007))
    valve = join(cylinder(0.018, height).moved(y=height / 2), cross.moved(y=height))
    spout = tube([(0, 0, 0), (0, 0.1, 0.01), (0, 0.12, 0.06), (0, 0.09, 0.13)], 0.013)
    return join(valve.moved(gap), valve.moved(-gap), spout)


def tap(rng: Random) -> Mesh:
    return pick(rng, (gooseneck_tap, mixer_tap, mixer_tap, pillar_taps))


def basin(rng: Random, width: float, height: float, depth: float, power: float, deck: float = 0.0) -> Mesh:
    """A rounded basin on y = 0, its rim at `height`."""
    base, swell, wall = between(rng, 0.35, 0.75), between(rng, 0.4, 0.9), between(rng, 0.012, 0.035)
    rings = []
    for t in (0.0, 0.12, 0.35, 0.65, 1.0):
        s = base + (1 - base) * t**swell
        rings.append(Ring(t * height, s * width, s * depth, power, (s - 1) * depth * 0.2, max(power, 3.5)))
    return hollow(rings, wall, deck=deck)


def wall_basin(rng: Random) -> tuple[Mesh, float, float]:
    """A wash basin with its tap, its rim at 0.85 m or so; the mesh, the rim's height and its depth."""
    width, depth, height = between(rng, 0.4, 0.75), between(rng, 0.34, 0.55), between(rng, 0.13, 0.24)
    rim, deck = between(rng, 0.78, 0.92), between(rng, 0.05, 0.12)
    bowl_ = basin(rng, width, height, depth, rng.choice([2.0, 2.5, 4.0, 12.0]), deck)
    spigot = tap(rng).moved(y=rim - 0.01, z=-depth / 2 + 0.55 * deck)
    return join(bowl_.moved(y=rim - height), spigot), rim - height, depth


def pedestal_sink(rng: Random) -> Mesh:
    top, underside, depth = wall_basin(rng)
    w, d, waist = between(rng, 0.16, 0.26), between(rng, 0.14, 0.22), between(rng, 0.6, 0.95)
    power, z = rng.choice([2.0, 3.0, 8.0]), -0.1 * depth
    heights = ((0.0, 1.15), (0.06, 1.1), (0.12, waist), (0.6 * underside, waist), (underside + 0.03, 1.1))
    return join(top, loft([Ring(y, s * w, s * d, power, z) for y, s in heights]))


def wall_hung_sink(rng: Random) -> Mesh:
    top, underside, depth = wall_basin(rng)
    if chance(rng, 0.5):
        pipe = [(0, underside, 0), (0, underside - 0.15, 0), (0, underside - 0.19, -0.04), (0, underside - 0.1, -0.07)]
        return join(top, tube([*pipe, (0, underside - 0.1, -depth / 2)], 0.018))
    shroud = ellipsoid(0.22, between(rng, 0.3, 0.45), 0.26).moved(y=underside - 0.02, z=-depth / 2 + 0.13)
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


def inset_basin(rng: Random, width: float, depth: float, deep: float, power: float) -> Mesh:
    """The bowl below a hole of the given size in a counter at y = 0; thin, open at the top."""
    s = between(rng, 0.6, 0.95)
    rings = [
        Ring(-deep, s * width, s * depth, power),
        Ring(-0.85 * deep, (1 + s) / 2 * width, (1 + s) / 2 * depth, power),
    ]
    return hollow([*rings, Ring(0.0, width, depth, power)], 0.004)


def counter_inset_sink(rng: Random) -> Mesh:
    width, depth, height = between(rng, 0.6, 1.6), between(rng, 0.48, 0.65), between(rng, 0.75, 0.92)
    hole_w, hole_d = between(rng, 0.38, 0.52), between(rng, 0.28, 0.36)
    power = rng.choice([2.0, 3.0, SHARP])
    slabs = collar(Ring(height, width, depth, SHARP), Ring(height, hole_w, hole_d, power, 0.03), 0.035)
    bowl_ = inset_basin(rng, hole_w, hole_d, between(rng, 0.12, 0.2), power).moved(y=height + 0.035, z=0.03)
    # the cabinet is a shell without a lid, so that nothing is hidden in the bowl
    body = loft([Ring(y, width - 0.02, depth - 0.04, SHARP) for y in (0.08, height)])
    doors = cabinet_front(rng, width - 0.02, height - 0.08, count(rng, 1, 4)).moved(y=0.08, z=depth / 2 - 0.02)
    return join(slabs, bowl_, body, doors, tap(rng).moved(y=height + 0.035, z=-depth / 2 + 0.07))


def kitchen_unit(rng: Random, bowls: int, drainer: float) -> Mesh:
    """A steel sink top at y = 0: bowls side by side, then a ribbed drainer."""
    cell, depth, rim = between(rng, 0.36, 0.46), between(rng, 0.44, 0.55), 0.012
    power, deep, hole_d = rng.choice([6.0, SHARP]), between(rng, 0.14, 0.23), depth - 0.14
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
    unit = kitchen_unit(rng, count(rng, 1, 2), between(rng, 0.3, 0.5) if chance(rng, 0.7) else 0.0)
    unit = unit.mirrored("x") if chance(rng) else unit
    if chance(rng, 0.55):
        return unit
    low, high = unit.vertices.min(axis=0), unit.vertices.max(axis=0)
    width, depth, height = high[0] - low[0], min(high[2] - low[2], 0.58), between(rng, 0.78, 0.9)
    body = loft([Ring(y, width, depth - 0.03, SHARP) for y in (0.08, height)])
    doors = cabinet_front(rng, width, height - 0.08, count(rng, 2, 3)).moved(y=0.08, z=depth / 2 - 0.015)
    return join(unit.moved(y=height), join(body, doors).moved((low[0] + high[0]) / 2))


def vessel_bowl(rng: Random) -> Mesh:
    """A free bowl with a tall tap behind it, as on a wash stand."""
    width, height = between(rng, 0.34, 0.6), between(rng, 0.1, 0.2)
    depth = width * between(rng, 0.6, 1.0)
    bowl_ = basin(rng, width, height, depth, rng.choice([2.0, 2.0, 3.0, 20.0]))
    spigot = gooseneck_tap(rng) if chance(rng) else mixer_tap(rng).scaled(1, 1.7, 1)
    return join(bowl_, spigot.moved(z=-depth / 2 - 0.04))


def vessel_sink(rng: Random) -> Mesh:
    width, height, depth = between(rng, 0.6, 1.3), between(rng, 0.55, 0.8), between(rng, 0.45, 0.58)
    top = box(width + 0.02, 0.03, depth + 0.03).moved(y=height + 0.015)
    if chance(rng, 0.7):
        stand = vanity(rng, width, height, depth)
    else:
        leg = box(0.04, height, 0.04).moved(y=height / 2)
        stand = join(at_corners(leg, width / 2 - 0.03, depth / 2 - 0.03), box(width, 0.02, depth).moved(y=0.15))
    return join(stand, top, vessel_bowl(rng).moved(y=height + 0.03, z=0.04))


def corner_sink(rng: Random) -> Mesh:
    """A quarter-round basin; the walls stand behind it on both sides."""
    size, height, rim = between(rng, 0.35, 0.55), between(rng, 0.12, 0.2), between(rng, 0.78, 0.9)

    def quarter(v: np.ndarray) -> np.ndarray:
        squeeze = np.clip(0.55 + 0.75 * v[:, 2] / size, 0.12, 1.0)
        return v * np.stack([squeeze, np.ones_like(squeeze), np.ones_like(squeeze)], axis=1)

    bowl_ = basin(rng, 1.3 * size, height, 0.95 * size, 3.0, 0.06).deformed(quarter)
    spigot = mixer_tap(rng).moved(y=height, z=-0.4 * size)
    column = cylinder(0.09, rim - height, top=0.08).moved(y=-(rim - height) / 2 + 0.02, z=-0.08)
    return join(bowl_, spigot, column) if chance(rng, 0.4) else join(bowl_, spigot)


def trough_sink(rng: Random) -> Mesh:
    width, depth, height = between(rng, 0.9, 2.2), between(rng, 0.36, 0.55), between(rng, 0.13, 0.3)
    s = between(rng, 0.8, 1.0)
    bowl_ = hollow([Ring(0, s * width, s * depth, SHARP), Ring(height, width, depth, SHARP)], between(rng, 0.02, 0.05))
    board = box(width, between(rng, 0.1, 0.3), 0.03).moved(y=height + 0.05, z=-depth / 2)
    taps = placed(mixer_tap(rng).moved(y=height, z=-depth / 2 + 0.02), [(x * width, 0, 0) for x in (-0.3, 0, 0.3)])
    parts = [bowl_, board, taps]
    if chance(rng, 0.6):
        drop = between(rng, 0.5, 0.65)
        leg = box(0.05, drop, 0.3 if chance(rng) else 0.05).moved(y=-drop / 2)
        parts += [at_corners(leg, s * width * 0.42, 0.0 if chance(rng) else depth * 0.3)]
    return join(*parts)


def drop_in_sink(rng: Random) -> Mesh:
    """The basin alone with its wide flat rim, as sold."""
    width, depth, deep = between(rng, 0.4, 0.85), between(rng, 0.38, 0.55), between(rng, 0.12, 0.24)
    power = rng.choice([2.0, 2.5, 5.0, SHARP])
    hole_w, hole_d = width - between(rng, 0.05, 0.12), depth - between(rng, 0.11, 0.17)
    rim = collar(Ring(0, width, depth, power), Ring(0, hole_w, hole_d, power, 0.03), 0.015)
    bowl_ = inset_basin(rng, hole_w, hole_d, deep, power).moved(y=0.015, z=0.03)
    parts = [rim, bowl_, cylinder(0.03, 0.01).moved(y=-deep + 0.02, z=0.03)]
    return join(*parts, tap(rng).moved(y=0.015, z=-depth / 2 + 0.045)) if chance(rng, 0.85) else join(*parts)


def utility_sink(rng: Random) -> Mesh:
    """A deep tub on four legs: laundries, restaurants."""
    width, depth, deep = between(rng, 0.45, 1.2), between(rng, 0.45, 0.65), between(rng, 0.25, 0.38)
    rim, tubs = between(rng, 0.8, 0.95), count(rng, 1, 2)
    one = open_box(width / tubs, deep, depth, between(rng, 0.01, 0.03)).moved(y=rim - deep)
    tub = placed(one, [((i - (tubs - 1) / 2) * width / tubs, 0, 0) for i in range(tubs)])
    leg = cylinder(between(rng, 0.015, 0.025), rim - deep).moved(y=(rim - deep) / 2)
    parts = [tub, at_corners(leg, width / 2 - 0.04, depth / 2 - 0.04), tap(rng).moved(y=rim, z=-depth / 2 + 0.01)]
    if chance(rng):
        parts += [box(width, 0.25, 0.015).moved(y=rim + 0.125, z=-depth / 2)]
    if chance(rng):
        parts += [box(width - 0.04, 0.015, depth - 0.04).moved(y=0.2)]
    return join(*parts)


SINKS: dict[str, Maker] = {
    "pedestal": pedestal_sink,
    "wall_hung": wall_hung_sink,
    "counter_inset": counter_inset_sink,
    "kitchen_drainer": kitchen_sink,
    "vessel_on_cabinet": vessel_sink,
    "vessel_bowl": vessel_bowl,
    "corner": corner_sink,
    "trough": trough_sink,
    "drop_in": drop_in_sink,
    "utility": utility_sink,
}


@category(
    "sink",
    synonyms=(
        "washbasin", "wash basin", "hand basin", "washbowl", "lavatory sink", "bathroom sink", "kitchen sink",
        "double sink", "pedestal sink", "vanity sink", "vessel sink", "trough sink", "utility sink", "laundry sink",
        "wash stand", "basin",
    ),
    variants=tuple(SINKS),
)  # fmt: skip
def sink(rng: Random, variant: str) -> Mesh:
    return SINKS[variant](rng)


# --- toilet ---------------------------------------------------------------------------------------


class Seat(NamedTuple):
    """Where a toilet's rim is: its height, full widths and the power of its back half."""

    y: float
    width: float
    depth: float
    back: float

    def ring(self, y: float, grow: float = 0.0) -> Ring:
        return Ring(y, self.width + grow, self.depth + grow, 2.1, 0.0, self.back)


def some_seat(rng: Random, low: float = 0.37, high: float = 0.45) -> Seat:
    width = between(rng, 0.34, 0.41)
    return Seat(between(rng, low, high), width, width * between(rng, 1.15, 1.5), between(rng, 2.2, 6.0))


def toilet_bowl(rng: Random, seat: Seat, foot: float = 0.0) -> Mesh:
    """A bowl that narrows to its foot and stands on it; `foot` is the foot's height above the floor."""
    w, d, back = seat.width, seat.depth, seat.back
    base, waist = between(rng, 0.5, 0.75), between(rng, 0.45, 0.65)
    long, z, tall = between(rng, 0.7, 0.95), -0.08 * d, seat.y - foot
    shape = (
        (0.0, base, long),
        (0.08, base, long),
        (0.4, waist, long - 0.15),
        (0.75, 0.88, 0.9),
        (0.92, 1, 1),
        (1, 1, 1),
    )
    rings = [Ring(foot + t * tall, a * w, b * d, 2.3, z * (1 - t), back) for t, a, b in shape]
    return hollow(rings, 0.045, floor=0.45 * tall)


def wall_bowl(rng: Random, seat: Seat) -> Mesh:
    """A bowl that hangs from the wall behind it."""
    w, d, deep = seat.width, seat.depth, between(rng, 0.24, 0.34)
    shape = ((0.0, 0.55, 0.5), (0.15, 0.75, 0.72), (0.5, 0.92, 0.9), (0.9, 1.0, 1.0), (1.0, 1.0, 1.0))
    rings = [Ring(seat.y - deep * (1 - t), a * w, b * d, 2.2, (b - 1) * d / 2, 8.0) for t, a, b in shape]
    return hollow(rings, 0.04, floor=0.08)


def seat_and_lid(rng: Random, seat: Seat) -> Mesh:
    """The seat with its lid down, up, up together with the seat, or without one."""
    thick, z = between(rng, 0.015, 0.03), -seat.depth / 2
    hole = Ring(seat.y, seat.width - 0.14, seat.depth - 0.18, 2.1, 0.01)
    circle = collar(seat.ring(seat.y, 0.01), hole, thick)
    lid = slab(seat.ring(seat.y + thick + 0.004, 0.012), thick)

    def raised(part: Mesh, degrees: float) -> Mesh:
        return part.moved(y=-seat.y, z=-z).turned("x", -degrees).moved(y=seat.y, z=z)

    state, lean = rng.uniform(), between(rng, 88, 105)
    if state < 0.42:
        return join(circle, lid)
    if state < 0.78:
        return join(circle, raised(lid, lean))
    return join(raised(circle, lean - 4), raised(lid, lean)) if state < 0.86 else circle


def cistern(rng: Random, width: float, height: float, depth: float) -> Mesh:
    """A flush tank on y = 0 with its lid and a button or lever."""
    roundness, taper = rng.choice([0.1, 0.2, 0.35]), between(rng, 0.98, 1.12)
    tank = cushion(width, height, depth, roundness).tapered(taper).moved(y=height / 2)
    lid = cushion(width * taper + 0.02, 0.04, depth * taper + 0.02, 0.2).moved(y=height + 0.015)
    lever = join(rod((0, 0, 0), (0, 0, 0.03), 0.01), rod((0, 0, 0.03), (0.08, -0.01, 0.03), 0.008))
    lever = lever.moved(-0.38 * width, 0.85 * height, depth / 2)
    button = cylinder(0.025, 0.015).moved(y=height + 0.04)
    return join(tank, lid, lever if chance(rng) else button)


def close_coupled_toilet(rng: Random) -> Mesh:
    seat = some_seat(rng)
    w, h, d = between(rng, 0.34, 0.5), between(rng, 0.28, 0.42), between(rng, 0.15, 0.22)
    z = -seat.depth / 2 - d / 2 + 0.02
    shelf = cushion(between(rng, 0.2, 0.34), 0.16, d + 0.14, 0.3).moved(y=seat.y - 0.08, z=z + 0.05)
    parts = [toilet_bowl(rng, seat), seat_and_lid(rng, seat), shelf, cistern(rng, w, h, d).moved(y=seat.y, z=z)]
    return join(*parts)


def one_piece_toilet(rng: Random) -> Mesh:
    """Bowl and tank of one skirted body."""
    seat = some_seat(rng)
    w, d = seat.width, between(rng, 0.18, 0.26)
    z, h = -seat.depth / 2 - d / 2 + 0.02, between(rng, 0.5, 0.75)
    shape = ((0.0, 0.75, 0.85, -0.05), (0.7, 0.85, 0.9, -0.03))
    rings = [Ring(t * seat.y, a * w, b * seat.depth, 2.2, shift, 8) for t, a, b, shift in shape]
    skirt = hollow([*rings, seat.ring(seat.y)], 0.045, floor=0.2)
    tank = solid([Ring(0, 0.75 * w, d + 0.05, 8, z), Ring(seat.y, w, d, 8, z), Ring(h, w, d * 0.8, 6, z - 0.1 * d)])
    return join(skirt, seat_and_lid(rng, seat), tank, cylinder(0.025, 0.02).moved(y=h, z=z))


def wall_hung_toilet(rng: Random) -> Mesh:
    seat = some_seat(rng)
    parts = [wall_bowl(rng, seat), seat_and_lid(rng, seat)]
    z = -seat.depth / 2 - 0.01
    if chance(rng, 0.4):
        height = between(rng, 0.9, 1.2)
        flush = box(0.24, 0.16, 0.015).moved(y=0.85 * height, z=z + 0.01)
        parts += [box(between(rng, 0.45, 0.9), height, 0.12).moved(y=height / 2, z=z - 0.06), flush]
    return join(*parts)


def high_tank_toilet(rng: Random) -> Mesh:
    seat, top = some_seat(rng), between(rng, 1.4, 2.0)
    z = -seat.depth / 2 - 0.08
    tank = cistern(rng, between(rng, 0.36, 0.5), between(rng, 0.22, 0.32), 0.19).moved(y=top, z=z)
    pipe = tube([(0, top, z), (0, seat.y, z), (0, seat.y - 0.08, z + 0.04), (0, seat.y - 0.1, z + 0.14)], 0.02)
    chain = join(
        rod((0.2, top + 0.2, z + 0.1), (0.2, top - 0.6, z + 0.1), 0.006),
        ellipsoid(0.03, 0.1, 0.03).moved(0.2, top - 0.6, z + 0.1),
    )
    return join(toilet_bowl(rng, seat), seat_and_lid(rng, seat), tank, pipe, chain)


def back_to_wall_toilet(rng: Random) -> Mesh:
    """Sides that go straight down to the floor and back to the wall."""
    seat = some_seat(rng)
    s, w, d = between(rng, 0.72, 0.95), seat.width, seat.depth
    rings = [Ring(0, s * w, 0.9 * d, 2.3, -0.05 * d, 12), Ring(0.55 * seat.y, s * w, 0.92 * d, 2.3, -0.04 * d, 12)]
    bowl_ = hollow([*rings, Ring(0.85 * seat.y, w, d, 2.1, 0, 12), seat.ring(seat.y)], 0.045, floor=0.2)
    parts = [bowl_, seat_and_lid(rng, seat)]
    if chance(rng, 0.4):
        height = between(rng, 0.75, 1.1)
        parts += [box(between(rng, 0.45, 0.7), height, 0.2).moved(y=height / 2, z=-d / 2 - 0.1)]
    return join(*parts)


def smart_toilet(rng: Random) -> Mesh:
    """A washlet: thick seat that rises to the back, control arm at the side."""
    seat = some_seat(rng)
    w, d = seat.width, seat.depth
    base = hollow([Ring(0, 0.85 * w, 0.95 * d, 2.4, 0, 8), seat.ring(seat.y)], 0.045, floor=0.2)
    back = cushion(w + 0.06, 0.12, 0.2, 0.25).moved(y=seat.y + 0.06, z=-d / 2 + 0.02)
    arm = cushion(0.09, 0.05, 0.26, 0.25).moved(w / 2 + 0.05, seat.y + 0.04, -0.1)
    return (
        join(base, seat_and_lid(rng, seat), back, arm)
        if chance(rng, 0.7)
        else join(base, back, seat_and_lid(rng, seat))
    )


def squat_toilet(rng: Random) -> Mesh:
    """A pan let into the floor, with foot treads or a hood at one end."""
    width, depth, deep = between(rng, 0.3, 0.5), between(rng, 0.5, 0.75), between(rng, 0.12, 0.25)
    hole_w, hole_d = between(rng, 0.16, 0.22), depth - between(rng, 0.12, 0.22)
    plate = collar(Ring(0, width, depth, rng.choice([3.0, SHARP])), Ring(0, hole_w, hole_d, 2.5), 0.03)
    pan = inset_basin(rng, hole_w, hole_d, deep, 2.5).moved(y=0.03)
    parts = [plate, pan]
    if chance(rng, 0.6):
        tread = placed(box(0.09, 0.012, 0.02), [(0, 0, z) for z in np.linspace(-0.12, 0.12, 6)])
        parts += [pair(tread.moved((width + hole_w) / 4, 0.036))]
    if chance(rng, 0.6):
        hood = ellipsoid(hole_w + 0.06, 0.26, 0.22)
        parts += [hood.deformed(lambda v: np.maximum(v, [-9, 0, -9])).moved(y=0.03, z=hole_d / 2)]
    return join(*parts)


def bidet(rng: Random) -> Mesh:
    """A low bowl without seat, a small tap at its back."""
    seat = some_seat(rng, 0.36, 0.42)
    bowl_ = wall_bowl(rng, seat) if chance(rng, 0.3) else toilet_bowl(rng, seat)
    spigot = mixer_tap(rng).scaled(0.8, 0.8, 0.8).moved(y=seat.y, z=-seat.depth / 2 + 0.04)
    return join(bowl_, spigot)


def plain_toilet(rng: Random) -> Mesh:
    """A bowl with seat and a bent outlet, without any tank: camps, prisons, drawings."""
    seat = some_seat(rng)
    z = -seat.depth / 2
    outlet = tube([(0, 0.2, 0.6 * z), (0, 0.22, z), (0, 0.15, z - 0.1), (0, 0.0, z - 0.12)], 0.05)
    return join(toilet_bowl(rng, seat), seat_and_lid(rng, seat), outlet)


TOILETS: dict[str, Maker] = {
    "close_coupled": close_coupled_toilet,
    "one_piece": one_piece_toilet,
    "wall_hung": wall_hung_toilet,
    "high_tank": high_tank_toilet,
    "back_to_wall": back_to_wall_toilet,
    "smart": smart_toilet,
    "squat": squat_toilet,
    "bidet": bidet,
    "plain": plain_toilet,
}


@category(
    "toilet",
    synonyms=(
        "lavatory", "water closet", "wc", "toilet bowl", "loo", "toilet seat", "flush toilet", "latrine",
        "squat toilet", "wall-hung toilet", "bidet", "washlet", "privy", "john",
    ),
    variants=tuple(TOILETS),
)  # fmt: skip
def toilet(rng: Random, variant: str) -> Mesh:
    return TOILETS[variant](rng)


# --- bathtub --------------------------------------------------------------------------------------


def tub_rings(rng: Random, width: float, height: float, depth: float, power: float) -> list[Ring]:
    s, swell = between(rng, 0.7, 0.92), between(rng, 0.4, 0.8)
    scale = [(t, s + (1 - s) * t**swell) for t in (0.0, 0.1, 0.4, 0.8, 1.0)]
    return [Ring(t * height, k * width, k * depth, power) for t, k in scale]


def tub_size(rng: Random) -> tuple[float, float, float]:
    return between(rng, 1.3, 1.9), between(rng, 0.42, 0.65), between(rng, 0.65, 0.95)


def built_in_tub(rng: Random) -> Mesh:
    """A boxed-in tub: straight apron outside, rounded bowl inside."""
    w, h, d = tub_size(rng)
    power, rim = rng.choice([2.5, 4.0, 8.0]), between(rng, 0.1, 0.2)
    deck = collar(Ring(h - 0.04, w, d, SHARP), Ring(h, w - rim, d - rim, power), 0.04)
    bowl_ = inset_basin(rng, w - rim, d - rim, 0.8 * h, power).moved(y=h)
    apron = loft([Ring(y, w - 0.03, d - 0.03, SHARP) for y in (0.0, h - 0.04)])
    spigot = mixer_tap(rng).turned("y", 90).moved(-w / 2 + 0.04, h)
    return join(deck, bowl_, apron, spigot) if chance(rng, 0.6) else join(deck, bowl_, apron)


def oval_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    tub = hollow(tub_rings(rng, w, h, d, between(rng, 2.0, 3.5)), between(rng, 0.025, 0.06), 0.08)
    stand = gooseneck_tap(rng).scaled(1, 3, 1.3).moved(z=-d / 2 - 0.08)
    return join(tub, stand) if chance(rng, 0.4) else tub


def slipper(v: np.ndarray) -> np.ndarray:
    """One end of a tub drawn up."""
    x = v[:, 0] / np.abs(v[:, 0]).max()
    v[:, 1] *= 1 + 0.35 * np.clip(x, 0, 1) ** 2
    return v


def clawfoot_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    foot = between(rng, 0.1, 0.18)
    tub = hollow(tub_rings(rng, w, h - foot, d, 2.6), 0.03)
    rolled = collar(Ring(h - foot - 0.015, w + 0.05, d + 0.05, 2.6), Ring(h - foot, w - 0.06, d - 0.06, 2.6), 0.03)
    body = join(tub, rolled)
    body = body.deformed(slipper) if chance(rng) else body
    claw = tube([(0, foot + 0.06, 0), (0.03, foot * 0.5, 0.03), (0.01, 0.02, 0.01)], [0.035, 0.02, 0.035])
    claws = join(*[claw.scaled(sx, 1, sz).moved(sx * 0.33 * w, z=sz * 0.28 * d) for sx in (-1, 1) for sz in (-1, 1)])
    return join(body.moved(y=foot), claws)


def slipper_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    return hollow(tub_rings(rng, w, h, d, between(rng, 2.0, 2.8)), 0.035, 0.06).deformed(slipper)


def corner_tub(rng: Random) -> Mesh:
    """Two straight sides and a bowed front."""
    size, h = between(rng, 1.2, 1.6), between(rng, 0.45, 0.65)
    rim = between(rng, 0.15, 0.3)
    outer, inner = Ring(h - 0.05, size, size, 2.0, 0, SHARP), Ring(h, size - rim, size - rim, 2.0, 0, 4.0)
    deck = collar(outer, inner, 0.05)
    bowl_ = inset_basin(rng, size - rim, size - rim, 0.75 * h, 2.3).moved(y=h)
    apron = loft([outer._replace(y=y) for y in (0.0, h - 0.05)])
    return join(deck, bowl_, apron).turned("y", 45)


def screened_tub(rng: Random) -> Mesh:
    """A built-in tub with a glass screen and a shower head over it."""
    tub = built_in_tub(rng)
    width, _, depth = tub.size()
    h, x = between(rng, 0.42, 0.65), 0.05 - width / 2
    screen = box(0.5 * width, 1.4, 0.01).moved(-0.25 * width, h + 0.7, depth / 2 - 0.03)
    riser = tube([(x, h, 0), (x, h + 1.35, 0), (x + 0.1, h + 1.45, 0), (x + 0.25, h + 1.42, 0)], 0.015)
    return join(tub, screen, riser, cylinder(0.08, 0.03, top=0.02).moved(x + 0.25, h + 1.4))


BATHTUBS: dict[str, Maker] = {
    "built_in": built_in_tub,
    "oval_freestanding": oval_tub,
    "clawfoot": clawfoot_tub,
    "slipper": slipper_tub,
    "corner": corner_tub,
    "with_screen": screened_tub,
}


@category(
    "bathtub",
    synonyms=(
        "bath tub", "bath", "tub", "soaking tub", "clawfoot tub", "freestanding tub", "whirlpool tub", "jacuzzi",
        "corner bath", "slipper bath", "hot tub", "roll-top bath",
    ),
    variants=tuple(BATHTUBS),
)  # fmt: skip
def bathtub(rng: Random, variant: str) -> Mesh:
    return BATHTUBS[variant](rng)


# --- monitor --------------------------------------------------------------------------------------


def flat_panel(rng: Random, width: float, height: float) -> Mesh:
    """A screen around the origin that faces +z: bezel, slightly sunk glass, often a bulge behind."""
    thick, border = between(rng, 0.012, 0.06), between(rng, 0.006, 0.04)
    side, edge = box(border, height, 0.008), box(width, border, 0.008)
    x, y, z = (width - border) / 2, (height - border) / 2, thick / 2
    bezel = join(side.moved(x, 0, z), side.moved(-x, 0, z), edge.moved(0, y, z), edge.moved(0, -y, z))
    parts = [box(width, height, thick), bezel]
    if chance(rng, 0.6):
        bulge = box(width * between(rng, 0.4, 0.85), between(rng, 0.02, 0.06), height * between(rng, 0.4, 0.8))
        parts += [bulge.tapered(between(rng, 0.6, 0.95)).turned("x", -90).moved(z=-thick / 2 - 0.02)]
    return join(*parts)


def screen_size(rng: Random, low: float, high: float) -> tuple[float, float]:
    width = between(rng, low, high)
    return width, width / rng.choice([1.25, 1.33, 1.6, 1.78, 1.78])


def stand_base(rng: Random, width: float) -> Mesh:
    """A monitor's foot on y = 0."""
    w, d, t = width * between(rng, 0.3, 0.6), between(rng, 0.15, 0.26), between(rng, 0.008, 0.03)
    kind = rng.randint(4)
    if kind == 0:
        return box(w, t, d).moved(y=t / 2)
    if kind == 1:
        return slab(Ring(0, w, d), t)
    if kind == 2:
        leg = box(0.03, 0.02, d * 1.1)
        return pair(leg.turned("y", between(rng, 20, 50)).moved(0.3 * w, 0.01, 0.03))
    return slab(Ring(0, w, d, 2.5, 0, 8), t)


def neck(rng: Random, height: float) -> Mesh:
    """From the foot up to behind a panel at the given height."""
    z = -between(rng, 0.02, 0.07)
    if chance(rng, 0.35):
        return rod((0, 0, z), (0, height, z), between(rng, 0.015, 0.03))
    w, t = between(rng, 0.04, 0.14), between(rng, 0.012, 0.035)
    return box(w, height, t).tapered(between(rng, 0.6, 1.0)).turned("x", between(rng, -12, 5)).moved(y=height / 2, z=z)


def on_stand(rng: Random, panel: Mesh, width: float, height: float) -> Mesh:
    lift = between(rng, 0.05, 0.16)
    tilted = panel.turned("x", -between(rng, -2, 12)).moved(y=lift + height / 2)
    return join(tilted, neck(rng, lift + height * between(rng, 0.3, 0.6)), stand_base(rng, width))


def flat_monitor(rng: Random) -> Mesh:
    width, height = screen_size(rng, 0.33, 0.75)
    return on_stand(rng, flat_panel(rng, width, height), width, height)


def tube_body(rng: Random, width: float, height: float) -> Mesh:
    """A cathode ray tube's case around the origin: bezel, bulging glass, tapered back."""
    front, deep = between(rng, 0.06, 0.16), width * between(rng, 0.5, 0.85)
    shell = box(width, front, height).turned("x", 90) if chance(rng) else cushion(width, height, front, 0.12)
    back = box(width * 0.96, deep, height * 0.94).tapered(between(rng, 0.45, 0.8)).turned("x", -90)
    sag = between(rng, 0.0, 0.08) * height
    glass = cushion(0.84 * width, 0.8 * height, between(rng, 0.02, 0.06), 0.3).moved(y=0.03 * height, z=front / 2)
    parts = [shell, back.moved(y=sag, z=-front / 2 - deep / 2), glass]
    if chance(rng):
        parts += [box(0.9 * width, 0.02, 0.012).moved(y=-0.46 * height, z=front / 2 + 0.005)]
    return join(*parts)


def crt_monitor(rng: Random) -> Mesh:
    width = between(rng, 0.33, 0.48)
    height = width * between(rng, 0.8, 0.95)
    foot = join(cylinder(0.13, 0.02).moved(y=0.01), cylinder(0.07, 0.06, top=0.11).moved(y=0.045))
    body = tube_body(rng, width, height).turned("x", -between(rng, 0, 8))
    return join(body.moved(y=height / 2 + 0.07, z=0.12), foot)


def crt_television(rng: Random) -> Mesh:
    """A living-room set: speaker grille and knobs beside the tube or below it, aerials, legs."""
    width = between(rng, 0.45, 0.85)
    height, deep = width * between(rng, 0.65, 0.85), width * between(rng, 0.45, 0.7)
    case = (
        cushion(width, height, deep, rng.choice([0.08, 0.2]))
        if chance(rng)
        else tube_body(rng, width, height).moved(z=0.2)
    )
    glass = cushion(0.68 * width, 0.8 * height, 0.06, 0.35).moved(-0.12 * width, z=deep / 2)
    knobs = placed(dial(0.03, 0.03), [(0.36 * width, y * height, deep / 2) for y in (0.28, 0.1)])
    parts = [case, glass, knobs]
    if chance(rng, 0.5):
        spread = between(rng, 0.15, 0.4)
        parts += [pair(rod((0.01, height / 2, 0), (spread, height / 2 + between(rng, 0.25, 0.5), 0), 0.004))]
    if chance(rng, 0.4):
        leg = rod((0.36 * width, -height / 2, 0.3 * deep), (0.44 * width, -height / 2 - 0.3, 0.4 * deep), 0.02, 0.012)
        parts += [pair(leg), pair(leg.mirrored("z"))]
    return join(*parts)


def wall_monitor(rng: Random) -> Mesh:
    """A flat panel alone, or with its bracket."""
    width, height = screen_size(rng, 0.5, 1.6)
    panel = flat_panel(rng, width, height)
    if chance(rng, 0.4):
        return panel
    return join(panel, box(0.3 * width, 0.5 * height, 0.03).moved(z=-0.09), box(0.1, 0.1, 0.06).moved(z=-0.05))


def curved_monitor(rng: Random) -> Mesh:
    width, height = between(rng, 0.75, 1.2), between(rng, 0.32, 0.42)
    radius = between(rng, 0.9, 1.8)
    a = np.linspace(-1, 1, 15) * width / 2 / radius
    path = np.stack([radius * np.sin(a), 0 * a, radius - radius * np.cos(a)], axis=1)
    panel = ribbon(path, (0, 1, 0), height, between(rng, 0.015, 0.05))
    return on_stand(rng, panel, 0.6 * width, height)


def speaker_monitor(rng: Random) -> Mesh:
    """A monitor with speaker boxes fixed to its sides or standing beside it."""
    width, height = screen_size(rng, 0.4, 1.1)
    monitor_ = on_stand(rng, flat_panel(rng, width, height), width, height)
    w, d = between(rng, 0.06, 0.12), between(rng, 0.04, 0.13)
    fixed = chance(rng)
    h = height if fixed else between(rng, 0.18, 0.35)
    y = float(monitor_.vertices[:, 1].max()) - h / 2 if fixed else h / 2
    cone = cylinder(0.4 * w, 0.012, top=0.3 * w).turned("x", 90).moved(z=d / 2)
    speaker = join(box(w, h, d), cone.moved(y=0.2 * h), cone.moved(y=-0.2 * h))
    return join(monitor_, pair(speaker.moved(width / 2 + w / 2 + (0.003 if fixed else 0.05), y)))


def arm_monitor(rng: Random) -> Mesh:
    width, height = screen_size(rng, 0.45, 0.7)
    lift, reach = between(rng, 0.3, 0.5), between(rng, 0.15, 0.3)
    post = join(cylinder(0.018, lift).moved(y=lift / 2), box(0.1, 0.02, 0.1).moved(y=0.01)).moved(z=-reach - 0.05)
    elbow = (between(rng, -0.2, 0.2), lift - 0.05, -reach / 2 - 0.05)
    arm = join(rod((0, lift - 0.05, -reach - 0.05), elbow, 0.016), rod(elbow, (0, lift - 0.02, -0.03), 0.016))
    return join(flat_panel(rng, width, height).moved(y=lift), post, arm)


def flat_television(rng: Random) -> Mesh:
    """A wide set on two feet near its ends or one plate."""
    width = between(rng, 0.7, 1.7)
    height, lift = width / 1.75, between(rng, 0.04, 0.1)
    panel = flat_panel(rng, width, height).moved(y=lift + height / 2)
    spread, d = between(rng, 0.25, 0.45) * width, between(rng, 0.1, 0.17)
    leg = join(rod((0, lift + 0.02, 0), (0, 0.01, d), 0.01), rod((0, lift + 0.02, 0), (0, 0.01, -d), 0.01))
    if chance(rng, 0.7):
        return join(panel, pair(leg.moved(spread)))
    return join(
        panel, box(0.1, lift + 0.1, 0.03).moved(y=lift / 2 + 0.05, z=-0.03), slab(Ring(0, 0.5 * width, 0.26, 4), 0.02)
    )


def dual_monitor(rng: Random) -> Mesh:
    """Two panels side by side on one stand, or each on its own."""
    width, height = screen_size(rng, 0.42, 0.6)
    angle, gap = between(rng, 0, 25), width / 2 + 0.01
    if chance(rng):
        single = on_stand(rng, flat_panel(rng, width, height), width, height)
        return join(single.turned("y", angle).moved(-gap), single.turned("y", -angle).moved(gap))
    panel, lift = flat_panel(rng, width, height), between(rng, 0.3, 0.4)
    post = join(cylinder(0.02, lift).moved(y=lift / 2), box(0.35, 0.02, 0.22).moved(y=0.01)).moved(z=-0.1)
    bar = box(1.2 * width, 0.04, 0.03).moved(y=lift, z=-0.09)
    return join(panel.turned("y", angle).moved(-gap, lift), panel.turned("y", -angle).moved(gap, lift), post, bar)


def all_in_one(rng: Random) -> Mesh:
    """A chin below the screen, a bent sheet as foot; sometimes the keyboard in front."""
    width, height = screen_size(rng, 0.45, 0.7)
    chin, lift = between(rng, 0.04, 0.09), between(rng, 0.06, 0.12)
    panel = join(flat_panel(rng, width, height), box(width, chin, 0.03).moved(y=-height / 2 - chin / 2))
    path = np.array([[0, 0.01, 0.1], [0, 0.01, -0.1], [0, 0.03, -0.11], [0, lift + chin + 0.1, -0.03]])
    parts = [panel.moved(y=lift + chin + height / 2), ribbon(path, (1, 0, 0), 0.3 * width, 0.012)]
    if chance(rng, 0.4):
        parts += [box(0.42, 0.018, 0.14).turned("x", 4).moved(y=0.012, z=0.27)]
    return join(*parts)


def portrait_monitor(rng: Random) -> Mesh:
    height, width = screen_size(rng, 0.45, 0.62)
    return on_stand(rng, flat_panel(rng, width, height), 1.6 * width, height)


MONITORS: dict[str, Maker] = {
    "flat_stand": flat_monitor,
    "crt_monitor": crt_monitor,
    "crt_television": crt_television,
    "wall_mounted": wall_monitor,
    "curved": curved_monitor,
    "speakers": speaker_monitor,
    "arm": arm_monitor,
    "television": flat_television,
    "dual": dual_monitor,
    "all_in_one": all_in_one,
    "portrait": portrait_monitor,
}


@category(
    "monitor",
    synonyms=(
        "display", "screen", "computer monitor", "computer screen", "television", "tv", "tv set", "television set",
        "flat screen", "crt monitor", "lcd monitor", "led display", "curved monitor", "tube television", "flat panel",
        "ultrawide monitor", "smart tv", "all-in-one computer",
    ),
    variants=tuple(MONITORS),
)  # fmt: skip
def monitor(rng: Random, variant: str) -> Mesh:
    return MONITORS[variant](rng)


# --- bag ------------------------------------------------------------------------------------------


def handle_strap(rng: Random, width: float, height: float, across: Sequence[float] = (0, 0, 1)) -> Mesh:
    """An arched handle in the x-y plane from y = 0 up: a flat strap or a cord."""
    path = arch(width, height, between(rng, 0.5, 1.0))
    if chance(rng, 0.4):
        return tube(path, between(rng, 0.006, 0.013), segments=6)
    return ribbon(path, across, between(rng, 0.015, 0.04), 0.006)


def double_handles(rng: Random, width: float, height: float, gap: float, drop: float = 0.0) -> Mesh:
    """Two handles; they stand upright, or one has fallen over by `drop` degrees."""
    handle = handle_strap(rng, width, height)
    lean = between(rng, 0, 25)
    return join(handle.turned("x", -lean).moved(z=-gap / 2), handle.turned("x", lean + drop).moved(z=gap / 2))


def bag_rings(width: float, height: float, depth: float, top_w: float, top_d: float, belly: float) -> list[Ring]:
    """A soft body from y = 0: fullest at a third of its height, flat at the mouth."""
    shape = (
        (0.0, 0.92, 0.85),
        (0.06, 1.0, 1.0),
        (0.35, 1.0 + 0.3 * belly, 1.0 + belly),
        (0.75, 0.5 + top_w / 2, 0.5 + top_d / 2),
    )
    rings = [Ring(t * height, a * width, b * depth, 5.0) for t, a, b in shape]
    return [*rings, Ring(height, top_w * width, top_d * depth, 4.0)]


def handbag(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.22, 0.42), between(rng, 0.15, 0.3), between(rng, 0.08, 0.18)
    top = between(rng, 0.5, 0.95)
    body = rumpled(rng, solid(bag_rings(w, h, d, top, between(rng, 0.12, 0.5), between(rng, 0, 0.2))), 0.01)
    span = top * w * between(rng, 0.45, 0.8)
    parts = [body]
    if chance(rng):
        parts += [handle_strap(rng, span, between(rng, 0.08, 0.25)).moved(y=h - 0.01)]
    else:
        parts += [double_handles(rng, span, between(rng, 0.08, 0.22), 0.04, rng.choice([0, 0, 70])).moved(y=h - 0.01)]
    if chance(rng, 0.4):
        parts += [cushion(0.8 * w, 0.5 * h, 0.012, 0.3).turned("x", 8).moved(y=0.72 * h, z=0.42 * d)]
    return join(*parts)


def shoulder_strap(rng: Random, path: np.ndarray, width: float = 0.035) -> Mesh:
    return ribbon(path, (1, 0, 0), width * between(rng, 0.8, 1.6), between(rng, 0.006, 0.02))


def backpack(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.26, 0.36), between(rng, 0.38, 0.6), between(rng, 0.12, 0.24)
    rings = [Ring(0, 0.85 * w, 0.8 * d, 5), Ring(0.06 * h, w, d, 5), Ring(0.6 * h, w * 0.97, d * 0.95, 5)]
    rings += [
        Ring(0.85 * h, 0.85 * w, 0.75 * d, 4),
        Ring(0.96 * h, 0.6 * w, 0.45 * d, 3),
        Ring(h, 0.25 * w, 0.15 * d, 2),
    ]
    parts = [rumpled(rng, solid(rings), 0.012)]
    pocket_h = h * between(rng, 0.35, 0.5)
    parts += [cushion(0.78 * w, pocket_h, 0.12, 0.4).moved(y=0.06 * h + pocket_h / 2, z=d / 2 + 0.01)]
    z, bow = -0.4 * d, between(rng, 0.04, 0.16)
    path = np.array([[0, 0.9, 0], [0, 0.88, -0.5], [0, 0.7, -1], [0, 0.4, -0.9], [0, 0.15, -0.3], [0, 0.08, 0]])
    strap = shoulder_strap(rng, path * [0, h, bow] + [0, 0, z], 0.05)
    parts += [pair(strap.moved(0.25 * w)), handle_strap(rng, 0.09, 0.05).moved(y=0.95 * h, z=-0.2 * d)]
    if chance(rng, 0.5):
        parts += [pair(cushion(0.08, 0.4 * h, 0.6 * d, 0.5).moved(w / 2, 0.28 * h))]
    if chance(rng, 0.35):
        parts += [cushion(0.95 * w, 0.12, 1.1 * d, 0.4).moved(y=h)]
    return join(*parts)


def tote(rng: Random) -> Mesh:
    """An open shopper with two long handles."""
    w, h, d = between(rng, 0.3, 0.48), between(rng, 0.28, 0.45), between(rng, 0.06, 0.2)
    mouth = between(rng, 0.3, 1.0)
    rings = [Ring(0, 0.9 * w, d, 6), Ring(0.1 * h, 0.93 * w, d, 6), Ring(0.6 * h, 0.97 * w, (1 + mouth) / 2 * d, 5)]
    body = rumpled(rng, hollow([*rings, Ring(h, w, mouth * d, 3)], 0.004), 0.012)
    drop = rng.choice([0.0, 0.0, 100.0])
    handles = double_handles(rng, 0.45 * w, between(rng, 0.15, 0.32), mouth * d, drop)
    return join(body, handles.moved(y=h - 0.02))


def duffel(rng: Random) -> Mesh:
    length, r = between(rng, 0.45, 0.8), between(rng, 0.12, 0.2)
    flat = rng.choice([2.0, 3.0])
    ends = ((0, 0.8), (0.03, 0.97), (0.25, 1.0), (0.5, 1.02), (0.75, 1.0), (0.97, 0.97), (1, 0.8))
    roll = solid([Ring(t * length, 2 * r * s, 2 * r * s, flat) for t, s in ends]).turned("z", 90).moved(length / 2)
    body = rumpled(rng, roll.scaled(1, between(rng, 0.8, 1.0), 1), 0.015)
    handles = double_handles(rng, 0.4 * length, between(rng, 0.1, 0.2), 0.5 * r, rng.choice([0, 60]))
    parts = [body, handles.moved(y=0.8 * r)]
    if chance(rng):
        parts += [ribbon(arch(0.9 * length, between(rng, 0.15, 0.4)), (0, 0, 1), 0.04, 0.006).moved(y=0.5 * r)]
    if chance(rng):
        parts += [cushion(0.4 * length, 1.1 * r, 0.08, 0.3).moved(z=r)]
    return join(*parts)


def suitcase(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.34, 0.52), between(rng, 0.5, 0.78), between(rng, 0.2, 0.32)
    parts = [cushion(w, h, d, rng.choice([0.12, 0.2, 0.3])).moved(y=h / 2 + 0.05)]
    parts += [at_corners(castor(0.025), w / 2 - 0.05, d / 2 - 0.05)]
    if chance(rng, 0.6):
        grip = tube(arch(0.55 * w, between(rng, 0.15, 0.45), 0.3), 0.009, segments=6)
        parts += [grip.moved(y=h + 0.04, z=-d / 2 + 0.04)]
    if chance(rng):
        parts += [placed(box(0.02, 0.9 * h, 0.02), [(x * w, h / 2 + 0.05, d / 2) for x in (-0.3, -0.1, 0.1, 0.3)])]
    if chance(rng):
        parts += [cushion(0.8 * w, 0.45 * h, 0.06, 0.3).moved(y=0.35 * h, z=d / 2)]
    return join(*parts, handle_strap(rng, 0.14, 0.04).moved(y=h + 0.05))


def briefcase(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.36, 0.48), between(rng, 0.26, 0.36), between(rng, 0.07, 0.15)
    body = box(w, h, d) if chance(rng, 0.3) else cushion(w, h, d, between(rng, 0.1, 0.3))
    parts = [body.moved(y=h / 2), handle_strap(rng, 0.14, between(rng, 0.04, 0.08)).moved(y=h - 0.005)]
    if chance(rng, 0.6):
        flap = cushion(0.98 * w, 0.55 * h, 0.012, 0.15).moved(y=0.72 * h, z=d / 2)
        parts += [flap, placed(box(0.03, 0.05, 0.015), [(x * w, 0.45 * h, d / 2 + 0.01) for x in (-0.28, 0.28)])]
    if chance(rng, 0.4):
        parts += [ribbon(arch(0.95 * w, between(rng, 0.2, 0.45)), (0, 0, 1), 0.035, 0.006).moved(y=0.9 * h)]
    return join(*parts)


def paper_bag(rng: Random) -> Mesh:
    """A gusseted bag, open, with cord handles, or rolled shut at the top."""
    w, h, d = between(rng, 0.18, 0.4), between(rng, 0.25, 0.48), between(rng, 0.08, 0.18)
    if chance(rng, 0.25):
        shape = [
            Ring(0, w, d, SHARP),
            Ring(0.65 * h, w, d, 20),
            Ring(0.9 * h, w, 0.12 * d, 10),
            Ring(h, w, 0.1 * d, 10),
        ]
        return rumpled(rng, solid(shape), 0.01)
    body = hollow([Ring(0, w, d, SHARP), Ring(0.5 * h, w, d * between(rng, 0.85, 1), 20), Ring(h, w, d, 20)], 0.002)
    body = rumpled(rng, body, between(rng, 0.0, 0.012))
    if chance(rng, 0.2):
        return body
    return join(body, double_handles(rng, 0.35 * w, between(rng, 0.08, 0.16), 0.95 * d).moved(y=h - 0.01))


def sack(rng: Random) -> Mesh:
    """A filled sack tied below its mouth, or a rubbish bag with a knot."""
    r, h = between(rng, 0.14, 0.32), between(rng, 0.35, 0.85)
    neck_y, tie = between(rng, 0.72, 0.85), between(rng, 0.12, 0.3)
    profile = [(0.75 * r, 0), (r, 0.12 * h), (r * between(rng, 0.95, 1.1), 0.4 * h), (0.7 * r, 0.62 * h)]
    profile += [(tie * r, neck_y * h), (tie * 1.2 * r, (neck_y + 0.03) * h), (between(rng, 0.3, 0.75) * r, h)]
    outside = smooth(profile, 14)
    body = lathe([(0, 0), *outside, (0.02, outside[-1][1] - 0.05)], 18).scaled(1, 1, between(rng, 0.7, 1.0))
    ring = torus(tie * r + 0.008, 0.01, segments=12).moved(y=neck_y * h)
    return join(rumpled(rng, body, between(rng, 0.02, 0.05), 5), ring)


def shoulder_bag(rng: Random) -> Mesh:
    """A satchel with a flap and one long strap, standing up or hanging down beside it."""
    w, h, d = between(rng, 0.22, 0.4), between(rng, 0.18, 0.32), between(rng, 0.07, 0.14)
    body = cushion(w, h, d, between(rng, 0.15, 0.4)).moved(y=h / 2)
    flap = cushion(1.02 * w, h * between(rng, 0.5, 0.85), 0.015, 0.25)
    flap = flap.moved(y=h - flap.size()[1] / 2, z=d / 2)
    lid = cushion(1.02 * w, 0.02, d, 0.2).moved(y=h)
    strap = ribbon(arch(0.98 * w, between(rng, 0.3, 0.75), between(rng, 0.5, 1)), (0, 0, 1), 0.03, 0.005)
    return join(
        rumpled(rng, join(body, flap, lid), 0.008), strap.turned("x", rng.choice([0, 0, 20, 50])).moved(y=0.9 * h)
    )


def drawstring_bag(rng: Random) -> Mesh:
    """A bucket-shaped bag gathered at the mouth, hung from cords."""
    r, h = between(rng, 0.1, 0.2), between(rng, 0.22, 0.5)
    profile = smooth([(0.85 * r, 0), (r, 0.15 * h), (r, 0.6 * h), (0.55 * r, 0.85 * h), (0.75 * r, h)], 12)
    body = rumpled(rng, pot(profile, 0.006, 18), 0.012)
    cord = tube(arch(1.1 * r, between(rng, 0.1, 0.4)), 0.006, segments=6).moved(y=0.83 * h)
    return join(body, cord)


def plastic_bag(rng: Random) -> Mesh:
    """A carrier bag: bulging, pinched to two loops at the top."""
    w, h, d = between(rng, 0.25, 0.36), between(rng, 0.28, 0.42), between(rng, 0.12, 0.24)
    rings = [Ring(0, 0.7 * w, 0.7 * d, 3), Ring(0.1 * h, 0.95 * w, d, 3), Ring(0.45 * h, w, d, 2.5)]
    body = hollow([*rings, Ring(0.8 * h, 0.8 * w, 0.45 * d, 2.5), Ring(h, 0.75 * w, 0.25 * d, 2.5)], 0.003)
    loop = ribbon(arch(0.28 * w, between(rng, 0.1, 0.18)), (0, 0, 1), 0.05, 0.004).moved(0.22 * w, h - 0.02)
    return rumpled(rng, join(body, pair(loop)), 0.03, 5)


BAGS: dict[str, Maker] = {
    "handbag": handbag,
    "backpack": backpack,
    "tote": tote,
    "duffel": duffel,
    "suitcase": suitcase,
    "briefcase": briefcase,
    "paper_bag": paper_bag,
    "sack": sack,
    "shoulder_bag": shoulder_bag,
    "drawstring": drawstring_bag,
    "plastic_bag": plastic_bag,
}


@category(
    "bag",
    synonyms=(
        "handbag", "backpack", "rucksack", "tote bag", "shopping bag", "duffel bag", "suitcase", "luggage", "briefcase",
        "purse", "satchel", "shoulder bag", "paper bag", "sack", "school bag", "travel bag", "messenger bag",
        "knapsack",
    ),
    variants=tuple(BAGS),
)  # fmt: skip
def bag(rng: Random, variant: str) -> Mesh:
    return BAGS[variant](rng)


# --- bin ------------------------------------------------------------------------------------------


def shell_rings(height: float, bottom: float, width: float, depth: float, power: float) -> list[Ring]:
    """A straight tapered outside from y = 0; `bottom` is its scale at the foot."""
    return [Ring(0, bottom * width, bottom * depth, power), Ring(height, width, depth, power)]


def waste_basket(rng: Random) -> Mesh:
    """Open and tapered, round or rectangular, often with a rolled rim or a liner."""
    w, h = between(rng, 0.2, 0.42), between(rng, 0.25, 0.6)
    d, power = w * between(rng, 0.55, 1.0), rng.choice([2.0, 2.0, 5.0, SHARP])
    d = w if power == 2.0 else d
    parts = [hollow(shell_rings(h, between(rng, 0.65, 1.0), w, d, power), between(rng, 0.003, 0.012))]
    if chance(rng):
        parts += [collar(Ring(h - 0.02, w + 0.02, d + 0.02, power), Ring(h, w - 0.01, d - 0.01, power), 0.025)]
    if chance(rng, 0.25):
        liner = loft([Ring(h - between(rng, 0.05, 0.15), w + 0.01, d + 0.01, power), Ring(h + 0.01, w, d, power)])
        parts += [rumpled(rng, liner.scaled(1.02, 1, 1.02), 0.015, 5)]
    return join(*parts)


def pedal_bin(rng: Random) -> Mesh:
    """A drum with a domed lid, shut or tipped up, and a pedal."""
    w, h = between(rng, 0.2, 0.42), between(rng, 0.28, 0.75)
    d, power = w * between(rng, 0.75, 1.0), rng.choice([2.0, 2.0, 5.0, 12.0])
    dome = between(rng, 0.02, 0.08)
    lid = solid([Ring(0, w, d, power), Ring(0.4 * dome, w, d, power), Ring(dome, 0.6 * w, 0.6 * d, power)])
    pedal = join(box(0.08, 0.015, 0.06), box(0.02, 0.015, 0.06).moved(z=-0.04)).moved(y=0.025, z=d / 2 + 0.04)
    rings = shell_rings(h, between(rng, 0.88, 1.0), w, d, power)
    if chance(rng, 0.65):
        return join(solid(rings), lid.moved(y=h + 0.005), pedal)
    tipped = lid.moved(z=d / 2).turned("x", -between(rng, 40, 95)).moved(y=h, z=-d / 2)
    return join(hollow(rings, 0.008), tipped, pedal)


def swing_bin(rng: Random) -> Mesh:
    """A tall bin whose hood narrows to a swinging flap."""
    w, h = between(rng, 0.26, 0.42), between(rng, 0.45, 0.75)
    d, hood = w * between(rng, 0.65, 1.0), between(rng, 0.12, 0.24)
    power = rng.choice([4.0, 8.0, SHARP])
    rings = shell_rings(h, between(rng, 0.75, 0.95), w, d, power)
    body = loft([rings[0].closed(), *rings])
    skirt = [Ring(h + y, w + 0.02, d + 0.02, power) for y in (-0.02, 0.02)]
    top = loft([*skirt, Ring(h + hood, 0.7 * w, between(rng, 0.2, 0.6) * d, power)])
    flap = box(0.62 * w, 0.01, 0.55 * d).turned("x", rng.choice([0.0, 25.0, -30.0]))
    return join(body, top, flap.moved(y=h + hood - 0.01))


def wheeled_bin(rng: Random) -> Mesh:
    """The refuse lorry's kind: tapered, hinged lid that overhangs, two wheels, grab bar."""
    w, h, d = between(rng, 0.45, 0.62), between(rng, 0.8, 1.05), between(rng, 0.5, 0.75)
    foot = between(rng, 0.65, 0.85)
    rings = [Ring(0.04, foot * w, foot * d, SHARP), Ring(0.85 * h, 0.95 * w, 0.93 * d, SHARP), Ring(h, w, d, SHARP)]
    lid = slab(Ring(0, w + 0.04, d + 0.05, 12, 0, SHARP), 0.03).tapered(0.9)
    wheel = castor(between(rng, 0.08, 0.12)).moved(foot * w / 2, z=-foot * d / 2)
    bar = rod((-0.4 * w, h - 0.02, -d / 2 - 0.06), (0.4 * w, h - 0.02, -d / 2 - 0.06), 0.015)
    slope = lid.turned("x", between(rng, 0, 8)).moved(y=h + 0.02)
    if chance(rng, 0.7):
        return join(solid(rings), slope, pair(wheel), bar)
    back = lid.moved(z=d / 2).turned("x", -between(rng, 60, 250)).moved(y=h + 0.03, z=-d / 2)
    return join(hollow(rings, 0.01), back, pair(wheel), bar)


def dome_bin(rng: Random) -> Mesh:
    """A public bin: drum with a bullet top and a mouth in its side."""
    r, h = between(rng, 0.17, 0.3), between(rng, 0.5, 0.9)
    body = lathe([(0, 0), (0.95 * r, 0), (r, 0.03), (r, h), (1.04 * r, h), (1.04 * r, h + 0.03)], 20)
    t = np.linspace(0, 0.97, 7) * np.pi / 2
    rise = r * between(rng, 0.6, 1.2)
    dome = lathe([(1.02 * r * np.cos(a), h + 0.03 + rise * np.sin(a)) for a in t], 20)
    mouth = box(1.1 * r, 0.4 * r, 0.04).turned("x", -25).moved(y=h + 0.4 * rise, z=0.85 * r)
    return join(body, dome, mouth)


def litter_bin(rng: Random) -> Mesh:
    """A street bin: slats or bars around a can, on a post or legs, perhaps with a rain hood."""
    r, h, lift = between(rng, 0.16, 0.3), between(rng, 0.4, 0.75), between(rng, 0.02, 0.25)
    n = count(rng, 12, 26)
    slat = box(2 * np.pi * r / n * between(rng, 0.4, 0.8), h, 0.015).moved(z=r)
    if chance(rng, 0.35):
        slat = slat.turned("x", -between(rng, 2, 8))
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
    r, h, s = between(rng, 0.12, 0.2), between(rng, 0.25, 0.4), between(rng, 0.65, 1.0)
    wire = rod((0, 0, s * r), (0, h, r), 0.003)
    n = count(rng, 18, 32)
    levels = np.linspace(0, 1, count(rng, 3, 8))
    hoops = [torus(r * (s + (1 - s) * t), 0.004, segments=16).moved(y=t * h) for t in levels]
    rim = torus(r, 0.008, segments=18).moved(y=h)
    return join(around(wire, n), *hoops, rim, cylinder(s * r, 0.006).moved(y=0.003))


def touch_bin(rng: Random) -> Mesh:
    """A tall closed box with a flat or sloped top: kitchens, offices."""
    w, h, d = between(rng, 0.2, 0.45), between(rng, 0.5, 0.9), between(rng, 0.2, 0.4)
    power = rng.choice([8.0, SHARP])
    body = solid([Ring(0.02, w, d, power), Ring(h, w, d, power)])
    lid = solid([Ring(h + 0.008, w, d, power), Ring(h + between(rng, 0.03, 0.12), w, d, power)])
    slot = box(0.6 * w, 0.03, 0.012).moved(y=0.93 * h, z=d / 2)
    return join(body, lid, slot, slab(Ring(0, 0.92 * w, 0.92 * d, power), 0.02))


def recycling_station(rng: Random) -> Mesh:
    """Two or three bins side by side with round or slotted mouths."""
    w, h, d, n = between(rng, 0.25, 0.4), between(rng, 0.6, 1.0), between(rng, 0.3, 0.45), count(rng, 2, 3)
    hole = 0.5 * w
    top = collar(Ring(h, w - 0.01, d, SHARP), Ring(h, hole, hole, 2.0), 0.02)
    well = loft([Ring(y, hole, hole) for y in (h - 0.12, h)])
    body = loft([Ring(0, 0, 0), Ring(0, w - 0.01, d, SHARP), Ring(h, w - 0.01, d, SHARP)])
    return placed(join(body, top, well), [((i - (n - 1) / 2) * w, 0, 0) for i in range(n)])


def skip(rng: Random) -> Mesh:
    """A dumpster: long, sloping front, ribs, lids or open."""
    w, h, d = between(rng, 1.2, 2.4), between(rng, 0.9, 1.4), between(rng, 0.9, 1.3)
    foot = between(rng, 0.65, 0.9)
    rings = [Ring(0.12, w * between(rng, 0.75, 1), foot * d, SHARP), Ring(h, w, d, SHARP)]
    rib = box(0.06, 0.8 * h, 0.06).moved(y=0.55 * h)
    parts = [at_corners(castor(0.08), 0.38 * w * foot, 0.4 * foot * d)]
    parts += [placed(rib, [(x * w, 0, s * (foot + 1) / 4 * d) for x in (-0.3, 0, 0.3) for s in (-1, 1)])]
    parts += [box(0.12, 0.1, 0.5 * d).moved(s * w / 2, 0.75 * h) for s in (-1, 1)]
    if chance(rng):
        lid = box(0.49 * w, 0.04, d + 0.05).turned("x", between(rng, 0, 12)).moved(y=h + 0.08)
        return join(solid(rings), *parts, pair(lid.moved(0.25 * w)))
    return join(hollow(rings, 0.02), *parts)


def garbage_can(rng: Random) -> Mesh:
    """The ribbed metal can with a separate lid and two handles."""
    r, h = between(rng, 0.2, 0.3), between(rng, 0.5, 0.75)
    t, ripple = np.linspace(0, 1, 9), np.tile([0.0, 0.012], 5)[:9]
    profile = [(r * (0.85 + 0.15 * a) + b, a * h) for a, b in zip(t, ripple, strict=True)]
    bail = tube(arch(0.14, 0.06), 0.008, segments=6)
    grips = pair(bail.turned("z", -90).moved(0.97 * r, 0.75 * h))
    lid = lathe([(0, 0), (1.06 * r, 0), (1.06 * r, 0.03), (0.7 * r, 0.08), (0, 0.1)], 20)
    lid = join(lid, bail.moved(y=0.09))
    if chance(rng, 0.7):
        return join(lathe([(0, 0), *profile, (0, h)], 20), grips, lid.moved(y=h))
    leaning = lid.turned("z", 75).moved(-1.3 * r, 1.03 * r)
    return join(pot(profile, 0.006), grips, leaning) if chance(rng) else join(pot(profile, 0.006), grips)


BINS: dict[str, Maker] = {
    "open_tapered": waste_basket,
    "pedal": pedal_bin,
    "swing_lid": swing_bin,
    "wheeled": wheeled_bin,
    "dome": dome_bin,
    "litter": litter_bin,
    "wire": wire_bin,
    "touch_lid": touch_bin,
    "recycling_station": recycling_station,
    "skip": skip,
    "garbage_can": garbage_can,
}


@category(
    "bin",
    synonyms=(
        "trash can", "garbage can", "waste bin", "rubbish bin", "dustbin", "wastebasket", "waste basket", "trash bin",
        "garbage bin", "wheelie bin", "pedal bin", "litter bin", "recycling bin", "ashcan", "wastepaper basket",
        "dumpster", "trashcan", "swing bin",
    ),
    variants=tuple(BINS),
)  # fmt: skip
def bin_(rng: Random, variant: str) -> Mesh:
    return BINS[variant](rng)


# --- box ------------------------------------------------------------------------------------------


def carton_size(rng: Random) -> tuple[float, float, float]:
    w = between(rng, 0.2, 0.7)
    return w, w * between(rng, 0.35, 1.1), w * between(rng, 0.5, 1.0)


def flaps(rng: Random, width: float, height: float, depth: float, angles: Sequence[float]) -> Mesh:
    """Four flaps round the mouth of a carton; angle 0 lies level outwards, 90 upright, 180 shut."""
    reach = depth * between(rng, 0.35, 0.5)
    sides = ((width, depth / 2), (depth, width / 2)) * 2
    leaves = []
    for i, ((length, out), angle) in enumerate(zip(sides, angles, strict=True)):
        leaf = box(length - 0.004, 0.005, reach).moved(z=reach / 2).turned("x", -angle)
        leaves.append(leaf.moved(y=height, z=out).turned("y", 90 * i))
    return join(*leaves)


def closed_carton(rng: Random) -> Mesh:
    """A plain closed box, with a strip of tape or straps around it."""
    w, h, d = carton_size(rng)
    parts = [box(w, h, d).moved(y=h / 2)]
    if chance(rng):
        tape = between(rng, 0.04, 0.08)
        parts += [
            box(w + 0.004, 0.004, tape).moved(y=h),
            placed(box(0.004, 0.08, tape), [(s * w / 2, h - 0.04, 0) for s in (-1, 1)]),
        ]
    if chance(rng, 0.3):
        band = box(0.02, h + 0.006, d + 0.006).moved(y=h / 2)
        parts += [pair(band.moved(0.25 * w))]
    return join(*parts)


def open_carton(rng: Random) -> Mesh:
    """Flaps out to all sides, upright, hanging down or each its own way."""
    w, h, d = carton_size(rng)
    style = rng.randint(4)
    spread = (between(rng, 0, 50), between(rng, 80, 95), between(rng, -80, -20))
    angles = rng.uniform(-70, 100, 4) if style == 3 else spread[style] + rng.uniform(-12, 12, 4)
    return join(open_box(w, h, d, between(rng, 0.004, 0.012)), flaps(rng, w, h, d, [float(a) for a in angles]))


def half_open_carton(rng: Random) -> Mesh:
    """Two flaps folded in, the other two still up."""
    w, h, d = carton_size(rng)
    up, down = between(rng, 40, 130), between(rng, 150, 176)
    order = [up, down, up + between(rng, -20, 20), down] if chance(rng) else [down, up, down, up]
    return join(open_box(w, h, d, 0.006), flaps(rng, w, h, d, order))


def open_crate(rng: Random) -> Mesh:
    """An open box without flaps: straight or tapered, thin or thick walls, perhaps dividers."""
    w, h, d = carton_size(rng)
    h *= between(rng, 0.4, 1.0)
    parts = [open_box(w, h, d, between(rng, 0.005, 0.03)).tapered(rng.choice([1.0, 1.0, 1.12]))]
    if chance(rng, 0.3):
        parts += [
            box(0.008, 0.8 * h, d - 0.02).moved(x * w, 0.45 * h) for x in np.linspace(-0.5, 0.5, count(rng, 3, 5))[1:-1]
        ]
    return join(*parts)


def lidded_box(rng: Random) -> Mesh:
    """A shoe box: the lid on, askew on top, or leaning beside it."""
    w, h, d = between(rng, 0.2, 0.5), between(rng, 0.08, 0.25), between(rng, 0.15, 0.35)
    rim = min(between(rng, 0.02, 0.09), 0.6 * h)
    lid = open_box(w + 0.014, rim, d + 0.014, 0.005).turned("x", 180).moved(y=rim)
    state = rng.uniform()
    if state < 0.45:
        return join(box(w, h, d).moved(y=h / 2), lid.moved(y=h - rim + 0.004))
    if state < 0.75:
        askew = lid.turned("y", between(rng, -40, 40)).moved(
            between(rng, -0.3, 0.3) * w, h, between(rng, -0.3, 0.3) * d
        )
        return join(open_box(w, h, d, 0.005), askew)
    beside = lid.turned("x", -between(rng, 55, 80))
    return join(open_box(w, h, d, 0.005), beside.grounded().moved(z=d / 2 + 0.06))


def chest_box(rng: Random) -> Mesh:
    """A hinged lid, flat or arched, shut or ajar: chest, jewellery box, tool box."""
    w = between(rng, 0.2, 1.0)
    h, d = w * between(rng, 0.3, 0.55), w * between(rng, 0.4, 0.7)
    wall, rise = 0.03 * w + 0.003, d * rng.choice([0.05, 0.12, 0.35])
    t = np.linspace(0, np.pi, 9)
    outline = [(d / 2 * np.cos(a), rise * np.sin(a) ** 0.7) for a in t]
    lid = extrude(outline, w).turned("y", 90).moved(z=d / 2)
    clasp = box(0.1 * w, 0.12 * h, 0.02).moved(y=0.95 * h, z=d / 2)
    bands = placed(box(0.05 * w, 1.01 * h, d * 1.02).moved(y=h / 2), [(s * 0.32 * w, 0, 0) for s in (-1, 1)])
    if chance(rng, 0.55):
        body = join(box(w, h, d).moved(y=h / 2), clasp, *([bands] if chance(rng, 0.4) else []))
        return join(body, lid.moved(y=h + 0.003, z=-d / 2))
    return join(open_box(w, h, d, wall), lid.turned("x", -between(rng, 20, 110)).moved(y=h, z=-d / 2))


def slatted_crate(rng: Random) -> Mesh:
    """Boards with gaps nailed to corner posts; open or lidded."""
    w, h, d = carton_size(rng)
    rows = count(rng, 2, 5)
    pitch, thick = h / rows, between(rng, 0.008, 0.02)
    board = pitch * between(rng, 0.6, 0.92)
    levels = [(i + 0.5) * pitch for i in range(rows)]
    long, short = box(w, board, thick), box(thick, board, d)
    sides = [placed(long, [(0, y, s * d / 2) for y in levels for s in (-1, 1)])]
    sides += [placed(short, [(s * w / 2, y, 0) for y in levels for s in (-1, 1)])]
    post = box(0.03, h, 0.03).moved(y=h / 2)
    floor = placed(box(w, thick, 0.8 * d / 4), [(0, thick, ((i + 0.5) / 4 - 0.5) * d) for i in range(4)])
    parts = [*sides, at_corners(post, w / 2 - 0.02, d / 2 - 0.02), floor]
    return join(*parts, floor.moved(y=h)) if chance(rng, 0.35) else join(*parts)


def gift_box(rng: Random) -> Mesh:
    """A square or round box with a lid, ribbons and a bow."""
    w = between(rng, 0.12, 0.4)
    h, d, rim = w * between(rng, 0.4, 1.1), w * between(rng, 0.7, 1.0), 0.15 * w
    power = rng.choice([2.0, SHARP, SHARP])
    body, lid = slab(Ring(0, w, d, power), h), slab(Ring(h - rim, 1.05 * w, 1.05 * d, power), rim + 0.01)
    parts = [body, lid]
    if chance(rng, 0.75):
        parts += [
            box(0.12 * w, h + 0.02, 1.06 * d).moved(y=h / 2 + 0.005),
            box(1.06 * w, h + 0.02, 0.12 * w).moved(y=h / 2 + 0.005),
        ]
        loop = torus(0.11 * w, 0.02 * w, segments=12).scaled(1.4, 3, 1).turned("x", 90).moved(0.16 * w, 0.1 * w)
        parts += [pair(loop.turned("z", 20)).moved(y=h + 0.01), ellipsoid(0.1 * w, 0.1 * w, 0.1 * w).moved(y=h + 0.03)]
    return join(*parts)


def storage_tote(rng: Random) -> Mesh:
    """A tapered plastic tub with a broad rim, ribs and handles; with or without lid."""
    w, h, d = between(rng, 0.35, 0.7), between(rng, 0.2, 0.4), between(rng, 0.28, 0.45)
    rings = shell_rings(h, between(rng, 0.8, 0.95), w, d, 12.0)
    rim = collar(Ring(h - 0.02, w + 0.04, d + 0.04, 12.0), Ring(h, w - 0.01, d - 0.01, 12.0), 0.02)
    grip = pair(box(0.03, 0.05, 0.3 * d).moved(w / 2 + 0.015, h - 0.05))
    rib = box(0.012, 0.8 * h, 0.02).moved(y=h / 2)
    ribs = placed(rib, [(x * w, 0, s * 0.46 * d) for x in (-0.3, -0.1, 0.1, 0.3) for s in (-1, 1)])
    if chance(rng, 0.55):
        lid = solid(
            [
                Ring(h, w + 0.05, d + 0.05, 12),
                Ring(h + 0.025, w + 0.04, d + 0.04, 12),
                Ring(h + 0.04, 0.8 * w, 0.8 * d, 12),
            ]
        )
        return join(solid(rings), lid, grip, ribs)
    return join(hollow(rings, 0.006), rim, grip, ribs)


def stacked_boxes(rng: Random) -> Mesh:
    """Two to five cartons on and beside each other."""
    w, h, d = carton_size(rng)
    parts, y = [], 0.0
    for _ in range(count(rng, 2, 4)):
        s, tall = between(rng, 0.65, 1.0), h * between(rng, 0.5, 1.0)
        carton = box(s * w, tall, s * d).turned("y", between(rng, -15, 15))
        parts.append(carton.moved(between(rng, -0.08, 0.08) * w, y + tall / 2))
        y += tall
    if chance(rng, 0.4):
        parts.append(box(0.7 * w, 0.6 * h, 0.8 * d).turned("y", between(rng, -10, 10)).moved(w, 0.3 * h))
    return join(*parts)


def flat_box(rng: Random) -> Mesh:
    """A pizza or parcel box: low and wide, its lid shut, ajar or thrown open."""
    w = between(rng, 0.22, 0.5)
    h, d = w * between(rng, 0.08, 0.2), w * between(rng, 0.7, 1.0)
    lid = open_box(w + 0.006, min(0.03, h), d + 0.006, 0.003).turned("x", 180).moved(z=d / 2)
    angle = between(rng, 5, 130) if chance(rng, 0.7) else 0.0
    return join(open_box(w, h, d, 0.004), lid.turned("x", -angle).moved(y=h + 0.01, z=-d / 2))


BOXES: dict[str, Maker] = {
    "closed": closed_carton,
    "flaps_open": open_carton,
    "flaps_half_open": half_open_carton,
    "open_top": open_crate,
    "separate_lid": lidded_box,
    "hinged_lid": chest_box,
    "slatted_crate": slatted_crate,
    "gift": gift_box,
    "storage_tote": storage_tote,
    "stacked": stacked_boxes,
    "flat": flat_box,
}


@category(
    "box",
    synonyms=(
        "cardboard box", "carton", "crate", "package", "parcel", "shoe box", "gift box", "storage box", "packing box",
        "wooden crate", "wooden box", "moving box", "treasure chest", "toolbox", "pizza box", "shipping box", "casket",
    ),
    variants=tuple(BOXES),
)  # fmt: skip
def box_(rng: Random, variant: str) -> Mesh:
    return BOXES[variant](rng)


# --- refrigerator ---------------------------------------------------------------------------------


def fridge_door(width: float, height: float, handle_y: float, long: float) -> Mesh:
    """A door with its lower hinge at the origin; its handle far from the hinge."""
    leaf = cushion(width - 0.006, height - 0.008, 0.06, 0.12).moved(width / 2, height / 2, 0.03)
    return join(leaf, bar_handle(long, 0.045, 0.012).moved(width - 0.05, handle_y, 0.06))


def fridge_body(rng: Random, width: float, height: float, depth: float) -> Mesh:
    feet = at_corners(cylinder(0.02, 0.03).moved(y=0.015), width / 2 - 0.04, depth / 2 - 0.04)
    return join(box(width, height - 0.03, depth).moved(y=height / 2 + 0.015), feet)


def stacked_doors(rng: Random, split: float) -> Mesh:
    """A fridge and a freezer door over each other, parted at the share `split` of the height."""
    w, h, d = between(rng, 0.5, 0.8), between(rng, 1.35, 2.0), between(rng, 0.5, 0.7)
    cut, long = split * h, between(rng, 0.2, 0.45)
    low = fridge_door(w, cut, cut - 0.6 * long, long).moved(y=0.03)
    high = fridge_door(w, h - cut - 0.03, 0.7 * long, long).moved(y=cut + 0.03)
    doors = join(low, high).moved(-w / 2, z=d / 2 + 0.004)
    return join(fridge_body(rng, w, h, d), doors.mirrored("x") if chance(rng) else doors)


def top_freezer(rng: Random) -> Mesh:
    return stacked_doors(rng, between(rng, 0.62, 0.75))


def bottom_freezer(rng: Random) -> Mesh:
    return stacked_doors(rng, between(rng, 0.3, 0.42))


def side_by_side(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.8, 1.0), between(rng, 1.65, 1.95), between(rng, 0.6, 0.75)
    cut, long = w * between(rng, 0.38, 0.5), between(rng, 0.5, 1.2)
    left = fridge_door(cut, h - 0.05, 0.55 * h, long).moved(-w / 2, 0.04)
    right = fridge_door(w - cut, h - 0.05, 0.55 * h, long).mirrored("x").moved(w / 2, 0.04)
    parts = [fridge_body(rng, w, h, d), join(left, right).moved(z=d / 2 + 0.004)]
    if chance(rng):
        parts += [open_front(0.2, 0.32, 0.06, 0.012).moved(-w / 2 + cut / 2 - 0.03, 0.55 * h, d / 2 + 0.08)]
    return join(*parts)


def french_door(rng: Random) -> Mesh:
    """Double doors above one or two drawers."""
    w, h, d = between(rng, 0.8, 0.95), between(rng, 1.7, 1.9), between(rng, 0.65, 0.78)
    cut, drawers = between(rng, 0.3, 0.42) * h, count(rng, 1, 2)
    leaf = fridge_door(w / 2, h - cut - 0.02, 0.35 * h, between(rng, 0.4, 0.7)).moved(-w / 2, cut + 0.02)
    tall = (cut - 0.04) / drawers
    pull = bar_handle(0.75 * w, 0.045, 0.012).turned("z", 90).moved(y=0.8 * tall, z=0.06)
    drawer = join(box(w - 0.006, tall - 0.01, 0.06).moved(y=tall / 2, z=0.03), pull)
    front = join(pair(leaf), placed(drawer, [(0, 0.04 + i * tall, 0) for i in range(drawers)]))
    return join(fridge_body(rng, w, h, d), front.moved(z=d / 2 + 0.004))


def mini_fridge(rng: Random) -> Mesh:
    w, h, d = between(rng, 0.42, 0.56), between(rng, 0.5, 0.9), between(rng, 0.42, 0.56)
    door = fridge_door(w, h - 0.03, 0.65 * h, between(rng, 0.1, 0.25)).moved(-w / 2, 0.03, d / 2 + 0.004)
    return join(fridge_body(rng, w, h, d), door, box(w + 0.01, 0.03, d + 0.04).moved(y=h + 0.01))


def retro_fridge(rng: Random) -> Mesh:
    """Round shoulders and a lever handle."""
    w, h, d = between(rng, 0.55, 0.7), between(rng, 1.2, 1.8), between(rng, 0.55, 0.7)
    body = cushion(w, h, d, between(rng, 0.2, 0.35)).moved(y=h / 2 + 0.05)
    door = cushion(0.98 * w, 0.95 * h, 0.14, 0.25).moved(y=h / 2 + 0.05, z=0.46 * d)
    lever = rod((0.3 * w, 0.65 * h, d / 2 + 0.06), (0.42 * w, 0.5 * h, d / 2 + 0.06), 0.015)
    return join(body, door, lever, box(0.8 * w, 0.06, 0.7 * d).moved(y=0.03))


def shelves(rng: Random, width: float, height: float, depth: float) -> Mesh:
    levels = np.linspace(0, 1, count(rng, 4, 7))[1:-1] * height
    return placed(box(width, 0.01, depth), [(0, y, 0) for y in levels])


def open_fridge(rng: Random) -> Mesh:
    """The door ajar, shelves inside and in the door."""
    w, h, d = between(rng, 0.5, 0.75), between(rng, 0.8, 1.9), between(rng, 0.5, 0.65)
    body = join(open_front(w, h, d, 0.04), shelves(rng, w - 0.08, h, d - 0.1))
    tray = box(w - 0.12, 0.06, 0.08).moved(w / 2, 0, -0.04)
    door = join(fridge_door(w, h, 0.6 * h, 0.3), placed(tray, [(0, y * h, 0) for y in (0.15, 0.45, 0.7)]))
    return join(body, hung(door, -w / 2, d / 2 + 0.01, between(rng, 30, 130)))


def display_fridge(rng: Random) -> Mesh:
    """A shop's cooler: framed glass door, light box on top, cans on the shelves."""
    w, h, d = between(rng, 0.55, 1.2), between(rng, 1.6, 2.0), between(rng, 0.5, 0.7)
    crown = between(rng, 0.12, 0.25)
    body = join(open_front(w, h - crown, d, 0.04), shelves(rng, w - 0.08, h - crown, d - 0.1))
    stile, rail = box(0.05, h - crown, 0.04), box(w, 0.05, 0.04)
    frame = join(
        pair(stile.moved(w / 2 - 0.025)), rail.moved(y=(h - crown) / 2 - 0.03), rail.moved(y=-(h - crown) / 2 + 0.03)
    )
    can = cylinder(0.035, 0.16, segments=8)
    xs = np.linspace(-0.38, 0.38, max(3, int(w / 0.13))) * w
    cans = placed(can, [(x, y * (h - crown) + 0.1, 0.1) for x in xs for y in (0.05, 0.5)])
    return join(body, frame.moved(y=(h - crown) / 2, z=d / 2), box(w, crown, d).moved(y=h - crown / 2), cans)


REFRIGERATORS: dict[str, Maker] = {
    "top_freezer": top_freezer,
    "bottom_freezer": bottom_freezer,
    "side_by_side": side_by_side,
    "french_door": french_door,
    "mini": mini_fridge,
    "retro": retro_fridge,
    "door_open": open_fridge,
    "display": display_fridge,
}


@category(
    "refrigerator",
    synonyms=(
        "fridge", "freezer", "fridge freezer", "icebox", "mini fridge", "cooler cabinet", "side-by-side refrigerator",
        "french door refrigerator", "beverage cooler", "wine cooler", "upright freezer", "frigidaire",
    ),
    variants=tuple(REFRIGERATORS),
)  # fmt: skip
def refrigerator(rng: Random, variant: str) -> Mesh:
    return REFRIGERATORS[variant](rng)


# --- microwave ------------------------------------------------------------------------------------


def window(width: float, height: float, border: float, thickness: float) -> Mesh:
    """A frame with a sunk pane, around the origin in the x-y plane."""
    x, y = (width - border) / 2, (height - border) / 2
    side, edge = box(border, height, thickness), box(width, border, thickness)
    pane = box(width - border, height - border, 0.3 * thickness)
    return join(pair(side.moved(x)), edge.moved(y=y), edge.moved(y=-y), pane)


def oven_size(rng: Random) -> tuple[float, float, float]:
    return between(rng, 0.42, 0.6), between(rng, 0.24, 0.34), between(rng, 0.3, 0.46)


def panel_width(rng: Random, width: float) -> float:
    return width * between(rng, 0.2, 0.28)


def keypad(rng: Random, width: float, height: float) -> Mesh:
    """Buttons in rows below a small display, around the origin."""
    rows, columns = count(rng, 4, 6), 3
    key = box(0.7 * width / columns, 0.4 * height / rows, 0.008)
    spots = [
        ((c - 1) * 0.85 * width / columns, (r / rows - 0.45) * 0.7 * height, 0)
        for r in range(rows)
        for c in range(columns)
    ]
    return join(placed(key, spots), box(0.8 * width, 0.13 * height, 0.006).moved(y=0.36 * height))


def microwave_body(rng: Random, controls: Mesh, size: tuple[float, float, float], panel: float) -> Mesh:
    w, h, d = size
    door = window(w - panel, h, between(rng, 0.04, 0.07), 0.03).moved(-panel / 2, h / 2, d / 2 + 0.012)
    feet = at_corners(cylinder(0.015, 0.015, segments=8).moved(y=-0.007), w / 2 - 0.05, d / 2 - 0.05)
    front = box(panel, h, 0.025).moved((w - panel) / 2, h / 2, d / 2 + 0.01)
    parts = [box(w, h, d).moved(y=h / 2), door, feet, front, controls.moved((w - panel) / 2, h / 2, d / 2 + 0.025)]
    if chance(rng, 0.6):
        parts += [bar_handle(0.7 * h, 0.035, 0.008).moved(w / 2 - panel - 0.03, h / 2, d / 2 + 0.03)]
    return join(*parts)


def button_microwave(rng: Random) -> Mesh:
    size = oven_size(rng)
    panel = panel_width(rng, size[0])
    return microwave_body(rng, keypad(rng, panel, size[1]), size, panel)


def dial_microwave(rng: Random) -> Mesh:
    size = oven_size(rng)
    panel = panel_width(rng, size[0])
    knob = dial(0.3 * panel, 0.025)
    return microwave_body(rng, join(knob.moved(y=0.22 * size[1]), knob.moved(y=-0.2 * size[1])), size, panel)


def open_microwave(rng: Random) -> Mesh:
    """The door ajar, turntable inside."""
    w, h, d = oven_size(rng)
    panel = panel_width(rng, w)
    cavity = open_front(w - panel, h, d, 0.02).moved(-panel / 2)
    column = box(panel, h, d).moved((w - panel) / 2, h / 2)
    keys = keypad(rng, panel, h).moved((w - panel) / 2, h / 2, d / 2 + 0.003)
    plate = pot([(0.25 * d, 0.025), (0.4 * d, 0.03), (0.42 * d, 0.04)], 0.005).moved(-panel / 2)
    door = window(w - panel, h, 0.05, 0.03).moved((w - panel) / 2, h / 2)
    return join(cavity, column, keys, plate, hung(door, -w / 2, d / 2 + 0.01, between(rng, 30, 120)))


def built_in_microwave(rng: Random) -> Mesh:
    """A drop-down door over the full width, controls in a strip above it."""
    w, h, d = between(rng, 0.55, 0.62), between(rng, 0.36, 0.46), between(rng, 0.32, 0.55)
    strip = 0.2 * h
    door = window(w, h - strip, 0.06, 0.03).moved(y=(h - strip) / 2, z=d / 2 + 0.01)
    bar = bar_handle(0.75 * w, 0.04, 0.01).turned("z", 90).moved(y=h - strip - 0.04, z=d / 2 + 0.02)
    controls = join(box(0.2 * w, 0.5 * strip, 0.01), pair(dial(0.3 * strip, 0.02).moved(0.3 * w)))
    return join(
        box(w - 0.03, h - 0.02, d).moved(y=h / 2),
        door,
        bar,
        controls.moved(y=h - strip / 2, z=d / 2 + 0.01),
        box(w, strip, 0.025).moved(y=h - strip / 2, z=d / 2),
    )


def retro_microwave(rng: Random) -> Mesh:
    w, h, d = oven_size(rng)
    body = cushion(w, h, d, 0.25).moved(y=h / 2 + 0.03)
    door = cushion(0.65 * w, 0.75 * h, 0.05, 0.3).moved(-0.13 * w, h / 2 + 0.03, d / 2)
    knobs = placed(dial(0.035, 0.03), [(0.34 * w, h * y + 0.03, d / 2 - 0.005) for y in (0.32, 0.68)])
    handle = bar_handle(0.5 * h, 0.03, 0.009).moved(0.15 * w, h / 2 + 0.03, d / 2 + 0.02)
    return join(body, door, knobs, handle, at_corners(cylinder(0.02, 0.04).moved(y=0.02), 0.35 * w, 0.3 * d))


MICROWAVES: dict[str, Maker] = {
    "buttons": button_microwave,
    "dials": dial_microwave,
    "door_open": open_microwave,
    "built_in": built_in_microwave,
    "retro": retro_microwave,
}


@category(
    "microwave",
    synonyms=(
        "microwave oven", "countertop microwave", "built-in microwave", "combi microwave", "microwave grill", "nuker",
        "toaster oven", "mini oven", "convection microwave", "solo microwave",
    ),
    variants=tuple(MICROWAVES),
)  # fmt: skip
def microwave(rng: Random, variant: str) -> Mesh:
    return MICROWAVES[variant](rng)


# --- washing machine ------------------------------------------------------------------------------


def washer_size(rng: Random) -> tuple[float, float, float]:
    return between(rng, 0.55, 0.7), between(rng, 0.8, 1.0), between(rng, 0.45, 0.75)


def porthole(rng: Random, radius: float) -> Mesh:
    """A round door around the origin that faces +z: ring and bulging glass."""
    ring = lathe([(0.72 * radius, 0), (radius, 0), (radius, 0.02), (0.85 * radius, 0.045), (0.72 * radius, 0.02)], 22)
    glass = lathe([(0.72 * radius, 0.02), (0.5 * radius, -0.01), (0.25 * radius, -0.03), (0, -0.035)], 22)
    return join(ring, glass.scaled(1, rng.choice([-1.0, 1.0]), 1).moved(y=0.01)).turned("x", 90)


def washer_front(rng: Random, w: float, h: float) -> Mesh:
    """Control strip, drawer and knob at the top of a front, around x = 0 from y = 0."""
    parts = [
        box(0.3 * w, 0.08, 0.012).moved(-0.3 * w, h - 0.08),
        dial(between(rng, 0.025, 0.045), 0.03).moved(rng.choice([0.0, 0.2]) * w, h - 0.08),
    ]
    if chance(rng):
        parts += [box(0.2 * w, 0.05, 0.008).moved(0.33 * w, h - 0.08)]
    if chance(rng):
        parts += [
            box(0.98 * w, between(rng, 0.06, 0.1), 0.01).moved(y=0.05),
            box(0.98 * w, 0.006, 0.012).moved(y=h - 0.14),
        ]
    return join(*parts)


def front_loader(rng: Random) -> Mesh:
    w, h, d = washer_size(rng)
    door = porthole(rng, between(rng, 0.3, 0.4) * w).moved(y=0.47 * h, z=d / 2)
    top = box(w + 0.01, 0.03, d + 0.02).moved(y=h + 0.012)
    return join(box(w, h, d).moved(y=h / 2), door, washer_front(rng, w, h).moved(z=d / 2), top)


def top_loader(rng: Random) -> Mesh:
    """A lid on top, controls on a raised back; the lid may stand open over the drum."""
    w, h, d = washer_size(rng)
    back, rise = 0.22 * d, between(rng, 0.1, 0.2)
    console = box(w, rise, back).tapered(0.85).moved(y=h + rise / 2, z=-d / 2 + back / 2)
    knobs = placed(dial(0.03, 0.03), [(x * w, h + rise / 2, -d / 2 + back - 0.01) for x in (-0.3, 0, 0.3)])
    lid = box(0.8 * w, 0.025, d - back - 0.06).moved(z=(d - back - 0.06) / 2)
    if chance(rng, 0.6):
        return join(box(w, h, d).moved(y=h / 2), console, knobs, lid.moved(y=h + 0.015, z=-d / 2 + back + 0.02))
    hole, z = 0.7 * min(w, d - back), back / 2
    top = collar(Ring(h - 0.02, w, d, SHARP), Ring(h, hole, hole, 2.0, z), 0.02)
    drum = loft([Ring(h, hole, hole, 2, z), Ring(0.25 * h, hole, hole, 2, z), Ring(0.25 * h, 0, 0, 2, z)])
    shell = loft([Ring(y, w, d, SHARP) for y in (0, h)])
    return join(
        top, drum, shell, console, knobs, lid.turned("x", -between(rng, 70, 100)).moved(y=h + 0.01, z=-d / 2 + back)
    )


def open_washer(rng: Random) -> Mesh:
    w, h, d = washer_size(rng)
    r = between(rng, 0.28, 0.36) * w
    face = collar(Ring(-0.02, w, h, SHARP), Ring(0, 2 * r, 2 * r), 0.02)
    drum = loft([Ring(0, 2 * r, 2 * r), Ring(-0.7 * d, 2 * r, 2 * r), Ring(-0.7 * d, 0, 0)])
    shell = loft([Ring(0, w, h, SHARP), Ring(-d, w, h, SHARP), Ring(-d, 0, 0)])
    body = join(face, drum, shell).turned("x", 90).moved(y=h / 2, z=d / 2)
    door = hung(porthole(rng, 1.1 * r).moved(1.1 * r), -1.1 * r, d / 2, between(rng, 50, 130)).moved(y=h / 2)
    return join(body, door, washer_front(rng, w, h).moved(z=d / 2))


def stacked_washer(rng: Random) -> Mesh:
    """A dryer on a washer."""
    w, h, d = washer_size(rng)
    one = join(box(w, h, d).moved(y=h / 2), porthole(rng, 0.34 * w).moved(y=0.45 * h, z=d / 2))
    one = join(one, washer_front(rng, w, h).moved(z=d / 2))
    return join(one, one.moved(y=h + 0.02))


def washer_pair(rng: Random) -> Mesh:
    """Washer and dryer side by side, perhaps on drawers."""
    w, h, d = washer_size(rng)
    lift = between(rng, 0.25, 0.38) if chance(rng) else 0.0
    one = join(box(w, h, d).moved(y=h / 2 + lift), porthole(rng, 0.36 * w).moved(y=0.47 * h + lift, z=d / 2))
    one = join(one, washer_front(rng, w, h).moved(y=lift, z=d / 2))
    if lift:
        one = join(
            one,
            box(w, lift - 0.01, d).moved(y=lift / 2),
            bar_handle(0.3, 0.03).turned("z", 90).moved(y=0.7 * lift, z=d / 2),
        )
    return placed(one, [(s * (w / 2 + 0.01), 0, 0) for s in (-1, 1)])


WASHERS: dict[str, Maker] = {
    "front_loader": front_loader,
    "top_loader": top_loader,
    "door_open": open_washer,
    "stacked": stacked_washer,
    "washer_and_dryer": washer_pair,
}


@category(
    "washing machine",
    synonyms=(
        "washer", "clothes washer", "laundry machine", "front loader", "top loader", "dryer", "tumble dryer",
        "clothes dryer", "washer dryer", "laundry washer",
    ),
    variants=tuple(WASHERS),
)  # fmt: skip
def washing_machine(rng: Random, variant: str) -> Mesh:
    return WASHERS[variant](rng)


# --- stove ----------------------------------------------------------------------------------------


def gas_burner(radius: float) -> Mesh:
    """Burner cap under a pot support, on y = 0."""
    bars = join(*[box(2.2 * radius, 0.012, 0.012).turned("y", a).moved(y=0.035) for a in (0, 90)])
    return join(
        cylinder(0.5 * radius, 0.02, segments=10).moved(y=0.01), torus(radius, 0.007, segments=12).moved(y=0.035), bars
    )


def hotplates(rng: Random, width: float, depth: float, columns: int = 2) -> Mesh:
    """Burners or plates in two rows on y = 0."""
    r = between(rng, 0.07, 0.1)
    one = gas_burner(r) if chance(rng, 0.6) else cylinder(r, 0.015).moved(y=0.008)
    xs = (np.arange(columns) - (columns - 1) / 2) * width / columns
    return placed(one, [(x, 0, s * depth / 4) for x in xs for s in (-1, 1)])


def oven_front(width: float, height: float) -> Mesh:
    """An oven door with pane and bar, from y = 0, in front of z = 0."""
    bar = bar_handle(0.8 * width, 0.05, 0.012).turned("z", 90).moved(y=0.92 * height, z=0.03)
    return join(window(width, height, 0.16 * height, 0.035).moved(y=height / 2, z=0.017), bar)


def knob_row(rng: Random, width: float, n: int) -> Mesh:
    return placed(dial(between(rng, 0.018, 0.03), 0.03), [(x * width, 0, 0) for x in np.linspace(-0.4, 0.4, n)])


def range_cooker(rng: Random, width: float, ovens: int) -> Mesh:
    h, d, splash = between(rng, 0.82, 0.95), between(rng, 0.55, 0.68), between(rng, 0.0, 0.25)
    drawer, strip = between(rng, 0.1, 0.2), between(rng, 0.08, 0.13)
    parts = [box(width, h, d).moved(y=h / 2), hotplates(rng, width, d, ovens + 1).moved(y=h)]
    door = oven_front(width / ovens - 0.02, h - drawer - strip - 0.03).moved(y=drawer + 0.01)
    parts += [placed(door, [((i - (ovens - 1) / 2) * width / ovens, 0, d / 2) for i in range(ovens)])]
    parts += [
        box(width - 0.02, drawer - 0.02, 0.03).moved(y=drawer / 2, z=d / 2),
        knob_row(rng, width, 4 + ovens).moved(y=h - strip / 2, z=d / 2),
    ]
    if splash > 0.06:
        parts += [box(width, splash, 0.06).moved(y=h + splash / 2, z=-d / 2 + 0.03)]
    return join(*parts)


def single_range(rng: Random) -> Mesh:
    return range_cooker(rng, between(rng, 0.5, 0.8), 1)


def double_range(rng: Random) -> Mesh:
    return range_cooker(rng, between(rng, 0.9, 1.3), 2)


def hooded_stove(rng: Random) -> Mesh:
    """A range under its extractor: a pyramid or a box with a duct."""
    w, y, flare = between(rng, 0.55, 0.8), between(rng, 1.5, 1.7), between(rng, 0.08, 0.3)
    hood = solid(
        [Ring(y, w, 0.5, SHARP), Ring(y + 0.05, w, 0.5, SHARP), Ring(y + 0.05 + flare, 0.28, 0.26, SHARP, -0.1)]
    )
    duct = box(0.26, 0.5, 0.24).moved(y=y + flare + 0.3, z=-0.1)
    return join(range_cooker(rng, w, 1), hood, duct)


def cooktop(rng: Random) -> Mesh:
    """A hob alone: built-in plate or camping cooker."""
    columns = count(rng, 1, 3)
    w, d = 0.3 * columns * between(rng, 0.9, 1.1), between(rng, 0.42, 0.55)
    lift = between(rng, 0.01, 0.1)
    knobs = knob_row(rng, 0.7 * w, 2 * columns).turned("x", -90).moved(y=lift, z=d / 2 - 0.02)
    return join(box(w, lift, d + 0.06).moved(y=lift / 2), hotplates(rng, w, 0.9 * d, columns).moved(y=lift), knobs)


def wood_stove(rng: Random) -> Mesh:
    """A cast-iron box or drum on legs with a fire door and a flue."""
    w, h, d, foot = between(rng, 0.4, 0.75), between(rng, 0.45, 0.8), between(rng, 0.35, 0.5), between(rng, 0.1, 0.25)
    body = cylinder(d / 2, h) if chance(rng, 0.3) else box(w, h, d)
    wide = float(body.size()[0])
    door = window(0.6 * wide, 0.55 * h, 0.06, 0.03).moved(y=foot + 0.45 * h, z=d / 2 + 0.01)
    leg = cylinder(0.02, foot, top=0.035).moved(y=foot / 2)
    pipe = cylinder(between(rng, 0.05, 0.08), between(rng, 0.4, 1.4))
    flue = pipe.moved(y=foot + h + pipe.size()[1] / 2, z=-0.15 * d)
    top = box(wide + 0.06, 0.03, d + 0.06).moved(y=foot + h + 0.015)
    return join(body.moved(y=foot + h / 2), door, at_corners(leg, 0.35 * wide, 0.3 * d), flue, top)


def wall_oven(rng: Random) -> Mesh:
    """One oven or two over each other, for building in."""
    w, h, d, n = 0.6, between(rng, 0.55, 0.65), 0.55, count(rng, 1, 2)
    one = join(
        box(w, h, d).moved(y=h / 2),
        oven_front(w - 0.02, 0.8 * h).moved(z=d / 2),
        knob_row(rng, w, 3).moved(y=0.9 * h, z=d / 2),
    )
    return placed(one, [(0, i * (h + 0.01), 0) for i in range(n)])


STOVES: dict[str, Maker] = {
    "range": single_range,
    "double_range": double_range,
    "with_hood": hooded_stove,
    "cooktop": cooktop,
    "wood_stove": wood_stove,
    "wall_oven": wall_oven,
}


@category(
    "stove",
    synonyms=(
        "cooker", "oven", "range cooker", "cooktop", "hob", "gas stove", "electric stove", "kitchen range",
        "wood stove",
        "stove top", "gas cooker", "kitchen stove", "wood burner",
    ),
    variants=tuple(STOVES),
)  # fmt: skip
def stove(rng: Random, variant: str) -> Mesh:
    return STOVES[variant](rng)


# --- lamp -----------------------------------------------------------------------------------------


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
    top = (1.0, between(rng, 0.5, 0.85), between(rng, 0.15, 0.5))[kind]
    rings = [Ring(0, 2 * radius, 2 * radius, power), Ring(height, 2 * top * radius, 2 * top * radius, power)]
    return loft([*rings, *[r.shrunk(0.006) for r in rings[::-1]]])


def lamp_foot(rng: Random, radius: float) -> Mesh:
    t = between(rng, 0.015, 0.04)
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
    r, h = between(rng, 0.1, 0.24), between(rng, 0.16, 0.4)
    kind = rng.randint(4)
    stem = (
        turned_body(rng, between(rng, 0.06, 0.14), h),
        join(lamp_foot(rng, 0.09), cylinder(0.012, h).moved(y=h / 2)),
        ellipsoid(1.2 * r, 0.9 * h, 1.2 * r).moved(y=0.45 * h),
        box(0.6 * r, h, 0.6 * r).moved(y=h / 2),
    )[kind]
    top = shade(rng, r, r * between(rng, 0.8, 1.8), rng.choice([2.0, 2.0, 2.0, SHARP]))
    return join(stem, cylinder(0.01, 0.2).moved(y=h + 0.02), top.moved(y=h + between(rng, 0.0, 0.05)))


def floor_lamp(rng: Random) -> Mesh:
    h, r = between(rng, 1.1, 1.7), between(rng, 0.14, 0.28)
    stem = cylinder(between(rng, 0.01, 0.03), h, segments=8).moved(y=h / 2)
    return join(
        lamp_foot(rng, between(rng, 0.12, 0.2)), stem, shade(rng, r, r * between(rng, 0.8, 2.0)).moved(y=h - 0.12)
    )


def desk_lamp(rng: Random) -> Mesh:
    """Two arms with a joint, or a bent neck, and a tilted reflector."""
    a, b = between(rng, 0.2, 0.4), between(rng, 0.2, 0.4)
    p, q = np.radians(between(rng, 95, 130)), np.radians(between(rng, 10, 55))
    y, z = a * np.sin(p), a * np.cos(p)
    top, front = y + b * np.sin(q), z + b * np.cos(q)
    if chance(rng, 0.4):
        bend = (0, (y + top) / 2 + 0.04, (z + front) / 2)
        arm = tube([(0, 0, 0), (0, 0.6 * y, 0.6 * z), (0, y, z), bend, (0, top, front)], 0.01)
    else:
        twin = tube([(0.012, 0, 0), (0.012, y, z), (0.012, top, front)], 0.006, segments=6)
        arm = join(pair(twin), rod((-0.03, y, z), (0.03, y, z), 0.014))
    r = between(rng, 0.05, 0.1)
    head = lathe([(r, -0.13), (0.9 * r, -0.08), (0.45 * r, -0.02), (0.3 * r, 0.04), (0, 0.05)], 16)
    head = head if chance(rng, 0.7) else box(0.08, 0.025, between(rng, 0.2, 0.4))
    return join(
        lamp_foot(rng, between(rng, 0.07, 0.12)), arm, head.turned("x", -between(rng, 0, 40)).moved(y=top, z=front)
    )


def pendant_lamp(rng: Random) -> Mesh:
    r, cord, n = between(rng, 0.1, 0.3), between(rng, 0.3, 0.9), rng.choice([1, 1, 1, 3])
    top = shade(rng, r, r * between(rng, 0.5, 1.5))
    one = join(top, rod((0, top.size()[1], 0), (0, top.size()[1] + cord, 0), 0.005))
    ceiling = top.size()[1] + cord
    if n == 1:
        return join(one, cylinder(0.05, 0.03).moved(y=ceiling))
    return join(placed(one, [(2.3 * r * i, 0, 0) for i in (-1, 0, 1)]), box(5 * r, 0.03, 0.06).moved(y=ceiling))


def arc_lamp(rng: Random) -> Mesh:
    reach, h = between(rng, 0.7, 1.5), between(rng, 1.3, 2.0)
    t = np.linspace(0, np.pi * between(rng, 0.75, 0.95), 14)
    path = np.stack([reach / 2 * (1 - np.cos(t)), h * np.sin(np.minimum(t, 9)) ** 0.8, 0 * t], axis=1)
    r = between(rng, 0.12, 0.24)
    top = shade(rng, r, r * between(rng, 0.7, 1.2))
    return join(
        lamp_foot(rng, between(rng, 0.13, 0.2)),
        tube(path, 0.013, segments=6),
        top.moved(path[-1, 0], path[-1, 1] - top.size()[1]),
    )


def tripod_lamp(rng: Random) -> Mesh:
    h, spread, r = between(rng, 0.35, 1.3), between(rng, 0.12, 0.35), between(rng, 0.14, 0.28)
    leg = rod((0, 0, spread * (0.6 + 0.4 * h)), (0, h, 0.02), between(rng, 0.01, 0.025))
    return join(
        around(leg, rng.choice([3, 3, 4])),
        cylinder(0.05, 0.05).moved(y=h),
        shade(rng, r, r * between(rng, 0.9, 1.6)).moved(y=h),
    )


def ceiling_lamp(rng: Random) -> Mesh:
    """Close to the ceiling: a dish, a drum, or a bar with spots."""
    kind, r = rng.randint(3), between(rng, 0.14, 0.3)
    if kind == 0:
        t = np.linspace(0, np.pi / 2, 7)
        deep = r * between(rng, 0.25, 0.6)
        dish = lathe([(r * np.sin(a), -deep * np.cos(a)) for a in t], 20)
        return join(dish, cylinder(1.03 * r, 0.03, segments=20).moved(y=0.015))
    if kind == 1:
        return join(cylinder(r, between(rng, 0.06, 0.18), segments=20), cylinder(0.4 * r, 0.04).moved(y=0.1))
    spot = join(
        lathe([(0.045, -0.12), (0.045, -0.02), (0.02, 0.0), (0, 0)], 12).turned("x", between(rng, -50, 50)),
        rod((0, 0, 0), (0, 0.08, 0), 0.008),
    )
    return join(box(3 * r, 0.03, 0.06).moved(y=0.09), placed(spot, [(x * r, 0, 0) for x in (-1.2, 0, 1.2)]))


def lantern(rng: Random) -> Mesh:
    """A glazed cage with roof and ring, or a storm lantern with its globe."""
    w, h, power = between(rng, 0.1, 0.22), between(rng, 0.16, 0.35), rng.choice([2.0, SHARP])
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
    ring = tube(arch(0.7 * w, between(rng, 0.05, 0.18)), 0.004, segments=6).moved(y=h + 0.4 * w)
    return join(base, roof, posts, core.moved(y=h / 2), ring)


def chandelier(rng: Random) -> Mesh:
    """Curved arms with cups and candles or little shades around a stem."""
    r, n = between(rng, 0.25, 0.5), count(rng, 4, 8)
    path = [(0, 0, 0.03), (0, -0.4 * r, 0.35 * r), (0, -0.45 * r, 0.75 * r), (0, -0.1 * r, r)]
    top = shade(rng, 0.05, 0.07) if chance(rng) else cylinder(0.012, 0.1, segments=8).moved(y=0.05)
    arm = join(
        tube(path, 0.009, segments=6),
        top.moved(y=-0.1 * r, z=r),
        cylinder(0.03, 0.012, segments=10).moved(y=-0.1 * r, z=r),
    )
    hub = ellipsoid(0.1, 0.16, 0.1).moved(y=-0.02)
    return join(around(arm, n), hub, rod((0, 0, 0), (0, between(rng, 0.4, 0.9), 0), 0.008))


def torchiere(rng: Random) -> Mesh:
    """A tall stem with a bowl that shines upwards."""
    h, r = between(rng, 1.5, 1.9), between(rng, 0.12, 0.22)
    dish = pot(smooth([(0.03, 0), (0.6 * r, 0.2 * r), (r, 0.7 * r)], 7), 0.006)
    parts = [lamp_foot(rng, 0.15), cylinder(0.014, h, segments=8).moved(y=h / 2), dish.moved(y=h)]
    if chance(rng, 0.4):
        parts += [
            tube([(0, 0.65 * h, 0), (0.1, 0.7 * h, 0), (0.22, 0.68 * h, 0)], 0.008),
            cylinder(0.06, 0.09, top=0.03).moved(0.22, 0.65 * h),
        ]
    return join(*parts)


LAMPS: dict[str, Maker] = {
    "table": table_lamp,
    "floor": floor_lamp,
    "desk_arm": desk_lamp,
    "pendant": pendant_lamp,
    "arc": arc_lamp,
    "tripod": tripod_lamp,
    "ceiling": ceiling_lamp,
    "lantern": lantern,
    "chandelier": chandelier,
    "torchiere": torchiere,
}


@category(
    "lamp",
    synonyms=(
        "table lamp", "floor lamp", "desk lamp", "bedside lamp", "reading lamp", "pendant lamp", "ceiling lamp",
        "lantern", "chandelier", "light fixture", "standing lamp", "lampshade", "torchiere", "hanging lamp",
    ),
    variants=tuple(LAMPS),
)  # fmt: skip
def lamp(rng: Random, variant: str) -> Mesh:
    return LAMPS[variant](rng)


# --- plant ----------------------------------------------------------------------------------------


def planter(rng: Random, radius: float, height: float) -> Mesh:
    """A pot on y = 0, filled with earth to just below its rim."""
    kind, s, earth, wall = rng.randint(5), between(rng, 0.6, 0.85), 0.85 * height, 0.06 * radius
    if kind == 0:
        return hollow(shell_rings(height, s, 2 * radius, 2 * radius, SHARP), wall, earth)
    if kind == 1:
        return pot(smooth([(s * radius, 0), (1.25 * radius, 0.5 * height), (radius, height)], 8), wall, filled=earth)
    body = pot([(s * radius, 0), (radius, height)], wall, filled=earth)
    if kind == 2:
        return join(body, torus(radius, 0.1 * radius, segments=18).scaled(1, 1.6, 1).moved(y=0.9 * height))
    if kind == 3:
        return join(body, pot([(0.9 * radius, 0), (1.15 * radius, 0.12 * height)], 0.03))
    return body


def some_planter(rng: Random) -> tuple[Mesh, float, float]:
    radius = between(rng, 0.07, 0.2)
    height = radius * between(rng, 1.0, 2.4)
    return planter(rng, radius, height), radius, 0.85 * height


def leaf_blade(length: float, width: float, droop: float, fold: float = 0.1) -> Mesh:
    """A leaf from the origin along +z that sinks by `droop` of its length."""

    def blade(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        half = width * np.sin(np.pi * np.clip(u, 0.02, 0.98) ** 0.8) * (v - 0.5)
        lift = fold * np.abs(2 * v - 1) * width - droop * length * u**2
        return np.stack([half, lift, length * u], axis=-1)

    return sheet(blade, rows=6, columns=3)


def bush_of(rng: Random, leaf: Mesh, n: int, centre: Sequence[float], spread: np.ndarray) -> Mesh:
    """n leaves all over an ellipsoid (half axes `spread`), pointing outwards."""
    direction = rng.normal(0, 1, (n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    spots = np.asarray(centre) + direction * spread * rng.uniform(0.55, 1.0, (n, 1))
    yaw, pitch = np.arctan2(direction[:, 0], direction[:, 2]), np.arcsin(direction[:, 1]) * 0.7
    turns = headings(yaw + rng.normal(0, 0.5, n), pitch + rng.normal(0, 0.4, n))
    return copies(leaf, turns, spots, rng.uniform(0.6, 1.2, n))


def rosette(rng: Random, leaf: Mesh, n: int, low: float, high: float) -> Mesh:
    """n leaves from the origin all around, pitched between `low` and `high` degrees."""
    yaw = np.arange(n) * 2.4 + rng.normal(0, 0.2, n)
    pitch = np.radians(np.linspace(low, high, n) + rng.normal(0, 6, n))
    return copies(leaf, headings(yaw, pitch), np.zeros((n, 3)), rng.uniform(0.7, 1.1, n))


def leafy_plant(rng: Random) -> Mesh:
    """Broad leaves on long stalks: monstera, rubber plant."""
    vessel, r, y = some_planter(rng)
    n, height = count(rng, 7, 15), r * between(rng, 2.5, 5)
    leaf = leaf_blade(r * between(rng, 1.0, 2.0), r * between(rng, 0.7, 1.4), between(rng, 0.1, 0.5))
    yaw, out, rise = 2.4 * np.arange(n), r * rng.uniform(0.3, 2.0, n), height * rng.uniform(0.4, 1.0, n)
    tips = np.stack([out * np.sin(yaw), y + rise, out * np.cos(yaw)], axis=1)
    leaves = copies(leaf, headings(yaw, -between(rng, 0.1, 0.9)), tips)
    bends = tips * [0.4, 0.6, 0.4] + [0, 0.4 * y, 0]
    stalks = [tube([(0, y, 0), bend, tip], 0.006, segments=5) for bend, tip in zip(bends, tips, strict=True)]
    return join(vessel, leaves, *stalks)


def bushy_plant(rng: Random) -> Mesh:
    vessel, r, y = some_planter(rng)
    spread = np.array([1, between(rng, 0.7, 1.6), 1]) * r * between(rng, 1.1, 2.2)
    leaf = leaf_blade(r * between(rng, 0.4, 0.9), r * between(rng, 0.2, 0.5), 0.3)
    return join(vessel, bush_of(rng, leaf, count(rng, 60, 160), (0, y + 0.9 * spread[1], 0), spread))


def tree_plant(rng: Random) -> Mesh:
    """A trunk, straight or braided, under one crown or several."""
    vessel, r, y = some_planter(rng)
    trunk, spread = r * between(rng, 2.5, 6), np.array([1, between(rng, 0.8, 1.4), 1]) * r * between(rng, 1.3, 2.4)
    lean = between(rng, -0.3, 0.3) * r
    stem = tube([(0, y, 0), (lean, y + 0.5 * trunk, -lean), (0, y + trunk, 0)], [0.1 * r, 0.08 * r, 0.06 * r])
    crown = (0, y + trunk + 0.5 * spread[1], 0)
    if chance(rng, 0.3):
        return join(
            vessel,
            stem,
            rumpled(rng, ellipsoid(2 * spread[0], 2 * spread[1], 2 * spread[2], 20).moved(*crown), 0.05 * r),
        )
    leaf = leaf_blade(r * between(rng, 0.4, 0.8), r * between(rng, 0.2, 0.4), 0.3)
    return join(vessel, stem, bush_of(rng, leaf, count(rng, 70, 180), crown, spread))


def frond(rng: Random, length: float) -> Mesh:
    """A feathered palm leaf along +z: stalk and leaflets in pairs."""
    rise, droop, n = between(rng, 0.2, 0.5), between(rng, 0.5, 1.0), 11
    t = np.linspace(0.2, 1, n)
    spine = np.stack([0 * t, length * (rise * t - droop * t**2.5), length * t], axis=1)
    leaflet = leaf_blade(length * 0.32, length * 0.05, 0.3)
    half = copies(leaflet, headings(np.full(n, 0.9), -0.2), spine, np.sin(np.pi * (0.15 + 0.8 * t)))
    return join(tube(np.concatenate([[[0, 0, 0]], spine]), 0.012 * length, segments=4), pair(half))


def palm_plant(rng: Random) -> Mesh:
    vessel, r, y = some_planter(rng)
    trunk = r * between(rng, 0.0, 4.0)
    n = count(rng, 7, 14)
    yaw, pitch = np.arange(n) * 2.4, np.radians(np.linspace(15, 75, n) + rng.normal(0, 5, n))
    crown = copies(
        frond(rng, r * between(rng, 2.5, 4.5)), headings(yaw, pitch), np.zeros((n, 3)), rng.uniform(0.8, 1.1, n)
    )
    return join(vessel, rod((0, y, 0), (0, y + trunk + 0.02, 0), 0.12 * r, 0.08 * r), crown.moved(y=y + trunk))


def cactus(rng: Random) -> Mesh:
    """A ribbed column with arms, or a ball."""
    vessel, r, y = some_planter(rng)
    thick, h, ribs = r * between(rng, 0.35, 0.6), r * between(rng, 1.8, 6), count(rng, 6, 10)
    if chance(rng, 0.3):
        thick, h = 0.8 * r, 1.5 * r

    def ribbed(v: np.ndarray) -> np.ndarray:
        wave = 1 + 0.12 * np.cos(ribs * np.arctan2(v[:, 2], v[:, 0]))
        return v * np.stack([wave, np.ones_like(wave), wave], axis=1)

    column = cushion(2 * thick, h, 2 * thick, 0.7, 24).deformed(ribbed).moved(y=y + 0.47 * h)
    parts = [vessel, column]
    for side in (-1, 1):
        if h > 2.5 * r and chance(rng, 0.7):
            at = y + h * between(rng, 0.3, 0.6)
            out, up = side * thick * 2.2, at + h * between(rng, 0.2, 0.4)
            parts += [tube([(0, at, 0), (0.7 * out, at, 0), (out, at + 0.1 * h, 0), (out, up, 0)], 0.5 * thick)]
    return join(*parts)


def sword_plant(rng: Random) -> Mesh:
    """Stiff upright blades: sansevieria, aloe, agave, grass."""
    vessel, r, y = some_planter(rng)
    length, low = r * between(rng, 1.5, 6), between(rng, 20, 70)
    blade = leaf_blade(length, r * between(rng, 0.25, 0.7), between(rng, -0.05, 0.25), 0.25)
    return join(vessel, rosette(rng, blade, count(rng, 10, 40), low, 88).moved(y=y))


def hanging_plant(rng: Random) -> Mesh:
    """Vines that trail over the pot's rim; often hung from cords."""
    vessel, r, y = some_planter(rng)
    leaf = leaf_blade(0.4 * r, 0.3 * r, 0.4)
    parts = [vessel, bush_of(rng, leaf, 40, (0, y + 0.3 * r, 0), r * np.array([1.1, 0.6, 1.1]))]
    t = np.linspace(0, 1, 9)
    crest = 0.5 * r * np.sin(np.pi * np.minimum(1, 2 * t))
    for i in range(count(rng, 4, 8)):
        a, drop, out = 2.4 * i, r * between(rng, 1.5, 5), r * between(rng, 1.1, 1.5)
        reach = out * np.minimum(1, 2.5 * t)
        path = np.stack([reach * np.sin(a), y + crest - drop * t**2, reach * np.cos(a)], axis=1)
        turns = headings(a + rng.normal(0, 1.2, 9), rng.normal(-0.5, 0.3, 9))
        parts += [tube(path, 0.004, segments=4), copies(leaf, turns, path)]
    if chance(rng, 0.5):
        parts += [around(rod((0, y, 1.05 * r), (0, y + 4 * r, 0.02), 0.004), 3)]
    return join(*parts)


def flower_pot(rng: Random) -> Mesh:
    """Stems with blossoms over a few leaves."""
    vessel, r, y = some_planter(rng)
    petal = leaf_blade(r * between(rng, 0.3, 0.6), r * between(rng, 0.25, 0.45), -0.2)
    blossom = join(rosette(rng, petal, count(rng, 5, 9), 10, 40), ellipsoid(0.15 * r, 0.12 * r, 0.15 * r, 8))
    parts = [vessel, rosette(rng, leaf_blade(1.4 * r, 0.4 * r, 0.4), count(rng, 6, 12), 10, 60).moved(y=y)]
    for i in range(count(rng, 3, 9)):
        out, a = r * between(rng, 0.2, 1.3), 2.4 * i
        tip = (out * np.sin(a), y + r * between(rng, 1.5, 3.5), out * np.cos(a))
        parts += [
            rod((0, y, 0), tip, 0.005),
            blossom.turned("x", between(rng, 0, 60)).turned("y", float(np.degrees(a))).moved(*tip),
        ]
    return join(*parts)


def bonsai(rng: Random) -> Mesh:
    """A low tray, a crooked trunk, pads of foliage."""
    w = between(rng, 0.2, 0.4)
    tray = hollow([Ring(0, 0.8 * w, 0.55 * w, 10), Ring(0.18 * w, w, 0.7 * w, 10)], 0.015)
    x = np.concatenate([[0], rng.uniform(-0.3, 0.3, 3) * w])
    y, z = np.array([0.1, 0.4, 0.65, 0.95]) * w, np.concatenate([[0], rng.uniform(-0.12, 0.12, 3) * w])
    path = np.stack([x, y, z], axis=1)
    pads = [
        rumpled(rng, ellipsoid(0.55 * w, 0.2 * w, 0.5 * w).moved(px + between(rng, -0.15, 0.15) * w, py, pz), 0.015)
        for px, py, pz in path[1:]
    ]
    return join(
        tray,
        box(0.85 * w, 0.01, 0.55 * w).moved(y=0.14 * w),
        tube(path, [0.07 * w, 0.05 * w, 0.04 * w, 0.02 * w]),
        *pads,
    )


PLANTS: dict[str, Maker] = {
    "leafy": leafy_plant,
    "bushy": bushy_plant,
    "tree": tree_plant,
    "palm": palm_plant,
    "cactus": cactus,
    "swords": sword_plant,
    "hanging": hanging_plant,
    "flowers": flower_pot,
    "bonsai": bonsai,
}


@category(
    "plant",
    synonyms=(
        "potted plant", "house plant", "houseplant", "indoor plant", "flower pot", "flowerpot", "pot plant", "cactus",
        "bonsai", "fern", "succulent", "planter",
    ),
    variants=tuple(PLANTS),
)  # fmt: skip
def plant(rng: Random, variant: str) -> Mesh:
    return PLANTS[variant](rng)


# --- vase -----------------------------------------------------------------------------------------


def vase_size(rng: Random) -> tuple[float, float]:
    """Half the greatest width, and the height."""
    h = between(rng, 0.15, 0.7)
    return h * between(rng, 0.15, 0.4), h


def belly_profile(rng: Random, r: float, h: float) -> list[tuple[float, float]]:
    foot, neck_, lip = between(rng, 0.35, 0.7), between(rng, 0.25, 0.6), between(rng, 0.4, 0.8)
    at = between(rng, 0.3, 0.6)
    return smooth([(foot * r, 0), (r, at * h), (neck_ * r, between(rng, 0.75, 0.88) * h), (lip * r, h)], 16)


def belly_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    return pot(belly_profile(rng, r, h), 0.008)


def cylinder_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    return pot([(0.7 * r * between(rng, 0.7, 1), 0), (0.7 * r, h)], between(rng, 0.005, 0.02))


def amphora(rng: Random) -> Mesh:
    """Two handles from the shoulder to the neck."""
    r, h = vase_size(rng)
    body = pot(belly_profile(rng, r, h), 0.008)
    path = [(0.8 * r, 0.62 * h, 0), (1.15 * r, 0.78 * h, 0), (0.85 * r, 0.94 * h, 0), (0.4 * r, 0.9 * h, 0)]
    return join(body, pair(tube(path, 0.05 * r + 0.003)))


def bottle_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    slim = between(rng, 0.12, 0.3)
    profile = [
        (0.6 * r, 0),
        (r, 0.22 * h),
        (0.7 * r, 0.45 * h),
        (slim * r, 0.62 * h),
        (slim * r, 0.9 * h),
        (1.6 * slim * r, h),
    ]
    return pot(smooth(profile, 18), 0.006)


def trumpet_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    profile = [
        (0.5 * r, 0),
        (0.3 * r, 0.1 * h),
        (0.35 * r, 0.5 * h),
        (0.6 * r, 0.85 * h),
        (between(rng, 0.8, 1.3) * r, h),
    ]
    return pot(smooth(profile, 16), 0.006)


def square_vase(rng: Random) -> Mesh:
    r, h = vase_size(rng)
    d = r * between(rng, 0.5, 1.6)
    shape = [(t * h, between(rng, 0.7, 1.1)) for t in (0, 0.4, 0.8, 1)]
    return hollow([Ring(y, 1.5 * r * s, d * s, rng.choice([SHARP, 6.0])) for y, s in shape], 0.008)


def fluted_vase(rng: Random) -> Mesh:
    """Ribs that run straight or twist upwards."""
    r, h = vase_size(rng)
    ribs, depth, twist = count(rng, 4, 10), between(rng, 0.06, 0.16), between(rng, -3, 3)

    def flute(v: np.ndarray) -> np.ndarray:
        wave = 1 + depth * np.cos(ribs * (np.arctan2(v[:, 2], v[:, 0]) + twist * v[:, 1] / h))
        return v * np.stack([wave, np.ones_like(wave), wave], axis=1)

    return pot(belly_profile(rng, r, h), 0.008, 36).deformed(flute)


def vase_with_flowers(rng: Random) -> Mesh:
    vessel = pick(rng, (belly_vase, cylinder_vase, trumpet_vase, bottle_vase, square_vase))
    h = float(vessel.size()[1])
    petal, leaf = leaf_blade(0.12 * h, 0.09 * h, -0.2), leaf_blade(0.25 * h, 0.07 * h, 0.3).turned("x", -30)
    head = rosette(rng, petal, 8, 5, 60) if chance(rng) else ellipsoid(0.16 * h, 0.16 * h, 0.16 * h, 8)
    parts = [vessel]
    for i in range(count(rng, 3, 12)):
        out, a = h * between(rng, 0.1, 0.55), 2.4 * i
        x, y, z = out * np.sin(a), h * between(rng, 1.3, 2.0), out * np.cos(a)
        parts += [rod((0.05 * x, 0.6 * h, 0.05 * z), (x, y, z), 0.004), head.turned("y", a * 57.3).moved(x, y, z)]
        parts += [leaf.turned("y", a * 57.3).moved(0.7 * x, 0.7 * y + 0.1 * h, 0.7 * z)]
    return join(*parts)


VASES: dict[str, Maker] = {
    "belly": belly_vase,
    "cylinder": cylinder_vase,
    "amphora": amphora,
    "bottle_neck": bottle_vase,
    "trumpet": trumpet_vase,
    "square": square_vase,
    "fluted": fluted_vase,
    "with_flowers": vase_with_flowers,
}


@category(
    "vase",
    synonyms=(
        "flower vase", "urn", "amphora", "ceramic vase", "glass vase", "floor vase", "bud vase", "jar vase",
        "vase with flowers", "decorative vase",
    ),
    variants=tuple(VASES),
)  # fmt: skip
def vase(rng: Random, variant: str) -> Mesh:
    return VASES[variant](rng)


# --- bottle ---------------------------------------------------------------------------------------


def bottle_shape(r: float, h: float, shoulder: float, neck_at: float, neck_r: float) -> list[tuple[float, float]]:
    """Straight sides up to `shoulder`, the neck from `neck_at` on (shares of the height)."""
    middle = ((r + neck_r) / 2, (shoulder + neck_at) / 2 * h)
    return [(0, 0.02 * h), (0.85 * r, 0), (r, 0.03 * h), (r, shoulder * h), (0.93 * r, (shoulder + 0.04) * h), middle,
            (neck_r, neck_at * h), (neck_r, 0.93 * h), (1.25 * neck_r, 0.935 * h), (1.25 * neck_r, h),
            (0, h)]  # fmt: skip


def wine_bottle(rng: Random) -> Mesh:
    r, h = between(rng, 0.034, 0.048), between(rng, 0.27, 0.34)
    shoulder = between(rng, 0.4, 0.62)
    return lathe(bottle_shape(r, h, shoulder, shoulder + between(rng, 0.07, 0.2), 0.014), 18)


def beer_bottle(rng: Random) -> Mesh:
    r, h = between(rng, 0.028, 0.036), between(rng, 0.18, 0.25)
    shoulder = between(rng, 0.35, 0.55)
    return lathe(bottle_shape(r, h, shoulder, shoulder + between(rng, 0.15, 0.28), 0.013), 18)


def water_bottle(rng: Random) -> Mesh:
    """A ribbed plastic bottle with a wide screw cap."""
    r, h = between(rng, 0.03, 0.05), between(rng, 0.2, 0.34)
    t = np.linspace(0.03, 0.68, 14)
    ripple = 1 - between(rng, 0.0, 0.07) * (np.arange(14) % 2)
    side = [(float(r * k), float(a * h)) for k, a in zip(ripple, t, strict=True)]
    top = smooth([(r, 0.7 * h), (0.85 * r, 0.79 * h), (0.35 * r, 0.88 * h)], 6)
    return lathe(
        [(0, 0), (0.9 * r, 0), *side, *top, (0.35 * r, 0.91 * h), (0.45 * r, 0.91 * h), (0.45 * r, h), (0, h)], 18
    )


def square_bottle(rng: Random) -> Mesh:
    """Whisky, perfume, gin."""
    w, h = between(rng, 0.06, 0.1), between(rng, 0.1, 0.28)
    d, cap = w * between(rng, 0.4, 1.0), between(rng, 0.3, 0.5) * w
    body = solid(
        [
            Ring(0, w, d, 12),
            Ring(0.68 * h, w, d, 12),
            Ring(0.76 * h, 0.5 * w, 0.5 * w, 4),
            Ring(0.8 * h, 0.3 * w, 0.3 * w),
        ]
    )
    stopper = cylinder(cap / 2, 0.2 * h) if chance(rng) else box(cap, 0.2 * h, cap)
    return join(body, stopper.moved(y=0.88 * h))


def spray_bottle(rng: Random) -> Mesh:
    """A trigger head on an oval bottle."""
    w, h = between(rng, 0.07, 0.1), between(rng, 0.15, 0.22)
    d = w * between(rng, 0.55, 0.9)
    body = solid(
        [Ring(0, w, d, 3), Ring(0.55 * h, w, d, 3), Ring(0.8 * h, 0.5 * w, 0.6 * d, 2.5), Ring(h, 0.35 * w, 0.35 * w)]
    )
    head = join(box(0.03, 0.03, 0.09).moved(y=h + 0.045, z=0.02), cylinder(0.018, 0.04).moved(y=h + 0.015))
    trigger = tube([(0, h + 0.035, 0.04), (0, h + 0.0, 0.05), (0, h - 0.03, 0.045)], 0.006, segments=6)
    return join(body, head, trigger)


def pump_bottle(rng: Random) -> Mesh:
    r, h = between(rng, 0.028, 0.045), between(rng, 0.12, 0.2)
    body = solid([Ring(0, 2 * r, 2 * r, 3), Ring(0.8 * h, 2 * r, 2 * r, 3), Ring(0.9 * h, 0.8 * r, 0.8 * r)])
    pump = join(
        cylinder(0.4 * r, 0.12 * h).moved(y=0.95 * h),
        rod((0, h, 0), (0, 1.25 * h, 0), 0.005),
        tube([(0, 1.25 * h, -0.01), (0, 1.27 * h, 0.02), (0, 1.22 * h, 0.05)], 0.007),
    )
    return join(body, pump)


def jug_bottle(rng: Random) -> Mesh:
    """Milk or detergent: a broad body with a handle at its shoulder."""
    w, h = between(rng, 0.12, 0.18), between(rng, 0.22, 0.32)
    d = w * between(rng, 0.5, 1.0)
    body = solid(
        [
            Ring(0, w, d, 8),
            Ring(0.55 * h, w, d, 8),
            Ring(0.82 * h, 0.45 * w, 0.45 * d, 3, 0.1 * d),
            Ring(0.9 * h, 0.2 * w, 0.2 * w, 2, 0.1 * d),
        ]
    )
    handle = tube([(0, 0.5 * h, -0.48 * d), (0, 0.7 * h, -0.55 * d), (0, 0.84 * h, -0.35 * d), (0, 0.85 * h, 0)], 0.012)
    return join(body, handle, cylinder(0.13 * w, 0.1 * h).moved(y=0.95 * h, z=0.1 * d))


def flask(rng: Random) -> Mesh:
    """A sports or vacuum flask: straight, with cup lid, loop or drinking spout."""
    r, h = between(rng, 0.03, 0.045), between(rng, 0.18, 0.32)
    waist = between(rng, 0.85, 1.0)
    body = lathe(
        [
            (0, 0),
            *smooth([(r, 0), (waist * r, 0.45 * h), (r, 0.78 * h), (0.75 * r, 0.84 * h)], 12),
            (0.75 * r, 0.86 * h),
            (0, 0.86 * h),
        ],
        18,
    )
    lid = cylinder(0.85 * r, 0.14 * h).moved(y=0.93 * h)
    extra = (
        tube(arch(1.2 * r, 0.9 * r), 0.005, segments=6)
        if chance(rng)
        else cylinder(0.3 * r, 0.06 * h).moved(y=0.03 * h)
    )
    return join(body, lid, extra.moved(y=h))


BOTTLES: dict[str, Maker] = {
    "wine": wine_bottle,
    "beer": beer_bottle,
    "water": water_bottle,
    "square": square_bottle,
    "spray": spray_bottle,
    "pump": pump_bottle,
    "jug": jug_bottle,
    "flask": flask,
}


@category(
    "bottle",
    synonyms=(
        "wine bottle", "beer bottle", "water bottle", "spray bottle", "perfume bottle", "plastic bottle",
        "glass bottle",
        "flask", "thermos", "milk bottle", "soap dispenser", "shampoo bottle", "detergent bottle", "carafe",
    ),
    variants=tuple(BOTTLES),
)  # fmt: skip
def bottle(rng: Random, variant: str) -> Mesh:
    return BOTTLES[variant](rng)


# --- cup ------------------------------------------------------------------------------------------


def ear(rng: Random, height: float, reach: float) -> Mesh:
    """A cup's handle from y = 0 to `height`, standing out from x = 0 towards +x."""
    path = arch(height, reach, between(rng, 0.4, 1.0), 9)[:, [1, 0, 2]] + [0, height / 2, 0]
    return tube(path, between(rng, 0.004, 0.008), segments=6)


def mug(rng: Random) -> Mesh:
    r, h = between(rng, 0.035, 0.055), between(rng, 0.08, 0.12)
    side = [(between(rng, 0.75, 1.0) * r, 0), (between(rng, 0.9, 1.08) * r, 0.5 * h), (r, h)]
    return join(pot(smooth(side, 8), 0.004), ear(rng, 0.65 * h, between(rng, 0.025, 0.04)).moved(0.93 * r, 0.18 * h))


def tea_cup(rng: Random) -> Mesh:
    """A flared cup, most often on its saucer."""
    r, h = between(rng, 0.04, 0.055), between(rng, 0.05, 0.075)
    cup_ = pot(smooth([(0.45 * r, 0), (0.5 * r, 0.08 * h), (0.85 * r, 0.4 * h), (r, h)], 9), 0.003)
    cup_ = join(cup_, ear(rng, 0.6 * h, between(rng, 0.02, 0.03)).moved(0.85 * r, 0.28 * h))
    saucer = pot([(0.6 * r, 0), (0.9 * r, 0.004), (1.6 * r, 0.015)], 0.003)
    return join(cup_.moved(y=0.005), saucer) if chance(rng, 0.7) else cup_


def tumbler(rng: Random) -> Mesh:
    r, h = between(rng, 0.03, 0.045), between(rng, 0.08, 0.16)
    return pot([(between(rng, 0.65, 1.0) * r, 0), (r, h)], between(rng, 0.002, 0.005))


def paper_cup(rng: Random) -> Mesh:
    """To go: tapered, with a domed or flat lid, sleeve or straw."""
    r, h = between(rng, 0.035, 0.048), between(rng, 0.09, 0.17)
    body = lathe([(0, 0), (0.68 * r, 0), (r, h), (0, h)], 18)
    lid = lathe(
        [
            (1.05 * r, h - 0.004),
            (1.05 * r, h + 0.006),
            (0.9 * r, h + 0.012),
            (0.8 * r, h + between(rng, 0.012, 0.04)),
            (0, h + 0.012),
        ],
        18,
    )
    parts = [body, lid]
    if chance(rng):
        parts += [loft([Ring(0.35 * h, 1.62 * r, 1.62 * r), Ring(0.75 * h, 1.88 * r, 1.88 * r)])]
    if chance(rng, 0.4):
        parts += [rod((0, h, 0), (0.01, h + 0.09, 0.01), 0.003)]
    return join(*parts)


def goblet(rng: Random) -> Mesh:
    """A wine glass or chalice: foot, stem, bowl."""
    r, h = between(rng, 0.03, 0.05), between(rng, 0.13, 0.24)
    stem = between(rng, 0.25, 0.55)
    bowl_ = smooth(
        [(0.12 * r, stem * h), (0.8 * r, (stem + 0.12) * h), (r, (stem + 1) / 2 * h), (between(rng, 0.7, 1.1) * r, h)],
        10,
    )
    inside = [(max(x - 0.002, 0.001), max(y, bowl_[0][1] + 0.004)) for x, y in bowl_[::-1]]
    return lathe(
        [
            (0, 0),
            (0.85 * r, 0),
            (0.8 * r, 0.004),
            (0.1 * r, 0.03 * h),
            (0.1 * r, 0.95 * stem * h),
            *bowl_,
            *inside,
            (0, bowl_[0][1]),
        ],
        18,
    )


def stein(rng: Random) -> Mesh:
    """A tall beer mug with a thick wall, panels and a big handle, perhaps a lid."""
    r, h = between(rng, 0.04, 0.055), between(rng, 0.13, 0.19)
    body = pot([(1.08 * r, 0), (1.08 * r, 0.05 * h), (r, 0.08 * h), (0.95 * r, h)], 0.007, rng.choice([8, 20]))
    parts = [body, ear(rng, 0.7 * h, 0.05).moved(0.95 * r, 0.15 * h)]
    return join(*parts, lathe([(r, h), (0.7 * r, h + 0.015), (0, h + 0.03)], 18)) if chance(rng, 0.3) else join(*parts)


CUPS: dict[str, Maker] = {
    "mug": mug,
    "tea_cup": tea_cup,
    "tumbler": tumbler,
    "paper_cup": paper_cup,
    "goblet": goblet,
    "stein": stein,
}


@category(
    "cup",
    synonyms=(
        "mug", "coffee mug", "teacup", "tea cup", "coffee cup", "drinking glass", "tumbler", "paper cup", "goblet",
        "wine glass", "beer mug", "beaker", "chalice",
    ),
    variants=tuple(CUPS),
)  # fmt: skip
def cup(rng: Random, variant: str) -> Mesh:
    return CUPS[variant](rng)


# --- bowl -----------------------------------------------------------------------------------------


def bowl_profile(rng: Random, r: float, h: float) -> list[tuple[float, float]]:
    foot, bulge = between(rng, 0.3, 0.6), between(rng, 0.75, 0.98)
    return smooth([(foot * r, 0), ((foot + bulge) / 2 * r, 0.15 * h), (bulge * r, 0.5 * h), (r, h)], 10)


def bowl_size(rng: Random) -> tuple[float, float]:
    r = between(rng, 0.06, 0.18)
    return r, r * between(rng, 0.45, 1.0)


def round_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    return pot(bowl_profile(rng, r, h), between(rng, 0.003, 0.012))


def shallow_bowl(rng: Random) -> Mesh:
    """A dish or a soup plate with a broad rim."""
    r = between(rng, 0.1, 0.2)
    h = r * between(rng, 0.2, 0.4)
    return pot([(0.5 * r, 0), (0.65 * r, 0.3 * h), (0.72 * r, 0.75 * h), (r, h)], 0.005)


def footed_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    foot = r * between(rng, 0.15, 0.9)
    stem = lathe([(0, 0), (0.5 * r, 0), (0.45 * r, 0.1 * foot), (0.2 * r, 0.6 * foot), (0.35 * r, foot)], 18)
    return join(stem, pot(bowl_profile(rng, r, h), 0.005).moved(y=foot))


def square_bowl(rng: Random) -> Mesh:
    r, h = bowl_size(rng)
    s, d = between(rng, 0.5, 0.8), between(rng, 0.6, 1.0)
    return hollow(
        [Ring(t * h, 2 * r * (s + (1 - s) * t**0.6), 2 * r * d * (s + (1 - s) * t**0.6), 6) for t in (0, 0.2, 0.6, 1)],
        0.006,
    )


def handled_bowl(rng: Random) -> Mesh:
    """Two lugs at the rim: soup bowl, casserole, mixing bowl."""
    r, h = bowl_size(rng)
    lug = tube(arch(0.5 * r, 0.28 * r), 0.05 * r, segments=6).turned("x", 90).turned("y", 90).moved(0.95 * r, 0.88 * h)
    return join(pot(bowl_profile(rng, r, h), 0.005), pair(lug))


def wavy_bowl(rng: Random) -> Mesh:
    """A rim that rises and falls: glass bowls, fruit dishes."""
    r, h = bowl_size(rng)
    waves, depth = count(rng, 3, 10), between(rng, 0.1, 0.3)

    def wave(v: np.ndarray) -> np.ndarray:
        v[:, 1] *= 1 + depth * np.cos(waves * np.arctan2(v[:, 2], v[:, 0]))
        return v

    return pot(bowl_profile(rng, r, h), 0.005, 36).deformed(wave)


def filled_bowl(rng: Random) -> Mesh:
    """Fruit in a bowl."""
    r, h = between(rng, 0.12, 0.18), between(rng, 0.07, 0.12)
    n = count(rng, 4, 8)
    a, out = np.arange(n) * 2.4, 0.5 * r * np.sqrt(np.arange(n) / n)
    fruit = ellipsoid(0.45 * r, 0.42 * r, 0.45 * r, 12)
    heap = placed(fruit, np.stack([out * np.sin(a), h * (1.0 - 0.15 * np.arange(n) / n), out * np.cos(a)], axis=1))
    return join(pot(bowl_profile(rng, r, h), 0.005), heap)


BOWLS: dict[str, Maker] = {
    "round": round_bowl,
    "shallow": shallow_bowl,
    "footed": footed_bowl,
    "square": square_bowl,
    "handled": handled_bowl,
    "wavy": wavy_bowl,
    "filled": filled_bowl,
}


@category(
    "bowl",
    synonyms=(
        "salad bowl", "soup bowl", "mixing bowl", "fruit bowl", "cereal bowl", "serving bowl", "rice bowl", "dish",
        "soup plate", "punch bowl", "bowl of fruit",
    ),
    variants=tuple(BOWLS),
)  # fmt: skip
def bowl(rng: Random, variant: str) -> Mesh:
    return BOWLS[variant](rng)


# --- bucket ---------------------------------------------------------------------------------------


def pail_size(rng: Random) -> tuple[float, float, float]:
    """Radius at the mouth, height, and the foot's share of the radius."""
    r = between(rng, 0.1, 0.18)
    return r, r * between(rng, 1.5, 2.3), between(rng, 0.6, 0.88)


def bail(rng: Random, r: float, angle: float) -> Mesh:
    """A swinging handle at y = 0; 0 degrees upright, 90 lying to the front."""
    hoop = tube(arch(2.06 * r, r * between(rng, 0.9, 1.3), 0.9), 0.004, segments=6)
    grip = rod((-0.05, 0, 0), (0.05, 0, 0), 0.011).moved(y=hoop.size()[1] - 0.004)
    lugs = pair(cylinder(0.018, 0.015, segments=8).turned("z", 90).moved(1.02 * r))
    return join(join(hoop, grip).turned("x", angle), lugs)


def rimmed_pail(rng: Random, r: float, h: float, s: float) -> Mesh:
    return join(pot([(s * r, 0), (r, h)], 0.004), torus(r, between(rng, 0.004, 0.009), segments=18).moved(y=h))


def plain_bucket(rng: Random) -> Mesh:
    r, h, s = pail_size(rng)
    angle = rng.choice([0.0, between(rng, -40, 40), 95.0, -100.0])
    return join(rimmed_pail(rng, r, h, s), bail(rng, r, angle).moved(y=0.92 * h))


def bucket_with_lid(rng: Random) -> Mesh:
    """A paint pail: nearly straight, rings below the rim, flat lid."""
    r, h, _ = pail_size(rng)
    s = between(rng, 0.88, 1.0)
    rings = [torus(1.02 * r, 0.008, segments=18).moved(y=y * h) for y in (0.78, 0.88)]
    lid = lathe(
        [
            (0, 0.98 * h),
            (1.04 * r, 0.98 * h),
            (1.04 * r, 1.03 * h),
            (0.95 * r, 1.03 * h),
            (0.9 * r, 1.01 * h),
            (0, 1.01 * h),
        ],
        20,
    )
    body = lathe([(0, 0), (s * r, 0), (r, h)], 20)
    return join(body, *rings, lid, bail(rng, r, rng.choice([0.0, 100.0, 110.0])).moved(y=0.82 * h))


def mop_bucket(rng: Random) -> Mesh:
    """Oblong, on castors, with a wringer hung into one end."""
    w, h, d = between(rng, 0.4, 0.55), between(rng, 0.26, 0.38), between(rng, 0.26, 0.36)
    tub = hollow([Ring(0.06, 0.8 * w, 0.8 * d, 6), Ring(h, w, d, 6)], 0.006)
    wringer = open_box(0.35 * w, 0.2, 0.8 * d, 0.01).tapered(1.2).moved(-0.28 * w, h - 0.08)
    lever = rod((-0.28 * w, h + 0.1, 0), (-0.45 * w, h + 0.45, 0), 0.012)
    parts = [tub, at_corners(castor(0.035), 0.34 * w, 0.34 * d)]
    return (
        join(*parts, wringer, lever)
        if chance(rng, 0.7)
        else join(*parts, bail(rng, d / 2, 0).turned("y", 90).moved(y=0.95 * h))
    )


def wooden_bucket(rng: Random) -> Mesh:
    """Staves and hoops, a rope or a bar between two raised staves."""
    r, h, s = pail_size(rng)
    n = count(rng, 12, 20)
    stave = box(2 * np.pi * r / n, h, 0.015).tapered(1.0).turned("x", float(np.degrees(np.arctan2((1 - s) * r, h))))
    ring = around(stave.moved(y=h / 2, z=(1 + s) / 2 * r), n)
    hoops = [torus(r * (s + (1 - s) * t) + 0.01, 0.007, segments=18).moved(y=t * h) for t in (0.2, 0.75)]
    ears = pair(box(0.015, 0.35 * h, 0.06).moved(r, 1.05 * h))
    handle = rod((-r, 1.17 * h, 0), (r, 1.17 * h, 0), 0.012)
    rope = tube(arch(2 * r, 0.8 * r), 0.008, segments=6).moved(y=1.15 * h)
    return join(ring, *hoops, cylinder(s * r, 0.01).moved(y=0.02), ears, handle if chance(rng) else rope)


def tub_bucket(rng: Random) -> Mesh:
    """A wide flexible or zinc tub with two handles."""
    r, h = between(rng, 0.18, 0.32), between(rng, 0.16, 0.36)
    flat = between(rng, 0.65, 1.0)
    body = rimmed_pail(rng, r, h, between(rng, 0.65, 0.9)).scaled(1, 1, flat)
    grip = tube(arch(0.7 * r, between(rng, 0.05, 0.1)), 0.01, segments=6).turned("y", 90).moved(0.98 * r, h - 0.01)
    return join(body, pair(grip))


def ice_bucket(rng: Random) -> Mesh:
    """A footed or straight cooler with knobs; sometimes a bottle in it."""
    r, h = between(rng, 0.08, 0.12), between(rng, 0.17, 0.24)
    profile = smooth([(0.7 * r, 0), (0.85 * r, 0.1 * h), (0.95 * r, 0.6 * h), (1.1 * r, h)], 9)
    parts = [pot(profile, 0.004), pair(ellipsoid(0.04, 0.03, 0.03, 8).moved(1.05 * r, 0.8 * h))]
    if chance(rng, 0.4):
        parts += [wine_bottle(rng).turned("x", 12).moved(y=0.1 * h, z=-0.2 * r)]
    return join(*parts)


BUCKETS: dict[str, Maker] = {
    "plain": plain_bucket,
    "with_lid": bucket_with_lid,
    "mop": mop_bucket,
    "wooden": wooden_bucket,
    "two_handles": tub_bucket,
    "ice": ice_bucket,
}


@category(
    "bucket",
    synonyms=(
        "pail", "mop bucket", "water bucket", "paint bucket", "ice bucket", "plastic bucket", "metal bucket",
        "wooden bucket", "washtub", "paint pail", "champagne bucket", "wash tub",
    ),
    variants=tuple(BUCKETS),
)  # fmt: skip
def bucket(rng: Random, variant: str) -> Mesh:
    return BUCKETS[variant](rng)

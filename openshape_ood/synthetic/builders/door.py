"""Doors with their frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import framed_leaf
from openshape_ood.synthetic.builders._shapes import Rows, block, blocks, frame, slab
from openshape_ood.synthetic.catalog import Builder, Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, extrude, join, rod, sheet, tube


def door_size(rng: Random) -> tuple[float, float, float]:
    """Width, height and thickness of one leaf."""
    return rng.uniform(0.65, 1.05), rng.uniform(1.9, 2.3), rng.uniform(0.03, 0.06)


def door_frame(rng: Random, width: float, height: float, depth: float, sill: bool = False) -> Mesh:
    """Jambs and lintel round an opening centered in x; some with architraves or a piece of wall."""
    x, j = width / 2, rng.uniform(0.03, 0.09)
    z = depth / 2
    cuboids: Rows = [
        (-x - j, -x, 0, height + j, -z, z),
        (x, x + j, 0, height + j, -z, z),
        (-x, x, height, height + j, -z, z),
    ]
    if sill:
        cuboids.append((-x - j, x + j, -0.03, 0, -z, z))
    if chance(rng, 0.35):
        a = j + rng.uniform(0.03, 0.09)
        for low, high in ((-z - 0.015, -z), (z, z + 0.015)):
            cuboids += [(-x - a, -x, 0, height + a, low, high), (x, x + a, 0, height + a, low, high)]
            cuboids.append((-x, x, height, height + a, low, high))
    if chance(rng, 0.12):
        m = x + j + rng.uniform(0.15, 0.4)
        cuboids += [
            (-m, -x - j, 0, height + 0.3, -z, z),
            (x + j, m, 0, height + 0.3, -z, z),
            (-m, m, height + j, height + 0.3, -z, z),
        ]
    return blocks(cuboids)


def lever(rng: Random, thickness: float) -> Mesh:
    """Handles on both faces of a leaf, which is between z = 0 and `thickness`. Levers point towards -x."""
    kind = pick(rng, ("lever", "lever", "knob", "pull"))
    if kind == "knob":
        ball = ellipsoid(0.06, 0.06, 0.05, segments=8)
        one = join(rod((0, 0, 0), (0, 0, 0.05), 0.012), ball.moved(z=0.06))
    elif kind == "pull":
        half = rng.uniform(0.15, 0.5)
        one = blocks(
            [
                (-0.015, 0.015, -half, half, 0.04, 0.065),
                *((-0.012, 0.012, s * 0.8 * half - 0.012, s * 0.8 * half + 0.012, 0, 0.04) for s in (-1, 1)),
            ]
        )
    else:
        plate = (-0.02, 0.02, -0.12, 0.08, 0, 0.008) if chance(rng, 0.5) else (-0.025, 0.025, -0.025, 0.025, 0, 0.01)
        one = blocks([plate, (-0.01, 0.01, -0.01, 0.01, 0, 0.055), (-0.13, 0.012, -0.011, 0.011, 0.045, 0.062)])
    return join(one.moved(z=thickness), one.mirrored("z"))


def door_leaf(rng: Random, kind: str, width: float, height: float, t: float) -> Mesh:
    """A leaf from its hinge at the origin along +x, z = 0..t, without its handle.

    Kinds: flush, panelled, glass, half_glass, lattice, louver, planks.
    """
    if kind == "panelled":
        across, up = (
            count(rng, 1, 2),
            [(1,), (1, 1), (1.4, 1), (1, 1.2, 0.5), (1, 0.4, 1), (1, 1, 1, 1)][rng.randint(6)],
        )
        return framed_leaf(width, height, t, pick(rng, ("recessed", "raised")), across, up, rng.uniform(0.08, 0.14))
    if kind == "glass":
        return framed_leaf(width, height, t, "glass", 1, (1,), rng.uniform(0.04, 0.14))
    if kind == "lattice":
        return framed_leaf(
            width, height, t, "glass", count(rng, 2, 3), (1,) * count(rng, 3, 6), rng.uniform(0.03, 0.06)
        )
    if kind == "louver":
        return framed_leaf(width, height, t, "louver", 1, (1,) * count(rng, 1, 3), rng.uniform(0.06, 0.1))
    if kind == "half_glass":
        split = rng.uniform(0.35, 0.6) * height
        lower = framed_leaf(width, split, t, pick(rng, ("recessed", "raised")), count(rng, 1, 2), (1,), 0.1)
        return join(
            lower,
            framed_leaf(width, height - split, t, "glass", count(rng, 1, 2), (1,) * count(rng, 1, 3), 0.07).moved(
                y=split
            ),
        )
    if kind == "planks":
        return plank_leaf(rng, width, height, t)
    window = chance(rng, 0.2)
    if window:
        a, b = 0.6 * height, 0.85 * height
        lo, hi = width * 0.3, width * 0.7
        return blocks([
            (0, width, 0, a, 0, t), (0, width, b, height, 0, t), (0, lo, a, b, 0, t), (hi, width, a, b, 0, t),
            (lo, hi, a, b, 0.4 * t, 0.6 * t),
        ])  # fmt: skip
    return block(0, width, 0, height, 0, t)


def plank_leaf(rng: Random, width: float, height: float, t: float) -> Mesh:
    """Upright boards held by ledges and sometimes a diagonal brace."""
    edges = np.linspace(0, width, count(rng, 4, 8) + 1)
    parts = [blocks([(a + 0.003, b - 0.003, 0, height, 0, t) for a, b in pairwise(edges)])]
    parts.append(blocks([(0, width, y * height, y * height + 0.12, t, 1.8 * t) for y in (0.05, 0.48, 0.88)]))
    for low in (0.1, 0.53) if chance(rng, 0.6) else ():
        rise = 0.38 * height
        brace = box(float(np.hypot(width, rise)), 0.1, 0.8 * t).turned("z", np.degrees(np.arctan2(rise, width)))
        parts.append(brace.scaled(0.92, 0.92, 1).moved(width / 2, low * height + rise / 2, 1.4 * t))
    return join(*parts)


def hung_leaf(rng: Random, kind: str, width: float, height: float, t: float, angle: float) -> Mesh:
    """A leaf with handle, swung out by `angle` degrees about its hinge at the origin."""
    leaf = door_leaf(rng, kind, width, height, t)
    grip = lever(rng, t).moved(width - 0.06, rng.uniform(0.95, 1.08))
    return join(leaf, grip).turned("y", -angle)


def single_door(rng: Random, kind: str) -> Mesh:
    """One leaf, mostly in its frame, shut or ajar, hung left or right."""
    w, h, t = door_size(rng)
    angle = rng.uniform(5, 100) if chance(rng, 0.25) else 0.0
    door = hung_leaf(rng, kind, w, h, t, angle).moved(-w / 2)
    if chance(rng, 0.65):
        depth = rng.uniform(0.06, 0.22)
        door = join(door.moved(z=depth / 2 - t), door_frame(rng, w + 0.008, h + 0.004, depth))
    return door.mirrored("x") if chance(rng, 0.5) else door


def leaf_shape(kind: str) -> Builder:
    return lambda rng: single_door(rng, kind)


def ajar_door(rng: Random) -> Mesh:
    w, h, t = door_size(rng)
    depth = rng.uniform(0.08, 0.25)
    leaf = hung_leaf(rng, pick(rng, ("flush", "panelled", "glass", "half_glass")), w, h, t, rng.uniform(20, 110))
    door = join(leaf.moved(-w / 2, 0, depth / 2), door_frame(rng, w, h, depth, sill=chance(rng, 0.4)))
    return door.mirrored("x") if chance(rng, 0.5) else door


def double_door(rng: Random) -> Mesh:
    w, h, t = door_size(rng)
    kind, seed = pick(rng, ("flush", "panelled", "glass", "lattice", "half_glass", "planks")), rng.randint(2**31)
    angles = rng.uniform(10, 100, size=2) * (rng.uniform(size=2) < 0.25)
    # both leaves use the same seed, so that they match
    left, right = (hung_leaf(Random(seed), kind, w, h, t, angle) for angle in angles)
    depth = rng.uniform(0.06, 0.2)
    leaves = join(left.moved(-w), right.mirrored("x").moved(w)).moved(z=depth / 2 - t)
    parts = [leaves]
    if chance(rng, 0.75):
        parts.append(door_frame(rng, 2 * w + 0.01, h, depth))
    if chance(rng, 0.25):
        parts.append(
            framed_leaf(2 * w, rng.uniform(0.3, 0.5), t, "glass", count(rng, 2, 4), (1,), 0.05).moved(-w, h + 0.05)
        )
    return join(*parts)


def entrance_door(rng: Random) -> Mesh:
    """A front door with side lights, fan light and a step."""
    w, h, t = door_size(rng)
    parts = [hung_leaf(rng, pick(rng, ("panelled", "half_glass", "flush")), w, h, t, 0).moved(-w / 2, 0, 0.02)]
    parts.append(door_frame(rng, w, h, 0.12))
    side = rng.uniform(0.25, 0.5)
    for s in (-1, 1) if chance(rng, 0.5) else (1,):
        light = framed_leaf(side, h, 0.06, "glass", 1, (1,) * count(rng, 1, 3), 0.05)
        parts.append(light.moved(w / 2 + 0.08 if s > 0 else -w / 2 - 0.08 - side))
    if chance(rng, 0.5):
        turn = np.linspace(0, np.pi, 13)
        half = w / 2 + 0.08
        fan = tube(np.stack([half * np.cos(turn), h + 0.08 + 0.8 * half * np.sin(turn), 0 * turn], axis=1), 0.035)
        spokes = [
            rod((0, h + 0.08, 0), (half * np.cos(a), h + 0.08 + 0.8 * half * np.sin(a), 0), 0.012) for a in turn[2:-2:2]
        ]
        pane = extrude([*zip(half * np.cos(turn), 0.8 * half * np.sin(turn), strict=True)], 0.008).moved(y=h + 0.08)
        parts += [fan, pane, *spokes]
    if chance(rng, 0.4):
        parts.append(slab(w + 0.4, 0.12, 0.5, -0.12).moved(z=0.15))
    return join(*parts)


def arched_door(rng: Random) -> Mesh:
    w, h, t = door_size(rng)
    arch = np.linspace(0, np.pi, 11)
    rise = w / 2 * rng.uniform(0.4, 1.2)

    def plan(out: float) -> list[tuple[float, float]]:
        x = (w / 2 + out) * np.cos(arch)
        return [(-w / 2 - out, 0.0), (w / 2 + out, 0.0), *zip(x, h - rise + (rise + out) * np.sin(arch), strict=True)]

    edge = np.array([(w / 2, 0.0), *plan(0)[2:], (-w / 2, 0.0)])
    surround = tube(np.column_stack([edge, 0 * edge[:, 0]]), rng.uniform(0.03, 0.07), segments=6)
    grip = lever(rng, t).moved(0.4 * w, 1.0, -t / 2)
    bars = blocks([(-0.46 * w, 0.4 * w, y, y + 0.06, t / 2, t / 2 + 0.012) for y in (0.3, 0.65 * h)])
    joints = blocks([(x - 0.01, x + 0.01, 0.02, h - rise, t / 2, t / 2 + 0.008) for x in np.linspace(-0.3, 0.3, 4) * w])
    return join(extrude(plan(0), t), surround, grip, bars if chance(rng, 0.5) else joints)


def patio_door(rng: Random) -> Mesh:
    """Glazed leaves that slide past each other in one frame."""
    n, w, h, t = count(rng, 2, 4), rng.uniform(0.7, 1.2), rng.uniform(1.95, 2.4), 0.04
    leaf = framed_leaf(w + 0.05, h, t, "glass", 1, (1,) * count(rng, 1, 2), rng.uniform(0.04, 0.1))
    slid = rng.uniform(0, 0.8) * w if chance(rng, 0.4) else 0.0
    leaves = [leaf.moved((i - n / 2) * w - (slid if i == n - 1 else 0), 0, (i % 2) * 1.2 * t - t) for i in range(n)]
    return join(*leaves, door_frame(rng, n * w + 0.06, h, 0.14, sill=True))


def barn_door(rng: Random) -> Mesh:
    """A leaf hung from rollers on a rail before the wall."""
    w, h, t = door_size(rng)
    leaf = door_leaf(rng, pick(rng, ("planks", "planks", "panelled", "flush", "glass")), w, h, t).moved(-w / 2)
    r, y = 0.05, h + 0.12
    wheel = cylinder(r, 0.03, segments=10).turned("x", 90).moved(y=y + r, z=t / 2)
    strap = block(-0.02, 0.02, h - 0.15, y + r, t, t + 0.012)
    hangers = [join(wheel, strap).moved(s * 0.32 * w) for s in (-1, 1)]
    rail = block(-0.55 * w, rng.uniform(1.2, 1.5) * w, y - 0.04, y, t / 2 - 0.01, t / 2 + 0.01)
    parts = [leaf, *hangers, rail, lever(rng, t).moved(-0.4 * w, 1.0)]
    if chance(rng, 0.35):
        parts.append(door_frame(rng, 0.9 * w, h, 0.1).moved(0.0 if chance(rng, 0.5) else w, 0, -0.07))
    return join(*parts)


def folding_door(rng: Random) -> Mesh:
    """Two to six narrow leaves folded like a screen."""
    n, w, h, t = 2 * count(rng, 1, 3), rng.uniform(0.3, 0.6), rng.uniform(1.9, 2.3), rng.uniform(0.02, 0.04)
    angle = rng.uniform(8, 75)
    kind, seed = pick(rng, ("louver", "glass", "panelled", "flush")), rng.randint(2**31)
    leaf = door_leaf(Random(seed), kind, w, h, t)
    step = float(w * np.cos(np.radians(angle)))
    out, back = leaf.turned("y", -angle), leaf.turned("y", angle).moved(z=float(w * np.sin(np.radians(angle))))
    parts = [(back if i % 2 else out).moved((i - n / 2) * step) for i in range(n)]
    if chance(rng, 0.6):
        parts.append(door_frame(rng, n * w, h + 0.02, 0.1).moved((w - step) * n / 2))
    return join(*parts)


def stable_door(rng: Random) -> Mesh:
    """Two halves, one over the other; the upper may stand open."""
    w, h, t = door_size(rng)
    split = rng.uniform(0.45, 0.55) * h
    kind = pick(rng, ("planks", "panelled", "flush"))
    lower = join(door_leaf(rng, kind, w, split, t), lever(rng, t).moved(w - 0.06, 0.85 * split))
    upper = door_leaf(rng, pick(rng, (kind, "glass", "lattice")), w, h - split - 0.01, t)
    angle = rng.uniform(15, 110) if chance(rng, 0.5) else 0.0
    leaves = join(lower, upper.turned("y", -angle).moved(y=split + 0.01)).moved(-w / 2, 0, 0.02)
    return join(leaves, door_frame(rng, w + 0.01, h, 0.1)) if chance(rng, 0.7) else leaves


def garage_door(rng: Random) -> Mesh:
    """A wide sectional door of panels, with a row of windows sometimes."""
    w, h, t = rng.uniform(2.2, 4.8), rng.uniform(1.95, 2.4), rng.uniform(0.04, 0.06)
    n, m = count(rng, 4, 5), count(rng, 3, 8)
    glazed = chance(rng, 0.4)
    filled = framed_leaf(w, h / n - 0.008, t, "raised", m, (1,), 0.06)
    glass = framed_leaf(w, h / n - 0.008, t, "glass", m, (1,), 0.06)
    leaf = join(*[(glass if glazed and i == n - 1 else filled).moved(-w / 2, i * h / n) for i in range(n)])
    return join(leaf, door_frame(rng, w, h, 0.15)) if chance(rng, 0.6) else leaf


def revolving_door(rng: Random) -> Mesh:
    r, h, turn = rng.uniform(0.9, 1.4), rng.uniform(2.1, 2.5), rng.uniform(0, 90)
    wing = framed_leaf(r - 0.08, h, 0.04, "glass", 1, (1,), 0.06)
    wings = [wing.turned("y", turn + 90 * i) for i in range(count(rng, 3, 4))]
    a = np.radians(np.linspace(-50, 50, 10))
    arc = sheet(
        lambda u, v: np.stack([r * np.cos(a[0] + u * 1.75), h * v, r * np.sin(a[0] + u * 1.75)], axis=-1), 10, 2
    )
    drum = cylinder(r + 0.04, rng.uniform(0.1, 0.3), segments=24)
    return join(*wings, both(arc), drum.moved(y=h + 0.1), cylinder(0.04, h, segments=8).moved(y=h / 2))


def folding_wall(rng: Random) -> Mesh:
    """Three to six leaves as high as a room and nearly flat, each a grid of sunk panels or a lattice."""
    n, h, t, angle = count(rng, 3, 6), rng.uniform(1.9, 2.6), rng.uniform(0.02, 0.05), rng.uniform(0, 35)
    w = rng.uniform(1.6, 3.2) / n
    filling = pick(rng, ("recessed", "recessed", "raised", "glass", "void"))
    fields = [(1,) * count(rng, 3, 8), (1, 3), (1, 4, 1)][rng.randint(3)]
    leaf = framed_leaf(w - 0.006, h, t, filling, count(rng, 1, 4), fields, rng.uniform(0.025, 0.07))
    step, rise = w * float(np.cos(np.radians(angle))), w * float(np.sin(np.radians(angle)))
    out, back = leaf.turned("y", -angle), leaf.turned("y", angle).moved(z=rise)
    parts = [(back if i % 2 else out).moved((i - n / 2) * step) for i in range(n)]
    if chance(rng, 0.35):
        x, bar = n * step / 2, rng.uniform(0.02, 0.06)
        parts.append(frame(2 * x + 2 * bar, h + 2 * bar, bar, 0.08).moved(y=h / 2, z=t / 2 + rise / 2))
    return join(*parts)


def plain_leaves(rng: Random) -> Mesh:
    """A bare flush leaf or a pair of them without frame; perhaps a handle, grooves or a kick plate."""
    w, h, t, pair = rng.uniform(0.6, 1.1), rng.uniform(1.85, 2.6), rng.uniform(0.03, 0.12), chance(rng, 0.4)
    half = join(block(0.003, w, 0, h, 0, t), *([lever(rng, t).moved(0.06, h * 0.47)] if chance(rng, 0.6) else []))
    if chance(rng, 0.3):
        half = join(half, blocks([(0.03, w - 0.03, y * h, y * h + 0.015, t, t + 0.006) for y in (0.2, 0.4, 0.6, 0.8)]))
    if chance(rng, 0.25):
        half = join(half, block(0.02, w - 0.02, 0.02, rng.uniform(0.15, 0.3), t, t + 0.004))
    return both(half) if pair else half


category(
    "door",
    flush=leaf_shape("flush"),
    panelled=leaf_shape("panelled"),
    glass=leaf_shape("glass"),
    half_glass=leaf_shape("half_glass"),
    lattice=leaf_shape("lattice"),
    louvred=leaf_shape("louver"),
    planks=leaf_shape("planks"),
    ajar=ajar_door,
    double=double_door,
    entrance=entrance_door,
    arched=arched_door,
    patio=patio_door,
    barn=barn_door,
    folding=folding_door,
    stable=stable_door,
    garage=garage_door,
    revolving=revolving_door,
    folding_wide=folding_wall,
    plain_leaf=plain_leaves,
)

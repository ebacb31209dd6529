"""Legs, feet and swivel bases under seats and beds; backs and open arms of chairs, benches and stools."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import both, four, ring_of, spread
from openshape_ood.synthetic.builders._shapes import curved_board, rounded, slab, soft
from openshape_ood.synthetic.catalog import Random, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, ellipsoid, extrude, join, lathe, rod, tube


def square_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return slab(thickness, height, thickness)


def round_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return cylinder(thickness / 2, height, segments=10).moved(y=height / 2)


def tapered_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return slab(thickness, height, thickness).tapered(rng.uniform(1.4, 2.2)).scaled(0.6, 1, 0.6)


def splayed_leg(rng: Random, height: float, thickness: float) -> Mesh:
    x, z = rng.uniform(0.05, 0.25, 2) * height
    return rod((x, 0, z), (0, height, 0), thickness * rng.uniform(0.25, 0.45), thickness * 0.5)


def turned_leg(rng: Random, height: float, thickness: float) -> Mesh:
    y = np.linspace(0, 1, 9) * height
    r = thickness * rng.uniform(0.25, 0.65, 9)
    r[-2:] = thickness * 0.6
    return lathe([(0, 0), *zip(r, y, strict=True), (0, height)], 10)


def cabriole_leg(rng: Random, height: float, thickness: float) -> Mesh:
    out = np.array([0.1, -0.02, 0.0, 0.08, 0.1, 0.0]) * height * 0.6
    path = np.column_stack([out, np.array([0, 0.08, 0.35, 0.7, 0.85, 1]) * height, out])
    return tube(path, [thickness * swell for swell in (0.5, 0.35, 0.35, 0.55, 0.65, 0.6)])


LEGS: dict[str, Callable[[Random, float, float], Mesh]] = {
    "square": square_leg,
    "round": round_leg,
    "tapered": tapered_leg,
    "splayed": splayed_leg,
    "turned": turned_leg,
    "cabriole": cabriole_leg,
}


def legs(
    rng: Random,
    width: float,
    depth: float,
    height: float,
    kinds: Sequence[str] = tuple(LEGS),
    thickness: tuple[float, float] = (0.028, 0.06),
) -> Mesh:
    """Four legs of one kind from the floor up to `height`, within a rectangle width x depth at the top."""
    t = rng.uniform(*thickness)
    leg = LEGS[pick(rng, kinds)](rng, height, t)
    return four(leg.moved(width / 2 - 0.6 * t, 0, depth / 2 - 0.6 * t))


def feet(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Short feet below an upholstered body: blocks, buns, cones or thin pins."""
    kind = pick(rng, ("block", "bun", "cone", "pin"))
    r = rng.uniform(0.02, 0.05) if kind != "pin" else 0.012
    if kind == "block":
        foot = slab(2 * r, height, 2 * r)
    elif kind == "bun":
        foot = ellipsoid(2.4 * r, height, 2.4 * r, 10).moved(y=height / 2)
    else:
        foot = cylinder(r * 0.6, height, r, segments=10).moved(y=height / 2)
    return four(foot.moved(width / 2 - 1.5 * r, 0, depth / 2 - 1.5 * r))


def stretchers(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Bars between four legs: side to side, an H, or a ring all round at one or two heights."""
    r = rng.uniform(0.008, 0.018)
    x, z = width / 2 - 0.03, depth / 2 - 0.03
    low, high = height * rng.uniform(0.2, 0.4), height * rng.uniform(0.45, 0.65)
    bars = [both(rod((x, low, -z), (x, low, z), r))]
    kind = pick(rng, ("sides", "h", "ring", "double"))
    if kind == "h":
        bars.append(rod((-x, low, 0), (x, low, 0), r))
    if kind in ("ring", "double"):
        front = rod((-x, high, z), (x, high, z), r)
        bars.append(both(front, "z"))
    if kind == "double":
        bars.append(both(rod((x, high, -z), (x, high, z), r)))
    return join(*bars)


def caster(radius: float) -> Mesh:
    wheel = cylinder(radius, radius * 0.9, segments=10).turned("z", 90).moved(y=radius)
    return join(wheel, cylinder(radius * 0.3, radius, segments=6).moved(y=radius * 2))


def star_base(rng: Random, height: float) -> Mesh:
    """Spokes on casters or glides round a column that ends at `height`."""
    reach, wheel = rng.uniform(0.24, 0.36), rng.uniform(0.022, 0.035)
    count, casters = rng.randint(4, 6), chance(rng, 0.8)
    hub = 2.6 * wheel + rng.uniform(0, 0.05)
    spoke = rod((0, hub, 0), (reach, 2.2 * wheel if casters else 0.015, 0), 0.026, 0.016)
    if casters:
        spoke = join(spoke, caster(wheel).moved(reach))
    column = cylinder(0.035, 0.6 * (height - hub), segments=10).moved(y=hub + 0.3 * (height - hub))
    piston = cylinder(0.02, height - hub, segments=8).moved(y=(height + hub) / 2)
    return join(ring_of(spoke, count, 18), column, piston, slab(0.2, 0.03, 0.22, height - 0.03))


def disc_base(rng: Random, height: float) -> Mesh:
    """A round foot flaring out of a column: trumpet or flat plate."""
    foot, neck = rng.uniform(0.17, 0.28), rng.uniform(0.02, 0.045)
    swell = rng.uniform(0.06, 0.5) * height
    plate = [(0, 0), (foot, 0), (foot, 0.012), (foot * 0.5, 0.2 * swell)]
    column = [(neck, swell), (neck, 0.8 * height), (neck * rng.uniform(1, 3), height), (0, height)]
    return lathe(plate + column, 16)


def sled_base(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Bent tubes that run along the floor on both sides."""
    r, x, z = rng.uniform(0.007, 0.015), width / 2, depth / 2
    lean = rng.uniform(0, 0.05)
    path = [(0.7 * x, height, z * 0.6), (x, r, z + lean), (x, r, -z - lean), (0.7 * x, height, -z * 0.6)]
    bar = rod((-0.7 * x, height, 0.6 * z), (0.7 * x, height, 0.6 * z), r)
    return join(both(tube(rounded(path), r, 6)), both(bar, "z"))


def pedestal(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Any base that may carry a molded seat."""
    kind = pick(rng, ("legs", "star", "disc", "sled"))
    if kind == "star":
        return star_base(rng, height)
    if kind == "disc":
        return disc_base(rng, height)
    if kind == "sled":
        return sled_base(rng, width * 0.9, depth * 0.85, height)
    return legs(rng, width * 0.75, depth * 0.75, height, ("splayed", "round"), (0.02, 0.045))


def posts(width: float, height: float, thickness: float) -> Mesh:
    return both(slab(thickness, height, thickness, x=(width - thickness) / 2))


def slatted_back(rng: Random, width: float, height: float) -> Mesh:
    count, bow = rng.randint(3, 8), rng.uniform(0, 0.05)
    slat = slab(width / count * rng.uniform(0.25, 0.7), height * 0.92, 0.014)
    slats = [slat.moved(x, 0, bow * ((2 * x / width) ** 2 - 1)) for x in spread(count, width * 0.9)]
    top = curved_board(width, rng.uniform(0.04, 0.12), 0.025, bow, height * 0.88)
    return join(posts(width, height * 0.9, 0.03), top, *slats)


def ladder_back(rng: Random, width: float, height: float) -> Mesh:
    count, bow = rng.randint(2, 6), rng.uniform(0, 0.05)
    slat = height / count * rng.uniform(0.3, 0.65)
    boards = [curved_board(width * 0.95, slat, 0.016, bow, y - slat / 2) for y in spread(count, height) + height / 2]
    return join(posts(width, height * rng.uniform(1, 1.1), rng.uniform(0.025, 0.04)), *boards)


def panel_back(rng: Random, width: float, height: float) -> Mesh:
    lift = rng.uniform(0, 0.4) * height
    panel = curved_board(width, height - lift, rng.uniform(0.012, 0.035), rng.uniform(0, 0.07), lift)
    return join(panel, posts(width * 0.9, height * 0.97, 0.025).moved(z=-0.02))


def spindle_back(rng: Random, width: float, height: float) -> Mesh:
    count = rng.randint(4, 9)
    spindle = cylinder(rng.uniform(0.006, 0.011), height, segments=6).moved(y=height / 2)
    fan = [spindle.moved(x).turned("z", -x / width * 12) for x in spread(count, width * 0.85)]
    return join(*fan, curved_board(width * 1.1, rng.uniform(0.05, 0.1), 0.022, rng.uniform(0, 0.04), height * 0.95))


def splat_back(rng: Random, width: float, height: float) -> Mesh:
    """One shaped board in the middle between posts, as on Queen Anne chairs."""
    y = np.linspace(0, height * 0.95, 9)
    half = width * rng.uniform(0.1, 0.25) * (1 + rng.uniform(0.1, 0.5) * np.sin(y / height * rng.uniform(4, 9)))
    outline = [*zip(half, y, strict=True), *zip(-half[::-1], y[::-1], strict=True)]
    crest = curved_board(width * 1.05, rng.uniform(0.05, 0.1), 0.03, 0.02, height * 0.93)
    return join(posts(width, height, 0.03), extrude(outline, 0.015), crest)


def crossed_back(rng: Random, width: float, height: float) -> Mesh:
    x = width / 2 - 0.02
    bars = both(rod((-x, height * 0.1, 0), (x, height * 0.9, 0), rng.uniform(0.009, 0.016)))
    return join(posts(width, height, 0.03), bars, slab(width, 0.05, 0.025, height - 0.05))


def padded_back(rng: Random, width: float, height: float) -> Mesh:
    lift, thickness = rng.uniform(0, 0.3) * height, rng.uniform(0.035, 0.1)
    back = soft(width, height - lift, thickness, lift, edge=rng.uniform(0.15, 0.45))
    return join(back, posts(width * 0.85, height * 0.9, 0.025).moved(z=-thickness * 0.3))


def hooped_back(rng: Random, width: float, height: float) -> Mesh:
    """A bent hoop, empty or with a pad, a round medallion or bars inside."""
    a = np.linspace(0, np.pi, 13)
    hoop = np.column_stack([np.cos(a) * width / 2, np.sin(a) ** 0.7 * height, np.zeros(13)])
    parts = [tube(hoop, rng.uniform(0.01, 0.02), 6)]
    kind = pick(rng, ("pad", "bars", "inner", "rail"))
    if kind == "pad":
        parts.append(cushion(width * 0.9, height * 0.7, 0.05, 0.6).moved(y=height * 0.62))
    elif kind == "bars":
        parts += [slab(0.014, height * 0.95 * (1 - (2 * x / width) ** 4), 0.014, x=x) for x in spread(5, width * 0.9)]
    elif kind == "inner":
        parts.append(tube(hoop * [0.6, 0.7, 1], 0.009, 6))
    else:
        parts.append(slab(width * 0.95, 0.06, 0.016, height * 0.45))
    return join(*parts)


BACKS: tuple[Callable[[Random, float, float], Mesh], ...] = (
    slatted_back,
    ladder_back,
    panel_back,
    spindle_back,
    splat_back,
    crossed_back,
    padded_back,
    hooped_back,
)


def backrest(rng: Random, width: float, height: float, tilt: tuple[float, float] = (2, 14)) -> Mesh:
    """A back of any kind with its foot at the origin, leaning to -z."""
    return pick(rng, BACKS)(rng, width, height).turned("x", -rng.uniform(*tilt))


def open_arms(rng: Random, width: float, depth: float, seat: float) -> Mesh:
    """Two arm rests on posts: flat boards, tubes or pads."""
    y, x, z = seat + rng.uniform(0.16, 0.26), width / 2, depth / 2
    front = z * rng.uniform(0.3, 0.95)
    kind = pick(rng, ("board", "tube", "pad"))
    if kind == "tube":
        path = rounded([(x, seat, front), (x, y, front), (x, y + 0.02, -z)])
        return both(tube(path, rng.uniform(0.009, 0.018), 6))
    rest = slab(rng.uniform(0.03, 0.07), 0.025, depth, y) if kind == "board" else soft(0.06, 0.05, depth * 0.8, y)
    post = rod((0, seat - 0.02, front), (0, y, front), rng.uniform(0.01, 0.02))
    return both(join(rest, post).moved(x))

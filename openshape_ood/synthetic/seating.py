"""Seating and bedding: chairs, sofas, beds, benches, stools, pillows and ottomans.

Heights and widths follow real furniture (a dining seat at about 0.45 m, a double mattress of
1.4 x 2.0 m). Backs and headboards are at -z, so that every piece faces +z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


# --- drawing and placing ------------------------------------------------------------------------


def chance(rng: Random, probability: float) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, options: Sequence[str]) -> str:
    return options[rng.randint(len(options))]


def slab(width: float, height: float, depth: float, y: float = 0.0, x: float = 0.0, z: float = 0.0) -> Mesh:
    """A box whose underside lies at height `y`."""
    return box(width, height, depth).moved(x, y + height / 2, z)


def soft(
    width: float, height: float, depth: float, y: float = 0.0, x: float = 0.0, z: float = 0.0, edge: float = 0.2
) -> Mesh:
    """A cushion whose underside lies at height `y`; `edge` 0.1 is crisp, 1 an ellipsoid."""
    return cushion(width, height, depth, edge).moved(x, y + height / 2, z)


def disc(radius: float, height: float, y: float = 0.0) -> Mesh:
    return cylinder(radius, height, segments=22).moved(y=y + height / 2)


def pair(mesh: Mesh) -> Mesh:
    """The mesh and its mirror image in x."""
    return join(mesh, mesh.mirrored("x"))


def four(mesh: Mesh) -> Mesh:
    """The mesh mirrored into all four quarters of the floor."""
    both = pair(mesh)
    return join(both, both.mirrored("z"))


def spread(count: int, width: float) -> np.ndarray:
    """The middles (count,) of equal cells that fill `width` about 0."""
    return ((np.arange(count) + 0.5) / count - 0.5) * width


def row(mesh: Mesh, xs: Sequence[float] | np.ndarray) -> Mesh:
    return join(*[mesh.moved(x) for x in xs])


def ring_of(mesh: Mesh, count: int, start: float = 0.0) -> Mesh:
    """Copies of the mesh turned evenly about the y axis."""
    return join(*[mesh.turned("y", start + 360 * i / count) for i in range(count)])


def rails(width: float, height: float, depth: float, thickness: float, y: float = 0.0) -> Mesh:
    """Four boards on edge: an apron or a bed frame without top or bottom."""
    side = slab(thickness, height, depth, y, x=(width - thickness) / 2)
    end = slab(width - 2 * thickness, height, thickness, y, z=(depth - thickness) / 2)
    return join(pair(side), end, end.mirrored("z"))


# --- bent forms ---------------------------------------------------------------------------------


def surface(grid: np.ndarray) -> Mesh:
    """The surface through a grid (rows, columns, 3) of points."""
    return sheet(lambda u, v: grid, *grid.shape[:2])


def thick(grid: np.ndarray, offset: np.ndarray) -> Mesh:
    """The surface through `grid` doubled at `offset` (broadcast to the grid) and closed along its sides."""
    other = (grid + offset)[:, ::-1]
    loop = np.concatenate([grid, other, grid[:, :1]], axis=1)
    ends = [np.broadcast_to(loop[i].mean(axis=0), loop[:1].shape) for i in (0, -1)]
    return surface(np.concatenate([ends[0], loop, ends[1]]))


def normals(path: np.ndarray) -> np.ndarray:
    """Unit normals (m, 2) of a plane polyline (m, 2), to the left of its direction."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    return np.column_stack([-along[:, 1], along[:, 0]])


def ribbon(path: Sequence[Sequence[float]] | np.ndarray, width: float, thickness: float) -> Mesh:
    """A board of the given width along x that follows a polyline of (z, y) points."""
    p = np.asarray(path, dtype=np.float64)
    grid = np.stack([np.column_stack([np.full(len(p), x), p[:, 1], p[:, 0]]) for x in (-width / 2, width / 2)], axis=1)
    n = normals(p)
    return thick(grid, thickness * np.column_stack([np.zeros(len(p)), n[:, 1], n[:, 0]])[:, None])


def rounded(points: Sequence[Sequence[float]] | np.ndarray, rounds: int = 2) -> np.ndarray:
    """A polyline with its corners cut `rounds` times (Chaikin); the ends stay."""
    p = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        near, far = 0.75 * p[:-1] + 0.25 * p[1:], 0.25 * p[:-1] + 0.75 * p[1:]
        p = np.concatenate([p[:1], np.stack([near, far], axis=1).reshape(-1, p.shape[1])[1:-1], p[-1:]])
    return p


def curved_board(width: float, height: float, thickness: float, bow: float, y: float = 0.0) -> Mesh:
    """An upright board along x whose middle stands back by `bow`."""
    x = np.linspace(-1, 1, 9)
    edges = [np.column_stack([x * width / 2, np.full(9, h), bow * (x**2 - 1)]) for h in (y, y + height)]
    return thick(np.stack(edges, axis=1), np.array([0, 0, -thickness]))


def curved_wall(
    radius: float,
    thickness: float,
    bottom: float,
    top: np.ndarray,
    degrees: float,
    flare: float = 1.0,
    deep: float = 1.0,
) -> Mesh:
    """An upright wall about the y axis, open to +z; `top` holds its height at even steps of the arc."""
    angle = np.radians(np.linspace(-degrees / 2, degrees / 2, len(top)))
    outline = np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle) * deep], axis=1)
    low, upper = np.full_like(angle, bottom), radius * flare
    rings = [(radius, low), (upper, top), (upper - thickness, top), (radius - thickness, low), (radius, low)]
    lines = [outline * r + np.outer(height, [0, 1, 0]) for r, height in rings]
    grid = np.stack(lines, axis=1)
    ends = [np.broadcast_to(grid[i].mean(axis=0), grid[:1].shape) for i in (0, -1)]
    return surface(np.concatenate([ends[0], grid, ends[1]]))


def shell(rng: Random, width: float, depth: float, height: float, wings: float) -> Mesh:
    """A moulded seat with its back, seat at y = 0; `wings` lifts its sides like low arms."""
    profile = rounded([(depth / 2, -0.03), (0.2 * depth, 0.01), (-0.45 * depth, -0.03), (-0.62 * depth, height)], 3)
    t = np.linspace(0, 1, len(profile))[:, None]
    across = np.linspace(-1, 1, 9)[None]
    span = width / 2 * (1 - rng.uniform(0, 0.25) * t**2) * np.sqrt(np.clip(1 - 0.5 * (2 * t - 1) ** 8, 0, 1))
    rise = across**4 * (0.03 + wings * np.sin(np.pi * np.clip(1.25 * t - 0.1, 0, 1)) ** 2)
    hug = across**2 * rng.uniform(0.02, 0.12) * t
    grid = np.stack([span * across, profile[:, 1:] + rise, profile[:, :1] + hug], axis=-1)
    n = normals(profile) * rng.uniform(0.008, 0.03)
    return thick(grid, np.column_stack([np.zeros(len(n)), n[:, 1], n[:, 0]])[:, None])


def pad(width: float, thickness: float, depth: float, power: float = 0.5, pinch: float = 0.08) -> Mesh:
    """A sewn cushion lying flat about the origin: full in the middle, thin at the seam, corners drawn out."""
    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 11))
    u, v = np.meshgrid(t, t, indexing="ij")
    y = ((1 - u**2) * (1 - v**2)) ** power
    x, z = u * (1 - pinch * (1 - v**2)), v * (1 - pinch * (1 - u**2))
    top = surface(np.stack([x * width, y * thickness, z * depth], axis=-1) / 2)
    return join(top, top.mirrored("y"))


def sewn(rng: Random, width: float, thickness: float, depth: float) -> Mesh:
    """A throw or bed pillow lying flat: pinched at the seams or stuffed tight."""
    if chance(rng, 0.3):
        return cushion(width, thickness, depth, rng.uniform(0.3, 0.6))
    return pad(width, thickness, depth, rng.uniform(0.3, 0.65), rng.uniform(0, 0.12))


# --- legs and bases -----------------------------------------------------------------------------


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
    """Four legs of one kind from the floor up to `height`, inside width x depth at their tops."""
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
    bars = [pair(rod((x, low, -z), (x, low, z), r))]
    kind = pick(rng, ("sides", "h", "ring", "double"))
    if kind == "h":
        bars.append(rod((-x, low, 0), (x, low, 0), r))
    if kind in ("ring", "double"):
        front = rod((-x, high, z), (x, high, z), r)
        bars += [front, front.mirrored("z")]
    if kind == "double":
        bars.append(pair(rod((x, high, -z), (x, high, z), r)))
    return join(*bars)


def castor(radius: float) -> Mesh:
    wheel = cylinder(radius, radius * 0.9, segments=10).turned("z", 90).moved(y=radius)
    return join(wheel, cylinder(radius * 0.3, radius, segments=6).moved(y=radius * 2))


def star_base(rng: Random, height: float) -> Mesh:
    """Spokes on castors or glides round a column that ends at `height`."""
    reach, wheel = rng.uniform(0.24, 0.36), rng.uniform(0.022, 0.035)
    count, castors = rng.randint(4, 6), chance(rng, 0.8)
    hub = 2.6 * wheel + rng.uniform(0, 0.05)
    spoke = rod((0, hub, 0), (reach, 2.2 * wheel if castors else 0.015, 0), 0.026, 0.016)
    if castors:
        spoke = join(spoke, castor(wheel).moved(reach))
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
    return join(pair(tube(rounded(path), r, 6)), bar, bar.mirrored("z"))


def pedestal(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Any base that may carry a moulded seat."""
    kind = pick(rng, ("legs", "star", "disc", "sled"))
    if kind == "star":
        return star_base(rng, height)
    if kind == "disc":
        return disc_base(rng, height)
    if kind == "sled":
        return sled_base(rng, width * 0.9, depth * 0.85, height)
    return legs(rng, width * 0.75, depth * 0.75, height, ("splayed", "round"), (0.02, 0.045))


# --- backs and arms of chairs -------------------------------------------------------------------


def posts(width: float, height: float, thickness: float) -> Mesh:
    return pair(slab(thickness, height, thickness, x=(width - thickness) / 2))


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
    bars = pair(rod((-x, height * 0.1, 0), (x, height * 0.9, 0), rng.uniform(0.009, 0.016)))
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
    return BACKS[rng.randint(len(BACKS))](rng, width, height).turned("x", -rng.uniform(*tilt))


def open_arms(rng: Random, width: float, depth: float, seat: float) -> Mesh:
    """Two arm rests on posts: flat boards, tubes or pads."""
    y, x, z = seat + rng.uniform(0.16, 0.26), width / 2, depth / 2
    front = z * rng.uniform(0.3, 0.95)
    kind = pick(rng, ("board", "tube", "pad"))
    if kind == "tube":
        path = rounded([(x, seat, front), (x, y, front), (x, y + 0.02, -z)])
        return pair(tube(path, rng.uniform(0.009, 0.018), 6))
    rest = slab(rng.uniform(0.03, 0.07), 0.025, depth, y) if kind == "board" else soft(0.06, 0.05, depth * 0.8, y)
    post = rod((0, seat - 0.02, front), (0, y, front), rng.uniform(0.01, 0.02))
    return pair(join(rest, post).moved(x))


def seat_plate(rng: Random, width: float, depth: float, y: float) -> tuple[Mesh, float]:
    """A seat whose underside lies at `y` and the height of its top: board, pad, disc or trapezium."""
    kind = pick(rng, ("board", "pad", "both", "disc", "wedge"))
    t = rng.uniform(0.05, 0.11) if kind in ("pad", "both") else rng.uniform(0.018, 0.05)
    if kind == "pad":
        return soft(width, t, depth, y, edge=rng.uniform(0.12, 0.4)), y + t
    if kind == "both":
        top = soft(width * 0.95, t, depth * 0.95, y + 0.02, edge=rng.uniform(0.3, 0.5))
        return join(rails(width, 0.05, depth, 0.025, y - 0.02), top), y + t + 0.02
    if kind == "disc":
        return disc(0.5, t, y).scaled(width, 1, depth), y + t
    narrow = rng.uniform(0.75, 1)
    return slab(width, t, depth, y).deformed(lambda p: narrowed(p, narrow, depth)), y + t


def narrowed(points: np.ndarray, factor: float, depth: float) -> np.ndarray:
    """x scaled from 1 at the front to `factor` at the back."""
    points[:, 0] *= factor + (1 - factor) * (points[:, 2] / depth + 0.5)
    return points


# --- chair --------------------------------------------------------------------------------------


def four_leg_chair(rng: Random) -> Mesh:
    w, d, under = rng.uniform(0.37, 0.56), rng.uniform(0.37, 0.54), rng.uniform(0.37, 0.48)
    seat, top = seat_plate(rng, w, d, under)
    back = backrest(rng, w * rng.uniform(0.75, 1), rng.uniform(0.3, 0.68)).moved(0, top - 0.02, -d / 2 + 0.03)
    parts = [seat, back, legs(rng, w * 0.95, d * 0.95, under)]
    if chance(rng, 0.4):
        parts.append(stretchers(rng, w * 0.95, d * 0.95, under))
    if chance(rng, 0.3):
        parts.append(open_arms(rng, w * 1.02, d, top))
    return join(*parts)


def post_chair(rng: Random) -> Mesh:
    """Rear legs that run on straight into the posts of the back."""
    w, d, h, t = rng.uniform(0.38, 0.52), rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.48), rng.uniform(0.025, 0.045)
    rise = rng.uniform(0.35, 0.7)
    lean = rise * rng.uniform(0.05, 0.22)
    rear = [(-d / 2 - rng.uniform(0, 0.06), 0), (-d / 2, h * 0.8), (-d / 2, h), (-d / 2 - lean, h + rise)]
    parts = [pair(ribbon(rear, t, t).moved(w / 2 - t / 2)), pair(slab(t, h, t, x=w / 2 - t / 2, z=d / 2 - t / 2))]
    parts += [rails(w, 0.06, d, 0.02, h - 0.06), soft(w, rng.uniform(0.025, 0.08), d, h - 0.01)]
    fill = pick(rng, ("ladder", "slats", "panel"))
    tilt = np.degrees(np.arctan2(lean, rise))
    if fill == "slats":
        bars = row(slab(0.025, rise * 0.85, 0.014, 0.05), spread(rng.randint(3, 7), w - 2 * t))
        infill = join(bars, slab(w - t, 0.07, 0.022, rise - 0.07), slab(w - t, 0.03, 0.02, 0.04))
    elif fill == "ladder":
        infill = join(*[slab(w - t, 0.05, 0.018, y) for y in np.linspace(0.12, rise - 0.05, rng.randint(2, 5))])
    else:
        infill = soft(w - t, rise * rng.uniform(0.5, 0.9), 0.05, rise * 0.1)
    parts.append(infill.turned("x", -tilt).moved(0, h, -d / 2 - t / 2))
    if chance(rng, 0.3):
        parts.append(open_arms(rng, w, d, h))
    return join(*parts, stretchers(rng, w, d, h)) if chance(rng, 0.5) else join(*parts)


def parsons_chair(rng: Random) -> Mesh:
    """A dining chair upholstered all over."""
    w, d, under, t = rng.uniform(0.42, 0.6), rng.uniform(0.42, 0.58), rng.uniform(0.26, 0.4), rng.uniform(0.08, 0.16)
    r, thickness = rng.uniform(0.1, 0.3), rng.uniform(0.06, 0.13)
    back = soft(w * rng.uniform(0.9, 1), rng.uniform(0.4, 0.75), thickness, edge=r)
    back = back.turned("x", -rng.uniform(0, 12)).moved(0, under + t * 0.4, -d / 2 + thickness / 2)
    parts = [soft(w, t, d, under, edge=r), back, legs(rng, w * 0.94, d * 0.94, under + 0.02)]
    if chance(rng, 0.35):
        parts.append(pair(soft(0.07, t + 0.22, d * 0.9, under, x=w / 2, edge=0.3)))
    return join(*parts)


def wing_chair(rng: Random) -> Mesh:
    w, d, foot = rng.uniform(0.62, 0.85), rng.uniform(0.6, 0.85), rng.uniform(0.06, 0.22)
    seat, t = rng.uniform(0.38, 0.48), rng.uniform(0.07, 0.13)
    rise = rng.uniform(0.55, 0.8)
    back = soft(w, rise, t * 1.4, edge=0.2)
    wing = extrude([(0, 0), (0.16, 0.05), (0.24, 0.6 * rise), (0.14, rise), (0, rise)], t * 0.7).turned("y", -90)
    wings = pair(wing.moved(w / 2 - t * 0.35, 0, 0.02))
    top = join(back, wings).turned("x", -rng.uniform(3, 14)).moved(0, seat - 0.05, -d / 2 + t * 0.7)
    arm = soft(t * 1.2, rng.uniform(0.16, 0.24), d, seat - 0.02, x=w / 2, edge=rng.uniform(0.3, 0.6))
    body = soft(w, seat - foot - 0.06, d, foot, edge=0.12)
    pillow = soft(w - t, 0.13, d * 0.9, seat - 0.09, z=0.04, edge=0.3)
    return join(top, pair(arm), body, pillow, legs(rng, w, d * 0.92, foot + 0.03, ("tapered", "turned", "cabriole")))


def office_back(rng: Random, width: float, height: float, thickness: float) -> Mesh:
    kind = pick(rng, ("cushion", "curve", "frame"))
    if kind == "cushion":
        return soft(width, height, thickness, edge=rng.uniform(0.25, 0.5))
    profile = np.linspace(0, 1, 9)
    path = np.column_stack([0.05 * np.sin(profile * 5 + 0.5), profile * height])
    panel = ribbon(path, width, thickness * 0.4 if kind == "curve" else 0.012)
    return panel if kind == "curve" else join(panel, pair(ribbon(path, 0.03, 0.03).moved(width / 2)))


def office_arms(rng: Random, width: float, depth: float, seat: float) -> Mesh:
    y, x = seat + rng.uniform(0.16, 0.24), width / 2 + 0.03
    rest = soft(0.08, 0.035, depth * rng.uniform(0.45, 0.7), y, x=x)
    if chance(rng, 0.5):
        stem = join(slab(0.03, y - seat + 0.05, 0.06, seat - 0.05, x=x), slab(0.1, 0.02, 0.05, seat - 0.06, x=x - 0.05))
        return pair(join(rest, stem))
    z = depth * 0.3
    loop = rounded([(x - 0.04, seat - 0.03, z * 0.6), (x, seat, z), (x, y, z), (x, y, -z), (x - 0.04, seat - 0.03, -z)])
    return pair(join(rest, tube(loop, 0.015, 6)))


def swivel_chair(rng: Random) -> Mesh:
    w, d, seat = rng.uniform(0.42, 0.56), rng.uniform(0.42, 0.54), rng.uniform(0.4, 0.54)
    t, rise, gap = rng.uniform(0.05, 0.11), rng.uniform(0.32, 0.78), rng.uniform(0, 0.14)
    back = office_back(rng, w * rng.uniform(0.75, 1), rise, t)
    if chance(rng, 0.3):
        back = join(back, soft(w * 0.6, 0.16, 0.07, rise + 0.03, edge=0.4), slab(0.05, 0.1, 0.02, rise - 0.03))
    back = back.turned("x", -rng.uniform(2, 16)).moved(0, seat + gap, -d / 2 + 0.02)
    parts = [soft(w, t, d, seat - t, edge=rng.uniform(0.2, 0.4)), back, star_base(rng, seat - t * 0.7)]
    spine = [(-d * 0.2, seat - t), (-d / 2 - 0.03, seat - t), (-d / 2 - 0.05, seat + gap + 0.15)]
    parts.append(ribbon(rounded(spine), 0.07, 0.02))
    if chance(rng, 0.6):
        parts.append(office_arms(rng, w, d, seat))
    return join(*parts)


def cantilever_chair(rng: Random) -> Mesh:
    w, d, h, r = rng.uniform(0.42, 0.56), rng.uniform(0.42, 0.55), rng.uniform(0.41, 0.47), rng.uniform(0.009, 0.016)
    x, z, rise = w / 2, d / 2, rng.uniform(0.35, 0.55)
    side = [(x, r, -z), (x, r, z), (x, h, z * 1.05), (x, h, -z), (x, h + rise, -z - rng.uniform(0.04, 0.16))]
    parts = [pair(tube(rounded(side, 3), r, 6)), rod((-x, r, -z), (x, r, -z), r)]
    t = rng.uniform(0.02, 0.07)
    parts.append(soft(w * 0.97, t, d * 0.95, h - t * 0.3))
    pane = soft(w * 0.97, rise * rng.uniform(0.45, 0.9), t, rise * 0.1).turned("x", -10)
    parts.append(pane.moved(0, h + 0.05, -z - 0.02))
    if chance(rng, 0.4):
        arm = rounded([(x, h, z), (x, h + 0.22, z), (x, h + 0.22, -z - 0.05)])
        parts.append(pair(tube(arm, r * 1.2, 6).moved(0.02)))
    return join(*parts)


def club_chair(rng: Random) -> Mesh:
    """Upholstered armchair with closed sides down to the floor or onto short feet."""
    return couch(rng, rng.uniform(0.7, 1.05), 1)


def tub_chair(rng: Random) -> Mesh:
    """A round wall for back and arms about a thick seat."""
    r, t, foot = rng.uniform(0.3, 0.42), rng.uniform(0.05, 0.12), rng.uniform(0, 0.25)
    seat, rise, drop = rng.uniform(0.38, 0.47), rng.uniform(0.22, 0.45), rng.uniform(0, 0.2)
    bend = np.linspace(-1, 1, 17)
    top = seat + rise - drop * np.abs(bend) ** rng.uniform(1, 3)
    deep = rng.uniform(0.9, 1.1)
    wall = curved_wall(r, t, foot, top, rng.uniform(190, 270), rng.uniform(0.95, 1.12), deep)
    base = disc(r - t * 0.6, seat - foot - 0.05, foot).scaled(1, 1, deep)
    pad_top = cushion(2 * r - 1.6 * t, 0.13, 2 * r - 1.6 * t, 0.5).moved(0, seat - 0.04, 0.02)
    under = legs(rng, r * 1.4, r * 1.4, foot + 0.02) if foot > 0.05 else disc(r * 0.9, foot + 0.01)
    return join(wall, base, pad_top, under)


def folding_chair(rng: Random) -> Mesh:
    w, h, r = rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.47), rng.uniform(0.008, 0.014)
    x, reach, rise = w / 2, rng.uniform(0.2, 0.28), rng.uniform(0.3, 0.42)
    front = [(x, 0, reach), (x, h, -reach * 0.7), (x, h + rise, -reach * 0.7 - rise * rng.uniform(0.2, 0.5))]
    rear = rod((x - 0.03, 0, -reach * 1.1), (x - 0.03, h, reach * 0.8), r)
    bars = [rod((-x, y, z), (x, y, z), r) for y, z in ((0.08, reach * 0.75), (0.08, -reach * 0.8))]
    tilt = np.degrees(np.arctan2(front[1][2] - front[2][2], rise))
    if chance(rng, 0.5):
        seat = join(*[slab(w - 0.03, 0.016, 0.05, h, z=z) for z in spread(5, 0.38)])
        pane = join(*[slab(w, 0.05, 0.016, y) for y in (rise * 0.45, rise * 0.8)])
    else:
        seat, pane = soft(w - 0.02, rng.uniform(0.02, 0.05), 0.4, h, edge=0.25), slab(w, rise * 0.5, 0.02, rise * 0.5)
    pane = pane.turned("x", -tilt).moved(0, h, front[1][2])
    return join(pair(tube(front, r * 1.2, 6)), pair(rear), *bars, seat, pane)


def shell_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.42, 0.66), rng.uniform(0.4, 0.52), rng.uniform(0.36, 0.48)
    wings = rng.uniform(0.1, 0.2) if chance(rng, 0.5) else rng.uniform(0, 0.03)
    parts = [shell(rng, w, d, rng.uniform(0.3, 0.5), wings).moved(y=h + 0.03), pedestal(rng, w, d, h)]
    if chance(rng, 0.25):
        parts.append(cushion(w * 0.8, 0.05, d * 0.8, 0.5).moved(y=h + 0.05))
    return join(*parts)


def egg_chair(rng: Random) -> Mesh:
    """A deep rounded bowl on a swivel foot."""
    r, h, t = rng.uniform(0.36, 0.5), rng.uniform(0.32, 0.42), rng.uniform(0.03, 0.08)
    rise = rng.uniform(0.45, 0.85)
    bend = np.abs(np.linspace(-1, 1, 17))
    top = h + 0.22 + (rise - 0.22) * np.cos(bend * np.pi / 2) ** rng.uniform(0.5, 1.5)
    wall = curved_wall(r * 0.75, t, h - 0.05, top, rng.uniform(210, 260), rng.uniform(1.2, 1.4))
    bowl = ellipsoid(1.5 * r, 0.16, 1.5 * r).moved(y=h - 0.03)
    seat = cushion(r * 1.35, 0.14, r * 1.35, 0.6).moved(y=h + 0.06)
    return join(wall, bowl, seat, disc_base(rng, h - 0.08) if chance(rng, 0.6) else star_base(rng, h - 0.08))


def rocking_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.46, 0.6), rng.uniform(0.44, 0.55), rng.uniform(0.36, 0.42)
    seat, top = seat_plate(rng, w, d, h)
    back = backrest(rng, w * 0.9, rng.uniform(0.5, 0.8), (10, 22)).moved(0, top - 0.02, -d / 2 + 0.03)
    z = np.linspace(-1, 1, 11) * d * rng.uniform(0.75, 1.0) - 0.06
    runner = ribbon(np.column_stack([z, 0.32 * (z + 0.06) ** 2]), rng.uniform(0.025, 0.05), 0.03)
    stand = legs(rng, w, d * 0.9, h, ("square", "round", "turned")).moved(y=0.03)
    frame = join(seat, back, stand, pair(runner.moved(w / 2 - 0.03)))
    return join(frame, open_arms(rng, w * 1.05, d, top)) if chance(rng, 0.85) else frame


def low_back_chair(rng: Random) -> Mesh:
    """A round seat with a low bent rail, close to a stool."""
    r, h = rng.uniform(0.18, 0.24), rng.uniform(0.42, 0.7)
    seat = disc(r, 0.03, h) if chance(rng, 0.5) else cushion(2 * r, 0.08, 2 * r, 0.4).moved(y=h + 0.02)
    rise, band = rng.uniform(0.14, 0.3), rng.uniform(0.05, 0.12)
    span = rng.uniform(110, 210)
    rail = curved_wall(r * 1.05, 0.022, h + rise, np.full(13, h + rise + band), span)
    angles = np.linspace(-span / 2.3, span / 2.3, rng.randint(3, 7))
    stick = rod((0, h, -r * 0.95), (0, h + rise + 0.02, -r * 1.02), 0.009)
    parts = [seat, rail, *[stick.turned("y", a) for a in angles], legs(rng, r * 1.6, r * 1.6, h)]
    return join(*parts, torus(r * 1.0, 0.01).moved(y=h * 0.35)) if h > 0.55 else join(*parts)


def throne(rng: Random) -> Mesh:
    w, d, h, rise = rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.75), rng.uniform(0.42, 0.55), rng.uniform(0.8, 1.4)
    t, crest = rng.uniform(0.06, 0.1), rng.uniform(0.05, 0.3)
    y = np.linspace(0, np.pi, 9)
    arch = [(-w / 2 * np.cos(a), rise + crest * np.sin(a)) for a in y]
    back = extrude([(w / 2, 0), *arch[::-1], (-w / 2, 0)], t).moved(0, h - 0.1, -d / 2)
    post = join(slab(t, h + rise, t, x=w / 2), ellipsoid(t * 1.4, t * 1.8, t * 1.4, 10).moved(w / 2, h + rise + t / 2))
    arm = join(slab(t, 0.06, d, h + 0.22, x=w / 2), slab(t, h + 0.22, t, x=w / 2, z=d / 2 - t / 2))
    sides = [slab(0.03, h + 0.2, d - t, x=w / 2)] if chance(rng, 0.4) else []
    parts = [back, pair(post.moved(z=-d / 2)), pair(join(arm, *sides)), soft(w, 0.1, d, h - 0.02)]
    parts.append(slab(w, h, d) if chance(rng, 0.4) else rails(w, 0.12, d, 0.04, h - 0.12))
    if chance(rng, 0.3):
        parts = [join(*parts).moved(y=0.12), slab(w * 1.4, 0.12, d * 1.5)]
    return join(*parts)


def windsor_chair(rng: Random) -> Mesh:
    w, d, h, rise = rng.uniform(0.42, 0.55), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.46), rng.uniform(0.4, 0.68)
    seat = cushion(w, 0.05, d, 0.5).moved(y=h)
    a = np.linspace(0, np.pi, 13)
    hoop = tube(np.column_stack([np.cos(a) * w * 0.42, np.sin(a) ** 0.6 * rise, np.zeros(13)]), 0.011, 6)
    xs = spread(rng.randint(5, 10), w * 0.72)
    sticks = [rod((x * 0.75, 0, 0), (x, rise * (1 - (2 * x / w / 0.85) ** 2) ** 0.3, 0), 0.006) for x in xs]
    back = join(hoop, *sticks).turned("x", -rng.uniform(6, 16)).moved(0, h, -d * 0.42)
    parts = [seat, back, legs(rng, w * 0.75, d * 0.75, h, ("splayed",)), stretchers(rng, w * 0.85, d * 0.85, h)]
    if chance(rng, 0.5):
        parts.append(curved_wall(w * 0.56, 0.04, h + 0.22, np.full(13, h + 0.245), 220, deep=0.85))
        stick = rod((0, h, -w * 0.44), (0, h + 0.23, -w * 0.52), 0.008)
        parts += [stick.turned("y", s * angle) for s in (-1, 1) for angle in (70, 95)]
    return join(*parts)


def recliner(rng: Random) -> Mesh:
    w, d, seat, arm = rng.uniform(0.75, 0.95), rng.uniform(0.6, 0.75), rng.uniform(0.4, 0.48), rng.uniform(0.1, 0.18)
    inner, tilt = w - 2 * arm, rng.uniform(12, 45)
    body = slab(w - 0.02, seat - 0.14, d, 0.03)
    sides = pair(soft(arm, seat + 0.14, d, 0.02, x=(w - arm) / 2, edge=rng.uniform(0.12, 0.35)))
    rise = rng.uniform(0.6, 0.75)
    rolls = join(*[soft(inner, rise / 3 * 1.04, 0.18, rise / 3 * i, edge=0.4) for i in range(3)])
    back = rolls.turned("x", -tilt).moved(0, seat - 0.06, -d / 2 + 0.1)
    pillow = soft(inner, 0.16, d * 0.95, seat - 0.14, z=0.06, edge=0.3)
    rest = soft(inner, 0.1, rng.uniform(0.3, 0.42), edge=0.3).moved(z=0.2)
    rest = rest.turned("x", rng.uniform(0, 85)).moved(0, seat - 0.12, d / 2 + 0.05)
    return join(body, sides, back, pillow, rest)


def lounge_chair(rng: Random) -> Mesh:
    """A reclined sling or padded curve between bent wooden or metal sides."""
    w, d, h = rng.uniform(0.52, 0.7), rng.uniform(0.5, 0.65), rng.uniform(0.34, 0.42)
    rise, lean = rng.uniform(0.45, 0.7), rng.uniform(0.2, 0.45)
    curve = rounded([(d / 2, h), (-d / 2, h - 0.1), (-d / 2 - lean, h - 0.1 + rise)], 3)
    t = rng.uniform(0.02, 0.12)
    parts = [ribbon(curve, w - 0.06, t)]
    if chance(rng, 0.35):
        return join(*parts, star_base(rng, h - 0.1), pair(soft(0.08, 0.06, d * 0.7, h + 0.1, x=w / 2)))
    x, z, arm = w / 2, d / 2, h + rng.uniform(0.12, 0.2)
    if chance(rng, 0.5):
        loop = [(z * 1.0, 0.0), (z * 1.05, arm), (-z * 1.2, arm - 0.06)]
        side = [ribbon(rounded(loop, 3), 0.05, 0.025), ribbon([(z, 0), (-z * 1.3, 0)], 0.05, 0.025)]
        side.append(ribbon([(-z * 1.2, 0), (-z * 1.1, arm)], 0.05, 0.025))
    else:
        side = [slab(0.04, arm, 0.05, z=z * 0.9), slab(0.04, arm - 0.05, 0.05, z=-z * 0.9)]
        side.append(slab(0.07, 0.025, d * 1.1, arm))
    parts.append(pair(join(*side).moved(x)))
    bars = [slab(w, 0.05, 0.025, h - 0.08, z=z * 0.8), slab(w, 0.05, 0.025, h - 0.16, z=-z * 0.9)]
    return join(*parts, *bars)


def tulip_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.46, 0.62), rng.uniform(0.44, 0.54), rng.uniform(0.38, 0.44)
    body = shell(rng, w, d, rng.uniform(0.32, 0.42), rng.uniform(0.05, 0.18)).moved(y=h + 0.03)
    return join(body, disc_base(rng, h), cushion(w * 0.75, 0.05, d * 0.75, 0.6).moved(y=h + 0.04))


def director_chair(rng: Random) -> Mesh:
    w, d, h, r = rng.uniform(0.48, 0.6), rng.uniform(0.38, 0.46), rng.uniform(0.42, 0.5), rng.uniform(0.01, 0.018)
    x, z, arm = w / 2, d / 2, h + rng.uniform(0.18, 0.24)
    cross = pair(rod((-x, 0.03, z), (x, h, z), r))
    side = [slab(0.03, arm - h, 0.03, h, z=z * 0.9), slab(0.03, arm + 0.22 - h, 0.03, h, z=-z * 0.9)]
    side += [slab(0.05, 0.02, d * 1.05, arm), slab(0.03, 0.03, d * 1.05, 0.0), slab(0.03, 0.03, d, h)]
    sag = np.linspace(-1, 1, 9)
    cloth = ribbon(np.column_stack([sag * x, h - 0.04 * (1 - sag**2)]), d * 0.9, 0.012).turned("y", 90)
    pane = curved_board(w, rng.uniform(0.14, 0.22), 0.01, 0.03, arm + 0.04).moved(z=-z * 0.9)
    return join(cross, cross.mirrored("z"), pair(join(*side).moved(x)), cloth, pane)


def garden_chair(rng: Random) -> Mesh:
    """Moulded plastic: broad splayed legs, arms that flow into them and a pierced back."""
    w, d, h, rise = rng.uniform(0.46, 0.58), rng.uniform(0.42, 0.5), rng.uniform(0.38, 0.44), rng.uniform(0.36, 0.5)
    out = rng.uniform(0.03, 0.07)
    x, z, arm = w / 2, d / 2, h + 0.2
    front = ribbon([(z + out, 0), (z, h), (z * 0.8, arm)], 0.06, 0.02)
    rear = ribbon([(-z - 2 * out, 0), (-z, h), (-z - 0.05, arm)], 0.06, 0.02)
    side = join(front, rear, soft(0.06, 0.025, d * 1.1, arm - 0.01)).moved(x)
    strips = row(slab(w / 9, rise * 0.8, 0.012, 0.05), spread(rng.randint(4, 7), w * 0.85))
    back = join(strips, curved_board(w, 0.1, 0.014, 0.03, rise * 0.85), curved_board(w, 0.05, 0.014, 0.0))
    return join(pair(side), soft(w, 0.025, d, h - 0.02), back.turned("x", -14).moved(0, h, -z))


def adirondack_chair(rng: Random) -> Mesh:
    w, d, arm = rng.uniform(0.5, 0.62), rng.uniform(0.5, 0.6), rng.uniform(0.5, 0.6)
    count, rise = rng.randint(4, 8), rng.uniform(0.65, 0.85)
    tops = rise - rng.uniform(0, 0.25) * (2 * spread(count, 1)) ** 2
    planks = [
        slab(w / count * 0.85, h, 0.018).moved(x).turned("z", -x * rng.uniform(5, 12))
        for x, h in zip(spread(count, w), tops, strict=True)
    ]
    back = join(*planks).turned("x", -rng.uniform(18, 30)).moved(0, 0.2, -d / 2)
    seat = join(*[slab(w, 0.018, 0.08, 0.24 + 0.28 * (z / d), z=z) for z in spread(5, d)])
    stringer = rod((w / 2 - 0.02, 0.36, d / 2), (w / 2 - 0.02, 0.03, -d * 0.95), 0.03)
    side = [slab(0.025, arm, 0.09, z=d / 2), slab(rng.uniform(0.09, 0.15), 0.02, d * 1.3, arm, z=-0.03)]
    side.append(slab(0.025, arm, 0.07, z=-d / 2 - 0.08))
    return join(back, seat, pair(stringer), pair(join(*side).moved(w / 2 + 0.02)))


def ribbon_chair(rng: Random) -> Mesh:
    """One bent sheet from foot to back: S or Z curves of plastic, plywood or steel."""
    w, d, h, rise = rng.uniform(0.4, 0.56), rng.uniform(0.4, 0.55), rng.uniform(0.4, 0.46), rng.uniform(0.35, 0.5)
    z = d / 2
    foot = [(z, 0), (-z, 0.02), (-z * rng.uniform(0.2, 1.0), 0.1)] if chance(rng, 0.6) else [(-z, 0), (z * 0.8, 0.02)]
    path = [*foot, (z, h), (z * 0.8, h + 0.02), (-z * 0.8, h - 0.03), (-z * 1.2, h + rise)]
    return ribbon(rounded(path, rng.randint(0, 4)), w, rng.uniform(0.015, 0.05))


def bean_bag(rng: Random) -> Mesh:
    """A slumped sack: flat below, drawn up to a neck behind, hollowed where one sits."""
    w, h, d = rng.uniform(0.7, 1.0), rng.uniform(0.7, 1.0), rng.uniform(0.75, 1.05)
    peak, hollow, folds = rng.uniform(0.25, 0.7), rng.uniform(0.0, 0.35), rng.uniform(0.0, 0.04)
    t = np.linspace(0, 1, 11)
    belly = np.sin(np.pi * t ** rng.uniform(0.45, 0.6)) ** 0.6 / 2
    sack = lathe([(0, 0), (0.36, 0), *zip(belly[1:-1], t[1:-1], strict=True), (0.03, 1), (0, 1)], 20)

    def slump(p: np.ndarray) -> np.ndarray:
        p *= (1 + folds * np.cos(8 * np.arctan2(p[:, 2], p[:, 0])))[:, None]
        p[:, 2] -= peak * 0.5 * p[:, 1] ** 2
        p[:, 1] *= 1 - hollow * np.exp(-8 * p[:, 0] ** 2 - 12 * (p[:, 2] - 0.2) ** 2)
        return p * [w, h, d]

    return sack.deformed(slump)


CHAIRS: dict[str, Maker] = {
    "four_legs": four_leg_chair,
    "posts": post_chair,
    "parsons": parsons_chair,
    "wing": wing_chair,
    "swivel": swivel_chair,
    "cantilever": cantilever_chair,
    "club": club_chair,
    "tub": tub_chair,
    "folding": folding_chair,
    "shell": shell_chair,
    "egg": egg_chair,
    "rocking": rocking_chair,
    "low_back": low_back_chair,
    "throne": throne,
    "windsor": windsor_chair,
    "recliner": recliner,
    "lounge": lounge_chair,
    "tulip": tulip_chair,
    "director": director_chair,
    "garden": garden_chair,
    "adirondack": adirondack_chair,
    "ribbon": ribbon_chair,
    "bean_bag": bean_bag,
}


@category(
    "chair",
    synonyms=(
        "armchair",
        "dining chair",
        "kitchen chair",
        "office chair",
        "desk chair",
        "swivel chair",
        "task chair",
        "wing chair",
        "wingback",
        "club chair",
        "lounge chair",
        "easy chair",
        "recliner",
        "rocking chair",
        "folding chair",
        "cantilever chair",
        "tub chair",
        "garden chair",
        "throne",
        "bean bag chair",
    ),
    variants=tuple(CHAIRS),
)
def chair(rng: Random, variant: str) -> Mesh:
    return CHAIRS[variant](rng)


# --- sofa ---------------------------------------------------------------------------------------


def block_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t = rng.uniform(0.1, 0.3)
    return soft(t, height, depth, edge=rng.uniform(0.05, 0.25)), t


def rolled_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, r = rng.uniform(0.1, 0.18), rng.uniform(0.08, 0.13)
    roll = cylinder(r, depth, segments=14).turned("x", 90).moved(t * 0.25, height - r, 0)
    return join(slab(t, height - r, depth), roll), t


def slim_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t = rng.uniform(0.04, 0.09)
    return slab(t, height, depth), t


def padded_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, top = rng.uniform(0.14, 0.26), rng.uniform(0.08, 0.16)
    pillow = soft(t * 1.15, top, depth * 1.02, height - top, edge=rng.uniform(0.3, 0.5))
    return join(slab(t, height - top * 0.7, depth * 0.97), pillow), t


def flared_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, out = rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.15)
    outline = [(-t / 2, 0), (t / 2, 0), (t / 2 + out, height), (-t / 2 + out * 0.7, height)]
    return extrude(outline, depth), t


def framed_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    """An open frame of wood or metal."""
    t = rng.uniform(0.03, 0.06)
    post = slab(t, height, t, z=depth / 2 - t / 2)
    return join(post, post.mirrored("z"), slab(t * 1.3, t * 0.7, depth, height - t * 0.7)), t


ARMS = (block_arm, rolled_arm, slim_arm, padded_arm, flared_arm, framed_arm)
Arm = Callable[[Random, float, float], tuple[Mesh, float]]


def back_cushions(rng: Random, width: float, count: int, height: float) -> Mesh:
    """Loose cushions side by side with their feet at y = 0, leaning to -z."""
    t, tilt = rng.uniform(0.12, 0.24), rng.uniform(4, 18)
    one = soft(width / count * 0.98, height, t, edge=rng.uniform(0.2, 0.5))
    if chance(rng, 0.25):
        one = pad(width / count, t * 1.4, height, 0.4, 0.05).turned("x", 90).moved(y=height / 2)
    return row(one.turned("x", -tilt), spread(count, width))


def throw_pillows(rng: Random, width: float, seat: float, z: float) -> Mesh:
    parts = []
    for x in rng.uniform(-0.45, 0.45, rng.randint(1, 4)) * width:
        s = rng.uniform(0.3, 0.45)
        one = sewn(rng, s, rng.uniform(0.1, 0.18), s).turned("x", rng.uniform(60, 80))
        parts.append(one.turned("y", rng.uniform(-20, 20)).moved(x, seat + s * 0.45, z))
    return join(*parts)


def seat_cushions(rng: Random, width: float, depth: float, count: int, y: float, thickness: float) -> Mesh:
    one = soft(width / count * 0.99, thickness, depth, y, edge=rng.uniform(0.12, 0.4))
    return row(one, spread(count, width))


def underframe(rng: Random, width: float, height: float, depth: float, y: float) -> Mesh:
    """The box below the cushions: closed, or boards only so that few points fall where nobody sees them."""
    return slab(width, height, depth, y) if chance(rng, 0.4) else rails(width, height, depth, 0.03, y)


def couch(rng: Random, width: float, seats: int, arm: Arm | None = None, depth: float | None = None) -> Mesh:
    """An upholstered seat row: base, seat and back cushions, a back and two arms, on feet or on the floor."""
    d = rng.uniform(0.75, 1.05) if depth is None else depth
    foot = rng.uniform(0.02, 0.2)
    seat, t, rise = rng.uniform(0.38, 0.5), rng.uniform(0.1, 0.2), rng.uniform(0.28, 0.5)
    side, wide = (arm or ARMS[rng.randint(len(ARMS))])(rng, d, seat + rng.uniform(0.1, 0.28) - foot)
    inner, wall = width - 2 * wide, rng.uniform(0.08, 0.2)
    parts = [
        underframe(rng, inner, seat - t - foot, d * 0.97, foot),
        pair(side.moved((width - wide) / 2, foot, 0)),
        soft(inner + wide * rng.uniform(0, 1), seat + rise - foot - 0.06, wall, foot, z=-(d - wall) / 2, edge=0.12),
        seat_cushions(rng, inner, d - wall, seats, seat - t, t).moved(z=wall / 2),
        feet(rng, width, d, foot + 0.01),
    ]
    if chance(rng, 0.8):
        parts.append(back_cushions(rng, inner, seats, rise).moved(0, seat, -d / 2 + wall + 0.12))
    if seats > 1 and chance(rng, 0.4):
        parts.append(throw_pillows(rng, inner, seat, -d / 2 + wall + 0.3))
    return join(*parts)


def cushioned_sofa(rng: Random) -> Mesh:
    seats = rng.randint(2, 5)
    return couch(rng, 0.3 + seats * rng.uniform(0.55, 0.8), seats)


def love_seat(rng: Random) -> Mesh:
    return couch(rng, rng.uniform(1.2, 1.55), rng.randint(1, 3))


def boxy_sofa(rng: Random) -> Mesh:
    return couch(rng, rng.uniform(1.6, 2.5), rng.randint(1, 4), block_arm)


def corner_sofa(rng: Random) -> Mesh:
    """An L: a row with a back along -z and a second one at the side, or a chaise without a back."""
    w, d, leg = rng.uniform(2.0, 3.1), rng.uniform(0.8, 1.0), rng.uniform(1.3, 2.4)
    foot, seat, t = rng.uniform(0.02, 0.14), rng.uniform(0.38, 0.46), rng.uniform(0.1, 0.18)
    wall, rise, r = rng.uniform(0.1, 0.2), rng.uniform(0.28, 0.42), rng.uniform(0.12, 0.35)
    x = (w - d) / 2
    long = leg - d
    parts = [underframe(rng, w, seat - t - foot, d, foot)]
    parts.append(underframe(rng, d, seat - t - foot, long, foot).moved(x, 0, leg / 2))
    parts.append(soft(w, seat + rise - foot - 0.05, wall, foot, z=-(d - wall) / 2, edge=0.12))
    count = rng.randint(2, 4)
    parts.append(seat_cushions(rng, w - d, d - wall, count, seat - t, t).moved(-d / 2, 0, wall / 2))
    parts.append(soft(d, t, leg - wall, seat - t, x=x, z=(leg - d + wall) / 2, edge=r * 0.7))
    parts.append(back_cushions(rng, w - d, count, rise).moved(-d / 2, seat, -d / 2 + wall + 0.1))
    arm, wide = (block_arm, slim_arm, padded_arm)[rng.randint(3)](rng, d, seat - foot + rng.uniform(0.1, 0.25))
    parts.append(arm.moved(-(w + wide) / 2, foot, 0))
    if chance(rng, 0.5):
        parts.append(soft(wall, seat + rise - foot - 0.05, leg, foot, x=(w - wall) / 2, z=(leg - d) / 2, edge=0.12))
        side = back_cushions(rng, leg - d, rng.randint(1, 3), rise).turned("y", -90)
        parts.append(side.moved(w / 2 - wall - 0.1, seat, leg / 2))
    else:
        parts.append(back_cushions(rng, d, 1, rise).moved(x, seat, -d / 2 + wall + 0.1))
    if chance(rng, 0.4):
        parts.append(throw_pillows(rng, w * 0.8, seat, 0.0))
    parts.append(feet(rng, w, d, foot + 0.01))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


def chesterfield(rng: Random) -> Mesh:
    """Rolled arms and a rolled back of the same height, tufted."""
    w, d, foot = rng.uniform(1.5, 2.3), rng.uniform(0.8, 1.0), rng.uniform(0.05, 0.12)
    seat, h, r, t = rng.uniform(0.4, 0.46), rng.uniform(0.66, 0.8), rng.uniform(0.08, 0.13), rng.uniform(0.12, 0.2)
    arm = join(slab(t, h - foot - r, d, foot), cylinder(r, d).turned("x", 90).moved(y=h - r))
    back = join(slab(w, h - foot - r, t, foot), cylinder(r, w + 1.6 * r).turned("z", 90).moved(y=h - r))
    count = rng.randint(1, 4)
    parts = [
        pair(arm.moved((w - t) / 2 + r * 0.4)),
        back.moved(z=-(d - t) / 2),
        slab(w - 2 * t, seat - 0.15 - foot, d - 0.04, foot),
        seat_cushions(rng, w - 2 * t, d - t, count, seat - 0.15, 0.16).moved(z=t / 2),
        feet(rng, w, d, foot + 0.01),
    ]
    if chance(rng, 0.6):
        y, z = (seat + h - r) / 2, -d / 2 + t
        dent = ellipsoid((w - 2 * t) / 6, (h - r - seat) / 1.6, 0.08, 8)
        parts.append(row(dent.moved(0, y, z), spread(6, w - 2 * t)))
    return join(*parts)


def chaise(rng: Random) -> Mesh:
    """A long seat for lying on: raised head end along x, sometimes a back along half of one side."""
    length, d, h = rng.uniform(1.5, 1.95), rng.uniform(0.6, 0.8), rng.uniform(0.26, 0.4)
    t, rise = rng.uniform(0.1, 0.2), rng.uniform(0.25, 0.5)
    end = length / 2
    style = pick(rng, ("curve", "roll", "block"))
    if style == "curve":
        path = [(end, h), (end * 0.2, h), (-end * 0.5, h), (-end * 1.0, h + rise)]
        body = ribbon(rounded(path, 3), d, t).turned("y", 90)
    elif style == "roll":
        head = cylinder(0.12, d, segments=14).turned("x", 90).moved(-end, h + t + rise * 0.7, 0)
        rest = soft(0.16, rise + t, d, h, x=-end + 0.04)
        body = join(soft(length, t, d, h, edge=0.2), rest, head)
    else:
        body = join(soft(length, t, d, h), soft(0.2, rise + t, d, h, x=-end + 0.1, edge=0.25))
    parts = [body, legs(rng, length * 0.85, d * 0.9, h + 0.02)]
    if style != "curve" and chance(rng, 0.5):
        parts.append(soft(length * rng.uniform(0.5, 0.8), rise + t, 0.12, h, x=-length * 0.12, z=-d / 2, edge=0.3))
    if chance(rng, 0.4):
        parts.append(bolster(rng, d * 0.8, 0.09).turned("y", 90).moved(-end * 0.65, h + t + 0.1, 0))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


def armless_sofa(rng: Random) -> Mesh:
    """A modern seat and back on thin legs, flat or buttoned in squares."""
    w, d, h = rng.uniform(1.3, 2.2), rng.uniform(0.7, 0.9), rng.uniform(0.18, 0.32)
    t, rise, count = rng.uniform(0.1, 0.2), rng.uniform(0.3, 0.45), rng.randint(1, 5)
    r = rng.uniform(0.12, 0.35)
    seat = row(soft(w / count, t, d, h, edge=r), spread(count, w))
    back = row(soft(w / count, rise + t, t, edge=r), spread(count, w)).turned("x", -rng.uniform(0, 15))
    return join(seat, back.moved(0, h + 0.02, -d / 2 + t / 2), legs(rng, w * 0.9, d * 0.85, h + 0.02))


def sofa_bed(rng: Random) -> Mesh:
    """Pulled out into a bed, or a folded futon on a wooden frame."""
    w, d = rng.uniform(1.5, 2.2), rng.uniform(0.85, 1.0)
    if chance(rng, 0.5):
        body = couch(rng, w, 2, depth=d)
        reach = rng.uniform(0.8, 1.2)
        sheet_bed = soft(w - 0.5, 0.14, reach, 0.3, z=d / 2 + reach / 2 - 0.02, edge=0.15)
        stand = pair(slab(0.03, 0.32, 0.03, x=w / 2 - 0.3, z=d / 2 + reach - 0.08))
        return join(body, sheet_bed, stand)
    h, t = rng.uniform(0.28, 0.36), rng.uniform(0.1, 0.18)
    seat = soft(w, t, d * 0.85, h, edge=0.25).turned("x", -4)
    back = soft(w, rng.uniform(0.5, 0.65), t, edge=0.25).turned("x", -rng.uniform(12, 30)).moved(0, h + 0.04, -d * 0.4)
    arm, wide = (slim_arm if chance(rng, 0.4) else framed_arm)(rng, d, rng.uniform(0.5, 0.65))
    slats = join(*[slab(w, 0.03, 0.06, h - 0.03, z=z) for z in spread(5, d * 0.8)])
    return join(seat, back, slats, pair(arm.moved((w + wide) / 2)))


def camelback_sofa(rng: Random) -> Mesh:
    """A back with a swung upper edge, rolled or flared arms and visible legs."""
    w, d, h, seat = rng.uniform(1.4, 2.1), rng.uniform(0.7, 0.85), rng.uniform(0.14, 0.24), rng.uniform(0.42, 0.48)
    hump, t, low = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.16), rng.uniform(0.25, 0.35)
    x = np.linspace(-w / 2, w / 2, 15)
    top = seat + low + hump * np.cos(x / w * np.pi * rng.choice([1, 2])) ** 2
    back = extrude([*zip(x, top, strict=True), (w / 2, h), (-w / 2, h)], t).moved(z=-d / 2 + t / 2)
    arm, wide = (rolled_arm if chance(rng, 0.6) else flared_arm)(rng, d, seat + 0.2 - h)
    inner, count = w - wide * 2, rng.randint(1, 4)
    cushions = seat_cushions(rng, inner, d - t, count, seat - 0.14, 0.14).moved(z=t / 2)
    body = slab(inner, seat - 0.14 - h, d - 0.03, h)
    stand = legs(rng, w * 0.95, d * 0.9, h + 0.02, ("turned", "tapered", "cabriole"), (0.04, 0.07))
    return join(back, pair(arm.moved((w - wide) / 2, h, 0)), cushions, body, stand)


def curved_sofa(rng: Random) -> Mesh:
    """Seat and back along an arc."""
    r, t, foot = rng.uniform(1.0, 1.5), rng.uniform(0.12, 0.25), rng.uniform(0.02, 0.15)
    span, seat, rise = rng.uniform(70, 130), rng.uniform(0.38, 0.45), rng.uniform(0.28, 0.4)
    back = curved_wall(r, t, foot, np.full(17, seat + rise), span, rng.uniform(1, 1.05))
    depth = rng.uniform(0.5, 0.65)
    base = curved_wall(r - t, depth, foot, np.full(17, seat), span)
    foot_at = cylinder(0.025, foot + 0.02, segments=8).moved(0, foot / 2, -r + 0.15)
    ends = [foot_at.turned("y", a) for a in np.linspace(-span / 2.2, span / 2.2, 4)]
    return join(back, base, *ends)


def framed_sofa(rng: Random) -> Mesh:
    """Loose cushions in an open wooden or metal frame."""
    seats = rng.randint(2, 4)
    return couch(rng, 0.2 + seats * rng.uniform(0.55, 0.7), seats, framed_arm)


def wood_settee(rng: Random) -> Mesh:
    """Loose cushions on a see-through frame with a slatted back."""
    w, d, h, t = rng.uniform(1.3, 2.0), rng.uniform(0.65, 0.8), rng.uniform(0.26, 0.34), rng.uniform(0.03, 0.05)
    rise, count = rng.uniform(0.4, 0.5), rng.randint(2, 4)
    slats = row(slab(t, rise, 0.015), spread(rng.randint(6, 14), w - t))
    back = join(slats, slab(w, 0.06, 0.03, rise), slab(w, 0.05, 0.03)).turned("x", -10).moved(0, h, -d / 2)
    arm, wide = framed_arm(rng, d, h + rng.uniform(0.22, 0.3))
    frame = join(rails(w, 0.07, d, 0.025, h - 0.04), pair(arm.moved((w + wide) / 2)), back)
    pads = seat_cushions(rng, w, d * 0.95, count, h + 0.02, rng.uniform(0.1, 0.15))
    return join(frame, pads, back_cushions(rng, w, count, rise * 0.95).moved(0, h + 0.12, -d / 2 + 0.12))


SOFAS: dict[str, Maker] = {
    "cushioned": cushioned_sofa,
    "love_seat": love_seat,
    "boxy": boxy_sofa,
    "corner": corner_sofa,
    "chesterfield": chesterfield,
    "chaise": chaise,
    "armless": armless_sofa,
    "sofa_bed": sofa_bed,
    "camelback": camelback_sofa,
    "curved": curved_sofa,
    "framed": framed_sofa,
    "settee": wood_settee,
}


@category(
    "sofa",
    synonyms=(
        "couch",
        "settee",
        "loveseat",
        "love seat",
        "two seater",
        "three seater",
        "corner sofa",
        "sectional",
        "sectional sofa",
        "chesterfield",
        "chaise longue",
        "chaise lounge",
        "sofa bed",
        "sleeper sofa",
        "futon",
        "davenport",
        "leather sofa",
    ),
    variants=tuple(SOFAS),
)
def sofa(rng: Random, variant: str) -> Mesh:
    return SOFAS[variant](rng)


# --- bed ----------------------------------------------------------------------------------------


def lying_size(rng: Random, widest: float = 2.0) -> tuple[float, float]:
    """Width and length of a mattress, single to king."""
    return rng.uniform(0.85, widest), rng.uniform(1.85, 2.15)


def bed_pillows(rng: Random, width: float, length: float, y: float) -> Mesh:
    count = 1 if width < 1.15 else rng.randint(2, 4 if width > 1.5 else 3)
    w, d, t = width / count * rng.uniform(0.75, 0.95), rng.uniform(0.3, 0.48), rng.uniform(0.1, 0.2)
    one = sewn(rng, w, t, d)
    if chance(rng, 0.25):
        one = one.turned("x", rng.uniform(40, 75)).moved(y=d * 0.3)
    z = -length / 2 + d / 2 + 0.06
    parts = [one.moved(x, y + t / 2, z).turned("y", rng.uniform(-2, 2)) for x in spread(count, width * 0.96)]
    if chance(rng, 0.3):
        parts += [one.scaled(0.8, 1, 0.8).moved(x, y + t, z + 0.18) for x in spread(count, width * 0.9)]
    return join(*parts)


def duvet(rng: Random, width: float, length: float, y: float) -> Mesh:
    """A cover over the foot part of a mattress whose top lies at `y`: it hangs down and has folds."""
    hang, puff = rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.06)
    start = rng.uniform(-0.3, 0.15) * length
    u, v = np.meshgrid(np.linspace(0, 1, 12), np.linspace(-1, 1, 17), indexing="ij")
    over = np.clip(np.abs(v) * (width / 2 + hang) - width / 2, 0, None)
    x = np.sign(v) * np.minimum(np.abs(v) * (width / 2 + hang), width / 2 + 0.02)
    along = start + u * (length / 2 - start + hang)
    down = np.clip(along - length / 2, 0, None)
    fold = 0.012 * np.sin(rng.uniform(4, 12) * u + rng.uniform(3, 9) * v + rng.uniform(0, 6))
    height = y + puff + fold - np.maximum(over, down)
    return surface(np.stack([x + (over > 0) * fold, height, np.minimum(along, length / 2 + 0.02)], axis=-1))


def bedding(rng: Random, width: float, length: float, y: float, thickness: float | None = None) -> Mesh:
    """A mattress lying at height `y`, mostly with pillows and a cover."""
    t = rng.uniform(0.12, 0.3) if thickness is None else thickness
    parts = [soft(width, t, length, y, edge=rng.uniform(0.06, 0.2))]
    if chance(rng, 0.85):
        parts.append(bed_pillows(rng, width, length, y + t))
    if chance(rng, 0.65):
        parts.append(duvet(rng, width, length, y + t))
    return join(*parts)


def arched_board(width: float, height: float, thickness: float, arch: float) -> Mesh:
    a = np.linspace(0, np.pi, 11)
    top = [(width / 2 * np.cos(i), height - arch * (1 - np.sin(i))) for i in a]
    return extrude([*top, (-width / 2, 0), (width / 2, 0)], thickness)


def panel_board(rng: Random, width: float, height: float) -> Mesh:
    t = rng.uniform(0.03, 0.09)
    if chance(rng, 0.4):
        return arched_board(width, height, t, rng.uniform(0.05, 0.3) * height)
    return slab(width, height, t)


def barred_board(rng: Random, width: float, height: float) -> Mesh:
    r = rng.uniform(0.012, 0.025)
    bars = row(cylinder(r * 0.6, height * 0.95, segments=6).moved(y=height / 2), spread(rng.randint(5, 13), width))
    rail = rod((-width / 2, 0, 0), (width / 2, 0, 0), r)
    ends = pair(cylinder(r * 1.3, height, segments=8).moved(width / 2, height / 2, 0))
    knobs = pair(ellipsoid(4 * r, 4 * r, 4 * r, 8).moved(width / 2, height + r, 0))
    return join(bars, rail.moved(y=height * 0.93), rail.moved(y=height * 0.3), ends, knobs)


def slatted_board(rng: Random, width: float, height: float) -> Mesh:
    t, count = rng.uniform(0.04, 0.08), rng.randint(2, 14)
    ends = pair(slab(t, height, t, x=(width - t) / 2))
    top, low = slab(width, 0.08, t * 0.8, height - 0.08), slab(width, 0.06, t * 0.6, height * 0.35)
    if count < 6:
        pitch = height / count
        return join(ends, top, *[slab(width, pitch * 0.5, t * 0.5, i * pitch) for i in range(count)])
    return join(ends, top, low, row(slab(0.04, height * 0.6, 0.02, height * 0.35), spread(count, width - 2 * t)))


def tufted_board(rng: Random, width: float, height: float) -> Mesh:
    """Upholstered: one pad, upright channels or squares."""
    t, columns, rows = rng.uniform(0.07, 0.14), rng.randint(1, 9), rng.randint(1, 4)
    one = soft(width / columns, height / rows, t, edge=rng.uniform(0.15, 0.4))
    return join(*[row(one, spread(columns, width)).moved(y=i * height / rows) for i in range(rows)])


BOARDS = (panel_board, barred_board, slatted_board, tufted_board)


def board(rng: Random, width: float, height: float) -> Mesh:
    return BOARDS[rng.randint(len(BOARDS))](rng, width, height)


def bed_frame(rng: Random, width: float, length: float, y: float) -> Mesh:
    """Side rails with their upper edge at `y`, on legs or down to the floor."""
    if chance(rng, 0.3):
        return slab(width, y, length)
    deep = rng.uniform(0.08, 0.22)
    frame = rails(width, deep, length, rng.uniform(0.02, 0.06), y - deep)
    slats = [slab(width, 0.015, 0.07, y - 0.04, z=z) for z in spread(7, length)]
    stand = legs(rng, width, length, y - deep * 0.5, ("square", "round", "tapered", "turned"), (0.04, 0.1))
    return join(frame, *slats, stand)


def headboard_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng)
    y = rng.uniform(0.22, 0.42)
    h = y + rng.uniform(0.45, 0.95)
    parts = [bed_frame(rng, w + 0.04, d + 0.04, y), bedding(rng, w, d, y - rng.uniform(0, 0.08))]
    parts.append(board(rng, w + rng.uniform(0.04, 0.15), h).moved(z=-d / 2 - 0.06))
    if chance(rng, 0.4):
        parts.append(board(rng, w + 0.06, rng.uniform(0.4, 0.75)).moved(z=d / 2 + 0.06))
    return join(*parts)


def single_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng, 1.1)
    y = rng.uniform(0.22, 0.4)
    parts = [bed_frame(rng, w + 0.04, d + 0.04, y), bedding(rng, w, d, y)]
    parts.append(board(rng, w + 0.05, y + rng.uniform(0.4, 0.75)).moved(z=-d / 2 - 0.05))
    return join(*parts)


def four_poster(rng: Random) -> Mesh:
    w, d = rng.uniform(1.3, 2.0), rng.uniform(1.95, 2.15)
    y, h, t = rng.uniform(0.3, 0.5), rng.uniform(1.7, 2.3), rng.uniform(0.05, 0.12)
    post = LEGS[pick(rng, ("square", "round", "turned"))](rng, h, t)
    parts = [four(post.moved(w / 2 + t / 2, 0, d / 2 + t / 2)), rails(w + t, 0.18, d + t, 0.04, y - 0.15)]
    parts += [bedding(rng, w, d, y), board(rng, w, rng.uniform(0.8, 1.3)).moved(z=-d / 2 - t / 2)]
    kind = pick(rng, ("open", "roof", "frame", "curtains"))
    if kind != "open":
        parts.append(rails(w + 2 * t, rng.uniform(0.04, 0.15), d + 2 * t, 0.04, h - 0.04))
    if kind == "roof":
        parts.append(slab(w + 2 * t, 0.04, d + 2 * t, h))
    if kind == "curtains":
        parts.append(four(curtain(rng, 0.35, h).moved(w / 2 + t, 0, d / 2 - 0.17)))
    return join(*parts)


def curtain(rng: Random, width: float, height: float) -> Mesh:
    """A gathered cloth from the floor up, along z about the origin."""
    waves = rng.uniform(15, 30)
    return sheet(lambda u, v: np.stack([0.03 * np.sin(waves * v), u * height, (v - 0.5) * width], axis=-1), 4, 17)


def ladder(width: float, height: float, lean: float, count: int) -> Mesh:
    """Leaning to -z, in the x-y plane."""
    side = rod((width / 2, 0, lean), (width / 2, height, 0), 0.02)
    rung = rod((-width / 2, 0, 0), (width / 2, 0, 0), 0.015)
    rungs = [rung.moved(0, h * height, lean * (1 - h)) for h in np.linspace(0.15, 0.9, count)]
    return join(pair(side), *rungs)


def guard_rail(rng: Random, length: float, height: float) -> Mesh:
    """Along x from y = 0: boards or bars."""
    if chance(rng, 0.5):
        boards = [slab(length, height * 0.28, 0.02, y) for y in (height * 0.1, height * 0.7)]
        return join(*boards)
    rail = slab(length, 0.03, 0.03, height - 0.03)
    return join(rail, row(slab(0.02, height, 0.02), spread(rng.randint(6, 14), length)))


def raised_bed(rng: Random, width: float, length: float, y: float, height: float) -> Mesh:
    """The upper storey of a bunk: rails, mattress, posts to the floor and guard rails."""
    t = rng.uniform(0.04, 0.09)
    post = LEGS[pick(rng, ("square", "round"))](rng, height, t).moved(width / 2, 0, length / 2)
    side = guard_rail(rng, length * rng.uniform(0.6, 0.95), height - y - 0.05).turned("y", 90)
    ends = guard_rail(rng, width, height - y).moved(0, y, length / 2)
    fence = join(pair(side.moved(width / 2, y + 0.05)), ends, ends.mirrored("z"))
    frame = join(four(post), rails(width, 0.13, length, 0.03, y - 0.06))
    return join(frame, fence, bedding(rng, width - 0.06, length - 0.06, y, rng.uniform(0.1, 0.18)))


def bunk_bed(rng: Random) -> Mesh:
    w, d = rng.uniform(0.85, 1.1), rng.uniform(1.85, 2.1)
    y, top = rng.uniform(0.25, 0.4), rng.uniform(1.2, 1.5)
    low = rng.uniform(w, w * 1.5) if chance(rng, 0.25) else w
    parts = [raised_bed(rng, w, d, top, top + rng.uniform(0.3, 0.5)), rails(low, 0.13, d, 0.03, y - 0.06)]
    parts.append(bedding(rng, low - 0.06, d - 0.06, y, 0.15))
    end = guard_rail(rng, w, 0.45).moved(0, y, d / 2)
    parts += [end, end.mirrored("z")]
    climb = ladder(0.4, top + 0.1, rng.uniform(0, 0.35), rng.randint(4, 7)).turned("y", 90)
    parts.append(climb.moved(w / 2 + 0.03, 0, rng.uniform(-0.3, 0.35) * d))
    return join(*parts).turned("y", -90 * rng.randint(0, 2))


def loft_bed(rng: Random) -> Mesh:
    """A high bed above a desk, shelves or nothing."""
    w, d, top = rng.uniform(0.9, 1.3), rng.uniform(1.9, 2.1), rng.uniform(1.2, 1.7)
    parts = [raised_bed(rng, w, d, top, top + rng.uniform(0.28, 0.45))]
    kind = pick(rng, ("desk", "shelves", "empty"))
    if kind == "desk":
        parts.append(slab(w * 0.6, 0.03, d * 0.9, 0.72, x=-w * 0.18))
    elif kind == "shelves":
        parts += [slab(w * 0.9, 0.025, 0.4, y, z=-d / 2 + 0.25) for y in np.linspace(0.1, top - 0.3, 4)]
    climb = ladder(0.4, top + 0.1, rng.uniform(0, 0.4), 5).turned("y", 90)
    return join(*parts, climb.moved(w / 2 + 0.03, 0, 0.3 * d))


def platform_bed(rng: Random) -> Mesh:
    """Upholstered all round, mattress sunk into a thick rim or lying on a wider slab."""
    w, d = lying_size(rng)
    t, y, foot = rng.uniform(0.06, 0.15), rng.uniform(0.22, 0.36), rng.uniform(0.0, 0.1)
    if chance(rng, 0.6):
        side = soft(t, y - foot, d + t, foot, x=(w + t) / 2, edge=0.25)
        frame = join(pair(side), soft(w + 2 * t, y - foot, t, foot, z=(d + t) / 2, edge=0.25))
    else:
        frame = join(slab(w + 3 * t, 0.1, d + 2 * t, y - 0.14), slab(w * 0.85, y - 0.12, d * 0.85))
    head = tufted_board(rng, w + 2 * t * rng.uniform(1, 2), rng.uniform(0.75, 1.3)).moved(z=-d / 2 - t / 2)
    return join(frame, head, bedding(rng, w, d, y - 0.1), feet(rng, w, d, foot + 0.02))


def sleigh_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng)
    y, t = rng.uniform(0.28, 0.42), rng.uniform(0.03, 0.07)

    def scroll(height: float) -> Mesh:
        path = np.array([(0, 0.05), (-0.02, 0.5), (-0.06, 0.85), (-0.2, 1.0), (-0.28, 0.9)]) * height
        return join(ribbon(rounded(path), w + 0.1, t), slab(w + 0.12, 0.12, t * 1.6))

    head = scroll(rng.uniform(0.9, 1.25)).moved(z=-d / 2 - t)
    foot = scroll(rng.uniform(0.55, 0.85)).turned("y", 180).moved(z=d / 2 + t)
    side = pair(slab(0.04, 0.25, d, y - 0.15, x=w / 2 + 0.02))
    return join(head, foot, side, bedding(rng, w, d, y))


def crib(rng: Random) -> Mesh:
    w, d, y, h = rng.uniform(0.55, 0.78), rng.uniform(1.1, 1.45), rng.uniform(0.2, 0.5), rng.uniform(0.8, 1.1)
    t, bar = rng.uniform(0.03, 0.06), rng.uniform(0.006, 0.011)
    stick = cylinder(bar, h - y, segments=6).moved(y=(h + y) / 2)
    side = row(stick, spread(rng.randint(9, 18), d - t)).turned("y", 90)
    side = join(side, slab(0.03, 0.04, d, h - 0.04), slab(0.03, 0.05, d, y - 0.05)).moved(w / 2)
    if chance(rng, 0.4):
        end = arched_board(w, h - y + rng.uniform(0.03, 0.2), 0.025, 0.1).moved(0, y, d / 2)
    else:
        end = join(row(stick, spread(6, w - t)), slab(w, 0.05, 0.03, h - 0.03), slab(w, 0.06, 0.03, y - 0.06))
        end = end.moved(z=d / 2)
    post = LEGS[pick(rng, ("square", "round", "turned"))](rng, h + 0.02, t)
    parts = [pair(side), end, end.mirrored("z"), four(post.moved(w / 2, 0, d / 2))]
    parts.append(soft(w - t, 0.1, d - t, y, edge=0.12))
    if chance(rng, 0.25):
        parts.append(rails(w - t, 0.18, d - t, 0.02, 0.05))
    return join(*parts)


def hospital_bed(rng: Random) -> Mesh:
    """Adjustable: raised head part, boards at the ends, side rails, a frame on castors."""
    w, d, y = rng.uniform(0.85, 1.0), rng.uniform(1.95, 2.2), rng.uniform(0.4, 0.65)
    lift, knee = rng.uniform(0, 55), rng.uniform(0, 20)
    hinge, t = -d * 0.08, rng.uniform(0.1, 0.16)
    upper = soft(w, t, d * 0.42, edge=0.15).moved(z=-d * 0.21).turned("x", lift).moved(0, y, hinge)
    lower = soft(w, t, d * 0.56, edge=0.15).moved(z=d * 0.28).turned("x", -knee * 0.2).moved(0, y, hinge)
    wheel = castor(rng.uniform(0.05, 0.075)).moved(w * 0.4, 0, d * 0.4)
    under = join(slab(w * 0.7, 0.08, d * 0.85, 0.2), four(wheel), four(rod((0.25, 0.25, 0.5), (0.25, y, 0.3), 0.025)))
    head = soft(w, rng.uniform(0.4, 0.55), 0.05, y - 0.05, z=-d / 2 - 0.03)
    foot = soft(w, rng.uniform(0.3, 0.45), 0.05, y - 0.05, z=d / 2 + 0.03)
    parts = [upper, lower, under, slab(w, 0.06, d, y - 0.08), head, foot]
    if chance(rng, 0.75):
        rail = guard_rail(rng, d * 0.35, 0.35).turned("y", 90)
        parts.append(pair(rail.moved(w / 2 + 0.03, y + 0.05, -0.05 * d)))
    pillow = sewn(rng, w * 0.6, 0.12, 0.35).moved(0, t + 0.05, -d * 0.3)
    return join(*parts, pillow.turned("x", lift).moved(0, y, hinge))


def daybed(rng: Random) -> Mesh:
    """A single bed with boards on three sides and cushions along the back; its long side faces front."""
    w, d, y = rng.uniform(1.9, 2.15), rng.uniform(0.85, 1.0), rng.uniform(0.28, 0.42)
    h = rng.uniform(0.65, 1.0)
    end = BOARDS[rng.randint(1, 4)]
    parts = [end(rng, w, h).moved(z=-d / 2), pair(end(rng, d, h * rng.uniform(0.8, 1)).turned("y", 90).moved(w / 2))]
    parts += [rails(w, 0.15, d, 0.03, y - 0.1), soft(w - 0.08, rng.uniform(0.13, 0.22), d - 0.06, y, edge=0.15)]
    if chance(rng, 0.6):
        count, s = rng.randint(2, 5), rng.uniform(0.38, 0.5)
        one = sewn(rng, s, 0.16, s).turned("x", 70).moved(0, y + 0.15 + s / 2, -d / 2 + 0.2)
        parts.append(row(one, spread(count, w * 0.9)))
    if chance(rng, 0.4):
        parts.append(slab(w * 0.92, y - 0.14, d * 0.95, 0.03, z=rng.uniform(0.02, 0.5)))
    return join(*parts)


def divan_bed(rng: Random) -> Mesh:
    """A box base with drawers, mattress on top, often with a shelved headboard."""
    w, d = lying_size(rng)
    y, h = rng.uniform(0.25, 0.42), rng.uniform(0.7, 1.1)
    parts = [slab(w, y - 0.03, d, 0.03), bedding(rng, w - 0.02, d - 0.02, y)]
    parts.append(four(castor(0.02).moved(w * 0.45, 0, d * 0.45)))
    front = slab(0.025, y * 0.75, d / 3 * 0.9, y * 0.15, x=w / 2 + rng.uniform(0.01, 0.05))
    drawers = join(*[front.moved(z=z) for z in spread(rng.randint(2, 4), d)])
    parts.append(pair(drawers))
    if chance(rng, 0.5):
        shelf = [slab(w, 0.025, 0.25, i) for i in (y + 0.35, h)]
        uprights = row(slab(0.025, h, 0.25), (-w / 2, 0, w / 2))
        parts.append(join(*shelf, uprights, slab(w, h, 0.02, z=-0.12)).moved(z=-d / 2 - 0.13))
    elif chance(rng, 0.7):
        parts.append(board(rng, w, h).moved(z=-d / 2 - 0.06))
    return join(*parts)


def flat_bed(rng: Random) -> Mesh:
    """No headboard: a mattress on the floor, on a thin slab, a camp bed or a futon base."""
    w, d = lying_size(rng)
    kind = pick(rng, ("floor", "slab", "camp", "legs"))
    if kind == "floor":
        return bedding(rng, w, d, 0.0)
    if kind == "slab":
        return join(slab(w + 0.3, 0.1, d + 0.2, 0.06), slab(w * 0.8, 0.06, d * 0.8), bedding(rng, w, d, 0.16))
    if kind == "camp":
        stand = [pair(rod((-0.35, 0, z), (0.35, 0.42, z), 0.014)) for z in (-d * 0.42, 0, d * 0.42)]
        return join(soft(0.75, 0.05, d, 0.4), *stand, pair(rod((0.36, 0.43, -d / 2), (0.36, 0.43, d / 2), 0.018)))
    return join(legs(rng, w, d, 0.25), bedding(rng, w, d, 0.22, rng.uniform(0.25, 0.35)))


BEDS: dict[str, Maker] = {
    "headboard": headboard_bed,
    "single": single_bed,
    "four_poster": four_poster,
    "bunk": bunk_bed,
    "loft": loft_bed,
    "platform": platform_bed,
    "sleigh": sleigh_bed,
    "crib": crib,
    "hospital": hospital_bed,
    "daybed": daybed,
    "divan": divan_bed,
    "flat": flat_bed,
}


@category(
    "bed",
    synonyms=(
        "single bed",
        "double bed",
        "twin bed",
        "queen bed",
        "king size bed",
        "bunk bed",
        "loft bed",
        "four poster",
        "canopy bed",
        "platform bed",
        "sleigh bed",
        "divan bed",
        "daybed",
        "crib",
        "cot",
        "baby bed",
        "hospital bed",
        "mattress",
        "bedstead",
    ),
    variants=tuple(BEDS),
)
def bed(rng: Random, variant: str) -> Mesh:
    return BEDS[variant](rng)


# --- bench --------------------------------------------------------------------------------------


def planks(rng: Random, width: float, depth: float, y: float) -> Mesh:
    """A seat of one board or of slats along x, underside at `y`."""
    count, t = rng.randint(1, 8), rng.uniform(0.02, 0.06)
    return join(*[slab(width, t, depth / count * (1 if count == 1 else 0.82), y, z=z) for z in spread(count, depth)])


def end_support(rng: Random, depth: float, height: float) -> Mesh:
    """One trestle under a bench, in the y-z plane: board, X, frame, splayed pair, or loop."""
    t, z = rng.uniform(0.03, 0.07), depth / 2
    kind = pick(rng, ("board", "cross", "frame", "splayed", "loop"))
    if kind == "board":
        return slab(t, height, depth * rng.uniform(0.6, 0.95))
    if kind == "cross":
        bar = rod((0, 0, -z), (0, height, z), t / 2)
        return join(bar, bar.mirrored("z"))
    if kind == "splayed":
        bar = rod((0, 0, z * rng.uniform(0.8, 1.1)), (0, height, z * 0.5), t / 2)
        return join(bar, bar.mirrored("z"))
    if kind == "loop":
        path = rounded([(0, height, -z * 0.8), (0, t / 2, -z * 0.9), (0, t / 2, z * 0.9), (0, height, z * 0.8)])
        return tube(path, t / 2, 6)
    post = slab(t, height, t, z=z - t)
    bar = slab(t, t, depth - 2 * t)
    return join(post, post.mirrored("z"), bar.moved(y=height - t), bar.moved(y=height * 0.2))


def bench_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(0.9, 2.0), rng.uniform(0.28, 0.5), rng.uniform(0.36, 0.47)


def plank_bench(rng: Random) -> Mesh:
    w, d, h = bench_size(rng)
    parts = [planks(rng, w, d, h)]
    if chance(rng, 0.5):
        parts.append(pair(end_support(rng, d, h).moved(w * rng.uniform(0.35, 0.48))))
        if chance(rng, 0.5):
            parts.append(slab(w * 0.8, 0.06, 0.03, h * rng.uniform(0.2, 0.85)))
    else:
        parts += [legs(rng, w * 0.96, d * 0.96, h), rails(w * 0.94, 0.06, d * 0.9, 0.02, h - 0.06)]
    return join(*parts)


def park_bench(rng: Random) -> Mesh:
    """Slats for seat and back on cast or wooden ends, mostly with arms."""
    w, d, h = rng.uniform(1.1, 2.1), rng.uniform(0.4, 0.52), rng.uniform(0.4, 0.46)
    rise, count = rng.uniform(0.35, 0.5), rng.randint(2, 6)
    slat = rise / count * rng.uniform(0.4, 0.85)
    if chance(rng, 0.3):
        bars = row(slab(0.04, rise, 0.018), spread(rng.randint(9, 18), w * 0.95))
        back = join(bars, slab(w, 0.06, 0.03, rise - 0.03))
    else:
        back = join(*[slab(w, slat, 0.025, y) for y in np.linspace(0.08, rise - slat, count)])
    post = slab(0.05, rise, 0.04)
    back = join(back, pair(post.moved(w * 0.46, 0, -0.03))).turned("x", -rng.uniform(6, 18)).moved(0, h, -d / 2)
    parts = [planks(rng, w, d, h - 0.03), back, pair(end_support(rng, d, h - 0.03).moved(w * 0.46))]
    if chance(rng, 0.65):
        parts.append(open_arms(rng, w * 0.96, d, h))
    return join(*parts)


def storage_bench(rng: Random) -> Mesh:
    """A chest for sitting: lid or cushion, panels, drawers or cubby holes, perhaps a back."""
    w, d, h = rng.uniform(0.8, 1.5), rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.5)
    top = soft(w, 0.07, d, h, edge=0.2) if chance(rng, 0.6) else slab(w + 0.04, 0.03, d + 0.03, h)
    cells = rng.randint(1, 4)
    if chance(rng, 0.4):
        body = [slab(w, 0.025, d, y) for y in (0.06, h - 0.025)]
        body += [row(slab(0.025, h, d), np.linspace(-w / 2, w / 2, cells + 2)), slab(w, h, 0.015, z=-d / 2)]
    else:
        body = [slab(w, h - 0.04, d, 0.04), four(slab(0.06, 0.05, 0.06, x=w / 2 - 0.03, z=d / 2 - 0.03))]
        body.append(row(slab(w / cells * 0.88, h * 0.7, 0.02, h * 0.18, z=d / 2 + 0.005), spread(cells, w)))
    if chance(rng, 0.4):
        body.append(slab(w, rng.uniform(0.35, 1.2), 0.025, h, z=-d / 2))
    if chance(rng, 0.3):
        body.append(pair(slab(0.03, 0.2, d, h, x=w / 2)))
    return join(top, *body)


def upholstered_bench(rng: Random) -> Mesh:
    """A long pad at the end of a bed or in a hall."""
    w, d, h, t = rng.uniform(0.9, 1.6), rng.uniform(0.35, 0.5), rng.uniform(0.26, 0.4), rng.uniform(0.07, 0.16)
    count = rng.randint(1, 6) if chance(rng, 0.4) else 1
    top = row(soft(w / count, t, d, h, edge=rng.uniform(0.15, 0.4)), spread(count, w))
    parts = [top, slab(w * 0.98, 0.04, d * 0.95, h - 0.03)]
    if chance(rng, 0.6):
        parts.append(legs(rng, w * 0.96, d * 0.95, h))
    else:
        parts.append(pair(end_support(rng, d, h).moved(w * 0.42)))
    if chance(rng, 0.3):
        roll = bolster(rng, d, 0.08).turned("y", 90)
        parts.append(pair(roll.moved(w / 2, h + t + 0.05, 0)))
    return join(*parts)


def pew(rng: Random) -> Mesh:
    """Solid ends cut in a profile, a closed back, a plank seat."""
    w, d, h, rise = rng.uniform(1.3, 2.6), rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.47), rng.uniform(0.4, 0.55)
    z, top = d / 2, h + rise
    outline = [(z, 0), (z, h), (z * 0.9, h + 0.18), (0, h + 0.22), (-z * 0.6, top), (-z, top), (-z, 0)]
    end = extrude([(-a, b) for a, b in outline], rng.uniform(0.03, 0.06)).turned("y", 90)
    back = slab(w, rise + 0.05, 0.025).turned("x", -8).moved(0, h, -z + 0.08)
    parts = [pair(end.moved(w / 2)), back, slab(w, 0.035, d, h - 0.03), slab(w, 0.1, 0.02, h - 0.13, z=z * 0.6)]
    if chance(rng, 0.4):
        parts.append(slab(w, h, 0.02, z=-z + 0.05))
    return join(*parts)


def stone_bench(rng: Random) -> Mesh:
    """A thick slab on two blocks, straight or curved."""
    w, d, h, t = rng.uniform(1.0, 1.8), rng.uniform(0.35, 0.55), rng.uniform(0.3, 0.38), rng.uniform(0.07, 0.14)
    if chance(rng, 0.35):
        r, span = rng.uniform(0.9, 1.5), rng.uniform(60, 120)
        top = curved_wall(r, d, h, np.full(15, h + t), span)
        block = slab(0.25, h, d * 0.7, z=-r + d / 2)
        return join(top, *[block.turned("y", a) for a in np.linspace(-span * 0.4, span * 0.4, rng.randint(2, 4))])
    kind = pick(rng, ("block", "baluster", "solid"))
    if kind == "solid":
        return slab(w, h + t, d)
    foot = slab(rng.uniform(0.1, 0.3), h, d * 0.75)
    if kind == "baluster":
        foot = lathe([(0, 0), (0.14, 0), (0.14, 0.05), (0.08, h * 0.4), (0.12, h * 0.7), (0.14, h), (0, h)], 12)
    return join(soft(w, t, d, h, edge=0.08), pair(foot.moved(w * 0.33)))


def metal_bench(rng: Random) -> Mesh:
    """Waiting-room row: single seats on a beam."""
    count, pitch, h = rng.randint(2, 6), rng.uniform(0.5, 0.62), rng.uniform(0.38, 0.44)
    w = count * pitch
    curve = rounded([(0.22, 0.0), (0.18, 0.03), (-0.2, 0.0), (-0.32, rng.uniform(0.3, 0.45))], 2)
    one = ribbon(curve, pitch * rng.uniform(0.8, 0.95), rng.uniform(0.012, 0.06))
    parts = [row(one, spread(count, w)).moved(y=h + 0.03), slab(w, 0.06, 0.06, h - 0.05)]
    foot = join(slab(0.05, h - 0.03, 0.06), soft(0.05, 0.04, 0.55))
    parts.append(pair(foot.moved(w * 0.38)))
    if chance(rng, 0.6):
        arm = [slab(0.04, 0.025, 0.36, h + 0.22), slab(0.025, 0.24, 0.04, h)]
        parts.append(row(join(*arm), (np.arange(count + 1) / count - 0.5) * w))
    return join(*parts)


def settle_bench(rng: Random) -> Mesh:
    """A long four-legged bench with the back of a chair and perhaps arms."""
    w, d, h = rng.uniform(0.9, 1.6), rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.46)
    make = (spindle_back, slatted_back, panel_back, crossed_back, ladder_back)[rng.randint(5)]
    count = rng.randint(1, 4)
    back = row(make(rng, w / count * 0.98, rng.uniform(0.35, 0.55)), spread(count, w)).turned("x", -rng.uniform(4, 14))
    parts = [planks(rng, w, d, h), back.moved(0, h, -d / 2 + 0.02), legs(rng, w * 0.97, d * 0.95, h)]
    if chance(rng, 0.5):
        parts.append(open_arms(rng, w, d, h))
    if chance(rng, 0.3):
        parts.append(soft(w * 0.97, 0.06, d * 0.95, h + 0.03, edge=0.3))
    return join(*parts)


BENCHES: dict[str, Maker] = {
    "plank": plank_bench,
    "park": park_bench,
    "storage": storage_bench,
    "upholstered": upholstered_bench,
    "pew": pew,
    "stone": stone_bench,
    "waiting_room": metal_bench,
    "settle": settle_bench,
}


@category(
    "bench",
    synonyms=(
        "park bench",
        "garden bench",
        "church pew",
        "pew",
        "hall bench",
        "entryway bench",
        "storage bench",
        "shoe bench",
        "picnic bench",
        "bedroom bench",
        "end of bed bench",
        "stone bench",
        "wooden bench",
        "waiting room bench",
        "window seat",
    ),
    variants=tuple(BENCHES),
)
def bench(rng: Random, variant: str) -> Mesh:
    return BENCHES[variant](rng)


# --- stool --------------------------------------------------------------------------------------


def stool_seat(rng: Random, size: float, y: float) -> Mesh:
    """Round or square, board or pad or saddle, underside at `y`."""
    kind = pick(rng, ("disc", "pad", "square", "cushion", "saddle"))
    if kind == "disc":
        return disc(size / 2, rng.uniform(0.02, 0.05), y)
    if kind == "pad":
        return cushion(size, rng.uniform(0.06, 0.12), size, rng.uniform(0.5, 1)).moved(y=y + 0.03)
    if kind == "square":
        return slab(size, rng.uniform(0.02, 0.05), size * rng.uniform(0.7, 1), y)
    if kind == "cushion":
        return soft(size, rng.uniform(0.05, 0.12), size, y, edge=rng.uniform(0.15, 0.4))
    x = np.linspace(-1, 1, 9)
    return ribbon(np.column_stack([x * size / 2, y + 0.05 * x**2]), size * 0.75, 0.03).turned("y", 90)


def spread_legs(rng: Random, count: int, top: float, foot: float, height: float) -> Mesh:
    """Slanting legs on a circle: radius `top` at the seat and `foot` on the floor."""
    r = rng.uniform(0.01, 0.022)
    return ring_of(rod((foot, 0, 0), (top, height, 0), r * rng.uniform(0.7, 1), r), count, 45)


def foot_ring(rng: Random, radius: float, y: float) -> Mesh:
    return torus(radius, rng.uniform(0.006, 0.012), 16).moved(y=y)


def bar_stool(rng: Random) -> Mesh:
    """High on four legs, with a foot ring or rungs and sometimes a low back."""
    s, h = rng.uniform(0.3, 0.44), rng.uniform(0.6, 0.8)
    parts = [stool_seat(rng, s, h)]
    if chance(rng, 0.5):
        top, foot = s * 0.36, s * rng.uniform(0.45, 0.75)
        low = rng.uniform(0.25, 0.45)
        parts += [spread_legs(rng, 4, top, foot, h), foot_ring(rng, foot + (top - foot) * low, h * low)]
    else:
        parts += [legs(rng, s, s, h, ("square", "round", "tapered", "turned")), stretchers(rng, s, s, h)]
    if chance(rng, 0.35):
        back = (ladder_back, panel_back, padded_back)[rng.randint(3)](rng, s * 0.95, rng.uniform(0.15, 0.3))
        parts.append(back.turned("x", -8).moved(0, h + 0.02, -s / 2 + 0.02))
    return join(*parts)


def pedestal_stool(rng: Random) -> Mesh:
    """One column on a plate, with a foot rest, for bars."""
    s, h = rng.uniform(0.32, 0.46), rng.uniform(0.55, 0.82)
    foot, neck = rng.uniform(0.18, 0.25), rng.uniform(0.022, 0.04)
    column = lathe([(0, 0), (foot, 0), (foot, 0.015), (neck * 1.5, 0.04), (neck, 0.08), (neck, h), (0, h)], 16)
    parts = [stool_seat(rng, s, h), column]
    if chance(rng, 0.7):
        ring = foot_ring(rng, 0.14, h * rng.uniform(0.3, 0.5))
        y = float(ring.vertices[:, 1].mean())
        parts += [ring, rod((0, y, -0.14), (0, y, 0.14), 0.01)]
    if chance(rng, 0.45):
        top = h + rng.uniform(0.16, 0.32)
        parts.append(curved_wall(s * 0.5, 0.04, h + 0.03, np.full(13, top), rng.uniform(120, 230), 1.05))
    return join(*parts)


def round_stool(rng: Random) -> Mesh:
    """A low disc on three or four straight or slanting legs."""
    s, h = rng.uniform(0.28, 0.42), rng.uniform(0.25, 0.48)
    seat = disc(s / 2, rng.uniform(0.02, 0.06), h)
    if chance(rng, 0.4):
        seat = cushion(s, rng.uniform(0.07, 0.14), s, 0.5).moved(y=h + 0.04)
    foot = s * rng.uniform(0.36, 0.62)
    parts = [seat, spread_legs(rng, rng.randint(3, 5), s * 0.36, foot, h)]
    return join(*parts, foot_ring(rng, (foot + s * 0.36) / 2, h / 2)) if chance(rng, 0.25) else join(*parts)


def square_stool(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.28, 0.46), rng.uniform(0.26, 0.42), rng.uniform(0.35, 0.5)
    t = rng.uniform(0.02, 0.05)
    top = slab(w, t, d, h) if chance(rng, 0.6) else soft(w, 2.5 * t, d, h, edge=0.3)
    parts = [top, legs(rng, w, d, h), rails(w * 0.95, rng.uniform(0.03, 0.08), d * 0.95, 0.02, h - 0.06)]
    return join(*parts, stretchers(rng, w, d, h)) if chance(rng, 0.6) else join(*parts)


def swivel_stool(rng: Random) -> Mesh:
    """Laboratory, drafting or piano stool on a star base or on a screw with three feet."""
    s, h = rng.uniform(0.3, 0.4), rng.uniform(0.42, 0.7)
    seat = cushion(s, rng.uniform(0.06, 0.12), s, rng.uniform(0.3, 0.5)).moved(y=h + 0.03)
    parts = [seat, star_base(rng, h)]
    if chance(rng, 0.3):
        parts.append(foot_ring(rng, 0.19, h * 0.4))
    return join(*parts)


def step_stool(rng: Random) -> Mesh:
    """Two treads between side boards, or a little folding ladder."""
    w, h, d = rng.uniform(0.34, 0.45), rng.uniform(0.4, 0.55), rng.uniform(0.3, 0.4)
    z, t = d / 2, rng.uniform(0.018, 0.03)
    upper, lower = slab(w, t, d * 0.5, h - t, z=-z * 0.5), slab(w, t, d * 0.5, h * 0.5 - t, z=z * 0.5)
    if chance(rng, 0.6):
        high, low = slab(t, h, d * 0.5, z=-z * 0.5, x=w / 2), slab(t, h * 0.5, d * 0.5, z=z * 0.5, x=w / 2)
        return join(upper, lower, pair(join(high, low)))
    side = join(rod((w / 2, 0, z), (w / 2, h, -z * 0.5), 0.014), rod((w / 2, 0, -z * 1.2), (w / 2, h, -z * 0.5), 0.014))
    return join(upper, lower, pair(side))


def drum_stool(rng: Random) -> Mesh:
    """A garden stool: a drum, an hourglass, a stump or a closed cube."""
    r, h = rng.uniform(0.15, 0.22), rng.uniform(0.38, 0.5)
    bulge = rng.uniform(-0.45, 0.35)
    t = np.linspace(0, 1, 9)
    profile = r * (0.85 + bulge * np.sin(np.pi * t) * 0.8)
    body = lathe([(0, 0), *zip(profile, t * h, strict=True), (0, h)], 16)
    if chance(rng, 0.3):
        return join(body, cushion(2 * r, 0.08, 2 * r, 0.5).moved(y=h + 0.02))
    return body


def camp_stool(rng: Random) -> Mesh:
    """Crossed legs with a cloth or a board on top."""
    w, d, h, r = rng.uniform(0.35, 0.5), rng.uniform(0.3, 0.4), rng.uniform(0.35, 0.46), rng.uniform(0.009, 0.018)
    x, z = w / 2, d / 2
    cross = pair(rod((-x, 0, z), (x, h, z), r))
    bars = pair(join(rod((x, h, -z), (x, h, z), r), rod((x, r, -z), (x, r, z), r)))
    a = np.linspace(-1, 1, 9)
    sag = rng.uniform(0, 0.06)
    cloth = ribbon(np.column_stack([a * x, h - sag * (1 - a**2)]), d, rng.uniform(0.01, 0.05)).turned("y", 90)
    return join(cross, cross.mirrored("z"), bars, cloth)


def bent_stool(rng: Random) -> Mesh:
    """One board bent down at both ends, sharply or in a curve, with a rail or shelf below."""
    w, d, h, t = rng.uniform(0.35, 0.48), rng.uniform(0.25, 0.36), rng.uniform(0.4, 0.5), rng.uniform(0.018, 0.045)
    x = w / 2
    foot = x * rng.uniform(0.9, 1.15)
    bend = rounded([(-foot, 0), (-x, h), (x, h), (foot, 0)], rng.randint(0, 4))
    parts = [ribbon(bend, d, t).turned("y", 90)]
    if chance(rng, 0.6):
        parts.append(slab(w * 0.95, 0.03, d * rng.uniform(0.1, 0.8), h * rng.uniform(0.2, 0.6)))
    return join(*parts)


STOOLS: dict[str, Maker] = {
    "bar": bar_stool,
    "pedestal": pedestal_stool,
    "round": round_stool,
    "square": square_stool,
    "swivel": swivel_stool,
    "step": step_stool,
    "drum": drum_stool,
    "camp": camp_stool,
    "bent": bent_stool,
}


@category(
    "stool",
    synonyms=(
        "bar stool",
        "barstool",
        "counter stool",
        "kitchen stool",
        "milking stool",
        "piano stool",
        "lab stool",
        "drafting stool",
        "swivel stool",
        "step stool",
        "garden stool",
        "camp stool",
        "folding stool",
        "shower stool",
        "tabouret",
        "drum throne",
    ),
    variants=tuple(STOOLS),
)
def stool(rng: Random, variant: str) -> Mesh:
    return STOOLS[variant](rng)


# --- pillow -------------------------------------------------------------------------------------


def bolster(rng: Random, length: float, radius: float) -> Mesh:
    """A roll along x about the origin: flat, round or drawn-together ends."""
    soften = rng.uniform(0.02, 0.9) * radius
    x = np.array([0, 0, soften, length - soften, length, length]) - length / 2
    r = radius * np.array([0, rng.uniform(0.6, 0.95), 1, 1, 0, 0])
    r[4] = r[1]
    return lathe(list(zip(r, x, strict=True)), 16).turned("z", 90)


def posed(rng: Random, mesh: Mesh) -> Mesh:
    """Lying flat mostly, else standing on an edge or leaning back."""
    if chance(rng, 0.6):
        return mesh
    return mesh.turned("x", rng.uniform(55, 90))


def wrinkled(rng: Random, mesh: Mesh, amount: float) -> Mesh:
    """Soft waves over the surface."""
    k, phase = rng.uniform(-14, 14, (3, 3)), rng.uniform(0, 6, 3)
    return mesh.deformed(lambda p: p * (1 + amount * np.sin(p @ k + phase).mean(axis=1, keepdims=True)))


def square_pillow(rng: Random) -> Mesh:
    s = rng.uniform(0.35, 0.65)
    return posed(rng, wrinkled(rng, sewn(rng, s, s * rng.uniform(0.2, 0.5), s * rng.uniform(0.9, 1.05)), 0.06))


def bed_pillow(rng: Random) -> Mesh:
    w, d = rng.uniform(0.55, 0.95), rng.uniform(0.35, 0.55)
    body = wrinkled(rng, sewn(rng, w, rng.uniform(0.1, 0.24), d), 0.08)
    if chance(rng, 0.25):
        flange = rng.uniform(1.05, 1.15)
        body = join(body, slab(w * flange, 0.008, d * flange, -0.004))
    return posed(rng, body)


def long_bolster(rng: Random) -> Mesh:
    return bolster(rng, rng.uniform(0.6, 1.4), rng.uniform(0.08, 0.15))


def neck_roll(rng: Random) -> Mesh:
    length, r = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.1)
    body = bolster(rng, length, r)
    if chance(rng, 0.3):
        tail = ellipsoid(r * 0.9, r * 1.8, r * 1.8, 10).moved(length / 2 + r * 0.3)
        body = join(body, pair(tail))
    return body if chance(rng, 0.6) else body.scaled(1, rng.uniform(0.6, 1), 1)


def dented_pillow(rng: Random) -> Mesh:
    """With the hollow that a head left, or hit with the edge of a hand."""
    w, d, t = rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.55), rng.uniform(0.14, 0.28)
    depth, cx, cz = rng.uniform(0.4, 0.85), *rng.uniform(-0.15, 0.15, 2)
    wide = rng.uniform(10, 30)

    def dent(p: np.ndarray) -> np.ndarray:
        hollow = np.exp(-wide * ((p[:, 0] / w - cx) ** 2 + (p[:, 2] / d - cz) ** 2))
        p[:, 1] *= np.where(p[:, 1] > 0, 1 - depth * hollow, 1)
        return p

    return posed(rng, sewn(rng, w, t, d).deformed(dent))


def chopped_pillow(rng: Random) -> Mesh:
    """A throw pillow standing up with a V pressed into its upper edge."""
    s, t = rng.uniform(0.38, 0.6), rng.uniform(0.12, 0.22)
    drop = rng.uniform(0.08, 0.25)

    def press(p: np.ndarray) -> np.ndarray:
        up = np.clip(p[:, 1] / s + 0.5, 0, 1)
        p[:, 1] -= s * drop * up**2 * np.clip(1 - np.abs(p[:, 0]) / s * 2.4, 0, 1)
        return p

    standing = pad(s, t, s, rng.uniform(0.3, 0.6), 0.1).turned("x", 90)
    return standing.deformed(press).turned("x", -rng.uniform(0, 25))


def floor_cushion(rng: Random) -> Mesh:
    """Flat and broad, boxed edges, round or square, perhaps buttoned; also seat pads."""
    s, t = rng.uniform(0.4, 0.9), rng.uniform(0.05, 0.18)
    d = s * rng.uniform(0.65, 1)
    if chance(rng, 0.3):
        return lathe([(0, 0), (s * 0.48, 0), (s / 2, t * 0.3), (s / 2, t * 0.7), (s * 0.48, t), (0, t * 0.9)], 20)
    body = soft(s, t, d, edge=rng.uniform(0.1, 0.35))
    if chance(rng, 0.3):
        edge = rails(s, 0.012, d, 0.012)
        body = join(body, edge, edge.moved(y=t - 0.012))
    return posed(rng, body)


def round_pillow(rng: Random) -> Mesh:
    """A disc, a ball, a pleated tuffet or a ring."""
    s, kind = rng.uniform(0.3, 0.5), pick(rng, ("disc", "ball", "pleated", "ring"))
    if kind == "ball":
        return ellipsoid(s * 0.8, s * rng.uniform(0.6, 0.8), s * 0.8, 18)
    if kind == "ring":
        return torus(s * 0.33, s * rng.uniform(0.12, 0.2)).scaled(1, 0.8, 1)
    body = ellipsoid(s, s * rng.uniform(0.25, 0.5), s, 24)
    if kind == "pleated":
        body = body.deformed(lambda p: p * (1 + 0.04 * np.cos(12 * np.arctan2(p[:, 2], p[:, 0])))[:, None])
    return posed(rng, body)


def neck_pillow(rng: Random) -> Mesh:
    """The travellers' horseshoe."""
    r, t = rng.uniform(0.09, 0.13), rng.uniform(0.045, 0.07)
    angle = np.radians(np.linspace(0, 1, 17) * rng.uniform(240, 310))
    path = np.column_stack([r * np.cos(angle), np.zeros(17), r * np.sin(angle) * 1.1])
    thickness = t * (0.85 + 0.15 * np.cos(np.linspace(-np.pi, np.pi, 17)))
    thickness[[0, -1]] *= 0.5
    return tube(path, thickness.tolist(), 12).scaled(1, rng.uniform(0.7, 1.1), 1)


def contour_pillow(rng: Random) -> Mesh:
    """Memory foam: two rolls of different height along the long edges with a trough between."""
    w, d = rng.uniform(0.45, 0.7), rng.uniform(0.3, 0.42)
    z = np.linspace(-1, 1, 15)
    rolls = rng.uniform(0.06, 0.1) + 0.03 * np.cos(2.2 * np.pi * z / 2 * 1.6 + np.pi) + rng.uniform(0, 0.02) * z
    edge = np.clip(1 - np.abs(z) ** 8, 0.1, 1)
    outline = [*zip(z * d / 2, rolls * edge + 0.02, strict=True), (d / 2, 0), (-d / 2, 0)]
    return extrude(outline, w).turned("y", 90)


def wedge_pillow(rng: Random) -> Mesh:
    """A reading wedge or a backrest with two arms."""
    w, d, h = rng.uniform(0.5, 0.75), rng.uniform(0.35, 0.6), rng.uniform(0.18, 0.5)
    wedge = extrude([(-d / 2, 0), (d / 2, 0), (d / 2, 0.03), (-d / 2, h)], w).turned("y", -90)
    if chance(rng, 0.3):
        arm = cushion(0.16, h * 0.6, d * 1.2, 0.6).moved(w / 2, h * 0.3, d * 0.4)
        return join(soft(w, h * 1.1, 0.22, edge=0.4), pair(arm))
    return wedge


def stacked_pillows(rng: Random) -> Mesh:
    """Two or three on top of each other or leaning together."""
    w, d, t = rng.uniform(0.4, 0.75), rng.uniform(0.35, 0.5), rng.uniform(0.1, 0.18)
    parts = []
    for i in range(rng.randint(2, 4)):
        one = sewn(rng, w * rng.uniform(0.85, 1), t, d * rng.uniform(0.85, 1)).turned("y", rng.uniform(-15, 15))
        parts.append(one.moved(0, i * t * 0.8, 0))
    return join(*parts)


PILLOWS: dict[str, Maker] = {
    "square": square_pillow,
    "bed": bed_pillow,
    "bolster": long_bolster,
    "neck_roll": neck_roll,
    "dented": dented_pillow,
    "chopped": chopped_pillow,
    "floor_cushion": floor_cushion,
    "round": round_pillow,
    "neck": neck_pillow,
    "contour": contour_pillow,
    "wedge": wedge_pillow,
    "stacked": stacked_pillows,
}


@category(
    "pillow",
    synonyms=(
        "cushion",
        "throw pillow",
        "bed pillow",
        "head pillow",
        "sofa cushion",
        "seat cushion",
        "scatter cushion",
        "floor cushion",
        "bolster",
        "neck roll",
        "neck pillow",
        "travel pillow",
        "decorative pillow",
        "memory foam pillow",
        "wedge pillow",
        "headrest",
    ),
    variants=tuple(PILLOWS),
)
def pillow(rng: Random, variant: str) -> Mesh:
    return PILLOWS[variant](rng)


# --- ottoman ------------------------------------------------------------------------------------


def cube_ottoman(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.36, 0.65), rng.uniform(0.34, 0.48), rng.uniform(0.36, 0.6)
    body = soft(w, h, d, edge=rng.uniform(0.06, 0.3))
    return join(body, soft(w * 1.03, 0.07, d * 1.03, h - 0.05, edge=0.25)) if chance(rng, 0.5) else body


def round_ottoman(rng: Random) -> Mesh:
    """A drum, mostly with a domed top and feet."""
    r, h, foot = rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.45), rng.uniform(0, 0.12)
    dome = rng.uniform(0.0, 0.08)
    side = [(r * 0.97, foot), (r, foot + 0.03), (r, h - 0.04), (r * 0.96, h), (r * 0.6, h + dome * 0.7), (0, h + dome)]
    parts = [lathe([(0, foot), *side], 22)]
    if foot > 0.03:
        parts.append(feet(rng, r * 1.4, r * 1.4, foot + 0.02))
    if chance(rng, 0.3):
        parts.append(torus(r, 0.012).moved(y=h - 0.06))
    return join(*parts)


def pouf(rng: Random) -> Mesh:
    """A knitted or leather ball pressed flat, with or without segments."""
    w, h, lobes = rng.uniform(0.4, 0.75), rng.uniform(0.28, 0.42), rng.randint(6, 17)
    deep, square = rng.uniform(0, 0.07), rng.uniform(0.5, 0.9)

    def pleat(p: np.ndarray) -> np.ndarray:
        return p * (1 + deep * np.cos(lobes * np.arctan2(p[:, 2], p[:, 0])))[:, None] ** [1, 0.4, 1]

    t = np.linspace(-np.pi / 2, np.pi / 2, 11)
    profile = [(0.5 * np.cos(a) ** square, 0.5 * np.sin(a)) for a in t]
    return lathe(profile, 40).scaled(w, h, w).deformed(pleat)


def legged_ottoman(rng: Random) -> Mesh:
    """A thick pad on short or medium legs."""
    w, d, h, t = rng.uniform(0.45, 0.9), rng.uniform(0.38, 0.65), rng.uniform(0.08, 0.28), rng.uniform(0.1, 0.26)
    top = soft(w, t, d, h, edge=rng.uniform(0.12, 0.45))
    parts = [top, legs(rng, w * 0.93, d * 0.93, h + 0.02, thickness=(0.03, 0.07))]
    if chance(rng, 0.4):
        parts.append(rails(w * 0.96, 0.06, d * 0.96, 0.025, h - 0.02))
    return join(*parts)


def tufted_ottoman(rng: Random) -> Mesh:
    """The top sewn into squares over a box or drawn-in base."""
    w, d, h, foot = rng.uniform(0.6, 1.1), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.34), rng.uniform(0.03, 0.15)
    nx, nz = rng.randint(2, 6), rng.randint(2, 5)
    one = soft(w / nx, 0.12, d / nz, h, edge=rng.uniform(0.3, 0.6))
    top = join(*[row(one, spread(nx, w)).moved(z=z) for z in spread(nz, d)])
    return join(top, slab(w * 0.97, h - foot + 0.05, d * 0.97, foot), feet(rng, w, d, foot + 0.01))


def storage_ottoman(rng: Random) -> Mesh:
    """Hollow with a lid: shut, lifted off, hinged open or turned to a tray."""
    w, d, h, t = rng.uniform(0.4, 1.1), rng.uniform(0.38, 0.5), rng.uniform(0.32, 0.42), rng.uniform(0.02, 0.04)
    lid = soft(w, rng.uniform(0.05, 0.1), d, edge=rng.uniform(0.12, 0.3))
    if chance(rng, 0.5):
        return join(slab(w * 0.97, h, d * 0.97, 0.02), lid.moved(y=h + 0.02), feet(rng, w * 0.9, d * 0.9, 0.03))
    body = join(rails(w, h, d, t), slab(w - 2 * t, 0.02, d - 2 * t))
    if chance(rng, 0.6):
        return join(body, lid.moved(z=d / 2).turned("x", -rng.uniform(30, 100)).moved(0, h, -d / 2))
    return join(body, lid.turned("y", rng.uniform(5, 40)).moved(0.1, h, 0.05))


def crossed_ottoman(rng: Random) -> Mesh:
    """A footstool on X-shaped or curule legs, or on rockers."""
    w, d, h, t = rng.uniform(0.4, 0.65), rng.uniform(0.35, 0.48), rng.uniform(0.25, 0.38), rng.uniform(0.06, 0.14)
    a = np.linspace(-1, 1, 9)
    curl = rng.uniform(0, 0.6)
    arc = np.column_stack([a * w * 0.45, h * (0.5 + 0.5 * np.sign(a) * np.abs(a) ** (1 + curl)), np.full(9, d * 0.42)])
    cross = pair(tube(arc, rng.uniform(0.012, 0.025), 6))
    bar = rod((0, h / 2, -d * 0.42), (0, h / 2, d * 0.42), 0.012)
    return join(soft(w, t, d, h, edge=rng.uniform(0.2, 0.4)), cross, cross.mirrored("z"), bar)


def sloped_ottoman(rng: Random) -> Mesh:
    """The footrest that belongs to a lounge chair: tilted or hollowed pad on a star, sled or disc."""
    w, d, h, t = rng.uniform(0.45, 0.65), rng.uniform(0.38, 0.55), rng.uniform(0.26, 0.36), rng.uniform(0.06, 0.14)
    if chance(rng, 0.5):
        z = np.linspace(-1, 1, 9)
        top = ribbon(np.column_stack([-z * d / 2, h + t + rng.uniform(-0.06, 0.06) * z**2]), w, t)
    else:
        top = soft(w, t, d, h, edge=0.3)
    top = top.moved(y=-h).turned("x", rng.uniform(-2, 14)).moved(y=h)
    kind = pick(rng, ("star", "disc", "sled"))
    base = star_base(rng, h + 0.02) if kind == "star" else disc_base(rng, h + 0.02)
    return join(top, sled_base(rng, w * 0.9, d * 0.85, h) if kind == "sled" else base)


def skirted_ottoman(rng: Random) -> Mesh:
    """Cloth to the floor in folds under a soft top."""
    w, d, h = rng.uniform(0.5, 0.85), rng.uniform(0.42, 0.65), rng.uniform(0.26, 0.36)
    angle = np.linspace(0, 2 * np.pi, 49)
    ring = np.stack([np.sign(f) * np.abs(f) ** 0.25 for f in (np.cos(angle), np.sin(angle))], axis=1)
    wave = 1 + rng.uniform(0.01, 0.03) * np.cos(24 * angle)
    low, high = ring * wave[:, None] * [w / 2, d / 2], ring * [w / 2 * 0.96, d / 2 * 0.96]
    skirt = np.stack([np.insert(low, 1, 0, axis=1), np.insert(high, 1, h, axis=1)])
    return join(surface(skirt), soft(w, rng.uniform(0.1, 0.18), d, h - 0.03, edge=rng.uniform(0.2, 0.4)))


OTTOMANS: dict[str, Maker] = {
    "cube": cube_ottoman,
    "round": round_ottoman,
    "pouf": pouf,
    "legged": legged_ottoman,
    "tufted": tufted_ottoman,
    "storage": storage_ottoman,
    "crossed": crossed_ottoman,
    "sloped": sloped_ottoman,
    "skirted": skirted_ottoman,
}


@category(
    "ottoman",
    synonyms=(
        "pouf",
        "pouffe",
        "footstool",
        "footrest",
        "hassock",
        "tuffet",
        "storage ottoman",
        "cube seat",
        "leg rest",
        "round ottoman",
        "tufted ottoman",
        "cocktail ottoman",
    ),
    variants=tuple(OTTOMANS),
)
def ottoman(rng: Random, variant: str) -> Mesh:
    return OTTOMANS[variant](rng)

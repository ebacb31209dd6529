"""Categories of things: instruments, electronics, tools, vehicles, living things.

Helpers come first, then one section a category: a small function for every variant, a table that
names them, and the builder. Flat tools are drawn in the x-y plane and mostly laid on the floor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
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
    rotation,
    sheet,
    torus,
    tube,
)

Rng = np.random.RandomState
Variants = dict[str, Callable[[Rng], Mesh]]
Points = Sequence[tuple[float, float]]
Point = Sequence[float] | np.ndarray


# ---------------------------------------------------------------------------- helpers


def _words(listed: str) -> tuple[str, ...]:
    """The terms of a list separated by commas."""
    return tuple(listed.split(", "))


def _chance(rng: Rng, probability: float) -> bool:
    return bool(rng.uniform() < probability)


def _stamp(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """One mesh of n copies (n, v, 3) that share their faces (f, 3): much faster than `join`."""
    n, v = vertices.shape[:2]
    all_faces = faces[None] + (np.arange(n) * v)[:, None, None]
    return Mesh(vertices.reshape(-1, 3), all_faces.reshape(-1, 3), np.repeat(np.arange(n), len(faces)))


def _copies(mesh: Mesh, offsets: Sequence[Point] | np.ndarray) -> Mesh:
    """A copy at every offset (n, 3)."""
    return _stamp(mesh.vertices[None] + np.asarray(offsets, dtype=np.float64)[:, None], mesh.faces)


def _around(mesh: Mesh, count: int, axis: str = "y") -> Mesh:
    """Copies spread evenly about an axis through the origin."""
    turns = np.stack([rotation(axis, 360 * i / count) for i in range(count)])
    return _stamp(mesh.vertices @ turns.transpose(0, 2, 1), mesh.faces)


def _both(mesh: Mesh, axis: str = "x") -> Mesh:
    """The mesh and its mirror image."""
    return join(mesh, mesh.mirrored(axis))


def _rods(starts: np.ndarray, ends: np.ndarray, radius: float | np.ndarray, sides: int = 5) -> Mesh:
    """Many straight rods at once, from starts (n, 3) to ends (n, 3), open at their ends."""
    a, b = np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    along = b - a
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.cross(along, np.eye(3)[np.argmin(np.abs(along), axis=1)])
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * np.cross(along, side)[:, None]
    ring = ring * np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(a),))[:, None, None]
    i = np.arange(sides)
    j = (i + 1) % sides
    faces = np.concatenate([np.stack([i, j, sides + j], axis=1), np.stack([i, sides + j, sides + i], axis=1)])
    return _stamp(np.concatenate([a[:, None] + ring, b[:, None] + ring], axis=1), faces)


def _bars(pairs: Sequence[tuple[Point, Point]], radius: float | np.ndarray) -> Mesh:
    """Straight rods between pairs of points."""
    ends = np.asarray(pairs, dtype=np.float64)
    return _rods(ends[:, 0], ends[:, 1], radius, sides=7)


def _hull(stations: Sequence[Sequence[float]], roundness: float = 1.0, columns: int = 16) -> Mesh:
    """A closed body along z through stations (z, y, half width, half height); see `cushion` for roundness."""
    s = np.asarray(stations, dtype=np.float64)
    rows = np.concatenate([s[:1] * [1, 1, 0, 0], s, s[-1:] * [1, 1, 0, 0]])
    z, y, half_width, half_height = (c[:, None] for c in rows.T)

    def soft(t: np.ndarray) -> np.ndarray:
        return np.sign(t) * np.abs(t) ** roundness

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = half_width * soft(np.cos(2 * np.pi * v))
        return np.stack([x, y + half_height * soft(np.sin(2 * np.pi * v)), z + 0 * u], axis=-1)

    return sheet(surface, len(rows), columns + 1)


def _blade(span: float, root: float, tip: float, sweep: float, thickness: float, rise: float = 0.0) -> Mesh:
    """A wing or fin from the origin along +x: chords along z, its tip `sweep` further back and `rise` higher."""

    def shape(p: np.ndarray) -> np.ndarray:
        t = p[:, 0] + 0.5
        chord = root + (tip - root) * t
        y = p[:, 1] * thickness * (1 - 0.6 * t) + rise * t
        return np.stack([span * t, y, p[:, 2] * chord - sweep * t], axis=1)

    return box(1, 1, 1).deformed(shape)


def _rounded_corners(outline: Points | np.ndarray, rounds: int = 2) -> np.ndarray:
    """A closed outline (n, 2) with its corners cut again and again until it looks smooth."""
    p = np.asarray(outline, dtype=np.float64)
    for _ in range(rounds):
        q = np.roll(p, -1, axis=0)
        p = np.stack([0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q], axis=1).reshape(-1, 2)
    return p


def _symmetric(right: Points) -> np.ndarray:
    """A closed outline from its right half, listed bottom to top."""
    p = np.asarray(right, dtype=np.float64)
    return np.concatenate([p, p[::-1] * [-1, 1]])


def _panel(width: float, height: float, depth: float, corner: float) -> Mesh:
    """An upright slab whose four corners are rounded, as screens and tablets are."""
    a = np.radians(np.arange(0, 360, 30).reshape(4, 3) + np.array([0, 15, 30]))
    centre = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2 - corner, height / 2 - corner]
    outline = centre[:, None] + corner * np.stack([np.cos(a), np.sin(a)], axis=-1)
    return extrude([(float(x), float(y)) for x, y in outline.reshape(-1, 2)], depth)


def _upright(outline: Points | np.ndarray, depth: float) -> Mesh:
    """`extrude` for arrays."""
    return extrude([(float(x), float(y)) for x, y in outline], depth)


def _plan(outline: Points | np.ndarray, thickness: float) -> Mesh:
    """A level slab from its outline (x, z) seen from above."""
    return _upright(outline, thickness).turned("x", 90)


def _side(outline: Points | np.ndarray, width: float) -> Mesh:
    """A body `width` across (along x) from its side view (z, y)."""
    return _upright(outline, width).turned("y", -90)


def _frame(width: float, height: float, bar: float, depth: float) -> Mesh:
    """Four bars about an opening, in the x-y plane."""
    upright = box(bar, height, depth).moved(x=(width - bar) / 2)
    across = box(width - 2 * bar, bar, depth).moved(y=(height - bar) / 2)
    return join(_both(upright, "x"), _both(across, "y"))


def _barrel(radius: float, length: float, front: float | None = None, segments: int = 16) -> Mesh:
    """A cylinder along z; `front` is its radius at the +z end."""
    return cylinder(radius, length, front, segments).turned("x", 90)


def _axle(radius: float, length: float, segments: int = 16) -> Mesh:
    """A cylinder along x."""
    return cylinder(radius, length, segments=segments).turned("z", 90)


def _ring(radius: float, thickness: float, segments: int = 20) -> Mesh:
    """A torus that faces +z."""
    return torus(radius, thickness, segments).turned("x", 90)


def _arch(radius: float, thickness: float, segments: int = 14) -> Mesh:
    """A half ring in the x-y plane that stands on its two ends."""
    return torus(radius, thickness, segments, degrees=180).turned("x", -90)


def _on_back(mesh: Mesh) -> Mesh:
    """Laid down so that its front looks up."""
    return mesh.turned("x", -90)


def _laid(rng: Rng, mesh: Mesh, chance: float = 0.8) -> Mesh:
    """Mostly laid on the floor, otherwise left upright."""
    return _on_back(mesh) if _chance(rng, chance) else mesh


def _bumpy(rng: Rng, mesh: Mesh, amount: float) -> Mesh:
    """Every vertex pushed in or out from the origin by up to a share of its distance."""
    return mesh.with_vertices(mesh.vertices * rng.uniform(1 - amount, 1 + amount, (len(mesh.vertices), 1)))


# ---------------------------------------------------------------------------- guitar


def _neck(rng: Rng, length: float, width: float, depth: float, head: float) -> Mesh:
    """Neck, headstock and tuning pegs, upwards from the origin."""
    pegs = rng.randint(2, 4)
    tilt = rng.uniform(0, 15)
    y = np.linspace(0.25, 0.85, pegs) * head
    x = np.where(np.arange(2 * pegs) < pegs, -1, 1) * width
    peg = _axle(0.006, 0.04, 8)
    headstock = box(width * 1.5, head, depth * 0.7).moved(y=head / 2)
    offsets = np.stack([x, np.tile(y, 2), np.zeros(2 * pegs)], axis=1)
    top = join(headstock, _copies(peg, offsets)).turned("x", -tilt).moved(y=length)
    frets = _copies(box(width, 0.003, 0.004), [(0, t * length, depth / 2) for t in np.linspace(0.1, 0.95, 12)])
    return join(box(width, length, depth).moved(y=length / 2), frets, top)


def _eight(length: float, width: float, waist: float) -> np.ndarray:
    """The outline of a guitar's body, its lower end on y = 0."""
    half = width / 2
    points = [(0, 0), (0.8, 0), (1.1, 0.14), (1.05, 0.36), (waist, 0.56), (0.82, 0.72), (0.8, 0.92), (0.5, 1), (0, 1)]
    return _rounded_corners(_symmetric([(x * half, y * length) for x, y in points]))


def _acoustic(rng: Rng, size: float = 1.0) -> Mesh:
    u = rng.uniform
    length, width, depth = size * u(0.44, 0.54), size * u(0.33, 0.42), size * u(0.08, 0.13)
    body = _upright(_eight(length, width, u(0.55, 0.75)), depth)
    hole = _ring(width * 0.14, 0.006).moved(y=length * 0.66, z=depth / 2)
    bridge = box(width * 0.45, 0.03, 0.015).moved(y=length * 0.3, z=depth / 2 + 0.007)
    neck = _neck(rng, size * u(0.4, 0.5), 0.055, 0.025, size * u(0.14, 0.2)).moved(y=length * 0.95, z=depth * 0.4)
    board = box(0.055, length * 0.2, 0.012).moved(y=length * 0.9, z=depth / 2)
    strings = _bars(
        [((x, length * 0.3, depth * 0.6), (x, length * 1.8, depth * 0.6)) for x in (-0.015, 0, 0.015)], 0.002
    )
    return join(body, hole, bridge, neck, board, strings)


def _solid_body(rng: Rng, length: float, neck: float) -> Mesh:
    u = rng.uniform
    width, depth = u(0.28, 0.36), u(0.035, 0.06)
    right, left = u(0.95, 1.15), u(1.05, 1.35)
    half = [(0, 0), (0.75, 0), (1.1, 0.15), (1, 0.38), (0.7, 0.58), (0.85, 0.78), (0.75, right), (0.5, right * 0.97)]
    other = [(-0.5, left * 0.97), (-0.8, left), (-0.85, 0.78), (-0.7, 0.58), (-1, 0.38), (-1.1, 0.15), (-0.75, 0)]
    points = [(x * width / 2, y * length) for x, y in [*half, (0.25, 0.8), (-0.25, 0.8), *other]]
    pickups = _copies(box(0.08, 0.03, 0.015), [(0, length * t, depth / 2) for t in (0.35, 0.55, 0.7)])
    knobs = _copies(_barrel(0.012, 0.02, segments=8), [(0.09, length * t, depth / 2) for t in (0.12, 0.25)])
    top = _neck(rng, neck, 0.05, 0.022, u(0.14, 0.2)).moved(y=length * 0.8, z=depth * 0.4)
    return join(_upright(_rounded_corners(points), depth), pickups, knobs, top)


def _flying_v(rng: Rng) -> Mesh:
    u = rng.uniform
    depth, length, spread = u(0.035, 0.05), u(0.4, 0.5), u(0.18, 0.25)
    wing = _upright([(-0.02, length), (0.06, length), (spread, 0.03), (spread - 0.12, 0)], depth)
    return join(_both(wing), _neck(rng, u(0.5, 0.6), 0.05, 0.022, u(0.15, 0.2)).moved(y=length * 0.75, z=depth / 2))


def _banjo(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.13, 0.17), u(0.06, 0.09)
    lugs = _around(box(0.012, 0.015, depth).moved(y=radius * 1.03), 14, "z")
    rim = join(_ring(radius, 0.012).moved(z=depth / 2), box(0.08, 0.012, 0.02).moved(y=-radius * 0.4, z=depth / 2))
    return join(
        _barrel(radius, depth, segments=20), lugs, rim, _neck(rng, u(0.5, 0.65), 0.045, 0.025, 0.17).moved(y=radius)
    )


def _on_guitar_stand(rng: Rng) -> Mesh:
    instrument = _acoustic(rng) if _chance(rng, 0.5) else _solid_body(rng, 0.42, 0.5)
    feet = [((0, 0.25, -0.12), (x, -0.12, z)) for x, z in ((-0.22, 0.1), (0.22, 0.1), (0, -0.3))]
    arms = [((0, 0.05, -0.12), (x, -0.02, 0.1)) for x in (-0.1, 0.1)]
    post = [((0, 0, -0.12), (0, 0.6, -0.12))]
    return join(instrument.turned("x", -8), _bars([*feet, *arms, *post], 0.012))


_GUITARS: Variants = {
    "acoustic": lambda rng: _laid(rng, _acoustic(rng), 0.3),
    "electric": lambda rng: _laid(rng, _solid_body(rng, rng.uniform(0.38, 0.46), rng.uniform(0.45, 0.55)), 0.3),
    "bass": lambda rng: _laid(rng, _solid_body(rng, rng.uniform(0.42, 0.5), rng.uniform(0.65, 0.8)), 0.3),
    "flying_v": lambda rng: _laid(rng, _flying_v(rng), 0.3),
    "ukulele": lambda rng: _laid(rng, _acoustic(rng, rng.uniform(0.5, 0.7)), 0.3),
    "banjo": lambda rng: _laid(rng, _banjo(rng), 0.3),
    "on_stand": _on_guitar_stand,
}


@category(
    "guitar",
    synonyms=_words(
        "acoustic guitar, electric guitar, bass guitar, classical guitar, ukulele, banjo, mandolin, lute, "
        "string instrument, six string, flying v guitar, violin, cello"
    ),
    variants=tuple(_GUITARS),
)
def guitar(rng: Rng, variant: str) -> Mesh:
    return _GUITARS[variant](rng)


# ---------------------------------------------------------------------------- piano


def _piano_keys(width: float, depth: float) -> Mesh:
    """White keys as one slab, black keys on top; the fronts of the keys at z = 0."""
    x = np.linspace(-width / 2, width / 2, 38)[1:-1]
    black = x[np.isin(np.arange(len(x)) % 7, (0, 1, 3, 4, 5))]
    offsets = np.stack([black, np.full_like(black, 0.02), np.full_like(black, -depth * 0.65)], axis=1)
    return join(box(width, 0.02, depth).moved(z=-depth / 2), _copies(box(0.012, 0.02, depth * 0.6), offsets))


def _bench(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.5, 0.9), u(0.45, 0.52), u(0.3, 0.36)
    legs = _copies(
        box(0.045, height, 0.045),
        [(x * (width / 2 - 0.04), height / 2, z * (depth / 2 - 0.04)) for x in (-1, 1) for z in (-1, 1)],
    )
    return join(cushion(width, 0.08, depth, 0.2).moved(y=height), legs)


def _with_bench(rng: Rng, instrument: Mesh, z: float) -> Mesh:
    return join(instrument, _bench(rng).moved(z=z)) if _chance(rng, 0.35) else instrument


def _grand_rim(width: float, length: float) -> np.ndarray:
    """A grand piano from above: keyboard side at z = 0, tail at z = -length, the straight side at the left."""
    w = width / 2
    bend = [(w, 0), (w, -0.3), (w * 0.95, -0.5), (w * 0.45, -0.62 * length), (w * 0.2, -0.85 * length)]
    return _rounded_corners([(-w, 0), *bend, (-w * 0.3, -length), (-w * 0.85, -length), (-w, -length * 0.85)], 1)


def _grand_piano(rng: Rng) -> Mesh:
    u = rng.uniform
    width, length, depth, height = u(1.4, 1.55), u(1.4, 2.6), u(0.26, 0.36), u(0.62, 0.7)
    rim = _grand_rim(width, length)
    body = _plan(rim, depth).moved(y=height + depth / 2)
    keys = _piano_keys(width * 0.85, 0.15).moved(y=height + 0.1, z=0.2)
    bed = join(
        box(width, 0.08, 0.25).moved(y=height + 0.04, z=0.1),
        _both(box(0.08, 0.22, 0.25).moved(width / 2 - 0.04, height + 0.11, 0.1)),
    )
    leg = cylinder(u(0.04, 0.06), height, u(0.05, 0.09), segments=10).moved(y=height / 2)
    legs = _copies(leg, [(-width * 0.43, 0, -0.1), (width * 0.43, 0, -0.1), (-width * 0.15, 0, -length * 0.85)])
    lyre = join(box(0.18, 0.06, 0.1).moved(y=0.1), _both(box(0.03, height, 0.03).moved(0.06, height / 2)))
    lid = _plan(rim, 0.025).moved(x=width / 2)
    lid = lid.turned("z", u(25, 45) if _chance(rng, 0.7) else 0).moved(-width / 2, height + depth + 0.015)
    desk = box(0.7, 0.2, 0.02).turned("x", -20).moved(y=height + depth + 0.1, z=-0.2)
    return _with_bench(rng, join(body, keys, bed, legs, lyre, lid, desk), 0.65)


def _upright_piano(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth, key_height = u(1.35, 1.55), u(1.0, 1.35), u(0.28, 0.4), u(0.62, 0.7)
    reach = u(0.24, 0.32)
    case = box(width, height, depth).moved(y=height / 2)
    lid = box(width + 0.04, 0.03, depth + 0.04).moved(y=height + 0.015)
    z = depth / 2 + reach
    bed = box(width, 0.06, reach).moved(y=key_height, z=depth / 2 + reach / 2)
    cheeks = _both(box(0.06, 0.18, reach).moved(width / 2 - 0.03, key_height + 0.12, depth / 2 + reach / 2))
    parts = [case, lid, bed, cheeks, _piano_keys(width * 0.88, 0.15).moved(y=key_height + 0.05, z=z - 0.02)]
    parts.append(_both(cylinder(0.03, key_height, u(0.03, 0.06)).moved(width / 2 - 0.06, key_height / 2, z - 0.06)))
    parts.append(box(width * 0.6, 0.2, 0.02).turned("x", -12).moved(y=key_height + 0.28, z=depth / 2 + 0.05))
    parts.append(_copies(box(0.05, 0.02, 0.1), [(x, 0.08, depth / 2 + 0.05) for x in (-0.1, 0, 0.1)]))
    return _with_bench(rng, join(*parts), z + 0.35)


def _digital_piano(rng: Rng) -> Mesh:
    u = rng.uniform
    width, depth, height = u(1.2, 1.4), u(0.28, 0.42), u(0.65, 0.75)
    slab = box(width, 0.1, depth).moved(y=height + 0.05)
    panel = box(width, 0.06, depth * 0.45).moved(y=height + 0.13, z=-depth * 0.27)
    keys = _piano_keys(width * 0.9, depth * 0.45).moved(y=height + 0.11, z=depth * 0.47)
    sides = _both(box(0.03, height, depth).moved(width / 2 - 0.03, height / 2))
    back = box(width - 0.06, u(0.15, 0.4), 0.02).moved(y=height * 0.6, z=-depth * 0.4)
    desk = box(width * 0.4, 0.2, 0.01).turned("x", -15).moved(y=height + 0.25, z=-depth * 0.35)
    return _with_bench(rng, join(slab, panel, keys, sides, back, desk), 0.6)


def _synthesizer(rng: Rng) -> Mesh:
    u = rng.uniform
    width, depth, height = u(0.7, 1.3), u(0.25, 0.38), u(0.6, 0.9)
    board = join(
        box(width, 0.07, depth),
        _piano_keys(width * 0.92, depth * 0.5).moved(y=0.045, z=depth * 0.48),
        _copies(
            _barrel(0.012, 0.02, segments=6).turned("x", 90),
            [(x * width, 0.045, -depth * 0.3) for x in np.linspace(-0.4, 0.4, 9)],
        ),
    )
    if _chance(rng, 0.3):
        return board
    cross = [((-0.35, 0, z), (0.3, height, z)) for z in (-0.12, 0.12)] + [
        ((0.35, 0, z), (-0.3, height, z)) for z in (-0.12, 0.12)
    ]
    feet = [((x, y, -0.2), (x, y, 0.2)) for x, y in ((-0.35, 0), (0.35, 0), (-0.3, height), (0.3, height))]
    return join(board.moved(y=height + 0.05), _bars([*cross, *feet], 0.015))


_PIANOS: Variants = {
    "grand": _grand_piano,
    "upright": _upright_piano,
    "digital": _digital_piano,
    "synthesizer": _synthesizer,
}


@category(
    "piano",
    synonyms=_words(
        "grand piano, upright piano, digital piano, electric piano, synthesizer, baby grand, organ, "
        "harpsichord, keyboard instrument, spinet, pianoforte, concert grand"
    ),
    variants=tuple(_PIANOS),
)
def piano(rng: Rng, variant: str) -> Mesh:
    return _PIANOS[variant](rng)


# ---------------------------------------------------------------------------- keyboard


def _key_field(rng: Rng, columns: int, rows: int, height: float) -> Mesh:
    """Rows of key caps and a space bar, level, centred, pitch 19 mm."""
    pitch, cap = 0.019, rng.uniform(0.0145, 0.0175)
    z, x = np.meshgrid(
        (np.arange(rows) - (rows - 1) / 2) * pitch, (np.arange(columns) - (columns - 1) / 2) * pitch, indexing="ij"
    )
    stagger = (np.arange(rows) % 3)[:, None] * 0.002
    middle = np.abs(x) < columns * pitch * 0.2
    keep = ~(middle & (np.arange(rows) == rows - 1)[:, None])
    offsets = np.stack([x + stagger, np.full_like(x, height / 2), z], axis=-1)[keep]
    space = box(columns * pitch * 0.38, height, cap).moved(y=height / 2, z=float(z.max()))
    return join(_copies(box(cap, height, cap).tapered(rng.uniform(0.7, 1)), offsets), space)


def _desk_keyboard(rng: Rng, columns: int, thickness: float, keys: float, blocks: Sequence[int] = ()) -> Mesh:
    """A case with a main field of keys and further blocks (columns each) to its right."""
    u = rng.uniform
    rows, gap, x = rng.randint(5, 7), 0.008, 0.0
    fields = []
    for block in (columns, *blocks):
        width = block * 0.019
        fields.append(_key_field(rng, block, rows, keys).moved(x=x + width / 2))
        x += width + gap
    width, depth = x + u(0, 0.03), rows * 0.019 + u(0.01, 0.05)
    case = box(width, thickness, depth)
    body = join(case, *[f.moved(-x / 2 + gap / 2, thickness / 2) for f in fields]).turned("x", u(0, 7))
    return _laid_keyboard(rng, body)


def _laid_keyboard(rng: Rng, mesh: Mesh) -> Mesh:
    return mesh.turned("x", rng.uniform(70, 90)) if _chance(rng, 0.1) else mesh


def _full_keyboard(rng: Rng) -> Mesh:
    return _desk_keyboard(rng, 15, rng.uniform(0.012, 0.03), rng.uniform(0.004, 0.01), (3, 4))


def _compact_keyboard(rng: Rng) -> Mesh:
    return _desk_keyboard(rng, rng.randint(13, 17), rng.uniform(0.006, 0.02), rng.uniform(0.002, 0.008))


def _mechanical_keyboard(rng: Rng) -> Mesh:
    return _desk_keyboard(
        rng, 15, rng.uniform(0.025, 0.04), rng.uniform(0.01, 0.016), (3,) if _chance(rng, 0.6) else ()
    )


def _split_keyboard(rng: Rng) -> Mesh:
    u = rng.uniform
    half = join(
        box(0.16, 0.018, 0.13), _key_field(rng, 7, 5, 0.008).moved(y=0.009), box(0.14, 0.012, 0.06).moved(z=0.09)
    )
    return _both(half.turned("z", -u(0, 15)).turned("y", -u(5, 20)).moved(x=u(0.1, 0.16)))


def _curved_keyboard(rng: Rng) -> Mesh:
    bend, hump = rng.uniform(0.4, 1.0), rng.uniform(0.1, 0.5)
    flat = join(
        _key_field(rng, 22, 5, 0.007).moved(y=0.01),
        _copies(box(0.0225, 0.02, 0.2), [(x, 0, 0.03) for x in np.arange(-10, 11) * 0.0215]),
    )

    def arc(p: np.ndarray) -> np.ndarray:
        p[:, 2] -= bend * p[:, 0] ** 2
        p[:, 1] += hump * (0.05 - p[:, 0] ** 2)
        return p

    return flat.deformed(arc)


def _rest_keyboard(rng: Rng) -> Mesh:
    board = _desk_keyboard(rng, 15, 0.025, 0.008, (3, 4))
    size = board.size()
    return join(board.grounded(), cushion(size[0], 0.02, 0.08, 0.3).moved(y=0.01, z=size[2] / 2 + 0.04))


_KEYBOARDS: Variants = {
    "full": _full_keyboard,
    "compact": _compact_keyboard,
    "mechanical": _mechanical_keyboard,
    "split": _split_keyboard,
    "curved": _curved_keyboard,
    "wrist_rest": _rest_keyboard,
}


@category(
    "keyboard",
    synonyms=_words(
        "computer keyboard, pc keyboard, mechanical keyboard, wireless keyboard, gaming keyboard, "
        "ergonomic keyboard, split keyboard, keypad, qwerty keyboard, typing keyboard, keys of a computer"
    ),
    variants=tuple(_KEYBOARDS),
)
def keyboard(rng: Rng, variant: str) -> Mesh:
    return _KEYBOARDS[variant](rng)


# ---------------------------------------------------------------------------- laptop


def _screen(width: float, height: float, thickness: float, bezel: float) -> Mesh:
    """A lid with a raised bezel, upwards from y = 0 and looking at +z."""
    lid = box(width, height, thickness * 0.7)
    return join(lid, _frame(width, height, bezel, thickness * 0.3).moved(z=thickness / 2)).moved(y=height / 2)


def _clamshell(rng: Rng, angle: float, base: float, lid: float) -> Mesh:
    """A laptop opened by `angle` degrees; base and lid are thicknesses."""
    u = rng.uniform
    width = u(0.26, 0.42)
    depth = width * u(0.62, 0.78)
    keys = (
        _key_field(rng, 14, 5, 0.002)
        .scaled(width * 0.86 / 0.27, 1, depth * 0.48 / 0.095)
        .moved(y=base / 2, z=-depth * 0.12)
    )
    pad = box(width * u(0.2, 0.35), 0.002, depth * 0.22).moved(y=base / 2, z=depth * 0.32)
    screen = _screen(width, depth * u(0.92, 1), lid, u(0.006, 0.025)).turned("x", 90 - angle)
    hinge = _both(_axle(base * 0.35, width * 0.12, 8).moved(x=width * 0.3)).moved(y=base * 0.4, z=-depth / 2)
    return join(box(width, base, depth), keys, pad, hinge, screen.moved(y=base / 2, z=-depth / 2))


def _thin_laptop(rng: Rng) -> Mesh:
    return _clamshell(rng, rng.uniform(90, 135), rng.uniform(0.008, 0.018), rng.uniform(0.005, 0.009))


def _thick_laptop(rng: Rng) -> Mesh:
    return _clamshell(rng, rng.uniform(85, 130), rng.uniform(0.022, 0.045), rng.uniform(0.01, 0.02))


def _tent_laptop(rng: Rng) -> Mesh:
    angle = rng.uniform(40, 75)
    return _clamshell(rng, angle, 0.012, 0.008).turned("x", 90 + angle / 2)


def _closed_laptop(rng: Rng) -> Mesh:
    u = rng.uniform
    width, base, lid = u(0.28, 0.4), u(0.01, 0.025), u(0.006, 0.014)
    depth = width * u(0.63, 0.75)
    bottom = _panel(width, depth, base, 0.012).turned("x", 90)
    top = _panel(width * 0.995, depth * 0.99, lid, 0.012).turned("x", 90).moved(y=(base + lid) / 2 + 0.003)
    shut = join(bottom, top, _axle(base * 0.4, width * 0.7, 8).moved(y=base * 0.3, z=-depth / 2))
    return shut.turned("z", 90) if _chance(rng, 0.15) else shut


def _raised_laptop(rng: Rng) -> Mesh:
    u = rng.uniform
    tilt, height = u(8, 25), u(0.1, 0.2)
    machine = _thin_laptop(rng).turned("x", tilt).moved(y=height)
    stay = _side([(-0.1, 0), (0.12, 0), (0.12, 0.01), (-0.06, 0.01), (-0.06, height - 0.02), (-0.1, height)], 0.03)
    return join(machine, _both(stay.moved(x=0.09)), box(0.2, 0.008, 0.2).turned("x", tilt).moved(y=height - 0.02))


_LAPTOPS: Variants = {
    "thin": _thin_laptop,
    "thick": _thick_laptop,
    "wide_open": lambda rng: _clamshell(rng, rng.uniform(140, 180), 0.014, 0.008),
    "nearly_shut": lambda rng: _clamshell(rng, rng.uniform(20, 75), 0.014, 0.008),
    "tent": _tent_laptop,
    "closed": _closed_laptop,
    "on_stand": _raised_laptop,
}


@category(
    "laptop",
    synonyms=_words(
        "notebook computer, laptop computer, portable computer, macbook, chromebook, ultrabook, netbook, "
        "gaming laptop, open laptop, convertible laptop, thinkpad, clamshell computer"
    ),
    variants=tuple(_LAPTOPS),
)
def laptop(rng: Rng, variant: str) -> Mesh:
    return _LAPTOPS[variant](rng)


# ---------------------------------------------------------------------------- tablet


def _slate(rng: Rng) -> tuple[Mesh, float, float]:
    """An upright tablet centred on the origin, with its width and height."""
    u = rng.uniform
    width, height, depth = u(0.15, 0.28), u(0.1, 0.2), u(0.006, 0.014)
    if _chance(rng, 0.4):
        width, height = height, width
    slab = _panel(width, height, depth, u(0.006, 0.02))
    button = _barrel(0.006, 0.002, segments=8).moved(y=-height * 0.45, z=depth / 2)
    rim = _frame(width * 0.97, height * 0.97, u(0.006, 0.018), 0.002).moved(z=depth / 2 + 0.001)
    return join(slab, button, rim), width, height


def _standing_tablet(rng: Rng) -> Mesh:
    slate, width, height = _slate(rng)
    lean = rng.uniform(12, 35)
    prop = (
        box(width * rng.uniform(0.3, 0.9), height * 0.8, 0.004)
        .turned("x", lean)
        .moved(y=height * 0.38, z=-height * 0.35)
    )
    return join(slate.turned("x", -lean).moved(y=height / 2), prop)


def _wall_tablet(rng: Rng) -> Mesh:
    u = rng.uniform
    slate, width, height = _slate(rng)
    plate = box(width * u(0.3, 1.15), height * u(0.3, 1.15), u(0.006, 0.02)).moved(z=-0.014)
    body = join(slate, plate)
    return join(body, _frame(width * 1.1, height * 1.1, 0.02, 0.02)) if _chance(rng, 0.4) else body


def _keyboard_tablet(rng: Rng) -> Mesh:
    slate, width, height = _slate(rng)
    cover = box(width, 0.005, 0.13).moved(z=0.06)
    keys = _key_field(rng, 12, 5, 0.002).scaled(width / 0.25, 1, 1).moved(y=0.003, z=0.06)
    return join(slate.turned("x", -rng.uniform(10, 30)).moved(y=height * 0.48, z=-0.02), cover, keys)


def _pedestal_tablet(rng: Rng) -> Mesh:
    u = rng.uniform
    slate, _, height = _slate(rng)
    rise = u(0.04, 1.1)
    foot = cylinder(u(0.06, 0.09) + rise * 0.12, 0.012).moved(y=0.006)
    post = rod((0, 0, 0), (0, rise + height / 2, -0.02), u(0.008, 0.02))
    return join(slate.turned("x", -u(10, 50)).moved(y=rise + height / 2), foot, post)


def _rugged_tablet(rng: Rng) -> Mesh:
    slate, width, height = _slate(rng)
    corners = [(x * width / 2, y * height / 2, 0) for x in (-1, 1) for y in (-1, 1)]
    bumpers = _copies(cushion(0.04, 0.04, 0.03, 0.4, 8), corners)
    return _laid(rng, join(slate, bumpers, _arch(width * 0.25, 0.006).moved(y=height / 2)), 0.6)


_TABLETS: Variants = {
    "lying": lambda rng: _on_back(_slate(rng)[0]),
    "standing": _standing_tablet,
    "wall": _wall_tablet,
    "keyboard_cover": _keyboard_tablet,
    "pedestal": _pedestal_tablet,
    "rugged": _rugged_tablet,
}


@category(
    "tablet",
    synonyms=_words(
        "tablet computer, ipad, wall tablet, touch screen tablet, e-reader, ebook reader, kindle, "
        "touch panel, slate computer, drawing tablet, smart home panel, wall mounted tablet"
    ),
    variants=tuple(_TABLETS),
)
def tablet(rng: Rng, variant: str) -> Mesh:
    return _TABLETS[variant](rng)


# ---------------------------------------------------------------------------- clock


def _dial(rng: Rng, radius: float) -> Mesh:
    """Hands and hour marks that look at +z."""
    u = rng.uniform
    width = radius * u(0.03, 0.08)
    hour = box(width * 1.5, radius * 0.5, 0.006).moved(y=radius * 0.2).turned("z", u(0, 360))
    minute = box(width, radius * 0.8, 0.006).moved(y=radius * 0.32).turned("z", u(0, 360)).moved(z=0.006)
    marks = _around(box(width, radius * u(0.08, 0.2), 0.005).moved(y=radius * 0.82), 12, "z")
    return join(hour, minute, marks, _barrel(radius * 0.05, 0.02, segments=8))


def _round_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.1, 0.3), u(0.025, 0.07)
    face = _barrel(radius, depth, segments=28)
    rim = _ring(radius, u(0.008, 0.025), 28).moved(z=depth / 2)
    return join(face, rim, _dial(rng, radius * 0.92).moved(z=depth / 2 + 0.004))


def _square_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    size, depth, bar = u(0.2, 0.45), u(0.03, 0.06), u(0.015, 0.05)
    high = size * u(0.9, 1.3)
    return join(
        box(size, high, depth * 0.6), _frame(size, high, bar, depth), _dial(rng, size * 0.4).moved(z=depth * 0.4)
    )


def _sunburst_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    radius = u(0.1, 0.16)
    rays = rng.randint(12, 25)
    ray = box(u(0.008, 0.02), radius * u(0.8, 1.6), 0.008).moved(y=radius * 1.5)
    return join(_barrel(radius, 0.03, segments=24), _around(ray, rays, "z"), _dial(rng, radius * 0.9).moved(z=0.018))


def _alarm_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.04, 0.065), u(0.03, 0.05)
    bell = lathe([(0, 0.5), (0.6, 0.4), (1, 0), (0.9, 0), (0, 0.4)], 12).scaled(
        radius * 0.5, radius * 0.6, radius * 0.5
    )
    bells = _both(bell.turned("z", -35).moved(radius * 0.62, radius * 0.95))
    legs = _both(rod((radius * 0.5, -radius * 0.8, 0), (radius * 0.75, -radius * 1.3, 0), radius * 0.1))
    head = join(
        _barrel(radius, depth, segments=24),
        _ring(radius, 0.005).moved(z=depth / 2),
        _dial(rng, radius * 0.9).moved(z=depth / 2),
    )
    handle = _arch(radius * 0.4, radius * 0.06).moved(y=radius * 1.2)
    return join(head, bells, legs, handle)


def _mantel_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.18, 0.45), u(0.2, 0.35), u(0.08, 0.16)
    half = width / 2
    shapes: list[Points] = [
        [(half * 0.7, 0), (half * 0.7, height * 0.6), (half * 0.5, height * 0.95), (half * 0.1, height)],
        [(half, 0), (half * 0.95, height * 0.3), (half * 0.6, height * 0.5), (half * 0.4, height * 0.9), (0, height)],
        [(half * 0.6, 0), (half * 0.6, height * 0.75), (0, height)],
    ]
    case = _upright(_symmetric(shapes[rng.randint(3)]), depth)
    radius = min(half * 0.5, height * 0.28)
    face = join(_ring(radius, 0.008), _dial(rng, radius * 0.9)).moved(y=height * 0.55, z=depth / 2 + 0.004)
    plinth = box(width * 1.05, height * 0.1, depth * 1.15).moved(y=-height * 0.05)
    return join(case, face, plinth)


def _grandfather_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    height, width, depth = u(1.7, 2.3), u(0.35, 0.55), u(0.2, 0.32)
    head, foot, waist = height * u(0.2, 0.27), height * u(0.16, 0.25), width * u(0.65, 0.85)
    middle = height - head - foot
    trunk = _frame(waist, middle, waist * 0.16, depth * 0.85).moved(y=foot + middle / 2)
    back = box(waist, middle, 0.02).moved(y=foot + middle / 2, z=-depth * 0.4)
    pendulum = join(box(0.015, middle * 0.7, 0.01), _barrel(waist * 0.2, 0.02).moved(y=-middle * 0.3)).moved(
        y=foot + middle * 0.55
    )
    hood = box(width, head, depth).moved(y=height - head / 2)
    dial = join(_ring(width * 0.38, 0.01), _dial(rng, width * 0.36)).moved(y=height - head / 2, z=depth / 2 + 0.004)
    crown = _upright(_symmetric([(width * 0.55, 0), (width * 0.5, 0.04), (0.02, u(0.06, 0.2))]), depth).moved(y=height)
    base = join(box(width, foot, depth).moved(y=foot / 2), box(width * 1.08, 0.06, depth * 1.08).moved(y=0.03))
    return join(trunk, back, pendulum, hood, dial, crown, base)


def _cuckoo_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.18, 0.3), u(0.2, 0.35), u(0.1, 0.15)
    wall = _upright(
        [(-width / 2, 0), (width / 2, 0), (width / 2, height * 0.6), (0, height), (-width / 2, height * 0.6)], depth
    )
    slope = np.degrees(np.arctan2(height * 0.4, width / 2))
    roof = (
        box(np.hypot(width / 2, height * 0.4) * 1.25, 0.015, depth * 1.4)
        .turned("z", -slope)
        .moved(width * 0.27, height * 0.8)
    )
    dial = join(_ring(width * 0.3, 0.008), _dial(rng, width * 0.28)).moved(y=height * 0.38, z=depth / 2 + 0.004)
    weights = [
        join(_bars([((x, 0, 0), (x, -drop, 0))], 0.003), cylinder(0.015, 0.07).moved(x, -drop))
        for x, drop in ((-0.04, u(0.1, 0.4)), (0.04, u(0.1, 0.4)))
    ]
    return join(wall, _both(roof), dial, *weights)


def _digital_clock(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.12, 0.3), u(0.05, 0.1), u(0.04, 0.1)
    case = _side([(-depth / 2, 0), (depth / 2, 0), (depth * u(0.2, 0.5), height), (-depth * 0.4, height)], width)
    segments = [(x * width, height / 2, depth * 0.42) for x in (-0.33, -0.15, 0.15, 0.33)]
    digits = _copies(_frame(width * 0.12, height * 0.6, width * 0.025, 0.01), segments)
    button = box(width * 0.4, 0.008, depth * 0.3).moved(y=height)
    return join(case, digits, button)


def _desk_clock(rng: Rng) -> Mesh:
    clock = _round_clock(rng).scaled(0.4, 0.4, 0.6)
    radius = clock.size()[1] / 2
    foot = box(radius * 1.4, radius * 0.2, radius * 0.9).moved(y=-radius * 1.05)
    return join(clock.turned("x", -rng.uniform(0, 15)), foot)


_CLOCKS: Variants = {
    "round_wall": _round_clock,
    "square_wall": _square_clock,
    "sunburst": _sunburst_clock,
    "alarm": _alarm_clock,
    "mantel": _mantel_clock,
    "grandfather": _grandfather_clock,
    "cuckoo": _cuckoo_clock,
    "digital": _digital_clock,
    "desk": _desk_clock,
}


@category(
    "clock",
    synonyms=_words(
        "wall clock, alarm clock, grandfather clock, cuckoo clock, mantel clock, digital clock, timepiece, "
        "longcase clock, pendulum clock, table clock, desk clock, sunburst clock, round clock"
    ),
    variants=tuple(_CLOCKS),
)
def clock(rng: Rng, variant: str) -> Mesh:
    return _CLOCKS[variant](rng)


# ---------------------------------------------------------------------------- camera


def _lens(rng: Rng, radius: float, length: float) -> Mesh:
    """Stepped barrel from z = 0 forwards, hollow in front."""
    flare = rng.uniform(0.85, 1.15)
    outside = [(0, 0), (radius, 0), (radius, length * 0.4), (radius * flare, length * 0.45), (radius * flare, length)]
    return lathe([*outside, (radius * 0.8, length), (radius * 0.7, length * 0.85), (0, length * 0.82)], 18).turned(
        "x", 90
    )


def _slr_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.11, 0.16), u(0.075, 0.1), u(0.04, 0.06)
    body = cushion(width, height, depth, 0.2)
    prism = box(width * 0.35, height * 0.35, depth).tapered(0.5).moved(y=height * 0.6)
    grip = cushion(width * 0.22, height * 0.95, depth * 1.3, 0.4).moved(x=-width * 0.42, z=depth * 0.25)
    dials = _copies(cylinder(0.01, 0.012, segments=10), [(x * width, height / 2, 0) for x in (-0.35, 0.32)])
    return join(body, prism, grip, dials, _lens(rng, height * u(0.3, 0.42), u(0.03, 0.16)).moved(z=depth * 0.45))


def _compact_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.08, 0.14), u(0.05, 0.085), u(0.02, 0.045)
    x = width * u(-0.05, 0.2)
    flash = box(width * 0.15, height * 0.15, 0.004).moved(-width * 0.3, height * 0.32, depth / 2)
    finder = box(width * 0.18, height * 0.12, depth * 0.5).moved(width * 0.3, height * 0.53)
    shutter = cylinder(0.007, 0.008, segments=10).moved(-width * 0.35, height / 2)
    return join(
        _panel(width, height, depth, 0.01),
        flash,
        finder,
        shutter,
        _lens(rng, height * 0.36, u(0.01, 0.05)).moved(x, 0, depth / 2),
    )


def _bracket(rng: Rng, back: float, y: float) -> Mesh:
    """Wall plate at z = back and the arm that comes from it to the origin, or a ceiling one."""
    plate = _barrel(rng.uniform(0.025, 0.05), 0.015).moved(y=y, z=back)
    joint = ellipsoid(0.04, 0.04, 0.04, 10).moved(y=y, z=back * 0.6)
    return join(plate, rod((0, y, back), (0, y, back * 0.6), 0.012), rod((0, y, back * 0.6), (0, 0, 0), 0.014), joint)


def _bullet_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, length = u(0.03, 0.05), u(0.12, 0.25)
    body = join(_barrel(radius, length), _lens(rng, radius * 0.8, 0.02).moved(z=length / 2))
    hood = sheet(
        lambda a, b: np.stack(
            [radius * 1.15 * np.cos(np.pi * a), radius * 1.15 * np.sin(np.pi * a), length * (b - 0.4) * 1.15], axis=-1
        ),
        9,
        2,
    )
    return join(body, hood, _bracket(rng, -length * u(0.6, 0.9), -u(0, 0.12))).turned("x", u(0, 15))


def _boxed_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, length = u(0.06, 0.11), u(0.06, 0.1), u(0.15, 0.32)
    case = box(width, height, length)
    roof = box(width * 1.2, 0.006, length * 1.15).moved(y=height / 2 + 0.005, z=length * 0.05)
    front = join(_frame(width, height, 0.01, 0.02), _barrel(height * 0.3, 0.03)).moved(z=length / 2)
    down = u(0.08, 0.2)
    arm = [((0, -height / 2, 0), (0, -down, -length * 0.3)), ((0, -down, -length * 0.3), (0, -down, -length * 0.7))]
    plate = box(0.08, 0.12, 0.015).moved(y=-down, z=-length * 0.7)
    return join(join(case, roof, front).turned("x", u(0, 20)), _bars(arm, 0.015), plate)


def _dome_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    radius = u(0.05, 0.09)
    a = np.linspace(0, np.pi / 2, 6)
    dome = lathe([(radius * 0.8 * np.cos(t), -radius * 0.8 * np.sin(t)) for t in a], 18)
    rim = cylinder(radius * 0.9, radius * u(0.3, 0.7), radius).moved(y=radius * 0.2)
    eye = _lens(rng, radius * 0.25, radius * 0.3).turned("x", u(20, 60)).moved(y=-radius * 0.45, z=radius * 0.45)
    hanger = rod((0, 0, 0), (0, u(0.06, 0.15), 0), 0.02) if _chance(rng, 0.4) else rim
    camera = join(dome, rim, eye, hanger)
    return camera.turned("x", -90) if _chance(rng, 0.25) else camera


def _turret_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    size = u(0.05, 0.09)
    head = join(ellipsoid(size, size, size), _lens(rng, size * 0.3, size * 0.15).moved(z=size * 0.42)).turned(
        "x", u(-15, 20)
    )
    cup = lathe(
        [(0, -size * 0.9), (size * 0.6, -size * 0.9), (size * u(0.4, 0.6), -size * 0.2), (size * 0.3, -size * 0.3)], 16
    )
    return join(head, cup)


def _webcam(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height = u(0.05, 0.1), u(0.025, 0.04)
    head = join(cushion(width, height, 0.03, 0.4), _barrel(height * 0.35, 0.01).moved(z=0.017))
    clip = join(
        box(width * 0.5, 0.006, 0.05), box(width * 0.5, 0.05, 0.006).turned("x", u(0, 30)).moved(y=-0.02, z=-0.025)
    )
    return join(head.moved(y=height * 0.7), clip, rod((0, 0, 0), (0, height * 0.5, 0), 0.008))


def _camcorder(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, length = u(0.05, 0.08), u(0.06, 0.09), u(0.11, 0.2)
    body = cushion(width, height, length, 0.3)
    lens = _lens(rng, height * 0.42, u(0.03, 0.06)).moved(y=height * 0.05, z=length * 0.48)
    screen = box(0.008, height * 0.75, length * 0.55).turned("y", u(0, 80)).moved(x=width * 0.75)
    handle = _side([(-0.4, 0.9), (0.4, 0.9), (0.4, 1.1), (-0.4, 1.1)], 0.02).scaled(1, height, length)
    posts = _copies(box(0.02, height * 0.5, 0.015), [(0, height * 0.7, z * length) for z in (-0.35, 0.35)])
    eye = _barrel(height * 0.2, 0.04).moved(y=height * 0.4, z=-length * 0.55)
    return join(body, lens, screen, eye, handle, posts) if _chance(rng, 0.5) else join(body, lens, screen, eye)


def _tripod_camera(rng: Rng) -> Mesh:
    u = rng.uniform
    camera = _slr_camera(rng) if _chance(rng, 0.6) else _camcorder(rng)
    height, spread = u(0.5, 1.4), u(0.25, 0.5)
    hub = np.array([0.0, height * 0.85, 0.0])
    angles = np.radians([30, 150, 270])
    feet = np.stack([spread * np.cos(angles), np.zeros(3), spread * np.sin(angles)], axis=1)
    legs = _rods(np.repeat(hub[None], 3, axis=0), feet, u(0.01, 0.018), sides=7)
    return join(
        camera.scaled(1.3, 1.3, 1.3).moved(y=height + 0.06), legs, rod((0, height * 0.85, 0), (0, height, 0), 0.02)
    )


_CAMERAS: Variants = {
    "slr": _slr_camera,
    "compact": _compact_camera,
    "security_bullet": _bullet_camera,
    "security_box": _boxed_camera,
    "security_dome": _dome_camera,
    "turret": _turret_camera,
    "webcam": _webcam,
    "camcorder": _camcorder,
    "tripod": _tripod_camera,
}


@category(
    "camera",
    synonyms=_words(
        "security camera, surveillance camera, cctv camera, cctv, digital camera, slr camera, dslr, "
        "camcorder, video camera, webcam, photo camera, dome camera, ip camera, compact camera"
    ),
    variants=tuple(_CAMERAS),
)
def camera(rng: Rng, variant: str) -> Mesh:
    return _CAMERAS[variant](rng)


# ---------------------------------------------------------------------------- printer


def _output_tray(width: float, depth: float) -> Mesh:
    """A shallow tray with side rails, its back edge at z = 0."""
    rails = _both(box(0.01, 0.02, depth).moved(width / 2, 0.01))
    return join(box(width, 0.008, depth), rails).moved(z=depth / 2)


def _paper_support(rng: Rng, width: float, height: float) -> Mesh:
    return box(width, height, 0.006).moved(y=height / 2).turned("x", -rng.uniform(10, 35))


def _inkjet(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.38, 0.5), u(0.12, 0.2), u(0.22, 0.34)
    body = cushion(width, height, depth, 0.18).moved(y=height / 2)
    slot = box(width * 0.65, height * 0.3, 0.01).moved(y=height * 0.3, z=depth / 2)
    tray = _output_tray(width * 0.6, u(0.1, 0.25)).moved(y=height * 0.15, z=depth / 2)
    paper = _paper_support(rng, width * 0.6, u(0.12, 0.25)).moved(y=height * 0.9, z=-depth * 0.35)
    return join(body, slot, tray, paper)


def _laser_printer(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.35, 0.45), u(0.22, 0.36), u(0.33, 0.45)
    step = height * u(0.7, 0.85)
    outline = [
        (-depth / 2, 0),
        (depth / 2, 0),
        (depth / 2, step),
        (depth * 0.3, height),
        (depth * 0.1, step),
        (-depth * 0.35, height * 0.97),
        (-depth / 2, height),
    ]
    cassette = join(box(width * 0.9, height * 0.22, 0.012), box(width * 0.3, 0.02, 0.02)).moved(
        y=height * 0.16, z=depth / 2 + 0.006
    )
    sides = _both(box(width * 0.12, height, depth).moved(width * 0.44, height / 2))
    panel = box(width * 0.25, 0.01, 0.06).turned("x", 30).moved(width * 0.3, height, depth * 0.4)
    return join(_side(outline, width * 0.76), sides, cassette, panel)


def _multifunction(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.4, 0.5), u(0.18, 0.3), u(0.35, 0.45)
    gap = height * u(0.2, 0.4)
    base = box(width, height, depth * 0.95).moved(y=height / 2)
    pillars = _both(box(width * 0.15, gap, depth * 0.9).moved(width * 0.42, height + gap / 2))
    back = box(width, gap, depth * 0.5).moved(y=height + gap / 2, z=-depth * 0.22)
    scanner = box(width, 0.06, depth).moved(y=height + gap + 0.03)
    feeder = cushion(width * 0.8, 0.09, depth * 0.6, 0.3).moved(y=height + gap + 0.09, z=-depth * 0.15)
    lid = _paper_support(rng, width * 0.5, 0.2).moved(y=height + gap + 0.1) if _chance(rng, 0.5) else feeder
    panel = box(width * 0.6, 0.08, 0.02).turned("x", -35).moved(y=height + gap, z=depth / 2)
    return join(
        base, pillars, back, scanner, lid, panel, _output_tray(width * 0.6, 0.12).moved(y=height * 0.3, z=depth * 0.47)
    )


def _copier(rng: Rng) -> Mesh:
    u = rng.uniform
    width, depth, height = u(0.55, 0.7), u(0.55, 0.7), u(0.7, 0.85)
    drawers = [(0, y * height, depth / 2 + 0.008) for y in (0.15, 0.38, 0.6)]
    fronts = _copies(join(box(width * 0.92, height * 0.2, 0.015), box(width * 0.3, 0.02, 0.02).moved(z=0.015)), drawers)
    middle = join(
        box(width * 0.3, 0.18, depth).moved(-width * 0.35),
        box(width * 0.7, 0.18, depth * 0.5).moved(width * 0.15, 0, -depth * 0.25),
    )
    top = box(width, 0.1, depth).moved(y=height + 0.23)
    feeder = cushion(width * 0.95, 0.14, depth * 0.8, 0.25).moved(y=height + 0.34, z=-depth * 0.08)
    panel = box(0.3, 0.02, 0.18).turned("x", 20).moved(width * 0.3, height + 0.27, depth * 0.58)
    tray = box(0.3, 0.015, depth * 0.6).turned("z", 20).moved(width * 0.65, height * 0.75)
    parts = [box(width, height, depth).moved(y=height / 2), fronts, middle.moved(y=height + 0.09), top, feeder, panel]
    return join(*parts, tray) if _chance(rng, 0.6) else join(*parts)


def _label_printer(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.12, 0.2), u(0.12, 0.18), u(0.15, 0.24)
    outline = [
        (-depth / 2, 0),
        (depth / 2, 0),
        (depth / 2, height * 0.5),
        (depth * 0.2, height),
        (-depth / 2, height * 0.95),
    ]
    paper = sheet(
        lambda a, b: np.stack(
            [width * 0.7 * (b - 0.5), height * (0.75 + 0.4 * a), depth * (0.38 + 0.15 * a * a)], axis=-1
        ),
        5,
        2,
    )
    return join(
        _side(_rounded_corners(outline, 1), width),
        paper,
        box(width * 0.8, 0.01, 0.02).moved(y=height * 0.72, z=depth * 0.4),
    )


def _plotter(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height = u(1.0, 1.8), u(0.75, 0.95)
    head = cushion(width, 0.25, 0.3, 0.2).moved(y=height)
    roll = _axle(0.06, width * 0.8).moved(y=height - 0.12, z=-0.2)
    posts = _both(
        join(box(0.06, height, 0.1).moved(y=height / 2), box(0.08, 0.06, 0.6).moved(y=0.03)).moved(x=width * 0.4)
    )
    bar = box(width * 0.8, 0.05, 0.04).moved(y=0.2)
    paper = box(width * 0.7, height * 0.6, 0.006).turned("x", -15).moved(y=height * 0.65, z=0.18)
    return join(head, roll, posts, bar, paper)


_PRINTERS: Variants = {
    "inkjet": _inkjet,
    "laser": _laser_printer,
    "multifunction": _multifunction,
    "copier": _copier,
    "label": _label_printer,
    "plotter": _plotter,
}


@category(
    "printer",
    synonyms=_words(
        "inkjet printer, laser printer, photocopier, copier, copy machine, scanner, multifunction printer, "
        "fax machine, office printer, plotter, label printer, receipt printer"
    ),
    variants=tuple(_PRINTERS),
)
def printer(rng: Rng, variant: str) -> Mesh:
    return _PRINTERS[variant](rng)


# ---------------------------------------------------------------------------- fan


def _rotor(rng: Rng, radius: float, count: int) -> Mesh:
    """Blades about the z axis."""
    u = rng.uniform
    vane = _blade(radius * 0.92, radius * u(0.2, 0.4), radius * u(0.5, 0.8), radius * u(-0.2, 0.1), 0.006)
    return join(_around(vane.turned("x", 90 - u(10, 35)), count, "z"), _barrel(radius * 0.2, 0.05))


def _cage(rng: Rng, radius: float, depth: float) -> Mesh:
    """Domed wire guards in front and behind, about the z axis."""
    count = rng.randint(16, 32)
    bend = [(radius * 0.12, depth * 0.5), (radius * 0.7, depth * 0.5), (radius, 0)]
    wires = []
    for (r0, z0), (r1, z1) in pairwise(bend):
        a = np.linspace(0, 2 * np.pi, count, endpoint=False)
        start = np.stack([r0 * np.cos(a), r0 * np.sin(a), np.full(count, z0)], axis=1)
        end = np.stack([r1 * np.cos(a), r1 * np.sin(a), np.full(count, z1)], axis=1)
        wires.append(_rods(start, end, 0.002, sides=3))
    cap = _barrel(radius * 0.15, 0.012).moved(z=depth / 2)
    return join(_both(join(*wires, cap), "z"), _ring(radius, 0.007, 24))


def _fan_head(rng: Rng, radius: float) -> Mesh:
    motor = _barrel(radius * 0.25, radius * 0.6, radius * 0.3).moved(z=-radius * 0.55)
    return join(_rotor(rng, radius * 0.88, rng.randint(3, 6)), _cage(rng, radius, radius * 0.45), motor)


def _desk_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    radius = u(0.1, 0.22)
    head = _fan_head(rng, radius).turned("x", -u(0, 20)).moved(y=radius * 1.45)
    foot = cylinder(radius * u(0.5, 0.8), 0.03, radius * 0.5).moved(y=0.015)
    return join(head, foot, rod((0, 0, -radius * 0.5), (0, radius * 1.45, -radius * 0.5), 0.018))


def _pedestal_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, height = u(0.18, 0.26), u(0.9, 1.4)
    head = _fan_head(rng, radius).turned("x", -u(0, 20)).moved(y=height, z=radius * 0.5)
    feet = cylinder(0.2, 0.03) if _chance(rng, 0.6) else _around(box(0.28, 0.02, 0.05).moved(x=0.14), 4)
    return join(
        head,
        feet.moved(y=0.015),
        rod((0, 0, 0), (0, height, 0), 0.016, 0.012),
        cylinder(0.03, 0.2).moved(y=height * 0.5),
    )


def _tower_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    height, radius = u(0.7, 1.1), u(0.07, 0.12)
    body = lathe([(0, 0), (radius, 0), (radius, height), (0, height)], 18).scaled(1, 1, u(0.7, 1)).moved(y=0.05)
    slats = _copies(
        box(radius * 1.2, 0.006, 0.02), [(0, y, radius * 0.9) for y in np.linspace(height * 0.2, height * 0.85, 18)]
    )
    return join(
        body, slats, cylinder(radius * 1.6, 0.03).moved(y=0.015), cylinder(radius * 0.8, 0.03).moved(y=height + 0.06)
    )


def _ceiling_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, drop = u(0.45, 0.75), u(0.1, 0.45)
    vane = box(radius * 0.75, 0.008, u(0.1, 0.16)).turned("x", u(5, 18)).moved(x=radius * 0.62)
    arm = box(radius * 0.3, 0.012, 0.03).moved(x=radius * 0.2)
    hub = lathe([(0, -0.06), (0.08, -0.05), (0.12, 0), (0.1, 0.06), (0.03, 0.09), (0, 0.1)], 16)
    light = ellipsoid(0.22, 0.16, 0.22).moved(y=-0.1) if _chance(rng, 0.6) else cylinder(0.04, 0.08).moved(y=-0.08)
    mount = cylinder(0.04, 0.06, 0.07).moved(y=drop + 0.1)
    return join(
        _around(join(vane, arm), rng.randint(3, 7)), hub, light, rod((0, 0.05, 0), (0, drop + 0.1, 0), 0.014), mount
    )


def _box_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    size, depth = u(0.3, 0.55), u(0.08, 0.14)
    bars = _copies(
        box(0.005, size * 0.94, 0.004),
        [(x, 0, z) for x in np.linspace(-0.45, 0.45, 15) * size for z in (-depth / 2, depth / 2)],
    )
    feet = _both(box(0.04, 0.03, depth * 1.8).moved(size * 0.35, -size / 2))
    return join(
        _frame(size, size, 0.025, depth),
        _rotor(rng, size * 0.44, rng.randint(4, 6)),
        bars,
        feet,
        _ring(size * 0.46, 0.01),
    )


def _wall_fan(rng: Rng) -> Mesh:
    u = rng.uniform
    radius = u(0.15, 0.25)
    head = _fan_head(rng, radius).turned("x", u(0, 20))
    arm = tube([(0, 0, -radius * 0.7), (0, -radius * 0.5, -radius * 0.9), (0, -radius * 0.6, -radius * 1.5)], 0.018)
    return join(head, arm, box(0.12, 0.2, 0.03).moved(y=-radius * 0.6, z=-radius * 1.5))


_FANS: Variants = {
    "desk": _desk_fan,
    "pedestal": _pedestal_fan,
    "tower": _tower_fan,
    "ceiling": _ceiling_fan,
    "box": _box_fan,
    "wall": _wall_fan,
}


@category(
    "fan",
    synonyms=_words(
        "ceiling fan, desk fan, table fan, standing fan, pedestal fan, tower fan, box fan, ventilator, "
        "electric fan, cooling fan, floor fan, wall fan"
    ),
    variants=tuple(_FANS),
)
def fan(rng: Rng, variant: str) -> Mesh:
    return _FANS[variant](rng)


# ---------------------------------------------------------------------------- person


class _Pose(NamedTuple):
    """Degrees away from hanging straight down, (sideways, forwards); limbs as upper and lower part, left then right."""

    arms: tuple[tuple[float, float, float], tuple[float, float, float]]
    legs: tuple[tuple[float, float, float], tuple[float, float, float]]


def _hanging(out: float, forward: float) -> np.ndarray:
    """Unit vector of a limb that hangs down, swung out to +x and then forwards."""
    a, b = np.radians([out, forward])
    return np.array([np.sin(a), -np.cos(a) * np.cos(b), np.cos(a) * np.sin(b)])


def _limb(
    start: np.ndarray, swing: tuple[float, float, float], upper: float, lower: float, radii: Sequence[float]
) -> tuple[Mesh, np.ndarray]:
    """Upper and lower part of a limb, and the point where it ends."""
    out, first, second = swing
    middle = start + upper * _hanging(out, first)
    end = middle + lower * _hanging(out * 0.8, second)
    return tube(np.stack([start, middle, end]), radii), end


def _trunk(height: float, girth: float) -> Mesh:
    """Torso and neck of a standing figure, its axis through the origin."""
    h, g = height, height * girth
    profile = [
        (0, 0.46),
        (0.07, 0.47),
        (0.098, 0.52),
        (0.082, 0.61),
        (0.1, 0.73),
        (0.1, 0.79),
        (0.06, 0.825),
        (0.03, 0.835),
        (0.03, 0.88),
    ]
    return lathe([(r * g, y * h) for r, y in profile], 16).scaled(z=0.62)


def _head(rng: Rng, height: float) -> Mesh:
    face = ellipsoid(height * 0.088, height * 0.128, height * 0.105).moved(y=height * 0.93)
    hair = ellipsoid(height * 0.1, height * rng.uniform(0.08, 0.2), height * 0.11).moved(
        y=height * 0.945, z=-height * 0.014
    )
    return join(face, hair) if _chance(rng, 0.6) else face


def _leg(height: float, girth: float, pose: tuple[float, float, float]) -> Mesh:
    """The right leg (towards +x) with its foot."""
    hip = np.array([0.05 * height * girth, 0.5 * height, 0])
    g = height * girth
    leg, ankle = _limb(hip, pose, 0.24 * height, 0.235 * height, [0.052 * g, 0.036 * g, 0.026 * g])
    foot = cushion(0.055 * height, 0.045 * height, 0.15 * height, 0.5, 10).moved(y=-0.005 * height, z=0.04 * height)
    return join(leg, foot.moved(*ankle))


def _arm(height: float, girth: float, pose: tuple[float, float, float]) -> Mesh:
    """The right arm (towards +x) with its hand."""
    shoulder = np.array([0.1 * height * girth, 0.79 * height, 0])
    g = height * girth
    arm, wrist = _limb(shoulder, pose, 0.17 * height, 0.16 * height, [0.031 * g, 0.025 * g, 0.018 * g])
    return join(arm, ellipsoid(0.035 * height, 0.07 * height, 0.045 * height, 8).moved(*wrist))


def _figure(rng: Rng, pose: _Pose, height: float, *extras: Mesh) -> Mesh:
    girth = rng.uniform(0.85, 1.3)
    right, left = (0, 1) if _chance(rng, 0.5) else (1, 0)
    limbs = [_arm(height, girth, pose.arms[right]), _arm(height, girth, pose.arms[left]).mirrored("x")]
    legs = [_leg(height, girth, pose.legs[right]), _leg(height, girth, pose.legs[left]).mirrored("x")]
    return join(_trunk(height, girth), _head(rng, height), *limbs, *legs, *extras)


def _standing_pose(rng: Rng) -> _Pose:
    u = rng.uniform
    bend = u(0, 25)
    return _Pose(((u(5, 18), 0, bend), (u(5, 18), 0, bend)), ((u(1, 7), 0, 0), (u(1, 7), 0, 0)))


def _standing_person(rng: Rng) -> Mesh:
    return _figure(rng, _standing_pose(rng), rng.uniform(1.5, 1.95))


def _walking_person(rng: Rng) -> Mesh:
    stride, swing = rng.uniform(12, 38), rng.uniform(10, 35)
    pose = _Pose(
        ((6, swing, swing + 25), (6, -swing, 10 - swing)),
        ((2, -stride * 0.5, -stride * 1.3), (2, stride, stride * 0.6)),
    )
    return _figure(rng, pose, rng.uniform(1.5, 1.95))


def _t_pose_person(rng: Rng) -> Mesh:
    out = rng.uniform(45, 95)
    return _figure(rng, _Pose(((out, 0, 0), (out, 0, 0)), ((5, 0, 0), (5, 0, 0))), rng.uniform(1.5, 1.95))


def _sitting_person(rng: Rng) -> Mesh:
    u = rng.uniform
    thigh, knee, reach = u(75, 95), u(-10, 30), u(20, 60)
    pose = _Pose(
        ((8, reach * 0.5, reach + 40), (8, reach * 0.5, reach + 30)), ((u(3, 14), thigh, knee), (u(3, 14), thigh, knee))
    )
    height = u(1.5, 1.9)
    seat = box(height * 0.27, height * 0.46, height * 0.25).moved(y=height * 0.21)
    return _figure(rng, pose, height, seat) if _chance(rng, 0.3) else _figure(rng, pose, height)


def _dressed_person(rng: Rng) -> Mesh:
    u = rng.uniform
    height, hem, wide = u(1.5, 1.8), u(0.03, 0.32), u(0.11, 0.22)
    skirt = lathe([(0.095 * height, 0.62 * height), (0.11 * height, 0.52 * height), (wide * height, hem * height)], 18)
    return _figure(rng, _standing_pose(rng), height, skirt.scaled(z=u(0.65, 1)))


def _cheering_person(rng: Rng) -> Mesh:
    u = rng.uniform
    one = (u(5, 15), 0, u(0, 20)) if _chance(rng, 0.5) else (u(20, 40), 180, 180)
    return _figure(rng, _Pose(((u(10, 40), 180, u(150, 190)), one), ((6, 0, 0), (6, 0, 0))), u(1.5, 1.95))


def _child(rng: Rng) -> Mesh:
    height = rng.uniform(0.7, 1.25)
    big = ellipsoid(height * 0.16, height * 0.19, height * 0.17).moved(y=height * 0.94)
    return _figure(rng, _standing_pose(rng), height, big)


def _lying_person(rng: Rng) -> Mesh:
    return _on_back(_standing_person(rng))


_PEOPLE: Variants = {
    "standing": _standing_person,
    "walking": _walking_person,
    "t_pose": _t_pose_person,
    "sitting": _sitting_person,
    "dressed": _dressed_person,
    "arms_raised": _cheering_person,
    "child": _child,
    "lying": _lying_person,
}


@category(
    "person",
    synonyms=_words(
        "human, man, woman, boy, girl, child, mannequin, pedestrian, human figure, people, statue, adult, "
        "humanoid, dancer, worker"
    ),
    variants=tuple(_PEOPLE),
)
def person(rng: Rng, variant: str) -> Mesh:
    return _PEOPLE[variant](rng)


# ---------------------------------------------------------------------------- dog


class _Beast(NamedTuple):
    """Proportions of a four-legged animal; lengths as shares of the trunk's length, angles in degrees."""

    length: float  # of the trunk in metres
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


_BEASTS = {
    "dog": _Beast(0.55, 0.75, 0.36, 0.25, 50, 0.3, 0.28, 0.16, 0.5, 30),
    "terrier": _Beast(0.35, 0.6, 0.42, 0.2, 60, 0.36, 0.2, 0.2, 0.3, 70),
    "dachshund": _Beast(0.5, 0.25, 0.3, 0.18, 40, 0.24, 0.28, 0.2, 0.4, 10),
    "cat": _Beast(0.35, 0.55, 0.34, 0.12, 40, 0.32, 0.08, 0.18, 0.8, 40, 0.05),
    "horse": _Beast(1.4, 0.75, 0.38, 0.6, 55, 0.22, 0.35, 0.12, 0.5, -60, 0.055),
    "cow": _Beast(1.6, 0.55, 0.46, 0.25, 25, 0.24, 0.25, 0.18, 0.5, -80),
    "pig": _Beast(1.0, 0.35, 0.5, 0.08, 10, 0.32, 0.22, 0.14, 0.12, 40, 0.09),
    "elephant": _Beast(2.4, 0.65, 0.6, 0.1, 20, 0.42, 0.1, 0.4, 0.3, -75, 0.13),
    "giraffe": _Beast(1.6, 1.1, 0.42, 1.4, 70, 0.22, 0.25, 0.12, 0.4, -75),
    "sheep": _Beast(0.9, 0.45, 0.55, 0.18, 40, 0.24, 0.18, 0.14, 0.1, -50),
}


def _jittered(rng: Rng, beast: _Beast) -> _Beast:
    shares = rng.uniform(0.8, 1.2, len(beast))
    angles = rng.uniform(-12, 12, 2)
    values = [v * s for v, s in zip(beast, shares, strict=True)]
    return _Beast(*values)._replace(neck_angle=beast.neck_angle + angles[0], tail_angle=beast.tail_angle + angles[1])


def _beast_trunk(b: _Beast) -> Mesh:
    """Along z, chest towards +z, its middle at the origin."""
    n, g = b.length, b.girth * b.length / 2
    return _hull(
        [
            (-n / 2, 0, g * 0.6, g * 0.6),
            (-n * 0.4, 0, g * 0.9, g * 0.95),
            (0, 0, g * 0.9, g * 0.85),
            (n * 0.35, 0, g * 0.95, g * 1.1),
            (n / 2, 0.1 * g, g * 0.6, g * 0.7),
        ]
    )


def _beast_head(rng: Rng, b: _Beast) -> Mesh:
    """Head, muzzle and ears about the origin, looking at +z."""
    size, reach = b.head * b.length, b.muzzle * b.length
    skull = ellipsoid(size * 0.75, size * 0.75, size * 0.9, 12)
    muzzle = _hull(
        [
            (size * 0.2, -size * 0.08, size * 0.28, size * 0.28),
            (size * 0.35 + reach, -size * 0.18, size * 0.17, size * 0.17),
        ],
        columns=10,
    )
    ear = b.ear * b.length
    flap = ellipsoid(ear * 0.6, ear * 1.6, ear * 0.25, 8)
    droop = rng.uniform(130, 170) if _chance(rng, 0.4) else rng.uniform(5, 40)
    return join(
        skull, muzzle, _both(flap.moved(y=ear * 0.8).turned("z", -droop).moved(size * 0.28, size * 0.28, -size * 0.1))
    )


def _front_end(rng: Rng, b: _Beast, tilt: float) -> Mesh:
    """Neck and head, from the chest at the origin."""
    g = b.girth * b.length / 2
    angle = np.radians(b.neck_angle)
    tip = b.length * (b.neck + 0.1) * np.array([0, np.sin(angle), np.cos(angle)])
    head = _beast_head(rng, b).turned("x", tilt).moved(*tip)
    return join(
        tube(np.stack([np.array([0, 0, -0.05 * b.length]), tip]), [g * 0.75, max(g * 0.35, b.head * b.length * 0.25)]),
        head,
    )


def _beast_tail(b: _Beast) -> Mesh:
    a = np.radians(b.tail_angle)
    n = b.tail * b.length
    bend = np.array([0, np.sin(a), -np.cos(a)]) * n
    path = np.stack([0 * bend, bend * 0.5, bend + np.array([0, 0.1 * n, 0])])
    thick = b.leg_width * b.length * 0.45
    return tube(path, [thick, thick, 0.012 * b.length])


def _standing_legs(rng: Rng, b: _Beast) -> Mesh:
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


def _four_legged(rng: Rng, kind: str) -> Mesh:
    b = _jittered(rng, _BEASTS[kind])
    front = _front_end(rng, b, rng.uniform(-10, 25)).moved(y=b.girth * b.length * 0.12, z=b.length * 0.42)
    tail = _beast_tail(b).moved(y=b.girth * b.length * 0.2, z=-b.length * 0.47)
    parts = [_beast_trunk(b), front, tail, _standing_legs(rng, b), *_EXTRAS.get(kind, lambda b: [])(b)]
    return join(*parts)


def _horns(b: _Beast) -> list[Mesh]:
    a = np.radians(b.neck_angle)
    y, z = np.array([np.sin(a), np.cos(a)]) * b.length * (b.neck + 0.1) + b.length * np.array([b.girth * 0.12, 0.42])
    size = b.head * b.length
    horn = [(size * 0.2, y + size * 0.3, z), (size * 0.7, y + size * 0.4, z), (size * 0.8, y + size * 0.8, z)]
    return [_both(tube(horn, [size * 0.09, size * 0.07, size * 0.02]))]


def _trunk_and_tusks(b: _Beast) -> list[Mesh]:
    n = b.length
    nose = [(0, 0.05 * n, 0.75 * n), (0, -0.2 * n, 0.85 * n), (0, -0.5 * n, 0.82 * n), (0, -0.6 * n, 0.95 * n)]
    tusk = _both(tube([(0.1 * n, -0.05 * n, 0.7 * n), (0.12 * n, -0.2 * n, 0.9 * n)], [0.025 * n, 0.008 * n]))
    return [tube(nose, [0.1 * n, 0.07 * n, 0.05 * n, 0.035 * n]), tusk]


_EXTRAS: dict[str, Callable[[_Beast], list[Mesh]]] = {"cow": _horns, "elephant": _trunk_and_tusks}


def _sitting_dog(rng: Rng) -> Mesh:
    b = _jittered(rng, _BEASTS["cat" if _chance(rng, 0.4) else "dog"])
    n, g, pitch = b.length, b.girth * b.length / 2, rng.uniform(50, 68)
    trunk = _beast_trunk(b).turned("x", -pitch)
    a = np.radians(pitch)
    chest = np.array([0, np.sin(a), np.cos(a)]) * n * 0.45
    floor = -np.sin(a) * n * 0.5
    r = b.leg_width * n
    front = [
        tube([(x, chest[1] * 0.6, chest[2]), (x, floor, chest[2] + g * 0.3)], [r * 1.3, r * 0.8])
        for x in (-g * 0.5, g * 0.5)
    ]
    haunch = _both(ellipsoid(g * 0.9, g * 1.6, g * 2).moved(g * 0.6, floor + g * 0.6, -g * 0.2))
    paws = _copies(
        cushion(r * 2, r * 1.2, r * 4, 0.6, 8),
        [(x, floor + r * 0.4, z) for x in (-g * 0.7, g * 0.7) for z in (g * 0.8, chest[2] + g * 0.5)],
    )
    tail = _beast_tail(b._replace(tail_angle=rng.uniform(0, 40))).moved(y=floor + r, z=-g)
    return join(
        trunk, _front_end(rng, b._replace(neck_angle=75), rng.uniform(-5, 20)).moved(*chest), *front, haunch, paws, tail
    )


def _lying_dog(rng: Rng) -> Mesh:
    b = _jittered(rng, _BEASTS["cat" if _chance(rng, 0.3) else "dog"])
    n, g, r = b.length, b.girth * b.length / 2, b.leg_width * b.length
    fore = _both(tube([(g * 0.7, -g * 0.5, n * 0.3), (g * 0.7, -g * 0.85, n * 0.75)], [r * 1.1, r * 0.8]))
    hind = _both(
        join(
            ellipsoid(g, g * 1.3, g * 1.6).moved(g * 0.75, -g * 0.4, -n * 0.3),
            rod((g, -g * 0.9, -n * 0.35), (g, -g * 0.9, 0), r * 0.8),
        )
    )
    tail = _beast_tail(b._replace(tail_angle=-5)).moved(y=-g * 0.6, z=-n * 0.45)
    return join(_beast_trunk(b), _front_end(rng, b, 10).moved(y=g * 0.2, z=n * 0.42), fore, hind, tail)


_DOGS: Variants = {
    **{kind: lambda rng, kind=kind: _four_legged(rng, kind) for kind in _BEASTS},  # type: ignore[misc]
    "sitting": _sitting_dog,
    "lying": _lying_dog,
}


@category(
    "dog",
    synonyms=_words(
        "puppy, hound, terrier, dachshund, cat, kitten, horse, pony, cow, pig, sheep, elephant, giraffe, "
        "animal, four-legged animal, pet, bull"
    ),
    variants=tuple(_DOGS),
)
def dog(rng: Rng, variant: str) -> Mesh:
    return _DOGS[variant](rng)


# ---------------------------------------------------------------------------- bird


def _egg(length: float, width: float, height: float) -> Mesh:
    """A bird's body along z, fuller towards the breast at +z, thin towards the tail."""
    shape = [(-0.6, 0.12, 0.05), (-0.4, 0.45, 0.4), (-0.1, 0.9, 0.9), (0.15, 1, 1), (0.36, 0.75, 0.8), (0.5, 0.2, 0.25)]
    return _hull([(z * length, 0, w * width / 2, h * height / 2) for z, w, h in shape])


def _bird_head(rng: Rng, size: float, beak: float, flat: bool = False) -> Mesh:
    base = size * 0.22
    bill = _hull(
        [(size * 0.3, 0, base, base), (size * 0.4 + beak, -size * 0.08, base * (1.1 if flat else 0.1), base * 0.15)],
        columns=8,
    )
    return join(ellipsoid(size, size, size * 1.1, 12), bill)


def _tail_fan(length: float, width: float) -> Mesh:
    """A flat tail from the origin backwards."""
    return _plan([(-width * 0.3, 0), (width * 0.3, 0), (width / 2, -length), (-width / 2, -length)], length * 0.08)


def _folded_wing(length: float, height: float, x: float) -> Mesh:
    return _both(ellipsoid(0.2 * height, height, length).turned("x", 12).moved(x=x))


def _bird_legs(height: float, spread: float, radius: float) -> Mesh:
    toes = [((0, -height, 0), (t * height * 0.25, -height, height * (0.35 - 0.1 * abs(t)))) for t in (-1, 0, 1)]
    leg = _bars([((0, 0, 0), (0, -height, 0)), *toes], radius)
    return _both(leg.moved(x=spread))


def _perched_bird(rng: Rng) -> Mesh:
    u = rng.uniform
    n, pitch = u(0.1, 0.3), u(15, 50)
    wide = n * u(0.5, 0.65)
    body = join(
        _egg(n, wide, wide),
        _folded_wing(n * 0.8, wide * 0.6, wide * 0.45),
        _tail_fan(n * u(0.3, 0.8), wide * 0.5).moved(z=-n * 0.5),
    )
    head = _bird_head(rng, n * 0.38, n * u(0.08, 0.2)).moved(y=n * (0.25 + pitch / 150), z=n * 0.42)
    legs = _bird_legs(n * u(0.35, 0.6), n * 0.12, n * 0.02)
    perch = _axle(n * 0.06, n * 1.6, 8).moved(y=-n * 0.45)
    return (
        join(body.turned("x", -pitch), head, legs, perch)
        if _chance(rng, 0.3)
        else join(body.turned("x", -pitch), head, legs)
    )


def _duck(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(0.15, 0.5)
    wide, neck = n * u(0.5, 0.65), n * u(0.2, 0.55)
    body = join(_egg(n, wide, wide * 0.85), _folded_wing(n * 0.75, wide * 0.5, wide * 0.42))
    tail = _tail_fan(n * 0.2, wide * 0.5).turned("x", 30).moved(y=n * 0.05, z=-n * 0.5)
    throat = tube(
        [(0, 0, n * 0.3), (0, neck * 0.6, n * 0.48), (0, neck + n * 0.1, n * 0.45)], [n * 0.16, n * 0.1, n * 0.09]
    )
    head = _bird_head(rng, n * 0.27, n * 0.15, flat=True).moved(y=neck + n * 0.15, z=n * 0.48)
    bird = join(body, tail, throat, head)
    return join(bird, _bird_legs(n * 0.35, n * 0.12, n * 0.03)) if _chance(rng, 0.5) else bird


def _owl(rng: Rng) -> Mesh:
    u = rng.uniform
    h = u(0.1, 0.45)
    w = h * u(0.5, 0.7)
    profile = [
        (0, 0),
        (0.35, 0.02),
        (0.48, 0.25),
        (0.5, 0.45),
        (0.42, 0.62),
        (0.4, 0.68),
        (0.43, 0.8),
        (0.3, 0.95),
        (0, 1),
    ]
    body = lathe([(r * w, y * h) for r, y in profile], 18).scaled(z=u(0.75, 1))
    eyes = _both(torus(w * 0.13, w * 0.035, 12).turned("x", 85).moved(w * 0.16, h * 0.8, w * 0.34))
    beak = cylinder(w * 0.06, w * 0.2, 0.0, 8).turned("x", 150).moved(y=h * 0.73, z=w * 0.38)
    ears = _both(cylinder(w * 0.1, h * 0.18, 0.0, 8).turned("z", -20).moved(w * 0.28, h * 0.98))
    wings = _both(ellipsoid(w * 0.25, h * 0.6, w * 0.6).moved(w * 0.45, h * 0.38, -w * 0.05))
    feet = _both(cushion(w * 0.25, h * 0.08, w * 0.35, 0.6, 8).moved(w * 0.2, h * 0.03, w * 0.3))
    return join(body, eyes, beak, wings, feet, ears) if _chance(rng, 0.6) else join(body, eyes, beak, wings, feet)


def _flying_bird(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(0.2, 0.7)
    wide = n * u(0.28, 0.4)
    inner, outer, chord = n * u(0.5, 0.8), n * u(0.6, 1.1), n * u(0.3, 0.5)
    near = _blade(inner, chord, chord * 0.9, -n * 0.1, 0.03 * n, inner * u(-0.1, 0.5))
    lift = float(near.vertices[:, 1].max())
    far = _blade(outer, chord * 0.9, chord * 0.2, n * u(0.1, 0.5), 0.025 * n, outer * u(-0.3, 0.3)).moved(
        inner, lift, n * 0.1
    )
    head = _bird_head(rng, n * 0.26, n * 0.1).moved(y=n * 0.04, z=n * 0.55)
    tail = _tail_fan(n * 0.45, n * 0.35).moved(z=-n * 0.45)
    return join(_egg(n, wide, wide), _both(join(near, far)), head, tail)


def _penguin(rng: Rng) -> Mesh:
    u = rng.uniform
    h = u(0.3, 1.0)
    w = h * u(0.3, 0.42)
    profile = [
        (0, 0),
        (0.4, 0.03),
        (0.5, 0.25),
        (0.48, 0.5),
        (0.33, 0.72),
        (0.24, 0.78),
        (0.26, 0.88),
        (0.16, 0.97),
        (0, 1),
    ]
    body = lathe([(r * w, y * h) for r, y in profile], 16).scaled(z=0.9)
    beak = _barrel(w * 0.07, w * 0.35, 0.005, 8).moved(y=h * 0.88, z=w * 0.38)
    wing = _both(ellipsoid(w * 0.1, h * 0.45, w * 0.35).turned("z", u(5, 35)).moved(w * 0.55, h * 0.45))
    feet = _both(cushion(w * 0.3, h * 0.05, w * 0.5, 0.6, 8).moved(w * 0.22, h * 0.01, w * 0.3))
    return join(body, beak, wing, feet)


def _wader(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(0.25, 0.6)
    legs, neck = n * u(0.9, 1.8), n * u(0.8, 1.4)
    wide = n * u(0.4, 0.5)
    curve = [(0, 0.05 * n, 0.35 * n), (0, 0.35 * neck, 0.6 * n), (0, 0.7 * neck, 0.45 * n), (0, neck, 0.5 * n)]
    head = _bird_head(rng, n * 0.2, n * u(0.15, 0.5)).moved(y=neck + n * 0.03, z=0.52 * n)
    body = join(_egg(n, wide, wide), _tail_fan(n * 0.25, n * 0.25).moved(z=-n * 0.5))
    return join(
        body, tube(curve, [n * 0.12, n * 0.07, n * 0.06, n * 0.06]), head, _bird_legs(legs, n * 0.08, n * 0.025)
    )


def _hen(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(0.25, 0.4)
    body = _egg(n, n * 0.7, n * 0.75).turned("x", -15)
    tail = _blade(n * u(0.4, 0.7), n * 0.2, n * 0.5, n * 0.15, n * 0.1).turned("z", 90).moved(y=n * 0.05, z=-n * 0.5)
    neck = rod((0, 0.1 * n, n * 0.3), (0, n * 0.55, n * 0.42), n * 0.2, n * 0.1)
    head = _bird_head(rng, n * 0.24, n * 0.07).moved(y=n * 0.6, z=n * 0.45)
    comb = box(n * 0.03, n * 0.15, n * 0.2).moved(y=n * 0.76, z=n * 0.45)
    return join(
        body, tail, neck, head, comb, _folded_wing(n * 0.6, n * 0.4, n * 0.34), _bird_legs(n * 0.6, n * 0.15, n * 0.03)
    )


_BIRDS: Variants = {
    "perched": _perched_bird,
    "duck": _duck,
    "owl": _owl,
    "flying": _flying_bird,
    "penguin": _penguin,
    "wader": _wader,
    "hen": _hen,
}


@category(
    "bird",
    synonyms=_words(
        "owl, duck, penguin, parrot, pigeon, eagle, chicken, hen, goose, swan, seagull, flamingo, "
        "rubber duck, sparrow, rooster, owl figurine"
    ),
    variants=tuple(_BIRDS),
)
def bird(rng: Rng, variant: str) -> Mesh:
    return _BIRDS[variant](rng)


# ---------------------------------------------------------------------------- airplane


def _fuselage(length: float, radius: float, nose: float, tail: float) -> Mesh:
    """Round body along z; `nose` and `tail` are the shares of its length that taper."""
    n, r = length, radius
    front, back = 0.5 - nose, tail - 0.5
    shape = [
        (-0.5, 0.6, 0.1),
        (back, 0, 1),
        (front, 0, 1),
        (0.5 - nose * 0.4, -0.05, 0.8),
        (0.5 - nose * 0.1, -0.15, 0.4),
        (0.5, -0.2, 0.1),
    ]
    return _hull([(z * n, y * r, s * r, s * r) for z, y, s in shape])


def _tailplane(rng: Rng, size: float, t_tail: bool) -> Mesh:
    """Fin and stabilisers; the fin's foot is at the origin."""
    u = rng.uniform
    fin = _blade(size, size * u(0.7, 1), size * 0.4, size * u(0.4, 0.8), size * 0.08).turned("z", 90)
    span = size * u(0.9, 1.2)
    level = _both(_blade(span, size * 0.6, size * 0.3, size * 0.4, size * 0.06, 0 if t_tail else size * 0.1))
    return join(fin, level.moved(y=size, z=-size * 0.6) if t_tail else level.moved(y=-size * 0.05))


def _engine(radius: float, length: float) -> Mesh:
    shape = [
        (radius * 0.5, -length / 2),
        (radius, -length * 0.1),
        (radius, length * 0.4),
        (radius * 0.9, length / 2),
        (radius * 0.8, length * 0.4),
        (0, length * 0.3),
    ]
    return lathe([(0, -length / 2), *shape], 14).turned("x", 90)


def _airliner(rng: Rng, engines: int = 1, rear: bool = False) -> Mesh:
    u = rng.uniform
    n = u(8, 14)
    r = n * u(0.045, 0.065)
    span, chord, sweep = n * u(0.4, 0.52), n * u(0.18, 0.24), n * u(0.15, 0.26)
    wing = _blade(span, chord, chord * 0.3, sweep, n * 0.015, span * u(0.03, 0.12)).moved(y=-r * 0.6, z=n * 0.06)
    parts = [_fuselage(n, r, u(0.08, 0.15), u(0.2, 0.35)), _both(wing)]
    parts.append(_tailplane(rng, n * u(0.12, 0.17), rear).moved(y=r * 0.7, z=-n * 0.42))
    size = r * u(0.4, 0.6)
    spots = (
        [(r * 1.5, r * 0.3, -n * 0.28)]
        if rear
        else [(span * t, -r * 0.9 - size * 0.3, n * 0.13 - sweep * t) for t in (0.35, 0.62)[:engines]]
    )
    parts += [_both(_engine(size, size * u(2.2, 3.5)).moved(*spot)) for spot in spots]
    return join(*parts)


def _landing_gear(n: float, y: float, z: float, track: float, tail_wheel: bool) -> Mesh:
    wheel = _axle(n * 0.03, n * 0.015, 12)
    spots = [(track, y, z), (-track, y, z), (0, y, z - n * 0.55 if tail_wheel else z + n * 0.3)]
    struts = _bars([((0.4 * x, y + n * 0.09, z0), (x, y, z0)) for x, _, z0 in spots], n * 0.008)
    return join(_copies(wheel, spots), struts)


def _propeller(rng: Rng, radius: float) -> Mesh:
    vane = box(radius * 0.12, radius, radius * 0.03).moved(y=radius / 2)
    return join(_around(vane, rng.randint(2, 5), "z"), _barrel(radius * 0.13, radius * 0.3, 0.01, 10)).turned(
        "z", rng.uniform(0, 90)
    )


def _light_airplane(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(6, 9)
    r, high = n * u(0.06, 0.085), _chance(rng, 0.6)
    span, chord = n * u(0.55, 0.75), n * u(0.15, 0.2)
    wing = _blade(span, chord, chord * u(0.5, 1), n * 0.03, n * 0.02, span * u(0, 0.08)).moved(
        y=r if high else -r * 0.7, z=n * 0.15
    )
    struts = _both(_bars([((r, -r * 0.7, n * 0.15), (span * 0.5, r, n * 0.13))], n * 0.006))
    cabin = _hull(
        [
            (-n * 0.1, r * 0.5, r * 0.6, r * 0.3),
            (n * 0.08, r * 0.7, r * 0.8, r * 0.5),
            (n * 0.25, r * 0.5, r * 0.7, r * 0.3),
        ]
    )
    parts = [_fuselage(n, r, u(0.1, 0.2), 0.5), _both(wing), cabin, _propeller(rng, n * 0.13).moved(z=n * 0.51)]
    parts.append(_tailplane(rng, n * u(0.15, 0.2), False).moved(y=r * 0.5, z=-n * 0.42))
    parts.append(_landing_gear(n, -r - n * 0.07, n * 0.15, n * 0.13, _chance(rng, 0.5)))
    return join(*parts, struts) if high else join(*parts)


def _fighter(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(9, 14)
    r = n * u(0.045, 0.06)
    delta = _blade(n * u(0.22, 0.34), n * u(0.35, 0.55), n * 0.08, n * u(0.18, 0.3), n * 0.015).moved(z=-n * 0.1)
    body = _hull(
        [
            (-n * 0.48, 0, r * 1.3, r * 0.8),
            (0, 0, r * 1.4, r),
            (n * 0.2, 0, r, r),
            (n * 0.4, -r * 0.1, r * 0.5, r * 0.5),
            (n / 2, -r * 0.2, 0.02, 0.02),
        ],
        0.8,
    )
    canopy = ellipsoid(r * 1.2, r * 1.4, n * 0.2).moved(y=r * 0.8, z=n * 0.18)
    fin = _blade(n * 0.15, n * 0.16, n * 0.07, n * 0.1, n * 0.012).turned("z", 90)
    fins = (
        _both(fin.turned("z", -u(0, 25)).moved(r, r * 0.6, -n * 0.36))
        if _chance(rng, 0.5)
        else fin.moved(y=r * 0.7, z=-n * 0.36)
    )
    stabilisers = _both(_blade(n * 0.15, n * 0.12, n * 0.05, n * 0.08, n * 0.01).moved(r, 0, -n * 0.42))
    missiles = _both(_barrel(n * 0.01, n * 0.18, 0.01, 8).moved(n * 0.2, -r * 0.4, -n * 0.12))
    return join(body, canopy, _both(delta), fins, stabilisers, missiles)


def _biplane(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(6, 8)
    r, span, chord, gap = n * 0.06, n * u(0.55, 0.7), n * u(0.16, 0.2), n * u(0.18, 0.24)
    wings = _copies(box(2 * span, n * 0.012, chord), [(0, -r, n * 0.2), (0, gap - r, n * 0.24)])
    posts = [
        ((x, -r, n * 0.2 + z), (x, gap - r, n * 0.24 + z))
        for x in (-span * 0.7, span * 0.7, -r, r)
        for z in (-chord * 0.3, chord * 0.3)
    ]
    parts = [_fuselage(n, r, 0.08, 0.6), wings, _bars(posts, n * 0.006), _propeller(rng, n * 0.15).moved(z=n * 0.51)]
    parts.append(_tailplane(rng, n * 0.15, False).moved(y=r * 0.4, z=-n * 0.43))
    return join(*parts, _landing_gear(n, -r - n * 0.09, n * 0.25, n * 0.12, True))


def _glider(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(5, 7)
    pod = _hull(
        [
            (-n / 2, n * 0.03, n * 0.015, n * 0.015),
            (-n * 0.1, 0.01, n * 0.03, n * 0.04),
            (n * 0.25, 0, n * 0.05, n * 0.07),
            (n / 2, -n * 0.02, 0.02, 0.02),
        ]
    )
    wing = _blade(n * u(0.9, 1.1), n * 0.12, n * 0.05, n * 0.03, n * 0.015, n * u(0.02, 0.12)).moved(
        y=n * 0.05, z=n * 0.1
    )
    return join(pod, _both(wing), _tailplane(rng, n * 0.16, True).moved(y=n * 0.03, z=-n * 0.43))


_AIRPLANES: Variants = {
    "airliner": _airliner,
    "four_engines": lambda rng: _airliner(rng, engines=2),
    "rear_engines": lambda rng: _airliner(rng, rear=True),
    "light": _light_airplane,
    "fighter": _fighter,
    "biplane": _biplane,
    "glider": _glider,
}


@category(
    "airplane",
    synonyms=_words(
        "aeroplane, plane, aircraft, airliner, jet, fighter jet, passenger plane, propeller plane, biplane, "
        "glider, jet plane, cessna, jumbo jet"
    ),
    variants=tuple(_AIRPLANES),
)
def airplane(rng: Rng, variant: str) -> Mesh:
    return _AIRPLANES[variant](rng)


# ---------------------------------------------------------------------------- car


class _Car(NamedTuple):
    """Side view of a car: lengths in metres, positions along it as shares from tail (0) to nose (1)."""

    length: float
    width: float
    height: float
    bonnet: float  # where the windscreen meets the bonnet
    boot: float  # where the rear window meets the boot
    roof_back: float
    roof_front: float
    wheel: float = 0.33


_CARS = {
    "sedan": _Car(4.6, 1.8, 1.45, 0.7, 0.14, 0.28, 0.56),
    "hatchback": _Car(4.0, 1.75, 1.5, 0.74, 0.01, 0.1, 0.58),
    "suv": _Car(4.6, 1.9, 1.8, 0.73, 0.0, 0.05, 0.6, 0.4),
    "van": _Car(4.9, 1.95, 2.1, 0.88, 0.0, 0.01, 0.78, 0.35),
    "sports": _Car(4.4, 1.9, 1.2, 0.66, 0.1, 0.3, 0.5, 0.34),
    "pickup": _Car(5.2, 1.9, 1.8, 0.74, 0.36, 0.4, 0.62, 0.4),
    "convertible": _Car(4.3, 1.8, 1.3, 0.66, 0.2, 0.3, 0.56),
}


def _wheels(rng: Rng, x: float, radius: float, front: float, back: float) -> Mesh:
    tyre = _axle(radius, radius * rng.uniform(0.55, 0.75), 18)
    hub = _axle(radius * 0.55, radius * 0.8, 12)
    return _copies(join(tyre, hub), [(s * x, radius, z) for s in (-1, 1) for z in (front, back)])


def _car_body(rng: Rng, car: _Car, belt: float, clearance: float) -> Mesh:
    n = car.length
    nose, tail = belt * rng.uniform(0.72, 0.9), belt * rng.uniform(0.9, 1)
    outline = [
        (-0.5, clearance),
        (0.5, clearance),
        (0.5, nose),
        (car.bonnet - 0.5, belt),
        (car.boot - 0.5, belt),
        (-0.5, tail),
    ]
    outer = _rounded_corners([(z * n, y) for z, y in outline], 1)

    def narrow_ends(p: np.ndarray) -> np.ndarray:
        p[:, 0] *= 1 - 0.5 * np.abs(p[:, 2] / n) ** 3
        return p

    return _side(outer, car.width).deformed(narrow_ends)


def _cabin(car: _Car, belt: float, lean: float) -> Mesh:
    """Windows and roof: a frustum whose sides lean in."""
    n, sill = car.length, belt - 0.05
    outline = [(car.boot, sill), (car.bonnet, sill), (car.roof_front, car.height), (car.roof_back, car.height)]

    def lean_in(p: np.ndarray) -> np.ndarray:
        p[:, 0] *= 1 - lean * (p[:, 1] - sill) / (car.height - sill)
        return p

    return _side([((z - 0.5) * n, y) for z, y in outline], car.width * 0.95).deformed(lean_in)


def _car_trim(car: _Car, belt: float) -> Mesh:
    n, w = car.length, car.width
    mirrors = _both(ellipsoid(0.18, 0.13, 0.1, 8).moved(w / 2 + 0.07, belt + 0.06, (car.bonnet - 0.54) * n))
    bumpers = _copies(cushion(w * 0.9, 0.18, 0.2, 0.4, 10), [(0, 0.4, z * n) for z in (-0.5, 0.5)])
    lamps = _both(ellipsoid(0.28, 0.14, 0.1, 8).moved(w * 0.36, belt * 0.75, n * 0.49))
    return join(mirrors, bumpers, lamps)


def _cargo_bed(car: _Car, belt: float) -> Mesh:
    """Side walls and tailgate above the belt line behind a pickup's cabin."""
    n, length = car.length, car.boot * car.length
    wall = _both(box(0.07, 0.35, length).moved(car.width * 0.46, belt + 0.12, -n / 2 + length / 2))
    return join(wall, box(car.width * 0.9, 0.35, 0.07).moved(y=belt + 0.12, z=-n / 2 + 0.04))


def _open_top(car: _Car, belt: float) -> Mesh:
    n, w = car.length, car.width
    screen = _frame(w * 0.85, 0.4, 0.04, 0.04).turned("x", -40).moved(y=belt + 0.15, z=(car.bonnet - 0.53) * n)
    seats = _copies(
        cushion(0.5, 0.6, 0.2, 0.4, 10), [(x, belt, (z - 0.5) * n) for x in (-0.4, 0.4) for z in (0.26, 0.42)]
    )
    return join(screen, seats)


def _road_car(rng: Rng, kind: str) -> Mesh:
    u, base = rng.uniform, _CARS[kind]
    stretch = u(0.92, 1.08, 3)
    car = base._replace(length=base.length * stretch[0], width=base.width * stretch[1], height=base.height * stretch[2])
    belt, clearance = car.height * u(0.55, 0.66), u(0.16, 0.22) + (car.wheel - 0.33)
    top = _open_top(car, belt) if kind == "convertible" else _cabin(car, belt, u(0.12, 0.3))
    wheels = _wheels(
        rng, car.width * 0.44, car.wheel * u(0.92, 1.1), car.length * u(0.29, 0.34), -car.length * u(0.26, 0.31)
    )
    parts = [_car_body(rng, car, belt, clearance), top, wheels, _car_trim(car, belt)]
    if kind == "pickup":
        parts.append(_cargo_bed(car, belt))
    if kind == "suv" and _chance(rng, 0.4):
        parts.append(_barrel(0.36, 0.2).moved(y=belt * 0.9, z=-car.length / 2 - 0.08))
    return join(*parts)


def _racing_car(rng: Rng) -> Mesh:
    u = rng.uniform
    n, radius = u(3.8, 4.8), u(0.3, 0.38)
    body = _hull(
        [
            (-n * 0.42, 0.45, 0.2, 0.2),
            (-n * 0.1, 0.45, 0.45, 0.3),
            (n * 0.1, 0.4, 0.4, 0.25),
            (n * 0.48, 0.3, 0.12, 0.1),
        ],
        0.6,
    )
    pods = _both(cushion(0.45, 0.35, n * 0.3, 0.5).moved(0.5, 0.35, -n * 0.06))
    wing = join(box(1.5, 0.04, 0.4), _both(box(0.03, 0.3, 0.45).moved(0.75)))
    arms = _bars([((0, 0.4, z), (x, radius, z)) for x in (-0.75, 0.75) for z in (n * 0.33, -n * 0.35)], 0.03)
    hoop = _arch(0.2, 0.04).moved(y=0.75, z=-n * 0.1)
    return join(
        body,
        pods,
        wing.moved(y=0.85, z=-n * 0.45),
        wing.moved(y=0.2, z=n * 0.48),
        arms,
        hoop,
        _wheels(rng, 0.8, radius, n * 0.33, -n * 0.35),
    )


def _vintage_car(rng: Rng) -> Mesh:
    u = rng.uniform
    n, w, radius = u(3.4, 4.2), u(1.4, 1.6), u(0.34, 0.4)
    bonnet = box(w * 0.5, 0.5, n * 0.32).moved(y=0.8, z=n * 0.28)
    cabin = box(w * 0.85, u(0.9, 1.1), n * 0.42).moved(y=1.1, z=-n * 0.1)
    floor = box(w * 0.8, 0.12, n * 0.9).moved(y=0.5)
    fender = _arch(radius * 1.2, 0.1).turned("y", 90).scaled(x=1.6)
    fenders = _copies(fender, [(s * w * 0.45, radius, z) for s in (-1, 1) for z in (n * 0.36, -n * 0.34)])
    lamps = _both(ellipsoid(0.22, 0.22, 0.22, 10).moved(w * 0.3, 0.95, n * 0.45))
    boards = _both(box(0.25, 0.05, n * 0.4).moved(w * 0.47, 0.4))
    return join(bonnet, cabin, floor, fenders, lamps, boards, _wheels(rng, w * 0.45, radius, n * 0.36, -n * 0.34))


_CAR_KINDS: Variants = {
    **{kind: lambda rng, kind=kind: _road_car(rng, kind) for kind in _CARS},  # type: ignore[misc]
    "racing": _racing_car,
    "vintage": _vintage_car,
}


@category(
    "car",
    synonyms=_words(
        "automobile, sedan, hatchback, suv, sports car, taxi, vehicle, pickup truck, van, minivan, "
        "convertible, race car, jeep, motor car, station wagon, toy car"
    ),
    variants=tuple(_CAR_KINDS),
)
def car(rng: Rng, variant: str) -> Mesh:
    return _CAR_KINDS[variant](rng)


# ---------------------------------------------------------------------------- boat


def _boat_shell(length: float, beam: float, depth: float, transom: float, rocker: float, wall: float = 0.03) -> Mesh:
    """An open hull along z, bow at +z, gunwale near y = depth; `transom` is the share of the beam at the stern."""

    def surface(shrink: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            plan = np.minimum(1, transom + (1 - transom) * np.sin(np.pi / 2 * np.minimum(1, u / 0.45)))
            half = (beam / 2 - shrink) * plan * np.sqrt(np.clip(1 - np.maximum(0, (u - 0.45) / 0.55) ** 2.2, 0, 1))
            keel = shrink + rocker * depth * np.abs(2 * u - 1) ** 3
            rim = depth * (1 + 0.35 * u**3)
            across = np.cos(np.pi * v)
            y = keel + (rim - keel) * np.abs(across) ** 2.5
            return np.stack([half * np.sign(across) * np.abs(across) ** 0.6, y, length * (u - 0.5)], axis=-1)

        return f

    return join(sheet(surface(0.0), 14, 13), sheet(surface(wall), 14, 13))


def _decked_hull(length: float, beam: float, depth: float, transom: float) -> Mesh:
    """A hull closed by a deck at about y = depth."""
    u = np.linspace(0, 1, 12)
    half = beam / 2 * np.minimum(1, transom + (1 - transom) * np.sin(np.pi / 2 * np.minimum(1, u / 0.4)))
    half = half * np.sqrt(np.clip(1 - np.maximum(0, (u - 0.4) / 0.6) ** 2.2, 0.0004, 1))
    z, rim = length * (u - 0.5), depth * (1 + 0.3 * u**3)
    keel = depth * (0.25 * u**4)
    section = np.array([(-1, 1), (-0.92, 0.4), (-0.55, 0), (0.55, 0), (0.92, 0.4), (1, 1), (-1, 1)], dtype=np.float64)
    x, y = np.outer(half, section[:, 0]), keel[:, None] + np.outer(rim - keel, section[:, 1])
    grid = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1)
    stern = np.broadcast_to(grid[:1].mean(axis=1, keepdims=True), grid[:1].shape)
    closed = np.concatenate([stern, grid])
    return sheet(lambda u, v: closed, *closed.shape[:2])


def _rowing_boat(rng: Rng) -> Mesh:
    u = rng.uniform
    n, beam, depth = u(2.5, 4.5), u(1.1, 1.6), u(0.4, 0.6)
    benches = _copies(box(beam * 0.85, 0.03, 0.25), [(0, depth * 0.75, z * n) for z in (-0.32, -0.05, 0.18)])
    hull = join(_boat_shell(n, beam, depth, u(0.5, 0.8), u(0.1, 0.5)), benches)
    oar = _both(
        join(
            rod((beam * 0.2, depth * 1.3, 0), (beam * 1.2, depth * 0.5, -0.3), 0.025),
            box(0.4, 0.02, 0.14).turned("z", -20).moved(beam * 1.25, depth * 0.45, -0.32),
        )
    )
    return join(hull, oar) if _chance(rng, 0.5) else hull


def _canoe(rng: Rng) -> Mesh:
    u = rng.uniform
    n, beam = u(3.5, 5.5), u(0.6, 0.95)
    if _chance(rng, 0.4):  # a kayak, decked over
        deck = _hull(
            [
                (-n / 2, 0.1, 0.02, 0.02),
                (-n * 0.25, 0, beam * 0.35, 0.14),
                (0, 0, beam / 2, 0.17),
                (n * 0.25, 0, beam * 0.35, 0.15),
                (n / 2, 0.1, 0.02, 0.02),
            ]
        )
        return join(deck, torus(beam * 0.35, 0.03).scaled(z=1.4).moved(y=0.17))
    half = _boat_shell(n, beam, u(0.3, 0.4), 0.03, u(0.4, 0.9))
    thwarts = _copies(box(beam * 0.8, 0.02, 0.06), [(0, 0.27, z * n) for z in (-0.2, 0, 0.2)])
    return join(half, thwarts)


def _sail(height: float, foot: float, belly: float) -> Mesh:
    """A triangle of cloth in the y-z plane: luff on the y axis, foot towards -z, bellied towards +x."""

    def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.stack(
            [belly * np.sin(np.pi * u) * np.sin(np.pi * v) * (1 - u), height * u, -foot * v * (1 - u)], axis=-1
        )

    return sheet(f, 8, 6)


def _sailboat(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(4, 11)
    beam, depth, mast = n * u(0.25, 0.35), n * u(0.1, 0.15), n * u(1.0, 1.35)
    cabin = cushion(beam * 0.5, depth * 0.7, n * 0.3, 0.4).moved(y=depth * 1.2, z=n * 0.05)
    main = _sail(mast * 0.85, n * 0.45, n * 0.06).turned("y", u(0, 25)).moved(y=depth * 1.7, z=n * 0.12)
    jib = _sail(mast * 0.75, n * 0.3, n * 0.05).turned("x", -18).moved(y=depth * 1.5, z=n * 0.46)
    spars = [((0, depth, n * 0.13), (0, mast, n * 0.13)), ((0, depth * 1.6, n * 0.12), (0, depth * 1.6, -n * 0.36))]
    parts = [_decked_hull(n, beam, depth, u(0.4, 0.8)), cabin, _bars(spars, n * 0.009)]
    if _chance(rng, 0.85):
        parts += [main, jib]
    if _chance(rng, 0.4):
        parts.append(
            _side([(-n * 0.05, 0), (n * 0.06, 0), (n * 0.1, n * 0.12), (-n * 0.08, n * 0.12)], n * 0.02).moved(
                y=-n * 0.1
            )
        )
    return join(*parts)


def _motor_boat(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(4, 10)
    beam, depth = n * u(0.28, 0.38), n * u(0.12, 0.17)
    shield = box(beam * 0.75, depth * 0.8, 0.05).turned("x", -35).moved(y=depth * 1.4, z=n * 0.08)
    seats = _copies(
        cushion(beam * 0.3, depth * 0.6, n * 0.08, 0.4, 10),
        [(x * beam, depth * 1.2, z * n) for x in (-0.2, 0.2) for z in (-0.05, -0.28)],
    )
    cabin = box(beam * 0.7, depth * u(0.8, 1.4), n * 0.35).tapered(u(0.6, 0.9)).moved(y=depth * 1.6)
    upper = join(shield, seats) if _chance(rng, 0.5) else cabin
    motor = join(
        cushion(n * 0.06, n * 0.09, n * 0.08, 0.4, 10), box(n * 0.02, depth * 1.2, n * 0.03).moved(y=-depth * 0.5)
    ).moved(y=depth * 1.2, z=-n * 0.54)
    return join(_decked_hull(n, beam, depth, u(0.75, 0.95)), upper, motor)


def _ship(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(8, 14)
    beam, depth, decks = n * u(0.13, 0.2), n * u(0.08, 0.12), rng.randint(2, 5)
    z, length = n * u(-0.35, 0.05), n * u(0.12, 0.4)
    tiers = [
        box(beam * (0.85 - 0.1 * i), depth * 0.45, length * (1 - 0.15 * i)).moved(0, depth * (1.2 + 0.45 * i), z)
        for i in range(decks)
    ]
    top = depth * (1 + 0.45 * decks)
    funnel = cylinder(beam * 0.14, depth * 0.8, beam * 0.11).moved(0, top + depth * 0.4, z - length * 0.2)
    mast = rod((0, top, z + length * 0.2), (0, top + depth * u(0.8, 1.6), z + length * 0.2), n * 0.006)
    cargo = [
        box(beam * 0.75, depth * u(0.3, 0.9), n * 0.09).moved(0, depth * 1.3, n * t)
        for t in (0.15, 0.26, 0.37)
        if n * t > z + length * 0.6
    ]
    return join(_decked_hull(n, beam, depth, u(0.6, 0.9)), *tiers, funnel, mast, *cargo)


def _tall_ship(rng: Rng) -> Mesh:
    u = rng.uniform
    n = u(6, 12)
    beam, depth = n * u(0.2, 0.28), n * u(0.12, 0.18)
    parts = [_decked_hull(n, beam, depth, 0.6), box(beam * 0.7, depth * 0.6, n * 0.2).moved(y=depth * 1.2, z=-n * 0.38)]
    for z, share in ((-0.25, 0.75), (0.02, 1.0), (0.27, 0.8)):
        mast = n * u(0.6, 0.8) * share
        parts.append(rod((0, depth, z * n), (0, depth + mast, z * n), n * 0.01))
        for level in (0.3, 0.62, 0.88):
            width, high = n * 0.34 * share * (1.2 - level * 0.7), mast * 0.24
            parts.append(_square_sail(width, high, n * 0.03).moved(0, depth + mast * level, z * n))
    return join(*parts, rod((0, depth * 1.3, n * 0.45), (0, depth * 1.9, n * 0.68), n * 0.008))


def _square_sail(width: float, height: float, belly: float) -> Mesh:
    return sheet(
        lambda u, v: np.stack([width * (v - 0.5), height * (u - 0.5), belly * np.sin(np.pi * u)], axis=-1), 5, 4
    )


_BOATS: Variants = {
    "rowing": _rowing_boat,
    "canoe": _canoe,
    "sailboat": _sailboat,
    "motor": _motor_boat,
    "ship": _ship,
    "tall_ship": _tall_ship,
}


@category(
    "boat",
    synonyms=_words(
        "ship, sailboat, sailing boat, rowing boat, canoe, kayak, yacht, motorboat, speedboat, ferry, "
        "vessel, dinghy, cargo ship, sailing ship, watercraft"
    ),
    variants=tuple(_BOATS),
)
def boat(rng: Rng, variant: str) -> Mesh:
    return _BOATS[variant](rng)


# ---------------------------------------------------------------------------- bicycle


def _cycle_wheel(rng: Rng, radius: float, tyre: float) -> Mesh:
    """Tyre, spokes and hub about the x axis."""
    a = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rim = np.stack([0 * a, np.cos(a), np.sin(a)], axis=1) * radius
    spokes = _rods(np.zeros_like(rim), rim, 0.003, sides=3)
    return join(torus(radius - tyre, tyre, 24).turned("z", 90), spokes, _axle(0.025, 0.09, 8))


def _handlebar(rng: Rng, style: int, width: float) -> Mesh:
    w = width / 2
    shapes: list[list[tuple[float, float, float]]] = [
        [(-w, 0, 0), (w, 0, 0)],
        [(-w, 0.03, -0.15), (-w, 0.05, 0), (0, 0, 0.03), (w, 0.05, 0), (w, 0.03, -0.15)],
        [
            (-w, -0.13, 0.02),
            (-w, -0.06, 0.12),
            (-w, 0, 0.08),
            (-w, 0, 0),
            (w, 0, 0),
            (w, 0, 0.08),
            (w, -0.06, 0.12),
            (w, -0.13, 0.02),
        ],
        [(-w, 0.2, -0.05), (-w * 0.4, 0.18, 0), (-0.05, 0, 0), (0.05, 0, 0), (w * 0.4, 0.18, 0), (w, 0.2, -0.05)],
    ]
    return tube(shapes[style], 0.014, segments=6)


def _bicycle(rng: Rng, radius: float, tyre: float, step: float, bar: int, reach: float = 0.52) -> Mesh:
    """Front towards +z; `step` lowers the top tube (0 diamond, 1 step-through)."""
    u = rng.uniform
    crank = np.array([0, radius * 0.85, 0.0])
    rear, front = np.array([0, radius, -reach * 0.85]), np.array([0, radius, reach * 1.15])
    seat = crank + np.array([0, u(0.42, 0.55), -u(0.12, 0.2)])
    head = np.array([0, radius + u(0.5, 0.62), reach * u(0.68, 0.78)])
    low = head - np.array([0, 0.12, -0.04])
    joint = seat + (crank - seat) * (0.1 + 0.65 * step)
    tubes = [(crank, seat), (joint, head), (crank, low), (rear, crank), (rear, joint)]
    fork = _both(_bars([(low, front + np.array([0.05, 0, 0]))], 0.014))
    top = head + np.array([0, 0.08, -0.02])
    saddle = _hull([(-0.14, 0, 0.07, 0.03), (0, 0, 0.06, 0.03), (0.13, 0, 0.02, 0.02)], columns=8)
    post = _bars([(seat, seat + np.array([0, 0.12, 0])), (low, top)], 0.014)
    pedals = join(
        _axle(0.1, 0.01, 14).moved(x=0.04),
        box(0.1, 0.02, 0.08).moved(0.13, -0.16),
        box(0.1, 0.02, 0.08).moved(-0.13, 0.16),
    )
    arms = _bars([((0.06, 0, 0), (0.06, -0.16, 0)), ((-0.06, 0, 0), (-0.06, 0.16, 0))], 0.01)
    drive = join(pedals, arms).turned("x", u(0, 360)).moved(*crank)
    wheels = _copies(_cycle_wheel(rng, radius, tyre), [rear, front])
    return join(
        _bars(tubes, u(0.015, 0.024)),
        fork,
        saddle.moved(y=0.13).moved(*seat),
        post,
        drive,
        wheels,
        _handlebar(rng, bar, u(0.4, 0.65)).moved(*top),
    )


def _city_bicycle(rng: Rng) -> Mesh:
    radius = rng.uniform(0.31, 0.35)
    machine = _bicycle(rng, radius, 0.02, rng.uniform(0.6, 1), 1)
    guards = _both(_arch(radius + 0.03, 0.012).turned("y", 90).scaled(x=2).moved(y=radius, z=0.55), "z")
    basket = join(_frame(0.34, 0.24, 0.02, 0.26), box(0.34, 0.01, 0.26).moved(y=-0.12)).moved(y=1.0, z=0.65)
    rack = join(box(0.13, 0.015, 0.36).moved(y=2 * radius + 0.06, z=-0.5), guards)
    return join(machine, rack, basket) if _chance(rng, 0.5) else join(machine, rack)


def _childs_bicycle(rng: Rng) -> Mesh:
    radius = rng.uniform(0.16, 0.24)
    machine = _bicycle(rng, radius, 0.025, rng.uniform(0.3, 1), 3, 0.36)
    small = _both(join(_axle(0.06, 0.025), rod((0, 0, 0), (-0.1, radius - 0.06, 0), 0.01)).moved(0.13, 0.06, -0.31))
    return join(machine, small) if _chance(rng, 0.6) else machine


def _tricycle(rng: Rng) -> Mesh:
    u = rng.uniform
    front, rear = u(0.15, 0.22), u(0.1, 0.14)
    wheels = [_axle(front, 0.05).moved(y=front, z=0.3), _both(_axle(rear, 0.05).moved(0.22, rear, -0.25))]
    tubes = [
        ((0, rear, -0.25), (0, 0.3, 0.1)),
        ((0, 0.3, 0.1), (0, 0.42, 0.24)),
        ((0, front, 0.3), (0, 0.6, 0.2)),
        ((-0.22, rear, -0.25), (0.22, rear, -0.25)),
    ]
    seat = cushion(0.22, 0.06, 0.22, 0.5).moved(y=0.32, z=-0.12)
    pedals = _both(box(0.08, 0.02, 0.06).moved(0.09, front, 0.3))
    return join(*wheels, _bars(tubes, 0.018), seat, pedals, _handlebar(rng, 1, 0.4).moved(y=0.6, z=0.2))


_BICYCLES: Variants = {
    "road": lambda rng: _bicycle(rng, rng.uniform(0.32, 0.35), 0.013, rng.uniform(0, 0.1), 2),
    "mountain": lambda rng: _bicycle(rng, rng.uniform(0.31, 0.36), 0.03, rng.uniform(0.1, 0.4), 0),
    "city": _city_bicycle,
    "bmx": lambda rng: _bicycle(rng, rng.uniform(0.23, 0.26), 0.027, rng.uniform(0.1, 0.4), 3, 0.42),
    "child": _childs_bicycle,
    "tricycle": _tricycle,
}


@category(
    "bicycle",
    synonyms=_words(
        "bike, mountain bike, road bike, city bike, bmx, pushbike, cycle, tricycle, racing bicycle, "
        "kids bike, cruiser bike, two-wheeler"
    ),
    variants=tuple(_BICYCLES),
)
def bicycle(rng: Rng, variant: str) -> Mesh:
    return _BICYCLES[variant](rng)


# ---------------------------------------------------------------------------- tent


def _dome_tent(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, height, sides = u(0.9, 1.6), u(1.0, 1.6), int(rng.choice([4, 6, 8]))
    a = np.linspace(0, np.pi / 2, 7)
    dome = lathe([(radius * np.cos(t), height * np.sin(t)) for t in a], sides).turned("y", 180 / sides)
    poles = _around(tube([(radius * np.cos(t), height * np.sin(t) + 0.02, 0) for t in a], 0.015, 5), sides).turned(
        "y", 180 / sides
    )
    porch = sheet(
        lambda p, q: np.stack([(q - 0.5) * radius * (1.2 - p), height * 0.75 * p, radius * (1.5 - 0.85 * p)], axis=-1),
        5,
        5,
    )
    return join(dome, poles, porch) if _chance(rng, 0.6) else join(dome, poles)


def _ridge_tent(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, length = u(1.2, 2.4), u(1.0, 1.9), u(1.8, 3.2)
    half = width / 2
    slope = _both(sheet(lambda p, q: np.stack([half * (1 - p), height * p, length * (q - 0.5)], axis=-1), 4, 4))
    back = _upright([(-half, 0), (half, 0), (0, height)], 0.02).moved(z=-length / 2)
    out = u(0.2, 0.9)
    flap = _both(
        sheet(
            lambda p, q: np.stack(
                [half * (1 - p) * (1 - out * q), height * p, length / 2 + 0.3 * q * (1 - p)], axis=-1
            ),
            4,
            4,
        )
    )
    poles = _bars([((0, 0, z), (0, height * 1.04, z)) for z in (-length / 2, length / 2)], 0.025)
    ropes = _bars([((0, height, s * length / 2), (0, 0, s * length * 0.85)) for s in (-1, 1)], 0.008)
    return join(slope, back, flap, poles, ropes)


def _tipi(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, height, sides = u(0.6, 1.8), u(1.4, 3.5), int(rng.choice([4, 6, 8, 12]))
    cone = lathe([(radius, 0), (radius * 0.08, height * 0.9)], sides)
    pole = np.array([[radius, 0, 0], [-radius * 0.12, height * 1.08, 0]])
    poles = _around(_rods(pole[:1], pole[1:], 0.025), sides)
    door = _upright([(-radius * 0.3, 0), (radius * 0.3, 0), (0, height * 0.55)], 0.02)
    tilt = np.degrees(np.arctan2(radius * 0.92, height * 0.9))
    return join(cone, poles, door.turned("x", -tilt).moved(z=radius * 1.02 * np.cos(np.pi / sides)))


def _canopy_tent(rng: Rng) -> Mesh:
    u = rng.uniform
    width, depth, wall, roof = u(2.2, 5), u(2.2, 5), u(1.9, 2.3), u(0.5, 1.2)
    top = _frame_roof(width, depth, roof).moved(y=wall)
    posts = _copies(
        cylinder(0.04, wall, segments=8),
        [(x * width / 2, wall / 2, z * depth / 2) for x in (-0.96, 0.96) for z in (-0.96, 0.96)],
    )
    valance = join(
        _both(box(0.02, 0.25, depth).moved(width / 2)), _both(box(width, 0.25, 0.02).moved(z=depth / 2), "z")
    ).moved(y=wall - 0.1)
    walls = [box(width * 0.97, wall, 0.02).moved(y=wall / 2, z=-depth * 0.48)] if _chance(rng, 0.4) else []
    return join(top, posts, valance, *walls)


def _frame_roof(width: float, depth: float, rise: float) -> Mesh:
    """Four slopes that meet in one point."""
    return lathe([(np.sqrt(0.5), 0), (0, rise)], 4).turned("y", 45).scaled(width, 1, depth)


def _tunnel_tent(rng: Rng) -> Mesh:
    u = rng.uniform
    width, height, length, hoops = u(1.4, 2.6), u(1.0, 2.0), u(2.5, 5), rng.randint(2, 5)
    skin = sheet(
        lambda p, q: np.stack(
            [
                -width / 2 * np.cos(np.pi * p),
                height * np.sin(np.pi * p) * (1 - 0.12 * np.abs(2 * q - 1)),
                length * (q - 0.5),
            ],
            axis=-1,
        ),
        12,
        6,
    )
    arch = _arch(1, 0.02).scaled(width / 2, height, 1)
    ribs = _copies(arch, [(0, 0, z) for z in np.linspace(-length / 2, length / 2, hoops)])
    end = sheet(
        lambda p, q: np.stack(
            [
                -width / 2 * np.cos(np.pi * p) * (1 - q),
                height * 0.88 * np.sin(np.pi * p) * (1 - q),
                -length / 2 - 0.6 * q,
            ],
            axis=-1,
        ),
        12,
        4,
    )
    return join(skin, ribs, end)


def _cabin_tent(rng: Rng) -> Mesh:
    u = rng.uniform
    width, depth, wall, rise = u(1.8, 4), u(1.8, 4), u(1.1, 1.8), u(0.4, 1)
    lower = lathe([(np.sqrt(0.5), 0), (np.sqrt(0.5) * u(0.85, 1), wall)], 4).turned("y", 45).scaled(width, 1, depth)
    roof = _frame_roof(width * 1.05, depth * 1.05, rise).moved(y=wall)
    door = _frame(width * 0.35, wall * 0.9, 0.04, 0.04).moved(y=wall * 0.45, z=depth * 0.49)
    windows = _both(_frame(depth * 0.3, wall * 0.4, 0.04, 0.04).turned("y", 90).moved(width * 0.49, wall * 0.6))
    return join(lower, roof, door, windows)


_TENTS: Variants = {
    "dome": _dome_tent,
    "ridge": _ridge_tent,
    "tipi": _tipi,
    "canopy": _canopy_tent,
    "tunnel": _tunnel_tent,
    "cabin": _cabin_tent,
}


@category(
    "tent",
    synonyms=_words(
        "camping tent, tipi, teepee, gazebo, canopy tent, marquee, dome tent, ridge tent, pavilion, yurt, "
        "pop-up tent, party tent, play tent, shelter"
    ),
    variants=tuple(_TENTS),
)
def tent(rng: Rng, variant: str) -> Mesh:
    return _TENTS[variant](rng)


# ---------------------------------------------------------------------------- umbrella


def _canopy(rng: Rng, radius: float, rise: float) -> Mesh:
    """Panels between ribs, scalloped at the edge; the rim at y = 0."""
    ribs, rows, across = rng.randint(6, 11), 7, 4
    scallop, flat = rng.uniform(0.02, 0.12), rng.uniform(0.9, 1.4)

    def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        between = np.abs(np.sin(np.pi * v * ribs))
        reach = radius * u * (1 - scallop * u * between)
        y = rise * (1 - u ** (2 * flat)) + 0.1 * rise * between * u
        return np.stack([reach * np.cos(2 * np.pi * v), y, reach * np.sin(2 * np.pi * v)], axis=-1)

    a = np.linspace(0, 2 * np.pi, ribs, endpoint=False)
    tips = np.stack([radius * np.cos(a), 0 * a, radius * np.sin(a)], axis=1)
    stays = _rods(np.tile([0, rise * 0.2, 0], (ribs, 1)), tips * 0.55 + [0, rise * 0.62, 0], 0.006, sides=4)
    return join(sheet(f, rows, ribs * across + 1), stays)


def _crook(radius: float, thickness: float) -> Mesh:
    """A walking-stick handle that hangs from the origin."""
    return torus(radius, thickness, 10, degrees=180).turned("x", 90).moved(x=radius)


def _open_umbrella(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, length = u(0.4, 0.65), u(0.7, 0.9)
    rise = radius * u(0.35, 0.65)
    shaft = rod((0, -length + rise, 0), (0, rise + u(0.03, 0.12), 0), 0.009)
    handle = _crook(0.05, 0.014) if _chance(rng, 0.7) else cylinder(0.02, 0.12)
    return join(_canopy(rng, radius, rise), shaft, handle.moved(y=-length + rise))


def _resting_umbrella(rng: Rng) -> Mesh:
    return _open_umbrella(rng).turned("x", -rng.uniform(95, 125))


def _folded_umbrella(rng: Rng) -> Mesh:
    u = rng.uniform
    length, wide = u(0.6, 0.85), u(0.03, 0.07)
    folds = rng.randint(5, 9)
    a = np.linspace(0, 2 * np.pi, 2 * folds, endpoint=False)

    def f(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        r = wide * (0.12 + np.minimum(1, (1 - p) * 3) * (0.4 + 0.6 * p)) * (1 + 0.3 * np.cos(2 * np.pi * q * folds))
        return np.stack([r * np.cos(2 * np.pi * q), length * p, r * np.sin(2 * np.pi * q)], axis=-1)

    cloth = sheet(f, 8, 2 * len(a) + 1)
    shaft = rod((0, -0.15, 0), (0, length + 0.08, 0), 0.009)
    return _laid(rng, join(cloth, shaft, _crook(0.05, 0.014).moved(y=-0.15)), 0.5)


def _parasol(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, height = u(0.9, 1.7), u(2.0, 2.6)
    rise = radius * u(0.2, 0.45)
    foot = box(0.5, 0.08, 0.5) if _chance(rng, 0.4) else cylinder(u(0.22, 0.35), 0.08, 0.2)
    finial = ellipsoid(0.08, 0.1, 0.08, 8).moved(y=height + rise)
    return join(
        _canopy(rng, radius, rise).moved(y=height),
        rod((0, 0, 0), (0, height + rise, 0), 0.024),
        foot.moved(y=0.04),
        finial,
    )


def _cantilever_parasol(rng: Rng) -> Mesh:
    u = rng.uniform
    radius, height = u(1.2, 1.7), u(2.1, 2.4)
    rise, x = radius * 0.3, radius * u(1.05, 1.2)
    arm = _bars(
        [
            ((-x, 0, 0), (-x, height + rise, 0)),
            ((-x, height, 0), (0, height + rise + 0.15, 0)),
            ((0, height + rise + 0.15, 0), (0, height, 0)),
        ],
        0.035,
    )
    cross = join(box(0.9, 0.06, 0.1), box(0.1, 0.06, 0.9)).moved(-x, 0.03)
    return join(_canopy(rng, radius, rise).moved(y=height), arm, cross)


_UMBRELLAS: Variants = {
    "open": _open_umbrella,
    "resting": _resting_umbrella,
    "folded": _folded_umbrella,
    "parasol": _parasol,
    "cantilever": _cantilever_parasol,
}


@category(
    "umbrella",
    synonyms=_words(
        "parasol, beach umbrella, patio umbrella, sun umbrella, rain umbrella, open umbrella, brolly, "
        "folded umbrella, garden parasol, sunshade, market umbrella"
    ),
    variants=tuple(_UMBRELLAS),
)
def umbrella(rng: Rng, variant: str) -> Mesh:
    return _UMBRELLAS[variant](rng)


# ---------------------------------------------------------------------------- hammer


def _haft(rng: Rng, length: float, radius: float) -> Mesh:
    """A handle upwards from y = 0, thicker where it is held."""
    swell = rng.uniform(1, 1.5)
    profile = [(0, 0), (swell, 0.01), (swell * 1.1, 0.12), (swell, 0.35), (0.8, 0.5), (0.8, 1), (0, 1)]
    return lathe([(r * radius, y * length) for r, y in profile], 10).scaled(x=rng.uniform(1, 1.4))


def _claw_hammer(rng: Rng) -> Mesh:
    u = rng.uniform
    length, face = u(0.26, 0.36), u(0.012, 0.017)
    front = join(
        _axle(face, 0.03, 12).moved(x=0.055), _axle(face * 0.7, 0.05, 10).moved(x=0.025), box(0.03, 0.035, 0.03)
    )
    curve = u(0.02, 0.05)
    spread = u(0.006, 0.012)
    claw = tube(
        [(-0.01, 0.005, spread * 0.4), (-0.05, 0, spread), (-0.09, -curve, spread * 1.4)],
        [0.012, 0.009, 0.003],
        segments=6,
    )
    return _laid(rng, join(_haft(rng, length, u(0.011, 0.017)), join(front, _both(claw, "z")).moved(y=length)))


def _ball_hammer(rng: Rng) -> Mesh:
    u = rng.uniform
    length, r = u(0.25, 0.38), u(0.012, 0.018)
    head = join(
        _axle(r, 0.03, 12).moved(x=0.045), _axle(r * 0.75, 0.08, 10), ellipsoid(r * 2, r * 2, r * 2, 10).moved(x=-0.045)
    )
    return _laid(rng, join(_haft(rng, length, u(0.01, 0.014)), head.moved(y=length)))


def _sledge_hammer(rng: Rng) -> Mesh:
    u = rng.uniform
    length, size = u(0.25, 0.95), u(0.04, 0.07)
    head = _axle(size / 1.8, size * u(1.8, 2.8), 8)
    return _laid(rng, join(_haft(rng, length, u(0.014, 0.018)), head.moved(y=length - size * 0.3)))


def _mallet(rng: Rng) -> Mesh:
    u = rng.uniform
    length, width = u(0.25, 0.36), u(0.09, 0.15)
    round_head = _axle(width * u(0.25, 0.4), width, 16)
    block = box(width * 0.7, width, width * 0.5).tapered(u(1, 1.3)).moved(y=0.01)
    head = block if _chance(rng, 0.4) else round_head
    return _laid(rng, join(_haft(rng, length, u(0.011, 0.016)), head.moved(y=length)), 0.7)


def _cross_peen_hammer(rng: Rng) -> Mesh:
    u = rng.uniform
    length, r = u(0.25, 0.4), u(0.011, 0.018)
    wedge = _blade(0.07, 2 * r, 2 * r, 0, 2 * r).mirrored("x")
    head = join(box(0.05, 2 * r, 2 * r).moved(x=0.02), wedge)
    return _laid(rng, join(_haft(rng, length, u(0.01, 0.015)), head.moved(y=length)))


_HAMMERS: Variants = {
    "claw": _claw_hammer,
    "ball_peen": _ball_hammer,
    "sledge": _sledge_hammer,
    "mallet": _mallet,
    "cross_peen": _cross_peen_hammer,
}


@category(
    "hammer",
    synonyms=_words(
        "claw hammer, mallet, sledgehammer, rubber mallet, ball peen hammer, carpenter hammer, gavel, "
        "tack hammer, wooden mallet, meat tenderizer, hand hammer"
    ),
    variants=tuple(_HAMMERS),
)
def hammer(rng: Rng, variant: str) -> Mesh:
    return _HAMMERS[variant](rng)


# ---------------------------------------------------------------------------- scissors


def _scissor_half(rng: Rng, blade: float, shank: float, loop: float, long_loop: float, thickness: float) -> Mesh:
    """One blade up and one finger loop down from the pivot at the origin."""
    u = rng.uniform
    wide = blade * u(0.08, 0.14)
    steel = _upright(
        [
            (-wide * 0.6, -0.01),
            (wide * 0.5, -0.01),
            (wide * 0.5, blade * 0.2),
            (wide * 0.1, blade),
            (-wide * 0.5, blade * 0.55),
        ],
        thickness * 0.5,
    )
    arm = tube(
        [(0, 0, 0), (-loop * 0.5, -shank * 0.5, 0), (-loop * 0.9, -shank, 0)], [wide * 0.45, wide * 0.4, thickness]
    )
    ring = _ring(loop, thickness, 16).scaled(y=long_loop).moved(-loop * 1.1, -shank - loop * long_loop * 0.85)
    return join(steel, arm, ring)


def _scissors(rng: Rng, blade: float, shank: float, loop: float, lying: float = 0.9) -> Mesh:
    u = rng.uniform
    thick, opening = u(0.004, 0.008), u(3, 35) if _chance(rng, 0.6) else u(0, 5)
    one = _scissor_half(rng, blade, shank, loop, u(1, 1.5), thick).turned("z", -opening / 2)
    other = _scissor_half(rng, blade, shank, loop * u(0.9, 1.3), u(1, 2), thick).mirrored("x").turned("z", opening / 2)
    screw = _barrel(0.006, thick * 2.5, segments=8)
    return _laid(rng, join(one, other.moved(z=-thick * 0.5), screw), lying)


def _shears(rng: Rng) -> Mesh:
    """Garden shears: long straight handles instead of loops."""
    u = rng.uniform
    blade, grip, opening = u(0.06, 0.22), u(0.12, 0.35), u(8, 30)
    wide = blade * 0.16
    steel = _upright([(-wide, -0.02), (wide, -0.02), (wide, blade * 0.4), (0, blade), (-wide, blade * 0.5)], 0.006)
    handle = tube([(0, 0, 0), (-0.025, -grip * 0.3, 0), (-0.03, -grip, 0)], [0.008, 0.011, 0.014])
    half = join(steel, handle).turned("z", -opening / 2)
    return _laid(rng, join(half, half.mirrored("x").moved(z=0.006), _barrel(0.01, 0.02, segments=8)), 0.9)


def _spring_shears(rng: Rng) -> Mesh:
    u = rng.uniform
    blade, opening = u(0.08, 0.15), u(6, 14)
    steel = _upright([(-0.012, 0), (0.012, 0), (0.012, blade * 0.3), (0, blade)], 0.005).moved(y=0.1)
    half = join(steel, box(0.016, 0.12, 0.008).moved(y=0.05)).turned("z", -opening).moved(x=0.01)
    return _laid(rng, join(_both(half), _arch(0.02, 0.006).mirrored("y")), 0.9)


_SCISSORS: Variants = {
    "office": lambda rng: _scissors(rng, rng.uniform(0.09, 0.13), rng.uniform(0.02, 0.05), rng.uniform(0.018, 0.026)),
    "small": lambda rng: _scissors(rng, rng.uniform(0.04, 0.06), rng.uniform(0.03, 0.05), rng.uniform(0.014, 0.02)),
    "tailor": lambda rng: _scissors(rng, rng.uniform(0.12, 0.18), rng.uniform(0.03, 0.06), rng.uniform(0.022, 0.03)),
    "upright": lambda rng: _scissors(
        rng, rng.uniform(0.08, 0.13), rng.uniform(0.02, 0.06), rng.uniform(0.018, 0.026), 0.0
    ),
    "shears": _shears,
    "spring_shears": _spring_shears,
}


@category(
    "scissors",
    synonyms=_words(
        "pair of scissors, shears, kitchen scissors, office scissors, garden shears, nail scissors, "
        "paper scissors, sewing scissors, pruning shears, tailor scissors, secateurs"
    ),
    variants=tuple(_SCISSORS),
)
def scissors(rng: Rng, variant: str) -> Mesh:
    return _SCISSORS[variant](rng)


# ---------------------------------------------------------------------------- knife


def _grip(rng: Rng, length: float, width: float, depth: float) -> Mesh:
    """A handle downwards from the origin, in one of three sections."""
    kind = rng.randint(3)
    if kind == 0:
        return box(width, length, depth).moved(y=-length / 2)
    if kind == 1:
        return cushion(width, length, depth, 0.4).moved(y=-length / 2)
    bend = [(-0.5, 0), (0.5, 0), (0.35, -0.5), (0.7, -0.95), (0.2, -1), (-0.5, -0.95), (-0.45, -0.5)]
    return _upright([(x * width, y * length) for x, y in bend], depth)


def _bladed(rng: Rng, outline: Points, blade: float, width: float, grip: float, depth: float) -> Mesh:
    """A blade from an outline (in shares of width and length) on a handle."""
    steel = _upright([(x * width, y * blade) for x, y in outline], rng.uniform(0.0015, 0.004))
    return _laid(rng, join(steel, _grip(rng, grip, width * rng.uniform(0.5, 0.9), depth)), 0.9)


_CHEF: Points = [(-0.5, 0), (0.5, 0), (0.5, 0.5), (0.3, 0.8), (-0.45, 1), (-0.5, 0.6)]
_CLEAVER: Points = [(-0.3, 0), (0.3, 0), (0.35, 0.06), (0.75, 0.08), (0.75, 1), (-0.3, 1)]
_DAGGER: Points = [(-0.5, 0), (0.5, 0), (0.4, 0.7), (0, 1), (-0.4, 0.7)]
_BREAD: Points = [
    (-0.5, 0),
    (0.5, 0),
    *[(0.5 - 0.12 * (i % 2), 0.05 + 0.06 * i) for i in range(15)],
    (0.3, 1),
    (-0.3, 1),
    (-0.5, 0.9),
]


def _chef_knife(rng: Rng) -> Mesh:
    u = rng.uniform
    return _bladed(rng, _CHEF, u(0.08, 0.25), u(0.02, 0.05), u(0.09, 0.13), u(0.014, 0.024))


def _cleaver(rng: Rng) -> Mesh:
    u = rng.uniform
    return _bladed(rng, _CLEAVER, u(0.14, 0.2), u(0.05, 0.08), u(0.1, 0.13), u(0.016, 0.024))


def _bread_knife(rng: Rng) -> Mesh:
    u = rng.uniform
    return _bladed(rng, _BREAD, u(0.18, 0.26), u(0.022, 0.035), u(0.1, 0.13), u(0.016, 0.024))


def _dagger(rng: Rng) -> Mesh:
    u = rng.uniform
    wide, blade, grip = u(0.025, 0.04), u(0.12, 0.3), u(0.09, 0.13)
    steel = _upright([(x * wide, y * blade) for x, y in _DAGGER], 0.005)
    guard = box(u(0.06, 0.12), 0.012, 0.016)
    handle = cylinder(0.012, grip, 0.01, 10).moved(y=-grip / 2)
    pommel = ellipsoid(0.03, 0.025, 0.025, 8).moved(y=-grip)
    return _laid(rng, join(steel, guard, handle, pommel), 0.8)


def _table_knife(rng: Rng) -> Mesh:
    u = rng.uniform
    n, wide = u(0.18, 0.24), u(0.016, 0.024)
    shape = [
        (-0.3, -0.5),
        (0.3, -0.5),
        (0.42, -0.35),
        (0.25, 0),
        (0.5, 0.08),
        (0.55, 0.35),
        (0.2, 0.5),
        (-0.2, 0.5),
        (-0.3, 0),
    ]
    return _laid(rng, _upright(_rounded_corners([(x * wide, y * n) for x, y in shape], 1), u(0.003, 0.006)), 0.95)


def _pocket_knife(rng: Rng) -> Mesh:
    u = rng.uniform
    n, wide = u(0.08, 0.12), u(0.018, 0.028)
    handle = _panel(wide, n, u(0.01, 0.02), wide * 0.4).moved(y=-n / 2)
    steel = _upright([(x * wide * 0.8, y * n * 0.85) for x, y in _CHEF], 0.003).turned(
        "z", u(0, 110) if _chance(rng, 0.5) else 0
    )
    return _laid(rng, join(handle, steel), 0.9)


def _utility_knife(rng: Rng) -> Mesh:
    u = rng.uniform
    n, wide = u(0.13, 0.18), u(0.018, 0.035)
    body = cushion(wide, n, u(0.012, 0.025), 0.3)
    blade = _upright([(-wide * 0.3, 0), (wide * 0.3, 0), (wide * 0.3, 0.015), (-wide * 0.3, 0.03)], 0.001).moved(
        y=n / 2 - 0.005
    )
    return _laid(rng, join(body, blade, box(0.01, 0.025, 0.006).moved(y=n * 0.2, z=0.012)), 0.9)


_KNIVES: Variants = {
    "chef": _chef_knife,
    "cleaver": _cleaver,
    "bread": _bread_knife,
    "dagger": _dagger,
    "table": _table_knife,
    "pocket": _pocket_knife,
    "utility": _utility_knife,
}


@category(
    "knife",
    synonyms=_words(
        "kitchen knife, chef knife, bread knife, cleaver, dagger, table knife, pocket knife, penknife, "
        "utility knife, box cutter, steak knife, butter knife, carving knife"
    ),
    variants=tuple(_KNIVES),
)
def knife(rng: Rng, variant: str) -> Mesh:
    return _KNIVES[variant](rng)


# ---------------------------------------------------------------------------- drill


def _chuck(rng: Rng, radius: float) -> Mesh:
    """From z = 0 forwards: collar, cone and mostly a bit."""
    u = rng.uniform
    parts = [_barrel(radius * 0.75, 0.025).moved(z=0.0125), _barrel(radius * 0.7, 0.03, radius * 0.35).moved(z=0.04)]
    if _chance(rng, 0.6):
        parts.append(_barrel(u(0.002, 0.006), 0.1, 0.001, 8).moved(z=0.1))
    return join(*parts)


def _power_drill(rng: Rng, battery: bool, lying: float) -> Mesh:
    """Pistol form: barrel along +z, grip downwards."""
    u = rng.uniform
    radius, length, grip, rake = u(0.026, 0.038), u(0.12, 0.2), u(0.1, 0.14), u(5, 20)
    body = _hull(
        [
            (-length * 0.55, 0, radius * 0.8, radius * 0.85),
            (-length * 0.2, 0, radius, radius * 1.1),
            (length * 0.2, 0, radius * 0.95, radius),
            (length * 0.45, 0, radius * 0.7, radius * 0.75),
        ],
        0.8,
    )
    handle = (
        cushion(radius * 1.15, grip * 1.2, radius * 1.6, 0.5)
        .moved(y=-grip / 2)
        .turned("x", rake)
        .moved(z=-length * 0.2)
    )
    back = -length * 0.2 - grip * np.sin(np.radians(rake))
    foot = box(u(0.06, 0.085), u(0.03, 0.065), u(0.09, 0.13)).moved(y=-grip - 0.02, z=back + 0.02)
    cord = tube([(0, -grip * 1.1, back), (0, -grip * 1.4, back), (0.03, -grip * 1.6, back - 0.06)], 0.006)
    trigger = box(0.014, 0.035, 0.02).moved(y=-radius - 0.02, z=-length * 0.2 + radius)
    tool = join(body, handle, foot if battery else cord, trigger, _chuck(rng, radius).moved(z=length * 0.43))
    return tool.turned("z", 90 + u(-8, 8)) if _chance(rng, lying) else tool


def _hammer_drill(rng: Rng) -> Mesh:
    tool = _power_drill(rng, _chance(rng, 0.4), 0.0)
    side = rod((0, 0, 0.09), (rng.uniform(0.1, 0.14), -0.03, 0.09), 0.016)
    closed = tube([(0, 0, -0.1), (0, -0.04, -0.15), (0, -0.1, -0.13)], 0.012)
    tool = join(tool, side, closed)
    return tool.turned("z", rng.uniform(60, 110)) if _chance(rng, 0.5) else tool


def _screwdriver_drill(rng: Rng) -> Mesh:
    """A straight cordless screwdriver, sometimes bent at the middle."""
    u = rng.uniform
    r = u(0.018, 0.026)
    front = join(
        _barrel(r, 0.1, r * 0.8).moved(z=0.05), _barrel(r * 0.5, 0.03).moved(z=0.11), _barrel(0.004, 0.05).moved(z=0.14)
    )
    return join(
        front.turned("x", u(0, 80)), _barrel(r * 1.1, 0.12).moved(z=-0.06), ellipsoid(2.2 * r, 2.2 * r, 2.2 * r, 10)
    )


def _hand_drill(rng: Rng) -> Mesh:
    u = rng.uniform
    wheel = join(_ring(0.05, 0.005, 18), _around(box(0.006, 0.05, 0.005).moved(y=0.025), 5, "z"))
    knob = join(rod((0.04, 0, 0), (0.04, 0, 0.05), 0.004), ellipsoid(0.025, 0.025, 0.03, 8).moved(0.04, 0, 0.05))
    shaft = rod((0, -0.12, 0), (0, 0.12, 0), 0.008)
    handle = lathe([(0, 0), (0.012, 0), (0.018, 0.04), (0.012, 0.08), (0.02, 0.1), (0, 0.11)], 10).moved(y=0.12)
    tip = join(cylinder(0.008, 0.05, 0.014), cylinder(0.003, 0.08).moved(y=-0.06)).moved(y=-0.14)
    return _laid(rng, join(join(wheel, knob).turned("z", u(0, 360)).moved(z=0.015), shaft, handle, tip), 0.8)


def _drill_press(rng: Rng) -> Mesh:
    u = rng.uniform
    height = u(0.6, 1.6)
    base = box(0.28, 0.05, 0.42).moved(y=0.025, z=0.05)
    column = cylinder(0.035, height).moved(y=height / 2, z=-0.1)
    head = cushion(0.2, 0.24, 0.42, 0.3).moved(y=height, z=0.03)
    spindle = _chuck(rng, 0.04).turned("x", 90).moved(y=height - 0.12, z=0.14)
    table = join(box(0.24, 0.03, 0.24).moved(z=0.12), box(0.06, 0.05, 0.2)).moved(y=height * u(0.35, 0.6))
    lever = _around(rod((0, 0, 0), (0, 0.16, 0), 0.008), 3, "x").moved(0.12, height - 0.02, 0.1)
    return join(base, column, head, spindle, table, lever)


_DRILLS: Variants = {
    "cordless_lying": lambda rng: _power_drill(rng, True, 1.0),
    "cordless_standing": lambda rng: _power_drill(rng, True, 0.0),
    "corded": lambda rng: _power_drill(rng, False, 0.7),
    "hammer_drill": _hammer_drill,
    "screwdriver": _screwdriver_drill,
    "hand_drill": _hand_drill,
    "press": _drill_press,
}


@category(
    "drill",
    synonyms=_words(
        "power drill, cordless drill, electric drill, hammer drill, drill press, hand drill, drill driver, "
        "cordless screwdriver, battery drill, power tool, impact driver"
    ),
    variants=tuple(_DRILLS),
)
def drill(rng: Rng, variant: str) -> Mesh:
    return _DRILLS[variant](rng)


# ---------------------------------------------------------------------------- dumbbell


def _weights(rng: Rng, head: Mesh, grip: float, radius: float) -> Mesh:
    """A bar along x with a head at either end."""
    across = float(head.size()[0])
    swell = rng.uniform(0.8, 1.3)
    bar = tube([(-grip / 2, 0, 0), (0, 0, 0), (grip / 2, 0, 0)], [radius, radius * swell, radius])
    return join(bar, _both(head.moved(x=grip / 2 + across / 2)))


def _hex_dumbbell(rng: Rng) -> Mesh:
    u = rng.uniform
    size, sides = u(0.035, 0.09), int(rng.choice([6, 6, 8]))
    turn = cylinder(size, size * u(0.9, 1.7), segments=sides).turned("y", 180 / sides).turned("z", 90)
    return _weights(rng, turn, u(0.1, 0.14), u(0.012, 0.017))


def _round_dumbbell(rng: Rng) -> Mesh:
    u = rng.uniform
    size, length, edge = u(0.035, 0.09), u(0.04, 0.11), u(0.75, 0.95)
    half = length / 2
    profile = [
        (0, -half),
        (edge * size, -half),
        (size, -half * 0.7),
        (size, half * 0.7),
        (edge * size, half),
        (0, half),
    ]
    return _weights(rng, lathe(profile, 20).turned("z", 90), u(0.1, 0.14), u(0.012, 0.017))


def _ball_dumbbell(rng: Rng) -> Mesh:
    size = rng.uniform(0.06, 0.13)
    return _weights(rng, ellipsoid(size, size, size, 18), rng.uniform(0.08, 0.13), rng.uniform(0.01, 0.016))


def _plates(rng: Rng, radius: float, count: int) -> Mesh:
    """Plates of falling size outwards along +x from the origin."""
    x, plates = 0.0, []
    for i in range(count):
        width = rng.uniform(0.015, 0.03)
        plates.append(_axle(radius * (1 - 0.14 * i), width, 20).moved(x=x + width / 2))
        x += width + 0.002
    return join(*plates, _axle(0.02, 0.03, 12).moved(x=x + 0.015), rod((x, 0, 0), (x + 0.06, 0, 0), 0.013))


def _plate_dumbbell(rng: Rng) -> Mesh:
    grip = rng.uniform(0.1, 0.14)
    return join(
        _axle(0.014, grip, 10), _both(_plates(rng, rng.uniform(0.06, 0.12), rng.randint(1, 5)).moved(x=grip / 2))
    )


def _barbell(rng: Rng) -> Mesh:
    grip = rng.uniform(0.9, 1.35)
    return join(
        _axle(0.014, grip, 10), _both(_plates(rng, rng.uniform(0.12, 0.225), rng.randint(1, 4)).moved(x=grip / 2))
    )


def _upended_dumbbell(rng: Rng) -> Mesh:
    return (_hex_dumbbell(rng) if _chance(rng, 0.5) else _round_dumbbell(rng)).turned("z", 90)


_DUMBBELLS: Variants = {
    "hex": _hex_dumbbell,
    "round": _round_dumbbell,
    "ball_ends": _ball_dumbbell,
    "plates": _plate_dumbbell,
    "barbell": _barbell,
    "upended": _upended_dumbbell,
}


@category(
    "dumbbell",
    synonyms=_words(
        "hand weight, free weight, barbell, weights, hex dumbbell, gym weight, weight lifting bar, "
        "exercise weight, dumb bell, adjustable dumbbell, fitness weight"
    ),
    variants=tuple(_DUMBBELLS),
)
def dumbbell(rng: Rng, variant: str) -> Mesh:
    return _DUMBBELLS[variant](rng)


# ---------------------------------------------------------------------------- ball


def _sphere(radius: float, segments: int = 24) -> Mesh:
    return ellipsoid(2 * radius, 2 * radius, 2 * radius, segments)


def _tumbled(rng: Rng, mesh: Mesh) -> Mesh:
    return mesh.turned("x", rng.uniform(0, 360)).turned("z", rng.uniform(0, 360))


def _smooth_ball(rng: Rng) -> Mesh:
    return _sphere(rng.uniform(0.02, 0.4))


def _basketball(rng: Rng) -> Mesh:
    r = rng.uniform(0.1, 0.13)
    seam = torus(r, r * 0.02, 24)
    small = _both(torus(r * 0.78, r * 0.02, 20).turned("z", 90).moved(x=r * 0.62))
    return _tumbled(rng, join(_sphere(r), seam, seam.turned("x", 90), small))


def _football(rng: Rng) -> Mesh:
    """Shallow dents at the twelve corners of an icosahedron stand for the panels."""
    r, dent, golden = rng.uniform(0.1, 0.12), rng.uniform(0.02, 0.05), (1 + 5**0.5) / 2
    corners = np.array([np.roll([0, a, b * golden], i) for i in range(3) for a in (-1, 1) for b in (-1, 1)])
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)

    def panels(p: np.ndarray) -> np.ndarray:
        nearest = (p / np.linalg.norm(p, axis=1, keepdims=True) @ corners.T).max(axis=1)
        return p * (1 - dent * (np.abs(nearest - 0.93) < 0.02))[:, None]

    return _sphere(r, 36).deformed(panels)


def _rugby_ball(rng: Rng) -> Mesh:
    u = rng.uniform
    n, wide = u(0.26, 0.3), u(0.16, 0.2)
    ball = lathe(
        [(wide / 2 * np.cos(t) ** u(1.0, 1.3), n / 2 * np.sin(t)) for t in np.linspace(-np.pi / 2, np.pi / 2, 14)], 20
    )
    laces = _copies(box(0.03, 0.006, 0.006), [(0, y, wide / 2) for y in np.linspace(-0.04, 0.04, 6)])
    return join(ball, laces).turned("z", 90 if _chance(rng, 0.8) else u(0, 90))


def _golf_ball(rng: Rng) -> Mesh:
    ball = _sphere(1, 32).deformed(lambda p: p * (1 - 0.02 * (np.sin(18 * p[:, :1]) * np.sin(18 * p[:, 1:2]) > 0.3)))
    return ball.scaled(*[rng.uniform(0.02, 0.04)] * 3)


def _tennis_ball(rng: Rng) -> Mesh:
    r = rng.uniform(0.03, 0.12)
    t = np.linspace(0, 2 * np.pi, 33)
    seam = np.stack([np.cos(t) + 0.4 * np.cos(3 * t), np.sin(t) - 0.4 * np.sin(3 * t), 1.26 * np.sin(2 * t)], axis=1)
    seam *= r / np.linalg.norm(seam, axis=1, keepdims=True)
    return _tumbled(rng, join(_sphere(r), tube(seam, r * 0.025, 6)))


def _bowling_ball(rng: Rng) -> Mesh:
    r = rng.uniform(0.1, 0.115)
    holes = _copies(
        torus(r * 0.11, r * 0.02, 10), [(x * r, r * 0.96, z * r) for x, z in ((-0.14, 0), (0.14, 0), (0, 0.28))]
    )
    return join(_sphere(r), holes).turned("x", rng.uniform(0, 60))


def _bouncing_ball(rng: Rng) -> Mesh:
    """A gym ball, a bit flat where it stands, perhaps with handles or ribs."""
    r, sag = rng.uniform(0.2, 0.38), rng.uniform(0.05, 0.15)
    ball = _sphere(r).deformed(lambda p: np.stack([p[:, 0], np.maximum(p[:, 1], -r * (1 - sag)), p[:, 2]], axis=1))
    if _chance(rng, 0.4):
        return join(ball, _both(_arch(0.05, 0.012).moved(x=0.06, y=r * 0.95)))
    return join(ball, _copies(torus(r * 0.95, r * 0.012), [(0, y * r, 0) for y in (-0.3, 0.3)]))


_BALLS: Variants = {
    "smooth": _smooth_ball,
    "basketball": _basketball,
    "football": _football,
    "rugby": _rugby_ball,
    "golf": _golf_ball,
    "tennis": _tennis_ball,
    "bowling": _bowling_ball,
    "gym": _bouncing_ball,
}


@category(
    "ball",
    synonyms=_words(
        "football, soccer ball, basketball, tennis ball, baseball, golf ball, rugby ball, volleyball, "
        "bowling ball, beach ball, exercise ball, sphere, toy ball"
    ),
    variants=tuple(_BALLS),
)
def ball(rng: Rng, variant: str) -> Mesh:
    return _BALLS[variant](rng)


# ---------------------------------------------------------------------------- banana


def _one_banana(rng: Rng, sides: int = 6) -> Mesh:
    """Bent in the x-y plane about the origin, stalk at the upper end."""
    u = rng.uniform
    radius, arc, thick = u(0.1, 0.18), u(60, 115), u(0.015, 0.022)
    a = np.radians(np.linspace(-arc / 2, arc / 2, 12))
    path = np.stack([-radius * np.cos(a), radius * np.sin(a), 0 * a], axis=1)
    width = thick * np.array([0.3, 0.65, 0.88, 0.97, 1, 1, 1, 0.95, 0.85, 0.6, 0.28, 0.22])
    stalk = path[-1] + (path[-1] - path[-2]) * u(0.6, 1.4)
    return tube(np.concatenate([path, stalk[None]]), [*width, thick * 0.25], segments=sides).moved(x=radius)


def _lying_banana(rng: Rng) -> Mesh:
    return _on_back(_one_banana(rng, rng.randint(5, 9))).turned("x", rng.uniform(-15, 15))


def _rocking_banana(rng: Rng) -> Mesh:
    """On its belly, both ends up."""
    return _one_banana(rng, rng.randint(5, 9)).turned("z", 90 if _chance(rng, 0.6) else -90)


def _banana_bunch(rng: Rng) -> Mesh:
    fingers = []
    count, spread = rng.randint(2, 7), rng.uniform(5, 12)
    for i in range(count):
        place = i - (count - 1) / 2
        finger = _one_banana(rng).moved(y=-0.13).turned("z", rng.uniform(-10, 10)).turned("x", -place * spread)
        fingers.append(finger.turned("y", place * 6).moved(z=place * 0.014))
    stem = cylinder(0.014, 0.05, 0.01, 8).moved(y=0.01)
    return _laid(rng, join(*fingers, stem), 0.7)


def _peeled_banana(rng: Rng) -> Mesh:
    fruit = _one_banana(rng, 8).turned("z", 180)
    strip = np.array([(0.0, 0.0, 0.0), (0.035, 0.025, 0.0), (0.06, -0.01, 0.0), (0.07, -0.06, 0.0)])
    strips = _around(tube(strip, [0.006, 0.012, 0.012, 0.003], 5).scaled(z=1.6), rng.randint(3, 5))
    return _laid(rng, join(fruit, strips), 0.6)


_BANANAS: Variants = {
    "lying": _lying_banana,
    "rocking": _rocking_banana,
    "bunch": _banana_bunch,
    "peeled": _peeled_banana,
}


@category(
    "banana",
    synonyms=_words(
        "bananas, bunch of bananas, plantain, ripe banana, peeled banana, banana fruit, yellow fruit, "
        "hand of bananas, toy banana, plastic banana"
    ),
    variants=tuple(_BANANAS),
)
def banana(rng: Rng, variant: str) -> Mesh:
    return _BANANAS[variant](rng)


# ---------------------------------------------------------------------------- hat


def _brimmed(profile: Points, brim: float, curl: float = 0.0, oval: float = 1.2) -> Mesh:
    """A crown (radius, y from the brim upwards) with its hollow inside and a brim `brim` wide."""
    r0 = profile[0][0]
    inside = [(max(0.0, r - 0.006), y - 0.006) for r, y in profile]
    edge = r0 + brim
    rim = [(edge, -0.004), (edge, 0.004)] if brim > 0 else []
    crown = lathe([*reversed([p for p in inside if p[1] > 0]), (r0 - 0.006, -0.004), *rim, *profile], 24)

    def curl_up(p: np.ndarray) -> np.ndarray:
        out = np.maximum(0, np.hypot(p[:, 0], p[:, 2]) - r0) / (brim or 1)
        p[:, 1] += curl * out**2 * (p[:, 0] / edge) ** 2
        return p

    return crown.deformed(curl_up).scaled(z=oval)


def _top_hat(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h, flare = u(0.08, 0.095), u(0.1, 0.22), u(0.95, 1.15)
    band = torus(r * 1.01, 0.006).scaled(y=3, z=1.2).moved(y=0.02)
    return join(_brimmed([(r, 0), (r * 0.95, h * 0.5), (r * flare, h), (0, h)], u(0.04, 0.07), u(0, 0.04)), band)


def _fedora(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h, dent = u(0.08, 0.095), u(0.1, 0.13), u(0.02, 0.04)
    hat = _brimmed(
        [(r, 0), (r * 0.93, h * 0.6), (r * 0.75, h), (r * 0.4, h - dent * 0.5), (0, h - dent)],
        u(0.05, 0.09),
        u(-0.02, 0.05),
    )
    return join(hat, torus(r * 1.0, 0.005).scaled(y=3, z=1.2).moved(y=0.018))


def _cowboy_hat(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.11, 0.15)
    return _brimmed(
        [(r, 0), (r * 0.9, h * 0.6), (r * 0.7, h), (r * 0.3, h * 0.85), (0, h * 0.78)], u(0.08, 0.12), u(0.06, 0.13)
    )


def _sun_hat(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.08, 0.1), u(0.08, 0.12)
    profile = [(r * np.cos(t) ** 0.7, h * np.sin(t)) for t in np.linspace(0, np.pi / 2 - 0.05, 7)]
    return _brimmed([*profile, (0, h)], u(0.06, 0.16), u(-0.08, 0.02), u(1, 1.2))


def _cap(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.1, 0.13)
    dome = _brimmed([*[(r * np.cos(t) ** 0.8, h * np.sin(t)) for t in np.linspace(0, 1.5, 7)], (0, h)], 0.0)
    wide, reach, bend = r * u(0.75, 0.95), u(0.06, 0.09), u(0.005, 0.04)

    def visor(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        t = np.pi * b
        x = wide * np.cos(t)
        z = r * 1.2 * np.sqrt(np.clip(1 - (x / r) ** 2, 0, 1)) + a * reach * np.sin(t) ** 0.7
        return np.stack([x, -bend * (x / wide) ** 2 - 0.15 * a * reach, z], axis=-1)

    peak = sheet(visor, 5, 11)
    return join(dome, peak, peak.moved(y=0.004), ellipsoid(0.014, 0.01, 0.014, 8).moved(y=h))


def _beanie(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.15, 0.22)
    dome = _brimmed([(r, 0), (r, h * 0.5), (r * 0.8, h * 0.8), (r * 0.4, h * 0.97), (0, h)], 0.0)
    cuff = lathe([(r, 0), (r + 0.01, 0), (r + 0.01, u(0.04, 0.07)), (r, 0.06)], 24).scaled(z=1.2)
    bobble = _bumpy(rng, ellipsoid(0.06, 0.06, 0.06, 12), 0.15).moved(y=h + 0.02)
    return join(dome, cuff, bobble) if _chance(rng, 0.6) else join(dome, cuff)


def _hard_hat(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.1, 0.115), u(0.12, 0.15)
    dome = _brimmed([*[(r * np.cos(t) ** 0.7, h * np.sin(t)) for t in np.linspace(0, 1.5, 7)], (0, h)], u(0.01, 0.025))
    ridge = _arch(1, 0.09).turned("y", 90).scaled(0.12, h * 1.0, r * 1.15)
    peak = _plan(_rounded_corners([(-r * 0.8, 0), (r * 0.8, 0), (r * 0.6, 0.05), (-r * 0.6, 0.05)], 1), 0.008).moved(
        z=r * 1.1
    )
    return join(dome, ridge, peak)


def _pointed_hat(rng: Rng) -> Mesh:
    u = rng.uniform
    r, h = u(0.06, 0.1), u(0.18, 0.38)
    wide = u(0.06, 0.12) if _chance(rng, 0.6) else 0.0
    cone = _brimmed([(r, 0), (r * 0.5, h * 0.5), (0, h)], wide, 0.0, 1.0)
    bend = u(-0.15, 0.15)
    return cone.deformed(
        lambda p: np.stack([p[:, 0] + bend * (np.maximum(0, p[:, 1]) / h) ** 2, p[:, 1], p[:, 2]], axis=1)
    )


_HATS: Variants = {
    "top_hat": _top_hat,
    "fedora": _fedora,
    "cowboy": _cowboy_hat,
    "sun_hat": _sun_hat,
    "cap": _cap,
    "beanie": _beanie,
    "hard_hat": _hard_hat,
    "pointed": _pointed_hat,
}


@category(
    "hat",
    synonyms=_words(
        "cap, baseball cap, fedora, cowboy hat, top hat, sun hat, beanie, helmet, hard hat, witch hat, "
        "bowler hat, straw hat, wizard hat, party hat, headgear"
    ),
    variants=tuple(_HATS),
)
def hat(rng: Rng, variant: str) -> Mesh:
    return _HATS[variant](rng)


# ---------------------------------------------------------------------------- shoe


def _sole(length: float, width: float, thickness: float, heel: float = 0.0) -> Mesh:
    """A sole from heel (-z) to toe (+z) on y = 0, raised to `heel` at the back."""
    right = [(0.25, -0.5), (0.36, -0.42), (0.34, -0.2), (0.32, -0.02), (0.48, 0.2), (0.46, 0.36), (0.25, 0.5)]
    outline = _rounded_corners(_symmetric([(x * width, z * length) for x, z in right]), 1)

    def arched(p: np.ndarray) -> np.ndarray:
        t = np.clip(0.2 - p[:, 2] / length, 0, 0.6) / 0.6
        p[:, 1] += heel * (3 * t**2 - 2 * t**3)
        return p

    return _plan(outline, thickness).moved(y=thickness / 2).deformed(arched)


def _upper(length: float, width: float, height: float, toe: float, collar: float) -> Mesh:
    """Closed upper over a sole; `collar` is where (share of length) the instep begins to fall."""
    n, w, h = length, width, height
    rows = [
        (-0.49, 0.26, 0.9),
        (-0.42, 0.33, 1),
        (collar - 0.5, 0.34, 0.98),
        (0.05, 0.36, 0.72),
        (0.25, 0.44, 0.45),
        (0.4, 0.36, toe),
        (0.49, 0.16, toe * 0.6),
    ]
    return _hull([(z * n, s * h / 2, x * w, s * h / 2) for z, x, s in rows], 0.75)


def _collar(width: float, depth: float, thickness: float) -> Mesh:
    """The rim of the opening."""
    return torus(1, 0.14, 16).scaled(width, thickness / 0.14, depth)


def _sneaker(rng: Rng) -> Mesh:
    u = rng.uniform
    n, h, base = u(0.22, 0.32), u(0.08, 0.13), u(0.02, 0.04)
    w = n * u(0.34, 0.4)
    upper = _upper(n, w, h, u(0.4, 0.5), 0.35).moved(y=base * 0.7)
    rim = _collar(w * 0.3, n * 0.17, 0.012).moved(y=h + base * 0.7, z=-n * 0.27)
    laces = _copies(
        _axle(0.004, w * 0.45, 6), [(0, base + h * (0.85 - 0.1 * i), n * (-0.02 + 0.06 * i)) for i in range(5)]
    )
    tongue = box(w * 0.35, 0.06, 0.01).turned("x", -35).moved(y=h + base + 0.005, z=-n * 0.08)
    return join(_sole(n * 1.02, w * 1.05, base), upper, rim, laces, tongue)


def _loafer(rng: Rng) -> Mesh:
    u = rng.uniform
    n, h = u(0.24, 0.31), u(0.06, 0.085)
    w = n * u(0.32, 0.38)
    heel = box(w * 0.6, 0.025, n * 0.22).moved(y=0.0125, z=-n * 0.36)
    strap = _arch(w * 0.36, 0.006).scaled(y=h / (w * 0.36) * 0.75, z=3).moved(y=0.03, z=n * 0.08)
    rim = _collar(w * 0.3, n * 0.2, 0.008).moved(y=h + 0.025, z=-n * 0.25)
    return join(_sole(n, w, 0.012, 0.015), heel, _upper(n, w, h, 0.45, 0.42).moved(y=0.022), strap, rim)


def _high_heel(rng: Rng) -> Mesh:
    u = rng.uniform
    n, lift = u(0.2, 0.25), u(0.05, 0.12)
    w = n * u(0.3, 0.36)
    sole = _sole(n, w, 0.008, lift)
    spike = cylinder(u(0.005, 0.015), lift, u(0.015, 0.024), 8).moved(y=lift / 2, z=-n * 0.42)
    toe = _hull([(n * 0.1, 0.012, w * 0.4, 0.012), (n * 0.28, 0.018, w * 0.4, 0.02), (n * 0.5, 0.008, w * 0.1, 0.008)])
    back = _arch(1, 0.12).turned("x", 90).turned("y", 180).scaled(w * 0.36, 0.2, n * 0.2)
    counter = (
        back.mirrored("z").moved(y=lift + 0.03, z=-n * 0.3)
        if _chance(rng, 0.5)
        else back.moved(y=lift + 0.03, z=-n * 0.3)
    )
    return join(sole, spike, toe, counter)


def _boot(rng: Rng) -> Mesh:
    u = rng.uniform
    n, shaft, base = u(0.24, 0.32), u(0.12, 0.4), u(0.015, 0.04)
    w = n * u(0.34, 0.42)
    foot = _upper(n, w, 0.1, 0.6, 0.4).moved(y=base)
    r, flare = w * 0.42, u(0.95, 1.3)
    leg = lathe(
        [(r, 0), (r * 0.95, shaft * 0.4), (r * flare, shaft), (r * flare * 0.88, shaft), (r * 0.8, shaft * 0.4)], 16
    )
    heel = box(w * 0.7, base * 1.2, n * 0.25).moved(y=base * 0.3, z=-n * 0.36)
    return join(_sole(n * 1.02, w * 1.03, base), heel, foot, leg.scaled(z=1.2).moved(y=base + 0.06, z=-n * 0.24))


def _sandal(rng: Rng) -> Mesh:
    u = rng.uniform
    n, base = u(0.22, 0.3), u(0.012, 0.035)
    w = n * 0.38
    straps = [
        _arch(w * 0.46, 0.006).scaled(y=u(0.8, 1.1), z=u(2, 6)).moved(y=base * 0.8, z=z * n)
        for z in (0.22, 0.02)[: rng.randint(1, 3)]
    ]
    thong = _both(tube([(0, base, n * 0.3), (w * 0.25, base + 0.035, n * 0.15), (w * 0.38, base, -n * 0.08)], 0.006))
    ankle = _collar(w * 0.32, n * 0.14, 0.006).moved(y=base + 0.06, z=-n * 0.32)
    parts = [thong] if _chance(rng, 0.4) else [*straps]
    return join(_sole(n, w, base, u(0, 0.02)), *parts, ankle) if _chance(rng, 0.3) else join(_sole(n, w, base), *parts)


def _pair_of_shoes(rng: Rng) -> Mesh:
    one = [_sneaker, _loafer, _boot][rng.randint(3)](rng)
    return _both(one.turned("y", rng.uniform(-10, 20)).moved(x=rng.uniform(0.065, 0.09)))


_SHOES: Variants = {
    "sneaker": _sneaker,
    "loafer": _loafer,
    "high_heel": _high_heel,
    "boot": _boot,
    "sandal": _sandal,
    "pair": _pair_of_shoes,
}


@category(
    "shoe",
    synonyms=_words(
        "sneaker, boot, sandal, high heel, trainer, running shoe, loafer, slipper, pair of shoes, shoes, "
        "footwear, flip flop, rubber boot, heels"
    ),
    variants=tuple(_SHOES),
)
def shoe(rng: Rng, variant: str) -> Mesh:
    return _SHOES[variant](rng)


# ---------------------------------------------------------------------------- traffic cone


def _cone(radius: float, height: float, tip: float, base: Mesh) -> Mesh:
    """A hollow truncated cone on a base plate."""
    lip = max(tip - 0.008, 0.004)
    shell = lathe([(radius, 0), (tip, height), (lip, height), (lip, height * 0.9)], 20)
    return join(base, shell.moved(y=float(base.size()[1])))


def _cone_foot(rng: Rng, radius: float) -> Mesh:
    wide, thick, kind = radius * rng.uniform(1.15, 1.4), rng.uniform(0.02, 0.05), rng.randint(4)
    if kind == 0:
        return cylinder(wide, thick, wide * 0.95, 20).moved(y=thick / 2)
    if kind == 1:
        return cylinder(wide * 1.05, thick, segments=8).turned("y", 22.5).moved(y=thick / 2)
    return _panel(2 * wide, 2 * wide, thick, wide * 0.2).turned("x", 90).moved(y=thick / 2)


def _plain_cone(rng: Rng) -> Mesh:
    u = rng.uniform
    height = u(0.25, 0.8)
    radius = height * u(0.16, 0.26)
    return _cone(radius, height, radius * u(0.12, 0.3), _cone_foot(rng, radius))


def _striped_cone(rng: Rng) -> Mesh:
    u = rng.uniform
    height = u(0.4, 0.95)
    radius, tip = height * u(0.16, 0.24), height * 0.04
    cone = _cone(radius, height, tip, _cone_foot(rng, radius))

    def band(low: float, high: float) -> Mesh:
        r0, r1 = (radius + (tip - radius) * t + 0.005 for t in (low, high))
        return lathe(
            [(r0 - 0.005, low * height), (r0, low * height), (r1, high * height), (r1 - 0.005, high * height)], 20
        )

    return join(cone, band(0.35, 0.52).moved(y=0.03), band(0.65, 0.8).moved(y=0.03))


def _slim_cone(rng: Rng) -> Mesh:
    u = rng.uniform
    height, radius = u(0.9, 1.2), u(0.07, 0.11)
    cone = _cone(radius, height, radius * 0.5, _cone_foot(rng, radius * 1.6))
    knob = join(cylinder(radius * 0.3, 0.08), torus(radius * 0.5, 0.012, 12).moved(y=0.04)).moved(y=height + 0.05)
    return join(cone, knob)


def _low_cone(rng: Rng) -> Mesh:
    u = rng.uniform
    radius = u(0.08, 0.12)
    return _cone(radius, u(0.05, 0.2), radius * u(0.25, 0.5), cylinder(radius * 1.05, 0.006).moved(y=0.003))


def _fallen_cone(rng: Rng) -> Mesh:
    return _plain_cone(rng).turned("z", rng.uniform(95, 115))


def _stacked_cones(rng: Rng) -> Mesh:
    cone = _plain_cone(rng)
    rise = float(cone.size()[1]) * rng.uniform(0.1, 0.2)
    return _copies(cone, [(0, i * rise, 0) for i in range(rng.randint(2, 5))])


_CONES: Variants = {
    "plain": _plain_cone,
    "striped": _striped_cone,
    "slim": _slim_cone,
    "low": _low_cone,
    "fallen": _fallen_cone,
    "stacked": _stacked_cones,
}


@category(
    "traffic cone",
    synonyms=_words(
        "cone, pylon, road cone, safety cone, construction cone, orange cone, parking cone, marker cone, "
        "witches hat cone, highway cone, sports cone"
    ),
    variants=tuple(_CONES),
)
def traffic_cone(rng: Rng, variant: str) -> Mesh:
    return _CONES[variant](rng)


# ---------------------------------------------------------------------------- teapot


def _spout(root: float, y: float, reach: float, rise: float, thick: float) -> Mesh:
    """An S-shaped spout towards +x from (root, y)."""
    path = [
        (root * 0.9, y, 0),
        (root + reach * 0.45, y + rise * 0.15, 0),
        (root + reach * 0.7, y + rise * 0.6, 0),
        (root + reach, y + rise, 0),
    ]
    return tube(path, [thick * 1.5, thick * 1.1, thick * 0.8, thick * 0.65])


def _ear_handle(root: float, low: float, high: float, reach: float, thick: float) -> Mesh:
    """A loop at -x between two heights."""
    middle, half = (low + high) / 2, (high - low) / 2
    a = np.linspace(-np.pi / 2, np.pi / 2, 9)
    return tube(np.stack([-root - reach * np.cos(a), middle + half * np.sin(a), 0 * a], axis=1), thick)


def _lid(radius: float, rise: float, knob: float) -> Mesh:
    profile = [
        (radius, 0),
        (radius * 0.7, rise * 0.6),
        (knob * 0.5, rise),
        (knob * 0.5, rise + knob * 0.5),
        (knob, rise + knob),
        (knob * 0.7, rise + knob * 1.8),
        (0, rise + knob * 2),
    ]
    return lathe(profile, 18)


def _round_teapot(rng: Rng) -> Mesh:
    u = rng.uniform
    r = u(0.06, 0.11)
    h = r * u(1.1, 1.7)
    profile = [(0, 0), (0.6, 0), (0.65, 0.05), (0.95, 0.3), (1, 0.5), (0.9, 0.78), (0.55, 1)]
    body = lathe([(x * r, y * h) for x, y in profile], 22)
    lid = _lid(r * 0.56, h * 0.12, r * u(0.1, 0.18)).moved(y=h * 0.99)
    spout = _spout(r, h * u(0.3, 0.45), r * u(0.6, 0.9), h * u(0.4, 0.65), r * 0.13)
    return join(body, lid, spout, _ear_handle(r * 0.85, h * 0.2, h * 0.8, r * u(0.4, 0.7), r * u(0.06, 0.1)))


def _tall_pot(rng: Rng) -> Mesh:
    u = rng.uniform
    r = u(0.05, 0.075)
    h, neck = r * u(2.4, 3.8), u(0.5, 0.8)
    body = lathe([(0, 0), (r * u(0.7, 1), 0), (r, h * u(0.2, 0.4)), (r * 0.9, h * 0.6), (r * neck, h)], 20)
    spout = _spout(r * 0.9, h * 0.35, r * u(0.7, 1.1), h * u(0.4, 0.55), r * 0.14)
    handle = _ear_handle(r * 0.8, h * 0.2, h * 0.85, r * u(0.5, 0.9), r * 0.09)
    return join(body, spout, handle, _lid(r * neck, h * 0.08, r * 0.14).moved(y=h))


def _iron_teapot(rng: Rng) -> Mesh:
    u = rng.uniform
    r = u(0.07, 0.1)
    h = r * u(0.9, 1.2)
    body = lathe([(0, 0), (r * 0.6, 0), (r, h * 0.4), (r * 0.95, h * 0.65), (r * 0.5, h)], 22)
    hoop = _arch(r * 0.85, r * 0.06).scaled(y=u(0.9, 1.3)).moved(y=h * 0.85)
    spout = _spout(r * 0.9, h * 0.5, r * 0.5, h * 0.4, r * 0.12)
    return join(body, hoop, spout, _lid(r * 0.5, h * 0.08, r * 0.1).moved(y=h * 0.98))


def _stove_kettle(rng: Rng) -> Mesh:
    u = rng.uniform
    r = u(0.09, 0.12)
    h = r * u(0.9, 1.5)
    body = lathe([(0, 0), (r, 0), (r, h * 0.15), (r * u(0.75, 0.95), h * 0.6), (r * 0.35, h)], 22)
    spout = rod((r * 0.6, h * 0.5, 0), (r * 1.25, h * 1.0, 0), r * 0.18, r * 0.12)
    hoop = _arch(r * 0.75, r * 0.07).scaled(y=u(0.9, 1.2)).moved(y=h * 0.8)
    return join(body, spout, hoop, _lid(r * 0.35, h * 0.05, r * 0.1).moved(y=h))


def _square_teapot(rng: Rng) -> Mesh:
    u = rng.uniform
    w, h = u(0.1, 0.16), u(0.09, 0.15)
    body = cushion(w, h, w * u(0.7, 1), u(0.15, 0.4)).tapered(u(0.75, 1.1)).moved(y=h / 2)
    spout = _spout(w / 2, h * 0.35, w * 0.35, h * 0.5, w * 0.07)
    handle = _ear_handle(w * 0.45, h * 0.2, h * 0.8, w * 0.3, w * 0.05)
    return join(body, spout, handle, _lid(w * 0.25, h * 0.08, w * 0.06).moved(y=h))


_TEAPOTS: Variants = {
    "round": _round_teapot,
    "tall": _tall_pot,
    "iron": _iron_teapot,
    "stove_kettle": _stove_kettle,
    "square": _square_teapot,
}


@category(
    "teapot",
    synonyms=_words(
        "tea pot, coffee pot, tea kettle, utah teapot, porcelain teapot, cast iron teapot, stovetop kettle, "
        "samovar, ceramic teapot, tea jug, pot for tea"
    ),
    variants=tuple(_TEAPOTS),
)
def teapot(rng: Rng, variant: str) -> Mesh:
    return _TEAPOTS[variant](rng)


# ---------------------------------------------------------------------------- headphones


def _ear_cup(rng: Rng, radius: float, depth: float) -> Mesh:
    """Shell and ring cushion about the x axis, the cushion towards -x."""
    oval = rng.uniform(1, 1.3)
    shell = lathe(
        [(0, depth / 2), (radius * 0.7, depth / 2), (radius, 0), (radius, -depth * 0.3), (0, -depth * 0.3)], 16
    ).turned("z", -90)
    pad = torus(radius * 0.75, radius * 0.27, 16).turned("z", 90).moved(x=-depth * 0.4)
    return join(shell, pad).scaled(y=oval)


def _band(width: float, height: float, depth: float) -> Mesh:
    """A head band from cup to cup over the top, `depth` wide along z."""
    return _arch(1, 0.1, 18).scaled(width / 2, height, depth / 0.2)


def _headset(rng: Rng, radius: float, depth: float, microphone: float = 0.0) -> Mesh:
    u = rng.uniform
    span, rise, splay = u(0.13, 0.17), u(0.11, 0.15), u(0, 12)
    cups = _both(_ear_cup(rng, radius, depth).turned("z", splay).moved(x=span / 2))
    band = _band(span * 1.05, rise, u(0.02, 0.045)).moved(y=radius * 0.9)
    yokes = _both(_arch(radius * 1.05, 0.005).turned("y", 90).moved(x=span / 2 + depth * 0.3))
    parts = [cups, band, yokes]
    if _chance(rng, microphone):
        parts.append(
            tube(
                [(span / 2, -radius * 0.5, 0.02), (span / 2, -0.05, 0.09), (span * 0.2, -0.06, 0.12)],
                [0.004, 0.004, 0.008],
            )
        )
    return join(*parts)


def _over_ear(rng: Rng) -> Mesh:
    return _headset(rng, rng.uniform(0.038, 0.05), rng.uniform(0.03, 0.05))


def _on_ear(rng: Rng) -> Mesh:
    return _headset(rng, rng.uniform(0.025, 0.034), rng.uniform(0.015, 0.03))


def _gaming_headset(rng: Rng) -> Mesh:
    return _headset(rng, rng.uniform(0.04, 0.052), rng.uniform(0.035, 0.055), 1.0)


def _on_headphone_stand(rng: Rng) -> Mesh:
    u = rng.uniform
    phones = _over_ear(rng).grounded()
    top, lift = float(phones.size()[1]), u(0.05, 0.12)
    post = rod((0, 0, 0), (0, top + lift - 0.02, 0), u(0.008, 0.02))
    foot = cylinder(u(0.06, 0.09), 0.015) if _chance(rng, 0.6) else box(0.15, 0.015, 0.13)
    return join(phones.moved(y=lift), post, foot.moved(y=0.0075), _axle(0.02, 0.05, 10).moved(y=top + lift - 0.03))


def _earbuds(rng: Rng) -> Mesh:
    u = rng.uniform
    bud = join(
        ellipsoid(0.016, 0.016, 0.014, 10),
        _barrel(0.005, 0.012).moved(z=-0.01),
        cylinder(0.004, u(0.02, 0.035)).moved(y=-0.018),
    )
    case = cushion(0.06, u(0.03, 0.05), 0.03, 0.5)
    lid = cushion(0.06, 0.016, 0.03, 0.5).turned("x", -70).moved(y=0.03, z=-0.02)
    return join(case, lid, _both(bud.moved(0.013, 0.035)))


_HEADPHONES: Variants = {
    "over_ear": _over_ear,
    "on_ear": _on_ear,
    "gaming": _gaming_headset,
    "lying": lambda rng: _on_back(_over_ear(rng)),
    "on_stand": _on_headphone_stand,
    "earbuds": _earbuds,
}


@category(
    "headphones",
    synonyms=_words(
        "headset, earphones, earbuds, headphone, over-ear headphones, gaming headset, ear muffs, "
        "wireless headphones, earmuffs, studio headphones"
    ),
    variants=tuple(_HEADPHONES),
)
def headphones(rng: Rng, variant: str) -> Mesh:
    return _HEADPHONES[variant](rng)


# ---------------------------------------------------------------------------- skateboard


def _deck(rng: Rng, length: float, width: float, nose: float, tail: float, taper: float) -> Mesh:
    """A rounded board along z whose ends kick up from where they begin (shares of the half length)."""
    thickness, steep = rng.uniform(0.008, 0.014), rng.uniform(0.25, 0.45)

    def surface(lift: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            t = 2 * u - 1
            half = width / 2 * np.clip(1 - np.abs(t) ** 8, 0, 1) ** 0.5 * (1 - taper * np.abs(t) ** 2)
            kick = steep * length / 2 * (np.maximum(0, t - 1 + nose) + np.maximum(0, -t - 1 + tail))
            return np.stack([half * (2 * v - 1), kick + lift + 0.004 * (2 * v - 1) ** 2, length / 2 * t], axis=-1)

        return f

    return join(sheet(surface(0.0), 22, 5), sheet(surface(thickness), 22, 5))


def _truck(rng: Rng, width: float, wheel: float) -> Mesh:
    """Axle, hanger, base plate and two wheels; the plate's top at y = 0."""
    drop = wheel * rng.uniform(1.3, 1.8)
    hanger = join(_axle(0.007, width * 0.95, 8).moved(y=-drop), cylinder(0.014, drop, 0.022, 8).moved(y=-drop / 2))
    wheels = _both(_axle(wheel, wheel * rng.uniform(1.1, 1.5), 16).moved(x=width * 0.42, y=-drop))
    return join(box(0.055, 0.008, 0.08), hanger, wheels)


def _board(rng: Rng, length: float, width: float, nose: float, tail: float, taper: float = 0.0) -> Mesh:
    wheel = rng.uniform(0.025, 0.036)
    truck = _truck(rng, width, wheel)
    inset = length / 2 * (1 - max(nose, tail, 0.25)) - 0.02
    return join(_deck(rng, length, width, nose, tail, taper), _copies(truck, [(0, -0.004, -inset), (0, -0.004, inset)]))


def _street_board(rng: Rng) -> Mesh:
    u = rng.uniform
    return _board(rng, u(0.74, 0.84), u(0.19, 0.22), u(0.3, 0.42), u(0.3, 0.42))


def _longboard(rng: Rng) -> Mesh:
    u = rng.uniform
    return _board(rng, u(0.9, 1.2), u(0.21, 0.26), 0.01, 0.01 if _chance(rng, 0.6) else 0.2, u(0, 0.6))


def _cruiser(rng: Rng) -> Mesh:
    u = rng.uniform
    return _board(rng, u(0.55, 0.7), u(0.15, 0.19), 0.02, u(0.25, 0.4), u(0.1, 0.45))


def _kick_scooter(rng: Rng) -> Mesh:
    u = rng.uniform
    n, wheel, height = u(0.5, 0.6), u(0.05, 0.1), u(0.7, 1.0)
    deck = box(u(0.1, 0.14), 0.03, n).moved(y=wheel + 0.01)
    wheels = [_axle(wheel, 0.028).moved(y=wheel, z=z) for z in (-n / 2 - wheel, n / 2 + wheel)]
    stem = _bars(
        [
            ((0, wheel, n / 2 + wheel), (0, height, n / 2 - 0.02)),
            ((-0.2, height, n / 2 - 0.02), (0.2, height, n / 2 - 0.02)),
        ],
        0.017,
    )
    return join(deck, *wheels, stem)


_SKATEBOARDS: Variants = {
    "street": _street_board,
    "longboard": _longboard,
    "cruiser": _cruiser,
    "upside_down": lambda rng: _street_board(rng).turned("z", 180),
    "leaning": lambda rng: _street_board(rng).turned("x", -rng.uniform(65, 90)),
    "scooter": _kick_scooter,
}


@category(
    "skateboard",
    synonyms=_words(
        "longboard, skate board, penny board, cruiser board, skate deck, kick scooter, scooter, "
        "push scooter, street board, board with wheels"
    ),
    variants=tuple(_SKATEBOARDS),
)
def skateboard(rng: Rng, variant: str) -> Mesh:
    return _SKATEBOARDS[variant](rng)


# ---------------------------------------------------------------------------- tree


def _stem(rng: Rng, height: float, radius: float, sway: float = 0.04) -> Mesh:
    """A trunk on y = 0 with flared roots, bent a little."""
    y = np.linspace(0, height, 6)
    wander = np.cumsum(rng.uniform(-sway, sway, (6, 2)), axis=0) * height * (y / height)[:, None]
    path = np.stack([wander[:, 0], y, wander[:, 1]], axis=1)
    return tube(path, [radius * share for share in (1.6, 1.1, 0.95, 0.8, 0.65, 0.4)])


def _twigs(rng: Rng, starts: np.ndarray, length: float, radius: float, lift: float) -> tuple[Mesh, np.ndarray]:
    """One rod from every start in a random direction, `lift` upwards; also their tips."""
    a = rng.uniform(0, 2 * np.pi, len(starts))
    way = np.stack([np.cos(a), rng.uniform(0.5, 1.5, len(starts)) * lift, np.sin(a)], axis=1)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    tips = starts + way * length * rng.uniform(0.6, 1.2, (len(starts), 1))
    return _rods(starts, tips, radius), tips


def _leaves(rng: Rng, centres: np.ndarray, size: float) -> Mesh:
    """A small randomly turned quad at every centre."""
    one, two = rng.normal(size=(2, len(centres), 3))
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    two /= np.linalg.norm(two, axis=1, keepdims=True)
    corners = np.stack([one + two, one - two, -one - two, two - one], axis=1) * size / 2
    return _stamp(centres[:, None] + corners, np.array([[0, 1, 2], [0, 2, 3]]))


def _boughs(rng: Rng, height: float, crown: float, levels: int) -> tuple[Mesh, np.ndarray]:
    """Branches that fork `levels` times from the upper trunk, and the tips they end in."""
    starts = np.stack([np.zeros(6), rng.uniform(0.4, 0.95, 6) * height, np.zeros(6)], axis=1)
    meshes, radius, length = [], height * 0.022, crown * 0.6
    for _ in range(levels):
        mesh, tips = _twigs(rng, starts, length, radius, 0.7)
        meshes.append(mesh)
        starts, radius, length = np.repeat(tips, 3, axis=0), radius * 0.62, length * 0.65
    return join(*meshes), tips


def _blob_tree(rng: Rng) -> Mesh:
    """Foliage as a few knobbly balls."""
    u = rng.uniform
    height, crown = u(1.5, 5), u(0.6, 1.8)
    parts = [_stem(rng, height, height * u(0.03, 0.06))]
    for _ in range(rng.randint(1, 6)):
        wide = crown * u(0.8, 1.4)
        blob = _bumpy(rng, ellipsoid(wide, wide * u(0.7, 1.1), wide, 16), 0.1)
        parts.append(blob.moved(u(-0.4, 0.4) * crown, height + u(-0.2, 0.5) * crown, u(-0.4, 0.4) * crown))
    return join(*parts)


def _leafy_tree(rng: Rng) -> Mesh:
    u = rng.uniform
    height, crown = u(2, 5), u(1, 2.2)
    boughs, tips = _boughs(rng, height * 0.7, crown, 2)
    centres = np.repeat(tips, 14, axis=0) + rng.normal(scale=crown * u(0.15, 0.25), size=(len(tips) * 14, 3))
    return join(_stem(rng, height * 0.7, height * u(0.015, 0.03)), boughs, _leaves(rng, centres, crown * u(0.14, 0.26)))


def _bare_tree(rng: Rng) -> Mesh:
    height = rng.uniform(2, 6)
    return join(
        _stem(rng, height, height * rng.uniform(0.018, 0.03)),
        _boughs(rng, height, height * rng.uniform(0.35, 0.6), 4)[0],
    )


def _conifer(rng: Rng) -> Mesh:
    """Stacked skirts of needles."""
    u = rng.uniform
    height, tiers = u(1, 6), rng.randint(1, 8)
    wide, foot = height * u(0.18, 0.32), height * u(0.05, 0.18)
    skirts = []
    for i in range(tiers):
        low = foot + (height - foot) * i / tiers
        r = wide * (1 - i / tiers)
        rise = (height - foot) / tiers * (1.5 if i < tiers - 1 else 1)
        skirts.append(lathe([(0, low + rise * 0.15), (r, low), (r * 0.15, low + rise)], 14))
    return join(cylinder(height * 0.03, foot * 2).moved(y=foot), *[_bumpy(rng, s, 0.03) for s in skirts])


def _needle_tree(rng: Rng) -> Mesh:
    """A fir of many drooping rods, perhaps on a stand."""
    u = rng.uniform
    height, count = u(1, 4), rng.randint(120, 260)
    y = height * (1 - 0.88 * np.sqrt(rng.uniform(0.02, 1, count)))
    reach = (height - y) * u(0.3, 0.42) * rng.uniform(0.7, 1, count)
    a = rng.uniform(0, 2 * np.pi, count)
    tips = np.stack([reach * np.cos(a), y + reach * u(-0.4, 0.3), reach * np.sin(a)], axis=1)
    starts = np.stack([0 * y, y, 0 * y], axis=1)
    needles = _leaves(rng, np.concatenate([starts + (tips - starts) * t for t in (0.5, 0.75, 1.0)]), height * 0.035)
    base = (
        box(height * 0.25, 0.03, 0.06) if _chance(rng, 0.5) else cylinder(height * 0.07, height * 0.08, height * 0.09)
    )
    return join(
        cylinder(height * 0.025, height, 0.005, 8).moved(y=height / 2),
        _rods(starts, tips, height * 0.004, 3),
        needles,
        base,
    )


def _palm(rng: Rng) -> Mesh:
    u = rng.uniform
    height, count, reach = u(2, 6), rng.randint(7, 14), u(1, 2)
    lean, droop = u(-0.25, 0.25), u(0.4, 1.0)
    y = np.linspace(0, height, 8)
    path = np.stack([lean * height * (y / height) ** 2, y, 0 * y], axis=1)
    trunk = tube(path, list(np.linspace(0.04, 0.0225, 8) * height))

    def frond(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        half = 0.16 * reach * np.sin(np.pi * np.clip(p, 0.05, 1) ** 0.7)
        side = 2 * q - 1
        return np.stack(
            [reach * p, reach * (0.45 * p - droop * p**2) - 0.5 * half * np.abs(side), half * side], axis=-1
        )

    crown = _around(sheet(frond, 8, 3), count).moved(x=lean * height, y=height)
    return join(
        trunk, crown.moved(y=0.02), _bumpy(rng, ellipsoid(0.3, 0.3, 0.3, 8), 0.1).moved(lean * height, height - 0.1)
    )


def _slender_tree(rng: Rng) -> Mesh:
    """Poplar or cypress: one tall crown."""
    u = rng.uniform
    height = u(2, 7)
    crown = _bumpy(rng, ellipsoid(height * u(0.18, 0.4), height * u(0.75, 0.9), height * u(0.18, 0.4), 18), 0.06)
    return join(_stem(rng, height * 0.5, height * 0.025, 0.01), crown.moved(y=height * 0.56))


_TREES: Variants = {
    "blobs": _blob_tree,
    "leafy": _leafy_tree,
    "bare": _bare_tree,
    "conifer": _conifer,
    "needles": _needle_tree,
    "palm": _palm,
    "slender": _slender_tree,
}


@category(
    "tree",
    synonyms=_words(
        "christmas tree, palm tree, fir tree, pine tree, oak, conifer, birch, bare tree, palm, "
        "cypress, deciduous tree, spruce, bonsai tree"
    ),
    variants=tuple(_TREES),
)
def tree(rng: Rng, variant: str) -> Mesh:
    return _TREES[variant](rng)

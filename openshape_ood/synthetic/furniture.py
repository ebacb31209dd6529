"""Tables, storage and what is built into a house.

Case furniture is described as a front divided into cells (`Cell`, in fractions of the front), each
a door, a drawer, glass or open; `fitted` turns such a description into a case with its fronts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.catalogue import category
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, extrude, join, lathe, rod, sheet, tube

Rng = np.random.RandomState
Shape = Callable[[Rng], Mesh]
Rows = list[tuple[float, float, float, float, float, float]]

_CUBE = box(1, 1, 1)


# ---------------------------------------------------------------------------------------------
# Choices and blocks


def pick(rng: Rng, *options: str) -> str:
    return options[rng.randint(len(options))]


def chance(rng: Rng, probability: float) -> bool:
    return bool(rng.uniform() < probability)


def whole(rng: Rng, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(rng.randint(low, high + 1))


def blocks(rows: Sequence[Sequence[float]] | np.ndarray) -> Mesh:
    """Many cuboids at once, a part each; a row is (x0, x1, y0, y1, z0, z1)."""
    ends = np.asarray(rows, dtype=np.float64).reshape(-1, 3, 2)
    middle, size = ends.mean(axis=2), ends[..., 1] - ends[..., 0]
    vertices = middle[:, None] + size[:, None] * _CUBE.vertices
    faces = np.arange(len(ends))[:, None, None] * 8 + _CUBE.faces
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), np.repeat(np.arange(len(ends)), 12))


def block(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Mesh:
    return blocks([(x0, x1, y0, y1, z0, z1)])


def board(width: float, height: float, depth: float, y: float = 0.0) -> Mesh:
    """A cuboid whose underside lies at `y`, centred in x and z."""
    return box(width, height, depth).moved(y=y + height / 2)


def four(mesh: Mesh, x: float, z: float) -> Mesh:
    """The mesh at (x, z) and mirrored into the other three corners."""
    right = mesh.moved(x, 0, z)
    left = right.mirrored("x")
    return join(right, left, right.mirrored("z"), left.mirrored("z"))


def both(mesh: Mesh, axis: str = "x") -> Mesh:
    return join(mesh, mesh.mirrored(axis))


def outline(kind: str, width: float, depth: float) -> list[tuple[float, float]]:
    """The plan of a table top: round, octagon, rounded (soft corners) or boat (bowed long sides)."""
    if kind == "boat":
        x = np.linspace(-1, 1, 11)
        z = 1 - 0.28 * x**2
        points = np.concatenate([np.stack([x, z], 1), np.stack([x, -z], 1)[::-1]])
    else:
        angle = np.arange(8) * np.pi / 4 + np.pi / 8 if kind == "octagon" else np.arange(28) * np.pi / 14
        power = 0.35 if kind == "rounded" else 1.0
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.sign(points) * np.abs(points) ** power
        points /= np.abs(points).max(axis=0)
    return [(float(x), float(z)) for x, z in points * [width / 2, depth / 2]]


def top(kind: str, width: float, thickness: float, depth: float, y: float) -> Mesh:
    """A table top whose underside lies at `y`: rectangle or any plan of `outline`."""
    if kind == "rectangle":
        return board(width, thickness, depth, y)
    return extrude(outline(kind, width, depth), thickness).turned("x", 90).moved(y=y + thickness / 2)


def ribbon(z: np.ndarray, low: np.ndarray, high: np.ndarray, width: float) -> Mesh:
    """A closed solid of constant width in x; `low` and `high` (n,) bound it in y along `z` (n,)."""
    middle = (low + high) / 2
    z = np.concatenate([z[:1], z, z[-1:]])
    low, high = (np.concatenate([middle[:1], edge, middle[-1:]]) for edge in (low, high))
    half = np.full_like(z, width / 2)
    corners = [(-half, low), (half, low), (half, high), (-half, high), (-half, low)]
    grid = np.stack([np.stack([x, y, z], axis=1) for x, y in corners], axis=1)
    return sheet(lambda u, v: grid, rows=len(z), columns=5)


# ---------------------------------------------------------------------------------------------
# Legs and bases

_TURNED = [(0.7, 0.0), (1.0, 0.06), (0.6, 0.12), (0.75, 0.4), (1.1, 0.62), (0.6, 0.72), (1.2, 0.76), (1.2, 1.0)]
LEGS = ("square", "square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin")


def leg(kind: str, height: float, radius: float) -> Mesh:
    """One leg on the floor at the origin; what leans or bends does so towards +x and +z."""
    if kind == "tapered":
        return (
            box(2 * radius, height, 2 * radius).scaled(-1, -1, -1).tapered(1.7).scaled(0.6, 1, 0.6).moved(y=height / 2)
        )
    if kind == "splayed":
        lean = 0.16 * height
        return rod((0, height, 0), (lean, 0, lean), radius, 0.6 * radius)
    if kind == "turned":
        return lathe([(0, 0), *((radius * r, height * y) for r, y in _TURNED), (0, height)], segments=10)
    if kind == "round":
        return cylinder(radius, height, segments=10).moved(y=height / 2)
    if kind == "cabriole":
        t = np.linspace(0, 1, 7)
        bow = 0.1 * height * np.sin(2 * np.pi * t) * (1 - 0.4 * t)
        return tube(np.stack([bow, height * (1 - t), bow], axis=1), (radius * (1.25 - 0.7 * t)).tolist())
    if kind == "hairpin":
        foot = (0.0, 0.0, 0.0)
        spread, wire = min(0.15, 0.25 * height), max(0.006, 0.2 * radius)
        return join(rod((-spread, height, 0), foot, wire), rod((0, height, -spread), foot, wire))
    return board(2 * radius, height, 2 * radius)


def legs(kind: str, width: float, depth: float, height: float, radius: float) -> Mesh:
    """Four legs under a rectangle; splayed ones start further in."""
    inset = radius + (0.17 * height if kind == "splayed" else 0.05 * height if kind == "cabriole" else 0.0)
    one = leg(kind, height, radius)
    return four(one, max(width / 2 - inset, radius), max(depth / 2 - inset, radius))


def apron(width: float, depth: float, y: float, height: float, thickness: float = 0.02) -> Mesh:
    """The rectangle of rails under a table top, its upper edge at `y`."""
    x, z = width / 2, depth / 2
    rows = [(-x, x, y - height, y, side - thickness / 2, side + thickness / 2) for side in (-z, z)]
    rows += [(side - thickness / 2, side + thickness / 2, y - height, y, -z, z) for side in (-x, x)]
    return blocks(rows)


def based(rng: Rng, case: Mesh, width: float, depth: float, kind: str, height: float) -> Mesh:
    """A case lifted onto a base: none, plinth, panels (side boards), sled, castors, bun, or a kind of leg."""
    if kind == "none":
        return case
    lifted = case.moved(y=height)
    x, z = width / 2, depth / 2
    if kind == "plinth":
        return join(board(width - rng.uniform(0, 0.04), height, depth * rng.uniform(0.85, 0.95)), lifted)
    if kind == "panels":
        return join(lifted, blocks([(-x, 0.02 - x, 0, height, -z, z), (x - 0.02, x, 0, height, -z, z)]))
    if kind == "sled":
        r = 0.012
        side = blocks(
            [
                (x - 2 * r, x, 0, 2 * r, -z, z),
                (x - 2 * r, x, 0, height, z - 2 * r, z),
                (x - 2 * r, x, 0, height, -z, 2 * r - z),
            ]
        )
        return join(lifted, both(side))
    if kind == "castors":
        wheel = join(
            cylinder(0.4 * height, 0.025, segments=10).turned("z", 90).moved(y=0.4 * height),
            cylinder(0.012, 0.4 * height, segments=6).moved(y=0.8 * height),
        )
        return join(lifted, four(wheel, x - 0.05, z - 0.05))
    if kind == "bun":
        foot = ellipsoid(1.2 * height, height, 1.2 * height, segments=10).moved(y=height / 2)
        return join(lifted, four(foot, x - 0.6 * height, z - 0.6 * height))
    return join(lifted, legs(kind, width, depth, height, rng.uniform(0.014, 0.03)))


# ---------------------------------------------------------------------------------------------
# Fronts: door leaves, drawers, handles


@dataclass(frozen=True)
class Style:
    """What all fronts of one piece share: panel kind, handle kind, board thickness and gap (metres)."""

    panel: str
    handle: str
    board: float
    gap: float
    ajar: float  # probability that a door or drawer stands open


def style_of(rng: Rng, ajar: float = 0.08) -> Style:
    panel = pick(rng, "flat", "flat", "framed", "raised")
    grip = pick(rng, "knob", "bar", "bar", "bow", "cup", "none")
    return Style(panel, grip, rng.uniform(0.014, 0.028), rng.uniform(0.002, 0.008), ajar)


def handle(kind: str, length: float) -> list[Mesh]:
    """A grip on the plane z = 0, centred on the origin and lying along x; none is an empty list."""
    if kind == "knob":
        knob = lathe([(0.006, 0), (0.006, 0.012), (0.016, 0.018), (0.012, 0.028), (0, 0.03)], segments=8)
        return [knob.turned("x", 90)]
    if kind == "bar":
        x, r = length / 2, 0.005
        posts = [(side - r, side + r, -r, r, 0, 0.03) for side in (-0.8 * x, 0.8 * x)]
        return [blocks([*posts, (-x, x, -r, r, 0.028, 0.038)])]
    if kind == "bow":
        t = np.linspace(0, np.pi, 6)
        return [tube(np.stack([-length / 2 * np.cos(t), 0 * t, 0.03 * np.sin(t)], axis=1), 0.005, segments=6)]
    if kind == "cup":
        return [ellipsoid(length * 0.8, 0.035, 0.045, segments=8)]
    return []


def slats(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, count: int) -> Mesh:
    """Louvres: `count` boards from y0 to y1 that slope down towards +z."""
    pitch = (y1 - y0) / count
    y = y0 + pitch * (np.arange(count) + 0.5)
    rows = [(x0, x1, v - 0.12 * pitch, v + 0.12 * pitch, z0, z1) for v in y]
    slope = 0.75 * pitch / (z1 - z0)

    def shear(v: np.ndarray) -> np.ndarray:
        v[:, 1] -= slope * (v[:, 2] - (z0 + z1) / 2)
        return v

    return blocks(rows).deformed(shear)


def framed_leaf(
    width: float,
    height: float,
    thickness: float,
    filling: str,
    columns: int = 1,
    rows: Sequence[float] = (1,),
    stile: float = 0.07,
) -> Mesh:
    """A leaf of stiles and rails, its lower left corner at the origin, from z = 0 to `thickness`.

    `rows` are relative heights of the fields from below; they hold `filling`: recessed, raised, glass, louvre or void.
    """
    stile = min(stile, 0.25 * width, 0.25 * height)
    heights = np.cumsum([0, *rows]) / sum(rows) * (height - stile)
    across = np.arange(columns + 1) * (width - stile) / columns
    frame: Rows = [(x, x + stile, 0, height, 0, thickness) for x in across]
    frame += [(0, width, y, y + stile, 0.001, thickness - 0.001) for y in heights]
    fields = [(a + stile, b, c + stile, d) for a, b in pairwise(across) for c, d in pairwise(heights)]
    return join(blocks(frame), *_fillings(fields, thickness, filling))


def _fillings(fields: list[tuple[float, float, float, float]], thickness: float, filling: str) -> list[Mesh]:
    if filling == "void":
        return []
    if filling == "louvre":
        return [slats(*f, 0.1 * thickness, 0.9 * thickness, max(3, int((f[3] - f[2]) / 0.05))) for f in fields]
    middle, half = thickness / 2, {"glass": 0.003}.get(filling, 0.3 * thickness)
    panes = [(*f, middle - half, middle + half) for f in fields]
    if filling == "raised":
        inset = [0.2 * min(f[1] - f[0], f[3] - f[2]) for f in fields]
        panes += [(f[0] + i, f[1] - i, f[2] + i, f[3] - i, 0, thickness) for f, i in zip(fields, inset, strict=True)]
    return [blocks(panes)]


def front(panel: str, width: float, height: float, thickness: float) -> Mesh:
    """A drawer or cupboard front, its lower left corner at the origin."""
    if panel == "framed":
        return framed_leaf(width, height, thickness, "recessed", stile=0.06)
    if panel == "louvre":
        return framed_leaf(width, height, thickness, "louvre", stile=0.05)
    if panel == "glass":
        return framed_leaf(width, height, thickness, "glass", stile=0.05)
    if panel == "bars":
        return framed_leaf(width, height, thickness, "glass", 2, (1, 1, 1), stile=0.03)
    cuboids: Rows = [(0, width, 0, height, 0, thickness)]
    if panel == "raised":
        i = 0.18 * min(width, height)
        cuboids.append((i, width - i, i, height - i, 0, 1.4 * thickness))
    return blocks(cuboids)


def cupboard_door(
    style: Style, x0: float, x1: float, y0: float, y1: float, hinge: str, panel: str, angle: float
) -> Mesh:
    """A door over an opening in the plane z = 0, hung left or right and swung out by `angle` degrees."""
    g = style.gap
    width, height = x1 - x0 - 2 * g, y1 - y0 - 2 * g
    grip_y = height * (0.5 if height > 1.2 else 0.82 if y0 < 0.4 else 0.18)
    grips = [
        h.turned("z", 90).moved(0.9 * width, grip_y, style.board) for h in handle(style.handle, min(0.16, 0.4 * height))
    ]
    door = join(front(panel, width, height, style.board), *grips)
    if hinge == "right":
        return door.mirrored("x").turned("y", angle).moved(x1 - g, y0 + g)
    return door.turned("y", -angle).moved(x0 + g, y0 + g)


def drawer(style: Style, x0: float, x1: float, y0: float, y1: float, depth: float, out: float) -> Mesh:
    """A drawer in the plane z = 0, pulled out by `out`; then its tray shows too."""
    g, t = style.gap, 0.012
    width, height = x1 - x0 - 2 * g, y1 - y0 - 2 * g
    face = front(style.panel, width, height, style.board).moved(x0 + g, y0 + g)
    places = (0.25, 0.75) if width > 0.7 else (0.5,)
    grips = [
        h.moved(x0 + g + place * width, (y0 + y1) / 2, style.board)
        for place in places
        for h in handle(style.handle, min(0.15, 0.5 * width))
    ]
    if out <= 0:
        return join(face, *grips)
    low, high, back = y0 + 0.02, y0 + 0.8 * (y1 - y0), -min(0.9 * depth, 0.3)
    a, b = x0 + 0.02, x1 - 0.02
    tray = [
        (a, a + t, low, high, back, 0),
        (b - t, b, low, high, back, 0),
        (a, b, low, low + t, back, 0),
        (a, b, low, high, back, back + t),
    ]
    return join(face, blocks(tray), *grips).moved(z=out)


# ---------------------------------------------------------------------------------------------
# Cases: a front divided into cells


@dataclass(frozen=True)
class Cell:
    """A rectangle of a front in fractions of its width and height, and what fills it.

    Kinds: left, right (doors by their hinge), pair (two doors), glass, bars (glazed doors), drawer, flap,
    and without a front open, shelves, books, rail (clothes).
    """

    x0: float
    x1: float
    y0: float
    y1: float
    kind: str


WHOLE = Cell(0, 1, 0, 1, "open")


def columns(kinds: Sequence[str], within: Cell = WHOLE, weights: Sequence[float] | None = None) -> list[Cell]:
    """Cells side by side from the left."""
    edges = within.x0 + (within.x1 - within.x0) * _shares(kinds, weights)
    return [Cell(a, b, within.y0, within.y1, k) for a, b, k in zip(edges, edges[1:], kinds, strict=False)]


def rows(kinds: Sequence[str], within: Cell = WHOLE, weights: Sequence[float] | None = None) -> list[Cell]:
    """Cells one over the other from below."""
    edges = within.y0 + (within.y1 - within.y0) * _shares(kinds, weights)
    return [Cell(within.x0, within.x1, a, b, k) for a, b, k in zip(edges, edges[1:], kinds, strict=False)]


def _shares(kinds: Sequence[str], weights: Sequence[float] | None) -> np.ndarray:
    shares = np.ones(len(kinds)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])


def grid(kind: str, across: int, up: int, within: Cell = WHOLE) -> list[Cell]:
    return [cell for column in columns(["open"] * across, within) for cell in rows([kind] * up, column)]


def carcass(width: float, height: float, depth: float, t: float, back: bool = True) -> Mesh:
    """A case open at the front, from y = 0, centred in x and z."""
    x, z = width / 2, depth / 2
    walls = [
        (-x, t - x, 0, height, -z, z),
        (x - t, x, 0, height, -z, z),
        (-x, x, 0, t, -z, z),
        (-x, x, height - t, height, -z, z),
    ]
    if back:
        walls.append((-x, x, 0, height, -z, 0.006 - z))
    return blocks(walls)


def fitted(
    rng: Rng, style: Style, width: float, height: float, depth: float, cells: Sequence[Cell], back: bool = True
) -> Mesh:
    """A case from y = 0 with the fronts and compartments that `cells` describe."""
    built = [_fill(rng, style, cell, width, height, depth) for cell in cells]
    shut = not any(open_inside for _, open_inside in built)
    case = (
        board(width, height, depth) if shut and chance(rng, 0.6) else carcass(width, height, depth, style.board, back)
    )
    return join(case, *[mesh for meshes, _ in built for mesh in meshes])


def _fill(rng: Rng, style: Style, cell: Cell, width: float, height: float, depth: float) -> tuple[list[Mesh], bool]:
    """The meshes of one cell and whether one can see into it."""
    x0, x1, y0, y1 = (cell.x0 - 0.5) * width, (cell.x1 - 0.5) * width, cell.y0 * height, cell.y1 * height
    z, kind = depth / 2, cell.kind
    if kind in ("open", "shelves", "books", "rail"):
        return _compartment(rng, style.board, x0, x1, y0, y1, depth, kind), True
    if kind == "drawer":
        out = rng.uniform(0.08, 0.7) * depth if chance(rng, style.ajar) else 0.0
        return [drawer(style, x0, x1, y0, y1, depth, out).moved(z=z)], out > 0
    if kind == "flap":
        return [drawer(style, x0, x1, y0, y1, depth, 0.0).moved(z=z)], False
    angle = rng.uniform(15, 120) if chance(rng, style.ajar) else 0.0
    panel = kind if kind in ("glass", "bars", "louvre") else style.panel
    hinge = pick(rng, "left", "right") if kind not in ("left", "right") else kind
    sides = [(x0, (x0 + x1) / 2, "left"), ((x0 + x1) / 2, x1, "right")] if kind == "pair" else [(x0, x1, hinge)]
    doors = [cupboard_door(style, a, b, y0, y1, side, panel, angle).moved(z=z) for a, b, side in sides]
    if angle == 0 and panel not in ("glass", "bars"):
        return doors, False
    return doors + _compartment(rng, style.board, x0, x1, y0, y1, depth, "shelves"), True


def _compartment(rng: Rng, t: float, x0: float, x1: float, y0: float, y1: float, depth: float, kind: str) -> list[Mesh]:
    """Boards round an opening, with shelves, books or a rail of clothes in it."""
    z = depth / 2
    walls: Rows = [(x0, x0 + t, y0, y1, -z, z), (x1 - t, x1, y0, y1, -z, z), (x0, x1, y0, y0 + t, -z, z)]
    count = max(1, int((y1 - y0) / rng.uniform(0.25, 0.42))) if kind in ("shelves", "books") else 1
    levels = np.linspace(y0, y1, count + 1)
    walls += [(x0, x1, y, y + t, -z, 0.96 * z) for y in levels[1:-1]]
    meshes = [blocks(walls)]
    if kind == "books":
        lines = [
            books(rng, x0 + t, x1 - t, y + t, depth, levels[1] - y0 - 2 * t) for y in levels[:-1] if chance(rng, 0.75)
        ]
        meshes += [blocks(line) for line in lines if len(line)]
    if kind == "rail":
        meshes += clothes(rng, x0 + t, x1 - t, y1 - 0.1, depth, y1 - y0 - 0.15)
    return meshes


def books(rng: Rng, x0: float, x1: float, y: float, depth: float, clear: float) -> np.ndarray:
    """Rows (n, 6) for `blocks`: books that stand on a board at `y` under a clear height."""
    if clear < 0.06 or x1 - x0 < 0.06:
        return np.zeros((0, 6))
    edges = x0 + np.concatenate([[0.0], np.cumsum(rng.uniform(0.018, 0.06, size=int((x1 - x0) / 0.03) + 1))])
    edges = edges[edges < x0 + rng.uniform(0.3, 1.0) * (x1 - x0)]
    n = len(edges) - 1
    if n < 1:
        return np.zeros((0, 6))
    high = np.minimum(rng.uniform(0.16, 0.32, size=n), clear * rng.uniform(0.75, 0.98, size=n))
    back = np.full(n, -depth / 2 + 0.01)
    deep = back + np.minimum(rng.uniform(0.12, 0.24, size=n), 0.95 * depth - 0.01)
    return np.stack([edges[:-1], edges[1:] - 0.001, np.full(n, y), y + high, back, deep], axis=1)


def clothes(rng: Rng, x0: float, x1: float, y: float, depth: float, clear: float) -> list[Mesh]:
    """A rail at height `y` with garments hung from it."""
    rail = rod((x0, y, 0), (x1, y, 0), 0.012)
    n = whole(rng, 0, int((x1 - x0) / 0.08))
    if n == 0:
        return [rail]
    x = np.sort(rng.uniform(x0 + 0.03, x1 - 0.03, size=n))
    drop = np.minimum(rng.uniform(0.5, 1.2, size=n), 0.95 * clear)
    wide = np.minimum(rng.uniform(0.18, 0.26, size=n), 0.45 * depth)
    lines = [(a - 0.015, a + 0.015, y - b - 0.05, y - 0.05, -c, c) for a, b, c in zip(x, drop, wide, strict=True)]
    return [rail, blocks(lines)]


def cornice(rng: Rng, width: float, depth: float, y: float) -> Mesh:
    """A stepped moulding that crowns a case."""
    out, high = rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.08)
    return join(
        board(width + out, high / 2, depth + out, y), board(width + 2 * out, high / 2, depth + 2 * out, y + high / 2)
    )


def cased(
    rng: Rng,
    size: tuple[float, float, float],
    cells: Sequence[Cell],
    base: str,
    lift: float,
    style: Style | None = None,
) -> Mesh:
    """A finished piece: case, sometimes an overhanging top, on its base; `size` is that of the case."""
    width, height, depth = size
    style = style or style_of(rng)
    case = fitted(rng, style, width, height, depth, cells)
    if chance(rng, 0.4):
        over = rng.uniform(0, 0.03)
        case = join(case, board(width + 2 * over, rng.uniform(0.015, 0.04), depth + 2 * over, height))
    return based(rng, case, width, depth, base, lift)


def low_base(rng: Rng) -> tuple[str, float]:
    """A kind of base and its height, as case furniture on the floor has it."""
    kind = pick(rng, "none", "plinth", "plinth", "square", "tapered", "bun", "panels")
    return kind, rng.uniform(0.03, 0.12)


def high_base(rng: Rng) -> tuple[str, float]:
    kind = pick(rng, "square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin", "sled")
    return kind, rng.uniform(0.12, 0.3)


# ---------------------------------------------------------------------------------------------
# Tables


def table_size(rng: Rng) -> tuple[float, float, float, float]:
    """Width, depth, height of the underside and thickness of a table or desk top."""
    return rng.uniform(0.9, 2.2), rng.uniform(0.6, 1.05), rng.uniform(0.66, 0.76), rng.uniform(0.018, 0.06)


def _table_four_legs(rng: Rng) -> Mesh:
    w, d, h, t = table_size(rng)
    if chance(rng, 0.3):
        w = d = rng.uniform(0.6, 1.3)
    kind, r = pick(rng, *LEGS), rng.uniform(0.018, 0.055)
    over = rng.uniform(0, 0.12)
    parts = [top(pick(rng, "rectangle", "rectangle", "rounded"), w, t, d, h)]
    parts.append(legs(kind, w - 2 * over, d - 2 * over, h, r))
    if kind != "hairpin" and chance(rng, 0.65):
        parts.append(apron(w - 2 * over - 2 * r, d - 2 * over - 2 * r, h, rng.uniform(0.05, 0.14)))
    if kind in ("square", "round", "turned") and chance(rng, 0.3):
        parts.append(stretchers(w - 2 * over - 2 * r, d - 2 * over - 2 * r, rng.uniform(0.08, 0.25)))
    return join(*parts)


def stretchers(width: float, depth: float, y: float) -> Mesh:
    """An H of rails between legs."""
    x, z, r = width / 2, depth / 2, 0.015
    return blocks(
        [(-x, x, y - r, y + r, -r, r), (-x - r, r - x, y - r, y + r, -z, z), (x - r, x + r, y - r, y + r, -z, z)]
    )


def _table_round_pedestal(rng: Rng) -> Mesh:
    w, h, t = rng.uniform(0.55, 1.6), rng.uniform(0.62, 0.76), rng.uniform(0.018, 0.05)
    shape = pick(rng, "round", "round", "octagon", "rounded", "rectangle")
    return join(top(shape, w, t, w, h), pedestal(rng, h, 0.65 * w))


def pedestal(rng: Rng, height: float, spread: float) -> Mesh:
    """A column on a disc, a trumpet foot, a cross of feet or a drum."""
    kind, r = pick(rng, "disc", "trumpet", "claw", "drum", "square"), rng.uniform(0.03, 0.07)
    if kind == "trumpet":
        y = np.linspace(0, 1, 9)
        radius = r + (0.5 * spread - r) * (np.exp(-6 * y) + 0.6 * np.exp(-9 * (1 - y)))
        return lathe([(0, 0), *zip(radius, height * y, strict=True), (0, height)])
    if kind == "drum":
        return cylinder(0.4 * spread, height, top=rng.uniform(0.25, 0.5) * spread).moved(y=height / 2)
    if kind == "square":
        return join(board(2 * r, height, 2 * r), board(0.7 * spread, 0.03, 0.7 * spread))
    column = lathe([(0, 0), *((r * a, height * y) for a, y in _TURNED), (0, height)]) if chance(rng, 0.5) else None
    column = column or cylinder(r, height).moved(y=height / 2)
    if kind == "disc":
        return join(column, cylinder(spread / 2, 0.03, top=0.45 * spread).moved(y=0.015))
    count, arch = whole(rng, 3, 5), np.linspace(0, 1, 6)
    path = np.stack([r + (0.5 * spread - r) * arch, 0.025 + 0.22 * height * (1 - arch) ** 1.5, 0 * arch], axis=1)
    foot = tube(path, (0.8 * r * (1 - 0.5 * arch)).tolist())
    return join(column, *[foot.turned("y", 360 / count * i + 45) for i in range(count)])


def _table_round_legs(rng: Rng) -> Mesh:
    w, h, t = rng.uniform(0.4, 1.5), rng.uniform(0.35, 0.76), rng.uniform(0.018, 0.05)
    d = w * rng.uniform(0.55, 1) if chance(rng, 0.4) else w
    kind, r, count = (
        pick(rng, "square", "tapered", "splayed", "turned", "round", "cabriole"),
        rng.uniform(0.014, 0.04),
        whole(rng, 3, 4),
    )
    one = leg(kind, h, r).turned("y", 45).moved(rng.uniform(0.28, 0.42))
    ring = join(*[one.turned("y", 360 / count * i + 45) for i in range(count)])
    # the ring follows an oval top; legs grow thinner with it, which does no harm
    parts = [top("round", w, t, d, h), ring.scaled(w, 1, d) if w > 0.9 else ring.scaled(max(w, 0.6), 1, max(d, 0.5))]
    if chance(rng, 0.3):
        parts.append(top("round", 0.6 * w, 0.018, 0.6 * d, 0.3 * h))
    return join(*parts)


def _table_trestle(rng: Rng) -> Mesh:
    w, d, h, t = table_size(rng)
    x, r = w * rng.uniform(0.3, 0.4), rng.uniform(0.03, 0.06)
    post, foot = rng.uniform(0.05, 0.25) * d, rng.uniform(0.6, 0.85) * d
    side = blocks(
        [
            (x - r, x + r, 0, 0.07, -foot / 2, foot / 2),
            (x - r, x + r, 0, h, -post, post),
            (x - r, x + r, h - 0.06, h, -foot / 2, foot / 2),
        ]
    )
    y = rng.uniform(0.15, 0.4)
    return join(
        top(pick(rng, "rectangle", "boat", "round"), 1.1 * w, t, d, h),
        both(side),
        block(-x, x, y, y + 0.09, -0.02, 0.02),
    )


def _table_x_frame(rng: Rng) -> Mesh:
    w, d, h, t = table_size(rng)
    x, z, r = 0.36 * w, 0.4 * d, rng.uniform(0.02, 0.045)
    cross = join(rod((x, 0, -z), (x, h, z), r), rod((x, 0, z), (x, h, -z), r))
    return join(board(w, t, d, h), both(cross), rod((-x, h / 2, 0), (x, h / 2, 0), 0.7 * r))


def _table_waterfall(rng: Rng) -> Mesh:
    w, d, h = rng.uniform(0.5, 2.0), rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.78)
    t = rng.uniform(0.02, 0.08)
    parts = [board(w, t, d, h), both(block(w / 2 - t, w / 2, 0, h, -d / 2, d / 2))]
    if chance(rng, 0.4):
        parts.append(board(w - 2 * t, 0.02, 0.9 * d, rng.uniform(0.2, 0.5) * h))
    return join(*parts)


def _table_coffee(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.7, 1.4), rng.uniform(0.45, 0.8), rng.uniform(0.3, 0.48), rng.uniform(0.018, 0.07)
    kind, r = pick(rng, *LEGS), rng.uniform(0.018, 0.045)
    parts = [
        top(pick(rng, "rectangle", "rectangle", "rounded", "boat"), w, t, d, h),
        legs(kind, 0.94 * w, 0.92 * d, h, r),
    ]
    if chance(rng, 0.5):
        parts.append(board(0.86 * w, 0.02, 0.82 * d, rng.uniform(0.2, 0.5) * h))
    elif chance(rng, 0.5):
        parts.append(
            fitted(rng, style_of(rng), 0.8 * w, 0.35 * h, 0.8 * d, columns(["drawer"] * whole(rng, 1, 2))).moved(
                y=0.65 * h
            )
        )
    return join(*parts)


def _table_console(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.7, 1.6), rng.uniform(0.25, 0.45), rng.uniform(0.7, 0.92), rng.uniform(0.02, 0.04)
    kind, r = pick(rng, "square", "tapered", "turned", "round", "cabriole"), rng.uniform(0.015, 0.03)
    parts = [board(w, t, d, h), legs(kind, 0.96 * w, 0.94 * d, h, r)]
    if chance(rng, 0.6):
        drawers = columns(["drawer"] * whole(rng, 1, 3))
        parts.append(fitted(rng, style_of(rng), 0.92 * w, 0.14, 0.85 * d, drawers).moved(y=h - 0.14))
    if chance(rng, 0.5):
        parts.append(board(0.92 * w, 0.02, 0.85 * d, rng.uniform(0.1, 0.3)))
    return join(*parts)


def _table_picnic(rng: Rng) -> Mesh:
    w, d, h = rng.uniform(1.4, 2.1), rng.uniform(0.65, 0.85), rng.uniform(0.68, 0.76)
    planks = whole(rng, 4, 6)
    edges = np.linspace(-d / 2, d / 2, planks + 1)
    seat, reach = rng.uniform(0.4, 0.46), d / 2 + rng.uniform(0.2, 0.35)
    deck: Rows = [(-w / 2, w / 2, h, h + 0.04, a + 0.005, b - 0.005) for a, b in pairwise(edges)]
    x = 0.36 * w
    deck += [
        (x - 0.02, x + 0.02, seat - 0.1, seat, -reach - 0.12, reach + 0.12),
        (x - 0.02, x + 0.02, h - 0.08, h, -d / 2, d / 2),
    ]
    deck += [(-x - 0.02, 0.02 - x, *row[2:]) for row in deck[-2:]]
    deck += [(-w / 2, w / 2, seat, seat + 0.04, s * reach - 0.13, s * reach + 0.13) for s in (-1, 1)]
    prop = rod((x, h, 0.3 * d), (x, 0, 0.85 * reach), 0.035)
    return join(blocks(deck), both(both(prop, "z")))


def _table_drop_leaf(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.8, 1.3), rng.uniform(0.3, 0.6), rng.uniform(0.68, 0.76), rng.uniform(0.018, 0.03)
    flap = rng.uniform(0.3, 0.5)
    parts = [
        board(w, t, d, h),
        legs(pick(rng, "square", "turned", "tapered"), 0.9 * w, 0.9 * d, h, rng.uniform(0.02, 0.03)),
    ]
    parts.append(apron(0.85 * w, 0.8 * d, h, 0.1))
    hanging = [chance(rng, 0.6), chance(rng, 0.6)]
    for side, hangs in zip((-1, 1), hanging, strict=True):
        lying = block(-w / 2, w / 2, h, h + t, d / 2 + 0.004, d / 2 + flap)
        leaf = block(-w / 2, w / 2, h + t - flap, h + t, d / 2 + 0.004, d / 2 + 0.004 + t) if hangs else lying
        gate = leg("square", h, 0.02).moved(z=d / 2 + 0.6 * flap)
        parts += [m if side > 0 else m.mirrored("z") for m in ([leaf] if hangs else [leaf, gate])]
    return join(*parts)


def _table_folding(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(1.0, 1.9), rng.uniform(0.55, 0.8), rng.uniform(0.68, 0.75), rng.uniform(0.02, 0.045)
    x, z, r, foot = 0.36 * w, 0.42 * d, rng.uniform(0.01, 0.016), rng.uniform(-0.08, 0.1) * w
    posts = [rod((x, h, z), (x + foot, 0, z), r), rod((x, h, -z), (x + foot, 0, -z), r)]
    bars = [rod((x + k * foot, h * (1 - k), -z), (x + k * foot, h * (1 - k), z), r) for k in (0.05, 0.85)]
    brace = rod((x + 0.5 * foot, h / 2, 0), (0.35 * x, h, 0), 0.7 * r)
    return join(top(pick(rng, "rectangle", "rounded"), w, t, d, h), both(join(*posts, *bars, brace)))


def _table_bistro(rng: Rng) -> Mesh:
    w, h = rng.uniform(0.45, 0.85), rng.uniform(0.85, 1.12)
    return join(top(pick(rng, "round", "round", "rectangle"), w, 0.03, w, h), pedestal(rng, h, 0.75 * w))


def _table_conference(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(2.2, 4.5), rng.uniform(1.0, 1.5), rng.uniform(0.68, 0.74), rng.uniform(0.025, 0.06)
    base = pick(rng, "panels", "drums", "pedestals")
    x = 0.3 * w
    if base == "panels":
        support = join(block(x - 0.03, x + 0.03, 0, h, -0.35 * d, 0.35 * d), block(0, x, 0.2, h, -0.02, 0.02))
    elif base == "drums":
        support = cylinder(0.25 * d, h).moved(x, h / 2)
    else:
        support = pedestal(rng, h, 0.7 * d).moved(x)
    return join(top(pick(rng, "boat", "round", "rectangle", "rounded"), w, t, d, h), both(support))


def _table_nest(rng: Rng) -> Mesh:
    w, d, h = rng.uniform(0.5, 0.7), rng.uniform(0.35, 0.5), rng.uniform(0.42, 0.6)
    kind, r, shift = pick(rng, "square", "round", "tapered"), rng.uniform(0.012, 0.022), rng.uniform(0, 0.35)
    tables = []
    for i in range(whole(rng, 2, 3)):
        k = 1 - 0.17 * i
        tables.append(join(board(k * w, 0.02, d, k * h), legs(kind, k * w, d, k * h, r)).moved(z=i * shift))
    return join(*tables)


def _table_bench(rng: Rng) -> Mesh:
    w, d, h = rng.uniform(1.2, 2.0), rng.uniform(0.55, 0.8), rng.uniform(0.78, 0.92)
    parts = [
        board(w, rng.uniform(0.04, 0.08), d, h),
        legs("square", 0.95 * w, 0.92 * d, h, rng.uniform(0.03, 0.05)),
    ]
    parts.append(board(0.9 * w, 0.025, 0.85 * d, rng.uniform(0.1, 0.3)))
    if chance(rng, 0.5):
        parts.append(block(-w / 2, w / 2, h, h + rng.uniform(0.2, 0.7), -d / 2, 0.02 - d / 2))
    if chance(rng, 0.6):
        parts.append(cased(rng, (0.3 * w, 0.4, 0.8 * d), rows(["drawer"] * 3), "none", 0).moved(0.28 * w, h - 0.42))
    return join(*parts)


_TABLES: dict[str, Shape] = {
    "four_legs": _table_four_legs,
    "round_pedestal": _table_round_pedestal,
    "round_legs": _table_round_legs,
    "trestle": _table_trestle,
    "x_frame": _table_x_frame,
    "waterfall": _table_waterfall,
    "coffee": _table_coffee,
    "console": _table_console,
    "picnic": _table_picnic,
    "drop_leaf": _table_drop_leaf,
    "folding": _table_folding,
    "bistro": _table_bistro,
    "conference": _table_conference,
    "nest": _table_nest,
    "work_bench": _table_bench,
}


@category(
    "table",
    synonyms=(
        "dining table", "kitchen table", "coffee table", "side table", "end table", "console table", "round table",
        "conference table", "picnic table", "folding table", "bistro table", "pedestal table", "trestle table",
        "card table", "nesting tables", "workbench", "garden table", "bar table",
    ),
    variants=tuple(_TABLES),
)  # fmt: skip
def table(rng: Rng, variant: str) -> Mesh:
    return _TABLES[variant](rng)


# ---------------------------------------------------------------------------------------------
# Desks


def _pedestal_unit(rng: Rng, style: Style, width: float, height: float, depth: float) -> Mesh:
    kinds = ["drawer"] * whole(rng, 2, 4)
    if chance(rng, 0.35):
        kinds = [pick(rng, "left", "right"), "drawer"]
    weights = rng.uniform(0.7, 1.8, size=len(kinds)).tolist()
    return fitted(rng, style, width, height, depth, rows(kinds, weights=weights))


def _writing(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.9, 1.7), rng.uniform(0.45, 0.8), rng.uniform(0.68, 0.75), rng.uniform(0.018, 0.04)
    box_height, style = rng.uniform(0.08, 0.16), style_of(rng)
    drawers = fitted(rng, style, 0.92 * w, box_height, 0.88 * d, columns(["drawer"] * whole(rng, 1, 3)))
    kind = pick(rng, "square", "tapered", "turned", "splayed", "round", "cabriole")
    parts = [
        board(w, t, d, h),
        drawers.moved(y=h - box_height),
        legs(kind, 0.95 * w, 0.92 * d, h, rng.uniform(0.018, 0.035)),
    ]
    if chance(rng, 0.25):
        parts.append(gallery(rng, w, d, h + t))
    return join(*parts)


def gallery(rng: Rng, width: float, depth: float, y: float) -> Mesh:
    """A low row of pigeonholes or drawers along the back of a desk top."""
    h, d = rng.uniform(0.12, 0.28), rng.uniform(0.15, 0.25)
    cells = columns([pick(rng, "drawer", "open", "open") for _ in range(whole(rng, 3, 6))])
    return fitted(rng, style_of(rng), 0.98 * width, h, d, cells).moved(0, y, (d - depth) / 2)


def _double_pedestal(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(1.2, 2.0), rng.uniform(0.6, 0.95), rng.uniform(0.66, 0.74), rng.uniform(0.02, 0.05)
    style, pw = style_of(rng), rng.uniform(0.3, 0.48)
    parts = [board(w, t, d, h)]
    parts += [_pedestal_unit(rng, style, pw, h, 0.94 * d).moved(s * (w / 2 - pw / 2 - 0.02)) for s in (-1, 1)]
    inner = w - 2 * pw - 0.04
    if chance(rng, 0.6) and inner > 0.2:
        parts.append(fitted(rng, style, inner, 0.1, 0.9 * d, columns(["drawer"])).moved(y=h - 0.1))
    if chance(rng, 0.7):
        parts.append(block(-inner / 2, inner / 2, rng.uniform(0.0, 0.35), h, 0.02 - d / 2, 0.04 - d / 2))
    return join(*parts)


def _single_pedestal(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.9, 1.7), rng.uniform(0.5, 0.8), rng.uniform(0.66, 0.74), rng.uniform(0.018, 0.04)
    pw = rng.uniform(0.3, 0.45)
    lift = pick(rng, "none", "none", "legs")
    unit = _pedestal_unit(rng, style_of(rng), pw, h if lift == "none" else 0.45 * h, 0.92 * d)
    parts = [board(w, t, d, h), unit.moved(w / 2 - pw / 2 - 0.02, 0 if lift == "none" else 0.55 * h)]
    if chance(rng, 0.5):
        parts.append(block(-w / 2, 0.025 - w / 2, 0, h, -0.46 * d, 0.46 * d))
        parts.append(block(-w / 2, w / 2, rng.uniform(0.2, 0.45), h, 0.02 - d / 2, 0.04 - d / 2))
    else:
        parts.append(legs(pick(rng, "square", "round", "tapered"), 0.97 * w, 0.9 * d, h, rng.uniform(0.015, 0.03)))
    desk = join(*parts)
    return desk.mirrored("x") if chance(rng, 0.5) else desk


def _panel_ends(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(1.0, 1.9), rng.uniform(0.5, 0.9), rng.uniform(0.68, 0.74), rng.uniform(0.018, 0.05)
    inset = rng.uniform(0, 0.15)
    side = block(w / 2 - inset - t, w / 2 - inset, 0, h, -0.46 * d, 0.46 * d)
    modesty = block(-w / 2 + inset, w / 2 - inset, rng.uniform(0.1, 0.45), h, -0.42 * d, 0.02 - 0.42 * d)
    parts = [top(pick(rng, "rectangle", "rectangle", "boat"), w, t, d, h), both(side), modesty]
    if chance(rng, 0.4):
        unit = cased(rng, (0.4, 0.5, 0.5 * d + 0.15), rows(["drawer"] * 3), "castors", 0.06)
        parts.append(unit.moved(w / 2 - 0.25 - inset, 0, 0.05))
    return join(*parts)


def _corner_desk(rng: Rng) -> Mesh:
    w, d = rng.uniform(1.3, 2.1), rng.uniform(0.5, 0.75)
    wing, h, t = rng.uniform(0.6, 1.3), rng.uniform(0.68, 0.74), rng.uniform(0.02, 0.04)
    x, z = w / 2, d / 2
    rear = [(-x, x, h, h + t, -z, z), (-x, d - x, h, h + t, z, z + wing)]
    parts = [blocks(rear)]
    if chance(rng, 0.5):
        parts.append(extrude([(d - x, z), (d - x + 0.3, z), (d - x, z + 0.3)], t).turned("x", 90).moved(y=h + t / 2))
    if chance(rng, 0.5):
        ends = [(x - t, x, 0, h, -z, z), (-x, d - x, 0, h, z + wing - t, z + wing), (-x, x, 0.3, h, 0.02 - z, 0.04 - z)]
        parts.append(blocks([*ends, (0.02 - x, 0.04 - x, 0.3, h, -z, z + wing)]))
    else:
        r = rng.uniform(0.02, 0.035)
        feet = [(x - r, -z + r), (x - r, z - r), (r - x, r - z), (r - x, z + wing - r), (d - x - r, z + wing - r)]
        one = leg(pick(rng, "square", "round"), h, r)
        parts += [one.moved(a, 0, b) for a, b in feet]
    if chance(rng, 0.6):
        parts.append(_pedestal_unit(rng, style_of(rng), 0.4, h, 0.9 * d).moved(x - 0.25))
    desk = join(*parts)
    return desk.mirrored("x") if chance(rng, 0.5) else desk


def _hutch_desk(rng: Rng) -> Mesh:
    lower = pick(rng, "double", "single", "panels")
    desk = {"double": _double_pedestal, "single": _single_pedestal, "panels": _panel_ends}[lower](rng)
    w, h, _ = desk.size()
    high, deep = rng.uniform(0.35, 0.95), rng.uniform(0.22, 0.35)
    kinds = [pick(rng, "left", "shelves", "open", "glass", "books") for _ in range(whole(rng, 1, 3))]
    tall = Cell(0, 1, rng.uniform(0.35, 0.6), 1, "open")
    cells = [replace(tall, y0=0, y1=tall.y0), *columns(kinds, tall)]
    hutch = fitted(rng, style_of(rng), 0.98 * w, high, deep, cells, back=chance(rng, 0.7))
    low = desk.vertices[:, 2].min()
    return join(desk, hutch.moved(0, h, low + deep / 2))


def _secretary(rng: Rng) -> Mesh:
    w, d, h = rng.uniform(0.7, 1.1), rng.uniform(0.4, 0.55), rng.uniform(0.7, 0.78)
    style = style_of(rng)
    lower = cased(rng, (w, h, d), rows(["drawer"] * whole(rng, 2, 4)), "none", 0, style)
    if chance(rng, 0.35):
        lower = join(board(w, 0.15, d, h - 0.15), legs(pick(rng, "square", "turned", "cabriole"), w, d, h, 0.025))
    high, z = rng.uniform(0.25, 0.4), d / 2
    slope = rng.uniform(0.35, 0.6) * d
    side = (
        extrude([(-z, 0), (z, 0), (z, 0.04), (z - slope, high), (-z, high)], 0.02).turned("y", -90).moved(w / 2 - 0.01)
    )
    boards = [(-w / 2, w / 2, high - 0.02, high, -z, z - slope), (-w / 2, w / 2, 0, high, -z, 0.02 - z)]
    parts = [both(side), blocks(boards)]
    if chance(rng, 0.6):
        parts.append(block(-w / 2, w / 2, 0, 0.02, z, z + high))
        parts.append(
            fitted(rng, style, 0.92 * w, 0.85 * high, 0.4 * d, columns(["open", "drawer", "open", "open"])).moved(
                z=-0.25 * d
            )
        )
    else:
        length = float(np.hypot(slope, high))
        parts.append(
            box(w, 0.02, length).turned("x", np.degrees(np.arctan2(high, slope))).moved(0, high / 2, z - slope / 2)
        )
    return join(lower, join(*parts).moved(y=h))


def _roll_top(rng: Rng) -> Mesh:
    desk = _double_pedestal(rng)
    w, h, d = desk.size()
    high, t = rng.uniform(0.3, 0.5), np.linspace(0, np.pi / 2, 14)
    z, y = d / 2 - 0.05 - 0.75 * d * (1 - np.cos(t)), high * np.sin(t)
    cover = ribbon(z, np.maximum(y - 0.02, 0), y + 0.01 * (np.arange(14) % 2), 0.94 * w)
    sides = both(block(0.47 * w, 0.49 * w, 0, 0.95 * high, -d / 2, -0.1 * d))
    back = block(-0.48 * w, 0.48 * w, 0, high, -d / 2, 0.03 - d / 2)
    crown = block(-0.49 * w, 0.49 * w, high, high + 0.025, -d / 2, -0.2 * d)
    return join(desk, join(cover, sides, back, crown).moved(y=h))


def _sawhorse(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(1.2, 2.0), rng.uniform(0.6, 0.9), rng.uniform(0.68, 0.75), rng.uniform(0.018, 0.04)
    x, z, s, r = 0.34 * w, 0.38 * d, rng.uniform(0.1, 0.2), rng.uniform(0.016, 0.026)
    poles = [rod((x, h, k * z), (x + side * s, 0, 1.1 * k * z), r) for k in (-1, 1) for side in (-1, 1)]
    rails = [rod((x, h - r, -z), (x, h - r, z), r)]
    rails += [rod((x + side * 0.6 * s, 0.4 * h, -z), (x + side * 0.6 * s, 0.4 * h, z), 0.7 * r) for side in (-1, 1)]
    return join(board(w, t, d, h), both(join(*poles, *rails)))


def _standing(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(1.1, 1.9), rng.uniform(0.6, 0.85), rng.uniform(0.7, 1.2), rng.uniform(0.018, 0.035)
    x, r, foot = w * rng.uniform(0.3, 0.44), rng.uniform(0.025, 0.05), 0.42 * d
    cuboids = [
        (x - r, x + r, 0, h, -r, r),
        (x - r, x + r, 0, 0.035, -foot, foot),
        (x - r, x + r, h - 0.04, h, -0.4 * d, 0.4 * d),
    ]
    parts = [top(pick(rng, "rectangle", "rounded"), w, t, d, h), both(blocks(cuboids))]
    if chance(rng, 0.7):
        parts.append(block(-x, x, h - 0.1, h - 0.04, -0.02, 0.02))
    if chance(rng, 0.3):
        parts.append(block(-x, x, 0.45 * h, h - 0.02, -0.2 * d - 0.01, 0.01 - 0.2 * d))
    if chance(rng, 0.3):
        parts.append(block(-w / 2, w / 2, h, h + 0.4, -d / 2, 0.02 - d / 2))
    return join(*parts)


def _computer_desk(rng: Rng) -> Mesh:
    w, d, h, t = rng.uniform(0.8, 1.4), rng.uniform(0.45, 0.65), rng.uniform(0.7, 0.76), rng.uniform(0.016, 0.025)
    x, z, raised = w / 2, d / 2, rng.uniform(0.1, 0.35)
    tall = chance(rng, 0.5)
    side = h + (raised if tall else 0)
    cuboids: Rows = [(-x, x, h, h + t, -z, z), (-x, x, h - 0.12, h - 0.12 + t, 0, z + rng.uniform(0.05, 0.3))]
    cuboids += [
        (s * (x - t / 2) - t / 2, s * (x - t / 2) + t / 2, 0, side, -z, z if not tall else 0.4 * z) for s in (-1, 1)
    ]
    cuboids += [(-x, x, 0.25, h, -0.9 * z, 0.02 - 0.9 * z), (-x, x, h + raised, h + raised + t, -z, 0)]
    split = rng.uniform(0.2, 0.35) * w
    cuboids += [(split, split + t, 0, h, -z, 0.8 * z), (split, x, 0.08, 0.08 + t, -z, 0.8 * z)]
    if chance(rng, 0.5):
        cuboids.append((split + 0.04, x - 0.05, 0.08 + t, 0.5, -0.7 * z, 0.7 * z))
    if chance(rng, 0.5):
        cuboids += [
            (-0.05, 0.05, h + raised, h + raised + 0.1, -0.6 * z, -0.5 * z),
            (-0.25, 0.25, h + raised + 0.08, h + raised + 0.4, -0.5 * z, 0.04 - 0.5 * z),
        ]
    return blocks(cuboids)


def _school_desk(rng: Rng) -> Mesh:
    w, d, h, r = rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.55), rng.uniform(0.58, 0.76), rng.uniform(0.012, 0.02)
    tray = fitted(rng, style_of(rng), 0.9 * w, rng.uniform(0.1, 0.16), 0.9 * d, [WHOLE])
    lid = box(w, 0.022, d).turned("x", rng.uniform(0, 12)).moved(y=h + 0.02)
    parts = [lid, tray.moved(y=h - tray.size()[1])]
    if chance(rng, 0.5):
        parts.append(legs(pick(rng, "round", "square", "splayed"), 0.95 * w, 0.9 * d, h, r))
        return join(*parts)
    parts.append(
        both(
            join(
                rod((0.42 * w, h, 0), (0.42 * w, 0.03, 0), 1.5 * r),
                rod((0.42 * w, 0.02, -0.45 * d), (0.42 * w, 0.02, 0.5 * d), 1.2 * r),
            )
        )
    )
    return join(*parts)


_DESKS: dict[str, Shape] = {
    "writing": _writing,
    "double_pedestal": _double_pedestal,
    "single_pedestal": _single_pedestal,
    "panel_ends": _panel_ends,
    "corner": _corner_desk,
    "hutch": _hutch_desk,
    "secretary": _secretary,
    "roll_top": _roll_top,
    "sawhorse": _sawhorse,
    "standing": _standing,
    "computer": _computer_desk,
    "school": _school_desk,
}


@category(
    "desk",
    synonyms=(
        "office desk", "writing desk", "computer desk", "standing desk", "corner desk", "school desk", "work desk",
        "study desk", "executive desk", "secretary desk", "roll-top desk", "bureau", "escritoire", "workstation desk",
        "pedestal desk", "student desk",
    ),
    variants=tuple(_DESKS),
)  # fmt: skip
def desk(rng: Rng, variant: str) -> Mesh:
    return _DESKS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Bookshelves


def shelf_kind(rng: Rng) -> str:
    return pick(rng, "shelves", "shelves", "books")


def open_case(rng: Rng, width: float, height: float, depth: float, bays: int) -> Mesh:
    """A bookcase: bays of shelves, with or without back, plinth and cornice."""
    style, kind = style_of(rng), shelf_kind(rng)
    case = fitted(rng, style, width, height, depth, columns([kind] * bays), back=chance(rng, 0.75))
    if chance(rng, 0.3):
        case = join(case, cornice(rng, width, depth, height))
    base, lift = low_base(rng)
    return based(rng, case, width, depth, base, lift)


def _tall_bookcase(rng: Rng) -> Mesh:
    return open_case(rng, rng.uniform(0.6, 1.2), rng.uniform(1.5, 2.3), rng.uniform(0.22, 0.4), whole(rng, 1, 2))


def _narrow_bookcase(rng: Rng) -> Mesh:
    return open_case(rng, rng.uniform(0.3, 0.5), rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.35), 1)


def _low_bookcase(rng: Rng) -> Mesh:
    return open_case(rng, rng.uniform(0.8, 1.8), rng.uniform(0.65, 1.2), rng.uniform(0.25, 0.4), whole(rng, 1, 3))


def _wall_bookcase(rng: Rng) -> Mesh:
    return open_case(rng, rng.uniform(1.8, 4.0), rng.uniform(1.8, 2.6), rng.uniform(0.25, 0.42), whole(rng, 3, 5))


def _cube_shelf(rng: Rng) -> Mesh:
    n, m, side, d = whole(rng, 2, 5), whole(rng, 2, 5), rng.uniform(0.28, 0.42), rng.uniform(0.3, 0.42)
    mix = pick(rng, "open", "books", "mixed")
    cells = grid("open", n, m)
    if mix != "open":
        cells = [replace(c, kind=pick(rng, "open", "books", "drawer" if mix == "mixed" else "books")) for c in cells]
    base, lift = low_base(rng)
    return based(
        rng, fitted(rng, style_of(rng), n * side, m * side, d, cells, back=chance(rng, 0.3)), n * side, d, base, lift
    )


def _etagere(rng: Rng) -> Mesh:
    w, h, d = rng.uniform(0.5, 1.6), rng.uniform(0.9, 2.2), rng.uniform(0.28, 0.55)
    post, t, r = pick(rng, "square", "round"), rng.uniform(0.012, 0.035), rng.uniform(0.01, 0.025)
    levels = np.linspace(rng.uniform(0.05, 0.2), h - t - rng.uniform(0, 0.15), whole(rng, 3, 6))
    parts = [legs(post, w, d, h, r), blocks([(-w / 2, w / 2, y, y + t, -d / 2, d / 2) for y in levels])]
    if chance(rng, 0.35):
        parts += [rod((s * w / 2, levels[0], -d / 2), (-s * w / 2, levels[-1], -d / 2), 0.006) for s in (-1, 1)]
    if chance(rng, 0.45):
        lines = [books(rng, -0.45 * w, 0.45 * w, y + t, d, levels[1] - levels[0] - t) for y in levels[:-1]]
        parts += [blocks(line) for line in lines if len(line)]
    return join(*parts)


def _leaning_shelf(rng: Rng) -> Mesh:
    w, h, d = rng.uniform(0.45, 0.9), rng.uniform(1.5, 2.1), rng.uniform(0.35, 0.55)
    t, n = rng.uniform(0.015, 0.025), whole(rng, 4, 6)
    levels = np.linspace(0.15, 0.92 * h, n)
    depth = d * (1 - 0.65 * levels / h)
    shelves: Rows = [(-w / 2, w / 2, y, y + t, 0, a) for y, a in zip(levels, depth, strict=True)]
    shelves += [(-w / 2, w / 2, y, y + 0.07, 0, 0.012) for y in levels]
    pole = rod((w / 2, 0, d), (w / 2, h, 0.35 * d), 0.02)
    parts = [blocks(shelves), both(pole)]
    if chance(rng, 0.5):
        parts.append(both(rod((w / 2, 0, 0), (w / 2, h, 0), 0.02)))
    return join(*parts)


def _staggered(rng: Rng) -> Mesh:
    w, h, d, t = rng.uniform(0.6, 1.1), rng.uniform(1.2, 2.1), rng.uniform(0.22, 0.35), rng.uniform(0.018, 0.035)
    n = whole(rng, 4, 7)
    levels = np.linspace(0, h - t, n + 1)
    cuboids: Rows = [(-w / 2, w / 2, y, y + t, -d / 2, d / 2) for y in levels]
    reach = rng.uniform(0.1, 0.5) * w
    for i, (a, b) in enumerate(pairwise(levels)):
        side = reach if i % 2 else -reach
        cuboids.append((side - t / 2, side + t / 2, a, b, -d / 2, d / 2))
        if i % 2 and chance(rng, 0.5):
            cuboids.append((-w / 2, t - w / 2, a, b, -d / 2, d / 2))
    parts = [blocks(cuboids)]
    if chance(rng, 0.4):
        lines = [books(rng, -0.3 * w, 0.3 * w, y + t, d, levels[1] - t) for y in levels[:-1]]
        parts += [blocks(line) for line in lines if len(line)]
    return join(*parts)


def _stepped(rng: Rng) -> Mesh:
    n, side, d, t = whole(rng, 3, 5), rng.uniform(0.3, 0.42), rng.uniform(0.28, 0.4), rng.uniform(0.016, 0.03)
    unit = carcass(side + t, side + t, d, t, back=chance(rng, 0.4))
    shelf = join(*[unit.moved(side * i, side * j) for i in range(n) for j in range(n - i)])
    return shelf.mirrored("x") if chance(rng, 0.5) else shelf


def _corner_shelf(rng: Rng) -> Mesh:
    r, h, t, n = rng.uniform(0.25, 0.5), rng.uniform(0.9, 2.0), rng.uniform(0.012, 0.025), whole(rng, 3, 6)
    quarter = np.linspace(0, np.pi / 2, 8)
    arc = [(0.0, 0.0), *((r * np.cos(a), r * np.sin(a)) for a in quarter)]
    shelf = extrude(arc, t).turned("x", 90)
    parts = [shelf.moved(y=y) for y in np.linspace(t, h - t, n)]
    if chance(rng, 0.6):
        parts.append(blocks([(0, r, 0, h, -t, 0), (-t, 0, 0, h, 0, r)]))
    else:
        parts += [rod((x, 0, z), (x, h, z), 0.012) for x, z in ((0.02, 0.02), (r - 0.03, 0.02), (0.02, r - 0.03))]
    return join(*parts).turned("y", -45)


def _shelf_with_cupboards(rng: Rng) -> Mesh:
    w, h, d, style = rng.uniform(0.8, 2.0), rng.uniform(1.7, 2.3), rng.uniform(0.28, 0.42), style_of(rng)
    n, split = whole(rng, 1, 3), rng.uniform(0.25, 0.42)
    lower = columns([pick(rng, "pair", "drawer")] * n, Cell(0, 1, 0, split, "open"))
    upper = columns([shelf_kind(rng)] * n, Cell(0, 1, split, 1, "open"))
    base, lift = low_base(rng)
    case = fitted(rng, style, w, h, d, [*lower, *upper])
    if chance(rng, 0.4):
        case = join(case, cornice(rng, w, d, h))
    return based(rng, case, w, d, base, lift)


def _wall_boards(rng: Rng) -> Mesh:
    n, w, d, t = whole(rng, 1, 4), rng.uniform(0.6, 1.4), rng.uniform(0.16, 0.3), rng.uniform(0.018, 0.045)
    pitch = rng.uniform(0.28, 0.42)
    parts = []
    for i in range(n):
        shift = rng.uniform(-0.15, 0.15) * w if chance(rng, 0.3) else 0.0
        parts.append(block(shift - w / 2, shift + w / 2, i * pitch, i * pitch + t, 0, d))
        bracket = extrude([(0, 0), (0.8 * d, 0), (0, -0.7 * d)], 0.02).turned("y", -90)
        parts += [bracket.moved(shift + s * 0.36 * w, i * pitch) for s in (-1, 1)]
        line = books(rng, shift - 0.48 * w, shift + 0.48 * w, i * pitch + t, d, 0.9 * pitch)
        if len(line) and chance(rng, 0.7):
            parts.append(blocks(line).moved(z=d / 2))
    return join(*parts)


def _shoe_rack(rng: Rng) -> Mesh:
    w, d, n = rng.uniform(0.5, 1.1), rng.uniform(0.25, 0.36), whole(rng, 2, 5)
    pitch, bars, tilt = rng.uniform(0.16, 0.24), whole(rng, 3, 6), rng.uniform(0, 20)
    h = n * pitch
    z = np.linspace(-0.45 * d, 0.45 * d, bars)
    level = blocks([(-w / 2, w / 2, -0.006, 0.006, a - 0.008, a + 0.008) for a in z]).turned("x", tilt)
    parts = [level.moved(y=0.08 + i * pitch) for i in range(n)]
    if chance(rng, 0.5):
        parts.append(legs(pick(rng, "square", "round"), w, d, h, 0.014))
    else:
        parts.append(both(block(w / 2, w / 2 + 0.016, 0, h, -d / 2, d / 2)))
    if chance(rng, 0.5):
        shoe = cushion(0.09, 0.08, 0.26, 0.6, segments=8).turned("x", tilt).moved(y=0.13)
        parts += [
            shoe.moved(x, i * pitch) for i in range(n) for x in (np.arange(-0.42, 0.43, 0.14) * w) if chance(rng, 0.6)
        ]
    return join(*parts)


_BOOKSHELVES: dict[str, Shape] = {
    "tall": _tall_bookcase,
    "narrow": _narrow_bookcase,
    "low": _low_bookcase,
    "wall": _wall_bookcase,
    "cubes": _cube_shelf,
    "etagere": _etagere,
    "leaning": _leaning_shelf,
    "staggered": _staggered,
    "stepped": _stepped,
    "corner": _corner_shelf,
    "cupboards_below": _shelf_with_cupboards,
    "wall_boards": _wall_boards,
    "shoe_rack": _shoe_rack,
}


@category(
    "bookshelf",
    synonyms=(
        "bookcase", "shelf", "shelves", "book rack", "shelving unit", "wall shelf", "floating shelf", "display shelf",
        "cube shelf", "etagere", "ladder shelf", "storage rack", "library shelf", "shoe rack", "metal shelving",
        "corner shelf", "open shelving",
    ),
    variants=tuple(_BOOKSHELVES),
)  # fmt: skip
def bookshelf(rng: Rng, variant: str) -> Mesh:
    return _BOOKSHELVES[variant](rng)


# ---------------------------------------------------------------------------------------------
# Cabinets


def _cupboard(rng: Rng) -> Mesh:
    size = (rng.uniform(0.5, 1.2), rng.uniform(0.7, 1.9), rng.uniform(0.3, 0.55))
    door = "pair" if size[0] > 0.6 else pick(rng, "left", "right")
    cells = rows([door] * whole(rng, 1, 2))
    if chance(rng, 0.4):
        cells = rows([door, "drawer"], weights=(4, 1))
    return cased(rng, size, cells, *low_base(rng), style=style_of(rng, 0.25))


def _sideboard(rng: Rng) -> Mesh:
    size = (rng.uniform(1.2, 2.4), rng.uniform(0.55, 0.9), rng.uniform(0.35, 0.55))
    cells = []
    for column in columns(["open"] * whole(rng, 3, 4)):
        kind = pick(rng, "door", "drawers", "mixed")
        inner = {"door": ["left"], "drawers": ["drawer"] * 3, "mixed": ["right", "drawer"]}[kind]
        cells += rows(inner, column, (3, 1) if kind == "mixed" else None)
    base = low_base(rng) if chance(rng, 0.5) else high_base(rng)
    return cased(rng, size, cells, *base)


def _base_unit(rng: Rng) -> Mesh:
    """One kitchen base unit with its recessed plinth and, mostly, a worktop."""
    w, h, d = rng.uniform(0.4, 1.0), rng.uniform(0.68, 0.76), rng.uniform(0.52, 0.6)
    cells = _unit_cells(rng, w)
    parts = [fitted(rng, style_of(rng, 0.15), w, h, d, cells).moved(y=0.12), board(w, 0.12, d - 0.1).moved(z=-0.05)]
    if chance(rng, 0.7):
        parts.append(board(w + 0.02, rng.uniform(0.025, 0.045), d + 0.05, 0.12 + h))
    return join(*parts)


def _unit_cells(rng: Rng, width: float, within: Cell = WHOLE) -> list[Cell]:
    door = "pair" if width > 0.62 else pick(rng, "left", "right")
    kind = pick(rng, "door", "drawers", "both")
    if kind == "drawers":
        return rows(["drawer"] * whole(rng, 2, 4), within)
    return rows([door] if kind == "door" else [door, "drawer"], within, None if kind == "door" else (4, 1))


def _wall_unit(rng: Rng) -> Mesh:
    n = whole(rng, 1, 3)
    w, h, d = n * rng.uniform(0.35, 0.6), rng.uniform(0.4, 0.95), rng.uniform(0.28, 0.4)
    cells = columns([pick(rng, "left", "right", "glass", "bars", "flap") for _ in range(n)])
    if chance(rng, 0.3):
        cells = [replace(c, y0=0.3) for c in cells] + [Cell(0, 1, 0, 0.3, "open")]
    return fitted(rng, style_of(rng, 0.2), w, h, d, cells)


def _kitchen_run(rng: Rng) -> Mesh:
    """A run of base units under one worktop, often with sink, hob and wall units."""
    n, unit, h, d = whole(rng, 3, 6), rng.uniform(0.45, 0.65), rng.uniform(0.68, 0.76), 0.58
    w, style = n * unit, style_of(rng, 0.04)
    cells = [cell for column in columns(["open"] * n) for cell in _unit_cells(rng, unit, column)]
    t, y = rng.uniform(0.025, 0.045), 0.12 + h
    parts = [fitted(rng, style, w, h, d, cells).moved(y=0.12), board(w, 0.12, d - 0.1).moved(z=-0.05)]
    parts.append(board(w + 0.02, t, d + 0.05, y))
    if chance(rng, 0.5):
        parts.append(_tap(y + t).moved((whole(rng, 0, n - 1) + 0.5 - n / 2) * unit, 0, -0.2))
    if chance(rng, 0.6):
        upper = columns([pick(rng, "left", "right", "glass") for _ in range(n)])
        hung = fitted(rng, style, w, rng.uniform(0.5, 0.8), 0.34, upper)
        parts.append(hung.moved(0, y + rng.uniform(0.45, 0.6), 0.17 - d / 2))
    if chance(rng, 0.3):
        tall = fitted(rng, style, 0.6, rng.uniform(1.9, 2.2), d, rows(["left", "flap", "left"]))
        parts.append(tall.moved(w / 2 + 0.31))
    return join(*parts)


def _tap(y: float) -> Mesh:
    t = np.linspace(0, np.pi, 7)
    return tube(np.stack([0 * t, y + 0.2 + 0.08 * np.sin(t), 0.08 * (1 - np.cos(t))], axis=1), 0.012)


def _vitrine(rng: Rng) -> Mesh:
    size = (rng.uniform(0.4, 1.1), rng.uniform(1.3, 2.1), rng.uniform(0.32, 0.45))
    glass = [pick(rng, "glass", "bars")] * (2 if size[0] > 0.65 else 1)
    split = rng.uniform(0.2, 0.4) if chance(rng, 0.6) else 0.0
    cells = columns(glass, Cell(0, 1, split, 1, "open"))
    if split:
        cells += _unit_cells(rng, size[0], Cell(0, 1, 0, split, "open"))
    case = cased(rng, size, cells, *low_base(rng))
    return join(case, cornice(rng, size[0], size[2], float(case.vertices[:, 1].max()))) if chance(rng, 0.4) else case


def _filing(rng: Rng) -> Mesh:
    n = whole(rng, 2, 5)
    size = (
        rng.uniform(0.38, 0.55) if chance(rng, 0.7) else rng.uniform(0.75, 1.0),
        n * rng.uniform(0.27, 0.34),
        rng.uniform(0.45, 0.7),
    )
    style = replace(style_of(rng, 0.12), panel="flat", handle=pick(rng, "bar", "cup", "bow"))
    base = ("castors", 0.06) if n < 4 and chance(rng, 0.35) else ("plinth", 0.04)
    return cased(rng, size, rows(["drawer"] * n), *base, style=style)


def _lockers(rng: Rng) -> Mesh:
    n, tiers = whole(rng, 1, 5), whole(rng, 1, 3)
    size = (n * rng.uniform(0.28, 0.42), rng.uniform(1.6, 2.0), rng.uniform(0.38, 0.55))
    style = replace(style_of(rng, 0.1), panel=pick(rng, "flat", "flat", "framed"))
    case = cased(rng, size, grid("left", n, tiers), *low_base(rng), style=style)
    if chance(rng, 0.5):
        x = (np.arange(n) + 0.5 - n / 2) * size[0] / n
        z = size[2] / 2 + style.board
        vents = [(a - 0.08, a + 0.08, y, y + 0.01, z, z + 0.012) for a in x for y in (1.3, 1.34, 1.38, 1.42)]
        case = join(case, blocks(vents))
    return case


def _dresser_hutch(rng: Rng) -> Mesh:
    """A kitchen dresser: cupboards below, a shallower rack of shelves or glass above."""
    w, h, d, style = rng.uniform(0.9, 1.6), rng.uniform(0.75, 0.9), rng.uniform(0.4, 0.55), style_of(rng)
    n = whole(rng, 2, 3)
    lower = [c for column in columns(["open"] * n) for c in rows(["left", "drawer"], column, (3, 1))]
    parts = [fitted(rng, style, w, h, d, lower), board(w + 0.04, 0.03, d + 0.03, h)]
    high, deep, gap = rng.uniform(0.8, 1.2), rng.uniform(0.22, 0.34), rng.uniform(0, 0.3)
    upper = columns([pick(rng, "shelves", "glass", "bars") for _ in range(n)])
    rack = fitted(rng, style, 0.98 * w, high, deep, upper)
    parts += [
        rack.moved(0, h + 0.03 + gap, (deep - d) / 2),
        cornice(rng, w, deep, h + 0.03 + gap + high).moved(z=(deep - d) / 2),
    ]
    if gap:
        parts.append(block(-0.49 * w, 0.49 * w, h, h + 0.03 + gap, -d / 2, 0.02 - d / 2))
    base, lift = low_base(rng)
    return based(rng, join(*parts), w, d, base, lift)


def _apothecary(rng: Rng) -> Mesh:
    n, m = whole(rng, 3, 6), whole(rng, 3, 7)
    size = (n * rng.uniform(0.16, 0.28), m * rng.uniform(0.13, 0.2), rng.uniform(0.28, 0.45))
    style = replace(style_of(rng, 0.03), panel="flat", handle=pick(rng, "knob", "cup"))
    base = low_base(rng) if chance(rng, 0.5) else high_base(rng)
    return cased(rng, size, grid("drawer", n, m), *base, style=style)


def _corner_cabinet(rng: Rng) -> Mesh:
    """A five-sided case that fits a room's corner, its door across the front."""
    s, flank, h, t = rng.uniform(0.5, 0.9), rng.uniform(0.12, 0.3), rng.uniform(0.7, 2.1), 0.03
    plan = [(0.0, 0.0), (s, 0.0), (s, flank), (flank, s), (0.0, s)]
    case = extrude(plan, h).turned("x", 90).moved(y=h / 2).turned("y", -45)
    width, reach = float(np.sqrt(2) * (s - flank)), float((s + flank) / np.sqrt(2))
    style = style_of(rng)
    x = 0.46 * width
    levels = [0.03, h - 0.03] if h < 1.2 else [0.03, 0.4 * h, h - 0.03]
    sides = ((-x, 0.0, "left"), (0.0, x, "right")) if width > 0.6 else ((-x, x, "left"),)
    doors = [
        cupboard_door(style, a, b, y0, y1, hinge, style.panel, 0.0).moved(z=reach)
        for y0, y1 in pairwise(levels)
        for a, b, hinge in sides
    ]
    lid = extrude(plan, t).turned("x", 90).turned("y", -45).scaled(1.05, 1, 1.03).moved(y=h)
    return join(case, *doors, lid)


def _vanity(rng: Rng) -> Mesh:
    """A bathroom unit: cupboards under a basin, on the floor or hung."""
    w, h, d = rng.uniform(0.5, 1.3), rng.uniform(0.45, 0.8), rng.uniform(0.4, 0.55)
    style, y = style_of(rng), h + 0.03
    cells = [c for column in columns(["open"] * (1 if w < 0.9 else 2)) for c in _unit_cells(rng, w / 2, column)]
    parts = [fitted(rng, style, w, h, d, cells), board(w + 0.02, 0.03, d + 0.02, h)]
    bowl = [(0, 0), (0.12, 0.01), (0.19, 0.1), (0.2, 0.12), (0.175, 0.1), (0.1, 0.03), (0, 0.025)]
    parts += [lathe(bowl, 16).moved(y=y), _tap(y).moved(z=-0.42 * d)]
    if chance(rng, 0.5):
        parts.append(block(-0.45 * w, 0.45 * w, y + 0.35, y + 1.1, -d / 2, 0.02 - d / 2))
    base = ("none", 0.0) if chance(rng, 0.4) else pick_base(rng, low_base, high_base)
    return based(rng, join(*parts), w, d, *base)


def pick_base(rng: Rng, *kinds: Callable[[Rng], tuple[str, float]]) -> tuple[str, float]:
    return kinds[rng.randint(len(kinds))](rng)


def _sliding_cabinet(rng: Rng) -> Mesh:
    """Sliding or louvred doors: two overlapping leaves before a low or tall case."""
    w, h, d = rng.uniform(0.8, 1.8), rng.uniform(0.7, 1.9), rng.uniform(0.38, 0.5)
    style = style_of(rng)
    panel, t, over = pick(rng, "flat", "framed", "louvre", "glass"), style.board, rng.uniform(0.03, 0.3)
    case = fitted(rng, style, w, h, d, columns([pick(rng, "shelves", "open")] * 2))
    near, far = front(panel, w / 2 + over / 2, h - 0.06, t), front(panel, w / 2, h - 0.06, t)
    doors = join(far.moved(-w / 2, 0.03, d / 2), near.moved(-over / 2, 0.03, d / 2 + t))
    frame = blocks([(-w / 2, w / 2, y, y + 0.03, d / 2, d / 2 + 2 * t) for y in (0, h - 0.03)])
    return based(rng, join(case, doors, frame), w, d, *pick_base(rng, low_base, high_base))


_CABINETS: dict[str, Shape] = {
    "cupboard": _cupboard,
    "sideboard": _sideboard,
    "kitchen_base": _base_unit,
    "kitchen_wall": _wall_unit,
    "kitchen_run": _kitchen_run,
    "vitrine": _vitrine,
    "filing": _filing,
    "lockers": _lockers,
    "hutch": _dresser_hutch,
    "apothecary": _apothecary,
    "corner": _corner_cabinet,
    "vanity": _vanity,
    "sliding": _sliding_cabinet,
}


@category(
    "cabinet",
    synonyms=(
        "cupboard", "sideboard", "buffet cabinet", "kitchen cabinet", "wall cabinet", "base cabinet", "file cabinet",
        "filing cabinet", "display cabinet", "china cabinet", "glass cabinet", "storage cabinet", "locker", "credenza",
        "bathroom cabinet", "vanity unit", "kitchen unit", "apothecary cabinet", "corner cabinet", "hutch",
    ),
    variants=tuple(_CABINETS),
)  # fmt: skip
def cabinet(rng: Rng, variant: str) -> Mesh:
    return _CABINETS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Wardrobes


def wardrobe_size(rng: Rng, doors: int) -> tuple[float, float, float]:
    return doors * rng.uniform(0.42, 0.6), rng.uniform(1.75, 2.4), rng.uniform(0.5, 0.68)


def _hinged_wardrobe(rng: Rng) -> Mesh:
    n = whole(rng, 2, 5)
    style = style_of(rng, 0.06)
    kinds = [("left", "right")[i % 2] for i in range(n)]
    return cased(rng, wardrobe_size(rng, n), columns(kinds), *low_base(rng), style=style)


def _wardrobe_with_drawers(rng: Rng) -> Mesh:
    n, split = whole(rng, 2, 4), rng.uniform(0.15, 0.35)
    upper = columns([("left", "right")[i % 2] for i in range(n)], Cell(0, 1, split, 1, "open"))
    lower = [
        c
        for col in columns(["open"] * whole(rng, 1, n), Cell(0, 1, 0, split, "open"))
        for c in rows(["drawer"] * whole(rng, 1, 2), col)
    ]
    return cased(rng, wardrobe_size(rng, n), [*upper, *lower], *low_base(rng))


def _wardrobe_with_loft(rng: Rng) -> Mesh:
    """Doors with a second row of short cupboards over them."""
    n, split = whole(rng, 2, 4), rng.uniform(0.72, 0.85)
    kinds = [("left", "right")[i % 2] for i in range(n)]
    cells = columns(kinds, Cell(0, 1, 0, split, "open")) + columns(kinds, Cell(0, 1, split, 1, "open"))
    return cased(rng, wardrobe_size(rng, n), cells, *low_base(rng))


def _sliding_wardrobe(rng: Rng) -> Mesh:
    n = whole(rng, 2, 3)
    w, h, d = n * rng.uniform(0.65, 1.0), rng.uniform(1.9, 2.4), rng.uniform(0.55, 0.68)
    t, parts = 0.025, [board(w, h, d)]
    rails = int(rng.choice([1, 2, 3, 4]))
    for i in range(n):
        leaf = (
            framed_leaf(w / n + 0.03, h - 0.1, t, "recessed", 1, (1,) * rails, 0.04)
            if chance(rng, 0.8)
            else block(0, w / n, 0, h - 0.1, 0, t)
        )
        parts.append(leaf.moved((i / n - 0.5) * w, 0.06, d / 2 + 0.01 + (i % 2) * t))
    rim = [(-w / 2, w / 2, h - 0.05, h, d / 2, d / 2 + 0.08), (-w / 2, w / 2, 0, 0.06, d / 2, d / 2 + 0.08)]
    rim += [(s * w / 2 - 0.015, s * w / 2 + 0.015, 0, h, -d / 2, d / 2 + 0.08) for s in (-1, 1)]
    return join(*parts, blocks(rim))


def _open_wardrobe(rng: Rng) -> Mesh:
    """No doors, or doors ajar: hung clothes, shelves and drawers show."""
    n, style = whole(rng, 1, 3), style_of(rng)
    cells = []
    for column in columns(["open"] * n):
        kind = pick(rng, "rail", "rail_drawers", "shelves")
        inner = {"rail": ["rail", "open"], "rail_drawers": ["drawer", "drawer", "rail"], "shelves": ["shelves"]}[kind]
        weights = {"rail": (5, 1), "rail_drawers": (1, 1, 6), "shelves": None}[kind]
        cells += rows(inner, column, weights)
    w, h, d = n * rng.uniform(0.6, 1.0), rng.uniform(1.8, 2.4), rng.uniform(0.5, 0.62)
    case = fitted(rng, style, w, h, d, cells)
    if chance(rng, 0.5):
        angles = rng.uniform(20, 130, size=2)
        doors = [
            cupboard_door(style, a, b, 0, h, side, style.panel, angle).moved(z=d / 2)
            for (a, b, side), angle in zip(
                ((-w / 2, w / 2 / n - w / 2, "left"), (w / 2 - w / 2 / n, w / 2, "right")), angles, strict=True
            )
        ]
        case = join(case, *doors)
    return based(rng, case, w, d, *low_base(rng))


def _armoire(rng: Rng) -> Mesh:
    w, h, d, style = rng.uniform(0.9, 1.6), rng.uniform(1.7, 2.1), rng.uniform(0.5, 0.65), style_of(rng)
    style = replace(style, panel=pick(rng, "raised", "framed"), handle=pick(rng, "knob", "bow"))
    split = rng.uniform(0.12, 0.25) if chance(rng, 0.5) else 0.0
    cells = [Cell(0, 1, split, 1, "pair")] + ([Cell(0, 1, 0, split, "drawer")] if split else [])
    parts = [fitted(rng, style, w, h, d, cells), cornice(rng, w, d, h), board(w + 0.04, 0.06, d + 0.04)]
    if chance(rng, 0.4):
        x = np.linspace(-1, 1, 11)
        arch = [*zip(x * w / 2, 0.02 + 0.22 * (1 - x**2), strict=True)]
        parts.append(extrude([(-w / 2, 0), *arch[1:-1], (w / 2, 0)], 0.05).moved(0, h + 0.05, d / 2 - 0.02))
    return based(rng, join(*parts), w, d, pick(rng, "bun", "cabriole", "square", "turned"), rng.uniform(0.06, 0.16))


def _three_part_wardrobe(rng: Rng) -> Mesh:
    """Three parts, the middle one with drawers below a mirror or shelves."""
    size = wardrobe_size(rng, 3)
    left, middle, right = columns(["left", "open", "right"], weights=(1, rng.uniform(0.8, 1.4), 1))
    inner = rows(["drawer", "drawer", pick(rng, "glass", "shelves", "left")], middle, (1, 1, rng.uniform(3, 6)))
    return cased(rng, size, [left, *inner, right], *low_base(rng))


def _garment_rack(rng: Rng) -> Mesh:
    """An open frame with a rail, a shelf or two below, and clothes."""
    w, h, d, r = rng.uniform(0.8, 1.6), rng.uniform(1.5, 2.0), rng.uniform(0.4, 0.55), rng.uniform(0.01, 0.018)
    side = join(*[rod((w / 2, 0, s * d / 2), (w / 2, h, s * rng.uniform(0.02, 0.5) * d), r) for s in (-1, 1)])
    shelves = blocks([(-w / 2, w / 2, y, y + 0.018, -d / 2, d / 2) for y in (0.12, 0.4)[: whole(rng, 1, 2)]])
    parts = [both(side), shelves, *clothes(rng, -w / 2, w / 2, h - 0.04, d, h - 0.5)]
    if chance(rng, 0.6):
        parts.append(board(w, 0.018, d, h))
    return join(*parts)


def _corner_wardrobe(rng: Rng) -> Mesh:
    h, d, style = rng.uniform(1.9, 2.3), rng.uniform(0.52, 0.62), style_of(rng)
    long, short = rng.uniform(1.2, 2.0), rng.uniform(0.8, 1.4)
    one = fitted(rng, style, long, h, d, columns(["left", "right", "left"]))
    other = fitted(rng, style, short, h, d, columns(["left", "right"])).turned("y", 90)
    return join(one, other.moved(-long / 2 + d / 2, 0, d / 2 + short / 2))


_WARDROBES: dict[str, Shape] = {
    "hinged": _hinged_wardrobe,
    "with_drawers": _wardrobe_with_drawers,
    "with_loft": _wardrobe_with_loft,
    "sliding": _sliding_wardrobe,
    "open": _open_wardrobe,
    "armoire": _armoire,
    "three_part": _three_part_wardrobe,
    "garment_rack": _garment_rack,
    "corner": _corner_wardrobe,
}


@category(
    "wardrobe",
    synonyms=(
        "armoire", "closet", "clothes closet", "built-in closet", "sliding wardrobe", "walk-in closet",
        "clothes cupboard", "mirror wardrobe", "garment cabinet", "clothes press", "bedroom wardrobe",
        "wardrobe closet", "garment rack",
    ),
    variants=tuple(_WARDROBES),
)  # fmt: skip
def wardrobe(rng: Rng, variant: str) -> Mesh:
    return _WARDROBES[variant](rng)


# ---------------------------------------------------------------------------------------------
# Dressers and night stands


def drawer_rows(rng: Rng, up: int, within: Cell = WHOLE) -> list[Cell]:
    """Rows of drawers that often grow taller downwards, the upper ones sometimes split in two."""
    weights = np.linspace(rng.uniform(1.0, 1.8), 1.0, up).tolist()
    cells = rows(["drawer"] * up, within, weights)
    return cells if chance(rng, 0.6) else [*cells[:-1], *columns(["drawer"] * whole(rng, 2, 3), cells[-1])]


def _chest(rng: Rng) -> Mesh:
    size = (rng.uniform(0.6, 1.1), rng.uniform(0.7, 1.15), rng.uniform(0.38, 0.52))
    return cased(rng, size, drawer_rows(rng, whole(rng, 3, 5)), *pick_base(rng, low_base, low_base, high_base))


def _wide_dresser(rng: Rng) -> Mesh:
    size = (rng.uniform(1.2, 1.9), rng.uniform(0.65, 0.95), rng.uniform(0.4, 0.55))
    cells = grid("drawer", whole(rng, 2, 3), whole(rng, 2, 4))
    return cased(rng, size, cells, *pick_base(rng, low_base, high_base))


def _tallboy(rng: Rng) -> Mesh:
    size = (rng.uniform(0.4, 0.75), rng.uniform(1.1, 1.5), rng.uniform(0.36, 0.5))
    return cased(rng, size, drawer_rows(rng, whole(rng, 5, 7)), *low_base(rng))


def _bow_front(rng: Rng) -> Mesh:
    """A chest whose front swells forward."""
    w, h, d, bow = rng.uniform(0.7, 1.2), rng.uniform(0.7, 0.95), rng.uniform(0.35, 0.45), rng.uniform(0.06, 0.16)
    n, style = whole(rng, 3, 4), style_of(rng)
    x = np.linspace(-w / 2, w / 2, 11)
    swell = d / 2 + bow * np.cos(np.pi * x / w)
    plan = [(-w / 2, -d / 2), (w / 2, -d / 2), *zip(x[::-1], swell[::-1], strict=True)]
    case = extrude(plan, h).turned("x", 90).moved(y=h / 2)
    lid = extrude(plan, 0.03).turned("x", 90).scaled(1.04, 1, 1.04).moved(y=h + 0.015)
    edges = np.linspace(0.02, h, n + 1)
    inner = [(0.92 * a, 1.0 * b) for a, b in zip(x, swell, strict=True)]
    face = [(-0.46 * w, 0.0), (0.46 * w, 0.0), *((a, b + 0.018) for a, b in inner[::-1])]
    drawers = [extrude(face, b - a - 0.02).turned("x", 90).moved(y=(a + b) / 2) for a, b in pairwise(edges)]
    grips = [g.moved(s * 0.22 * w, (a + b) / 2, d / 2 + 0.77 * bow + 0.018)
             for a, b in pairwise(edges) for s in (-1, 1) for g in handle(style.handle, 0.1)]  # fmt: skip
    return based(
        rng,
        join(case, lid, *drawers, *grips),
        w,
        d,
        pick(rng, "bun", "cabriole", "square", "tapered"),
        rng.uniform(0.08, 0.2),
    )


def _mirror_dresser(rng: Rng) -> Mesh:
    """A dressing table or chest with a mirror on its back edge."""
    w, d = rng.uniform(0.9, 1.6), rng.uniform(0.4, 0.5)
    if chance(rng, 0.5):
        h = rng.uniform(0.7, 0.9)
        body = cased(rng, (w, h, d), grid("drawer", whole(rng, 2, 3), whole(rng, 2, 4)), *low_base(rng))
    else:
        style, pw, h = style_of(rng), 0.28 * w, rng.uniform(0.65, 0.72)
        unit = fitted(rng, style, pw, h, d, rows(["drawer"] * whole(rng, 2, 4)))
        body = join(board(w, 0.03, d, h), *[unit.moved(s * (w - pw) / 2) for s in (-1, 1)])
        body = join(body, fitted(rng, style, w - 2 * pw, 0.1, 0.9 * d, columns(["drawer"])).moved(y=h - 0.1))
    y = float(body.vertices[:, 1].max())
    mw, mh = rng.uniform(0.4, 0.85) * w, rng.uniform(0.5, 0.9)
    glass = (
        extrude(outline(pick(rng, "round", "rounded", "octagon"), mw, mh), 0.025)
        if chance(rng, 0.6)
        else framed_leaf(mw, mh, 0.03, "glass").moved(-mw / 2, -mh / 2)
    )
    posts = blocks([(s * mw / 2 - 0.015, s * mw / 2 + 0.015, y, y + 0.7 * mh, -d / 2, 0.03 - d / 2) for s in (-1, 1)])
    return join(body, posts, glass.turned("x", rng.uniform(-8, 4)).moved(0, y + mh / 2 + 0.05, 0.03 - d / 2))


def _combo_dresser(rng: Rng) -> Mesh:
    """Drawers beside or between doors."""
    size = (rng.uniform(0.9, 1.6), rng.uniform(0.75, 1.2), rng.uniform(0.38, 0.5))
    kinds = [pick(rng, "drawers", "door") for _ in range(whole(rng, 1, 2))] + ["drawers"]
    cells = []
    for column, kind in zip(columns(kinds), kinds, strict=True):
        cells += (
            rows(["drawer"] * whole(rng, 3, 5), column)
            if kind == "drawers"
            else rows(["left", "drawer"], column, (3, 1))
        )
    return cased(rng, size, cells, *pick_base(rng, low_base, high_base))


def _pulled_dresser(rng: Rng) -> Mesh:
    size = (rng.uniform(0.6, 1.3), rng.uniform(0.7, 1.2), rng.uniform(0.38, 0.5))
    cells = drawer_rows(rng, whole(rng, 3, 5)) if size[0] < 1 else grid("drawer", 2, whole(rng, 3, 4))
    return cased(rng, size, cells, *low_base(rng), style=style_of(rng, 0.4))


def _changing_dresser(rng: Rng) -> Mesh:
    """A chest with a rimmed tray on top, as nurseries have it."""
    w, h, d = rng.uniform(0.8, 1.2), rng.uniform(0.8, 0.95), rng.uniform(0.5, 0.7)
    chest = cased(rng, (w, h, d), drawer_rows(rng, whole(rng, 3, 4)), *low_base(rng))
    y = float(chest.vertices[:, 1].max())
    x, z, rim = w / 2, d / 2, rng.uniform(0.08, 0.15)
    return join(
        chest,
        blocks(
            [(-x, 0.02 - x, y, y + rim, -z, z), (x - 0.02, x, y, y + rim, -z, z), (-x, x, y, y + rim, -z, 0.02 - z)]
        ),
    )


_DRESSERS: dict[str, Shape] = {
    "chest": _chest,
    "wide": _wide_dresser,
    "tallboy": _tallboy,
    "bow_front": _bow_front,
    "mirror": _mirror_dresser,
    "combo": _combo_dresser,
    "pulled_out": _pulled_dresser,
    "changing_top": _changing_dresser,
}


@category(
    "dresser",
    synonyms=(
        "chest of drawers", "bureau chest", "tallboy", "lowboy", "highboy", "drawer chest", "dressing table", "drawers",
        "vanity dresser", "dresser with mirror", "double dresser", "lingerie chest", "bedroom dresser",
        "changing table",
    ),
    variants=tuple(_DRESSERS),
)  # fmt: skip
def dresser(rng: Rng, variant: str) -> Mesh:
    return _DRESSERS[variant](rng)


def stand_size(rng: Rng) -> tuple[float, float, float]:
    return rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.62), rng.uniform(0.32, 0.48)


def _night_drawers(rng: Rng) -> Mesh:
    return cased(rng, stand_size(rng), rows(["drawer"] * whole(rng, 2, 3)), *low_base(rng))


def _night_legs(rng: Rng) -> Mesh:
    w, h, d = stand_size(rng)
    return cased(rng, (w, rng.uniform(0.35, 0.6) * h, d), rows(["drawer"] * whole(rng, 1, 2)), *high_base(rng))


def _night_open(rng: Rng) -> Mesh:
    cells = rows(["open", pick(rng, "drawer", "drawer", "open")], weights=(rng.uniform(0.8, 2.5), 1))
    return cased(rng, stand_size(rng), cells, *pick_base(rng, low_base, high_base))


def _night_door(rng: Rng) -> Mesh:
    kinds, weights = (["left", "drawer"], (2, 1)) if chance(rng, 0.6) else (["right", "open"], (2, 1))
    return cased(rng, stand_size(rng), rows(kinds, weights=weights), *low_base(rng), style=style_of(rng, 0.15))


def _night_table(rng: Rng) -> Mesh:
    """Four long legs, a drawer under the top and a board near the floor."""
    w, h, d = stand_size(rng)
    kind, tall = pick(rng, "square", "tapered", "turned", "round"), rng.uniform(0.1, 0.18)
    parts = [board(w + 0.03, 0.02, d + 0.03, h), legs(kind, w, d, h, rng.uniform(0.014, 0.022))]
    parts.append(fitted(rng, style_of(rng), 0.92 * w, tall, 0.92 * d, columns(["drawer"])).moved(y=h - tall))
    if chance(rng, 0.7):
        parts.append(board(0.92 * w, 0.018, 0.92 * d, rng.uniform(0.08, 0.2)))
    return join(*parts)


def _night_round(rng: Rng) -> Mesh:
    """A drum with a door or drawers let into its front."""
    r, h = rng.uniform(0.18, 0.27), rng.uniform(0.4, 0.6)
    case = lathe([(0, 0), (r, 0), (r, h), (1.05 * r, h), (1.05 * r, h + 0.02), (0, h + 0.02)], 24)
    n = whole(rng, 1, 3)
    edges = np.linspace(0.04, h - 0.02, n + 1)
    a = np.radians(np.linspace(35, 145, 9))
    face = [((r + 0.012) * np.cos(t), (r + 0.012) * np.sin(t)) for t in a]
    fronts = [extrude(face, q - p - 0.015).turned("x", 90).moved(y=(p + q) / 2) for p, q in pairwise(edges)]
    grips = [g.moved(0, (p + q) / 2, r + 0.012) for p, q in pairwise(edges) for g in handle("knob", 0.1)]
    return based(
        rng,
        join(case, *fronts, *grips),
        1.3 * r,
        1.3 * r,
        pick(rng, "none", "round", "tapered", "splayed"),
        rng.uniform(0.05, 0.2),
    )


def _night_hung(rng: Rng) -> Mesh:
    """A shallow box for the wall, with drawer, open slot or a back panel."""
    w, h, d = rng.uniform(0.35, 0.55), rng.uniform(0.14, 0.32), rng.uniform(0.28, 0.4)
    kinds = [["drawer"], ["drawer", "open"], ["open"]][rng.randint(3)]
    body = fitted(rng, style_of(rng, 0.2), w, h, d, rows(kinds))
    return (
        join(body, block(-w / 2, w / 2, 0, rng.uniform(0.4, 0.7), -d / 2 - 0.02, -d / 2)) if chance(rng, 0.3) else body
    )


_NIGHT_STANDS: dict[str, Shape] = {
    "drawers": _night_drawers,
    "on_legs": _night_legs,
    "open_shelf": _night_open,
    "door": _night_door,
    "table": _night_table,
    "round": _night_round,
    "hung": _night_hung,
}


@category(
    "night stand",
    synonyms=(
        "nightstand", "bedside table", "night table", "bedside cabinet", "bedside chest", "bedside stand",
        "bedside shelf", "bedside drawers", "bedside locker", "floating nightstand", "bedside unit",
    ),
    variants=tuple(_NIGHT_STANDS),
)  # fmt: skip
def night_stand(rng: Rng, variant: str) -> Mesh:
    return _NIGHT_STANDS[variant](rng)


# ---------------------------------------------------------------------------------------------
# TV stands


def tv_size(rng: Rng) -> tuple[float, float, float]:
    return rng.uniform(1.0, 2.4), rng.uniform(0.28, 0.6), rng.uniform(0.35, 0.52)


def _lowboard(rng: Rng) -> Mesh:
    cells = []
    for column in columns(["open"] * whole(rng, 2, 4)):
        kinds = [["drawer"], ["drawer", "open"], ["flap"], ["left"], ["drawer", "drawer"]][rng.randint(5)]
        cells += rows(kinds, column)
    return cased(rng, tv_size(rng), cells, *pick_base(rng, low_base, high_base))


def _tv_open(rng: Rng) -> Mesh:
    cells = grid("open", whole(rng, 1, 3), whole(rng, 1, 2))
    w, h, d = tv_size(rng)
    case = fitted(rng, style_of(rng), w, h, d, cells, back=chance(rng, 0.6))
    return based(rng, case, w, d, *pick_base(rng, low_base, high_base))


def _tv_flanked(rng: Rng) -> Mesh:
    """Doors at both ends, open compartments for the players between them."""
    left, middle, right = columns([pick(rng, "left", "glass"), "open", "right"], weights=(1, rng.uniform(1, 2), 1))
    right = replace(right, kind="glass" if left.kind == "glass" else "right")
    return cased(rng, tv_size(rng), [left, *grid("open", 1, 2, middle), right], *low_base(rng))


def _tv_tiers(rng: Rng) -> Mesh:
    """Glass or wooden tiers on posts."""
    w, h, d = rng.uniform(0.8, 1.5), rng.uniform(0.4, 0.6), rng.uniform(0.38, 0.5)
    t, n = rng.uniform(0.008, 0.025), whole(rng, 2, 3)
    levels = np.linspace(0.06, h, n)
    plan = pick(rng, "rectangle", "boat", "rounded")
    parts = [top(plan, w * (1 - 0.08 * (n - 1 - i)), t, d, y) for i, y in enumerate(levels)]
    parts.append(legs(pick(rng, "round", "square"), 0.84 * w, 0.75 * d, h, rng.uniform(0.018, 0.035)))
    if chance(rng, 0.35):
        parts.append(block(-0.06, 0.06, 0, rng.uniform(1.0, 1.4), -d / 2, 0.04 - d / 2))
    return join(*parts)


def _media_wall(rng: Rng) -> Mesh:
    """An entertainment centre: low unit, towers or bridge round the place of the screen."""
    w, h, d, style = rng.uniform(1.8, 3.0), rng.uniform(0.4, 0.55), rng.uniform(0.4, 0.5), style_of(rng)
    tw, th = rng.uniform(0.35, 0.5), rng.uniform(1.5, 2.1)
    low = fitted(rng, style, w, h, d, columns([pick(rng, "drawer", "open", "left") for _ in range(whole(rng, 2, 4))]))
    tower = fitted(
        rng, style, tw, th, 0.9 * d, rows([pick(rng, "left", "drawer"), pick(rng, "shelves", "glass")], weights=(1, 2))
    )
    parts = [low, tower.moved((w + tw) / 2), tower.moved(-(w + tw) / 2)]
    if chance(rng, 0.6):
        parts.append(fitted(rng, style, w, 0.28, 0.8 * d, columns(["open"] * 3)).moved(y=th - 0.28))
    if chance(rng, 0.3):
        parts.pop(2)
    return join(*parts)


def _tv_hung(rng: Rng) -> Mesh:
    w, h, d = rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.42)
    cells = columns([pick(rng, "flap", "open") for _ in range(whole(rng, 2, 4))])
    unit = fitted(rng, replace(style_of(rng), handle="none"), w, h, d, cells)
    panel = block(-0.35 * w, 0.35 * w, 0, rng.uniform(1.0, 1.5), -d / 2 - 0.025, -d / 2)
    return join(unit, panel) if chance(rng, 0.4) else unit


def _tv_corner(rng: Rng) -> Mesh:
    """A plan that narrows backwards, for the corner of a room."""
    w, h, d, t = rng.uniform(0.9, 1.4), rng.uniform(0.42, 0.6), rng.uniform(0.42, 0.55), 0.025
    back = rng.uniform(0.35, 0.6) * w
    plan = [
        (-w / 2, d / 2),
        (-w / 2, 0.15 * d),
        (-back / 2, -d / 2),
        (back / 2, -d / 2),
        (w / 2, 0.15 * d),
        (w / 2, d / 2),
    ]
    plate = extrude(plan, t).turned("x", 90)
    parts = [plate.moved(y=y) for y in np.linspace(0.06, h, whole(rng, 2, 3))]
    walls: Rows = [(s * w / 2 - t / 2, s * w / 2 + t / 2, 0, h, 0.15 * d, d / 2) for s in (-1, 1)]
    walls.append((-back / 2, back / 2, 0, h, -d / 2, t - d / 2))
    if chance(rng, 0.5):
        walls.append((-t / 2, t / 2, 0.06, h, -0.4 * d, 0.45 * d))
    return join(*parts, blocks(walls))


_TV_STANDS: dict[str, Shape] = {
    "lowboard": _lowboard,
    "open": _tv_open,
    "flanked": _tv_flanked,
    "tiers": _tv_tiers,
    "media_wall": _media_wall,
    "hung": _tv_hung,
    "corner": _tv_corner,
}


@category(
    "tv stand",
    synonyms=(
        "television stand", "tv unit", "tv cabinet", "tv table", "media console", "entertainment center", "lowboard",
        "tv bench", "media unit", "tv console", "media stand", "tv rack", "entertainment unit",
    ),
    variants=tuple(_TV_STANDS),
)  # fmt: skip
def tv_stand(rng: Rng, variant: str) -> Mesh:
    return _TV_STANDS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Doors


def door_size(rng: Rng) -> tuple[float, float, float]:
    """Width, height and thickness of one leaf."""
    return rng.uniform(0.65, 1.05), rng.uniform(1.9, 2.3), rng.uniform(0.03, 0.06)


def door_frame(rng: Rng, width: float, height: float, depth: float, sill: bool = False) -> Mesh:
    """Jambs and lintel round an opening centred in x; some with architraves or a piece of wall."""
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


def lever(rng: Rng, thickness: float) -> Mesh:
    """Door furniture on both faces of a leaf that fills z = 0..thickness; levers point towards -x."""
    kind = pick(rng, "lever", "lever", "knob", "pull")
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


def door_leaf(rng: Rng, kind: str, width: float, height: float, t: float) -> Mesh:
    """A leaf from its hinge at the origin along +x, z = 0..t, without its handle.

    Kinds: flush, panelled, glass, half_glass, lattice, louvre, planks.
    """
    if kind == "panelled":
        across, up = (
            whole(rng, 1, 2),
            [(1,), (1, 1), (1.4, 1), (1, 1.2, 0.5), (1, 0.4, 1), (1, 1, 1, 1)][rng.randint(6)],
        )
        return framed_leaf(width, height, t, pick(rng, "recessed", "raised"), across, up, rng.uniform(0.08, 0.14))
    if kind == "glass":
        return framed_leaf(width, height, t, "glass", 1, (1,), rng.uniform(0.04, 0.14))
    if kind == "lattice":
        return framed_leaf(
            width, height, t, "glass", whole(rng, 2, 3), (1,) * whole(rng, 3, 6), rng.uniform(0.03, 0.06)
        )
    if kind == "louvre":
        return framed_leaf(width, height, t, "louvre", 1, (1,) * whole(rng, 1, 3), rng.uniform(0.06, 0.1))
    if kind == "half_glass":
        split = rng.uniform(0.35, 0.6) * height
        lower = framed_leaf(width, split, t, pick(rng, "recessed", "raised"), whole(rng, 1, 2), (1,), 0.1)
        return join(
            lower,
            framed_leaf(width, height - split, t, "glass", whole(rng, 1, 2), (1,) * whole(rng, 1, 3), 0.07).moved(
                y=split
            ),
        )
    if kind == "planks":
        return plank_leaf(rng, width, height, t)
    window = chance(rng, 0.2)
    if window:
        a, b = 0.6 * height, 0.85 * height
        lo, hi = width * 0.3, width * 0.7
        return blocks(
            [
                (0, width, 0, a, 0, t),
                (0, width, b, height, 0, t),
                (0, lo, a, b, 0, t),
                (hi, width, a, b, 0, t),
                (lo, hi, a, b, 0.4 * t, 0.6 * t),
            ]
        )
    return block(0, width, 0, height, 0, t)


def plank_leaf(rng: Rng, width: float, height: float, t: float) -> Mesh:
    """Upright boards held by ledges and sometimes a diagonal brace."""
    edges = np.linspace(0, width, whole(rng, 4, 8) + 1)
    parts = [blocks([(a + 0.003, b - 0.003, 0, height, 0, t) for a, b in pairwise(edges)])]
    parts.append(blocks([(0, width, y * height, y * height + 0.12, t, 1.8 * t) for y in (0.05, 0.48, 0.88)]))
    for low in (0.1, 0.53) if chance(rng, 0.6) else ():
        rise = 0.38 * height
        brace = box(float(np.hypot(width, rise)), 0.1, 0.8 * t).turned("z", np.degrees(np.arctan2(rise, width)))
        parts.append(brace.scaled(0.92, 0.92, 1).moved(width / 2, low * height + rise / 2, 1.4 * t))
    return join(*parts)


def hung_leaf(rng: Rng, kind: str, width: float, height: float, t: float, angle: float) -> Mesh:
    """A leaf with handle, swung out by `angle` degrees about its hinge at the origin."""
    leaf = door_leaf(rng, kind, width, height, t)
    grip = lever(rng, t).moved(width - 0.06, rng.uniform(0.95, 1.08))
    return join(leaf, grip).turned("y", -angle)


def single_door(rng: Rng, kind: str) -> Mesh:
    """One leaf, mostly in its frame, shut or ajar, hung left or right."""
    w, h, t = door_size(rng)
    angle = rng.uniform(5, 100) if chance(rng, 0.25) else 0.0
    door = hung_leaf(rng, kind, w, h, t, angle).moved(-w / 2)
    if chance(rng, 0.65):
        depth = rng.uniform(0.06, 0.22)
        door = join(door.moved(z=depth / 2 - t), door_frame(rng, w + 0.008, h + 0.004, depth))
    return door.mirrored("x") if chance(rng, 0.5) else door


def _leaf_shape(kind: str) -> Shape:
    return lambda rng: single_door(rng, kind)


def _ajar_door(rng: Rng) -> Mesh:
    w, h, t = door_size(rng)
    depth = rng.uniform(0.08, 0.25)
    leaf = hung_leaf(rng, pick(rng, "flush", "panelled", "glass", "half_glass"), w, h, t, rng.uniform(20, 110))
    door = join(leaf.moved(-w / 2, 0, depth / 2), door_frame(rng, w, h, depth, sill=chance(rng, 0.4)))
    return door.mirrored("x") if chance(rng, 0.5) else door


def _double_door(rng: Rng) -> Mesh:
    w, h, t = door_size(rng)
    kind, seed = pick(rng, "flush", "panelled", "glass", "lattice", "half_glass", "planks"), rng.randint(2**31)
    angles = rng.uniform(10, 100, size=2) * (rng.uniform(size=2) < 0.25)
    # both leaves draw on one seed, so that they match
    left, right = (hung_leaf(Rng(seed), kind, w, h, t, angle) for angle in angles)
    depth = rng.uniform(0.06, 0.2)
    leaves = join(left.moved(-w), right.mirrored("x").moved(w)).moved(z=depth / 2 - t)
    parts = [leaves]
    if chance(rng, 0.75):
        parts.append(door_frame(rng, 2 * w + 0.01, h, depth))
    if chance(rng, 0.25):
        parts.append(
            framed_leaf(2 * w, rng.uniform(0.3, 0.5), t, "glass", whole(rng, 2, 4), (1,), 0.05).moved(-w, h + 0.05)
        )
    return join(*parts)


def _entrance_door(rng: Rng) -> Mesh:
    """A front door with side lights, fan light and a step."""
    w, h, t = door_size(rng)
    parts = [hung_leaf(rng, pick(rng, "panelled", "half_glass", "flush"), w, h, t, 0).moved(-w / 2, 0, 0.02)]
    parts.append(door_frame(rng, w, h, 0.12))
    side = rng.uniform(0.25, 0.5)
    for s in (-1, 1) if chance(rng, 0.5) else (1,):
        light = framed_leaf(side, h, 0.06, "glass", 1, (1,) * whole(rng, 1, 3), 0.05)
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
        parts.append(board(w + 0.4, 0.12, 0.5, -0.12).moved(z=0.15))
    return join(*parts)


def _arched_door(rng: Rng) -> Mesh:
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


def _patio_door(rng: Rng) -> Mesh:
    """Glazed leaves that slide past each other in one frame."""
    n, w, h, t = whole(rng, 2, 4), rng.uniform(0.7, 1.2), rng.uniform(1.95, 2.4), 0.04
    leaf = framed_leaf(w + 0.05, h, t, "glass", 1, (1,) * whole(rng, 1, 2), rng.uniform(0.04, 0.1))
    slid = rng.uniform(0, 0.8) * w if chance(rng, 0.4) else 0.0
    leaves = [leaf.moved((i - n / 2) * w - (slid if i == n - 1 else 0), 0, (i % 2) * 1.2 * t - t) for i in range(n)]
    return join(*leaves, door_frame(rng, n * w + 0.06, h, 0.14, sill=True))


def _barn_door(rng: Rng) -> Mesh:
    """A leaf hung from rollers on a rail before the wall."""
    w, h, t = door_size(rng)
    leaf = door_leaf(rng, pick(rng, "planks", "planks", "panelled", "flush", "glass"), w, h, t).moved(-w / 2)
    r, y = 0.05, h + 0.12
    wheel = cylinder(r, 0.03, segments=10).turned("x", 90).moved(y=y + r, z=t / 2)
    strap = block(-0.02, 0.02, h - 0.15, y + r, t, t + 0.012)
    hangers = [join(wheel, strap).moved(s * 0.32 * w) for s in (-1, 1)]
    rail = block(-0.55 * w, rng.uniform(1.2, 1.5) * w, y - 0.04, y, t / 2 - 0.01, t / 2 + 0.01)
    parts = [leaf, *hangers, rail, lever(rng, t).moved(-0.4 * w, 1.0)]
    if chance(rng, 0.35):
        parts.append(door_frame(rng, 0.9 * w, h, 0.1).moved(0.0 if chance(rng, 0.5) else w, 0, -0.07))
    return join(*parts)


def _folding_door(rng: Rng) -> Mesh:
    """Two to six narrow leaves folded like a screen."""
    n, w, h, t = 2 * whole(rng, 1, 3), rng.uniform(0.3, 0.6), rng.uniform(1.9, 2.3), rng.uniform(0.02, 0.04)
    angle = rng.uniform(8, 75)
    kind, seed = pick(rng, "louvre", "glass", "panelled", "flush"), rng.randint(2**31)
    leaf = door_leaf(Rng(seed), kind, w, h, t)
    step = float(w * np.cos(np.radians(angle)))
    out, back = leaf.turned("y", -angle), leaf.turned("y", angle).moved(z=float(w * np.sin(np.radians(angle))))
    parts = [(back if i % 2 else out).moved((i - n / 2) * step) for i in range(n)]
    if chance(rng, 0.6):
        parts.append(door_frame(rng, n * w, h + 0.02, 0.1).moved((w - step) * n / 2))
    return join(*parts)


def _stable_door(rng: Rng) -> Mesh:
    """Two halves, one over the other; the upper may stand open."""
    w, h, t = door_size(rng)
    split = rng.uniform(0.45, 0.55) * h
    kind = pick(rng, "planks", "panelled", "flush")
    lower = join(door_leaf(rng, kind, w, split, t), lever(rng, t).moved(w - 0.06, 0.85 * split))
    upper = door_leaf(rng, pick(rng, kind, "glass", "lattice"), w, h - split - 0.01, t)
    angle = rng.uniform(15, 110) if chance(rng, 0.5) else 0.0
    leaves = join(lower, upper.turned("y", -angle).moved(y=split + 0.01)).moved(-w / 2, 0, 0.02)
    return join(leaves, door_frame(rng, w + 0.01, h, 0.1)) if chance(rng, 0.7) else leaves


def _garage_door(rng: Rng) -> Mesh:
    """A wide sectional door of panels, with a row of windows sometimes."""
    w, h, t = rng.uniform(2.2, 4.8), rng.uniform(1.95, 2.4), rng.uniform(0.04, 0.06)
    n, m = whole(rng, 4, 5), whole(rng, 3, 8)
    glazed = chance(rng, 0.4)
    filled = framed_leaf(w, h / n - 0.008, t, "raised", m, (1,), 0.06)
    glass = framed_leaf(w, h / n - 0.008, t, "glass", m, (1,), 0.06)
    leaf = join(*[(glass if glazed and i == n - 1 else filled).moved(-w / 2, i * h / n) for i in range(n)])
    return join(leaf, door_frame(rng, w, h, 0.15)) if chance(rng, 0.6) else leaf


def _revolving_door(rng: Rng) -> Mesh:
    r, h, turn = rng.uniform(0.9, 1.4), rng.uniform(2.1, 2.5), rng.uniform(0, 90)
    wing = framed_leaf(r - 0.08, h, 0.04, "glass", 1, (1,), 0.06)
    wings = [wing.turned("y", turn + 90 * i) for i in range(whole(rng, 3, 4))]
    a = np.radians(np.linspace(-50, 50, 10))
    arc = sheet(
        lambda u, v: np.stack([r * np.cos(a[0] + u * 1.75), h * v, r * np.sin(a[0] + u * 1.75)], axis=-1), 10, 2
    )
    drum = cylinder(r + 0.04, rng.uniform(0.1, 0.3), segments=24)
    return join(*wings, arc, arc.mirrored("x"), drum.moved(y=h + 0.1), cylinder(0.04, h, segments=8).moved(y=h / 2))


_DOORS: dict[str, Shape] = {
    "flush": _leaf_shape("flush"),
    "panelled": _leaf_shape("panelled"),
    "glass": _leaf_shape("glass"),
    "half_glass": _leaf_shape("half_glass"),
    "lattice": _leaf_shape("lattice"),
    "louvred": _leaf_shape("louvre"),
    "planks": _leaf_shape("planks"),
    "ajar": _ajar_door,
    "double": _double_door,
    "entrance": _entrance_door,
    "arched": _arched_door,
    "patio": _patio_door,
    "barn": _barn_door,
    "folding": _folding_door,
    "stable": _stable_door,
    "garage": _garage_door,
    "revolving": _revolving_door,
}


@category(
    "door",
    synonyms=(
        "front door", "entrance door", "interior door", "room door", "double door", "sliding door", "glass door",
        "french door", "patio door", "barn door", "folding door", "bifold door", "louvered door", "garage door",
        "dutch door", "stable door", "revolving door", "door with frame", "panel door", "doorway",
    ),
    variants=tuple(_DOORS),
)  # fmt: skip
def door(rng: Rng, variant: str) -> Mesh:
    return _DOORS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Curtains


def drape(rng: Rng, width: float, height: float, waist: float = 1.0, waist_y: float = 0.4) -> Mesh:
    """Hanging cloth from y = 0 to `height`, centred in x, in folds that deepen downwards.

    `waist` below 1 gathers it at the fraction `waist_y` of its height, as a tie does.
    """
    folds = max(3, int(width / rng.uniform(0.07, 0.16)))
    amplitude, phase, sway = rng.uniform(0.02, 0.06), rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        gather = 1 - (1 - waist) * np.exp(-(((u - waist_y) / 0.22) ** 2))
        wave = 2 * np.pi * folds * v + phase + sway * np.sin(3 * u)
        z = amplitude * np.sin(wave) * (0.6 + 0.6 * (1 - u)) + 0.02 * np.sin(7 * v + 4 * u)
        return np.stack([(v - 0.5) * width * gather, u * height, z], axis=-1)

    return sheet(surface, rows=10 if waist < 1 else 6, columns=min(6 * folds + 1, 140))


def curtain_rod(rng: Rng, width: float, y: float) -> list[Mesh]:
    """A pole with finials and rings, or a flat rail; sometimes nothing."""
    kind = pick(rng, "pole", "pole", "rail", "none")
    if kind == "none":
        return []
    x, r = width / 2 + rng.uniform(0.03, 0.15), rng.uniform(0.008, 0.02)
    if kind == "rail":
        return [block(-x, x, y, y + 0.03, -0.03, 0.03)]
    finial = (
        ellipsoid(4 * r, 4 * r, 4 * r, segments=8)
        if chance(rng, 0.6)
        else cylinder(1.8 * r, 2 * r, segments=8).turned("z", 90)
    )
    brackets = blocks([(s * 0.9 * x - 0.01, s * 0.9 * x + 0.01, y, y + 0.02, -0.12, 0.0) for s in (-1, 1)])
    return [rod((-x, y + r, 0), (x, y + r, 0), r), both(finial.moved(x, y + r)), brackets]


def curtain_size(rng: Rng) -> tuple[float, float]:
    return rng.uniform(1.0, 2.8), rng.uniform(1.2, 2.6)


def _curtain_pair(rng: Rng) -> Mesh:
    w, h = curtain_size(rng)
    share = rng.uniform(0.25, 0.5)
    cloth = [drape(rng, share * w, h).moved(s * (1 - share) * w / 2) for s in (-1, 1)]
    return join(*cloth, *curtain_rod(rng, w, h))


def _curtain_single(rng: Rng) -> Mesh:
    w, h = rng.uniform(0.5, 1.8), rng.uniform(1.2, 2.6)
    return join(drape(rng, w, h), *curtain_rod(rng, w, h))


def _curtain_tied(rng: Rng) -> Mesh:
    w, h = curtain_size(rng)
    y, waist, half = rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.5), 0.5 * w

    def pulled(v: np.ndarray) -> np.ndarray:
        # gathered towards the outer edge, not towards the middle of the cloth
        v[:, 0] += 0.5 * half * (1 - waist) * np.exp(-(((v[:, 1] / h - y) / 0.22) ** 2)) + half / 2
        return v

    cloth = drape(rng, half, h, waist, y).deformed(pulled)
    tie = cushion(1.1 * waist * half, 0.06, 0.16, 0.5, segments=10).moved(half - 0.5 * waist * half, y * h)
    sides = both(join(cloth, tie)) if chance(rng, 0.8) else join(cloth, tie)
    return join(sides, *curtain_rod(rng, w, h))


def _curtain_valance(rng: Rng) -> Mesh:
    """A pair below a pelmet, either a board or a short flounce or swags."""
    pair = _curtain_pair(rng)
    w, h, _ = pair.size()
    drop, kind = rng.uniform(0.15, 0.4), pick(rng, "board", "flounce", "swags")
    if kind == "board":
        pelmet = blocks([(-w / 2, w / 2, h - drop, h + 0.02, 0.1, 0.12), (-w / 2, w / 2, h, h + 0.02, -0.08, 0.12)])
        return join(pair, pelmet)
    if kind == "flounce":
        return join(pair, drape(rng, 1.04 * w, drop).moved(0, h - drop, 0.09))
    n = whole(rng, 2, 4)

    def swag(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = (v - 0.5) * w
        depth = np.abs(np.sin(np.pi * n * v))
        return np.stack(
            [x, h - u * drop * (0.35 + depth), 0.08 + 0.05 * depth * np.sin(np.pi * u) + 0.02 * np.sin(18 * u)], axis=-1
        )

    return join(pair, sheet(swag, 10, 8 * n + 1))


def _curtain_cafe(rng: Rng) -> Mesh:
    """Short curtains over half of a window, with tabs or rings on the rod."""
    w, h = rng.uniform(0.7, 1.6), rng.uniform(0.4, 0.9)
    gap = rng.uniform(0.04, 0.1)
    tabs = blocks(
        [(x - 0.02, x + 0.02, h - 0.01, h + gap, -0.012, 0.012) for x in np.linspace(-0.47, 0.47, int(w / 0.13)) * w]
    )
    return join(drape(rng, w, h), tabs, rod((-0.55 * w, h + gap, 0), (0.55 * w, h + gap, 0), 0.01))


def _curtain_shower(rng: Rng) -> Mesh:
    """A curtain round a corner on a bent rail, hung from rings."""
    a, b, h = rng.uniform(0.7, 1.6), rng.uniform(0.5, 0.9), rng.uniform(1.7, 2.1)
    t = np.linspace(0, 1, 80)
    corner = np.clip((t * (a + b) - a + 0.2) / 0.4, 0, 1)
    heading = corner * np.pi / 2
    step = (a + b) / 79
    x, z = np.cumsum(step * np.cos(heading)), -np.cumsum(step * np.sin(heading))
    wave, extent = 0.03 * np.sin(2 * np.pi * t * (a + b) / rng.uniform(0.09, 0.16)), rng.uniform(0.4, 1.0)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        i = np.minimum((v * extent * 79).astype(int), 79)
        out = wave[i] * (1.3 - 0.6 * u)
        return np.stack([x[i] + out * np.sin(heading[i]), u * h, z[i] + out * np.cos(heading[i])], axis=-1)

    rail = tube(np.stack([x, np.full(80, h + 0.04), z], axis=1)[::6], 0.012)
    return join(sheet(surface, 5, 80), rail)


def _roman_blind(rng: Rng) -> Mesh:
    """Cloth drawn up in flat folds, or a roller with plain cloth."""
    w, h, folds = rng.uniform(0.6, 1.5), rng.uniform(0.6, 1.8), whole(rng, 3, 7)
    if chance(rng, 0.4):
        roll = cylinder(0.03, w, segments=10).turned("z", 90).moved(y=h + 0.02)
        return join(
            block(-0.48 * w, 0.48 * w, 0, h, 0.02, 0.024), roll, block(-0.48 * w, 0.48 * w, -0.02, 0, 0.01, 0.034)
        )
    pitch, belly = h / folds, rng.uniform(0.03, 0.09)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        fold = (u * folds) % 1.0
        z = belly * np.sin(np.pi * fold) ** 0.7 * (1.2 - u)
        return np.stack([(v - 0.5) * w, u * h - 0.25 * pitch * np.sin(np.pi * fold), z], axis=-1)

    return join(sheet(surface, 8 * folds + 1, 3), block(-w / 2, w / 2, h, h + 0.05, -0.02, 0.04))


def _venetian_blind(rng: Rng) -> Mesh:
    w, h, n = rng.uniform(0.6, 1.6), rng.uniform(0.7, 1.8), whole(rng, 14, 36)
    upright = chance(rng, 0.3)
    if upright:
        blades = [
            board(0.085, h, 0.004).turned("y", rng.uniform(10, 70)).moved(x) for x in np.linspace(-w / 2, w / 2, n // 2)
        ]
        return join(*blades, block(-w / 2 - 0.05, w / 2 + 0.05, h, h + 0.05, -0.03, 0.03))
    cords = blocks([(x - 0.004, x + 0.004, 0, h, -0.004, 0.004) for x in (-0.35 * w, 0.35 * w)])
    rails = blocks([(-w / 2, w / 2, h, h + 0.05, -0.03, 0.03), (-w / 2, w / 2, -0.02, 0, -0.02, 0.02)])
    return join(slats(-w / 2, w / 2, 0, h, -0.022, 0.022, n), cords, rails)


_CURTAINS: dict[str, Shape] = {
    "pair": _curtain_pair,
    "single": _curtain_single,
    "tied_back": _curtain_tied,
    "valance": _curtain_valance,
    "cafe": _curtain_cafe,
    "shower": _curtain_shower,
    "roman_blind": _roman_blind,
    "venetian_blind": _venetian_blind,
}


@category(
    "curtain",
    synonyms=(
        "curtains", "drapes", "drapery", "window curtain", "shower curtain", "blind", "roman blind", "roller blind",
        "venetian blind", "valance", "tied-back curtains", "cafe curtain", "window blind", "vertical blind",
        "net curtain",
    ),
    variants=tuple(_CURTAINS),
)  # fmt: skip
def curtain(rng: Rng, variant: str) -> Mesh:
    return _CURTAINS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Ladders


def flight(rng: Rng, width: float, height: float, tread: float, top_width: float | None = None) -> Mesh:
    """An upright ladder at z = 0: two rails with rungs, or with treads where `tread` (depth) is not 0."""
    upper = width if top_width is None else top_width
    n = max(2, round(height / rng.uniform(0.24, 0.34)))
    levels = (np.arange(n) + 0.7) * height / n
    half = (width + (upper - width) * levels / height) / 2
    rail = rng.uniform(0.015, 0.035)
    if chance(rng, 0.35) and not tread:
        sides = [rod((s * width / 2, 0, 0), (s * upper / 2, height, 0), rail) for s in (-1, 1)]
        step = cylinder(0.6 * rail, 1, segments=8).turned("z", 90)
        return join(*sides, *[step.scaled(2 * a, 1, 1).moved(y=y) for a, y in zip(half, levels, strict=True)])
    deep, thin = max(rail, 0.4 * tread), 0.012
    side = box(2 * thin, height, 2 * deep).moved(width / 2, height / 2)
    shift = (upper - width) / 2

    def lean(v: np.ndarray) -> np.ndarray:
        v[:, 0] += shift * v[:, 1] / height
        return v

    d, t = (tread / 2, 0.012) if tread else (0.6 * rail, 0.6 * rail)
    return join(
        both(side.deformed(lean)), blocks([(-a, a, y - t, y + t, -d, d) for a, y in zip(half, levels, strict=True)])
    )


def _ladder_straight(rng: Rng) -> Mesh:
    h = rng.uniform(1.5, 5.0)
    w = rng.uniform(0.3, 0.5)
    ladder = flight(rng, w, h, 0.0, w * rng.uniform(0.65, 1.0))
    return ladder.turned("x", rng.uniform(-25, 0))


def stepped_flight(rng: Rng, width: float, height: float, lean: float, top_width: float) -> Mesh:
    """A flight of level treads that leans back by `lean` (metres at the top): sheared, not turned."""
    ladder = flight(rng, width, height, rng.uniform(0.07, 0.13), top_width)

    def shear(v: np.ndarray) -> np.ndarray:
        v[:, 2] -= lean * v[:, 1] / height
        return v

    return ladder.deformed(shear)


def _step_ladder(rng: Rng) -> Mesh:
    h, w = rng.uniform(0.8, 2.4), rng.uniform(0.4, 0.6)
    lean, upper = rng.uniform(0.2, 0.32) * h, w * rng.uniform(0.6, 0.9)
    fore = stepped_flight(rng, w, h, lean, upper)
    rear = [rod((s * w / 2, 0, -1.9 * lean), (s * upper / 2, h, -1.05 * lean), 0.016) for s in (-1, 1)]
    bars = [
        rod((-w / 2, y * h, -(1.9 - 0.85 * y) * lean), (w / 2, y * h, -(1.9 - 0.85 * y) * lean), 0.01)
        for y in (0.15, 0.5)
    ]
    cap = block(-upper / 2 - 0.03, upper / 2 + 0.03, h, h + 0.03, -1.15 * lean, -0.75 * lean)
    return join(fore, *rear, *bars, cap)


def _double_ladder(rng: Rng) -> Mesh:
    h, w, lean = rng.uniform(1.2, 3.0), rng.uniform(0.4, 0.55), rng.uniform(12, 20)
    side = flight(rng, w, h, 0.0, w * rng.uniform(0.6, 0.9)).moved(y=-h)
    return join(side.turned("x", -lean), side.turned("x", lean))


def _platform_ladder(rng: Rng) -> Mesh:
    """Steps up to a platform with a guard hoop."""
    h, w = rng.uniform(0.5, 1.8), rng.uniform(0.42, 0.6)
    lean, upper = 0.4 * h, 0.9 * w
    z, deep, hoop = -0.4 * h, rng.uniform(0.25, 0.4), rng.uniform(0.5, 0.8)
    rear = [rod((s * w / 2, 0, z - deep - 0.15 * h), (s * upper / 2, h, z - deep), 0.016) for s in (-1, 1)]
    guard = tube(
        [
            (-upper / 2, h, z - deep),
            (-upper / 2, h + hoop, z - deep),
            (upper / 2, h + hoop, z - deep),
            (upper / 2, h, z - deep),
        ],
        0.014,
    )
    deck = block(-upper / 2, upper / 2, h, h + 0.03, z - deep, z + 0.05)
    return join(stepped_flight(rng, w, h, lean, upper), *rear, deck, guard)


def _extension_ladder(rng: Rng) -> Mesh:
    """Two or three flights that slide on one another."""
    h, w = rng.uniform(2.2, 3.5), rng.uniform(0.36, 0.5)
    parts = [flight(rng, w, h, 0.0)]
    reach = rng.uniform(0.25, 0.75)
    for i in range(1, whole(rng, 2, 3)):
        parts.append(flight(rng, w - 0.06 * i, h, 0.0).moved(0, i * reach * h, 0.07 * i))
    return join(*parts).turned("x", rng.uniform(-22, 0))


def _rope_ladder(rng: Rng) -> Mesh:
    w, h, n = rng.uniform(0.3, 0.45), rng.uniform(1.5, 3.5), whole(rng, 5, 11)
    levels = np.linspace(0.1, h - 0.1, n)
    t = np.linspace(0, h, 16)
    sway = rng.uniform(0, 0.08) * np.sin(np.pi * t / h * rng.uniform(0.5, 2))
    rope = [tube(np.stack([s * w / 2 + sway, t, 0.5 * sway], axis=1), 0.012) for s in (-1, 1)]
    step = cylinder(0.016, w + 0.08, segments=8).turned("z", 90)
    shift = np.interp(levels, t, sway)
    return join(*rope, *[step.moved(a, y, 0.5 * a) for a, y in zip(shift, levels, strict=True)])


def _rolling_ladder(rng: Rng) -> Mesh:
    """A library or warehouse ladder: treads, handrails, wheels."""
    h, w, lean = rng.uniform(1.2, 2.6), rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.6)
    lean *= h
    steps, rail = stepped_flight(rng, w, h, lean, w), rng.uniform(0.5, 0.9)
    hand = tube(
        [
            (w / 2, 0.25 * h, -0.15 * lean),
            (w / 2, 0.35 * h + rail, -0.35 * lean),
            (w / 2, h + rail, -lean),
            (w / 2, h, -lean - 0.3),
        ],
        0.015,
    )
    rear = rod((w / 2, 0.08, -lean - 0.3), (w / 2, h, -lean - 0.3), 0.018)
    foot = rod((w / 2, 0.08, 0), (w / 2, 0.08, -lean - 0.3), 0.015)
    wheel = cylinder(0.07, 0.03, segments=10).turned("z", 90).moved(w / 2, 0.07, -lean - 0.3)
    deck = block(-w / 2, w / 2, h - 0.03, h, -lean - 0.3, -lean)
    return join(steps, deck, both(join(hand, rear, foot, wheel, wheel.moved(z=lean + 0.3))))


def _loft_ladder(rng: Rng) -> Mesh:
    """A leaning ladder with broad treads and hooks or handrails at its head."""
    h, w = rng.uniform(1.6, 2.8), rng.uniform(0.36, 0.55)
    lean = rng.uniform(0.15, 0.45) * h
    parts = [stepped_flight(rng, w, h, lean, w)]
    if chance(rng, 0.6):
        t = np.linspace(-0.3, np.pi, 7)
        hook = tube(np.stack([0 * t + w / 2, h + 0.08 * np.sin(t), -lean - 0.08 + 0.08 * np.cos(t)], axis=1), 0.014)
        parts.append(both(hook))
    if chance(rng, 0.5):
        parts.append(both(rod((w / 2, 0.4 * h, 0.1 - 0.4 * lean), (w / 2, 1.15 * h, 0.1 - 1.15 * lean), 0.014)))
    return join(*parts)


_LADDERS: dict[str, Shape] = {
    "straight": _ladder_straight,
    "step": _step_ladder,
    "double": _double_ladder,
    "platform": _platform_ladder,
    "extension": _extension_ladder,
    "rope": _rope_ladder,
    "rolling": _rolling_ladder,
    "loft": _loft_ladder,
}


@category(
    "ladder",
    synonyms=(
        "step ladder", "stepladder", "extension ladder", "rope ladder", "folding ladder", "library ladder",
        "loft ladder", "attic ladder", "platform ladder", "a-frame ladder", "wooden ladder", "bunk ladder",
        "leaning ladder",
    ),
    variants=tuple(_LADDERS),
)  # fmt: skip
def ladder(rng: Rng, variant: str) -> Mesh:
    return _LADDERS[variant](rng)


# ---------------------------------------------------------------------------------------------
# Stairs


def stair_size(rng: Rng) -> tuple[int, float, float, float]:
    """Number of steps, their rise and run, and the width."""
    return whole(rng, 6, 15), rng.uniform(0.15, 0.2), rng.uniform(0.22, 0.32), rng.uniform(0.7, 1.4)


def solid_flight(n: int, rise: float, run: float, width: float, slab: float | None = None) -> Mesh:
    """Steps that climb from z = 0 backwards; `slab` is the thickness under them, None fills to the floor."""
    i = np.arange(n)
    z = -np.stack([i, i + 1], axis=1).ravel() * run
    high = np.repeat((i + 1) * rise, 2)
    low = np.zeros(2 * n) if slab is None else np.maximum(-z / run * rise - slab, 0.0)
    return ribbon(z, low, high, width)


def open_flight(rng: Rng, n: int, rise: float, run: float, width: float) -> Mesh:
    """Treads without risers, on two strings or one beam in the middle."""
    t, over = rng.uniform(0.025, 0.06), rng.uniform(0, 0.05)
    treads = [
        (-width / 2, width / 2, (i + 1) * rise - t, (i + 1) * rise, -(i + 1) * run, over - i * run) for i in range(n)
    ]
    deep = rng.uniform(0.15, 0.28)
    z, low = np.array([0.0, -n * run]), np.array([0.0, n * rise])
    if chance(rng, 0.3):
        strings = ribbon(z, low - 0.6 * deep, low, rng.uniform(0.08, 0.2))
    else:
        strings = both(ribbon(z, low - 0.3 * deep, low + 0.7 * deep, 0.04).moved(width / 2))
    return join(blocks(treads), strings)


def railing(rng: Rng, n: int, rise: float, run: float, x: float) -> Mesh:
    """Balusters and a handrail along one side of a flight."""
    h, r, every = rng.uniform(0.8, 1.0), rng.uniform(0.008, 0.02), whole(rng, 1, 2)
    posts = [
        (x - r, x + r, (i + 1) * rise, (i + 1) * rise + h, -(i + 0.5) * run - r, r - (i + 0.5) * run)
        for i in range(0, n, every)
    ]
    hand = rod((x, rise + h, -0.5 * run), (x, n * rise + h, -(n - 0.5) * run), rng.uniform(0.02, 0.035))
    parts = [blocks(posts), hand]
    if chance(rng, 0.35):
        parts.append(blocks([(x - 0.05, x + 0.05, 0, rise + h + 0.12, -0.5 * run - 0.05, 0.05 - 0.5 * run)]))
    if chance(rng, 0.25):
        parts += [
            rod((x, rise + k * h, -0.5 * run), (x, n * rise + k * h, -(n - 0.5) * run), 0.008) for k in (0.3, 0.65)
        ]
    return join(*parts)


def railed(rng: Rng, stairs: Mesh, n: int, rise: float, run: float, width: float, share: float = 0.6) -> Mesh:
    sides = [s * (width / 2 - 0.03) for s in (-1, 1) if chance(rng, share)]
    return join(stairs, *[railing(rng, n, rise, run, x) for x in sides])


def _stairs_solid(rng: Rng) -> Mesh:
    n, rise, run, w = stair_size(rng)
    return railed(
        rng, solid_flight(n, rise, run, w, rng.uniform(0.12, 0.25) if chance(rng, 0.5) else None), n, rise, run, w, 0.35
    )


def _stairs_open(rng: Rng) -> Mesh:
    n, rise, run, w = stair_size(rng)
    return railed(rng, open_flight(rng, n, rise, run, w), n, rise, run, w)


def _stairs_closed_string(rng: Rng) -> Mesh:
    """Between side boards that stand above the steps, with railings on both sides."""
    n, rise, run, w = stair_size(rng)
    line = np.array([0.0, n * rise])
    string = ribbon(np.array([0.0, -n * run]), np.maximum(line - 0.1, 0), line + rise + 0.08, 0.04).moved(w / 2)
    stairs = join(solid_flight(n, rise, run, w, 0.05), both(string))
    return join(stairs, both(railing(rng, n, rise, run, w / 2)))


def _stairs_l(rng: Rng) -> Mesh:
    """Two flights at a right angle with a landing between."""
    n, rise, run, w = stair_size(rng)
    a = whole(rng, 2, n - 2)
    seed = rng.randint(2**31)
    airy = chance(rng, 0.4)
    first, second = (
        railed(
            Rng(seed),
            open_flight(Rng(seed), k, rise, run, w) if airy else solid_flight(k, rise, run, w, 0.16),
            k,
            rise,
            run,
            w,
        )
        for k in (a, n - a)
    )
    y, z = a * rise, -a * run
    deep = y + rise if chance(rng, 0.4) else 0.12
    landing = block(-w / 2, w / 2, y + rise - deep, y + rise, z - w, z)
    stairs = join(first, landing, second.turned("y", 90).moved(-w / 2, y + rise, z - w / 2))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def _stairs_u(rng: Rng) -> Mesh:
    """Two flights back to back with a half landing."""
    n, rise, run, w = stair_size(rng)
    a, gap, seed = n // 2 + 1, rng.uniform(0.05, 0.3), rng.randint(2**31)
    make = open_flight(Rng(seed), a, rise, run, w) if chance(rng, 0.4) else solid_flight(a, rise, run, w, 0.16)
    half_flight = railed(Rng(seed), make, a, rise, run, w)
    y, z = a * rise, -a * run
    landing = block(-w / 2, 1.5 * w + gap, y + rise - 0.15, y + rise, z - w, z)
    return join(half_flight, landing, half_flight.turned("y", 180).moved(w + gap, y + rise, z))


def wedge(inner: float, outer: float, degrees: float, thickness: float) -> Mesh:
    """A step of a winding stair between two radii, centred on +x, its upper face at y = 0."""
    a = np.radians(np.linspace(-degrees / 2, degrees / 2, 4))
    plan = [
        *zip(outer * np.cos(a), outer * np.sin(a), strict=True),
        *zip(inner * np.cos(a[::-1]), inner * np.sin(a[::-1]), strict=True),
    ]
    return extrude(plan, thickness).turned("x", 90).moved(y=-thickness / 2)


def winding(rng: Rng, inner: float, outer: float, n: int, rise: float, degrees: float, riser: bool) -> Mesh:
    step = wedge(inner, outer, degrees * rng.uniform(0.9, 1.15), rise if riser else rng.uniform(0.03, 0.06))
    parts = [step.turned("y", i * degrees).moved(y=(i + 1) * rise) for i in range(n)]
    a, h = np.radians(-np.arange(n) * degrees), rng.uniform(0.8, 1.0)
    x, y, z = outer * 0.97 * np.cos(a), (np.arange(n) + 1) * rise, outer * 0.97 * np.sin(a)
    if chance(rng, 0.85):
        parts.append(tube(np.stack([x, y + h, z], axis=1), 0.022))
        parts.append(
            blocks([(p - 0.01, p + 0.01, q, q + h, r - 0.01, r + 0.01) for p, q, r in zip(x, y, z, strict=True)])
        )
    return join(*parts)


def _stairs_spiral(rng: Rng) -> Mesh:
    """Wedges round a central pole."""
    n, r, rise = whole(rng, 9, 16), rng.uniform(0.6, 1.1), rng.uniform(0.17, 0.23)
    pole = rng.uniform(0.04, 0.1)
    stairs = winding(rng, 0.6 * pole, r, n, rise, rng.uniform(20, 32), False)
    stairs = join(stairs, cylinder(pole, n * rise + 1.0).moved(y=(n * rise + 1.0) / 2))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def _stairs_curved(rng: Rng) -> Mesh:
    """A sweep round an open well."""
    n, rise, inner = whole(rng, 9, 14), rng.uniform(0.15, 0.19), rng.uniform(0.7, 2.0)
    stairs = winding(rng, inner, inner + rng.uniform(0.8, 1.3), n, rise, rng.uniform(8, 16), chance(rng, 0.5))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def _stairs_porch(rng: Rng) -> Mesh:
    """A few broad steps, plain, stepped on three sides or with cheek walls, up to a landing."""
    n, rise, run, w = whole(rng, 2, 6), rng.uniform(0.14, 0.19), rng.uniform(0.27, 0.38), rng.uniform(1.0, 3.0)
    deep = rng.uniform(0.3, 1.2)
    kind = pick(rng, "plain", "pyramid", "cheeks")
    if kind == "pyramid":
        return join(
            *[
                board(w + 2 * (n - 1 - i) * run, rise, deep + (n - 1 - i) * run, i * rise).moved(
                    z=(n - 1 - i) * run / 2
                )
                for i in range(n)
            ]
        )
    stairs = join(solid_flight(n, rise, run, w), block(-w / 2, w / 2, 0, n * rise, -n * run - deep, -n * run))
    if kind == "cheeks":
        t, up = rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.5)
        wall = ribbon(
            np.array([0.0, -n * run, -n * run - deep]), np.zeros(3), np.array([rise, n * rise, n * rise]) + up, t
        )
        stairs = join(stairs, both(wall.moved(w / 2 + t / 2)))
    return railed(rng, stairs, n, rise, run, w, 0.3)


_STAIRS: dict[str, Shape] = {
    "solid": _stairs_solid,
    "open": _stairs_open,
    "closed_string": _stairs_closed_string,
    "l_shape": _stairs_l,
    "u_shape": _stairs_u,
    "spiral": _stairs_spiral,
    "curved": _stairs_curved,
    "porch": _stairs_porch,
}


@category(
    "stairs",
    synonyms=(
        "staircase", "stairway", "flight of stairs", "spiral staircase", "steps", "stair", "porch steps",
        "winding stairs", "open staircase", "stairwell", "curved staircase", "front steps",
    ),
    variants=tuple(_STAIRS),
)  # fmt: skip
def stairs(rng: Rng, variant: str) -> Mesh:
    return _STAIRS[variant](rng)

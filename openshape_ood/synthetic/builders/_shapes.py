"""Cuboids, boards, rods, straps, plates and cloth, from which furniture and other objects are built."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamp
from openshape_ood.synthetic.catalog import Random
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, extrude, join, sheet, torus

Rows = list[tuple[float, float, float, float, float, float]]
_CUBE = box(1, 1, 1)


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


def rails(width: float, height: float, depth: float, thickness: float, y: float = 0.0) -> Mesh:
    """Four boards on edge: an apron or a bed frame without top or bottom."""
    side = slab(thickness, height, depth, y, x=(width - thickness) / 2)
    end = slab(width - 2 * thickness, height, thickness, y, z=(depth - thickness) / 2)
    return join(both(side), both(end, "z"))


def blocks(rows: Sequence[Sequence[float]] | np.ndarray) -> Mesh:
    """Many cuboids at once, each a part. A row is (x0, x1, y0, y1, z0, z1)."""
    ends = np.asarray(rows, dtype=np.float64).reshape(-1, 3, 2)
    middle, size = ends.mean(axis=2), ends[..., 1] - ends[..., 0]
    vertices = middle[:, None] + size[:, None] * _CUBE.vertices
    faces = np.arange(len(ends))[:, None, None] * 8 + _CUBE.faces
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), np.repeat(np.arange(len(ends)), 12))


def block(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Mesh:
    return blocks([(x0, x1, y0, y1, z0, z1)])


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


def frame(width: float, height: float, bar: float, depth: float) -> Mesh:
    """Four bars about an opening, in the x-y plane."""
    upright = box(bar, height, depth).moved(x=(width - bar) / 2)
    across = box(width - 2 * bar, bar, depth).moved(y=(height - bar) / 2)
    return join(both(upright, "x"), both(across, "y"))


Point = Sequence[float] | np.ndarray


def rods(starts: np.ndarray, ends: np.ndarray, radius: float | np.ndarray, sides: int = 5) -> Mesh:
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
    return stamp(np.concatenate([a[:, None] + ring, b[:, None] + ring], axis=1), faces)


def bars(pairs: Sequence[tuple[Point, Point]], radius: float | np.ndarray) -> Mesh:
    """Straight rods between pairs of points."""
    ends = np.asarray(pairs, dtype=np.float64)
    return rods(ends[:, 0], ends[:, 1], radius, sides=7)


def barrel(radius: float, length: float, front: float | None = None, segments: int = 16) -> Mesh:
    """A cylinder along z; `front` is its radius at the +z end."""
    return cylinder(radius, length, front, segments).turned("x", 90)


def axle(radius: float, length: float, segments: int = 16) -> Mesh:
    """A cylinder along x."""
    return cylinder(radius, length, segments=segments).turned("z", 90)


def ribbon(path: np.ndarray, across: Sequence[float], width: float, thickness: float) -> Mesh:
    """A flat strap along a polyline (m, 3), `width` wide in the direction `across`."""
    p, side = np.asarray(path, dtype=np.float64), np.asarray(across, dtype=np.float64)
    normal = np.cross(np.gradient(p, axis=0), side)
    normal *= thickness / 2 / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
    half = side * width / 2
    grid = np.stack([p - half - normal, p + half - normal, p + half + normal, p - half + normal], axis=1)
    grid = np.concatenate([grid, grid[:, :1]], axis=1)
    return sheet(lambda u, v: grid, rows=len(p), columns=5)


def arch(width: float, height: float, squareness: float = 0.7, points: int = 13) -> np.ndarray:
    """An arch in the x-y plane, as a path (points, 3) from -width/2 to width/2."""
    t = np.linspace(0, np.pi, points)
    x = -np.sign(np.cos(t)) * np.abs(np.cos(t)) ** squareness * width / 2
    return np.stack([x, np.sin(t) ** squareness * height, np.zeros_like(t)], axis=1)


def half_ring(radius: float, thickness: float, segments: int = 14) -> Mesh:
    """A half ring in the x-y plane that stands on its two ends."""
    return torus(radius, thickness, segments, degrees=180).turned("x", -90)


def hoop(radius: float, thickness: float, segments: int = 20) -> Mesh:
    """A torus that faces +z."""
    return torus(radius, thickness, segments).turned("x", 90)


def surface(grid: np.ndarray) -> Mesh:
    """The surface through a grid (rows, columns, 3) of points."""
    return sheet(lambda u, v: grid, *grid.shape[:2])


def thick(grid: np.ndarray, offset: np.ndarray) -> Mesh:
    """A closed solid between the surface through `grid` and its copy moved by `offset` (broadcast to the grid)."""
    other = (grid + offset)[:, ::-1]
    loop = np.concatenate([grid, other, grid[:, :1]], axis=1)
    ends = [np.broadcast_to(loop[i].mean(axis=0), loop[:1].shape) for i in (0, -1)]
    return surface(np.concatenate([ends[0], loop, ends[1]]))


def normals(path: np.ndarray) -> np.ndarray:
    """Unit normals (m, 2) of a plane polyline (m, 2), to the left of its direction."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    return np.column_stack([-along[:, 1], along[:, 0]])


def bent_board(path: Sequence[Sequence[float]] | np.ndarray, width: float, thickness: float) -> Mesh:
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
    """An upright board along x whose middle is set back by `bow`."""
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
    """An upright wall about the y axis, open to +z. top: height of the wall at even steps of the arc."""
    angle = np.radians(np.linspace(-degrees / 2, degrees / 2, len(top)))
    outline = np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle) * deep], axis=1)
    low, upper = np.full_like(angle, bottom), radius * flare
    rings = [(radius, low), (upper, top), (upper - thickness, top), (radius - thickness, low), (radius, low)]
    lines = [outline * r + np.outer(height, [0, 1, 0]) for r, height in rings]
    grid = np.stack(lines, axis=1)
    ends = [np.broadcast_to(grid[i].mean(axis=0), grid[:1].shape) for i in (0, -1)]
    return surface(np.concatenate([ends[0], grid, ends[1]]))


def band(z: np.ndarray, low: np.ndarray, high: np.ndarray, width: float) -> Mesh:
    """A closed solid of constant width in x; `low` and `high` (n,) bound it in y along `z` (n,)."""
    middle = (low + high) / 2
    z = np.concatenate([z[:1], z, z[-1:]])
    low, high = (np.concatenate([middle[:1], edge, middle[-1:]]) for edge in (low, high))
    half = np.full_like(z, width / 2)
    corners = [(-half, low), (half, low), (half, high), (-half, high), (-half, low)]
    grid = np.stack([np.stack([x, y, z], axis=1) for x, y in corners], axis=1)
    return surface(grid)


Points = Sequence[tuple[float, float]]


def rounded_corners(outline: Points | np.ndarray, rounds: int = 2) -> np.ndarray:
    """A closed outline (n, 2) with its corners cut repeatedly until it looks smooth."""
    p = np.asarray(outline, dtype=np.float64)
    for _ in range(rounds):
        q = np.roll(p, -1, axis=0)
        p = np.stack([0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q], axis=1).reshape(-1, 2)
    return p


def symmetric(right: Points) -> np.ndarray:
    """A closed outline from its right half, whose points go from bottom to top."""
    p = np.asarray(right, dtype=np.float64)
    return np.concatenate([p, p[::-1] * [-1, 1]])


def panel(width: float, height: float, depth: float, corner: float) -> Mesh:
    """An upright slab whose four corners are rounded, as screens and tablets are."""
    a = np.radians(np.arange(0, 360, 30).reshape(4, 3) + np.array([0, 15, 30]))
    center = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2 - corner, height / 2 - corner]
    outline = center[:, None] + corner * np.stack([np.cos(a), np.sin(a)], axis=-1)
    return from_front(outline.reshape(-1, 2), depth)


def from_front(outline: Points | np.ndarray, depth: float) -> Mesh:
    """An upright plate from its outline (x, y), an array or a list; see `extrude`."""
    return extrude([(float(x), float(y)) for x, y in outline], depth)


def from_above(outline: Points | np.ndarray, thickness: float) -> Mesh:
    """A level slab from its outline (x, z) seen from above."""
    return from_front(outline, thickness).turned("x", 90)


def from_side(outline: Points | np.ndarray, width: float) -> Mesh:
    """A body `width` across (along x) from its side view (z, y)."""
    return from_front(outline, width).turned("y", -90)


def rumpled(rng: Random, mesh: Mesh, amount: float, waves: int = 3) -> Mesh:
    """Mesh displaced by a few long waves, like cloth and paper."""
    size = max(float(mesh.size().max()), 1e-6)

    def push(v: np.ndarray) -> np.ndarray:
        turn, phase = rng.normal(0, 7 / size, (waves, 3)), rng.uniform(0, 2 * np.pi, waves)
        wave = np.sin(v @ turn.T + phase)
        return v + amount * wave @ rng.normal(0, 1, (waves, 3)) / waves

    return mesh.deformed(push)


def bumpy(rng: Random, mesh: Mesh, amount: float) -> Mesh:
    """Mesh with every vertex moved towards or away from the origin, by up to a fraction of its distance."""
    return mesh.with_vertices(mesh.vertices * rng.uniform(1 - amount, 1 + amount, (len(mesh.vertices), 1)))

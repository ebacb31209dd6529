"""Triangle meshes from primitives, for the generated categories.

Frame of every shape: y up, floor at y = 0, front towards +z, x to the right, meters.
A primitive is centered at the origin, unless its docstring states otherwise. Move it with the methods of `Mesh`, which
return new meshes and can be chained:

>>> leg = cylinder(0.03, 0.45).moved(0.2, 0.225, 0.2)
>>> seat = box(0.5, 0.05, 0.5).moved(y=0.475)
>>> stool = join(seat, *[leg.turned("y", 90 * i) for i in range(4)])
>>> float(stool.vertices[:, 1].min().round(6)), int(stool.parts.max())
(0.0, 4)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Mesh:
    """Vertices (v, 3) float64, triangles (f, 3) int64 and part number (f,) of each triangle."""

    vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray

    def with_vertices(self, vertices: np.ndarray) -> Mesh:
        return Mesh(vertices, self.faces, self.parts)

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        return self.with_vertices(self.vertices + [x, y, z])

    def scaled(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Mesh:
        return self.with_vertices(self.vertices * [x, y, z])

    def turned(self, axis: str, degrees: float) -> Mesh:
        """Rotated about an axis through the origin, counter-clockwise if the axis points to the viewer."""
        return self.with_vertices(self.vertices @ rotation(axis, degrees).T)

    def mirrored(self, axis: str) -> Mesh:
        vertices = self.vertices.copy()
        vertices[:, AXES[axis]] *= -1
        return self.with_vertices(vertices)

    def deformed(self, f: Callable[[np.ndarray], np.ndarray]) -> Mesh:
        """Mesh whose vertices (v, 3) are mapped by `f`. The mesh needs enough vertices to bend."""
        return self.with_vertices(f(self.vertices.copy()))

    def tapered(self, top: float) -> Mesh:
        """x and z scaled by a factor that goes from 1 at the lowest to `top` at the highest vertex."""
        y = self.vertices[:, 1]
        height = np.ptp(y)
        factor = 1 + (top - 1) * (y - y.min()) / (height if height > 0 else 1.0)
        return self.with_vertices(self.vertices * np.stack([factor, np.ones_like(y), factor], axis=1))

    def grounded(self) -> Mesh:
        """Moved to stand on y = 0, with the center of its bounding box above the origin."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        middle = (low + high) / 2
        return self.with_vertices(self.vertices - [middle[0], low[1], middle[2]])

    def size(self) -> np.ndarray:
        """Width, height and depth (3,) of the bounding box."""
        return np.ptp(self.vertices, axis=0)


def rotation(axis: str, degrees: float) -> np.ndarray:
    """The (3, 3) matrix of a right-handed rotation about one axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def join(*meshes: Mesh) -> Mesh:
    """Join meshes; parts stay separate and are renumbered."""
    vertices, faces, parts = [], [], []
    offset = part = 0
    for mesh in meshes:
        vertices.append(mesh.vertices)
        faces.append(mesh.faces + offset)
        parts.append(mesh.parts + part)
        offset += len(mesh.vertices)
        part += int(mesh.parts.max()) + 1
    return Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(parts))


def _one_part(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    faces = np.asarray(faces, dtype=np.int64)
    return Mesh(np.asarray(vertices, dtype=np.float64), faces, np.zeros(len(faces), dtype=np.int64))


def _grid_faces(rows: int, columns: int, wrap: bool) -> np.ndarray:
    """Triangles of a grid of rows x columns vertices (row-major). `wrap` joins the last column to the first."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    right = (c + 1) % columns
    a, b = (r * columns + c).ravel(), (r * columns + right).ravel()
    d, e = ((r + 1) * columns + c).ravel(), ((r + 1) * columns + right).ravel()
    return np.concatenate([np.stack([a, b, e], axis=1), np.stack([a, e, d], axis=1)])


_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    + [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)


def box(width: float, height: float, depth: float) -> Mesh:
    """A cuboid along x, y and z, with 8 vertices. For a cuboid that bends or is rounded use `cushion`."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    return _one_part(corners * [width, height, depth], _BOX_FACES)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 20) -> Mesh:
    """A profile of (radius, y) points rotated about the y axis, at the given y values.

    An end is closed if the profile starts or ends at radius 0. The profile of a vessel goes up the outside, then down
    the inside.
    """
    p = np.asarray(profile, dtype=np.float64)
    angle = np.arange(segments) * (2 * np.pi / segments)
    x, z = np.outer(p[:, 0], np.cos(angle)), np.outer(p[:, 0], np.sin(angle))
    y = np.repeat(p[:, 1:], segments, axis=1)
    return _one_part(np.stack([x, y, z], axis=-1).reshape(-1, 3), _grid_faces(len(p), segments, wrap=True))


def cylinder(radius: float, height: float, top: float | None = None, segments: int = 14) -> Mesh:
    """A closed cylinder along y. top: radius of the upper end, for a cone or frustum."""
    upper, h = radius if top is None else top, height / 2
    return lathe([(0, -h), (radius, -h), (upper, h), (0, h)], segments)


def rod(start: Sequence[float], end: Sequence[float], radius: float, top: float | None = None) -> Mesh:
    """A cylinder from one point to another. top: radius at the second point."""
    return tube([start, end], [radius, radius if top is None else top], segments=8)


def ellipsoid(width: float, height: float, depth: float, segments: int = 14) -> Mesh:
    """A ball stretched to the given widths (diameters)."""
    t = np.linspace(-np.pi / 2, np.pi / 2, max(5, segments // 2 + 1))
    ball = lathe([(0.5 * np.cos(a), 0.5 * np.sin(a)) for a in t], segments)
    return ball.scaled(width, height, depth)


def cushion(width: float, height: float, depth: float, roundness: float = 0.4, segments: int = 16) -> Mesh:
    """A superellipsoid: a box with soft edges. `roundness` 0.1 is nearly a box, 1 an ellipsoid."""
    u = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)[:, None]
    v = (np.arange(segments) * (2 * np.pi / segments))[None]

    def soft(t: np.ndarray) -> np.ndarray:
        # cos(pi/2) is not exactly 0, and a small power would enlarge it
        t = np.where(np.abs(t) < 1e-12, 0.0, t)
        return np.sign(t) * np.abs(t) ** roundness

    x, z = soft(np.cos(u)) * soft(np.cos(v)), soft(np.cos(u)) * soft(np.sin(v))
    y = np.broadcast_to(soft(np.sin(u)), x.shape)
    grid = np.stack([x * width, y * height, z * depth], axis=-1).reshape(-1, 3) / 2
    return _one_part(grid, _grid_faces(segments // 2 + 1, segments, wrap=True))


def torus(radius: float, thickness: float, segments: int = 20, degrees: float = 360.0) -> Mesh:
    """A ring in the x-z plane. radius: from the center to the middle of the tube. thickness: radius of the tube.

    If `degrees` is below 360, the ring is an arc that begins at +x and turns towards +z.
    """
    angle = np.radians(np.linspace(0, degrees, segments + 1))
    path = np.stack([radius * np.cos(angle), np.zeros_like(angle), radius * np.sin(angle)], axis=1)
    return tube(path, thickness, segments=8)


def tube(path: Sequence[Sequence[float]] | np.ndarray, radius: float | Sequence[float], segments: int = 8) -> Mesh:
    """A round tube along a polyline (m, 3), closed at its ends. radius: one number, or one for each of the m points."""
    p = np.asarray(path, dtype=np.float64)
    r = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(p),))
    direction = np.gradient(p, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-12
    # one helper axis for the whole path, the least parallel to it, keeps the rings from twisting
    helper = np.eye(3)[np.argmin(np.abs(direction).sum(axis=0))]
    side = np.cross(direction, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    other = np.cross(direction, side)
    angle = np.arange(segments) * (2 * np.pi / segments)
    ring = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * other[:, None]
    rings = p[:, None] + r[:, None, None] * ring
    ends = [np.repeat(p[i][None, None], segments, axis=1) for i in (0, -1)]
    grid = np.concatenate([ends[0], rings, ends[1]])
    return _one_part(grid.reshape(-1, 3), _grid_faces(len(grid), segments, wrap=True))


def sheet(f: Callable[[np.ndarray, np.ndarray], np.ndarray], rows: int = 12, columns: int = 12) -> Mesh:
    """A surface f(u, v) -> (..., 3) over the unit square: curtains, cloths, bent panels."""
    u, v = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    return _one_part(np.asarray(f(u, v)).reshape(-1, 3), _grid_faces(rows, columns, wrap=False))


def extrude(outline: Sequence[tuple[float, float]], depth: float) -> Mesh:
    """A solid with an outline of (x, y) points and a depth along z, centered on z = 0.

    The outline must be star-shaped: all of it is visible from its mean point, where the triangles of both faces meet.
    It need not be convex.
    """
    p = np.asarray(outline, dtype=np.float64)
    n, middle = len(p), p.mean(axis=0)
    rings = [np.column_stack([p, np.full(n, z)]) for z in (-depth / 2, depth / 2)]
    centers = [[*middle, -depth / 2], [*middle, depth / 2]]
    i = np.arange(n)
    j = (i + 1) % n
    back = np.stack([np.full(n, 2 * n), j, i], axis=1)
    front = np.stack([np.full(n, 2 * n + 1), n + i, n + j], axis=1)
    return _one_part(np.concatenate([*rings, centers]), np.concatenate([back, front, _grid_faces(2, n, wrap=True)]))

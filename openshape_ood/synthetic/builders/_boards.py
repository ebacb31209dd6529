"""Boards, sheets and walls bent along a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, sheet


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


def band(z: np.ndarray, low: np.ndarray, high: np.ndarray, width: float) -> Mesh:
    """A closed solid of constant width in x; `low` and `high` (n,) bound it in y along `z` (n,)."""
    middle = (low + high) / 2
    z = np.concatenate([z[:1], z, z[-1:]])
    low, high = (np.concatenate([middle[:1], edge, middle[-1:]]) for edge in (low, high))
    half = np.full_like(z, width / 2)
    corners = [(-half, low), (half, low), (half, high), (-half, high), (-half, low)]
    grid = np.stack([np.stack([x, y, z], axis=1) for x, y in corners], axis=1)
    return surface(grid)

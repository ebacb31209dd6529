"""Copies of a mesh: mirrored, in rows, in rings, at points, laid on the floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.catalog import Random, chance
from openshape_ood.synthetic.mesh import Mesh, join, rotation


def stamp(vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray | int = 0) -> Mesh:
    """One mesh of n copies (n, v, 3) that share faces (f, 3) and parts (f,): much faster than `join`."""
    n, v = vertices.shape[:2]
    part_of_face = np.broadcast_to(parts, len(faces))
    all_faces = faces + (np.arange(n) * v)[:, None, None]
    all_parts = part_of_face + (np.arange(n) * (part_of_face.max() + 1))[:, None]
    return Mesh(vertices.reshape(-1, 3), all_faces.reshape(-1, 3), all_parts.reshape(-1))


def stamped(mesh: Mesh, offsets: Sequence[Sequence[float] | np.ndarray] | np.ndarray) -> Mesh:
    """A copy at each offset (n, 3). Each copy is a single part, even if the mesh has several parts."""
    return stamp(mesh.vertices[None] + np.asarray(offsets, dtype=np.float64)[:, None], mesh.faces)


def stamped_around(mesh: Mesh, n: int, axis: str = "y") -> Mesh:
    """Copies turned evenly about an axis through the origin. Each copy is a single part."""
    turns = np.stack([rotation(axis, 360 * i / n) for i in range(n)])
    return stamp(mesh.vertices @ turns.transpose(0, 2, 1), mesh.faces)


def copies(mesh: Mesh, turns: np.ndarray, offsets: np.ndarray, scales: np.ndarray | None = None) -> Mesh:
    """n copies of the mesh: scaled (n,), rotated (n, 3, 3), moved (n, 3)."""
    factor = np.ones(len(offsets)) if scales is None else scales
    vertices = np.einsum("nij,vj->nvi", turns * factor[:, None, None], mesh.vertices) + offsets[:, None]
    return stamp(vertices, mesh.faces, mesh.parts)


def headings(yaw: np.ndarray, pitch: np.ndarray | float) -> np.ndarray:
    """Rotations (n, 3, 3) that turn +z to the given yaw about y and pitch upwards, in radians."""
    level, rise = np.cos(pitch), np.broadcast_to(np.sin(pitch), yaw.shape)
    forward = np.stack([np.sin(yaw) * level, rise, np.cos(yaw) * level], axis=-1)
    right = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=-1)
    return np.stack([right, np.cross(forward, right), forward], axis=-1)


def placed(mesh: Mesh, offsets: Sequence[Sequence[float]] | np.ndarray) -> Mesh:
    """A copy at each offset (n, 3). The parts of each copy stay separate."""
    return stamp(mesh.vertices[None] + np.asarray(offsets, dtype=np.float64)[:, None], mesh.faces, mesh.parts)


def at_corners(mesh: Mesh, x: float, z: float) -> Mesh:
    return placed(mesh, [(sx * x, 0, sz * z) for sx in (-1, 1) for sz in (-1, 1)])


def both(mesh: Mesh, axis: str = "x") -> Mesh:
    """The mesh and its mirror image."""
    return join(mesh, mesh.mirrored(axis))


def around(mesh: Mesh, n: int) -> Mesh:
    """n copies of a mesh, turned evenly about the y axis."""
    return copies(mesh, headings(np.arange(n) * 2 * np.pi / n, 0.0), np.zeros((n, 3)))


def four(mesh: Mesh) -> Mesh:
    """The mesh mirrored into all four quarters of the floor."""
    return both(both(mesh), "z")


def spread(count: int, width: float) -> np.ndarray:
    """Centers (count,) of equal cells that fill `width` around 0."""
    return ((np.arange(count) + 0.5) / count - 0.5) * width


def row(mesh: Mesh, xs: Sequence[float] | np.ndarray) -> Mesh:
    return join(*[mesh.moved(x) for x in xs])


def ring_of(mesh: Mesh, count: int, start: float = 0.0) -> Mesh:
    """Copies of the mesh turned evenly about the y axis."""
    return join(*[mesh.turned("y", start + 360 * i / count) for i in range(count)])


def on_back(mesh: Mesh) -> Mesh:
    """Mesh laid on its back, with the front upwards."""
    return mesh.turned("x", -90)


def laid(rng: Random, mesh: Mesh, probability: float = 0.8) -> Mesh:
    """Mesh, laid on its back with the given probability, else upright."""
    return on_back(mesh) if chance(rng, probability) else mesh

"""Surfaces of a room, in the room's frame: z up, meters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, join
from openshape_ood.synthetic.rooms.places import MATERIALS, TONES, USUAL_MATERIALS

LABELS = ("none", "floor", "wall", "ceiling")  # names of the labels 0 to 3 of every room


@dataclass(frozen=True, eq=False)
class Piece:
    """Surface of one object, or of floor, wall or ceiling.

    mesh: in the room's frame. instance: number of the object, from 1; 0 for floor, walls and ceiling. color (p, 3): in
    [0, 1], for each part of the mesh.
    """

    mesh: Mesh
    name: str
    instance: int = 0
    color: np.ndarray | None = None


def upright(mesh: Mesh) -> Mesh:
    """Convert a generated mesh from y up and front to +z, to z up and front to -y."""
    x, y, z = mesh.vertices.T
    return mesh.with_vertices(np.stack([x, -z, y], axis=1))


def posed(mesh: Mesh, pose: np.ndarray) -> Mesh:
    return mesh.with_vertices(mesh.vertices @ pose[:3, :3].T + pose[:3, 3])


def pose_of(middle: np.ndarray, z: float, yaw: float) -> np.ndarray:
    """Matrix (4, 4) that turns by `yaw` (radians) about z, then moves to a position (2,) and height z."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, middle[0]], [s, c, 0, middle[1]], [0, 0, 1, z], [0, 0, 0, 1.0]])


Tones = Mapping[str, np.ndarray]


def draw_tones(rng: np.random.RandomState) -> Tones:
    """Two tones (2, 3) of every material of a room."""
    return {name: np.array(of)[rng.choice(len(of), 2, replace=len(of) < 2)] for name, of in TONES.items()}


def dyed(piece: Piece, tones: Tones, rng: np.random.RandomState) -> Piece:
    """Color a piece with the room's materials, part by part, so that color does not identify objects."""
    materials = {"floor": ("boards",), "wall": ("paint",), "ceiling": ("paint",)}.get(piece.name)
    first, second = ((*(materials or MATERIALS.get(piece.name, USUAL_MATERIALS)),) * 2)[:2]
    tone = {name: tones[name][rng.randint(2) if not materials else 0] for name in (first, second)}
    parts = int(piece.mesh.parts.max()) + 1
    # about every third part, such as legs and handles, has the second material
    other = rng.random_sample(parts) < 1 / 3
    other[0] = False
    return replace(piece, color=np.where(other[:, None], tone[second], tone[first]))


def rectangle(corner: np.ndarray, first: np.ndarray, second: np.ndarray) -> Mesh:
    """A flat rectangle from a corner (3,) along two edges (3,)."""
    corners = np.stack([corner, corner + first, corner + first + second, corner + second])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.zeros(2, dtype=np.int64))


def wall(start: np.ndarray, end: np.ndarray, height: float, gap: tuple[float, float, float] | None) -> Mesh:
    """An upright wall between two points (2,) of the floor.

    gap: start and end of a doorway, in meters along the wall, and its height.
    """
    along = np.append(end - start, 0.0)
    length = float(np.linalg.norm(along))
    along /= length
    base, up = np.append(start, 0.0), np.array([0.0, 0.0, 1.0])
    if gap is None:
        return rectangle(base, length * along, height * up)
    low, high, top = gap
    return join(
        rectangle(base, low * along, height * up),
        rectangle(base + high * along, (length - high) * along, height * up),
        rectangle(base + low * along + top * up, (high - low) * along, (height - top) * up),
    )

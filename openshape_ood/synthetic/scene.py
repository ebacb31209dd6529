"""What stands before the camera of a simulated scan: the object, bumpy and with parts lost, and what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join
from openshape_ood.synthetic.sampling import sample_oriented

if TYPE_CHECKING:
    from openshape_ood.synthetic.scanner import Scan


@dataclass(frozen=True)
class Surface:
    """Oriented points: positions (n, 3), unit normals (n, 3), whether the object's own (n,)."""

    cloud: np.ndarray
    normals: np.ndarray
    own: np.ndarray

    def where(self, mask: np.ndarray) -> Surface:
        return self.at(np.flatnonzero(mask))

    def at(self, indices: np.ndarray) -> Surface:
        return Surface(*(np.take(rows, indices, axis=0) for rows in (self.cloud, self.normals, self.own)))

    def with_cloud(self, cloud: np.ndarray) -> Surface:
        return Surface(cloud, self.normals, self.own)

    def and_also(self, other: Surface) -> Surface:
        pairs = ((self.cloud, other.cloud), (self.normals, other.normals), (self.own, other.own))
        return Surface(*(np.concatenate(pair) for pair in pairs))


def scene_of(settings: Scan, mesh: Mesh, dense: int, extent: float, rng: np.random.RandomState) -> Surface:
    """Dense samples of the object, bumpy and without its lost parts, and of what is around it."""
    cloud, normals, face = sample_oriented(mesh, dense, rng)
    kept = _kept_parts(settings.lost, mesh.parts[face], rng)
    thing = Surface(cloud, normals, np.ones(dense, dtype=bool)).where(kept)
    thing = _bumpy(settings, thing, extent, rng)
    return thing.and_also(_surroundings(settings, mesh, thing.cloud, extent, rng))


def _kept_parts(lost: float, parts: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Mask (n,) without some small parts: depth cameras miss legs, handles and wires."""
    share = np.bincount(parts) / len(parts)
    gone = (share < 0.06) & (rng.random_sample(len(share)) < lost)
    # an object of small parts only, a wire rack, must not vanish
    return ~gone[parts] if share[gone].sum() < 0.3 else np.ones(len(parts), dtype=bool)


def _bumpy(settings: Scan, surface: Surface, extent: float, rng: np.random.RandomState) -> Surface:
    """Displaced by a few random plane waves, as fused depth maps that fit badly are."""
    if not settings.bumps:
        return surface
    waves = rng.normal(size=(3, 3))
    waves *= rng.uniform(4, 14, 3) / (extent * np.linalg.norm(waves, axis=0))
    phases, directions = rng.uniform(0, 2 * np.pi, 3), rng.normal(size=(3, 3)) / 3
    # the displacement is a field in space, not along the normals: both sides of a thin board move together
    shift = np.sin(surface.cloud @ waves + phases) @ directions
    return surface.with_cloud(surface.cloud + settings.bumps * extent * shift)


def _surroundings(settings: Scan, mesh: Mesh, cloud: np.ndarray, extent: float, rng: np.random.RandomState) -> Surface:
    """Samples of floor, wall and clutter within the object's bounding box, grown a little."""
    pieces = list(_pieces(settings, mesh, cloud, extent, rng)) if settings.background else []
    if not pieces:
        return Surface(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=bool))
    around, normals, _ = sample_oriented(join(*pieces), len(cloud) // 4, rng)
    margin = rng.uniform(0.02, 0.1, 3) * extent
    low, high = mesh.vertices.min(axis=0) - margin, mesh.vertices.max(axis=0) + margin
    inside = ((around >= low) & (around <= high)).all(axis=1)
    return Surface(around, normals, np.zeros(len(around), dtype=bool)).where(inside)


def _pieces(settings: Scan, mesh: Mesh, cloud: np.ndarray, extent: float, rng: np.random.RandomState) -> Iterator[Mesh]:
    width, height, depth = mesh.size() + 0.2 * extent
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    ground = mesh.vertices[:, 1].min()
    if settings.floor:
        yield box(width, 0.0, depth).moved(middle[0], ground, middle[2])
    if settings.wall:
        behind = mesh.vertices[:, 2].min() - rng.uniform(0.005, 0.05) * extent
        yield box(width, height, 0.0).moved(middle[0], ground + height / 2, behind)
    for _ in range(settings.clutter):
        yield _clutter(cloud, ground, extent, rng)


def _clutter(cloud: np.ndarray, ground: float, extent: float, rng: np.random.RandomState) -> Mesh:
    """A box, ball or board that touches the object somewhere or stands on the floor there."""
    width, height, depth = rng.uniform(0.06, 0.25, 3) * extent
    kind = rng.randint(3)
    if kind == 2:
        depth = 0.0
    piece = ellipsoid(width, height, depth, segments=10) if kind == 1 else box(width, height, depth)
    x, y, z = cloud[rng.randint(len(cloud))]
    base = y if rng.random_sample() < 0.5 else ground
    # pushed outwards, so that it lies against the object rather than inside
    outwards = 0.5 * max(width, depth) * np.sign([x, z])
    return piece.turned("y", rng.uniform(0, 180)).moved(x + outwards[0], base + height / 2, z + outwards[1])

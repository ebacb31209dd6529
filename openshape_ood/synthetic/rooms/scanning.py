"""Simulated scan of a room by a person with a depth camera: visible points with noise, from several positions.

Hidden points are removed by a panoramic z-buffer over dense samples of all surfaces. So both sides of a surface are
opaque.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene
from openshape_ood.synthetic.rooms.pieces import Piece
from openshape_ood.synthetic.sampling import sample_oriented, surface_area
from openshape_ood.synthetic.visibility import spread

PIXEL = np.radians(0.5)  # angle of a pixel of the z-buffer
COARSE = 3  # pixel size of a second, coarse z-buffer, relative to the first
CLOSE = 120.0  # the coarse z-buffer has samples nearer to the camera than this multiple of their spacing
THICK = 0.1  # meters; a sample is hidden if it is at least this far behind the coarse z-buffer
LOWEST, HIGHEST = np.radians(-60.0), np.radians(40.0)  # elevations of the camera
NEAR, FAR = 0.4, 4.5  # meters, range of the camera
LEAST_ANGLE = np.sin(np.radians(7.0))  # sine of the minimum angle between ray and surface
EYE = (1.3, 1.8)  # meters above the floor
STEP = 0.1  # meters, grid of camera positions
CLEAR = 0.3  # meters between a camera position and objects
LAYOUT_DENSITY, DENSITY = 2500.0, 9000.0  # samples per square meter of floor and walls, and of objects
LEAST, MOST = 2000, 100_000  # samples of an object


@dataclass(frozen=True, eq=False)
class Samples:
    """Dense samples of all surfaces.

    Attributes
    ----------
    cloud, normals : ndarray (n, 3)
    piece : ndarray (n,)
        Index of the surface of each sample.
    density : ndarray (n,)
        Samples per square meter of this surface.
    color : ndarray (n, 3) or None
    """

    cloud: np.ndarray
    normals: np.ndarray
    piece: np.ndarray
    density: np.ndarray
    color: np.ndarray | None

    def within(self, low: np.ndarray, high: np.ndarray) -> Samples:
        rows = ((self.cloud >= low) & (self.cloud <= high)).all(axis=1)
        color = None if self.color is None else self.color[rows]
        return Samples(self.cloud[rows], self.normals[rows], self.piece[rows], self.density[rows], color)


def sample_pieces(pieces: Sequence[Piece], rng: np.random.RandomState) -> Samples:
    """Samples of each piece, so dense that the z-buffer has no gaps at arm's length."""
    columns: list[tuple[np.ndarray, ...]] = []
    for place, piece in enumerate(pieces):
        area = surface_area(piece.mesh)
        structure = piece.instance == 0
        count = int(LAYOUT_DENSITY * area if structure else np.clip(DENSITY * area, LEAST, MOST)) + 1
        cloud, normals, face = sample_oriented(piece.mesh, count, rng)
        color = np.empty((count, 0)) if piece.color is None else piece.color[piece.mesh.parts[face]]
        columns.append((cloud, normals, np.full(count, place), np.full(count, count / area), color))
    cloud, normals, piece_of, density, color = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Samples(cloud, normals, piece_of, density, color if color.size else None)


def standing_places(samples: Samples, pieces: Sequence[Piece], count: int, rng: np.random.RandomState) -> np.ndarray:
    """Camera positions (count, 3), far apart, at eye height above free floor. Raises `InputError` without a floor."""
    kinds = np.array([piece.name for piece in pieces])[samples.piece]
    height = samples.cloud[:, 2]
    grid = np.floor(samples.cloud[:, :2] / STEP).astype(np.int64)
    low = grid.min(axis=0) - 1
    floor, blocked = (np.zeros(grid.max(axis=0) - low + 2, dtype=bool) for _ in range(2))
    floor[tuple((grid - low)[kinds == "floor"].T)] = True
    blocked[tuple((grid - low)[(kinds != "floor") & (height > 0.1) & (height < EYE[1] + 0.1)].T)] = True
    if not floor.any():
        raise InputError("the room has no floor. Expected a piece with the name 'floor'. Add one.")
    clearance = np.where(floor, distance_transform_edt(~blocked), 0.0) * STEP
    free = np.argwhere(clearance >= min(CLEAR, clearance.max()))
    chosen = [free[rng.randint(len(free))]]
    while len(chosen) < count:
        # a random few are compared, because the farthest positions of all would always be corners
        few = free[rng.randint(len(free), size=12)]
        apart = np.min([np.linalg.norm(few - one, axis=1) for one in chosen], axis=0)
        chosen.append(few[apart.argmax()])
    ground = (np.array(chosen) + low + rng.uniform(0.2, 0.8, (count, 2))) * STEP
    return np.column_stack([ground, rng.uniform(*EYE, count)])


def scan_pieces(
    pieces: Sequence[Piece],
    labels: Sequence[int],
    rng: np.random.RandomState,
    *,
    views: int = 6,
    spacing: float = 0.03,
    area: tuple[np.ndarray, np.ndarray] | None = None,
    name: str = "room",
) -> tuple[Scene, np.ndarray]:
    """Scan of labelled pieces, and the camera positions (views, 3).

    Parameters
    ----------
    pieces : sequence of Piece
        At least one must have the name "floor".
    labels : sequence of int
        Label of each piece.
    views : int
        Number of camera positions.
    spacing : float
        Side in meters of a cell with at most one point. There are fewer points at long range and at grazing angles.
    area : pair of ndarray (3,), optional
        Lower and upper corner of the scanned region, which must contain the camera.

    Raises
    ------
    InputError
        For pieces without a floor, and if nothing is visible.
    """
    samples = sample_pieces(pieces, rng)
    if area is not None:
        samples = samples.within(*area)
    eyes = standing_places(samples, pieces, views, rng)
    resolution = np.radians(rng.uniform(0.25, 0.5))  # angle of a camera pixel
    best, by = np.full(len(samples.cloud), np.inf, dtype=np.float32), np.zeros(len(samples.cloud), dtype=np.int64)
    for i, eye in enumerate(eyes):
        rows, depth = _hits(samples, eye, resolution, rng)
        nearer = depth < best[rows]
        best[rows[nearer]], by[rows[nearer]] = depth[nearer], i
    seen = np.flatnonzero(np.isfinite(best))
    if not len(seen):
        raise InputError(
            f"{name}: no surface is visible from {views} camera positions. Expected a visible surface. Give a larger "
            "area."
        )
    points = _noisy(samples.cloud[seen], eyes[by[seen]], best[seen].astype(np.float64), rng)
    kept = rng.permutation(len(seen))
    kept = np.sort(kept[_first_of_cell(points[kept], spacing)])
    seen, points = seen[kept], points[kept]
    piece = samples.piece[seen]
    color = None if samples.color is None else _lit(samples.color[seen], samples.normals[seen], rng)
    instances = np.array([one.instance for one in pieces])[piece]
    return Scene(points, color, np.array(labels)[piece], instances, name=name), eyes


def _hits(
    samples: Samples, eye: np.ndarray, resolution: float, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Row of each sample that the camera measures in one full turn, and its distance from the camera."""
    rays = (samples.cloud - eye).astype(np.float32)
    depth = np.sqrt(np.einsum("ij,ij->i", rays, rays))
    slope = rays[:, 2] / np.maximum(depth, 1e-6)
    rows = np.flatnonzero((depth < FAR) & (depth > 0.05) & (slope > np.sin(LOWEST)) & (slope < np.sin(HIGHEST)))
    rays, depth, slope = rays[rows], depth[rows], slope[rows]
    cosine = np.abs(np.einsum("ij,ij->i", rays, samples.normals[rows].astype(np.float32))) / depth
    # depth difference of neighboring pixels on one surface; an oblique surface has a larger one
    steep = np.maximum(cosine, 0.1)
    slack = depth * np.float32(PIXEL) * (0.5 + 1.5 * np.sqrt(1 / steep**2 - 1))
    around, above = np.arctan2(rays[:, 1], rays[:, 0]) + np.pi, np.arcsin(slope) - LOWEST
    front = _front(around, above, depth, PIXEL, np.ones(len(rows), dtype=bool))
    visible = depth <= front + slack
    # close to the camera, the fine z-buffer has gaps between samples
    close = depth * np.sqrt(samples.density[rows]) < CLOSE
    visible &= depth <= _front(around, above, depth, COARSE * PIXEL, close) + COARSE * slack + THICK
    visible &= (depth > NEAR) & (cosine > LEAST_ANGLE)
    rate = cosine / (resolution * depth) ** 2 / samples.density[rows]
    visible &= rng.random_sample(len(rows)) < rate
    return rows[visible], depth[visible]


def _front(around: np.ndarray, above: np.ndarray, depth: np.ndarray, pixel: float, of: np.ndarray) -> np.ndarray:
    """Minimum depth (n,) around each sample's pixel in a closed panorama. Only samples of the mask `of` are used."""
    size = int((HIGHEST - LOWEST) / pixel) + 1, int(2 * np.pi / pixel) + 1
    row = np.minimum((above / pixel).astype(np.intp), size[0] - 1)
    column = np.minimum((around / pixel).astype(np.intp), size[1] - 1) + 1
    nearest = np.full((size[0], size[1] + 2), np.inf, dtype=np.float32)
    np.minimum.at(nearest, (row[of], column[of]), depth[of])
    nearest[:, 0], nearest[:, -1] = nearest[:, -2], nearest[:, 1]
    return spread(nearest)[row, column]


def _noisy(points: np.ndarray, eyes: np.ndarray, depth: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Points with noise along the rays. Its deviation is 1.2 mm + 1.9 mm * (depth - 0.4)^2 for a depth in meters."""
    deviation = 0.0012 + 0.0019 * (depth - 0.4) ** 2
    return points + (points - eyes) * (deviation * rng.normal(size=len(points)) / depth)[:, None]


def _first_of_cell(points: np.ndarray, size: float) -> np.ndarray:
    """Row of the first point in each cell of a grid."""
    cells = np.floor(points / size).astype(np.int64)
    cells -= cells.min(axis=0)
    span = cells.max(axis=0) + 1
    return np.unique((cells[:, 0] * span[1] + cells[:, 1]) * span[2] + cells[:, 2], return_index=True)[1]


def _lit(color: np.ndarray, normals: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Colors (n, 3) under light from above, with camera noise."""
    light = 0.8 + 0.2 * np.abs(normals[:, 2:])
    return np.clip(color * light + rng.normal(0, 0.03, color.shape), 0, 1).astype(np.float32)

"""Damaged copies of support shapes, which make the support more similar to scans.

They are computed from points only, for any data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.threedos.objects import BenchmarkData, Objects, Shape
from benchmarks.threedos.splits import Split

SEVERITIES = (1, 2, 3, 4)
LIDAR_POINTS = 768


@dataclass(frozen=True)
class Copy:
    """A damaged shape: "partial" (the view of one camera), "lidar" (a sparse, noisy depth image) or "occlusion"."""

    whole: Shape
    kind: Literal["partial", "lidar", "occlusion"]
    severity: int
    seed: int

    @property
    def title(self) -> str:
        return self.whole.title

    @property
    def id(self) -> str:
        partial = self.kind == "partial"
        return f"{self.whole.id}, {'seen from one side' if partial else f'{self.kind} {self.severity}'}"

    def read(self) -> np.ndarray:
        cloud = self.whole.read()
        if self.kind == "partial":
            return cloud[visible(cloud, viewpoint(cloud, np.random.RandomState([self.seed, len(cloud)])))]
        rng = np.random.RandomState([self.seed, self.severity])
        return (_lidar if self.kind == "lidar" else _occluded)(cloud, self.severity, rng).astype(np.float32)


def partial_views(objects: Objects) -> Objects:
    """One partial view of each shape; its index in the list seeds the camera."""
    return Objects(tuple(Copy(shape, "partial", 0, i) for i, shape in enumerate(objects.shapes)))


def with_copies(split: Split, data: BenchmarkData, root: Path | None) -> Objects:
    """The support and its corrupted copies, read from the release in `root` or, if it is None, generated."""
    if root is None:
        return Objects(data.support.shapes + damaged(data.support).shapes)
    from benchmarks.threedos.data import corrupted_support

    return Objects(data.support.shapes + corrupted_support(split, root).of(data.known).shapes)


def damaged(objects: Objects) -> Objects:
    """Eight copies per shape, as in 3DOS: two kinds of damage at four severities."""
    kinds: tuple[Literal["lidar", "occlusion"], ...] = ("lidar", "occlusion")
    return Objects(tuple(Copy(s, k, v, i) for k in kinds for v in SEVERITIES for i, s in enumerate(objects.shapes)))


def viewpoint(cloud: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Random camera position (3,) for a y-up cloud: any azimuth, elevation 0 to 50 degrees, far away."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(0, 50))
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.sin(elevation), np.cos(elevation) * np.sin(azimuth)])
    center = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    return center + 3 * float(np.linalg.norm(np.ptp(cloud, axis=0))) * direction


def visible(cloud: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Ascending indices of the points (n, 3) that a camera (3,) sees, by hidden point removal (Katz et al. 2007)."""
    from scipy.spatial import ConvexHull, QhullError

    rays = cloud.astype(np.float64) - camera
    distance = np.linalg.norm(rays, axis=1, keepdims=True)
    radius = 100 * distance.max()  # 100 is usual for thousands of points; a larger radius shows more points
    flipped = rays + 2 * (radius - distance) * rays / distance
    try:
        hull = ConvexHull(np.concatenate([flipped, np.zeros((1, 3))]))
    except QhullError:  # fewer than four points, or all in one plane with the camera: no point is hidden
        return np.arange(len(cloud))
    return np.sort(hull.vertices[hull.vertices < len(cloud)])


def _lidar(cloud: np.ndarray, severity: int, rng: np.random.RandomState) -> np.ndarray:
    """One side of the shape, at most 768 points; severity reduces the points and adds noise along the rays."""
    camera = viewpoint(cloud, rng)
    seen = cloud[visible(cloud, camera)]
    count = max(2, min(len(seen), LIDAR_POINTS // severity))
    seen = seen[rng.permutation(len(seen))[:count]]
    rays = seen - camera
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    extent = float(np.linalg.norm(np.ptp(cloud, axis=0)))
    return seen + 0.003 * severity * extent * rng.normal(size=(count, 1)) * rays


def _occluded(cloud: np.ndarray, severity: int, rng: np.random.RandomState) -> np.ndarray:
    """Remove the eighth of the points that is nearest to a random point, `severity` times."""
    for _ in range(severity):
        distance = np.linalg.norm(cloud - cloud[rng.randint(len(cloud))], axis=1)
        cloud = cloud[np.sort(np.argsort(distance, kind="stable")[len(cloud) // 8 :])]
    return cloud

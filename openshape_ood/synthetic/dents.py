"""Known objects with a dent, with ground truth for each point.

>>> shape = dented("chair", points=4000, seed=3)
>>> shape.cloud.shape, bool(shape.truth.any()), bool(shape.truth.mean() < 0.1)
((4000, 3), True, True)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.checks import check_positive, check_seed
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.sampling import sample_oriented

TRIED = 200  # candidate positions of a dent, see `_place`
FACING = 0.9  # minimum cosine between normals of one face
BEHIND = 0.2  # maximum distance of a point from the plane of its face, relative to the radius of the dent


@dataclass(frozen=True, eq=False)
class Dented:
    """Cloud (n, 3) float64, y up, meters, and mask (n,) of damaged points.

    A point is damaged if the dent moved it by more than a fifth of the dent's depth.
    """

    cloud: np.ndarray
    truth: np.ndarray


def dented(
    category_or_mesh: str | Mesh, points: int, seed: int, *, radius: float = 0.06, depth: float = 0.03
) -> Dented:
    """Shape with a round dent in a large, unoccluded face.

    Parameters
    ----------
    category_or_mesh : str or Mesh
        One of `synthetic.categories()`, generated with this seed. Or a mesh in meters.
    points : int
        Number n of points.
    seed : int
        Seed of the shape, its points and the position of the dent.
    radius, depth : float
        Radius of the dent and displacement of its center, in meters.

    Raises
    ------
    UnknownNameError, InputError
        For an unknown category, and if radius or depth is not above 0.
    """
    radius, depth = check_positive(radius, "radius"), check_positive(depth, "depth")
    mesh = category_or_mesh if isinstance(category_or_mesh, Mesh) else generate(category_or_mesh, seed)
    rng = np.random.RandomState([check_seed(seed), points])
    cloud, normals, _ = sample_oriented(mesh, points, rng)
    middle, outward = _place(cloud, normals, rng, radius)
    away = np.linalg.norm(cloud - middle, axis=1) / radius
    pushed = np.where((away < 1) & (np.abs(normals @ outward) > FACING), (1 - np.minimum(away, 1) ** 2) ** 2, 0.0)
    pushed[(cloud - middle) @ outward < -BEHIND * radius] = 0  # excludes the opposite face
    return Dented(cloud - depth * pushed[:, None] * outward, pushed > 0.2)


def _place(
    cloud: np.ndarray, normals: np.ndarray, rng: np.random.RandomState, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Center (3,) of the dent, and outward direction (3,).

    The center is the unoccluded candidate with the most points of its face around it. If all candidates are occluded,
    it is the best of all.
    """
    from scipy.spatial import KDTree

    tried = rng.permutation(len(cloud))[:TRIED]
    around = KDTree(cloud).query_ball_point(cloud[tried], 1.5 * radius)
    held = [(np.abs(normals[near] @ normals[i]) > FACING).sum() for i, near in zip(tried, around, strict=True)]
    order = np.argsort(held, kind="stable")[::-1]
    for i in tried[order]:
        height = (cloud - cloud[i]) @ normals[i]
        close = np.linalg.norm(cloud - cloud[i] - np.outer(height, normals[i]), axis=1) < radius
        for side in (1.0, -1.0):
            if not (close & (side * height > BEHIND * radius)).any():
                return cloud[i], side * normals[i]
    best = int(tried[order[0]])
    return cloud[best], normals[best]

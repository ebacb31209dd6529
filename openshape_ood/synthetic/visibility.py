"""Visible points of clouds, with and without normals."""

from __future__ import annotations

import numpy as np

from openshape_ood.errors import CloudError

FLIP = 30.0  # radius of the reflecting sphere, relative to the farthest point; a larger sphere keeps more points
PIXELS = 48  # pixels along the longer side of the z-buffer; few pixels close gaps between samples


def visible(cloud: np.ndarray, normals: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Mask (n,) of the points of a dense cloud (n, 3) that are visible from a camera (3,), by a z-buffer.

    A dense cloud has several points in each pixel. normals (n, 3): their sign has no effect.
    """
    row, column, depth, pixel = _projected(cloud, camera)
    nearest = np.full((row.max() + 3, column.max() + 3), np.inf)
    np.minimum.at(nearest, (row + 1, column + 1), depth)
    front = spread(nearest)[row + 1, column + 1]
    return depth <= front + _tolerance(cloud, normals, camera, depth * pixel)


def _projected(cloud: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Row, column and depth (n,) of each point in a perspective image, and width of a pixel at depth 1."""
    forward = (cloud.min(axis=0) + cloud.max(axis=0)) / 2 - camera
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right) + 1e-12
    x, y, depth = np.stack([right, np.cross(right, forward), forward]) @ (cloud - camera).T
    depth = np.maximum(depth, 1e-6)
    x, y = x / depth, y / depth
    pixel = max(np.ptp(x), np.ptp(y), 1e-9) / PIXELS
    return ((y - y.min()) / pixel).astype(np.intp), ((x - x.min()) / pixel).astype(np.intp), depth, float(pixel)


def spread(nearest: np.ndarray) -> np.ndarray:
    """Minimum depth over 3 x 3 pixels, so that each sample covers its neighborhood."""
    tall = nearest.copy()
    tall[1:] = np.minimum(tall[1:], nearest[:-1])
    tall[:-1] = np.minimum(tall[:-1], nearest[1:])
    wide = tall.copy()
    wide[:, 1:] = np.minimum(wide[:, 1:], tall[:, :-1])
    wide[:, :-1] = np.minimum(wide[:, :-1], tall[:, 1:])
    return wide


def _tolerance(cloud: np.ndarray, normals: np.ndarray, camera: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Depth difference (n,) of neighboring pixels on one surface; an oblique surface has a larger one."""
    cosine = np.maximum(facing(cloud, normals, camera), 0.2)
    return pixel * (0.5 + 1.5 * np.sqrt(1 / cosine**2 - 1))


def facing(cloud: np.ndarray, normals: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Absolute cosine (n,) between ray and normal."""
    rays = cloud - camera
    return np.abs(np.einsum("ij,ij->i", rays, normals)) / (np.sqrt(np.einsum("ij,ij->i", rays, rays)) + 1e-12)


def unhidden(cloud: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Indices (m,) of the points of a cloud (n, 3) that are visible from a camera (3,) outside it, without normals.

    Points are reflected at a sphere around the camera. A point is visible if its reflection is on the convex hull of
    all reflections and the camera (Katz, Tal, Basri, "Direct visibility of point sets", SIGGRAPH 2007). In a sparse
    cloud, some hidden points are reported as visible. Raises `CloudError` for fewer than four points, and if all points
    and the camera are in one plane.

    >>> ball = np.random.RandomState(0).normal(size=(500, 3))
    >>> ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    >>> bool(ball[unhidden(ball, np.array([0.0, 0.0, 3.0])), 2].min() > 0)
    True
    """
    from scipy.spatial import ConvexHull, QhullError

    rays = np.asarray(cloud, dtype=np.float64) - camera
    distance = np.linalg.norm(rays, axis=1, keepdims=True)
    reflected = rays * (2 * FLIP * distance.max(initial=1e-12) / np.maximum(distance, 1e-12) - 1)
    try:
        hull = ConvexHull(np.vstack([reflected, np.zeros(3)])).vertices
    except (QhullError, ValueError) as error:
        shape = f"{len(cloud)} points"
        raise CloudError(
            f"{shape} have no visible side. Expected four or more that are not in one plane. Give a denser cloud."
        ) from error
    return np.sort(hull[hull < len(cloud)])

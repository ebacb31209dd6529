"""Robust planes, and the frame of a sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.errors import CloudError

TRIALS = 100  # random planes through three points; if half of the points are on the surface, one plane in eight fits
SAMPLE = 100_000  # maximum points from which a frame is computed
PLANE_SAMPLE = 3000  # maximum points from which the plane is computed
OUTSIDE = 2.5 * 1.4826  # points within this many median distances from the plane are inliers
STRAY = 10  # points beyond this multiple of the 99 % quantile of all distances are ignored
ALONG = 0.01  # minimum in-plane component of a given direction: half a degree from the normal
LONG = 1.5  # minimum length / width of a sheet whose axis u is along its length


@dataclass(frozen=True, eq=False)
class Frame:
    """Frame of a sheet: origin (3,) and axes (3, 3) in the frame of the cloud.

    The rows of `axes` are u and v in the sheet, and w normal to it; they are right-handed.
    """

    origin: np.ndarray
    axes: np.ndarray

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the cloud as (u, v, w) (n, 3) float64."""
        return (points - self.origin) @ self.axes.T


def sample_step(count: int) -> int:
    """Step between sampled points: the smallest power of two with `count` / step at most `SAMPLE`."""
    step = 1
    while count > SAMPLE * step:
        step *= 2
    return step


def robust_plane(points: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Unit normal (3,) and offset of the plane that best fits any half of the points (n, 3): normal @ point = offset.

    Least median of squares (Rousseeuw, JASA 79, 1984), refined by inliers. None if no three points span a plane.

    >>> grid = np.argwhere(np.ones((9, 9, 1))).astype(float)
    >>> normal, offset = robust_plane(np.vstack([grid, [[4, 4, 50]]]))
    >>> abs(normal).round(3).tolist()
    [0.0, 0.0, 1.0]
    """
    if len(points) < 3:
        return None
    rng = np.random.RandomState(0)
    first, second, third = points[rng.randint(len(points), size=(3, TRIALS))]
    normals = np.cross(second - first, third - first)
    length = np.linalg.norm(normals, axis=1)
    spans = length > 1e-9 * np.square(np.ptp(points, axis=0).max())
    if not spans.any():
        return None
    normals = normals[spans] / length[spans, None]
    distance = np.abs(points @ normals.T - (normals * first[spans]).sum(axis=1))
    apart = np.median(distance, axis=0)
    best = int(apart.argmin())
    near = distance[:, best] <= max(OUTSIDE * apart[best], 1e-12)
    for _ in range(3):
        middle = points[near].mean(axis=0)
        spread = points[near] - middle
        normal = np.linalg.eigh(spread.T @ spread)[1][:, 0]
        distance_now = np.abs((points - middle) @ normal)
        near = distance_now <= max(OUTSIDE * float(np.median(distance_now)), 1e-12)
    return normal, float(middle @ normal)


def sheet_frame(sample: np.ndarray, normal: np.ndarray | None = None, along: np.ndarray | None = None) -> Frame:
    """Frame of the sheet through most points of a sample (n, 3).

    normal: normal of the sheet. Default: the upward normal of `robust_plane`. along: direction of u. Default: the long
    axis of the cloud; if no axis is clearly the longest, x. Raises `CloudError` for collinear points.
    """
    origin = np.median(sample, axis=0)
    centered = sample - origin
    away = np.abs(centered).max(axis=1)
    centered = centered[away <= STRAY * np.quantile(away, 0.99)]
    if normal is None:
        plane = robust_plane(centered[:: -(-len(centered) // PLANE_SAMPLE)])
        if plane is None:
            raise CloudError(
                f"all {len(sample):,} sampled points are on one line. Expected points of a surface. Check the cloud."
            )
        normal = _positive(plane[0])
    w = normal / np.linalg.norm(normal)
    flat = centered - np.outer(centered @ w, w)
    if along is None:
        spread, directions = np.linalg.eigh(flat.T @ flat)
        if spread[2] > LONG**2 * spread[1]:
            along = _positive(directions[:, 2], first=True)
        else:
            along = np.array([1.0, 0, 0]) if abs(w[0]) < 0.9 else np.array([0, 1.0, 0])
    u = along - (along @ w) * w
    if np.linalg.norm(u) < ALONG * np.linalg.norm(along):
        raise CloudError(
            f"along is {np.round(along, 3).tolist()}, the normal of the surface. Expected a direction in the surface. "
            "Give another, or leave it out."
        )
    u = u / np.linalg.norm(u)
    return Frame(origin, np.stack([u, np.cross(w, u), w]))


def _positive(direction: np.ndarray, first: bool = False) -> np.ndarray:
    """The direction (3,) or its opposite, so that z is positive. If |z| is at most 0.1, y is used; then x.

    first: in the order x, y, z.
    """
    order = (0, 1, 2) if first else (2, 1, 0)
    axis = next((i for i in order if abs(direction[i]) > 0.1), order[-1])
    return direction if direction[axis] > 0 else -direction

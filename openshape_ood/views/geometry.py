"""Pixels to points and back, as pure functions.

Pixel centers have integer coordinates (u right, v down). A camera looks along its z axis, x right, y down. A pose
(4, 4) maps camera coordinates to the world, in meters with z up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import InputError

BOUNDS = np.array([[-1.0, -1.0, -0.1], [1.0, 1.0, 1.9]])  # box of the published networks, in their frame
BOUNDS.flags.writeable = False
STRIP = 1 << 18  # pixels per block in `image_normals`
FARTHEST = 2.0**60  # maximum layer index, which must fit into 64 bits
SCALE = 0.6  # units per meter in the frame of the published networks


def checked_matrix(given: Any, what: str, shape: tuple[int, int], infinite: bool = False) -> np.ndarray:
    """`given` as finite float64 of a shape; the last row of a (4, 4) must be 0, 0, 0, 1. Raises `InputError`.

    infinite: accept infinity too, for a box with an open side.
    """
    try:
        matrix = np.array(to_numpy(given), dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != shape or np.isnan(matrix).any() or not (infinite or np.isfinite(matrix).all()):
        raise InputError(
            f"{what} is {given!r:.80}. Expected {shape} {'' if infinite else 'finite '}numbers. Correct it."
        )
    if shape == (4, 4) and np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise InputError(f"{what} has {matrix[3].tolist()} as its last row. Expected 0, 0, 0, 1. Correct it.")
    return matrix


def unproject(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Points (h * w, 3) float64 in the camera's frame from a depth image (h, w), row by row. NaN depth gives NaN.

    >>> unproject(np.full((2, 2), 3.0), np.array([[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1]]))[-1].tolist()
    [2.0, 2.0, 3.0]
    """
    h, w = depth.shape
    points = np.empty((h, w, 3))
    points[..., 2] = depth
    for axis, pixels in enumerate((np.arange(w), np.arange(h)[:, None])):  # u, v
        np.multiply(pixels - intrinsics[axis, 2], points[..., 2], out=points[..., axis])
        points[..., axis] /= intrinsics[axis, axis]
    return points.reshape(-1, 3)


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 3) transformed by a matrix (4, 4)."""
    turned: np.ndarray = points @ matrix[:3, :3].T
    turned += matrix[:3, 3]
    return turned


def project(points: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unrounded pixel coordinates (n, 2), u and v, of points (n, 3) in the world, and their depth (n,).

    Valid only for depth above 0.
    """
    x, y, z = np.linalg.solve(pose[:3, :3], (points - pose[:3, 3]).T)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.stack([x / z * intrinsics[0, 0], y / z * intrinsics[1, 1]], axis=1) + intrinsics[:2, 2]
    return pixels, z


def looking(eye: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """Pose (4, 4) of a camera at `eye` (3,) without roll. `yaw`, from +x to +y, and `pitch`, downwards, in radians."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose


def in_bounds(points: np.ndarray, bounds: np.ndarray = BOUNDS) -> np.ndarray:
    """Mask (n,) of points (n, 3) in a box (2, 3), faces included.

    The faces are rounded to the precision of the points, because -0.1 as float32 is below -0.1 as float64.
    """
    low, high = np.asarray(bounds).astype(points.dtype)
    return ((points >= low) & (points <= high)).all(axis=-1)


def in_picture(points: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mask (n,) of world points (n, 3) that project into a camera's image (h, w), hidden points included."""
    pixels, depth = project(points, intrinsics, pose)
    return (depth > 0) & ((pixels >= 0) & (pixels < shape[::-1])).all(axis=1)


def signed_distance(
    points: np.ndarray, depth: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray, voxel: float
) -> np.ndarray:
    """Signed distance (n,) float64 of world points (n, 3) to the surface of a depth image (h, w), along the depth axis.

    The unit is 5 * `voxel` meters. Positive: in front of the surface, seen empty, clipped to 1. Negative: behind it.
    -1: far behind it, or unknown.
    """
    pixels, z = project(points, intrinsics, pose)
    with np.errstate(invalid="ignore"):
        pixels = np.rint(pixels)
        shown = (z > 0) & ((pixels >= 0) & (pixels < depth.shape[::-1])).all(axis=1)
        column, row = np.where(shown[:, None], pixels, 0).astype(np.int64).T
        known = shown & (depth[row, column] > 0)
    gap = np.where(known, depth[row, column] - z, np.nan) / (5 * voxel)
    return np.where(gap >= -1, np.minimum(gap, 1), -1.0)  # NaN becomes -1 too


def published_frame(pose: np.ndarray, scale: float = SCALE) -> np.ndarray:
    """Matrix (4, 4) from the world to the frame of the published networks, with the box `BOUNDS`.

    The matrix turns the world about z so that the camera looks along +x, and scales it. The camera gets x = -1.5 and
    y = 0; the floor stays at z = 0. Raises `InputError` for a camera that looks straight up or down.

    >>> pose = looking(np.array([4.0, 5.0, 1.5]), 2.0, 0.3)
    >>> moved(pose[:3, 3], published_frame(pose)).round(6).tolist()
    [-1.5, 0.0, 0.9]
    """
    ahead = pose[:2, 2]
    length = float(np.linalg.norm(ahead))
    if length < 0.02:
        raise InputError(
            "the camera looks straight up or down. Expected a camera that looks across a room. Give another view."
        )
    c, s = scale * ahead / length
    matrix = np.array([[c, s, 0, 0], [-s, c, 0, 0], [0, 0, scale, 0], [0, 0, 0, 1.0]])
    matrix[:2, 3] = [-1.5, 0] - matrix[:2, :2] @ pose[:2, 3]
    return matrix


def floor_height(points: np.ndarray, normals: np.ndarray) -> float | None:
    """Height of the lowest large horizontal surface of points (n, 3) with unit normals (n, 3); None without one.

    Horizontal: inclined by at most 18 degrees. Large: a layer of 6 cm has at least a tenth of all
    points, and half as many as the fullest layer.
    """
    heights = points[np.abs(normals[:, 2]) > 0.95, 2]
    if not len(heights):
        return None
    layer = 0.02
    start = heights.min()
    # sorted layers instead of a histogram: a single pixel may be 10^9 m away
    layers, counts = np.unique(np.minimum((heights - start) / layer, FARTHEST).astype(np.int64), return_counts=True)

    def thick(places: np.ndarray) -> np.ndarray:
        """Number of points in each layer and its two neighbor layers."""
        near = places[:, None] + np.arange(-1, 2)
        index = np.searchsorted(layers, near).clip(max=len(layers) - 1)
        return np.where(layers[index] == near, counts[index], 0).sum(axis=1)

    places = np.unique(layers[:, None] + np.arange(-1, 2))
    places = places[places >= 0]
    held = thick(places)
    if held.max() < 0.1 * len(points):
        return None
    first = places[held >= max(0.1 * len(points), 0.5 * held.max())][0]
    # of this layer and the next three, the fullest: a slightly inclined floor fills several layers
    peak = first + int(thick(first + np.arange(4)).argmax())
    inside = np.abs(heights - (start + (peak + 0.5) * layer)) <= 1.5 * layer
    return float(np.median(heights[inside])) if inside.any() else None


def image_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals (h, w, 3) of an image's points (h, w, 3); NaN at the border and next to unknown pixels."""
    normals, (height, width) = np.full(points.shape, np.nan), points.shape[:2]
    rows = max(1, STRIP // width)
    for top in range(1, height - 1, rows):
        part = points[top - 1 : top + rows + 1]
        normal = np.cross(part[1:-1, 2:] - part[1:-1, :-2], part[2:, 1:-1] - part[:-2, 1:-1])
        with np.errstate(over="ignore", invalid="ignore"):
            normals[top : top + rows, 1:-1][: len(normal)] = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    return normals

"""From pixels to points and back, as pure functions.

Pixel centers lie at whole coordinates (u to the right, v down). A camera looks along its z axis, x to the right, y
down; a pose (4, 4) takes points of the camera to the world, which is in meters with z up.
"""

from __future__ import annotations

import numpy as np


def unproject(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Points (h * w, 3) float64 in the frame of the camera, row by row of a depth image (h, w); NaN stays NaN.

    >>> unproject(np.full((2, 2), 3.0), np.array([[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1]]))[-1].tolist()
    [2.0, 2.0, 3.0]
    """
    v, u = np.indices(depth.shape)
    z = depth.astype(np.float64)
    x, y = (u - intrinsics[0, 2]) * z / intrinsics[0, 0], (v - intrinsics[1, 2]) * z / intrinsics[1, 1]
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 3) sent through a matrix (4, 4): turned, scaled and moved."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def project(points: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (n, 2), u and v, unrounded, of points (n, 3) in the world, and their depth (n,).

    They mean something only where the depth is above 0.
    """
    x, y, z = np.linalg.solve(pose[:3, :3], (points - pose[:3, 3]).T)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.stack([x / z * intrinsics[0, 0], y / z * intrinsics[1, 1]], axis=1) + intrinsics[:2, 2]
    return pixels, z


def looking(eye: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """The pose (4, 4) of a level camera at `eye` (3,) that looks `yaw` from +x to +y and `pitch` down, in radians."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose

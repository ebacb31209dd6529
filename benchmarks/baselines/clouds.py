"""Preparation of clouds for the trained baselines of 3DOS: sampling, normalization and augmentation.

In training a shape is normalized before its points are drawn, in evaluation afterwards. The strengths of the
augmentation are those of github.com/antoalli/3D_OS.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.threedos.objects import Shape
from openshape_ood.shapes.points import check_cloud, resample

AUGMENTATIONS = ("rw", "st")
TILT, MOST_TILT = 0.06, 0.18  # radians, about each axis
JITTER, MOST_JITTER = 0.01, 0.05
SHIFT = {"rw": 0.1, "st": 0.2}
SCALE = {"rw": (0.8, 1.25), "st": (2 / 3, 3 / 2)}


def centered(cloud: np.ndarray) -> np.ndarray:
    """Move a cloud (n, 3) to mean 0 and scale it to a largest norm of 1, float32."""
    moved = cloud - cloud.mean(axis=0)
    return (moved / np.linalg.norm(moved, axis=1).max()).astype(np.float32)


def read(shape: Shape) -> np.ndarray:
    """Read all points (n, 3) of a shape, normalized, float32. Raises `CloudError` for an invalid cloud."""
    return centered(check_cloud(shape.read(), shape.id)[:, :3])


def tested(given: np.ndarray, count: int, seed: int, name: str) -> np.ndarray:
    """A cloud (count, 3) for evaluation. Points are drawn, then normalized; a smaller cloud repeats some points."""
    cloud = check_cloud(given, name)[:, :3]
    return centered(cloud[resample(len(cloud), count, seed)])


def drawn(cloud: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` random points of a cloud (n, 3), without repeats if n is large enough."""
    return cloud[rng.choice(len(cloud), count, replace=len(cloud) < count)]


def augmented(cloud: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Augment a y-up cloud (n, 3).

    "rw": scale, rotate about y, tilt, shift all axes by one random number, jitter. "st": scale and shift.
    """
    points = cloud * rng.uniform(*SCALE[how])
    if how == "rw":
        points = points @ turn(1, rng.uniform(0, 2 * np.pi)).T
        x, y, z = np.clip(rng.normal(0, TILT, 3), -MOST_TILT, MOST_TILT)
        points = points @ (turn(2, z) @ turn(1, y) @ turn(0, x)).T
    points = points + rng.uniform(-SHIFT[how], SHIFT[how])
    if how == "rw":
        points = points + np.clip(rng.normal(0, JITTER, points.shape), -MOST_JITTER, MOST_JITTER)
    return np.asarray(points, dtype=np.float32)


def turn(axis: int, angle: float) -> np.ndarray:
    """Matrix (3, 3) of a right-handed rotation about an axis; angle in radians."""
    matrix, (a, b) = np.eye(3), [(axis + 1) % 3, (axis + 2) % 3]
    matrix[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


def batch(clouds: Sequence[np.ndarray], rows: np.ndarray, count: int, how: str, seed: int, epoch: int) -> np.ndarray:
    """Augmented clouds (b, count, 3) of a batch. They depend on `seed`, `epoch` and the rows only."""
    made = []
    for row in rows.tolist():
        rng = np.random.default_rng([seed, epoch, row])
        made.append(augmented(drawn(clouds[row], count, rng), how, rng))
    return np.stack(made)

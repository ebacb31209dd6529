"""Clouds as the trained baselines of 3DOS see them: drawn, normalized, and in training changed at random.

Training normalizes a shape before points are drawn from it, evaluation after. Amounts: github.com/antoalli/3D_OS.
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
    """A cloud (n, 3) with its mean at the origin and largest norm 1, float32."""
    moved = cloud - cloud.mean(axis=0)
    return (moved / np.linalg.norm(moved, axis=1).max()).astype(np.float32)


def read(shape: Shape) -> np.ndarray:
    """All points (n, 3) of a shape, float32, normalized. Raises `CloudError` for what is no cloud."""
    return centered(check_cloud(shape.read(), shape.id)[:, :3])


def tested(given: np.ndarray, count: int, seed: int, name: str) -> np.ndarray:
    """A cloud (count, 3) for evaluation: drawn first, normalized then; of fewer points some are repeated."""
    cloud = check_cloud(given, name)[:, :3]
    return centered(cloud[resample(len(cloud), count, seed)])


def drawn(cloud: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` points of a cloud (n, 3), each once where there are enough."""
    return cloud[rng.choice(len(cloud), count, replace=len(cloud) < count)]


def augmented(cloud: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """A cloud (n, 3), y up, scaled, turned, tilted, shifted by one number for all axes, and jittered; "st": scaled and
    shifted."""
    found = cloud * rng.uniform(*SCALE[how])
    if how == "rw":
        found = found @ turn(1, rng.uniform(0, 2 * np.pi)).T
        x, y, z = np.clip(rng.normal(0, TILT, 3), -MOST_TILT, MOST_TILT)
        found = found @ (turn(2, z) @ turn(1, y) @ turn(0, x)).T
    found = found + rng.uniform(-SHIFT[how], SHIFT[how])
    if how == "rw":
        found = found + np.clip(rng.normal(0, JITTER, found.shape), -MOST_JITTER, MOST_JITTER)
    return np.asarray(found, dtype=np.float32)


def turn(axis: int, angle: float) -> np.ndarray:
    """The matrix (3, 3) of a right-handed turn about an axis."""
    matrix, (a, b) = np.eye(3), [(axis + 1) % 3, (axis + 2) % 3]
    matrix[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


def batch(clouds: Sequence[np.ndarray], rows: np.ndarray, count: int, how: str, seed: int, epoch: int) -> np.ndarray:
    """Some clouds (b, count, 3) of a training as they are in an epoch: of seed, epoch and row only."""
    made = []
    for row in rows.tolist():
        rng = np.random.default_rng([seed, epoch, row])
        made.append(augmented(drawn(clouds[row], count, rng), how, rng))
    return np.stack(made)

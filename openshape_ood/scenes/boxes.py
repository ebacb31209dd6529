"""Upright bounding boxes with minimum ground area, and likelihoods of their sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.known import folded

WIDENED = 0.2  # added to the standard deviations of sizes: real objects vary more than the examples
LEAST = -6.0  # minimum log-likelihood of a size, because partly visible objects look too small
THINNEST = 0.01  # meters, minimum side in logarithms of sizes, margin of sides in ground areas; a side may be 0


@dataclass(frozen=True, eq=False)
class Box:
    """Upright box in meters.

    center: (3,); size: longer side, shorter side, height (3,); yaw: direction of the longer side in radians.
    """

    center: np.ndarray
    size: np.ndarray
    yaw: float

    @classmethod
    def around(cls, points: np.ndarray) -> Box:
        """Box with the smallest ground area around points (m, 3)."""
        low, high = points[:, 2].min(), points[:, 2].max()
        level = _outline(points[:, :2])
        sides = np.diff(level, axis=0, append=level[:1])
        angles = np.unique(np.round(np.arctan2(sides[:, 1], sides[:, 0]) % (np.pi / 2), 9))
        turned = [level @ _turn(angle) for angle in angles]
        area = [np.prod(np.ptp(one, axis=0) + THINNEST) for one in turned]
        best = int(np.argmin(np.round(area, 9)))
        yaw, (least, most) = float(angles[best]), (turned[best].min(axis=0), turned[best].max(axis=0))
        middle = _turn(yaw) @ ((least + most) / 2)
        sides = most - least
        if sides[1] > sides[0]:
            sides, yaw = sides[::-1], yaw + np.pi / 2
        center = np.array([*middle, (low + high) / 2])
        return cls(center, np.array([*sides, high - low]), yaw)

    def corners(self) -> np.ndarray:
        """Corners (8, 3): the four lower ones counterclockwise, then the four upper ones."""
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        level = self.center[:2] + (signs * self.size[:2] / 2) @ _turn(self.yaw).T
        z = self.center[2] + np.array([-0.5, 0.5]) * self.size[2]
        return np.concatenate([np.column_stack([level, np.full(4, height)]) for height in z])

    def as_json(self) -> dict[str, Any]:
        return {"center": self.center.tolist(), "size": self.size.tolist(), "yaw": self.yaw}


def size_likelihood(boxes: Sequence[Box], names: Sequence[str], sizes: Mapping[str, Any] | None) -> np.ndarray:
    """Log-likelihoods (m, k) of the sizes of m boxes under k classes, at least -6. sizes: as in `score_scene`."""
    table = packaged_sizes() if sizes is None else {folded(name): row for name, row in sizes.items()}
    strange = [name for name in names if folded(name) not in table]
    if strange:
        raise InputError(
            f"there are no sizes for {', '.join(map(repr, strange))}. Expected sizes={{name: (means, deviations)}} for "
            "every class: logarithms of longer side, shorter side and height in meters. Give them, or size_weight=0."
        )
    try:
        statistics = np.array([table[folded(name)] for name in names], dtype=np.float64)
    except (TypeError, ValueError):  # not numbers, or rows of different lengths
        statistics = np.empty(0)
    if statistics.shape != (len(names), 2, 3) or not np.isfinite(statistics).all() or (statistics[:, 1] < 0).any():
        raise InputError(
            f"the sizes of a class have the shape {statistics.shape[1:]}. Expected finite numbers (2, 3), with "
            "deviations of at least 0. Give means and deviations for every class."
        )
    given = np.log(np.maximum([box.size for box in boxes], THINNEST)).reshape(len(boxes), 1, 3)
    spread = statistics[None, :, 1] + WIDENED
    density = -0.5 * ((given - statistics[None, :, 0]) / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    return np.maximum(density.sum(axis=2), LEAST)


@cache
def packaged_sizes() -> dict[str, Any]:
    """Means and deviations (2, 3) from generated shapes, by case-folded name. Made by `benchmarks.training.sizes`."""
    table = json.loads(Path(__file__).with_name("sizes.json").read_text(encoding="utf-8"))
    return {folded(name): row for name, row in table["sizes"].items()}


def _turn(angle: float) -> np.ndarray:
    """Rotation matrix (2, 2): `points @ matrix` are coordinates in axes turned by the angle."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _outline(level: np.ndarray) -> np.ndarray:
    """Corners (h, 2) of the convex hull."""
    from scipy.spatial import ConvexHull, QhullError

    distinct = np.unique(level, axis=0)
    try:
        return distinct[ConvexHull(distinct).vertices]
    except (QhullError, ValueError):  # fewer than three points, or collinear points
        return distinct[[0, -1]]

"""Intersection over union of classes of points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.scene_data.metrics import class_iou, confusion


def class_ious(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """IoU (k,) of each class; NaN for one that is neither in the truth nor in the guess, 0 for one only guessed.

    truth, guess: classes (n,) of the points from 0; below 0 in the truth: unlabeled, left out.

    >>> class_ious(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 2]), 3).tolist()
    [0.5, 0.5, nan]
    """
    return class_iou(confusion(truth, guess, classes - 1))


def mean_iou(
    ious: np.ndarray, rows: Sequence[int] | slice = slice(None), absent: float | None = None
) -> tuple[float, int]:
    """The mean over some classes, and how many of them counted; absent: what a NaN counts as, None leaves it out.

    >>> mean_iou(np.array([0.5, np.nan])), mean_iou(np.array([0.5, np.nan]), absent=0.0)
    ((0.5, 1), (0.25, 2))
    """
    own = ious[rows] if absent is None else np.nan_to_num(ious[rows], nan=absent)
    counted = ~np.isnan(own)
    return (float(own[counted].mean()) if counted.any() else float("nan")), int(counted.sum())

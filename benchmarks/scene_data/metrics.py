"""Figures of proposals, named objects and labelled points.

A proposal is a set of point indices of a scan of n points. At IoU 0.25 a proposal may match several objects, and an
object several proposals; above IoU 0.5 a match is unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics

FOUND = 0.25  # least IoU of a match between a proposal and an object


def overlap_table(rows: Sequence[np.ndarray], instances: np.ndarray, objects: Sequence[int]) -> np.ndarray:
    """IoU (p, m) of p proposals, lists of point indices, and m true objects; instances (n,): object of each point.

    Points of instance 0 are ignored. Points of all other instances count, also of those not in `objects`.

    >>> overlap_table([np.array([0, 1, 2]), np.array([3, 4])], np.array([1, 1, 2, 2, 0]), [1, 2]).round(2).tolist()
    [[0.67, 0.25], [0.0, 0.5]]
    """
    most = int(instances.max(initial=0)) + 1
    counts = np.array([np.bincount(instances[one], minlength=most) for one in rows]).reshape(len(rows), most)
    size = counts[:, 1:].sum(axis=1)
    wanted = np.asarray(objects, dtype=np.int64)
    both = counts[:, wanted]
    true = np.bincount(instances, minlength=most)[wanted]
    return both / np.maximum(size[:, None] + true[None] - both, 1)


def proposal_figures(overlap: np.ndarray) -> dict[str, float]:
    """Number of proposals, recall at IoU 0.25 and 0.5, precision at 0.25, from a table of IoU (p, m).

    >>> proposal_figures(np.array([[0.6, 0.0], [0.1, 0.3], [0.0, 0.1]]))
    {'proposals': 3.0, 'recall25': 1.0, 'recall50': 0.5, 'precision25': 0.6666666666666666}
    """
    count, objects = overlap.shape
    best = overlap.max(axis=0, initial=0.0)
    nan = float("nan")
    return {
        "proposals": float(count),
        "recall25": float((best >= FOUND).mean()) if objects else nan,
        "recall50": float((best >= 0.5).mean()) if objects else nan,
        "precision25": float((overlap.max(axis=1, initial=0.0) >= FOUND).mean()) if count else nan,
    }


def matched(overlap: np.ndarray) -> np.ndarray:
    """Best proposal (m,) of each object from a table of IoU (p, m); -1 if its IoU is below `FOUND`.

    >>> matched(np.array([[0.6, 0.0], [0.1, 0.2]])).tolist()
    [0, -1]
    """
    if not len(overlap):
        return np.full(overlap.shape[1], -1)
    return np.where(overlap.max(axis=0) >= FOUND, overlap.argmax(axis=0), -1)


def known_against_novel(novelty: np.ndarray, is_novel: np.ndarray) -> float:
    """AUROC of novelty (m,), where a tie counts one half; NaN unless there are known and novel ones.

    >>> known_against_novel(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]))
    1.0
    """
    if is_novel.all() or not is_novel.any():
        return float("nan")
    return ood_metrics(novelty[~is_novel], novelty[is_novel])["auroc"]


def rank_of(novelty: np.ndarray, which: int) -> int:
    """Rank of one value in descending order, from 1; equal values all have the last of their ranks.

    >>> rank_of(np.array([0.3, 0.9, 0.5]), 2)
    2
    """
    return int((novelty >= novelty[which]).sum())


def confusion(truth: np.ndarray, guess: np.ndarray, count: int) -> np.ndarray:
    """Confusion matrix (count + 1, count + 1) of truth and guess (n,), classes 0 to `count`, true classes in rows.

    Points with truth below 0 have no label and are left out.
    """
    kept = truth >= 0
    cells = truth[kept] * (count + 1) + guess[kept]
    return np.bincount(cells, minlength=(count + 1) ** 2).reshape(count + 1, count + 1)


def class_iou(table: np.ndarray) -> np.ndarray:
    """IoU (k,) of each class of a confusion matrix (k, k); NaN for a class without true or predicted points.

    >>> class_iou(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    right = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def mean_iou(iou: np.ndarray, of: Any = slice(None), absent: float = np.nan) -> tuple[float, int]:
    """Mean IoU over classes, selected by a mask or indices, and their number. NaN counts as `absent`, or not at all.

    >>> mean_iou(np.array([0.5, np.nan])), mean_iou(np.array([0.5, np.nan]), absent=0.0)
    ((0.5, 1), (0.25, 2))
    """
    chosen = np.nan_to_num(iou[of], nan=absent)
    counted = chosen[~np.isnan(chosen)]
    return (float(counted.mean()) if len(counted) else float("nan")), len(counted)

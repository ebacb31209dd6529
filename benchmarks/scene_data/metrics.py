"""Figures of proposals, of named objects and of labelled points, as pure functions.

Proposals are sets of rows of a scan of n points; true objects are the instances that count. A proposal may answer for
several objects and an object be answered by several proposals: at an IoU beyond 0.5 no proposal can do either twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics

FOUND = 0.25  # IoU from which a proposal counts as an object


def overlap_table(rows: Sequence[np.ndarray], instances: np.ndarray, objects: Sequence[int]) -> np.ndarray:
    """IoU (p, m) of p proposals, rows of points, and the m true objects that count; instances: of the points (n,).

    Points of no instance, 0, are left out; those of other objects are what a proposal has too much.

    >>> overlap_table([np.array([0, 1, 2]), np.array([3, 4])], np.array([1, 1, 2, 2, 0]), [1, 2]).round(2).tolist()
    [[0.67, 0.25], [0.0, 0.5]]
    """
    own = [instances[one] for one in rows]
    most = int(instances.max(initial=0)) + 1
    counts = np.array([np.bincount(each, minlength=most) for each in own]).reshape(len(own), most)
    size = counts[:, 1:].sum(axis=1)
    wanted = np.asarray(objects, dtype=np.int64)
    both = counts[:, wanted]
    true = np.bincount(instances, minlength=most)[wanted]
    return both / np.maximum(size[:, None] + true[None] - both, 1)


def proposal_figures(overlap: np.ndarray) -> dict[str, float]:
    """Number of proposals; recall at IoU 0.25 and 0.5; precision at 0.25; of a table (p, m).

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
    """The proposal (m,) that overlaps each object most, -1 where none does enough; of a table (p, m).

    >>> matched(np.array([[0.6, 0.0], [0.1, 0.2]])).tolist()
    [0, -1]
    """
    if not len(overlap):
        return np.full(overlap.shape[1], -1)
    return np.where(overlap.max(axis=0) >= FOUND, overlap.argmax(axis=0), -1)


def known_against_novel(novelty: np.ndarray, is_novel: np.ndarray) -> float:
    """AUROC of novelty (m,), a tie one half; nan unless there are both kinds.

    >>> known_against_novel(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]))
    1.0
    """
    if is_novel.all() or not is_novel.any():
        return float("nan")
    return ood_metrics(novelty[~is_novel], novelty[is_novel])["auroc"]


def rank_of(novelty: np.ndarray, which: int) -> int:
    """The place of one of several in the order of falling novelty, from 1; the last of those that are equal.

    >>> rank_of(np.array([0.3, 0.9, 0.5]), 2)
    2
    """
    return int((novelty >= novelty[which]).sum())


def confusion(truth: np.ndarray, guess: np.ndarray, count: int) -> np.ndarray:
    """Points (k + 1, k + 1) of each class, from 0 to `count`, k, by the class they are said to be of; of truth and
    guess (n,), where below 0 in truth is without a label and left out."""
    kept = truth >= 0
    cells = truth[kept] * (count + 1) + guess[kept]
    return np.bincount(cells, minlength=(count + 1) ** 2).reshape(count + 1, count + 1)


def class_iou(table: np.ndarray) -> np.ndarray:
    """IoU (k,) of each class of a confusion (k, k), true in rows; nan for one in neither truth nor guess.

    >>> class_iou(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    right = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def mean_iou(iou: np.ndarray, of: Any = slice(None), absent: float = np.nan) -> tuple[float, int]:
    """The mean over some classes, a mask or rows, and how many of them counted; absent: what a NaN counts as.

    >>> mean_iou(np.array([0.5, np.nan])), mean_iou(np.array([0.5, np.nan]), absent=0.0)
    ((0.5, 1), (0.25, 2))
    """
    own = np.nan_to_num(iou[of], nan=absent)
    counted = own[~np.isnan(own)]
    return (float(counted.mean()) if len(counted) else float("nan")), len(counted)

"""Figures of proposals, of named objects and of labelled points, as pure functions.

Proposals are sets of rows of a scan of n points; true objects are the instances that count. A proposal may answer for
several objects and an object be answered by several proposals: at an IoU beyond 0.5 no proposal can do either twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics

FOUND = 0.25  # IoU from which a proposal counts as an object


def overlap_table(rows: Sequence[np.ndarray], instances: np.ndarray, objects: Sequence[int]) -> np.ndarray:
    """IoU (p, m) of proposals and true objects; points of no instance are left out.

    Parameters
    ----------
    rows : sequence of ndarray
        Points of each of p proposals.
    instances : ndarray (n,)
        The object of each point, 0 for none.
    objects : sequence of int
        The m instances that count; points of others still belong to what a proposal has too much.

    Returns
    -------
    ndarray (p, m) float64

    Examples
    --------
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

    Examples
    --------
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


def matched(overlap: np.ndarray, least: float = FOUND) -> np.ndarray:
    """The proposal (m,) that overlaps each object most, -1 where none does by `least`; of a table (p, m).

    Examples
    --------
    >>> matched(np.array([[0.6, 0.0], [0.1, 0.2]])).tolist()
    [0, -1]
    """
    if not len(overlap):
        return np.full(overlap.shape[1], -1)
    best = overlap.argmax(axis=0)
    return np.where(overlap.max(axis=0) >= least, best, -1)


def known_against_novel(novelty: np.ndarray, is_novel: np.ndarray) -> float:
    """AUROC of novelty (m,), a tie one half; nan unless there are both kinds.

    Examples
    --------
    >>> known_against_novel(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]))
    1.0
    """
    if is_novel.all() or not is_novel.any():
        return float("nan")
    return ood_metrics(novelty[~is_novel], novelty[is_novel])["auroc"]


def rank_of(novelty: np.ndarray, which: int) -> int:
    """The place of one of several in the order of falling novelty, from 1; the last of those that are equal.

    Examples
    --------
    >>> rank_of(np.array([0.3, 0.9, 0.5]), 2)
    2
    """
    return int((novelty >= novelty[which]).sum())


def confusion(truth: np.ndarray, guess: np.ndarray, count: int) -> np.ndarray:
    """Points (k + 1, k + 1) of each class, from 0 for none or another to k, by the class they are said to be of.

    Parameters
    ----------
    truth, guess : ndarray (n,)
        From 0 to `count`; below 0 in truth is without a label and left out.
    count : int
        k.
    """
    kept = truth >= 0
    cells = truth[kept] * (count + 1) + guess[kept]
    return np.bincount(cells, minlength=(count + 1) ** 2).reshape(count + 1, count + 1)


def class_iou(table: np.ndarray) -> np.ndarray:
    """IoU (k,) of each class of a confusion (k, k), true in rows; nan for one in neither truth nor guess.

    Examples
    --------
    >>> class_iou(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    right = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def mean_iou(iou: np.ndarray, groups: Mapping[str, np.ndarray]) -> dict[str, tuple[float, int]]:
    """Mean IoU of each group of classes (a mask (k,)), and how many of its classes counted.

    Examples
    --------
    >>> mean_iou(np.array([0.5, np.nan, 0.1]), {"all": np.ones(3, bool), "tail": np.array([False, True, False])})
    {'all': (0.3, 2), 'tail': (nan, 0)}
    """
    found = {}
    for name, mask in groups.items():
        own = iou[mask & np.isfinite(iou)]
        found[name] = (float(own.mean()) if len(own) else float("nan"), len(own))
    return found

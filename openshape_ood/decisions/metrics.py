"""Metrics of novelty: of objects as in 3DOS, and of pixels or points as in MVTec AD."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import array, to_numpy
from openshape_ood.errors import InputError

METRICS = ("auroc", "fpr95", "aupr_in", "aupr_out", "detection_error")


def ood_metrics(known: Any, novel: Any) -> dict[str, float]:
    """3DOS metrics, as fractions. Known objects are the positive class.

    Parameters
    ----------
    known : array (m,)
        Novelty of known objects.
    novel : array (n,)
        Novelty of novel objects.

    Returns
    -------
    dict of str to float
        auroc: area under the ROC curve; ties count one half. fpr95: fraction of novel objects accepted as known, if
        95 % of the known objects are accepted; interpolated on the ROC curve. (OpenOOD and pytorch-ood exchange known
        and novel.) aupr_in, aupr_out: trapezoid area under the precision-recall curve, with known and with novel
        objects as positives. detection_error: minimum of (fraction of novel)(1 - TPR) + (fraction of known) FPR over
        the thresholds with TPR >= 0.95. TPR and FPR are the accepted fractions of known and of novel objects.

    Raises
    ------
    InputError
        For an empty array, NaN or infinity.

    References
    ----------
    3DOS, arXiv 2207.11554, and its code, github.com/antoalli/3D_OS `utils/ood_metrics.py`.

    Examples
    --------
    >>> ood_metrics(known=[0.1, 0.2, 0.3, 0.4], novel=[0.35, 0.8])["auroc"]
    0.875
    """
    from sklearn.metrics import roc_curve

    knownness = -np.concatenate([_scores(known, "known"), _scores(novel, "novel")])
    is_known = np.arange(len(knownness)) < np.size(known)
    fpr, tpr, _ = roc_curve(is_known, knownness, drop_intermediate=False)
    return {
        "auroc": auroc(known, novel),
        "fpr95": float(np.interp(0.95, tpr, fpr)),
        "aupr_in": _trapezoid_aupr(is_known, knownness),
        "aupr_out": _trapezoid_aupr(~is_known, -knownness),
        "detection_error": _detection_error(tpr, fpr, float(is_known.mean())),
    }


def auroc(known: Any, novel: Any) -> float:
    """Probability that a novel object has a higher novelty than a known one; ties count one half.

    `known` (m,) and `novel` (n,) are novelties. Raises `InputError` for an empty array, NaN or infinity.

    Examples
    --------
    >>> auroc(known=[0.1, 0.2, 0.3, 0.4], novel=[0.35, 0.8])
    0.875
    """
    from scipy.stats import rankdata

    below, above = _scores(known, "known"), _scores(novel, "novel")
    ranks = rankdata(np.concatenate([below, above]))[len(below) :]
    n = len(above)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * len(below)))


def published_fpr95(known: Any, novel: Any) -> float:
    """FPR95 as in the evaluation of ReSeND and in older evaluations, for novelties `known` (m,) and `novel` (n,).

    It is computed at the threshold that accepts the fraction of known objects nearest to 0.95 (for ties, the larger).
    For small n it may differ by several points from the interpolated value of `ood_metrics`. Use it only to compare
    with published figures.

    References
    ----------
    Cappio Borlino et al., "Semantic novelty detection via relational reasoning", arXiv 2207.08699.

    Examples
    --------
    >>> published_fpr95(known=[0.1, 0.1, 0.1], novel=[0.1, 0.1])
    1.0
    """
    accepted, other = np.sort(_scores(known, "known")), np.sort(_scores(novel, "novel"))
    thresholds = np.unique(np.concatenate([accepted, other]))[::-1]
    recall = np.searchsorted(accepted, thresholds, side="right") / len(accepted)
    at = int(np.abs(recall - 0.95).argmin())
    return float(np.searchsorted(other, thresholds[at], side="right") / len(other))


def balanced_accuracy(labels: Any, predictions: Any) -> float:
    """Mean over the classes in `labels` (b,) of the fraction of correct predictions.

    Examples
    --------
    >>> balanced_accuracy(["chair", "chair", "chair", "sofa"], ["chair", "chair", "sofa", "chair"])
    0.3333333333333333
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if not len(labels):
        raise InputError("there are no labels. Expected at least one. Give labels.")
    if labels.shape != predictions.shape:
        raise InputError(
            f"labels are {labels.shape} and predictions {predictions.shape}. Expected one prediction per label. "
            "Give arrays of equal length."
        )
    return float(np.mean([np.mean(predictions[labels == c] == c) for c in np.unique(labels)]))


def image_regions(truth: Any) -> np.ndarray:
    """Connected regions of damaged pixels, numbered over all images. Diagonal neighbors are connected.

    Parameters
    ----------
    truth : array (t, h, w) of bool

    Returns
    -------
    (t, h, w) int
        Number of the region from 1; 0 for intact pixels.

    Examples
    --------
    >>> image_regions([[[True, False, True]], [[True, True, False]]]).tolist()
    [[[1, 0, 2]], [[3, 3, 0]]]
    """
    from scipy.ndimage import label

    adjacent = np.zeros((3, 3, 3), dtype=bool)
    adjacent[1] = True  # neighbors within one image
    return label(array(truth, "truth", "thw", any_type=True), structure=adjacent)[0]


def region_overlap(novelty: Any, regions: Any, most_false: float = 0.3) -> float:
    """AUPRO: mean detected fraction of damaged regions at low false-positive rates.

    A threshold detects the elements above it. This gives two fractions: the detected fraction of a region, as mean over
    the regions, and the detected fraction of the intact elements. AUPRO is the area under the curve of the first over
    the second, from 0 to `most_false`, divided by `most_false`. All regions have equal weight. A random novelty gives
    `most_false` / 2, which is 0.15 by default.

    Parameters
    ----------
    novelty : array (n,)
        Novelty of the elements: pixels of all images, or points.
    regions : array (n,) of int
        Number of the region of each element, as from `image_regions`; 0 for intact elements.
    most_false : float
        Maximum fraction of intact elements beyond the threshold, in (0, 1].

    Returns
    -------
    float
        0 to 1. Elements with equal novelty pass a threshold at once; between thresholds the curve is linear.

    Raises
    ------
    InputError
        For NaN or infinity, arrays of different lengths, and if all elements are intact or all are damaged.

    References
    ----------
    Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021, section 5.

    Examples
    --------
    >>> region_overlap([0.1, 0.2, 0.9, 0.8, 0.7], [0, 0, 1, 2, 2])
    1.0
    """
    values, region_of = array(novelty, "novelty", "n"), array(regions, "regions", "n", any_type=True).astype(np.int64)
    if values.shape != region_of.shape:
        raise InputError(
            f"there are {len(values)} novelties and {len(region_of)} regions. Expected one region per novelty. "
            "Give 0 for intact elements."
        )
    if not 0 < most_false <= 1:
        raise InputError(
            f"most_false is {most_false!r}. Expected a share above 0 and at most 1. Give 0.3 for 30 % of the elements."
        )
    names, index, sizes = np.unique(region_of, return_inverse=True, return_counts=True)
    if len(names) < 2 or names[0] != 0:
        raise InputError("all elements are intact, or all are damaged. Expected both kinds. Add elements.")
    order = np.argsort(-values, kind="stable")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    weights = np.where(region_of == 0, 0.0, 1 / (sizes[index] * (len(names) - 1)))[order]
    false = np.append(0.0, np.cumsum(region_of[order] == 0)[last] / sizes[0])
    covered = np.append(0.0, np.cumsum(weights)[last])
    # if the curve jumps at `most_false`, its upper end counts; np.interp would return the lower end
    within = false <= most_false
    reached = covered[within][-1] if false[within][-1] == most_false else np.interp(most_false, false, covered)
    return float(np.trapezoid([*covered[within], reached], [*false[within], most_false]) / most_false)


def overlap_at(truth: Any, predicted: Any) -> dict[str, float]:
    """Intersection over union, F1, precision and recall of predicted (n,) bool against true (n,) bool.

    A value is NaN if its denominator is 0, for example the precision if nothing is predicted.

    Examples
    --------
    >>> overlap_at([True, True, False, False], [True, False, True, False])["f1"]
    0.5
    """
    true, marked = (np.asarray(to_numpy(one)) for one in (truth, predicted))
    if true.shape != marked.shape or {true.dtype, marked.dtype} != {np.dtype(bool)}:
        raise InputError(
            f"truth is {true.dtype} {true.shape}, and predicted is {marked.dtype} {marked.shape}. "
            "Expected bool (n,) for both. Convert them."
        )
    both, either = float((true & marked).sum()), float((true | marked).sum())
    parts = {"iou": (both, either), "f1": (2 * both, either + both), "precision": (both, marked.sum())}
    shares = parts | {"recall": (both, true.sum())}
    return {name: float(part / whole) if whole else float("nan") for name, (part, whole) in shares.items()}


def _scores(values: Any, name: str) -> np.ndarray:
    try:
        rows = np.ravel(to_numpy(values))
    except ValueError as error:
        raise InputError(
            f"scores of {name} objects are not a list of numbers: {error}. Expected one number per object. "
            "Give an array (n,)."
        ) from error
    return array(rows, f"scores of {name} objects", "n").astype(np.float64)


def _trapezoid_aupr(positive: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(positive, scores)
    return min(1.0, float(auc(recall, precision)))  # the rounded sum may exceed 1


def _detection_error(tpr: np.ndarray, fpr: np.ndarray, share_known: float) -> float:
    enough = tpr >= 0.95
    return float(np.min((1 - share_known) * (1 - tpr[enough]) + share_known * fpr[enough]))

"""How well novelty separates known from novel objects, by the definitions of the 3DOS benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import InputError

METRICS = ("auroc", "fpr95", "aupr_in", "aupr_out", "detection_error")


def ood_metrics(known: Any, novel: Any) -> dict[str, float]:
    """3DOS metrics, as fractions; a *known* object is the positive class throughout.

    Parameters
    ----------
    known : array (m,)
        Novelty of known objects.
    novel : array (n,)
        Novelty of novel objects.

    Returns
    -------
    dict of str to float
        auroc: area under the ROC curve, a tie counting one half. fpr95: share of novel objects accepted as known where
        95 % of the known are, interpolated along the curve (OpenOOD and pytorch-ood mean the reverse by that name).
        aupr_in, aupr_out: trapezoid area under the precision-recall curve with known and with novel as positive.
        detection_error: least (share of novel)(1 - TPR) + (share of known) FPR over thresholds with TPR >= 0.95.

    Raises
    ------
    InputError
        For an empty list, NaN or infinity.

    References
    ----------
    3DOS, arXiv 2207.11554, and its code, github.com/antoalli/3D_OS `utils/ood_metrics.py`.

    Examples
    --------
    >>> ood_metrics(known=[0.1, 0.2, 0.3, 0.4], novel=[0.35, 0.8])["auroc"]
    0.875
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    knownness = -np.concatenate([_scores(known, "known"), _scores(novel, "novel")])
    is_known = np.arange(len(knownness)) < np.size(known)
    fpr, tpr, _ = roc_curve(is_known, knownness, drop_intermediate=False)
    return {
        "auroc": float(roc_auc_score(is_known, knownness)),
        "fpr95": float(np.interp(0.95, tpr, fpr)),
        "aupr_in": _trapezoid_aupr(is_known, knownness),
        "aupr_out": _trapezoid_aupr(~is_known, -knownness),
        "detection_error": _detection_error(tpr, fpr, float(is_known.mean())),
    }


def published_fpr95(known: Any, novel: Any) -> float:
    """The FPR95 of ReSeND's and older evaluations, from novelty (m,) of known and (n,) of novel objects.

    That of the one threshold at which the share of known objects accepted is nearest to 0.95, the larger share where
    two are; with n small it may differ by points from the interpolated one of `ood_metrics`. For comparison with
    published figures only.

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
    """Mean over the classes that occur in `labels` (b,) of the share of each that is predicted right.

    Examples
    --------
    >>> balanced_accuracy(["chair", "chair", "chair", "sofa"], ["chair", "chair", "sofa", "chair"])
    0.3333333333333333
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if not len(labels):
        raise InputError("no labels; expected at least one")
    if labels.shape != predictions.shape:
        raise InputError(f"labels {labels.shape} and predictions {predictions.shape}; expected one prediction a label")
    return float(np.mean([np.mean(predictions[labels == c] == c) for c in np.unique(labels)]))


def _scores(values: Any, name: str) -> np.ndarray:
    try:
        scores = np.asarray(to_numpy(values), dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise InputError(f"the scores of {name} objects are no numbers; expected novelty (m,)") from error
    if not len(scores):
        raise InputError(f"no scores of {name} objects; expected at least one")
    if not np.isfinite(scores).all():
        raise InputError(f"the scores of {name} objects hold NaN or infinity; expected finite novelty")
    return scores


def _trapezoid_aupr(positive: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(positive, scores)
    return float(auc(recall, precision))


def _detection_error(tpr: np.ndarray, fpr: np.ndarray, share_known: float) -> float:
    enough = tpr >= 0.95
    return float(np.min((1 - share_known) * (1 - tpr[enough]) + share_known * fpr[enough]))

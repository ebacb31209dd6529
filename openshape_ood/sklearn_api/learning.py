"""Learned parts of a detector: labels, classes, thresholds."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from openshape_ood.checks import check_length, to_numpy
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Method
from openshape_ood.scoring.example_scorers import Novelty, folds_left_out
from openshape_ood.scoring.methods import judged_by

# labels of novel rows, for names and for numbers; name of the only class if `fit` gets no y
NOVEL, NOVEL_NUMBER, ONE_CLASS = "novel", -1, "known"

# added to a threshold. It exceeds the rounding error of a distance, so that a duplicate of the most novel training
# example counts as known
SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class FittedPart:
    """Classes of one call of `fit` or `partial_fit`: indices into `classes_`, scorer and threshold.

    `known` has all examples for a scorer that must be fitted again when examples are added; None for other scorers.
    """

    classes: np.ndarray
    scorer: Any
    threshold: Threshold
    known: KnownClasses | None = None


def checked_labels(y: Any, examples: np.ndarray) -> np.ndarray:
    """Labels (m,) as names, int64 or float64."""
    if y is None:
        return np.full(len(examples), ONE_CLASS)
    given = to_numpy(y)
    if isinstance(given, list | tuple):
        for label in {label for label in given if isinstance(label, str)}:
            check_length(label, "a label")
    labels = np.asarray(column_or_1d(given, warn=True))
    check_consistent_length(examples, labels)
    if labels.dtype.kind == "O":
        if all(isinstance(label, str) for label in labels):
            labels = labels.astype(np.str_)
        elif all(isinstance(label, numbers.Real) for label in labels):
            labels = np.array(labels.tolist())
    if labels.dtype.kind not in "Ubiuf":
        raise InputError("the labels y are neither all names nor all numbers. Expected (m,) of one kind. Convert them.")
    check_classification_targets(labels)
    labels = labels.astype({"U": np.str_, "f": np.float64}.get(labels.dtype.kind, np.int64))
    novel = NOVEL if labels.dtype.kind == "U" else NOVEL_NUMBER
    if (labels == novel).any():
        raise ClassNamesError(
            f"a known class has the label {novel!r}, which is reserved for novel shapes. Expected another label. "
            "Rename the class."
        )
    return labels


def calibration_novelty(method: Method, scorer: Any, known: KnownClasses) -> np.ndarray:
    """Novelty of each example, from a fit without this example.

    Examples that are alone in their class are skipped, unless all examples are alone.
    """
    labels = known.labeled_examples()[1]

    def fit(rest: KnownClasses) -> Novelty:
        left = method.fit(rest)
        return lambda rows: judged_by(left, rows, method, len(rest.names)).novelty

    novelty = scorer.left_out(known) if hasattr(scorer, "left_out") else folds_left_out(known, fit)
    several = np.bincount(labels)[labels] > 1
    return novelty[several] if several.any() else novelty


def learned_threshold(novelty: np.ndarray, coverage: float) -> Threshold:
    """Conformal threshold if there are enough examples for the coverage, else the largest of the n novelties.

    The largest novelty has the coverage n / (n + 1).
    """
    threshold = Threshold.from_novelty(novelty, coverage, source="examples, each left out in turn", few=True)
    return replace(threshold, value=threshold.value + SLACK * max(1, abs(threshold.value)))

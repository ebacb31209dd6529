"""NoveltyDetector: novelty detection on embeddings (b, d) with the scikit-learn interface.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> chairs, lamps = rng.normal([4, 0, 0], 0.3, (40, 3)), rng.normal([0, 4, 0], 0.3, (40, 3))
>>> detector = NoveltyDetector().fit(np.concatenate([chairs, lamps]), ["chair"] * 40 + ["lamp"] * 40)
>>> detector.predict([[4, 0.1, 0], [0, 0, 4]])
array([ 1, -1])
>>> detector.classify([[4, 0.1, 0], [0, 0, 4]])
array(['chair', 'novel'], dtype='<U5')
"""

from __future__ import annotations

import numbers
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from openshape_ood.checks import to_numpy
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.encoders.protocols import ANONYMOUS, Identity
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import METHODS, Judgement, Method, find_method
from openshape_ood.scoring.example_scorers import NeighborScorer
from openshape_ood.scoring.methods import judged_by
from openshape_ood.sklearn_api.files import load_detector, save_detector
from openshape_ood.sklearn_api.learning import (
    NOVEL,
    NOVEL_NUMBER,
    ONE_CLASS,
    FittedPart,
    calibration_novelty,
    checked_labels,
    learned_threshold,
)


class NoveltyDetector(OutlierMixin, BaseEstimator):
    """Novelty detector for embeddings.

    The threshold is calibrated on the training examples. Each example is scored by a fit without it; methods that fit
    all examples together use 20-fold cross-validation. With enough examples for the coverage (19 for 0.95), the
    threshold is conformal. With fewer examples, it is the largest of the n novelties, which keeps n / (n + 1) of the
    known shapes. A class with a single example is not used for the threshold, unless every class has a single example.
    The coverage holds for shapes from the same source as the examples.

    Parameters
    ----------
    method : str or Method
        A key of `openshape_ood.scoring.METHODS` that needs no names, or a custom `Method`. The novelty is the same as
        from `score_novelty`.
    k : int
        Rank of the neighbor whose distance is the novelty. Used only if `method` is "knn" or "knn_euclidean".
    coverage : float
        Fraction of known shapes that `predict` keeps.

    Attributes
    ----------
    classes_ : (k,)
        Labels of the classes.
    thresholds_ : (k,)
        Threshold of each class.
    coverages_ : (k,)
        Fraction of known shapes that each threshold keeps.
    offset_ : float
        Minus the threshold of `fit`, as in scikit-learn.
    identity : Identity, optional
        Encoder of the embeddings, for example `embedder.identity`. Set it after `fit`, because `fit` removes it.
    """

    identity: Identity | None = None

    def __init__(self, method: str | Method = "prototype_distance", *, k: int = 5, coverage: float = 0.95) -> None:
        self.method = method
        self.k = k
        self.coverage = coverage

    def fit(self, X: Any, y: Any = None) -> NoveltyDetector:  # noqa: N803
        """Learn the known classes from embeddings X (m, d), with m >= 2, and their labels y (m,).

        Labels are names or numbers. The name "novel" and the number -1 are reserved: `classify` returns them. Without y
        there is one class, "known". The same data gives the same detector.

        Raises
        ------
        InputError
            For an invalid value, such as an unknown method or a reserved label.
        ValueError
            From scikit-learn, if X is not a table of finite numbers.
        """
        calibration_needed(self.coverage)
        self.__dict__.pop("identity", None)  # the embeddings may come from another encoder
        method = self._method()
        X = validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], ensure_min_samples=2)  # noqa: N806
        classes, labels = np.unique(checked_labels(y, X), return_inverse=True)
        known = self._known(X, labels)
        scorer = self._configured(method, len(X)).fit(known)
        threshold = learned_threshold(calibration_novelty(method, scorer, known), self.coverage)
        part = FittedPart(np.arange(len(classes)), scorer, threshold, None if hasattr(scorer, "extended") else known)
        self.classes_, self._parts = classes, [part]
        return self

    def partial_fit(self, X: Any, y: Any = None) -> NoveltyDetector:  # noqa: N803
        """Add classes or examples. Earlier classes keep their thresholds.

        The first call is the same as `fit`. New classes get their own threshold if they have enough examples for the
        coverage, else the largest existing threshold. Nearest neighbors are searched separately among the classes that
        each call added. Mahalanobis distances keep the covariance of `fit`. New examples of an existing class are added
        to its examples or change its mean, but do not change its threshold. The errors are as in `fit`; after an error
        the detector is unchanged.
        """
        if not hasattr(self, "_parts"):
            return self.fit(X, y)
        calibration_needed(self.coverage)
        X = validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], reset=False)  # noqa: N806
        if y is None and ONE_CLASS not in self.classes_.tolist():
            raise ClassNamesError("the known classes have labels. Expected labels y of the added examples too. Give y.")
        names = checked_labels(y, X)
        self._check_kind(names)
        again = np.isin(names, self.classes_)
        parts = [self._extended(part, X, names) for part in self._parts]
        if again.all():
            self._parts = parts
            return self
        classes, labels = np.unique(names[~again], return_inverse=True)
        parts.append(self._added(len(self.classes_), self._known(X[~again], labels)))
        self.classes_, self._parts = np.concatenate([self.classes_, classes]), parts
        return self

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:  # noqa: N803
        """`fit`, then `predict` on the same X. Each example is compared with itself, so its novelty is too low."""
        return self.fit(X, y).predict(X)

    def novelty_score(self, X: Any) -> np.ndarray:  # noqa: N803
        """Novelty (b,) of embeddings X (b, d): the smallest over all classes. Larger is more novel."""
        return np.min([judgement.novelty for judgement in self._judged(self._queries(X))], axis=0)

    def score_samples(self, X: Any) -> np.ndarray:  # noqa: N803
        """Minus the novelty (b,). Larger is less novel, as in scikit-learn."""
        return -self.novelty_score(X)

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Threshold minus novelty (b,), the largest over the classes. It is at least 0 for known embeddings.

        It equals `score_samples(X) - offset_`, unless `partial_fit` added classes with another threshold.
        """
        return self._margins(self._judged(self._queries(X))).max(axis=0)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """+1 for known, -1 for novel embeddings (b,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def classify(self, X: Any) -> np.ndarray:  # noqa: N803
        """Label (b,) of the nearest class, or the novel label if `predict` returns -1.

        The novel label is "novel" if labels are names, and -1 if they are numbers. The nearest class has the nearest
        prototype. For methods that use neighbors, it has the nearest example, even if k > 1.
        """
        judged = self._judged(self._queries(X))
        margins = self._margins(judged)
        nearest = np.stack([part.classes[one.nearest] for part, one in zip(self._parts, judged, strict=True)])
        best = np.take_along_axis(nearest, margins.argmax(axis=0)[None], axis=0)[0]
        index = np.where(margins.max(axis=0) >= 0, best, len(self.classes_))
        return np.append(self.classes_, NOVEL if self.classes_.dtype.kind == "U" else NOVEL_NUMBER)[index]

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """Accuracy of `classify` for X (b, d) and labels y (b,). A label that is no known class counts as novel.

        `GridSearchCV` maximizes this accuracy by default. Its default folds are consecutive rows, so they may contain
        one class only. Give `cv=StratifiedKFold()`, or folds whose test rows include novel classes.
        """
        predicted = self.classify(X)
        expected = np.asarray(column_or_1d(to_numpy(y)))
        check_consistent_length(predicted, expected)
        known = np.isin(expected, self.classes_)
        return float(np.mean(np.where(known, predicted == expected, ~np.isin(predicted, self.classes_))))

    @property
    def offset_(self) -> float:
        check_is_fitted(self, "_parts")
        return -self._parts[0].threshold.value

    @property
    def thresholds_(self) -> np.ndarray:
        check_is_fitted(self, "_parts")
        return np.concatenate([np.full(len(part.classes), part.threshold.value) for part in self._parts])

    @property
    def coverages_(self) -> np.ndarray:
        check_is_fitted(self, "_parts")
        return np.concatenate([np.full(len(part.classes), part.threshold.coverage) for part in self._parts])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fitted detector to a .safetensors file. If writing fails, an existing file stays unchanged.

        Raises `FileError` if writing fails, `InputError` if the state of the method is not only arrays and numbers.
        """
        check_is_fitted(self, "_parts")
        return save_detector(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], identity: Identity | None = None) -> NoveltyDetector:
        """Read a detector that `save` wrote. No code in the file is executed.

        Parameters
        ----------
        path : str or path
        identity : Identity, optional
            Encoder of the embeddings to score.

        Raises
        ------
        MixedEncodersError
            If the saved detector belongs to another encoder. The message names both encoders.
        FileError
            If the file is damaged or is not a detector.
        """
        detector = load_detector(cls, path)
        fitted_on = detector.identity
        if identity is not None and fitted_on is None:
            raise MixedEncodersError(
                f"the detector {path} does not state its encoder. Expected {identity}. Set its identity before saving, "
                "or load it without identity."
            )
        if identity is not None and fitted_on is not None and not fitted_on.fits(identity):
            raise MixedEncodersError(
                f"the detector {path} was fitted on embeddings of {fitted_on}. Expected {identity}, because embeddings "
                "of different encoders cannot be compared. Use one encoder for both."
            )
        return detector

    def _method(self) -> Method:
        method = find_method(self.method)
        if method.rows == "patches" or method.needs not in ("any", "examples"):
            usable = ", ".join(name for name, m in METHODS.items() if m.needs in ("any", "examples"))
            raise InputError(
                f"method {method.name!r} needs names or patches, but a detector has embeddings. "
                f"Expected one of {usable}. Choose another method."
            )
        return method

    def _configured(self, method: Method, examples: int) -> Method:
        """The method. If it is given by name and has a setting k, it gets the k of this detector."""
        if self.method not in ("knn", "knn_euclidean"):
            return method
        k = self.k
        if not isinstance(k, numbers.Integral) or isinstance(k, bool) or not 1 <= int(k) < examples:
            raise InputError(
                f"k is {k!r} for {examples} examples. Expected a whole number from 1 to {examples - 1}, because each "
                "example is compared with the others. Choose a smaller k."
            )
        return method.configured(k=int(k))

    def _known(self, examples: np.ndarray, labels: np.ndarray) -> KnownClasses:
        names = tuple(str(c) for c in range(labels.max() + 1))
        known = KnownClasses(names, self.identity or ANONYMOUS, examples=examples, labels=labels)
        return known.normalized() if self._method().rows == "embedding" else known

    def _queries(self, X: Any) -> np.ndarray:  # noqa: N803
        check_is_fitted(self, "_parts")
        return validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], reset=False)

    def _judged(self, queries: np.ndarray) -> list[Judgement]:
        method = self._method()
        return [judged_by(part.scorer, queries, method, len(part.classes)) for part in self._parts]

    def _margins(self, judged: list[Judgement]) -> np.ndarray:
        """Threshold minus novelty (parts, b), for the classes of each call of `fit` or `partial_fit`."""
        return np.stack([part.threshold.value - one.novelty for part, one in zip(self._parts, judged, strict=True)])

    def _extended(self, part: FittedPart, examples: np.ndarray, names: np.ndarray) -> FittedPart:
        """Copy of a `FittedPart` with the new examples (m, d), where `names` (m,) are among its classes."""
        match = names[:, None] == self.classes_[part.classes]
        added = match.any(axis=1)
        if not added.any():
            return part
        more = replace(self._known(examples[added], match[added].argmax(axis=1)), names=tuple(map(str, part.classes)))
        if part.known is None:
            return replace(part, scorer=part.scorer.extended(more))
        pairs = zip(part.known.labeled_examples(), more.labeled_examples(), strict=True)
        examples, labels = (np.concatenate(pair) for pair in pairs)
        joined = replace(part.known, examples=examples, labels=labels)
        return replace(part, scorer=self._method().fit(joined), known=joined)

    def _added(self, first: int, known: KnownClasses) -> FittedPart:
        """`FittedPart` of new classes. `first` is the index of its first class in `classes_`."""
        before, (_, labels), method = self._parts[0].scorer, known.labeled_examples(), self._method()
        k = before.k if isinstance(before, NeighborScorer) else 1
        if len(labels) < k:
            raise InputError(
                f"k is {k}, but there are {len(labels)} examples of new classes. Expected {k} or more. Add examples."
            )
        scorer = before.beside(known) if hasattr(before, "beside") else method.fit(known)
        try:
            judged_by(scorer, known.labeled_examples()[0][:1], method, len(known.names))
        except InputError as error:
            raise InputError(
                f"method {method.name!r} cannot learn the new classes alone: {str(error).rstrip('.')}. "
                "Expected two or more new classes. Add them at once, or fit again with all examples."
            ) from error
        if (np.bincount(labels)[labels] > 1).sum() >= calibration_needed(self.coverage) and len(labels) > k:
            threshold = learned_threshold(calibration_novelty(method, scorer, known), self.coverage)
        else:
            threshold = max((part.threshold for part in self._parts), key=lambda one: one.value)
        kept = None if hasattr(scorer, "extended") else known
        return FittedPart(first + np.arange(len(known.names)), scorer, threshold, kept)

    def _check_kind(self, names: np.ndarray) -> None:
        if (names.dtype.kind == "U") != (self.classes_.dtype.kind == "U"):
            raise ClassNamesError(
                f"the known classes are {', '.join(map(repr, self.classes_[:3].tolist()))}, the new ones are "
                f"{', '.join(map(repr, names[:3].tolist()))}. Expected all names or all numbers. Change the labels."
            )

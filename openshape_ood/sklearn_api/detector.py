"""NoveltyDetector: known or new, the scikit-learn way, from embeddings (b, d).

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

import difflib
import json
import math
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from openshape_ood.checks import to_numpy
from openshape_ood.decisions.calibration import calibration_needed, expected_coverage, threshold
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.scoring.references import Neighbors, Normal, Prototypes, Reference, read_reference
from openshape_ood.storage import save_whole

FORMAT = "openshape_ood detector 1"

# what `classify` calls novel, among names and among numbers; and the one class of `fit` without y
NOVEL, NOVEL_NUMBER, ONE_CLASS = "novel", -1, "known"

# far above the rounding of a distance: a duplicate of what set the threshold is still known
SLACK = 1e-12

METHODS: dict[str, Callable[..., Reference]] = {
    "prototype": partial(Prototypes.fit, metric="cosine"),
    "prototype_euclidean": partial(Prototypes.fit, metric="euclidean"),
    "nearest": partial(Neighbors.fit, metric="cosine", k=1),
    "nearest_euclidean": partial(Neighbors.fit, metric="euclidean", k=1),
    "knn": partial(Neighbors.fit, metric="cosine"),
    "knn_euclidean": partial(Neighbors.fit, metric="euclidean"),
    "mahalanobis": partial(Normal.fit, relative=False),
    "relative_mahalanobis": partial(Normal.fit, relative=True),
}


@dataclass(frozen=True, eq=False)
class _Part:
    """Classes learnt together: which of `classes_`, what is remembered of them, up to where a shape is one of them.

    coverage: the share of known shapes that the threshold keeps, as far as leaving one out can tell.
    """

    classes: np.ndarray
    reference: Reference
    threshold: float
    coverage: float


class NoveltyDetector(OutlierMixin, BaseEstimator):
    """Is an embedding one of the known classes, or something new?

    method: which novelty, a key of `METHODS`, by `openshape_ood.scoring.by_examples`: "prototype" (cosine with the
    mean of each class), "nearest", "knn" (cosine with the nearest, the k-th nearest example), the same three with
    "_euclidean", "mahalanobis", "relative_mahalanobis" (two classes or more). k: of the two "knn" only. coverage:
    share of known shapes that `predict` keeps.

    The threshold comes from the training examples, each left out in turn (for the two Mahalanobis distances a
    twentieth of them at a time): `calibration.threshold` of their novelty where they are enough for the coverage
    (19 for 0.95), else the largest, which keeps n / (n + 1) of the known with n examples. Only examples of classes
    with two or more count, unless there is no such class. `calibration.leave_one_out` says how far that goes; on
    shapes from another source than the training examples nothing is promised.

    Rows need not be unit vectors; a zero row has cosine 0 to everything. The same data gives the same detector.

    After `fit`: classes_ (k,); thresholds_ (k,), the novelty up to which a shape is known by each class; coverages_
    (k,), the share kept by it; offset_, minus the threshold of `fit`; n_features_in_, and feature_names_in_ of a
    data frame. identity: the encoder of the embeddings, `embedder.identity`; set it after `fit`, which forgets an
    earlier one, and `save` keeps it.
    """

    identity: Identity | None = None

    def __init__(self, method: str = "prototype", *, k: int = 5, coverage: float = 0.95) -> None:
        self.method = method
        self.k = k
        self.coverage = coverage

    def fit(self, X: Any, y: Any = None) -> NoveltyDetector:  # noqa: N803
        """Learn the known classes from embeddings X (m, d), m 2 or more, and their labels y (m,).

        Labels are names or numbers. "novel", and -1 among numbers, are none: `classify` answers with them. Without y
        there is one class, "known".

        Raises `UnknownNameError` for a method that there is not, `ClassNamesError` for a label that stands for
        novel, `InputError` for another value that cannot be used, `ValueError`, as scikit-learn does, for X that is
        no table of finite numbers.
        """
        calibration_needed(self.coverage)
        self.__dict__.pop("identity", None)  # of other embeddings, perhaps
        fit = self._method()
        X = validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], ensure_min_samples=2)  # noqa: N806
        classes, labels = np.unique(_labels(y, X), return_inverse=True)
        if self.method == "relative_mahalanobis" and len(classes) == 1:
            raise InputError(
                "relative_mahalanobis is always 0 for one known class, which is its own background. Use mahalanobis, "
                "or give examples of more classes"
            )
        if self.method in ("knn", "knn_euclidean"):
            fit = partial(fit, k=_neighbors(self.k, len(X)))
        reference = fit(X, labels)
        novelty = _calibration(reference, X, labels)
        part = _Part(np.arange(len(classes)), reference, *_threshold(novelty, self.coverage))
        self.classes_, self._parts = classes, [part]
        return self

    def partial_fit(self, X: Any, y: Any = None) -> NoveltyDetector:  # noqa: N803
        """Add classes to the detector; what it remembers of the others, and their thresholds, stay as they are.

        A shape that was known thus stays known. The first call is `fit`. New classes get a threshold of their own
        where their examples are enough for the coverage, else the largest there is. Neighbors are counted among
        classes learnt together, and the Mahalanobis distances keep the covariance of `fit`.

        More examples of a known class join those it has, or move its mean; its threshold stays, and so do all other
        classes. To find thresholds again, `fit` with everything. Raises as `fit` does, and then nothing has changed.
        """
        if not hasattr(self, "_parts"):
            return self.fit(X, y)
        calibration_needed(self.coverage)
        X = validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], reset=False)  # noqa: N806
        if y is None and ONE_CLASS not in self.classes_.tolist():
            raise ClassNamesError("the known classes have labels; expected the labels y of what is added")
        names = _labels(y, X)
        self._check_kind(names)
        again = np.isin(names, self.classes_)
        parts = [self._extended(part, X, names) for part in self._parts]
        if again.all():
            self._parts = parts
            return self
        classes, labels = np.unique(names[~again], return_inverse=True)
        parts.append(self._added(len(self.classes_), X[~again], labels))
        self.classes_, self._parts = np.concatenate([self.classes_, classes]), parts
        return self

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:  # noqa: N803
        """`fit`, then `predict` of the same X: an example is then compared with itself, and seems less novel."""
        return self.fit(X, y).predict(X)

    def novelty_score(self, X: Any) -> np.ndarray:  # noqa: N803
        """Novelty (b,) of embeddings X (b, d), larger for the more novel: the method's, the least over all classes."""
        queries = self._queries(X)
        return np.min([part.reference.novelty(queries) for part in self._parts], axis=0)

    def score_samples(self, X: Any) -> np.ndarray:  # noqa: N803
        """Minus the novelty (b,): larger for the better known, as scikit-learn has it."""
        return -self.novelty_score(X)

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """By how much the novelty (b,) stays below the threshold, the most over classes: known from 0 up.

        That is `score_samples(X) - offset_`, until `partial_fit` adds classes with another threshold.
        """
        return self._margins(self._queries(X)).max(axis=0)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """+1 for known, -1 for novel (b,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def classify(self, X: Any) -> np.ndarray:  # noqa: N803
        """The label of the nearest class (b,), or what stands for novel where `predict` says so.

        That is "novel" among names, -1 among numbers. Nearest is the nearest prototype or mean, or the class of the
        nearest example, also for k > 1.
        """
        queries = self._queries(X)
        margins = self._margins(queries)
        found = np.full(len(queries), len(self.classes_))
        best = np.where(margins.max(axis=0) >= 0, margins.argmax(axis=0), -1)
        for i, part in enumerate(self._parts):
            chosen = best == i
            if chosen.any():
                found[chosen] = part.classes[part.reference.nearest(queries[chosen])]
        return np.append(self.classes_, NOVEL if self.classes_.dtype.kind == "U" else NOVEL_NUMBER)[found]

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """Share of X (b, d) that `classify` names as y (b,) does; a label that is no known class stands for novel.

        What `GridSearchCV` maximizes unless told otherwise. Its default folds follow the order of the rows: give
        `cv=StratifiedKFold()` for labeled classes, or folds whose test rows hold novel classes too.
        """
        found = self.classify(X)
        expected = np.asarray(column_or_1d(to_numpy(y)))
        check_consistent_length(found, expected)
        known = np.isin(expected, self.classes_)
        return float(np.mean(np.where(known, found == expected, ~np.isin(found, self.classes_))))

    @property
    def offset_(self) -> float:
        self._check_fitted()
        return -self._parts[0].threshold

    @property
    def thresholds_(self) -> np.ndarray:
        self._check_fitted()
        return np.concatenate([np.full(len(part.classes), part.threshold) for part in self._parts])

    @property
    def coverages_(self) -> np.ndarray:
        self._check_fitted()
        return np.concatenate([np.full(len(part.classes), part.coverage) for part in self._parts])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what was learnt to a .safetensors file, whole or not at all. Raises `FileError` where that fails."""
        from safetensors.numpy import save

        self._check_fitted()
        path = _path(path)
        arrays = {
            f"{i}.{name}": np.ascontiguousarray(array)
            for i, part in enumerate(self._parts)
            for name, array in part.reference.arrays().items()
        }
        content = save(arrays, {"detector": json.dumps(self._header())})
        return save_whole(path, content, "the detector")

    @classmethod
    def load(cls, path: str | os.PathLike[str], identity: Identity | None = None) -> NoveltyDetector:
        """Read a detector that `save` wrote; it answers as the saved one did. Nothing in the file is run.

        identity: of the encoder whose embeddings it will get. Raises `MixedEncodersError`, naming both, where the
        saved one is another's, and `FileError` for a file that is no detector, or damaged.
        """
        from safetensors import SafetensorError, safe_open
        from safetensors.numpy import load_file

        path = _path(path)
        try:
            with safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {}).get("detector", "null"))
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError(f"its header is not that of {FORMAT!r}")
            detector = cls._from_file(header, load_file(path))
        except (OSError, SafetensorError) as error:
            raise FileError(f"cannot read the detector {path}: {getattr(error, 'strerror', None) or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise FileError(f"{path} is no detector, or a damaged one: {error}") from error
        if identity is not None and detector.identity is None:
            raise MixedEncodersError(
                f"the detector {path} does not say whose embeddings it was fitted on, to be used with {identity}; "
                "expected one whose identity was set before it was saved, or load without identity"
            )
        if identity is not None and detector.identity is not None and not detector.identity.fits(identity):
            raise MixedEncodersError(
                f"the detector {path} was fitted on embeddings of {detector.identity}, to be used with {identity}; "
                "embeddings of different encoders cannot be compared. Use one encoder for both"
            )
        return detector

    def _header(self) -> dict[str, Any]:
        kind = self.classes_.dtype.kind
        return {
            "format": FORMAT,
            "parameters": {"method": self.method, "k": int(self.k), "coverage": float(self.coverage)},
            "identity": None if self.identity is None else asdict(self.identity),
            "width": self.n_features_in_,
            "columns": getattr(self, "feature_names_in_", np.empty(0)).tolist() or None,
            "labels": {"U": "names", "i": "integers", "f": "numbers"}[kind],
            "parts": [
                {
                    "classes": self.classes_[part.classes].tolist(),
                    "reference": part.reference.kind,
                    "settings": part.reference.settings(),
                    "threshold": part.threshold,
                    "coverage": part.coverage,
                }
                for part in self._parts
            ],
        }

    @classmethod
    def _from_file(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> NoveltyDetector:
        detector = cls(**header["parameters"])
        detector._method()
        if header["identity"] is not None:
            detector.identity = Identity(**{field: str(value) for field, value in header["identity"].items()})
        width = detector.n_features_in_ = int(header["width"])
        if header["columns"] is not None:
            detector.feature_names_in_ = np.array(header["columns"], dtype=object)
            if len(detector.feature_names_in_) != width:
                raise ValueError(f"there are {len(detector.feature_names_in_)} column names for {width} columns")
        names = [name for row in header["parts"] for name in row["classes"]]
        kind = {"names": np.str_, "integers": np.int64, "numbers": np.float64}[header["labels"]]
        detector.classes_ = np.array(names, dtype=kind)
        if not names or len(np.unique(detector.classes_)) != len(names) or detector.classes_.tolist() != names:
            raise ValueError("its classes are none, twice the same, or of several types")
        detector._parts, first = [], 0
        for i, row in enumerate(header["parts"]):
            k, prefix = len(row["classes"]), f"{i}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            reference = read_reference(row["reference"], row["settings"], own, k, width)
            limit, coverage = float(row["threshold"]), float(row["coverage"])
            if not k or not math.isfinite(limit) or not 0 < coverage < 1:
                raise ValueError("a part of it has no classes, or no threshold")
            detector._parts.append(_Part(np.arange(first, first + k), reference, limit, coverage))
            first += k
        return detector

    def _method(self) -> Callable[..., Reference]:
        if not isinstance(self.method, str) or self.method not in METHODS:
            close = difflib.get_close_matches(str(self.method), METHODS, n=2, cutoff=0.4)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise UnknownNameError(f"unknown method {self.method!r}; known: {', '.join(METHODS)}{hint}")
        return METHODS[self.method]

    def _queries(self, X: Any) -> np.ndarray:  # noqa: N803
        self._check_fitted()
        return validate_data(self, to_numpy(X), dtype=[np.float64, np.float32], reset=False)

    def _margins(self, queries: np.ndarray) -> np.ndarray:
        """Threshold minus novelty (parts, b)."""
        return np.stack([part.threshold - part.reference.novelty(queries) for part in self._parts])

    def _extended(self, part: _Part, examples: np.ndarray, names: np.ndarray) -> _Part:
        """The part with those of the examples that are of its classes."""
        match = names[:, None] == self.classes_[part.classes]
        own = match.any(axis=1)
        if not own.any():
            return part
        return replace(part, reference=part.reference.extend(examples[own], match[own].argmax(axis=1)))

    def _added(self, first: int, examples: np.ndarray, labels: np.ndarray) -> _Part:
        """The part of classes that are new."""
        before = self._parts[0].reference
        k = before.k if isinstance(before, Neighbors) else 1
        if len(examples) < k:
            raise InputError(f"k is {k} and there are {len(examples)} examples of new classes; expected {k} or more")
        reference, several = before.add(examples, labels), np.bincount(labels)[labels] > 1
        if several.sum() >= calibration_needed(self.coverage) and len(examples) > k:
            limit = _threshold(_calibration(reference, examples, labels), self.coverage)
        else:
            widest = max(self._parts, key=lambda part: part.threshold)
            limit = widest.threshold, widest.coverage
        return _Part(first + np.arange(labels.max() + 1), reference, *limit)

    def _check_kind(self, names: np.ndarray) -> None:
        if (names.dtype.kind == "U") != (self.classes_.dtype.kind == "U"):
            raise ClassNamesError(
                f"the known classes are {', '.join(map(repr, self.classes_[:3].tolist()))}, those to add "
                f"{', '.join(map(repr, names[:3].tolist()))}; expected all names or all numbers"
            )

    def _check_fitted(self) -> None:
        check_is_fitted(self, "_parts")


def _labels(y: Any, examples: np.ndarray) -> np.ndarray:
    """Labels (m,) as names, int64 or float64."""
    if y is None:
        return np.full(len(examples), ONE_CLASS)
    given = to_numpy(y)
    labels = np.asarray(column_or_1d(given, warn=True))
    check_consistent_length(examples, labels)
    if labels.dtype.kind == "O":
        if all(isinstance(label, str) for label in labels):
            labels = labels.astype(np.str_)
        elif all(isinstance(label, numbers.Real) for label in labels):
            labels = np.array(labels.tolist())
    if labels.dtype.kind not in "Ubiuf":
        raise InputError("the labels y are neither all names nor all numbers; expected (m,) of one or the other")
    check_classification_targets(labels)
    labels = labels.astype({"U": np.str_, "f": np.float64}.get(labels.dtype.kind, np.int64))
    novel = NOVEL if labels.dtype.kind == "U" else NOVEL_NUMBER
    if (labels == novel).any():
        raise ClassNamesError(f"a known class is labeled {novel!r}, which stands for novel; expected another label")
    return labels


def _neighbors(k: Any, examples: int) -> int:
    if not isinstance(k, numbers.Integral) or isinstance(k, bool) or not 1 <= int(k) < examples:
        raise InputError(
            f"k is {k!r} for {examples} examples; expected a whole number from 1 to {examples - 1}, as each is "
            "compared with the others to find the threshold"
        )
    return int(k)


def _calibration(reference: Reference, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Novelty of the examples left out, of classes that are still there without them if there is such a class."""
    novelty = reference.left_out(examples, labels)
    several = np.bincount(labels)[labels] > 1
    return novelty[several] if several.any() else novelty


def _threshold(novelty: np.ndarray, coverage: float) -> tuple[float, float]:
    """The threshold, and the share of known shapes it keeps."""
    n = len(novelty)
    enough = n >= calibration_needed(coverage)
    limit = threshold(novelty, coverage) if enough else float(novelty.max())
    return limit + SLACK * max(1, abs(limit)), expected_coverage(n, coverage) if enough else n / (n + 1)


def _path(path: str | os.PathLike[str]) -> Path:
    given = Path(path).expanduser()
    if given.suffix != ".safetensors":
        raise FileError(f"a detector is a .safetensors file; given was {given}")
    return given

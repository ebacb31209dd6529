"""Scorers by examples: prototypes, nearest neighbors, and normal distributions.

The state of a scorer is arrays and numbers, so a detector can save it. Each scorer can be extended with examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from openshape_ood.checks import check_whole, unit_or_zero
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import distances
from openshape_ood.scoring.distances import rest_of_class
from openshape_ood.scoring.fitted import Gaussian, background_distance, mahalanobis_distance, to_classes
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.scoring.scorers import Judgement, cosine

FOLDS = 20  # every fit leaves out 1/20 of the examples

Novelty = Callable[[np.ndarray], np.ndarray]  # rows (b, d) -> (b,)


def folds_left_out(known: KnownClasses, fit: Callable[[KnownClasses], Novelty]) -> np.ndarray:
    """Novelty (m,) of each example, by a fit without its fold. The examples of a class are spread over the folds.

    Raises `InputError` if the remaining examples are too few for a fit.
    """
    examples, labels = known.labeled_examples()
    rank = np.empty(len(labels), dtype=np.int64)
    rank[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    fold, novelty = rank % FOLDS, np.empty(len(labels))
    for out in (fold == i for i in range(fold.max() + 1)):
        try:
            score = fit(known.subset(~out))
        except InputError as error:
            raise InputError(
                f"{len(labels)} examples are too few for a covariance without a part of them. Expected three or more "
                "different examples of at least one class. Add examples, or use prototypes."
            ) from error
        novelty[out] = score(examples[out])
    return novelty


@dataclass(frozen=True, eq=False)
class PrototypeScorer:
    """Distance to the nearest class mean: |z - p| of unit vectors, 0 to 2, or the plain Euclidean distance.

    State for the j classes with examples: means (j, d), numbers of examples `counts` (j,), and indices `classes` (j,).
    State for all classes: anchors (k, d).
    """

    metric: str
    means: np.ndarray
    counts: np.ndarray
    classes: np.ndarray
    anchors: np.ndarray

    @classmethod
    def fit(cls, known: KnownClasses, metric: str = "cosine") -> PrototypeScorer:
        rows, labels = _rows(known, metric)
        means = _without_rounding(distances.prototypes(rows, labels, "euclidean"), metric)
        return cls(metric, means, np.bincount(labels)[known.shown], known.shown, known.anchors)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        distance, index = nearest(rows, self.means, metric=self.metric)
        return Judgement(_chord(distance[:, 0], self.metric), self.classes[index[:, 0]], cosine(z, self.anchors))

    def left_out(self, known: KnownClasses) -> np.ndarray:
        rows, labels = _rows(known, self.metric)
        rest = _without_rounding(rest_of_class(rows, labels), self.metric)
        if self.metric == "cosine":
            to_rest = 1 - np.clip(np.einsum("md,md->m", rows, unit_or_zero(rest)), -1, 1)
        else:
            to_rest = np.linalg.norm(rows - rest, axis=1)
        distance, index = nearest(rows, self.means, k=min(2, len(self.means)), metric=self.metric)
        distance[index == labels[:, None]] = np.inf  # at least one of the two nearest means is of another class
        return _nearer(_chord(distance.min(axis=1), self.metric), labels, _chord(to_rest, self.metric))

    def extended(self, known: KnownClasses) -> PrototypeScorer:
        means, counts = _extended(self.means, self.counts, *_rows(known, self.metric))
        means = _without_rounding(means, self.metric)
        anchors = unit_or_zero(means) if self.metric == "cosine" else self.anchors
        return replace(self, means=means, counts=counts, anchors=anchors)

    def beside(self, known: KnownClasses) -> PrototypeScorer:
        return self.fit(known, self.metric)


@dataclass(frozen=True, eq=False)
class NeighborScorer:
    """Distance to the k_c-th nearest of all examples, k_c = min(k, n_c).

    Here c is the class of the nearest example, and n_c is its number of examples. If every class has k or more
    examples, this is the distance to the k-th nearest example. Near a smaller class, the k-th nearest example would
    belong to another class. The nearest class is c.

    State: examples (m, d), not normalized, labels (m,), anchors (k, d).
    """

    metric: str
    k: int
    examples: np.ndarray
    labels: np.ndarray
    anchors: np.ndarray

    @classmethod
    def fit(cls, known: KnownClasses, metric: str = "cosine", k: int = 1) -> NeighborScorer:
        """Fit to known classes. Warns if a class has fewer than k examples."""
        examples, labels = known.labeled_examples()
        counts = np.bincount(labels)[known.shown]
        distances.warn_of_few(check_whole(k, "k"), counts, "the number of its examples replaces k")
        return cls(metric, min(k, len(examples)), examples, labels, known.anchors)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        distance, index = nearest(rows, self.examples, k=self.k, metric=self.metric)
        nearest_class = self.labels[index[:, 0]]
        novelty = self._novelty(distance, self._counts[nearest_class])
        return Judgement(novelty, nearest_class, cosine(z, self.anchors))

    def left_out(self, known: KnownClasses) -> np.ndarray:
        m = len(self.examples)
        k = min(self.k, m - 1)
        distance, index = nearest(self.examples, self.examples, k=k + 1, metric=self.metric)
        itself = index == np.arange(m)[:, None]
        # an example with more than k duplicates may be missing among its own neighbors; then the farthest neighbor is
        # removed
        itself[~itself.any(axis=1), -1] = True
        nearest_class = self.labels[index[~itself].reshape(m, k)[:, 0]]
        counts = self._counts[nearest_class] - (nearest_class == self.labels)  # without the example itself
        return self._novelty(distance[~itself].reshape(m, k), counts)

    def extended(self, known: KnownClasses) -> NeighborScorer:
        more, known_labels = known.labeled_examples()
        examples, labels = np.concatenate([self.examples, more]), np.concatenate([self.labels, known_labels])
        anchors = distances.prototypes(examples, labels, "cosine")
        return replace(self, examples=examples, labels=labels, anchors=anchors)

    def beside(self, known: KnownClasses) -> NeighborScorer:
        return self.fit(known, self.metric, self.k)

    @cached_property
    def _counts(self) -> np.ndarray:
        """Number of examples (k,) of every class."""
        return np.bincount(self.labels, minlength=len(self.anchors))

    def _novelty(self, distance: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Novelty (b,) from sorted distances (b, k). `counts` (b,): number of examples of the nearest class."""
        last = np.minimum(counts, distance.shape[1]) - 1
        return _chord(np.take_along_axis(distance, last[:, None], axis=1)[:, 0], self.metric)


@dataclass(frozen=True, eq=False)
class GaussianScorer:
    """Squared Mahalanobis distance of unit rows to the nearest class. If relative, the distance to the background is
    subtracted.

    The background is one distribution of all examples. New classes add a mean, and new examples change the mean of
    their class. Covariance and background do not change. `Judgement.nearest` has the class mean with the largest
    cosine.
    """

    relative: bool
    means: np.ndarray
    precision: np.ndarray
    background_mean: np.ndarray | None
    background_precision: np.ndarray | None
    counts: np.ndarray
    classes: np.ndarray
    anchors: np.ndarray
    fitted: bool = True

    @classmethod
    def fit(cls, known: KnownClasses, relative: bool = False) -> GaussianScorer:
        rows, labels = _rows(known, "cosine")
        gaussian = Gaussian.fit(rows, labels, background=relative)
        if relative and len(gaussian.means) == 1:
            raise InputError(
                "relative_mahalanobis is always 0 for one known class, which is its own background. "
                "Expected two or more classes. Use mahalanobis, or give examples of more classes."
            )
        counts = np.bincount(labels)[known.shown]
        parameters = gaussian.means, gaussian.precision, gaussian.background_mean, gaussian.background_precision
        return cls(relative, *parameters, counts, known.shown, known.anchors)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        nearest_class = nearest(z, self.means)[1][:, 0]
        return Judgement(self._novelty(z), self.classes[nearest_class], cosine(z, self.anchors))

    def left_out(self, known: KnownClasses) -> np.ndarray:
        rows, labels = _rows(known, "cosine")
        if self.fitted:
            return folds_left_out(replace(known, examples=rows), lambda rest: self.fit(rest, self.relative)._novelty)
        # the covariance does not depend on added classes, so only their means change
        origin = Gaussian(np.zeros((1, rows.shape[1])), self.precision)
        to_rest = mahalanobis_distance(rows - rest_of_class(rows, labels), origin)
        others = to_classes(rows, self._gaussian)
        others[np.arange(len(rows)), labels] = np.inf
        return _nearer(others.min(axis=1), labels, to_rest) - self._background(rows)

    def extended(self, known: KnownClasses) -> GaussianScorer:
        means, counts = _extended(self.means, self.counts, *_rows(known, "cosine"))
        return replace(self, means=means, counts=counts, anchors=unit_or_zero(means))

    def beside(self, known: KnownClasses) -> GaussianScorer:
        rows, labels = _rows(known, "cosine")
        means, counts = distances.prototypes(rows, labels, "euclidean"), np.bincount(labels)[known.shown]
        return replace(self, means=means, counts=counts, classes=known.shown, anchors=known.anchors, fitted=False)

    @property
    def _gaussian(self) -> Gaussian:
        return Gaussian(self.means, self.precision, self.background_mean, self.background_precision)

    def _novelty(self, z: np.ndarray) -> np.ndarray:
        return mahalanobis_distance(z, self._gaussian) - self._background(z)

    def _background(self, z: np.ndarray) -> np.ndarray:
        return background_distance(z, self._gaussian) if self.relative else np.zeros(len(z))


def _rows(known: KnownClasses, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Examples (m, d) in float64, normalized for "cosine", and their classes (m,)."""
    examples, labels = known.labeled_examples()
    return (unit_or_zero(examples) if metric == "cosine" else examples.astype(np.float64)), labels


def _without_rounding(means: np.ndarray, metric: str) -> np.ndarray:
    """Replace means that consist only of rounding errors by zero."""
    if metric == "cosine":
        means[np.linalg.norm(means, axis=1) < distances.ROUNDING] = 0
    return means


def _chord(distance: np.ndarray, metric: str) -> np.ndarray:
    """Distance of two unit vectors, computed from 1 - cosine. A Euclidean distance is returned unchanged."""
    return np.sqrt(np.maximum(2 * distance, 0)) if metric == "cosine" else distance


def _nearer(others: np.ndarray, labels: np.ndarray, to_rest: np.ndarray) -> np.ndarray:
    """Novelty (m,) of examples: distance to other classes or, if smaller, to the rest of their class.

    `to_rest` is the second distance. It is ignored if the class has no other example.
    """
    return np.minimum(others, np.where(np.bincount(labels)[labels] > 1, to_rest, np.inf))


def _extended(
    means: np.ndarray, counts: np.ndarray, rows: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (k, d) and counts (k,), updated with new rows of the classes."""
    sums, more = means * counts[:, None], np.bincount(labels, minlength=len(counts))
    np.add.at(sums, labels, rows)
    return sums / (counts + more)[:, None], counts + more

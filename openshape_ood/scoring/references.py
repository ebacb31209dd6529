"""What a detector remembers of the known classes: prototypes, examples, or a Gaussian; the state behind the scores.

Each gives the novelty (b,) of queries (b, d) by the pure functions of `scores.by_examples`, the nearest of its k
classes (b,), and the novelty (m,) of its own examples when each is left out in turn. Labels count 0 to k - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from openshape_ood.checks import check_choice, check_count
from openshape_ood.errors import InputError
from openshape_ood.scoring.by_examples import (
    ROUNDING,
    Gaussian,
    knn_distance,
    mahalanobis_distance,
    prototype_cosine_distance,
    prototype_euclidean_distance,
    prototypes,
)
from openshape_ood.scoring.neighbors import METRICS, nearest

# a covariance is not inverted again for every example: a twentieth of them is left out at a time
FOLDS = 20


class Reference(Protocol):
    """What is asked of each.

    add: the reference of other classes, beside this one. extend: this one with more examples of its classes.
    """

    kind: ClassVar[str]

    def novelty(self, queries: np.ndarray) -> np.ndarray: ...

    def nearest(self, queries: np.ndarray) -> np.ndarray: ...

    def left_out(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray: ...

    def add(self, examples: np.ndarray, labels: np.ndarray) -> Reference: ...

    def extend(self, examples: np.ndarray, labels: np.ndarray) -> Reference: ...

    def settings(self) -> dict[str, Any]: ...

    def arrays(self) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class Prototypes:
    """A vector a class: means (k, d) of its examples, for the cosine of unit length, and how many, counts (k,)."""

    metric: str
    means: np.ndarray
    counts: np.ndarray
    kind: ClassVar[str] = "prototypes"

    @classmethod
    def fit(cls, examples: np.ndarray, labels: np.ndarray, metric: str) -> Prototypes:
        means = prototypes(_rows(examples, metric), labels, "euclidean")
        return cls(metric, _without_rounding(means, metric), np.bincount(labels))

    def novelty(self, queries: np.ndarray) -> np.ndarray:
        distance = prototype_cosine_distance if self.metric == "cosine" else prototype_euclidean_distance
        return distance(queries, self.means)

    def nearest(self, queries: np.ndarray) -> np.ndarray:
        return nearest(queries, self.means, metric=self.metric)[1][:, 0]

    def left_out(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        rows = _rows(examples, self.metric)
        rest = _without_rounding(_rest(rows, labels), self.metric)
        if self.metric == "cosine":
            to_own = 1 - np.clip(np.einsum("md,md->m", rows, _unit(rest)), -1, 1)
        else:
            to_own = np.linalg.norm(rows - rest, axis=1)
        return _nearer(self, examples, labels, to_own)

    def add(self, examples: np.ndarray, labels: np.ndarray) -> Prototypes:
        return self.fit(examples, labels, self.metric)

    def extend(self, examples: np.ndarray, labels: np.ndarray) -> Prototypes:
        means, counts = _extended(self.means, self.counts, _rows(examples, self.metric), labels)
        return replace(self, means=_without_rounding(means, self.metric), counts=counts)

    def without(self, label: int) -> Prototypes | None:
        rest = np.delete(self.means, label, axis=0)
        return replace(self, means=rest) if len(rest) else None

    def settings(self) -> dict[str, Any]:
        return {"metric": self.metric}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"means": self.means, "counts": self.counts}


@dataclass(frozen=True, eq=False)
class Neighbors:
    """All examples (m, d) and their labels (m,); the nearest class is that of the nearest example."""

    metric: str
    k: int
    examples: np.ndarray
    labels: np.ndarray
    kind: ClassVar[str] = "neighbors"

    @classmethod
    def fit(cls, examples: np.ndarray, labels: np.ndarray, metric: str, k: int) -> Neighbors:
        return cls(metric, k, examples.copy(), labels)

    def novelty(self, queries: np.ndarray) -> np.ndarray:
        return knn_distance(queries, self.examples, self.k, self.metric)

    def nearest(self, queries: np.ndarray) -> np.ndarray:
        return self.labels[nearest(queries, self.examples, metric=self.metric)[1][:, 0]]

    def left_out(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        distance, index = nearest(examples, examples, k=self.k + 1, metric=self.metric)
        itself = index == np.arange(len(examples))[:, None]
        # behind more than k duplicates an example does not find itself, and the farthest goes
        itself[~itself.any(axis=1), -1] = True
        return distance[~itself].reshape(len(examples), self.k)[:, -1]

    def add(self, examples: np.ndarray, labels: np.ndarray) -> Neighbors:
        return self.fit(examples, labels, self.metric, self.k)

    def extend(self, examples: np.ndarray, labels: np.ndarray) -> Neighbors:
        joined = np.concatenate([self.examples, examples]), np.concatenate([self.labels, labels])
        return replace(self, examples=joined[0], labels=joined[1])

    def settings(self) -> dict[str, Any]:
        return {"metric": self.metric, "k": self.k}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"examples": self.examples, "labels": self.labels}


@dataclass(frozen=True, eq=False)
class Normal:
    """Classes as normal distributions of one covariance; `relative` to all examples as one. counts (k,) of examples.

    Classes that are added bring their means, more examples move the mean of their class; the covariance, and the
    background, stay as they were fitted.
    """

    relative: bool
    gaussian: Gaussian
    counts: np.ndarray
    fitted: bool = True
    kind: ClassVar[str] = "normal"

    @classmethod
    def fit(cls, examples: np.ndarray, labels: np.ndarray, relative: bool) -> Normal:
        return cls(relative, Gaussian.fit(examples, labels), np.bincount(labels))

    def novelty(self, queries: np.ndarray) -> np.ndarray:
        return mahalanobis_distance(queries, self.gaussian) - self._background(queries)

    def nearest(self, queries: np.ndarray) -> np.ndarray:
        each = [replace(self.gaussian, means=mean[None]) for mean in self.gaussian.means]
        return np.argmin([mahalanobis_distance(queries, gaussian) for gaussian in each], axis=0)

    def left_out(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        if self.fitted:
            return self._folds_left_out(examples, labels)
        # the covariance knows nothing of added classes: only their means do
        centered = replace(self.gaussian, means=np.zeros((1, examples.shape[1])))
        to_own = mahalanobis_distance(examples - _rest(examples, labels), centered) - self._background(examples)
        return _nearer(self, examples, labels, to_own)

    def add(self, examples: np.ndarray, labels: np.ndarray) -> Normal:
        means = prototypes(examples, labels, "euclidean")
        return replace(self, gaussian=replace(self.gaussian, means=means), counts=np.bincount(labels), fitted=False)

    def extend(self, examples: np.ndarray, labels: np.ndarray) -> Normal:
        means, counts = _extended(self.gaussian.means, self.counts, examples, labels)
        return replace(self, gaussian=replace(self.gaussian, means=means), counts=counts)

    def without(self, label: int) -> Normal | None:
        rest = np.delete(self.gaussian.means, label, axis=0)
        return replace(self, gaussian=replace(self.gaussian, means=rest)) if len(rest) else None

    def settings(self) -> dict[str, Any]:
        return {"relative": self.relative, "fitted": self.fitted}

    def arrays(self) -> dict[str, np.ndarray]:
        return {**{name: getattr(self.gaussian, name) for name in GAUSSIAN}, "counts": self.counts}

    def _background(self, queries: np.ndarray) -> np.ndarray:
        if not self.relative:
            return np.zeros(len(queries))
        g = self.gaussian
        alone = replace(g, means=g.background_mean[None], precision=g.background_precision)
        return mahalanobis_distance(queries, alone)

    def _folds_left_out(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        rank = np.empty(len(labels), dtype=np.int64)
        rank[np.argsort(labels, kind="stable")] = np.arange(len(labels))
        fold, novelty = rank % FOLDS, np.empty(len(labels))
        for out in (fold == i for i in range(fold.max() + 1)):
            try:
                left = self.fit(examples[~out], labels[~out], self.relative)
            except InputError as error:
                raise InputError(
                    f"there are too few examples to leave any out of a covariance: of {len(labels)}, those left have "
                    "none. Expected three or more, that differ, in at least one class; or prototypes"
                ) from error
            novelty[out] = left.novelty(examples[out])
        return novelty


GAUSSIAN = ("means", "precision", "background_mean", "background_precision")


def read_reference(
    kind: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], classes: int, width: int
) -> Reference:
    """The reference with these `settings()` and `arrays()`, of so many classes and embeddings of that width.

    Raises `InputError` for what no reference gives, also where only numbers are wrong.
    """
    examples, square = len(arrays.get("labels", ())), (width, width)
    shapes: dict[str, tuple[int, ...]] | None = {
        "prototypes": {"means": (classes, width), "counts": (classes,)},
        "neighbors": {"examples": (examples, width), "labels": (examples,)},
        "normal": {
            **dict(zip(GAUSSIAN, [(classes, width), square, (width,), square], strict=True)),
            "counts": (classes,),
        },
    }.get(kind)
    if shapes is None or {name: array.shape for name, array in arrays.items()} != shapes:
        raise InputError(f"the arrays of {kind!r} are misshapen or missing")
    for name, array in arrays.items():
        whole = name in ("labels", "counts")
        if array.dtype.kind != ("i" if whole else "f") or not np.isfinite(array).all():
            raise InputError(f"{name} are {array.dtype}; expected finite {'whole ' if whole else ''}numbers")
    if "counts" in arrays and arrays["counts"].min() < 1:
        raise InputError("there are classes without examples")
    if kind == "normal":
        gaussian = Gaussian(**{name: arrays[name] for name in GAUSSIAN})
        return Normal(bool(settings["relative"]), gaussian, arrays["counts"], bool(settings["fitted"]))
    metric = settings["metric"]
    check_choice(metric, "metric", METRICS)
    if kind == "prototypes":
        return Prototypes(metric, arrays["means"], arrays["counts"])
    if not np.array_equal(np.unique(arrays["labels"]), np.arange(classes)):
        raise InputError(f"the labels do not count the {classes} classes")
    k = check_count(settings["k"], "k", examples, "the number of examples")
    return Neighbors(metric, k, arrays["examples"], arrays["labels"])


def _nearer(reference: Prototypes | Normal, examples: np.ndarray, labels: np.ndarray, to_own: np.ndarray) -> np.ndarray:
    """Novelty (m,): `to_own` where an example's own class, without it, is nearest; else that to the others."""
    novelty = np.where(np.bincount(labels)[labels] > 1, to_own, np.inf)
    for label in range(labels.max() + 1):
        own, others = labels == label, reference.without(label)
        if others is not None:
            novelty[own] = np.minimum(novelty[own], others.novelty(examples[own]))
    return novelty


def _rest(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean (m, d) of the others of each row's class; zero where there are none."""
    rest = np.zeros(rows.shape)
    for label in range(labels.max() + 1):
        own = np.flatnonzero(labels == label)
        if len(own) > 1:
            rest[own] = (rows[own].sum(axis=0, dtype=np.float64) - rows[own]) / (len(own) - 1)
    return rest


def _extended(
    means: np.ndarray, counts: np.ndarray, rows: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (k, d) and counts (k,) with the rows of each class taken in."""
    sums, more = means * counts[:, None], np.bincount(labels, minlength=len(counts))
    np.add.at(sums, labels, rows)
    return sums / (counts + more)[:, None], counts + more


def _rows(examples: np.ndarray, metric: str) -> np.ndarray:
    """What a prototype is the mean of, in float64."""
    return _unit(examples) if metric == "cosine" else examples.astype(np.float64)


def _without_rounding(means: np.ndarray, metric: str) -> np.ndarray:
    """What is left of directions that cancel is rounding, and has no direction."""
    if metric == "cosine":
        means[np.linalg.norm(means, axis=1) < ROUNDING] = 0
    return means


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows in float64 of length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)

"""Scorer of a comparator. It compares embeddings of shapes with anchors: embeddings that represent known classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from openshape_ood.checks import check_choice, check_count, check_whole, log_sum_exp, unit_or_zero
from openshape_ood.comparison.families import Similarity, row_blocks
from openshape_ood.encoders.protocols import ANONYMOUS, Identity
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Judgement, distances
from openshape_ood.scoring.neighbors import spread_out

Prototypes = Literal["mean", "medoid", "k-center", "all"]
Anchors = Literal["examples", "names", "both"]
Pool = Literal["max", "mean"]
Score = Literal["max", "softmax", "neighbors"]


@dataclass(frozen=True, eq=False)
class ComparatorScorer:
    """Scorer that compares embeddings (n, d) with anchors (p, d).

    `classes` (p,) are the classes of the anchors, in ascending order. Only the score "neighbors" uses `k_nearest`.
    """

    similarity: Similarity
    anchors: np.ndarray
    classes: np.ndarray
    pool: Pool
    score: Score
    k_nearest: int

    def judge(self, rows: np.ndarray) -> Judgement:
        parts = [self._judged(rows[some]) for some in row_blocks(len(rows), len(self.anchors))]
        if not parts:
            parts = [(np.empty(0), np.empty((0, self.classes[-1] + 1)))]
        novelty, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Judgement(novelty, similarity.argmax(axis=1), similarity)

    def _judged(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        each = self.similarity.between(rows if self.similarity.raw else unit_or_zero(rows), self.anchors)
        starts = np.searchsorted(self.classes, np.arange(self.classes[-1] + 1))
        if self.pool == "max":
            by_class = np.maximum.reduceat(each, starts, axis=1)
        else:
            by_class = np.add.reduceat(each, starts, axis=1) / np.bincount(self.classes)
        if self.score == "neighbors":
            return -np.sort(each, axis=1)[:, -self.k_nearest :].mean(axis=1), by_class
        best = by_class.max(axis=1)
        return (-best if self.score == "max" else -np.expm1(best - log_sum_exp(by_class))), by_class


@dataclass(frozen=True, eq=False)
class Compare:
    """Function that makes the scorer of a comparator, for `Method`.

    `text` is True if the comparator also learned names. `identity` is the encoder of the embeddings; None means any
    encoder with embeddings of the same width.
    """

    similarity: Similarity
    identity: Identity | None = None
    text: bool = False

    def __call__(
        self,
        known: KnownClasses,
        prototypes: Prototypes = "mean",
        k: int = 1,
        anchors: Anchors = "examples",
        pool: Pool = "max",
        score: Score = "max",
    ) -> ComparatorScorer:
        """Scorer for known classes. The settings are described in `Comparator`."""
        check_choice(prototypes, "prototypes", get_args(Prototypes))
        check_choice(anchors, "anchors", get_args(Anchors))
        check_choice(pool, "pool", get_args(Pool))
        check_choice(score, "score", get_args(Score))
        check_whole(k, "k")
        self._check_fits(known)
        if score == "softmax" and len(known.names) == 1:
            raise InputError(
                f"the softmax over one known class, {known.names[0]!r}, is always 1, and the novelty always 0. "
                'Expected two or more classes. Add classes, or use score="max".'
            )
        anchors_of = [self._anchors(known, c, prototypes, k, anchors) for c in range(len(known.names))]
        classes = np.repeat(np.arange(len(anchors_of)), [len(rows) for rows in anchors_of])
        if score == "neighbors":
            check_count(k, "k", len(classes), "the number of anchors of all classes")
            distances.warn_of_few(k, np.bincount(classes), "neighbors of other classes count")
        return ComparatorScorer(self.similarity, np.concatenate(anchors_of), classes, pool, score, k)

    def _check_fits(self, known: KnownClasses) -> None:
        if self.identity is not None and known.identity != ANONYMOUS and not self.identity.fits(known.identity):
            raise MixedEncodersError(
                f"the comparator was trained on embeddings of {self.identity}, but the known classes are of "
                f"{known.identity}. Expected the same encoder. Train a comparator: openshape-ood comparator fit."
            )
        if self.similarity.dim not in (None, known.dim):
            raise MixedEncodersError(
                f"the comparator takes embeddings of {self.similarity.dim} numbers, but the known classes have "
                f"{known.dim}. Expected one encoder. Use a comparator for this encoder."
            )

    def _anchors(self, known: KnownClasses, c: int, prototypes: Prototypes, k: int, anchors: Anchors) -> np.ndarray:
        """Anchors (p, d) of a class."""
        parts = list[np.ndarray]()
        if anchors != "names" and known.examples is not None and c in known.shown:
            examples = known.examples[known.labels == c]
            rows = examples.astype(np.float64) if self.similarity.raw else unit_or_zero(examples)
            parts.append(select(rows, prototypes, k, unit=not self.similarity.raw))
        if self.text and known.text is not None and (anchors != "examples" or not parts):
            parts.append(known.text[c : c + 1])
        if not parts:
            lacks = "examples" if anchors == "examples" else f"data for anchors={anchors!r}"
            learned = "also names" if self.text else "only shapes, no names"
            raise InputError(
                f"known class {known.names[c]!r} has no {lacks}; this comparator learned {learned}. Expected examples "
                "of every class. Add examples."
            )
        return np.concatenate(parts)


def select(rows: np.ndarray, prototypes: Prototypes, k: int = 1, unit: bool = False) -> np.ndarray:
    """Anchors (p, d) of a class with examples (m, d).

    "mean" is the mean, normalized if `unit`. "medoid" is the example nearest to the mean. "k-center" is the medoid and
    k - 1 more examples, each the farthest from the ones before. "all" is all examples.

    >>> select(np.array([[0.0], [1.0], [5.0]]), "k-center", 2).tolist()
    [[1.0], [5.0]]
    """
    if prototypes == "all":
        return rows
    if prototypes == "mean":
        return distances.prototypes(rows, np.zeros(len(rows)), "cosine" if unit else "euclidean")
    return rows[spread_out(rows, k if prototypes == "k-center" else 1)]

"""Novelty of examples left out: fold by fold, and for normal distributions without fitting them again.

Examples taken out of a covariance change it by a matrix of low rank, so that nothing large is inverted for a fold:
(A - BᵀB)⁻¹ = A⁻¹ + A⁻¹Bᵀ (I - B A⁻¹ Bᵀ)⁻¹ B A⁻¹ (Woodbury), in the directions in which A is diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scoring.distances import ROUNDING, class_means
from openshape_ood.scoring.fitted import shrinkage

FOLDS = 20  # a twentieth of the examples is left out at a time

Novelty = Callable[[np.ndarray], np.ndarray]


def folds_left_out(fit: Callable[[np.ndarray], Novelty], labels: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Novelty (m,) of each example by a scorer fitted without its fold; every class is spread over the folds.

    fit: from a mask (m,) of the examples to fit to, to the novelty of those of another mask. Raises `InputError` where
    too few examples are left to fit.
    """
    rank = np.empty(len(labels), dtype=np.int64)
    rank[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    fold, novelty = rank % folds, np.empty(len(labels))
    for out in (fold == i for i in range(fold.max() + 1)):
        try:
            score = fit(~out)
        except InputError as error:
            raise InputError(
                f"there are too few examples to leave any out of a covariance: of {len(labels)}, those left have "
                "none. Expected three or more, that differ, in at least one class; or prototypes"
            ) from error
        novelty[out] = score(out)
    return novelty


def gaussian_left_out(rows: np.ndarray, labels: np.ndarray, relative: bool) -> np.ndarray:
    """`folds_left_out` (m,) of the Mahalanobis distance of rows (m, d), as `Gaussian.fit` without each fold has it."""
    within = _Scatter.of(rows, labels)
    around = _Scatter.of(rows, np.zeros_like(labels)) if relative else None

    def fit(kept: np.ndarray) -> Novelty:
        share = within.shrinkage(kept)
        if relative and len(np.unique(labels[kept])) == 1:
            raise InputError("the examples left are of one class, which is its own background")
        if around is None:
            return lambda out: within.distance(out, kept, share)
        return lambda out: within.distance(out, kept, share) - around.distance(out, kept, share)

    return folds_left_out(fit, labels)


@dataclass(frozen=True, eq=False)
class _Scatter:
    """The scatter of rows around the means of their classes, in its own directions.

    rows (m, d) and means (k, d) in these; labels (m,); spectrum (d,), the sum of squares along each.
    """

    rows: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    spectrum: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, labels: np.ndarray) -> _Scatter:
        index = np.unique(labels, return_inverse=True)[1]
        means = class_means(rows, index, index.max() + 1)
        centered = rows - means[index]
        spectrum, directions = np.linalg.eigh(centered.T @ centered)
        return cls(rows @ directions, index, means @ directions, np.maximum(spectrum, 0))

    def shrinkage(self, kept: np.ndarray) -> float:
        """That of the covariance of the rows of a mask (m,). Raises `InputError` where there is none."""
        several = kept & (self._left(kept) > 1)[self.labels]
        centered = self.rows[several] - self._means(kept)[self.labels[several]]
        if np.linalg.norm(centered) <= ROUNDING * np.linalg.norm(self.rows[several]):
            raise InputError("the examples left have no covariance; expected two that differ in at least one class")
        change = self._change(kept)
        squared = (self.spectrum**2).sum() - 2 * (change**2 @ self.spectrum).sum() + ((change @ change.T) ** 2).sum()
        return shrinkage(np.einsum("md,md->m", centered, centered), squared / len(centered) ** 2, centered.shape[1])

    def distance(self, out: np.ndarray, kept: np.ndarray, share: float) -> np.ndarray:
        """Squared distance of rows to the nearest mean, both of masks (m,), by the covariance of those kept."""
        left, change = self._left(kept), self._change(kept)
        count = left[left > 1].sum()
        trace = self.spectrum.sum() - (change**2).sum()
        weight = (1 - share) / count
        diagonal = weight * self.spectrum + share * trace / count / len(self.spectrum)
        change = change / diagonal
        small = np.eye(len(change)) - weight * (change * diagonal) @ change.T
        found = []
        for mean in self._means(kept)[left > 0]:
            apart = self.rows[out] - mean
            along = apart @ change.T
            low_rank = np.einsum("br,rb->b", along, np.linalg.solve(small, along.T))
            found.append((apart**2 / diagonal).sum(axis=1) + weight * low_rank)
        return np.maximum(np.min(found, axis=0), 0)

    def _left(self, kept: np.ndarray) -> np.ndarray:
        """How many (k,) of each class are kept."""
        return np.bincount(self.labels[kept], minlength=len(self.means))

    def _gone(self, kept: np.ndarray) -> np.ndarray:
        """Sum (k, d) of what is not kept, from the mean of its class."""
        gone = np.zeros(self.means.shape)
        np.add.at(gone, self.labels[~kept], self.rows[~kept] - self.means[self.labels[~kept]])
        return gone

    def _means(self, kept: np.ndarray) -> np.ndarray:
        """Means (k, d) of what is kept."""
        return self.means - self._gone(kept) / np.maximum(self._left(kept), 1)[:, None]

    def _change(self, kept: np.ndarray) -> np.ndarray:
        """Rows (r, d) whose scatter is what goes with those not kept; no more rows than numbers."""
        left = self._left(kept)[:, None]
        moved = np.where(left > 0, self._gone(kept) / np.sqrt(np.maximum(left, 1)), 0)
        change = np.concatenate([self.rows[~kept] - self.means[self.labels[~kept]], moved])
        return change if len(change) <= change.shape[1] else np.linalg.qr(change).R

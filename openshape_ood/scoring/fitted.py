"""Fitted scores: normal distributions of examples, and a subspace in which examples vary little.

Embeddings are not normalized. An empty table of queries gives (0,). NaN, infinity and an empty set of examples raise
`InputError`; embeddings of another dimension raise its subclass `MixedEncodersError`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import array, blocks, check_count, check_rows, check_share, check_widths, grouped, log_sum_exp
from openshape_ood.errors import InputError
from openshape_ood.scoring.distances import ROUNDING, class_means, same_width

# minimum of the shrinkage, which is the weight of the mean variance
LEAST_SHRINKAGE = 1e-6


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Classes as normal distributions with a common covariance; the background is one distribution of all examples.

    Attributes
    ----------
    means : (k, d)
        Class means, in the sorted order of the labels.
    precision : (d, d)
        Inverse of the common covariance.
    background_mean : (d,), optional
    background_precision : (d, d), optional
        Both are None without a background.
    """

    means: np.ndarray
    precision: np.ndarray
    background_mean: np.ndarray | None = None
    background_precision: np.ndarray | None = None

    @classmethod
    def fit(cls, examples: Any, labels: Any, *, background: bool = True, share: float | None = None) -> Gaussian:
        """Fit covariances with the divisor m, shrunk towards their mean variance (Ledoit and Wolf).

        The shrinkage is computed for the common covariance and used for both. A smaller one for the background would
        give it less variance than the classes in directions without variance of the examples. There, the relative
        distance would fall with the distance to the classes. A class with one
        example has a mean, but is not part of the common covariance. The weight of the mean variance is at least 1e-6.

        Parameters
        ----------
        examples : array (m, d)
        labels : array (m,)
        background : bool
            Also fit the background.
        share : float, optional
            Weight of the mean variance, in (0, 1]. Default: by Ledoit and Wolf.

        Raises
        ------
        InputError
            If no class has two different examples.

        References
        ----------
        Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
        """
        known = array(examples, "examples", "md").astype(np.float64)
        class_names, index = grouped(labels, known)
        several = np.bincount(index)[index] > 1
        if not several.any():
            raise InputError(
                f"none of the {len(class_names)} classes has two examples, so there is no covariance. Expected two in "
                "at least one class. Add examples, or use prototypes or nearest neighbors."
            )
        means = class_means(known, index, len(class_names))
        within = (known - means[index])[several]
        d = known.shape[1]
        if np.linalg.norm(within) <= ROUNDING * np.linalg.norm(known[several]):
            raise InputError(
                f"the examples of every class are equal (n_features={d}), so there is no covariance. Expected two "
                "different ones in at least one class. Add examples, or use prototypes or nearest neighbors."
            )
        covariance = within.T @ within / len(within)
        if share is None:
            share = _shrinkage(within, covariance)
        elif not check_share(share, "share of the mean variance"):
            raise InputError(
                f"share of the mean variance is {share!r}. Expected a number above 0, at most 1. Correct share."
            )
        classes = cls(means, _precision(covariance, share))
        if not background:
            return classes
        center = known.mean(axis=0)
        scatter = (known - center).T @ (known - center)
        class_precision = _precision(scatter / len(known), share)
        return replace(classes, background_mean=center, background_precision=class_precision)


def mahalanobis_distance(queries: Any, gaussian: Gaussian) -> np.ndarray:
    """min_c (z - μ_c)ᵀ Σ⁻¹ (z - μ_c): the squared distance to the nearest class.

    Parameters
    ----------
    queries : array (b, d)
    gaussian : Gaussian

    Returns
    -------
    (b,) float64
        0 or more, in units of the variance.

    References
    ----------
    Lee et al., "A simple unified framework for detecting out-of-distribution samples", arXiv 1807.03888.

    Examples
    --------
    >>> examples = [[0, 0], [0, 2], [4, 0], [4, 2]]
    >>> gaussian = Gaussian.fit(examples, ["a", "a", "b", "b"])
    >>> near, far = mahalanobis_distance([[0, 1], [2, 1]], gaussian)  # the mean of a; between both
    >>> bool(near < 1e-12 < far)
    True
    """
    z = same_width(queries, "queries", "bd", gaussian.means, "the fitted means", "kd")[0]
    distance = np.empty(len(z))
    for part, rows in blocks(z):
        distance[part] = to_classes(rows, gaussian).min(axis=1)
    return distance


def to_classes(rows: np.ndarray, gaussian: Gaussian) -> np.ndarray:
    """(z - μ_c)ᵀ Σ⁻¹ (z - μ_c) for every row z and class c, (b, k)."""
    distances = []
    for mean in gaussian.means:
        centered = rows - mean
        distances.append(np.maximum(np.einsum("bd,bd->b", centered @ gaussian.precision, centered), 0))
    return np.stack(distances, axis=1)


def relative_mahalanobis_distance(queries: Any, gaussian: Gaussian) -> np.ndarray:
    """min_c (z - μ_c)ᵀ Σ⁻¹ (z - μ_c) - (z - μ_0)ᵀ Σ_0⁻¹ (z - μ_0), where μ_0 and Σ_0 belong to the background.

    Parameters
    ----------
    queries : array (b, d)
    gaussian : Gaussian

    Returns
    -------
    (b,) float64
        Any sign.

    Raises
    ------
    InputError
        For a single class: it equals its background, and the distance is always 0.

    References
    ----------
    Ren et al., "A simple fix to Mahalanobis distance for improving near-OOD detection", arXiv 2106.09022.
    """
    if len(gaussian.means) == 1:
        raise InputError(
            "relative_mahalanobis_distance is always 0 for one known class, which is its own background. "
            "Expected two or more classes. Use mahalanobis, or give examples of more classes."
        )
    return mahalanobis_distance(queries, gaussian) - background_distance(queries, gaussian)


def background_distance(queries: Any, gaussian: Gaussian) -> np.ndarray:
    """(z - μ_0)ᵀ Σ_0⁻¹ (z - μ_0) (b,). Raises `InputError` for a Gaussian without a background."""
    if gaussian.background_mean is None or gaussian.background_precision is None:
        raise InputError(
            "this Gaussian has no background. Expected a Gaussian with one. Fit it with Gaussian.fit(background=True)."
        )
    return mahalanobis_distance(queries, Gaussian(gaussian.background_mean[None], gaussian.background_precision))


@dataclass(frozen=True, eq=False)
class Subspace:
    """Subspace for ViM, in which the examples have small components.

    Attributes
    ----------
    complement : (d, d - dim)
        Orthonormal basis.
    alpha : float
        Factor of the norm of a component in the subspace.
    """

    complement: np.ndarray
    alpha: float

    @classmethod
    def fit(cls, examples: Any, logits: Any, dim: int) -> Subspace:
        """Fit the complement of the `dim` principal directions, those with the largest sum of squared components.

        The mean is not subtracted, because the logits have no bias. alpha is the mean of the largest
        logits, divided by the mean norm of the components in the complement.

        Parameters
        ----------
        examples : array (m, d)
        logits : array (m, k)
        dim : int
            Number of principal directions, 1 to d - 1.

        Raises
        ------
        InputError
            If the examples lie within the principal directions, or their largest logits are not positive.
        """
        known, scores = array(examples, "examples", "md"), array(logits, "logits", "mk")
        check_rows(known, "examples", scores, "logits")
        if known.shape[1] == 1:
            raise InputError("examples have one number per row. ViM needs at least two. Use another method.")
        count = check_count(dim, "dim", known.shape[1] - 1, "one less than the numbers of an embedding")
        scatter = sum(rows.T @ rows for _, rows in blocks(known))
        complement = np.linalg.eigh(scatter)[1][:, : known.shape[1] - count]
        outside = float(_outside(known, complement).mean())
        inside = float(np.sqrt(np.trace(scatter) / len(known)))
        if outside <= 1e-7 * inside:  # squared norms are exact to 1e-16
            raise InputError(
                f"the examples have no component outside their {count} principal directions, which ViM needs. Expected "
                "more examples than dim. Choose a smaller dim, or add examples."
            )
        largest = float(scores.max(axis=1).mean(dtype=np.float64))
        if largest <= 0:
            raise InputError(
                f"the largest logits of the examples are {largest:.3g} on average. Expected more than 0. "
                "Give cosines with names that fit the examples, divided by the temperature."
            )
        return cls(complement, largest / outside)


def vim(queries: Any, logits: Any, subspace: Subspace) -> np.ndarray:
    """α |z_⊥| - ln sum_c exp(l_c). l_c are the logits, z_⊥ is the component of z outside the principal directions.

    Parameters
    ----------
    queries : array (b, d)
    logits : array (b, k)
        Cosines with the names divided by the temperature, as in `Subspace.fit`.
    subspace : Subspace

    Returns
    -------
    (b,) float64
        Any sign.

    Raises
    ------
    InputError
        For invalid arrays, or if the numbers of queries and logits differ.

    References
    ----------
    Wang et al., "ViM: out-of-distribution with virtual-logit matching", arXiv 2203.10807. Here the embedded names are
    the weights of the logits, and there is no bias.
    """
    z, scores = array(queries, "queries", "bd"), array(logits, "logits", "bk").astype(np.float64)
    check_widths(z, "queries", subspace.complement.T, "the fitted examples")
    check_rows(z, "queries", scores, "logits")
    return subspace.alpha * _outside(z, subspace.complement) - log_sum_exp(scores)


def _shrinkage(rows: np.ndarray, covariance: np.ndarray) -> float:
    """Weight of the mean variance by Ledoit and Wolf, for the covariance of centered rows (m, d); at most 1."""
    m, d = rows.shape
    lengths, squared = np.einsum("md,md->m", rows, rows), np.einsum("ij,ij->", covariance, covariance)
    apart = squared - d * (lengths.mean() / d) ** 2
    error = ((lengths**2).mean() - squared) / m
    return float(np.clip(error / apart, LEAST_SHRINKAGE, 1)) if apart > 0 else LEAST_SHRINKAGE


def _precision(covariance: np.ndarray, share: float) -> np.ndarray:
    """Inverse (d, d) of a covariance after shrinkage. `share` is the weight of its mean variance."""
    d = len(covariance)
    return np.linalg.inv((1 - share) * covariance + share * np.trace(covariance) / d * np.eye(d))


def _outside(table: np.ndarray, complement: np.ndarray) -> np.ndarray:
    """Norm (b,) of the component in the complement."""
    lengths = np.empty(len(table))
    for part, rows in blocks(table):
        lengths[part] = np.linalg.norm(rows @ complement, axis=1)
    return lengths

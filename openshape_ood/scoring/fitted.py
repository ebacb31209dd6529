"""Scores by what is fitted to examples: normal distributions, and the subspace that examples hardly reach.

Embeddings are taken as they are. All give (0,) for no queries, and raise `InputError` for NaN, infinity and an empty
set of examples, `MixedEncodersError`, one of them, for embeddings of another dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import array, blocks, check_count, check_rows, check_widths, grouped, log_sum_exp
from openshape_ood.errors import InputError
from openshape_ood.scoring.distances import ROUNDING, class_means, same_width

# an eigenvalue of a covariance is at least this share of their mean; matters only where nothing is shrunk
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Classes as normal distributions of one covariance, and all examples together as one: the background.

    Attributes
    ----------
    means : (k, d)
        In the sorted order of the labels.
    precision : (d, d)
        The inverse of the shared covariance.
    background_mean : (d,)
    background_precision : (d, d)
    """

    means: np.ndarray
    precision: np.ndarray
    background_mean: np.ndarray
    background_precision: np.ndarray

    @classmethod
    def fit(cls, examples: Any, labels: Any) -> Gaussian:
        """Both covariances by Ledoit and Wolf's shrinkage, divided by the number of examples.

        A class of one example has a mean, but says nothing of the spread: it is left out of the shared covariance.
        Where the shrinkage is none at all (two examples in all), variances are held above a millionth of their mean.

        Parameters
        ----------
        examples : array (m, d)
        labels : array (m,)

        Raises
        ------
        InputError
            Where no class has two examples, or none has two that differ.

        References
        ----------
        Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
        """
        known = array(examples, "examples", "md").astype(np.float64)
        found, index = grouped(labels, known)
        several = np.bincount(index)[index] > 1
        if not several.any():
            raise InputError(
                f"none of the {len(found)} classes has two examples, so there is no covariance; "
                "expected two in at least one class. With one each, prototypes and nearest neighbors work"
            )
        means, center = class_means(known, index, len(found)), known.mean(axis=0)
        within = (known - means[index])[several]
        if np.linalg.norm(within) <= ROUNDING * np.linalg.norm(known[several]):
            raise InputError(
                f"the examples of every class are equal (n_features={known.shape[1]}), so there is no covariance; "
                "expected two that differ in at least one class. With these, prototypes and nearest neighbors work"
            )
        return cls(means, _precision(within), center, _precision(known - center))


def mahalanobis_distance(queries: Any, gaussian: Gaussian) -> np.ndarray:
    """min_c (z - μ_c)ᵀ Σ⁻¹ (z - μ_c): the squared distance to the nearest class.

    Parameters
    ----------
    queries : array (b, d)
    gaussian : Gaussian

    Returns
    -------
    (b,) float64
        From 0, in variances.

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
        to_classes = (_squared(rows, mean, gaussian.precision) for mean in gaussian.means)
        distance[part] = np.minimum.reduce(list(to_classes))
    return distance


def relative_mahalanobis_distance(queries: Any, gaussian: Gaussian) -> np.ndarray:
    """min_c (z - μ_c)ᵀ Σ⁻¹ (z - μ_c) - (z - μ_0)ᵀ Σ_0⁻¹ (z - μ_0), μ_0 and Σ_0 of the background.

    Parameters
    ----------
    queries : array (b, d)
    gaussian : Gaussian

    Returns
    -------
    (b,) float64
        Of any sign.

    Raises
    ------
    InputError
        For one class, which is its own background: always 0.

    References
    ----------
    Ren et al., "A simple fix to Mahalanobis distance for improving near-OOD detection", arXiv 2106.09022.
    """
    if len(gaussian.means) == 1:
        raise InputError(
            "relative_mahalanobis_distance is always 0 for one known class, which is its own background. "
            "Use mahalanobis, or give examples of more classes"
        )
    nearest_class = mahalanobis_distance(queries, gaussian)
    background = np.empty(len(nearest_class))
    for part, rows in blocks(array(queries, "queries", "bd")):
        background[part] = _squared(rows, gaussian.background_mean, gaussian.background_precision)
    return nearest_class - background


@dataclass(frozen=True, eq=False)
class Subspace:
    """Where examples hardly reach.

    Attributes
    ----------
    complement : (d, d - dim)
        An orthonormal basis.
    alpha : float
        What a length in it is worth.
    """

    complement: np.ndarray
    alpha: float

    @classmethod
    def fit(cls, examples: Any, logits: Any, dim: int) -> Subspace:
        """The complement of the `dim` directions with the largest sum of squared components.

        Around 0, as fits logits without a bias; alpha is the mean of the largest logits over the mean length in the
        complement.

        Parameters
        ----------
        examples : array (m, d)
        logits : array (m, k)
        dim : int
            Number of principal directions, 1 to d - 1.

        Raises
        ------
        InputError
            Where the examples do not leave the principal directions, or their largest logits are not positive on
            average: alpha would be infinite, or turn the score round.
        """
        known, scores = array(examples, "examples", "md"), array(logits, "logits", "mk")
        check_rows(known, "examples", scores, "logits")
        if known.shape[1] == 1:
            raise InputError("examples have one number a row; ViM needs at least two, to divide them")
        count = check_count(dim, "dim", known.shape[1] - 1, "one less than the numbers of an embedding")
        scatter = sum(rows.T @ rows for _, rows in blocks(known))
        complement = np.linalg.eigh(scatter)[1][:, : known.shape[1] - count]
        outside = float(_outside(known, complement).mean())
        inside = float(np.sqrt(np.trace(scatter) / len(known)))
        if outside <= 1e-7 * inside:  # a squared length is exact to 1e-16
            raise InputError(
                f"the examples lie within their {count} principal directions, so ViM has nothing to compare with; "
                "expected a smaller dim, or more examples than dim"
            )
        largest = float(scores.max(axis=1).mean(dtype=np.float64))
        if largest <= 0:
            raise InputError(
                f"the largest logits of the examples are {largest:.3g} on average; expected more than 0: cosines with "
                "names that fit the examples, divided by the temperature"
            )
        return cls(complement, largest / outside)


def vim(queries: Any, logits: Any, subspace: Subspace) -> np.ndarray:
    """α |z outside the principal directions| - ln sum_c exp(l_c).

    Parameters
    ----------
    queries : array (b, d)
    logits : array (b, k)
        As those of `Subspace.fit`: cosines over the temperature.
    subspace : Subspace

    Returns
    -------
    (b,) float64
        Of any sign.

    Raises
    ------
    InputError
        Also for another number of queries than of logits.

    References
    ----------
    Wang et al., "ViM: out-of-distribution with virtual-logit matching", arXiv 2203.10807, with weights that are
    names and no bias.
    """
    z, scores = array(queries, "queries", "bd"), array(logits, "logits", "bk").astype(np.float64)
    check_widths(z, "queries", subspace.complement.T, "the fitted examples")
    check_rows(z, "queries", scores, "logits")
    return subspace.alpha * _outside(z, subspace.complement) - log_sum_exp(scores)


def _precision(centered: np.ndarray) -> np.ndarray:
    """Inverse (d, d) of the shrunk covariance of rows (m, d) around 0."""
    from sklearn.covariance import ledoit_wolf

    variances, directions = np.linalg.eigh(ledoit_wolf(centered, assume_centered=True)[0])
    variances = np.maximum(variances, LEAST_VARIANCE * variances.mean())
    return (directions / variances) @ directions.T


def _squared(rows: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """(z - μ)ᵀ Σ⁻¹ (z - μ) (b,)."""
    centered = rows - mean
    return np.maximum(np.einsum("bd,bd->b", centered @ precision, centered), 0)


def _outside(table: np.ndarray, complement: np.ndarray) -> np.ndarray:
    """Length (b,) of the part in the complement."""
    lengths = np.empty(len(table))
    for part, rows in blocks(table):
        lengths[part] = np.linalg.norm(rows @ complement, axis=1)
    return lengths

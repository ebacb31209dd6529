"""Combined p-value of several looks at one object, valid for any dependence between the looks.

Looks at one object are similar. The product of e-values and Fisher's method assume independence, so they call too many
known objects new (`python -m benchmarks map`). The combinations here hold for any dependence. If the looks at a known
object are like the calibration shapes, then P(p <= t) <= t for every t. The number of looks must be fixed beforehand.
There is no guarantee for the smallest p-value over a whole stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_positive
from openshape_ood.errors import InputError

KAPPA = 0.2  # exponent parameter of e-values: an e-value of 20 needs p = 0.0032
SHARE = 0.5  # order of the quantile; 0.5 is the median
ROUNDED = 1 + 1e-9  # a p-value equal to the limit reaches it, although the limit is rounded


def e_values(p: Any, kappa: float = KAPPA) -> np.ndarray:
    """kappa p^(kappa - 1), whose mean is at most 1 for valid p-values.

    Parameters
    ----------
    p : array (m,)
        p-values, above 0, at most 1.
    kappa : float
        Between 0 and 1.

    Returns
    -------
    (m,) float64

    Raises
    ------
    InputError
        For other values.

    References
    ----------
    Vovk and Wang, "E-values: calibration, combination and applications", arXiv 1912.06116.

    Examples
    --------
    >>> e_values([0.01, 1.0], kappa=0.5)
    array([5. , 0.5])
    """
    if not 0 < check_positive(kappa, "kappa") < 1:
        raise InputError(f"kappa is {kappa!r}. Expected a number between 0 and 1. Give 0.2 or so.")
    return kappa * _checked(p) ** (kappa - 1)


def mean_e(p: Any, counts: Any = None, kappa: float = KAPPA) -> float:
    """Inverse of the mean e-value, at most 1.

    Parameters
    ----------
    p : array (m,)
        p-values, above 0, at most 1.
    counts : array (m,), optional
        Number of looks with each p-value. Default: 1.
    kappa : float
        As in `e_values`.

    Returns
    -------
    float
        A p-value, valid for any dependence by Markov's inequality.

    References
    ----------
    As in `e_values`, section 3: only the average of e-values is valid without any assumption.
    """
    return min(1.0, 1 / float(np.average(e_values(p, kappa), weights=counts)))


def generalized_mean(p: Any, counts: Any = None, r: float = 1.0) -> float:
    """(r + 1)^(1 / r) times the generalized mean of order r, at most 1; twice the mean for r = 1.

    Parameters
    ----------
    p, counts
        As in `mean_e`.
    r : float
        At least 1. With m looks the factor is at most m^(1 / r), so a single look keeps its p-value.

    Returns
    -------
    float
        A p-value, valid for any dependence.

    Raises
    ------
    InputError
        If r is below 1.

    References
    ----------
    Vovk and Wang, "Combining p-values via averaging", arXiv 1212.4966, proposition 2.

    Examples
    --------
    >>> generalized_mean([0.01, 0.03]), generalized_mean([0.03])
    (0.04, 0.03)
    """
    if check_positive(r, "r") < 1:
        raise InputError(f"r is {r!r}. Expected a number >= 1. Give 1 for twice the mean.")
    values = _checked(p)
    m = len(values) if counts is None else int(np.sum(counts))
    factor = min(m ** (1 / r), (r + 1) ** (1 / r))
    return min(1.0, float(factor * np.average(values**r, weights=counts) ** (1 / r)))


def quantile(p: Any, counts: Any = None, share: float = SHARE) -> float:
    """m / k times the k-th smallest of m p-values, k = ceil(share m), at most 1.

    With share 0.5, about twice the median. A few bad looks change the median less than the mean.

    Parameters
    ----------
    p, counts
        As in `mean_e`.
    share : float
        Above 0, at most 1, fixed beforehand.

    Returns
    -------
    float
        A p-value, valid for any dependence.

    References
    ----------
    Rüger, "Das maximale Signifikanzniveau des Tests: Lehne H0 ab, wenn k unter n gegebenen Tests zur Ablehnung führen",
    Metrika 25, 1978.

    Examples
    --------
    >>> quantile([0.9, 0.01, 0.02]), quantile([0.03])
    (0.03, 0.03)
    """
    if not 0 < check_positive(share, "share") <= 1:
        raise InputError(f"share is {share!r}. Expected a number above 0, at most 1. Give 0.5 for the median.")
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    until = np.cumsum(np.ones(len(values), dtype=np.int64) if counts is None else np.asarray(counts)[order])
    m = int(until[-1])
    k = int(np.ceil(share * m - 1e-9))
    return min(1.0, float(m / k * values[order][np.searchsorted(until, k)]))


Combination = Callable[[np.ndarray, np.ndarray], float]
COMBINATIONS: dict[str, Combination] = {"median": quantile, "mean": generalized_mean, "e": mean_e}


@dataclass(eq=False)
class Evidence:
    """p-values of all looks at one object, stored as counts of ranks, so that memory does not grow with the looks.

    Attributes
    ----------
    n : int
        Number of calibration novelties. A look has a rank k from 1 to n + 1 and the p-value k / (n + 1).
    counts : dict
        Rank -> number of looks.
    """

    n: int
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, rank: int, times: int = 1) -> None:
        """Add looks with this rank."""
        self.counts[rank] = self.counts.get(rank, 0) + times

    def join(self, other: Evidence) -> None:
        """Add the looks of another object."""
        for rank, times in other.counts.items():
            self.add(rank, times)

    @property
    def looks(self) -> int:
        return sum(self.counts.values())

    def beyond(self, alpha: float) -> int:
        """Number of looks with a p-value of at most alpha."""
        return sum(times for rank, times in self.counts.items() if rank <= alpha * (self.n + 1) * ROUNDED)

    def p_value(self, combine: str) -> float:
        """Combined p-value; 1 without looks."""
        if not self.counts:
            return 1.0
        ranks, counts = np.array(sorted(self.counts.items())).T
        return COMBINATIONS[combine](ranks / (self.n + 1), counts)


def least_p_value(n: int, combine: str, looks: int) -> float:
    """Smallest combined p-value: all looks are more novel than all n calibration shapes.

    Examples
    --------
    >>> least_p_value(39, "median", 2), least_p_value(19, "mean", 1)
    (0.05, 0.05)
    """
    return Evidence(n, {1: looks}).p_value(combine)


def ranks_of(p: Mapping[int, float] | np.ndarray, n: int) -> np.ndarray:
    """Ranks k (m,) of conformal p-values k / (n + 1)."""
    return np.rint(np.asarray(p) * (n + 1)).astype(np.int64)


def _checked(p: Any) -> np.ndarray:
    values = array(p, "p-values", "m").astype(np.float64)
    if not ((values > 0) & (values <= 1)).all():
        raise InputError(
            f"p-values are from {values.min():.4g} to {values.max():.4g}. Expected above 0, at most 1. Check the order "
            "of the arguments."
        )
    return values

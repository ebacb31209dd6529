"""Conformal calibration: thresholds with guaranteed coverage, from the novelty of known shapes.

All guarantees need exchangeability: the n calibration shapes and the tested shapes have the same distribution, and the
score does not depend on these shapes. Then a new known shape is kept with probability `expected_coverage(n, coverage)`,
for any score and encoder. This probability is a mean over calibration sets. For one calibration set, `coverage_law`
gives the distribution of the number of kept shapes.

Exchangeability does not hold if the calibration shapes are clean models and the tested shapes are scans, or if the
proportions of the classes differ. It does not hold for examples that the score uses (see `leave_one_out`), nor for
several scans of one object (see `one_of_each`). Remedy: calibrate on known shapes from the source of the tested shapes;
a small set is enough.

Scores grow with novelty: a shape is kept as known if its score is at most the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_seed, grouped, to_numpy
from openshape_ood.errors import InputError

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def conformal_threshold(scores: Any, coverage: float = 0.95) -> float:
    """Conformal threshold: the ceil(coverage (n + 1))-th smallest of n scores.

    With ties, more shapes may be kept than guaranteed.

    Parameters
    ----------
    scores : array (n,)
        Novelty of known calibration shapes.
    coverage : float
        Fraction of known shapes to keep, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    InputError
        For too few scores (a coverage of 0.95 needs 19), NaN, infinity, or an invalid coverage.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005; Lei et al., "Distribution-free
    predictive inference for regression", 2018, arXiv 1604.04173.

    Examples
    --------
    >>> conformal_threshold(range(1, 100), coverage=0.95)
    95.0
    """
    values = array(scores, "calibration scores", "n")
    rank = _rank(len(values), coverage)
    return float(np.partition(values, rank - 1)[rank - 1])


def calibration_needed(coverage: float) -> int:
    """Minimum number of calibration scores for a coverage: ceil(coverage / (1 - coverage)).

    Examples
    --------
    >>> calibration_needed(0.95), calibration_needed(0.99)
    (19, 99)
    """
    share = share_between(coverage, "coverage")
    return math.ceil(share / (1 - share))


def expected_coverage(n: int, coverage: float = 0.95) -> float:
    """Mean fraction of new known shapes kept, over calibration sets of n: ceil(coverage (n + 1)) / (n + 1).

    The value is exact if there are no ties. It is at least `coverage`, and exceeds it by less than 1 / (n + 1).
    References and errors are as in `conformal_threshold`.

    Examples
    --------
    >>> expected_coverage(19, 0.95), expected_coverage(1000, 0.95)
    (0.95, 0.9500499500499501)
    """
    return _rank(n, coverage) / (n + 1)


def coverage_law(n: int, coverage: float, tests: int) -> Any:
    """Distribution of the number of new known shapes that a threshold from n calibration shapes keeps, out of `tests`.

    It is BetaBinomial(tests, r, n + 1 - r) with r = ceil(coverage (n + 1)). It is exact if there are no ties.

    Parameters
    ----------
    n, coverage
        As in `expected_coverage`.
    tests : int
        Number of new known shapes, at least one.

    Returns
    -------
    scipy.stats.rv_frozen

    Raises
    ------
    InputError
        As in `conformal_threshold`, and if `tests` is below 1.

    References
    ----------
    Vovk, "Conditional validity of inductive conformal predictors", 2012, arXiv 1209.2673; Angelopoulos and Bates,
    "A gentle introduction to conformal prediction", arXiv 2107.07511, section 3.

    Examples
    --------
    >>> law = coverage_law(n=100, coverage=0.95, tests=1000)
    >>> [int(kept) for kept in law.interval(0.9)]  # of 1000 known shapes, for nine in ten calibration sets
    [909, 982]
    """
    from scipy.stats import betabinom

    rank = _rank(n, coverage)
    if tests < 1:
        raise InputError(f"tests is {tests}. Expected at least one. Give a larger number.")
    return betabinom(tests, rank, n + 1 - rank)


def p_values(novelty: Any, calibration: Any) -> np.ndarray:
    """Conformal p-values, small for novel: (1 + #{calibration >= novelty}) / (n + 1).

    For a known, exchangeable shape, P(p <= t) <= t for every t, even with ties. The p-value is at most 1 - coverage if
    and only if the novelty is above `conformal_threshold(calibration, coverage)`.

    Parameters
    ----------
    novelty : array (b,)
        Novelty of the tested shapes; may be empty.
    calibration : array (n,)
        Novelty of known shapes.

    Returns
    -------
    (b,) float64
        1 / (n + 1) to 1.

    Raises
    ------
    InputError
        If there are no calibration scores, and for NaN or infinity.

    References
    ----------
    Vovk et al., 2005; Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
    arXiv 2104.08279.

    Examples
    --------
    >>> p_values([0.05, 0.25, 0.9], calibration=[0.1, 0.2, 0.3])
    array([1.  , 0.5 , 0.25])
    """
    tested, scores = array(novelty, "novelties", "b"), np.sort(array(calibration, "calibration scores", "n"))
    at_least = len(scores) - np.searchsorted(scores, tested, side="left")
    return (1 + at_least) / (len(scores) + 1)


def one_of_each(groups: Any, n: int, seed: int = 0) -> np.ndarray:
    """One random row of each group, to calibrate if objects were scanned several times.

    Scans of one object are dependent. If each of g objects gives one scan, these scans are exchangeable with a scan of
    a new object. The coverage is then `expected_coverage(g, coverage)`.

    Parameters
    ----------
    groups : sequence (n,)
        Object of each row, as a name or number.
    n : int
        Number of rows.
    seed : int
        Seed of the random choice.

    Returns
    -------
    (g,) int64
        Indices of rows, in the sorted order of the groups.

    References
    ----------
    Dunn, Wasserman and Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", arXiv 1809.07441,
    where it is called single subsampling.
    """
    index = grouped(groups, np.empty(n), "groups")[1]
    order = np.random.default_rng(check_seed(seed)).permutation(n)
    return order[np.unique(index[order], return_index=True)[1]]


def benjamini_hochberg(p: Any, rate: float = 0.05) -> np.ndarray:
    """Mask of novel shapes in a batch: the k smallest p-values, for the largest k with p_(k) <= k rate / b.

    p_(k) is the k-th smallest of the b p-values.

    The false-discovery rate is the mean fraction of known shapes among those called novel (0 if none is called novel).
    It is at most `rate` for independent p-values, and for conformal p-values with a common calibration set. A p-value
    from n calibration scores is at least 1 / (n + 1). So finding k novel shapes among b needs n >= b / (k rate) - 1.

    Parameters
    ----------
    p : array (b,)
        p-values, in [0, 1].
    rate : float
        Maximum false-discovery rate, in (0, 1).

    Returns
    -------
    (b,) bool

    Raises
    ------
    InputError
        For invalid values.

    References
    ----------
    Benjamini and Hochberg, "Controlling the false discovery rate", 1995; for conformal p-values Bates et al.,
    arXiv 2104.08279, theorem 2.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.02, 0.2, 0.9], rate=0.05)
    array([ True,  True, False, False])
    """
    values = array(p, "p-values", "b").astype(np.float64)
    if ((values < 0) | (values > 1)).any():
        raise InputError(
            f"p-values are from {values.min():.4g} to {values.max():.4g}. Expected 0 to 1. Give p-values, not scores."
        )
    share = float(share_between(rate, "rate"))
    allowed = share * np.arange(1, len(values) + 1) / max(1, len(values))
    # conformal p-values often equal the bound exactly, so rounding must not change the result
    below = np.flatnonzero(np.sort(values) <= allowed * (1 + 1e-12))
    return values <= np.sort(values)[below[-1]] if len(below) else np.zeros(len(values), dtype=bool)


def leave_one_out(examples: Any, labels: Any, score: Score) -> np.ndarray:
    """Novelty of each of m examples against the m - 1 others, to calibrate without held-out shapes.

    If a class has a single example, that example is scored without its class, as if it were of a new class. This makes
    the threshold higher. A new shape is compared with m examples, not m - 1, so the scores are not exactly
    exchangeable. The coverage is therefore approximate. Held-out shapes give the exact coverage.

    Parameters
    ----------
    examples : array (m, d)
    labels : array (m,)
        Class of each example.
    score : callable
        `score(queries (1, d), examples (m - 1, d), labels (m - 1,))` returns the novelty (1,) of the query. It is
        called m times. Labels are renumbered from 0 to k - 1.

    Returns
    -------
    (m,) float64

    Raises
    ------
    InputError
        For fewer than two examples, arrays of the wrong shape, NaN, or an invalid result of `score`.

    References
    ----------
    Barber et al., "Predictive inference with the jackknife+", arXiv 1905.02928.

    Examples
    --------
    >>> def nearest(queries, examples, labels):
    ...     return np.abs(queries - examples.T).min(axis=1)
    >>> leave_one_out([[0.0], [1.0], [3.0]], ["a", "a", "b"], nearest)
    array([1., 1., 2.])
    """
    rows = array(examples, "examples", "md").astype(np.float64)
    classes = grouped(labels, rows)[1]
    if len(rows) < 2:
        raise InputError("there is 1 example. Expected 2 or more, because each is left out in turn. Add examples.")
    novelty = np.empty(len(rows))
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        left = np.unique(classes[others], return_inverse=True)[1]
        left_out_novelty = np.asarray(to_numpy(score(rows[i : i + 1], rows[others], left)), dtype=np.float64)
        if left_out_novelty.shape != (1,) or not np.isfinite(left_out_novelty).all():
            raise InputError(
                f"the score of example {i} is {left_out_novelty}. Expected one finite novelty, of shape (1,). "
                "Correct the function `score`."
            )
        novelty[i] = left_out_novelty[0]
    return novelty


def _rank(n: int, coverage: float) -> int:
    """Rank of the threshold among n sorted scores; the smallest has rank 1. Raises `InputError` if n is too small."""
    rank = math.ceil(share_between(coverage, "coverage") * (n + 1))
    if n < 1 or rank > n:
        lower = f", or a coverage up to {10_000 * n // (n + 1) / 10_000:g}" if n >= 1 else ""
        raise InputError(
            f"{n} calibration scores cannot promise a coverage of {coverage:g}. {calibration_needed(coverage)} or more "
            f"can. Give more{lower}."
        )
    return rank


def share_between(value: float, name: str) -> Fraction:
    """A share as an exact fraction. 0.95 becomes 19 / 20, because a rounded float could change a rank."""
    try:
        share = Fraction(repr(float(value)))
    except (TypeError, ValueError):  # NaN and infinity raise ValueError
        share = Fraction(0)
    if not 0 < share < 1:
        raise InputError(f"{name} is {value!r}. Expected a share above 0 and below 1. Give 0.95 for 95 %.")
    return share

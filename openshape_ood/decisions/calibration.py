"""Thresholds that keep their promise: conformal calibration on the novelty of shapes known to be known.

Everything here holds where the n calibration shapes and the shapes tested are exchangeable: drawn alike, in any
order, from one source, and scored by a score that was fixed before. Then a new known shape is kept with probability
`expected_coverage(n, coverage)`, whatever the score and the encoder; that is the mean over calibration sets, and
`coverage_law` says how far a single one strays.

What breaks it: clean models for scans, the examples that a score compares with (`leave_one_out` mends that), several
scans of one object taken for independent (`one_of_each` mends that), other shares of the classes. The remedy: calibrate
on a small set of known shapes from where the tested ones come. `python -m benchmarks coverage` measures each of these.

Scores grow with novelty: a shape is kept as known where its score is at most the threshold.
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
    """The novelty up to which a shape is kept as known: the ceil(coverage (n + 1))-th smallest of n scores.

    With tied scores possibly more are kept than promised.

    Parameters
    ----------
    scores : array (n,)
        Novelty of known calibration shapes.
    coverage : float
        Share of known shapes to keep, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    InputError
        For too few scores (0.95 needs 19), NaN, infinity, or a coverage that is no share.

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
    """The least number of calibration scores that can promise `coverage`: ceil(coverage / (1 - coverage)).

    Examples
    --------
    >>> calibration_needed(0.95), calibration_needed(0.99)
    (19, 99)
    """
    share = share_between(coverage, "coverage")
    return math.ceil(share / (1 - share))


def expected_coverage(n: int, coverage: float = 0.95) -> float:
    """Mean share of new known shapes kept over calibration sets of n: ceil(coverage (n + 1)) / (n + 1).

    Exact without ties: at least `coverage`, less than 1 / (n + 1) above it. Sources and errors as in
    `conformal_threshold`.

    Examples
    --------
    >>> expected_coverage(19, 0.95), expected_coverage(1000, 0.95)
    (0.95, 0.9500499500499501)
    """
    return _rank(n, coverage) / (n + 1)


def coverage_law(n: int, coverage: float, tests: int) -> Any:
    """How many of `tests` new known shapes one calibration set of n keeps.

    BetaBinomial(tests, r, n + 1 - r) with r = ceil(coverage (n + 1)), exact without ties.

    Parameters
    ----------
    n, coverage
        As in `expected_coverage`.
    tests : int
        At least one.

    Returns
    -------
    scipy.stats.rv_frozen

    Raises
    ------
    InputError
        As `conformal_threshold`, and for fewer than one test.

    References
    ----------
    Vovk, "Conditional validity of inductive conformal predictors", 2012, arXiv 1209.2673; Angelopoulos and Bates,
    "A gentle introduction to conformal prediction", arXiv 2107.07511, section 3.

    Examples
    --------
    >>> law = coverage_law(n=100, coverage=0.95, tests=1000)
    >>> [int(kept) for kept in law.interval(0.9)]  # of 1000 known shapes, nine in ten calibration sets keep these many
    [909, 982]
    """
    from scipy.stats import betabinom

    rank = _rank(n, coverage)
    if tests < 1:
        raise InputError(f"{tests} tests; expected at least one")
    return betabinom(tests, rank, n + 1 - rank)


def p_values(novelty: Any, calibration: Any) -> np.ndarray:
    """Conformal p-values, small for novel: (1 + #{calibration >= novelty}) / (n + 1).

    For a known, exchangeable shape P(p <= t) <= t for every t; a tie counts as at least as novel, which keeps that so.
    A p-value of at most 1 - coverage is a novelty above `conformal_threshold(calibration, coverage)`.

    Parameters
    ----------
    novelty : array (b,)
        Of the shapes tested; none gives none.
    calibration : array (n,)
        Of known ones.

    Returns
    -------
    (b,) float64
        1 / (n + 1) to 1.

    Raises
    ------
    InputError
        For no calibration scores, NaN or infinity.

    References
    ----------
    Vovk et al., 2005; Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
    arXiv 2104.08279.

    Examples
    --------
    >>> p_values([0.05, 0.25, 0.9], calibration=[0.1, 0.2, 0.3])
    array([1.  , 0.5 , 0.25])
    """
    tested, held = array(novelty, "novelties", "b"), np.sort(array(calibration, "calibration scores", "n"))
    at_least = len(held) - np.searchsorted(held, tested, side="left")
    return (1 + at_least) / (len(held) + 1)


def one_of_each(groups: Any, n: int, seed: int = 0) -> np.ndarray:
    """One of the n rows of every group, drawn at random: what calibrates where one object was scanned several times.

    Scans of one object are alike; one of each of g objects is exchangeable with a scan of a new one: the coverage is
    exactly that of g scores.

    Parameters
    ----------
    groups : sequence (n,)
        The object of each row: names or numbers.
    n : int
    seed : int
        Of the draw.

    Returns
    -------
    (g,) int64
        Indices of rows, in the sorted order of the groups.

    References
    ----------
    Single subsampling of Dunn, Wasserman and Ramdas, "Distribution-free prediction sets for two-layer hierarchical
    models", arXiv 1809.07441.
    """
    index = grouped(groups, np.empty(n), "groups")[1]
    order = np.random.default_rng(check_seed(seed)).permutation(n)
    return order[np.unique(index[order], return_index=True)[1]]


def benjamini_hochberg(p: Any, rate: float = 0.05) -> np.ndarray:
    """Which of a batch are novel: those with the k smallest p, k the largest with p_(k) <= k rate / b.

    The false-discovery rate, the mean share of known shapes among those called novel (0 where none is), is then at
    most `rate`: for independent p-values, and for conformal ones that share a calibration set. No p-value of n
    calibration scores is below 1 / (n + 1): to find k novel shapes among b takes n of b / (k rate) - 1 or more.

    Parameters
    ----------
    p : array (b,)
        In [0, 1].
    rate : float
        In (0, 1).

    Returns
    -------
    (b,) bool

    Raises
    ------
    InputError
        For other values.

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
        raise InputError(f"p-values from {values.min():.4g} to {values.max():.4g}; expected shares, 0 to 1")
    share = float(share_between(rate, "rate"))
    allowed = share * np.arange(1, len(values) + 1) / max(1, len(values))
    # conformal p-values lie on a lattice and often hit the line exactly: rounding must not push them across
    below = np.flatnonzero(np.sort(values) <= allowed * (1 + 1e-12))
    return values <= np.sort(values)[below[-1]] if len(below) else np.zeros(len(values), dtype=bool)


def leave_one_out(examples: Any, labels: Any, score: Score) -> np.ndarray:
    """Novelty of each of m examples against the m - 1 others: calibration without a set to hold out.

    A class of one example is missing while that one is scored: its novelty is that of a new class, on the safe side for
    known shapes. The scores are not quite exchangeable with those of a new shape, which is compared with m examples:
    coverage is close to the promise, where held-out shapes keep it exactly.

    Parameters
    ----------
    examples : array (m, d)
    labels : array (m,)
        Their classes.
    score : callable
        `score(queries (1, d), examples (m - 1, d), labels (m - 1,))` gives the novelty (1,) of the queries; the labels
        it gets are renumbered, 0 to k - 1 without a gap. It is called m times.

    Returns
    -------
    (m,) float64

    Raises
    ------
    InputError
        For fewer than two examples, other shapes than these, NaN, or a score that gives no number.

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
        raise InputError("there is 1 example; expected 2 or more, to leave one out")
    novelty = np.empty(len(rows))
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        left = np.unique(classes[others], return_inverse=True)[1]
        left_out_novelty = np.asarray(to_numpy(score(rows[i : i + 1], rows[others], left)), dtype=np.float64)
        if left_out_novelty.shape != (1,) or not np.isfinite(left_out_novelty).all():
            raise InputError(
                f"the score of example {i} is {left_out_novelty}; expected one finite novelty, of shape (1,)"
            )
        novelty[i] = left_out_novelty[0]
    return novelty


def _rank(n: int, coverage: float) -> int:
    """Which of n sorted scores, counted from 1, is the threshold; raises `InputError` where n is too small."""
    rank = math.ceil(share_between(coverage, "coverage") * (n + 1))
    if n < 1 or rank > n:
        raise InputError(
            f"{n} calibration scores cannot promise a coverage of {coverage:g}, {calibration_needed(coverage)} or more "
            f"can" + (f"; {n} promise at most {n / (n + 1):.4g}" if n >= 1 else "")
        )
    return rank


def share_between(value: float, name: str) -> Fraction:
    """A share as people write it: 0.95 is 19 / 20, not the float beside it, which would shift a rank."""
    try:
        share = Fraction(repr(float(value)))
    except (TypeError, ValueError) as error:  # ValueError: NaN and infinity are no fractions
        raise InputError(f"{name} is {value!r}; expected a share between 0 and 1, as 0.95") from error
    if not 0 < share < 1:
        raise InputError(f"{name} is {value!r}; expected a share between 0 and 1, neither of them, as 0.95")
    return share

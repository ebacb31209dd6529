"""Two or more scores of the same queries as one: by ranks, or by p values.

Raw scores are on scales of their own; ranks among known reference shapes, and p values, are on one. All raise
`InputError` for NaN, infinity, empty references, and lists that do not belong together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, log_sum_exp
from openshape_ood.errors import InputError

FUSIONS = ("fisher", "harmonic", "least")


def ranks(novelty: Any, reference: Any) -> np.ndarray:
    """Share of the reference novelties at or below each novelty; unchanged by any growing function of both.

    Parameters
    ----------
    novelty : array (b,)
    reference : array (m,)
        Novelty of known shapes.

    Returns
    -------
    (b,) float64
        0 to 1 in steps of 1/m; all above the whole reference are 1 alike.

    Examples
    --------
    >>> ranks([0.0, 2.0, 9.0], reference=[1.0, 2.0, 3.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    of, among = array(novelty, "novelty scores", "b"), array(reference, "reference scores", "m")
    return np.searchsorted(np.sort(among), of, side="right") / len(among)


def rank_fusion(novelties: Sequence[Any], references: Sequence[Any]) -> np.ndarray:
    """Mean of the ranks of several scores.

    Parameters
    ----------
    novelties : sequence of arrays (b,)
        One for each score, of the same queries in the same order.
    references : sequence of arrays (m,)
        One for each score, the novelty of known shapes by it.

    Returns
    -------
    (b,) float64
        0 to 1.

    References
    ----------
    Borda's count: Dwork et al., "Rank aggregation methods for the web", 2001.

    Examples
    --------
    >>> rank_fusion([[2.5], [0.5]], references=[[1, 2, 3, 4], [1, 2, 3, 4]]).tolist()  # ranks 1/2 and 0
    [0.25]
    """
    if len(novelties) != len(references):
        raise InputError(f"there are {len(novelties)} scores and {len(references)} references; expected one for each")
    return _together([ranks(*pair) for pair in zip(novelties, references, strict=True)], "scores").mean(axis=0)


def p_value_fusion(p_values: Sequence[Any], how: str = "fisher") -> np.ndarray:
    """-ln P, P the p values of several scores as one.

    Parameters
    ----------
    p_values : sequence of arrays (b,)
        In (0, 1], one for each of L scores, small for novel, of the same queries in the same order.
    how : {"fisher", "harmonic", "least"}
        "fisher": P = Pr(χ² with 2L degrees > -2 sum ln p), a p value where the scores are independent; scores of the
        same shape seldom are, so keep P for ordering. "harmonic": the harmonic mean, for dependent scores and nearly a
        p value where small. "least": the smallest; L times that is a p value whatever the dependence (Bonferroni).

    Returns
    -------
    (b,) float64
        From 0.

    Raises
    ------
    InputError
        For a p value outside (0, 1].
    UnknownNameError
        For another `how`.

    References
    ----------
    Fisher, "Statistical methods for research workers", 1925; Wilson, "The harmonic mean p-value", 2019.

    Examples
    --------
    >>> p_value_fusion([[1.0, 0.05], [1.0, 0.05]]).round(2).tolist()
    [0.0, 4.05]
    """
    check_choice(how, "fusion", FUSIONS)
    p = _together([_checked(values) for values in p_values], "p values")
    surprise = -np.log(p) + 0.0  # no -0.0 where p is 1
    if how == "fisher":
        return _fisher(surprise.sum(axis=0), len(p))
    if how == "harmonic":
        return log_sum_exp(surprise.T) - math.log(len(p))
    return surprise.max(axis=0)


def _fisher(surprise: np.ndarray, count: int) -> np.ndarray:
    """-ln Pr(χ² with 2 count degrees > 2 s): s - ln sum_{i < count} s^i / i!, the tail of even degrees."""
    powers = np.arange(count)
    factorials = np.array([math.lgamma(i + 1) for i in powers])
    with np.errstate(divide="ignore"):  # ln 0 of a p value 1
        logs = np.maximum(np.log(surprise), -1e300)
    terms = powers * logs[:, None] - factorials
    return np.maximum(surprise - log_sum_exp(terms), 0)


def _together(lists: list[np.ndarray], what: str) -> np.ndarray:
    """Lists (b,) as a table (lists, b)."""
    if not lists:
        raise InputError(f"there are no {what} to fuse; expected at least one list (b,)")
    lengths = sorted({len(values) for values in lists})
    if len(lengths) > 1:
        raise InputError(f"the {what} to fuse are of {lengths} queries; expected the same queries in each")
    return np.stack(lists).astype(np.float64)


def _checked(values: Any) -> np.ndarray:
    p = array(values, "p values", "b").astype(np.float64)
    if len(p) and not (p.min() > 0 and p.max() <= 1):
        raise InputError(f"p values go from {p.min():.3g} to {p.max():.3g}; expected above 0 and at most 1")
    return p

"""Fusion of several scores of the same queries, by ranks among known reference shapes or by p-values.

All functions raise `InputError` for NaN, infinity, empty references and lists of different lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import array, log_sum_exp
from openshape_ood.errors import InputError


def ranks(novelty: Any, reference: Any) -> np.ndarray:
    """Rank of each novelty: the fraction of reference novelties at or below it.

    Ranks do not change if an increasing function is applied to both arguments.

    Parameters
    ----------
    novelty : array (b,)
    reference : array (m,)
        Novelty of known shapes.

    Returns
    -------
    (b,) float64
        0 to 1 in steps of 1/m; 1 for any novelty above the whole reference.

    Examples
    --------
    >>> ranks([0.0, 2.0, 9.0], reference=[1.0, 2.0, 3.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    scores, others = array(novelty, "novelty scores", "b"), array(reference, "reference scores", "m")
    return np.searchsorted(np.sort(others), scores, side="right") / len(others)


def rank_fusion(novelties: Sequence[Any], references: Sequence[Any]) -> np.ndarray:
    """Mean of the ranks of several scores.

    Parameters
    ----------
    novelties : sequence of arrays (b,)
        One array for each score, of the same queries in the same order.
    references : sequence of arrays (m,)
        One array for each score: the novelty of known shapes by this score.

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
        raise InputError(
            f"there are {len(novelties)} scores and {len(references)} references. Expected one reference per score. "
            "Add or remove references."
        )
    return _together([ranks(*pair) for pair in zip(novelties, references, strict=True)], "scores").mean(axis=0)


def p_value_fusion(p_values: Sequence[Any]) -> np.ndarray:
    """-ln P, where P is Fisher's combination of the p-values of L scores.

    P = Pr(χ² with 2L degrees > -2 sum ln p). P is a p-value only if the scores are independent. Scores of one shape
    rarely are, so use P only to order shapes.

    Parameters
    ----------
    p_values : sequence of arrays (b,)
        One array for each score, of the same queries in the same order. Values are in (0, 1], small for novel queries.

    Returns
    -------
    (b,) float64
        0 or more.

    Raises
    ------
    InputError
        For a p-value outside (0, 1].

    References
    ----------
    Fisher, "Statistical methods for research workers", 1925.

    Examples
    --------
    >>> p_value_fusion([[1.0, 0.05], [1.0, 0.05]]).round(2).tolist()
    [0.0, 4.05]
    """
    p = _together([_checked(values) for values in p_values], "p values")
    surprise = -np.log(p).sum(axis=0) + 0.0  # + 0.0 turns -0.0 into 0.0
    # tail probability for an even number of degrees: e^-s sum_{i < L} s^i / i!
    powers = np.arange(len(p))
    factorials = np.array([math.lgamma(i + 1) for i in powers])
    with np.errstate(divide="ignore"):  # ln 0 occurs if p is 1
        logs = np.maximum(np.log(surprise), -1e300)
    return np.maximum(surprise - log_sum_exp(powers * logs[:, None] - factorials), 0)


def _together(lists: list[np.ndarray], what: str) -> np.ndarray:
    """Stack lists (b,) into a table (lists, b)."""
    if not lists:
        raise InputError(f"there are no {what} to fuse. Expected at least one list (b,). Give one list per score.")
    lengths = sorted({len(values) for values in lists})
    if len(lengths) > 1:
        raise InputError(
            f"the {what} to fuse are of {lengths} queries. Expected the same queries in each list. "
            "Score the same queries with every method."
        )
    return np.stack(lists).astype(np.float64)


def _checked(values: Any) -> np.ndarray:
    p = array(values, "p values", "b").astype(np.float64)
    if len(p) and not (p.min() > 0 and p.max() <= 1):
        raise InputError(
            f"p values go from {p.min():.3g} to {p.max():.3g}. Expected values above 0 and at most 1. "
            "Give p-values, not scores."
        )
    return p

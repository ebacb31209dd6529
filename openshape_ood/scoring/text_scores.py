"""Scores by class names: from the cosines (b, k) of b queries with the text embeddings of k known classes.

Notation: z is a unit query, t_c the unit text embedding of class c, and τ the temperature. p is the softmax over the
classes, p_c = exp(z·t_c / τ) / sum_i exp(z·t_i / τ). The MCM paper uses τ = 1, CLIP about 0.01.

The order of the classes does not matter. An empty table of queries gives (0,). All functions raise `InputError` if the
cosines are not a finite table in [-1, 1], or the temperature is not above 0. Softmax scores also raise it for a single
class, because they would be constant.
"""

from __future__ import annotations

import itertools
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_count, check_positive, check_rows
from openshape_ood.errors import InputError

# tolerated deviation of a cosine from [-1, 1]; the rounding error of half precision is 5e-4
ROUNDING = 1e-3

# exp of smaller numbers is 0 in float64
UNDERFLOW = -800.0


def max_cosine_distance(cosines: Any) -> np.ndarray:
    """1 - max_c z·t_c: distance to the best name. A single class is permitted.

    Parameters
    ----------
    cosines : array (b, k)

    Returns
    -------
    (b,) float64
        0 (the name itself) to 2 (its opposite).

    References
    ----------
    The zero-shot rule of CLIP, arXiv 2103.00020, as a score.

    Examples
    --------
    >>> max_cosine_distance([[0.75, 0.5], [0.25, -0.5]]).tolist()
    [0.25, 0.75]
    """
    return 1 - _cosines(cosines, "cosines").max(axis=1)


def softmax_uncertainty(cosines: Any, temperature: float = 1.0) -> np.ndarray:
    """1 - max_c p_c. It is computed as the sum of the other p_c, which is exact even if the largest is nearly 1.

    Parameters
    ----------
    cosines : array (b, k)
    temperature : float

    Returns
    -------
    (b,) float64
        0 (one name is certain) to 1 - 1/k (all names are equal).

    References
    ----------
    MCM: Ming et al., "Delving into out-of-distribution detection with vision-language representations",
    arXiv 2211.13445.

    Examples
    --------
    >>> softmax_uncertainty([[0.5, 0.5], [1.0, -1.0]], temperature=0.5).round(3).tolist()
    [0.5, 0.018]
    """
    others, _ = _others(cosines, temperature, "softmax_uncertainty")
    rest = others.sum(axis=1)
    return rest / (1 + rest)


def energy(cosines: Any, temperature: float = 1.0) -> np.ndarray:
    """-τ ln sum_c exp(z·t_c / τ). For one class it is -z·t; as τ approaches 0, it approaches -max_c z·t_c.

    Parameters
    ----------
    cosines : array (b, k)
    temperature : float

    Returns
    -------
    (b,) float64
        From -1 - τ ln k to 1 - τ ln k.

    References
    ----------
    Liu et al., "Energy-based out-of-distribution detection", arXiv 2010.03759.

    Examples
    --------
    >>> energy([[0.5, 0.5], [0.9, -0.1]], temperature=0.01).round(3).tolist()
    [-0.507, -0.9]
    """
    table, scale = _cosines(cosines, "cosines"), check_positive(temperature, "temperature")
    others, _ = _relative(table, scale)
    return -table.max(axis=1) - scale * np.log1p(others.sum(axis=1))


def entropy(cosines: Any, temperature: float = 1.0) -> np.ndarray:
    """-sum_c p_c ln p_c.

    Parameters
    ----------
    cosines : array (b, k)
    temperature : float

    Returns
    -------
    (b,) float64
        In nats: 0 (one name is certain) to ln k (all names are equal).

    References
    ----------
    Chan et al., "Entropy maximization and meta classification for out-of-distribution detection in semantic
    segmentation", arXiv 2012.06575, here over names.

    Examples
    --------
    >>> entropy([[0.5, 0.5], [0.9, -0.1]], temperature=0.01).round(3).tolist()  # ln 2, none
    [0.693, 0.0]
    """
    others, below = _others(cosines, temperature, "entropy")
    rest = others.sum(axis=1)
    # x_c = (z·t_c - max) / τ and rest = sum of e^(x_c) without the best class:
    # H = ln(1 + rest) - sum_c e^(x_c) x_c / (1 + rest)
    return np.log1p(rest) - (others * below).sum(axis=1) / (1 + rest)


def margin_uncertainty(cosines: Any, temperature: float = 1.0) -> np.ndarray:
    """1 - (p_(1) - p_(2)), where p_(1) and p_(2) are the two largest p_c.

    Parameters
    ----------
    cosines : array (b, k)
    temperature : float

    Returns
    -------
    (b,) float64
        0 (no doubt) to 1 (two equal names).

    References
    ----------
    Scheffer et al., "Active hidden Markov models for information extraction", 2001, there called the margin.

    Examples
    --------
    >>> margin_uncertainty([[0.5, 0.5], [0.9, -0.1]], temperature=0.01).round(3).tolist()
    [1.0, 0.0]
    """
    others, _ = _others(cosines, temperature, "margin_uncertainty")
    rest = others.sum(axis=1)
    return (rest + others.max(axis=1)) / (1 + rest)


def negative_label_share(cosines: Any, negatives: Any, temperature: float = 1.0, groups: int = 1) -> np.ndarray:
    """Fraction of the softmax that belongs to negative words. A single class is permitted.

    The words form groups. The fraction of a group is N / (K + N). K is the sum of exp(z·t_c / τ) over the classes. N is
    the sum of exp(z·n_j / τ) over the words of the group. The result is the mean over the groups.

    Parameters
    ----------
    cosines : array (b, k)
        Cosines with the known names.
    negatives : array (b, j)
        Cosines with words that are not known names. They are split in order into groups of nearly equal size. If
        neighbors in the list of words are similar, shuffle the words first.
    temperature : float
    groups : int

    Returns
    -------
    (b,) float64
        0 (the softmax belongs to known names only) to 1.

    Raises
    ------
    InputError
        For invalid cosines, different numbers of queries, or more groups than words.

    References
    ----------
    NegLabel: Jiang et al., "Negative label guided OOD detection with pretrained vision-language models",
    arXiv 2403.20078.

    Examples
    --------
    >>> negative_label_share([[0.5], [0.1]], negatives=[[0.5], [0.4]], temperature=0.1).round(3).tolist()
    [0.5, 0.953]
    """
    known, words = _cosines(cosines, "cosines"), _cosines(negatives, "negatives", "bj")
    check_rows(known, "cosines", words, "negatives")
    scale = check_positive(temperature, "temperature")
    count = check_count(groups, "groups", words.shape[1], "the number of negative words")
    share = np.zeros(len(known))
    with np.errstate(over="ignore"):  # near temperature 0, only the largest cosines count, and exp may overflow
        for start, stop in _runs(words.shape[1], count):
            share += _share_of_negatives(known, words[:, start:stop], scale)
    return share / count


def _cosines(values: Any, what: str, axes: str = "bk") -> np.ndarray:
    """Table of cosines as float64, clipped to [-1, 1]."""
    given = array(values, what, axes).astype(np.float64)
    if given.size and max(-given.min(), given.max()) > 1 + ROUNDING:
        raise InputError(
            f"{what} go from {given.min():.4g} to {given.max():.4g}. Expected cosines of unit vectors, from -1 to 1. "
            "For cosines with a logit scale, divide by the scale and give temperature = 1 / scale."
        )
    return np.clip(given, -1, 1)


def _others(cosines: Any, temperature: float, score: str) -> tuple[np.ndarray, np.ndarray]:
    """`_relative`, with an `InputError` for a single class, for which the score would be constant."""
    table, scale = _cosines(cosines, "cosines"), check_positive(temperature, "temperature")
    if table.shape[1] == 1:
        raise InputError(
            f"{score} is constant for one known class: its softmax is always 1. Expected two or more classes. "
            "Name more classes, or use max_cosine or negative words (neglabel)."
        )
    return _relative(table, scale)


def _relative(table: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """p_c / p_best (b, k), 0 for the best class, and the logarithms (z·t_c - max) / τ."""
    best = table.argmax(axis=1)[:, None]
    with np.errstate(over="ignore"):
        below = np.maximum((table - np.take_along_axis(table, best, axis=1)) / scale, UNDERFLOW)
    others = np.exp(below)
    np.put_along_axis(others, best, 0, axis=1)
    return others, below


def _runs(count: int, groups: int) -> list[tuple[int, int]]:
    """Start and stop indices of `groups` runs of nearly equal length that cover `count` items."""
    edges = [count * g // groups for g in range(groups + 1)]
    return list(itertools.pairwise(edges))


def _share_of_negatives(known: np.ndarray, words: np.ndarray, scale: float) -> np.ndarray:
    """N / (K + N) (b,) of one group."""
    # both sums are relative to the largest cosine, so neither overflows
    most = np.maximum(known.max(axis=1), words.max(axis=1))[:, None]
    of_known = np.exp((known - most) / scale).sum(axis=1)
    of_words = np.exp((words - most) / scale).sum(axis=1)
    return of_words / (of_known + of_words)


def negative_words(text: Any = None) -> tuple[str, ...]:
    """Default negative words of NegLabel: everyday categories with two synonyms each, sorted.

    A file stores the name of each category of `openshape_ood.synthetic` and its first two synonyms. If a text encoder
    is given, words that it cannot embed (`TextEncoder.serves`) are removed.

    Examples
    --------
    >>> "guitar" in negative_words()
    True
    """
    serves = getattr(text, "serves", None)
    return _negative_words() if serves is None else tuple(word for word in _negative_words() if serves(word))


@cache
def _negative_words() -> tuple[str, ...]:
    return tuple(files(__package__).joinpath("negative_words.txt").read_text(encoding="utf-8").splitlines())

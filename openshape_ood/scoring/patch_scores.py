"""Scores by patches. The patch tokens of a shape are compared with a memory bank of labeled tokens of known shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import array, check_count, check_widths, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.scoring.neighbors import nearest


def vote_entropy(patches: Any, memory: Any, labels: Any, classes: int) -> np.ndarray:
    """-sum_c p_c ln p_c · d_c, 0 if all patches of a shape vote for one class.

    Each patch votes for the class of the memory token with the largest cosine (for ties, the first). p_c is the
    fraction of votes for class c, and d_c is the mean 1 - cos of these votes. If all patches vote for one class, the
    score is 0 at any distance. Many shapes then have equal scores, which makes metrics such as FPR95 coarse.

    Parameters
    ----------
    patches : array (b, p, w)
        p tokens of width w for each shape; a zero token has cosine 0 to every token.
    memory : array (n, w)
        Tokens of known shapes.
    labels : array (n,) of int
        Class of each token, 0 to classes - 1.
    classes : int

    Returns
    -------
    (b,) float64
        0 to 2 ln(classes).

    Raises
    ------
    InputError
        For NaN, infinity, missing patches or tokens, and invalid labels. `MixedEncodersError`: the widths differ.

    References
    ----------
    3D-SeND, IEEE Access 12, 2024, after OpenPatch, arXiv 2310.03388. Its code, github.com/paolotron/3DSend, uses the
    squared distance of unit vectors, 2 (1 - cos). Its scores are twice the values here.

    Examples
    --------
    >>> memory, labels = [[1.0, 0.0], [0.0, 1.0]], [0, 1]
    >>> agree, split = [[2.0, 1.0], [3.0, 1.0]], [[2.0, 1.0], [1.0, 2.0]]
    >>> vote_entropy([agree, split], memory, labels, classes=2).round(3).tolist()
    [0.0, 0.073]
    """
    return entropy_of_votes(*nearest_votes(patches, memory, labels, classes), classes)


def nearest_votes(patches: Any, memory: Any, labels: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance (b, p) of each patch to its nearest memory token, and the class (b, p) of that token."""
    tokens, known = array(patches, "patches", "bpw"), array(memory, "tokens of the memory bank", "nw")
    check_widths(tokens, "patches", known, "tokens of the memory bank")
    votes_for = _classes(labels, len(known), classes)
    shapes, count, width = tokens.shape
    distance, index = nearest(tokens.reshape(shapes * count, width), known, k=1, metric="cosine")
    return distance.reshape(shapes, count), votes_for[index].reshape(shapes, count)


def entropy_of_votes(distance: np.ndarray, votes: np.ndarray, classes: int) -> np.ndarray:
    """`vote_entropy` (b,) from distances and votes (b, p)."""
    shapes, count = votes.shape
    # one bin for each shape and class
    bins = (np.arange(shapes)[:, None] * classes + votes).ravel()
    cast = np.bincount(bins, minlength=shapes * classes).reshape(shapes, classes)
    far = np.bincount(bins, weights=distance.ravel(), minlength=shapes * classes).reshape(shapes, classes)
    # p_c d_c is the sum of the distances of votes for c, divided by the number of all votes
    surprise = np.log(count) - np.log(np.maximum(cast, 1))
    return (far * surprise).sum(axis=1) / count


def vote_shares(votes: np.ndarray, classes: int) -> np.ndarray:
    """Fraction (b, k) of the votes (b, p) for each class."""
    return np.stack([(votes == c).mean(axis=1) for c in range(classes)], axis=1)


def _classes(labels: Any, rows: int, classes: int) -> np.ndarray:
    most = check_count(classes, "classes", np.iinfo(np.int32).max, "the number of known classes")
    given = np.asarray(to_numpy(labels))
    if given.shape != (rows,):
        raise InputError(
            f"labels have the shape {given.shape} for a memory bank of {rows} tokens. Expected ({rows},). "
            "Give one label per token."
        )
    if given.dtype.kind not in "iu":
        raise InputError(
            f"labels are of type {given.dtype}. Expected whole numbers from 0 to {most - 1}. Convert them to int."
        )
    if given.min() < 0 or given.max() >= most:
        raise InputError(
            f"labels go from {given.min()} to {given.max()}. Expected 0 to {most - 1}, for {most} classes. "
            "Correct labels or classes."
        )
    return given.astype(np.int64)

"""Scores by distance: from embeddings of queries (b, d) to examples (m, d), or to one prototype per class (k, d).

Embeddings need not be unit vectors: cosines ignore norms, Euclidean distances do not. A zero vector has cosine 0 to
every vector. An empty table of queries gives (0,). The order of the examples does not matter. NaN, infinity and missing
examples raise `InputError`; embeddings of another dimension raise its subclass `MixedEncodersError`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from openshape_ood.checks import array, blocks, check_choice, check_count, check_widths, grouped, unit_or_zero
from openshape_ood.scoring.neighbors import METRICS, nearest

# a mean or spread below this fraction of the embeddings' norm is a rounding error
ROUNDING = 1e-12


def knn_distance(queries: Any, examples: Any, k: int = 5, metric: str = "cosine") -> np.ndarray:
    """Distance to the k-th nearest of the m examples. It is exact, and computed in blocks.

    k = 1 gives the distance to the nearest example, as in 3DOS, arXiv 2207.11554. With `prototypes` as examples, it
    gives the distance to the nearest class, as in prototypical networks, arXiv 1703.05175.

    Parameters
    ----------
    queries : array (b, d)
    examples : array (m, d)
    k : int
        1 to m.
    metric : {"cosine", "euclidean"}

    Returns
    -------
    (b,) float64
        "cosine": 1 - cos, 0 to 2. "euclidean": 0 or more.

    Raises
    ------
    InputError
        For invalid arrays, or if k is below 1 or above m. `UnknownNameError`: the metric is unknown.

    References
    ----------
    Sun et al., "Out-of-distribution detection with deep nearest neighbors", arXiv 2204.06507. The paper uses the
    Euclidean distance of unit vectors, sqrt(2 (1 - cos)), which gives the same order as "cosine".

    Examples
    --------
    >>> knn_distance([[0, 0]], examples=[[1, 0], [0, 2], [3, 0]], k=2, metric="euclidean").tolist()
    [2.0]
    >>> knn_distance([[2, 0], [0, 3]], prototypes([[1, 0], [-1, 0]], ["a", "b"], "cosine"), k=1).tolist()
    [0.0, 1.0]
    """
    check_choice(metric, "metric", METRICS)
    z, known = same_width(queries, "queries", "bd", examples, "examples", "md")
    count = check_count(k, "k", len(known), "the number of examples")
    return nearest(z, known, k=count, metric=metric)[0][:, -1]


def prototypes(examples: Any, labels: Any, metric: str) -> np.ndarray:
    """One vector per class, in the sorted order of the labels.

    Parameters
    ----------
    examples : array (m, d)
    labels : array (m,)
    metric : {"cosine", "euclidean"}
        "euclidean": the mean of the examples. "cosine": the mean of the normalized examples, normalized again. If this
        mean is zero, the prototype is zero.

    Returns
    -------
    (k, d) float64

    Raises
    ------
    InputError
        For invalid labels. `UnknownNameError`: the metric is unknown.

    Examples
    --------
    >>> prototypes([[2, 0], [0, 1], [0, 3]], ["a", "b", "b"], "euclidean").tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    check_choice(metric, "metric", METRICS)
    known = array(examples, "examples", "md")
    classes, index = grouped(labels, known)
    if metric == "euclidean":
        return class_means(known, index, len(classes))
    directions = np.empty(known.shape)
    for part, rows in blocks(known):
        directions[part] = unit_or_zero(rows)
    means = class_means(directions, index, len(classes))
    # a mean that should be zero consists of rounding errors only
    means[np.linalg.norm(means, axis=1) < ROUNDING] = 0
    return unit_or_zero(means)


def warn_of_few(k: int, counts: np.ndarray, then: str) -> None:
    """Warn if classes have fewer than k examples. counts: examples of each class. then: consequence, as text."""
    few = int((counts < k).sum())
    if few:
        warnings.warn(
            f"k is {k}, but {few} of {len(counts)} known classes have fewer examples, the smallest {counts.min()}. "
            f"Near such a class, {then}. Give {k} or more examples of every class, a smaller k, or the method "
            "'nearest_distance' (k = 1).",
            UserWarning,
            stacklevel=3,
        )


def same_width(first: Any, what: str, axes: str, second: Any, than: str, its: str) -> tuple[np.ndarray, np.ndarray]:
    z, known = array(first, what, axes), array(second, than, its)
    check_widths(z, what, known, than)
    return z, known


def rest_of_class(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Means (m, d) of the other rows of each row's class; zero if there are none."""
    rest = np.zeros(rows.shape)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            rest[members] = (rows[members].sum(axis=0, dtype=np.float64) - rows[members]) / (len(members) - 1)
    return rest


def class_means(rows: np.ndarray, index: np.ndarray, classes: int) -> np.ndarray:
    return np.stack([rows[index == c].mean(axis=0, dtype=np.float64) for c in range(classes)])

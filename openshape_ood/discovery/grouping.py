"""Unit rows -> groups of them, and how well each group is found again in a part of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.errors import InputError
from openshape_ood.scoring.neighbors import nearest

Grouping = Callable[[np.ndarray, int], np.ndarray]

MOST = 5_000  # rows that are grouped at once: a table of all distances is 200 MB
MOST_GROUPS = 40  # tried by "agglomerative"
NEIGHBORS = 3  # of HDBSCAN's density
WITHIN = 0.95  # of the members of a group, up to whose distance from their nearest other rows join
DRAWS, SHARE = 20, 0.8  # of the rows, for the stability


def find_grouping(grouping: str | Grouping) -> Grouping:
    """What gives each of n unit rows the number of its group, from 0 in the order of their first rows, or -1.

    Raises `UnknownNameError` for a name that there is not; what it gives, `InputError` for a function's wrong answer.
    """
    if not callable(grouping):
        check_choice(grouping, "grouping", tuple(GROUPINGS))
    own = grouping if callable(grouping) else GROUPINGS[grouping]

    def grouped(rows: np.ndarray, min_size: int) -> np.ndarray:
        numbers = np.full(len(rows), -1)
        if len(rows) < min_size:
            return numbers
        found = np.asarray(own(rows, min_size))
        if found.shape != numbers.shape or found.dtype.kind not in "iu":
            raise InputError(f"the grouping gave {found!r:.60} for {len(rows)} rows; expected a whole number each")
        labels, first, counts = np.unique(found, return_index=True, return_counts=True)
        large = (labels >= 0) & (counts >= min_size)
        for number, label in enumerate(labels[large][np.argsort(first[large])]):
            numbers[found == label] = number
        return numbers

    return grouped


def hdbscan(rows: np.ndarray, min_size: int) -> np.ndarray:
    """By density; of unit rows the Euclidean distance orders as the cosine does."""
    from sklearn.cluster import HDBSCAN

    def found(**single: bool) -> np.ndarray:
        # with some hundred numbers a row a tree is slower than all distances
        how = {"min_samples": min(NEIGHBORS, min_size), "algorithm": "brute", "copy": True, **single}
        return np.asarray(HDBSCAN(min_cluster_size=min_size, **how).fit_predict(rows))

    labels = found()
    # allowed from the start, a single group would take in nearly everything
    return labels if (labels >= 0).any() else found(allow_single_cluster=True)


def agglomerative(rows: np.ndarray, min_size: int) -> np.ndarray:
    """By the mean cosine between groups, in as many groups as give the largest mean silhouette."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(rows) < 3:
        return np.zeros(len(rows), dtype=np.int64)
    distance = np.clip(1 - rows @ rows.T, 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    cuts = [fcluster(tree, k, "maxclust") - 1 for k in range(2, min(MOST_GROUPS, len(rows) - 1) + 1)]
    sums = distance @ np.eye(cuts[-1].max() + 1)[cuts[-1]]  # of the finest cut, which all others join
    first = np.unique(cuts[-1], return_index=True)[1]
    return max(cuts, key=lambda labels: silhouette(sums @ np.eye(labels.max() + 1)[labels[first]], labels))


def silhouette(sums: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw, 1987) of n rows by the sums (n, k) of their distances to the rows of each group."""
    counts, i = np.bincount(labels), np.arange(len(labels))
    if len(counts) < 2:
        return -1.0
    own = sums[i, labels] / np.maximum(counts[labels] - 1, 1)
    others = sums / counts
    others[i, labels] = np.inf
    other = others.min(axis=1)
    largest = np.maximum(own, other)
    return float(np.where((counts[labels] > 1) & (largest > 0), (other - own) / np.maximum(largest, 1e-300), 0).mean())


GROUPINGS: dict[str, Grouping] = {"hdbscan": hdbscan, "agglomerative": agglomerative}


def sample_of(n: int, seed: int) -> np.ndarray:
    """Indices, in order, of the rows that are grouped: all n, or a sample of `MOST`."""
    return np.arange(n) if n <= MOST else np.sort(np.random.RandomState(seed).permutation(n)[:MOST])


def spread_labels(rows: np.ndarray, sampled: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Groups (n,) of all unit rows (n, d) from those (s,) of sampled ones: each of its nearest, -1 if that is too far.

    Too far is farther than 95 % of the members in the sample are from their nearest: the sample is as dense around all.
    """
    if len(sampled) == len(rows):
        return labels
    known = rows[sampled]
    apart = nearest(known, known, 2, metric="euclidean")[0][:, 1]  # the first is the row itself
    reach = np.zeros(labels.max(initial=-1) + 2)  # the last is that of no group
    for group in range(len(reach) - 1):
        reach[group] = np.quantile(apart[labels == group], WITHIN)
    away, place = (one[:, 0] for one in nearest(rows, known, 1, metric="euclidean"))
    found = np.where(away <= reach[labels[place]], labels[place], -1)
    found[sampled] = labels
    return found


def stability(rows: np.ndarray, labels: np.ndarray, grouped: Grouping, min_size: int, seed: int) -> np.ndarray:
    """Mean over samplings of the largest Jaccard index (g,) of each group with one that is found in the sampling."""
    count, n = labels.max(initial=-1) + 1, len(rows)
    random, total = np.random.RandomState(seed), np.zeros(count)
    for _ in range(DRAWS if count else 0):
        kept = np.sort(random.permutation(n)[: math.ceil(SHARE * n)])
        again = grouped(rows[kept], max(2, round(SHARE * min_size)))
        # the last row and column are those of no group
        shared = np.zeros((count + 1, again.max() + 2))
        np.add.at(shared, (labels[kept], again), 1)
        either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
        total += (shared / np.maximum(either, 1))[:-1, :-1].max(axis=1, initial=0)
    return total / DRAWS

"""Clustering of unit vectors, and stability of the clusters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.errors import InputError
from openshape_ood.scoring.neighbors import nearest

Grouping = Callable[[np.ndarray, int], np.ndarray]

MOST = 5_000  # maximum number of rows to cluster; their distance table takes 200 MB
MOST_GROUPS = 40  # largest number of groups tried by "agglomerative"
NEIGHBORS = 3  # min_samples of HDBSCAN
WITHIN = 0.95  # a row outside the sample joins a group within this quantile of the group's nearest-neighbor distances
DRAWS, SHARE = 20, 0.8  # for the stability: number of random samples, and fraction of the rows in each sample


def find_grouping(grouping: str | Grouping) -> Grouping:
    """Function that groups unit rows (n, d) and returns group numbers (n,). -1 means no group.

    Groups are numbered from 0, in the order of their first rows.

    Raises `UnknownNameError` for an unknown name. The function raises `InputError` if a custom grouping returns an
    invalid result.
    """
    if not callable(grouping):
        check_choice(grouping, "grouping", tuple(GROUPINGS))
    function = grouping if callable(grouping) else GROUPINGS[grouping]

    def grouped(rows: np.ndarray, min_size: int) -> np.ndarray:
        numbers = np.full(len(rows), -1)
        if len(rows) < min_size:
            return numbers
        given = np.asarray(function(rows, min_size))
        if given.shape != numbers.shape or given.dtype.kind not in "iu":
            raise InputError(
                f"the grouping returned {given!r:.60} for {len(rows)} rows. Expected one whole number per row. "
                "Correct the function."
            )
        labels, first, counts = np.unique(given, return_index=True, return_counts=True)
        large = (labels >= 0) & (counts >= min_size)
        for number, label in enumerate(labels[large][np.argsort(first[large])]):
            numbers[given == label] = number
        return numbers

    return grouped


def hdbscan(rows: np.ndarray, min_size: int) -> np.ndarray:
    """Density-based groups, by Euclidean distance. Unit rows have the same nearest neighbors by cosine."""
    from sklearn.cluster import HDBSCAN

    def clustered(**single: bool) -> np.ndarray:
        # in hundreds of dimensions, a search tree is slower than computing all distances
        how = {"min_samples": min(NEIGHBORS, min_size), "algorithm": "brute", "copy": True, **single}
        return np.asarray(HDBSCAN(min_cluster_size=min_size, **how).fit_predict(rows))

    labels = clustered()
    # a single group is allowed only if there are no others, because it would contain nearly all rows
    return labels if (labels >= 0).any() else clustered(allow_single_cluster=True)


def agglomerative(rows: np.ndarray, min_size: int) -> np.ndarray:
    """Groups by average linkage of cosines. The number of groups maximizes the mean silhouette."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(rows) < 3:
        return np.zeros(len(rows), dtype=np.int64)
    distance = np.clip(1 - rows @ rows.T, 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    cuts = [fcluster(tree, k, "maxclust") - 1 for k in range(2, min(MOST_GROUPS, len(rows) - 1) + 1)]
    # summed distances (n, g) to the g groups of the finest cut; groups of a coarser cut are unions, so sums add up
    sums = distance @ np.eye(cuts[-1].max() + 1)[cuts[-1]]
    first = np.unique(cuts[-1], return_index=True)[1]
    return max(cuts, key=lambda labels: silhouette(sums @ np.eye(labels.max() + 1)[labels[first]], labels))


def silhouette(sums: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw, 1987) of n rows from the summed distances (n, k) to the rows of each group."""
    counts, i = np.bincount(labels), np.arange(len(labels))
    if len(counts) < 2:
        return -1.0
    same = sums[i, labels] / np.maximum(counts[labels] - 1, 1)
    others = sums / counts
    others[i, labels] = np.inf
    other = others.min(axis=1)
    largest = np.maximum(same, other)
    return float(np.where((counts[labels] > 1) & (largest > 0), (other - same) / np.maximum(largest, 1e-300), 0).mean())


GROUPINGS: dict[str, Grouping] = {"hdbscan": hdbscan, "agglomerative": agglomerative}


def sample_of(n: int, seed: int) -> np.ndarray:
    """Sorted indices of the rows to cluster: all n, or a sample of `MOST`."""
    return np.arange(n) if n <= MOST else np.sort(np.random.RandomState(seed).permutation(n)[:MOST])


def spread_labels(rows: np.ndarray, sampled: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Group numbers (n,) of all unit rows (n, d), given the group numbers `labels` (s,) of the sampled rows.

    A row joins the group of its nearest sampled row, if that row is near enough; else its number is -1. The maximum
    distance is the 95 % quantile of the distances between the group's sampled members and their nearest neighbors.
    """
    if len(sampled) == len(rows):
        return labels
    known = rows[sampled]
    apart = nearest(known, known, 2, metric="euclidean")[0][:, 1]  # the nearest row is the row itself
    reach = np.zeros(labels.max(initial=-1) + 2)  # the last entry is for rows without a group
    for group in range(len(reach) - 1):
        reach[group] = np.quantile(apart[labels == group], WITHIN)
    away, place = (one[:, 0] for one in nearest(rows, known, 1, metric="euclidean"))
    spread = np.where(away <= reach[labels[place]], labels[place], -1)
    spread[sampled] = labels
    return spread


def stability(rows: np.ndarray, labels: np.ndarray, grouped: Grouping, min_size: int, seed: int) -> np.ndarray:
    """Stability (g,) of each group: largest Jaccard index with a group of a random sample, averaged over samples."""
    count, n = labels.max(initial=-1) + 1, len(rows)
    random, total = np.random.RandomState(seed), np.zeros(count)
    for _ in range(DRAWS if count else 0):
        kept = np.sort(random.permutation(n)[: math.ceil(SHARE * n)])
        again = grouped(rows[kept], max(2, round(SHARE * min_size)))
        # the last row and column are for rows without a group
        shared = np.zeros((count + 1, again.max() + 2))
        np.add.at(shared, (labels[kept], again), 1)
        either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
        total += (shared / np.maximum(either, 1))[:-1, :-1].max(axis=1, initial=0)
    return total / DRAWS

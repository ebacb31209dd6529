"""Neighborhoods and connected components of the elements of a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEARCHED = 8  # first search: this many times the minimum size of a region; each further search is larger by this factor
NEIGHBORS = 8  # neighbors of a point; a fixed number, unlike a radius, adapts to the spacing of the points


def around(places: np.ndarray, place: int, share: float) -> np.ndarray:
    """Mask (n,) of the elements nearest to the element with index `place`.

    `places` (n, 2|3) are the positions of all elements. The mask contains the fraction `share` of them, at least one.
    """
    distance = np.linalg.norm(places - places[place], axis=1)
    region = np.zeros(len(places), dtype=bool)
    region[np.argsort(distance, kind="stable")[: max(1, round(share * len(places)))]] = True
    return region


def connected(places: np.ndarray, chosen: np.ndarray, *, cells: bool) -> list[np.ndarray]:
    """Connected components of the elements in `chosen` (n,), largest first, as sorted indices.

    Cells (n, 2|3) are connected if they touch, also diagonally. Points are connected to their 8 nearest neighbors, so
    gaps in the surface separate components.
    """
    return [piece for piece, _ in pieces(places, chosen, 1, None, 0, cells=cells)]


def pieces(
    places: np.ndarray, chosen: np.ndarray, least: int, novelty: np.ndarray | None, region: int, *, cells: bool
) -> list[tuple[np.ndarray, float | None]]:
    """Connected components with at least `least` elements, as from `connected`, each with its level.

    The level of a component is the highest threshold at which `region` of its elements are still connected. It is None
    if the component has fewer elements, or if `region` is 0.
    """
    if not chosen.any():
        return []
    graph = _Graph.of(places, chosen, cells=cells)
    labels = graph.labels(chosen)
    indices = np.flatnonzero(chosen)
    order = indices[np.argsort(labels[indices], kind="stable")]
    regions = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    regions = sorted((piece for piece in regions if len(piece) >= least), key=len, reverse=True)
    if novelty is None or not region:
        return [(piece, None) for piece in regions]
    ranked = (piece[np.argsort(-novelty[piece], kind="stable")] for piece in regions)
    begins = [(level, graph.within(level).begin(region)) for level in ranked]
    levels = [None if place is None else float(novelty[level[place]]) for level, place in begins]
    return list(zip(regions, levels, strict=True))


def highest_region(places: np.ndarray, novelty: np.ndarray, least: int, *, cells: bool) -> float:
    """Highest threshold that `least` connected elements reach.

    `novelty` (n,) is NaN for unseen elements. If there is no such threshold, the result is the lowest novelty.
    """
    seen = np.flatnonzero(np.isfinite(novelty))
    ranked = seen[np.argsort(-novelty[seen], kind="stable")]
    count = SEARCHED * least
    while True:  # the most novel elements are almost always sufficient, so they are searched first
        top = ranked[:count]
        chosen = np.zeros(len(novelty), dtype=bool)
        chosen[top] = True
        place = _Graph.of(places, chosen, cells=cells).within(top).begin(least)
        if place is not None:
            return float(novelty[top[place]])
        if len(top) == len(ranked):
            return float(novelty[ranked[-1]])
        count *= SEARCHED


@dataclass(frozen=True, eq=False)
class _Graph:
    """Graph with `count` nodes, the distinct positions of elements. Its edges connect `first[i]` and `second[i]`.

    `owner` (n,) is the node of each element; it may be -1 for elements that were not chosen.
    """

    first: np.ndarray
    second: np.ndarray
    owner: np.ndarray
    count: int

    @classmethod
    def of(cls, places: np.ndarray, chosen: np.ndarray, *, cells: bool) -> _Graph:
        """Graph that contains all elements in the mask `chosen` (n,)."""
        from scipy.spatial import KDTree

        # duplicates are merged; otherwise all neighbors of a point could be its copies
        if cells:  # only the chosen cells are searched
            distinct, inside = np.unique(places[chosen], axis=0, return_inverse=True)
            owner = np.full(len(places), -1)
            owner[chosen] = inside.reshape(-1)
            first, second = KDTree(distinct).query_pairs(1, p=np.inf, output_type="ndarray").T
            return cls(first, second, owner, len(distinct))
        distinct, owner = np.unique(places, axis=0, return_inverse=True)
        owner = owner.reshape(-1)
        novel = np.zeros(len(distinct), dtype=bool)
        novel[owner[chosen]] = True
        near = KDTree(distinct).query(distinct[novel], k=range(1, min(NEIGHBORS + 1, len(distinct)) + 1))[1]
        first, second = np.repeat(np.flatnonzero(novel), near.shape[1]), near.reshape(-1)
        kept = novel[first] & novel[second]
        return cls(first[kept], second[kept], owner, len(distinct))

    def labels(self, chosen: np.ndarray) -> np.ndarray:
        """Number (n,) of the connected component of each element in the mask `chosen`; undefined for other elements."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        novel = np.zeros(self.count, dtype=bool)
        novel[self.owner[chosen]] = True
        kept = novel[self.first] & novel[self.second]
        rows = self.first[kept], self.second[kept]
        graph = coo_array((np.ones(kept.sum(), dtype=bool), rows), shape=(self.count,) * 2)
        return connected_components(graph, directed=False)[1][self.owner]

    def within(self, some: np.ndarray) -> _Graph:
        """Subgraph of the elements with the indices `some` (m,), in this order."""
        nodes, owner = np.unique(self.owner[some], return_inverse=True)
        place = np.full(self.count, -1)
        place[nodes] = np.arange(len(nodes))
        first, second = place[self.first], place[self.second]
        kept = (first >= 0) & (second >= 0)
        return _Graph(first[kept], second[kept], owner.reshape(-1), len(nodes))

    def begin(self, least: int) -> int | None:
        """Smallest index i such that elements 0 to i contain a component of `least` elements; None if there is none."""
        low, high = least, len(self.owner)
        if high < least or self._largest(high) < least:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._largest(middle) >= least else (middle + 1, high)
        return low - 1

    def _largest(self, count: int) -> int:
        """Size of the largest component among the first `count` elements."""
        chosen = np.arange(len(self.owner)) < count
        return int(np.bincount(self.labels(chosen)[chosen]).max())

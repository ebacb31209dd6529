"""What lies together among the places of a map: the surroundings of one, and connected pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEARCHED = 8  # times as many elements as a region has are searched for one first
NEIGHBORS = 8  # of a point; these grow with the distance between points, as a radius would not


def around(places: np.ndarray, place: int, share: float) -> np.ndarray:
    """The share of places (n, 2|3) that lies nearest the one of index `place`: (n,) bool, at least one."""
    distance = np.linalg.norm(places - places[place], axis=1)
    region = np.zeros(len(places), dtype=bool)
    region[np.argsort(distance, kind="stable")[: max(1, round(share * len(places)))]] = True
    return region


def connected(places: np.ndarray, chosen: np.ndarray, *, cells: bool) -> list[np.ndarray]:
    """Connected pieces of the elements that `chosen` (n,) says, the largest first: their indices, ascending.

    Places (n, 2|3) that are cells hang together where they touch, at a corner too; points by their 8 nearest neighbors,
    and not across gaps in the surface.
    """
    return [piece for piece, _ in pieces(places, chosen, 1, None, 0, cells=cells)]


def pieces(
    places: np.ndarray, chosen: np.ndarray, least: int, novelty: np.ndarray | None, region: int, *, cells: bool
) -> list[tuple[np.ndarray, float | None]]:
    """The pieces of `connected` with `least` or more elements, each with the level at which it begins.

    That is the highest novelty v such that those of novelty v or more hold a connected piece of `region` elements.
    None for a piece smaller than that, and where `region` is 0.
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
    """The highest novelty v such that those of novelty v or more hold a connected piece of `least` elements.

    novelty (n,): NaN where nothing was seen. Where no piece is as large, the lowest novelty.
    """
    seen = np.flatnonzero(np.isfinite(novelty))
    ranked = seen[np.argsort(-novelty[seen], kind="stable")]
    count = SEARCHED * least
    while True:  # the most novel elements hold the answer nearly always: neighbors of the others are not searched
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
    """Which of the distinct places hang together: pairs of these; owner (n,): of each element, its distinct place, -1
    for those that were not asked for."""

    first: np.ndarray
    second: np.ndarray
    owner: np.ndarray
    count: int

    @classmethod
    def of(cls, places: np.ndarray, chosen: np.ndarray, *, cells: bool) -> _Graph:
        """Of the chosen elements (n,) at least."""
        from scipy.spatial import KDTree

        # repeated points are one, else their copies would be all the neighbors they have
        if cells:  # those that touch are found among the chosen alone
            distinct, inside = np.unique(places[chosen], axis=0, return_inverse=True)
            owner = np.full(len(places), -1)
            owner[chosen] = inside.reshape(-1)
            first, second = KDTree(distinct).query_pairs(1, p=np.inf, output_type="ndarray").T
            return cls(first, second, owner, len(distinct))
        distinct, owner = np.unique(places, axis=0, return_inverse=True)
        owner = owner.reshape(-1)
        novel = np.zeros(len(distinct), dtype=bool)
        novel[owner[chosen]] = True
        beside = KDTree(distinct).query(distinct[novel], k=range(1, min(NEIGHBORS + 1, len(distinct)) + 1))[1]
        first, second = np.repeat(np.flatnonzero(novel), beside.shape[1]), beside.reshape(-1)
        kept = novel[first] & novel[second]
        return cls(first[kept], second[kept], owner, len(distinct))

    def labels(self, chosen: np.ndarray) -> np.ndarray:
        """The number of the piece (n,) of each element, of the chosen ones alone."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        novel = np.zeros(self.count, dtype=bool)
        novel[self.owner[chosen]] = True
        kept = novel[self.first] & novel[self.second]
        rows = self.first[kept], self.second[kept]
        graph = coo_array((np.ones(kept.sum(), dtype=bool), rows), shape=(self.count,) * 2)
        return connected_components(graph, directed=False)[1][self.owner]

    def within(self, some: np.ndarray) -> _Graph:
        """Of some elements (m,), in that order, and the pairs among them alone."""
        nodes, owner = np.unique(self.owner[some], return_inverse=True)
        place = np.full(self.count, -1)
        place[nodes] = np.arange(len(nodes))
        first, second = place[self.first], place[self.second]
        kept = (first >= 0) & (second >= 0)
        return _Graph(first[kept], second[kept], owner.reshape(-1), len(nodes))

    def begin(self, least: int) -> int | None:
        """The first element with which it and those before it hold a piece of `least`."""
        low, high = least, len(self.owner)
        if high < least or self._largest(high) < least:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._largest(middle) >= least else (middle + 1, high)
        return low - 1

    def _largest(self, count: int) -> int:
        """Elements of the largest piece among the first so many."""
        chosen = np.arange(len(self.owner)) < count
        return int(np.bincount(self.labels(chosen)[chosen]).max())

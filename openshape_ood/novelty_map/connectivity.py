"""What lies together among the places of a map: the surroundings of one, and connected pieces."""

from __future__ import annotations

import numpy as np

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
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    if not chosen.any():
        return []
    # repeated points are one, else their copies would be all the neighbors they have
    distinct, owner = np.unique(places, axis=0, return_inverse=True)
    owner = owner.reshape(-1)
    novel = np.zeros(len(distinct), dtype=bool)
    novel[owner[chosen]] = True
    tree = KDTree(distinct)
    if cells:
        first, second = tree.query_pairs(1, p=np.inf, output_type="ndarray").T
    else:
        beside = tree.query(distinct[novel], k=range(1, min(NEIGHBORS + 1, len(distinct)) + 1))[1]
        first, second = np.repeat(np.flatnonzero(novel), beside.shape[1]), beside.reshape(-1)
    kept = novel[first] & novel[second]
    graph = coo_array((np.ones(kept.sum(), dtype=bool), (first[kept], second[kept])), shape=(len(distinct),) * 2)
    labels = connected_components(graph, directed=False)[1][owner]
    indices = np.flatnonzero(chosen)
    order = indices[np.argsort(labels[indices], kind="stable")]
    pieces = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(pieces, key=len, reverse=True)

"""Connected pieces of a map: which of its elements lie beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEIGHBORS = 8  # of a point; these grow with the distance between points, as a radius would not


@dataclass(frozen=True, eq=False)
class Region:
    """A connected piece of a map, all of it beyond the threshold.

    Attributes
    ----------
    indices : ndarray (m,)
        Its elements, ascending.
    novelty : float
        Their mean novelty.
    center : ndarray (3,)
        Their mean place, in the frame and units of the elements; (2,), row and column, of pixels.
    nearest : str or None
        The class that most of them are nearest to; None where the map has none.
    """

    indices: np.ndarray
    novelty: float
    center: np.ndarray
    nearest: str | None

    def __len__(self) -> int:
        return len(self.indices)


def connected(places: np.ndarray, chosen: np.ndarray, *, cells: bool) -> list[np.ndarray]:
    """Connected pieces of some of n elements, the largest first.

    Parameters
    ----------
    places : ndarray (n, 2|3)
        Of all elements. Points hang together by their 8 nearest neighbors, and not across gaps in the surface.
    chosen : ndarray (n,) of bool
        The elements to divide.
    cells : bool
        Whether places are whole numbers, a pixel or voxel each: those that touch hang together, at a corner too.

    Returns
    -------
    list of ndarray (m,)
        Indices of the elements of each piece, ascending.

    Examples
    --------
    >>> row = np.array([[0, 0], [0, 1], [0, 2], [0, 3]])
    >>> [piece.tolist() for piece in connected(row, np.array([True, False, True, True]), cells=True)]
    [[2, 3], [0]]
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

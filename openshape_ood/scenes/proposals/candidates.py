"""Candidates: overlapping pieces of a scan that may be objects, by the merge tree, by contact, or by density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.scenes.proposals.grid import Grid
from openshape_ood.scenes.proposals.layout import Plane, find_planes, on_planes
from openshape_ood.scenes.proposals.superpoints import Graph, graph, merge_tree, normals, superpoints

LEAST = 20  # voxels of a candidate
LARGEST = 4.0  # meters that an object is long at most
DENSITY = 2.7  # spacings, of DBSCAN


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a scan's geometry says: planes, superpoints (v,) with -1 for those on planes, and the graph of voxels."""

    grid: Grid
    direction: np.ndarray
    planes: list[Plane]
    owner: np.ndarray
    piece: np.ndarray
    edges: Graph


def parse(grid: Grid) -> Parsed:
    direction = normals(grid)
    edges = graph(grid, direction)
    piece = superpoints(edges, len(grid.places))
    planes = find_planes(grid, direction)
    owner = on_planes(planes, piece)
    left = owner < 0
    own = np.full(len(piece), -1)
    if left.any():
        own[left] = np.unique(piece[left], return_inverse=True)[1].reshape(-1)
    return Parsed(grid, direction, planes, owner, own, edges)


@dataclass(frozen=True, eq=False)
class Candidate:
    """rows: voxels; bond: how closely its halves are tied; outer: how closely it is tied to what it is
    joined with next, 0 where nothing; next: voxels of what it is then part of."""

    rows: np.ndarray
    bond: float = 1.0
    outer: float = 0.0
    next: int = 0


def of_tree(parsed: Parsed) -> list[Candidate]:
    """All nodes of the merge tree that are neither tiny nor larger than an object is."""
    if not (parsed.piece >= 0).any():
        return []
    tree, found = merge_tree(parsed.grid, parsed.edges, parsed.piece), []
    starts = tree.starts()
    # one array for all nodes: their voxels together may be as many as those of the scan times the nodes
    voxels = np.empty(int((parsed.piece >= 0).sum()), dtype=np.int64)
    for piece, own in enumerate(rows_of(parsed.piece)):
        voxels[starts[piece] : starts[piece] + len(own)] = own
    for node, size in enumerate(tree.size):
        if size < LEAST:
            continue
        rows = voxels[starts[node] : starts[node] + size]
        parent = tree.parent[node]
        outer, after = (tree.bond[parent], tree.size[parent]) if parent >= 0 else (-1.0, size)
        if np.ptp(parsed.grid.places[rows], axis=0).max() <= LARGEST:
            found.append(Candidate(rows, tree.bond[node], outer, after))
    return found


def by_contact(parsed: Parsed) -> list[Candidate]:
    """Connected pieces of what is on no plane."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, edges = parsed.piece >= 0, parsed.edges
    kept = left[edges.first] & left[edges.second]
    pairs = (np.ones(int(kept.sum()), dtype=bool), (edges.first[kept], edges.second[kept]))
    label = connected_components(coo_array(pairs, shape=(len(left),) * 2), directed=False)[1]
    return _pieces(np.where(left, label, -1))


def by_density(parsed: Parsed) -> list[Candidate]:
    """Clusters by density (DBSCAN) of what is on no plane."""
    from sklearn.cluster import DBSCAN

    left = np.flatnonzero(parsed.piece >= 0)
    label = np.full(len(parsed.piece), -1)
    if len(left):
        radius = DENSITY * parsed.grid.spacing
        label[left] = DBSCAN(eps=radius, min_samples=10).fit_predict(parsed.grid.places[left])
    return _pieces(label)


def _pieces(label: np.ndarray) -> list[Candidate]:
    return [Candidate(rows) for rows in rows_of(label) if len(rows) >= LEAST]


def rows_of(label: np.ndarray) -> list[np.ndarray]:
    """The rows of each label of (n,) from 0 up, ascending; those below 0 belong to none."""
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(label.max() + 1)))[1:]

"""Candidates: overlapping segments of a scan, by the merge tree, by contact, or by density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.scenes.proposals.grid import Grid
from openshape_ood.scenes.proposals.layout import Plane, find_planes, on_planes
from openshape_ood.scenes.proposals.superpoints import Graph, graph, merge_tree, normals, superpoints

LEAST = 20  # minimum voxels of a candidate
LARGEST = 4.0  # maximum length of an object in meters
DENSITY = 2.7  # radius of DBSCAN in spacings


@dataclass(frozen=True, eq=False)
class Parsed:
    """Geometry of a scan of v voxels.

    direction: normals (v, 3); owner: plane (v,) of each voxel, -1 for none; piece: superpoint (v,) of each voxel, -1 on
    planes; edges: graph of the voxels.
    """

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
    numbered = np.full(len(piece), -1)
    if left.any():
        numbered[left] = np.unique(piece[left], return_inverse=True)[1].reshape(-1)
    return Parsed(grid, direction, planes, owner, numbered, edges)


@dataclass(frozen=True, eq=False)
class Candidate:
    """Segment of a scan.

    rows: its voxels. From the merge tree only: bond, strength of the connection between its halves; outer, strength of
    the connection to its sibling, -1 for a root; next, number of voxels of its parent.
    """

    rows: np.ndarray
    bond: float = 1.0
    outer: float = 0.0
    next: int = 0


def of_tree(parsed: Parsed) -> list[Candidate]:
    """Nodes of the merge tree that have the size of an object."""
    if not (parsed.piece >= 0).any():
        return []
    tree, candidates = merge_tree(parsed.grid, parsed.edges, parsed.piece), []
    starts = tree.starts()
    # candidates are slices of one array, because copies could exceed the memory
    voxels = np.empty(int((parsed.piece >= 0).sum()), dtype=np.int64)
    for piece, members in enumerate(rows_of(parsed.piece)):
        voxels[starts[piece] : starts[piece] + len(members)] = members
    for node, size in enumerate(tree.size):
        if size < LEAST:
            continue
        rows = voxels[starts[node] : starts[node] + size]
        parent = tree.parent[node]
        outer, after = (tree.bond[parent], tree.size[parent]) if parent >= 0 else (-1.0, size)
        if np.ptp(parsed.grid.places[rows], axis=0).max() <= LARGEST:
            candidates.append(Candidate(rows, tree.bond[node], outer, after))
    return candidates


def by_contact(parsed: Parsed) -> list[Candidate]:
    """Connected components of the voxels that are on no plane."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, edges = parsed.piece >= 0, parsed.edges
    kept = left[edges.first] & left[edges.second]
    pairs = (np.ones(int(kept.sum()), dtype=bool), (edges.first[kept], edges.second[kept]))
    label = connected_components(coo_array(pairs, shape=(len(left),) * 2), directed=False)[1]
    return _pieces(np.where(left, label, -1))


def by_density(parsed: Parsed) -> list[Candidate]:
    """Density clusters (DBSCAN) of the voxels that are on no plane."""
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
    """Sorted rows of each label 0, 1, ... in `label` (n,). Negative labels are ignored."""
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(label.max() + 1)))[1:]

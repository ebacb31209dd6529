"""Superpoints (segments without edges or creases) and the tree that merges them."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from scipy.spatial import KDTree

from openshape_ood.scenes.proposals.grid import Grid

REACH = 2.5  # maximum length of a graph edge, in spacings
LINKS = 10  # maximum neighbors of a voxel
COLOR = 0.3  # weight of a color difference (0 to 1) in edge weights; a difference of normals has weight 1
GRAIN = 1.0  # larger values give larger superpoints, see `superpoints`
LEAST = 8  # minimum voxels of a superpoint
SHADE = 4.25  # bonds are multiplied by exp(-SHADE * color difference (0 to 1))
GAP = 0.25  # meters, or 3 spacings if more; maximum gap between merged segments without contact
COARSE = 0.05  # meters, or 1.5 spacings if more; resolution of measured gaps
DIGIT = 1e-6  # edge weights are rounded to multiples of it


@dataclass(frozen=True, eq=False)
class Graph:
    """e edges between voxels first (e,) < second (e,); weight (e,): difference of normals and colors."""

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray


def normals(grid: Grid) -> np.ndarray:
    """Unit normals (v, 3) of the planes through each voxel's neighbors; the sign is arbitrary."""
    nearest = np.minimum(grid.neighbors[1], len(grid.places) - 1)
    made = np.empty_like(grid.places)
    columns = np.ascontiguousarray(grid.places.T)
    for start in range(0, len(made), 1 << 15):
        around = columns[:, nearest[start : start + (1 << 15)].T]
        made[start : start + (1 << 15)] = _least(around - around.mean(axis=1, keepdims=True))
    return made


def _least(spread: np.ndarray) -> np.ndarray:
    """Directions (m, 3) of least variance of m groups of k positions (3, k, m): eigenvectors in closed form."""
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    moments = np.stack([np.einsum("ij,ij->j", spread[i], spread[j]) for i, j in pairs])
    moments[:3] -= moments[:3].mean(axis=0)
    scale = np.sqrt(((moments[:3] ** 2).sum(axis=0) + 2 * (moments[3:] ** 2).sum(axis=0)) / 6)
    xx, yy, zz, xy, xz, yz = moments / np.maximum(scale, 1e-30)
    half = (xx * (yy * zz - yz**2) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)) / 2
    least = 2 * np.cos(np.arccos(half.clip(-1, 1)) / 3 + 2 * np.pi / 3)
    rows = np.array([[xx - least, xy, xz], [xy, yy - least, yz], [xz, yz, zz - least]])
    # the rows of (matrix - eigenvalue * identity) are orthogonal to the eigenvector
    crossed = np.stack([np.cross(rows[i], rows[j], axis=0) for i, j in ((0, 1), (0, 2), (1, 2))])
    length = np.linalg.norm(crossed, axis=1)
    best = length.argmax(axis=0)
    every = np.arange(len(best))
    level = np.array([0.0, 0.0, 1.0])  # used if the variance is equal in all directions
    normal = crossed[best, :, every] / np.maximum(length[best, every], 1e-30)[:, None]
    return np.where(length[best, every][:, None] > 1e-12, normal, level)


def graph(grid: Grid, direction: np.ndarray) -> Graph:
    """Graph between each voxel and its ten nearest voxels, at most 2.5 spacings apart."""
    distance, index = (rows[:, 1 : LINKS + 1] for rows in grid.neighbors)
    near = np.isfinite(distance) & (distance <= REACH * grid.spacing)
    voxel = np.broadcast_to(np.arange(len(grid.places))[:, None], index.shape)[near]
    other = index[near]
    pairs = np.sort(np.minimum(voxel, other) * len(grid.places) + np.maximum(voxel, other))
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    first, second = np.divmod(pairs, len(grid.places))
    weight = 1 - np.abs((direction[first] * direction[second]).sum(axis=1))
    if grid.color is not None:
        weight += COLOR * np.abs(grid.color[first] - grid.color[second]).mean(axis=1)
    return Graph(first, second, np.round(weight / DIGIT) * DIGIT)


def superpoints(edges: Graph, count: int) -> np.ndarray:
    """Superpoint (v,) of each of `count` voxels, numbered from 0.

    The edges of a minimum spanning tree are visited by ascending weight. An edge joins its two segments, unless its
    weight exceeds the largest weight inside either segment by more than `GRAIN` divided by the segment's size. Then,
    segments of fewer than 8 voxels join their most similar neighbor. Felzenszwalb and Huttenlocher (IJCV 2004) visit
    all edges instead.
    """
    order = _spanning(edges, count)
    left = list(zip(*(column[order].tolist() for column in (edges.first, edges.second, edges.weight)), strict=True))
    parent, size, most = list(range(count)), [1] * count, [GRAIN] * count
    for small in (False, True):
        pairs, left = left, []
        for pair in pairs:
            a, b, weight = pair
            while parent[a] != a:
                parent[a] = a = parent[parent[a]]
            while parent[b] != b:
                parent[b] = b = parent[parent[b]]
            if (size[a] >= LEAST and size[b] >= LEAST) if small else (weight > most[a] or weight > most[b]):
                left.append(pair)
                continue
            parent[b] = a
            size[a] += size[b]
            most[a] = weight + GRAIN / size[a]
    return np.unique(_roots(np.array(parent)), return_inverse=True)[1].reshape(-1)


def _roots(parent: np.ndarray) -> np.ndarray:
    """Root (v,) of each node of a forest. parent (v,): parent of each node; a root is its own parent."""
    while True:
        above = parent[parent]
        if (above == parent).all():
            return parent
        parent = above


def _spanning(edges: Graph, count: int) -> np.ndarray:
    """Edges of a minimum spanning forest by ascending weight; ties: lower voxels first."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    # distinct weights, because scipy's order of equal weights is not stable
    most = len(edges.weight)
    weight = np.rint(edges.weight / DIGIT).astype(np.int64) * most + np.arange(1, most + 1)
    table = csr_array((weight.astype(np.float64), (edges.first, edges.second)), shape=(count, count))
    chosen = np.sort(minimum_spanning_tree(table).data).astype(np.int64)
    order: np.ndarray = (chosen - 1) % max(1, most)
    return order


class Tree:
    """Merge tree: the s superpoints, then one node for each merge.

    For each node: size, number of voxels; bond, strength of the connection between its halves, 1 for a superpoint;
    parent, -1 for a root.
    """

    def __init__(self, size: np.ndarray) -> None:
        self.size: list[int] = size.tolist()
        self.bond = [1.0] * len(size)
        self.parent = [-1] * len(size)
        self._halves: list[tuple[int, int]] = []

    def join(self, a: int, b: int, bond: float) -> int:
        self.size.append(self.size[a] + self.size[b])
        self.bond.append(bond)
        self.parent[a] = self.parent[b] = len(self.parent)
        self.parent.append(-1)
        self._halves.append((a, b))
        return len(self.parent) - 1

    def tops(self) -> list[int]:
        """Root of each node."""
        roots = list(range(len(self.parent)))
        for node in reversed(range(len(self.parent))):  # parents have higher numbers than their halves
            if self.parent[node] >= 0:
                roots[node] = roots[self.parent[node]]
        return roots

    def starts(self) -> list[int]:
        """Position of each node's first voxel in an order in which the voxels of every node are contiguous."""
        first, end = [0] * len(self.parent), 0
        for node in reversed(range(len(self.parent))):
            if self.parent[node] < 0:
                first[node], end = end, end + self.size[node]
            joined = node - (len(self.parent) - len(self._halves))
            if joined >= 0:
                a, b = self._halves[joined]
                first[a], first[b] = first[node], first[node] + self.size[a]
        return first


def merge_tree(grid: Grid, edges: Graph, piece: np.ndarray) -> Tree:
    """Merge superpoints `piece` (v,), -1 for layout, pairwise into a tree.

    First, touching segments are merged, strongest bond first. A bond is the number of edges between two segments,
    divided by the smaller of their numbers of edge ends. A color difference reduces it. Then, segments with
    a gap between them are merged, nearest first.
    """
    count = int(piece.max()) + 1
    tree = Tree(np.bincount(piece[piece >= 0], minlength=count))
    color = None
    if grid.color is not None:
        kept_voxels = piece >= 0
        sums = [np.bincount(piece[kept_voxels], grid.color[kept_voxels, i], minlength=count) for i in range(3)]
        color = list(np.stack(sums, axis=1) / np.array(tree.size)[:, None])
    first, second = piece[edges.first], piece[edges.second]
    kept = (first >= 0) & (second >= 0)
    _join_touching(tree, first[kept], second[kept], color, count)
    _join_near(tree, grid, piece)
    return tree


def _join_touching(
    tree: Tree, first: np.ndarray, second: np.ndarray, color: list[np.ndarray] | None, count: int
) -> None:
    edge_ends = (np.bincount(first, minlength=count) + np.bincount(second, minlength=count)).tolist()
    low, high = np.minimum(first, second), np.maximum(first, second)
    pairs, edges = np.unique((low * count + high)[low != high], return_counts=True)
    contacts: list[dict[int, int]] = [{} for _ in range(count)]
    for pair, number in zip(pairs.tolist(), edges.tolist(), strict=True):
        a, b = divmod(pair, count)
        contacts[a][b] = contacts[b][a] = number

    def entry(a: int, b: int) -> tuple[float, int, int]:
        bond = contacts[a][b] / max(1, min(edge_ends[a], edge_ends[b]))
        if color is not None:
            bond *= float(np.exp(-SHADE * np.abs(color[a] - color[b]).mean()))
        return -round(bond, 9), min(a, b), max(a, b)

    heap = [entry(a, b) for a in range(count) for b in contacts[a] if a < b]
    heapify(heap)
    while heap:
        bond, a, b = heappop(heap)
        if tree.parent[a] >= 0 or tree.parent[b] >= 0:
            continue
        new = tree.join(a, b, -bond)
        edge_ends.append(edge_ends[a] + edge_ends[b])
        if color is not None:
            color.append((tree.size[a] * color[a] + tree.size[b] * color[b]) / tree.size[new])
        merged: dict[int, int] = {}
        for side in (a, b):
            for other, number in contacts[side].items():
                if other not in (a, b):
                    merged[other] = merged.get(other, 0) + number
                    del contacts[other][side]
        contacts.append(merged)
        for other, number in merged.items():
            contacts[other][new] = number
            heappush(heap, entry(other, new))


def _join_near(tree: Tree, grid: Grid, piece: np.ndarray) -> None:
    """Merge roots across gaps by single linkage; the bond of a merge is minus the gap in meters."""
    of_piece = np.array(tree.tops())
    if (of_piece == of_piece[0]).all():
        return
    rows = np.flatnonzero(piece >= 0)
    edge = max(COARSE, 1.5 * grid.spacing)
    cells = np.concatenate([np.floor(grid.places[rows] / edge), of_piece[piece[rows]][:, None]], axis=1)
    rows = rows[np.unique(cells, axis=0, return_index=True)[1]]
    places, owner = grid.places[rows], of_piece[piece[rows]]
    pairs = KDTree(places).query_pairs(max(GAP, 3 * grid.spacing), output_type="ndarray")
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    if not len(pairs):
        return
    gap = np.round(np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1), 9)
    ends = np.sort(owner[pairs], axis=1)
    current = list(range(len(tree.parent)))

    def top(i: int) -> int:
        while current[i] != i:
            current[i] = i = current[current[i]]
        return i

    seen = set()
    for i in np.lexsort((ends[:, 1], ends[:, 0], gap)).tolist():
        pair = (int(ends[i, 0]), int(ends[i, 1]))
        if pair in seen:
            continue
        seen.add(pair)
        a, b = top(pair[0]), top(pair[1])
        if a != b:
            new = tree.join(a, b, -float(gap[i]))
            current[a] = current[b] = new
            current.append(new)

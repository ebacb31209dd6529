"""Normals of voxels, the graph of those that touch, and superpoints: pieces of it without an edge or a crease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.scenes.proposals.frame import Frame

REACH = 2.5  # spacings that an edge of the graph is long at most
LINKS = 10  # neighbors that a voxel is joined to
COLOR = 0.3  # what a difference of color, 0 to 1, adds to one of direction
GRAIN = 1.0  # of superpoints, see `superpoints`
LEAST = 8  # voxels


@dataclass(frozen=True, eq=False)
class Graph:
    """e edges between voxels: first, second (e,) indices, first < second; weight (e,), difference of the surfaces."""

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray


def normals(frame: Frame) -> np.ndarray:
    """Unit normals (v, 3), of either sign, of the plane through each voxel's neighbors."""
    nearest = np.minimum(frame.beside[1], len(frame.places) - 1)
    made = np.empty_like(frame.places)
    for start in range(0, len(made), 1 << 15):
        around = frame.places[nearest[start : start + (1 << 15)]]
        around = around - around.mean(axis=1, keepdims=True)
        made[start : start + (1 << 15)] = np.linalg.eigh(around.swapaxes(1, 2) @ around)[1][:, :, 0]
    return made


def graph(frame: Frame, direction: np.ndarray) -> Graph:
    """Voxels that touch: each and its ten nearest, no farther than 2.5 spacings."""
    distance, index = (rows[:, 1 : LINKS + 1] for rows in frame.beside)
    near = np.isfinite(distance) & (distance <= REACH * frame.spacing)
    own = np.repeat(np.arange(len(frame.places)), near.sum(axis=1))
    other = index[near]
    pairs = np.unique(np.minimum(own, other) * len(frame.places) + np.maximum(own, other))
    first, second = np.divmod(pairs, len(frame.places))
    weight = 1 - np.abs(np.einsum("ij,ij->i", direction[first], direction[second]))
    if frame.color is not None:
        weight += COLOR * np.abs(frame.color[first] - frame.color[second]).mean(axis=1)
    return Graph(first, second, np.round(weight, 6))


def superpoints(edges: Graph, count: int) -> np.ndarray:
    """The superpoint (v,) of each of `count` voxels, from 0 up.

    Edges are taken from the smoothest on; they join two pieces unless they are rougher than the roughest edge inside
    either, and by more than `GRAIN` divided by its size (Felzenszwalb and Huttenlocher, IJCV 2004). Pieces of fewer
    than 8 voxels go to the neighbor that they differ least from.
    """
    order = np.argsort(edges.weight, kind="stable")
    columns = (column[order].tolist() for column in (edges.first, edges.second, edges.weight))
    pairs = list(zip(*columns, strict=True))
    parent, size, most = list(range(count)), [1] * count, [GRAIN] * count

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for small in (False, True):
        for a, b, weight in pairs:
            a, b = root(a), root(b)
            if a == b or (min(size[a], size[b]) >= LEAST if small else weight > min(most[a], most[b])):
                continue
            parent[b] = a
            size[a] += size[b]
            most[a] = weight + GRAIN / size[a]
    return np.unique([root(i) for i in range(count)], return_inverse=True)[1].reshape(-1)

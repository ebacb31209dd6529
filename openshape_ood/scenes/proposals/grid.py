"""Voxels of a scan on one grid, and their neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEIGHBORS = 16


@dataclass(frozen=True, eq=False)
class Grid:
    """v voxels of a scan, sorted by cell number.

    places: mean (v, 3) of each voxel's points, in meters from the mean of all points, z up; color: mean color (v, 3) in
    [0, 1]; inverse: voxel (n,) of each point; size: side of a voxel, meters; axes: matrix (2, 2) that rotated x and y.
    """

    places: np.ndarray
    color: np.ndarray | None
    inverse: np.ndarray
    size: float
    axes: np.ndarray

    @cached_property
    def neighbors(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices (v, 17): each voxel, then its 16 nearest; infinity and v for missing voxels."""
        from scipy.spatial import KDTree

        # the voxels are sorted by cell, so the tree is balanced without the slow search of medians
        tree = KDTree(self.places, leafsize=24, balanced_tree=False)
        distance, index = tree.query(self.places, k=NEIGHBORS + 1)
        return distance, index

    @cached_property
    def spacing(self) -> float:
        """Median distance to the fourth neighbor, at least the side of a voxel. Other radii are multiples of it."""
        fourth = self.neighbors[0][:, min(4, len(self.places) - 1)]
        return max(self.size, float(np.median(fourth)))

"""Voxels of a scan on one grid, and their neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEIGHBORS = 16


@dataclass(frozen=True, eq=False)
class Grid:
    """v voxels of a scan, sorted by their cells.

    places: mean of the points of each voxel (v, 3), meters, z up; color: mean color (v, 3) in [0, 1]; inverse: the
    voxel (n,) of each point; size: of a voxel, meters; axes: the matrix (2, 2) that turned x and y.
    """

    places: np.ndarray
    color: np.ndarray | None
    inverse: np.ndarray
    size: float
    axes: np.ndarray

    @cached_property
    def beside(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices (v, 17) of each voxel and its nearest; with fewer voxels, infinity and v."""
        from scipy.spatial import KDTree

        # sorted by their cells, voxels make a good tree without a search for medians
        tree = KDTree(self.places, leafsize=24, balanced_tree=False)
        distance, index = tree.query(self.places, k=NEIGHBORS + 1)
        return distance, index

    @cached_property
    def spacing(self) -> float:
        """Median distance to the fourth neighbor, and the size of a voxel at least: what radii grow with."""
        fourth = self.beside[0][:, min(4, len(self.places) - 1)]
        return max(self.size, float(np.median(fourth)))

"""Field: occupancy logits of names at any position, as a grid, a mesh, or a map of unexplained space."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from openshape_ood.checks import array, check_count, words
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.devices import exact
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import InputError, MissingPackageError, UnknownNameError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.views.completion.grid import Grid
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import in_picture, moved, signed_distance
from openshape_ood.views.view import View

PIECE = 1 << 18  # positions per block
KEPT_BYTES = 1 << 29  # bytes of cached volumes
MOST_SIDE = 256
PEAK = 0.15  # released networks of relations: occupied cells have a logit at most this far below the largest


class VolumePart(NamedTuple):
    """Network input for one volume: points (n, 3) in the network's frame, and their features `numbers` (n, f)."""

    points: Tensor
    numbers: Tensor


@dataclass(frozen=True, eq=False)
class Field:
    """Occupancy of k names in a box, hidden parts included; computed on demand."""

    names: tuple[str, ...]
    network: CompletionNetwork
    parts: tuple[VolumePart, ...]  # network input of each volume
    reads: tuple[tuple[int, ...], ...]  # for each name, its parts: one, or two for target and reference
    queries: tuple[Tensor | None, ...]  # for each name, the query (1, d) of `network.decode`, or None
    points: np.ndarray  # (n, 3), visible points in the world
    frame: np.ndarray  # (4, 4), world to the frame of the network's grid
    views: tuple[View, ...]  # they show empty space; () if there are only points
    provenance: Provenance
    _volumes: OrderedDict[int, Tensor] = field(default_factory=OrderedDict, repr=False)
    _cells: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"Field({', '.join(self.names)}, by {self.provenance.identity.checkpoint!r})"

    def logits(self, queries: np.ndarray, names: Sequence[str] | None = None) -> np.ndarray:
        """Occupancy logits of names at positions.

        Parameters
        ----------
        queries : ndarray (m, 3)
            Positions in the world, meters.
        names : sequence of str, optional
            Subset of the field's names. Default: all.

        Returns
        -------
        ndarray (k, m) float32
            Above `network.sizes.threshold`: occupied. Undefined outside of the network's box.

        Raises
        ------
        InputError
            For queries that are no finite positions, and an unknown name.
        """
        given = array(queries, "queries", "bd")
        if given.shape[1] != 3:
            raise InputError(
                f"queries have the shape {given.shape}. Expected positions (m, 3) in meters. Reshape them."
            )
        places = moved(given.astype(np.float64), self.frame)
        rows = self._rows(names)
        table = np.empty((len(rows), len(places)), dtype=np.float32)
        for row, i in enumerate(rows):
            table[row] = self._of(i, places)
        return table

    def grid(self, side: int = 64, names: Sequence[str] | None = None) -> np.ndarray:
        """Logits (k, side, side, side) float32 at `centers(side)`; x varies slowest."""
        return self.logits(self.centers(side), names).reshape(-1, side, side, side)

    def centers(self, side: int = 64) -> np.ndarray:
        """Centers (side³, 3) of the grid cells over the network's box, in the world; x varies slowest."""
        return moved(self.cut(side).centers().numpy().astype(np.float64), np.linalg.inv(self.frame))

    def cut(self, side: int) -> Grid:
        """The network's box as a grid of side³ cells, in the network's frame. Raises `InputError`."""
        check_count(side, "side", MOST_SIDE, "cells along an edge")
        return Grid(side, self.network.grid.low, self.network.grid.high)

    def cells_of(self, points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Mask (n,) of the world points (n, 3) that are in the box, and the cells (m,) of these m points."""
        grid, places = self.cut(side), torch.from_numpy(moved(points, self.frame))
        inside = grid.inside(places)
        return inside.numpy(), grid.cells(places[inside]).numpy()

    def occupied(self, name: str, side: int = 64) -> np.ndarray:
        """Mask (side, side, side) of cells that a name occupies. Cells outside all views or seen empty are excluded."""
        return ((self._above(self._rows([name])[0], side) > 0) & self._covered(side)).reshape(side, side, side)

    def mesh(self, name: str, side: int = 64) -> Any:
        """Surface of a name's occupied space, in meters, z up; `.export("name.glb")` writes it.

        Parameters
        ----------
        name : str
        side : int
            Cells of the grid along an edge.

        Returns
        -------
        trimesh.Trimesh

        Raises
        ------
        UnknownNameError
            For an unknown name.
        InputError
            If the name occupies no cell.
        MissingPackageError
            Without scikit-image.
        """
        try:
            from skimage.measure import marching_cubes
        except ImportError as error:
            raise MissingPackageError(
                "meshes are not available. Expected the package scikit-image. Run pip install 'openshape-ood[views]'."
            ) from error
        import trimesh

        above = self._above(self._rows([name])[0], side)
        above = np.where(self._covered(side), above, np.minimum(above, -1)).reshape(side, side, side)
        if not (above > 0).any():
            raise InputError(f"{name!r} occupies no cell. Expected a name that occupies space. Leave it out.")
        # padded, so that the surface is closed at the faces of the box
        closed = np.pad(above, 1, constant_values=above.min())
        vertices, faces, _, _ = marching_cubes(closed, 0.0, gradient_direction="ascent")
        grid = self.network.grid
        places = grid.low + (vertices - 0.5) * np.subtract(grid.high, grid.low) / side
        return trimesh.Trimesh(moved(places, np.linalg.inv(self.frame)), faces, process=False)

    def unexplained(self, known: Sequence[str], side: int = 64) -> NoveltyMap:
        """Occupied space that no known name explains.

        Parameters
        ----------
        known : sequence of str
            Subset of the field's names.
        side : int
            Cells of the grid along an edge.

        Returns
        -------
        NoveltyMap
            Map of the cells that have visible points or that a name occupies. Novelty: 1 minus the largest probability
            that a known name occupies the cell. Threshold: 0.5.

        Raises
        ------
        UnknownNameError
            For an unknown name.
        """
        rows, covered, (filled, places) = self._rows(known), self._covered(side), self._visible(side)
        best, nearest = np.full(side**3, -np.inf), np.zeros(side**3, dtype=np.int64)
        for i in range(len(self.names)):
            above = self._above(i, side, places)
            filled |= covered & (above > 0)
            if i in rows:
                nearest[above > best] = rows.index(i)
                best = np.maximum(best, above)
        classes = words(self.names[i] for i in rows)
        probability = expit(best[filled])
        return NoveltyMap(
            elements=Elements("voxels", np.argwhere(filled.reshape(side, side, side))),
            novelty=1 - probability,
            nearest=classes[nearest[filled]],
            classes=classes,
            baseline=float("nan"),
            threshold=Threshold(0.5, source="a known name fills the cell, or none does"),
            provenance=self.provenance,
            name="the completed view",
            up="z",
            similarity=probability,
        )

    def _rows(self, names: Sequence[str] | None) -> list[int]:
        if names is None:
            return list(range(len(self.names)))
        for name in (given := clean_names(names)):
            if name not in self.names:
                raise UnknownNameError(
                    f"{name!r} was not completed. Expected one of {', '.join(self.names)}. Choose one, or "
                    "complete it too."
                )
        return [self.names.index(name) for name in given]

    def _of(self, i: int, places: np.ndarray) -> np.ndarray:
        """Logits (m,) of name i at positions (m, 3) in the network's frame."""
        device = self.parts[0].points.device
        parts = [np.empty(0, dtype=np.float32)]
        with torch.inference_mode(), exact(device):
            volume = torch.cat([self._volume(part) for part in self.reads[i]], dim=1)
            for start in range(0, len(places), PIECE):
                piece = torch.from_numpy(places[start : start + PIECE]).float().to(device)
                parts.append(self.network.decode(volume, piece[None], self.queries[i])[0].cpu().numpy())
        return np.concatenate(parts)

    def _volume(self, part: int) -> Tensor:
        """Volume of a part. The most recently computed volumes are cached."""
        if part not in self._volumes:
            points, numbers = self.parts[part]
            self._volumes[part] = self.network.volume(points[None], numbers[None])
            while len(self._volumes) > max(2, KEPT_BYTES // self._volumes[part].nbytes):
                self._volumes.popitem(last=False)
        return self._volumes[part]

    def _above(self, i: int, side: int, places: np.ndarray | None = None) -> np.ndarray:
        """Logits (side³,) of name i minus the occupancy threshold, at cell centers or at `places`."""
        logits = self._of(i, self.cut(side).centers().numpy() if places is None else places)
        sizes = self.network.sizes
        return logits - (logits.max() - PEAK if sizes.relates and sizes.legacy else sizes.threshold)

    def _covered(self, side: int) -> np.ndarray:
        """Mask (side³,) of cells that are in a view and were not seen empty, cached for all names."""
        if side not in self._cells:
            centers, grid = self.centers(side), self.network.grid
            scale = np.cbrt(abs(np.linalg.det(self.frame[:3, :3])))
            voxel = float(max(np.subtract(grid.high, grid.low)) / side / scale)  # meters
            covered = np.full(len(centers), not self.views)
            for view in self.views:
                covered |= in_picture(centers, view.intrinsics, view.pose, view.shape)
            for view in self.views:
                covered &= signed_distance(centers, view.depth, view.intrinsics, view.pose, voxel) <= 0
            self._cells[side] = covered
        return self._cells[side]

    def _visible(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Mask (side³,) of cells with visible points; positions (side³, 3): mean of a cell's points, or its center."""
        inside, index = self.cells_of(self.points, side)
        points, places = moved(self.points[inside], self.frame), self.cut(side).centers().numpy()
        counts = np.bincount(index, minlength=side**3)
        # the mean of the points, because the center of a cell may be half a cell off the surface
        sums = np.stack([np.bincount(index, axis, side**3) for axis in points.T], axis=1)
        places[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
        return counts > 0, places

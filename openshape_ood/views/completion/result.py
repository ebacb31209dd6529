"""Completed view: occupied space of each name, hidden parts included, and space that no known name explains."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.novelty_map import Elements, NoveltyMap, Region
from openshape_ood.scenes import Scene, find_objects, save_scene
from openshape_ood.scenes.saving import label_colors
from openshape_ood.storage import make_folder, save_whole
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion.complete import DEFAULT, RELATIONAL, Completer, complete, locate
from openshape_ood.views.completion.field import Field
from openshape_ood.views.completion.network import RELATIONS
from openshape_ood.views.view import FARTHEST, View

SIDE = 48  # cells along an edge
MOST = 40_000  # maximum points for finding floor and walls
LEAST = 0.01  # cubic meters, minimum volume of a listed new region
Step = Callable[[int, int], None]
UPRIGHT = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # rotation from z up to y up (glTF)


@dataclass(frozen=True, eq=False)
class CompletedView:
    """Result of `complete_view`.

    Attributes
    ----------
    view : View
    affinities : Affinities
        Affinities of the view's pixels to k names.
    field : Field
        Occupancy of each name.
    known : tuple of str
        Known names, a subset of the k names.
    located : tuple of Field
        One field for each question "target relation reference".
    side : int
        Cells along an edge of the grid.
    progress : function, optional
        Called during the computation of `cells` with the number of finished descriptions and their total number.
    """

    view: View
    affinities: Affinities
    field: Field
    known: tuple[str, ...]
    located: tuple[Field, ...] = ()
    side: int = SIDE
    progress: Step | None = None

    def __repr__(self) -> str:
        return f"CompletedView({self.view.name!r}, {', '.join(self.descriptions)}; known: {', '.join(self.known)})"

    @property
    def descriptions(self) -> tuple[str, ...]:
        """The names, then the questions "target relation reference"."""
        return tuple(self._fields)

    @cached_property
    def cells(self) -> dict[str, np.ndarray]:
        """For each description, the mask (side, side, side) of occupied cells."""
        masks: dict[str, np.ndarray] = {}
        for name, field in self._fields.items():
            masks[name] = field.occupied(name, self.side)
            if self.progress is not None:
                self.progress(len(masks), len(self._fields))
        return masks

    @cached_property
    def centers(self) -> np.ndarray:
        """Centers (side, side, side, 3) of the cells in the world, in meters."""
        return self.field.centers(self.side).reshape(self.side, self.side, self.side, 3)

    @cached_property
    def voxels(self) -> NoveltyMap:
        """Map of `Field.unexplained`. Cells of floor, walls and ceiling are left out, unless a name occupies them."""
        unexplained = self.field.unexplained(self.known, self.side)
        at = tuple(unexplained.elements.rows.T)
        kept = ~self._layout[at] | np.any([mask[at] for mask in self.cells.values()], axis=0)
        parts = {key: getattr(unexplained, key)[kept] for key in ("novelty", "nearest", "similarity")}
        return replace(
            unexplained, elements=Elements("voxels", unexplained.elements.rows[kept]), **parts, name=self.view.name
        )

    @cached_property
    def novelty(self) -> NoveltyMap:
        """The map `voxels` with cell centers as points, in meters."""
        rows = self.centers[tuple(self.voxels.elements.rows.T)]
        return replace(self.voxels, elements=Elements("points", rows))

    @cached_property
    def new(self) -> list[Region]:
        """Connected unexplained regions of at least 0.01 cubic meters, largest first."""
        if not len(self.voxels):
            return []
        return self.voxels.regions(math.ceil(LEAST / self._volume))

    def rows(self) -> list[dict[str, Any]]:
        """Records with volume and position: first the descriptions, then the new regions."""
        peaks = {one["name"]: one["peak"] for one in self.affinities.rows()}
        rows = []
        for name, at in self.cells.items():
            status = "located" if name not in self.field.names else "known" if name in self.known else "not known"
            rows.append({"name": name, "status": status, "affinity": peaks.get(name)} | self._place(self.centers[at]))
        for i, region in enumerate(self.new, 1):
            at = self.novelty.elements.rows[region.indices]
            rows.append({"name": f"new {i}", "status": "new", "affinity": None} | self._place(at))
        return rows

    def as_json(self) -> dict[str, Any]:
        """All results, for JSON."""
        h, w = self.view.shape
        record = {"view": self.view.name, "height": h, "width": w, "known": self.known, "side": self.side}
        record["cell_m"] = round(float(np.cbrt(self._volume)), 4)
        sources = {"affinities": self.affinities.provenance, "completion": self.field.provenance}
        if self.located:
            sources["relations"] = self.located[0].provenance
        return {**record, "found": self.rows(), "provenance": {key: one.as_json() for key, one in sources.items()}}

    def meshes(self) -> dict[str, Any]:
        """For each description that occupies space, its colored surface, in meters, z up. Needs scikit-image."""
        meshes = {}
        for name, color in self.colors().items():
            if self.cells[name].any():
                meshes[name] = self._fields[name].mesh(name, self.side)
                meshes[name].visual.vertex_colors = [*np.rint(255 * color).astype(np.uint8), 255]
        return meshes

    def colors(self) -> dict[str, np.ndarray]:
        """Color (3,) in [0, 1] of each description."""
        return dict(zip(self.descriptions, label_colors(np.arange(1, len(self.descriptions) + 1)), strict=True))

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write all results except plots into a folder, created if missing. Raises `FileError`.

        Returns
        -------
        list of Path
            `view.json`; `affinities.npz`; `novelty.ply`, the novelty map; for each description that occupies space, a
            PLY file of its cells, in meters, z up. With scikit-image, also the surfaces: an OBJ file for each, in
            meters, z up, and `completed.glb` with all, y up as glTF requires.
        """
        folder = make_folder(folder)
        text = json.dumps(self.as_json(), indent=2, allow_nan=False)
        written = [save_whole(folder / "view.json", text.encode(), "the figures")]
        written.append(self.affinities.save(folder / "affinities.npz"))
        if len(self.novelty):
            written.append(self.novelty.save(folder / "novelty.ply"))
        meshes = {} if find_spec("skimage") is None else self.meshes()
        for i, (name, color) in enumerate(self.colors().items(), 1):
            places = self.centers[self.cells[name]]
            if len(places):
                file = folder / f"{i:02}-{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40]}.ply"
                written.append(save_scene(Scene(places, np.tile(color, (len(places), 1))), file))
            if name in meshes:
                text = meshes[name].export(file_type="obj", header=None)
                written.append(save_whole(file.with_suffix(".obj"), text.encode(), "the mesh"))
        if meshes:
            written.append(save_whole(folder / "completed.glb", _glb(meshes), "the meshes"))
        return written

    def plot(self, **options: Any) -> Any:
        """Plot, see `openshape_ood.plots.completed`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.completed(self, **options)

    @cached_property
    def _fields(self) -> dict[str, Field]:
        """Field of each description."""
        return dict.fromkeys(self.field.names, self.field) | {one.names[0]: one for one in self.located}

    @property
    def _volume(self) -> float:
        """Cubic meters of a cell."""
        grid = self.field.network.grid
        return float(np.prod(np.subtract(grid.high, grid.low)) / self.side**3 / abs(np.linalg.det(self.field.frame)))

    def _place(self, places: np.ndarray) -> dict[str, Any]:
        """Volume and position of cells with centers (m, 3)."""
        record: dict[str, Any] = {"liters": round(1000 * self._volume * len(places), 1), "size": None, "center": None}
        if len(places):
            edge = np.cbrt(self._volume)
            record["size"] = (np.ptp(places, axis=0) + edge).round(2).tolist()
            record["center"] = places.mean(axis=0).round(2).tolist()
        return record

    @cached_property
    def _layout(self) -> np.ndarray:
        """Mask (side, side, side) of cells whose visible points are mostly on floor, walls or ceiling."""
        scene = self.view.scene()
        near = np.flatnonzero(np.abs(scene.points - self.view.pose[:3, 3]).max(axis=1) < FARTHEST)
        rows = near[np.linspace(0, len(near) - 1, min(len(near), MOST)).astype(np.int64)]
        flat = np.zeros(len(rows), dtype=bool)
        for plane in find_objects(scene.take(rows), runs=1).layout:
            flat[plane.rows] = True
        inside, index = self.field.cells_of(scene.points[rows], self.side)
        votes = np.bincount(index, weights=2 * flat[inside] - 1.0, minlength=self.side**3)
        return (votes > 0).reshape(self.side, self.side, self.side)


def questions_of(view: View, names: Sequence[str] | None = None) -> list[tuple[str, str, str]]:
    """Questions of a view whose relation is in `RELATIONS`, and whose target and reference are in `names`, if given."""
    return [
        (target, relation, reference)
        for target, relation, reference in view.questions
        if relation in RELATIONS and (names is None or {target, reference} <= set(names))
    ]


def complete_view(
    view: View,
    affinities: Affinities,
    known: Sequence[str] | None = None,
    *,
    questions: Sequence[tuple[str, str, str]] = (),
    model: str | Completer = DEFAULT,
    relations: str | Completer = RELATIONAL,
    side: int = SIDE,
    seed: int = 0,
    progress: Step | None = None,
) -> CompletedView:
    """Complete the names of `affinities` in a view, and find the space that no known name explains.

    Parameters
    ----------
    view : View
    affinities : Affinities
        Affinities of the view's pixels to k names.
    known : sequence of str, optional
        Known names, a subset of the k names. Default: all.
    questions : sequence of (target, relation, reference)
        Targets to locate; affinities to target and reference are needed.
    model, relations : str or Completer
        Networks of names and of relations, as in `complete` and `locate`.
    side : int
        Cells along an edge of the grid.
    seed : int
        Seed of the random choice of points if the view has more than the networks take.
    progress : function, optional
        Called during the computation of `cells` with the number of finished descriptions and their total number.

    Returns
    -------
    CompletedView

    Raises
    ------
    UnknownNameError
        For known names and questions without affinities.
    InputError, CloudError, RegistryError, CheckpointError
        As in `complete` and `locate`.
    """
    view.scene()  # raises CloudError if no pixel has a depth
    names = tuple(affinities.names[i] for i in affinities.index(known))
    how: dict[str, Any] = {"affinities": affinities, "seed": seed}
    located = tuple(locate(view, *question, model=relations, **how) for question in questions)
    field = complete(view, affinities.names, model=model, **how)
    return CompletedView(view, affinities, field, names, located, side, progress)


def _glb(meshes: Mapping[str, Any]) -> bytes:
    """One glTF file, y up, of named meshes, which are z up in meters."""
    import trimesh

    scene = trimesh.Scene()
    for name, mesh in meshes.items():
        scene.add_geometry(mesh.copy().apply_transform(UPRIGHT), node_name=name, geom_name=name)
    return bytes(scene.export(file_type="glb"))

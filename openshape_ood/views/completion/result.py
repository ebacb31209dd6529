"""A view looked at as a whole: what each name fills, hidden parts included, and what no known name explains."""

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
MOST = 40_000  # points in which floor and walls are looked for
LEAST = 0.01  # cubic meters, of a new thing that is listed
Step = Callable[[int, int], None]
UPRIGHT = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # from z up to glTF's y up


@dataclass(frozen=True, eq=False)
class CompletedView:
    """What `complete_view` finds.

    Attributes
    ----------
    view : View
    affinities : Affinities
        Of its pixels to k names.
    field : Field
        Where each of the names is.
    known : tuple of str
        Those of the names that are known.
    located : tuple of Field
        One for each question "target relation reference".
    side : int
        Of the grid on which all is told.
    progress : function, optional
        Called while `cells` are computed.
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
        """The names, then what was located."""
        return tuple(self._fields)

    @cached_property
    def cells(self) -> dict[str, np.ndarray]:
        """Of each description the cells (side, side, side) bool that it fills."""
        found: dict[str, np.ndarray] = {}
        for name, own in self._fields.items():
            found[name] = own.occupied(name, self.side)
            if self.progress is not None:
                self.progress(len(found), len(self._fields))
        return found

    @cached_property
    def centers(self) -> np.ndarray:
        """The middles (side, side, side, 3) of the cells in the world, in meters."""
        return self.field.centers(self.side).reshape(self.side, self.side, self.side, 3)

    @cached_property
    def voxels(self) -> NoveltyMap:
        """What no known name explains, of the cells that are filled, without those of floor, walls and ceiling."""
        found = self.field.unexplained(self.known, self.side)
        at = tuple(found.elements.rows.T)
        kept = ~self._layout[at] | np.any([own[at] for own in self.cells.values()], axis=0)
        parts = {key: getattr(found, key)[kept] for key in ("novelty", "nearest", "similarity")}
        return replace(found, elements=Elements("voxels", found.elements.rows[kept]), **parts, name=self.view.name)

    @cached_property
    def novelty(self) -> NoveltyMap:
        """The same at points in the world, in meters."""
        rows = self.centers[tuple(self.voxels.elements.rows.T)]
        return replace(self.voxels, elements=Elements("points", rows))

    @cached_property
    def new(self) -> list[Region]:
        """The connected pieces that no known name explains, of 0.01 cubic meters or more, the largest first."""
        if not len(self.voxels):
            return []
        return self.voxels.regions(math.ceil(LEAST / self._volume))

    def rows(self) -> list[dict[str, Any]]:
        """A record a description, then one for each new thing: how much it fills, and where."""
        peaks = {one["name"]: one["peak"] for one in self.affinities.rows()}
        rows = []
        for name, own in self.cells.items():
            status = "located" if name not in self.field.names else "known" if name in self.known else "not known"
            rows.append({"name": name, "status": status, "affinity": peaks.get(name)} | self._place(self.centers[own]))
        for i, region in enumerate(self.new, 1):
            own = self.novelty.elements.rows[region.indices]
            rows.append({"name": f"new {i}", "status": "new", "affinity": None} | self._place(own))
        return rows

    def as_json(self) -> dict[str, Any]:
        """Everything that is told, for machines."""
        h, w = self.view.shape
        told = {"view": self.view.name, "height": h, "width": w, "known": self.known, "side": self.side}
        told["cell_m"] = round(float(np.cbrt(self._volume)), 4)
        sources = {"affinities": self.affinities.provenance, "completion": self.field.provenance}
        if self.located:
            sources["relations"] = self.located[0].provenance
        return {**told, "found": self.rows(), "provenance": {key: own.as_json() for key, own in sources.items()}}

    def meshes(self) -> dict[str, Any]:
        """Of each description that fills something its surface, in meters, z up, in color; needs scikit-image."""
        found = {}
        for name, own in self.colors().items():
            if self.cells[name].any():
                found[name] = self._fields[name].mesh(name, self.side)
                found[name].visual.vertex_colors = [*np.rint(255 * own).astype(np.uint8), 255]
        return found

    def colors(self) -> dict[str, np.ndarray]:
        """A color (3,) in [0, 1] a description."""
        return dict(zip(self.descriptions, label_colors(np.arange(1, len(self.descriptions) + 1)), strict=True))

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write everything but pictures into a folder, made where there is none. Raises `FileError`.

        Returns
        -------
        list of Path
            `view.json`; `affinities.npz`; `novelty.ply`, what no known name explains; a PLY of cells for each
            description that fills something, in meters, z up. Where scikit-image is installed, also their surfaces: an
            OBJ for each, in meters, z up, and all in `completed.glb`, y up as glTF has it.
        """
        folder = make_folder(folder)
        text = json.dumps(self.as_json(), indent=2, allow_nan=False)
        written = [save_whole(folder / "view.json", text.encode(), "the figures")]
        written.append(self.affinities.save(folder / "affinities.npz"))
        if len(self.novelty):
            written.append(self.novelty.save(folder / "novelty.ply"))
        meshes = {} if find_spec("skimage") is None else self.meshes()
        for i, (name, own) in enumerate(self.colors().items(), 1):
            places = self.centers[self.cells[name]]
            if len(places):
                file = folder / f"{i:02}-{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40]}.ply"
                written.append(save_scene(Scene(places, np.tile(own, (len(places), 1))), file))
            if name in meshes:
                text = meshes[name].export(file_type="obj", header=None)
                written.append(save_whole(file.with_suffix(".obj"), text.encode(), "the mesh"))
        if meshes:
            written.append(save_whole(folder / "completed.glb", _glb(meshes), "the meshes"))
        return written

    def plot(self, **options: Any) -> Any:
        """Draw it, see `openshape_ood.plots.completed`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.completed(self, **options)

    @cached_property
    def _fields(self) -> dict[str, Field]:
        """Of each description the field that tells it."""
        return dict.fromkeys(self.field.names, self.field) | {one.names[0]: one for one in self.located}

    @property
    def _volume(self) -> float:
        """Of a cell, in cubic meters."""
        grid = self.field.network.grid
        return float(np.prod(np.subtract(grid.high, grid.low)) / self.side**3 / abs(np.linalg.det(self.field.frame)))

    def _place(self, places: np.ndarray) -> dict[str, Any]:
        """How much cells with the middles (m, 3) fill, and where."""
        told: dict[str, Any] = {"liters": round(1000 * self._volume * len(places), 1), "size": None, "center": None}
        if len(places):
            edge = np.cbrt(self._volume)
            told["size"] = (np.ptp(places, axis=0) + edge).round(2).tolist()
            told["center"] = places.mean(axis=0).round(2).tolist()
        return told

    @cached_property
    def _layout(self) -> np.ndarray:
        """The cells (side, side, side) whose visible points lie on floor, walls or ceiling for the most part."""
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
    """The questions that came with a view and can be asked: of a known relation and, if given, about these names."""
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
    """Complete everything that a view has affinities to, and say what no known name explains.

    Parameters
    ----------
    view : View
    affinities : Affinities
        Of its pixels to k names.
    known : sequence of str, optional
        Those of the names that are known, or all.
    questions : sequence of (target, relation, reference)
        What is to be located; affinities to target and reference are needed.
    model, relations : str or Completer
        The networks of names and of relations, as `complete` and `locate` take them.
    side : int
        Cells along an edge of the grid on which all is told.
    seed : int
        Of the points that are drawn where there are too many.
    progress : function, optional
        Called with the numbers of names completed and of all, while `cells` are computed.

    Returns
    -------
    CompletedView

    Raises
    ------
    UnknownNameError
        For known names and questions to which there are no affinities.
    InputError, CloudError, RegistryError, CheckpointError
        As `complete` and `locate`.
    """
    view.scene()  # says where there is nothing to see
    names = tuple(affinities.names[i] for i in affinities.index(known))
    how: dict[str, Any] = {"affinities": affinities, "seed": seed}
    located = tuple(locate(view, *question, model=relations, **how) for question in questions)
    found = complete(view, affinities.names, model=model, **how)
    return CompletedView(view, affinities, found, names, located, side, progress)


def _glb(meshes: Mapping[str, Any]) -> bytes:
    """Meshes by name, in meters, z up, as one file of glTF, y up."""
    import trimesh

    room = trimesh.Scene()
    for name, mesh in meshes.items():
        room.add_geometry(mesh.copy().apply_transform(UPRIGHT), node_name=name, geom_name=name)
    return bytes(room.export(file_type="glb"))

"""Scans from files: points, color, labels and instances by name, brought to meters with z up."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_positive, check_seed, given_path
from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.scenes.scene import Scene, as_scene, whole_numbers
from openshape_ood.scenes.validation import ScanWarning, check_size, warn_of_axis, without_stray_points
from openshape_ood.shapes import fields, reading
from openshape_ood.shapes.colors import color_doubt, named_color
from openshape_ood.shapes.formats import format_of
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.meshes import MAX_DRAWN, most_points, sample_spaced
from openshape_ood.shapes.points import check_up, warn_if_coarse

# columns and arrays by these names, also with the "scalar_" before them that CloudCompare writes
LABELS = ("label", "labels", "semantic", "semantic_label", "classification")
INSTANCES = ("instance_id", "instance", "instances", "instance_label", "object_id")
NAMES = (*LABELS, *INSTANCES)
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
SPACING = 0.02  # meters
FEW, APART = 50_000, 0.1  # vertices of a PLY mesh that is sampled, at most, and meters between them, at least
MAX_POINTS = 50_000_000
LABELS_BESIDE = ".labels.ply"  # the colors of such a file are its labels

Columns = Mapping[str, np.ndarray]
# how (x, y, z) of a file become the scan's, by the axis that is up: turned, never mirrored
TURNS = {
    "z": ((0, 1), (1, 1), (2, 1)),
    "-z": ((0, 1), (1, -1), (2, -1)),
    "y": ((0, 1), (2, -1), (1, 1)),
    "-y": ((0, 1), (2, 1), (1, -1)),
    "x": ((1, 1), (2, 1), (0, 1)),
    "-x": ((2, 1), (1, 1), (0, -1)),
}


def load_scene(
    path: Any,
    *,
    up: str = "file",
    unit: str = "file",
    labels: str | os.PathLike[str] | None = None,
    spacing: float | None = None,
    seed: int = 0,
) -> Scene:
    """The scan in a file, or of points in memory, in meters with z up.

    PLY, PCD, LAS, LAZ, NPZ, NPY and text hold points, with color, labels and instances by the names of their columns.
    glTF, OBJ and other meshes are sampled. Of a mesh in a PLY file, as ScanNet's, the vertices are the scan; it is
    sampled where they lie on average more than 10 cm apart, as a modelled room's do, and no labels are of them.

    Parameters
    ----------
    path : str, Path, Scene, array (n, 3|6), structured array, or object
        A file with one of the suffixes that `load_shape` reads, or points as `Scene` takes them. ScanNet's
        `NAME_vh_clean_2.ply` takes its labels from `NAME_vh_clean_2.labels.ply` where that is beside it.
    up : {"file", "z", "y", "x", "-z", "-y", "-x"}
        The axis that is up in the file or the points; "file" takes what the file states (glTF: y), else z.
    unit : {"file", "m", "cm", "mm", "in", "ft"}
        Of the coordinates; "file" takes what a COLLADA file states, else meters.
    labels : str or Path, optional
        A file with a label for each point: ScanNet's text format, one whole number a line, or a format with points.
    spacing : float, optional
        Of a mesh, also in any PLY file, one point is drawn for each square of this side, in meters, of its surface;
        0.02 if left out.
    seed : int
        Of that drawing.

    Returns
    -------
    Scene
        Labels and instances below 0 are 0, none; where all are 0 there are none. Points come in the order of the file,
        repeated ones too. A PCD file's points that were never measured (NaN) are left out, and so are stray points:
        the few that lie more than 1 km beyond nearly all others, or more than the scan is large if that is more.

    Raises
    ------
    ShapeFileError
        Naming the file, for what cannot be read or is hostile: NaN, a size of more than a kilometer without a `unit`
        that says so (LAS and LAZ apart), labels of another number than points.
    InputError
        For settings that cannot be.

    Warns
    -----
    ScanWarning
        Where it is more than 100 m across, and no `unit` says so; where stray points are left out; where columns look
        like colors and cannot be used.
    AxisWarning
        Where it looks like a room in which another axis is up.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "room.txt"
    ...     _ = path.write_text("x y z label\\n0 0 0 5\\n1000 0 2000 -1\\n")
    ...     scene = load_scene(path, unit="mm")
    >>> scene.points.tolist(), scene.labels.tolist()
    ([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0]], [5, 0])
    """
    check_choice(unit, "unit", ("file", *UNITS))
    own_up = "z" if up == "file" else check_up(up)
    square = None if spacing is None else check_positive(spacing, "spacing")
    check_seed(seed)
    if hasattr(path, "ndim") or fields.holds_points(path):
        scene, doubts = _in_memory(path, unit, labels)
    else:
        source = given_path(path, "path", ShapeFileError)
        own_up = reading.stated_up(source) or own_up if up == "file" else own_up
        scene, doubts = _from_file(source, unit, square, seed, labels)
    for doubt in filter(None, doubts):
        warnings.warn(doubt, ScanWarning, stacklevel=2)
    scene = without_stray_points(scene, stacklevel=2)
    warn_if_coarse(scene.points, scene.name, stacklevel=3)
    warn_of_axis(scene.points, own_up, scene.name, stacklevel=3)
    return scene if own_up == "z" else replace(scene, points=_turned(scene.points, own_up))


def load_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """The labels in a file: ScanNet's text format, one whole number a line, or the column of a format with points.

    Returns
    -------
    (n,) int64
        Those below 0 are 0, none.

    Raises
    ------
    ShapeFileError
        Naming the file, for what cannot be read, and where it has no labels.
    """
    path = given_path(path, "labels", ShapeFileError)
    data = reading.file_bytes(path)
    with reading.parsing(path):
        if path.suffix.lower() == ".txt":
            columns: Columns = {"label": np.loadtxt(io.BytesIO(data), dtype=np.int64, ndmin=1, comments=None)}
        else:
            columns = format_of(path).columns(data, NAMES)
        found = _whole(columns, LABELS)
        if found is None:
            raise CloudError(f"it has no labels; expected one whole number a line, or a column {' or '.join(LABELS)}")
    return found


def _in_memory(points: Any, unit: str, labels: str | os.PathLike[str] | None) -> tuple[Scene, list[str | None]]:
    """In meters, with the axes of the points, and warnings."""
    scene = as_scene(points)
    scene = replace(scene, points=scene.points * UNITS.get(unit, 1.0))
    doubts = [check_size(scene, False)] if unit == "file" else []
    return scene if labels is None else _labelled(scene, Path(labels)), doubts


def _from_file(
    path: Path, unit: str, spacing: float | None, seed: int, labels: str | os.PathLike[str] | None
) -> tuple[Scene, list[str | None]]:
    """In meters, with the axes and labels of the file, and warnings."""
    beside = _beside(path)
    labelled = labels is not None or beside.is_file()
    with reading.parsing(path):
        scene, doubt = _read(path, unit, spacing, seed, labelled)
        doubts = [doubt, check_size(scene, format_of(path).surveyed) if unit == "file" else None]
    if labels is not None or (scene.labels is None and spacing is None and labelled):
        scene = _labelled(scene, Path(labels or beside))
    return scene, doubts


def _read(path: Path, unit: str, spacing: float | None, seed: int, labelled: bool) -> tuple[Scene, str | None]:
    """In meters, with the axes of the file, and a warning about its colors; labelled: by a file beside it."""
    data, kind, name = reading.file_bytes(path), format_of(path), path.name
    meters = UNITS.get(unit) or (kind.declared_unit and kind.declared_unit(data)) or 1.0
    columns: Columns = kind.columns(data, NAMES)
    sampled = not columns or spacing is not None
    if kind.surface is not None and (sampled or (_is_model(columns, labelled) and kind.holds_surface(data))):
        surface = kind.surface(data, SideFiles(path.parent))
        if not isinstance(surface, np.ndarray) and (sampled or _is_coarse(surface, meters)):
            most = min(MAX_DRAWN, most_points(surface, len(data)))
            columns = fields.plain_columns(sample_spaced(surface, (spacing or SPACING) / meters, seed, name, most))
    points = _points(columns)
    points *= meters
    of_labels = name.endswith(LABELS_BESIDE)
    color = None if of_labels else named_color(columns, len(points))
    doubt = color_doubt(columns, name) if color is None and not of_labels else None
    whole = (_whole(columns, names) for names in (LABELS, INSTANCES))
    labels, instances = (None if found is None or not found.any() else found for found in whole)
    return Scene(points, color, labels, instances, name=name), doubt


def _is_model(columns: Columns, labelled: bool) -> bool:
    """True if a mesh of these vertices may be one of a few far vertices; of many, the surface is not looked at."""
    annotated = labelled or bool(columns.keys() & {*LABELS, *INSTANCES})
    return not annotated and len(columns["x"]) < FEW


def _is_coarse(mesh: Any, meters: float) -> bool:
    """Whether the vertices of a trimesh.Trimesh are few for its surface."""
    return bool(mesh.area * meters**2 > APART**2 * len(mesh.vertices))


def _points(columns: Columns) -> np.ndarray:
    """(n, 3) float64, a copy."""
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")
    count = len(columns["x"])
    if count > MAX_POINTS:
        raise CloudError(f"it has {count:,} points, more than {MAX_POINTS:,}; thin it out or split it first")
    points = np.empty((count, 3))
    for axis, name in enumerate("xyz"):
        points[:, axis] = columns[name]
    return points


def _whole(columns: Columns, names: Collection[str]) -> np.ndarray | None:
    """The first column of these names as whole numbers (n,) from 0 up."""
    name = next((name for name in names if name in columns), None)
    if name is None:
        return None
    given = columns[name]
    if given.ndim != 1:
        raise CloudError(f"its {name!r} have shape {given.shape}; expected one number a point")
    return whole_numbers(given, f"its column {name!r}")


def _beside(path: Path) -> Path:
    """Where ScanNet keeps the labels of a PLY file."""
    return path.with_name(path.stem + LABELS_BESIDE) if path.suffix.lower() == ".ply" else path / LABELS_BESIDE


def _labelled(scene: Scene, path: Path) -> Scene:
    labels = load_labels(path)
    if len(labels) != len(scene):
        raise ShapeFileError(f"{path} has {len(labels):,} labels, for the {len(scene):,} points of {scene.name}")
    return replace(scene, labels=labels if labels.any() else None)


def _turned(points: np.ndarray, up: str) -> np.ndarray:
    return np.stack([sign * points[:, axis] for axis, sign in TURNS[up]], axis=1)

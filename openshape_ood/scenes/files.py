"""Scans from files: points, color, labels and instances from named columns, in meters with z up."""

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

# accepted names of columns and arrays; CloudCompare's prefix "scalar_" is accepted too
LABELS = ("label", "labels", "semantic", "semantic_label", "classification")
INSTANCES = ("instance_id", "instance", "instances", "instance_label", "object_id")
NAMES = (*LABELS, *INSTANCES)
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
SPACING = 0.02  # meters between sampled points
# a PLY mesh without labels is sampled if it has fewer vertices than FEW, more than APART meters apart on average
FEW, APART = 50_000, 0.1
MAX_POINTS = 50_000_000
LABELS_BESIDE = ".labels.ply"  # suffix of ScanNet's label files, whose colors encode the labels

Columns = Mapping[str, np.ndarray]
# rotation from file coordinates to z up, by up axis; never a reflection
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
    """Load a scan from a file, or from points in memory, in meters with z up.

    PLY, PCD, LAS, LAZ, NPZ, NPY and text hold points, with color, labels and instances in named columns. glTF, OBJ and
    other meshes are sampled. The vertices of a PLY mesh, such as ScanNet's, are the points of the scan.
    Exception: a PLY mesh without labels is sampled if it has fewer than 50,000 vertices, more than 10 cm apart on
    average.

    Parameters
    ----------
    path : str, Path, Scene, array (n, 3|6), structured array, or object
        A file with one of the suffixes of `load_shape`, or points as for `Scene`. ScanNet's `NAME_vh_clean_2.ply` gets
        its labels from `NAME_vh_clean_2.labels.ply` in the same folder, if present.
    up : {"file", "z", "y", "x", "-z", "-y", "-x"}
        Up axis of the file or the points. "file": the axis stated by the file (glTF: y), else z.
    unit : {"file", "m", "cm", "mm", "in", "ft"}
        Unit of the coordinates. "file": the unit stated by a COLLADA file, else meters.
    labels : str or Path, optional
        File with a label for each point: ScanNet's text format, one whole number per line, or a point format.
    spacing : float, optional
        Sample every mesh, PLY included: one point per square with this side in meters. Default: 0.02, only for meshes
        that are sampled without this argument.
    seed : int
        Seed of the sampling.

    Returns
    -------
    Scene
        Label and instance 0 mean none, and negative numbers become 0. If all labels are 0, the scan has no labels.
        Points keep the order of the file, duplicates included. Unmeasured points (NaN) of a PCD file are dropped. So
        are stray points, whose distance to nearly all others exceeds 1 km and the size of the scan.

    Raises
    ------
    ShapeFileError
        With the file's name, for a file that cannot be read or is hostile. For NaN, and if the numbers of labels and
        points differ. For an extent of more than a kilometer if `unit` is not given, except for LAS and LAZ.
    InputError
        For invalid settings.

    Warns
    -----
    ScanWarning
        If the scan is more than 100 m across without a given `unit`; if stray points are dropped; if the color
        columns are unusable.
    AxisWarning
        If the scan looks like a room with another up axis.
    UserWarning
        If float32 coordinates are so far from the origin that the scan has few distinct positions.

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
    """Load labels from a file: ScanNet's text format, one whole number per line, or a column of a point format.

    Returns
    -------
    (n,) int64
        0 means none; negative labels become 0.

    Raises
    ------
    ShapeFileError
        With the file's name, for an unreadable file or one without labels.
    """
    path = given_path(path, "labels", ShapeFileError)
    data = reading.file_bytes(path)
    with reading.parsing(path):
        if path.suffix.lower() == ".txt":
            columns: Columns = {"label": np.loadtxt(io.BytesIO(data), dtype=np.int64, ndmin=1, comments=None)}
        else:
            columns = format_of(path).columns(data, NAMES)
        labels = _whole(columns, LABELS)
        if labels is None:
            raise CloudError(
                f"it has no labels. Expected one whole number per line, or a column {' or '.join(LABELS)}. Give "
                "another file."
            )
    return labels


def _in_memory(points: Any, unit: str, labels: str | os.PathLike[str] | None) -> tuple[Scene, list[str | None]]:
    """Scan in meters from points in memory, not yet turned to z up, and warnings."""
    scene = as_scene(points)
    scene = replace(scene, points=scene.points * UNITS.get(unit, 1.0))
    doubts = [check_size(scene, False)] if unit == "file" else []
    return scene if labels is None else _labelled(scene, Path(labels)), doubts


def _from_file(
    path: Path, unit: str, spacing: float | None, seed: int, labels: str | os.PathLike[str] | None
) -> tuple[Scene, list[str | None]]:
    """Scan in meters from a file, with labels, not yet turned to z up, and warnings."""
    label_file = _label_file(path)
    labelled = labels is not None or label_file.is_file()
    with reading.parsing(path):
        scene, doubt = _read(path, unit, spacing, seed, labelled)
        doubts = [doubt, check_size(scene, format_of(path).surveyed) if unit == "file" else None]
    if labels is not None or (scene.labels is None and spacing is None and labelled):
        scene = _labelled(scene, Path(labels or label_file))
    return scene, doubts


def _read(path: Path, unit: str, spacing: float | None, seed: int, labelled: bool) -> tuple[Scene, str | None]:
    """Scan in meters, not yet turned to z up, and a warning about its colors. labelled: labels are in a second file."""
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
    labels, instances = (None if numbers is None or not numbers.any() else numbers for numbers in whole)
    return Scene(points, color, labels, instances, name=name), doubt


def _is_model(columns: Columns, labelled: bool) -> bool:
    """True for fewer than 50,000 points without labels: they may be the vertices of a modeled room."""
    annotated = labelled or bool(columns.keys() & {*LABELS, *INSTANCES})
    return not annotated and len(columns["x"]) < FEW


def _is_coarse(mesh: Any, meters: float) -> bool:
    """True if a trimesh.Trimesh has few vertices for the area of its surface."""
    return bool(mesh.area * meters**2 > APART**2 * len(mesh.vertices))


def _points(columns: Columns) -> np.ndarray:
    """Copy of the points (n, 3) float64."""
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"its columns are {', '.join(columns)}. Expected x, y and z among them. Rename the columns.")
    count = len(columns["x"])
    if count > MAX_POINTS:
        raise CloudError(f"it has {count:,} points. Expected at most {MAX_POINTS:,}. Thin it out or split it first.")
    points = np.empty((count, 3))
    for axis, name in enumerate("xyz"):
        points[:, axis] = columns[name]
    return points


def _whole(columns: Columns, names: Collection[str]) -> np.ndarray | None:
    """First column with one of these names, as whole numbers (n,) >= 0; None without such a column."""
    name = next((name for name in names if name in columns), None)
    if name is None:
        return None
    given = columns[name]
    if given.ndim != 1:
        raise CloudError(
            f"its {name!r} have shape {given.shape}. Expected one number per point. Save them as one column."
        )
    return whole_numbers(given, f"its column {name!r}")


def _label_file(path: Path) -> Path:
    """Path of ScanNet's label file for a PLY file."""
    return path.with_name(path.stem + LABELS_BESIDE) if path.suffix.lower() == ".ply" else path / LABELS_BESIDE


def _labelled(scene: Scene, path: Path) -> Scene:
    labels = load_labels(path)
    if len(labels) != len(scene):
        raise ShapeFileError(
            f"{path} has {len(labels):,} labels. Expected {len(scene):,}, one per point of {scene.name}. Give the "
            "labels of this scan."
        )
    return replace(scene, labels=labels if labels.any() else None)


def _turned(points: np.ndarray, up: str) -> np.ndarray:
    return np.stack([sign * points[:, axis] for axis, sign in TURNS[up]], axis=1)

"""Scans as files: colored PLY with a separate file of names, and ScanNet's text format."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from openshape_ood.checks import check_choice, check_length, check_whole, given_path
from openshape_ood.errors import FileError, InputError
from openshape_ood.scenes.scene import Scene
from openshape_ood.shapes.formats.ply import ply_bytes
from openshape_ood.storage import DAMAGE, read_regular, save_whole

COLORS = ("own", "label", "instance")
GRAY = 0.6  # level of red, green and blue for points without color, label or instance
TURN, DIM = 0.618034, (0.55, 0.8, 1.0)  # hue step between consecutive labels; their brightness levels, repeated
NAMES = ".names.json"
FORMAT = "openshape_ood names 1"


def save_scene(
    scene: Scene, path: str | os.PathLike[str], *, names: Mapping[int, str] | None = None, color: str = "own"
) -> Path:
    """Write a binary PLY atomically, readable by `load_scene`: x y z, red green blue, label, instance_id.

    Parameters
    ----------
    scene : Scene
    path : str or Path
        Ends in .ply.
    names : dict of int to str, optional
        Names of the labels, written to `NAME.names.json` in the same folder; `load_names` reads it.
    color : {"own", "label", "instance"}
        "own": the scan's colors. "label", "instance": a color for each number, the same in every scan.

    Returns
    -------
    Path
        The PLY file.

    Raises
    ------
    InputError, FileError
        For invalid settings or a failed write.
    """
    path = given_path(path, "path")
    if path.suffix.lower() != ".ply":
        raise InputError(f"path is {path}. Expected a .ply file. Change the suffix.")
    columns: dict[str, tuple[str, np.ndarray]] = {axis: ("<f8", scene.points[:, i]) for i, axis in enumerate("xyz")}
    painted = _painted(scene, color)
    if painted is not None:
        rgb = np.rint(painted * 255)
        columns |= {channel: ("u1", rgb[:, i]) for i, channel in enumerate(("red", "green", "blue"))}
    for name, numbers in (("label", scene.labels), ("instance_id", scene.instances)):
        if numbers is not None:
            columns[name] = "<u4", _fitting(numbers, name)
    rows = np.empty(len(scene), dtype=[(name, kind) for name, (kind, _) in columns.items()])
    for name, (_, column) in columns.items():
        rows[name] = column
    if names is not None:
        _save_names(names, path)
    return save_whole(path, ply_bytes(rows), "the scan")


def save_labels(labels: np.ndarray, path: str | os.PathLike[str]) -> Path:
    """Write labels (n,) atomically in ScanNet's text format: one per line, in point order; 0 is none.

    Raises
    ------
    InputError, FileError
        For labels that are no whole numbers of at least 0, and for a failed write.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise InputError(
            f"labels have shape {given.shape} and type {given.dtype}. Expected whole numbers (n,). Convert the labels "
            "first."
        )
    lines = "".join(f"{label}\n" for label in _fitting(given, "labels").tolist())
    return save_whole(path, lines.encode("ascii"), "the labels")


def load_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read the label names of a scan, as label -> name, from `NAME.names.json` next to its PLY file.

    Parameters
    ----------
    path : str or Path
        The PLY file, or the file of names itself.

    Raises
    ------
    FileError
        For a missing or invalid file of names.
    """
    path = given_path(path, "path", FileError)
    side = path if path.name.endswith(NAMES) else path.with_suffix(NAMES)
    try:
        content = json.loads(read_regular(side))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        return {
            int(label): check_length(str(name), f"label {label}", FileError)
            for label, name in content["labels"].items()
        }
    except OSError as error:
        raise FileError(f"cannot read the names {side}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise FileError(
            f"{side} holds no names of labels, or is damaged: {str(error).rstrip('.')}. Expected a file of save_scene. "
            "Save the scan again."
        ) from error


def label_colors(labels: np.ndarray) -> np.ndarray:
    """Colors (n, 3) in [0, 1] for labels (n,): the same in every scan, distinct for consecutive labels; 0 is gray.

    >>> label_colors(np.array([0, 1, 4])).round(2).tolist()
    [[0.6, 0.6, 0.6], [0.2, 0.38, 0.8], [0.2, 0.8, 0.7]]
    """
    from colorsys import hsv_to_rgb

    distinct, index = np.unique(labels, return_inverse=True)
    table = [hsv_to_rgb(n * TURN % 1, 0.75, DIM[n % len(DIM)]) if n else (GRAY,) * 3 for n in distinct.tolist()]
    return np.array(table)[index]


def _painted(scene: Scene, color: str) -> np.ndarray | None:
    check_choice(color, "color", COLORS)
    if color == "own":
        return scene.color
    if (numbers := scene.labels if color == "label" else scene.instances) is None:
        raise InputError(
            f"color is {color!r}, but {scene.name} has no {color}s. Expected 'own', or a scan with {color}s. "
            "Give color='own'."
        )
    return label_colors(numbers)


def _fitting(numbers: np.ndarray, what: str) -> np.ndarray:
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= 2**32):
        raise InputError(
            f"{what} run from {numbers.min()} to {numbers.max()}. Expected 0 to 2^32 - 1, 0 for none. Renumber them."
        )
    return numbers


def _save_names(names: Mapping[int, str], path: Path) -> None:
    if not isinstance(names, Mapping):
        raise InputError(
            f"names are a {type(names).__name__}. Expected a dict of label to name, such as {{1: 'chair'}}. Give "
            "dict(enumerate(names, 1)) for a list of names."
        )
    labels = {str(check_whole(label, "a label of names", 0)): str(name) for label, name in names.items()}
    content = {"format": FORMAT, "labels": labels}
    save_whole(path.with_suffix(NAMES), json.dumps(content, indent=1, ensure_ascii=False).encode(), "the names")

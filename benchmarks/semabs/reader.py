"""Reader of the published data, one HDF5 file per view with region references, and its conversion to npz files."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.formats.npz import loaded_npz
from openshape_ood.storage import replacing

IMAGES, EXTRACTORS = ("rgb", "domain_randomized_rgb"), ("ours", "chefer_et_al")
TARGETS = ("target_obj_name", "target_obj_id", "spatial_relation_name", "reference_obj_name")
MEAN = "mean"  # last label with a relevancy
SIDE = 128  # pixels of a stored relevancy


@dataclass(frozen=True, eq=False)
class Datum:
    """A view with n queries, k labels and t descriptions."""

    scene_id: str
    rgb: np.ndarray  # (h, w, 3) uint8
    depth: np.ndarray  # (h, w) float32
    intrinsics: np.ndarray  # (3, 3)
    pose: np.ndarray  # (4, 4), camera to the frame of the bounds; scaled by 0.6 and mirrored, as published
    bounds: np.ndarray  # (2, 3)
    queries: np.ndarray  # (n, 3) float32
    objects: np.ndarray  # (n,) int32, object at each query, an index of `classes`
    classes: np.ndarray  # str, class of each object
    visible: np.ndarray  # str, classes with pixels in the view
    labels: np.ndarray  # (k,) str, names with a relevancy
    relevancies: np.ndarray  # (k, 128, 128) float32
    mean: np.ndarray  # (128, 128) float32, mean of the relevancies of this image and extractor
    descriptions: np.ndarray  # (t, 3) of str: target, relation, reference
    target_ids: np.ndarray  # (t,) int64


def read_published(path: Path, image: str = "rgb", extractor: str = "ours") -> Datum:
    """Read a file of the published data set, with the relevancies of one image and extractor if it has them.

    Raises `FileError` for any other file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _datum(file, path.name.removesuffix(".hdf5"), image, extractor)
    except (OSError, KeyError, ValueError, IndexError, TypeError, RuntimeError, AttributeError) as error:
        raise FileError(
            f"{path} is not a view of the published data with relevancies {image}|{extractor}: "
            f"{error or type(error).__name__}"
        ) from error


def _datum(file: Any, scene_id: str, image: str, extractor: str) -> Datum:
    data, key = file["data"], f"{image}|{extractor}"
    if "saliencies" in data:
        labels = _texts(data["saliencies"][f"{key}|saliency_text_labels"])
        # read each relevancy by its reference; the file's array has another order than the labels
        maps = [_region(file, one) for one in data["saliencies"][key]]
    else:  # `convert` computes them
        labels, maps = [MEAN], [np.zeros((SIDE, SIDE), dtype=np.float32)]
    if len(maps) != len(labels) or labels[-1] != MEAN:
        raise ValueError(
            f"{len(maps)} relevancies for {len(labels)} labels, the last {labels[-1]!r}; expected {MEAN!r}"
        )
    described = data.get("descriptions", {name: np.empty(0) for name in TARGETS})  # NYU's views have no descriptions
    columns = {name: _texts(described[name]) for name in TARGETS if name != "target_obj_id"}
    return Datum(
        scene_id,
        _region(file, data[image][0]),
        _region(file, data["depth"][0]).astype(np.float32),
        np.asarray(data["cam_intr"], dtype=np.float64),
        np.asarray(data["cam_pose"], dtype=np.float64),
        np.asarray(data["scene_bounds"], dtype=np.float64),
        _region(file, data["full_xyz_pts"][0]).astype(np.float32),
        _region(file, data["full_objid_pts"][0]).astype(np.int32),
        np.array([re.sub(r"\[.*?\]$", "", one) for one in _texts(data["objid_to_class"])], dtype="U"),
        np.array(_texts(data["visible_scene_obj_labels"]), dtype="U"),
        np.array(labels[:-1], dtype="U"),
        np.stack(maps[:-1]).astype(np.float32) if len(maps) > 1 else np.empty((0, *maps[-1].shape), np.float32),
        maps[-1].astype(np.float32),
        np.array(list(zip(*columns.values(), strict=True)), dtype="U").reshape(-1, 3),
        np.asarray(described["target_obj_id"], dtype=np.int64),
    )


def _region(file: Any, reference: Any) -> np.ndarray:
    """Content of a region reference, without its first axis."""
    return np.asarray(file[reference][reference]).squeeze(0)


def _texts(given: Any) -> list[str]:
    return [one.decode() if isinstance(one, bytes) else str(one) for one in np.asarray(given).reshape(-1).tolist()]


def save_datum(datum: Datum, path: Path) -> Path:
    """Write a view as .npz, atomically."""
    with replacing(path) as partial, partial.open("wb") as file:
        arrays: dict[str, Any] = {one.name: np.asarray(getattr(datum, one.name)) for one in fields(Datum)}
        np.savez_compressed(file, **arrays)
    return path


def view_files(folder: Path) -> list[Path]:
    """Sorted files of `convert`; raises `InputError` if there are none."""
    if paths := sorted(folder.glob("*.npz")):
        return paths
    raise InputError(f"{folder} has no .npz files; make them with `python -m benchmarks semabs convert`")


def load_datum(path: Path) -> Datum:
    """Read a file of `save_datum`. Raises `FileError` for any other file."""
    with loaded_npz(path, "view that `convert` wrote") as arrays:
        parts: dict[str, Any] = {one.name: arrays[one.name] for one in fields(Datum)}
        return Datum(**{**parts, "scene_id": str(parts["scene_id"])})

"""Clouds as columns by name: what a file says of its points beside coordinates and color."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes import ply, reading, scanned, tables

READERS: dict[str, Callable[[bytes], Any]] = {
    ".ply": ply.ply_columns,
    ".npy": tables.npy_columns,
    ".npz": tables.npz_columns,
    ".txt": tables.text_columns,
    ".xyz": tables.text_columns,
    ".csv": tables.text_columns,
    ".pcd": scanned.pcd_columns,
}
SURVEYED = (".las", ".laz")
WITH_COLUMNS = (*READERS, *SURVEYED)
STRIP = "point_source_id"  # of LAS
ON_MESHES = 100_000  # points drawn on a mesh


def load_columns(path: Path) -> dict[str, np.ndarray]:
    """A cloud's arrays by name: points (n, 3); intensity (n,), color (n, 3) in [0, 1], strips (n,) where it has them.

    Points that were never measured (NaN) are left out; a mesh gives points that are drawn on it. Raises
    `ShapeFileError`.
    """
    data, suffix = reading.file_bytes(path), path.suffix.lower()
    with reading.parsing(path):
        if suffix in WITH_COLUMNS and not (suffix == ".ply" and ply.has_faces(data)):
            return _named(cloud_columns(data, suffix, ("intensity", STRIP)))
    return columns_by_width(reading.load_shape(path, ON_MESHES), str(path))


def cloud_columns(data: bytes, suffix: str, others: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Columns (n,) of a file's content by name, in lower case and without the "scalar_" that CloudCompare writes.

    others: of LAS and LAZ, which columns beside coordinates and color.
    """
    found = scanned.las_columns(data, others) if suffix in SURVEYED else READERS[suffix](data)
    columns = tables.plain_columns(found) if isinstance(found, np.ndarray) else found
    return {name.lower().removeprefix("scalar_"): column for name, column in columns.items()}


def columns_by_width(table: Any, name: str) -> dict[str, np.ndarray]:
    """A cloud (n, 3|6) as its parts, as in `load_columns`; raises `CloudError` for other shapes."""
    given = np.asarray(table)
    if given.ndim != 2 or given.shape[1] not in (3, 6):
        raise CloudError(f"{name} has the shape {given.shape}; expected (n, 3) xyz or (n, 6) xyz and rgb")
    return {"points": given[:, :3]} | ({"color": given[:, 3:]} if given.shape[1] == 6 else {})


def _named(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")
    points = np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"])
    found = {"points": points, "color": tables.named_color(columns)}
    found |= {"intensity": columns.get("intensity"), "strips": columns.get(STRIP)}
    measured = np.isfinite(points).all(axis=1)
    if not measured.any():
        raise CloudError("none of its points is finite")
    return {name: one[measured] for name, one in found.items() if one is not None and len(one) == len(points)}

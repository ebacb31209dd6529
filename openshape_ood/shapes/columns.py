"""Clouds as columns by name: what a file says of its points beside coordinates and color; whole, or in pieces."""

from __future__ import annotations

import mmap
import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.shapes import ply, reading, scanned, tables
from openshape_ood.shapes.colors import color_doubt, named_color, stored_color
from openshape_ood.shapes.guards import require_bytes
from openshape_ood.shapes.scanned import PIECE, SURVEYED

WITH_COLUMNS = (".ply", *reading.CLOUDS)
STRIP = "point_source_id"  # of LAS
ON_MESHES = 100_000  # points drawn on a mesh
HEAD = 1 << 20  # bytes that a header may take
LAYOUTS = {".ply": ply.ply_layout, ".pcd": scanned.pcd_layout}
RGB = ("red", "green", "blue")


def load_columns(path: Path) -> dict[str, np.ndarray]:
    """A cloud's arrays by name: points (n, 3); intensity (n,), color (n, 3) in [0, 1], strips (n,) where it has them.

    Points that were never measured (NaN) are left out; a mesh gives points that are drawn on it. Raises
    `ShapeFileError`. Warns of columns that look like colors and cannot be used.
    """
    data, suffix, found = reading.file_bytes(path), path.suffix.lower(), {}
    with reading.parsing(path):
        if suffix in WITH_COLUMNS and not (suffix == ".ply" and ply.has_faces(data)):
            columns = cloud_columns(data, suffix, ("intensity", STRIP))
            found = _named(columns)
            doubt = None if "color" in found else color_doubt(columns, path.name)
    if found:
        if doubt:
            warnings.warn(doubt, stacklevel=2)
        return found
    return columns_by_width(reading.load_shape(path, ON_MESHES), str(path))


def cloud_columns(data: bytes, suffix: str, others: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Columns (n,) of a file's content by name, in lower case and without the "scalar_" that CloudCompare writes.

    others: of LAS and LAZ, which columns beside coordinates and color.
    """
    if suffix in SURVEYED:
        return scanned.read_las(data, others)
    return tables.as_columns(ply.ply_columns(data) if suffix == ".ply" else reading.CLOUDS[suffix](data))


def columns_by_width(table: Any, name: str) -> dict[str, np.ndarray]:
    """A cloud (n, 3|6) as its parts, as in `load_columns`; raises `CloudError` for other shapes."""
    given = np.asarray(table)
    if given.ndim != 2 or given.shape[1] not in (3, 6):
        raise CloudError(f"{name} has the shape {given.shape}; expected (n, 3) xyz or (n, 6) xyz and rgb")
    return {"points": given[:, :3]} | ({"color": given[:, 3:]} if given.shape[1] == 6 else {})


def _named(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    tables.require_xyz(columns)
    points = np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"])
    found = {"points": points, "color": named_color(columns, len(points))}
    found |= {"intensity": columns.get("intensity"), "strips": columns.get(STRIP)}
    measured = np.isfinite(points).all(axis=1)
    if not measured.any():
        raise CloudError("none of its points is finite")
    return {name: one[measured] for name, one in found.items() if one is not None and len(one) == len(points)}


def cloud_pieces(path: str | os.PathLike[str], others: Collection[str] = ()) -> Iterator[dict[str, np.ndarray]]:
    """The columns of a LAS, LAZ, or binary PLY or PCD file of any size, a million points at a time, in their order.

    Those are x, y and z, and red, green, blue and `others` where there are such. Points that were never measured (NaN)
    stay, so that places in the file are kept. Raises `ShapeFileError`, also for what cannot be read in pieces.
    """
    path = given_path(path, "path", ShapeFileError)
    size, pieces = reading.file_size(path), None
    while True:
        with reading.parsing(path):  # not while the piece is worked on
            pieces = pieces or _pieces(path, size, others)
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _pieces(path: Path, size: int, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        if suffix in SURVEYED:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from scanned.las_parts(file, data, others)
        elif suffix in LAYOUTS:
            dtype, count, start = LAYOUTS[suffix](file.read(HEAD))
            if count < 1:
                raise CloudError(f"it declares {count} points")
            require_bytes(count * dtype.itemsize, size - start, f"{count:,} points")
            file.seek(start)
            for first in range(0, count, PIECE):
                rows = np.fromfile(file, dtype, min(PIECE, count - first))
                columns = tables.as_columns({name: rows[name] for name in dtype.names or ()})
                tables.require_xyz(columns)
                columns = {name: column.reshape(len(rows), -1)[:, 0] for name, column in columns.items()}
                rgb = stored_color(columns, len(rows))
                colored = {} if rgb is None else dict(zip(RGB, rgb.T, strict=True))
                wanted = [name for name in ("x", "y", "z", *others) if name in columns]
                yield {name: columns[name] for name in wanted} | colored
        else:
            raise CloudError(f"{suffix!r} files are not read in pieces; expected {', '.join([*SURVEYED, *LAYOUTS])}")

"""Reading of clouds as named columns, with attributes such as intensity; whole or in pieces."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.shapes import fields, reading
from openshape_ood.shapes.colors import color_doubt, named_color
from openshape_ood.shapes.formats import BY_SUFFIX, format_of

IN_PIECES = tuple(suffix for suffix, one in BY_SUFFIX.items() if one.pieces is not None)
STRIP = "point_source_id"  # column of LAS files: flight strip of each point
ON_MESHES = 100_000  # points sampled from a mesh


def load_columns(path: Path) -> dict[str, np.ndarray]:
    """Named arrays of a cloud: points (n, 3); if present intensity (n,), color (n, 3) in [0, 1], strips (n,).

    strips: flight strip of each point, from LAS files.

    Points with NaN are dropped. A mesh is sampled at 100,000 points. Raises `ShapeFileError`. Warns about columns that
    look like colors but cannot be used.
    """
    data, kind, named = reading.file_bytes(path), format_of(path), {}
    with reading.parsing(path):
        if not kind.holds_surface(data):
            columns = kind.columns(data, ("intensity", STRIP))
            named = _named(columns)
            doubt = None if "color" in named else color_doubt(columns, path.name)
    if named:
        if doubt:
            warnings.warn(doubt, stacklevel=2)
        return named
    return columns_by_width(reading.load_shape(path, ON_MESHES), str(path))


def columns_by_width(table: Any, name: str) -> dict[str, np.ndarray]:
    """Named arrays of a cloud (n, 3|6), as in `load_columns`. Raises `CloudError` for other arrays."""
    given = np.asarray(table)
    if given.ndim != 2 or given.shape[1] not in (3, 6):
        raise CloudError(
            f"{name} has the shape {given.shape}. Expected (n, 3) xyz, or (n, 6) xyz and rgb. Drop other columns."
        )
    return {"points": given[:, :3]} | ({"color": given[:, 3:]} if given.shape[1] == 6 else {})


def _named(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    fields.require_xyz(columns)
    points = np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"])
    parts = {"points": points, "color": named_color(columns, len(points))}
    parts |= {"intensity": columns.get("intensity"), "strips": columns.get(STRIP)}
    measured = np.isfinite(points).all(axis=1)
    if not measured.any():
        raise CloudError("none of its points is finite. Expected at least one. Check the file.")
    return {name: one[measured] for name, one in parts.items() if one is not None and len(one) == len(points)}


def cloud_pieces(path: str | os.PathLike[str], others: Collection[str] = ()) -> Iterator[dict[str, np.ndarray]]:
    """Columns of a LAS, LAZ, or binary PLY or PCD file of any size, a million points at a time, in file order.

    The columns are x, y and z, and if present red, green, blue and `others`. Points with NaN are included, so that row
    numbers are those of the file. Raises `ShapeFileError`, also for files that cannot be read in pieces.
    """
    path = given_path(path, "path", ShapeFileError)
    reading.file_size(path)  # raises if it is not a shape file
    pieces = None
    while True:
        with reading.parsing(path):  # ends before each yield, so that warnings of the caller are shown
            pieces = pieces or _pieces(path, others)
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _pieces(path: Path, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    read = format_of(path).pieces
    if read is None:
        raise CloudError(
            f"its suffix is {path.suffix.lower()!r}. Expected one of {', '.join(IN_PIECES)}. Convert the file."
        )
    with path.open("rb") as file:
        yield from read(file, others)

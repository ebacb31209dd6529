"""Clouds as columns by name: what a file says of its points beside coordinates and color; whole, or in pieces."""

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
STRIP = "point_source_id"  # of LAS
ON_MESHES = 100_000  # points drawn on a mesh


def load_columns(path: Path) -> dict[str, np.ndarray]:
    """A cloud's arrays by name: points (n, 3); intensity (n,), color (n, 3) in [0, 1], strips (n,) where it has them.

    Points that were never measured (NaN) are left out; a mesh gives points that are drawn on it. Raises
    `ShapeFileError`. Warns of columns that look like colors and cannot be used.
    """
    data, kind, found = reading.file_bytes(path), format_of(path), {}
    with reading.parsing(path):
        if not kind.holds_surface(data):
            columns = kind.columns(data, ("intensity", STRIP))
            found = _named(columns)
            doubt = None if "color" in found else color_doubt(columns, path.name)
    if found:
        if doubt:
            warnings.warn(doubt, stacklevel=2)
        return found
    return columns_by_width(reading.load_shape(path, ON_MESHES), str(path))


def columns_by_width(table: Any, name: str) -> dict[str, np.ndarray]:
    """A cloud (n, 3|6) as its parts, as in `load_columns`; raises `CloudError` for other shapes."""
    given = np.asarray(table)
    if given.ndim != 2 or given.shape[1] not in (3, 6):
        raise CloudError(f"{name} has the shape {given.shape}; expected (n, 3) xyz or (n, 6) xyz and rgb")
    return {"points": given[:, :3]} | ({"color": given[:, 3:]} if given.shape[1] == 6 else {})


def _named(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    fields.require_xyz(columns)
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
    reading.file_size(path)  # raises for what is no shape file
    pieces = None
    while True:
        with reading.parsing(path):  # not while the piece is worked on
            pieces = pieces or _pieces(path, others)
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _pieces(path: Path, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    read = format_of(path).pieces
    if read is None:
        raise CloudError(f"{path.suffix.lower()!r} files are not read in pieces; expected {', '.join(IN_PIECES)}")
    with path.open("rb") as file:
        yield from read(file, others)

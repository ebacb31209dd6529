"""Clouds of any size, a million points at a time: LAS, LAZ, and binary PLY and PCD."""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.shapes.guards import require_bytes
from openshape_ood.shapes.ply import ply_layout
from openshape_ood.shapes.reading import file_size, parsing
from openshape_ood.shapes.scanned import PIECE, las_parts, pcd_layout

HEAD = 1 << 20  # bytes that a header may take
LAYOUTS = {".ply": ply_layout, ".pcd": pcd_layout}
SURVEYED = (".las", ".laz")


def cloud_pieces(path: str | os.PathLike[str], others: Collection[str] = ()) -> Iterator[dict[str, np.ndarray]]:
    """A cloud as columns by name in lower case, a million points at a time, in the order of the file.

    Points that were never measured (NaN) stay, so that places in the file are kept.

    Parameters
    ----------
    path : str or Path
        Of a LAS, LAZ, or binary PLY or PCD file, of any size.
    others : collection of str
        Columns beside coordinates and colors.

    Yields
    ------
    dict of str to ndarray (k,)
        x, y and z, and red, green, blue and `others` where there are such.

    Raises
    ------
    ShapeFileError
        Naming the file, for what cannot be read in pieces, or is hostile.
    """
    path = given_path(path, "path", ShapeFileError)
    size, pieces = file_size(path), None
    while True:
        with parsing(path):  # not while the piece is worked on
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
                yield from las_parts(file, data, others)
        elif suffix in LAYOUTS:
            dtype, count, start = LAYOUTS[suffix](file.read(HEAD))
            if count < 1:
                raise CloudError(f"it declares {count} points")
            require_bytes(count * dtype.itemsize, size - start, f"{count:,} points")
            file.seek(start)
            for first in range(0, count, PIECE):
                rows = np.fromfile(file, dtype, min(PIECE, count - first))
                yield _columns(rows, ["x", "y", "z", "red", "green", "blue", *others])
        else:
            raise CloudError(f"{suffix!r} files are not read in pieces; expected {', '.join([*SURVEYED, *LAYOUTS])}")


def _columns(rows: np.ndarray, wanted: Collection[str]) -> dict[str, np.ndarray]:
    names = {name.lower().removeprefix("scalar_"): name for name in rows.dtype.names or ()}
    if not {"x", "y", "z"} <= names.keys():
        raise CloudError(f"columns {', '.join(names)}, expected x, y and z among them")
    return {name: rows[names[name]].reshape(len(rows), -1)[:, 0] for name in wanted if name in names}

"""Clouds as tables: named columns if the file has names, else an array (n, 3|6)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import CloudError
from openshape_ood.shapes.colors import color_doubt, named_color, stored_color
from openshape_ood.shapes.guards import require_bytes
from openshape_ood.shapes.points import check_cloud, unit_colors

Table = Mapping[str, np.ndarray] | np.ndarray

HEAD = 2**20  # maximum bytes of a header
PIECE = 1_000_000  # points per piece of a large file
RGB = ("red", "green", "blue")
# function that takes the first bytes of a file, and returns type of a row, number of rows, byte position of row 0
Layout = Callable[[bytes], tuple[np.dtype, int, int]]


def holds_points(value: Any) -> bool:
    """True for an object with an attribute `points`, such as clouds of Open3D and `Scene`; False for arrays."""
    return hasattr(value, "points") and not hasattr(value, "ndim")


def given_cloud(value: Any, name: str) -> np.ndarray:
    """A cloud (n, 3|6) in float64 from an array, a structured array or an object with points.

    Parameters
    ----------
    value : array (n, 3|6), structured array, or object
        A structured array (n,) has the fields x, y, z and optionally colors, with names as in files. Colors may be
        packed as in PointCloud2. An object has `points` (n, 3) and optionally `colors` or `color` (n, 3), which may be
        empty or None.
    name : str
        Name of the cloud in messages.

    Raises
    ------
    CloudError
        For any other value.
    """
    if holds_points(value):
        points, colors = _points_of(value.points, f"{name}: points"), _colors_of(value)
        if colors is None:
            return points
        if colors.shape != (len(points), 3):
            raise CloudError(
                f"{name}: colors have the shape {colors.shape}. Expected ({len(points)}, 3). Give one row per point."
            )
        return np.hstack([points, unit_colors(colors, f"{name}: colors")])
    given = to_numpy(value)
    if not (isinstance(given, np.ndarray) and given.dtype.names):
        return check_cloud(given, name)
    columns = fields_of(given)
    cloud = named_cloud(columns, name)
    doubt = color_doubt(as_columns(columns), name) if cloud.shape[1] == 3 else None
    if doubt:
        warnings.warn(doubt, stacklevel=4)
    return cloud


def as_columns(table: Table) -> dict[str, np.ndarray]:
    """Columns by name, in lower case and without CloudCompare's prefix "scalar_"."""
    if isinstance(table, np.ndarray):
        return plain_columns(table)
    return {name.lower().removeprefix("scalar_"): column for name, column in table.items()}


def named_cloud(columns: Mapping[str, np.ndarray], name: str = "it") -> np.ndarray:
    """Cloud (n, 3|6) from named columns. Other columns, such as normals and alpha, are dropped."""
    columns = as_columns(columns)
    require_xyz(columns)
    cloud = check_cloud(np.column_stack([columns[axis] for axis in "xyz"]), name)
    rgb = named_color(columns, len(cloud))
    return cloud if rgb is None else np.hstack([cloud, rgb])


def require_xyz(columns: Collection[str]) -> None:
    if not {"x", "y", "z"} <= set(columns):
        raise CloudError(f"its columns are {', '.join(columns)}. Expected x, y and z among them. Name the columns.")


def check_exact(numbers: np.ndarray, what: str) -> None:
    """Raise `CloudError` for floats of at least 2^53 (2^24 for float32), which cannot represent every whole number."""
    if numbers.dtype.kind == "f" and len(numbers):
        most = 2 ** (np.finfo(numbers.dtype).nmant + 1)
        with np.errstate(invalid="ignore"):
            large = np.abs(numbers).max() >= most
        if large:
            raise CloudError(
                f"{what} has whole numbers of {most:,} or more, which {numbers.dtype} cannot represent. Expected "
                "smaller numbers. Number them from 1, or save them as 64-bit integers."
            )


def plain_columns(cloud: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (n,) by name of a cloud (n, 3|6)."""
    return dict(zip(("x", "y", "z", "red", "green", "blue"), cloud.T, strict=False))


def _points_of(points: Any, name: str) -> np.ndarray:
    """Points (n, 3) of an object, of any type that numpy can convert, such as the vectors of Open3D."""
    cloud = check_cloud(np.asarray(to_numpy(points)), name)
    if cloud.shape[1] != 3:
        raise CloudError(f"{name} have the shape {cloud.shape}. Expected (n, 3). Give rgb as colors.")
    return cloud


def _colors_of(value: Any) -> np.ndarray | None:
    """Colors of an object; None if the attribute is missing, None or empty."""
    given = next((one for name in ("colors", "color") if (one := getattr(value, name, None)) is not None), None)
    if given is None:
        return None
    colors = np.asarray(to_numpy(given))
    return colors if len(colors) else None


def fields_of(array: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (n,) by name of a structured array with n elements, of any shape."""
    flat = array.reshape(-1)
    return {name: flat[name] for name in array.dtype.names or ()}


def row_pieces(layout: Layout, file: BinaryIO, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    """Columns of an open file whose rows have equal sizes, a million rows at a time: coordinates, color, `others`."""
    dtype, count, start = layout(file.read(HEAD))
    if count < 1:
        raise CloudError(f"it declares {count} points. Expected at least one. Check the file.")
    require_bytes(count * dtype.itemsize, os.fstat(file.fileno()).st_size - start, f"{count:,} points")
    file.seek(start)
    for first in range(0, count, PIECE):
        rows = np.fromfile(file, dtype, min(PIECE, count - first))
        columns = as_columns(fields_of(rows))
        require_xyz(columns)
        columns = {name: column.reshape(len(rows), -1)[:, 0] for name, column in columns.items()}
        rgb = stored_color(columns, len(rows))
        colored = {} if rgb is None else dict(zip(RGB, rgb.T, strict=True))
        yield {name: columns[name] for name in ("x", "y", "z", *others) if name in columns} | colored

"""Clouds as tables: .npy, .npz, .txt, .xyz, .csv, and columns by name, as other formats have. Nothing is unpickled."""

from __future__ import annotations

import io
import itertools
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, FileError
from openshape_ood.shapes.guards import POINT, SideFiles, require_bytes, require_memory
from openshape_ood.shapes.points import check_cloud, unit_colors
from openshape_ood.storage import DAMAGE

CHANNELS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
COORDINATES = ("points", "xyz", "coords", "point", "coordinates", "pos", "positions", "vertices", "cloud", "pc")
COLORS = ("rgb", "colors", "colours", "color", "colour")
MAX_TOP = 100  # lines of comments and names that may stand before the numbers


def named_cloud(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """A cloud from columns by name; those that are neither coordinates nor color (normals, alpha) are left out."""
    columns = {name.lower(): values for name, values in columns.items()}
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")
    cloud = check_cloud(np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"]), "it")
    rgb = named_color(columns)
    return cloud if rgb is None else np.hstack([cloud, rgb])


def named_color(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    channels = next((names for names in CHANNELS if set(names) <= columns.keys()), None)
    if channels is None:
        return None
    rgb = np.column_stack([columns[name] for name in channels])
    # LAS, and some PLY files, have 16-bit colors
    wide = rgb.dtype == np.uint16 and rgb.max(initial=0) > 255
    return unit_colors(rgb / 65535 if wide else rgb, "its colors")


def plain_columns(cloud: np.ndarray) -> dict[str, np.ndarray]:
    """A cloud (n, 3|6) as the columns that it has without names."""
    return dict(zip(("x", "y", "z", "red", "green", "blue"), cloud.T, strict=False))


def read_text(data: bytes, side: SideFiles) -> np.ndarray:
    """Numbers in columns divided by spaces, tabs, commas or semicolons, with or without a line of column names."""
    columns = text_columns(data)
    return columns if isinstance(columns, np.ndarray) else named_cloud(columns)


def text_columns(data: bytes) -> dict[str, np.ndarray] | np.ndarray:
    """Columns by name where there is a line of names, else a cloud (n, 3|6)."""
    text = data.decode("utf-8-sig")
    top = list(itertools.islice(io.StringIO(text), MAX_TOP))
    first = next((n for n, line in enumerate(top) if _is_numbers(line)), None)
    if first is None:
        raise CloudError(f"no line of numbers among its first {len(top)}")
    title = next((line for line in reversed(top[:first]) if line.strip()), "")
    names = [word.strip("\"'").lower() for word in _split(title.lstrip("#/ \t"))]
    delimiter = next((mark for mark in ",;" if mark in top[first]), None)
    try:
        table = np.loadtxt(io.StringIO(text), skiprows=first, delimiter=delimiter, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise CloudError(f"{error}; expected the same number of columns in every line") from error
    if {"x", "y", "z"} <= set(names) and len(names) == table.shape[1]:
        return dict(zip(names, table.T, strict=True))
    if table.shape[1] not in (3, 6):
        raise CloudError(
            f"{table.shape[1]} columns without names, expected 3 (x y z) or 6 (x y z red green blue); "
            "drop the others or name them in a first line such as 'x y z nx ny nz'"
        )
    return check_cloud(table, "it")


def _split(line: str) -> list[str]:
    return re.split(r"[,;]\s*|\s+", line.strip().rstrip(",;"))


def _is_numbers(line: str) -> bool:
    try:
        return bool([float(word) for word in _split(line)])
    except ValueError:
        return False


def read_npy(data: bytes, side: SideFiles) -> np.ndarray:
    return _array_cloud(_npy(io.BytesIO(data), len(data)))


def npy_columns(data: bytes) -> dict[str, np.ndarray]:
    """The fields of a structured array, or a cloud (n, 3|6) by name."""
    array = _npy(io.BytesIO(data), len(data))
    names = array.dtype.names
    return {name.lower(): array[name] for name in names} if names else plain_columns(_array_cloud(array))


def _npy(file: IO[bytes], held: int) -> np.ndarray:
    """The array in an NPY stream of `held` bytes, read without numpy's loader, which would unpickle or allocate."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise CloudError("not an NPY file (no \\x93NUMPY at its start); pickles are never loaded") from error
    if version not in ((1, 0), (2, 0)):
        raise CloudError(f"NPY version {version} is not read; save it again with np.save")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if dtype.hasobject:
        raise CloudError("it holds Python objects (a pickle), which are never loaded; save a numeric array")
    size = math.prod(shape) * dtype.itemsize
    require_bytes(size, held - file.tell(), f"an array of shape {shape}")
    return np.frombuffer(file.read(size), dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _array_cloud(array: np.ndarray) -> np.ndarray:
    if array.dtype.names:
        return named_cloud({name: array[name] for name in array.dtype.names})
    if array.ndim == 2 and not {array.shape[0], array.shape[1]} & {3, 6}:
        raise CloudError(
            f"{array.shape[1]} columns, expected 3 (x y z) or 6 (x y z red green blue); "
            "keep the ones that matter, e.g. points[:, :3]"
        )
    return check_cloud(array, "it")


def read_npz(data: bytes, side: SideFiles) -> np.ndarray:
    """The array called points, xyz, coords or the like, with colors beside it, or else the only array."""
    return _npz_cloud(npz_arrays(data), len(data))


def npz_columns(data: bytes) -> dict[str, np.ndarray]:
    """The same by name, with all other arrays that have one number a row."""
    arrays = npz_arrays(data)
    others = {name: array for name, array in arrays.items() if array.ndim == 1}
    return others | plain_columns(_npz_cloud(arrays, len(data)))


def _npz_cloud(arrays: dict[str, np.ndarray], size: int) -> np.ndarray:
    held = sum(array.nbytes for array in arrays.values())
    rows = max(array.shape[0] if array.ndim else 0 for array in arrays.values())
    require_memory(held + POINT * rows, size, f"{rows:,} points")
    name = next((name for name in COORDINATES if name in arrays), None)
    if name is None and {"x", "y", "z"} <= arrays.keys():
        return named_cloud(arrays)
    if name is None and len(arrays) > 1:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise CloudError(f"which of its arrays is the cloud? It has {listed}; call one 'points'")
    cloud = _array_cloud(arrays[name or next(iter(arrays))])
    if cloud.shape[1] == 6:
        return cloud
    tables = (arrays[name] for name in COLORS if name in arrays)
    painted = next((table[:, :3] for table in tables if table.ndim == 2 and table.shape[1] in (3, 4)), None)
    if painted is not None:
        rgb: np.ndarray | None = unit_colors(painted, "its colors")
    else:
        rgb = named_color({name: array for name, array in arrays.items() if array.ndim == 1})
    return cloud if rgb is None or len(rgb) != len(cloud) else np.hstack([cloud, rgb])


@contextmanager
def loaded_npz(path: str | os.PathLike[str], what: str) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of an .npz file that holds `what`; nothing in it is run.

    Raises `FileError` for any other file, also where what is done with its content shows that it is damaged.
    """
    given = given_path(path, "path")
    try:
        yield npz_arrays(given.read_bytes())
    except OSError as error:
        raise FileError(f"cannot read {given}: {error.strerror or error}") from error
    except (*DAMAGE, zipfile.BadZipFile) as error:
        raise FileError(f"{given} holds no {what}, or is damaged: {error}") from error


def npz_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Arrays by name in lower case."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members:
            raise CloudError("a zip archive without arrays (.npy members)")
        size = sum(member.file_size for member in members)
        require_memory(size, len(data), "its arrays")
        # zipfile bounds how far it inflates at once for deflate only
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise CloudError("packed in a way that NumPy never uses; save it again with np.savez")
        found = {}
        for member in members:
            with archive.open(member) as file:
                plain = file.read(member.file_size)  # a plain read() would inflate beyond the declared size
            found[member.filename.removesuffix(".npy").lower()] = _npy(io.BytesIO(plain), len(plain))
        return found

"""Clouds as tables: .npy, .npz, .txt, .xyz, .csv, and columns by name, as other formats have. Nothing is unpickled.

What reads a format gives columns by name where the file has names, else a cloud (n, 3|6).
"""

from __future__ import annotations

import io
import itertools
import math
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import numpy as np

from openshape_ood.checks import given_path, require_memory
from openshape_ood.errors import CloudError, FileError
from openshape_ood.shapes.colors import named_color
from openshape_ood.shapes.guards import POINT, require_bytes
from openshape_ood.shapes.points import check_cloud
from openshape_ood.storage import DAMAGE, read_regular

Table = Mapping[str, np.ndarray] | np.ndarray

COORDINATES = ("points", "xyz", "coords", "point", "coordinates", "pos", "positions", "vertices", "cloud", "pc")
MAX_TOP = 100  # lines of comments and names that may stand before the numbers


def as_cloud(table: Table) -> np.ndarray:
    return table if isinstance(table, np.ndarray) else named_cloud(table)


def as_columns(table: Table) -> dict[str, np.ndarray]:
    """By name, in lower case and without the "scalar_" that CloudCompare writes."""
    if isinstance(table, np.ndarray):
        return plain_columns(table)
    return {name.lower().removeprefix("scalar_"): column for name, column in table.items()}


def named_cloud(columns: Mapping[str, np.ndarray], name: str = "it") -> np.ndarray:
    """A cloud from columns by name; those that are neither coordinates nor color (normals, alpha) are left out."""
    columns = as_columns(columns)
    require_xyz(columns)
    cloud = check_cloud(np.column_stack([columns[axis] for axis in "xyz"]), name)
    rgb = named_color(columns, len(cloud))
    return cloud if rgb is None else np.hstack([cloud, rgb])


def require_xyz(columns: Collection[str]) -> None:
    if not {"x", "y", "z"} <= set(columns):
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")


def check_told_apart(numbers: np.ndarray, what: str) -> None:
    """Raises `CloudError` for floats so large that two whole numbers beside each other are the same: from 2^53 on."""
    if numbers.dtype.kind == "f" and len(numbers):
        most = 2 ** (np.finfo(numbers.dtype).nmant + 1)
        with np.errstate(invalid="ignore"):
            large = np.abs(numbers).max() >= most
        if large:
            raise CloudError(
                f"{what} holds whole numbers of {most:,} and more as {numbers.dtype}, which cannot tell them apart. "
                "Number them from 1, or save them as whole numbers of 64 bits"
            )


def plain_columns(cloud: np.ndarray) -> dict[str, np.ndarray]:
    """A cloud (n, 3|6) as the columns that it has without names."""
    return dict(zip(("x", "y", "z", "red", "green", "blue"), cloud.T, strict=False))


def read_text(data: bytes) -> Table:
    """Numbers in columns divided by spaces, tabs, commas or semicolons, with or without a line of column names."""
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
        told = str(error).partition("; use")[0].rstrip(".")  # options of numpy's loader are nobody's here
        raise CloudError(f"{told}; expected as many numbers, with decimal points, in every line") from error
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


def read_npy(data: bytes) -> Table:
    return _table(_npy(io.BytesIO(data), len(data)))


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


def _table(array: np.ndarray) -> Table:
    return fields_of(array) if array.dtype.names else check_cloud(array, "it")


def fields_of(array: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a structured array, also of one with rows and columns as of a picture."""
    flat = array.reshape(-1)
    return {name: flat[name] for name in array.dtype.names or ()}


def read_npz(data: bytes) -> Table:
    """The array called points, xyz, coords or the like, or else the only one; with colors and others beside it."""
    arrays = {name.lower(): array for name, array in npz_arrays(data).items()}
    held = sum(array.nbytes for array in arrays.values())
    rows = max(array.shape[0] if array.ndim else 0 for array in arrays.values())
    require_memory(held + POINT * rows, len(data), f"{rows:,} points")
    name = next((name for name in COORDINATES if name in arrays), None)
    if name is None and {"x", "y", "z"} <= arrays.keys():
        return arrays
    if name is None and len(arrays) > 1:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise CloudError(f"which of its arrays is the cloud? It has {listed}; call one 'points'")
    cloud = _table(arrays.pop(name or next(iter(arrays))))
    return {**arrays, **as_columns(cloud)} if arrays else cloud


@contextmanager
def loaded_npz(
    path: str | os.PathLike[str], what: str, made: Callable[[dict[str, np.ndarray]], int] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of an .npz file that holds `what`; nothing in it is run.

    made: bytes that will be made of the arrays, all copies counted, which a small file must not ask for in plenty.
    Raises `FileError` for any other file, also where what is done with its content shows that it is damaged.
    """
    given = given_path(path, "path")
    try:
        data = read_regular(given)
        arrays = npz_arrays(data)
        if made is not None:
            needed = made(arrays) + sum(array.nbytes for array in arrays.values())
            require_memory(needed, len(data), "what is made of its arrays", whole=True)
        yield arrays
    except OSError as error:
        raise FileError(f"cannot read {given}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise FileError(f"{given} holds no {what}, or is damaged: {error}") from error


def npz_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Arrays by name. Raises `CloudError` for what is no archive of arrays, or a damaged one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive, len(data))
    # of encrypted members and unknown versions RuntimeError, of cut ones EOFError
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise CloudError(f"it is a damaged zip archive: {error}. Save it again with np.savez") from error


def _members(archive: zipfile.ZipFile, held: int) -> dict[str, np.ndarray]:
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members:
        raise CloudError("a zip archive without arrays (.npy members)")
    require_memory(sum(member.file_size for member in members), held, "its arrays")
    # zipfile bounds how far it inflates at once for deflate only
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise CloudError("packed in a way that NumPy never uses; save it again with np.savez")
    found = {}
    for member in members:
        with archive.open(member) as file:
            plain = file.read(member.file_size)  # a plain read() would inflate beyond the declared size
        found[member.filename.removesuffix(".npy")] = _npy(io.BytesIO(plain), len(plain))
    return found

"""NPZ: named arrays in a zip archive. Pickles are refused."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from openshape_ood.checks import given_path, require_memory
from openshape_ood.errors import CloudError, FileError, OpenShapeError
from openshape_ood.shapes.fields import Table, as_columns
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.formats.npy import as_table, npy_array
from openshape_ood.shapes.guards import POINT
from openshape_ood.storage import DAMAGE, read_regular

COORDINATES = ("points", "xyz", "coords", "point", "coordinates", "pos", "positions", "vertices", "cloud", "pc")


def read_npz(data: bytes) -> Table:
    """Cloud of an NPZ file, with its other arrays as columns.

    The cloud is an array with a name in `COORDINATES`, else the arrays x, y and z, else the only array.
    """
    arrays = {name.lower(): array for name, array in npz_arrays(data).items()}
    held = sum(array.nbytes for array in arrays.values())
    rows = max(array.shape[0] if array.ndim else 0 for array in arrays.values())
    require_memory(held + POINT * rows, len(data), f"{rows:,} points")
    name = next((name for name in COORDINATES if name in arrays), None)
    if name is None and {"x", "y", "z"} <= arrays.keys():
        return arrays
    if name is None and len(arrays) > 1:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise CloudError(f"its arrays are {listed}. Expected one named 'points', for the cloud. Rename it.")
    cloud = as_table(arrays.pop(name or next(iter(arrays))))
    return {**arrays, **as_columns(cloud)} if arrays else cloud


@contextmanager
def loaded_npz(
    path: str | os.PathLike[str], what: str, made: Callable[[dict[str, np.ndarray]], int] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of an .npz file, for a `with` block. No code in the file is executed.

    what: content of the file, for messages. made: function that computes, from the arrays, the bytes of memory that the
    block will allocate. Raises `FileError` if these are too many for the file size, and if the file cannot be read.
    Errors `DAMAGE` of the block, such as a `KeyError` for a missing array, are converted to `FileError` too.
    """
    given = given_path(path, "path")
    try:
        data = read_regular(given)
        arrays = npz_arrays(data)
        if made is not None:
            needed = made(arrays) + sum(array.nbytes for array in arrays.values())
            require_memory(needed, len(data), "the data computed from its arrays", whole=True)
        yield arrays
    except OSError as error:
        raise FileError(
            f"cannot read {given}: {error.strerror or error}. Expected a readable file. Check it."
        ) from error
    except DAMAGE as error:
        remedy = "" if isinstance(error, OpenShapeError) else ". Expected such a file. Save it again."
        raise FileError(f"{given} holds no {what}, or is damaged: {error}{remedy}") from error


def npz_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of an NPZ file by name. Raises `CloudError` for a damaged archive or another file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive, len(data))
    # RuntimeError for encrypted members and unknown versions, EOFError for truncated ones
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise CloudError(
            f"it is a damaged zip archive: {error}. Expected an NPZ file. Save it with np.savez."
        ) from error


def _members(archive: zipfile.ZipFile, held: int) -> dict[str, np.ndarray]:
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members:
        raise CloudError("it is a zip archive without arrays. Expected .npy members. Save it with np.savez.")
    require_memory(sum(member.file_size for member in members), held, "its arrays")
    # only for these compression types does zipfile limit the size of a decompression step
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise CloudError("its compression is one that NumPy never uses. Expected deflate. Save it with np.savez.")
    arrays = {}
    for member in members:
        with archive.open(member) as file:
            plain = file.read(member.file_size)  # without a size, read() may return more than the declared size
        arrays[member.filename.removesuffix(".npy")] = npy_array(io.BytesIO(plain), len(plain))
    return arrays


FORMAT = Format(suffixes=(".npz",), cloud=read_npz)

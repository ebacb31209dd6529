"""NumPy arrays, .npy and .npz: a table of points, or columns by name. No pickle is ever loaded."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import IO

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.columns import named_cloud, named_color
from openshape_ood.shapes.guards import MAX_BYTES, MAX_RATIO, SLACK, SideFiles, require_bytes
from openshape_ood.shapes.points import check_cloud, unit_colors

COORDINATES = ("points", "xyz", "coords", "point", "coordinates", "pos", "positions", "vertices", "cloud", "pc")
COLORS = ("rgb", "colors", "colours", "color", "colour")


def read_npy(data: bytes, side: SideFiles) -> np.ndarray:
    return _array_cloud(_npy(io.BytesIO(data), len(data)))


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
    count = math.prod(shape)
    require_bytes(count * dtype.itemsize, held - file.tell(), f"an array of shape {shape}")
    array = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _array_cloud(array: np.ndarray) -> np.ndarray:
    if array.dtype.names:
        return named_cloud({name: array[name] for name in array.dtype.names})
    is_transposed = array.ndim == 2 and array.shape[0] in (3, 6)
    if array.ndim == 2 and array.shape[1] not in (3, 6) and not is_transposed:
        raise CloudError(
            f"{array.shape[1]} columns, expected 3 (x y z) or 6 (x y z red green blue); "
            "keep the ones that matter, e.g. points[:, :3]"
        )
    return check_cloud(array, "it")


def read_npz(data: bytes, side: SideFiles) -> np.ndarray:
    """The array called points, xyz, coords or the like, with colors beside it, or else the only array."""
    arrays = {name.lower(): array for name, array in _npz(data).items()}
    name = next((name for name in COORDINATES if name in arrays), None)
    if name is None and {"x", "y", "z"} <= arrays.keys():
        return named_cloud(arrays)
    if name is None and len(arrays) > 1:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise CloudError(f"which of its arrays is the cloud? It has {listed}; call one 'points'")
    cloud = _array_cloud(arrays[name or next(iter(arrays))])
    rgb = _npz_color(arrays) if cloud.shape[1] == 3 else None
    return cloud if rgb is None or len(rgb) != len(cloud) else np.hstack([cloud, rgb])


def _npz_color(arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for name in COLORS:
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] in (3, 4):
            return unit_colors(arrays[name][:, :3], "its colors")
    return named_color({name: array for name, array in arrays.items() if array.ndim == 1})


def _npz(data: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members:
            raise CloudError("a zip archive without arrays (.npy members)")
        _check_members(members, len(data))
        return {member.filename.removesuffix(".npy"): _member(archive, member) for member in members}


def _check_members(members: list[zipfile.ZipInfo], held: int) -> None:
    size = sum(member.file_size for member in members)
    if size > min(MAX_BYTES, MAX_RATIO * held + SLACK):
        raise CloudError(f"its arrays unpack from {held:,} to {size:,} bytes; refused as a zip bomb")
    # zipfile bounds how far it inflates at once for deflate only
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise CloudError("packed in a way that NumPy never uses; save it again with np.savez")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        plain = file.read(member.file_size)  # a plain read() would inflate beyond the declared size
    return _npy(io.BytesIO(plain), len(plain))

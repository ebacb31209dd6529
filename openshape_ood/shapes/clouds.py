"""Point clouds from bytes: NPY, NPZ, text, PCD and LAS. Every reader returns (n, 3) or (n, 6) float64."""

from __future__ import annotations

import io
import itertools
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.guards import MAX_BYTES, MAX_RATIO, SLACK, SideFiles, check_las, require_bytes
from openshape_ood.shapes.points import check_cloud, unit_colors

COORDINATES = ("points", "xyz", "coords", "point", "coordinates", "pos", "positions", "vertices", "cloud", "pc")
COLORS = ("rgb", "colors", "colors", "color", "color")
MAX_TOP = 100  # lines of comments and names that may stand before the numbers of a text file
CHANNELS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))


def named_cloud(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """A cloud from columns by name; those that are neither coordinates nor color (normals, alpha) are left out."""
    columns = {name.lower(): values for name, values in columns.items()}
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")
    cloud = check_cloud(np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"]), "it")
    rgb = named_color(columns)
    return cloud if rgb is None else np.hstack([cloud, rgb])


def named_color(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for channels in CHANNELS:
        if set(channels) <= columns.keys():
            rgb = np.column_stack([columns[name] for name in channels])
            # LAS, and some PLY files, have 16-bit colors
            wide = rgb.dtype == np.uint16 and rgb.max(initial=0) > 255
            return unit_colors(rgb / 65535 if wide else rgb, "its colors")
    return None


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


def read_text(data: bytes, side: SideFiles) -> np.ndarray:
    """Numbers in columns divided by spaces, tabs, commas or semicolons, with or without a line of column names."""
    text = data.decode("utf-8-sig")
    top = list(itertools.islice(io.StringIO(text), MAX_TOP))
    first = next((n for n, line in enumerate(top) if _is_numbers(line)), None)
    if first is None:
        raise CloudError(f"no line of numbers among its first {len(top)}")
    names = next((_names(line) for line in reversed(top[:first]) if line.strip()), [])
    table = _table(text, first, next((mark for mark in ",;" if mark in top[first]), None))
    if {"x", "y", "z"} <= set(names) and len(names) == table.shape[1]:
        return named_cloud(dict(zip(names, table.T, strict=True)))
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


def _names(line: str) -> list[str]:
    return [word.strip("\"'").lower() for word in _split(line.lstrip("#/ \t"))]


def _table(text: str, first: int, delimiter: str | None) -> np.ndarray:
    try:
        return np.loadtxt(io.StringIO(text), skiprows=first, delimiter=delimiter, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise CloudError(f"{error}; expected the same number of columns in every line") from error


def read_pcd(data: bytes, side: SideFiles) -> np.ndarray:
    """A cloud of the Point Cloud Library; points it marks as never measured (NaN) are left out."""
    header, body = _pcd_header(data)
    dtype = _pcd_dtype(header)
    count = int(header["POINTS"][0]) if "POINTS" in header else int(header["WIDTH"][0]) * int(header["HEIGHT"][0])
    if count < 1:
        raise CloudError(f"it declares {count} points")
    decode = {"ascii": _pcd_ascii, "binary": _pcd_binary, "binary_compressed": _pcd_compressed}
    kind = header["DATA"][0].lower()
    if kind not in decode:
        raise CloudError(f"PCD data of kind {kind!r}, expected one of {', '.join(decode)}")
    columns = decode[kind](body, dtype, count)
    measured = np.isfinite(np.column_stack([columns[axis] for axis in "xyz"])).all(axis=1)
    if not measured.any():
        raise CloudError("none of its points is finite")
    return named_cloud({name: values[measured] for name, values in _unpack_color(columns).items()})


def _pcd_header(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    offset = 0
    while "DATA" not in header:
        end = data.find(b"\n", offset)
        if end < 0 or end > 65536:
            raise CloudError("no PCD header that ends with a DATA line")
        key, *values = data[offset:end].decode("ascii", "replace").split() or ["#"]
        header[key.upper()] = values
        offset = end + 1
    return header, data[offset:]


def _pcd_dtype(header: dict[str, list[str]]) -> np.dtype:
    names = [name.lower() for name in header["FIELDS"]]
    counts = [int(count) for count in header.get("COUNT", ["1"] * len(names))]
    if not {"x", "y", "z"} <= set(names):
        raise CloudError(f"fields {' '.join(names)}, expected x, y and z among them")
    kinds = [{"F": "f", "I": "i", "U": "u"}[kind] for kind in header["TYPE"]]
    fields = zip(names, kinds, header["SIZE"], counts, strict=True)
    # '_' names padding and may come several times, so fields are told apart by their place
    return np.dtype(
        [
            (f"_{n}" if name == "_" else name, f"<{kind}{size}", (count,))
            for n, (name, kind, size, count) in enumerate(fields)
        ]
    )


def _pcd_ascii(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    require_bytes(2 * count * len(dtype.names or ()), len(body) + 1, f"{count:,} points")
    lines = [line for line in body.decode("ascii").splitlines() if line.strip()]
    if len(lines) != count:
        raise CloudError(f"{len(lines)} lines of points, but its header says {count}")
    table = np.loadtxt(lines, ndmin=2, dtype=np.float64)
    columns, start = {}, 0
    for name in dtype.names or ():
        columns[name] = table[:, start].astype(dtype[name].base)
        start += dtype[name].shape[0]
    return columns


def _pcd_binary(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    require_bytes(count * dtype.itemsize, len(body), f"{count:,} points")
    rows = np.frombuffer(body, dtype, count)
    return {name: rows[name][:, 0] for name in dtype.names or ()}


def _pcd_compressed(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    if len(body) < 8:
        raise CloudError("the compressed data is cut off")
    packed, size = struct.unpack_from("<II", body)
    require_bytes(packed, len(body) - 8, "the compressed data")
    require_bytes(size, 88 * packed, "the unpacked data")  # LZF packs 264 bytes into 3 at best
    if size != count * dtype.itemsize:
        raise CloudError(f"it unpacks to {size:,} bytes, but {count:,} points take {count * dtype.itemsize:,}")
    plain = _lzf(body[8 : 8 + packed], size)
    columns, start = {}, 0
    for name in dtype.names or ():  # compressed clouds are stored field by field
        width = dtype[name].shape[0]
        columns[name] = np.frombuffer(plain, dtype[name].base, count * width, start)[::width]
        start += count * dtype[name].itemsize
    return columns


def _lzf(packed: bytes, size: int) -> bytes:
    """Marc Lehmann's LZF: literal runs, and copies from up to 8 KiB back."""
    out, at = bytearray(), 0
    while at < len(packed) and len(out) <= size:
        control, at = packed[at], at + 1
        if control < 32:
            out += packed[at : at + control + 1]
            at += control + 1
            continue
        length, start = control >> 5, len(out) - ((control & 31) << 8) - 1
        if length == 7:
            length, at = length + packed[at], at + 1
        start, at = start - packed[at], at + 1
        if start < 0:
            raise CloudError("the compressed data refers to before its start")
        out += _repeat(out, start, length + 2)
    if len(out) != size:
        raise CloudError(f"it unpacks to {len(out):,} bytes, expected {size:,}")
    return bytes(out)


def _repeat(out: bytearray, start: int, length: int) -> bytes:
    """`length` bytes from `start` on; a copy may run into what it is itself writing."""
    period = bytes(out[start : start + length])
    return (period * (length // len(period) + 1))[:length]


def _unpack_color(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PCL packs a color into the bits of one 32-bit number, 0x00RRGGBB, often declared as a float."""
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return columns
    bits = np.ascontiguousarray(packed).view(np.uint32)
    shifts = {"red": 16, "green": 8, "blue": 0}
    return {**columns, **{name: (bits >> shift & 255).astype(np.uint8) for name, shift in shifts.items()}}


def read_las(data: bytes, side: SideFiles) -> np.ndarray:
    """A LAS or LAZ cloud, scaled and offset as its header says; color where its point format has it."""
    import laspy

    check_las(data)
    # the parallel decoder trusts the sizes of chunks and allocates for them up front
    with laspy.open(io.BytesIO(data), read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs) as reader:
        header = reader.header
        size = header.point_count * header.point_format.size
        ratio = MAX_RATIO if header.are_points_compressed else 1
        require_bytes(size, ratio * len(data) + (SLACK if ratio > 1 else 0), f"{header.point_count:,} points")
        parts = [_las_columns(chunk) for chunk in reader.chunk_iterator(1_000_000)]
    if not parts:
        raise CloudError("it holds no points")
    if sum(len(part["x"]) for part in parts) != header.point_count:
        raise CloudError(f"it ends before the {header.point_count:,} points of its header")
    return named_cloud({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _las_columns(chunk: Any) -> dict[str, np.ndarray]:
    has_color = "red" in chunk.point_format.dimension_names
    names = ("x", "y", "z", "red", "green", "blue") if has_color else ("x", "y", "z")
    return {name: np.array(getattr(chunk, name)) for name in names}

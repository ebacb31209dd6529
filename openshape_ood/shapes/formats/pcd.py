"""PCD, the format of the Point Cloud Library: text, binary, or compressed by LZF."""

from __future__ import annotations

import struct
from functools import partial

import numpy as np

from openshape_ood.checks import require_memory
from openshape_ood.errors import CloudError
from openshape_ood.shapes.fields import check_exact, require_xyz, row_pieces
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import POINT, require_bytes


def read_pcd(data: bytes) -> dict[str, np.ndarray]:
    """Read the fields of a PCD file. Points with NaN are dropped."""
    header, body = _header(data)
    dtype = _dtype(header)
    count = int(header["POINTS"][0]) if "POINTS" in header else int(header["WIDTH"][0]) * int(header["HEIGHT"][0])
    if count < 1:
        raise CloudError(f"it declares {count} points. Expected at least one. Check the file.")
    require_memory(count * (POINT + dtype.itemsize), len(data), f"{count:,} points")
    decode = {"ascii": _ascii, "binary": _binary, "binary_compressed": _compressed}
    kind = header["DATA"][0].lower()
    if kind not in decode:
        raise CloudError(f"its DATA is {kind!r}. Expected one of {', '.join(decode)}. Save it again.")
    columns = decode[kind](body, dtype, count)
    measured = np.isfinite(np.column_stack([columns[axis] for axis in "xyz"])).all(axis=1)
    if not measured.any():
        raise CloudError("none of its points is finite. Expected at least one. Check the file.")
    return {name: values[measured] for name, values in columns.items()}


def pcd_layout(head: bytes) -> tuple[np.dtype, int, int]:
    """Layout of a binary PCD from its first bytes: type of a point, number of points, byte position of the first."""
    header, body = _header(head)
    if header["DATA"][0].lower() != "binary":
        raise CloudError(
            f"its DATA is {header['DATA'][0]!r}, which cannot be read in pieces. Expected binary. Save it again."
        )
    return _dtype(header), int(header["POINTS"][0]), len(head) - len(body)


def pcd_bytes(xyz: np.ndarray, rgb: np.ndarray | None = None) -> bytes:
    """Binary PCD of points (n, 3), as float32, and colors (n, 3) in [0, 1], packed as in the Point Cloud Library."""
    columns = {"x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2]}
    if rgb is not None:
        red, green, blue = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint32).T
        columns["rgb"] = (red << 16 | green << 8 | blue).view(np.float32)
    rows = np.stack([np.asarray(column, dtype="<f4") for column in columns.values()], axis=1)
    fields = {"VERSION": "0.7", "FIELDS": " ".join(columns)}
    fields |= {key: " ".join([value] * len(columns)) for key, value in (("SIZE", "4"), ("TYPE", "F"), ("COUNT", "1"))}
    fields |= {"WIDTH": str(len(rows)), "HEIGHT": "1", "VIEWPOINT": "0 0 0 1 0 0 0", "POINTS": str(len(rows))}
    lines = [f"{key} {value}" for key, value in (fields | {"DATA": "binary"}).items()]
    return "\n".join([*lines, ""]).encode("ascii") + rows.tobytes()


def _header(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    header: dict[str, list[str]] = {}
    offset = 0
    while "DATA" not in header:
        end = data.find(b"\n", offset)
        if end < 0 or end > 65536:
            raise CloudError("it has no PCD header. Expected one that ends with a DATA line. Check the file.")
        key, *values = data[offset:end].decode("ascii", "replace").split() or ["#"]
        header[key.upper()] = values
        offset = end + 1
    return header, data[offset:]


def _dtype(header: dict[str, list[str]]) -> np.dtype:
    names = [name.lower() for name in header["FIELDS"]]
    counts = [int(count) for count in header.get("COUNT", ["1"] * len(names))]
    require_xyz(names)
    kinds = [{"F": "f", "I": "i", "U": "u"}[kind] for kind in header["TYPE"]]
    # padding fields have the name '_', which may repeat, so they are numbered
    names = [f"_{n}" if name == "_" else name for n, name in enumerate(names)]
    fields = zip(names, kinds, header["SIZE"], counts, strict=True)
    return np.dtype([(name, f"<{kind}{size}", (count,)) for name, kind, size, count in fields])


def _ascii(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    require_bytes(2 * count * len(dtype.names or ()), len(body) + 1, f"{count:,} points")
    lines = [line for line in body.decode("ascii").splitlines() if line.strip()]
    if len(lines) != count:
        raise CloudError(f"it has {len(lines)} lines of points. Expected {count}, as in its header. Copy it again.")
    table = np.loadtxt(lines, ndmin=2, dtype=np.float64)
    columns, start = {}, 0
    for name in dtype.names or ():
        if dtype[name].base.kind in "iu":
            check_exact(table[:, start], f"its column {name!r}")
        columns[name] = table[:, start].astype(dtype[name].base)
        start += dtype[name].shape[0]
    return columns


def _binary(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    require_bytes(count * dtype.itemsize, len(body), f"{count:,} points")
    rows = np.frombuffer(body, dtype, count)
    return {name: rows[name][:, 0] for name in dtype.names or ()}


def _compressed(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    if len(body) < 8:
        raise CloudError("the compressed data is cut off. Expected a complete file. Copy it again.")
    packed, size = struct.unpack_from("<II", body)
    require_bytes(packed, len(body) - 8, "the compressed data")
    require_bytes(size, 88 * packed, "the unpacked data")  # LZF packs at most 264 bytes into 3
    if size != count * dtype.itemsize:
        raise CloudError(
            f"it unpacks to {size:,} bytes. Expected {count * dtype.itemsize:,} for {count:,} points. Save it again."
        )
    plain = _lzf(body[8 : 8 + packed], size)
    columns, start = {}, 0
    for name in dtype.names or ():  # compressed data has all values of a field together
        width = dtype[name].shape[0]
        columns[name] = np.frombuffer(plain, dtype[name].base, count * width, start)[::width]
        start += count * dtype[name].itemsize
    return columns


def _lzf(packed: bytes, size: int) -> bytearray:
    """Decompress Marc Lehmann's LZF: runs of literal bytes, and copies of the output from at most 8 KiB before."""
    out, at = bytearray(), 0
    while at < len(packed) and len(out) <= size:
        control, at = packed[at], at + 1
        if control < 32:
            out += packed[at : at + control + 1]
            at += control + 1
            continue
        length, start = (control >> 5) + 2, len(out) - ((control & 31) << 8) - 1
        if length == 9:
            length, at = length + packed[at], at + 1
        start, at = start - packed[at], at + 1
        if start < 0:
            raise CloudError("the compressed data refers to bytes before its start. Expected valid LZF. Save it again.")
        period = out[start : start + length]  # a copy may overlap the bytes that it appends, so they repeat
        out += (period * (length // len(period) + 1))[:length]
    if len(out) != size:
        raise CloudError(f"it unpacks to {len(out):,} bytes. Expected {size:,}. Save it again.")
    return out


FORMAT = Format(suffixes=(".pcd",), cloud=read_pcd, pieces=partial(row_pieces, pcd_layout), up="z")

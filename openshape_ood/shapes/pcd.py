"""PCD, the format of the Point Cloud Library: ascii, binary, or compressed by LZF."""

from __future__ import annotations

import struct

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.columns import named_cloud
from openshape_ood.shapes.guards import SideFiles, require_bytes


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

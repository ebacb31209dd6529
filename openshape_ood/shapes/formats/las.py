"""LAS and LAZ, formats of survey scans, read by laspy."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Collection, Iterable, Iterator
from typing import IO, BinaryIO

import numpy as np

from openshape_ood.checks import require_memory
from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.shapes.fields import PIECE
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import POINT, require_bytes


def read_las(data: bytes, others: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Columns of a LAS or LAZ cloud: x, y, z with the scale and offset in its header; color and `others` if present."""
    parts = list(las_parts(io.BytesIO(data), data, others))
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}


def las_pieces(file: BinaryIO, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    """Columns as in `read_las` from an open file of any size, a million points at a time."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from las_parts(file, data, others)


def las_parts(
    file: IO[bytes], data: bytes | mmap.mmap, others: Collection[str] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """Columns as in `read_las`, a million points at a time. data: content of the open file, for checks."""
    import laspy

    check_las(data)
    held = len(data)
    # not the parallel decoder, because it allocates memory for chunk sizes in the file without a check
    with laspy.open(file, read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs, closefd=False) as reader:
        header = reader.header
        size, points = header.point_count * header.point_format.size, f"{header.point_count:,} points"
        if not header.are_points_compressed:
            require_bytes(size, held, points)
        require_memory(size + header.point_count * POINT, held, points)
        if not header.point_count:
            raise CloudError("it holds no points. Expected at least one. Check the file.")
        stored = {name.lower(): name for name in header.point_format.dimension_names}
        kept = ["red", "green", "blue"] if "red" in stored else []
        kept += [name for name in others if name in stored]
        names = {"x": "x", "y": "y", "z": "z"} | {name: stored[name] for name in kept}  # column: name in the file
        read = 0
        for chunk in reader.chunk_iterator(PIECE):
            read += len(chunk)
            yield {name: np.array(chunk[column]) for name, column in names.items()}
    if read != header.point_count:
        raise CloudError(f"it has {read:,} points. Expected {header.point_count:,}, as in its header. Copy it again.")


def color_las(
    source: IO[bytes], target: IO[bytes], colored: Iterable[tuple[np.ndarray, np.ndarray]], laz: bool
) -> None:
    """Copy a LAS or LAZ cloud with new colors and the additional attribute "novelty".

    colored: for each chunk of a million points, colors (k, 3) from 0 to 255 and novelties (k,). laz: write LAZ.
    """
    import laspy

    with laspy.open(source, read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs, closefd=False) as reader:
        old = reader.header
        header = laspy.LasHeader(version="1.4", point_format=7)
        header.scales, header.offsets, header.vlrs = old.scales, old.offsets, old.vlrs.copy()
        header.global_encoding.wkt = old.global_encoding.wkt
        header.add_extra_dim(laspy.ExtraBytesParams("novelty", "f4"))
        backend = laspy.LazBackend.Lazrs if laz else None
        with laspy.open(target, mode="w", header=header, closefd=False, do_compress=laz, laz_backend=backend) as writer:
            for chunk, (rgb, novelty) in zip(reader.chunk_iterator(PIECE), colored, strict=True):
                record = laspy.ScaleAwarePointRecord.zeros(len(chunk), header=header)
                for name in ("X", "Y", "Z", "intensity", "classification", "point_source_id", "gps_time"):
                    if name in chunk.point_format.dimension_names:
                        record[name] = chunk[name]
                for channel, column in zip(("red", "green", "blue"), rgb.T, strict=True):
                    record[channel] = column.astype(np.uint16) * 257
                record["novelty"] = novelty
                writer.write_points(record)


def check_las(data: bytes | mmap.mmap) -> None:
    """Raise `ShapeFileError` if records in the header overlap the points, or LAZ chunks are outside the file."""
    if data[:4] != b"LASF" or len(data) < 227:
        raise ShapeFileError("it has no LAS header. Expected 'LASF' at its start. Check the file and its suffix.")
    header, points, records = struct.unpack_from("<HII", data, 94)
    require_bytes(points, len(data), "the header before its points")
    require_bytes(54 * records, points - header, f"its {records:,} variable length records")
    if not data[104] & 0xC0:
        return
    # the LAZ decoder allocates memory for the number of chunks in the table; if that fails, the process crashes
    require_bytes(points + 8, len(data), "the position of its chunk table")
    table = struct.unpack_from("<q", data, points)[0]
    if table == -1:  # the file was written to a stream, so that the position of the table is at its end
        table = struct.unpack_from("<q", data, len(data) - 8)[0]
    if table < 0 or table + 8 > len(data):
        raise ShapeFileError("its chunk table lies outside the file. Expected a complete file. Copy it again.")
    chunks = struct.unpack_from("<I", data, table + 4)[0]
    # each chunk starts with an uncompressed point of 20 bytes or more
    require_bytes(20 * chunks, len(data), f"its {chunks:,} chunks")


FORMAT = Format(
    suffixes=(".las", ".laz"),
    cloud=read_las,
    select=read_las,
    pieces=las_pieces,
    up="z",
    surveyed=True,
    install={"laspy": "pip install 'openshape-ood[las]'"},
)

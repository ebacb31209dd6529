"""LAS and LAZ, survey formats, read by laspy."""

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
    """LAS or LAZ cloud, scaled and offset by its header; color and `others` if present."""
    parts = list(las_parts(io.BytesIO(data), data, others))
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}


def las_pieces(file: BinaryIO, others: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    """Columns of `read_las`, a million points at a time, from an open file of any size."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield from las_parts(file, data, others)


def las_parts(
    file: IO[bytes], data: bytes | mmap.mmap, others: Collection[str] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """Columns of `read_las`, a million points at a time, from an open file and its content."""
    import laspy

    check_las(data)
    held = len(data)
    # the parallel decoder trusts chunk sizes and allocates for them in advance
    with laspy.open(file, read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs, closefd=False) as reader:
        header = reader.header
        size, points = header.point_count * header.point_format.size, f"{header.point_count:,} points"
        if not header.are_points_compressed:
            require_bytes(size, held, points)
        require_memory(size + header.point_count * POINT, held, points)
        if not header.point_count:
            raise CloudError("it holds no points")
        stored = {name.lower(): name for name in header.point_format.dimension_names}
        kept = ["red", "green", "blue"] if "red" in stored else []
        kept += [name for name in others if name in stored]
        names = {"x": "x", "y": "y", "z": "z"} | {name: stored[name] for name in kept}
        read = 0
        for chunk in reader.chunk_iterator(PIECE):
            read += len(chunk)
            yield {name: np.array(chunk[of]) for name, of in names.items()}
    if read != header.point_count:
        raise CloudError(f"it ends before the {header.point_count:,} points of its header")


def color_las(
    source: IO[bytes], target: IO[bytes], colored: Iterable[tuple[np.ndarray, np.ndarray]], laz: bool
) -> None:
    """Copy a LAS cloud with new colors (k, 3), 0 to 255, and an attribute "novelty" (k,), for each million points."""
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
    """Check that header records end before the points, and LAZ chunks lie in the file."""
    if data[:4] != b"LASF" or len(data) < 227:
        raise ShapeFileError("no LAS header ('LASF')")
    header, points, records = struct.unpack_from("<HII", data, 94)
    require_bytes(points, len(data), "what stands before its points")
    require_bytes(54 * records, points - header, f"its {records:,} variable length records")
    if not data[104] & 0xC0:
        return
    # the LAZ decoder allocates for the chunk count in the table and crashes the process if that fails
    require_bytes(points + 8, len(data), "the place of its chunk table")
    table = struct.unpack_from("<q", data, points)[0]
    if table == -1:  # written to a stream: the position stands at the end
        table = struct.unpack_from("<q", data, len(data) - 8)[0]
    if table < 0 or table + 8 > len(data):
        raise ShapeFileError("its chunk table lies outside the file; is it cut off?")
    chunks = struct.unpack_from("<I", data, table + 4)[0]
    require_bytes(20 * chunks, len(data), f"its {chunks:,} chunks")  # each chunk starts with an uncompressed point


FORMAT = Format(
    suffixes=(".las", ".laz"),
    cloud=read_las,
    select=read_las,
    pieces=las_pieces,
    up="z",
    surveyed=True,
    install={"laspy": "pip install 'openshape-ood[las]'"},
)

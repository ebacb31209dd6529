"""LAS and LAZ: scales, records and chunks."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from format_files import refused, refused_if, write, write_las

from openshape_ood.errors import MissingPackageError
from openshape_ood.shapes.formats.las import check_las
from openshape_ood.shapes.reading import load_shape


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_scaled_coordinates_and_16_bit_colors(tmp_path: Path, cloud: np.ndarray, suffix: str) -> None:
    cloud[:, :3] += 1e6
    write_las(tmp_path / f"c.{suffix}", cloud)
    assert load_shape(tmp_path / f"c.{suffix}") == pytest.approx(cloud, abs=1e-4)


def test_more_points_than_bytes(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud[:, :3] += 1e6
    for suffix, count in (("las", 10_000), ("laz", 2**31 - 1)):
        write_las(tmp_path / f"c.{suffix}", cloud)
        data = bytearray((tmp_path / f"c.{suffix}").read_bytes())
        struct.pack_into("<I", data, 107, count)
        with refused("points would take"):
            load_shape(write(tmp_path / f"c.{suffix}", bytes(data)))


def test_records_that_do_not_fit(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud[:, :3] += 1e6
    write_las(tmp_path / "c.las", cloud)
    data = bytearray((tmp_path / "c.las").read_bytes())
    struct.pack_into("<I", data, 100, 2**31)
    with refused("variable length records would take"):
        load_shape(write(tmp_path / "c.las", bytes(data)))


def test_laz_chunks(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud[:, :3] += 1e6
    write_las(tmp_path / "c.laz", cloud)
    data = bytearray((tmp_path / "c.laz").read_bytes())
    table = struct.unpack_from("<q", data, struct.unpack_from("<I", data, 96)[0])[0]
    struct.pack_into("<I", data, table + 4, 2**32 - 1)
    with refused("chunks would take"):
        load_shape(write(tmp_path / "c.laz", bytes(data)))


def test_without_laspy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "laspy", None)
    with pytest.raises(MissingPackageError, match=r"laspy.*openshape-ood\[las\]"):
        load_shape(write(tmp_path / "c.las", b"LASF"))


def las(size: int = 227, points: int = 227, records: int = 0, header: int = 227, packed: int = 0) -> bytearray:
    data = bytearray(b"LASF" + bytes(size - 4))
    struct.pack_into("<HII", data, 94, header, points, records)
    data[104] = packed
    return data


@pytest.mark.parametrize(
    "given, fits",
    [
        ({}, True),
        ({"size": 226}, False),
        ({"points": 228}, False),
        ({"size": 281, "points": 281, "records": 1}, True),
        ({"size": 281, "points": 280, "records": 1}, False),
        ({"size": 281, "points": 281, "records": 2}, False),
        ({"size": 235, "packed": 128}, True),  # just room for the place of the chunk table
        ({"size": 234, "packed": 128}, False),
    ],
)
def test_records_of_las(given: dict[str, int], fits: bool) -> None:
    data = las(**given)
    with refused_if(not fits, "LAS header|would take"):
        check_las(bytes(data))


@pytest.mark.parametrize("table, chunks, fits", [(235, 12, True), (235, 13, False), (236, 0, False), (-2, 0, False)])
def test_chunks_of_laz(table: int, chunks: int, fits: bool) -> None:
    data = las(size=243, packed=128)
    struct.pack_into("<q", data, 227, table)
    if 0 <= table <= 235:
        struct.pack_into("<I", data, table + 4, chunks)
    with refused_if(not fits, "chunk table lies outside|chunks would take"):
        check_las(bytes(data))

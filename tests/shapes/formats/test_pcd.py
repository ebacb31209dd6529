"""PCD in its three encodings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from format_files import pcd, pcd_header, refused, write

from openshape_ood.shapes.reading import load_shape


@pytest.mark.parametrize("kind", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("packed", ["F", "U"])
def test_packed_colors(tmp_path: Path, cloud: np.ndarray, kind: str, packed: str) -> None:
    path = write(tmp_path / "c.pcd", pcd(cloud, kind, packed))
    assert load_shape(path) == pytest.approx(cloud, abs=1e-6)


def test_points_never_measured_are_left_out(tmp_path: Path, cloud: np.ndarray) -> None:
    cloud[4, 0] = np.nan
    path = write(tmp_path / "c.pcd", pcd(cloud, "binary", "F"))
    assert load_shape(path) == pytest.approx(np.delete(cloud, 4, axis=0), abs=1e-6)


def test_copies_that_overlap_themselves_unpack(tmp_path: Path) -> None:
    # 120 bytes: four literal ones, then a copy of 116 from one byte back
    packed = bytes([3, *np.float32(1).tobytes()[::-1], 7 << 5, 116 - 9, 0])
    header = pcd_header(10, "binary_compressed", "x y z", "4 4 4", "F F F")
    path = write(tmp_path / "z.pcd", header + struct.pack("<II", len(packed), 120) + packed)
    assert load_shape(path)[-1].tolist() == [0, 0, 0]


def test_more_points_than_bytes(tmp_path: Path) -> None:
    for kind in ("ascii", "binary"):
        path = write(tmp_path / "c.pcd", pcd_header(2**40, kind, "x y z", "4 4 4", "F F F") + b"0 0 0\n" * 9)
        with refused("points would take"):
            load_shape(path)
    header = pcd_header(10**9, "binary_compressed", "x y z", "4 4 4", "F F F")
    with refused("points would take .* refused as a bomb"):
        load_shape(write(tmp_path / "c.pcd", header + struct.pack("<II", 4, 2**32 - 1) + b"\0" * 4))
    header = pcd_header(10**6, "binary_compressed", "x y z", "4 4 4", "F F F")
    with refused("unpacked data would take"):
        load_shape(write(tmp_path / "c.pcd", header + struct.pack("<II", 4, 12 * 10**6) + b"\0" * 4))

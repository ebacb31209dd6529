"""PLY: meshes and clouds in all encodings, and sizes that cannot be."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_files import BLUE, GREEN, RED, SIDES, assert_halves, halves, on_box, ply_header, refused, write

from openshape_ood.shapes.reading import load_shape


def test_face_colors(tmp_path: Path, box: Any) -> None:
    box.visual.face_colors = np.where(box.face_normals[:, :1] > 0.5, [0, 255, 0, 255], [0, 0, 255, 255])
    points = load_shape(write(tmp_path / "box.ply", box.export(file_type="ply")), points=300)
    lit = points[:, 0] > SIDES[0] / 2 - 1e-9
    assert 0 < lit.sum() < 300
    assert points[lit, 3:] == pytest.approx(np.tile(GREEN, (lit.sum(), 1)))
    assert points[~lit, 3:] == pytest.approx(np.tile(BLUE, ((~lit).sum(), 1)))


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_an_exported_ply_reads_the_same_in_both_encodings(tmp_path: Path, box: Any, encoding: str) -> None:
    box.visual.vertex_colors = np.tile([255, 0, 0, 255], (8, 1))
    points = load_shape(write(tmp_path / "box.ply", box.export(file_type="ply", encoding=encoding)), points=50)
    assert on_box(points)
    assert points[:, 3:] == pytest.approx(np.tile(RED, (50, 1)))


def test_a_million_meters_away_nothing_moves(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0]]) + 1e6
    body = struct.pack("<9d", *corners.ravel()) + struct.pack("<B3i", 3, 0, 1, 2)
    path = write(tmp_path / "far.ply", ply_header("binary_little_endian", "double", faces=1) + body)
    points = load_shape(path, points=200) - 1e6
    assert points[:, 2] == pytest.approx(0, abs=1e-9)
    assert points[:, :2].min() > 0
    assert points[:, :2].sum(axis=1).max() < 1e-3 + 1e-9


def test_polygons_of_all_sizes_are_read(tmp_path: Path) -> None:
    square = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n"
    text = ply_header("ascii", "float", 5, faces=2).decode() + square + "4 0 1 2 3\n3 1 4 2\n"
    points = load_shape(write(tmp_path / "mixed.ply", text), points=3000)
    assert np.mean(points[:, 0] > 1) == pytest.approx(1 / 3, abs=0.05)
    floats = np.array(square.split(), "<f4").tobytes()
    body = floats + struct.pack("<B4iB3i", 4, 0, 1, 2, 3, 3, 1, 4, 2)
    path = write(tmp_path / "binary.ply", ply_header("binary_little_endian", "float", 5, faces=2) + body)
    assert np.array_equal(load_shape(path, points=3000), points)


def test_big_endian_ply(tmp_path: Path) -> None:
    body = struct.pack(">9fB3i", 0, 0, 0, 1, 0, 0, 0, 1, 0, 3, 0, 1, 2)
    path = write(tmp_path / "big.ply", ply_header("binary_big_endian", "float", faces=1) + body)
    assert load_shape(path, points=100)[:, :2].sum(axis=1).max() <= 1


def test_texture_coordinates_of_ply(tmp_path: Path) -> None:
    halves(tmp_path / "halves.png")
    header = (
        "ply\nformat ascii 1.0\ncomment TextureFile halves.png\nelement vertex 4\nproperty float x\n"
        "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    rows = "0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n0 1 0 0 1\n4 0 1 2 3\n"
    assert_halves(load_shape(write(tmp_path / "square.ply", header + rows)))


def test_properties_of_ply_beyond_color_are_left_out(tmp_path: Path) -> None:
    names = ["x", "nx", "y", "ny", "z", "nz"]
    lines = ["ply", "format ascii 1.0", "element vertex 2", *(f"property float {name}" for name in names)]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue", "alpha")]
    path = write(
        tmp_path / "n.ply", "\n".join([*lines, "end_header", *(f"{x} -9 2 -9 3 -9 255 0 51 7" for x in (1, 4)), ""])
    )
    assert load_shape(path) == pytest.approx(np.array([[1, 2, 3, 1, 0, 0.2], [4, 2, 3, 1, 0, 0.2]]))


def test_faces_beyond_the_vertices(tmp_path: Path) -> None:
    text = ply_header("ascii", "float", faces=1).decode() + "0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"
    with refused("beyond its 3"):
        load_shape(write(tmp_path / "bad.ply", text))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_ply_counts(tmp_path: Path, kind: str) -> None:
    for vertices, faces in ((10**15, 0), (3, 10**15), (-5, 1)):
        with refused("would take|declares -5|'vertex'"):
            load_shape(write(tmp_path / "big.ply", ply_header(kind, "float", vertices, faces) + b"0 " * 60))


def test_ply_list_length(tmp_path: Path) -> None:
    header = ply_header("binary_little_endian", "float", 3, 1).replace(b"list uchar", b"list uint")
    with refused("a list would take"):
        load_shape(write(tmp_path / "list.ply", header + bytes(36) + struct.pack("<I3i", 2**32 - 1, 0, 1, 2)))

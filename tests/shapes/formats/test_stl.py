"""STL, text and binary."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from format_files import refused, refused_if, write

from openshape_ood.shapes.reading import load_shape


def test_stl_triangles(tmp_path: Path) -> None:
    with refused("its triangles would take"):
        load_shape(write(tmp_path / "big.stl", bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50)))


@pytest.mark.parametrize("text", ["solid a\n{0}endsolid a\nsolid a\n{0}endsolid a\n", "SOLID\n{0}{0}ENDSOLID"])
def test_ascii_stl(tmp_path: Path, text: str) -> None:
    facet = "facet normal 0 0 1\nouter loop\n vertex 0 0 1e-1\n vertex 1 0 0.1\nvertex 0 1 .1\nendloop\nendfacet\n"
    points = load_shape(write(tmp_path / "a.stl", text.format(facet)), points=50)
    assert points[:, 2] == pytest.approx(0.1)
    assert points[:, :2].sum(axis=1).max() <= 1
    for cut in ("endsolid", "vertex 0 1 .1"):
        with refused("as STL"):
            load_shape(write(tmp_path / "a.stl", text.format(facet).lower().rpartition(cut)[0]))


def stl(triangles: int, rows: int) -> bytes:
    return bytes(80) + struct.pack("<I", triangles) + struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0) * rows


@pytest.mark.parametrize("count, fits", [(1, False), (2, True), (3, False)])
def test_triangles_of_stl(tmp_path: Path, count: int, fits: bool) -> None:
    (tmp_path / "a.stl").write_bytes(stl(count, 2))
    with refused_if(not fits, "would take 150 bytes|it counts 1 triangles, but has 100 bytes"):
        assert load_shape(tmp_path / "a.stl", points=5).shape == (5, 3)


@pytest.mark.parametrize("size, message", [(83, "neither a binary STL"), (84, "no faces and no points")])
def test_the_shortest_stl(tmp_path: Path, size: int, message: str) -> None:
    (tmp_path / "a.stl").write_bytes(bytes(size))
    with refused_if(True, message):
        load_shape(tmp_path / "a.stl")

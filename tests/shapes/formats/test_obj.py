"""OBJ: materials, textures and names."""

from __future__ import annotations

from pathlib import Path

import hostile_shapes
import numpy as np
import pytest
from format_files import BLUE, SQUARE_OBJ, assert_halves, halves, refused, refused_if, write

from openshape_ood.shapes.formats import obj
from openshape_ood.shapes.reading import load_shape


def test_a_texture_colors_the_halves_it_covers(tmp_path: Path) -> None:
    halves(tmp_path / "halves.png")
    write(tmp_path / "square.mtl", "newmtl m\nKd 0.5 0.5 0.5\nmap_Kd halves.png\n")
    assert_halves(load_shape(write(tmp_path / "square.obj", SQUARE_OBJ)))


def test_the_top_of_a_texture_is_at_v_1(tmp_path: Path) -> None:
    halves(tmp_path / "halves.png", upright=True)
    write(tmp_path / "square.mtl", "newmtl m\nmap_Kd halves.png\n")
    points = load_shape(write(tmp_path / "square.obj", SQUARE_OBJ))
    assert np.array_equal(points[:, 3] == 1, points[:, 1] > 0.5)


@pytest.mark.parametrize("mtl", ["", "newmtl m\nmap_Kd gone.png\n"])
def test_without_its_texture_a_shape_has_no_color(tmp_path: Path, mtl: str) -> None:
    if mtl:
        write(tmp_path / "square.mtl", mtl)
    assert load_shape(write(tmp_path / "square.obj", SQUARE_OBJ), points=20).shape == (20, 3)


def test_a_damaged_texture_counts_as_missing(tmp_path: Path) -> None:
    halves(tmp_path / "halves.png")
    write(tmp_path / "halves.png", (tmp_path / "halves.png").read_bytes()[:45])
    write(tmp_path / "square.mtl", "newmtl m\nKd 0 0 1\nmap_Kd halves.png\n")
    points = load_shape(write(tmp_path / "square.obj", SQUARE_OBJ), points=20)
    assert points[:, 3:] == pytest.approx(np.tile(BLUE, (20, 1)))


def test_an_obj_with_names_in_latin_1(tmp_path: Path) -> None:
    text = "o caf\u00e9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    assert load_shape(write(tmp_path / "latin.obj", text.encode("latin-1")), points=5).shape == (5, 3)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_vertices_that_are_not_finite(tmp_path: Path, value: str) -> None:
    with refused("bad.obj has vertices that are NaN or infinite"):
        load_shape(write(tmp_path / "bad.obj", f"v 0 0 0\nv 1 0 0\nv 0 {value} 0\nf 1 2 3\n"))


@pytest.mark.parametrize("most, fits", [(2, True), (1, False)])
def test_materials_of_an_obj(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.obj").write_text(hostile_shapes.OBJ + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nusemtl a\nf 1 2 3\n")
    monkeypatch.setattr(obj, "MAX_MATERIALS", most)
    with refused_if(not fits, "it uses 2 materials. Expected at most 1"):
        load_shape(tmp_path / "a.obj", points=5)

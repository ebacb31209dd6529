"""OFF: colors, clouds, and counts that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from format_files import RED, refused, refused_if, write

from openshape_ood.shapes.formats.off import check_off
from openshape_ood.shapes.reading import load_shape


def test_vertex_colors_of_coff(tmp_path: Path) -> None:
    rows = "0 0 0 255 0 0 255\n1 0 0 255 0 0 255\n0 1 0 255 0 0 255\n3 0 1 2\n"
    points = load_shape(write(tmp_path / "c.off", f"COFF # comment\n3 1 0\n{rows}"), points=5)
    assert points[:, 3:] == pytest.approx(np.tile(RED, (5, 1)))


def test_off_without_faces_is_a_cloud(tmp_path: Path) -> None:
    rows = "0 0 0 255 0 0 255\n1 0 0 255 0 0 255\n0 2 0 255 0 0 255\n"
    points = load_shape(write(tmp_path / "c.off", f"COFF\n3 0 0\n{rows}"))
    assert points[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0]] and (points[:, 3:] == RED).all()
    plain = load_shape(write(tmp_path / "p.off", "OFF\n2 0 0\n0 0 0\n1 0 0\n"))
    assert plain.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_off_counts(tmp_path: Path) -> None:
    with refused("vertices and .* faces would take"):
        load_shape(write(tmp_path / "big.off", "OFF\n1000000000000 5 0\n0 0 0\n"))


@pytest.mark.parametrize("text, fits", [("OFF\n1 1 0\n0 0 0\n1 0\n", True), ("OFF\n1 2 0\n0 0 0\n1 0\n", False),
                                        ("OFF\n2 1 0\n0 0 0\n1 0\n", False), ("OFF\n1 -1 0\n0 0 0\n", False),
                                        ("OFF\n0 0 0\n", True)])  # fmt: skip
def test_rows_of_off(text: str, fits: bool) -> None:
    with refused_if(not fits, "rows|negative|would take"):
        check_off(text.encode())

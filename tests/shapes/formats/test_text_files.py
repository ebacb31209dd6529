"""Text: lines of names, and other numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from format_files import refused, write

from openshape_ood.shapes.reading import load_shape


@pytest.mark.parametrize("head", ["x y z red green blue", "# X Y Z R G B", "//X,Y,Z,R,G,B"])
def test_a_line_of_names(tmp_path: Path, cloud: np.ndarray, head: str) -> None:
    mark = "," if "," in head else " "
    rows = [mark.join(map(repr, row)) for row in cloud.tolist()]
    assert load_shape(write(tmp_path / "c.txt", "\n".join([head, *rows]))) == pytest.approx(cloud)


def test_named_normals_are_left_out(tmp_path: Path, cloud: np.ndarray) -> None:
    table = np.hstack([cloud[:, :3], -cloud[:, :3], cloud[:, 3:]])
    text = io.StringIO()
    np.savetxt(text, table, delimiter=",", header="x,y,z,nx,ny,nz,red,green,blue", comments="")
    assert load_shape(write(tmp_path / "c.csv", text.getvalue())) == pytest.approx(cloud)


def test_text_of_other_numbers_says_what_is_expected(tmp_path: Path) -> None:
    for content, told in (
        ("3\n0 0 0\n1 0 0\n", "from 1 to 3 at row 2"),
        ("x;y;z\n0,5;1,5;2,5\n", "at row 0, column 2"),
    ):
        with refused(rf"{told}\. Expected as many numbers, with decimal points, in every line"):
            load_shape(write(tmp_path / "a.csv", content))

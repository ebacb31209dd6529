"""Lists of shapes as Parquet and as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshape_ood.embedding_store.jobs import Item, ShapeList, is_list
from openshape_ood.errors import FileError, InputError

arrow = pytest.importorskip("pyarrow")


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('id,path,up\n7,a/chair.ply,z\n"x, y",/data/lamp.obj,\n', encoding="utf-8-sig")
    assert is_list(path)
    assert list(ShapeList(path)) == [
        Item("7", str(tmp_path / "a/chair.ply"), "z"),
        Item("x, y", "/data/lamp.obj", None),
    ]
    plain = tmp_path / "list.txt"
    plain.write_text("path\na.ply\nb/c.ply\n")
    assert [item.id for item in ShapeList(plain)] == ["a.ply", "b/c.ply"]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    table = arrow.table({"id": arrow.array([1, 2]), "path": ["a.ply", "b.ply"], "other": [0.5, 0.5]})
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    assert is_list(path)
    assert list(ShapeList(path)) == [Item("1", str(tmp_path / "a.ply")), Item("2", str(tmp_path / "b.ply"))]


def test_clouds_as_text_are_no_lists(tmp_path: Path) -> None:
    path = tmp_path / "cloud.txt"
    path.write_text("0 0 0\n1 1 1\n")
    assert not is_list(path) and not is_list(tmp_path) and not is_list(tmp_path / "none.csv")
    assert not is_list(tmp_path / "chair.ply")


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("path,up\na.ply,z\n,y\n")
    with pytest.raises(InputError, match="row 2 has no path"):
        list(ShapeList(path))
    path.write_text("path,up\na.ply,down\n")
    with pytest.raises(InputError, match="up of row 1"):
        list(ShapeList(path))
    no_path = tmp_path / "list.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table({"file": ["a.ply"]}), no_path)
    with pytest.raises(FileError, match="no column path"):
        list(ShapeList(no_path))
    with pytest.raises(FileError, match="cannot read"):
        list(ShapeList(tmp_path / "none.parquet"))


def test_spaces_around_the_commas_of_a_list_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id , path , up\n a , x.ply , z \n\n b , y.ply , \n")
    found = [(item.id, Path(item.path).name, item.up) for item in ShapeList(tmp_path / "list.csv")]
    assert found == [("a", "x.ply", "z"), ("b", "y.ply", None)]


def test_a_list_is_read_anew_by_every_loop(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("path\na.ply\n")
    shapes = ShapeList(tmp_path / "list.txt")
    assert list(shapes) == list(shapes) != []

"""COLLADA: axis, unit, colors, and hostile XML."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import hostile_shapes
import numpy as np
import pytest
from format_files import INSTANCE, SIDES, collada, free, refused, refused_if, write

from openshape_ood.shapes.guards import NODE, PART
from openshape_ood.shapes.reading import file_up, load_shape, stated_up


def test_the_file_says_what_is_up(tmp_path: Path) -> None:
    for axis in "xyz":
        path = write(tmp_path / f"{axis}.dae", collada(f"<up_axis>{axis.upper()}_UP</up_axis>"))
        assert file_up(path) == axis
    assert file_up(write(tmp_path / "silent.DAE", collada())) == "y"
    assert {file_up(f"any.{suffix}") for suffix in ("glb", "gltf", "obj", "ply", "off", "npy")} == {"y"}
    assert {file_up(f"any.{suffix}") for suffix in ("las", "laz", "pcd", "LAS")} == {"z"}


def test_only_the_documents_own_declaration_counts(tmp_path: Path) -> None:
    for text in (
        collada("<!-- <up_axis>Z_UP</up_axis> -->"),
        collada().replace("</asset>", "</asset><asset><up_axis>Z_UP</up_axis></asset>"),
        collada("<up_axis>UP</up_axis>"),
        "<up_axis>Z_UP",
        '<!DOCTYPE x [<!ENTITY up "Z_UP">]>' + collada("<up_axis>Z_UP</up_axis>"),
    ):
        assert stated_up(write(tmp_path / "a.dae", text)) == "y"
    assert stated_up(write(tmp_path / "a.dae", collada("<!-- a --><up_axis> Z_UP\n</up_axis>"))) == "z"
    assert stated_up("a.glb") == "y"
    assert stated_up("a.ply") is None


def test_coordinates_keep_the_files_axes_and_units(tmp_path: Path) -> None:
    asset = '<unit meter="0.01" name="centimeter"/><up_axis>Z_UP</up_axis>'
    points = load_shape(write(tmp_path / "cm.dae", collada(asset)), points=500)
    assert points[:, :3].min(axis=0) == pytest.approx([5, 0, 0], abs=2)
    assert points[:, :3].max(axis=0) == pytest.approx([105, 100, 0], abs=5)


def test_vertex_colors(tmp_path: Path, box: Any) -> None:
    box.visual.vertex_colors = np.where(box.vertices[:, 2:] > 0, [255, 0, 0, 255], [0, 0, 255, 255])
    points = load_shape(write(tmp_path / "box.dae", box.export(file_type="dae")), points=100)
    assert points[:, 3] == pytest.approx(points[:, 2] / SIDES[2] + 0.5, abs=1e-5)


def test_entities_are_refused(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    for declaration in (f"<!DOCTYPE x [{laughs}]>", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'):
        path = write(tmp_path / "laughs.dae", collada().replace("<COLLADA", declaration + "<COLLADA", 1))
        with refused("DOCTYPE or ENTITY is refused"):
            load_shape(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-7"])
def test_encodings_that_could_hide_entities_are_refused(tmp_path: Path, encoding: str) -> None:
    text = collada().replace("utf-8", encoding)
    with refused("UTF-8"):
        load_shape(write(tmp_path / "hidden.dae", text.encode(encoding)))


def test_nodes_that_instance_each_other_exponentially(tmp_path: Path) -> None:
    library = "".join(
        f'<node id="n{n}">'
        + 10 * (f'<instance_node url="#n{n - 1}"/>' if n else '<instance_geometry url="#g"/>')
        + "</node>"
        for n in range(12)
    )
    text = collada().replace(INSTANCE, '<instance_node url="#n11"/>')
    text = text.replace("</library_geometries>", f"</library_geometries><library_nodes>{library}</library_nodes>")
    with refused("bomb"):
        load_shape(write(tmp_path / "nodes.dae", text))


def test_a_node_that_instances_itself(tmp_path: Path) -> None:
    text = collada().replace(INSTANCE, INSTANCE + '<instance_node url="#root"/>')
    with refused("instances itself"):
        load_shape(write(tmp_path / "loop.dae", text))


def test_a_zip_in_disguise(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.dae", collada())
    with refused("UTF-8|zip archive"):
        load_shape(write(tmp_path / "zip.dae", archive.getvalue()))
    with refused("UTF-8|zip archive"):
        load_shape(write(tmp_path / "tail.dae", collada().encode() + archive.getvalue()))


def test_nan_is_refused(tmp_path: Path) -> None:
    with refused("NaN or infinite"):
        load_shape(write(tmp_path / "nan.dae", collada().replace("100 0 0", "nan 0 0")))


def test_polygons_of_collada_count_as_the_triangles_they_may_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = (
        '<polylist count="1"><input semantic="VERTEX" source="#v" offset="0"/><vcount>3</vcount><p>0 1 2</p></polylist>'
    )
    (tmp_path / "a.dae").write_text(hostile_shapes.dae(faces=faces))
    free(monkeypatch, NODE + PART + 9 * 96 - 1)
    with refused_if(True, "bytes of memory"):
        load_shape(tmp_path / "a.dae")

"""Files in every format, and the hostile ones."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import pickle
import re
import struct
import sys
import threading
import time
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from openshape_ood.errors import CloudError, InputError, MissingPackageError, ShapeFileError
from openshape_ood.shapes import meshes
from openshape_ood.shapes.reading import CLOUDS, SUFFIXES, file_up, load_shape, sample_mesh, stated_up

RED, GREEN, BLUE = np.eye(3)
SIDES = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def box() -> trimesh.Trimesh:
    return trimesh.creation.box(SIDES)


@pytest.fixture
def cloud() -> np.ndarray:
    rng = np.random.RandomState(0)
    return np.hstack([rng.standard_normal((50, 3)), rng.randint(0, 256, (50, 3)) / 255])


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def refused(message: str, megabytes: float = 30) -> Iterator[None]:
    """The block raises a ShapeFileError that says `message`, without asking for much memory on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(ShapeFileError, match=message):
            yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def on_box(points: np.ndarray, sides: np.ndarray = SIDES) -> bool:
    """Whether all points lie on the surface of a centered box."""
    reach = np.abs(points[:, :3]) / (sides / 2)
    return bool((np.abs(reach.max(axis=1) - 1) < 1e-5).all())


class TestMeshes:
    @pytest.mark.parametrize("suffix", ["ply", "obj", "glb", "off", "stl", "dae", "PLY", "Stl"])
    def test_a_box_comes_back_as_points_on_its_surface(self, tmp_path: Path, box: Any, suffix: str) -> None:
        path = write(tmp_path / f"box.{suffix}", box.export(file_type=suffix.lower()))
        points = load_shape(path, points=500)
        assert points.dtype == np.float64
        assert points.shape[0] == 500
        assert on_box(points)
        assert np.ptp(points[:, :3], axis=0) == pytest.approx(SIDES, abs=0.1)

    @pytest.mark.parametrize("suffix", ["ply", "obj", "glb", "off", "stl"])
    def test_a_mesh_without_color_has_three_columns(self, tmp_path: Path, box: Any, suffix: str) -> None:
        assert load_shape(write(tmp_path / f"box.{suffix}", box.export(file_type=suffix))).shape == (10_000, 3)

    @pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
    def test_vertex_colors_are_blended(self, tmp_path: Path, box: Any, suffix: str) -> None:
        box.visual.vertex_colors = np.where(box.vertices[:, 2:] > 0, [255, 0, 0, 255], [0, 0, 255, 255])
        points = load_shape(write(tmp_path / f"box.{suffix}", box.export(file_type=suffix)), points=300)
        height = points[:, 2] / SIDES[2] + 0.5
        assert points[:, 3:] == pytest.approx(np.stack([height, 0 * height, 1 - height], axis=1), abs=1e-5)

    def test_face_colors(self, tmp_path: Path, box: Any) -> None:
        box.visual.face_colors = np.where(box.face_normals[:, :1] > 0.5, [0, 255, 0, 255], [0, 0, 255, 255])
        points = load_shape(write(tmp_path / "box.ply", box.export(file_type="ply")), points=300)
        lit = points[:, 0] > SIDES[0] / 2 - 1e-9
        assert 0 < lit.sum() < 300
        assert points[lit, 3:] == pytest.approx(np.tile(GREEN, (lit.sum(), 1)))
        assert points[~lit, 3:] == pytest.approx(np.tile(BLUE, ((~lit).sum(), 1)))

    @pytest.mark.parametrize("encoding", ["ascii", "binary"])
    def test_an_exported_ply_reads_the_same_in_both_encodings(self, tmp_path: Path, box: Any, encoding: str) -> None:
        box.visual.vertex_colors = np.tile([255, 0, 0, 255], (8, 1))
        points = load_shape(write(tmp_path / "box.ply", box.export(file_type="ply", encoding=encoding)), points=50)
        assert on_box(points)
        assert points[:, 3:] == pytest.approx(np.tile(RED, (50, 1)))

    def test_points_are_even_over_the_surface(self, box: Any) -> None:
        points = sample_mesh(box, 20_000, 0, "box")
        on_top = np.mean(points[:, 2] > SIDES[2] / 2 - 1e-9)
        assert on_top == pytest.approx(2 / 22, abs=0.01)
        side = points[points[:, 0] > SIDES[0] / 2 - 1e-9, 1]
        assert np.histogram(side, 4, (-1, 1))[0] == pytest.approx(len(side) / 4, rel=0.1)

    def test_the_same_seed_draws_the_same_points(self, tmp_path: Path, box: Any) -> None:
        path = write(tmp_path / "box.glb", trimesh.Scene([box, box.copy()]).export(file_type="glb"))
        assert np.array_equal(load_shape(path, seed=3), load_shape(path, seed=3))
        assert not np.array_equal(load_shape(path, seed=3), load_shape(path, seed=4))

    def test_the_stream_of_points_is_frozen(self) -> None:
        triangle = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        draw = np.random.RandomState(0).random_sample(3)
        root, split = np.sqrt(draw[1]), draw[2]
        assert sample_mesh(triangle, 1, 0, "it")[0] == pytest.approx([root * (1 - split), root * split, 0])

    def test_pieces_of_the_drawing_make_the_same_points(self, monkeypatch: pytest.MonkeyPatch, box: Any) -> None:
        painted = box.copy()
        painted.visual.vertex_colors = np.tile([255, 0, 0, 255], (8, 1))
        for shape in (box, trimesh.Scene([box, painted])):
            whole = sample_mesh(shape, 1000)
            with monkeypatch.context() as small:
                small.setattr(meshes, "PIECE", 7)
                assert np.array_equal(sample_mesh(shape, 1000), whole)

    def test_a_small_file_gives_no_tens_of_millions_of_points(self, tmp_path: Path) -> None:
        path = write(tmp_path / "triangle.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
        with refused("10,000,000 points of its surface were asked for. A file of this size gives 3,4"):
            load_shape(path, points=10_000_000)

    def test_a_million_meters_away_nothing_moves(self, tmp_path: Path) -> None:
        corners = np.array([[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0]]) + 1e6
        body = struct.pack("<9d", *corners.ravel()) + struct.pack("<B3i", 3, 0, 1, 2)
        path = write(tmp_path / "far.ply", ply_header("binary_little_endian", "double", faces=1) + body)
        points = load_shape(path, points=200) - 1e6
        assert points[:, 2] == pytest.approx(0, abs=1e-9)
        assert points[:, :2].min() > 0
        assert points[:, :2].sum(axis=1).max() < 1e-3 + 1e-9

    def test_polygons_of_all_sizes_are_read(self, tmp_path: Path) -> None:
        square = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n"
        text = ply_header("ascii", "float", 5, faces=2).decode() + square + "4 0 1 2 3\n3 1 4 2\n"
        points = load_shape(write(tmp_path / "mixed.ply", text), points=3000)
        assert np.mean(points[:, 0] > 1) == pytest.approx(1 / 3, abs=0.05)
        floats = np.array(square.split(), "<f4").tobytes()
        body = floats + struct.pack("<B4iB3i", 4, 0, 1, 2, 3, 3, 1, 4, 2)
        path = write(tmp_path / "binary.ply", ply_header("binary_little_endian", "float", 5, faces=2) + body)
        assert np.array_equal(load_shape(path, points=3000), points)

    def test_big_endian_ply(self, tmp_path: Path) -> None:
        body = struct.pack(">9fB3i", 0, 0, 0, 1, 0, 0, 0, 1, 0, 3, 0, 1, 2)
        path = write(tmp_path / "big.ply", ply_header("binary_big_endian", "float", faces=1) + body)
        assert load_shape(path, points=100)[:, :2].sum(axis=1).max() <= 1

    def test_vertex_colors_of_coff(self, tmp_path: Path) -> None:
        rows = "0 0 0 255 0 0 255\n1 0 0 255 0 0 255\n0 1 0 255 0 0 255\n3 0 1 2\n"
        points = load_shape(write(tmp_path / "c.off", f"COFF # comment\n3 1 0\n{rows}"), points=5)
        assert points[:, 3:] == pytest.approx(np.tile(RED, (5, 1)))

    def test_off_without_faces_is_a_cloud(self, tmp_path: Path) -> None:
        rows = "0 0 0 255 0 0 255\n1 0 0 255 0 0 255\n0 2 0 255 0 0 255\n"
        points = load_shape(write(tmp_path / "c.off", f"COFF\n3 0 0\n{rows}"))
        assert points[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0]] and (points[:, 3:] == RED).all()
        plain = load_shape(write(tmp_path / "p.off", "OFF\n2 0 0\n0 0 0\n1 0 0\n"))
        assert plain.tolist() == [[0, 0, 0], [1, 0, 0]]

    def test_scenes_are_flattened_with_their_transforms(self, tmp_path: Path, box: Any) -> None:
        scene = trimesh.Scene()
        shift = trimesh.transformations.translation_matrix([10, 0, 0])
        scene.add_geometry(box, node_name="a")
        scene.add_geometry(box, node_name="b", transform=shift @ np.diag([2, 2, 2, 1.0]))
        points = load_shape(write(tmp_path / "scene.glb", scene.export(file_type="glb")), points=2000)
        far = points[:, 0] > 5
        assert far.mean() == pytest.approx(4 / 5, abs=0.05)
        assert on_box(points[~far])
        assert on_box(points[far] - [10, 0, 0], 2 * SIDES)

    def test_parts_without_color_are_grey_beside_those_with(self, box: Any) -> None:
        painted = box.copy()
        painted.visual.face_colors = [255, 0, 0, 255]
        painted.apply_translation([10, 0, 0])
        points = sample_mesh(trimesh.Scene([box, painted]), 100, 0, "scene")
        far = points[:, 0] > 5
        assert points[far, 3:] == pytest.approx(np.tile(RED, (far.sum(), 1)))
        assert np.ptp(points[~far, 3:]) == 0

    def test_trimesh_clouds_come_whole(self, cloud: np.ndarray) -> None:
        shape = trimesh.PointCloud(cloud[:, :3], colors=(cloud[:, 3:] * 255).round().astype(np.uint8))
        assert sample_mesh(shape, 7, 0, "cloud") == pytest.approx(cloud)
        assert sample_mesh(trimesh.Scene([shape]), 7, 0, "scene") == pytest.approx(cloud)


class TestMaterials:
    def test_a_texture_colors_the_halves_it_covers(self, tmp_path: Path) -> None:
        halves(tmp_path / "halves.png")
        write(tmp_path / "square.mtl", "newmtl m\nKd 0.5 0.5 0.5\nmap_Kd halves.png\n")
        assert_halves(load_shape(write(tmp_path / "square.obj", SQUARE_OBJ)))

    def test_a_texture_inside_a_glb(self, tmp_path: Path) -> None:
        image = halves(tmp_path / "halves.png")
        visual = trimesh.visual.TextureVisuals(
            uv=SQUARE[:, :2], material=trimesh.visual.material.PBRMaterial(baseColorTexture=image)
        )
        square = trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
        assert_halves(load_shape(write(tmp_path / "square.glb", square.export(file_type="glb"))))

    @pytest.mark.parametrize("factor, color", [(None, 1.0), ([0.2, 0.2, 0.2, 1], 0.2)])
    def test_specular_glossiness_has_its_diffuse_color(self, tmp_path: Path, factor: Any, color: float) -> None:
        halves(tmp_path / "halves.png")
        square = trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], process=False)
        square.visual = trimesh.visual.TextureVisuals(uv=SQUARE[:, :2])
        export = trimesh.Scene(square).export(file_type="gltf")
        tree = json.loads(export.pop("model.gltf"))
        for name, content in export.items():
            write(tmp_path / name, content)
        gloss = {"diffuseTexture": {"index": 0}, **({"diffuseFactor": factor} if factor else {})}
        tree["materials"] = [{"extensions": {"KHR_materials_pbrSpecularGlossiness": gloss}}]
        tree |= {"textures": [{"source": 0}], "images": [{"uri": "halves.png"}]}
        tree["meshes"][0]["primitives"][0]["material"] = 0
        points = load_shape(write(tmp_path / "square.gltf", json.dumps(tree)), points=50)
        points[:, 3:] /= color
        assert_halves(points)

    def test_texture_coordinates_of_ply(self, tmp_path: Path) -> None:
        halves(tmp_path / "halves.png")
        header = (
            "ply\nformat ascii 1.0\ncomment TextureFile halves.png\nelement vertex 4\nproperty float x\n"
            "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 1\n"
            "property list uchar int vertex_indices\nend_header\n"
        )
        rows = "0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n0 1 0 0 1\n4 0 1 2 3\n"
        assert_halves(load_shape(write(tmp_path / "square.ply", header + rows)))

    def test_the_top_of_a_texture_is_at_v_1(self, tmp_path: Path) -> None:
        halves(tmp_path / "halves.png", upright=True)
        write(tmp_path / "square.mtl", "newmtl m\nmap_Kd halves.png\n")
        points = load_shape(write(tmp_path / "square.obj", SQUARE_OBJ))
        assert np.array_equal(points[:, 3] == 1, points[:, 1] > 0.5)

    @pytest.mark.parametrize("suffix", ["obj", "glb", "dae"])
    def test_a_plain_material_colors_everything(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"square.{suffix}"
        if suffix == "obj":
            write(tmp_path / "square.mtl", "newmtl m\nKd 0 0 1\n")
            write(path, SQUARE_OBJ)
        else:
            material = trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 0, 255, 255])
            visual = trimesh.visual.TextureVisuals(uv=SQUARE[:, :2], material=material)
            write(path, trimesh.Trimesh(SQUARE, [[0, 1, 2]], visual=visual).export(file_type=suffix))
        assert load_shape(path, points=20)[:, 3:] == pytest.approx(np.tile(BLUE, (20, 1)))

    @pytest.mark.parametrize("mtl", ["", "newmtl m\nmap_Kd gone.png\n"])
    def test_without_its_texture_a_shape_has_no_color(self, tmp_path: Path, mtl: str) -> None:
        if mtl:
            write(tmp_path / "square.mtl", mtl)
        assert load_shape(write(tmp_path / "square.obj", SQUARE_OBJ), points=20).shape == (20, 3)

    def test_a_damaged_texture_counts_as_missing(self, tmp_path: Path) -> None:
        halves(tmp_path / "halves.png")
        write(tmp_path / "halves.png", (tmp_path / "halves.png").read_bytes()[:45])
        write(tmp_path / "square.mtl", "newmtl m\nKd 0 0 1\nmap_Kd halves.png\n")
        points = load_shape(write(tmp_path / "square.obj", SQUARE_OBJ), points=20)
        assert points[:, 3:] == pytest.approx(np.tile(BLUE, (20, 1)))


class TestCollada:
    def test_the_file_says_what_is_up(self, tmp_path: Path) -> None:
        for axis in "xyz":
            path = write(tmp_path / f"{axis}.dae", collada(f"<up_axis>{axis.upper()}_UP</up_axis>"))
            assert file_up(path) == axis
        assert file_up(write(tmp_path / "silent.DAE", collada())) == "y"
        assert {file_up(f"any.{suffix}") for suffix in ("glb", "gltf", "obj", "ply", "off", "npy")} == {"y"}
        assert {file_up(f"any.{suffix}") for suffix in ("las", "laz", "pcd", "LAS")} == {"z"}

    def test_only_the_documents_own_declaration_counts(self, tmp_path: Path) -> None:
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

    def test_coordinates_keep_the_files_axes_and_units(self, tmp_path: Path) -> None:
        asset = '<unit meter="0.01" name="centimeter"/><up_axis>Z_UP</up_axis>'
        points = load_shape(write(tmp_path / "cm.dae", collada(asset)), points=500)
        assert points[:, :3].min(axis=0) == pytest.approx([5, 0, 0], abs=2)
        assert points[:, :3].max(axis=0) == pytest.approx([105, 100, 0], abs=5)

    def test_vertex_colors(self, tmp_path: Path, box: Any) -> None:
        box.visual.vertex_colors = np.where(box.vertices[:, 2:] > 0, [255, 0, 0, 255], [0, 0, 255, 255])
        points = load_shape(write(tmp_path / "box.dae", box.export(file_type="dae")), points=100)
        assert points[:, 3] == pytest.approx(points[:, 2] / SIDES[2] + 0.5, abs=1e-5)

    def test_entities_are_refused(self, tmp_path: Path) -> None:
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
        for declaration in (f"<!DOCTYPE x [{laughs}]>", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'):
            path = write(tmp_path / "laughs.dae", collada().replace("<COLLADA", declaration + "<COLLADA", 1))
            with refused("DOCTYPE or ENTITY is refused"):
                load_shape(path)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-7"])
    def test_encodings_that_could_hide_entities_are_refused(self, tmp_path: Path, encoding: str) -> None:
        text = collada().replace("utf-8", encoding)
        with refused("UTF-8"):
            load_shape(write(tmp_path / "hidden.dae", text.encode(encoding)))

    def test_nodes_that_instance_each_other_exponentially(self, tmp_path: Path) -> None:
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

    def test_a_node_that_instances_itself(self, tmp_path: Path) -> None:
        text = collada().replace(INSTANCE, INSTANCE + '<instance_node url="#root"/>')
        with refused("instances itself"):
            load_shape(write(tmp_path / "loop.dae", text))

    def test_a_zip_in_disguise(self, tmp_path: Path) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("a.dae", collada())
        with refused("UTF-8|zip archive"):
            load_shape(write(tmp_path / "zip.dae", archive.getvalue()))
        with refused("UTF-8|zip archive"):
            load_shape(write(tmp_path / "tail.dae", collada().encode() + archive.getvalue()))

    def test_nan_is_refused(self, tmp_path: Path) -> None:
        with refused("NaN or infinite"):
            load_shape(write(tmp_path / "nan.dae", collada().replace("100 0 0", "nan 0 0")))


class TestClouds:
    @pytest.mark.parametrize("suffix", ["npy", "npz", "txt", "xyz", "csv", "ply"])
    @pytest.mark.parametrize("columns", [3, 6])
    def test_clouds_come_whole(self, tmp_path: Path, cloud: np.ndarray, suffix: str, columns: int) -> None:
        path = tmp_path / f"cloud.{suffix}"
        write_cloud(path, cloud[:, :columns])
        assert load_shape(path, points=7) == pytest.approx(cloud[:, :columns], abs=1e-12)

    def test_precision_is_kept_a_million_meters_away(self, tmp_path: Path, cloud: np.ndarray) -> None:
        far = cloud[:, :3] + 1e6
        for suffix in ("npy", "csv", "ply"):
            write_cloud(tmp_path / f"far.{suffix}", far)
            assert np.array_equal(load_shape(tmp_path / f"far.{suffix}"), far)

    @pytest.mark.parametrize("scale, dtype", [(1, np.float32), (255, np.uint8), (255, np.float64), (255, np.int64)])
    def test_color_ranges(self, tmp_path: Path, cloud: np.ndarray, scale: int, dtype: Any) -> None:
        rgb = cloud[:, 3:] * scale
        np.savez(tmp_path / "c.npz", points=cloud[:, :3], colors=rgb.round().astype(dtype) if scale > 1 else rgb)
        assert load_shape(tmp_path / "c.npz")[:, 3:] == pytest.approx(cloud[:, 3:], abs=1e-6)

    def test_all_dark_8_bit_colors_stay_dark(self, tmp_path: Path, cloud: np.ndarray) -> None:
        np.savez(tmp_path / "c.npz", points=cloud[:, :3], rgb=np.ones((50, 3), np.uint8))
        assert load_shape(tmp_path / "c.npz")[:, 3:] == pytest.approx(1 / 255)

    @pytest.mark.parametrize("name", ["rgb", "colors", "colours", "color", "colour", "RGB"])
    def test_names_of_color_arrays(self, tmp_path: Path, cloud: np.ndarray, name: str) -> None:
        np.savez(tmp_path / "c.npz", points=cloud[:, :3], **{name: cloud[:, 3:]})
        assert load_shape(tmp_path / "c.npz") == pytest.approx(cloud)

    def test_point_e_arrays(self, tmp_path: Path, cloud: np.ndarray) -> None:
        channels = dict(zip("RGB", cloud[:, 3:].T.astype(np.float32), strict=True))
        np.savez(tmp_path / "pc.npz", coords=cloud[:, :3].astype(np.float32), **channels)
        assert load_shape(tmp_path / "pc.npz") == pytest.approx(cloud, abs=1e-6)

    def test_the_only_array_needs_no_name(self, tmp_path: Path, cloud: np.ndarray) -> None:
        np.savez_compressed(tmp_path / "one.npz", cloud)
        assert load_shape(tmp_path / "one.npz") == pytest.approx(cloud)

    def test_several_unknown_arrays_are_listed(self, tmp_path: Path, cloud: np.ndarray) -> None:
        np.savez(tmp_path / "two.npz", left=cloud, right=cloud)
        with refused(r"left \(50, 6\), right \(50, 6\)"):
            load_shape(tmp_path / "two.npz")

    @pytest.mark.parametrize("head", ["x y z red green blue", "# X Y Z R G B", "//X,Y,Z,R,G,B"])
    def test_a_line_of_names(self, tmp_path: Path, cloud: np.ndarray, head: str) -> None:
        mark = "," if "," in head else " "
        rows = [mark.join(map(repr, row)) for row in cloud.tolist()]
        assert load_shape(write(tmp_path / "c.txt", "\n".join([head, *rows]))) == pytest.approx(cloud)

    def test_named_normals_are_left_out(self, tmp_path: Path, cloud: np.ndarray) -> None:
        table = np.hstack([cloud[:, :3], -cloud[:, :3], cloud[:, 3:]])
        text = io.StringIO()
        np.savetxt(text, table, delimiter=",", header="x,y,z,nx,ny,nz,red,green,blue", comments="")
        assert load_shape(write(tmp_path / "c.csv", text.getvalue())) == pytest.approx(cloud)

    def test_properties_of_ply_beyond_color_are_left_out(self, tmp_path: Path) -> None:
        names = ["x", "nx", "y", "ny", "z", "nz"]
        lines = ["ply", "format ascii 1.0", "element vertex 2", *(f"property float {name}" for name in names)]
        lines += [f"property uchar {name}" for name in ("red", "green", "blue", "alpha")]
        path = write(
            tmp_path / "n.ply", "\n".join([*lines, "end_header", *(f"{x} -9 2 -9 3 -9 255 0 51 7" for x in (1, 4)), ""])
        )
        assert load_shape(path) == pytest.approx(np.array([[1, 2, 3, 1, 0, 0.2], [4, 2, 3, 1, 0, 0.2]]))

    @pytest.mark.parametrize("columns", [1, 2, 4, 5, 7, 9])
    def test_unnamed_columns_other_than_three_or_six(self, tmp_path: Path, columns: int) -> None:
        np.savetxt(tmp_path / "c.txt", np.ones((4, columns)))
        with refused(rf"{columns} columns.*3 \(x y z\) or 6"):
            load_shape(tmp_path / "c.txt")
        np.save(tmp_path / "c.npy", np.ones((4, columns)))
        with refused(rf"shape \(4, {columns}\); expected \(n, 3\) xyz or \(n, 6\).*points\[:, :3\]"):
            load_shape(tmp_path / "c.npy")

    @pytest.mark.parametrize("value", [-0.7, 300.0])
    def test_normals_are_not_taken_for_colors(self, tmp_path: Path, cloud: np.ndarray, value: float) -> None:
        cloud[0, 4] = value
        np.save(tmp_path / "c.npy", cloud)
        with refused(r"look like normals.*points\[:, :3\]"):
            load_shape(tmp_path / "c.npy")

    @pytest.mark.parametrize("suffix", ["npy", "npz", "txt", "ply"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nan_and_infinity(self, tmp_path: Path, cloud: np.ndarray, suffix: str, value: float) -> None:
        cloud[3, 1] = value
        write_cloud(tmp_path / f"c.{suffix}", cloud[:, :3])
        with refused(f"c.{suffix}.*NaN or infinity in 1 of 50 points; drop them first: points = points"):
            load_shape(tmp_path / f"c.{suffix}")


class TestPcd:
    @pytest.mark.parametrize("kind", ["ascii", "binary", "binary_compressed"])
    @pytest.mark.parametrize("packed", ["F", "U"])
    def test_packed_colors(self, tmp_path: Path, cloud: np.ndarray, kind: str, packed: str) -> None:
        path = write(tmp_path / "c.pcd", pcd(cloud, kind, packed))
        assert load_shape(path) == pytest.approx(cloud, abs=1e-6)

    def test_points_never_measured_are_left_out(self, tmp_path: Path, cloud: np.ndarray) -> None:
        cloud[4, 0] = np.nan
        path = write(tmp_path / "c.pcd", pcd(cloud, "binary", "F"))
        assert load_shape(path) == pytest.approx(np.delete(cloud, 4, axis=0), abs=1e-6)

    def test_copies_that_overlap_themselves_unpack(self, tmp_path: Path) -> None:
        # 120 bytes: four literal ones, then a copy of 116 from one byte back
        packed = bytes([3, *np.float32(1).tobytes()[::-1], 7 << 5, 116 - 9, 0])
        header = pcd_header(10, "binary_compressed", "x y z", "4 4 4", "F F F")
        path = write(tmp_path / "z.pcd", header + struct.pack("<II", len(packed), 120) + packed)
        assert load_shape(path)[-1].tolist() == [0, 0, 0]

    def test_more_points_than_bytes(self, tmp_path: Path) -> None:
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


class TestLas:
    @pytest.mark.parametrize("suffix", ["las", "laz"])
    def test_scaled_coordinates_and_16_bit_colors(self, tmp_path: Path, cloud: np.ndarray, suffix: str) -> None:
        cloud[:, :3] += 1e6
        write_las(tmp_path / f"c.{suffix}", cloud)
        assert load_shape(tmp_path / f"c.{suffix}") == pytest.approx(cloud, abs=1e-4)

    def test_more_points_than_bytes(self, tmp_path: Path, cloud: np.ndarray) -> None:
        cloud[:, :3] += 1e6
        for suffix, count in (("las", 10_000), ("laz", 2**31 - 1)):
            write_las(tmp_path / f"c.{suffix}", cloud)
            data = bytearray((tmp_path / f"c.{suffix}").read_bytes())
            struct.pack_into("<I", data, 107, count)
            with refused("points would take"):
                load_shape(write(tmp_path / f"c.{suffix}", bytes(data)))

    def test_records_that_do_not_fit(self, tmp_path: Path, cloud: np.ndarray) -> None:
        cloud[:, :3] += 1e6
        write_las(tmp_path / "c.las", cloud)
        data = bytearray((tmp_path / "c.las").read_bytes())
        struct.pack_into("<I", data, 100, 2**31)
        with refused("variable length records would take"):
            load_shape(write(tmp_path / "c.las", bytes(data)))

    def test_laz_chunks(self, tmp_path: Path, cloud: np.ndarray) -> None:
        cloud[:, :3] += 1e6
        write_las(tmp_path / "c.laz", cloud)
        data = bytearray((tmp_path / "c.laz").read_bytes())
        table = struct.unpack_from("<q", data, struct.unpack_from("<I", data, 96)[0])[0]
        struct.pack_into("<I", data, table + 4, 2**32 - 1)
        with refused("chunks would take"):
            load_shape(write(tmp_path / "c.laz", bytes(data)))

    def test_without_laspy_the_extra_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "laspy", None)
        with pytest.raises(MissingPackageError, match=r"laspy.*openshape-ood\[las\]"):
            load_shape(write(tmp_path / "c.las", b"LASF"))


def test_an_obj_with_names_in_latin_1(tmp_path: Path) -> None:
    text = "o caf\u00e9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    assert load_shape(write(tmp_path / "latin.obj", text.encode("latin-1")), points=5).shape == (5, 3)


class TestPaths:
    def test_a_path_that_does_not_exist(self, tmp_path: Path) -> None:
        for kind in (FileNotFoundError, ShapeFileError):
            with pytest.raises(kind, match="no such file"):
                load_shape(str(tmp_path / "gone.ply"))

    def test_a_folder(self, tmp_path: Path) -> None:
        with refused(r"folder.*glob\('\*\.ply'\)"):
            load_shape(tmp_path)

    def test_paths_that_the_system_refuses(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "loop.ply").symlink_to(tmp_path / "loop.ply")
        for path, message in (
            ("a" * 5_000 + ".ply", r"cannot open a{100}\.\.\. \(5,004 characters\): File name too long"),
            ("~nosuchuser/x.ply", "path is '~nosuchuser/x.ply'; expected the path of a file"),
            (tmp_path / "loop.ply", "cannot open .*loop.ply: Too many levels"),
            ("a\0.ply", "no such file"),
        ):
            with refused(message):
                load_shape(path)
        # root may enter every folder, so the refusal is made up
        monkeypatch.setattr(
            Path, "stat", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
        for read in (load_shape, file_up):
            with refused("cannot open .*x.dae: Permission denied"):
                read("closed/x.dae")

    def test_an_unknown_suffix_lists_the_known(self, tmp_path: Path) -> None:
        with refused(r"'\.step'.*\.ply \.obj \.glb .*\.laz"):
            load_shape(write(tmp_path / "part.step", "ISO-10303-21;"))

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.ply")
        with refused("not a regular file"):
            load_shape(tmp_path / "pipe.ply")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with refused("is empty"):
            load_shape(write(tmp_path / "empty.glb", b""))

    @pytest.mark.parametrize("argument", [{"points": 0}, {"points": 1.5}, {"seed": -1}])
    def test_arguments_that_cannot_be_drawn(self, tmp_path: Path, box: Any, argument: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="expected a whole number"):
            load_shape(write(tmp_path / "box.stl", box.export(file_type="stl")), **argument)

    @pytest.mark.parametrize("suffix", [suffix[1:] for suffix in SUFFIXES])
    @pytest.mark.parametrize("content", [b"\0" * 300, b"\xff\xd8\xff garbage \n" * 30, b"hello\n"])
    def test_garbage_is_one_clear_error(self, tmp_path: Path, suffix: str, content: bytes) -> None:
        path = write(tmp_path / f"garbage.{suffix}", content)
        with refused(f"cannot read {re.escape(str(path))} as {suffix.upper()}: "):
            load_shape(path)

    @pytest.mark.parametrize("suffix", ["ply", "glb", "off", "stl", "dae"])
    def test_a_file_cut_off_anywhere_is_one_clear_error(self, tmp_path: Path, box: Any, suffix: str) -> None:
        whole = box.export(file_type=suffix)
        whole = whole.encode() if isinstance(whole, str) else whole
        for end in range(1, len(whole) - 30, len(whole) // 12):
            with pytest.raises(ShapeFileError, match=f"as {suffix.upper()}"):
                load_shape(write(tmp_path / f"cut.{suffix}", whole[:end]))


class TestThreads:
    def test_what_belongs_to_the_process_is_put_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        inside, leave = threading.Barrier(3), threading.Event()

        def wait(data: bytes) -> np.ndarray:
            inside.wait(10)
            leave.wait(10)
            if data == b"last":
                time.sleep(0.05)
            return np.eye(3)

        monkeypatch.setitem(CLOUDS, ".xyz", wait)
        logger, filters = logging.getLogger("trimesh"), list(warnings.filters)
        before = logger.level
        for order in (("first", "last"), ("last", "first")):
            inside.reset()
            leave.clear()
            threads = [
                threading.Thread(target=load_shape, args=(write(tmp_path / f"{name}.xyz", name),)) for name in order
            ]
            for thread in threads:
                thread.start()
            inside.wait(10)
            assert logger.level > logging.CRITICAL
            leave.set()
            for thread in threads:
                thread.join()
            assert logger.level == before
            assert warnings.filters == filters

    def test_also_after_an_error(self, tmp_path: Path) -> None:
        filters = list(warnings.filters)
        with pytest.raises(ShapeFileError):
            load_shape(write(tmp_path / "a.obj", "v 1"))
        assert warnings.filters == filters
        assert logging.getLogger("trimesh").level < logging.CRITICAL


class TestNothingToSample:
    def test_no_area(self, tmp_path: Path) -> None:
        with refused("line.obj has no face with a finite area"):
            load_shape(write(tmp_path / "line.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n"))

    def test_no_faces(self, tmp_path: Path) -> None:
        with refused("no faces and no points"):
            load_shape(write(tmp_path / "none.stl", bytes(84)))
        with refused("c.off has no faces and no points"):
            load_shape(write(tmp_path / "c.off", "COFF\n0 0 0\n"))
        with refused("empty.glb has no faces and no points"):
            load_shape(write(tmp_path / "empty.glb", glb({"asset": {"version": "2.0"}, "scenes": [{}], "scene": 0})))
        with pytest.raises(CloudError, match="it has no faces and no points"):
            sample_mesh(trimesh.Scene(), 10, 0, "it")

    @pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
    def test_vertices_that_are_not_finite(self, tmp_path: Path, value: str) -> None:
        with refused("bad.obj has vertices that are NaN or infinite"):
            load_shape(write(tmp_path / "bad.obj", f"v 0 0 0\nv 1 0 0\nv 0 {value} 0\nf 1 2 3\n"))

    def test_faces_beyond_the_vertices(self, tmp_path: Path) -> None:
        text = ply_header("ascii", "float", faces=1).decode() + "0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"
        with refused("beyond its 3"):
            load_shape(write(tmp_path / "bad.ply", text))

    def test_other_objects(self) -> None:
        with pytest.raises(CloudError, match="it is a list, expected a trimesh"):
            sample_mesh([], 10, 0, "it")


class Payload:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.trace),)


class TestPickles:
    def test_no_pickle_is_ever_run(self, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        raw = pickle.dumps(Payload(trace))
        objects = np.array([Payload(trace)], dtype=object)
        np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
        np.savez(tmp_path / "objects.npz", points=objects, allow_pickle=True)
        for name, content in (("raw.npy", raw), ("raw.npz", raw)):
            write(tmp_path / name, content)
        for name in ("objects.npy", "objects.npz", "raw.npy", "raw.npz"):
            with refused("pickle" if name != "raw.npz" else "not a zip"):
                load_shape(tmp_path / name)
        assert not trace.exists()
        pickle.loads(raw)
        assert trace.exists()  # so it would have been seen


class TestSizesInHeaders:
    def test_npy_shape(self, tmp_path: Path) -> None:
        for shape in ((2**40, 3), (2**62, 2**62), (-1, 3)):
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
            with refused("would take"):
                load_shape(write(tmp_path / "big.npy", header.getvalue() + bytes(48)))

    def test_npz_bomb(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("points.npy", bytes(150 * 2**20))
        with refused("its arrays would take .* bomb"):
            load_shape(tmp_path / "bomb.npz")

    def test_npz_that_understates_its_size(self, tmp_path: Path) -> None:
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packed.compress(bytes(60 * 2**20)) + packed.flush()
        path = tmp_path / "liar.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("points.npy", body)
        data = path.read_bytes()
        for signature, method, size in ((b"PK\3\4", 8, 22), (b"PK\1\2", 10, 24)):
            at = data.index(signature)
            data = data[: at + method] + struct.pack("<H", 8) + data[at + method + 2 :]
            data = data[: at + size] + struct.pack("<I", 1000) + data[at + size + 4 :]
        with refused("cannot read"):
            load_shape(write(path, data))

    @pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
    def test_ply_counts(self, tmp_path: Path, kind: str) -> None:
        for vertices, faces in ((10**15, 0), (3, 10**15), (-5, 1)):
            with refused("would take|declares -5|'vertex'"):
                load_shape(write(tmp_path / "big.ply", ply_header(kind, "float", vertices, faces) + b"0 " * 60))

    def test_ply_list_length(self, tmp_path: Path) -> None:
        header = ply_header("binary_little_endian", "float", 3, 1).replace(b"list uchar", b"list uint")
        with refused("a list would take"):
            load_shape(write(tmp_path / "list.ply", header + bytes(36) + struct.pack("<I3i", 2**32 - 1, 0, 1, 2)))

    def test_stl_triangles(self, tmp_path: Path) -> None:
        with refused("its triangles would take"):
            load_shape(write(tmp_path / "big.stl", bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50)))

    @pytest.mark.parametrize("text", ["solid a\n{0}endsolid a\nsolid a\n{0}endsolid a\n", "SOLID\n{0}{0}ENDSOLID"])
    def test_ascii_stl(self, tmp_path: Path, text: str) -> None:
        facet = "facet normal 0 0 1\nouter loop\n vertex 0 0 1e-1\n vertex 1 0 0.1\nvertex 0 1 .1\nendloop\nendfacet\n"
        points = load_shape(write(tmp_path / "a.stl", text.format(facet)), points=50)
        assert points[:, 2] == pytest.approx(0.1)
        assert points[:, :2].sum(axis=1).max() <= 1
        for cut in ("endsolid", "vertex 0 1 .1"):
            with refused("as STL"):
                load_shape(write(tmp_path / "a.stl", text.format(facet).lower().rpartition(cut)[0]))

    def test_text_of_other_numbers_says_what_is_expected(self, tmp_path: Path) -> None:
        for content, told in (
            ("3\n0 0 0\n1 0 0\n", "from 1 to 3 at row 2"),
            ("x;y;z\n0,5;1,5;2,5\n", "at row 0, column 2"),
        ):
            with refused(f"{told}; expected as many numbers, with decimal points, in every line"):
                load_shape(write(tmp_path / "a.csv", content))

    def test_off_counts(self, tmp_path: Path) -> None:
        with refused("vertices and .* faces would take"):
            load_shape(write(tmp_path / "big.off", "OFF\n1000000000000 5 0\n0 0 0\n"))

    def test_glb_lengths(self, tmp_path: Path) -> None:
        good = glb(gltf_triangle())
        assert load_shape(write(tmp_path / "good.glb", good), points=5).shape == (5, 3)
        for at in (8, 12):
            with refused("would take"):
                load_shape(write(tmp_path / "bad.glb", good[:at] + struct.pack("<I", 2**31) + good[at + 4 :]))

    @pytest.mark.parametrize(
        "change",
        [
            {"accessors": {"count": 2**40}},
            {"accessors": {"count": -3}},
            {"accessors": {"byteOffset": 2**40}},
            {"bufferViews": {"byteLength": 2**40}},
            {"bufferViews": {"byteOffset": 30}},
            {"bufferViews": {"byteStride": 2**30}},
            {"buffers": {"byteLength": 2**40}},
            {"accessors": {"count": 2**34, "bufferView": None}},
            {"accessors": {"count": 2**34, "bufferView": None, "sparse": {"count": 1}}},
        ],
        ids=str,
    )
    def test_gltf_counts(self, tmp_path: Path, change: dict[str, dict[str, Any]]) -> None:
        tree = gltf_triangle()
        for kind, values in change.items():
            tree[kind][0].update(values)
            tree[kind][0] = {key: value for key, value in tree[kind][0].items() if value is not None}
        for suffix, content in (("gltf", json.dumps(tree).encode()), ("glb", glb(tree))):
            with refused("would take|expected a number"):
                load_shape(write(tmp_path / f"bad.{suffix}", content))

    def test_gltf_that_uses_its_bytes_a_million_times(self, tmp_path: Path) -> None:
        tree = gltf_triangle(triangles=30_000)
        tree["meshes"][0]["primitives"] *= 2000
        with refused("bomb"):
            load_shape(write(tmp_path / "bomb.gltf", json.dumps(tree)))

    def test_compressed_gltf_says_so(self, tmp_path: Path) -> None:
        tree = gltf_triangle() | {"extensionsRequired": ["KHR_draco_mesh_compression"]}
        with refused("KHR_draco_mesh_compression.*without compression"):
            load_shape(write(tmp_path / "draco.gltf", json.dumps(tree)))


class TestSideFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder beside one with files it must not reach."""
        halves(tmp_path / "outside.png")
        write(tmp_path / "outside.mtl", "newmtl m\nKd 1 0 0\n")
        write(tmp_path / "outside.bin", TRIANGLE)
        (tmp_path / "inside").mkdir()
        (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "outside.png")
        (tmp_path / "inside" / "link.mtl").symlink_to(tmp_path / "outside.mtl")
        (tmp_path / "inside" / "link.bin").symlink_to(tmp_path / "outside.bin")
        return tmp_path / "inside"

    @pytest.mark.parametrize("name", ["../outside", "link", "{}/outside", "file://{}/outside", "x/../../outside"])
    def test_only_the_files_own_folder_is_read(self, folder: Path, name: str) -> None:
        name = name.format(folder.parent)
        path = write(folder / "square.obj", SQUARE_OBJ.replace("square.mtl", f"{name}.mtl"))
        assert load_shape(path, points=9).shape == (9, 3)
        write(folder / "square.mtl", f"newmtl m\nmap_Kd {name}.png\n")
        assert load_shape(write(folder / "square.obj", SQUARE_OBJ), points=9).shape == (9, 3)
        with refused("not in its own folder"):
            load_shape(write(folder / "t.gltf", json.dumps(gltf_triangle(uri=f"{name}.bin"))))

    def test_urls_are_not_fetched(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
        with refused("not in its own folder"):
            load_shape(write(folder / "t.gltf", json.dumps(gltf_triangle(uri="http://127.0.0.1/t.bin"))))

    def test_buffers_and_textures_below_the_folder_are_read(self, folder: Path) -> None:
        (folder / "my files").mkdir()
        write(folder / "my files" / "t.bin", TRIANGLE)
        path = write(folder / "t.gltf", json.dumps(gltf_triangle(uri="my%20files/t.bin")))
        assert load_shape(path, points=9).shape == (9, 3)
        halves(folder / "my files" / "halves.png")
        write(folder / "square.mtl", "newmtl m\nmap_Kd my files\\halves.png\n")
        assert_halves(load_shape(write(folder / "square.obj", SQUARE_OBJ)))

    def test_a_side_file_with_a_name_too_long_is_missing(self, tmp_path: Path) -> None:
        write(tmp_path / "square.mtl", f"newmtl m\nmap_Kd {'a' * 5_000}.png\n")
        assert load_shape(write(tmp_path / "square.obj", SQUARE_OBJ), points=20).shape == (20, 3)
        with refused("which is not in its own folder"):
            load_shape(write(tmp_path / "t.gltf", json.dumps(gltf_triangle(uri="a" * 5_000))))

    def test_a_missing_buffer_is_an_error(self, tmp_path: Path) -> None:
        with refused("'gone.bin', which is not in its own folder"):
            load_shape(write(tmp_path / "t.gltf", json.dumps(gltf_triangle(uri="gone.bin"))))

    @pytest.mark.parametrize("side", [9_000, 30_000])
    def test_image_bombs(self, tmp_path: Path, side: int) -> None:
        bomb = png_header(side, side)
        write(tmp_path / "bomb.png", bomb)
        write(tmp_path / "square.mtl", "newmtl m\nmap_Kd bomb.png\n")
        with refused("bomb.png"):
            load_shape(write(tmp_path / "square.obj", SQUARE_OBJ))
        tree = gltf_triangle()
        tree["meshes"][0]["primitives"][0]["material"] = 0
        tree |= {"materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]}
        tree |= {"textures": [{"source": 0}]}
        tree["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(bomb).decode()}]
        with refused("image 'embedded'"):
            load_shape(write(tmp_path / "t.gltf", json.dumps(tree)))


def write_cloud(path: Path, cloud: np.ndarray) -> None:
    match path.suffix:
        case ".npy":
            np.save(path, cloud)
        case ".npz":
            np.savez(path, points=cloud)
        case ".ply":
            names = ["x", "y", "z", "red", "green", "blue"][: cloud.shape[1]]
            properties = "".join(f"property double {name}\n" for name in names)
            header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(cloud)}\n{properties}end_header\n"
            write(path, header.encode() + cloud.astype("<f8").tobytes())
        case suffix:
            np.savetxt(path, cloud, delimiter="," if suffix == ".csv" else " ", fmt="%.17g")


def ply_header(kind: str, number: str, vertices: int = 3, faces: int = 0) -> bytes:
    face = f"element face {faces}\nproperty list uchar int vertex_indices\n" if faces else ""
    axes = "".join(f"property {number} {axis}\n" for axis in "xyz")
    return f"ply\nformat {kind} 1.0\nelement vertex {vertices}\n{axes}{face}end_header\n".encode()


def pcd_header(count: int, kind: str, fields: str, sizes: str, types: str) -> bytes:
    counts = " ".join("1" for _ in fields.split())
    return (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\nWIDTH {count}\n"
        f"HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA {kind}\n"
    ).encode()


def pcd(cloud: np.ndarray, kind: str, packed: str) -> bytes:
    rgb = (cloud[:, 3:] * 255).round().astype(np.uint32)
    bits = rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]
    color = bits.view(np.float32) if packed == "F" else bits
    header = pcd_header(len(cloud), kind, "x y z rgb", "4 4 4 4", f"F F F {packed}")
    columns = [*cloud[:, :3].T.astype("<f4"), color]
    if kind == "ascii":
        rows = [" ".join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True)]
        return header + "\n".join(rows).encode()
    if kind == "binary":
        return header + b"".join(value.tobytes() for row in zip(*columns, strict=True) for value in row)
    plain = b"".join(column.tobytes() for column in columns)
    runs = [plain[at : at + 32] for at in range(0, len(plain), 32)]
    body = b"".join(bytes([len(run) - 1]) + run for run in runs)
    return header + struct.pack("<II", len(body), len(plain)) + body


def write_las(path: Path, cloud: np.ndarray) -> None:
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=2, version="1.2")
    header.scales, header.offsets = np.full(3, 1e-4), np.full(3, 1e6)
    las = laspy.LasData(header)
    las.x, las.y, las.z = cloud[:, :3].T
    las.red, las.green, las.blue = (cloud[:, 3:].T * 65535).round().astype(np.uint16)
    las.write(str(path))


SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
SQUARE_OBJ = (
    "mtllib square.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    "usemtl m\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
)


def halves(path: Path, upright: bool = False) -> Any:
    """An image of two pixels: red left of blue, or red above blue."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    picture = image.fromarray(pixels.transpose(1, 0, 2) if upright else pixels)
    picture.save(path)
    return picture


def assert_halves(points: np.ndarray) -> None:
    left = points[:, 0] < 0.5
    assert points[left, 3:] == pytest.approx(np.tile(RED, (left.sum(), 1)))
    assert points[~left, 3:] == pytest.approx(np.tile(BLUE, ((~left).sum(), 1)))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(b""), b"IEND"]
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


INSTANCE = '<instance_geometry url="#g"/>'


def collada(asset: str = "") -> str:
    """One triangle of legs 100, moved by 5 along x."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><asset>{asset}</asset>'
        '<library_geometries><geometry id="g"><mesh><source id="p">'
        '<float_array id="a" count="9">0 0 0 100 0 0 0 100 0</float_array><technique_common>'
        '<accessor source="#a" count="3" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>'
        '<param name="Z" type="float"/></accessor></technique_common></source>'
        '<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>'
        '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles>'
        "</mesh></geometry></library_geometries><library_visual_scenes>"
        f'<visual_scene id="s"><node id="root"><translate>5 0 0</translate>{INSTANCE}</node></visual_scene>'
        '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    )


TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def gltf_triangle(triangles: int = 1, uri: str | None = None) -> dict[str, Any]:
    """A glTF document whose one buffer is inside, or in a side file."""
    body = TRIANGLE * triangles
    inside = "data:application/octet-stream;base64," + base64.b64encode(body).decode()
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3 * triangles, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": len(body)}],
        "buffers": [{"byteLength": len(body), "uri": uri or inside}],
    }


def glb(tree: dict[str, Any]) -> bytes:
    """The same as one binary file; only the first buffer moves into it."""
    body = b""
    if "buffers" in tree:
        buffer = {key: value for key, value in tree["buffers"][0].items() if key != "uri"}
        body = base64.b64decode(tree["buffers"][0]["uri"].partition("base64,")[2])
        tree = {**tree, "buffers": [buffer]}
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

"""Files in every format, and the hostile ones."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from format_files import (
    BLUE,
    RED,
    SIDES,
    SQUARE,
    SQUARE_OBJ,
    TRIANGLE,
    assert_halves,
    glb,
    gltf_triangle,
    halves,
    on_box,
    png_header,
    refused,
    write,
    write_cloud,
)

from openshape_ood.errors import CloudError, InputError, ShapeFileError
from openshape_ood.shapes import meshes
from openshape_ood.shapes.formats import BY_SUFFIX, SUFFIXES, text
from openshape_ood.shapes.meshes import sample_mesh
from openshape_ood.shapes.reading import file_up, load_shape


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
        with refused("10,000,000 points of its surface are requested. Expected at most 3,4"):
            load_shape(path, points=10_000_000)

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

    @pytest.mark.parametrize("columns", [1, 2, 4, 5, 7, 9])
    def test_unnamed_columns_other_than_three_or_six(self, tmp_path: Path, columns: int) -> None:
        np.savetxt(tmp_path / "c.txt", np.ones((4, columns)))
        with refused(rf"{columns} columns.*3 \(x y z\) or 6"):
            load_shape(tmp_path / "c.txt")
        np.save(tmp_path / "c.npy", np.ones((4, columns)))
        with refused(rf"shape \(4, {columns}\)\. Expected \(n, 3\) xyz, or \(n, 6\).*points\[:, :3\]"):
            load_shape(tmp_path / "c.npy")

    @pytest.mark.parametrize("value", [-0.7, 300.0])
    def test_normals_are_not_taken_for_colors(self, tmp_path: Path, cloud: np.ndarray, value: float) -> None:
        cloud[0, 4] = value
        np.save(tmp_path / "c.npy", cloud)
        with refused(r"are normals.*points\[:, :3\]"):
            load_shape(tmp_path / "c.npy")

    @pytest.mark.parametrize("suffix", ["npy", "npz", "txt", "ply"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nan_and_infinity(self, tmp_path: Path, cloud: np.ndarray, suffix: str, value: float) -> None:
        cloud[3, 1] = value
        write_cloud(tmp_path / f"c.{suffix}", cloud[:, :3])
        with refused(f"c.{suffix}.*NaN or infinity in 1 of 50 points.*Drop these points first: points = points"):
            load_shape(tmp_path / f"c.{suffix}")


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
            ("~nosuchuser/x.ply", "path is '~nosuchuser/x.ply' .*Expected the path of a file"),
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
        with pytest.raises(InputError, match="Expected a whole number"):
            load_shape(write(tmp_path / "box.stl", box.export(file_type="stl")), **argument)

    @pytest.mark.parametrize("suffix", [suffix[1:] for suffix in SUFFIXES])
    def test_garbage_is_one_clear_error(self, tmp_path: Path, suffix: str) -> None:
        for content in [b"\0" * 300, b"\xff\xd8\xff garbage \n" * 30, b"hello\n"]:
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

        monkeypatch.setitem(BY_SUFFIX, ".xyz", replace(text.FORMAT, cloud=wait))
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

    def test_other_objects(self) -> None:
        with pytest.raises(CloudError, match=r"it is a list\. Expected a Trimesh"):
            sample_mesh([], 10, 0, "it")


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

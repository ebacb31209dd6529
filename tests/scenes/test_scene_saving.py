"""What is written is read back, here and by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from openshape_ood.errors import FileError, InputError
from openshape_ood.scenes import Scene, load_labels, load_names, load_scene, save_labels, save_scene
from openshape_ood.scenes.saving import label_colors

RNG = np.random.default_rng(0)
ROOM = Scene(
    RNG.uniform(-3, 3, (60, 3)) + [4e6, 5e5, 0],  # where single precision has steps of half a meter
    RNG.integers(0, 256, (60, 3)).astype(np.float32) / 255,
    RNG.integers(0, 1191, 60),
    RNG.integers(0, 9, 60),
)
NAMES = {2: "chair", 1190: 'the "Käsemöbel"\nof 3 lines'}


def test_a_scan_is_read_back_as_it_was(tmp_path: Path) -> None:
    scene = load_scene(save_scene(ROOM, tmp_path / "room.ply", names=NAMES))
    for name in ("points", "color", "labels", "instances"):
        np.testing.assert_array_equal(getattr(scene, name), getattr(ROOM, name), err_msg=name)
    assert load_names(tmp_path / "room.ply") == load_names(tmp_path / "room.names.json") == NAMES


def test_trimesh_opens_it(tmp_path: Path) -> None:
    cloud = trimesh.load(save_scene(ROOM, tmp_path / "room.ply"))
    np.testing.assert_array_equal(cloud.vertices, ROOM.points)
    np.testing.assert_array_equal(cloud.colors[:, :3], np.rint(ROOM.color * 255))


def test_points_alone_are_enough(tmp_path: Path) -> None:
    scene = load_scene(save_scene(Scene(ROOM.points), tmp_path / "room.ply"))
    assert scene.color is None and scene.labels is None and scene.instances is None
    assert not (tmp_path / "room.names.json").exists()


@pytest.mark.parametrize("color", ["label", "instance"])
def test_one_color_for_each(tmp_path: Path, color: str) -> None:
    numbers = getattr(ROOM, f"{color}s")
    scene = load_scene(save_scene(ROOM, tmp_path / "room.ply", color=color))
    np.testing.assert_allclose(scene.color, label_colors(numbers), atol=0.002)
    np.testing.assert_array_equal(scene.labels, ROOM.labels)
    with pytest.raises(InputError, match=f"has no {color}s"):
        save_scene(Scene(ROOM.points), tmp_path / "bare.ply", color=color)


def test_the_colors_of_labels_are_their_own_and_told_apart() -> None:
    alone = label_colors(np.array([17]))
    colors = label_colors(np.arange(40))
    np.testing.assert_array_equal(colors[17], alone[0])
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=-1)[np.triu_indices(40, 1)]
    assert apart.min() > 0.05 and (colors >= 0).all() and (colors <= 1).all()


def test_labels_are_one_a_line_and_read_back(tmp_path: Path) -> None:
    path = save_labels(ROOM.labels, tmp_path / "scene0000_00.txt")
    assert path.read_text() == "".join(f"{label}\n" for label in ROOM.labels)
    np.testing.assert_array_equal(load_labels(path), ROOM.labels)
    np.testing.assert_array_equal(load_labels(save_scene(ROOM, tmp_path / "room.ply")), ROOM.labels)


@pytest.mark.parametrize("labels", [np.array([-1, 2]), np.array([0.5]), np.zeros((2, 2), dtype=int), np.array([2**32])])
def test_labels_that_cannot_be_written(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(InputError):
        save_labels(labels, tmp_path / "labels.txt")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"room\.obj\. Expected a \.ply file"):
        save_scene(ROOM, tmp_path / "room.obj")
    with pytest.raises(InputError, match="a label of names is 'chair'"):
        save_scene(ROOM, tmp_path / "room.ply", names={"chair": 1})
    with pytest.raises(InputError, match="names are a list"):
        save_scene(ROOM, tmp_path / "room.ply", names=["chair"])  # type: ignore[arg-type]
    with pytest.raises(FileError, match="cannot write the scan"):
        save_scene(ROOM, tmp_path / "none" / "room.ply")
    with pytest.raises(FileError, match="cannot read the names"):
        load_names(tmp_path / "room.ply")


@pytest.mark.parametrize("content", ["{}", "[]", '{"format": "other", "labels": {}}', "no json", '{"labels": 3'])
def test_side_files_that_hold_no_names(tmp_path: Path, content: str) -> None:
    (tmp_path / "room.names.json").write_text(content)
    with pytest.raises(FileError, match=r"room.names.json holds no names of labels, or is damaged"):
        load_names(tmp_path / "room.ply")

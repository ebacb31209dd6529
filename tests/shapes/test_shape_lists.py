"""Whatever is handed over as shapes, as a list with a name each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from openshape_ood.errors import CloudError, InputError, ShapeFileError, UnknownNameError
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

CLOUD = np.arange(12.0).reshape(4, 3)
STACK = np.stack([CLOUD, CLOUD + 1])
BOX = trimesh.creation.box()


def objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    "shapes, names",
    [
        (CLOUD, ["the shape"]),
        (torch.from_numpy(CLOUD), ["the shape"]),
        (CLOUD.tolist(), ["the shape"]),
        (tuple(map(tuple, CLOUD)), ["the shape"]),
        ([[np.float32(0), 1, 2], [0, 1, np.int8(3)]], ["the shape"]),
        (BOX, ["the shape"]),
        (trimesh.Scene(BOX), ["the shape"]),
        (trimesh.PointCloud(CLOUD), ["the shape"]),
        ("a.ply", ["a.ply"]),
        (Path("b/a.ply"), ["b/a.ply"]),
        (STACK, ["shape 0", "shape 1"]),
        (torch.from_numpy(STACK), ["shape 0", "shape 1"]),
        (STACK.tolist(), ["shape 0", "shape 1"]),
        ([CLOUD], ["shape 0"]),
        ((CLOUD, torch.from_numpy(CLOUD), BOX), ["shape 0", "shape 1", "shape 2"]),
        ([CLOUD, "a.ply", Path("b.ply")], ["shape 0", "shape 1 (a.ply)", "shape 2 (b.ply)"]),
        (np.array(["a.ply", "b.ply"]), ["shape 0 (a.ply)", "shape 1 (b.ply)"]),
        (objects(CLOUD, CLOUD[:2]), ["shape 0", "shape 1"]),
        ((one for one in [CLOUD]), ["shape 0"]),
        ({"a.ply": 1}.keys(), ["shape 0 (a.ply)"]),
    ],
)
def test_names(shapes: Any, names: list[str]) -> None:
    assert [shape.name for shape in list_shapes(shapes)] == names


@pytest.mark.parametrize("shapes", [[], (), iter(()), objects()])
def test_an_empty_list(shapes: Any) -> None:
    with pytest.raises(CloudError, match="the list of shapes is empty"):
        list_shapes(shapes)


@pytest.mark.parametrize("shapes", [np.ones((0, 4, 3)), np.ones(3), np.ones((1, 1, 1, 3)), torch.ones(()), np.ones(0)])
def test_arrays_of_another_shape(shapes: Any) -> None:
    with pytest.raises(CloudError, match="shapes has the shape"):
        list_shapes(shapes)


@pytest.mark.parametrize("shapes", [None, 1.5, {"chair": CLOUD}, b"a.ply", len])
def test_other_things(shapes: Any) -> None:
    with pytest.raises(CloudError, match=r"shapes is .*\. Expected a cloud"):
        list_shapes(shapes)


@pytest.mark.parametrize(
    "value",
    [CLOUD, CLOUD.tolist(), torch.from_numpy(CLOUD), torch.from_numpy(CLOUD).to(torch.bfloat16)],
    ids=["numpy", "lists", "torch", "bfloat16"],
)
def test_load(value: Any) -> None:
    loaded = Shape(value, "it").cloud(10, 0)
    assert loaded.dtype == np.float64
    assert np.array_equal(loaded, CLOUD)


def test_load_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CLOUD)
    assert np.array_equal(Shape(tmp_path / "a.npy", "it").cloud(2, 0), CLOUD)
    with pytest.raises(ShapeFileError, match=r"b\.npy"):
        Shape(str(tmp_path / "b.npy"), "it").cloud(2, 0)


def test_load_a_surface() -> None:
    first, again, other = (Shape(BOX, "it").cloud(50, seed) for seed in (0, 0, 1))
    assert len(first) == 50
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_cannot_be_loaded_is_named() -> None:
    for value in ("x", CLOUD[:0], trimesh.Trimesh(), object(), [[1, 2], [3]]):
        with pytest.raises((CloudError, ShapeFileError), match=r"the third|x: "):
            Shape(value, "the third").cloud(10, 0)


SHAPES = [Shape(CLOUD, "shape 0"), Shape("a.glb", "shape 1 (a.glb)"), Shape(BOX, "shape 2")]


@pytest.mark.parametrize(
    "up, expected",
    [
        ("y", ["y", "y", "y"]),
        (["x", "-y", "-z"], ["x", "-y", "-z"]),
        (np.array(["x", "y", "z"]), ["x", "y", "z"]),
        ("file", ["y", "y", "y"]),
        (("z", "file", "x"), ["z", "y", "x"]),
    ],
)
def test_ups(up: Any, expected: list[str]) -> None:
    assert resolve_ups(up, SHAPES) == expected


@pytest.mark.parametrize("axis", ["X", "Y", "Z"])
def test_the_axis_that_collada_states(tmp_path: Path, axis: str) -> None:
    path = tmp_path / "a.dae"
    path.write_text(f"<COLLADA><asset><up_axis>{axis}_UP</up_axis></asset></COLLADA>")
    assert resolve_ups("file", [Shape(path, "it")]) == [axis.lower()]


@pytest.mark.parametrize(
    "name, stated, given", [("a.dae", "z", "y"), ("a.las", "z", "-y"), ("a.laz", "z", "x"), ("a.pcd", "z", "y"),
                            ("a.glb", "y", "z"), ("a.gltf", "y", "z")]
)  # fmt: skip
def test_an_axis_that_files_contradict(tmp_path: Path, name: str, stated: str, given: str) -> None:
    path = tmp_path / name
    path.write_text("<COLLADA><asset><up_axis>Z_UP</up_axis></asset></COLLADA>")
    shapes = [Shape(path, "it"), Shape(CLOUD, "a cloud"), Shape(str(path), "it"), Shape(tmp_path / "gone.dae", "it")]
    with pytest.warns(
        UserWarning, match=rf"{name} states that {stated} is up, but was given up='{given}' \(1 more"
    ) as told:
        assert resolve_ups(given, shapes) == [given] * 4
    assert len(told) == 1
    # no word where they agree, and none where somebody looked at each
    assert resolve_ups(stated, shapes) == [stated] * 4
    assert resolve_ups([given] * 4, shapes) == [given] * 4
    assert resolve_ups("file", shapes[::2]) == [stated] * 2


@pytest.mark.parametrize("up", ["w", "", None, 3, True, ["y", "z", "w"], ["y", "z", None]])
def test_axes_that_do_not_exist(up: Any) -> None:
    with pytest.raises(UnknownNameError, match="Expected one of y, z, x"):
        resolve_ups(up, SHAPES)


@pytest.mark.parametrize("up", [[], ["y"], ["y"] * 4, ["y", "x"], ("y", "z")])
def test_a_wrong_number_of_axes(up: Any) -> None:
    with pytest.raises(InputError, match=f"up has {len(up)} entries for 3 shapes"):
        resolve_ups(up, SHAPES)

"""Clouds of other libraries: objects with points, structured arrays of robots, scans."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from openshape_ood import Scene, find_objects, load_shape, score_novelty
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups
from openshape_ood.synthetic import sample

CLOUD = np.arange(12.0).reshape(4, 3)
RED = np.tile([1.0, 0.0, 0.2], (4, 1))


class Vectors:
    """As Open3D's Vector3dVector: no array, but numpy can read it."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.rows.astype(dtype or self.rows.dtype)


def packed(points: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """As PointCloud2 has it: x, y, z and the color in the bits of a float."""
    rows = np.zeros(len(points), dtype=[("x", "f4"), ("y", "f4"), ("z", "f4"), ("rgb", "f4")])
    for i, axis in enumerate("xyz"):
        rows[axis] = points[:, i]
    bits = (rgb * 255).astype(np.uint32) << np.array([16, 8, 0], dtype=np.uint32)
    rows["rgb"] = bits.sum(axis=1, dtype=np.uint32).view(np.float32)
    return rows


CLOUDS = {
    "Open3D": SimpleNamespace(points=Vectors(CLOUD), colors=Vectors(RED)),
    "torch": SimpleNamespace(points=torch.from_numpy(CLOUD), colors=torch.from_numpy(RED)),
    "bytes": SimpleNamespace(points=CLOUD, color=(RED * 255).astype(np.uint8)),
    "PointCloud2": packed(CLOUD, RED),
    "a scan": Scene(CLOUD, RED),
}


@pytest.mark.parametrize("value", CLOUDS.values(), ids=CLOUDS)
def test_a_cloud_with_colors(value: Any) -> None:
    expected = np.hstack([CLOUD, RED])
    for cloud in (list_shapes(value)[0].cloud(10, 0), list_shapes([value])[0].cloud(10, 0), load_shape(value)):
        np.testing.assert_allclose(cloud, expected, atol=1e-6)
    if not isinstance(value, Scene):
        scene = Scene(value)
        np.testing.assert_allclose(np.hstack([scene.points, scene.color]), expected, atol=1e-6)


@pytest.mark.parametrize("colors", [None, Vectors(np.empty((0, 3)))])
def test_a_cloud_without_colors(colors: Any) -> None:
    value = SimpleNamespace(points=Vectors(CLOUD), colors=colors)
    assert np.array_equal(load_shape(value), CLOUD) and Scene(value).color is None


def test_a_color_that_is_given_goes_before_that_of_the_object() -> None:
    assert Scene(CLOUDS["Open3D"], color=RED * 0).color.max() == 0


@pytest.mark.parametrize(
    "value, message",
    [
        (SimpleNamespace(points=CLOUD, colors=RED[:3]), r"colors have the shape \(3, 3\)\. Expected \(4, 3\)"),
        (SimpleNamespace(points=np.hstack([CLOUD, RED])), r"points have the shape \(4, 6\)\. Expected \(n, 3\)"),
        (SimpleNamespace(points="abc"), "not a table of numbers"),
        (SimpleNamespace(points=np.empty((0, 3))), "has no points"),
    ],
)
def test_points_that_are_none(value: Any, message: str) -> None:
    for use in (load_shape, Scene, lambda one: list_shapes(one)[0].cloud(10, 0)):
        with pytest.raises(CloudError, match=message):
            use(value)


def test_a_scan_states_that_z_is_up_and_another_axis_can_be_said() -> None:
    scan = Scene(CLOUD)
    assert Shape(scan, "it").stated_up() == "z" and resolve_ups("file", list_shapes([scan, scan])) == ["z", "z"]
    with pytest.warns(UserWarning, match="was given up='y'"):
        assert resolve_ups("y", list_shapes(scan)) == ["y"]


def test_score_novelty_says_the_same_of_a_cloud_in_every_form() -> None:
    points = sample("chair", 1500, seed=1).astype(np.float32)
    upright = points[:, [0, 2, 1]]
    forms = {"array": points, "object": SimpleNamespace(points=Vectors(points)), "rows": packed(points, points * 0)}
    scores = {
        name: score_novelty([form], ["chair", "sofa"], model="tiny", up="y").novelty[0] for name, form in forms.items()
    }
    scores["scan"] = score_novelty([Scene(upright)], ["chair", "sofa"], model="tiny").novelty[0]
    assert scores["object"] == scores["array"] == scores["scan"]


def test_scans_need_not_be_wrapped() -> None:
    chair, lamp = (sample(name, 3000, seed=1)[:, [0, 2, 1]] for name in ("chair", "lamp"))
    points = np.concatenate([chair, lamp + [3, 0, 0]])
    wrapped, bare = find_objects(Scene(points), "contact"), find_objects(SimpleNamespace(points=points), "contact")
    assert [len(rows) for rows in bare] == [len(rows) for rows in wrapped] == [3000, 3000]
    with pytest.raises(InputError, match=r"the scan is a str\. Expected a Scene"):
        find_objects("scan.ply")  # type: ignore[arg-type]


def test_load_shape_takes_what_score_novelty_takes_of_trimesh() -> None:
    box = trimesh.creation.box()
    for mesh in (box, trimesh.Scene([box])):
        points = load_shape(mesh, points=50, seed=3)
        assert points.shape[0] == 50 and np.abs(points[:, :3]).max(axis=1) == pytest.approx(0.5)
        assert points == pytest.approx(Shape(mesh, "it").cloud(50, 3))
    assert load_shape(trimesh.PointCloud(CLOUD)) == pytest.approx(CLOUD)

from __future__ import annotations

import numpy as np
import pytest
from made_up_shapes import MadeUp

from benchmarks.threedos.copies import LIDAR_POINTS, SEVERITIES, damaged, partial_views, viewpoint, visible
from benchmarks.threedos.generated import Generated
from benchmarks.threedos.objects import Objects

SHAPES = Objects(tuple(Generated(c, c, 3, scanned=False) for c in ("chair", "toilet")))


def test_the_far_side_of_a_ball_is_hidden() -> None:
    directions = np.random.RandomState(0).normal(size=(3000, 3))
    ball = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    camera = np.array([0.0, 0.0, 5.0])
    seen = np.zeros(len(ball), dtype=bool)
    seen[visible(ball, camera)] = True
    # a ball of radius 1 seen from distance 5: the tangent circle lies at z = 1/5
    facing = ball[:, 2] > 1 / 5
    assert seen[facing].mean() > 0.95
    assert seen[ball[:, 2] < 0].mean() < 0.02


def test_a_wall_hides_what_is_behind_it() -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 60))
    wall = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    behind = 0.3 * wall[:200] + [0, 0.2, -0.5]
    seen = visible(np.concatenate([wall, behind]), np.array([0.0, 0.0, 4.0]))
    assert (seen >= len(wall)).sum() == 0
    assert len(seen) > 0.9 * len(wall)


@pytest.mark.parametrize("cloud", [np.eye(3), np.repeat(np.eye(3), 3, axis=0), np.linspace([0, 0, 0], [1, 1, 1], 9)])
def test_too_few_points_or_flat_ones_do_not_fail(cloud: np.ndarray) -> None:
    assert 1 <= len(visible(cloud, np.array([5.0, 5.0, 5.1]))) <= len(cloud)


def test_partial_views_are_some_of_the_shapes_own_points() -> None:
    copies = partial_views(SHAPES)
    assert [c.title for c in copies.shapes] == ["chair", "toilet"]
    for whole, copy in zip(SHAPES.shapes, copies.shapes, strict=True):
        cloud, part = whole.read(), copy.read()
        assert 0.1 * len(cloud) < len(part) < 0.9 * len(cloud)
        assert {row.tobytes() for row in part} < {row.tobytes() for row in cloud}
        np.testing.assert_array_equal(part, copy.read())


def test_damage_comes_in_two_kinds_and_four_severities() -> None:
    copies = damaged(SHAPES)
    assert len(copies) == 8 * len(SHAPES)
    assert copies.counts() == {"chair": 8, "toilet": 8}
    assert len({c.id for c in copies.shapes}) == len(copies)
    lidar, occlusion = (
        [c.read() for c in copies.shapes if c.title == "chair" and kind in c.id] for kind in ("lidar", "occlusion")
    )
    assert [len(c) for c in occlusion] == sorted((len(c) for c in occlusion), reverse=True)
    assert len(occlusion[0]) == 7 * 2048 // 8
    assert [len(c) <= LIDAR_POINTS // s for c, s in zip(lidar, SEVERITIES, strict=True)] == [True] * 4
    for cloud in lidar + occlusion:
        assert cloud.dtype == np.float32 and np.isfinite(cloud).all()


def test_tiny_shapes_can_be_damaged() -> None:
    for copy in damaged(Objects((MadeUp(1),))).shapes:
        assert len(copy.read()) >= 2


def test_cameras_are_above_and_outside() -> None:
    cloud = SHAPES.shapes[0].read()
    extent = np.linalg.norm(np.ptp(cloud, axis=0))
    center = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    for seed in range(20):
        offset = viewpoint(cloud, np.random.RandomState(seed)) - center
        assert np.linalg.norm(offset) == pytest.approx(3 * extent, rel=1e-5)
        assert 0 <= np.degrees(np.arcsin(offset[1] / np.linalg.norm(offset))) <= 50

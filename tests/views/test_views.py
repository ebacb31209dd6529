"""Views and their geometry: what a camera is, what is refused, where points come to lie."""

from __future__ import annotations

import numpy as np
import pytest
from published_completion import corner_grid

from openshape_ood.errors import CloudError, InputError
from openshape_ood.views import View
from openshape_ood.views.geometry import (
    BOUNDS,
    floor_height,
    image_normals,
    in_bounds,
    in_picture,
    looking,
    moved,
    project,
    published_frame,
    signed_distance,
    unproject,
)

CAMERA = np.array([[60.0, 0, 20], [0, 50, 15], [0, 0, 1]])
POSE = looking(np.array([1.0, 2, 1.5]), 0.7, 0.4)


def view(**given: object) -> View:
    rng = np.random.default_rng(0)
    made = {"rgb": rng.uniform(size=(30, 40, 3)), "depth": rng.uniform(1, 4, (30, 40)), "intrinsics": CAMERA}
    return View(**{**made, "pose": POSE, **given})


def test_a_level_camera_has_left_and_up_where_they_belong() -> None:
    pose = looking(np.zeros(3), 0, 0)  # along +x: right is -y, down is -z
    assert np.allclose(moved(np.eye(3), pose), [[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    down = looking(np.zeros(3), 0, 0.3)
    assert down[2, 2] < 0 and np.isclose(np.linalg.det(down[:3, :3]), 1)


def test_points_go_back_to_their_pixels() -> None:
    seen = view()
    pixels, depth = project(seen.points, CAMERA, POSE)
    v, u = np.indices(seen.shape)
    assert np.allclose(pixels, np.stack([u.ravel(), v.ravel()], axis=1), atol=1e-4)
    assert np.allclose(depth, seen.depth.ravel())
    assert in_picture(seen.points.reshape(30, 40, 3)[1:-1, 1:-1].reshape(-1, 3), CAMERA, POSE, seen.shape).all()
    behind = 2 * POSE[:3, 3] - seen.points
    assert not in_picture(behind, CAMERA, POSE, seen.shape).any()


def test_unknown_depth_is_nan_and_has_no_point() -> None:
    depth = np.full((30, 40), 2.0)
    depth[0, :5] = [0, np.inf, np.nan, -np.inf, 1e300]
    seen = view(depth=depth)
    assert (~seen.seen).sum() == 5 and np.isnan(seen.points[:4]).all()
    assert len(seen.scene()) == 1195 and seen.scene().color is not None
    assert "100%" in repr(seen)
    with pytest.raises(CloudError, match="no pixel has a depth"):
        view(depth=np.zeros((30, 40))).scene()


@pytest.mark.parametrize("shape", [(200, 20), (10, 400)])
def test_portrait_and_panorama(shape: tuple[int, int]) -> None:
    camera = np.array([[30.0, 0, shape[1] / 2], [0, 30, shape[0] / 2], [0, 0, 1]])
    seen = view(rgb=np.zeros((*shape, 3)), depth=np.ones(shape), intrinsics=camera)
    assert seen.points.shape == (shape[0] * shape[1], 3) and in_picture(seen.points, camera, POSE, shape).mean() > 0.8


def test_bytes_are_colors_and_arrays_stay_as_they_are() -> None:
    rgb = np.full((30, 40, 3), 51, dtype=np.uint8)
    depth = np.ones((30, 40), dtype=np.float32)
    seen = view(rgb=rgb, depth=depth)
    assert seen.rgb.dtype == np.float32 and np.allclose(seen.rgb, 0.2)
    assert depth.flags.writeable and not seen.depth.flags.writeable


SCALED = POSE.copy()
SCALED[:3, :3] *= 0.6
MIRRORED = POSE @ np.diag([1.0, -1, 1, 1])
SKEWED = POSE.copy()
SKEWED[0, 0] += 0.1


@pytest.mark.parametrize(
    "given, told",
    [
        ({"pose": SCALED}, "scales by 0.6"),
        ({"pose": MIRRORED}, "mirrors"),
        ({"pose": SKEWED}, "skewed"),
        ({"pose": POSE[:3]}, r"Expected \(4, 4\)"),
        ({"pose": POSE.T}, "last row"),
        ({"pose": np.full((4, 4), np.nan)}, "finite"),
        ({"intrinsics": np.eye(4)}, r"Expected \(3, 3\)"),
        ({"intrinsics": np.diag([-60.0, 50, 1])}, "above 0"),
        ({"intrinsics": CAMERA + np.array([[0, 3.0, 0], [0, 0, 0], [0, 0, 0]])}, "without skew"),
        ({"depth": np.ones((15, 20))}, "the image is 40 x 30, the depth 20 x 15"),
        ({"depth": np.full((30, 40), 2300.0)}, "millimeters"),
        ({"depth": np.full((30, 40), -1.0)}, "below 0"),
        ({"depth": np.ones(5)}, r"Expected numbers \(h, w\)"),
        ({"rgb": np.full((30, 40, 3), 200.0)}, "0 to 1"),
        ({"rgb": np.full((30, 40, 3), np.nan)}, "0 to 1"),
        ({"rgb": np.zeros((30, 40))}, r"\(h, w, 3\)"),
        ({"rgb": np.full((30, 40, 3), "red")}, "rgb is <U3"),
        ({"rgb": np.zeros((30, 40, 3), complex)}, "rgb is complex"),
        ({"depth": [[1.0, 2.0], [3.0]]}, "depth has rows of different lengths"),
        ({"pose": "a" * 10**6}, r"pose is .{1,90}\. Expected \(4, 4\)"),
        ({"intrinsics": [[1.0] * 10**4] * 3}, r"intrinsics is .{1,90}\. Expected \(3, 3\)"),
    ],
)
def test_what_is_no_view(given: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(InputError, match=told):
        view(**given)


def test_bounds_are_compared_in_the_precision_of_the_points() -> None:
    corners = BOUNDS.astype(np.float32)
    assert in_bounds(corners).all() and in_bounds(BOUNDS).all()
    assert in_bounds(corner_grid(4)).all()
    assert not in_bounds(corners * np.float32(1.01)).any()


def test_the_published_frame_looks_along_x_from_behind_its_bounds() -> None:
    frame = published_frame(POSE)
    eye, ahead = moved(np.stack([POSE[:3, 3], POSE[:3, 3] + POSE[:3, 2]]), frame)
    assert np.allclose(eye, [-1.5, 0, 0.9])
    assert np.isclose(ahead[1], 0) and ahead[0] > eye[0]
    assert np.allclose(frame[:3, :3] @ frame[:3, :3].T, 0.36 * np.eye(3)) and np.linalg.det(frame[:3, :3]) > 0
    assert np.isclose(moved(np.zeros(3), frame)[2], 0)  # the floor stays
    left = moved(POSE[:3, 3] - POSE[:3, 0], frame)
    assert left[1] > 0
    with pytest.raises(InputError, match="straight"):
        published_frame(looking(np.zeros(3), 0, np.pi / 2))


def test_signed_distance_is_free_before_a_wall_and_unknown_behind_it() -> None:
    depth, camera = np.full((41, 41), 2.0), np.array([[20.0, 0, 20], [0, 20, 20], [0, 0, 1]])
    pose, along = looking(np.zeros(3), 0, 0), np.zeros((32, 3))
    along[:, 0] = 0.05 + 0.1 * np.arange(32)
    values = signed_distance(along, depth, camera, pose, 0.1)
    assert values[0] == 1 and values[14] == 1 and np.allclose(values[18:21], [0.3, 0.1, -0.1])
    assert np.allclose(values[24], -0.9) and (values[25:] == -1).all()
    assert (signed_distance(np.array([[-1.0, 0, 0], [1, 5, 0]]), depth, camera, pose, 0.1) == -1).all()
    for unknown in (np.nan, 0):
        assert (signed_distance(along, np.full((41, 41), unknown), camera, pose, 0.1) == -1).all()


def test_the_floor_is_the_lowest_large_level_surface() -> None:
    camera = np.array([[40.0, 0, 40], [0, 40, 30], [0, 0, 1]])
    pose = looking(np.array([0.0, 0, 1.4]), 0.3, 0.5)
    rays = unproject(np.ones((60, 80)), camera) @ pose[:3, :3].T
    for raised in (0.0, 0.45):
        depth = np.where(rays[:, 2] < -0.05, (raised - 1.4) / np.minimum(rays[:, 2], -0.05), 4)
        depth = np.minimum(depth, np.where(rays[:, 0] > 0.05, 4 / np.maximum(rays[:, 0], 0.05), 9)).reshape(60, 80)
        # a table top hides a part of the floor
        depth[35:45, 30:60] = (raised + 0.7 - 1.4) / rays.reshape(60, 80, 3)[35:45, 30:60, 2]
        points = moved(unproject(depth, camera), pose).reshape(60, 80, 3)
        normals = image_normals(points)
        kept = np.isfinite(normals).all(axis=-1)
        found = floor_height(points[kept], normals[kept])
        assert found is not None and abs(found - raised) < 0.01
    assert floor_height(points[kept], np.tile([1.0, 0, 0], (kept.sum(), 1))) is None

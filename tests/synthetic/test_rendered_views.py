"""Generated rooms seen by a camera: exact depth, honest instances, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic.rooms.pieces import Piece, rectangle
from openshape_ood.synthetic.views import RoomView, render, room_view
from openshape_ood.views.geometry import looking

RAYS = [divmod(i, 20) for i in range(0, 300, 7)]
KINDS = ("bed", "cabinet", "chair", "sofa", "table")


@pytest.fixture(scope="module")
def seen() -> RoomView:
    return room_view(3, categories=KINDS, foreign=["plant"], objects=5, size=(15, 20))


def cast(made: RoomView) -> tuple[np.ndarray, np.ndarray]:
    """Depth and piece of each pixel, ray by ray and triangle by triangle (Moeller and Trumbore)."""
    view = made.view
    a, b, c = np.concatenate([one.mesh.vertices[one.mesh.faces] for one in made.pieces]).swapaxes(0, 1)
    piece = np.repeat(np.arange(len(made.pieces)), [len(one.mesh.faces) for one in made.pieces])
    eye, depth, hit = view.pose[:3, 3], np.full(view.shape, np.inf), np.full(view.shape, -1)
    for v, u in RAYS:
        ray = view.pose[:3, :3] @ np.linalg.solve(view.intrinsics, [u, v, 1])
        across = np.cross(ray, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / (across * (b - a)).sum(axis=1)
            first = scale * (across * (eye - a)).sum(axis=1)
            beside = np.cross(eye - a, b - a)
            second, z = scale * (beside @ ray), scale * (beside * (c - a)).sum(axis=1)
            inside = (first >= 0) & (second >= 0) & (first + second <= 1) & (z > 1e-6)
        if inside.any():
            z = np.where(inside, z, np.inf)
            depth[v, u], hit[v, u] = z.min(), piece[z.argmin()]
    return depth, hit


def test_each_pixel_shows_what_its_ray_meets_first(seen: RoomView) -> None:
    depth, hit = (image[tuple(np.transpose(RAYS))] for image in cast(seen))
    ours, surface = (image[tuple(np.transpose(RAYS))] for image in (seen.view.depth, seen.surface))
    assert (surface == hit).sum() >= len(RAYS) - 1  # surfaces that touch may take turns
    np.testing.assert_allclose(np.nan_to_num(ours, nan=np.inf), depth, rtol=1e-5)


def test_a_box_room_comes_back_on_its_planes_and_at_right_angles() -> None:
    w, d, h = np.diag([4.0, 3.0, 2.5])
    corner = np.zeros(3)
    pieces = [Piece(rectangle(corner, w, d), "floor")]
    pieces += [Piece(rectangle(*sides), "wall") for sides in ((w, d, h), (corner, w, h), (d, w, h), (corner, d, h))]
    intrinsics = np.array([[60.0, 0, 47.5], [0, 60, 35.5], [0, 0, 1]])
    view, surface = render(pieces, intrinsics, looking(np.array([0.4, 1.3, 1.5]), 0.1, 0.3), (72, 96))
    points = view.points.reshape(72, 96, 3)
    assert {0, 1, 2, 3} <= set(surface.ravel().tolist())
    for place, axis, at in ((0, 2, 0.0), (1, 0, 4.0), (2, 1, 0.0), (3, 1, 3.0)):
        assert np.abs(points[surface == place][:, axis] - at).max() < 1e-3
    normals = [
        np.linalg.svd(points[surface == place] - points[surface == place].mean(axis=0), full_matrices=False)[2][-1]
        for place in (0, 1)
    ]
    assert abs(np.degrees(np.arccos(abs(normals[0] @ normals[1]))) - 90) < 0.1


def test_what_is_behind_the_camera_is_not_seen() -> None:
    square = rectangle(np.array([-1.0, -1, 0]), np.array([2.0, 0, 0]), np.array([0, 2.0, 0]))
    up, eye = looking(np.zeros(3), 0, -np.pi / 2), np.array([0.2, 0.1, 0.5])
    up[:3, 3] = eye
    _, surface = render([Piece(square, "floor")], np.array([[9.0, 0, 5], [0, 9, 5], [0, 0, 1]]), up, (11, 11))
    assert (surface == -1).all()
    level, surface = render([Piece(square, "floor")], np.diag([9.0, 9, 1]), looking(eye, 0, 0), (11, 1))
    # the floor is met where 0.5 m below the axis are less than 0.8 m ahead
    assert (surface[:, 0] == 0).tolist() == [9 * 0.5 / max(v, 1e-9) <= 0.8 for v in range(11)]
    assert np.isnan(level.depth[0, 0])


def test_instances_and_names_are_those_of_the_room(seen: RoomView) -> None:
    assert [item.category for item in seen.items if item.foreign] == ["plant"]
    assert seen.names == ("none", *(item.category for item in seen.items))
    points = seen.view.points.reshape(*seen.view.shape, 3)
    number = seen.names.index("plant")
    assert (seen.mask("plant") == (seen.instances == number)).all() and seen.mask("plant").any()
    for item in seen.items:
        own = points[seen.instances == item.instance]
        assert ((own > item.box[0] - 1e-3) & (own < item.box[1] + 1e-3)).all()
    assert (np.abs(points[seen.mask("floor")][:, 2]) < 1e-3).all()
    cloud, piece = seen.surface_points(0.05)
    inside = cloud[np.array([one.instance for one in seen.pieces])[piece] == number]
    box = seen.items[number - 1].box
    np.testing.assert_allclose([inside.min(axis=0), inside.max(axis=0)], box, atol=0.08)  # its hidden back too


def test_one_seed_is_one_view_and_another_is_another(seen: RoomView) -> None:
    again = room_view(3, categories=KINDS, foreign=["plant"], objects=5, size=(15, 20))
    assert np.array_equal(again.view.depth, seen.view.depth, equal_nan=True)
    assert np.array_equal(again.view.rgb, seen.view.rgb)
    assert np.array_equal(again.surface, seen.surface)
    assert not np.array_equal(room_view(4, categories=KINDS, objects=5, size=(15, 20)).surface, seen.surface)
    noisy = room_view(3, categories=KINDS, foreign=["plant"], objects=5, size=(15, 20), noise=1.0)
    off = (noisy.view.depth - seen.view.depth)[seen.view.seen]
    assert 0.0005 < np.abs(off).mean() < 0.05


@pytest.mark.parametrize("asked", [{"size": (0, 9)}, {"noise": -1.0}, {"seed": -1}, {"objects": -1}])
def test_numbers_that_cannot_be(asked: dict) -> None:
    with pytest.raises(InputError, match=next(iter(asked))):
        room_view(**{"seed": 0, **asked})
    with pytest.raises(UnknownNameError, match="hovercraft"):
        room_view(0, foreign=["hovercraft"])

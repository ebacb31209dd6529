"""Generated rooms: real sizes, sensible places, honest labels, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.mesh import box
from openshape_ood.synthetic.rooms import Room, room
from openshape_ood.synthetic.rooms.floorplan import FloorPlan, corners
from openshape_ood.synthetic.rooms.furnish import furnish
from openshape_ood.synthetic.rooms.pieces import Piece, posed, rectangle, upright
from openshape_ood.synthetic.rooms.scanning import LEAST_ANGLE, scan_pieces

KINDS = ("bed", "cabinet", "chair", "cup", "sofa", "table")


@pytest.fixture(scope="module")
def made() -> Room:
    return room(4, categories=KINDS, foreign=["bicycle"], objects=12, views=4, color="material")


def test_every_point_is_of_what_it_says(made: Room) -> None:
    scene = made.scene
    assert made.names[:4] == ("none", "floor", "wall", "ceiling")
    assert len(scene) > 20_000
    assert scene.labels.min() >= 1
    structure = np.isin(scene.labels, [1, 2, 3])
    assert ((scene.instances == 0) == structure).all()
    assert [item.instance for item in made.items] == list(range(1, len(made.items) + 1))
    assert [item.category for item in made.items if item.foreign] == ["bicycle"]
    for item in made.items:
        own = scene.instances == item.instance
        assert {made.names[i] for i in scene.labels[own]} <= {item.category}
        # within its box, but for the noise of a camera at 4.5 meters
        inside = (scene.points[own] > item.box[0] - 0.15) & (scene.points[own] < item.box[1] + 0.15)
        assert inside.all()
        mesh = posed(upright(generate(item.category, item.seed)), item.pose)
        assert np.allclose([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)], item.box)
    assert abs(np.median(scene.points[scene.labels == 1, 2])) < 0.01


def test_things_stand_on_the_floor_or_on_something(made: Room) -> None:
    tops = [item.box for item in made.items]
    for item in made.items:
        base = item.box[0, 2]
        if base < 0.01:
            continue
        middle = item.box[:, :2].mean(axis=0)
        below = [b for b in tops if (b[0, :2] <= middle).all() and (b[1, :2] >= middle).all() and b[0, 2] < base]
        assert below, f"{item.category} floats at {base:.2f} m"
    small = [item for item in made.items if item.category == "cup"]
    assert all(item.box[0, 2] > 0.3 for item in small)


def test_what_stands_on_the_floor_does_not_overlap() -> None:
    # chairs go under tables, all others keep to themselves: at most a graze of the boxes of turned things
    for seed in range(3):
        large = ("bed", "cabinet", "sofa", "wardrobe")
        boxes = [item.box for item in furnish(np.random.RandomState(seed), large, (), 8, (7, 15))[1]]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                assert np.prod(np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None)[:2]) < 0.02


def test_the_same_seed_is_the_same_room() -> None:
    first, again, other = (room(seed, categories=KINDS, objects=3, views=1).scene for seed in (5, 5, 6))
    assert first.color is None
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.instances, again.instances)
    assert len(first) != len(other)


def test_a_color_is_of_a_material_not_of_an_object(made: Room) -> None:
    color, label, instance = made.scene.color, made.scene.labels, made.scene.instances
    assert color.min() >= 0 and color.max() <= 1
    means = {
        i.instance: color[instance == i.instance].mean(axis=0) for i in made.items if (instance == i.instance).any()
    }
    # two tones of wood and of fabric serve all furniture, so some two things are alike, or one has two colors
    spread = [color[instance == number].std(axis=0).max() for number in means]
    near = [np.abs(a - b).max() for i, a in means.items() for j, b in means.items() if i < j]
    assert min(near) < 0.05 or max(spread) > 0.08
    assert np.abs(color[label == 1].mean(axis=0) - color[label == 2].mean(axis=0)).max() > 0.01


def test_a_camera_sees_what_is_before_it_only() -> None:
    x, y, z = np.eye(3)
    floor = Piece(rectangle(np.zeros(3), 4 * x, 4 * y), "floor")
    screen = Piece(rectangle(np.array([0, 2.0, 0]), 4 * x, 2.5 * z), "screen", 1)
    thing = Piece(posed(upright(box(0.6, 0.9, 0.6).grounded()), np.eye(4) + _move(2, 3)), "box", 2)
    rng = np.random.RandomState(0)
    scene, eyes = scan_pieces([floor, screen, thing], [1, 2, 3], rng, views=1, spacing=0.03)
    front = eyes[0, 1] < 2
    seen = scene.points[scene.instances == 2]
    assert (len(seen) == 0) == front
    assert ((scene.points[:, 1] < 2.1) == front).mean() > 0.98
    if not front:  # the sides that look at the camera, none of the others
        assert np.abs(seen[:, 2] - 0.9).min() < 0.05
    floor_rays = scene.points[scene.instances == 0] - eyes[0]
    steep = np.abs(floor_rays[:, 2]) / np.linalg.norm(floor_rays, axis=1)
    assert steep.min() > 0.8 * LEAST_ANGLE


def test_noise_grows_with_the_distance() -> None:
    x, y, _ = np.eye(3)
    floor = Piece(rectangle(np.zeros(3), 9 * x, 9 * y), "floor")
    noisy, eyes = scan_pieces([floor], [1], np.random.RandomState(1), views=1)
    far = np.linalg.norm(noisy.points - eyes[0], axis=1)
    along = np.abs(noisy.points[:, 2]) * far / eyes[0, 2]  # the error is that of the length of the ray
    rough = [along[(far > low) & (far < low + 0.5)].mean() for low in (1.8, 3.5)]
    assert rough[1] > 2 * rough[0] > 0
    assert far.max() < 4.7


def test_a_floor_plan() -> None:
    plan = FloorPlan(4.0, 3.0)
    middle, size = np.array([2.0, 1.5]), np.array([2.0, 0.5])
    assert plan.is_free(middle, size, 0.0)
    plan.take(middle, size, np.pi / 2)
    assert not plan.is_free(middle, size, 0.0)
    assert plan.is_free(np.array([0.9, 1.5]), np.array([1.0, 1.0]), 0.0)
    assert not plan.is_free(np.array([0.2, 0.2]), np.array([1.0, 0.2]), 0.0)  # through the wall
    assert np.allclose(sorted(corners(size, np.pi / 2)[:, 1]), [-1, -1, 1, 1])


def _move(x: float, y: float) -> np.ndarray:
    matrix = np.zeros((4, 4))
    matrix[:2, 3] = x, y
    return matrix


def test_wrong_arguments_are_said() -> None:
    with pytest.raises(UnknownNameError, match="'chiar'"):
        room(0, categories=["chiar"])
    with pytest.raises(InputError, match="spacing"):
        room(0, spacing=5.0)
    with pytest.raises(InputError, match="seed"):
        room(-1)
    with pytest.raises(InputError, match="no place for a 'airplane'"):
        room(0, foreign=["airplane"])
    with pytest.raises(InputError, match="no floor"):
        scan_pieces([Piece(box(1, 1, 1), "box", 1)], [1], np.random.RandomState(0))

"""Two scans in one frame: any turn and shift; what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from made_up_changes import SIDE, place

from openshape_ood import Scene, find_objects
from openshape_ood.errors import InputError
from openshape_ood.scene_changes.registration import Registration, Surface, register

THINGS = [("sofa", 1.0, 0.6), ("chair", 3.0, 1.2), ("table", 1.2, 2.6), ("bookshelf", 3.4, 3.0)]


@lru_cache
def surface(scene: Scene) -> Surface:
    """The same for a scene of `place`, which is made once."""
    return Surface.of(scene, find_objects(scene, runs=1))


def turned(scene: Scene, yaw: float, shift: tuple[float, float, float]) -> tuple[Scene, np.ndarray]:
    """The scan in another frame, and the pose that takes it back."""
    c, s = np.cos(yaw), np.sin(yaw)
    pose = np.array([[c, -s, 0, shift[0]], [s, c, 0, shift[1]], [0, 0, 1, shift[2]], [0, 0, 0, 1]])
    back = np.linalg.inv(pose)
    return replace(scene, points=scene.points @ back[:3, :3].T + back[:3, 3]), pose


def error(found: Registration, pose: np.ndarray) -> tuple[float, float]:
    off = np.linalg.inv(pose) @ found.pose
    middle = np.append(np.linalg.inv(pose)[:3, :3] @ ([SIDE / 2, SIDE / 2, 1] - pose[:3, 3]), 1)
    turn = np.degrees(np.arccos(np.clip((np.trace(off[:3, :3]) - 1) / 2, -1, 1)))
    return float(np.linalg.norm(off @ middle - middle)), float(turn)


@pytest.mark.parametrize("yaw", [1.7, pytest.param(-2.9, marks=pytest.mark.slow)])
def test_any_turn_and_shift_is_found_though_a_thing_is_gone(yaw: float) -> None:
    after, pose = turned(place(THINGS[1:], seed=1), yaw, (2.0, -1.0, 0.4))
    found = register(surface(place(THINGS)), surface(after))
    far, turn = error(found, pose)
    assert far < 0.03 and turn < 1
    assert found.how == "searched" and found.residual < 0.02 and found.overlap > 0.7


def test_scans_in_one_frame_are_refined() -> None:
    after, pose = turned(place(THINGS, seed=1), np.radians(2), (0.02, 0.0, 0.0))
    found = register(surface(place(THINGS)), surface(after), np.eye(4))
    far, turn = error(found, pose)
    assert far < 0.01 and turn < 0.2 and found.how == "refined"


def test_scans_that_are_not_in_one_frame_are_refused_as_such() -> None:
    after, _ = turned(place(THINGS, seed=1), np.radians(40), (1.0, 0.5, 0.0))
    with pytest.raises(InputError, match=r"Leave out aligned|does not fit"):
        register(surface(place(THINGS)), surface(after), np.eye(4))


def test_a_symmetric_room_has_several_poses_that_are_listed() -> None:
    scenes = place([], walls=(0, 1, 2, 3)), place([], seed=1, walls=(0, 1, 2, 3))
    with pytest.raises(InputError, match=r"two poses .*° and .*°.*give aligned"):
        register(*(surface(one) for one in scenes))


def test_another_place_is_refused() -> None:
    rng = np.random.RandomState(3)
    heap = rng.uniform(0, 3, (8_000, 3)) * [1, 1, 0.7]
    floor = np.stack([*rng.uniform(0, 6, (2, 10_000)), np.zeros(10_000)], axis=1)
    with pytest.raises(InputError, match=r"does not fit|fit alike"):
        register(surface(place(THINGS)), surface(Scene(np.concatenate([heap, floor]))))


def test_without_a_floor_a_pose_is_needed() -> None:
    things = place(THINGS).points
    with pytest.raises(InputError, match="has no floor"):
        register(surface(place(THINGS)), surface(Scene(things[things[:, 2] > 1.0], name="upper half")))

"""Stability of proposals: votes of several runs, and scans again with noise, rounded and turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import KDTree

from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, find_objects
from openshape_ood.scenes.proposals.consensus import LEAST, OBJECT, Sets, agreed
from openshape_ood.scenes.proposals.find import RUNS
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.synthetic.rooms import Room, room


def sets(*own: Sequence[int], count: int, kind: str = OBJECT, around: Sequence[int] = ()) -> Sets:
    """Sets of points, the outer ones first."""
    inner = np.full(count, -1)
    for i, rows in enumerate(own):
        inner[list(rows)] = i
    return Sets(inner, np.array(around or [-1] * len(own)), np.array([kind] * len(own)), np.ones(len(own)))


def turned(scene: Scene, degrees: float) -> Scene:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return replace(scene, points=scene.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]))


def again(scene: Scene) -> dict[str, Scene]:
    noise = np.random.RandomState(1).randn(*scene.points.shape) * 1e-3
    return {
        "1 mm of noise": replace(scene, points=scene.points + noise),
        "rounded to 1 mm": replace(scene, points=np.round(scene.points, 3)),
        "turned by 10 degrees": turned(scene, 10),
    }


def returned(rows: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """The largest intersection over union of each with one of the others."""
    return np.array(
        [max((len(np.intersect1d(a, b)) / len(np.union1d(a, b)) for b in others), default=0.0) for a in rows]
    )


def shares(made: Room, runs: int = RUNS) -> dict[str, list[bool]]:
    """Which of the stable objects of a room return at an IoU of 0.75."""
    first = find_objects(made.scene, runs=runs)
    assert first.stability is not None and len(first) and (first.stability >= 0.5).any()
    stable = [rows for rows, one in zip(first, first.stability, strict=True) if one >= 0.5]
    return {
        how: (returned(stable, find_objects(scene, runs=runs).rows) >= 0.75).tolist()
        for how, scene in again(made.scene).items()
    }


def test_a_vote_keeps_the_points_that_most_runs_have() -> None:
    runs = [
        sets(range(10), range(10, 20), count=30),
        sets(range(10), range(10, 20), count=30),
        sets(range(8), range(10, 20), count=30),
        sets(range(10), (20, 21), count=30),
    ]
    first, second = agreed(runs, 30)  # what one run of four has is dropped
    assert [first.rows.tolist(), second.rows.tolist()] == [list(range(10)), list(range(10, 20))]
    assert first.stability == pytest.approx((1 + 1 + 0.8 + 1) / 4)
    assert second.stability == pytest.approx(3 / 4)
    assert sorted(second.made_of) == [(0, 1), (1, 1), (2, 1)]
    assert LEAST > 1 / 4


def test_a_whole_and_its_parts_are_not_both_kept_unless_nested() -> None:
    whole, halves = sets(range(10), count=10), sets(range(5), range(5, 10), count=10)
    assert [one.rows.tolist() for one in agreed([whole, whole, halves], 10)] == [list(range(10))]
    assert [one.rows.tolist() for one in agreed([halves, whole, halves], 10)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    both = sets(range(10), range(4), count=10, around=[-1, 0])
    assert [len(one.rows) for one in agreed([both, both], 10, nested=True)] == [10, 4]


def test_planes_are_no_objects_and_need_half_of_the_runs() -> None:
    def floor(*rows: int) -> Sets:
        return sets(rows, count=6, kind="floor")

    thing = sets(range(4), count=6)
    assert [one.kind for one in agreed([floor(0, 1, 2), thing, thing], 6)] == [OBJECT]
    found = agreed([floor(0, 1, 2), floor(0, 1, 2), floor(0, 1)], 6)
    assert [(one.kind, one.rows.tolist()) for one in found] == [("floor", [0, 1, 2])]
    assert agreed([sets(count=6)], 6) == [] == agreed([], 6)


def test_a_scan_has_a_direction_of_its_own() -> None:
    scene = room(3, categories=["chair", "table"], objects=3, views=1, spacing=0.1).scene
    first = KDTree(Frame.of(scene).grid().places)
    for degrees in (10.0, 45.0, 117.0, 200.0):
        distance = first.query(Frame.of(turned(scene, degrees)).grid().places)[0]
        assert (distance < 1e-4).mean() > 0.99  # a point on the border of two cells may go with either
    noisy = Frame.of(again(scene)["1 mm of noise"])
    assert noisy.heading == pytest.approx(Frame.of(scene).heading, abs=1e-3)


def test_stable_objects_return_from_noise_rounding_and_turns() -> None:
    made = room(3, categories=["chair", "sofa", "table"], objects=5, views=2, spacing=0.1)
    found = shares(made, runs=3)
    assert all(np.mean(back) >= 0.75 for back in found.values()), found
    assert all(found["turned by 10 degrees"])


def test_stability_is_of_votes() -> None:
    scene = room(3, categories=["chair", "table"], objects=3, views=1, spacing=0.1).scene
    for by in ("tree", "contact", "density"):
        found = find_objects(scene, by, runs=2)
        assert found.stability is not None and found.stability.shape == found.score.shape == (len(found),)
        assert ((found.stability >= 0) & (found.stability <= 1)).all()
        members = np.concatenate([*found.rows, *(plane.rows for plane in found.layout)])
        assert len(members) == len(np.unique(members))  # objects and layout are apart
    assert find_objects(scene, score="size", runs=2).stability is not None
    assert (find_objects(scene, runs=1).stability == 1).all()
    assert find_objects(scene, overlapping=True).stability is None
    assert find_objects(scene, regions=[[0, 1, 2]]).stability is None
    with pytest.raises(InputError, match=r"runs is 0\. Expected a whole number from 1 up"):
        find_objects(scene, runs=0)


@pytest.mark.slow
def test_stable_objects_of_rooms_return() -> None:
    found = [shares(room(8000 + i, objects=20 if i % 2 else None)) for i in range(3)]
    for how in found[0]:
        assert np.mean([back for one in found for back in one[how]]) >= 0.9, how

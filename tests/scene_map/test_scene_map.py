"""SceneMap: verdicts over looks, places, naming, invalid input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from made_up_place import PLATE, POLE, SLAB, block, made_map, pipeline

from openshape_ood import KnownClasses, NoveltyPipeline, Threshold
from openshape_ood.errors import ClassNamesError, CloudError, FileError, InputError, MixedEncodersError
from openshape_ood.scene_map import MapWarning, SceneMap
from openshape_ood.scene_map.objects import MOST_LOOKS


def state_of(found: SceneMap) -> tuple[dict[str, bytes], str]:
    arrays, header = found.state.snapshot()
    return {name: array.tobytes() for name, array in arrays.items()}, json.dumps(header, default=np.ndarray.tolist)


def test_known_and_new_objects_at_their_places() -> None:
    found = made_map()
    for seed in range(4):
        found.add(block(POLE, seed=seed))
        found.add(block(PLATE, (4, 0), seed=seed))
    assert [(one.verdict.verdict, one.verdict.name, one.seen) for one in found] == [
        ("known", "pole", 4),
        ("new", None, 4),
    ]
    assert "4 of 4 looks" in found[2].verdict.reason
    assert found[2].box.center == pytest.approx([4.6, 0.6, 0.05], abs=0.06)


def test_a_change_of_verdict_says_why() -> None:
    found = made_map(combine="mean")
    first = found.add(block(PLATE, seed=0))
    assert [one["event"] for one in first] == ["object", "verdict"] and first[1]["from"] is None
    assert first[1]["verdict"] == "new" and "combined p" in first[1]["reason"]
    again = found.add(block(PLATE, seed=1))
    assert [one["event"] for one in again] == ["look"]


def test_few_points_are_no_evidence() -> None:
    found = made_map()
    found.add(block(PLATE, n=60))
    assert (found[1].verdict.verdict, found[1].evidence.looks, found[1].whole) == ("unsure", 0, False)
    found.add(block(PLATE, n=600))
    assert (found[1].verdict.verdict, found[1].evidence.looks, len(found[1].points)) == ("new", 1, 1)


def test_looks_that_are_kept_are_few_and_far_apart() -> None:
    found = made_map()
    for i in range(3 * MOST_LOOKS):
        angle = 2 * np.pi * i / (3 * MOST_LOOKS)
        pose = np.eye(4)
        pose[:2, 3] = np.cos(angle), np.sin(angle)
        found.add(block(PLATE, seed=i) - pose[:3, 3], pose=pose)
    one = found[1]
    assert (one.seen, one.evidence.looks, len(one.embeddings)) == (3 * MOST_LOOKS, 3 * MOST_LOOKS, MOST_LOOKS)
    cosines = one.directions @ one.directions.T - 2 * np.eye(MOST_LOOKS)
    assert cosines.max() < np.cos(np.radians(360 / (3 * MOST_LOOKS) * 1.4))


def test_pieces_of_one_object_are_merged_and_it_is_logged() -> None:
    found = made_map()
    whole = block(SLAB, n=3000)
    found.add(whole[whole[:, 0] < 0.9][:80])  # few points: seen in part
    found.add(whole[whole[:, 0] > 1.1][:80])
    assert len(found) == 2
    changes = found.add(whole)
    assert [(one["object"], one["gone"]) for one in changes if one["event"] == "merged"] or len(found) == 1
    assert len(found) == 1 and found[1].whole


def test_naming_changes_nothing_but_new_to_known_by_the_new_class() -> None:
    found = made_map()
    for i in range(12):
        found.add(block((POLE, PLATE, SLAB)[i % 3], ((3 * i), 0), seed=i))
    before = {one.number: one.verdict for one in found}
    (plate, *_) = [one.number for one in found if one.verdict.verdict == "new"]
    changes = found.name(plate, "plate")
    assert {one["object"] for one in changes} == {2, 5, 8, 11}
    for one in found:
        if one.verdict != before[one.number]:
            assert before[one.number].verdict in ("new", "unsure")
            assert (one.verdict.verdict, one.verdict.name) == ("known", "plate")
            assert (one.verdict.novelty, one.verdict.p_value) == (
                before[one.number].novelty,
                before[one.number].p_value,
            )
    assert [one.verdict.name for one in found] == ["pole", "plate", None] * 4
    found.add(block(PLATE, (40, 0), seed=50))
    assert found[13].verdict.name == "plate" and "named" in found[13].verdict.reason


def test_questions_ask_once_a_group_the_larger_first() -> None:
    found = made_map()
    for i in range(6):
        found.add(block(PLATE, (3 * i, 0), seed=i))
    for i in range(3):
        found.add(block(SLAB, (3 * i, 20), seed=i))
    asked = found.ask(5)
    assert [len(one.objects) for one in asked] == [6, 3]
    assert set(asked[0].objects) == set(range(1, 7)) and asked[0].object == asked[0].objects[0]
    found.name(asked[0], "plate")
    assert [len(one.objects) for one in found.ask(5)] == [3]
    assert found.ask(1)[0].as_json()["objects"]


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda m: m.add("room.ply"), InputError, "Expected a View, a Scene"),
        (lambda m: m.add(np.ones(7)), CloudError, "Expected"),
        (lambda m: m.add(made_map()), InputError, "Two maps cannot be merged"),
        (lambda m: m.add(np.full((200, 3), np.nan)), CloudError, "not finite"),
        (lambda m: m.add(block(POLE), pose=2 * np.eye(4)), InputError, "as its last row"),
        (lambda m: m.add(block(POLE), pose=np.diag([2.0, 2, 2, 1])), InputError, "no rotation"),
        (lambda m: m.add(block(POLE), pose=np.diag([1.0, 1, -1, 1])), InputError, "no rotation"),
        (lambda m: m.add(block(POLE), pose=moved(9)), InputError, "jumps by 9.0 m"),
        (lambda m: m.add(block(POLE), time=0.5), InputError, "time runs backwards"),
        (lambda m: m.add(block(POLE), time=float("nan")), InputError, "finite number"),
        (lambda m: m.add(block(POLE) + 1e7), InputError, "from the start of the map"),
        (lambda m: m.name(7, "plate"), InputError, "no object 7"),
        (lambda m: m.name(1, " "), ClassNamesError, "Expected a name"),
        (lambda m: m.name([], "plate"), InputError, "no objects are given"),
        (lambda m: m.save(), InputError, "no folder"),
        (lambda m: m.ask(0), InputError, "from 1 up"),
    ],
)
def test_invalid_input_changes_nothing(call: Any, error: type[Exception], words: str) -> None:
    found = made_map()
    found.add(block(POLE), pose=np.eye(4), time=1.0)
    before = state_of(found)
    with pytest.raises(error, match=words):
        call(found)
    assert state_of(found) == before


def moved(x: float) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


def test_a_full_map_takes_looks_and_no_objects() -> None:
    found = made_map(most=2)
    found.add(block(POLE))
    found.add(block(POLE, (4, 0)))
    with pytest.raises(InputError, match="Expected at most 2"):
        found.add(block(POLE, (8, 0)))
    found.add(block(POLE, seed=3))
    assert (len(found), found[1].seen) == (2, 2)


def test_ten_thousand_objects_are_refused_beyond() -> None:
    assert made_map().most == 10_000


def test_a_threshold_without_calibration_is_refused() -> None:
    made = pipeline()
    bare = NoveltyPipeline(made.known, made.method, made.encoders, Threshold(0.5))
    with pytest.raises(InputError, match="no calibrated threshold"):
        SceneMap.prepare(bare)
    with pytest.raises(InputError, match="Prepare the pipeline"):
        SceneMap.prepare(made, model="tiny")


@pytest.mark.filterwarnings("error::openshape_ood.scene_map.MapWarning")
def test_an_object_is_ranked_among_the_means_of_known_objects(tmp_path) -> None:
    poles = [block(POLE, (3 * i, 0), seed=200 + i) for i in range(25)]
    place = made_map(max_jump=None)
    for points in poles:
        place.add(points)
    held = place.object_threshold()
    found = SceneMap.prepare(pipeline(25), objects=held, path=tmp_path / "a.map")  # looks alone would warn
    for seed in range(3):
        found.add(block(PLATE, seed=seed))
        found.add(block(POLE, (4, 0), seed=seed))
    found.add(block(PLATE, (0, 5), n=60))
    verdicts = [(one.verdict.verdict, round(one.verdict.p_value, 6)) for one in found]
    assert verdicts[0] == ("new", round(1 / 26, 6)) and verdicts[1][0] == "known" and verdicts[1][1] > 0.05
    assert verdicts[2] == ("unsure", 1.0)  # not seen whole
    assert "p among 25 known objects" in found[1].verdict.reason
    found.close()
    with SceneMap.load(tmp_path / "a.map", pipeline(25)) as again:
        again.add(block(PLATE, seed=9))
        assert again[1].verdict.p_value == pytest.approx(1 / 26)


def test_an_object_of_few_looks_is_not_new() -> None:
    """Fragments of objects are found in few views."""
    found = made_map(least_seen=3)
    for seed in range(2):
        found.add(block(PLATE, seed=seed))
    assert found[1].verdict.verdict == "unsure" and "it has 2 looks, and 3 are needed" in found[1].verdict.reason
    found.add(block(PLATE, seed=2))
    assert found[1].verdict.verdict == "new"
    for i in range(20):
        for seed in range(3 if i < 19 else 1):
            found.add(block(POLE, (4 + 3 * i, 0), seed=seed))
    threshold = found.object_threshold(coverage=0.9)
    assert threshold.n == 20 and found.object_threshold(coverage=0.9, least_seen=1).n == 21
    with pytest.raises(InputError, match="least_seen"):
        made_map(least_seen=0)


def test_few_known_objects_are_refused() -> None:
    few = Threshold.from_novelty(np.arange(18.0), 0.9, provenance=pipeline().provenance)
    with pytest.raises(InputError, match=r"18 objects\. Coverage 0\.95082 needs 20"):
        made_map(objects=few)
    with pytest.raises(InputError, match="threshold of 0 objects"):
        made_map(objects=Threshold(0.5))


def test_few_calibration_shapes_are_warned_of() -> None:
    with pytest.warns(MapWarning, match="too few for the verdict new"):
        SceneMap.prepare(pipeline(25))


def test_a_folder_is_written_once_and_by_one_process(tmp_path) -> None:
    found = made_map(path=tmp_path / "home.map")
    found.add(block(POLE))
    with pytest.raises(FileError, match="not empty"):
        made_map(path=tmp_path / "home.map")
    with pytest.raises(FileError, match="another process writes"):
        SceneMap.load(tmp_path / "home.map", pipeline())
    found.close()
    with pytest.raises(InputError, match="closed"):
        found.add(block(POLE))
    with pytest.raises(FileError, match="is no map"):
        SceneMap.load(tmp_path)


def test_a_map_of_another_encoder_is_refused(tmp_path) -> None:
    made_map(path=tmp_path / "home.map").close()
    with pytest.raises(MixedEncodersError, match="Expected the same encoder"):
        SceneMap.load(tmp_path / "home.map", pipeline(61))
    other = KnownClasses.from_embeddings(np.eye(3), ["a", "b", "c"], made_map().pipeline.known.identity)
    calibrated = Threshold.from_novelty(np.arange(60.0))
    wide = NoveltyPipeline.prepare(other, encoder=pipeline().encoders.shape, method="knn", threshold=calibrated)
    with pytest.raises(MixedEncodersError):
        SceneMap.load(tmp_path / "home.map", wide)

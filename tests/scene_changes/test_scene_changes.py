"""compare_scenes: what moved, is gone, is new, was replaced, or cannot be told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_changes import Thing, place, shaded, stood

from openshape_ood import NoveltyPipeline, Scene, SceneChanges, compare_scenes, find_objects, load_scene
from openshape_ood.errors import InputError
from openshape_ood.scene_changes.candidates import Candidate, _of_proposals, candidates
from openshape_ood.scene_changes.compare import compare
from openshape_ood.scene_changes.space import _without_margin
from openshape_ood.scenes import ScanWarning
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.synthetic.rooms.rescans import room_pair

KNOWN = ("chair", "table", "sofa")
SOFA, CHAIR, TABLE = ("sofa", 1.0, 0.6), ("chair", 3.0, 1.2), ("table", 1.2, 2.6)


@pytest.fixture(scope="module")
def pipeline() -> NoveltyPipeline:
    return NoveltyPipeline.prepare(list(KNOWN), model="tiny", up="z")


@pytest.fixture(scope="module", autouse=True)
def found_once() -> Iterator[None]:
    """The objects of a place are found once."""
    kept = dict[tuple[int, int], tuple[Scene, Proposals]]()

    def found(scan: Scene, runs: int) -> Proposals:
        own = id(scan.points), runs
        if own not in kept:
            kept[own] = scan, find_objects(scan, runs=runs)
        return kept[own][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openshape_ood.scene_changes.compare.find_objects", found)
        yield


def compared(before: Scene, after: Scene, pipeline: NoveltyPipeline) -> SceneChanges:
    return compare_scenes(before, after, pipeline, aligned=True, runs=1)


def kinds(found: SceneChanges) -> list[str]:
    return sorted(one.kind for one in found)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ((SOFA, CHAIR, TABLE), []),
        ((SOFA, TABLE), ["removed"]),
        ((SOFA, CHAIR, TABLE, ("toilet", 2.9, 2.9)), ["added"]),
        ((SOFA, ("chair", 2.9, 3.0), TABLE), ["moved"]),
        ((SOFA, ("guitar", 3.0, 1.2), TABLE), ["replaced"]),
        ((("bookshelf", 1.0, 0.6), ("chair", 2.9, 3.0), TABLE), ["moved", "replaced"]),
    ],
    ids=["nothing", "removed", "added", "moved", "replaced", "two"],
)
def test_each_kind_is_found(later: Sequence[Thing], expected: list[str], pipeline: NoveltyPipeline) -> None:
    found = compared(place([SOFA, CHAIR, TABLE]), place(later, seed=1), pipeline)
    assert kinds(found) == expected, str(found)
    assert all(one.p_value <= 0.1 for one in found)


def test_a_move_has_its_ends_and_distance(pipeline: NoveltyPipeline) -> None:
    found = compared(place([SOFA, CHAIR, TABLE]), place([SOFA, ("chair", 2.9, 3.0), TABLE], seed=1), pipeline)
    (one,) = found
    assert one.before is not None and one.after is not None and one.distance is not None
    np.testing.assert_allclose(one.before.box.center[:2], [3.0, 1.2], atol=0.1)
    np.testing.assert_allclose(one.after.box.center[:2], [2.9, 3.0], atol=0.1)
    assert abs(one.distance - np.hypot(0.1, 1.8)) < 0.1


def test_a_chair_replaced_by_a_guitar_has_name_and_verdict_of_both(pipeline: NoveltyPipeline) -> None:
    (one,) = compared(place([SOFA, CHAIR, TABLE]), place([SOFA, ("guitar", 3.0, 1.2), TABLE], seed=1), pipeline)
    assert one.kind == "replaced"
    assert one.before is not None and (one.before.name, one.before.verdict) == ("chair", "known")
    assert one.after is not None and (one.after.name, one.after.verdict) == ("new", "novel")


def test_a_chair_inside_the_place_of_a_wardrobe_replaces_it(pipeline: NoveltyPipeline) -> None:
    wide, narrow = ("wardrobe", 2.0, 2.0), ("chair", 2.0, 2.0)  # the inside of a wardrobe was never seen empty
    for first, second in ((wide, narrow), (narrow, wide)):
        found = compared(place([SOFA, first]), place([SOFA, second], seed=1), pipeline)
        assert kinds(found) == ["replaced"], str(found)
        assert len({id(one.before) for one in found.objects}) == len(found.objects)


def test_halves_of_a_removed_object_are_one_change() -> None:
    wide = ("wardrobe", 2.0, 2.0)
    pair = compare(place([SOFA, wide]), place([SOFA], seed=1), aligned=True, runs=1)
    scan, found = pair.scans[0], pair.found[0]
    gone = max(pair.candidates[0], key=lambda one: one.strength)
    high = scan.points[gone.rows, 2] > np.median(scan.points[gone.rows, 2])
    others = [rows for i, rows in enumerate(found.rows) if i != gone.proposal]
    for parts in ([gone.rows], [gone.rows[high], gone.rows[~high]]):
        own = Proposals(
            (*parts, *others), np.ones(len(parts) + len(others)), found.layout, "given", len(parts), len(scan)
        )
        (one,) = [one for one in candidates(scan, own, pair.spaces[1]) if one.whole]
        assert np.isin(gone.rows, one.rows).mean() > 0.95


def test_pieces_one_above_the_other_are_one_change() -> None:
    pair = compare(place([SOFA, ("wardrobe", 2.0, 2.0)]), place([SOFA], seed=1), aligned=True, runs=1)
    scan, found = pair.scans[0], pair.found[0]
    gone = max(pair.candidates[0], key=lambda one: one.strength)
    height = scan.points[gone.rows, 2]
    low, high = np.quantile(height, [0.3, 0.7])
    others = [rows for i, rows in enumerate(found.rows) if i != gone.proposal]
    parts = [gone.rows[height < low], gone.rows[height > high]]
    seen = np.setdiff1d(np.arange(len(scan)), gone.rows[(height >= low) & (height <= high)])
    rows = tuple(np.searchsorted(seen, part) for part in (*parts, *others))
    layout = tuple(
        replace(plane, rows=np.searchsorted(seen, np.intersect1d(plane.rows, seen))) for plane in found.layout
    )
    own = Proposals(rows, np.ones(len(rows)), layout, "given", len(rows), len(seen))
    (one,) = [one for one in candidates(scan.take(seen), own, pair.spaces[1]) if one.whole]
    assert np.isin(np.concatenate(rows[:2]), one.rows).mean() > 0.95


def test_a_small_piece_of_an_unchanged_object_is_no_change() -> None:
    table, cup, apart = np.arange(1000), np.arange(1000, 1030), np.arange(1030, 1060)
    both = np.concatenate([table, cup])
    stayed = Candidate(both, 0.03, 0.97, 0.0, 0.0, False, 0)
    kept = _of_proposals([cup, apart], [both], [stayed])
    assert len(kept) == 1 and np.array_equal(kept[0], apart)
    large = _of_proposals([cup, table[:30]], [both], [stayed])
    assert len(large) == 1 and len(large[0]) == 60


def test_an_object_seen_empty_at_one_end_is_one_change_with_all_its_points() -> None:
    wide = ("wardrobe", 2.0, 2.0)
    pair = compare(place([SOFA, wide]), place([SOFA], seed=1), aligned=True, runs=1)
    gone = max(pair.candidates[0], key=lambda one: one.strength)
    end = pair.scans[0].points[gone.rows].min(axis=0) + [0.3, 10, 10]
    space = replace(pair.spaces[1], free=pair.spaces[1].free.copy())
    space.free[int((end[0] - space.low[0]) / space.size) :] = False
    (one,) = [one for one in candidates(pair.scans[0], pair.found[0], space) if one.whole]
    assert one.unseen > 0.6 and np.isin(pair.found[0].rows[gone.proposal], one.rows).all()


def test_points_of_a_removed_object_do_not_show_that_another_one_stayed() -> None:
    pair = compare(place([SOFA, CHAIR]), place([SOFA, CHAIR], seed=1), aligned=True, runs=1)
    scan, found, space = pair.scans[1], pair.found[1], pair.spaces[0]
    near_chair = np.linalg.norm(space.points[:, :2] - CHAIR[1:], axis=1) < 0.6
    plain, without = (candidates(scan, found, space, gone) for gone in (None, near_chair))
    stayed = max(plain, key=lambda one: -np.linalg.norm(scan.points[one.rows, :2].mean(axis=0) - CHAIR[1:]))
    same = next(one for one in without if one.proposal == stayed.proposal)
    assert stayed.occupied > 0.9 and same.occupied < 0.1 and same.free == stayed.free


def test_rays_that_graze_an_unseen_surface_free_nothing() -> None:
    box = np.zeros((12, 12, 12), dtype=bool)
    free = box.copy()
    free[:, :, 6:] = True  # seen above z = 6; below are neither rays nor points
    kept = _without_margin(free, box)
    assert not kept[5, 5, 6] and kept[5, 5, 7:11].all()
    floor = box.copy()
    floor[:, :, 5] = True  # points below: rays end there
    assert _without_margin(free, floor)[5, 5, 6]


def test_the_same_scan_twice_is_warned_of(pipeline: NoveltyPipeline) -> None:
    scan = place([SOFA])
    with pytest.warns(ScanWarning, match="same points"):
        assert not compared(scan, scan, pipeline).changes


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_hidden_is_never_removed(gone: bool, pipeline: NoveltyPipeline) -> None:
    screen = ("wardrobe", 2.0, 1.8)
    behind, wide = ("chair", 2.0, 3.2), stood(screen)
    before = place([SOFA, screen, behind])
    after = place([SOFA, screen, behind] if not gone else [SOFA, screen], seed=1)
    hidden = shaded(after, wide.min(axis=0) - [0.3, 0, 0], wide.max(axis=0) + [0.3, 0, 1], (2.0, -1.5, 1.5))
    found = compared(before, hidden, pipeline)
    assert "removed" not in kinds(found), str(found)
    chair = [one for one in found.objects if abs(one.object.box.center[1] - 3.2) < 0.4]
    assert [one.kind for one in chair] == ["cannot tell"]
    assert "not seen afterwards" in chair[0].reason
    if gone:  # the same, seen
        assert "removed" in kinds(compared(before, after, pipeline))


def test_merged_and_split_proposals_change_nothing() -> None:
    pair = compare(place([SOFA, CHAIR, TABLE]), place([SOFA, CHAIR, TABLE], seed=1), aligned=True, runs=1)
    scan, found = pair.scans[0], pair.found[0]
    merged = np.sort(np.concatenate(found.rows))
    split = np.array_split(merged[np.argsort(scan.points[merged, 2])], 5)
    for rows in ([merged], [np.sort(one) for one in split], []):
        own = Proposals(tuple(rows), np.ones(len(rows)), found.layout, "given", len(rows), len(scan))
        assert not [one for one in candidates(scan, own, pair.spaces[1]) if one.whole]


def test_result_as_table_json_and_files(pipeline: NoveltyPipeline, tmp_path: Path) -> None:
    found = compared(place([SOFA, CHAIR, TABLE]), place([SOFA, TABLE], seed=1), pipeline)
    record = json.loads(json.dumps(found.as_json()))
    assert record["counts"]["removed"] == 1 and record["space"]["by"] == "columns"
    assert record["objects"][0]["kind"] == "removed" and record["objects"][0]["after"] is None
    files = found.save(tmp_path / "out")
    assert [path.name for path in files] == ["changes.json", "before.ply", "after.ply"]
    again = load_scene(files[1])
    assert again.labels is not None and (again.labels == found.kinds_of_points(False) + 1).all()
    assert [row["kind"] for row in found.rows()] == [one.kind for one in found.objects]
    assert "removed" in str(found) and "removed" in found._repr_html_()


def test_the_same_twice_and_with_the_points_in_another_order(pipeline: NoveltyPipeline) -> None:
    before, after = place([SOFA, CHAIR, TABLE]), place([SOFA, TABLE], seed=1)
    order = np.random.RandomState(5).permutation(len(after))
    first, second, third = (compared(before, one, pipeline) for one in (after, after, after.take(order)))
    assert first.rows() == second.rows()
    assert [one.kind for one in first.objects] == [one.kind for one in third.objects]


def test_cameras_tell_free_space_by_rays(pipeline: NoveltyPipeline) -> None:
    before, after = place([SOFA, CHAIR, TABLE]), place([SOFA, TABLE], seed=1)
    eyes = np.array([[2.0, 1.8, 1.5], [3.5, 3.5, 1.6], [0.5, 3.5, 1.6]])
    found = compare_scenes(before, after, pipeline, aligned=True, cameras=(eyes, eyes), runs=1)
    assert found.spaces[0].by == "rays" and kinds(found) == ["removed"]
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        compare_scenes(before, after, pipeline, aligned=True, cameras=(eyes, eyes[:2, :2]), runs=1)


@pytest.mark.parametrize(
    ("before", "after", "how", "words"),
    [
        (place([SOFA]), Scene(place([SOFA]).points * 1000), {}, "unit|meters"),
        (place([SOFA]), np.empty((0, 3)), {}, "at least 1"),
        (place([SOFA]), place([SOFA]), {"fdr": 0}, "fdr is 0"),
        (place([SOFA]), place([SOFA]), {"fdr": 2.0}, "between 0 and 1"),
        (place([SOFA]), place([SOFA]), {"voxel": 3.0}, "0.01 to 0.5"),
        (place([SOFA]), place([SOFA]), {"control": "bonferroni"}, "control"),
        (place([SOFA]), place([SOFA], seed=1), {"pose": np.diag([2.0, 1, 1, 1])}, "rotation"),
        (place([SOFA]), Scene(place([SOFA], seed=1).points * 10), {}, "about 10 times as large"),
        (place([SOFA]), "after.ply", {}, "Expected a Scene"),
    ],
    ids=["millimeters", "empty", "no rate", "rate", "voxel", "control", "pose", "ten times", "a path"],
)
def test_what_cannot_be_compared_is_refused(
    before: Scene, after: Scene, how: dict[str, object], words: str, pipeline: NoveltyPipeline
) -> None:
    with pytest.raises(InputError, match=words):
        compare_scenes(before, after, pipeline, runs=1, **how)  # type: ignore[arg-type]


def test_an_empty_room_has_no_objects_and_no_changes(pipeline: NoveltyPipeline) -> None:
    found = compared(place([]), place([], seed=1), pipeline)
    assert found.objects == () and "no objects" in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(400, 404))
def test_rescanned_rooms_have_no_changes(seed: int, pipeline: NoveltyPipeline) -> None:
    pair = room_pair(seed)
    assert len(compare_scenes(pair.before, pair.after, pipeline, aligned=True)) <= 1


@pytest.mark.slow
def test_changes_of_a_generated_room_are_found(pipeline: NoveltyPipeline) -> None:
    pair = room_pair(4, added=1, removed=1, moved=1, any_pose=True)
    found = compare_scenes(pair.before, pair.after, pipeline)
    assert kinds(found) == ["added", "moved", "removed"]

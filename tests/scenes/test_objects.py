"""Objects of a scan: the same however it lies, and a clear answer for scans that are none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from openshape_ood import Threshold, score_novelty
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.scenes import Scene, find_objects, load_names, load_scene, score_scene
from openshape_ood.scenes.boxes import Box, size_likelihood
from openshape_ood.scenes.proposals.candidates import of_tree, parse
from openshape_ood.scenes.proposals.choice import contained, divided, suppressed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.traits import traits

KNOWN = ["chair", "table"]


class SizeEncoder:
    """A stand-in: an embedding of how tall, deep and wide a crop is."""

    identity, dim, temperature = Identity("sizes", "sizes", "1"), 3, None

    def encode(self, shapes, **how):
        assert set(how["up"]) == {"z"}
        return np.array([np.ptp(np.asarray(one)[:, :3], axis=0) for one in shapes])


class SizeNames:
    identity = Identity("sizes", "sizes")

    def encode(self, names):
        return np.eye(3)[: len(names)]


def box(low, high, step=0.03):
    """The surface of a box without its bottom."""
    low, high = np.array(low, float), np.array(high, float)
    n = np.maximum(2, ((high - low) / step).astype(int))
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, k) for a, b, k in zip(low, high, n, strict=True))), -1).reshape(
        -1, 3
    )
    return grid[((grid == low) | (grid == high))[:, :2].any(axis=1) | (grid[:, 2] == high[2])]


@pytest.fixture(scope="module")
def scan():
    """A floor with two walls, two boxes on it and a third on one of these."""
    rng = np.random.RandomState(0)
    x, y, z = np.arange(0, 2.6, 0.05), np.arange(0, 2, 0.05), np.arange(0, 1.7, 0.05)
    floor, *walls = (np.stack(np.meshgrid(*sides), -1).reshape(-1, 3) for sides in ((x, y, 0), (x, 0, z), (0, y, z)))
    things = [
        box([0.5, 0.4, 0], [1.1, 0.8, 0.7], 0.05),
        box([1.4, 0.8, 0], [2.2, 1.6, 0.5], 0.05),
        box([1.6, 1.0, 0.5], [1.8, 1.2, 0.9], 0.05),
    ]
    points = np.concatenate([floor, *walls, *things])
    owner = np.repeat([0, 0, 0, 1, 2, 3], list(map(len, [floor, *walls, *things])))
    return Scene(points + rng.randn(*points.shape) * 0.003, instances=owner, name="two boxes")


@pytest.fixture(scope="module")
def found(scan):
    return find_objects(scan)


def scored(scene, **how):
    return score_scene(scene, KNOWN, encoder=SizeEncoder(), text=SizeNames(), **how)


def test_what_stands_on_the_floor_is_found_and_the_floor_is_layout(scan, found):
    assert sorted(plane.kind for plane in found.layout) == ["floor", "wall", "wall"]
    floor = next(plane for plane in found.layout if plane.kind == "floor")
    assert floor.normal[2] > 0.999
    assert floor.offset == pytest.approx(0, abs=0.01)
    every = find_objects(scan, overlapping=True, most=1000)
    assert len(every) == every.candidates > len(found)
    for number in (1, 2, 3):
        own = np.flatnonzero(scan.instances == number)
        iou = [len(np.intersect1d(own, rows)) / len(np.union1d(own, rows)) for rows in every]
        assert max(iou) > 0.75
    for by in ("contact", "density"):
        pieces = find_objects(scan, by, runs=2)
        assert np.bincount(np.concatenate(list(pieces))).max() == 1
        for own in (scan.instances == 1, scan.instances > 1):  # what touches is one
            assert max(own[rows].sum() / (own.sum() + (~own[rows]).sum()) for rows in pieces) > 0.75


def test_the_same_scan_has_the_same_objects(scan, found):
    first = scored(scan)
    assert [one.stability for one in first] == [first.proposals.stability[one.proposal] for one in first]
    assert all(row["stability"] == one.stability for row, one in zip(first.rows(), first, strict=True))
    assert all(0.35 <= one["stability"] <= 1 for one in first.as_json()["objects"])
    assert [rows.tolist() for rows in found] == [rows.tolist() for rows in first.proposals] != []
    assert [one.stability for one in scored(scan, proposals=found, most=1)] == [found.stability[0]]
    # its points in another order, moved, and turned by a quarter
    turn, shift = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), [100, -50, 0]
    order = np.random.RandomState(1).permutation(len(scan))
    other = scored(replace(scan, points=scan.points @ turn.T + shift).take(order))
    told = [(one.nearest, one.novelty, one.rows.tolist()) for one in first]
    assert [(one.nearest, one.novelty, sorted(order[one.rows])) for one in other] == told
    for one, moved in zip(first, other, strict=True):
        np.testing.assert_allclose(turn @ one.box.center + shift, moved.box.center, atol=1e-5)
        corners = sorted(map(tuple, (one.box.corners() @ turn.T + shift).round(4)))
        np.testing.assert_allclose(corners, sorted(map(tuple, moved.box.corners())), atol=1e-3)


def test_verdict_map_files_and_agreement(scan, tmp_path):
    masks = [scan.instances == number for number in (1, 2, 3)]
    plain = scored(scan, proposals=masks)
    values = sorted(one.novelty for one in plain)
    result = scored(scan, proposals=masks, threshold=Threshold((values[1] + values[2]) / 2))
    assert [one.name == "new" for one in result] == [True, False, False]
    assert [one.number for one in result] == [1, 2, 3]
    assert not result.map.is_novel[scan.instances == 0].any()
    assert result.map.is_novel.sum() == len(result.objects[0].rows)
    assert all(one.agreement == 1 for one in scored(scan, proposals=masks, points=plain.map))
    own = find_objects(scan, regions=50 * masks)
    assert len(own) == 150  # one's own are not cut off
    assert [len(scored(scan, proposals=given, most=2)) for given in (own, masks)] == [2, 2]
    written = result.save(tmp_path / "found")
    told = json.loads(written[0].read_text())
    assert [one["verdict"] for one in told["objects"]] == ["novel", "known", "known"]
    again, names = load_scene(written[2]), load_names(written[2])
    assert {names[label] for label in again.labels[scan.instances == 0]} == {"left over"}
    assert len(np.unique(again.instances)) == 4
    assert "two boxes" in str(result)
    assert "<table>" in result._repr_html_()
    with pytest.raises(InputError, match="Expected one for each"):
        scored(scan, points=scored(scan.take(np.arange(2000))).map)


def test_objects_between_two_limits_are_unsure_in_rows_words_files_and_colors(scan, tmp_path):
    plots = pytest.importorskip("openshape_ood.plots")
    masks = [scan.instances == number for number in (1, 2, 3)]
    low, high = np.convolve(sorted(one.novelty for one in scored(scan, proposals=masks)), [0.5, 0.5], "valid")
    result = scored(scan, proposals=masks, threshold=Threshold(high, low=low))
    assert [one.verdict for one in result] == ["novel", "unsure", "known"]
    assert [one.name == "new" for one in result] == [True, False, False]
    assert "1 of them novel, 1 unsure" in str(result) and "unsure" in result._repr_html_()
    told = json.loads(result.save(tmp_path / "found")[0].read_text())
    assert [one["verdict"] for one in told["objects"]] == ["novel", "unsure", "known"] and "drift" in told
    colors = {line.get_color() for axes in plots.scene(result).axes for line in axes.lines}
    assert colors == {plots.scenes.NOVEL_EDGE, plots.scenes.UNSURE_EDGE, plots.scenes.KNOWN_EDGE}


def test_rows_of_the_result_are_the_proposals_as_they_were_given(scan, tmp_path):
    masks = [scan.instances == number for number in (2, 3, 1)]
    alone = np.concatenate([scored(scan, proposals=[mask]).result.novelty for mask in masks])
    assert np.argsort(-alone).tolist() not in ([0, 1, 2], [2, 1, 0])  # else another order could pass for this one
    result = scored(scan, proposals=masks)
    np.testing.assert_allclose(result.result.novelty, alone)
    np.testing.assert_allclose(result.result.similarity.max(axis=1), 1 - alone)
    assert [one.number for one in result] == [1, 2, 3] == [row["object"] for row in result.rows()]
    assert [one.proposal for one in result] == np.argsort(-alone).tolist()  # the most novel first
    for one in result:
        assert np.array_equal(one.rows, np.flatnonzero(masks[one.proposal]))
        assert one.novelty == result.result.novelty[one.proposal]
        assert one.nearest == result.result.nearest[one.proposal]
        assert result.result.shapes[one.proposal] == result.result.embeddings.names[one.proposal]
        assert result.result.shapes[one.proposal] == f"object {one.number}"
    assert [one["proposal"] for one in json.loads(result.save(tmp_path)[0].read_text())["objects"]] == [
        one.proposal for one in result
    ]
    again = score_novelty(result.result.embeddings, KNOWN, encoder=SizeEncoder(), text=SizeNames())
    np.testing.assert_allclose(again.novelty, alone)
    assert all(one.stability is None for one in result)
    given = scored(scan, proposals=find_objects(scan, regions=masks), most=2)
    assert sorted(one.proposal for one in given) == [0, 1]
    np.testing.assert_allclose(given.result.novelty, alone[:2])


def test_what_is_inside_is_painted_over_what_it_is_part_of(scan):
    whole, part, rest = scan.instances > 1, scan.instances == 3, scan.instances == 2
    for masks in ([whole, part], [part, whole]):
        result = scored(scan, proposals=masks)
        inner, outer = sorted(result, key=lambda one: len(one.rows))
        assert set(result.numbers[part]) == {inner.number} and set(result.numbers[rest]) == {outer.number}
        assert (inner.part_of, outer.part_of) == (outer.number, None)
        assert (result.map.novelty[part] == inner.novelty).all() and (result.numbers[scan.instances < 2] == 0).all()


def test_nothing_but_objects_is_beyond_a_threshold_that_all_objects_pass(scan):
    found = find_objects(scan, "contact")
    low = Threshold(min(one.novelty for one in scored(scan, proposals=found)) - 0.1)
    result = scored(scan, proposals=found, threshold=low, most=1)
    assert all(one.verdict == "novel" for one in result) and (result.numbers < 0).any() and (result.numbers == 0).any()
    assert result.map.is_novel.tolist() == (result.numbers > 0).tolist()
    shares = result.shares()
    assert sum(shares.values()) == pytest.approx(1) and shares["layout"] == (result.numbers < 0).mean()


def test_how_far_a_map_of_the_points_agrees_is_told_of_each_object(scan):
    masks = [scan.instances == number for number in (1, 2)]
    plain = scored(scan, proposals=masks)
    nearest, novelty = plain.map.nearest.copy(), np.random.default_rng(0).random(len(scan))
    for one in plain:
        nearest[one.rows[: len(one.rows) // 4]] = "another"
    points = replace(plain.map, nearest=nearest, novelty=novelty)
    for one in scored(scan, proposals=masks, points=points):
        assert one.agreement == pytest.approx(0.75, abs=0.01)
        assert one.point_novelty == pytest.approx(novelty[one.rows].mean())
    assert all(one.agreement is None for one in scored(scan, proposals=masks, points=replace(points, nearest=None)))
    assert all(one.agreement is None and one.point_novelty is None for one in plain)


def test_sizes_move_similarity_and_novelty_together(scan):
    sizes = {"chair": (np.log([0.6, 0.4, 0.7]), [0.1] * 3), "table": (np.log([1.0, 0.9, 0.5]), [0.1] * 3)}
    masks = [scan.instances == 1, scan.instances == 2]
    plain, sized = scored(scan, proposals=masks), scored(scan, proposals=masks, size_weight=1.0, sizes=sizes)
    by_rows = {len(one.rows): one for one in sized}
    assert [by_rows[int(mask.sum())].nearest for mask in masks] == ["chair", "table"]
    assert sized.provenance.method == "max_cosine+size 1"
    np.testing.assert_allclose(sized.result.novelty, 1 - sized.result.similarity.max(axis=1))
    with pytest.raises(MixedEncodersError):
        scored(scan, size_weight=0.1, threshold=Threshold(0.5, provenance=plain.provenance))
    with pytest.raises(InputError, match=r"threshold is 0\.5. Expected a Threshold"):
        scored(scan, size_weight=0.1, threshold=0.5)
    with pytest.raises(InputError, match="there are no sizes for 'quark'"):
        size_likelihood([Box.around(scan.points[:9])], ["quark"], None)
    with pytest.raises(InputError, match="sizes of a class have the shape"):
        size_likelihood([], ["chair", "bed"], {"chair": [[0, 0, 0], [1, 1, 1]], "bed": [1]})
    with pytest.raises(InputError, match="size_weight is 0"):
        scored(scan, sizes=sizes)
    assert size_likelihood([Box(np.zeros(3), np.array([0.5, 0.5, 0.9]), 0.0)], ["chair", "bed"], None).argmax() == 0


def floor_with_things():
    floor = np.random.default_rng(0).uniform(0, 1, (8000, 3)) * [4, 3, 0]
    return np.concatenate([floor, box([1, 1, 0], [1.6, 1.4, 0.7]), box([2.5, 1.5, 0], [3.4, 2.5, 0.5])])


def test_scans_that_hold_no_room():
    rng = np.random.RandomState(0)
    thing = box([0, 0, 0], [0.5, 0.4, 0.6])
    assert [len(rows) for rows in find_objects(Scene(thing), "contact")] == [len(thing)]  # one object, no floor
    assert len(scored(Scene(thing), proposals="contact")) == 1
    flat = np.column_stack([rng.rand(5000, 2) * 3, np.zeros(5000)])
    found = scored(Scene(flat))
    assert len(found) == 0
    assert found.shares()["layout"] == 1
    assert found.map.novelty.shape == (5000,)
    assert len(scored(Scene(np.array([[0.0, 0, 0], [1, 1, 1]])))) == 0
    repeated = np.repeat(thing, 2, axis=0)
    assert [len(rows) for rows in find_objects(Scene(repeated), "contact")] == [len(repeated)]
    # a layer of it as a plane on which no superpoint lies
    tall = np.random.default_rng(2).permutation(floor_with_things())[:4000] * 100
    assert all(len(plane.rows) for plane in find_objects(Scene(tall), runs=2).layout)
    with pytest.raises(InputError, match=r"at least 0\.02 m"):
        find_objects(Scene(np.zeros((1, 3))))
    with pytest.raises(InputError, match=r"scene\.crop\(low, high\), or divide millimeters by 1000"):
        find_objects(Scene(thing * 1e4))
    with pytest.raises(InputError, match=r"the scan is a str\. Expected a Scene\. Give load_scene\(path\)"):
        find_objects("room.ply")
    with pytest.raises(InputError, match=r"color runs from 0 to 255\. Expected 0 to 1"):
        Scene(thing, thing / thing.max(axis=0) * 255)
    with pytest.raises(InputError, match="Expected a mask"):
        find_objects(Scene(thing), regions=[[len(thing)]])
    with pytest.raises(InputError, match="Expected a map of the points"):
        find_objects(Scene(thing), regions=5)
    with pytest.raises(InputError, match=r"points is a ndarray\. Expected a NoveltyMap"):
        scored(Scene(thing), points=np.zeros(len(thing)))


def test_many_candidates_take_no_more_memory_than_the_scan(scan, monkeypatch):
    """A hundred thousand points in eight thousand clumps once took gigabytes."""
    parsed = parse(Frame.of(scan).grid())
    found = of_tree(parsed)
    (whole,) = {id(one.rows.base): one.rows.base for one in found}.values()
    assert sum(len(one.rows) for one in found) > len(whole) == (parsed.piece >= 0).sum()
    sets = [set(one.rows.tolist()) for one in found]
    assert all(a <= b or b <= a or not a & b for a in sets for b in sets)
    expected = traits(found, parsed)
    monkeypatch.setattr("openshape_ood.scenes.proposals.traits.VOXELS_AT_ONCE", 100)
    np.testing.assert_array_equal(traits(found, parsed), expected)


def test_choice_and_boxes():
    rows = [np.arange(10), np.arange(9), np.arange(8, 20), np.arange(30, 33)]
    nested = [np.arange(10), np.arange(4), np.arange(4, 9), np.arange(3), np.arange(30, 33)]  # 3 in 1, 1 and 2 in 0
    assert suppressed(nested, 40) == [0, 3, 4]  # 1 and 2 fill 0.4 and 0.5 of 0, 3 fills 0.3
    assert divided(np.array([0.7, 0.8, 0.75, 0.5, 0.3]), nested, 40) == [1, 2]  # together worth more than the whole
    assert divided(np.array([0.9, 0.8, 0.7, 0.5, 0.3]), nested, 40) == [0]  # but not as parts of so good a whole
    assert divided(np.array([0.9, 0.6, 0.6, 0.7, 0.5]), nested, 40) == [0, 4]
    assert contained(rows, 40).tolist() == [-1, 0, -1, -1]
    turn = 0.4
    c, s = np.cos(turn), np.sin(turn)
    points = box([-1, -0.5, 0], [1, 0.5, 0.3]) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    found = Box.around(points)
    np.testing.assert_allclose(found.size, [2, 1, 0.3], atol=1e-5)
    assert found.yaw % np.pi == pytest.approx(turn)
    assert Box.around(np.array([[0.0, 0, 0], [1, 1, 0]])).size[0] == pytest.approx(2**0.5)

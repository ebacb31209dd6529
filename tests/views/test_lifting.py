"""Affinities of pixels as those of points, over one view and several; what no name explains, and its regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openshape_ood import Threshold, find_objects
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import CloudError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.scenes import Proposals
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.synthetic.rooms.pieces import Piece, rectangle
from openshape_ood.synthetic.views import RoomView, render, room_view
from openshape_ood.views import View, lift
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.geometry import looking

NAMES = ("floor", "wall", "chair", "bin")


@pytest.fixture(scope="module")
def seen() -> RoomView:
    return room_view(3, categories=["chair"], foreign=["bin"], objects=2, size=(60, 80))


def masks(made: RoomView, names: tuple[str, ...] = NAMES) -> Affinities:
    return Affinities.from_masks(np.stack([made.mask(name) for name in names]), names)


def test_one_view_gives_a_row_a_pixel_with_depth(seen: RoomView) -> None:
    lifted = lift(seen.view, masks(seen))
    kept = seen.view.seen.reshape(-1)
    assert len(lifted) == kept.sum() and lifted.names == NAMES
    assert np.array_equal(lifted.affinities[:, 3], seen.mask("bin").reshape(-1)[kept])
    assert np.array_equal(lifted.scene.points, seen.view.points[kept])
    assert np.array_equal(lifted.scene.color, seen.view.rgb.reshape(-1, 3)[kept])
    # a map of them keeps their places and colors, and its own name and axis
    found = replace(lifted, scene=replace(lifted.scene, name="a room")).novelty()
    assert np.array_equal(found.points, np.hstack([lifted.scene.points, lifted.scene.color]))
    assert (found.name, found.up, found.elements.kind) == ("a room", "z", "points")
    plain = replace(lifted, scene=replace(lifted.scene, color=None)).novelty()
    assert np.array_equal(plain.points, lifted.scene.points) and np.array_equal(plain.novelty, found.novelty)


def test_what_no_known_name_explains_is_one_region_and_a_proposal(seen: RoomView) -> None:
    threshold = Threshold(0.5)
    found = lift(seen.view, masks(seen)).novelty(["floor", "wall", "chair"], threshold=threshold)
    regions = found.regions(min_size=20)
    bin_ = seen.mask("bin").reshape(-1)[seen.view.seen.reshape(-1)]
    assert len(regions) == 1
    assert set(regions[0].indices.tolist()) <= set(np.flatnonzero(found.is_novel).tolist())
    assert (bin_[regions[0].indices]).mean() > 0.95 and len(regions[0]) > 0.9 * bin_.sum()
    scene = lift(seen.view, masks(seen)).scene
    proposed = find_objects(scene, regions=found)
    assert any(bin_[rows].mean() > 0.9 for rows in proposed)
    with pytest.raises(UnknownNameError, match="sofa"):
        lift(seen.view, masks(seen)).novelty(["sofa"])
    other = Threshold(0.5, provenance=Provenance(Identity("clip", "clip"), "relevancy"))
    with pytest.raises(MixedEncodersError):
        lift(seen.view, masks(seen)).novelty(threshold=other)


def test_several_views_of_a_box_meet_in_one_cloud() -> None:
    square = rectangle(np.array([0, 0, 0.05]), np.array([2.0, 0, 0]), np.array([0, 2.0, 0]))
    camera = np.array([[40.0, 0, 19.5], [0, 40, 14.5], [0, 0, 1]])
    looks = [looking(np.array([-0.5, 1, 1.0]), 0, 0.6), looking(np.array([2.5, 1, 1.0]), np.pi, 0.6)]
    views = [render([Piece(square, "floor")], camera, pose, (30, 40))[0] for pose in looks]
    told = [Affinities(np.stack([view.depth * 0 + i, view.depth * 0 + 1]), ("a", "b")) for i, view in enumerate(views)]
    joined = lift(views, told, spacing=0.1)
    assert np.abs(joined.scene.points[:, 2] - 0.05).max() < 1e-5
    cells = np.floor(joined.scene.points[:, :2] / 0.1).astype(int)
    assert len(np.unique(cells, axis=0)) == len(joined) and len(joined) < views[0].seen.sum()
    mean, ones = joined.affinities.T
    assert np.allclose(ones, 1) and {0.0, 1.0} < set(mean.tolist()) and ((mean > 0.1) & (mean < 0.9)).any()
    # what one of them does not know the other tells
    blind = replace(told[0], values=np.full_like(told[0].values, np.nan))
    half = lift(views, [blind, told[1]], spacing=0.1).affinities
    assert set(np.unique(half[np.isfinite(half[:, 0]), 0])) == {1.0} and np.isnan(half).any()
    order = lift(views[::-1], told[::-1], spacing=0.1)
    assert np.allclose(np.sort(order.scene.points, axis=0), np.sort(joined.scene.points, axis=0))
    assert lift(views, told).scene.spacing() > 0.005


def test_unknown_pixels_are_not_novel_and_neighbors_smooth(seen: RoomView) -> None:
    told = masks(seen)
    values = told.values.copy()
    values[:, :20] = np.nan
    lifted = lift(seen.view, replace(told, values=values))
    found = lifted.novelty(["floor", "wall", "chair"])
    rows = np.isnan(lifted.affinities).any(axis=1)
    assert rows.any() and (found.novelty[rows] == found.novelty[~rows].min()).all()
    rng = np.random.default_rng(0)
    noisy = lift(seen.view, replace(told, values=told.values + rng.normal(0, 0.3, told.values.shape)))
    clean = lift(seen.view, told).novelty(["floor", "wall", "chair"]).novelty
    off = [np.abs(noisy.novelty(["floor", "wall", "chair"], smooth=n).novelty - clean).mean() for n in (0, 12)]
    assert off[1] < 0.6 * off[0]
    assert np.isnan(lifted.affinities).any(axis=1).sum() == rows.sum()


def test_by_objects_a_leak_counts_less_than_a_name_of_its_own(seen: RoomView) -> None:
    own = masks(seen).values
    # two names leak onto the bin, one of which has nothing of its own in the view
    values = np.stack([0.4 * own[0], 0.4 * own[1], 0.5 * own[2] + 0.3 * own[3], 0.2 * own[3]])
    lifted = lift(seen.view, Affinities(values, ("floor", "wall", "chair", "sofa"), masks(seen).provenance))
    rows = [np.flatnonzero(one.reshape(-1)[seen.view.seen.reshape(-1)]) for one in own]
    bin_ = np.isin(np.arange(len(lifted)), rows[3])
    objects = Proposals(tuple(rows), np.ones(4), (), "outlines", 4, len(lifted))
    points, whole = lifted.novelty().novelty, lifted.novelty(objects=objects).novelty
    assert points[bin_].mean() - points[~bin_].mean() < 0.15
    assert whole[bin_] == pytest.approx(0.4, abs=0.01) and whole[~bin_].mean() < 0.01
    with pytest.raises(InputError, match="a scan of"):
        lifted.novelty(objects=find_objects(lifted.scene.take(np.arange(1000))))


def test_of_objects_that_overlap_the_better_one_counts_and_any_object_before_layout(seen: RoomView) -> None:
    n = int(seen.view.seen.sum())
    values = np.zeros((1, *seen.view.shape))
    values[0][seen.view.seen] = np.linspace(0.2, 1.0, n)
    lifted = lift(seen.view, Affinities(values, ("chair",), masks(seen).provenance))
    rows = np.arange(n)
    first, second, wall = rows[: n // 2], rows[n // 4 : 3 * n // 4], rows[n // 3 :]
    layout = (Plane("wall", np.array([1.0, 0, 0]), 0.0, wall),)
    objects = Proposals((first, second), np.array([2.0, 1.0]), layout, "outlines", 2, n)
    told = lifted.affinities[:, 0].astype(np.float64)
    expected = told.copy()
    for own in (wall, second, first):
        expected[own] = told[own].mean()
    expected = 1 - expected / max(told[own].mean() for own in (wall, second, first))
    np.testing.assert_allclose(lifted.novelty(objects=objects).novelty, expected, atol=1e-5)


def test_what_cannot_be_lifted(seen: RoomView) -> None:
    told = masks(seen)
    empty = View(seen.view.rgb, np.zeros(seen.view.shape), seen.view.intrinsics, seen.view.pose, name="dark")
    with pytest.raises(CloudError, match="dark: no pixel has a depth"):
        lift(empty, told)
    with pytest.raises(CloudError, match="Expected bounds"):
        lift(seen.view, told, bounds=[[90, 90, 0], [91, 91, 1]])
    assert 0 < len(lift(seen.view, told, bounds=[[-9, -9, 0.1], [9, 9, 0.5]])) < len(lift(seen.view, told))
    box = np.array([[-np.inf, -np.inf, 0.1], [np.inf, np.inf, 0.5]])  # open on four sides
    assert len(lift(seen.view, told, bounds=box)) == len(lift(seen.view, told, bounds=box.clip(-9, 9)))
    with pytest.raises(InputError, match=r"bounds is .*\. Expected \(2, 3\) numbers"):
        lift(seen.view, told, bounds=[[np.nan, 0, 0], [1, 1, 1]])
    with pytest.raises(InputError, match="low corner"):
        lift(seen.view, told, bounds=[[1, 1, 1], [0, 0, 0]])
    with pytest.raises(InputError, match=r"bounds is 'room'\. Expected \(2, 3\)"):
        lift(seen.view, told, bounds="room")
    with pytest.raises(InputError, match="Expected equal sizes"):
        lift(seen.view, Affinities(told.values[:, :-1], NAMES))
    with pytest.raises(InputError, match="Expected equal numbers, and at least one"):
        lift([seen.view], [told, told])
    with pytest.raises(InputError, match="different names"):
        lift([seen.view, seen.view], [told, masks(seen, NAMES[::-1])])

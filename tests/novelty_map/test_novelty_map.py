"""NoveltyMap: regions, colors and files, without an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import NoveltyMap
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import Elements
from openshape_ood.novelty_map.colors import class_colors, hex_to_rgb, ramp
from openshape_ood.novelty_map.result import PLY
from openshape_ood.shapes.reading import load_shape

PROVENANCE = Provenance(Identity("tiny", "static"), "local")


def made(elements: Elements, novelty: np.ndarray, threshold: float | None = 0.5, **more: Any) -> NoveltyMap:
    nearest = np.array(["chair", "sofa"])[np.arange(len(novelty)) % 2]
    limit = None if threshold is None else Threshold(threshold)
    fields = {"nearest": nearest, "classes": np.array(["chair", "sofa"]), "baseline": 0.1, "threshold": limit}
    return NoveltyMap(elements=elements, novelty=novelty, provenance=PROVENANCE, **{**fields, **more})


def plate(n: int, at: float, seed: int = 0) -> np.ndarray:
    """Points of a unit square at the height `at`."""
    points = np.random.RandomState(seed).rand(n, 3)
    points[:, 2] = at
    return points


def test_two_novel_plates_are_two_regions() -> None:
    points = np.concatenate([plate(300, 0), plate(200, 1, 1), plate(500, 2, 2)])
    novelty = np.repeat([0.7, 0.9, 0.2], [300, 200, 500])
    first, second = made(Elements("points", points), novelty).regions()
    assert first.indices.tolist() == list(range(300)) and second.indices.tolist() == list(range(300, 500))
    assert (first.novelty, second.novelty) == (pytest.approx(0.7), pytest.approx(0.9))
    np.testing.assert_allclose(second.center, points[300:500].mean(axis=0))
    assert [len(region) for region in made(Elements("points", points), novelty).regions(min_size=250)] == [300]


def test_what_is_known_divides_what_is_novel() -> None:
    points = plate(2000, 0)
    novelty = np.where(np.abs(points[:, 0] - 0.5) < 0.15, 0.1, 0.9)  # a known band through the middle
    left, right = sorted(made(Elements("points", points), novelty).regions(20), key=lambda region: region.center[0])
    assert points[left.indices, 0].max() < 0.5 < points[right.indices, 0].min()


def test_neither_unit_nor_place_nor_copies_change_regions() -> None:
    points = np.concatenate([plate(300, 0), plate(200, 1, 1)])
    copied = np.repeat(points, 12, axis=0)  # more copies than neighbors are asked for
    found = made(Elements("points", copied), np.ones(len(copied))).regions()
    assert [len(region) for region in found] == [3600, 2400]
    moved = made(Elements("points", 1e3 * points + [5e6, -3e6, 0]), np.ones(500)).regions()
    assert [len(region) for region in moved] == [300, 200]


def test_the_nearest_class_of_a_region_is_the_commonest() -> None:
    nearest = np.repeat(["chair", "sofa"], [40, 60])
    (region,) = made(Elements("points", plate(100, 0)), np.ones(100), nearest=nearest).regions()
    assert region.nearest == "sofa"
    (region,) = made(Elements("points", plate(100, 0)), np.ones(100), nearest=None).regions()
    assert region.nearest is None


def test_pixels_and_voxels_hang_together_where_they_touch() -> None:
    image = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]])
    found = made(Elements("pixels", np.zeros((12, 3)), (3, 4)), image.reshape(-1).astype(float)).regions()
    assert sorted(region.indices.tolist() for region in found) == [[0, 5], [3, 7]]
    assert sorted(region.center.tolist() for region in found) == [[0.5, 0.5], [0.5, 3.0]]
    voxels = np.array([[0, 0, 0], [1, 1, 1], [3, 3, 3], [3, 3, 4]])
    sizes = [len(region) for region in made(Elements("voxels", voxels), np.ones(4)).regions()]
    assert sizes == [2, 2]


def test_few_or_no_novel_points() -> None:
    assert made(Elements("points", plate(50, 0)), np.zeros(50)).regions() == []
    (one,) = made(Elements("points", plate(2, 0)), np.array([0.0, 1.0])).regions()
    assert one.indices.tolist() == [1]
    (whole,) = made(Elements("points", plate(3, 0)), np.ones(3)).regions()
    assert len(whole) == 3


def test_without_a_threshold_nothing_is_called_novel() -> None:
    found = made(Elements("points", plate(9, 0)), np.linspace(0.2, 0.6, 9), threshold=None)
    with pytest.raises(InputError, match=r"has no threshold\. Expected one"):
        found.regions()
    assert found.bounds() == (0.2, 0.6)


def test_a_map_is_its_novelty_as_an_array_and_prints_as_a_table() -> None:
    found = made(Elements("points", plate(4, 0)), np.array([0.1, 0.2, 0.6, 0.9]))
    assert np.asarray(found).tolist() == [0.1, 0.2, 0.6, 0.9] and len(found) == 4
    assert np.asarray(found, dtype=np.float32).dtype == np.float32 and np.mean(found) == pytest.approx(0.45)
    assert found.is_novel.tolist() == [False, False, True, True]
    assert str(found).split("\n") == [
        "the shape: 4 points, novelty 0.450 on average, 50% beyond 0.500",
        " 50.0%  nearest to chair",
        " 50.0%  nearest to sofa",
    ]


def test_classes_in_any_order_keep_their_shares_colors_and_numbers(tmp_path: Path) -> None:
    classes, nearest = np.array(["sofa", "bed", "chair"]), np.array(["bed", "chair", "chair", "sofa", "bed", "chair"])
    found = made(Elements("points", plate(6, 0)), np.linspace(0, 0.8, 6), nearest=nearest, classes=classes)
    assert found.shares() == {"sofa": pytest.approx(1 / 6), "bed": pytest.approx(1 / 3), "chair": 0.5}
    colors = class_colors(["sofa", "bed", "chair"])
    np.testing.assert_allclose(found.colors("class"), [hex_to_rgb(colors[name]) for name in nearest])
    rows = np.frombuffer(found.save(tmp_path / "a.ply").read_bytes().split(b"end_header\n")[1], PLY)
    assert [str(classes[i]) for i in rows["class"]] == nearest.tolist()
    np.testing.assert_allclose(rows["novelty"], found.novelty, atol=1e-6)
    np.testing.assert_allclose(rows["z"], found.points[:, 2])


def test_colors_begin_at_the_baseline_and_end_twice_as_far_as_the_threshold() -> None:
    novelty = np.array([0.0, 0.2, 0.5, 0.8, 1.0])
    found = made(Elements("points", plate(5, 0)), novelty, 0.5, baseline=0.2)
    assert found.bounds() == (0.2, pytest.approx(0.8))
    np.testing.assert_allclose(found.colors(), ramp(novelty, 0.2, 0.8), atol=1e-9)
    assert made(Elements("points", plate(5, 0)), novelty, 0.5, baseline=float("nan")).bounds() == (0, 1)


def test_where_nearly_all_is_beyond_the_threshold_the_map_does_not_tell() -> None:
    for beyond, tells in ((8, True), (9, True), (10, False)):
        novelty = np.append(np.repeat([0.9, 0.1], [beyond, 10 - beyond]), [np.nan] * 5)
        found = made(Elements("points", plate(15, 0)), novelty)
        assert found.tells == tells and ("does not locate novelty" in str(found)) != tells
        assert f"{beyond * 10}% beyond" in str(found) and "33% of it was not seen" in str(found)


def test_the_peak_lies_about_the_most_novel_place_that_was_seen() -> None:
    points = np.column_stack([np.arange(10.0), np.zeros(10), np.zeros(10)])
    novelty = np.array([np.nan, 0, 0.2, 0.1, 0, 0, 0.7, 0.9, 0.1, 0])
    assert np.flatnonzero(made(Elements("points", points), novelty).peak(0.3)).tolist() == [6, 7, 8]
    assert made(Elements("points", points), novelty).peak(0.01).sum() == 1


def test_figures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="3 novelties for 4 points"):
        made(Elements("points", plate(4, 0)), np.ones(3))


def test_classes_may_lack_and_pixels_are_no_cloud(tmp_path: Path) -> None:
    found = made(Elements("voxels", np.arange(12).reshape(4, 3)), np.ones(4), nearest=None)
    assert found.shares() == {} and load_shape(found.save(tmp_path / "a.ply")).shape == (4, 6)
    with pytest.raises(InputError, match="no nearest classes"):
        found.colors("class")
    with pytest.raises(InputError, match=r"map of pixels is saved as a \.png file"):
        made(Elements("pixels", np.zeros((4, 3)), (2, 2)), np.ones(4)).save(tmp_path / "b.ply")


def test_plot_draws_the_map() -> None:
    pytest.importorskip("matplotlib")
    assert made(Elements("points", plate(40, 0)), np.ones(40)).plot().get_title() == "the shape\nagainst chair, sofa"


@pytest.mark.parametrize("size", ["a", 0, -1, 2.5, True])
def test_a_region_has_a_whole_number_of_elements(size: Any) -> None:
    with pytest.raises(InputError, match=r"min_size is .*\. Expected a whole number from 1 up"):
        made(Elements("points", plate(100, 0)), np.ones(100)).regions(size)


def test_a_map_of_nothing_prints_and_is_not_drawn(tmp_path: Path) -> None:
    found = made(Elements("voxels", np.empty((0, 3))), np.empty(0))
    assert str(found).startswith("the shape: 0 voxels") and found.shares() == {"chair": 0, "sofa": 0}
    assert found.regions() == [] and found.save(tmp_path / "empty.ply").is_file()
    for show in (found.peak, found.plot):
        with pytest.raises(InputError, match="this map has no voxels"):
            show()


def test_a_map_without_classes_says_nothing_of_any() -> None:
    found = made(Elements("points", plate(9, 0)), np.ones(9), nearest=None, classes=np.array([], dtype=str))
    assert repr(found).endswith("by 'local')") and found.plot().get_title() == "the shape"
    with pytest.raises(InputError, match="this map has no nearest classes"):
        found.plot(color="class")

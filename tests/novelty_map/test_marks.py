from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from openshape_ood import Identity, KnownClasses, ShapeEncoder, Threshold, calibrate_marks, localize
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.novelty_map import Elements, NoveltyMap, localize_many
from openshape_ood.novelty_map.connectivity import connected, highest_region
from openshape_ood.synthetic import sample

SIDE = 16
GRID = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), axis=-1).reshape(-1, 2)


def made(novelty: np.ndarray, threshold: Threshold | None = None, method: str = "local", kind: Any = "points") -> Any:
    rows = np.hstack([GRID, np.zeros((len(GRID), 1))]).astype(float)
    shape = (SIDE, SIDE) if kind == "pixels" else ()
    provenance = Provenance(Identity("tiny", "space", "0" * 64), method)
    classes = np.array(["chair"], dtype=object)
    return NoveltyMap(Elements(kind, rows, shape), novelty, None, classes, 0.0, threshold, provenance)


def plain(seed: int) -> np.ndarray:
    """A known shape's map: noise, and one patch that is a little high."""
    rng = np.random.default_rng(seed)
    novelty = 0.1 * rng.random(SIDE * SIDE)
    row, column = rng.integers(0, SIDE - 4, 2)
    image = novelty.reshape(SIDE, SIDE)
    image[row : row + 4, column : column + 4] += rng.random()
    return novelty


def damaged(height: float = 3.0) -> np.ndarray:
    novelty = plain(999)
    novelty.reshape(SIDE, SIDE)[2:8, 2:8] += height
    return novelty


@pytest.mark.parametrize("cells", [False, True])
def test_the_highest_region_is_where_a_piece_of_the_size_begins(cells):
    rng = np.random.default_rng(0)
    for least in (1, 7, 30):
        novelty = rng.random(len(GRID)).round(2)  # with ties
        novelty[::11] = np.nan
        found = highest_region(GRID.astype(float), novelty, least, cells=cells)
        seen = np.nan_to_num(novelty, nan=-1)

        def largest(chosen: np.ndarray) -> int:
            return max(map(len, connected(GRID.astype(float), chosen, cells=cells)), default=0)

        assert largest(seen >= found) >= least > largest(seen > found)


def test_where_no_piece_is_as_large_the_lowest_novelty_says_so():
    assert highest_region(GRID.astype(float), plain(0), 10_000, cells=True) == plain(0).min()


def test_points_keep_to_their_rate_and_regions_to_theirs():
    held, new = [made(plain(i)) for i in range(120)], [plain(i) for i in range(1000, 1400)]
    points = calibrate_marks(held, false_points=0.02, source="plates")
    assert np.mean([(one > points.value).mean() for one in new]) <= 0.022
    assert points.promise == (
        "at most 2 % of the points of known, undamaged shapes are marked falsely, on average (from 120 objects: plates)"
    )
    regions = calibrate_marks(held, false_regions=0.1, min_size=8)
    false = np.mean([bool(made(one, regions).regions()) for one in new])
    assert 0.03 <= false <= 0.13 and regions.marks is not None and regions.marks.of == "regions"


def test_regions_have_p_values_from_the_known_shapes(tmp_path):
    threshold = calibrate_marks([made(plain(i)) for i in range(39)], false_regions=0.05)
    found = made(damaged(), threshold)
    (region,) = found.regions()
    assert region.p_value == 1 / 40 and len(region) >= 36
    assert "at most 1 in 20 known, undamaged shapes has a false region" in str(found)
    assert b"at most 1 in 20 known" in found.save(tmp_path / "marked.ply").read_bytes().split(b"end_header")[0]
    smaller = found.regions(1)
    assert all(one.p_value is None for one in smaller if len(one) < 3)  # fewer than a hundredth of the places
    # of all regions beyond a low threshold, the smallest p-value is that of the whole map
    low = replace(threshold, value=0.05)
    values = [one.p_value for one in made(plain(77), low).regions() if one.p_value is not None]
    assert threshold.marks is not None
    peak = highest_region(made(plain(77)).elements.places, plain(77), 3, cells=False)
    assert min(values) == threshold.marks.p_values([peak])[0]


def test_few_known_shapes_have_a_region_with_a_small_p_value():
    small = []
    for first in range(0, 1000, 100):  # the promise is of the mean over calibration sets
        held = calibrate_marks([made(plain(first + i)) for i in range(29)], false_regions=0.1)
        low = replace(held, value=0.05)  # far below what any region begins at
        for i in range(50, 80):
            values = [one.p_value for one in made(plain(first + i), low).regions() if one.p_value is not None]
            small.append(min(values, default=1.0) <= 0.1)
    assert 0.04 <= np.mean(small) <= 0.15


def test_pixels_have_the_same_regions_as_places_that_touch():
    held = [made(plain(i), kind="pixels") for i in range(19)]
    threshold = calibrate_marks(held, false_regions=0.05, min_size=9)
    found = made(damaged(), threshold, kind="pixels")
    (region,) = found.regions()
    assert region.p_value == found.p_value_of(region.indices) == 0.05


def test_scans_of_one_object_count_once():
    scans = [made(plain(i // 10) + 1e-6 * i) for i in range(200)]
    with pytest.raises(InputError, match=r"20 calibration shapes cannot promise a rate of 0.01\. 99 or more"):
        calibrate_marks(scans, groups=[i // 10 for i in range(200)])
    threshold = calibrate_marks(scans, false_regions=0.05, groups=[i // 10 for i in range(200)])
    assert threshold.marks is not None and threshold.marks.shapes == 20 and len(threshold.marks.peaks) == 200


def test_marks_cover_at_most_their_largest_share():
    threshold = calibrate_marks([made(plain(i)) for i in range(25)], largest=0.25)
    found = made(damaged(9.0) + 5, threshold)
    assert found.is_novel.mean() == 0.25 and found.novelty[found.is_novel].min() >= np.quantile(found.novelty, 0.75)
    assert not found.tells  # all of it lies beyond


def test_weights_leave_out_what_is_not_known():
    weights = np.ones(SIDE * SIDE)
    weights.reshape(SIDE, SIDE)[2:8, 2:8] = 0
    with_damage = calibrate_marks([made(damaged()) for _ in range(19)], false_regions=0.05)
    without = calibrate_marks([made(damaged()) for _ in range(19)], false_regions=0.05, weights=[weights] * 19)
    assert without.value < 1 < with_damage.value
    with pytest.raises(InputError, match="numbers of maps and weights differ"):
        calibrate_marks([made(damaged()) for _ in range(19)], false_regions=0.05, weights=[weights] * 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"false_points": 0.1, "false_regions": 0.1}, "both given"),
        ({"false_regions": 0.1, "largest": 0.5}, "has no effect"),
        ({"false_points": 2}, "rate"),
        ({"false_points": 0.1, "largest": 0.05}, "largest"),
        ({"false_points": 0.1, "largest": 0.5, "weights": [np.ones(256)] * 30}, "Leave one out"),
        ({"false_points": 0.1, "min_size": 0}, "min_size"),
        ({"false_points": 0.1, "min_size": 1.5}, "min_size"),
        ({"false_points": 0.1, "groups": [1]}, "groups"),
        ({}, "99 or more"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        calibrate_marks([made(plain(i)) for i in range(30)], **given)


def test_no_maps_and_maps_of_two_methods_are_refused():
    with pytest.raises(InputError, match="a map is a str"):
        calibrate_marks(["a.ply"], false_regions=0.05)  # type: ignore[list-item]
    with pytest.raises(InputError, match="maps are None"):
        calibrate_marks(None, false_regions=0.05)  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"Give more, or a higher rate \(0\.25\)\.$"
    ):  # a bound has no effect on regions
        calibrate_marks([made(plain(i)) for i in range(3)], false_regions=0.05)
    with pytest.raises(InputError, match="no maps"):
        calibrate_marks([])
    with pytest.raises(MixedEncodersError, match="one encoder and method"):
        calibrate_marks([made(plain(0)), made(plain(1), method="tokens")])


@pytest.fixture(scope="module")
def encoder():
    return ShapeEncoder.from_pretrained("tiny")


@pytest.fixture(scope="module")
def known(encoder):
    return KnownClasses.from_examples({"chair": [sample("chair", 300, i) for i in range(6)]}, encoder, patches="local")


def test_localize_takes_marks_by_argument_or_from_saved_known_classes(encoder, known, tmp_path):
    held = [sample("chair", 300, i) for i in range(20, 40)]
    threshold = calibrate_marks(localize_many(held, known, encoder=encoder), false_regions=0.05)
    chair = sample("chair", 300, 99)
    given = localize(chair, known, encoder=encoder, threshold=threshold)
    assert given.threshold is threshold and given.baseline == localize(chair, known, encoder=encoder).baseline
    loaded = KnownClasses.load(known.with_marks(threshold).save(tmp_path / "known.safetensors"))
    saved = localize(chair, loaded, encoder=encoder)
    assert saved.threshold is not None and saved.threshold.promise == threshold.promise
    assert [one.p_value for one in saved.regions()] == [one.p_value for one in given.regions()]
    assert localize(chair, loaded, encoder=encoder, threshold=Threshold(0.1)).threshold.value == 0.1
    # other examples, other marks
    more = loaded.with_examples({"chair": [sample("chair", 300, 50)]}, encoder)
    assert more.marks is None


def test_marks_of_other_maps_are_refused(encoder, known):
    threshold = calibrate_marks([made(plain(i)) for i in range(19)], false_regions=0.05)
    with pytest.raises(MixedEncodersError):
        localize(sample("chair", 300, 99), known, encoder=encoder, threshold=threshold)
    with pytest.raises(MixedEncodersError):
        known.with_marks(threshold)
    with pytest.raises(InputError, match="threshold of maps"):
        known.with_marks(Threshold(0.1))
    with pytest.raises(InputError, match="Expected a Threshold"):
        localize(sample("chair", 300, 99), known, encoder=encoder, threshold=0.1)

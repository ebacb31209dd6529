from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from openshape_ood import Threshold
from openshape_ood.decisions.risk import (
    LEVELS,
    LossCurve,
    Marks,
    check_shapes,
    object_weights,
    risk_threshold,
    shapes_needed,
)
from openshape_ood.errors import FileError, InputError

PLACES = 40


def shapes(count: int, seed: int) -> np.ndarray:
    """Novelties (count, places) of shapes with noise of their own."""
    rng = np.random.default_rng(seed)
    return rng.lognormal(0, 0.5, (count, 1)) * rng.normal(size=(count, PLACES))


def smallest(raw: list[np.ndarray], rate: float, weights: np.ndarray, objects: int, largest: float) -> float:
    """The definition, tried at every novelty."""
    tried = np.unique(np.concatenate(raw))
    losses = [sum(w * min((one > t).mean(), largest) for w, one in zip(weights, raw, strict=True)) for t in tried]
    return float(min(t for t, loss in zip(tried, losses, strict=True) if loss + largest <= rate * (objects + 1) + 1e-9))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("largest", [1.0, 0.6])
def test_the_threshold_is_the_smallest_that_the_definition_allows(grouped, largest):
    rng = np.random.default_rng(1)
    for _ in range(100):
        n = int(rng.integers(8, 30))
        raw = [rng.integers(0, 12, rng.integers(1, 9)).astype(float) for _ in range(n)]
        groups = rng.integers(0, 6, n) if grouped else None
        weights, objects = object_weights(groups, n)
        if objects < shapes_needed(0.3, largest):
            continue
        found = risk_threshold([LossCurve.of(one) for one in raw], 0.3, groups=groups, largest=largest)
        assert found == smallest(raw, 0.3, weights, objects, largest)


@pytest.mark.parametrize(
    ("n", "rate", "largest"), [(50, 0.01, 0.5), (100, 0.01, 1.0), (200, 0.01, 1.0), (25, 0.1, 1.0)]
)
def test_new_shapes_are_marked_at_most_at_the_rate(n, rate, largest):
    pool = shapes(2000, seed=n)
    curves, rng, losses = [LossCurve.of(one) for one in pool], np.random.default_rng(0), []
    for _ in range(200):
        drawn = rng.permutation(len(pool))[: n + 100]
        limit = risk_threshold([curves[i] for i in drawn[:n]], rate, largest=largest)
        losses.append(np.minimum((pool[drawn[n:]] > limit).mean(axis=1), largest).mean())
    error = np.std(losses) / np.sqrt(len(losses))
    assert 0 < np.mean(losses) <= rate + 3 * error


@pytest.mark.parametrize("n", [20, 50])
def test_one_new_shape_in_twenty_has_a_false_region(n):
    peaks, rng, false, small = shapes(2000, seed=n).max(axis=1), np.random.default_rng(0), [], []
    for _ in range(300):
        drawn = rng.permutation(len(peaks))[: n + 100]
        held, new = peaks[drawn[:n]], peaks[drawn[n:]]
        false.append((new > risk_threshold([LossCurve.of([one]) for one in held], 0.05)).mean())
        small.append((Marks("regions", 0.05, n, peaks=held, weights=np.ones(n)).p_values(new) <= 0.05).mean())
    assert 0.02 < np.mean(false) <= 0.05 + 3 * np.std(false) / np.sqrt(300)
    assert np.mean(small) == pytest.approx(np.mean(false))


def test_ten_scans_of_four_objects_count_as_four():
    scans = np.repeat(shapes(4, seed=0), 10, axis=0)
    curves, groups = [LossCurve.of(one) for one in scans], np.repeat(["a", "b", "c", "d"], 10)
    with pytest.raises(InputError, match=r"4 calibration shapes cannot promise a rate of 0.1\. 9 or more can"):
        risk_threshold(curves, 0.1, groups=groups)
    # each of ten equal scans says what one does
    once = risk_threshold([LossCurve.of(one) for one in scans[::10]], 0.3)
    assert risk_threshold(curves, 0.3, groups=groups) == once > risk_threshold(curves, 0.3)
    marks = Marks("points", 0.3, 4, peaks=scans.max(axis=1), weights=object_weights(groups, 40)[0])
    assert marks.p_values([scans.max() + 1]) == 0.2 and marks.p_values([scans.min()]) == 1


def test_too_few_are_told_how_many_are_needed():
    curves = [LossCurve.of(one) for one in shapes(20, seed=0)]
    with pytest.raises(InputError) as caught:
        risk_threshold(curves, 0.01)
    assert str(caught.value) == (
        "20 calibration shapes cannot promise a rate of 0.01. 99 or more can. Give more, or a higher rate (0.048), or "
        "a smaller bound (largest=0.21)."
    )
    for rate, largest in ((0.048, 1.0), (0.01, 0.21)):  # what it says works
        risk_threshold(curves, rate, largest=largest)
    check_shapes(99, 0.01)
    check_shapes(19, 0.05)


@pytest.mark.parametrize(
    ("rate", "largest", "message"),
    [
        (0, 1.0, "rate"),
        (1, 1.0, "rate"),
        (np.nan, 1.0, "rate"),
        ("x", 1.0, "rate"),
        (0.1, 0.1, "largest"),
        (0.1, 2, "lar"),
    ],
)
def test_rates_and_bounds_out_of_range_are_refused(rate, largest, message):
    with pytest.raises(InputError, match=message):
        shapes_needed(rate, largest)


def test_no_shapes_are_refused():
    with pytest.raises(InputError, match="no calibration shapes"):
        risk_threshold([])


@pytest.mark.parametrize("novelty", [[], [np.nan], [np.inf, 1], [[1.0]]])
def test_what_is_no_shape_is_refused(novelty):
    with pytest.raises(InputError):
        LossCurve.of(novelty)


@pytest.mark.parametrize("weights", [[-1, 1], [0, 0], [np.nan, 1], [1]])
def test_what_are_no_areas_is_refused(weights):
    with pytest.raises(InputError):
        LossCurve.of([0.1, 0.2], weights)


def test_areas_weigh_and_what_was_not_seen_counts_for_nothing():
    curve = LossCurve.of([0.1, 0.9, np.nan, 5.0], [3, 1, 9, 0])
    assert curve.above(0.5) == 0.25 and curve.above(0.9) == 0 and curve.above(0.0) == 1


def test_a_large_shape_is_kept_in_few_numbers_and_rounded_up():
    novelty = np.random.default_rng(0).normal(size=200_000)
    curve = LossCurve.of(novelty)
    assert len(curve.levels) <= LEVELS
    for share in (0.5, 0.1, 0.01, 0.001, 0.0001):
        limit = np.quantile(novelty, 1 - share)
        exact = (novelty > limit).mean()
        assert exact - 1e-12 <= curve.above(limit) <= 1.015 * exact


def test_a_threshold_with_marks_is_saved_with_its_promise(tmp_path):
    marks = Marks("regions", 0.05, 2, min_size=0.01, peaks=np.array([0.4, 0.2]), weights=np.array([0.5, 1.0]))
    threshold = Threshold(0.3, source="scans of chairs", marks=marks)
    loaded = Threshold.load(threshold.save(tmp_path / "marks.json"))
    assert loaded.promise == threshold.promise and "1 in 20 known, undamaged shapes has a false region" in str(loaded)
    assert loaded.marks is not None and loaded.marks.p_values([0.3, 0.1]).tolist() == [0.5, 2.5 / 3]
    assert loaded.as_json()["marks"]["rate"] == 0.05
    with pytest.raises(InputError, match="Expected a coverage only for a threshold of whole shapes"):
        loaded.at(0.9)
    plain = Threshold.load(Threshold(0.3).save(tmp_path / "plain.json"))  # as files of before
    assert plain.marks is None and "marks" not in Threshold(0.3).state()


@pytest.mark.parametrize(
    "change",
    [{"of": "shapes"}, {"rate": 2}, {"shapes": 0}, {"peaks": [1.0]}, {"weights": [0, 1]}, {"min_size": -1}, {"x": 1}],
)
def test_a_damaged_promise_is_refused(tmp_path, change):
    marks = Marks("points", 0.01, 2, peaks=np.array([0.1, 0.2]), weights=np.ones(2))
    state = Threshold(0.3, marks=marks).state()
    state["marks"] = {**state["marks"], **change}
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(state))
    with pytest.raises(FileError, match="damaged"):
        Threshold.load(path)


def test_p_values_need_regions_of_known_shapes():
    with pytest.raises(InputError, match="calibrate_marks"):
        replace(Marks("points", 0.01, 100)).p_values([0.1])

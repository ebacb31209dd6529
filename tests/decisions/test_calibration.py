from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, false_discovery_control

from openshape_ood.decisions.calibration import (
    benjamini_hochberg,
    calibration_needed,
    conformal_threshold,
    coverage_law,
    expected_coverage,
    leave_one_out,
    one_of_each,
    p_values,
)
from openshape_ood.errors import InputError

DRAWS, TESTS = 4000, 200
in_no_hurry = settings(deadline=None, max_examples=60)
novelties = st.lists(st.integers(-20, 20), min_size=1, max_size=60)
coverages = st.integers(1, 99).map(lambda percent: percent / 100)


@cache
def kept(n: int, coverage: float = 0.95, draws: int = DRAWS) -> np.ndarray:
    """How many of TESTS known shapes each of `draws` calibration sets of n keeps; all scores from one skewed law."""
    random = np.random.RandomState(n)
    scores = random.gamma(2.0, size=(draws, n + TESTS))
    return np.array([(row[n:] <= conformal_threshold(row[:n], coverage)).sum() for row in scores])


SIZES = (19, 20, 50, 100, 200)


@pytest.mark.parametrize("n", SIZES)
def test_mean_coverage_is_the_promise(n: int) -> None:
    promise = math.ceil(Fraction(95, 100) * (n + 1)) / (n + 1)
    assert expected_coverage(n, 0.95) == promise
    shares = kept(n) / TESTS
    assert abs(shares.mean() - promise) < 3 * shares.std(ddof=1) / math.sqrt(DRAWS)


@pytest.mark.parametrize("n", SIZES)
def test_coverage_of_each_draw_is_beta_binomial(n: int) -> None:
    rank = math.ceil(Fraction(95, 100) * (n + 1))
    law = betabinom(TESTS, rank, n + 1 - rank)
    # the variance of a sample variance, from the law's own fourth moment
    variance, fourth = law.var(), (law.stats("k") + 3) * law.var() ** 2
    error = math.sqrt((fourth - variance**2 * (DRAWS - 3) / (DRAWS - 1)) / DRAWS)
    assert abs(kept(n).var(ddof=1) - variance) < 3 * error
    # Dvoretzky, Kiefer, Wolfowitz and Massart: the distance is beyond this in one experiment of a thousand
    counts = np.arange(TESTS + 1)
    reached = np.searchsorted(np.sort(kept(n)), counts, side="right") / DRAWS
    assert np.abs(reached - law.cdf(counts)).max() < math.sqrt(math.log(2 / 0.001) / (2 * DRAWS))


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_other_coverages(coverage: float) -> None:
    shares = kept(30, coverage, draws=1000) / TESTS
    promise = math.ceil(Fraction(str(coverage)) * 31) / 31
    assert abs(shares.mean() - promise) < 3 * shares.std(ddof=1) / math.sqrt(len(shares))


def written_out_law(n: int, rank: int, tests: int) -> list[Fraction]:
    """P(j of the tests are kept): the orders of n + tests scores with the rank-th of the n above exactly j tests."""
    return [
        Fraction(math.comb(rank - 1 + j, j) * math.comb(n - rank + tests - j, tests - j), math.comb(n + tests, tests))
        for j in range(tests + 1)
    ]


@pytest.mark.parametrize("n, rank, tests", [(19, 19, 1), (19, 19, 7), (39, 38, 12)])
def test_the_law_counts_orders(n: int, rank: int, tests: int) -> None:
    expected = written_out_law(n, rank, tests)
    law = coverage_law(n, 0.95, tests)
    assert sum(expected) == 1
    np.testing.assert_allclose(law.pmf(range(tests + 1)), [float(p) for p in expected], rtol=1e-9)
    assert law.mean() == pytest.approx(tests * expected_coverage(n, 0.95))


def test_the_threshold_is_an_order_statistic() -> None:
    # ceil(0.9 * 11) = 10 and ceil(0.5 * 11) = 6; exact products are taken as written: 0.95 * 180 is 171, no more
    scores = np.random.RandomState(0).permutation(10)
    assert (conformal_threshold(scores, 0.9), conformal_threshold(scores, 0.5)) == (9, 5)
    assert conformal_threshold(np.arange(1, 180), 0.95) == 171
    assert conformal_threshold(np.arange(1, 100), 0.29) == 29  # 0.29 * 100 is 28.999999999999996 as floats


@in_no_hurry
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=60), coverages)
def test_the_threshold_keeps_the_share_of_the_calibration_set(scores: list[int], coverage: float) -> None:
    share = Fraction(str(coverage))
    if share * (len(scores) + 1) > len(scores):
        return
    level = conformal_threshold(scores, coverage)
    assert level in scores
    assert Fraction(sum(s <= level for s in scores)) >= share * (len(scores) + 1)
    assert Fraction(sum(s < level for s in scores)) < share * (len(scores) + 1)


@in_no_hurry
@given(novelties, novelties, coverages)
def test_threshold_and_p_value_say_the_same(tested: list[int], scores: list[int], coverage: float) -> None:
    share = Fraction(str(coverage))
    if share * (len(scores) + 1) > len(scores):
        return
    fractions = [Fraction(1 + sum(s >= t for s in scores), len(scores) + 1) for t in tested]
    assert [t > conformal_threshold(scores, coverage) for t in tested] == [p <= 1 - share for p in fractions]
    np.testing.assert_allclose(p_values(tested, scores), [float(p) for p in fractions], rtol=1e-15)


@in_no_hurry
@given(novelties, novelties, st.randoms(use_true_random=False))
def test_only_ranks_matter(tested: list[int], scores: list[int], random: Any) -> None:
    def stretched(values: list[int]) -> np.ndarray:
        return np.exp(np.array(values) / 7) - 3

    found = p_values(tested, scores)
    assert (p_values(stretched(tested), stretched(random.sample(scores, len(scores)))) == found).all()
    assert (found[np.argsort(tested)[:-1]] >= found[np.argsort(tested)[1:]]).all()  # smaller for more novel ones


@pytest.mark.parametrize("decimals", [8, 0], ids=["no ties", "many ties"])
def test_p_values_of_known_shapes_are_super_uniform(decimals: int) -> None:
    random = np.random.RandomState(5)
    draws, n = 20_000, 24
    scores = random.normal(size=(draws, n + 1)).round(decimals)
    p = np.array([p_values(row[:1], row[1:])[0] for row in scores])
    for level in (0.04, 0.08, 0.2, 0.52, 0.8):  # multiples of 1 / 25, where the promise is exact without ties
        error = math.sqrt(level * (1 - level) / draws)
        share = (p <= level + 1e-12).mean()
        assert share < level + 3 * error
        if decimals:
            assert share > level - 3 * error


def test_ties_count_as_at_least_as_novel() -> None:
    assert p_values([1, 2, 3], [1, 2, 2, 2]).tolist() == [5 / 5, 4 / 5, 1 / 5]
    assert conformal_threshold([1.0] * 19) == 1.0  # and all that is equal to it is kept


def step_up(p: list[Fraction], rate: Fraction) -> list[bool]:
    """Benjamini and Hochberg, written out in whole numbers."""
    ordered = sorted(p)
    most = max((k for k in range(1, len(p) + 1) if ordered[k - 1] <= rate * k / len(p)), default=0)
    return [most > 0 and value <= ordered[most - 1] for value in p]


@in_no_hurry
@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.sampled_from(["0.05", "0.1", "0.3", "0.07"]))
def test_benjamini_hochberg_steps_up(ranks: list[int], rate: str) -> None:
    # p-values on the lattice of 199 calibration scores, which meets the line exactly
    found = benjamini_hochberg(np.array(ranks) / 200, float(rate))
    assert found.tolist() == step_up([Fraction(rank, 200) for rank in ranks], Fraction(rate))


def test_benjamini_hochberg_of_one_is_the_rate() -> None:
    assert [bool(benjamini_hochberg([p], 0.05)[0]) for p in (0.0, 0.026, 0.05, 0.0501)] == [True, True, True, False]


def test_benjamini_hochberg_as_scipy_has_it() -> None:
    p = np.random.RandomState(1).beta(0.3, 1, size=500)
    for rate in (0.01, 0.05, 0.2):
        assert (benjamini_hochberg(p, rate) == (false_discovery_control(p) <= rate)).all()


@in_no_hurry
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_the_batch_does_not_matter(p: list[float], random: Any) -> None:
    order = random.sample(range(len(p)), len(p))
    assert (benjamini_hochberg(np.array(p)[order], 0.2) == benjamini_hochberg(p, 0.2)[order]).all()
    assert (benjamini_hochberg(p, 0.1) <= benjamini_hochberg(p, 0.2)).all()  # a higher rate finds no fewer


def false_discoveries(p: np.ndarray, known: int, rate: float) -> float:
    found = benjamini_hochberg(p, rate)
    return found[:known].sum() / max(1, found.sum())


@pytest.mark.parametrize("known, rate", [(80, 0.1), (50, 0.2), (100, 0.05)])
def test_the_false_discovery_rate_is_the_stated_one(known: int, rate: float) -> None:
    # independent uniform p-values of known shapes: the rate is exactly rate * known / batch, whatever the others
    random = np.random.RandomState(known)
    draws = [
        false_discoveries(np.append(random.uniform(size=known), random.beta(0.1, 5, size=100 - known)), known, rate)
        for _ in range(2000)
    ]
    assert abs(np.mean(draws) - rate * known / 100) < 3 * np.std(draws, ddof=1) / math.sqrt(len(draws))


def test_the_rate_holds_for_conformal_p_values_of_one_calibration_set() -> None:
    random = np.random.RandomState(2)
    draws, found = [], []
    for _ in range(1000):
        novelty = np.append(random.normal(size=60), random.normal(3, size=40))
        p = p_values(novelty, random.normal(size=200))
        draws.append(false_discoveries(p, 60, 0.1))
        found.append(benjamini_hochberg(p, 0.1)[60:].mean())
    assert np.mean(draws) < 0.1 * 60 / 100 + 3 * np.std(draws, ddof=1) / math.sqrt(len(draws))
    assert np.mean(found) > 0.5  # and it is not kept by finding nothing


def nearest(queries: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.linalg.norm(queries[:, None] - examples, axis=2).min(axis=1)


def to_means(queries: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    means = np.stack([examples[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    return nearest(queries, means, labels)


def test_leave_one_out_scores_each_against_the_others() -> None:
    rows = np.random.RandomState(3).normal(size=(12, 3))
    distance = np.linalg.norm(rows[:, None] - rows, axis=2) + np.diag([np.inf] * 12)
    np.testing.assert_allclose(leave_one_out(rows, ["a"] * 12, nearest), distance.min(axis=1))


def test_two_examples_are_enough_to_leave_one_out() -> None:
    assert leave_one_out([[0.0], [3.0]], ["a", "a"], nearest).tolist() == [3, 3]
    with pytest.raises(InputError, match=r"^there is 1 example"):
        leave_one_out([[0.0]], ["a"], nearest)


def test_a_class_of_one_is_missing_while_it_is_scored() -> None:
    # the prototypes that are left: for 0 they are 2 and 9, for 2 they are 0 and 9, for 9 the mean 1 alone
    found = leave_one_out(torch.tensor([[0.0], [2.0], [9.0]]), ["x", "x", "y"], to_means)
    assert found.tolist() == [2, 2, 8]


def test_examples_left_in_promise_too_much() -> None:
    """Against the very examples that it was calibrated on, a nearest-example score keeps no new shape."""
    random = np.random.RandomState(4)
    rows, new = random.normal(size=(60, 8)), random.normal(size=(500, 8))
    labels = np.arange(60) % 3
    left_in, left_out = nearest(rows, rows, labels), leave_one_out(rows, labels, nearest)
    novelty = nearest(new, rows, labels)
    assert (novelty <= conformal_threshold(left_in, 0.9)).mean() == 0
    assert (novelty <= conformal_threshold(left_out, 0.9)).mean() == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize("coverage, least", [(0.95, 19), (0.9, 9), (0.99, 99), (0.5, 1), (0.8, 4), (0.999, 999)])
def test_too_few_calibration_scores(coverage: float, least: int) -> None:
    assert calibration_needed(coverage) == least
    conformal_threshold(np.zeros(least), coverage)
    if least > 1:
        message = rf"^{least - 1} calibration scores cannot promise a coverage of {coverage}\. {least} or more can\."
        with pytest.raises(InputError, match=message):
            conformal_threshold(np.zeros(least - 1), coverage)
        with pytest.raises(InputError, match=message):
            coverage_law(least - 1, coverage, 10)
        with pytest.raises(InputError, match=message):
            expected_coverage(least - 1, coverage)


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, math.nan, math.inf, "much", None])
def test_a_coverage_that_is_no_share(coverage: Any) -> None:
    with pytest.raises(InputError, match="Expected a share above 0 and below 1"):
        conformal_threshold(np.zeros(50), coverage)
    with pytest.raises(InputError, match=r"rate is .* Expected a share"):
        benjamini_hochberg([0.1], coverage)


@pytest.mark.parametrize(
    "scores, message",
    [
        ([], "calibration scores are empty, .*at least one n"),
        ([1.0, math.nan] * 20, "row 1 of the calibration scores holds NaN or infinity"),
        ([1.0, math.inf] * 20, "row 1 of the calibration scores holds NaN or infinity"),
        (np.zeros((20, 2)), r"calibration scores have the shape \(20, 2\)\. Expected \(n,\)"),
        (1.0, r"calibration scores have the shape \(\)"),
        (["a", "b"], "calibration scores are of type str. Expected numbers"),
    ],
)
def test_calibration_scores_that_cannot_be_used(scores: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        conformal_threshold(scores)
    with pytest.raises(InputError, match=message):
        p_values([0.5], scores)


def test_batches_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="row 1 of the novelties holds NaN"):
        p_values([0.5, math.nan], [1.0])
    with pytest.raises(InputError, match="row 1 of the p-values holds NaN"):
        benjamini_hochberg([0.5, math.nan])
    with pytest.raises(InputError, match=r"p-values are from 0\.5 to 1\.5\. Expected 0 to 1"):
        benjamini_hochberg([0.5, 1.5])
    with pytest.raises(InputError, match=r"tests is 0\. Expected at least one"):
        coverage_law(100, 0.95, 0)


def test_an_empty_batch_has_no_p_values_and_no_discoveries() -> None:
    assert p_values([], [1.0]).shape == (0,)
    mask = benjamini_hochberg([])
    assert mask.shape == (0,) and mask.dtype == bool


@pytest.mark.parametrize(
    "examples, labels, message",
    [
        ([[1.0]], [0], "there is 1 example. Expected 2 or more"),
        (np.empty((0, 3)), [], r"shape \(0, 3\)\. Expected"),
        ([1.0, 2.0], [0, 0], r"shape \(2,\)\. Expected \(m, d\)"),
        (np.zeros((3, 2)), [0, 1], r"labels have the shape \(2,\) for 3 rows\. Expected \(3,\)"),
        (np.zeros((3, 2)), [[0], [1, 2], [3]], "labels are lists of different lengths"),
        ([[1.0], [math.nan]], [0, 1], "row 1 of the examples holds NaN"),
    ],
)
def test_examples_that_cannot_be_left_out(examples: Any, labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        leave_one_out(examples, labels, nearest)


@pytest.mark.parametrize("given", [np.zeros(2), np.array([math.nan]), 0.5])
def test_a_score_that_gives_no_novelty(given: Any) -> None:
    with pytest.raises(InputError, match=r"the score of example 0 is .* Expected one finite novelty"):
        leave_one_out(np.zeros((3, 2)), [0, 1, 2], lambda queries, examples, labels: given)


def test_one_of_each_group_keeps_the_promise_that_all_scans_break() -> None:
    """4 objects of 10 scans that differ little, 1,000 times: the share kept of scans of 100 new objects, one each."""
    random = np.random.default_rng(0)
    objects = np.repeat(np.arange(4), 10)
    kept = np.empty((1000, 2))
    for row in kept:
        scores = random.normal(size=4)[objects] + 0.1 * random.normal(size=40)
        new = random.normal(size=100) + 0.1 * random.normal(size=100)
        grouped = scores[one_of_each(objects, 40)]
        row[:] = [np.mean(new <= conformal_threshold(*one)) for one in ((grouped, 0.8), (scores, 0.95))]
    (promised, broken), error = kept.mean(axis=0), kept.std(axis=0).max() / math.sqrt(1000)
    assert abs(promised - expected_coverage(4, 0.8)) < 3 * error
    assert broken < 0.85 < expected_coverage(40, 0.95)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 9))
@settings(deadline=None)
def test_one_of_each_is_one_of_each(groups: list[int], seed: int) -> None:
    picked = one_of_each(groups, len(groups), seed)
    assert [groups[i] for i in picked] == sorted(set(groups))
    np.testing.assert_array_equal(picked, one_of_each(list(map(str, groups)), len(groups), seed))
    assert one_of_each(np.arange(7), 7).tolist() == list(range(7))


def test_any_of_a_group_may_be_drawn() -> None:
    assert {int(one_of_each([0] * 5, 5, seed)[0]) for seed in range(100)} == set(range(5))


@pytest.mark.parametrize(
    ("groups", "message"), [([1, 2], r"\(2,\) for 3"), (3, r"\(\) for 3"), ([1.0, math.nan, 2.0], "NaN")]
)
def test_groups_that_do_not_fit(groups: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        one_of_each(groups, 3)

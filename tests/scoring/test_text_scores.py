from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pytorch_ood.detector import MCM, EnergyBased, Entropy

from openshape_ood.errors import InputError
from openshape_ood.scoring import text_scores as by_names
from openshape_ood.scoring.text_scores import (
    energy,
    entropy,
    margin_uncertainty,
    max_cosine_distance,
    negative_label_share,
    softmax_uncertainty,
)

RANDOM = np.random.RandomState(0)
QUERIES, TEXT = RANDOM.normal(size=(40, 16)), RANDOM.normal(size=(7, 16))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


COSINES = unit(QUERIES) @ unit(TEXT).T
NEGATIVES = RANDOM.uniform(-1, 1, (40, 23))
OF_SOFTMAX = [softmax_uncertainty, entropy, margin_uncertainty]
WITH_TEMPERATURE = [*OF_SOFTMAX, energy]
ALL: list[Callable[..., np.ndarray]] = [max_cosine_distance, *WITH_TEMPERATURE]
every_score = pytest.mark.parametrize("score", ALL)
tables = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 6)), elements=st.floats(-1, 1))
temperatures = st.sampled_from([1.0, 0.07, 0.01])
quickly = settings(deadline=None, max_examples=50)


def novelty(score: Callable[..., np.ndarray], table: np.ndarray, temperature: float) -> np.ndarray:
    return score(table) if score is max_cosine_distance else score(table, temperature)


def softmax(row: np.ndarray, temperature: float) -> np.ndarray:
    e = np.exp(row.astype(np.longdouble) / temperature)
    return e / e.sum()


@pytest.mark.parametrize("temperature", [1.0, 0.07, 0.01])
def test_scores_are_their_formulas(temperature: float) -> None:
    """One query at a time, written out in extended precision."""
    for row, *found in zip(COSINES, *(score(COSINES, temperature) for score in WITH_TEMPERATURE), strict=True):
        p = np.sort(softmax(row, temperature))
        expected = [
            1 - p[-1],
            -(p * np.log(p)).sum(),
            1 - (p[-1] - p[-2]),
            -temperature * np.log(np.exp(row.astype(np.longdouble) / temperature).sum()),
        ]
        np.testing.assert_allclose(np.array(found), np.array(expected, float), rtol=1e-10, atol=1e-15)


def test_max_cosine_distance_is_its_formula() -> None:
    np.testing.assert_array_equal(max_cosine_distance(COSINES), [1 - max(row) for row in COSINES])


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_scores_are_those_of_pytorch_ood(temperature: float) -> None:
    """pytorch-ood 0.4; its MCM is -max p, in float32, its entropy cuts p off at 1e-7."""
    mcm = MCM(None, torch.tensor(TEXT), temperature=temperature).predict_features(torch.tensor(QUERIES))
    np.testing.assert_allclose(softmax_uncertainty(COSINES, temperature), 1 + mcm.double().numpy(), atol=1e-6)
    theirs = EnergyBased.score(torch.tensor(COSINES), t=temperature).numpy()
    np.testing.assert_allclose(energy(COSINES, temperature), theirs, rtol=0, atol=1e-12)
    theirs = Entropy.score(torch.tensor(COSINES / temperature)).numpy()
    np.testing.assert_allclose(entropy(COSINES, temperature), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 5, 23])
@pytest.mark.parametrize("temperature", [1.0, 0.01])
def test_negative_label_share_is_its_formula(groups: int, temperature: float) -> None:
    """A softmax over the names and one group of words at a time, as the paper has it."""
    found = negative_label_share(COSINES, NEGATIVES, temperature, groups)
    edges = [23 * g // groups for g in range(groups + 1)]
    for row, words, share in zip(COSINES, NEGATIVES, found, strict=True):
        parts = [words[i:j] for i, j in itertools.pairwise(edges)]
        expected = np.mean([softmax(np.r_[row, part], temperature)[len(row) :].sum() for part in parts])
        assert share == pytest.approx(float(expected), rel=1e-10, abs=1e-300)


def test_negatives_that_do_not_divide_evenly_are_all_used() -> None:
    """Each of seven words in three groups makes a query that is like it more novel."""
    near = 2.0 * np.eye(7) - 1
    shares = negative_label_share(np.zeros((7, 1)), near, 0.1, groups=3)
    assert (shares > negative_label_share([[0.0]], np.full((1, 7), -1.0), 0.1, groups=3)).all()


@given(tables, temperatures, st.randoms())
@quickly
def test_the_order_of_classes_does_not_matter_and_that_of_queries_is_kept(table: Any, t: float, random: Any) -> None:
    classes, queries = (random.sample(range(n), n) for n in table.shape[::-1])
    for score in ALL:
        found = novelty(score, table, t)
        # an energy near 0 is the difference of two numbers near 1
        little = 1e-15 if score is energy else 1e-300
        np.testing.assert_allclose(novelty(score, table[:, classes], t), found, rtol=1e-12, atol=little)
        np.testing.assert_allclose(novelty(score, table[queries], t), found[queries], rtol=1e-12, atol=little)


@given(tables, temperatures)
@quickly
def test_ranges(table: Any, t: float) -> None:
    k, little = table.shape[1], 1e-12
    ranges: dict[Callable[..., np.ndarray], tuple[float, float]] = {
        max_cosine_distance: (0, 2),
        softmax_uncertainty: (0, 1 - 1 / k),
        entropy: (0, np.log(k)),
        margin_uncertainty: (0, 1),
        energy: (-1 - t * np.log(k), 1 - t * np.log(k)),
    }
    for score, (least, most) in ranges.items():
        found = novelty(score, table, t)
        assert (found >= least - (little if score is energy else 0)).all()
        assert (found <= most + little).all()


@given(tables, temperatures, st.floats(-0.5, 0.5))
@quickly
def test_a_shift_of_all_cosines_changes_energy_alone(table: Any, t: float, shift: float) -> None:
    table = table / 2
    for score in OF_SOFTMAX:
        np.testing.assert_allclose(score(table + shift, t), score(table, t), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(energy(table + shift, t), energy(table, t) - shift, rtol=0, atol=1e-12)


@given(arrays(np.float64, 4, elements=st.floats(-1, 0.5)), st.floats(0.5, 1), st.floats(0.5, 1), temperatures)
@quickly
def test_novelty_falls_as_the_best_cosine_grows(others: Any, one: float, two: float, t: float) -> None:
    table = np.stack([np.r_[others, max(one, two)], np.r_[others, min(one, two)]])
    for score in ALL:
        known, novel = novelty(score, table, t)
        assert known <= novel + 1e-14
    known, novel = negative_label_share(table, np.zeros((2, 3)), t)
    assert known <= novel + 1e-14


@given(tables, arrays(np.float64, (6, 5), elements=st.floats(-1, 1)), temperatures, st.integers(1, 5), st.randoms())
@quickly
def test_negative_label_share_properties(table: Any, words: Any, t: float, groups: int, random: Any) -> None:
    words = words[: len(table)]
    share = negative_label_share(table, words, t, groups)
    assert ((share >= 0) & (share <= 1)).all()
    # the same with the classes, and within one group the words, in another order
    shuffled = table[:, random.sample(range(table.shape[1]), table.shape[1])]
    np.testing.assert_allclose(negative_label_share(shuffled, words, t, groups), share, rtol=1e-12, atol=1e-300)
    once = negative_label_share(table, words, t)
    np.testing.assert_allclose(negative_label_share(table, words[:, ::-1], t), once, rtol=1e-12, atol=1e-300)
    # a shift of both changes nothing; words nearer to the query make it more novel
    moved = negative_label_share(table / 2 + 0.5, words / 2 + 0.5, t, groups)
    np.testing.assert_allclose(moved, negative_label_share(table / 2, words / 2, t, groups), rtol=1e-9, atol=1e-12)
    assert (negative_label_share(table, np.minimum(words + 0.1, 1), t, groups) >= share - 1e-14).all()


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324, 1e300])
def test_extreme_temperatures_neither_overflow_nor_give_nan(temperature: float) -> None:
    for score in WITH_TEMPERATURE:
        assert np.isfinite(score(COSINES, temperature)).all()
    assert np.isfinite(negative_label_share(COSINES, NEGATIVES, temperature, 4)).all()


def test_energy_near_temperature_zero_is_max_cosine() -> None:
    np.testing.assert_allclose(energy(COSINES, 1e-12), max_cosine_distance(COSINES) - 1, rtol=0, atol=1e-10)


def test_certain_queries_keep_their_order() -> None:
    """1 - p would be 0 for all three in float64: the rest is e^-40, e^-50, e^-60."""
    table = np.array([[0.9, 0.5], [0.9, 0.4], [0.9, 0.3]])
    np.testing.assert_allclose(softmax_uncertainty(table, 0.01), np.exp([-40, -50, -60]), rtol=1e-10)
    np.testing.assert_allclose(margin_uncertainty(table, 0.01), 2 * np.exp([-40.0, -50, -60]), rtol=1e-10)
    assert (np.diff(entropy(table, 0.01)) < 0).all() and entropy(table, 0.01)[-1] > 0


@pytest.mark.parametrize("score", OF_SOFTMAX)
def test_a_softmax_over_one_class_is_refused(score: Callable[..., np.ndarray]) -> None:
    with pytest.raises(InputError, match=f"{score.__name__} is constant for one known class.*use max_cosine"):
        score(COSINES[:, :1])


def test_scores_that_work_for_one_class() -> None:
    one = COSINES[:, :1]
    np.testing.assert_array_equal(max_cosine_distance(one), 1 - one[:, 0])
    np.testing.assert_allclose(energy(one, 0.3), -one[:, 0], rtol=0, atol=1e-15)
    # one name against one word: the logistic function of their difference
    share = negative_label_share(one, NEGATIVES[:, :1], 0.5)
    np.testing.assert_allclose(share, 1 / (1 + np.exp((one - NEGATIVES[:, :1])[:, 0] / 0.5)), rtol=1e-12)


@every_score
def test_no_queries_give_no_novelty(score: Callable[..., np.ndarray]) -> None:
    assert score(np.empty((0, 3))).shape == (0,)
    assert negative_label_share(np.empty((0, 3)), np.empty((0, 2))).shape == (0,)


@every_score
@pytest.mark.parametrize(
    "cosines, message",
    [
        (COSINES[0], r"cosines have the shape \(7,\)\. Expected \(b, k\)"),
        (np.empty((4, 0)), "cosines are empty.* at least one k"),
        ([[0.1, 0.2], [np.nan, 0.3]], "row 1 of the cosines holds NaN or infinity"),
        ([[0.1, -np.inf]], "row 0 of the cosines holds NaN"),
        ([[0.1, 0.2], [0.3]], "rows of different lengths"),
        ([["chair", "table"]], "Expected numbers"),
        (100 * COSINES, "Expected cosines of unit vectors.*1 / scale"),
    ],
)
def test_what_is_no_table_of_cosines(score: Callable[..., np.ndarray], cosines: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score(cosines)


@every_score
def test_rounding_beyond_one_is_cut_off(score: Callable[..., np.ndarray]) -> None:
    assert score([[1 + 1e-7, 0]])[0] == score([[1, 0]])[0]


@every_score
def test_torch_and_single_precision_are_taken(score: Callable[..., np.ndarray]) -> None:
    found = score(torch.tensor(COSINES).bfloat16().double().requires_grad_())
    assert found.dtype == np.float64
    assert score(COSINES.astype(np.float32)).dtype == np.float64


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf, "1", None, True])
def test_a_temperature_is_above_zero(temperature: Any) -> None:
    for score in WITH_TEMPERATURE:
        with pytest.raises(InputError, match=r"temperature is .*Expected a finite number above 0"):
            score(COSINES, temperature)
    with pytest.raises(InputError, match="temperature is"):
        negative_label_share(COSINES, NEGATIVES, temperature)


@pytest.mark.parametrize("groups", [0, -1, 24, 1.5, True])
def test_groups_are_no_more_than_the_words(groups: Any) -> None:
    with pytest.raises(InputError, match="Expected a whole number from 1 to 23, the number of negative words"):
        negative_label_share(COSINES, NEGATIVES, groups=groups)


def test_negatives_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="40 rows of cosines and 39 of negatives"):
        negative_label_share(COSINES, NEGATIVES[1:])
    with pytest.raises(InputError, match=r"negatives are empty.*\(b, j\)"):
        negative_label_share(COSINES, np.empty((40, 0)))


def test_arguments_are_not_changed() -> None:
    cosines, negatives = COSINES.copy(), NEGATIVES.copy()
    for score in ALL:
        score(cosines)
    by_names.negative_label_share(cosines, negatives)
    np.testing.assert_array_equal(cosines, COSINES)
    np.testing.assert_array_equal(negatives, NEGATIVES)

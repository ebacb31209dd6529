"""Combinations of p-values: written-out formulas, and validity for dependent looks."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.scene_map.evidence import (
    COMBINATIONS,
    Evidence,
    e_values,
    generalized_mean,
    least_p_value,
    mean_e,
    quantile,
)

P = [0.01, 0.04, 0.3]


def test_combinations_are_their_formulas() -> None:
    assert generalized_mean(P) == pytest.approx(2 * np.mean(P))
    assert generalized_mean(P, r=2) == pytest.approx(np.sqrt(3) * np.sqrt(np.mean(np.square(P))))
    assert generalized_mean([0.1, 0.2], r=9) == pytest.approx(
        2 ** (1 / 9) * np.mean(np.power([0.1, 0.2], 9)) ** (1 / 9)
    )
    assert quantile(P) == pytest.approx(3 / 2 * 0.04)
    assert quantile(P, share=1) == pytest.approx(0.3)
    assert mean_e(P, kappa=0.5) == pytest.approx(1 / np.mean([0.5 / np.sqrt(p) for p in P]))
    assert e_values([1.0], kappa=0.3) == pytest.approx(0.3)


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_counts_are_repetitions(combine: str) -> None:
    combined = COMBINATIONS[combine]
    assert combined(np.array(P), np.array([2, 1, 3])) == pytest.approx(combined(np.repeat(P, [2, 1, 3]), np.ones(6)))


@pytest.mark.parametrize("combine", COMBINATIONS)
def test_one_look_keeps_its_p_value_or_more(combine: str) -> None:
    alone = COMBINATIONS[combine](np.array([0.03]), np.ones(1))
    assert alone == pytest.approx(0.03) if combine != "e" else alone > 0.03


def test_evidence_is_bounded_by_the_calibration_set() -> None:
    evidence = Evidence(39)
    for rank in np.random.default_rng(0).integers(1, 41, 5000).tolist():
        evidence.add(rank)
    assert len(evidence.counts) <= 40 and evidence.looks == 5000
    assert evidence.beyond(0.05) == evidence.counts[1] + evidence.counts[2]
    other = Evidence(39, {1: 3})
    evidence.join(other)
    assert evidence.looks == 5003


def test_few_calibration_shapes_cannot_guarantee() -> None:
    assert least_p_value(39, "median", 2) == pytest.approx(0.05)
    assert least_p_value(38, "median", 2) > 0.05
    assert Evidence(19).p_value("mean") == 1.0


@pytest.mark.parametrize("combine", COMBINATIONS)
@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9, 1.0])
def test_known_objects_are_rarely_called_new_however_their_looks_depend(combine: str, shared: float) -> None:
    rng = np.random.default_rng(1)
    objects, looks = 2000, 8
    normal = np.sqrt(shared) * rng.normal(size=(objects, 1)) + np.sqrt(1 - shared) * rng.normal(size=(objects, looks))
    calibration = np.sort(rng.normal(size=100_000))
    p = (1 + len(calibration) - np.searchsorted(calibration, normal)) / (len(calibration) + 1)
    combined = [COMBINATIONS[combine](row, np.ones(looks)) for row in p]
    assert np.mean(np.array(combined) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / objects)


def test_a_rank_at_the_limit_reaches_it() -> None:
    """The limit is stored with 12 digits, which may be less than the p-value k / (n + 1)."""
    for n in range(19, 120):
        k = int(0.05 * (n + 1) + 1e-9)
        limit = round(1 - (n + 1 - k) / (n + 1), 12)
        assert Evidence(n, {k: 1, k + 1: 1}).beyond(limit) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: e_values([0.0]),
        lambda: e_values([0.5], 1.5),
        lambda: generalized_mean(P, r=0.5),
        lambda: quantile(P, share=2),
    ],
)
def test_values_that_cannot_be_used(call) -> None:
    with pytest.raises(InputError):
        call()

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, combine_pvalues

from openshape_ood.errors import InputError
from openshape_ood.scoring.fusion import p_value_fusion, rank_fusion, ranks

RANDOM = np.random.RandomState(0)
P = RANDOM.uniform(1e-6, 1, (3, 50))
numbers = st.integers(-20, 20).map(float)
lists = arrays(np.float64, st.integers(1, 12), elements=numbers)
p_values = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(1e-12, 1))


def test_ranks_are_counted() -> None:
    novelty, reference = RANDOM.normal(size=30).round(1), RANDOM.normal(size=57).round(1)
    expected = [sum(r <= n for r in reference) / 57 for n in novelty]
    np.testing.assert_array_equal(ranks(novelty, reference), expected)


@given(lists, lists, st.randoms())
def test_ranks_depend_on_order_alone(novelty: Any, reference: Any, random: Any) -> None:
    found = ranks(novelty, reference)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_array_equal(ranks(np.exp(novelty), np.exp(reference)), found)
    np.testing.assert_array_equal(ranks(novelty, random.sample(list(reference), len(reference))), found)
    np.testing.assert_array_equal(ranks(novelty, np.repeat(reference, 3)), found)
    order = np.argsort(novelty)
    assert (np.diff(found[order]) >= 0).all()


def test_rank_fusion_is_the_mean_of_ranks() -> None:
    novelties, references = RANDOM.normal(size=(3, 20)), [RANDOM.normal(size=m) for m in (5, 50, 9)]
    expected = sum(ranks(n, r) for n, r in zip(novelties, references, strict=True)) / 3
    np.testing.assert_allclose(rank_fusion(list(novelties), references), expected, rtol=1e-15)
    np.testing.assert_array_equal(rank_fusion([novelties[0]], references[:1]), ranks(novelties[0], references[0]))
    # on another scale, a score counts as much as before
    np.testing.assert_array_equal(
        rank_fusion([1e6 * novelties[0], novelties[1]], [1e6 * references[0], references[1]]),
        rank_fusion(list(novelties[:2]), references[:2]),
    )


def test_p_values_are_fused_as_scipy_does() -> None:
    fisher = [-np.log(combine_pvalues(column, method="fisher").pvalue) for column in P.T]
    np.testing.assert_allclose(p_value_fusion(list(P)), fisher, rtol=1e-9)


@pytest.mark.parametrize("p", [1.0, 0.999, 0.5, 1e-3, 1e-300])
def test_fisher_where_the_p_value_is_too_small_for_a_float(p: float) -> None:
    """The logarithm of scipy's tail of the chi-squared law."""
    for count in [1, 2, 5, 40]:
        found = p_value_fusion([[p]] * count)
        expected = -chi2.logsf(-2 * count * np.log(p), 2 * count)
        if np.isfinite(expected):
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
        assert np.isfinite(found).all() and found[0] >= 0


def test_fisher_of_independent_p_values_is_uniform() -> None:
    fused = np.exp(-p_value_fusion(list(np.random.RandomState(1).uniform(size=(4, 20_000)))))
    np.testing.assert_allclose(np.quantile(fused, [0.01, 0.05, 0.5, 0.95]), [0.01, 0.05, 0.5, 0.95], atol=0.015)


@given(p_values, st.randoms())
@settings(max_examples=30)
def test_fusion_grows_with_novelty_and_knows_no_order(p: Any, random: Any) -> None:
    found = p_value_fusion(list(p))
    assert (found >= 0).all() and np.isfinite(found).all()
    shuffled = p_value_fusion(random.sample(list(p), len(p)))
    np.testing.assert_allclose(shuffled, found, rtol=1e-9, atol=1e-12)
    smaller = p.copy()
    smaller[random.randrange(len(p))] /= 2
    assert (p_value_fusion(list(smaller)) >= found - 1e-12).all()
    queries = random.sample(range(p.shape[1]), p.shape[1])
    np.testing.assert_array_equal(p_value_fusion(list(p[:, queries])), found[queries])


def test_one_score_stays_what_it_is_and_certain_ones_are_not_novel() -> None:
    np.testing.assert_allclose(p_value_fusion([P[0]]), -np.log(P[0]), rtol=1e-12)
    np.testing.assert_array_equal(p_value_fusion([[1.0, 1.0]] * 3), [0, 0])
    assert not np.signbit(p_value_fusion([[1.0, 1.0]] * 3)).any()


def test_no_queries() -> None:
    assert p_value_fusion([[], []]).shape == (0,)
    assert ranks([], [1.0]).shape == rank_fusion([[]], [[1.0]]).shape == (0,)


@pytest.mark.parametrize(
    "novelty, reference, message",
    [
        ([1.0], [], r"reference scores are empty.*\(m,\)"),
        ([np.nan], [1.0], "row 0 of the novelty scores holds NaN"),
        ([1.0], [1.0, np.inf], "row 1 of the reference scores holds NaN or infinity"),
        ([[1.0]], [1.0], r"shape \(1, 1\). Expected \(b,\)"),
        (["a"], [1.0], "Expected numbers"),
    ],
)
def test_what_has_no_rank(novelty: Any, reference: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ranks(novelty, reference)
    with pytest.raises(InputError, match=message):
        rank_fusion([novelty], [reference])


def test_lists_that_do_not_belong_together() -> None:
    with pytest.raises(InputError, match="2 scores and 1 references"):
        rank_fusion([[1.0], [2.0]], [[1.0]])
    with pytest.raises(InputError, match="no scores to fuse"):
        rank_fusion([], [])
    with pytest.raises(InputError, match="no p values to fuse"):
        p_value_fusion([])
    with pytest.raises(InputError, match=r"scores to fuse are of \[1, 2\] queries"):
        rank_fusion([[1.0], [1.0, 2.0]], [[1.0], [1.0]])
    with pytest.raises(InputError, match=r"p values to fuse are of \[1, 2\] queries"):
        p_value_fusion([[0.5, 0.5], [0.5]])


@pytest.mark.parametrize("p", [0, -0.1, 1.01, np.nan, np.inf])
def test_what_is_no_p_value(p: float) -> None:
    with pytest.raises(InputError, match="p values"):
        p_value_fusion([[0.5, p]])

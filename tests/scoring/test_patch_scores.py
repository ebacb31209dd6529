from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.scoring.patch_scores import vote_entropy

B, P, W, K = 9, 16, 6, 4
RANDOM = np.random.RandomState(0)
PATCHES = RANDOM.normal(size=(B, P, W))
BANK, LABELS = RANDOM.normal(size=(60, W)), RANDOM.randint(0, K, 60)
quickly = settings(deadline=None, max_examples=30)


def written_out(patches: np.ndarray, bank: np.ndarray, labels: np.ndarray) -> list[float]:
    """The formula, a shape and a class at a time, over scikit-learn's neighbors."""
    search = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(bank)
    novelty = []
    for tokens in patches:
        distance, index = search.kneighbors(tokens)
        votes, far = labels[index[:, 0]], distance[:, 0]
        shares = [np.mean(votes == c) for c in set(votes.tolist())]
        means = [far[votes == c].mean() for c in set(votes.tolist())]
        novelty.append(-sum(p * np.log(p) * d for p, d in zip(shares, means, strict=True)))
    return novelty


def test_vote_entropy_is_its_formula() -> None:
    found = vote_entropy(PATCHES, BANK, LABELS, K)
    np.testing.assert_allclose(found, written_out(PATCHES, BANK, LABELS), rtol=1e-10)
    assert (found > 0).all()


def test_votes_at_one_distance_have_the_entropy_of_scipy() -> None:
    """Bank tokens along the axes, patches halfway to an axis that the bank lacks: 1 - cos is 1 - sqrt(1/2) for all."""
    axes = np.eye(5)[[0, 0, 0, 1, 1, 2, 3, 3]] + np.eye(5)[4]
    found = vote_entropy(axes[None], np.eye(5)[:4], [0, 1, 2, 0], 3)
    # votes for the classes 0, 1, 2: three and two, two, one
    np.testing.assert_allclose(found, [entropy([5, 2, 1]) * (1 - 0.5**0.5)], rtol=1e-12)


def test_patches_that_agree_tie_at_zero_however_far_they_are() -> None:
    agreeing = -np.abs(RANDOM.normal(size=(3, P, W)))
    found = vote_entropy(agreeing, np.eye(W), np.full(W, 2), K)
    np.testing.assert_array_equal(found, 0)
    assert not np.signbit(found).any()
    np.testing.assert_array_equal(vote_entropy(PATCHES, BANK, np.zeros(60, int), 1), 0)
    # a patch a shape votes with itself
    np.testing.assert_array_equal(vote_entropy(PATCHES[:, :1], BANK, LABELS, K), 0)


def test_support_shapes_are_not_novel() -> None:
    support = RANDOM.normal(size=(5, P, W))
    labels = np.repeat(np.arange(5), P)
    np.testing.assert_array_equal(vote_entropy(support, support.reshape(-1, W), labels, 5), 0)


def test_equally_near_tokens_give_their_vote_to_the_first() -> None:
    patches = np.array([[[1.0, 1], [0, 1], [0, 0.5]]])
    twins = np.array([[1.0, 0], [2, 0], [0, 1]])
    # the first patch is as near to all three; the others vote for class 1 at distance 0
    divided = -(1 / 3) * np.log(1 / 3) * (1 - 0.5**0.5)
    np.testing.assert_allclose(vote_entropy(patches, twins, [0, 1, 1], 2), [divided])
    np.testing.assert_array_equal(vote_entropy(patches, twins, [1, 0, 1], 2), [0])


def test_zero_tokens_have_cosine_zero() -> None:
    patches = np.zeros((1, 2, 2))
    patches[0, 1] = [0, -1]
    found = vote_entropy(patches, [[1.0, 0], [0, -1]], [0, 1], 2)
    # a vote for the first class at distance 1, one for the second at 0
    np.testing.assert_allclose(found, [0.5 * np.log(2)])


@given(st.integers(0, 2**32 - 1))
@quickly
def test_orders_lengths_and_duplicates_do_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    patches, bank, labels = random.normal(size=(4, 5, 3)), random.normal(size=(12, 3)), random.integers(0, 3, 12)
    found = vote_entropy(patches, bank, labels, 3)
    assert ((found >= 0) & (found <= 2 * np.log(3))).all()
    order, shapes, names = random.permutation(12), random.permutation(4), random.permutation(3)
    np.testing.assert_allclose(vote_entropy(patches, bank[order], labels[order], 3), found, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(vote_entropy(patches[shapes], bank, labels, 3), found[shapes])
    np.testing.assert_allclose(vote_entropy(patches[:, ::-1], bank, labels, 3), found, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(vote_entropy(patches, bank, names[labels], 3), found, rtol=1e-9, atol=1e-15)
    lengths = random.uniform(0.01, 100, (4, 5, 1))
    np.testing.assert_allclose(vote_entropy(lengths * patches, bank, labels, 3), found, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(vote_entropy(patches, 9 * bank, labels, 3), found, rtol=1e-9, atol=1e-14)
    twice = vote_entropy(patches, np.repeat(bank, 2, axis=0), np.repeat(labels, 2), 3)
    np.testing.assert_allclose(twice, found, rtol=1e-9, atol=1e-15)
    # classes that nobody votes for add nothing; every patch given twice changes no share
    np.testing.assert_array_equal(vote_entropy(patches, bank, labels, 50), found)
    np.testing.assert_allclose(vote_entropy(np.tile(patches, (1, 2, 1)), bank, labels, 3), found, rtol=1e-9, atol=1e-15)


def test_a_shape_has_the_same_novelty_alone() -> None:
    alone = [vote_entropy(PATCHES[i : i + 1], BANK, LABELS, K)[0] for i in range(B)]
    np.testing.assert_array_equal(vote_entropy(PATCHES, BANK, LABELS, K), alone)


def test_no_shapes_give_no_novelty() -> None:
    assert vote_entropy(np.empty((0, P, W)), BANK, LABELS, K).shape == (0,)


@pytest.mark.parametrize(
    "patches, bank, labels, classes, error, message",
    [
        (PATCHES[0], BANK, LABELS, K, InputError, r"patches have the shape \(16, 6\)\. Expected \(b, p, w\)"),
        (PATCHES[:, :0], BANK, LABELS, K, InputError, "patches are empty.*at least one p"),
        (PATCHES, BANK[:0], LABELS[:0], K, InputError, r"tokens of the memory bank are empty.*\(n, w\)"),
        (
            PATCHES[..., 1:],
            BANK,
            LABELS,
            K,
            MixedEncodersError,
            "patches have 5 numbers a row, tokens of the memory bank 6",
        ),
        (PATCHES * np.nan, BANK, LABELS, K, InputError, "row 0 of the patches holds NaN"),
        (PATCHES, BANK * np.inf, LABELS, K, InputError, "row 0 of the tokens of the memory bank holds"),
        (PATCHES, BANK, LABELS[1:], K, InputError, r"shape \(59,\) for a memory bank of 60 tokens"),
        (PATCHES, BANK, LABELS, K - 1, InputError, "labels go from 0 to 3. Expected 0 to 2"),
        (PATCHES, BANK, LABELS - 1, K, InputError, "labels go from -1 to 2"),
        (PATCHES, BANK, LABELS.astype(str), K, InputError, "Expected whole numbers from 0 to 3"),
        (PATCHES, BANK, LABELS, 0, InputError, "classes is 0. Expected a whole number from 1"),
    ],
)
def test_bad_input(patches: Any, bank: Any, labels: Any, classes: Any, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message):
        vote_entropy(patches, bank, labels, classes)

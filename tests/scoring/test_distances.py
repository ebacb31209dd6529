from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_ood.detector import KNN, RMD, Mahalanobis, ViM
from scipy.special import logsumexp
from sklearn.covariance import EmpiricalCovariance, LedoitWolf, shrunk_covariance
from sklearn.neighbors import NearestNeighbors

from openshape_ood import checks as arrays_module
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring.distances import knn_distance, prototypes, rest_of_class
from openshape_ood.scoring.fitted import Gaussian, Subspace, mahalanobis_distance, relative_mahalanobis_distance, vim
from openshape_ood.scoring.scorers import VimScorer

D, K = 12, 4
RANDOM = np.random.RandomState(0)
CENTERS = 3 * RANDOM.normal(size=(K, D))
LABELS = np.repeat(np.arange(K), [30, 2, 25, 14])
EXAMPLES = CENTERS[LABELS] + RANDOM.normal(size=(len(LABELS), D)) * np.linspace(0.3, 3, D)
QUERIES = np.concatenate([EXAMPLES[::9] + 0.1, 4 * RANDOM.normal(size=(30, D))])
TEXT = CENTERS / np.linalg.norm(CENTERS, axis=1, keepdims=True)

nearest_cosine = partial(knn_distance, k=1)
nearest_euclidean = partial(knn_distance, k=1, metric="euclidean")
every_distance = pytest.mark.parametrize("score", [nearest_cosine, nearest_euclidean, knn_distance])
quickly = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def logits(z: np.ndarray) -> np.ndarray:
    return unit(z) @ TEXT.T / 0.1


def tensor(rows: np.ndarray) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def made_up(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries (6, 5), examples (20, 5) and labels (20,) of three classes."""
    random = np.random.default_rng(seed)
    return random.normal(size=(6, 5)), random.normal(size=(20, 5)) + 1, random.permutation(np.arange(20) % 3)


# ---- neighbors


@pytest.mark.parametrize("k", [1, 2, 5, len(EXAMPLES)])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_knn_is_that_of_scikit_learn(metric: str, k: int) -> None:
    search = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(EXAMPLES)
    np.testing.assert_allclose(
        knn_distance(QUERIES, EXAMPLES, k, metric), search.kneighbors(QUERIES)[0][:, -1], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("k", [1, 5])
def test_knn_is_that_of_pytorch_ood(k: int) -> None:
    """pytorch-ood 0.4 has the Euclidean distance of unit vectors: sqrt(2 (1 - cos))."""
    labels = torch.zeros(len(EXAMPLES))
    theirs = KNN(None, k=k).fit_features(tensor(EXAMPLES), labels).predict_features(tensor(QUERIES)).numpy()
    np.testing.assert_allclose(np.sqrt(2 * knn_distance(QUERIES, EXAMPLES, k)), theirs, rtol=1e-9)
    plain = KNN(None, k=k, normalize=False).fit_features(tensor(EXAMPLES), labels)
    theirs = plain.predict_features(tensor(QUERIES)).numpy()
    np.testing.assert_allclose(knn_distance(QUERIES, EXAMPLES, k, "euclidean"), theirs, rtol=1e-9)


def test_nearest_is_its_formula() -> None:
    cosine = [min(1 - z @ s for s in unit(EXAMPLES)) for z in unit(QUERIES)]
    np.testing.assert_allclose(nearest_cosine(QUERIES, EXAMPLES), cosine, rtol=0, atol=1e-14)
    euclid = [min(np.linalg.norm(z - s) for s in EXAMPLES) for z in QUERIES]
    np.testing.assert_allclose(nearest_euclidean(QUERIES, EXAMPLES), euclid, rtol=1e-14)


def test_an_example_is_not_novel_and_its_opposite_is_as_far_as_can_be() -> None:
    np.testing.assert_array_equal(nearest_cosine(EXAMPLES, EXAMPLES), 0)
    np.testing.assert_array_equal(nearest_euclidean(EXAMPLES, EXAMPLES), 0)
    np.testing.assert_allclose(nearest_cosine(-EXAMPLES[:1], EXAMPLES[:1]), 2)


@given(seeds)
@quickly
def test_order_duplicates_and_lengths(seed: int) -> None:
    queries, examples, _ = made_up(seed)
    random = np.random.default_rng(seed)
    shuffled, turned = random.permutation(examples), random.permutation(6)
    lengths = random.uniform(0.01, 100, (6, 1))
    for score in (nearest_cosine, nearest_euclidean):
        found = score(queries, examples)
        np.testing.assert_array_equal(score(queries[turned], examples), found[turned])
        np.testing.assert_allclose(score(queries, shuffled), found, rtol=1e-12)
        np.testing.assert_allclose(score(queries, np.repeat(examples, 3, axis=0)), found, rtol=1e-12)
        # more examples never make a query more novel
        assert (score(queries, np.concatenate([examples, queries[:2]])) <= found + 1e-14).all()
    found = nearest_cosine(queries, examples)
    np.testing.assert_allclose(nearest_cosine(lengths * queries, examples), found, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(nearest_cosine(queries, 7 * examples), found, rtol=1e-10, atol=1e-14)
    found = nearest_euclidean(queries, examples)
    np.testing.assert_allclose(nearest_euclidean(3 * queries, 3 * examples), 3 * found, rtol=1e-12)
    np.testing.assert_allclose(nearest_euclidean(queries + 1, examples + 1), found, rtol=1e-10)


@given(seeds, st.integers(1, 4))
@quickly
def test_each_example_given_twice_moves_the_kth_neighbor_to_the_2kth(seed: int, k: int) -> None:
    queries, examples, _ = made_up(seed)
    for metric in ("cosine", "euclidean"):
        by_k = np.stack([knn_distance(queries, examples, n, metric) for n in range(1, 21)])
        assert (np.diff(by_k, axis=0) >= 0).all()
        twice = np.repeat(examples, 2, axis=0)
        np.testing.assert_array_equal(knn_distance(queries, twice, 2 * k, metric), by_k[k - 1])


def test_zero_has_cosine_zero_to_everything() -> None:
    np.testing.assert_array_equal(nearest_cosine(np.zeros((2, D)), EXAMPLES), 1)
    np.testing.assert_array_equal(nearest_cosine(EXAMPLES[:2], np.zeros((1, D))), 1)
    np.testing.assert_array_equal(nearest_cosine(np.zeros((1, D)), np.zeros((1, D))), 1)


# ---- prototypes


def test_prototypes_are_their_formulas() -> None:
    names = np.array(["b", "d", "a", "c"])[LABELS]
    groups = [EXAMPLES[names == name] for name in "abcd"]
    np.testing.assert_allclose(prototypes(EXAMPLES, names, "euclidean"), [g.mean(0) for g in groups], rtol=1e-14)
    means = np.stack([unit(g).mean(0) for g in groups])
    np.testing.assert_allclose(prototypes(EXAMPLES, names, "cosine"), unit(means), rtol=1e-13, atol=1e-15)


def test_the_rest_of_a_class_of_two_is_the_other_row() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 4.0], [7.0, 7.0]])
    assert rest_of_class(rows, np.array([0, 0, 1])).tolist() == [[0, 4], [1, 0], [0, 0]]


@given(seeds)
@quickly
def test_prototypes_know_neither_order_nor_duplicates(seed: int) -> None:
    _, examples, labels = made_up(seed)
    order = np.random.default_rng(seed).permutation(20)
    for metric in ("cosine", "euclidean"):
        bank = prototypes(examples, labels, metric)
        np.testing.assert_allclose(prototypes(examples[order], labels[order], metric), bank, atol=1e-14)
        np.testing.assert_allclose(prototypes(np.tile(examples, (2, 1)), np.tile(labels, 2), metric), bank, atol=1e-14)
        # other names, another order of the classes
        np.testing.assert_array_equal(prototypes(examples, 10 - labels, metric), bank[::-1])
    lengths = np.random.default_rng(seed).uniform(0.01, 100, (20, 1))
    np.testing.assert_allclose(
        prototypes(lengths * examples, labels, "cosine"), prototypes(examples, labels, "cosine"), atol=1e-13
    )


def test_examples_that_cancel_have_a_zero_prototype() -> None:
    """1/3 and its kin leave rounding behind, which must not become a direction."""
    half = unit(RANDOM.normal(size=(7, D)))
    bank = prototypes(np.concatenate([half, -3 * half, [np.ones(D)]]), [0] * 14 + [1], "cosine")
    np.testing.assert_array_equal(bank[0], 0)
    np.testing.assert_allclose(nearest_cosine(QUERIES, bank[:1]), 1)


def test_zero_and_extreme_examples_have_prototypes() -> None:
    examples = np.array([[0, 0], [3e200, 0], [0, 1e-200], [0, 0]])
    np.testing.assert_allclose(prototypes(examples, [0, 0, 0, 1], "cosine"), [[0.5**0.5, 0.5**0.5], [0, 0]])


# ---- Gaussians


def test_one_class_is_the_ledoit_wolf_of_scikit_learn() -> None:
    gaussian = Gaussian.fit(EXAMPLES, np.zeros(len(EXAMPLES)))
    theirs = LedoitWolf().fit(EXAMPLES)
    np.testing.assert_allclose(gaussian.precision, theirs.precision_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mahalanobis_distance(QUERIES, gaussian), theirs.mahalanobis(QUERIES), rtol=1e-9)


def test_classes_share_the_ledoit_wolf_of_what_is_left_of_their_means() -> None:
    gaussian = Gaussian.fit(EXAMPLES, LABELS)
    means = np.stack([EXAMPLES[c == LABELS].mean(0) for c in range(K)])
    within = LedoitWolf(assume_centered=True).fit(EXAMPLES - means[LABELS])
    np.testing.assert_allclose(gaussian.means, means, rtol=1e-13)
    np.testing.assert_allclose(gaussian.precision, within.precision_, rtol=1e-9, atol=1e-12)
    # scikit-learn's squared distance from one mean at a time
    by_class = [within.mahalanobis(QUERIES - mean) for mean in means]
    np.testing.assert_allclose(mahalanobis_distance(QUERIES, gaussian), np.min(by_class, axis=0), rtol=1e-9)
    spread = shrunk_covariance(np.cov(EXAMPLES.T, bias=True), within.shrinkage_)  # alike, else it inverts
    centered = QUERIES - EXAMPLES.mean(axis=0)
    background = np.einsum("bd,bd->b", centered, np.linalg.solve(spread, centered.T).T)
    np.testing.assert_allclose(
        relative_mahalanobis_distance(QUERIES, gaussian), np.min(by_class, axis=0) - background, rtol=1e-7
    )


def test_mahalanobis_is_that_of_pytorch_ood() -> None:
    """pytorch-ood 0.4 neither shrinks nor divides by m, and has half the square; RMD has the whole."""
    labels = torch.tensor(LABELS)
    halved = Mahalanobis(None).fit_features(tensor(EXAMPLES), labels)
    theirs = RMD(None).fit_features(tensor(EXAMPLES), labels)
    gaussian = Gaussian(
        halved.mu.double().numpy(),
        halved.precision.double().numpy(),
        theirs.background_mu.double().numpy(),
        theirs.background_precision.double().numpy(),
    )
    z = tensor(QUERIES).float()
    found = mahalanobis_distance(QUERIES, gaussian) / 2
    np.testing.assert_allclose(found, halved.predict_features(z).numpy(), rtol=1e-4)
    found = relative_mahalanobis_distance(QUERIES, gaussian)
    np.testing.assert_allclose(found, theirs.predict_features(z).numpy(), rtol=1e-3, atol=1e-4)


def test_with_many_examples_the_shrinkage_vanishes() -> None:
    """Against the maximum-likelihood covariance of scikit-learn."""
    random = np.random.RandomState(3)
    many = random.normal(size=(20_000, 5)) @ random.normal(size=(5, 5))
    found = mahalanobis_distance(many[:50], Gaussian.fit(many, np.zeros(20_000)))
    np.testing.assert_allclose(found, EmpiricalCovariance().fit(many).mahalanobis(many[:50]), rtol=0.02)
    # the squared distance of a normal distribution to itself has the mean d
    assert mahalanobis_distance(many, Gaussian.fit(many, np.zeros(20_000))).mean() == pytest.approx(5, rel=0.01)


@given(seeds)
@quickly
def test_gaussians_know_no_order_turn_or_place(seed: int) -> None:
    queries, examples, labels = made_up(seed)
    random = np.random.default_rng(seed)
    order, turn = random.permutation(20), np.linalg.qr(random.normal(size=(5, 5)))[0]
    gaussian = Gaussian.fit(examples, labels)
    alike = [
        (queries, Gaussian.fit(examples[order], labels[order])),
        (queries, Gaussian.fit(examples, 10 - labels)),
        (queries @ turn + 3, Gaussian.fit(examples @ turn + 3, labels)),
        (7 * queries, Gaussian.fit(7 * examples, labels)),
    ]
    for score in (mahalanobis_distance, relative_mahalanobis_distance):
        for z, other in alike:
            np.testing.assert_allclose(score(z, other), score(queries, gaussian), rtol=1e-6, atol=1e-8)
        turned = random.permutation(6)
        np.testing.assert_allclose(score(queries[turned], gaussian), score(queries, gaussian)[turned], rtol=1e-12)
    assert (mahalanobis_distance(queries, gaussian) >= 0).all()
    assert (mahalanobis_distance(gaussian.means, gaussian) == 0).all()


def test_mahalanobis_grows_along_a_ray() -> None:
    gaussian = Gaussian.fit(EXAMPLES, np.zeros(len(EXAMPLES)))
    ray = gaussian.means + np.linspace(0, 5, 20)[:, None] * RANDOM.normal(size=D)
    assert (np.diff(mahalanobis_distance(ray, gaussian)) > 0).all()


def test_more_dimensions_than_examples() -> None:
    random = np.random.RandomState(5)
    examples, labels = random.normal(size=(20, 200)), np.arange(20) % 4
    gaussian = Gaussian.fit(examples, labels)
    assert np.linalg.eigvalsh(gaussian.precision).min() > 0
    assert np.isfinite(relative_mahalanobis_distance(random.normal(size=(5, 200)), gaussian)).all()


def test_a_class_of_one_has_a_mean_but_no_say_in_the_spread() -> None:
    labels = np.append(LABELS, K)
    lone = 20 * np.ones((1, D))
    gaussian = Gaussian.fit(np.concatenate([EXAMPLES, lone]), labels)
    np.testing.assert_allclose(gaussian.precision, Gaussian.fit(EXAMPLES, LABELS).precision, rtol=1e-9, atol=1e-12)
    assert mahalanobis_distance(lone, gaussian)[0] == 0


def test_two_examples_leave_no_direction_free() -> None:
    """Ledoit and Wolf shrink two opposite rows by nothing; any step out of their line must be novel all the same."""
    gaussian = Gaussian.fit([[0.0, 0, 1], [0, 0, -1]], ["one", "one"])
    along, across = mahalanobis_distance([[0, 0, 2.0], [0, 0.1, 0]], gaussian)
    assert along == pytest.approx(4)
    # the variances are 1, and a millionth of their mean
    assert across == pytest.approx(0.01 / (1e-6 / 3))


def test_no_class_with_two_examples_is_refused() -> None:
    with pytest.raises(InputError, match=r"none of the 5 classes has two examples.*prototypes or nearest neighbors"):
        Gaussian.fit(EXAMPLES[:5], list("abcde"))
    with pytest.raises(InputError, match="none of the 1 classes"):
        Gaussian.fit(EXAMPLES[:1], [0])


@pytest.mark.parametrize("copies", [2, 3, 1000])
def test_equal_examples_are_refused(copies: int) -> None:
    examples, labels = np.repeat(EXAMPLES[:3], copies, axis=0), np.repeat([0, 1, 2], copies)
    with pytest.raises(InputError, match="the examples of every class are equal"):
        Gaussian.fit(examples, labels)


def test_one_class_is_its_own_background() -> None:
    with pytest.raises(InputError, match=r"always 0 for one known class.*Use mahalanobis"):
        relative_mahalanobis_distance(QUERIES, Gaussian.fit(EXAMPLES, np.zeros(len(EXAMPLES))))


# ---- ViM


@pytest.mark.parametrize("dim", [1, 5, D - 1])
def test_vim_is_that_of_pytorch_ood(dim: int) -> None:
    """pytorch-ood 0.4, in float32, with the names as weights and no bias, on unit embeddings."""
    weights, s, z = TEXT / 0.1, unit(EXAMPLES), unit(QUERIES)
    theirs = ViM(None, dim, torch.tensor(weights), torch.zeros(K)).fit_features(tensor(s), torch.tensor(LABELS))
    subspace = Subspace.fit(s, s @ weights.T, dim)
    assert subspace.alpha == pytest.approx(theirs.alpha, rel=1e-4)
    found = vim(z, z @ weights.T, subspace)
    np.testing.assert_allclose(found, theirs.predict_features(tensor(z)).numpy(), rtol=1e-3, atol=1e-2)


def test_vim_is_its_formula() -> None:
    """The principal directions from the singular values of the examples."""
    dim = 4
    principal = np.linalg.svd(EXAMPLES)[2][:dim]
    outside = [np.linalg.norm(rows - rows @ principal.T @ principal, axis=1) for rows in (EXAMPLES, QUERIES)]
    alpha = logits(EXAMPLES).max(axis=1).mean() / outside[0].mean()
    subspace = Subspace.fit(EXAMPLES, logits(EXAMPLES), dim)
    assert subspace.alpha == pytest.approx(alpha, rel=1e-12)
    found = vim(QUERIES, logits(QUERIES), subspace)
    np.testing.assert_allclose(found, alpha * outside[1] - logsumexp(logits(QUERIES), axis=1), rtol=1e-9, atol=1e-9)


@given(seeds)
@quickly
def test_vim_knows_no_order_duplicates_or_turn(seed: int) -> None:
    queries, examples, labels = made_up(seed)
    random = np.random.default_rng(seed)
    of_examples, of_queries = np.eye(3)[labels] + 0.1, random.normal(size=(6, 3))
    order, classes, turn = random.permutation(20), random.permutation(3), np.linalg.qr(random.normal(size=(5, 5)))[0]
    found = vim(queries, of_queries, Subspace.fit(examples, of_examples, 2))
    shuffled = Subspace.fit(examples[order], of_examples[order][:, classes], 2)
    twice = Subspace.fit(np.tile(examples, (2, 1)), np.tile(of_examples, (2, 1)), 2)
    np.testing.assert_allclose(vim(queries, of_queries[:, classes], shuffled), found, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(vim(queries, of_queries, twice), found, rtol=1e-6, atol=1e-8)
    turned = Subspace.fit(examples @ turn, of_examples, 2)
    np.testing.assert_allclose(vim(queries @ turn, of_queries, turned), found, rtol=1e-6, atol=1e-8)
    # larger logits, less novel; farther out of the subspace, more
    subspace = Subspace.fit(examples, of_examples, 2)
    np.testing.assert_allclose(vim(queries, of_queries + 1, subspace), found - 1, rtol=1e-9, atol=1e-12)
    outward = queries + (queries @ subspace.complement) @ subspace.complement.T
    assert (vim(outward, of_queries, subspace) > found).all()


def test_vim_with_large_logits_does_not_overflow() -> None:
    subspace = Subspace.fit(EXAMPLES, logits(EXAMPLES), 3)
    assert np.isfinite(vim(QUERIES, 1e5 * logits(QUERIES), subspace)).all()


@pytest.mark.parametrize("count, principal", [(2, 1), (3, 1), (4, 2), (7, 3), (40, D // 2)])
def test_vim_of_known_classes_has_half_as_many_directions(count: int, principal: int) -> None:
    labels = ["a", "b"] * (count // 2) + ["b"] * (count % 2)
    known = KnownClasses.from_embeddings(EXAMPLES[:count], labels, Identity("made up", "words"))
    assert VimScorer.fit(known).subspace.complement.shape == (D, D - principal)


@pytest.mark.parametrize("dim", [0, D, 2.5, True])
def test_vim_divides_the_dimensions(dim: Any) -> None:
    with pytest.raises(InputError, match=r"dim is .*whole number from 1 to 11"):
        Subspace.fit(EXAMPLES, logits(EXAMPLES), dim)


def test_what_vim_cannot_fit() -> None:
    with pytest.raises(InputError, match=r"outside their 5 principal directions.*smaller dim"):
        Subspace.fit(EXAMPLES[:5], logits(EXAMPLES[:5]), 5)
    with pytest.raises(InputError, match="no component outside"):
        Subspace.fit(np.zeros((3, D)), np.ones((3, K)), 1)
    with pytest.raises(InputError, match="largest logits of the examples are -1 on average"):
        Subspace.fit(EXAMPLES, -np.ones((len(EXAMPLES), K)), 2)
    with pytest.raises(InputError, match="largest logits of the examples are 0 on average"):
        Subspace.fit(EXAMPLES, np.zeros((len(EXAMPLES), K)), 2)
    with pytest.raises(InputError, match="71 rows of examples and 70 of logits"):
        Subspace.fit(EXAMPLES, logits(EXAMPLES)[1:], 2)
    with pytest.raises(InputError, match="one number per row"):
        Subspace.fit(EXAMPLES[:, :1], logits(EXAMPLES), 1)
    subspace = Subspace.fit(EXAMPLES, logits(EXAMPLES), 2)
    with pytest.raises(InputError, match="rows of queries and 1 of logits"):
        vim(QUERIES, logits(QUERIES)[:1], subspace)
    with pytest.raises(MixedEncodersError, match="queries have 11 numbers a row, the fitted examples 12"):
        vim(QUERIES[:, 1:], logits(QUERIES), subspace)


# ---- what all refuse


def fitted(score: str) -> Callable[[Any], np.ndarray]:
    """The score of queries, fitted on EXAMPLES."""
    gaussian, subspace = Gaussian.fit(EXAMPLES, LABELS), Subspace.fit(EXAMPLES, logits(EXAMPLES), 3)
    return {
        "mahalanobis": lambda z: mahalanobis_distance(z, gaussian),
        "relative": lambda z: relative_mahalanobis_distance(z, gaussian),
        "vim": lambda z: vim(z, np.ones((len(z), K)), subspace),
    }[score]


every_fitted = pytest.mark.parametrize("score", ["mahalanobis", "relative", "vim"])


@every_distance
@pytest.mark.parametrize(
    "queries, examples, error, message",
    [
        (QUERIES[:, 1:], EXAMPLES, MixedEncodersError, "queries have 11 numbers a row, .* 12"),
        (QUERIES[0], EXAMPLES, InputError, r"queries have the shape \(12,\)\. Expected \(b, d\)"),
        (QUERIES, EXAMPLES[:0], InputError, "are empty"),
        (QUERIES * np.nan, EXAMPLES, InputError, "row 0 of the queries holds NaN"),
        (QUERIES, np.where(np.arange(len(EXAMPLES)) == 7, np.inf, EXAMPLES.T).T, InputError, "row 7 of the .* holds"),
        ([["a"]], EXAMPLES, InputError, "Expected numbers"),
        (QUERIES, [[1.0], [1.0, 2.0]], InputError, "different lengths"),
    ],
)
def test_bad_tables(score: Any, queries: Any, examples: Any, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message):
        score(queries, examples)


@every_fitted
def test_bad_queries_of_what_is_fitted(score: str) -> None:
    with pytest.raises(MixedEncodersError, match=r"queries have 11 numbers a row, the fitted .* 12"):
        fitted(score)(QUERIES[:, 1:])
    with pytest.raises(InputError, match="row 0 of the queries holds NaN"):
        fitted(score)(QUERIES * np.nan)


@every_fitted
def test_blocks_change_nothing(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(score)(QUERIES)
    monkeypatch.setattr(arrays_module, "BLOCK_ELEMENTS", 3 * D)
    np.testing.assert_allclose(fitted(score)(QUERIES), whole, rtol=1e-9)


@pytest.mark.parametrize("k", [0, -1, len(EXAMPLES) + 1, 2.0, True, None])
def test_k_is_at_most_the_support(k: Any) -> None:
    with pytest.raises(InputError, match=r"k is .*Expected a whole number from 1 to 71, the number of examples"):
        knn_distance(QUERIES, EXAMPLES, k)


@pytest.mark.parametrize("metric", ["manhattan", None, ["cosine"]])
def test_an_unknown_metric(metric: Any) -> None:
    with pytest.raises(UnknownNameError, match="known: cosine, euclidean"):
        knn_distance(QUERIES, EXAMPLES, metric=metric)
    with pytest.raises(UnknownNameError, match="known: cosine, euclidean"):
        prototypes(EXAMPLES, LABELS, metric)


@pytest.mark.parametrize(
    "labels, message",
    [
        (LABELS[1:], r"shape \(70,\) for 71 rows"),
        (LABELS[:, None], r"shape \(71, 1\) for 71"),
        (np.where(LABELS == 0, np.nan, 1), "labels hold NaN"),
        ([None, *"a" * 70], "labels are of several types"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, message: str) -> None:
    for fit in (Gaussian.fit, lambda e, y: prototypes(e, y, "cosine")):
        with pytest.raises(InputError, match=message):
            fit(EXAMPLES, labels)


def test_single_precision_and_torch_are_taken() -> None:
    single = torch.tensor(EXAMPLES, dtype=torch.float32, requires_grad=True)
    for found in (
        nearest_cosine(single, single),
        prototypes(single, torch.tensor(LABELS), "cosine"),
        mahalanobis_distance(single, Gaussian.fit(single, torch.tensor(LABELS))),
        vim(single, logits(EXAMPLES), Subspace.fit(single, logits(EXAMPLES), 3)),
    ):
        assert found.dtype == np.float64 and np.isfinite(found).all()

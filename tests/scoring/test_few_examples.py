"""Neighbors where classes have fewer examples than neighbors count."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from openshape_ood import KnownClasses, NoveltyDetector, score_embeddings
from openshape_ood.comparison import Comparator, Cosine
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.encoders.protocols import Identity
from openshape_ood.scoring import METHODS, judge
from openshape_ood.scoring.distances import knn_distance
from openshape_ood.scoring.methods import fitted

IDENTITY = Identity("mine", "my space", "ab" * 32)
RANDOM = np.random.RandomState(0)
CENTERS = np.eye(8)[:3]
NEIGHBORS = [name for name in METHODS if name.startswith("knn")]


def around(centers: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(centers, n, axis=0) + 0.2 * RANDOM.normal(size=(n * len(centers), 8))


QUERIES, NOVEL = around(CENTERS, 40), around(np.eye(8)[3:], 20)


def known(*counts: int) -> KnownClasses:
    rows = np.concatenate([around(CENTERS[c : c + 1], n) for c, n in enumerate(counts)])
    return KnownClasses.from_embeddings(rows, [f"class {c}" for c in np.repeat(range(3), counts)], IDENTITY)


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 2, 2), (4, 4, 4), (1, 20, 20), (2, 3, 30)])
@pytest.mark.parametrize("method", NEIGHBORS)
def test_few_examples_tell_known_from_novel(method: str, counts: tuple[int, ...]) -> None:
    classes = known(*counts)
    few = sum(n < 5 for n in counts)
    with pytest.warns(UserWarning, match="k is 5") as caught:
        auroc = ood_metrics(*(judge(rows, classes, method).novelty for rows in (QUERIES, NOVEL)))["auroc"]
    assert auroc > 0.97  # it was 0.6 with one example each
    (told,) = [str(one.message) for one in caught]  # once, however often it judges
    assert told.startswith(f"k is 5, but {few} of 3 known classes have fewer examples, the smallest {min(counts)}. ")
    assert "Give 5 or more examples of every class" in told and "'nearest_distance'" in told


@pytest.mark.parametrize("counts", [(5, 5, 5), (5, 9, 30)])
@pytest.mark.parametrize("metric, method", [("cosine", "knn"), ("euclidean", "knn_euclidean")])
def test_of_enough_examples_it_is_the_kth_nearest_of_all(metric: str, method: str, counts: tuple[int, ...]) -> None:
    classes = known(*counts)
    expected = knn_distance(QUERIES, classes.examples, k=5, metric=metric)
    if metric == "cosine":
        expected = np.sqrt(2 * expected)
    np.testing.assert_array_equal(judge(QUERIES, classes, method).novelty, expected)


@pytest.mark.filterwarnings("ignore:k is 5, but")
def test_only_near_the_class_that_has_few() -> None:
    classes = known(1, 20, 20)
    found, first = judge(QUERIES, classes, "knn"), judge(QUERIES, classes, "nearest_distance").novelty
    fifth = np.sqrt(2 * knn_distance(QUERIES, classes.examples, k=5))
    assert set(found.nearest) == {0, 1, 2}
    np.testing.assert_allclose(found.novelty, np.where(found.nearest == 0, first, fifth), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:k is 5, but")
@pytest.mark.parametrize("counts", [(1, 3, 6), (5, 5, 5), (2, 1, 1)])
def test_left_out_is_the_novelty_without_the_example(counts: tuple[int, ...]) -> None:
    classes = known(*counts)
    found: Any = fitted(METHODS["knn"], classes)
    rows = classes.examples
    rest = [classes.subset(np.arange(len(rows)) != i) for i in range(len(rows))]
    expected = [judge(rows[i : i + 1], one, "knn").novelty[0] for i, one in enumerate(rest)]
    np.testing.assert_allclose(found.left_out(classes), expected, rtol=1e-9)


def test_a_detector_warns_and_more_examples_count_later() -> None:
    detector, labels = NoveltyDetector("knn", k=3), np.repeat(["a", "b", "c"], 2)
    with pytest.warns(UserWarning, match="k is 3, but 3 of 3 known classes have fewer examples"):
        detector.fit(around(CENTERS, 2), labels)
    assert (detector.novelty_score(NOVEL).mean() > detector.novelty_score(QUERIES)).mean() > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more = detector.partial_fit(around(CENTERS, 4), np.repeat(["a", "b", "c"], 4))
    examples = more._parts[0].scorer.examples
    np.testing.assert_allclose(more.novelty_score(QUERIES), np.sqrt(2 * knn_distance(QUERIES, examples, k=3)))


def test_a_comparator_by_neighbors_warns() -> None:
    comparator = Comparator.of(Cosine(), prototypes="all", score="neighbors", k=3)
    with pytest.warns(UserWarning, match="k is 3, but 1 of 3 known classes have fewer examples, the smallest 2"):
        score_embeddings(QUERIES, known(2, 3, 9), comparator)

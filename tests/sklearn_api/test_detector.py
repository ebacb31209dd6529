from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf, shrunk_covariance
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from openshape_ood import NoveltyDetector
from openshape_ood.decisions.calibration import conformal_threshold, expected_coverage, leave_one_out
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.scoring import METHODS as ALL_METHODS
from openshape_ood.scoring import Judgement, Method

METHODS = {name: m for name, m in ALL_METHODS.items() if m.needs == "examples" and name != "vim"}
NAMES = ["bed", "chair", "lamp"]


def blobs(each: int = 30, classes: int = 3, d: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around the first axes, and names; every class as often."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return rng.normal(4 * np.eye(d)[labels], 0.7), np.array(NAMES)[labels]


def fitted(method: str = "prototype_distance", **settings: Any) -> NoveltyDetector:
    return NoveltyDetector(method, **settings).fit(*blobs())


FEW_LEFT = "3 examples are too few for a covariance"
QUERIES = np.concatenate([blobs(4, seed=1)[0], -blobs(4, seed=2)[0]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")  # pandas and scipy's array API, if absent
@pytest.mark.parametrize(
    "detector", [NoveltyDetector(), NoveltyDetector(method="knn", k=2)], ids=["prototype_distance", "knn"]
)
def test_it_is_an_estimator_of_scikit_learn(detector: NoveltyDetector) -> None:
    check_estimator(detector)


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"prototype_distance", "knn"}))
def test_other_methods_pass_all_checks_that_have_a_meaning_for_them(method: str) -> None:
    # "nearest_distance" is 0 for its own examples, so that none is novel; one class has no relative distance
    pointless = {"check_outliers_train", "check_outliers_fit_predict"} if "nearest" in method or "rel" in method else ()
    for estimator, check in estimator_checks_generator(NoveltyDetector(method=method, k=2)):
        name = getattr(check, "func", check).__name__
        if name not in {*pointless, "check_array_api_input", "check_classifier_data_not_an_array"}:
            check(estimator)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))


def by_hand(method: str, queries: np.ndarray, X: np.ndarray, labels: np.ndarray) -> np.ndarray:  # noqa: N803
    """Novelty, written out."""
    k = 5 if method.startswith("knn") else 1
    if method.endswith("mahalanobis"):
        X, queries = unit(X), unit(queries)  # noqa: N806
        means = np.stack([X[labels == c].mean(axis=0) for c in np.unique(labels)])
        within = X - means[np.unique(labels, return_inverse=True)[1]]
        covariance, shrinkage = ledoit_wolf(within, assume_centered=True)
        distances = np.array([[(q - m) @ np.linalg.solve(covariance, q - m) for m in means] for q in queries])
        if method == "mahalanobis":
            return distances.min(axis=1)
        centered = queries - X.mean(axis=0)
        background = shrunk_covariance(np.cov(X.T, bias=True), shrinkage)
        return distances.min(axis=1) - [c @ np.linalg.solve(background, c) for c in centered]
    metric = "euclidean" if method.endswith("euclidean") else "cosine"
    if method.startswith("prototype"):
        rows = X if metric == "euclidean" else unit(X)
        X = np.stack([rows[labels == c].mean(axis=0) for c in np.unique(labels)])  # noqa: N806
    found = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(X)
    distance = found.kneighbors(queries)[0][:, -1]
    return np.sqrt(2 * np.maximum(distance, 0)) if metric == "cosine" else distance


@pytest.mark.parametrize("method", sorted(METHODS))
def test_scores_and_signs(method: str) -> None:
    detector = fitted(method)
    expected = by_hand(method, QUERIES, *blobs())
    np.testing.assert_allclose(detector.novelty_score(QUERIES), expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(detector.score_samples(QUERIES), -detector.novelty_score(QUERIES))
    np.testing.assert_allclose(detector.decision_function(QUERIES), -expected - detector.offset_, atol=1e-8)
    known = detector.predict(QUERIES) == 1
    np.testing.assert_array_equal(known, expected <= detector.thresholds_[0])
    assert set(detector.classify(QUERIES)[~known]) == {"novel"}
    np.testing.assert_array_equal(detector.classify(QUERIES)[:12][known[:12]], np.repeat(NAMES, 4)[known[:12]])
    if method == "relative_mahalanobis":  # far from all examples the background is as far: not its strength
        return
    assert known[:12].mean() > 0.7 and not known[12:].any()


@pytest.mark.parametrize("method", [m for m in sorted(METHODS) if "mahalanobis" not in m])
def test_the_threshold_is_that_of_leaving_one_out(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    left_out = leave_one_out(X, labels, lambda q, rest, own: by_hand(method, q, rest, own))
    limit = conformal_threshold(left_out, 0.9)
    detector = fitted(method, coverage=0.9)
    np.testing.assert_allclose(detector.thresholds_, [limit] * 3, rtol=1e-9)
    assert detector.coverages_.tolist() == [expected_coverage(90, 0.9)] * 3


@pytest.mark.parametrize("method", ["mahalanobis", "relative_mahalanobis"])
def test_a_covariance_is_fitted_without_the_twentieth_that_it_is_calibrated_on(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    left_out = np.empty(90)
    for fold in range(20):  # rows are sorted by class
        out = np.arange(90) % 20 == fold
        left_out[out] = by_hand(method, X[out], X[~out], labels[~out])
    assert fitted(method).thresholds_[0] == pytest.approx(conformal_threshold(left_out, 0.95), rel=1e-9)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_few_examples_take_the_largest_novelty_left_out(method: str) -> None:
    X, labels = blobs(each=4)  # noqa: N806
    detector = NoveltyDetector(method, k=2).fit(X, labels)
    assert detector.coverages_[0] == 12 / 13
    if method == "nearest_distance":
        left_out = leave_one_out(X, labels, lambda q, rest, own: by_hand(method, q, rest, own))
        assert detector.thresholds_[0] == pytest.approx(left_out.max())


def test_a_class_of_one_example_does_not_raise_the_threshold() -> None:
    X, labels = blobs()  # noqa: N806
    lonely = NoveltyDetector().fit(np.vstack([X, -9 * np.eye(8)[:1]]), [*labels, "ufo"])
    assert lonely.thresholds_[0] == pytest.approx(fitted().thresholds_[0])
    assert lonely.classify(-np.eye(8)[:1]).tolist() == ["ufo"]
    alone = NoveltyDetector().fit(4 * np.eye(3), ["a", "b", "c"])  # no class has two: as novel as a new class
    assert alone.thresholds_[0] == pytest.approx(np.sqrt(2))


def test_about_as_many_known_are_kept_as_promised() -> None:
    # 40 draws of 60 examples and 100 queries: coverage 0.95 within three standard errors, leaving one out being close
    kept = [
        (NoveltyDetector("knn", k=3).fit(blobs(20, seed=s)[0]).predict(blobs(40, seed=s + 999)[0]) == 1).mean()
        for s in range(40)
    ]
    assert abs(np.mean(kept) - expected_coverage(60, 0.95)) < 3 * np.std(kept) / np.sqrt(40) + 0.01


@pytest.mark.parametrize("method", sorted(METHODS))
def test_adding_a_class_leaves_the_others_as_they_are(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    two = labels != "lamp"
    before = NoveltyDetector(method, coverage=0.9).fit(X[two], labels[two])
    after = pickle.loads(pickle.dumps(before)).partial_fit(X[~two], labels[~two])
    assert after.classes_.tolist() == NAMES
    assert (after.thresholds_[:2] == before.thresholds_).all() and after.offset_ == before.offset_
    assert (after.novelty_score(QUERIES) <= before.novelty_score(QUERIES)).all()
    assert (after.decision_function(QUERIES) >= before.decision_function(QUERIES)).all()
    away = ~np.isin(after.classify(QUERIES), ["lamp"])  # what the new class does not claim is as before
    np.testing.assert_array_equal(after.classify(QUERIES)[away], before.classify(QUERIES)[away])
    if method != "relative_mahalanobis":  # which sees only where two classes differ
        assert (before.classify(QUERIES[8:12]) == "novel").all()
    assert (after.classify(QUERIES[8:12]) == "lamp").sum() >= 2
    if method in ("prototype_distance", "prototype_euclidean", "nearest_distance", "nearest_euclidean"):
        whole = NoveltyDetector(method).fit(X, labels)
        np.testing.assert_allclose(after.novelty_score(QUERIES), whole.novelty_score(QUERIES), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "method", ["prototype_distance", "prototype_euclidean", "nearest_distance", "knn", "mahalanobis"]
)
def test_an_added_class_has_a_threshold_of_its_own_if_it_can(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    own, detector = labels == "lamp", NoveltyDetector(method).fit(X[labels != "lamp"], labels[labels != "lamp"])
    many = clone(detector).fit(X[~own], labels[~own]).partial_fit(X[own], labels[own])
    few = detector.partial_fit(X[own][:6], labels[own][:6])
    assert few.thresholds_[2] == few.thresholds_[0] and few.coverages_[2] == few.coverages_[0]
    if method == "mahalanobis":  # the covariance of the others, the mean without the example
        precision = many._parts[0].scorer.precision
        rows = unit(X[own])
        rest = [rows[i] - np.delete(rows, i, axis=0).mean(axis=0) for i in range(30)]
        left_out = np.array([r @ precision @ r for r in rest])
    else:
        left_out = leave_one_out(X[own], labels[own], lambda q, rest, lab: by_hand(method, q, rest, lab))
    assert many.thresholds_[2] == pytest.approx(conformal_threshold(left_out, 0.95), rel=1e-9)


@pytest.mark.parametrize(
    "method", ["prototype_distance", "prototype_euclidean", "nearest_distance", "knn", "knn_euclidean"]
)
def test_more_examples_of_a_class_are_as_good_as_all_at_once(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    first = np.arange(90) % 3 > 0
    detector = NoveltyDetector(method).fit(X[first], labels[first])
    limits = detector.thresholds_
    detector.partial_fit(X[~first], labels[~first])
    whole = fitted(method).novelty_score(QUERIES)
    np.testing.assert_allclose(detector.novelty_score(QUERIES), whole, rtol=1e-12, atol=1e-12)
    assert (detector.thresholds_ == limits).all()


def test_classes_added_later_keep_their_names() -> None:
    names = ["bed", "chair", "lamp", "sofa", "tree"]
    rows = np.random.default_rng(0).normal(4 * np.eye(8)[np.arange(100) % 5], 0.3)
    labels = np.array(names)[np.arange(100) % 5]
    detector = NoveltyDetector().fit(rows[labels < "lamp"], labels[labels < "lamp"])
    for some in (["lamp", "sofa"], ["tree"]):
        own = np.isin(labels, some)
        detector.partial_fit(rows[own], labels[own])
    assert [part.classes.tolist() for part in detector._parts] == [[0, 1], [2, 3], [4]]
    assert detector.classify(4 * np.eye(8)[:5]).tolist() == names
    # more examples of an added class move that class alone
    moved = detector.partial_fit(np.repeat(4 * np.eye(8)[7:], 99, axis=0), ["sofa"] * 99)
    assert moved.classify(4 * np.eye(8)[[0, 1, 2, 7, 4]]).tolist() == names


def test_known_and_new_classes_in_one_call_and_the_first_call() -> None:
    X, labels = blobs()  # noqa: N806
    detector = NoveltyDetector("mahalanobis").partial_fit(X[:60], labels[:60])
    covariance = detector._parts[0].scorer.precision
    detector.partial_fit(np.vstack([X[:1] + 1, X[60:]]), ["bed", *labels[60:]])
    first, second = (part.scorer for part in detector._parts)
    np.testing.assert_allclose(first.means[0], unit(np.vstack([X[:30], X[:1] + 1])).mean(axis=0))
    assert (first.precision == covariance).all() and first.counts.tolist() == [31, 30]
    assert second.counts.tolist() == [30]
    one = NoveltyDetector().fit(X)
    assert one.classes_.tolist() == ["known"] and one.partial_fit(X[:2])._parts[0].scorer.counts == 92


@pytest.mark.parametrize(
    "X, y, message",
    [
        (np.ones((2, 8)), [1, 2], "names or all numbers"),
        (np.ones((2, 8)), ["novel", "bed"], "reserved for novel"),
        (np.ones((2, 8)), None, "Expected labels y"),
        (np.ones((2, 7)), ["sofa", "sofa"], "7 features"),
        (np.full((2, 8), np.nan), ["sofa", "sofa"], "NaN"),
        (np.ones((4, 8)), ["sofa"] * 4, "Expected 5 or more"),
        (np.ones((2, 8)), ["sofa"], "inconsistent"),
    ],
)
def test_what_cannot_be_added_changes_nothing(X: Any, y: Any, message: str) -> None:  # noqa: N803
    detector = fitted("knn")
    before = detector.novelty_score(QUERIES)
    with pytest.raises(ValueError, match=message):
        detector.partial_fit(X, y)
    assert detector.classes_.tolist() == NAMES
    np.testing.assert_array_equal(detector.novelty_score(QUERIES), before)


@pytest.mark.parametrize(
    "labels, expected",
    [
        ([0, 0, 7, 7], [0, 7, -1]),
        ([0.0, 0.0, 7.0, 7.0], [0.0, 7.0, -1.0]),
        ([True, True, False, False], [1, 0, -1]),
        (np.array(["a", "a", "b", "b"], dtype=object), ["a", "b", "novel"]),
        (np.array([0, 0, 200, 200], dtype=np.uint8), [0, 200, -1]),
    ],
)
def test_what_stands_for_novel(labels: Any, expected: list[Any]) -> None:
    X = [[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1]]  # noqa: N806
    found = NoveltyDetector().fit(X, labels).classify([[1, 0, 0], [0, 1, 0], [-1, -1, -1]])
    assert found.tolist() == expected


@pytest.mark.parametrize("method", ["prototype_distance", "nearest_distance", "knn"])
def test_a_zero_row_has_cosine_zero_to_everything(method: str) -> None:
    X, labels = blobs()  # noqa: N806
    zero = np.zeros((1, 8))
    assert fitted(method).novelty_score(zero) == pytest.approx([np.sqrt(2)])
    with pytest.warns(UserWarning, match="k is 2") if method == "knn" else nullcontext():
        with_zero = NoveltyDetector(method, k=2).fit(np.vstack([X, zero]), [*labels, "void"])
    assert with_zero.novelty_score(zero) == pytest.approx([np.sqrt(2)])
    cancelled = NoveltyDetector(method, k=1).fit([[1, 0], [-1, 0], [1, 0], [-1, 0]])
    assert np.isfinite(cancelled.novelty_score([[1, 0]])).all()


@pytest.mark.parametrize("method", [m for m in sorted(METHODS) if "mahalanobis" not in m])
def test_duplicates_of_what_is_known_are_known(method: str) -> None:
    X = np.tile([[0.1, 0.7, 3.3]], (7, 1))  # noqa: N806
    assert (NoveltyDetector(method).fit(X).predict(X) == 1).all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6), scale=st.sampled_from([0.5, 4.0]), method=st.sampled_from(["prototype_distance", "knn"])
)
def test_neither_order_nor_length_matters_to_a_cosine(seed: int, scale: float, method: str) -> None:
    X, labels = blobs(12, seed=seed)  # noqa: N806
    order = np.random.default_rng(seed).permutation(len(X))
    one = NoveltyDetector(method).fit(X, labels)
    other = NoveltyDetector(method).fit(scale * X[order], labels[order])
    np.testing.assert_allclose(one.decision_function(QUERIES), other.decision_function(QUERIES / scale), atol=1e-9)
    np.testing.assert_array_equal(one.classify(QUERIES), other.classify(QUERIES))


@pytest.mark.parametrize(
    "settings, X, y, error, message",
    [
        ({"method": "protoype"}, None, None, UnknownNameError, "Did you mean 'prototype_"),
        ({"method": 3}, None, None, UnknownNameError, "one of max_cosine"),
        ({"coverage": 1.0}, None, None, InputError, "coverage is 1.0"),
        ({"coverage": float("nan")}, None, None, InputError, "coverage is nan"),
        ({"method": "knn", "k": 0}, None, None, InputError, "from 1 to 89"),
        ({"method": "knn", "k": 90}, None, None, InputError, "k is 90 for 90 examples"),
        ({"method": "knn_euclidean", "k": 1.5}, None, None, InputError, "k is 1.5"),
        ({"method": "relative_mahalanobis"}, np.eye(3), None, InputError, "Use mahalanobis"),
        ({"method": "mahalanobis"}, np.eye(3), ["a", "b", "c"], InputError, "prototypes or nearest neighbors"),
        ({"method": "mahalanobis"}, np.eye(3), ["a", "a", "b"], InputError, FEW_LEFT),
        ({"method": "relative_mahalanobis"}, np.eye(3), ["a", "a", "b"], InputError, FEW_LEFT),
        ({"method": "mcm"}, blobs()[0], None, InputError, "constant for one known class"),
        ({}, np.eye(3), ["a", "b", "novel"], ClassNamesError, "reserved for novel"),
        ({}, np.eye(3), [0, 1, -1], ClassNamesError, "reserved for novel"),
        ({}, np.eye(3), np.array(["a", 2, None], dtype=object), InputError, "neither all names nor all numbers"),
        ({}, np.eye(3), [0.1, 0.2, 0.7], ValueError, "continuous"),
        ({}, np.eye(3), ["a", "b"], ValueError, "inconsistent"),
        ({}, np.eye(3)[:1], None, ValueError, "minimum of 2"),
        ({}, np.empty((0, 3)), None, ValueError, "0 sample"),
        ({}, [[1.0, np.nan], [0.0, 1.0]], None, ValueError, "NaN"),
        ({}, [[1.0, np.inf], [0.0, 1.0]], None, ValueError, "infinity"),
    ],
)
def test_bad_input_to_fit(settings: Any, X: Any, y: Any, error: type[Exception], message: str) -> None:  # noqa: N803
    given_x, given_y = blobs() if X is None else (X, y)
    with pytest.raises(error, match=message):
        NoveltyDetector(**settings).fit(given_x, given_y)


def test_bad_queries() -> None:
    detector = fitted()
    for method in ("predict", "score_samples", "decision_function", "novelty_score", "classify"):
        for bad, message in (
            (np.full((1, 8), np.nan), "NaN"),
            (np.ones((1, 7)), "expecting 8 features"),
            (np.empty((0, 8)), "0 sample"),
            (np.ones(8), "1D array"),
        ):
            with pytest.raises(ValueError, match=message):
                getattr(detector, method)(bad)
        with pytest.raises(NotFittedError):
            getattr(NoveltyDetector(), method)(QUERIES)
    with pytest.raises(NotFittedError):
        NoveltyDetector().save("detector.safetensors")


def test_tensors_and_single_precision() -> None:
    import torch

    X, labels = blobs()  # noqa: N806
    half = NoveltyDetector("knn").fit(torch.from_numpy(X).float(), labels)
    assert half.novelty_score(torch.from_numpy(QUERIES)).dtype == np.float64
    np.testing.assert_allclose(half.novelty_score(QUERIES), fitted("knn").novelty_score(QUERIES), atol=1e-5)


def test_scikit_learns_tools_work_with_it() -> None:
    X, labels = blobs()  # noqa: N806
    assert clone(NoveltyDetector("knn", k=3, coverage=0.9)).get_params() == {"method": "knn", "k": 3, "coverage": 0.9}
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(NoveltyDetector(), {"method": ["prototype_distance", "knn"], "k": [1, 3]}, cv=folds, n_jobs=1)
    assert search.fit(X, labels).best_score_ > 0.8
    assert set(search.predict(QUERIES)) == {1, -1}
    # novel rows in the test fold, labeled by what is in no training fold
    both, names = np.concatenate([X, -X[:20]]), [*labels, *["ufo"] * 20]
    one = [(np.arange(0, 90, 2), np.concatenate([np.arange(1, 90, 2), np.arange(90, 110)]))]
    detector = NoveltyDetector().fit(both[one[0][0]], labels[::2])
    expected = np.concatenate([detector.classify(X[1::2]) == labels[1::2], detector.predict(-X[:20]) == -1]).mean()
    assert cross_val_score(NoveltyDetector(), both, names, cv=one)[0] == pytest.approx(expected)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_it_is_saved_and_loaded_and_pickled_alike(method: str, tmp_path: Path) -> None:
    X, labels = blobs()  # noqa: N806
    detector = NoveltyDetector(method, coverage=0.9).fit(X[:60], labels[:60]).partial_fit(X[60:], labels[60:])
    detector.identity = Identity("tiny", "words", "ab" * 32)
    path = detector.save(tmp_path / "detector.safetensors")
    joblib.dump(detector, tmp_path / "detector.joblib")
    for again in (NoveltyDetector.load(path, Identity("tiny", "words")), joblib.load(tmp_path / "detector.joblib")):
        assert again.identity == detector.identity and again.get_params() == detector.get_params()
        np.testing.assert_array_equal(again.decision_function(QUERIES), detector.decision_function(QUERIES))
        np.testing.assert_array_equal(again.classify(QUERIES), detector.classify(QUERIES))
        again.partial_fit(-X[:30], ["ufo"] * 30)
        assert again.classes_.tolist() == [*NAMES, "ufo"] and (again.predict(-X[:30]) == 1).sum() >= 27
    assert sorted(p.name for p in tmp_path.iterdir()) == ["detector.joblib", "detector.safetensors"]
    with pytest.raises(MixedEncodersError, match=r"of tiny \(sha256 abababab\). Expected vitb32"):
        NoveltyDetector.load(path, Identity("vitb32", "words", "cd" * 32))


def test_classes_of_one_example_are_saved(tmp_path: Path) -> None:
    detector = NoveltyDetector().fit(np.eye(4), ["a", "b", "c", "c"])
    again = NoveltyDetector.load(detector.save(tmp_path / "d.safetensors"))
    assert again._parts[0].scorer.counts.tolist() == [1, 1, 2]


def test_labels_that_are_numbers_and_columns_are_saved(tmp_path: Path) -> None:
    detector = NoveltyDetector("nearest_distance").fit(np.eye(4), [3, 3, 5, 5])
    detector.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    again = NoveltyDetector.load(detector.save(tmp_path / "d.safetensors"))
    assert again.classes_.tolist() == [3, 5] and again.classes_.dtype == np.int64 and again.identity is None
    assert again.feature_names_in_.tolist() == ["a", "b", "c", "d"] and again.n_features_in_ == 4


Header, Arrays = dict[str, Any], dict[str, np.ndarray]
DAMAGES: dict[str, Callable[[Header, Arrays], object]] = {
    "format": lambda header, arrays: header.update(format="openshape_ood bank 1"),
    "nan": lambda header, arrays: np.put(arrays["0.examples"], 0, np.nan),
    "labels": lambda header, arrays: np.put(arrays["0.labels"], 0, 7),
    "width": lambda header, arrays: header.update(width=9),
    "missing": lambda header, arrays: arrays.pop("0.labels"),
    "classes": lambda header, arrays: header["parts"][0].update(classes=["bed", "bed", "lamp"]),
    "more_classes": lambda header, arrays: header["parts"][0].update(classes=["a", "b", "c", "d"]),
    "k": lambda header, arrays: header["parts"][0]["settings"].update(k=1000),
    "metric": lambda header, arrays: header["parts"][0]["settings"].update(metric="manhattan"),
    "kind": lambda header, arrays: header["parts"][0].update(scorer="builtins"),
    "method": lambda header, arrays: header["parameters"].update(method="exec"),
    "parameter": lambda header, arrays: header["parameters"].update(other=1),
    "threshold": lambda header, arrays: header["parts"][0].update(threshold=float("nan")),
    "no_parts": lambda header, arrays: header.update(parts=[]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path = fitted("knn").save(tmp_path / "detector.safetensors")
    header, arrays = json.loads(header_of(path)), load_file(path)
    DAMAGES[damage](header, arrays)
    known = header.pop("format", "openshape_ood detector 1")
    save_file(arrays, path, {"format": known, "header": json.dumps(header)})
    with pytest.raises(FileError, match=r"detector\.safetensors is no detector, or a damaged one"):
        NoveltyDetector.load(path)


def header_of(path: Path) -> str:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])["__metadata__"]["header"]


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with pytest.raises(FileError, match=r"cannot read the detector .*other\.safetensors"):
        NoveltyDetector.load(path)
    path.write_bytes(b"not at all")
    with pytest.raises(FileError, match="cannot read the detector"):
        NoveltyDetector.load(path)
    save_file({"x": np.ones(3)}, path)
    with pytest.raises(FileError, match="its header is not"):
        NoveltyDetector.load(path)
    with pytest.raises(FileError, match=r"a \.safetensors file"):
        NoveltyDetector.load(tmp_path / "detector.pkl")
    with pytest.raises(FileError, match="cannot write the detector"):
        fitted().save(tmp_path / "nowhere" / "detector.safetensors")
    with pytest.raises(FileError, match=r"a \.safetensors file"):
        fitted().save(tmp_path / "detector.pkl")


def test_an_identity_is_forgotten_by_another_fit_and_asked_for_when_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    detector = NoveltyDetector().fit(rng.normal(size=(30, 4)))
    detector.identity = Identity("tiny", "words", "ab" * 32)
    detector.fit(rng.normal(size=(30, 6)))
    assert detector.identity is None
    path = tmp_path / "detector.safetensors"
    detector.save(path)
    assert NoveltyDetector.load(path).identity is None
    with pytest.raises(MixedEncodersError, match="does not state its encoder"):
        NoveltyDetector.load(path, Identity("vitb32", "words", "cd" * 32))


def test_a_method_with_settings_of_its_own_keeps_them() -> None:
    rows, y = blobs()
    own = NoveltyDetector(ALL_METHODS["knn"].configured(k=2)).fit(rows, y)
    np.testing.assert_array_equal(
        own.novelty_score(rows + 1), NoveltyDetector("knn", k=2).fit(rows, y).novelty_score(rows + 1)
    )


@pytest.mark.parametrize("method", ["mcm", "entropy", "margin"])
@pytest.mark.parametrize("each", [3, 30])
def test_one_new_class_has_nothing_to_be_compared_with_by_a_softmax(method: str, each: int) -> None:
    X, y = blobs()  # noqa: N806
    first = y != "lamp"
    detector = NoveltyDetector(method).fit(X[first], y[first])
    before = detector.novelty_score(QUERIES)
    with pytest.raises(InputError, match=rf"method '{method}' cannot learn the new classes alone.*fit again with all"):
        detector.partial_fit(X[~first][:each], y[~first][:each])
    assert detector.classes_.tolist() == ["bed", "chair"]
    np.testing.assert_array_equal(detector.novelty_score(QUERIES), before)


class Flat:
    """Says too little."""

    def __init__(self, known: Any, right: Any = True) -> None:
        self.k, self.right = len(known.names), right

    def judge(self, rows: np.ndarray) -> Judgement:
        k = self.k if self.right is True or len(rows) < self.right else 1
        return Judgement(np.ones(len(rows)), np.zeros(len(rows), dtype=int), np.zeros((len(rows), k)))


def test_what_a_method_of_ones_own_says_is_checked() -> None:
    X, y = blobs()  # noqa: N806
    with pytest.raises(InputError, match=r"(?s)method 'flat' returned .* as similarity\. Expected a Judgement"):
        NoveltyDetector(Method("flat", Flat, settings={"right": False})).fit(X, y)
    detector = NoveltyDetector(Method("flat", Flat, settings={"right": 10})).fit(X, y)
    assert detector.predict(X[:9]).shape == (9,)
    for answer in (detector.predict, detector.novelty_score, detector.classify):
        with pytest.raises(InputError, match="method 'flat'"):
            answer(X[:20])

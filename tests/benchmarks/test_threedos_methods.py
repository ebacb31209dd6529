"""Each method against a loop over shapes and classes, written out."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeEncoder, FakeText

from benchmarks.threedos.methods import METHODS, Reference, judge_all, printed_prototype_classes
from openshape_ood.known import KnownClasses

RNG = np.random.RandomState(0)
SUPPORT = RNG.normal(size=(12, 8)) * RNG.uniform(0.5, 2, size=(12, 1))
LABELS = np.array([1, 1, 0, 2, 2, 1, 0, 2, 0, 1, 2, 0])
QUERIES = RNG.normal(size=(30, 8)) * 3
WORDS = {name: RNG.normal(size=8) for name in ("bed", "desk", "table", "toilet")}
OWNERS = np.array([0, 1, 1, 2])
BY_NAMES, BY_PROTOTYPES, BY_EXAMPLE = METHODS


def reference(unit: bool) -> Reference:
    encoder = FakeEncoder(dim=8)
    names = KnownClasses.from_names(list(WORDS), FakeText(WORDS))
    return Reference.of(names, OWNERS, SUPPORT, LABELS, encoder.identity, unit)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))


def to_unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("unit", [True, False])
def test_of_two_names_of_a_class_the_better_one_counts(unit: bool) -> None:
    novelty, nearest = BY_NAMES.judge(QUERIES, reference(unit))
    for z, found, c in zip(QUERIES, novelty, nearest, strict=True):
        cosines = [cosine(z, word) for word in WORDS.values()]
        assert found == pytest.approx(1 - max(cosines), abs=1e-5)
        assert c == OWNERS[np.argmax(cosines)]


@pytest.mark.parametrize("unit", [True, False])
def test_prototypes(unit: bool) -> None:
    rows, queries = (to_unit(SUPPORT), to_unit(QUERIES)) if unit else (SUPPORT, QUERIES)
    means = np.stack([rows[c == LABELS].mean(axis=0) for c in range(3)])
    means = to_unit(means) if unit else means
    novelty, nearest = BY_PROTOTYPES.judge(QUERIES, reference(unit))
    for z, found, c in zip(queries, novelty, nearest, strict=True):
        distances = [np.sqrt(((z - m) ** 2).sum()) for m in means]
        assert found == pytest.approx(min(distances), abs=1e-5)
        assert c == np.argmin(distances)


@pytest.mark.parametrize("unit", [True, False])
def test_nearest_example(unit: bool) -> None:
    rows, queries = (to_unit(SUPPORT), to_unit(QUERIES)) if unit else (SUPPORT, QUERIES)
    novelty, nearest = BY_EXAMPLE.judge(QUERIES, reference(unit))
    for z, found, c in zip(queries, novelty, nearest, strict=True):
        distances = [np.sqrt(((z - s) ** 2).sum()) for s in rows]
        assert found == pytest.approx(min(distances), abs=1e-5)
        assert c == LABELS[np.argmin(distances)]


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.known_by)
def test_the_example_shown_is_the_nearest_of_the_class_it_was_taken_for(method: object, unit: bool) -> None:
    rows, queries = (to_unit(SUPPORT), to_unit(QUERIES)) if unit else (SUPPORT, QUERIES)
    scored = judge_all(method, {"novel1": QUERIES, "novel2": QUERIES[:0]}, reference(unit))
    assert list(scored) == ["novel1"]
    for z, c, i in zip(queries, scored["novel1"].nearest, scored["novel1"].example, strict=True):
        members = [j for j in range(12) if LABELS[j] == c]
        assert i == min(members, key=lambda j: float(((z - rows[j]) ** 2).sum()))


def test_prototype_classes_as_printed() -> None:
    # the label of the i-th support shape for prototype i; in the release all first ones are of one class
    assert printed_prototype_classes(np.array([0, 1, 2, 2]), np.array([1, 1, 1, 0, 2])).tolist() == [1, 1, 1, 1]

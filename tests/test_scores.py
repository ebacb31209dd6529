from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeEncoder, FakeText

from openshape_ood import Known, scores
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.scores import SCORES, cosine, find_score

D = 16
RANDOM = np.random.RandomState(0)
EXAMPLES = {name: RANDOM.normal(size=(m, D)) + 2 * RANDOM.normal(size=D) for name, m in (("a", 5), ("b", 1), ("c", 9))}
QUERIES = RANDOM.normal(size=(40, D))


def bank(examples: dict[str, Any] = EXAMPLES) -> Known:
    return Known.from_examples(examples, FakeEncoder(embedding_dim=D))


def names_bank() -> Known:
    return Known.from_names(list(EXAMPLES), FakeText({name: e[0] for name, e in EXAMPLES.items()}))


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt((vector**2).sum())


def prototype(name: str) -> np.ndarray:
    return unit(np.mean([unit(e) for e in EXAMPLES[name]], axis=0))


# each score, a query at a time, as its definition is written
FORMULAS = {
    "max_cosine": lambda z: 1 - max(float(z @ prototype(name)) for name in EXAMPLES),
    "prototype_distance": lambda z: min(np.linalg.norm(z - prototype(name)) for name in EXAMPLES),
    "nearest_distance": lambda z: min(np.linalg.norm(z - unit(e)) for rows in EXAMPLES.values() for e in rows),
}
NEAREST = {
    "max_cosine": lambda z: max(EXAMPLES, key=lambda name: float(z @ prototype(name))),
    "prototype_distance": lambda z: min(EXAMPLES, key=lambda name: np.linalg.norm(z - prototype(name))),
    "nearest_distance": lambda z: min(EXAMPLES, key=lambda n: min(np.linalg.norm(z - unit(e)) for e in EXAMPLES[n])),
}
every_score = pytest.mark.parametrize("method", SCORES)


@every_score
def test_novelty_is_its_formula(method: str) -> None:
    expected = [FORMULAS[method](unit(q)) for q in QUERIES]
    np.testing.assert_allclose(SCORES[method].novelty(QUERIES, bank()), expected, rtol=0, atol=1e-12)


@every_score
def test_nearest_is_the_class_behind_the_novelty(method: str) -> None:
    nearest = [bank().names[i] for i in SCORES[method].nearest(QUERIES, bank())]
    assert nearest == [NEAREST[method](unit(q)) for q in QUERIES]


def test_cosine_is_with_every_anchor() -> None:
    expected = [[unit(q) @ prototype(name) for name in EXAMPLES] for q in QUERIES]
    np.testing.assert_allclose(cosine(QUERIES, bank()), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "method, target",
    [("max_cosine", prototype("c")), ("prototype_distance", prototype("c")), ("nearest_distance", EXAMPLES["a"][3])],
)
def test_novelty_is_zero_at_the_target_and_grows_all_the_way_to_its_opposite(method: str, target: np.ndarray) -> None:
    known = bank({"only": target[None]})
    target = unit(target)
    aside = unit(QUERIES[0] - (QUERIES[0] @ target) * target)
    angles = np.linspace(0, np.pi, 50)[:, None]
    novelty = SCORES[method].novelty(np.cos(angles) * target + np.sin(angles) * aside, known)
    # a distance is the root of a difference, so a rounding error of 1e-16 shows as 1e-8
    np.testing.assert_allclose(novelty[[0, -1]], [0, 2], atol=1e-7)
    assert (np.diff(novelty) > 0).all()


def test_a_query_that_is_an_example_is_not_novel() -> None:
    np.testing.assert_allclose(scores.nearest_distance(np.concatenate(list(EXAMPLES.values())), bank()), 0, atol=1e-7)


@every_score
@pytest.mark.parametrize("scale", [1e-30, 0.1, 7, 1e30])
def test_the_length_of_a_query_does_not_matter(method: str, scale: float) -> None:
    novelty = SCORES[method].novelty
    np.testing.assert_allclose(novelty(scale * QUERIES, bank()), novelty(QUERIES, bank()), rtol=0, atol=1e-12)


@every_score
def test_the_length_of_an_example_does_not_matter(method: str) -> None:
    scaled = {name: e * np.linspace(0.1, 9, len(e))[:, None] for name, e in EXAMPLES.items()}
    novelty = SCORES[method].novelty
    np.testing.assert_allclose(novelty(QUERIES, bank(scaled)), novelty(QUERIES, bank()), rtol=0, atol=1e-12)


@every_score
def test_a_query_has_the_same_novelty_alone(method: str) -> None:
    novelty = SCORES[method].novelty
    alone = [novelty(QUERIES[i : i + 1], bank())[0] for i in range(len(QUERIES))]
    np.testing.assert_allclose(novelty(QUERIES, bank()), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("elements", [1, 15, 31, 600])
def test_blocks_change_nothing(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scores.nearest_distance(QUERIES, bank()), scores.nearest_example(QUERIES, bank())
    monkeypatch.setattr(scores, "TABLE_ELEMENTS", elements)
    np.testing.assert_allclose(scores.nearest_distance(QUERIES, bank()), whole[0], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(scores.nearest_example(QUERIES, bank()), whole[1])


@every_score
def test_no_queries_give_no_novelty(method: str) -> None:
    assert SCORES[method].novelty(np.empty((0, D)), bank()).shape == (0,)
    assert SCORES[method].nearest(np.empty((0, D)), bank()).shape == (0,)


@every_score
@pytest.mark.parametrize("queries", [QUERIES[:, :-1], QUERIES[0], QUERIES[None], np.float64(1)])
def test_queries_of_another_encoder(method: str, queries: np.ndarray) -> None:
    with pytest.raises(MixedEncodersError, match=r"expected \(b, 16\)"):
        SCORES[method].novelty(queries, bank())


@every_score
@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_a_query_without_a_direction_is_named(method: str, value: float) -> None:
    queries = QUERIES.copy()
    queries[2] = value
    with pytest.raises(InputError, match="query row 2 is zero or not finite"):
        SCORES[method].novelty(queries, bank())


@pytest.mark.parametrize(
    "method, hint",
    [
        ("max_cosin", "did you mean 'max_cosine'"),
        ("nearest", "did you mean 'nearest_distance'"),
        ("zzz", "known: max_cosine"),
    ],
)
def test_an_unknown_method_is_answered_with_the_closest(method: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        find_score(method, has_examples=True)


@pytest.mark.parametrize("method", ["prototype_distance", "nearest_distance"])
def test_a_method_that_needs_examples(method: str) -> None:
    assert find_score(method, has_examples=True) is SCORES[method]
    with pytest.raises(InputError, match=r"needs example shapes.*With names: max_cosine"):
        find_score(method, has_examples=False)


def test_names_have_no_nearest_example() -> None:
    with pytest.raises(InputError, match="the text tower of fake are names only"):
        scores.nearest_distance(QUERIES, names_bank())

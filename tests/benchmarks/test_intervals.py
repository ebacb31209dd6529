from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.threedos import intervals
from benchmarks.threedos.intervals import (
    Pairs,
    accuracy_differences,
    accuracy_intervals,
    metric_intervals,
    paired_differences,
    weighted_metrics,
)
from openshape_ood.decisions.metrics import balanced_accuracy, ood_metrics

FIGURES = ("auroc", "fpr95", "aupr_in", "aupr_out")

in_no_hurry = settings(deadline=None, max_examples=60)  # the first call imports scikit-learn
# objects as (novelty, how often in one draw, how often in another); few novelties, so that most are ties
drawn_objects = st.lists(
    st.tuples(st.integers(-4, 4), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15
).filter(lambda objects: any(o[1] for o in objects) and any(o[2] for o in objects))


def made_up(seeds: int = 3, known: int = 30, novel: int = 40, first: int = 0, ties: bool = True) -> Pairs:
    """The same objects under some sampling seeds: a novelty each, and a little noise a seed."""
    random = np.random.RandomState(first)
    sides = random.normal(0, 1, known), random.normal(1, 1, novel)
    noisy = [tuple(side + random.normal(0, 0.2, len(side)) for side in sides) for _ in range(seeds)]
    return [(k.round(1), n.round(1)) if ties else (k, n) for k, n in noisy]


def named(seeds: int, first: int, objects: int = 60) -> np.ndarray:
    return np.random.RandomState(first).rand(seeds, objects) < 0.7


TITLES = np.array(["sofa", "bed", "chair"])[np.random.RandomState(5).choice(3, p=[0.7, 0.1, 0.2], size=60)]


def slow_bootstrap(pairs: Pairs, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Object by object, with scikit-learn: metric -> (draws,) mean over the pairs."""
    random = np.random.RandomState(seed)
    rows = []
    for _ in range(draws):
        k, n = (random.randint(len(side), size=len(side), dtype=np.int64) for side in pairs[0])
        found = [ood_metrics(known[k], novel[n]) for known, novel in pairs]
        rows.append([np.mean([f[name] for f in found]) for name in FIGURES])
    return dict(zip(FIGURES, np.array(rows).T, strict=True))


def slow_accuracies(sides: list[np.ndarray], draws: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Drawn within each class in the order of the alphabet: for each side, figure -> (draws,) mean over its seeds."""
    random = np.random.RandomState(seed)
    drawn = []
    for title in sorted(set(TITLES)):
        members = np.flatnonzero(title == TITLES)
        drawn.append(members[random.randint(len(members), size=(draws, len(members)), dtype=np.int64)])
    rows = np.concatenate(drawn, axis=1)
    labels = TITLES[rows]
    return [
        {
            "accuracy": np.array([np.mean(right[:, row]) for row in rows]),
            "balanced_accuracy": np.array(
                [
                    np.mean([balanced_accuracy(names, np.where(r[row], names, "wrong")) for r in right])
                    for names, row in zip(labels, rows, strict=True)
                ]
            ),
        }
        for right in sides
    ]


def ones(draws: int, count: int) -> np.ndarray:
    return np.ones((draws, count), dtype=int)


@in_no_hurry
@given(drawn_objects, drawn_objects)
def test_weights_are_repeated_objects(known: list, novel: list) -> None:
    k, n = np.array(known), np.array(novel)
    found = weighted_metrics(k[:, 0], n[:, 0], k[:, 1:].T, n[:, 1:].T)
    assert tuple(found) == FIGURES
    for draw in (0, 1):
        expected = ood_metrics(*(np.repeat(side[:, 0], side[:, 1 + draw]) for side in (k, n)))
        assert [found[name][draw] for name in FIGURES] == pytest.approx([expected[name] for name in FIGURES], abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_weights_of_one_change_nothing(ties: bool) -> None:
    for known, novel in made_up(2, 1255, 1635, ties=ties):
        found, expected = weighted_metrics(known, novel, ones(1, 1255), ones(1, 1635)), ood_metrics(known, novel)
        assert {name: found[name].item() for name in FIGURES} == pytest.approx(
            {name: expected[name] for name in FIGURES}, abs=1e-12
        )


@pytest.mark.parametrize(
    "known, novel, expected",
    [
        ([1, 1, 1], [1, 1], (0.5, 0.95, 0.8, 0.7)),  # one step: precision from 1 to the share, the mean of both
        ([0], [1], (1, 0, 1, 1)),
        ([1], [0], (0, 1, 0.25, 0.25)),  # precision is 0 at recall 0, then 1/2 at recall 1
        (range(20), [18.5, 30], (39 / 40, 0.5, None, None)),  # flat at 19 of 20 exactly: the end of the stretch
    ],
)
def test_cases_counted_by_hand(known: list, novel: list, expected: tuple) -> None:
    found = weighted_metrics(np.array(known), np.array(novel), ones(2, len(known)), ones(2, len(novel)))
    for name, value in zip(FIGURES, expected, strict=True):
        assert value is None or found[name] == pytest.approx([value, value], abs=1e-12)


def test_a_rate_of_95_percent_made_by_weights() -> None:
    # 19 of 20 lie at 0 by weight, one at 2: as 19 / 20 of the known are kept, the novel one at 1 already is
    found = weighted_metrics(np.array([0, 1.5, 2]), np.array([1, 3]), np.array([[19, 0, 1]]), ones(1, 2))
    assert found["fpr95"] == [0.5]


@pytest.mark.parametrize("ties", [False, True])
def test_intervals_are_those_of_a_plain_bootstrap(ties: bool) -> None:
    pairs = made_up(ties=ties)
    found = metric_intervals(pairs, draws=20, seed=7)
    expected = {name: np.percentile(v, [2.5, 97.5]) for name, v in slow_bootstrap(pairs, 20, 7).items()}
    np.testing.assert_allclose([found[n] for n in FIGURES], [expected[n] for n in FIGURES], rtol=0, atol=1e-12)


def test_differences_are_those_of_a_plain_bootstrap() -> None:
    base, other = made_up(3), made_up(2, first=1)
    found = paired_differences(base, other, draws=15, seed=3)
    one, two = slow_bootstrap(base, 15, 3), slow_bootstrap(other, 15, 3)
    for name in FIGURES:
        now = np.mean([ood_metrics(*p)[name] for p in other]) - np.mean([ood_metrics(*p)[name] for p in base])
        expected = (now, *np.percentile(two[name] - one[name], [2.5, 97.5]))
        assert found[name] == pytest.approx(expected, abs=1e-12)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    # of two normal laws one standard deviation apart, AUROC is the normal distribution function at 1 / sqrt(2)
    truth = 0.5 * (1 + math.erf(0.5))
    found = [metric_intervals(made_up(1, 60, 60, first, False), draws=200)["auroc"] for first in range(200)]
    assert 0.90 <= np.mean([low <= truth <= high for low, high in found]) <= 0.99


def test_more_seeds_are_not_more_objects() -> None:
    (pair,) = made_up(1)
    once, thrice = metric_intervals([pair], draws=50), metric_intervals([pair] * 3, draws=50)
    np.testing.assert_allclose([once[n] for n in FIGURES], [thrice[n] for n in FIGURES], rtol=0, atol=1e-12)


def test_the_same_twice_does_not_differ() -> None:
    pairs, right = made_up(), named(3, 0)
    assert paired_differences(pairs, pairs, draws=50) == dict.fromkeys(FIGURES, (0, 0, 0))
    assert accuracy_differences(right, right, TITLES, draws=50) == dict.fromkeys(
        ("accuracy", "balanced_accuracy"), (0, 0, 0)
    )


def test_accuracies_are_those_of_a_plain_bootstrap() -> None:
    base, other = named(3, 0), named(2, 1)
    one, two = slow_accuracies([base, other], 25, 4)
    spans = accuracy_intervals(base, TITLES, draws=25, seed=4)
    differences = accuracy_differences(base, other, TITLES, draws=25, seed=4)
    now = {
        "accuracy": other.mean() - base.mean(),
        "balanced_accuracy": np.mean([balanced_accuracy(TITLES, np.where(r, TITLES, "")) for r in other])
        - np.mean([balanced_accuracy(TITLES, np.where(r, TITLES, "")) for r in base]),
    }
    assert list(spans) == list(differences) == list(now)
    for name in now:
        assert spans[name] == pytest.approx(np.percentile(one[name], [2.5, 97.5]), abs=1e-12)
        expected = (now[name], *np.percentile(two[name] - one[name], [2.5, 97.5]))
        assert differences[name] == pytest.approx(expected, abs=1e-12)


def test_no_class_vanishes() -> None:
    # a class of a single object, named wrongly: in every draw one of two classes is lost wholly
    right = np.array([[True, True, True, False]])
    titles = np.array(["bed", "bed", "bed", "sofa"])
    assert accuracy_intervals(right, titles) == {"accuracy": (0.75, 0.75), "balanced_accuracy": (0.5, 0.5)}


CALLS: list[Callable[..., dict]] = [
    lambda **kw: metric_intervals(made_up(), draws=25, **kw),
    lambda **kw: paired_differences(made_up(), made_up(2, first=1), draws=25, **kw),
    lambda **kw: accuracy_intervals(named(3, 0), TITLES, draws=25, **kw),
    lambda **kw: accuracy_differences(named(3, 0), named(2, 1), TITLES, draws=25, **kw),
]


@pytest.mark.parametrize("call", CALLS)
def test_draws_are_frozen_in_blocks_of_any_size(call: Callable[..., dict], monkeypatch: pytest.MonkeyPatch) -> None:
    np.random.seed(1)  # numpy's own generator plays no part
    found = call(seed=2)
    assert call(seed=3) != found
    for held in (1, 200, 1000, 10**6):
        monkeypatch.setattr(intervals, "HELD", held)
        assert call(seed=2) == found


def test_memory_is_bounded() -> None:
    pairs = made_up(1, 1255, 1635, ties=False)
    metric_intervals(pairs, draws=1)  # imports and caches
    tracemalloc.start()
    metric_intervals(pairs, draws=150)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20

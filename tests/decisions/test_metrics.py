from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from openshape_ood.decisions.metrics import METRICS, balanced_accuracy, ood_metrics, published_fpr95
from openshape_ood.errors import InputError

# From the reference code of 3DOS (github.com/antoalli/3D_OS, utils/ood_metrics.py) on the scores of `made_up`:
# seed, objects (known, novel1, novel2), rounded or not -> metrics in the order of METRICS
REFERENCE = {
    (3, (1255, 788, 847), False): {
        "novel1": (0.7491779076587052, 0.7043147208121827, 0.7952021529891149, 0.6893375591121749, 0.45140292209418154),
        "novel2": (0.846635653372343, 0.7001180637544274, 0.8992096894946708, 0.7519037200029222, 0.43759138644842777),
        "both": (0.7996651924412441, 0.7021406727828746, 0.7365921319635806, 0.8319120587892926, 0.3324071501260969),
    },
    (4, (1255, 788, 847), True): {
        "novel1": (0.7612630695492143, 0.6604140228426395, 0.8037773662425056, 0.7062818885521069, 0.440084177800403),
        "novel2": (0.8572218798948245, 0.637064639905549, 0.9070032051327602, 0.779536710041419, 0.42181792904276205),
        "both": (0.8109738416365121, 0.6483180428134556, 0.7490171047380126, 0.8453454424025146, 0.31945606145094657),
    },
    (5, (7, 5, 3), False): {
        "novel1": (0.9714285714285715, 0.2, 0.9808673469387754, 0.9633333333333334, 0.11666666666666668),
        "novel2": (0.9523809523809524, 0.3333333333333333, 0.9808673469387754, 0.9027777777777777, 0.2333333333333333),
        "both": (0.9642857142857143, 0.25, 0.9662698412698412, 0.9685019841269842, 0.11666666666666667),
    },
}
CASES = [(*key, against, expected) for key, row in REFERENCE.items() for against, expected in row.items()]

in_no_hurry = settings(deadline=None, max_examples=40)  # the first call imports scikit-learn
novelties = st.lists(st.integers(-30, 30), min_size=1, max_size=30)


def made_up(seed: int, counts: tuple[int, int, int], ties: bool) -> dict[str, np.ndarray]:
    """Novelty of known and novel objects; the reference takes the opposite, normality."""
    random = np.random.RandomState(seed)
    laws = {"known": (1, 1), "novel1": (0, 1.2), "novel2": (-0.3, 0.8)}
    normality = {name: random.normal(*law, n) for (name, law), n in zip(laws.items(), counts, strict=True)}
    sets = {name: -(values.round(1) if ties else values) for name, values in normality.items()}
    return {**sets, "both": np.concatenate([sets["novel1"], sets["novel2"]])}


@pytest.mark.parametrize("seed, counts, ties, against, expected", CASES)
def test_metrics_are_those_of_3dos(
    seed: int, counts: Any, ties: bool, against: str, expected: tuple[float, ...]
) -> None:
    sets = made_up(seed, counts, ties)
    found = ood_metrics(sets["known"], sets[against])
    assert tuple(found) == METRICS
    np.testing.assert_allclose([found[name] for name in METRICS], expected, rtol=0, atol=1e-9)


def pairwise_auroc(known: Any, novel: Any) -> float:
    """The share of pairs in which the novel object has the larger novelty, a tie counting one half."""
    difference = np.subtract.outer(np.asarray(novel, float), np.asarray(known, float))
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


@in_no_hurry
@given(novelties, novelties)
def test_auroc_counts_pairs(known: list[int], novel: list[int]) -> None:
    assert ood_metrics(known, novel)["auroc"] == pytest.approx(pairwise_auroc(known, novel), abs=1e-12)


def test_rows_of_other_lengths_are_no_scores() -> None:
    with pytest.raises(InputError, match="scores of known objects"):
        ood_metrics([[1, 2], [3]], [1.0])


@in_no_hurry
@given(novelties, novelties, st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(known: list[int], novel: list[int], random: Any) -> None:
    shuffled = ood_metrics(random.sample(known, len(known)), random.sample(novel, len(novel)))
    assert shuffled == pytest.approx(ood_metrics(known, novel), abs=1e-12)


@in_no_hurry
@given(novelties, novelties)
def test_only_ranks_matter(known: list[int], novel: list[int]) -> None:
    def stretched(values: list[int]) -> np.ndarray:
        return np.exp(np.array(values) / 7) - 3

    assert ood_metrics(stretched(known), stretched(novel)) == pytest.approx(ood_metrics(known, novel), abs=1e-12)


@in_no_hurry
@given(novelties, novelties)
@example([-1, -2, -3, -4, -5, -6, -7, -8, -9], [0, 1])  # shares whose sum is rounded above 1
def test_all_metrics_are_fractions(known: list[int], novel: list[int]) -> None:
    assert all(0 <= value <= 1 and type(value) is float for value in ood_metrics(known, novel).values())


@in_no_hurry
@given(novelties, novelties)
def test_auroc_turns_round_with_the_scores(known: list[int], novel: list[int]) -> None:
    reversed_auroc = ood_metrics(-np.array(known), -np.array(novel))["auroc"]
    assert reversed_auroc == pytest.approx(1 - ood_metrics(known, novel)["auroc"], abs=1e-12)


def test_scores_that_are_all_equal() -> None:
    # the curve is the diagonal, and precision falls from 1 to the share of positives
    found = ood_metrics([1, 1, 1], [1, 1, 1])
    assert found == pytest.approx(
        {"auroc": 0.5, "fpr95": 0.95, "aupr_in": 0.75, "aupr_out": 0.75, "detection_error": 0.5}
    )


def test_perfect_separation() -> None:
    found = ood_metrics([0, 0.1, 0.2], [0.3, 0.4])
    assert found == {"auroc": 1, "fpr95": 0, "aupr_in": 1, "aupr_out": 1, "detection_error": 0}


def test_scores_the_wrong_way_round() -> None:
    found = ood_metrics([0.3, 0.4], [0, 0.1, 0.2])
    assert (found["auroc"], found["fpr95"]) == (0, 1)


def test_fpr95_is_the_share_of_novel_objects_accepted() -> None:
    # 95 % of 40 known objects are the 38 up to 0.37; three of four novel ones lie below the next, 0.38
    assert ood_metrics(np.arange(40) / 100, [0.005, 0.105, 0.375, 0.9])["fpr95"] == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(5))
def test_fpr95_is_the_curve_at_a_recall_of_95_percent(seed: int) -> None:
    """R17."""
    random = np.random.RandomState(seed)
    known, novel = random.standard_normal(300), random.standard_normal(300) + 1
    false, recall, _ = roc_curve(np.repeat([1, 0], 300), -np.concatenate([known, novel]), drop_intermediate=False)
    assert ood_metrics(known, novel)["fpr95"] == pytest.approx(np.interp(0.95, recall, false), abs=1e-9)


def test_a_rate_of_exactly_95_percent() -> None:
    # 19 of 20 known objects are accepted before the first of two novel ones: the flat stretch there counts to its
    # end for FPR95, as in the reference, and from its beginning for the detection error
    found = ood_metrics(np.arange(20), [18.5, 30])
    assert found["fpr95"] == 0.5
    assert found["detection_error"] == pytest.approx(2 / 22 * 0.05)


def test_any_shape_of_list_will_do() -> None:
    assert ood_metrics([[0.1], [0.2]], (1,)) == ood_metrics(np.float32([0.1, 0.2]), np.array([[1]]))


@pytest.mark.parametrize(
    "known, novel, message",
    [
        ([], [1], "scores of known objects are empty"),
        ([1], [], "scores of novel objects are empty"),
        ([1, np.nan], [1], "row 1 of the scores of known objects holds NaN"),
        ([1], [np.inf], "row 0 of the scores of novel objects holds NaN or infinity"),
    ],
)
def test_scores_that_cannot_be_used(known: list[float], novel: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ood_metrics(known, novel)


def test_balanced_accuracy_weighs_classes_not_objects() -> None:
    labels, predictions = ["a"] * 8 + ["b"] * 2, ["a"] * 8 + ["b", "a"]
    assert balanced_accuracy(labels, predictions) == pytest.approx((1 + 0.5) / 2)
    assert balanced_accuracy([0, 0, 1], [2, 2, 1]) == 0.5  # class 2 is predicted but never right


@pytest.mark.parametrize(
    "labels, predictions, message", [([], [], "no labels"), ([1, 2], [1], r"labels are \(2,\) and predictions \(1,\)")]
)
def test_labels_that_cannot_be_used(labels: list[int], predictions: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        balanced_accuracy(labels, predictions)


def test_the_published_fpr_is_that_of_the_largest_threshold_that_keeps_as_many() -> None:
    known = np.arange(1, 21) / 20  # 0.95 of them lie up to any threshold from 0.95 to below 1
    assert published_fpr95(known, [0.96, 0.97, 2.0]) == pytest.approx(2 / 3)
    assert published_fpr95(known, [0.5, 0.96, 1.5, 2.0]) == pytest.approx(1 / 2)

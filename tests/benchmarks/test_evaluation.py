"""Figures of a run against sklearn and written-out sums."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from fakes import FakeEncoder, FakeText
from made_up_shapes import MadeUp
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.threedos.evaluation import evaluate, kept, labels_of
from benchmarks.threedos.methods import Reference
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.results import SHOWN, MethodResult
from benchmarks.threedos.splits import load_split
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.known import KnownClasses

SPLIT = load_split("sr2")
KNOWN = [c.title for c in SPLIT.known]
SEEDS, DRAWS = 2, 100


def objects(titles: list[str]) -> Objects:
    return Objects(tuple(MadeUp(i, title) for i, title in enumerate(titles)))


def made_up(novel2: bool = True, validation: bool = True) -> tuple[BenchmarkData, list[Mapping[str, np.ndarray]]]:
    """Shapes whose embeddings lie near their class's axis if known, near two axes if novel."""
    data = BenchmarkData(
        source="made up",
        generated=True,
        known=SPLIT.known,
        support=objects(["toilet", *KNOWN, *KNOWN]),
        validation=objects(KNOWN * 3 if validation else []),
        test_known=objects([*KNOWN, "bed", *KNOWN]),
        novel1=objects(["chair"] * 4 + ["door"] * 2),
        novel2=objects(["box"] * 3 if novel2 else []),
    )
    return data, [embeddings(data, seed) for seed in range(SEEDS)]


def embeddings(data: BenchmarkData, seed: int) -> dict[str, np.ndarray]:
    rng, axes = np.random.RandomState(seed), dict(zip(KNOWN, np.eye(6), strict=False))
    axes |= {"chair": np.array([1, 1, 0, 0, 0, 0]), "door": np.array([0, 0, 1, 0, 1, 1]), "box": np.ones(6)}
    return {
        name: np.array([axes[t] for t in part.titles.tolist()]).reshape(-1, 6) + 0.4 * rng.normal(size=(len(part), 6))
        for name, part in data.sets.items()
    }


def results(data: BenchmarkData, embedded: list[Mapping[str, np.ndarray]]) -> list[MethodResult]:
    words = dict(zip(["bed", "toilet", "desk", "table", "monitor"], np.eye(6)[[0, 1, 2, 2, 3]], strict=True))
    names = KnownClasses.from_names(list(words), FakeText(words))
    labels = labels_of(data.support, data)
    encoder = FakeEncoder(dim=6)
    owners = np.array([0, 1, 2, 2, 3])
    identity = encoder.identity
    references = [Reference.of(names, owners, sets["support"], labels, identity, unit=True) for sets in embedded]
    return evaluate(data, embedded, references, DRAWS)


def test_labels_follow_the_order_of_the_set() -> None:
    data, _ = made_up()
    assert labels_of(data.support, data).tolist() == [1, 0, 1, 2, 3, 0, 1, 2, 3]


def test_metrics_are_means_over_the_seeds_of_known_against_each_novel_set() -> None:
    for result in results(*made_up()):
        assert list(result.metrics) == ["novel1", "novel2", "both"]
        for i, sets in enumerate(result.scored):
            known = sets["known"].novelty
            novel = np.concatenate([sets["novel1"].novelty, sets["novel2"].novelty])
            truth = np.repeat([0, 1], [len(known), len(novel)])
            auroc = roc_auc_score(truth, np.concatenate([known, novel]))
            assert result.metrics["both"]["auroc"].seeds[i] == pytest.approx(auroc, abs=1e-12)
            separate = ood_metrics(known, sets["novel2"].novelty)
            assert {m: result.metrics["novel2"][m].seeds[i] for m in SHOWN} == {m: separate[m] for m in SHOWN}
        figure = result.metrics["both"]["auroc"]
        assert figure.mean == pytest.approx(sum(figure.seeds) / 2)
        assert figure.spread == pytest.approx(abs(figure.seeds[0] - figure.seeds[1]) / np.sqrt(2))
        assert figure.low <= figure.mean <= figure.high


def test_accuracies_are_closed_set() -> None:
    data, embedded = made_up()
    truth = labels_of(data.test_known, data)
    for result in results(data, embedded):
        guesses = [sets["known"].nearest for sets in result.scored]
        assert result.accuracy.seeds == pytest.approx([np.mean(g == truth) for g in guesses])
        assert result.balanced_accuracy.seeds == pytest.approx([balanced_accuracy_score(truth, g) for g in guesses])


def test_prototype_accuracy_as_the_3dos_code_prints_it() -> None:
    data, embedded = made_up()
    by_names, by_prototypes, by_example = results(data, embedded)
    assert by_names.printed_accuracy is None and by_example.printed_accuracy is None
    support, truth = labels_of(data.support, data), labels_of(data.test_known, data)
    expected = [np.mean(support[sets["known"].nearest] == truth) for sets in by_prototypes.scored]
    assert by_prototypes.printed_accuracy is not None
    assert by_prototypes.printed_accuracy.seeds == pytest.approx(expected)


def test_confusion_counts_what_novel_classes_are_taken_for() -> None:
    data, embedded = made_up()
    for result in results(data, embedded):
        assert list(result.confusion) == ["chair", "door", "box"]
        for row in result.confusion.values():
            assert sum(row.values()) == pytest.approx(1)
        taken = [KNOWN[c] for sets in result.scored for c in sets["novel1"].nearest[:4]]
        assert result.confusion["chair"] == {k: pytest.approx(taken.count(k) / 8) for k in KNOWN}


def test_the_threshold_keeps_95_percent_of_the_validation_shapes() -> None:
    for result in results(*made_up()):
        limits = [np.quantile(sets["validation"].novelty, 0.95) for sets in result.scored]
        assert result.thresholds == pytest.approx(limits)
        assert result.threshold == limits[0]
        accepted = [np.mean(s["novel2"].novelty <= t) for s, t in zip(result.scored, limits, strict=True)]
        shares = kept(result)
        assert shares is not None
        assert shares["novel2"] == pytest.approx(np.mean(accepted))
        assert shares["validation"] == pytest.approx(11 / 12)


def test_sets_without_shapes_are_left_out() -> None:
    data, embedded = made_up(novel2=False, validation=False)
    for result in results(data, embedded):
        assert list(result.metrics) == ["novel1", "both"]
        assert result.metrics["both"]["auroc"] == result.metrics["novel1"]["auroc"]
        assert list(result.confusion) == ["chair", "door"]
        assert result.threshold is None and kept(result) is None

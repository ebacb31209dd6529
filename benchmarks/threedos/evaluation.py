"""Evaluation of a run: from embeddings of its sets to scores of each method, and to figures with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.threedos.intervals import accuracy_intervals, metric_intervals
from benchmarks.threedos.methods import METHODS, Method, Reference, judge_all, printed_prototype_classes
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.results import SHOWN, Figure, MethodResult, Scored
from openshape_ood.decisions.metrics import balanced_accuracy, ood_metrics

Judged = tuple[Mapping[str, Scored], ...]  # per seed: set -> scores of one method

KEPT = 0.95
NOVEL = ("novel1", "novel2")


def evaluate(
    data: BenchmarkData, embedded: Sequence[Mapping[str, np.ndarray]], references: Sequence[Reference], draws: int
) -> list[MethodResult]:
    """Results of every method; `embedded` and `references` have one entry per seed."""
    return [_result(*judged, data, references, draws) for judged in judge(embedded, references).items()]


def judge(embedded: Sequence[Mapping[str, np.ndarray]], references: Sequence[Reference]) -> dict[Method, Judged]:
    """Scores of each method on each set, one mapping per seed."""
    queries = [{name: z for name, z in sets.items() if name != "support"} for sets in embedded]
    return {
        method: tuple(judge_all(method, sets, known) for sets, known in zip(queries, references, strict=True))
        for method in METHODS
        if method.raw or references[0].names
    }


def labels_of(objects: Objects, data: BenchmarkData) -> np.ndarray:
    """Index (b,) of each object's class in the known classes."""
    index = {c.title: i for i, c in enumerate(data.known)}
    return np.array([index[title] for title in objects.titles.tolist()], dtype=np.int64)


def _result(
    method: Method, scored: Judged, data: BenchmarkData, references: Sequence[Reference], draws: int
) -> MethodResult:
    result = method_result(method.known_by, method.score, scored, data, draws)
    if method.known_by != "prototypes":
        return result
    labels, both = labels_of(data.test_known, data), zip(scored, references, strict=True)
    as_printed = np.stack([printed_prototype_classes(s["known"].nearest, of.labels) == labels for s, of in both])
    printed = _shares(as_printed, accuracy_intervals(as_printed, labels, draws)["accuracy"])
    return replace(result, printed_accuracy=printed)


def method_result(known_by: str, score: str, scored: Judged, data: BenchmarkData, draws: int) -> MethodResult:
    """Figures of one method. scored: per seed, set -> scores."""
    labels = labels_of(data.test_known, data)
    hits = right(scored, labels)
    intervals = accuracy_intervals(hits, labels, draws)
    balanced = tuple(balanced_accuracy(labels, s["known"].nearest) for s in scored)
    validation = [sets["validation"].novelty for sets in scored if "validation" in sets]
    return MethodResult(
        known_by=known_by,
        score=score,
        scored=scored,
        accuracy=_shares(hits, intervals["accuracy"]),
        balanced_accuracy=Figure(balanced, *intervals["balanced_accuracy"]),
        metrics={name: _metrics(pairs(scored, name), draws) for name in (*novel_sets(scored), "both")},
        confusion=_confusion(scored, data),
        thresholds=tuple(float(np.quantile(novelty, KEPT)) for novelty in validation) or None,
    )


def novel_sets(scored: Sequence[Mapping[str, Scored]]) -> list[str]:
    """The nonempty novel sets."""
    return [name for name in NOVEL if name in scored[0]]


def pairs(scored: Sequence[Mapping[str, Scored]], novel: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each seed, novelty of the known shapes (m,), and of a novel set or of "both" (n,)."""
    names = novel_sets(scored) if novel == "both" else [novel]
    return [(s["known"].novelty, np.concatenate([s[name].novelty for name in names])) for s in scored]


def right(scored: Sequence[Mapping[str, Scored]], labels: np.ndarray) -> np.ndarray:
    """Mask (s, m) of the m known test shapes whose class is right, for s seeds."""
    return np.stack([s["known"].nearest == labels for s in scored])


def kept(result: MethodResult) -> dict[str, float] | None:
    """Fraction of each set that is at or below the threshold of the seed; mean over the seeds."""
    if result.thresholds is None:
        return None
    limited = list(zip(result.scored, result.thresholds, strict=True))
    return {
        name: float(np.mean([np.mean(sets[name].novelty <= limit) for sets, limit in limited]))
        for name in result.scored[0]
    }


def _metrics(novelty: list[tuple[np.ndarray, np.ndarray]], draws: int) -> dict[str, Figure]:
    values = [ood_metrics(known, novel) for known, novel in novelty]
    intervals = metric_intervals(novelty, draws)
    return {metric: Figure(tuple(v[metric] for v in values), *intervals[metric]) for metric in SHOWN}


def _shares(hits: np.ndarray, interval: tuple[float, float]) -> Figure:
    """Fraction of hits (s, m) of each seed."""
    return Figure(tuple(float(row.mean()) for row in hits), *interval)


def _confusion(scored: Sequence[Mapping[str, Scored]], data: BenchmarkData) -> dict[str, dict[str, float]]:
    known = [c.title for c in data.known]
    rows = {}
    for name in novel_sets(scored):
        titles = data.sets[name].titles
        for title in dict.fromkeys(titles.tolist()):
            votes = np.stack([np.bincount(s[name].nearest[titles == title], minlength=len(known)) for s in scored])
            shares = votes.mean(axis=0) / votes[0].sum()
            rows[title] = {k: float(share) for k, share in zip(known, shares, strict=True)}
    return rows

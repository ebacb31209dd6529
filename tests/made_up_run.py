"""A small benchmark run that nobody made: novelty drawn at random, figures computed from it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.results import SHOWN, Figure, Finished, MethodResult, Scored
from benchmarks.threedos.splits import ObjectClass, load_split
from openshape_ood.decisions.metrics import balanced_accuracy, ood_metrics

SEEDS = (1, 41, 13718)
METHODS = (("names", "max_cosine"), ("prototypes", "prototype_distance"), ("nearest example", "nearest_distance"))
PER_CLASS = 8
PUBLISHED_COUNTS = {"support": 2378, "validation": 340, "known": 1255, "novel1": 788, "novel2": 847}


@dataclass(frozen=True)
class MadeUpShape:
    """A random cloud that is the same whenever it is read."""

    title: str
    id: str
    seed: int

    def read(self) -> np.ndarray:
        return np.random.default_rng(self.seed).normal(size=(64, 3)).astype(np.float32)


def made_up_finished(benchmark: str = "sr1", protocol: str = "openshape", model: str = "tiny") -> Finished:
    """A run of a benchmark on random shapes, eight a class, with three methods and three seeds."""
    finished = _finished(benchmark, protocol, model)
    return replace(finished, report=copy.deepcopy(finished.report))


@cache
def _finished(benchmark: str, protocol: str, model: str) -> Finished:
    split = load_split(benchmark)
    data = BenchmarkData(
        source="made-up shapes",
        generated=True,
        known=split.known,
        support=_objects(split.known, 0),
        test_known=_objects(split.known, 1),
        novel1=_objects(split.novel1, 2),
        novel2=_objects(split.novel2, 3),
        validation=_objects(split.known, 4),
    )
    results = [_result(data, *method, seed=i, protocol=protocol) for i, method in enumerate(METHODS)]
    rng = np.random.default_rng(9)
    embeddings = {name: _unit(rng.normal(size=(len(objects), 16))) for name, objects in data.sets.items()}
    finished = Finished(split, data, model, protocol, SEEDS, results, embeddings, {})
    return replace(finished, report=_report(finished))


def made_up_report(
    benchmark: str = "sr1", protocol: str = "openshape", model: str = "tiny", generated: bool = True
) -> dict[str, Any]:
    """The report of such a run; without `generated` it says that it is on the published data."""
    report = dict(made_up_finished(benchmark, protocol, model).report)
    if not generated:
        report["data"] |= {
            "source": "3DOS release",
            "generated": False,
            "published_counts": dict(PUBLISHED_COUNTS),
            "counts": {
                part: _shared_out(total, list(report["data"]["counts"][part]))
                for part, total in PUBLISHED_COUNTS.items()
                if report["data"]["counts"][part]
            },
        }
        report["settings"] |= {"data_seed": None, "per_class": None}
    return report


def _shared_out(total: int, titles: list[str]) -> dict[str, int]:
    return {title: total // len(titles) + (i < total % len(titles)) for i, title in enumerate(titles)}


def _objects(classes: Iterable[ObjectClass], part: int) -> Objects:
    shapes = [
        MadeUpShape(c.title, f"{c.title} {i}", 10_000 * part + 100 * k + i)
        for k, c in enumerate(classes)
        for i in range(PER_CLASS)
    ]
    return Objects(tuple(shapes))


def _unit(z: np.ndarray) -> np.ndarray:
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def _result(data: BenchmarkData, known_by: str, score: str, seed: int, protocol: str) -> MethodResult:
    rng = np.random.default_rng(seed)
    sets = {name: objects for name, objects in data.sets.items() if name != "support" and len(objects)}
    scored = tuple({name: _scored(rng, data, name, objects) for name, objects in sets.items()} for _ in SEEDS)
    titles = [c.title for c in data.known]
    right = [np.array(titles)[one["known"].nearest] == data.test_known.titles for one in scored]
    balanced = [balanced_accuracy(data.test_known.titles, np.array(titles)[one["known"].nearest]) for one in scored]
    return MethodResult(
        known_by=known_by,
        score=score,
        scored=scored,
        accuracy=_figure([float(r.mean()) for r in right]),
        balanced_accuracy=_figure(balanced),
        metrics=_metrics(scored),
        confusion=_confusion(data, scored, titles),
        printed_accuracy=_figure([0.2127] * 3) if (known_by, protocol) == ("prototypes", "semnov") else None,
        thresholds=tuple(float(np.quantile(one["validation"].novelty, 0.95)) for one in scored),
    )


def _scored(rng: np.random.Generator, data: BenchmarkData, name: str, objects: Objects) -> Scored:
    titles = [c.title for c in data.known]
    if name.startswith("novel"):
        nearest = rng.integers(0, len(titles), len(objects))
    else:
        truth = np.array([titles.index(title) for title in objects.titles])
        nearest = np.where(rng.random(len(objects)) < 0.8, truth, rng.integers(0, len(titles), len(objects)))
    novelty = rng.normal(0.6 if name.startswith("novel") else 0.4, 0.1, len(objects))
    return Scored(novelty, nearest, nearest * PER_CLASS)


def _metrics(scored: tuple[dict[str, Scored], ...]) -> dict[str, dict[str, Figure]]:
    parts = {part: (part,) for part in ("novel1", "novel2") if part in scored[0]} | {
        "both": tuple(part for part in ("novel1", "novel2") if part in scored[0])
    }
    found = {
        name: [ood_metrics(one["known"].novelty, np.concatenate([one[p].novelty for p in of])) for one in scored]
        for name, of in parts.items()
    }
    return {name: {m: _figure([v[m] for v in values]) for m in SHOWN} for name, values in found.items()}


def _figure(seeds: list[float]) -> Figure:
    """An interval of two points to either side, as if drawn."""
    mean = float(np.mean(seeds))
    return Figure(tuple(seeds), max(mean - 0.02, 0.0), min(mean + 0.02, 1.0))


def _confusion(
    data: BenchmarkData, scored: tuple[dict[str, Scored], ...], titles: list[str]
) -> dict[str, dict[str, float]]:
    shares: dict[str, dict[str, float]] = {}
    for part in ("novel1", "novel2"):
        for title in data.sets[part].counts():
            of_class = data.sets[part].titles == title
            taken = np.concatenate([np.array(titles)[one[part].nearest[of_class]] for one in scored])
            shares[title] = {known: float(np.mean(taken == known)) for known in titles}
    return shares


def _report(finished: Finished) -> dict[str, Any]:
    data = finished.data
    reference = finished.protocol == "semnov"
    return {
        "benchmark": finished.split.name,
        "title": finished.split.title,
        "protocol": finished.protocol,
        "data": {
            "source": data.source,
            "generated": True,
            "absent": [],
            "counts": {name: objects.counts() for name, objects in data.sets.items()},
            "published_counts": {},
            "differs": [],
            "sha256": {name: f"{i}" * 64 for i, name in enumerate(data.sets)},
        },
        "classes": {
            part: [[c.title, list(c.names)] for c in getattr(finished.split, part)]
            for part in ("known", "novel1", "novel2")
        },
        "provenance": {
            "identity": {"checkpoint": finished.model, "space": "made-up", "sha256": "9ae5b7877367" + "0" * 52},
            **{"method": "", "up": "y", "seed": SEEDS[0], "num_samples": 1, "version": "0.1.0"},
        },
        "architecture": {"name": "pointbert", "width": 128, "depth": 4},
        "text": {"space": "made-up", "templates": 1, "average": "mean", "sha256": "7e" * 32},
        "settings": {
            "support_points": 1024 if reference else 10_000,
            "test_points": 2048 if reference else 10_000,
            "color": 0.0 if reference else 0.4,
            "exchange": not reference,
            "unit": not reference,
            "templates": "",
            "num_samples": 1,
            "support": "clean",
            "encoder_up": "z" if finished.model == "vitg14" else "y",
            "seeds": list(SEEDS),
            "draws": 1000,
            "batch_size": 32,
            "data_seed": 0,
            "per_class": PER_CLASS,
        },
        "device": "cpu",
        "versions": {"torch": "2.6.0", "python": "3.11.7", "numpy": "2.0.0"},
        "metrics": "fractions; as in 3DOS: known is positive",
        "results": [_as_json(result, finished.protocol) for result in finished.results],
        "run": {"seconds": 1.5, "embedded": 100, "reused": 20},
    }


def _as_json(result: MethodResult, protocol: str) -> dict[str, Any]:
    printed = result.printed_accuracy
    raw = ", raw features" if protocol == "semnov" and result.known_by != "names" else ""
    return {
        "known_by": result.known_by,
        "score": result.score + raw,
        "accuracy": result.accuracy.as_json(),
        "balanced_accuracy": result.balanced_accuracy.as_json(),
        "printed_accuracy": printed.as_json() if printed else None,
        **{part: {m: figure.as_json() for m, figure in of.items()} for part, of in result.metrics.items()},
        "thresholds": list(result.thresholds) if result.thresholds else None,
        "kept": {part: 0.95 if part in ("validation", "known") else 0.4 for part in result.scored[0]},
        "confusion": {title: dict(shares) for title, shares in result.confusion.items()},
    }

"""A small finished run with made-up clouds, embeddings and novelty, for tests of what is drawn of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.results import Figure, Finished, MethodResult, Scored
from benchmarks.threedos.splits import ObjectClass, Split
from openshape_ood.decisions.metrics import ood_metrics

METHODS = (("names", "max_cosine"), ("prototypes", "prototype_distance"), ("nearest example", "nearest_distance"))
READ: list[str] = []  # ids of the shapes that were read, in order


@dataclass(frozen=True)
class MadeUpShape:
    """A slanted box of points, another for every seed."""

    title: str
    id: str
    seed: int
    points: int = 60

    def read(self) -> np.ndarray:
        READ.append(self.id)
        rng = np.random.default_rng(self.seed)
        return (rng.uniform(-1, 1, (self.points, 3)) * rng.uniform(0.2, 1, 3)).astype(np.float32)


def made_up_finished(
    known: Sequence[str] = ("chair", "sofa", "door"),
    novel1: Sequence[str] = ("bed", "toilet"),
    novel2: Sequence[str] = ("bag", "box"),
    per_class: int = 4,
    validation: bool = True,
    equal: bool = False,
    ids: str = "{part} {title} {i}",
    methods: Sequence[tuple[str, str]] = METHODS,
    seeds: Sequence[int] = (1, 41),
    points: int = 60,
) -> Finished:
    """All sets have `per_class` shapes a class; `equal` makes every novelty the same; `ids` is a format string."""
    titles = {"support": known, "validation": known if validation else (), "known": known}
    titles |= {"novel1": novel1, "novel2": novel2}
    sets = {part: _objects(part, names, per_class, ids, points) for part, names in titles.items()}
    classes = [tuple(ObjectClass(title, (title,)) for title in names) for names in (known, novel1, novel2)]
    split = Split("made-up", "Made up", "synthetic to real", *classes)
    data = BenchmarkData(
        source="made-up shapes",
        generated=True,
        known=split.known,
        support=sets["support"],
        test_known=sets["known"],
        novel1=sets["novel1"],
        novel2=sets["novel2"],
        validation=sets["validation"],
    )
    rng = np.random.default_rng(0)
    embeddings = {part: _embeddings(objects, rng) for part, objects in sets.items()}
    results = [_method(by, score, data, seeds, rng, equal) for by, score in methods]
    return Finished(split, data, "tiny", "openshape", seeds, results, embeddings, report={})


def _objects(part: str, titles: Sequence[str], per_class: int, ids: str, points: int) -> Objects:
    first = {"support": 0, "validation": 1, "known": 2, "novel1": 3, "novel2": 4}[part] * 10_000
    shapes: list[MadeUpShape] = []
    for title in titles:
        for i in range(per_class):
            shapes.append(MadeUpShape(title, ids.format(part=part, title=title, i=i), first + len(shapes), points))
    return Objects(tuple(shapes))


def _embeddings(objects: Objects, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (b, 8) that lie nearer to those of their class."""
    z = rng.normal(size=(len(objects), 8))
    for row, shape in zip(z, objects.shapes, strict=True):
        row[sum(shape.title.encode()) % 8] += 4
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def _method(
    known_by: str, score: str, data: BenchmarkData, seeds: Sequence[int], rng: np.random.Generator, equal: bool
) -> MethodResult:
    parts = {part: objects for part, objects in data.sets.items() if part != "support" and len(objects)}
    shifts = {"novel1": 0.2, "novel2": 0.3}
    scored = tuple(
        {part: _scored(objects, data, rng, shifts.get(part, 0.0), equal) for part, objects in parts.items()}
        for _ in seeds
    )
    novelty = [{part: one[part].novelty for part in one} for one in scored]
    kept = [np.quantile(one["validation"], 0.95) for one in novelty if "validation" in one]
    return MethodResult(
        known_by=known_by,
        score=score,
        scored=scored,
        accuracy=Figure((0.8,), 0.7, 0.9),
        balanced_accuracy=Figure((0.8,), 0.7, 0.9),
        metrics=_metrics(novelty),
        confusion=_confusion(scored[0], data),
        thresholds=tuple(map(float, kept)) or None,
    )


def _scored(objects: Objects, data: BenchmarkData, rng: np.random.Generator, shift: float, equal: bool) -> Scored:
    b = len(objects)
    novelty = np.full(b, 0.5) if equal else rng.normal(0.5 + shift, 0.15, b)
    nearest = rng.integers(0, len(data.known), b)
    rows = [np.flatnonzero(data.support.titles == data.known[c].title) for c in nearest]
    return Scored(novelty, nearest, np.array([rng.choice(own) for own in rows]))


def _metrics(novelty: Sequence[Mapping[str, np.ndarray]]) -> dict[str, dict[str, Figure]]:
    metrics: dict[str, dict[str, Figure]] = {}
    for against in ("novel1", "novel2", "both"):
        novel = [[one[p] for p in ("novel1", "novel2") if p in one and against in (p, "both")] for one in novelty]
        if not all(novel):
            continue
        seeds = [ood_metrics(one["known"], np.concatenate(n)) for one, n in zip(novelty, novel, strict=True)]
        metrics[against] = {name: _figure([s[name] for s in seeds]) for name in seeds[0]}
    return metrics


def _figure(values: Sequence[float]) -> Figure:
    return Figure(tuple(values), min(values), max(values))


def _confusion(scored: Mapping[str, Scored], data: BenchmarkData) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {}
    for part in ("novel1", "novel2"):
        objects: Any = data.sets[part]
        for title in objects.counts():
            mine = scored[part].nearest[objects.titles == title]
            table[title] = {c.title: float(np.mean(mine == i)) for i, c in enumerate(data.known)}
    return table

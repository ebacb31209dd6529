"""Benchmark data that needs no download: clean generated shapes as known, simulated scans as test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.objects import BenchmarkData, Objects, collect
from benchmarks.splits import ObjectClass, Split
from openshape_ood.errors import InputError
from openshape_ood.synthetic import sample, scan

POINTS = 2048
SEVERITY = 0.8
# support and test shapes of a run have these seeds, plus 1,000 times the run's own; training begins at 2**24
FIRST_SUPPORT, FIRST_TEST = 0, 5_000_000
MOST_SEEDS = 4_000


def load(split: Split, per_class: int, seed: int, progress: bool = True) -> BenchmarkData:
    """`per_class` clean shapes of every known class, as many scans of every class, known or novel."""
    if not 1 <= per_class <= 1000:
        raise InputError(f"per_class is {per_class}; expected 1 to 1000 shapes a class")
    if not 0 <= seed < MOST_SEEDS:
        raise InputError(f"seed is {seed}; generated benchmarks take 0 to {MOST_SEEDS - 1}")
    with _bar(split, per_class, progress) as bar:

        def clean(category: str, i: int) -> np.ndarray:
            bar.update()
            return sample(category, POINTS, FIRST_SUPPORT + 1000 * seed + i)

        def scanned(category: str, i: int) -> np.ndarray:
            bar.update()
            return scan(category, POINTS, FIRST_TEST + 1000 * seed + i, severity=SEVERITY)

        return BenchmarkData(
            source=f"generated shapes, simulated scans of severity {SEVERITY} (no data root given)",
            known=split.known,
            support=_objects(split.known, per_class, clean),
            test_known=_objects(split.known, per_class, scanned),
            novel1=_objects(split.novel1, per_class, scanned),
            novel2=_objects(split.novel2, per_class, scanned),
        )


def _objects(classes: Iterable[ObjectClass], per_class: int, make: Callable[[str, int], np.ndarray]) -> Objects:
    # a class of several categories takes them in turn
    return collect([(c.title, [make(c.generated[i % len(c.generated)], i) for i in range(per_class)]) for c in classes])


def _bar(split: Split, per_class: int, progress: bool) -> Any:
    from tqdm import tqdm

    classes = 2 * len(split.known) + len(split.novel1) + len(split.novel2)
    return tqdm(total=classes * per_class, desc="shapes", unit="shape", disable=not progress, leave=False)

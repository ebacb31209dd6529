"""Generated benchmark data: clean shapes replace CAD models, and simulated scans replace scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.splits import ObjectClass, Split
from openshape_ood.errors import InputError

POINTS = 2048
SEVERITY = 0.8
# first seed of the shapes of each part; seeds of training shapes begin at 2**24
FIRST = {"support": 0, "validation": 2_500_000, "test": 5_000_000}
RANGE = 2_500_000
LEAST_STRIDE = 1000  # least distance between the first seeds of two data seeds
# track -> True if the support shapes are scans, True if the test shapes are scans
SCANNED = {"synthetic to real": (False, True), "synthetic": (False, False), "real": (True, True)}


@dataclass(frozen=True)
class Generated:
    """A generated shape of a category with its seed, sampled or scanned."""

    title: str
    category: str
    seed: int
    scanned: bool

    @property
    def id(self) -> str:
        return f"{self.category} {self.seed}"

    def read(self) -> np.ndarray:
        from openshape_ood.synthetic import sample, scan

        if self.scanned:
            return scan(self.category, POINTS, self.seed, severity=SEVERITY).astype(np.float32)
        return sample(self.category, POINTS, self.seed).astype(np.float32)


def load(split: Split, per_class: int, seed: int) -> BenchmarkData:
    """Benchmark data with `per_class` shapes per class for support and for test, and half as many for validation."""
    stride = max(LEAST_STRIDE, per_class)
    if not 1 <= per_class <= RANGE:
        raise InputError(f"per_class is {per_class}; expected 1 to {RANGE} shapes per class")
    if not 0 <= seed < RANGE // stride:
        raise InputError(f"data seed is {seed}; expected 0 to {RANGE // stride - 1} with {per_class} shapes per class")
    made = [tuple(c for c in of if c.generated) for of in (split.known, split.novel1, split.novel2)]
    known, novel1, novel2 = made
    support_scanned, test_scanned = SCANNED[split.track]

    def shapes(classes: Iterable[ObjectClass], part: str, count: int, scanned: bool) -> Objects:
        # the categories of a class alternate
        first, rows = FIRST[part] + stride * seed, [(c, i) for c in classes for i in range(count)]
        return Objects(
            tuple(Generated(c.title, c.generated[i % len(c.generated)], first + i, scanned) for c, i in rows)
        )

    return BenchmarkData(
        source=f"generated shapes{f', simulated scans of severity {SEVERITY}' if test_scanned else ''}",
        generated=True,
        known=known,
        support=shapes(known, "support", per_class, support_scanned),
        validation=shapes(known, "validation", (per_class + 1) // 2, support_scanned),
        test_known=shapes(known, "test", per_class, test_scanned),
        novel1=shapes(novel1, "test", per_class, test_scanned),
        novel2=shapes(novel2, "test", per_class, test_scanned),
        absent=tuple(c.title for c in split.classes if not c.generated),
    )

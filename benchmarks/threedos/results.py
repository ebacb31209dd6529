"""Results of a benchmark run, before tables, files and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.threedos.objects import BenchmarkData
from benchmarks.threedos.splits import Split

SHOWN = ("auroc", "fpr95", "aupr_in", "aupr_out")


@dataclass(frozen=True)
class Figure:
    """A figure as a fraction: each seed's value, and the bootstrap 95 % interval of their mean."""

    seeds: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.seeds))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 of a single one."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else 0.0

    def as_json(self) -> dict[str, Any]:
        rounded = {"mean": self.mean, "spread": self.spread, "low": self.low, "high": self.high}
        return {key: round(value, 12) for key, value in rounded.items()} | {"seeds": [round(s, 12) for s in self.seeds]}


@dataclass(frozen=True, eq=False)
class Scored:
    """Result of one method on b shapes: novelty (b,), nearest known class (b,), and nearest support shape (b,)."""

    novelty: np.ndarray
    nearest: np.ndarray
    example: np.ndarray


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One method: what it said of each set under each seed, and its figures.

    scored: a mapping a seed, from the set; metrics: "novel1", "novel2", "both" -> metric -> figure; printed_accuracy:
    as the 3DOS code prints it; confusion: novel class -> known class -> share; thresholds: keep 95 % of validation.
    """

    known_by: str
    score: str
    scored: tuple[Mapping[str, Scored], ...]
    accuracy: Figure
    balanced_accuracy: Figure
    metrics: Mapping[str, Mapping[str, Figure]]
    confusion: Mapping[str, Mapping[str, float]]
    printed_accuracy: Figure | None = None
    thresholds: tuple[float, ...] | None = None

    @property
    def threshold(self) -> float | None:
        """That of the first seed, which is the one that pictures show."""
        return self.thresholds[0] if self.thresholds else None


@dataclass(frozen=True, eq=False)
class Finished:
    """A run, for whoever draws or writes it; embeddings: set -> (b, d) unit vectors under the first seed."""

    split: Split
    data: BenchmarkData
    model: str
    protocol: str
    seeds: Sequence[int]
    results: Sequence[MethodResult]
    embeddings: Mapping[str, np.ndarray]
    report: Mapping[str, Any]

"""Results of a benchmark run."""

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
    """A figure as a fraction: the value of each seed, and the bootstrap 95 % interval of their mean."""

    seeds: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.seeds))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 for a single seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else 0.0

    def as_json(self) -> dict[str, Any]:
        rounded = {"mean": self.mean, "spread": self.spread, "low": self.low, "high": self.high}
        return {key: round(value, 12) for key, value in rounded.items()} | {"seeds": [round(s, 12) for s in self.seeds]}


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of b shapes by one method: novelty, nearest known class, and nearest support shape, each (b,)."""

    novelty: np.ndarray
    nearest: np.ndarray
    example: np.ndarray


@dataclass(frozen=True, eq=False)
class MethodResult:
    """Scores and figures of one method.

    scored: for each seed, set -> scores; metrics: "novel1", "novel2" or "both" -> metric -> figure; printed_accuracy:
    accuracy as the 3DOS code prints it; confusion: novel class -> nearest known class -> fraction; thresholds: for each
    seed, the threshold that keeps 95 % of the validation shapes.
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
        """Threshold of the first seed, for pictures; None without thresholds."""
        return self.thresholds[0] if self.thresholds else None


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished run; embeddings: set -> unit vectors (b, d) under the first seed."""

    split: Split
    data: BenchmarkData
    model: str
    protocol: str
    seeds: Sequence[int]
    results: Sequence[MethodResult]
    embeddings: Mapping[str, np.ndarray]
    report: Mapping[str, Any]

"""Ablation: effect of each setting of a protocol, changed one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.threedos.evaluation import Judged, labels_of, pairs, right
from benchmarks.threedos.intervals import accuracy_differences, paired_differences
from benchmarks.threedos.objects import BenchmarkData
from benchmarks.threedos.recipes import Settings

VIEWS = 4
METRICS = ("auroc", "fpr95")


@dataclass(frozen=True)
class Switch:
    """A change of one setting, or of the two numbers of points."""

    name: str
    settings: Settings
    before: str
    after: str

    def applies_to(self, known_by: str) -> bool:
        """False if the setting has no effect: names have no support and no raw features, examples no templates."""
        return self.name not in (("support", "normalization") if known_by == "names" else ("templates",))


def switches(base: Settings, other: Settings) -> list[Switch]:
    """Settings in which the protocols differ, then settings that neither protocol has."""
    num_samples = VIEWS if base.num_samples == 1 else 1
    points = replace(base, support_points=other.support_points, test_points=other.test_points)
    counts = [f"{s.support_points:,}/{s.test_points:,}" for s in (base, other)]
    axes = ["exchanged" if s.exchange else "as it is" for s in (base, other)]
    features = ["unit" if s.unit else "raw" for s in (base, other)]
    templates = [s.templates or "bare name" for s in (base, other)]
    rows = [
        Switch("points", points, *counts),
        Switch("color", replace(base, color=other.color), f"{base.color:g}", f"{other.color:g}"),
        Switch("axis", replace(base, exchange=other.exchange), *axes),
        Switch("normalization", replace(base, unit=other.unit), *features),
        Switch("templates", replace(base, templates=other.templates), *templates),
        Switch("num_samples", replace(base, num_samples=num_samples), str(base.num_samples), str(num_samples)),
        Switch("support", replace(base, support="with corrupted copies"), "clean", "+ corrupted"),
        Switch("support", replace(base, support="with partial views"), "clean", "+ partial"),
    ]
    return [row for row in rows if row.settings != base]


def ablate(
    before: Mapping[str, Judged],
    turned: Sequence[Switch],
    data: BenchmarkData,
    judge: Callable[[Settings], Mapping[str, Judged]],
    draws: int,
) -> list[dict[str, Any]]:
    """One row per switch and method that it applies to: the change of each figure with its paired interval."""
    rows = []
    for switch in turned:
        for known_by, new in judge(switch.settings).items():
            if switch.applies_to(known_by):
                rows.append(_row(switch, known_by, before[known_by], new, data, draws))
    return rows


def _row(switch: Switch, known_by: str, old: Judged, new: Judged, data: BenchmarkData, draws: int) -> dict[str, Any]:
    labels = labels_of(data.test_known, data)
    metrics = paired_differences(pairs(old, "both"), pairs(new, "both"), draws)
    accuracy = accuracy_differences(right(old, labels), right(new, labels), labels, draws)
    chosen = {name: metrics[name] for name in METRICS} | {"accuracy": accuracy["accuracy"]}
    figures = {
        name: dict(zip(("difference", "low", "high"), np.round(values, 9).tolist(), strict=True))
        for name, values in chosen.items()
    }
    return {"switch": switch.name, "from": switch.before, "to": switch.after, "known_by": known_by, **figures}

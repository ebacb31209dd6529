"""From one protocol towards the other, one switch at a time, and what each is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.threedos.evaluation import labels_of, pairs, right
from benchmarks.threedos.intervals import accuracy_differences, paired_differences
from benchmarks.threedos.objects import BenchmarkData
from benchmarks.threedos.recipes import Settings
from benchmarks.threedos.results import Scored

Judged = Sequence[Mapping[str, Scored]]  # what a method says of each set, a mapping a seed

VIEWS = 4
METRICS = ("auroc", "fpr95")


@dataclass(frozen=True)
class Switch:
    """One setting, or two that only make sense together, turned to another value."""

    name: str
    before: str
    after: str
    settings: Settings

    def applies_to(self, known_by: str) -> bool:
        """Names have neither support nor raw features; examples have no sentence around them."""
        return self.name not in (("support", "normalization") if known_by == "names" else ("templates",))


def switches(base: Settings, other: Settings) -> list[Switch]:
    """Each switch in which the protocols differ, turned to the other's, then what neither protocol has."""
    rows = [
        Switch(
            "points",
            f"{base.support_points:,}/{base.test_points:,}",
            f"{other.support_points:,}/{other.test_points:,}",
            replace(base, support_points=other.support_points, test_points=other.test_points),
        ),
        Switch("color", f"{base.color:g}", f"{other.color:g}", replace(base, color=other.color)),
        Switch("axis", _axis(base), _axis(other), replace(base, exchange=other.exchange)),
        Switch("normalization", _features(base), _features(other), replace(base, unit=other.unit)),
        Switch("templates", _templates(base), _templates(other), replace(base, templates=other.templates)),
        _views(base),
        Switch("support", "clean", "+ corrupted", replace(base, support="with corrupted copies")),
        Switch("support", "clean", "+ partial", replace(base, support="with partial views")),
    ]
    return [row for row in rows if row.settings != base]


def ablate(
    before: Mapping[str, Judged],
    turned: Sequence[Switch],
    data: BenchmarkData,
    judge: Callable[[Settings], Mapping[str, Judged]],
    draws: int,
) -> list[dict[str, Any]]:
    """A row a switch and method: what turning the switch changes, with its paired bootstrap interval.

    before: what each method, by what it knows the classes by, says as the run is; judge: the same under other
    settings. Methods to which a switch does not apply have no row.
    """
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
    return {
        "switch": switch.name,
        "from": switch.before,
        "to": switch.after,
        "known_by": known_by,
        **{name: _difference(values) for name, values in chosen.items()},
    }


def _difference(values: Sequence[float]) -> Mapping[str, float]:
    return dict(zip(("difference", "low", "high"), np.round(values, 9).tolist(), strict=True))


def _views(base: Settings) -> Switch:
    after = VIEWS if base.num_samples == 1 else 1
    return Switch("num_samples", str(base.num_samples), str(after), replace(base, num_samples=after))


def _axis(settings: Settings) -> str:
    return "exchanged" if settings.exchange else "as it is"


def _features(settings: Settings) -> str:
    return "unit" if settings.unit else "raw"


def _templates(settings: Settings) -> str:
    return settings.templates or "bare name"

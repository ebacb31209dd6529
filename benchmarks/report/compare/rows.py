"""The rows of the table: a run's methods, their means over SR1 and SR2, and what others published."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.report.compare.runs import Run, plain
from benchmarks.report.tables import method_label, percent
from benchmarks.threedos.published import Published, all_published, published_rows
from benchmarks.threedos.splits import split_names

MEAN = "mean"  # of SR1 and SR2, as the papers print it
PAPER_PAIR = ("sr1", "sr2")


@dataclass(frozen=True)
class Estimate:
    """A figure as a fraction, with its 95 % interval where one is known."""

    mean: float
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        span = f" [{'-'.join(map(percent, self.interval))}]" if self.interval else ""
        return percent(self.mean) + span


@dataclass(frozen=True)
class Row:
    """A method of a run, or a published one; the figures are of known against both novel sets.

    data: "3DOS", "generated" or "published"; accuracy: a fraction, None where it was not published.
    """

    benchmark: str
    model: str
    protocol: str
    data: str
    known_by: str
    accuracy: float | None
    auroc: Estimate
    fpr95: Estimate

    @property
    def published(self) -> bool:
        return self.data == "published"

    @property
    def cells(self) -> tuple[str, ...]:
        words = (self.benchmark.upper(), self.model, self.protocol, self.data, self.known_by)
        accuracy = "-" if self.accuracy is None else percent(self.accuracy)
        return (*words, accuracy, str(self.auroc), str(self.fpr95))


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """A row a run and method, their means over SR1 and SR2, and the published rows; in the order of the table."""
    ours = [row for run, protocol in zip(runs, protocols_of(runs), strict=True) for row in _rows(run, protocol)]
    others = [_published_row(row) for row in published_beside(runs)]
    return sorted(
        ours + _means(ours) + others + _published_means(runs), key=lambda row: (_place(row.benchmark), -row.auroc.mean)
    )


def _place(benchmark: str) -> tuple[int, str]:
    """Benchmarks in their order, the means behind them, then what this version does not know."""
    names = [*split_names(), MEAN]
    return (names.index(benchmark) if benchmark in names else len(names), benchmark)


def _rows(run: Run, protocol: str) -> Iterable[Row]:
    results = run.report["results"]
    model, _, data = run.kind
    for result in results:
        both = result["both"]
        yield Row(
            benchmark=plain(run.benchmark),
            model=plain(model),
            protocol=plain(protocol),
            data=data,
            known_by=plain(method_label(result, results)),
            accuracy=result["accuracy"]["mean"],
            auroc=_estimate(both["auroc"]),
            fpr95=_estimate(both["fpr95"]),
        )


def _estimate(figure: Mapping[str, float]) -> Estimate:
    return Estimate(figure["mean"], (figure["low"], figure["high"]))


# --- runs that the table would call alike ---


def protocols_of(runs: Sequence[Run]) -> list[str]:
    """What the table calls each run's protocol: numbered where runs of one model and protocol differ in settings."""
    numbers = _variants(runs)
    several = {run.kind for run, number in zip(runs, numbers, strict=True) if number}
    return [
        f"{run.report['protocol']} #{number + 1}" if run.kind in several else str(run.report["protocol"])
        for run, number in zip(runs, numbers, strict=True)
    ]


def _variants(runs: Sequence[Run]) -> list[int]:
    """A number for each run among those that the table calls alike: the same number only for the same settings."""
    met: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    times: Counter[tuple[str, ...]] = Counter()
    numbers = []
    for run in runs:
        settings = json.dumps(run.report["settings"], sort_keys=True) + str(run.report["checkpoint_sha256"])
        variant = (settings, times[run.benchmark, *run.kind, settings])  # a second run of the very same counts as other
        times[run.benchmark, *run.kind, settings] += 1
        if variant not in met[run.kind]:
            met[run.kind].append(variant)
        numbers.append(met[run.kind].index(variant))
    return numbers


# --- means ---


def _means(rows: Sequence[Row]) -> list[Row]:
    """Means of the rows that SR1 and SR2 both have."""
    found: dict[Any, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        found[row.model, row.protocol, row.data, row.known_by].setdefault(row.benchmark, row)
    return [_mean(*(pair[name] for name in PAPER_PAIR)) for pair in found.values() if set(PAPER_PAIR) <= set(pair)]


def _mean(first: Row, second: Row) -> Row:
    return replace(
        first,
        benchmark=MEAN,
        accuracy=_middle(first.accuracy, second.accuracy),
        auroc=Estimate((first.auroc.mean + second.auroc.mean) / 2),
        fpr95=Estimate((first.fpr95.mean + second.fpr95.mean) / 2),
    )


def _middle(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else (first + second) / 2


# --- what others published ---


def published_beside(runs: Sequence[Run]) -> list[Published]:
    """Published rows beside the runs on real data, each once."""
    asked = dict.fromkeys((run.benchmark, str(run.report["model"])) for run in runs if not run.generated)
    return list({id(row): row for asking in asked for row in published_rows(*asking)}.values())


def _published_row(row: Published) -> Row:
    both = row.percent["both"]
    return Row(
        benchmark=row.benchmark,
        model=row.encoder,
        protocol=row.source.name,
        data="published",
        known_by=row.label,
        accuracy=None if row.accuracy is None else row.accuracy / 100,
        auroc=Estimate(both["auroc"] / 100),
        fpr95=Estimate(both["fpr95"] / 100),
    )


def _published_means(runs: Sequence[Run]) -> list[Row]:
    """Where both SR1 and SR2 were run on real data: means of the published methods that the table has."""
    if not set(PAPER_PAIR) <= {run.benchmark for run in runs if not run.generated}:
        return []
    shown = {_called(row) for row in published_beside(runs)}
    return _means([_published_row(row) for row in all_published() if _called(row) in shown])


def _called(row: Published) -> tuple[str, str, str]:
    return row.encoder, row.source.name, row.label

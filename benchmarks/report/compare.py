"""`python -m benchmarks compare results/*.json [--markdown] [--out FILE.png]`: many runs in one table.

Reports may come from others, so they are validated before use.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.report.facts import count_differences, setting_name, setting_words, wrapped
from benchmarks.report.tables import Table, markdown_words, method_label, percent, sources_of
from benchmarks.threedos.published import TRAINED_MARK, Published, all_published, published_rows
from benchmarks.threedos.record import LONGEST, plain, read_record
from benchmarks.threedos.splits import split_names
from openshape_ood.errors import InputError

MOST_DRAWN = 400  # largest number of rows in the picture
OTHER = "†"  # marks runs on data that differ from the published data
MEAN = "mean"  # benchmark name of rows that average SR1 and SR2, as the papers do
PAPER_PAIR = ("sr1", "sr2")
HEAD = ("benchmark", "model", "protocol", "data", "known by", "accuracy", "AUROC", "FPR95")
CAPTION = (
    "percent [95 % interval]; known against both novel sets. The protocol of a published row is its source. MEAN is "
    "over SR1 and SR2."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0, or 1 with one line on stderr if a file is not a report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description="One table of many runs.")
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="JSON files of runs")
    words = "one row with the mean of all runs that differ only in the seeds of data or training"
    parser.add_argument("--means", action="store_true", help=words)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="also draw the figures as dots with intervals")
    args = parser.parse_args(argv)

    def compare() -> None:
        if args.out and args.out.suffix.lower() != ".png":
            raise InputError(f"--out is {args.out}; expected a .png file")
        runs = [read_run(path) for path in dict.fromkeys(args.reports)]
        print(compared(runs, args.markdown, args.means))
        if args.out:
            print(f"\npicture: {draw(rows_of(runs, args.means), args.out)}", file=sys.stderr)

    return options.finish(compare)


# --- reports ---


@dataclass(eq=False)
class Run:
    """A report and its file."""

    path: Path
    report: Mapping[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        report = self.report
        self.benchmark, self.generated = str(report["benchmark"]), bool(report["data"]["generated"])
        other = " (other weights)" if report.get("other_weights") else ""
        self.model = str(report["provenance"]["identity"]["checkpoint"]) + other
        self.name = plain(self.path.name, longest=4 * LONGEST)  # printable file name

    @property
    def data_label(self) -> str:
        """Label of the data, marked if they differ from the published data."""
        data = self.report["data"]
        return f"{self.kind[2]} {OTHER}" if data["differs"] or data["absent"] else self.kind[2]

    @property
    def kind(self) -> tuple[str, str, str]:
        """Model, protocol and data."""
        return (self.model, str(self.report["protocol"]), "generated" if self.generated else "3DOS")


def read_run(path: Path) -> Run:
    """Read the JSON file of a run."""
    return Run(path, read_record(path))


# --- rows: methods of runs, their means over SR1 and SR2, published figures ---


@dataclass(frozen=True)
class Estimate:
    """A figure as a fraction; with its 95 % interval, or with the standard deviation over several runs."""

    mean: float
    interval: tuple[float, float] | None = None
    spread: float | None = None

    def __str__(self) -> str:
        span = f" [{'-'.join(map(percent, self.interval))}]" if self.interval else ""
        return percent(self.mean) + (f" ±{percent(self.spread)}" if self.spread is not None else span)


@dataclass(frozen=True)
class Row:
    """Figures of one method in a run, or published ones, for known against both novel sets.

    data: "published", "generated" or "3DOS"; `OTHER` follows if the data differ from the published data.
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


def rows_of(runs: Sequence[Run], means: bool = False) -> list[Row]:
    """All rows in the order of the table: one per run and method, means over SR1 and SR2, published rows.

    means: merge runs that differ only in their seeds to one row.
    """
    called = protocols_of(runs, means)
    ours = [row for run, protocol in zip(runs, called, strict=True) for row in _rows(run, protocol)]
    ours = _pooled(ours) if means else ours
    beside = published_beside(runs)
    rows = ours + _means(ours) + list(map(_published_row, beside))
    if set(PAPER_PAIR) <= {run.benchmark for run in runs if not run.generated}:
        shown = {(row.encoder, row.source.name, row.label) for row in beside}
        rows += _means([_published_row(r) for r in all_published() if (r.encoder, r.source.name, r.label) in shown])
    names = [*split_names(), MEAN]  # unknown benchmarks come last
    order = {name: i for i, name in enumerate(names)}
    return sorted(rows, key=lambda row: (order.get(row.benchmark, len(names)), row.benchmark, -row.auroc.mean))


def _rows(run: Run, protocol: str) -> Iterable[Row]:
    for result in run.report["results"]:
        both, label = result["both"], method_label(result, run.report["results"])
        auroc, fpr95 = (Estimate(both[m]["mean"], (both[m]["low"], both[m]["high"])) for m in ("auroc", "fpr95"))
        names = (plain(run.benchmark), plain(run.model), plain(protocol), run.data_label, plain(label))
        yield Row(*names, result["accuracy"]["mean"], auroc, fpr95)


def _pooled(rows: Sequence[Row]) -> list[Row]:
    """Merge rows with equal labels to one row: mean and standard deviation."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.benchmark, row.model, row.protocol, row.data, row.known_by].append(row)
    return [group[0] if len(group) == 1 else _mean_of_runs(group) for group in groups.values()]


def _mean_of_runs(rows: Sequence[Row]) -> Row:
    def mean(values: list[float]) -> Estimate:
        middle = sum(values) / len(values)
        return Estimate(middle, spread=(sum((v - middle) ** 2 for v in values) / (len(values) - 1)) ** 0.5)

    known = [row.accuracy for row in rows if row.accuracy is not None]
    auroc, fpr95 = mean([row.auroc.mean for row in rows]), mean([row.fpr95.mean for row in rows])
    return replace(rows[0], accuracy=sum(known) / len(known) if known else None, auroc=auroc, fpr95=fpr95)


SEEDS = ("data_seed", "seeds")


def _settings(run: Run, means: bool) -> dict[str, Any]:
    """Settings in which runs of one model may differ. means: leave out the seeds."""
    settings = {key: value for key, value in run.report["settings"].items() if not means or key not in SEEDS}
    if TRAINED_MARK in run.model:  # such a network has other weights for each benchmark
        return settings
    return settings | {"weights": run.report["provenance"]["identity"]["sha256"]}


def protocols_of(runs: Sequence[Run], means: bool = False) -> list[str]:
    """Protocol of each run for the table. Runs of one model and protocol with different settings are numbered."""
    met: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    times: Counter[tuple[str, ...]] = Counter()
    numbers = []
    for run in runs:
        settings = json.dumps(_settings(run, means), sort_keys=True)
        # without `means`, a repeated run with equal settings is a variant too
        variant = (settings, 0 if means else times[run.benchmark, *run.kind, settings])
        times[run.benchmark, *run.kind, settings] += 1
        if variant not in met[run.kind]:
            met[run.kind].append(variant)
        numbers.append(met[run.kind].index(variant) + 1)
    return [
        f"{run.report['protocol']} #{number}" if len(met[run.kind]) > 1 else str(run.report["protocol"])
        for run, number in zip(runs, numbers, strict=True)
    ]


def _means(rows: Sequence[Row]) -> list[Row]:
    """Means over SR1 and SR2 of the rows that both benchmarks have."""
    groups: dict[Any, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        groups[row.model, row.protocol, row.data, row.known_by].setdefault(row.benchmark, row)
    return [_mean(*(pair[name] for name in PAPER_PAIR)) for pair in groups.values() if set(PAPER_PAIR) <= set(pair)]


def _mean(first: Row, second: Row) -> Row:
    known = first.accuracy is not None and second.accuracy is not None
    accuracy = ((first.accuracy or 0.0) + (second.accuracy or 0.0)) / 2 if known else None
    auroc, fpr95 = (
        Estimate((a.mean + b.mean) / 2) for a, b in ((first.auroc, second.auroc), (first.fpr95, second.fpr95))
    )
    return replace(first, benchmark=MEAN, accuracy=accuracy, auroc=auroc, fpr95=fpr95)


def published_beside(runs: Sequence[Run]) -> list[Published]:
    """Published rows for the runs on real data, without repeats."""
    pairs = dict.fromkeys((run.benchmark, run.model) for run in runs if not run.generated)
    return list({id(row): row for pair in pairs for row in published_rows(*pair)}.values())


def _published_row(row: Published) -> Row:
    accuracy = None if row.accuracy is None else row.accuracy / 100
    auroc, fpr95 = (Estimate(row.percent["both"][metric] / 100) for metric in ("auroc", "fpr95"))
    return Row(row.benchmark, row.encoder, row.source.name, "published", row.label, accuracy, auroc, fpr95)


# --- words ---


def compared(runs: Sequence[Run], markdown: bool = False, means: bool = False) -> str:
    """The table with its notes and warnings, as plain text or Markdown."""
    table = Table(HEAD, tuple(row.cells for row in rows_of(runs, means)), words=5)
    sources = sources_of(published_beside(runs))
    notes = [MEANS_NOTE] if means else []
    notes += [*variant_notes(runs, means), *(f"warning: {words}" for words in warnings(runs, means))]
    if not markdown:
        return "\n".join([table.text(), *map(wrapped, (CAPTION, *notes, *sources))])
    listed = "\n".join(f"- {words}" for words in [*map(markdown_words, notes), *sources])
    return "\n\n".join(part for part in (table.markdown(), markdown_words(f"In {CAPTION}"), listed) if part)


MEANS_NOTE = "± is the standard deviation over runs that differ only in the seeds of data or training."


def variant_notes(runs: Sequence[Run], means: bool = False) -> list[str]:
    """Legend of numbered protocols: the settings in which the runs differ, and their files."""
    groups: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run, protocol in zip(runs, protocols_of(runs, means), strict=True):
        if protocol != run.report["protocol"]:
            groups[run.kind[0], protocol, run.kind[2]].append(run)
    notes = []
    for called, of in groups.items():
        settings, alike = of[0].report["settings"], [run.report["settings"] for run in runs if run.kind == of[0].kind]
        varied = [key for key in settings if any(other.get(key) != settings[key] for other in alike)]
        words = ", ".join(f"{setting_name(key)} {setting_words(settings[key])}" for key in varied)
        files = ", ".join(run.name for run in of)
        notes.append(f"{plain(', '.join(called))}: {plain(words or 'the same settings', 4 * LONGEST)} ({files})")
    return notes


def warnings(runs: Sequence[Run], means: bool = False) -> list[str]:
    """Warnings about runs of one benchmark on different data, and about data that differ from the published data."""
    lines, kinds = [], {"numbers of shapes": "counts", "sha256": "sha256"}
    data_of = {run: (run.benchmark, run.report["settings"].get("data_seed") if means else None) for run in runs}
    for benchmark, seed in dict.fromkeys(data_of.values()):
        of, words = [run for run in runs if data_of[run] == (benchmark, seed)], []
        for what, data in ((what, [run.report["data"][key] for run in of]) for what, key in kinds.items()):
            parts = dict.fromkeys(part for one in data for part in one)
            if differing := [plain(p) for p in parts if any(one.get(p) != data[0].get(p) for one in data)]:
                words.append(f"{what} of {', '.join(differing)}")
        if words:
            groups: dict[str, list[str]] = defaultdict(list)  # runs on equal data
            for run in of:
                groups[json.dumps([run.report["data"][key] for key in kinds.values()], sort_keys=True)].append(run.name)
            against = " against ".join(", ".join(names) for names in groups.values())
            lines.append(f"{plain(benchmark.upper())} was run on different data ({'; '.join(words)}): {against}")
    of_words: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        data = run.report["data"]
        absent = [f"left out {', '.join(map(plain, data['absent']))}"] if data["absent"] else []
        if wrong := [*map(plain, count_differences(data["differs"])), *absent]:
            of_words["; ".join(wrong)].append(run.name)
    return lines + [
        f"{OTHER} {', '.join(of)}: the data differ from the published ones: {words}" for words, of in of_words.items()
    ]


# --- the picture ---


def draw(rows: Sequence[Row], path: Path) -> Path:
    """Draw AUROC and FPR95 of all rows as dots with intervals (PNG); returns `path`."""
    from openshape_ood import plots
    from openshape_ood.novelty_map.colors import BLUE, GREEN, ORANGE, PURPLE
    from openshape_ood.plots.canvas import GREY, PLAIN

    if not 0 < len(rows) <= MOST_DRAWN:
        raise InputError(f"there are {len(rows)} rows to draw. Expected 1 to {MOST_DRAWN}. Give fewer files")
    known = {"names": BLUE, "prototypes": ORANGE, "nearest example": GREEN}
    figure, axes = plots.panels(1, 2, size=(11, 1.6 + 0.27 * len(rows)))
    titles = ("AUROC, higher is better", "FPR95, lower is better")
    for ax, metric, title in zip(axes[0], ("auroc", "fpr95"), titles, strict=True):
        for y, row in enumerate(rows):
            value: Estimate = getattr(row, metric)
            by = row.known_by.partition(":")[0]
            color, label = (GREY, "published") if row.published else (known.get(by, PURPLE), f"by {by}")
            if value.interval:
                ax.plot([100 * end for end in value.interval], [y, y], color=color, lw=2, solid_capstyle="round")
            mark: dict[str, Any] = {"marker": "D", "mfc": "white"} if row.published else {"marker": "o"}
            ax.plot(100 * value.mean, y, color=color, ms=6, lw=0, label=label, **mark)
        labels = [f"{r.benchmark.upper()}: {r.model}, {r.known_by} ({r.protocol}, {r.data})" for r in rows]
        ax.set_yticks(range(len(rows)), labels if metric == "auroc" else [""] * len(rows), fontsize=9, **PLAIN)
        ax.set(title=title, xlabel="percent", ylim=(len(rows) - 0.3, -0.7), axisbelow=True)
        ax.grid(axis="x", color="#DDDDDD", lw=0.8)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    legend = dict(zip(labels, handles, strict=True))  # without repeats
    if any(row.data.endswith(OTHER) for row in rows):
        figure.suptitle(
            f"{OTHER} run on data that differ from the published: not comparable with published figures", fontsize=9
        )
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    return plots.save(figure, path)

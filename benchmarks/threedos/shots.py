"""Figures by number of examples per class (shots), over several runs: table, JSON and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.output import write_json
from benchmarks.report.tables import Table, with_interval
from benchmarks.threedos.results import Finished

SHOWN = {"accuracy": "accuracy", "auroc": "AUROC", "fpr95": "FPR95"}


def rows_of(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """One row per number of shots and kind of known classes, for known against both novel sets."""
    return [
        {"shots": run.report["settings"]["shots"], "known_by": one.known_by, "accuracy": one.accuracy.as_json()}
        | {name: one.metrics["both"][name].as_json() for name in ("auroc", "fpr95")}
        for run in runs
        for one in run.results
    ]


def write(folder: Path, runs: Sequence[Finished], stem: str, pictures: bool) -> tuple[str, list[Path]]:
    """Write JSON and picture; returns the table as text, and the paths."""
    rows = rows_of(runs)
    report = {key: runs[0].report[key] for key in ("benchmark", "title", "provenance", "versions")} | {"rows": rows}
    files = [write_json(folder / f"{stem}.json", report)]
    if pictures:
        files.append(draw(folder / f"{stem}.png", report))
    return table(rows), files


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [(str(row["shots"]), row["known_by"], *(with_interval(row[name]) for name in SHOWN)) for row in rows]
    return Table(("shots", "known by", *SHOWN.values()), tuple(cells), words=2).text()


def draw(path: Path, report: Mapping[str, Any]) -> Path:
    """Draw each figure against the number of examples: one panel per figure, one line per kind of known classes."""
    from openshape_ood import plots

    rows = report["rows"]
    figure, axes = plots.panels(1, len(SHOWN), size=(3.8 * len(SHOWN), 3.4))
    model = report["provenance"]["identity"]["checkpoint"]
    figure.suptitle(f"{report['title']} by the number of examples of each class · {model}", fontsize=11)
    shots = sorted({row["shots"] for row in rows})
    for axis, (name, title) in zip(axes[0], SHOWN.items(), strict=True):
        for way in dict.fromkeys(row["known_by"] for row in rows):
            values = [row[name] for row in sorted(rows, key=lambda row: row["shots"]) if row["known_by"] == way]
            places = range(len(values))
            axis.plot(places, [100 * one["mean"] for one in values], "o-", label=way)
            axis.fill_between(places, *([100 * one[end] for one in values] for end in ("low", "high")), alpha=0.15)
        axis.set_xticks(range(len(shots)), [str(one) for one in shots])
        axis.set(title=title, xlabel="examples of each class", ylabel="%")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return plots.save(figure, path)

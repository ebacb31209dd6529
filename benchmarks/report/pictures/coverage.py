"""Nominal against reached coverage: where the promise is kept, and where it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openshape_ood import plots
from openshape_ood.novelty_map.colors import AMBER, BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY

SHOWN = 0.95
SHIFT = 0.15  # between what stands side by side


def draw(path: Path, report: Mapping[str, Any]) -> Path:
    """Three panels: made-up scores by the size of the calibration set; each score on generated shapes by coverage."""
    rows = report["coverage"]
    scores = list(dict.fromkeys(row["score"] for row in rows if row["score"] != row["case"]))

    figure, axes = plots.panels(1, 1 + len(scores), size=(5.0 * (1 + len(scores)), 5.6))
    figure.suptitle(
        f"Nominal against reached coverage, {report['settings']['draws']:,} calibration sets each\n"
        f"{report['benchmark'].upper()} · {report['model']} · {report['source']}",
        fontsize=11,
    )
    first, *others = axes[0]
    made_up(first, [row for row in rows if row["score"] == row["case"] and row["coverage"] == SHOWN])
    for axis, score in zip(others, scores, strict=True):
        by_coverage(axis, score, [row for row in rows if row["score"] == score])
    handles, labels = others[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9, title="calibrated on")
    return plots.save(figure, path)


def made_up(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mean and central 90 % of the draws, beside those of the law."""
    for i, row in enumerate(rows):
        labels = ("promised", "beta-binomial law", "reached") if i == 0 else (None, None, None)
        axis.hlines(100 * row["promise"], i - 0.35, i + 0.35, color=BLACK, lw=1, label=labels[0])
        law = {"mean": row["promise"], "low": row["law_low"], "high": row["law_high"]}
        bar(axis, i - SHIFT, law, SKY, "s", labels[1])
        bar(axis, i + SHIFT, row, BLUE, "o", labels[2])
    axis.set_xticks(range(len(rows)), [f"{row['n']:,}" for row in rows])
    axis.set(title=f"made-up scores, {100 * SHOWN:g} % nominal", xlabel="calibration scores")
    axis.set(ylabel="known kept, %: mean and central 90 % of draws")
    axis.legend(fontsize=9, loc="lower right")
    axis.grid(axis="y", lw=0.4)


def by_coverage(axis: Any, score: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """For each nominal coverage what every case reaches, side by side."""
    coverages = sorted({row["coverage"] for row in rows})
    series = chosen(rows)
    for i, coverage in enumerate(coverages):
        axis.hlines(100 * coverage, i - 0.45, i + 0.45, color=BLACK, lw=1)
    for i, (label, color, mark, those) in enumerate(series):
        shift = SHIFT * (i - (len(series) - 1) / 2)
        for j, row in enumerate(those):
            place = coverages.index(row["coverage"]) + shift
            bar(axis, place, row, color, mark, label if j == 0 else None)
    axis.set_xticks(range(len(coverages)), [f"{100 * coverage:g}" for coverage in coverages])
    axis.set(title=f"generated shapes, by {score}", xlabel="nominal coverage, % (black lines)", ylabel="known kept, %")
    lowest = min(row["low"] for *_, those in series for row in those)
    axis.set_ylim(100 * max(0, lowest) - 4, 102)
    axis.grid(axis="y", lw=0.4)


def chosen(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, list[Mapping[str, Any]]]]:
    """Label, color, mark and rows of what is drawn: the first two cases with the most scores up to 100, the third
    with every number of them."""
    cases = list(dict.fromkeys(row["case"] for row in rows))[:3]
    found = []
    for case, color, mark in zip(cases, (BLUE, ORANGE, GREEN), "os^", strict=False):
        sizes = sorted({row["n"] for row in rows if row["case"] == case and row["n"] <= 100})
        for n in sizes if case == cases[-1] else sizes[-1:]:
            those = [row for row in rows if (row["case"], row["n"]) == (case, n)]
            found.append((f"{n} {case}", color if n == sizes[-1] else LIGHTER.get(n, color), mark, those))
    return found


LIGHTER = {20: AMBER, 50: PURPLE}


def bar(axis: Any, place: float, row: Mapping[str, Any], color: str, mark: str, label: str | None) -> None:
    axis.vlines(place, 100 * row["low"], 100 * row["high"], color=color, lw=2)
    axis.plot(place, 100 * row["mean"], mark, color=color, ms=6, mec="white", mew=0.5, label=label)

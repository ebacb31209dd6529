"""What a run of `benchmarks.coverage` leaves: two tables with their notes, a page, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report.output import write_json
from benchmarks.report.pictures.coverage import draw
from benchmarks.report.tables import Table, percent
from openshape_ood.storage import save_whole

COVERAGE = 0.95  # of the table
MADE_UP, CLEAN, BROKEN, AGAIN = "made up", "clean, tested on clean", "clean, tested on scans", "scans, tested on scans"
EXCHANGEABLE = (MADE_UP, CLEAN, AGAIN)
RATE, BATCH, NOVEL_IN_BATCH, CALIBRATION_FOR_BATCH = 0.1, 100, 30, 200


def coverage_table(report: Mapping[str, Any]) -> Table:
    """What a coverage of 95 % reaches, a row a case and size of calibration set, in percent."""
    rows = []
    for row in (row for row in report["coverage"] if row["coverage"] == COVERAGE):
        case = "" if row["case"] == row["score"] else row["case"]
        reached, off = (
            f"{100 * row['mean']:.2f} ±{100 * row['error']:.2f}",
            f"{100 * (row['mean'] - row['promise']):+.2f}",
        )
        law = f"{100 * row['law']:.2f}" if row["case"] in EXCHANGEABLE else "-"
        novel = "-" if row["novel"] is None else percent(row["novel"])
        figures = (f"{row['n']:,}", percent(row["promise"]), reached, off, f"{100 * row['spread']:.2f}", law, novel)
        rows.append((row["score"], case, *figures))
    head = ("score", "calibrated on", "n", "promised", "reached", "off by", "spread", "by law", "novel kept")
    return Table(head, tuple(rows), words=2)


def discoveries_table(report: Mapping[str, Any]) -> Table:
    rows = []
    for row in report["discoveries"]:
        false = f"{100 * row['fdr']:.2f} ±{100 * row['error']:.2f}"
        figures = (percent(row["rate"]), percent(row["allowed"]), false, percent(row["found"]))
        rows.append((row["score"], row["case"], str(row["n"]), *figures))
    head = ("score", "calibrated on", "n", "stated rate", "allowed", "false discoveries", "novel found")
    return Table(head, tuple(rows), words=2)


def notes(report: Mapping[str, Any]) -> list[str]:
    """What to know about the tables, a paragraph each."""
    settings, pools = report["settings"], report["pools"]
    return [
        f"Percent of known shapes kept at a coverage of {100 * COVERAGE:g} %: mean over {settings['draws']:,} draws of "
        f"n calibration and {settings['tests']} test shapes ± its standard error; spread is the standard deviation "
        "over the draws, beside it that of the beta-binomial law where calibration and test are exchangeable. "
        "Novel kept: share of scans of novel classes that pass for known.",
        f"{report['source']}; {report['model']}; drawn from {pools['clean']:,} clean shapes and {pools['scans']:,} "
        f"scans of the known classes, {pools['novel']:,} scans of novel ones; prototypes of {pools['bank']:,} other "
        "clean shapes, or of the support itself where it is left in or out. The errors are those of the draws from "
        "these pools; where calibration and test differ in kind, other pools move the figures by up to about "
        "three points.",
    ]


DISCOVERIES_NOTE = (
    f"Benjamini-Hochberg on batches of {BATCH} scans, {NOVEL_IN_BATCH} of them of novel classes, percent: the mean "
    "share of known shapes among those called novel may be the stated rate times the share of known shapes."
)


def blocks(report: Mapping[str, Any]) -> list[str | Table]:
    """What the terminal and the page show, in order."""
    found: list[str | Table] = [coverage_table(report), *notes(report)]
    return [*found, DISCOVERIES_NOTE, discoveries_table(report)] if report["discoveries"] else found


def write(out: Path, report: Mapping[str, Any]) -> list[Path]:
    stem = f"{report['benchmark']}-{report['model']}-coverage"
    figures, picture = write_json(out / f"{stem}.json", report), draw(out / f"{stem}.png", report)
    parts = [f"# Coverage on {report['benchmark'].upper()}: promised and reached"]
    parts += [f"![Nominal against reached coverage]({picture.name})"]
    parts += [block if isinstance(block, str) else block.markdown() for block in blocks(report)]
    page = save_whole(out / f"{stem}.md", ("\n\n".join(parts) + "\n").encode(), "the page")
    return [figures, page, picture]

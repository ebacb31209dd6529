"""What `openshape-ood doctor FILES` says: axis, unit, spacing, colors, and what looks wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Failure, failed_json, print_failures, print_line, print_table, progress, shown
from openshape_ood.cli.inputs import Found
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.shapes.batches import Batch, Reading, in_batches
from openshape_ood.shapes.shape import Shape

if TYPE_CHECKING:
    from openshape_ood.novelty.up_axis import UpAxis

POINTS = 10_000  # of surfaces, where no encoder says how many
COLUMNS = ("file", "points", "size", "spacing", "colors", "up", "looks wrong")
NAMED = 3  # files of one problem
UNLIKE = 30  # times as long as another, when units differ


def examine_files(found: Found, chosen: KnownOptions) -> dict[str, Any]:
    """The report, as --json prints it; without known classes nothing is said of the axis."""
    from openshape_ood.shapes.reading import stated_up
    from openshape_ood.shapes.statistics import CloudFacts, likely_unit

    known = chosen.known or chosen.examples or chosen.known_file
    pipeline = chosen.pipeline(found, decide=False) if known else None
    reading = Reading(POINTS, "y", chosen.seed, readers=chosen.readers) if pipeline is None else pipeline.reading
    failures, rows = found.failures, list[dict[str, Any]]()

    def facts_of(batch: Batch) -> list[CloudFacts]:
        return [CloudFacts.of(cloud) for cloud in batch.shapes]

    with progress("examining", len(found.files)) as bar:
        shapes = [Shape(file.path, file.path) for file in found.files]
        for batch in in_batches(shapes, replace(reading, up="y", num_samples=1), facts_of, bar.step):
            failures += batch.failures
            for shape, facts in zip(batch.given, batch.result or (), strict=True):
                about = {"up": stated_up(shape.name), "surface": shape.is_surface}
                rows.append({"file": shape.name, **about, **asdict(facts), "length": facts.length})
    read = {row["file"] for row in rows}
    up_axis = None
    if pipeline is not None:
        up_axis = pipeline.find_axis([file.path for file in found.files if file.path in read])
    lengths = [row["length"] for row in rows]
    return {
        "files": rows,
        "unit": likely_unit(lengths) if lengths else None,
        "up_axis": up_axis and up_axis.as_json(),
        "said_of_axis": _said(up_axis, rows),
        "failed": failed_json(failures),
        "problems": _problems(rows, up_axis, failures),
    }


def _said(up_axis: UpAxis | None, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "no file can be read"
    if up_axis is not None:
        return str(up_axis)
    silent = sum(row["up"] is None for row in rows)
    if silent:
        return f"{silent} of {len(rows)} files do not say which axis is up; --known or --examples would tell"
    return "every file says which axis is up"


def _problems(rows: Sequence[dict[str, Any]], up_axis: UpAxis | None, failures: Sequence[Failure]) -> list[str]:
    """Each with what to do."""
    problems = []
    if up_axis is not None and up_axis.axis not in ("y", None):
        problems.append(f"files that say nothing are read with y up, but {up_axis}: give --up {up_axis.axis}")
    named = defaultdict(list)
    for row in rows:
        for remark in row["remarks"]:
            named[remark].append(row["file"])
    for remark, files in named.items():
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        problems.append(f"{remark}: {', '.join(files[:NAMED])}{more}")
    lengths = sorted((row["length"], row["file"]) for row in rows)
    if lengths and lengths[-1][0] > UNLIKE * lengths[0][0] > 0:
        (least, small), (most, large) = lengths[0], lengths[-1]
        times = f"{most / least:,.0f} times as long as"
        problems.append(f"units seem to differ: {large} is {times} {small}; size is not compared, but is it right?")
    colored = sum(row["colors"] is not None for row in rows)
    if 0 < colored < len(rows):
        problems.append(f"{colored} of {len(rows)} files have color, the others are read as gray")
    if failures:
        problems.append("1 file cannot be read" if len(failures) == 1 else f"{len(failures)} files cannot be read")
    return problems


def print_files(report: dict[str, Any], failures: Sequence[Failure]) -> None:
    """For people."""
    rows = [_cells(row) for row in report["files"]]
    if rows:
        print_table(rows, COLUMNS, fold="file")
        print_line(
            f"unit: {report['unit']}, if these are things of a room; each shape is scaled, so results do not change"
        )
    print_line(f"axis: {report['said_of_axis']}")
    if report["up_axis"]:
        kept, novelty = report["up_axis"]["kept"], report["up_axis"]["novelty"]
        shares = [{"up": a, "kept": f"{100 * kept[a]:.0f} %", "mean novelty": novelty[a]} for a in kept]
        print_table(shares, ("up", "kept", "mean novelty"))
    print_failures(failures)
    for problem in report["problems"]:
        print_line(f"looks wrong: {shown(problem)}", "bold red")
    if not report["problems"]:
        print_line("nothing looks wrong", "green")


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    size, colors = " x ".join(f"{side:.3g}" for side in row["size"]), row["colors"]
    return {
        "file": row["file"],
        "points": "surface" if row["surface"] else row["points"],
        "size": size,
        "spacing": None if row["surface"] else f"{row['spacing']:.2g}",
        "colors": "none" if colors is None else f"{colors[0]:.2f} to {colors[1]:.2f}",
        "up": row["up"] or "not said",
        "looks wrong": "; ".join(row["remarks"]),
    }

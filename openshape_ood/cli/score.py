"""openshape-ood score: novelty, nearest class and verdict of shapes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import finish, print_json, print_line, print_table, shown
from openshape_ood.cli.drift import DRIFT, DriftOptions
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.options import DECISION, RESULT, option
from openshape_ood.cli.outputs import check_out, save_table
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.encoders.protocols import Provenance
    from openshape_ood.novelty import NoveltyPipeline, NoveltyResult

COLUMNS = ("file", "status", "nearest", "similarity", "novelty", "p_value", "verdict", "up", "error")

EXAMPLES = """
  openshape-ood score scans/ --known chair sofa table --model small
  openshape-ood score 'scans/*.ply' --known chair,sofa --calibrate mine/ --save-threshold mine.json
  openshape-ood score scan.ply --examples examples/ --threshold mine.json --json
  openshape-ood score scans/ --known chair sofa --label 30 todo.csv
  openshape-ood score scans/ --known chair sofa --labels todo.csv --save-threshold mine.json

Put files before --known, or after --, because every word after --known is a class.
"""


def score(
    files: options.Files,
    /,
    *,
    chosen: KnownOptions = KnownOptions(),
    drift: DriftOptions = DriftOptions(),
    objects_by: Annotated[
        Literal["file", "folder"],
        option(
            DRIFT,
            "Objects of the drift test. file: each file is one object. folder: all files of a folder are scans of "
            "one object.",
        ),
    ] = "file",
    save_threshold: Annotated[
        Path | None, option(DECISION, "Save the threshold to a .json file, for later runs.", "FILE")
    ] = None,
    sort: Annotated[
        Literal["given", "novelty"],
        option(RESULT, "Order of the rows. given: order of FILES. novelty: most novel first."),
    ] = "given",
    out: Annotated[
        Path | None, option(RESULT, "Also write the table to a .csv or .json file.", "FILE", "--out", "-o")
    ] = None,
    json: options.Json = False,
) -> None:
    """Score shapes: novelty, nearest class and verdict of each.

    Files that cannot be read are skipped and listed. The exit code is then 1.
    """
    from dataclasses import replace

    from openshape_ood.cli import thresholds
    from openshape_ood.cli.axes import assumed_axis, better_axis, warn_of_axes
    from openshape_ood.cli.drift import recalibrated
    from openshape_ood.cli.inputs import find_shapes, named_ignored
    from openshape_ood.cli.results import provenance_of, records, score_all
    from openshape_ood.novelty import NoveltyResult

    drift.check()
    labels = drift.read()
    check_out("--out", out, (".csv", ".json"))
    check_out("--save-threshold", save_threshold, (".json",))
    inputs = find_shapes(files)
    before = chosen.pipeline(inputs)
    pipeline = recalibrated(before, labels, chosen, inputs.failures)
    if save_threshold is not None and pipeline.threshold is None:
        raise InputError(
            "--save-threshold was given, but there is no threshold. Expected a calibration set. Give --calibrate PATHS "
            "of known shapes."
        )
    rows, read, results = [], [], []
    for scored in score_all(pipeline, inputs, inputs.failures, "scoring"):
        read += [] if scored.stored else scored.files
        rows += records(scored)
        results.append(replace(scored.result, similarity=scored.result.similarity[:, :0].copy(), embeddings=None))
    result = None
    if results:  # the drift test checks the threshold before its recalibration with --labels
        result = replace(NoveltyResult.joined(results), threshold=before.threshold)
        if objects_by == "folder":
            result = result.with_context(groups=[os.path.dirname(path) for path in result.shapes])
        result = drift.tested(result, labels)
    if save_threshold is not None and pipeline.threshold is not None:
        pipeline.threshold.save(save_threshold)
    if sort == "novelty":
        rows.sort(key=lambda row: -row["novelty"])
    provenance = provenance_of(pipeline, inputs)
    record = _record(pipeline, provenance, rows, result, inputs) if json or out is not None else None
    if out is not None and (rows or inputs.failures):
        lines = [{**row, "status": "scored"} for row in rows]
        lines += [{"file": one.source, "status": "failed", "error": one.error} for one in inputs.failures]
        save_table(out, record, COLUMNS, lines)
    if json:
        print_json(record)
    elif rows:
        _print(rows, provenance, pipeline.threshold, result, drift, inputs)
        if out is not None:
            print_line(f"table in {shown(out)}")
    named_ignored(inputs.ignored)
    warn_of_axes(read, chosen.up, better_axis(pipeline, read, [row["verdict"] == "novel" for row in rows]))
    thresholds.warn_of_axis(pipeline.threshold, assumed_axis(rows, chosen.up))
    finish(inputs.failures, bool(rows))


app = options.single(score, EXAMPLES)


def _record(
    pipeline: NoveltyPipeline,
    provenance: Provenance,
    rows: list[dict[str, Any]],
    result: NoveltyResult | None,
    inputs: Inputs,
) -> dict[str, Any]:
    from openshape_ood.cli.results import as_json

    return {
        **as_json(pipeline, provenance),
        "up_axis": pipeline.up_axis and pipeline.up_axis.as_json(),
        "drift": result and result.drift.as_json(),
        "shapes": rows,
        **inputs.as_json("scored", len(rows)),
    }


def _print(
    rows: list[dict[str, Any]],
    provenance: Provenance,
    threshold: Threshold | None,
    result: NoveltyResult | None,
    drift: DriftOptions,
    inputs: Inputs,
) -> None:
    from openshape_ood.cli.drift import print_drift
    from openshape_ood.cli.thresholds import words
    from openshape_ood.novelty.result import verdict_counts

    columns = ("file", "nearest", "similarity", "novelty", "p_value", "verdict")
    print_table(rows, [name for name in columns if rows[0][name] is not None], fold="file")
    if threshold is not None:
        print_line(verdict_counts([row["verdict"] for row in rows]))
    print_line(words(threshold))
    if result is not None:
        print_drift(result, drift.label)
    note = " (stated by each file, else y)" if provenance.up == "file" else ""
    counts = f"{len(rows)} scored, {len(inputs.failures)} failed, {len(inputs.ignored)} ignored"
    print_line(f"{provenance.identity.checkpoint}, {provenance.method}, up {provenance.up}{note}: {counts}")

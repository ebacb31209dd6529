"""openshape-ood score: which of these shapes are novel?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    as_json,
    print_failures,
    print_json,
    print_line,
    print_table,
    shown,
)

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold

COLUMNS = ("file", "status", "nearest", "similarity", "novelty", "p_value", "verdict", "up", "error")

EXAMPLES = """
  openshape-ood score scans/ --known chair sofa table --model tiny
  openshape-ood score 'scans/*.ply' --known chair,sofa --calibrate mine/ --save-threshold mine.json
  openshape-ood score scan.ply --examples examples/ --threshold mine.json --json

Files come before --known, or after --, for every word after --known is a class.
"""


@options.with_examples(EXAMPLES)
def score(
    files: options.Files,
    known: options.Names = None,
    examples: options.Examples = None,
    known_file: options.KnownFiles = None,
    known_up: options.KnownUp = None,
    method: options.MethodName = None,
    threshold: options.ThresholdGiven = None,
    calibrate: options.Calibrate = None,
    calibrate_by: options.CalibrateBy = "file",
    coverage: options.Coverage = 0.95,
    save_threshold: options.SaveThreshold = None,
    sort: Annotated[
        Literal["given", "novelty"],
        options.option(options.RESULT, "--sort", "Order: as given, or the most novel first."),
    ] = "given",
    out: Annotated[
        Path | None, options.option(options.RESULT, "--out -o", "Write the table too: .csv or .json.", metavar="FILE")
    ] = None,
    model: options.OwnModel = None,
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.UpOrAuto = "file",
    num_samples: options.NumSamples = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    json: options.Json = False,
) -> None:
    """Score shapes: how novel each is, what it is nearest to, and whether it is novel.

    Files that cannot be read are listed and stop nothing; the exit code is then 1.
    """
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.axes import doubted, note_found, warn_of_axes
    from openshape_ood.cli.batches import Reading
    from openshape_ood.cli.encoders import Encoders, check_ups
    from openshape_ood.cli.inputs import check_out, find_files, named_ignored, nothing_found
    from openshape_ood.cli.judging import Judge, records
    from openshape_ood.cli.known import gather
    from openshape_ood.errors import InputError
    from openshape_ood.scoring import find_method

    check_out("--out", out, (".csv", ".json"))
    check_out("--save-threshold", save_threshold, (".json",))
    check_ups(up, known_up, auto=True)
    wanted = gather(known, examples, known_file, known_up)
    decided = thresholds.given(threshold, calibrate, coverage, wanted)
    calibration = thresholds.Calibration(calibrate or (), calibrate_by, coverage)
    chosen = None if method is None else find_method(method, wanted.kind)
    found = find_files(files)
    if not found.files and not found.stores and not found.failures:
        raise InputError(nothing_found(files, found.ignored))
    failures = found.failures
    encoders = Encoders(model, checkpoint, text_checkpoint, device, [*wanted.identities, *found.identities])
    reading = Reading(encoders.points, up, seed, num_samples, batch_size, readers)
    judge, up_axis = (
        Judge.of(wanted, chosen, encoders, reading, known_up, failures).asking(found).with_axis(found.files)
    )
    judge = thresholds.decided(judge, decided, calibration, failures)
    if save_threshold is not None:
        if judge.threshold is None:
            raise InputError("--save-threshold: there is no threshold to save; give --calibrate PATHS of known shapes")
        judge.threshold.save(save_threshold)
    rows, read = [], []
    for batch in judge.all(found, failures, "scoring"):
        read += batch.files if batch.shapes else []
        rows += records(batch, batch.result)
    if sort == "novelty":
        rows.sort(key=lambda row: -row["novelty"])
    record = {
        "provenance": judge.provenance.as_json(),
        "classes": list(judge.classes.names),
        "threshold": judge.threshold and judge.threshold.as_json(),
        "up_axis": up_axis and up_axis.as_json(),
        "shapes": rows,
        "failed": [asdict(failure) for failure in failures],
        "ignored": found.ignored,
        "counts": {"scored": len(rows), "failed": len(failures), "ignored": len(found.ignored)},
    }
    if out is not None and (rows or failures):
        _write(out, record, rows, failures)
    if json:
        print_json(record)
    elif rows:
        _print(rows, judge.threshold, record)
        if out is not None:
            print_line(f"table in {shown(out)}")
    print_failures(failures)
    named_ignored(found.ignored)
    if up_axis is not None:
        note_found(up_axis)
    warn_of_axes(read, up, doubted(judge, read, rows) if up == "file" else None)
    thresholds.warn_of_axis(judge.threshold, rows, up)
    if not rows:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)


def _write(out: Path, record: dict[str, Any], rows: Sequence[dict[str, Any]], failures: Sequence[Failure]) -> None:
    from openshape_ood.storage import save_whole

    content = as_json(record) if out.suffix.lower() == ".json" else _csv(rows, failures)
    save_whole(out, content.encode("utf-8", errors="surrogateescape"), "the table")


def _csv(rows: Sequence[dict[str, Any]], failures: Sequence[Failure]) -> str:
    """A line a file, those that failed last; empty where there is nothing to say."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "status": "scored"} for row in rows)
    writer.writerows({"file": one.file, "status": "failed", "error": one.reason} for one in failures)
    return buffer.getvalue()


def _print(rows: Sequence[dict[str, Any]], threshold: Threshold | None, record: dict[str, Any]) -> None:
    from openshape_ood.cli.thresholds import print_hint, words

    columns = ["file", "nearest", "similarity", "novelty", "p_value", "verdict"]
    print_table(rows, [name for name in columns if rows[0][name] is not None], fold="file")
    provenance = record["provenance"]
    note = " (what each file says, else y)" if provenance["up"] == "file" else ""
    counts = ", ".join(f"{count} {what}" for what, count in record["counts"].items())
    if threshold is not None:
        novel = sum(row["verdict"] == "novel" for row in rows)
        print_line(f"{novel} novel, {len(rows) - novel} known")
    print_line(words(threshold))
    print_line(f"{provenance['identity']['checkpoint']}, {provenance['method']}, up {provenance['up']}{note}: {counts}")
    print_hint(threshold)

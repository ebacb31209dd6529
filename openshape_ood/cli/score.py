"""openshape-ood score: which of these shapes are novel?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
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
    progress,
    shown,
)

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty_result import NoveltyResult

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
    known_classes: options.KnownFiles = None,
    known_up: options.KnownUp = None,
    method: options.MethodName = None,
    threshold: options.ThresholdGiven = None,
    calibrate: options.Calibrate = None,
    coverage: options.Coverage = 0.95,
    save_threshold: options.SaveThreshold = None,
    sort: Annotated[
        Literal["given", "novelty"],
        options.option(options.RESULT, "--sort", "Order: as given, or the most novel first."),
    ] = "given",
    out: Annotated[
        Path | None, options.option(options.RESULT, "--out -o", "Write the table too: .csv or .json.", metavar="FILE")
    ] = None,
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.Up = "file",
    num_samples: options.NumSamples = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    json: options.Json = False,
) -> None:
    """Score shapes: how novel each is, what it is nearest to, and whether it is novel."""
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.batches import Reading, encode_files, warn_of_axes
    from openshape_ood.cli.encoders import check_ups, load_encoder, load_text
    from openshape_ood.cli.inputs import check_out, find_files, nothing_found
    from openshape_ood.cli.known import build, gather
    from openshape_ood.errors import InputError
    from openshape_ood.scoring import find_method

    check_out("--out", out, (".csv", ".json"))
    check_out("--save-threshold", save_threshold, (".json",))
    check_ups(up, known_up)
    decided = thresholds.given(threshold, calibrate, coverage)
    wanted = gather(known, examples, known_classes)
    chosen = None if method is None else find_method(method, wanted.kind)
    found = find_files(files)
    if not found.files and not found.failures:
        raise InputError(nothing_found(files, found.ignored))

    encoder = load_encoder(model, checkpoint, device)
    reading, failures = Reading(encoder.spec.count, up, seed, num_samples, batch_size, readers), found.failures
    example_reading, text = replace(reading, up=known_up or up), load_text(encoder, text_checkpoint)
    classes = build(wanted, chosen, encoder, text, example_reading, failures)
    from openshape_ood import __version__
    from openshape_ood.encoders.protocols import Provenance
    from openshape_ood.novelty import score_novelty
    from openshape_ood.scoring import default_method
    from openshape_ood.synthetic.calibration import generated_threshold

    chosen = chosen or find_method(default_method(classes))
    provenance = Provenance(encoder.identity, chosen.name, up, seed, num_samples, __version__)

    def judge(shapes: list[Any], ups: list[str]) -> NoveltyResult:
        return score_novelty(
            shapes, classes, encoder=encoder, method=chosen, up=ups, threshold=decided, **reading.settings
        )

    hint = ""
    if calibrate:
        decided = thresholds.from_files(calibrate, coverage, reading, judge, provenance, failures)
    elif decided is None:
        decided = generated_threshold(classes, encoder, method=chosen, coverage=coverage, **reading.settings)
        hint = "for shapes of yours, calibrate on known ones of yours: --calibrate PATHS"
    if save_threshold is not None:
        if decided is None:
            raise InputError("--save-threshold: there is no threshold to save; give --calibrate PATHS of known shapes")
        decided.save(save_threshold)
    with progress("scoring", len(found.files)) as bar:
        batches = encode_files(found.files, reading, judge, failures, bar)
        rows = [
            {"file": file.path, "id": file.id, **row}
            for batch in batches
            for file, row in zip(batch.files, batch.result.as_json()["shapes"], strict=True)
        ]
    for row in rows:
        del row["shape"]  # the same as its file
    if sort == "novelty":
        rows.sort(key=lambda row: -row["novelty"])
    record = {
        "provenance": provenance.as_json(),
        "classes": list(classes.names),
        "threshold": decided and decided.as_json(),
        "shapes": rows,
        "failed": [asdict(failure) for failure in failures],
        "counts": {"scored": len(rows), "failed": len(failures), "ignored": found.ignored},
    }
    if out is not None and (rows or failures):
        _write(out, record, rows, failures)
    if json:
        print_json(record)
    elif rows:
        _print(rows, decided, record)
        if decided is not None and hint:
            print_line(hint)
        if out is not None:
            print_line(f"table in {shown(out)}")
    print_failures(failures)
    warn_of_axes(found.files, up)
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
    from openshape_ood.cli.thresholds import words

    columns = ["file", "nearest", "similarity", "novelty", "p_value", "verdict"]
    print_table(rows, [name for name in columns if rows[0][name] is not None], fold="file")
    provenance = record["provenance"]
    note = " (what each file says, else y)" if provenance["up"] == "file" else ""
    counts = ", ".join(f"{count} {what}" for what, count in record["counts"].items())
    print_line(words(threshold))
    print_line(f"{provenance['identity']['checkpoint']}, {provenance['method']}, up {provenance['up']}{note}: {counts}")

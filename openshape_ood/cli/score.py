"""openshape-ood score: which of these shapes are novel?"""

from __future__ import annotations

import csv
import io
import json as json_format
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    console,
    new_table,
    plain,
    print_failures,
    print_json,
    print_line,
    progress,
    shown,
    text,
)
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.limits import Limit
    from openshape_ood.cli.reading import Done
    from openshape_ood.cli.scoring import Scorer
    from openshape_ood.novelty import NoveltyResult

STYLES = {"known": "green", "novel": "bold red", "": ""}
TABLES = (".csv", ".json")

EXAMPLES = """
  openshape-ood score scans/ --known chair sofa table --model tiny
  openshape-ood score 'scans/*.ply' --known chair,sofa --calibrate mine/
  openshape-ood score scan.ply --examples support/ --threshold 0.8 --json

Files come before --known, or after --, for every word after --known is a class.
"""


@dataclass(frozen=True)
class Row:
    """What was found of one file."""

    file: str
    id: str
    nearest: str
    similarity: float
    novelty: float
    p_value: float | None
    verdict: str
    up: str
    similarities: dict[str, float]


@options.with_examples(EXAMPLES)
def score(
    files: options.Files,
    known: options.Names = None,
    examples: options.Examples = None,
    bank: options.Banks = None,
    known_up: options.KnownUp = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="How novelty is scored; by names max_cosine, by examples prototype_distance, if left out.",
            autocompletion=options.method_names,
            rich_help_panel=options.RESULT,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Novel is what lies above.", rich_help_panel=options.RESULT),
    ] = None,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            "--calibrate",
            metavar="PATHS...",
            help="Known shapes, none of the examples, to find the threshold from: files, folders, patterns.",
            rich_help_panel=options.RESULT,
        ),
    ] = None,
    coverage: Annotated[
        float,
        typer.Option(
            "--coverage", help="Share of known shapes that the threshold keeps.", rich_help_panel=options.RESULT
        ),
    ] = 0.95,
    sort: Annotated[
        Literal["given", "novelty"],
        typer.Option("--sort", help="Order: as given, or the most novel first.", rich_help_panel=options.RESULT),
    ] = "given",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the table too: .csv or .json.", rich_help_panel=options.RESULT
        ),
    ] = None,
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.Up = "file",
    num_samples: options.Views = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    json: options.Json = False,
) -> None:
    """Score shapes: how novel each is, what it is nearest to, and whether it is novel."""
    from openshape_ood.cli import classes, limits
    from openshape_ood.cli.inputs import find_files
    from openshape_ood.cli.loading import check_up, load_encoder, load_text
    from openshape_ood.cli.reading import Reading, encode_files, nothing_found, warn_of_axes
    from openshape_ood.cli.scoring import Scorer
    from openshape_ood.scoring import find_score

    _check_out(out)
    check_up(up)
    if known_up is not None:
        check_up(known_up)
    limits.check_choice(threshold, calibrate, coverage)
    wanted = classes.gather(known, examples, bank)
    if method is not None:
        find_score(method, wanted.kind)
    found = find_files(files)
    if not found.files and not found.failures:
        raise InputError(nothing_found(files, found.ignored))

    encoder = load_encoder(model, checkpoint, device)
    reading, failures = Reading(encoder.spec.count, up, seed, num_samples, batch_size, readers), found.failures
    text_encoder, support = load_text(encoder, text_checkpoint), replace(reading, up=known_up or up)
    classes_bank = classes.build(wanted, method, encoder, text_encoder, support, failures)
    scorer = Scorer(encoder, classes_bank, method, reading)
    limit = limits.choose(scorer, threshold, calibrate, coverage, failures)
    with progress("scoring", len(found.files)) as bar:
        results = encode_files(found.files, reading, scorer.judge, failures, bar)
        rows = [row for done in results for row in _rows(done, limit)]
    if sort == "novelty":
        rows.sort(key=lambda row: -row.novelty)
    record = _record(rows, failures, found.ignored, scorer, limit)
    if out is not None and (rows or failures):
        _write(out, record, rows, failures)
    if json:
        print_json(record)
    elif rows:
        _print(rows, limit, record, out)
    print_failures(failures)
    warn_of_axes(found.files, up)
    if not rows:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)


def _rows(done: Done[NoveltyResult], limit: Limit) -> list[Row]:
    result = done.result
    verdicts, p_values = limit.verdicts(result.novelty), limit.p_values(result.novelty)
    names = [str(name) for name in result.classes]
    return [
        Row(
            file=file.path,
            id=file.id,
            nearest=str(result.nearest[i]),
            similarity=float(result.similarity[i, names.index(str(result.nearest[i]))]),
            novelty=float(result.novelty[i]),
            p_value=p_values[i],
            verdict=verdicts[i],
            up=result.up[i],
            similarities=dict(zip(names, result.similarity[i].tolist(), strict=True)),
        )
        for i, file in enumerate(done.batch.files)
    ]


def _record(
    rows: Sequence[Row], failures: Sequence[Failure], ignored: int, scorer: Scorer, limit: Limit
) -> dict[str, Any]:
    """What --json prints and --out writes as JSON."""
    return {
        "model": scorer.encoder.identity.checkpoint,
        "checkpoint_sha256": scorer.encoder.identity.sha256,
        "method": scorer.used,
        "classes": list(scorer.bank.names),
        "up": scorer.reading.up,
        "seed": scorer.reading.seed,
        "num_samples": scorer.reading.num_samples,
        "threshold": limit.record(),
        "shapes": [{**asdict(row), "verdict": row.verdict or None} for row in rows],
        "failed": [asdict(failure) for failure in failures],
        "counts": {"scored": len(rows), "failed": len(failures), "ignored": ignored},
    }


def _check_out(out: Path | None) -> None:
    """Told before the work, not after it."""
    if out is None:
        return
    if out.suffix.lower() not in TABLES:
        raise InputError(f"--out is {out}; expected a name that ends in {' or '.join(TABLES)}")
    if not out.expanduser().parent.is_dir():
        raise InputError(f"--out is {out}; there is no folder {out.parent}")


def _write(out: Path, record: dict[str, Any], rows: Sequence[Row], failures: Sequence[Failure]) -> None:
    from openshape_ood.storage import save_whole

    if out.suffix.lower() == ".json":
        content = json_format.dumps(plain(record), indent=2, allow_nan=False) + "\n"
    else:
        content = _csv(rows, failures)
    save_whole(out, content.encode("utf-8", errors="surrogateescape"), "the table")


def _csv(rows: Sequence[Row], failures: Sequence[Failure]) -> str:
    """A line a file, those that failed last; empty where there is nothing to say."""
    columns = ("file", "status", "nearest", "similarity", "novelty", "p_value", "verdict", "up", "error")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**asdict(row), "status": "scored"})
    for failure in failures:
        writer.writerow({"file": failure.file, "status": "failed", "error": failure.reason})
    return buffer.getvalue()


def _print(rows: Sequence[Row], limit: Limit, record: dict[str, Any], out: Path | None) -> None:
    calibrated = limit.calibration is not None
    numbers = ["similarity", "novelty", *(["p-value"] if calibrated else [])]
    table = new_table("file", "nearest", *numbers, "verdict", right=numbers, fold=["file"])
    for row in rows:
        style = STYLES[row.verdict]
        cells = [f"{row.similarity:.3f}", f"{row.novelty:.3f}", *([f"{row.p_value:.3f}"] if calibrated else [])]
        table.add_row(text(row.file), text(row.nearest), *cells, text(row.verdict, style))
    console().print(table)
    counts = ", ".join(f"{count} {what}" for what, count in record["counts"].items())
    asked = " (what each file says, else y)" if record["up"] == "file" else ""
    print_line(shown(limit.words))
    print_line(f"{record['model']}, {record['method']}, up {record['up']}{asked}: {counts}")
    if out is not None:
        print_line(f"table in {shown(out)}")

"""openshape-ood localize: where are shapes novel? Of one a map, of many a ranked report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    print_failures,
    print_json,
    print_note,
    progress,
    shown,
)
from openshape_ood.errors import ClassNamesError, InputError, MissingPackageError

if TYPE_CHECKING:
    from openshape_ood.cli.batches import Reading
    from openshape_ood.cli.encoders import Encoders
    from openshape_ood.cli.inputs import Found
    from openshape_ood.cli.judging import Judge
    from openshape_ood.cli.known import Wanted
    from openshape_ood.known import KnownClasses
    from openshape_ood.novelty.result import NoveltyResult
    from openshape_ood.novelty.up_axis import UpAxis
    from openshape_ood.novelty_map import NoveltyMap
    from openshape_ood.scoring import Method

EXAMPLES = """
  openshape-ood localize chair.ply --known chair --generated models --model tiny
  openshape-ood localize one.ply --examples examples/ --picture where.png --out where.ply
  openshape-ood localize scans/ --known-file known.safetensors --report new.html
"""
GENERATED = 80  # shapes a class; of fewer, the threshold is told badly
POINTS = 2048
PICTURES = (".png", ".svg", ".pdf", ".html")


@options.with_examples(EXAMPLES)
def localize(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Shape files, folders (searched through and through) or patterns in quotes, as 'scans/*.ply'.",
        ),
    ],
    known: options.Names = None,
    examples: options.Examples = None,
    generated: Annotated[
        Literal["models", "scans"] | None,
        options.option(
            options.KNOWN,
            "--generated",
            "Generated shapes as examples of the names of --known, where these are generated categories: whole "
            "models, or scans, whichever the shapes themselves are.",
        ),
    ] = None,
    known_file: options.KnownFiles = None,
    known_up: options.KnownUp = None,
    method: options.MethodName = None,
    threshold: options.ThresholdGiven = None,
    calibrate: options.Calibrate = None,
    calibrate_by: options.CalibrateBy = "file",
    coverage: options.Coverage = 0.95,
    report: Annotated[
        Path | None,
        options.option(
            options.RESULT,
            "--report",
            "Write what is new here, and where, the most novel first: one .html that needs no network (needs pip "
            "install 'openshape-ood\\[plots]').",
            metavar="FILE",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        options.option(options.RESULT, "--out -o", "Write the colored cloud of one shape: .ply.", metavar="FILE"),
    ] = None,
    picture: Annotated[
        Path | None,
        options.option(
            options.RESULT,
            "--picture",
            "Draw one shape: .png, .svg, .pdf, or .html to turn it (needs pip install 'openshape-ood\\[plots]').",
            metavar="FILE",
        ),
    ] = None,
    color: Annotated[
        Literal["novelty", "class"], options.option(options.RESULT, "--color", "What the colors mean.")
    ] = "novelty",
    model: options.OwnModel = None,
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.UpOrAuto = "file",
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    json: options.Json = False,
) -> None:
    """Say where shapes are novel: a novelty and a nearest class for each of their points.

    With example shapes their patches are compared with those of the examples, which `openshape-ood known save
    --patches` keeps. With names alone they are compared with the names, which says far less. Whether a shape is novel
    as a whole is told beside it, as `score` does.
    """
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.axes import doubted, note_found, warn_of_axes
    from openshape_ood.cli.batches import Reading, encode_files
    from openshape_ood.cli.encoders import Encoders, check_ups
    from openshape_ood.cli.inputs import find_files, named_ignored
    from openshape_ood.cli.known import gather
    from openshape_ood.cli.maps import Localized, print_maps
    from openshape_ood.novelty_map import localize_many
    from openshape_ood.scoring import find_method

    _check_outputs(out, picture, report)
    check_ups(up, known_up, auto=True)
    wanted = gather(known, examples, known_file, known_up)
    decided = thresholds.given(threshold, calibrate, coverage, wanted)
    calibration = thresholds.Calibration(calibrate or (), calibrate_by, coverage)
    chosen = None if method is None else find_method(method, "examples" if generated else wanted.kind)
    found = find_files(files)
    up, identities = _as_stored(found, up), [*wanted.identities, *found.identities]
    found = found.with_stored_files()
    _check_shapes(files, found, one_only=bool(out or picture))
    failures, encoders = found.failures, Encoders(model, checkpoint, text_checkpoint, device, identities)
    reading = Reading(encoders.points, up, seed, 1, batch_size, readers)
    judge, up_axis = _judge(wanted, generated, chosen, encoders, reading, known_up, failures).with_axis(found.files)
    judge = thresholds.decided(judge, decided, calibration, failures)

    def both(shapes: list[Any], ups: list[str]) -> tuple[NoveltyResult, list[NoveltyMap]]:
        encoder, known = encoders.shape, judge.classes
        maps = localize_many(shapes, known, encoder=encoder, up=ups, seed=seed, batch_size=batch_size)
        return judge(shapes, ups), list(maps)

    done = Localized()
    with progress("localizing", len(found.files)) as bar:
        for batch in encode_files(found.files, judge.reading, both, failures, bar):
            done.add(batch)
    axis = doubted(judge, done.files, done.rows) if up == "file" else up_axis
    written = {"out": out, "picture": picture, "report": report}
    record = done.record(judge, found, {"up_axis": up_axis and up_axis.as_json(), **written})
    if len(done.rows) == 1:
        _save(next(iter(done.maps.values())), out, picture, color)
    if report is not None and done.rows:
        from openshape_ood.cli.report import write

        write(report, record, done.maps, judge.threshold, _doubt(up, axis))
    if json:
        print_json(record)
    elif done.rows:
        print_maps(done, record, judge)
    if done.rows and record["provenance"]["method"] == "text":
        print_note("by names alone this says little: give --examples FOLDER, or --generated where names allow it")
    print_failures(failures)
    named_ignored(found.ignored)
    if up_axis is not None:
        note_found(up_axis)
    warn_of_axes(done.files, up, axis)
    thresholds.warn_of_axis(judge.threshold, done.rows, up)
    if not done.rows:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)


def _check_outputs(out: Path | None, picture: Path | None, report: Path | None) -> None:
    """Told before the work, not after it."""
    from openshape_ood.cli.inputs import check_out

    check_out("--out", out, (".ply",))
    for option, path, suffixes in (("--picture", picture, PICTURES), ("--report", report, (".html",))):
        check_out(option, path, suffixes)
        turned = option == "--picture" and path is not None and path.suffix.lower() == ".html"
        package = "plotly" if turned else "matplotlib"
        if path is not None and find_spec(package) is None:
            raise MissingPackageError(f"{option} {path} needs {package}: pip install 'openshape-ood[plots]'")


def _as_stored(found: Found, up: str) -> str:
    """The axis with which the shapes of stored embeddings were read, unless another is asked for."""
    from openshape_ood.embedding_store import read_header

    axes = {read_header(store).provenance.up for store in found.stores}
    return axes.pop() if up == "file" and len(axes) == 1 and not found.files else up


def _check_shapes(given: Sequence[str], found: Found, one_only: bool) -> None:
    from openshape_ood.cli.inputs import nothing_found

    if not found.files and not found.failures:
        raise InputError(nothing_found(given, found.ignored))
    if one_only and len(found.files) > 1:
        raise InputError(
            f"--out and --picture are of one shape, given were {len(found.files)}; of many give --report FILE.html"
        )


def _judge(
    wanted: Wanted,
    generated: str | None,
    method: Method | None,
    encoders: Encoders,
    reading: Reading,
    known_up: str | None,
    failures: list[Failure],
) -> Judge:
    """What shapes and their patches are compared with."""
    from openshape_ood.cli.judging import Judge
    from openshape_ood.known import KnownClasses
    from openshape_ood.scoring import default_method, find_method

    if not generated:
        if wanted.by_name and wanted.with_files:
            names = ", ".join(map(shown, wanted.by_name))
            print_note(f"note: no examples of {names}; what is theirs looks novel", "yellow")
        stage = "local" if wanted.with_files else None
        judge = Judge.of(wanted, method, encoders, reading, known_up, failures, stage)
        if judge.classes.patches is None and judge.classes.text is None:
            raise InputError(
                "the known classes keep no patches of their examples to compare with; expected --examples FOLDER, or a "
                "--known-file that `openshape-ood known save --patches` wrote"
            )
        return judge
    sets = [_generated_classes(wanted.by_name, generated, encoders, reading)]
    rest = replace(wanted, examples=wanted.with_files)
    if rest.examples or rest.saved:
        sets.append(Judge.of(rest, method, encoders, reading, known_up, failures, "local").classes)
    classes = KnownClasses.join(*sets)
    return Judge(classes, method or find_method(default_method(classes)), encoders, reading)


def _generated_classes(names: Sequence[str], kind: str, encoders: Encoders, reading: Reading) -> KnownClasses:
    from openshape_ood.known import KnownClasses
    from openshape_ood.synthetic import sample, scan
    from openshape_ood.synthetic.calibration import resolve

    strange = [name for name in names if not resolve(name)]
    if strange or not names:
        raise ClassNamesError(
            f"--generated: there is no generated category for {', '.join(map(repr, strange)) or 'no name'}; "
            "expected names as in openshape_ood.synthetic.categories(), or --examples FOLDER"
        )
    make = sample if kind == "models" else scan
    shapes = {name: [make(resolve(name) or name, POINTS, seed) for seed in range(GENERATED)] for name in names}
    return KnownClasses.from_examples(shapes, encoders.shape, up="y", patches="local", **reading.settings)


def _doubt(up: str, axis: UpAxis | None) -> str:
    """What a report says of the axis where it may be another."""
    if axis is None or (up == "file" and axis.axis in (None, "y")) or (up != "file" and axis.axis):
        return ""
    return f"Read with y up, but {axis}." if up == "file" else f"{axis}; y was taken."


def _save(found: NoveltyMap, out: Path | None, picture: Path | None, color: str) -> None:
    if out is not None:
        found.save(out, color)
    if picture is None:
        return
    from openshape_ood import plots

    draw = plots.turnable if picture.suffix.lower() == ".html" else plots.novelty_map
    plots.save(draw(found, color=color), picture)

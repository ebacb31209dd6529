"""openshape-ood localize: locate novel parts, as the map of one shape or the ranked report of many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from openshape_ood.cli import options
from openshape_ood.cli.console import finish, print_note, progress, shown, write
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.marks import MarksOptions, marks_of
from openshape_ood.cli.options import KNOWN, NOT_HERE, RESULT, argument, option
from openshape_ood.cli.outputs import DRAWN, check_out, check_picture, drawn_by
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.classes import RequestedClasses
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.novelty.result import NoveltyResult
    from openshape_ood.novelty.up_axis import UpAxis
    from openshape_ood.novelty_map import NoveltyMap
    from openshape_ood.shapes.batches import Batch

EXAMPLES = """
  openshape-ood localize chair.ply --known chair --generated models --model tiny
  openshape-ood localize one.ply --examples examples/ --picture where.png --out where.ply
  openshape-ood localize scans/ --known-file known.safetensors --report new.html
  openshape-ood localize scans/ --examples examples/ --calibrate held_out/ --false-regions 0.05
"""


@Parameter(name="*")
@dataclass(frozen=True)
class LocalizeOptions(KnownOptions):
    """Options of known classes, with generated shapes as a source of examples."""

    generated: Annotated[
        Literal["models", "scans"] | None,
        option(
            KNOWN,
            "Generate the examples of the names in --known. Every name must be a generated category. Choose the kind "
            "of your shapes: whole models, or scans.",
        ),
    ] = None

    num_samples: Annotated[int, NOT_HERE] = 1

    @cached_property
    def wanted(self) -> RequestedClasses:
        return replace(super().wanted, generated=self.generated)


def localize(
    files: Annotated[
        list[str],
        argument("Shape files, folders (searched recursively) or patterns in quotes, such as 'scans/*.ply'.", "FILES"),
    ],
    /,
    *,
    chosen: LocalizeOptions = LocalizeOptions(),
    marks: MarksOptions = MarksOptions(),
    report: Annotated[
        Path | None,
        option(
            RESULT,
            "Write a report with the most novel shapes first: an .html file that works offline (needs pip install "
            "'openshape-ood\\[plots]').",
            "FILE",
        ),
    ] = None,
    out: Annotated[
        Path | None, option(RESULT, "Write the colored cloud of one shape: .ply.", "FILE", "--out", "-o")
    ] = None,
    picture: Annotated[
        Path | None,
        option(
            RESULT,
            "Draw one shape: .png, .svg, .pdf or interactive .html (needs pip install 'openshape-ood\\[plots]').",
            "FILE",
        ),
    ] = None,
    color: Annotated[
        Literal["novelty", "class"], option(RESULT, "Color points by novelty or by nearest class.")
    ] = "novelty",
    json: options.Json = False,
) -> None:
    """Locate novel parts of shapes: novelty and nearest class of each point.

    With example shapes, each patch of a shape is compared with the patches of the examples. With names alone, patches
    are compared with the names, which is much less precise. `openshape-ood known save --patches` saves the patches of
    examples for later runs. The novelty of the whole shape is reported too.

    Points with a novelty above the point threshold are marked. By default, this threshold comes from the examples'
    patches. With --false-points or --false-regions, it comes from the shapes of --calibrate, and bounds false marks.
    """
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.axes import assumed_axis, better_axis, warn_of_axes
    from openshape_ood.cli.inputs import find_shapes, named_ignored
    from openshape_ood.cli.maps import Localized, print_maps
    from openshape_ood.novelty_map import localize_many
    from openshape_ood.shapes.batches import in_batches
    from openshape_ood.shapes.shape import Shape

    check_out("--out", out, (".ply",))
    check_picture("--picture", picture, (*DRAWN, ".html"), drawn_by(picture))
    check_picture("--report", report, (".html",))
    marks.check(chosen.calibrate)
    inputs = find_shapes(files)
    chosen = replace(chosen, up=_as_stored(inputs, chosen.up))
    inputs = inputs.with_stored_files()
    if (out or picture) and len(inputs.files) > 1:
        raise InputError(
            f"--out or --picture was given with {len(inputs.files)} shapes. Expected one shape. For many, give "
            "--report FILE.html."
        )
    wanted = chosen.wanted
    if wanted.by_name and wanted.with_files and not wanted.generated:
        print_note(
            f"note: there are no examples of {shown(', '.join(wanted.by_name))}; parts of these classes look novel",
            "yellow",
        )
    pipeline = chosen.pipeline(inputs, patches="local")
    known = pipeline.known
    if known.patches is None and known.text is None:
        raise InputError(
            "the known classes have neither patches of examples nor names. Expected one of them for a map. Give "
            "--examples FOLDER, or a --known-file from `openshape-ood known save --patches`."
        )

    marks_threshold = marks_of(marks, pipeline, chosen.calibrate, chosen.calibrate_by, inputs.failures)
    if marks_threshold is not None:
        known = known.with_marks(marks_threshold)

    def both(batch: Batch) -> tuple[NoveltyResult, list[NoveltyMap]]:
        how: dict[str, Any] = {"seed": pipeline.seed, "batch_size": pipeline.batch_size, "up": batch.ups}
        maps = localize_many(batch.shapes, known, encoder=pipeline.encoders.shape, **how)
        return pipeline.of_batch(batch), list(maps)

    files_of = {file.path: file for file in inputs.files}
    done = Localized()
    with progress("localizing", len(inputs.files)) as bar:
        for batch in in_batches([Shape(path, path) for path in files_of], pipeline.reading, both, bar.step):
            inputs.failures += batch.failures
            if batch.given:
                done.add([files_of[name] for name in batch.names], *batch.result)
    axis = better_axis(pipeline, done.files, [row["verdict"] == "novel" for row in done.rows])
    record = done.record(pipeline, inputs, {"out": out, "picture": picture, "report": report})
    if len(done.rows) == 1:
        _save(next(iter(done.maps.values())), out, picture, color)
    if report is not None and done.rows:
        from openshape_ood.cli.report import write_report

        write_report(report, record, done.maps, pipeline.threshold, _doubt(pipeline.up, axis))
    write(record, json, lambda: print_maps(done, record, pipeline) if done.rows else None)
    if done.rows and record["provenance"]["method"] == "text":
        print_note("maps by names are imprecise: give --examples FOLDER, or --generated for generated categories")
    named_ignored(inputs.ignored)
    warn_of_axes(done.files, pipeline.up, axis)
    thresholds.warn_of_axis(pipeline.threshold, assumed_axis(done.rows, pipeline.up))
    finish(inputs.failures, bool(done.rows))


app = options.single(localize, EXAMPLES)


def _as_stored(inputs: Inputs, up: str) -> str:
    """Axis of the stored embeddings, if it is the same for all, no files are given and --up is "file"; else `up`."""
    from openshape_ood.embedding_store import read_header

    axes = {read_header(store).provenance.up for store in inputs.stores}
    return axes.pop() if up == "file" and len(axes) == 1 and not inputs.files else up


def _doubt(up: str, axis: UpAxis | None) -> str:
    """Remark of a report on an uncertain up axis; empty for a certain one."""
    if axis is None or (up == "file" and axis.axis in (None, "y")) or (up != "file" and axis.axis):
        return ""
    return f"Read with y up, but {axis}." if up == "file" else f"{axis}; y was used."


def _save(novelty_map: NoveltyMap, out: Path | None, picture: Path | None, color: str) -> None:
    if out is not None:
        novelty_map.save(out, color)
    if picture is None:
        return
    from openshape_ood import plots

    draw = plots.turnable if picture.suffix.lower() == ".html" else plots.novelty_map
    plots.save(draw(novelty_map, color=color), picture)

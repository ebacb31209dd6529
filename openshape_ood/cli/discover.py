"""openshape-ood discover: group novel shapes and suggest names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    failed_json,
    finish,
    print_failures,
    print_line,
    print_note,
    print_table,
    progress,
    shown,
    write,
)
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.options import GROUPS, RESULT, option
from openshape_ood.cli.outputs import DRAWN, check_out, check_picture
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.results import Scored
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.discovery import Discovery
    from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
    from openshape_ood.shapes.batches import Reading

COLUMNS = ("group", "size", "stability", "names", "medoid")

EXAMPLES = """
  openshape-ood discover scans.npz --known-file known.safetensors --names teapot guitar bicycle --sheet new.png
  openshape-ood discover scans/ --known chair sofa table --model tiny
  openshape-ood discover scans/ --examples examples/ --calibrate held_out/ --accept 1=teapot --out more.safetensors

Group numbers are reproducible: the same shapes and options give the same groups. tiny works offline.
"""


def discover(
    files: options.Files,
    /,
    *,
    chosen: KnownOptions = KnownOptions(),
    names: Annotated[
        list[str] | None,
        option(
            GROUPS,
            "Candidate names: several words, or a .txt file with one name a line. Default: common objects with "
            "--known or the encoder tiny, else none.",
            "NAME...|FILE",
        ),
    ] = None,
    grouping: Annotated[
        Literal["hdbscan", "agglomerative"],
        option(
            GROUPS,
            "Grouping by density (hdbscan) or by mean cosine (agglomerative). hdbscan leaves more shapes ungrouped.",
        ),
    ] = "hdbscan",
    min_size: Annotated[int, option(GROUPS, "Minimum number of shapes in a group.", min=2)] = 5,
    accept: Annotated[
        list[str] | None,
        option(GROUPS, "Add groups to the known classes with these names, then score again.", "GROUP=NAME..."),
    ] = None,
    out: Annotated[
        Path | None,
        option(RESULT, "Save the known classes and the accepted groups to a .safetensors file.", "FILE", "--out", "-o"),
    ] = None,
    sheet: Annotated[
        Path | None, option(RESULT, "Picture with shapes of every group: .png, .svg or .pdf.", "FILE")
    ] = None,
    json: options.Json = False,
) -> None:
    """Group novel shapes or stored embeddings, suggest names, and add groups to the known classes."""
    from openshape_ood.cli.axes import better_axis, warn_of_axes
    from openshape_ood.cli.inputs import find_shapes, named_ignored
    from openshape_ood.cli.results import as_json, provenance_of, score_all
    from openshape_ood.discovery import discover as group
    from openshape_ood.novelty import NoveltyResult
    from openshape_ood.scoring.text_scores import negative_words

    check_out("--out", out, (".safetensors",))
    check_picture("--sheet", sheet, DRAWN)
    accepted = _accepted(accept or ())
    if out is not None and not accepted:
        raise InputError(
            "--out was given without --accept. Expected accepted groups to save with the known classes. Give --accept "
            "GROUP=NAME."
        )
    vocabulary = _vocabulary(names or ())
    inputs = find_shapes(files)
    pipeline = chosen.pipeline(inputs)
    if pipeline.threshold is None:
        raise InputError(
            "there is no threshold, so no shape is novel. Expected a calibrated or a given threshold. Give --calibrate "
            "PATHS of known shapes, or --threshold X."
        )
    several = list(score_all(pipeline, inputs, inputs.failures, "scoring"))
    if not several:
        print_failures(inputs.failures)
        raise InputError("no shape can be used. Expected at least one readable shape. See the failures above.")
    result = NoveltyResult.joined([scored.result for scored in several])
    rows: Any = result.embeddings  # never None in a result of a pipeline
    provenance, encoders = provenance_of(pipeline, inputs), pipeline.encoders
    if not vocabulary and (chosen.wanted.by_name or provenance.identity.checkpoint == "tiny"):
        vocabulary = negative_words(encoders.text)  # the text encoder is already loaded, or packaged
    how: dict[str, Any] = {"grouping": grouping, "min_size": min_size, "seed": chosen.seed}
    with warnings.catch_warnings(
        record=True
    ) as hardly_known:  # warnings about names that the text encoder was not trained with
        warnings.simplefilter("always")
        groups = group(result, rows, vocabulary or None, text=encoders.text if vocabulary else None, **how)
    for warning in hardly_known if names else ():
        print_note(f"note: {shown(warning.message)}", style="yellow")
    record: dict[str, Any] = {**as_json(pipeline, provenance), **groups.as_json()}
    record |= {"accepted": None, "out": out, "sheet": None}
    if accepted:
        text = encoders.text if pipeline.known.text is not None else None
        known = groups.accept(accepted, pipeline.known, text=text)
        later = _calibrated(replace(pipeline, known=known), chosen, inputs.failures)
        again = (later if later.threshold else replace(later, threshold=pipeline.threshold))(rows)
        threshold = later.threshold and later.threshold.as_json()
        record["accepted"] = {**_rescored(groups, accepted, again), "threshold": threshold}
        if out is not None:
            (known if later.threshold is None else known.with_threshold(later.threshold)).save(out)
    if sheet is not None and groups.groups:
        record["sheet"] = _draw(sheet, groups, several, pipeline.reading, inputs.failures)
    if sheet is not None and not record["sheet"]:
        print_note(f"{shown(sheet)} is not written: no group has shapes that can be drawn", "yellow")
    record |= {"failed": failed_json(inputs.failures), "ignored": inputs.ignored}
    write(record, json, lambda: _print(groups, record, min_size, pipeline.threshold))
    named_ignored(inputs.ignored)
    read = [file for scored in several if not scored.stored for file in scored.files]
    warn_of_axes(read, chosen.up, better_axis(pipeline, read, groups.novel.tolist()))
    finish(inputs.failures)


app = options.single(discover, EXAMPLES)


def _calibrated(pipeline: NoveltyPipeline, chosen: KnownOptions, failures: list[Failure]) -> NoveltyPipeline:
    """Pipeline with a new threshold for its classes, or without one if there are no calibration shapes."""
    from openshape_ood.synthetic.calibration import resolve

    # a generated threshold is valid only if every class can be generated
    again = pipeline.threshold and pipeline.threshold.is_generated and all(map(resolve, pipeline.known.names))
    if chosen.calibrate or again:
        return chosen.decided(pipeline, None, failures, chosen.wanted.generated)
    return replace(pipeline, threshold=None)


def _accepted(given: Sequence[str]) -> dict[int, str]:
    """Group number -> name, from words GROUP=NAME."""
    accepted: dict[int, str] = {}
    for word in given:
        number, equals, name = word.partition("=")
        if not (equals and name.strip() and number.isdecimal()) or int(number) in accepted:
            raise InputError(f"--accept is {word!r}. Expected GROUP=NAME, each group once. Write it as in 1=teapot.")
        accepted[int(number)] = name.strip()
    return accepted


def _vocabulary(given: Sequence[str]) -> Sequence[str]:
    """Names given as words, and names from the lines of .txt files."""
    from openshape_ood.cli.inputs import read_text

    names: list[str] = []
    for word in given:
        words = read_text("--names", Path(word)).splitlines() if word.endswith(".txt") else word.split(",")
        names += [name.strip() for name in words if name.strip()]
    if given and not names:
        raise InputError(
            f"--names {' '.join(given)} contains no name. Expected one or more. Give names, or a .txt file."
        )
    return names


def _rescored(discovery: Discovery, accepted: Mapping[int, str], again: NoveltyResult) -> dict[str, Any]:
    """Counts of novel shapes before and after adding the accepted groups."""
    novel, rows = again.is_novel, {group.number: group.rows for group in discovery.groups}
    groups = [
        {"group": number, "class": name, "size": len(rows[number]), "known_now": int((~novel[rows[number]]).sum())}
        for number, name in accepted.items()
    ]
    return {"groups": groups, "novel_before": int(discovery.novel.sum()), "novel_after": int(novel.sum())}


def _draw(
    path: Path, discovery: Discovery, several: Sequence[Scored], reading: Reading, failures: list[Failure]
) -> Path | None:
    """Draw the sheet of the readable files and return its path; None if no file is readable."""
    from openshape_ood import plots
    from openshape_ood.plots.sheet import MOST, drawn_rows
    from openshape_ood.shapes.batches import in_batches
    from openshape_ood.shapes.shape import Shape

    files = [(file, up) for one in several for file, up in zip(one.files, one.result.up, strict=True)]
    rows = [row for drawn in drawn_rows(discovery).values() for row in drawn]
    wanted = [Shape(files[row][0].path, str(row)) for row in rows]
    preview = replace(reading, points=MOST, num_samples=1, up="file")
    with progress("drawing", len(wanted)) as bar:
        read = list(in_batches(wanted, preview, lambda _: None, bar.step))
    failures += [failure for batch in read for failure in batch.failures]
    shapes = {int(shape.name): cloud for batch in read for shape, cloud in zip(batch.given, batch.shapes, strict=True)}
    if not shapes:
        return None
    ups, names = [files[row][1] for row in shapes], [Path(files[row][0].path).name for row in shapes]
    return plots.save(plots.group_sheet(shapes, discovery, titles=names, up=ups), path)


def _print(discovery: Discovery, record: Mapping[str, Any], min_size: int, threshold: Threshold | None) -> None:
    from openshape_ood.cli.thresholds import words

    counts = record["counts"]
    groups = "1 group" if counts["groups"] == 1 else f"{counts['groups']} groups"
    print_line(
        f"{counts['shapes']} shapes: {counts['novel']} novel, in {groups} of {min_size} or more; "
        f"{counts['alone']} without group"
    )
    print_line(words(threshold))
    if not discovery.groups:
        return
    rows = [{**one, "names": group.words()} for one, group in zip(record["groups"], discovery.groups, strict=True)]
    print_table(rows, COLUMNS if rows[0]["names"] else [c for c in COLUMNS if c != "names"], fold="medoid")
    if record["sheet"]:
        print_line(f"sheet in {shown(record['sheet'])}")
    if not record["accepted"]:
        print_line("next, with the same options: --accept GROUP=NAME --out known.safetensors")
        return
    print_table(record["accepted"]["groups"], ("group", "class", "size", "known_now"), fold="class")
    print_line("{novel_before} were novel, {novel_after} are now".format(**record["accepted"]))
    if record["accepted"]["threshold"]:
        print_line("the threshold was calibrated again for these classes")
    else:
        print_line(
            "the earlier threshold was used. It was calibrated without the accepted classes, so it is not saved. Give "
            "--calibrate PATHS of known shapes for a new threshold."
        )
    if record["out"]:
        print_line(f"known classes in {shown(record['out'])}")

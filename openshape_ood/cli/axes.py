"""Option --up auto, and notes about files that do not state their up axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import print_note
from openshape_ood.cli.inputs import File
from openshape_ood.errors import OpenShapeError
from openshape_ood.shapes.batches import AUTO

if TYPE_CHECKING:
    from openshape_ood.novelty import NoveltyPipeline, UpAxis

# `better_axis` tests other axes if most files are novel: LEAST files at least, DOUBTED are tested at most
DOUBTED, LEAST = 20, 5


def with_axis(pipeline: NoveltyPipeline, *sets: Sequence[File]) -> NoveltyPipeline:
    """Pipeline with the axis for --up auto: the axis found in the first set of files that decides it, else y."""
    axis = None
    for files in sets:
        axis = pipeline.find_axis(file.path for file in files) or axis
        if axis is not None and axis.axis is not None:
            break
    return replace(pipeline, up_axis=axis, silent=(axis and axis.axis) or pipeline.silent)


def silent_files(files: Sequence[File]) -> list[File]:
    """Files that do not state their up axis."""
    return [file for file in files if _stated(file.path) is None]


def _stated(path: str) -> str | None:
    from openshape_ood.shapes.reading import stated_up

    try:
        return stated_up(path)
    except OpenShapeError:  # reported when the shape is read
        return ""


def better_axis(pipeline: NoveltyPipeline, files: Sequence[File], novel: Sequence[bool]) -> UpAxis | None:
    """Up axis that fits the known classes best.

    With --up auto, it is the axis of the pipeline. With --up file, it is found in at most `DOUBTED` files, and only if
    most of at least `LEAST` files are novel. Otherwise: None.
    """
    if pipeline.up != "file":
        return pipeline.up_axis
    if sum(novel) <= len(novel) / 2 or len(novel) < LEAST:
        return None
    return pipeline.find_axis([file.path for file in files], DOUBTED)


def assumed_axis(rows: Sequence[Mapping[str, Any]], up: str) -> str | None:
    """Axis y, if --up is "file" and a shape was read with y up, stated or by default; else None."""
    return "y" if up == "file" and any(row["up"] == "y" for row in rows) else None


def warn_of_known(files: Sequence[File], silent: str) -> None:
    """Print a note if known shapes do not state their up axis. silent: axis used for these shapes."""
    from openshape_ood.scenes.crop_axis import assumed

    count = len(silent_files(files))
    if count:
        print_note(f"note: {assumed(count, silent, 'give --known-up AXIS')}", "yellow")


def warn_of_axes(files: Sequence[File], up: str, better: UpAxis | None = None) -> None:
    """Print a note if --up auto found an axis, if files contradict `up`, or if y is used because they state no axis.

    better: result of `better_axis`; the note suggests this axis.
    """
    stated = [_stated(file.path) for file in files] if up != AUTO else []
    count, others = stated.count(None), [axis for axis in stated if axis not in ("", None, up)]
    if up == AUTO and better is not None:
        print_note(
            str(better) if better.axis else f"note: {better}; y is used. Give --up AXIS if you know it.", "yellow"
        )
    elif up == "file" and count and better is not None and better.axis not in ("y", None):
        print_note(f"warning: read with y up, but {better}. Give --up {better.axis}.", "yellow")
    elif up == "file" and count:
        phrase = "1 file does not state its" if count == 1 else f"{count} files do not state their"
        print_note(f"note: {phrase} up axis; y is used. Give --up z if z is up.", "yellow")
    elif up != "file" and others:
        axes = " or ".join(sorted({axis for axis in others if axis}))
        phrase = "file states" if len(others) == 1 else "files state"
        print_note(f"note: {len(others)} {phrase} {axes} as up axis, but --up is {up}; try --up file", "yellow")

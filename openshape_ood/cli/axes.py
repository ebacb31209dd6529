"""--up auto, and notes where files do not state which axis points up."""

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

DOUBTED, LEAST = 20, 5  # files that are read again under other axes where most are novel; fewer do not tell


def with_axis(pipeline: NoveltyPipeline, *sets: Sequence[File]) -> NoveltyPipeline:
    """With --up auto the axis of the first set of files that tells one; y if none does."""
    if pipeline.up != AUTO:
        return pipeline
    axis = None
    for files in sets:
        axis = pipeline.find_axis(file.path for file in files) or axis
        if axis is not None and axis.axis is not None:
            break
    return replace(pipeline, up_axis=axis, silent=(axis and axis.axis) or pipeline.silent)


def silent_files(files: Sequence[File]) -> list[File]:
    """The files that do not state their axis."""
    return [file for file in files if _stated(file.path) is None]


def _stated(path: str) -> str | None:
    from openshape_ood.shapes.reading import stated_up

    try:
        return stated_up(path)
    except OpenShapeError:  # reading it says why
        return ""


def better_axis(pipeline: NoveltyPipeline, files: Sequence[File], novel: Sequence[bool]) -> UpAxis | None:
    """The axis that --up auto found; without --up the one that fits better, from a few files where most are novel."""
    if pipeline.up != "file":
        return pipeline.up_axis
    if sum(novel) <= len(novel) / 2 or len(novel) < LEAST:
        return None
    return pipeline.find_axis([file.path for file in files], DOUBTED)


def assumed_axis(rows: Sequence[Mapping[str, Any]], up: str) -> str | None:
    """The axis that was taken for shapes where nobody states one; None if --up does."""
    return "y" if up == "file" and any(row["up"] == "y" for row in rows) else None


def warn_of_known(files: Sequence[File], silent: str) -> None:
    """A note if known shapes beside a scan state no axis and `silent` was taken."""
    from openshape_ood.scenes.crop_axis import assumed

    count = len(silent_files(files))
    if count:
        print_note(f"note: {assumed(count, silent, 'give --known-up AXIS')}", "yellow")


def warn_of_axes(files: Sequence[File], up: str, better: UpAxis | None = None) -> None:
    """Print a note if files state another up axis than `up`, or none, so that y is used.

    better: an axis that fits better, named too if known, or the answer of --up auto.
    """
    stated = [_stated(file.path) for file in files] if up != AUTO else []
    others = [axis for axis in stated if axis not in ("", None, up)]
    if up == AUTO and better is not None:
        print_note(
            str(better) if better.axis else f"note: {better}; y is used. Give --up AXIS if you know it", "yellow"
        )
    elif up == "file":
        _note_silent(stated.count(None), better)
    elif others:
        axes = " or ".join(sorted({axis for axis in others if axis}))
        phrase = "file says" if len(others) == 1 else "files say"
        print_note(
            f"note: {len(others)} {phrase} that {axes} is up, and was read with up {up}; try --up file", "yellow"
        )


def _note_silent(count: int, better: UpAxis | None) -> None:
    if count and better is not None and better.axis not in ("y", None):
        print_note(f"warning: read with y up, but {better}. Give --up {better.axis}", "yellow")
    elif count:
        phrase = "1 file does not say" if count == 1 else f"{count} files do not say"
        print_note(f"note: {phrase} which axis points up; y is used. Give --up z if z is up", "yellow")

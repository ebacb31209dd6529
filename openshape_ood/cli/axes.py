"""--up auto, and what is said where files do not state which axis points up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.cli.batches import AUTO, Reading, encode_files
from openshape_ood.cli.console import Bar, print_note
from openshape_ood.cli.inputs import File
from openshape_ood.errors import OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.cli.encoders import Encoders
    from openshape_ood.cli.judging import Judge
    from openshape_ood.known import KnownClasses
    from openshape_ood.novelty.up_axis import UpAxis

DOUBTED, LEAST = 20, 5  # files that are read again under other axes where most are novel; fewer do not tell


def settled(
    reading: Reading, files: Sequence[File], known: KnownClasses, encoders: Encoders
) -> tuple[Reading, UpAxis | None]:
    """With --up auto, how files are read that state no axis: with the one found, with y where undecided."""
    if reading.up != AUTO:
        return reading, None
    from openshape_ood.novelty.up_axis import MOST

    found = found_axis(files, known, encoders, reading, MOST)
    return (reading if found is None or found.axis is None else replace(reading, silent=found.axis)), found


def found_axis(
    files: Sequence[File], known: KnownClasses, encoders: Encoders, reading: Reading, most: int
) -> UpAxis | None:
    """What `find_up` finds for up to `most` of the files that state no axis; None where there are none to be read."""
    from openshape_ood.novelty.up_axis import by_words, find_up, plausible
    from openshape_ood.shapes.points import resample
    from openshape_ood.shapes.shape import list_shapes

    quiet = silent_files(files)
    chosen = [quiet[i] for i in np.unique(np.linspace(0, len(quiet) - 1, min(len(quiet), most)).astype(int))]

    def thinned(clouds: list[Any], _: list[str]) -> list[Any]:
        # as many points as the encoder takes, so that hundreds of large scans can be held
        return [c[resample(len(c), reading.points, reading.seed)] if len(c) > reading.points else c for c in clouds]

    batches = list(encode_files(chosen, replace(reading, up="y", num_samples=1), thinned, [], Bar()))
    clouds = [cloud for batch in batches for cloud in batch.result]
    if not clouds:
        return None
    axes = plausible(list_shapes([file.path for file in chosen]))
    text = encoders.text if by_words(known) else None
    return find_up(clouds, known, encoder=encoders.shape, text=text, candidates=axes, **reading.settings)


def silent_files(files: Sequence[File]) -> list[File]:
    """The files that do not state their axis."""
    return [file for file in files if _stated(file.path) is None]


def _stated(path: str) -> str | None:
    from openshape_ood.shapes.reading import stated_up

    try:
        return stated_up(path)
    except OpenShapeError:  # whoever reads it says so
        return ""


def better_axis(judge: Judge, files: Sequence[File], novel: Sequence[bool]) -> UpAxis | None:
    """What --up auto found; without --up what fits better, asked of a few files where most of all shapes are novel."""
    if judge.reading.up != "file":
        return judge.up_axis
    if sum(novel) <= len(novel) / 2 or len(novel) < LEAST:
        return None
    return found_axis(files, judge.classes, judge.encoders, judge.reading, DOUBTED)


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
    """A word where files say that another axis than `up` points up, or nothing is said at all and y was taken: then
    also of a better one, if that is known; and of what --up auto found."""
    stated = [_stated(file.path) for file in files] if up != AUTO else []
    others = [own for own in stated if own not in ("", None, up)]
    if up == AUTO and better is not None:
        print_note(
            str(better) if better.axis else f"note: {better}; y was taken. Give --up where you know it", "yellow"
        )
    elif up == "file":
        _note_silent(stated.count(None), better)
    elif others:
        axes = " or ".join(sorted({own for own in others if own}))
        said = "file says" if len(others) == 1 else "files say"
        print_note(f"note: {len(others)} {said} that {axes} is up, and was read with up {up}; try --up file", "yellow")


def _note_silent(count: int, better: UpAxis | None) -> None:
    if count and better is not None and better.axis not in ("y", None):
        print_note(f"warning: read with y up, but {better}. Give --up {better.axis}", "yellow")
    elif count:
        said = "1 file does not say" if count == 1 else f"{count} files do not say"
        print_note(f"note: {said} which axis points up, and y was taken; if that is not so, give --up z", "yellow")

"""--threshold, --calibrate, --calibrate-by and --coverage -> the threshold, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Failure, failed_line, print_line, print_note, shown
from openshape_ood.cli.inputs import find_files
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.judging import Judge
    from openshape_ood.cli.known import Wanted
    from openshape_ood.cli.options import Asked
    from openshape_ood.decisions.threshold import Threshold

COVERAGE = 0.95  # if none is asked for
AXES = ("x", "z", "-x", "-y", "-z")  # other than y
NONE = "no verdict without a threshold: --calibrate PATHS of known shapes, or --threshold X"


def check(asked: Asked, wanted: Wanted) -> None:
    """Raises `InputError` for options that contradict each other, and for files of --calibrate that are examples."""
    from openshape_ood.decisions.calibration import calibration_needed
    from openshape_ood.novelty.calibration import check_files_apart

    if asked.coverage is not None:
        calibration_needed(asked.coverage)  # refuses what is no share
    if (threshold := given(asked.threshold)) is not None:
        _at(threshold, asked.coverage)
    if asked.calibrate_by != "file" and not asked.calibrate:
        raise InputError(f"--calibrate-by {asked.calibrate_by} is for the shapes of --calibrate; there are none")
    if asked.calibrate:
        examples = {name: [file.path for file in files] for name, files in wanted.with_files.items()}
        check_files_apart([file.path for file in find_files(asked.calibrate).files], examples)
        if asked.threshold is not None:
            raise InputError("--threshold and --calibrate were both given; expected one of them")


def given(value: str | None) -> Threshold | None:
    """The threshold that --threshold names, a number or a file."""
    from openshape_ood.decisions.threshold import Threshold

    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return Threshold.load(value)
    return Threshold(number, source="given with --threshold")


def warn_of_axis(threshold: Threshold | None, rows: Sequence[Mapping[str, Any]], up: str) -> None:
    """A word where shapes that nobody said an axis of are taken for y up, and those that the threshold is from are
    not."""
    made = threshold and threshold.provenance
    if up == "file" and made and made.up in AXES and any(row["up"] == "y" for row in rows):
        print_note(
            f"note: the threshold is from shapes with {made.up} up, y was taken for these; try --up {made.up}", "yellow"
        )


def is_generated(threshold: Threshold | None) -> bool:
    """Whether it is from shapes that were generated."""
    return threshold is not None and threshold.source.startswith("generated ")


def print_hint(threshold: Threshold | None) -> None:
    """What would be better than shapes that were generated."""
    if is_generated(threshold):
        print_line("for shapes of yours, calibrate on known ones of yours: --calibrate PATHS")


def decided(judge: Judge, threshold: Threshold | None, asked: Asked, failures: list[Failure]) -> Judge:
    """The judge with a threshold: the one given, of the shapes of --calibrate, of what is known, or of generated ones;
    or with none."""
    own, made = judge.classes.threshold, threshold
    if asked.calibrate:
        made = _from_files(judge, asked, asked.calibrate, failures)
    elif threshold is not None:
        made = _at(threshold, asked.coverage)
    elif own is not None and own.fits(judge.provenance):
        made = _at(own, asked.coverage)
    else:
        if own is not None:
            print_note("note: the threshold of the known classes is of another method, and is left out", "yellow")
        made = _generated(judge, asked.coverage or COVERAGE, clean=asked.wanted.generated == "models")
    return replace(judge, threshold=made)


def _at(threshold: Threshold, coverage: float | None) -> Threshold:
    """The one that the same known shapes give for this share of them."""
    if coverage is None:
        return threshold
    if not threshold.n:
        raise InputError(
            f"--coverage needs a threshold that was made from known shapes; {threshold} is a bare number. --calibrate "
            "PATHS makes another"
        )
    about = {"provenance": threshold.provenance, "source": threshold.source}
    return _from_novelty(threshold.scores, coverage, "the shapes that the threshold is from", about)


def _from_files(judge: Judge, asked: Asked, paths: Sequence[str], failures: list[Failure]) -> Threshold:
    """The threshold that keeps a share of shapes like these. Raises `InputError` where they are too few."""
    import numpy as np

    from openshape_ood.novelty.calibration import check_content_apart

    found, before = find_files(paths), len(failures)
    failures += found.failures
    done = list(judge.all(found, failures, "calibrating"))
    failed = failures[before:]
    if not done:
        why = (
            f"; the first: {failed_line(failed[0].file, failed[0].reason)}" if failed else ": there are no shape files"
        )
        raise InputError(f"none of --calibrate {' '.join(paths)} can be used{why}")
    files = [file.path for batch in done for file in batch.files]
    check_content_apart(np.concatenate([one.result.embeddings.vectors for one in done]), files, judge.classes)
    how: dict[str, Any] = {
        "groups": None if asked.calibrate_by == "file" else [os.path.dirname(path) for path in files],
        "source": f"known shapes of {', '.join(map(str, paths))}",
        "provenance": judge.provenance,
    }
    novelty = np.concatenate([one.result.novelty for one in done])
    which = "the shapes of --calibrate" + (f", {len(failed)} of which cannot be read" if failed else "")
    return _from_novelty(novelty, asked.coverage or COVERAGE, which, how)


def _from_novelty(novelty: Any, coverage: float, which: str, how: Mapping[str, Any]) -> Threshold:
    from openshape_ood.decisions.threshold import Threshold

    try:
        return Threshold.from_novelty(novelty, coverage, **how)
    except InputError as error:
        raise InputError(f"{which}: {error}. Give more, or a smaller --coverage") from None


def _generated(judge: Judge, coverage: float, clean: bool) -> Threshold | None:
    """See `generated_threshold`, of scans unless `clean`; no encoder is loaded where that gives none."""
    from openshape_ood.synthetic.calibration import generated_threshold

    own = judge.provenance.identity
    if own.checkpoint != "tiny":
        return None
    settings = {"method": judge.method, "coverage": coverage, "clean": clean, **judge.reading.settings}
    found = generated_threshold(judge.classes, judge.encoders.shape, **settings)
    return found if found and found.provenance and found.provenance.identity.fits(own) else None


def words(threshold: Threshold | None) -> str:
    """For people."""
    if threshold is None:
        return NONE
    if not threshold.n:
        return f"threshold {threshold.value:g}, {shown(threshold.source)}"
    return shown(threshold)

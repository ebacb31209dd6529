"""--threshold, --calibrate, --calibrate-by and --coverage -> a pipeline with its threshold, or with none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from openshape_ood.cli.console import Failure, failed_line, print_note, shown
from openshape_ood.cli.inputs import find_files
from openshape_ood.errors import InputError
from openshape_ood.shapes.points import UPS

if TYPE_CHECKING:
    from openshape_ood.cli.known import Wanted
    from openshape_ood.cli.options import Asked
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
    from openshape_ood.novelty.generated import Generated

NONE = "no verdict without a threshold: --calibrate PATHS of known shapes, or --threshold X"


def check(asked: Asked, wanted: Wanted) -> None:
    """Raises `InputError` for options that contradict each other, and for files of --calibrate that are examples."""
    from openshape_ood.decisions.calibration import calibration_needed
    from openshape_ood.novelty.calibration import check_files_apart

    if asked.coverage is not None:
        calibration_needed(asked.coverage)  # refuses what is no share
    if (threshold := given(asked.threshold)) is not None:
        threshold.at(asked.coverage)
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


def warn_of_axis(threshold: Threshold | None, assumed: str | None, remedy: str = "try --up {up}") -> None:
    """Warn if shapes were read with the axis `assumed` and the threshold was calibrated with another one.

    assumed: None if the axis of all shapes is stated. remedy: what to do, with "{up}" for the axis of the threshold.
    """
    made = threshold and threshold.provenance
    if assumed and made and made.up in UPS and made.up != assumed and not (threshold and threshold.is_generated):
        print_note(
            f"note: the threshold is from shapes with {made.up} up, {assumed} was taken for these; "
            f"{remedy.format(up=made.up)}",
            "yellow",
        )


def decided(
    pipeline: NoveltyPipeline, threshold: Threshold | None, asked: Asked, failures: list[Failure]
) -> NoveltyPipeline:
    """The pipeline with the threshold that the options ask for, or else the one that precedes the others."""
    result, own, groups = None, pipeline.known.threshold, None
    if asked.calibrate:
        result = _calibrated(pipeline, asked.calibrate, failures)
        groups = None if asked.calibrate_by == "file" else [os.path.dirname(path) for path in result.shapes]
    elif threshold is None and own is not None and not own.fits(pipeline.provenance):
        print_note("note: the threshold of the known classes is of another method, and is left out", "yellow")
    source = f"known shapes of {', '.join(map(str, asked.calibrate))}" if asked.calibrate else ""
    generated: Generated = "models" if asked.wanted.generated == "models" else "scans"
    return pipeline.decided(threshold, result, asked.coverage, groups, generated, source)


def _calibrated(pipeline: NoveltyPipeline, paths: Sequence[str], failures: list[Failure]) -> NoveltyResult:
    """The result for shapes of --calibrate."""
    from openshape_ood.cli.judging import score_all
    from openshape_ood.novelty import NoveltyResult

    found, before = find_files(paths), len(failures)
    failures += found.failures
    results = [scored.result for scored in score_all(pipeline, found, failures, "calibrating")]
    failed = failures[before:]
    if not results:
        why = f"; the first: {failed_line(*failed[0])}" if failed else ": there are no shape files"
        raise InputError(f"none of --calibrate {' '.join(paths)} can be used{why}")
    return replace(NoveltyResult.joined(results), failures=tuple(failed))


def words(threshold: Threshold | None) -> str:
    """The sentence on the threshold below every table."""
    return NONE if threshold is None else shown(threshold.describe("--calibrate PATHS"))

"""--threshold, --calibrate and --coverage -> the threshold, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from openshape_ood.cli.console import Failure, print_line, shown
from openshape_ood.cli.inputs import find_files
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.judging import Judge
    from openshape_ood.decisions.threshold import Threshold

NONE = "no verdict without a threshold: --calibrate PATHS of known shapes, or --threshold X"


def given(value: str | None, calibrate: Sequence[str] | None, coverage: float) -> Threshold | None:
    """The threshold that --threshold names, a number or a file.

    Raises `InputError` for options that contradict each other, before any shape is read.
    """
    from openshape_ood.decisions.calibration import calibration_needed
    from openshape_ood.decisions.threshold import Threshold

    calibration_needed(coverage)  # refuses what is no share
    if value is None:
        return None
    if calibrate:
        raise InputError("--threshold and --calibrate were both given; expected one of them")
    try:
        number = float(value)
    except ValueError:
        return Threshold.load(value)
    return Threshold(number, source="given with --threshold")


def print_hint(threshold: Threshold | None) -> None:
    """What would be better than shapes that were generated."""
    if threshold is not None and threshold.source.startswith("generated "):
        print_line("for shapes of yours, calibrate on known ones of yours: --calibrate PATHS")


def decided(
    judge: Judge, threshold: Threshold | None, calibrate: Sequence[str] | None, coverage: float, failures: list[Failure]
) -> Judge:
    """The judge with a threshold: the one given, of the shapes of --calibrate, or of generated ones; or with none."""
    if calibrate:
        threshold = _from_files(judge, calibrate, coverage, failures)
    elif threshold is None:
        threshold = _generated(judge, coverage)
    return replace(judge, threshold=threshold)


def _from_files(judge: Judge, paths: Sequence[str], coverage: float, failures: list[Failure]) -> Threshold:
    """The threshold that keeps a share of shapes like these. Raises `InputError` where they are too few."""
    import numpy as np

    from openshape_ood.decisions.threshold import Threshold

    found = find_files(paths)
    failures += found.failures
    scores = [batch.result.novelty for batch in judge.all(found, failures, "calibrating")]
    novelty, source = np.concatenate([[], *scores]), f"known shapes of {', '.join(map(str, paths))}"
    try:
        return Threshold.from_novelty(novelty, coverage, provenance=judge.provenance, source=source)
    except InputError as error:
        raise InputError(f"the shapes of --calibrate: {error}. Give more, or a smaller --coverage") from None


def _generated(judge: Judge, coverage: float) -> Threshold | None:
    """See `generated_threshold`; no encoder is loaded where that gives none."""
    from openshape_ood.synthetic.calibration import generated_threshold

    own = judge.provenance.identity
    if own.checkpoint != "tiny":
        return None
    settings = {"method": judge.method, "coverage": coverage, **judge.reading.settings}
    found = generated_threshold(judge.classes, judge.encoders.shape, **settings)
    return found if found and found.provenance and found.provenance.identity.fits(own) else None


def words(threshold: Threshold | None) -> str:
    """For people."""
    if threshold is None:
        return NONE
    if not threshold.n:
        return f"threshold {threshold.value:g}, {shown(threshold.source)}"
    return shown(threshold)

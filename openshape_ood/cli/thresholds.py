"""--threshold, --calibrate and --coverage -> the threshold, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.batches import Reading, judge_all
from openshape_ood.cli.console import Failure, progress, shown
from openshape_ood.cli.inputs import find_files
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.encoders import Encoders
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.encoders.protocols import Provenance
    from openshape_ood.known import KnownClasses
    from openshape_ood.novelty import NoveltyResult
    from openshape_ood.scoring import Method

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


def from_files(
    paths: Sequence[str],
    coverage: float,
    reading: Reading,
    judge: Callable[[Any, list[str]], NoveltyResult],
    provenance: Provenance,
    failures: list[Failure],
) -> Threshold:
    """The threshold that keeps a share of shapes like these. Raises `InputError` where they are too few."""
    import numpy as np

    from openshape_ood.decisions.threshold import Threshold

    found = find_files(paths)
    failures += found.failures
    with progress("calibrating", len(found.files)) as bar:
        scores = [batch.result.novelty for batch in judge_all(found, reading, judge, failures, bar)]
    source = f"known shapes of {', '.join(map(str, paths))}"
    try:
        return Threshold.from_novelty(np.concatenate([[], *scores]), coverage, provenance=provenance, source=source)
    except InputError as error:
        raise InputError(f"the shapes of --calibrate: {error}. Give more, or a smaller --coverage") from None


def generated(
    classes: KnownClasses,
    encoders: Encoders,
    provenance: Provenance,
    method: Method,
    coverage: float,
    reading: Reading,
) -> Threshold | None:
    """See `generated_threshold`; no encoder is loaded where that gives none."""
    from openshape_ood.synthetic.calibration import generated_threshold

    if provenance.identity.checkpoint != "tiny":
        return None
    found = generated_threshold(classes, encoders.shape, method=method, coverage=coverage, **reading.settings)
    fits = found and found.provenance and found.provenance.identity.fits(provenance.identity)
    return found if fits else None


def words(threshold: Threshold | None) -> str:
    """For people."""
    if threshold is None:
        return NONE
    if not threshold.n:
        return f"threshold {threshold.value:g}, {shown(threshold.source)}"
    return shown(threshold)

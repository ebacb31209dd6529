"""From which novelty on a shape is called novel: the limit, where it comes from, and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Failure, progress
from openshape_ood.cli.inputs import find_files
from openshape_ood.cli.reading import Reading, encode_files
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from openshape_ood.cli.scoring import Scorer
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

Novelty = Callable[[list[Any], list[str]], "np.ndarray"]


@dataclass(frozen=True, eq=False)
class Limit:
    """Shapes are known up to the novelty `value`; None where nothing says so. calibration (m,): novelty of known
    shapes, None where there are none; source: "given", "files", "generated" or "none"; words: for people."""

    value: float | None
    source: str
    words: str
    calibration: np.ndarray | None = None
    coverage: float | None = None

    def verdicts(self, novelty: np.ndarray) -> list[str]:
        """ "known" or "novel", "" where there is no limit."""
        return ["" if self.value is None else "novel" if n > self.value else "known" for n in novelty]

    def p_values(self, novelty: np.ndarray) -> list[float | None]:
        from openshape_ood.decisions.calibration import p_values

        if self.calibration is None:
            return [None] * len(novelty)
        return p_values(novelty, self.calibration).tolist()

    def record(self) -> dict[str, Any]:
        count = None if self.calibration is None else len(self.calibration)
        return {"value": self.value, "source": self.source, "coverage": self.coverage, "calibration_shapes": count}


def choose(
    scorer: Scorer,
    value: float | None,
    calibrate: Sequence[str] | None,
    coverage: float,
    failures: list[Failure],
) -> Limit:
    """The limit as given, or from files, or from generated scans where these can be made, or none."""
    if value is not None:
        return given(value)
    if calibrate:
        return from_files(calibrate, coverage, scorer.reading, scorer.novelty, failures)
    if can_generate(scorer.bank.names, scorer.encoder):
        return from_generated(scorer.bank.names, coverage, scorer.reading.batch_size, scorer.novelty)
    return nowhere(scorer.encoder.identity.checkpoint == "tiny")


def given(value: float) -> Limit:
    return Limit(value, "given", f"threshold {value:g}, as given")


def nowhere(tiny: bool) -> Limit:
    why = " (tiny can be calibrated on generated shapes, but not of all these classes)" if tiny else ""
    return Limit(
        None, "none", f"no verdict without a threshold: --calibrate FILES of known shapes, or --threshold X{why}"
    )


def from_files(
    paths: Sequence[str], coverage: float, reading: Reading, novelty: Novelty, failures: list[Failure]
) -> Limit:
    """The limit that keeps the share `coverage` of shapes like these. Raises `InputError` where they are too few."""
    import numpy as np

    found = find_files(paths)
    failures += found.failures
    with progress("calibrating", len(found.files)) as bar:
        done = [d.result for d in encode_files(found.files, reading, novelty, failures, bar)]
    scores = np.concatenate(done) if done else np.empty(0)
    value = _threshold(scores, coverage, "the shapes of --calibrate")
    words = f"threshold {value:.3f} keeps {coverage:.0%} of {len(scores)} known shapes given with --calibrate"
    return Limit(value, "files", words, scores, coverage)


def can_generate(names: Sequence[str], encoder: ShapeEncoder) -> bool:
    """Whether the embedded encoder is at work, and all classes are categories it was trained on, or words for them."""
    from openshape_ood.registry.rows import find_checkpoint
    from openshape_ood.synthetic import calibration

    own = encoder.identity.checkpoint == "tiny" and encoder.identity.sha256 == find_checkpoint("tiny").source.sha256
    return own and calibration.can_generate(names)


def from_generated(names: Sequence[str], coverage: float, batch_size: int, novelty: Novelty) -> Limit:
    """The limit that keeps the share `coverage` of generated scans of the known classes, always the same scans."""
    import numpy as np

    from openshape_ood.synthetic.calibration import calibration_scans

    scans = calibration_scans(names)
    parts = [scans[i : i + batch_size] for i in range(0, len(scans), batch_size)]
    scores = np.concatenate([novelty(list(part), ["y"] * len(part)) for part in parts])
    value = _threshold(scores, coverage, "the generated scans")
    words = (
        f"threshold {value:.3f} keeps {coverage:.0%} of {len(scores)} generated scans of {', '.join(names)}; "
        "for shapes of yours, calibrate on known ones of yours: --calibrate FILES"
    )
    return Limit(value, "generated", words, scores, coverage)


def _threshold(scores: np.ndarray, coverage: float, what: str) -> float:
    from openshape_ood.decisions.calibration import threshold

    try:
        return threshold(scores, coverage)
    except InputError as error:
        raise InputError(f"{what}: {error}. Give more, or a smaller --coverage") from None


def check_choice(value: float | None, calibrate: Sequence[str | Path] | None, coverage: float) -> None:
    """Raises `InputError` for options that contradict each other, before anything is read."""
    import math

    from openshape_ood.decisions.calibration import calibration_needed

    calibration_needed(coverage)  # refuses what is no share
    if value is not None and calibrate:
        raise InputError("--threshold and --calibrate were both given; expected one of them")
    if value is not None and not math.isfinite(value):
        raise InputError(f"--threshold is {value}; expected a finite number")

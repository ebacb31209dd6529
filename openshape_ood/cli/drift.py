"""Options of the drift test: --expected-novel, --label and --labels."""

# no `from __future__ import annotations`: cyclopts would look up the names in the module of a derived class

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openshape_ood.cli.console import Failure, print_line, shown
from openshape_ood.cli.options import option
from openshape_ood.cli.outputs import check_out
from openshape_ood.cli.thresholds import Decision
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.novelty import LabelSample, NoveltyPipeline, NoveltyResult

DRIFT = "Drift"
NAMED = 3  # shapes listed in the message


@Parameter(name="*")
@dataclass(frozen=True)
class DriftOptions:
    """Options for testing whether known shapes differ from the calibration set."""

    expected_novel: Annotated[
        float | None,
        option(
            DRIFT,
            "Expected fraction of novel shapes. A second drift test compares it with the fraction of verdicts 'novel'.",
            "SHARE",
            min=0,
            max=1,
        ),
    ] = None
    label: Annotated[
        tuple[int, Path] | None,
        option(DRIFT, "Write the names of N random shapes to a .csv file. Then fill in its column `label`.", "N FILE"),
    ] = None
    labels: Annotated[
        Path | None,
        option(
            DRIFT,
            "The file of --label, with your labels. Reports the fraction of known shapes classified as known, and "
            "recalibrates the threshold.",
            "FILE",
        ),
    ] = None

    def check(self) -> None:
        """Raise `InputError` if options contradict each other."""
        if self.label is not None:
            check_out("--label", self.label[1], (".csv",))
            if self.label[0] < 1:
                raise InputError(f"--label is {self.label[0]}. Expected 1 shape or more. Give 30.")
        if self.label is not None and self.labels is not None:
            raise InputError("--label and --labels were both given. Expected one. Write the file, fill it in, read it.")

    def read(self) -> "LabelSample | None":
        """Labels from the file of --labels; None without this option."""
        from openshape_ood.novelty import LabelSample

        return None if self.labels is None else LabelSample.load(self.labels).complete()

    def tested(self, result: "NoveltyResult", labels: "LabelSample | None") -> "NoveltyResult":
        """Result with the data of its drift test: --expected-novel and labels. Also writes the file of --label."""
        if self.label is not None:
            result.to_label(self.label[0]).save(self.label[1])
        return result.with_context(expected_novel=self.expected_novel, labels=labels)


def recalibrated(
    pipeline: "NoveltyPipeline", labels: "LabelSample | None", chosen: Decision, failures: list[Failure]
) -> "NoveltyPipeline":
    """Pipeline with a threshold from the labels; without labels, unchanged."""
    if labels is None:
        return pipeline
    how = {} if chosen.coverage is None else {"coverage": chosen.coverage}
    return chosen.with_unsure(pipeline.recalibrate(labels, **how), failures)


def print_drift(result: "NoveltyResult", written: tuple[int, Path] | None = None) -> None:
    """Print lines about drift below a table: alarms, results of the labels, and the file to fill in."""
    drift = result.drift
    if drift.alarm or drift.unexpected or drift.kept is not None or drift.expected_novel is not None:
        drawn = result.to_label().shapes if len(result) else ()
        first = ", ".join(map(shown, drawn[:NAMED])) + ", ..." * (len(drawn) > NAMED)
        about = drift.describe(f"{first} (--label {len(drawn)} FILE)")
        if result.labels is not None and result.threshold is not None:
            about = f"Before the labels, threshold {result.threshold.value:.3f}: {about}"
        print_line(about, "yellow" if drift.alarm or drift.unexpected else "")
    if written is not None:
        print_line(
            f"{written[0]} shapes to label in {shown(written[1])}: fill in its column label, then give --labels FILE"
        )

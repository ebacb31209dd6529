"""--label, --labels and --expected-novel: the drift test of a command, shapes to label, and what labels change."""

# no `annotations` of the future: cyclopts reads those of a group in the modules of the groups derived from it

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
NAMED = 3  # shapes in the message


@Parameter(name="*")
@dataclass(frozen=True)
class DriftOptions:
    """The options of a command that tests whether the known shapes differ from the calibration set."""

    expected_novel: Annotated[
        float | None,
        option(DRIFT, "Expected fraction of novel shapes, for a second sign of drift.", "SHARE", min=0, max=1),
    ] = None
    label: Annotated[
        tuple[int, Path] | None,
        option(DRIFT, "Write N shapes, drawn at random, to a .csv file: fill in its column `label`.", "N FILE"),
    ] = None
    labels: Annotated[
        Path | None,
        option(DRIFT, "Read this file with its labels: fraction of known shapes kept, and a new threshold.", "FILE"),
    ] = None

    def check(self) -> None:
        """Raises `InputError` for options that contradict each other."""
        if self.label is not None:
            check_out("--label", self.label[1], (".csv",))
            if self.label[0] < 1:
                raise InputError(f"--label is {self.label[0]}. Expected 1 shape or more. Give 30.")
        if self.label is not None and self.labels is not None:
            raise InputError("--label and --labels were both given. Expected one. Write the file, fill it in, read it.")

    def read(self) -> "LabelSample | None":
        """The labels of --labels."""
        from openshape_ood.novelty import LabelSample

        return None if self.labels is None else LabelSample.load(self.labels).complete()

    def tested(self, result: "NoveltyResult", labels: "LabelSample | None") -> "NoveltyResult":
        """The result with these facts, for its drift test; writes the file of --label."""
        if self.label is not None:
            result.to_label(self.label[0]).save(self.label[1])
        return result.with_context(expected_novel=self.expected_novel, labels=labels)


def recalibrated(
    pipeline: "NoveltyPipeline", labels: "LabelSample | None", chosen: Decision, failures: list[Failure]
) -> "NoveltyPipeline":
    """The pipeline with the threshold of the labels, if there are any."""
    if labels is None:
        return pipeline
    how = {} if chosen.coverage is None else {"coverage": chosen.coverage}
    return chosen.with_unsure(pipeline.recalibrate(labels, **how), failures)


def print_drift(result: "NoveltyResult", written: tuple[int, Path] | None = None) -> None:
    """Lines on the drift below a table: alarms, what labels show, and the file to fill in."""
    drift = result.drift
    if drift.alarm or drift.unexpected or drift.kept is not None or drift.expected_novel is not None:
        drawn = result.to_label().shapes if len(result) else ()
        first = ", ".join(map(shown, drawn[:NAMED])) + ", ..." * (len(drawn) > NAMED)
        about = drift.describe(f"{first} (--label {len(drawn)} FILE)")
        if result.labels is not None and result.threshold is not None:
            about = f"Before the labels, threshold {result.threshold.value:.3f}: {about}"
        print_line(about, "yellow" if drift.alarm or drift.unexpected else "")
    if written is not None:
        print_line(f"{written[0]} shapes to label in {shown(written[1])}: fill in its column label, then --labels FILE")

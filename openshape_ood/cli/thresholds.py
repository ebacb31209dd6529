"""Options of the decision (--threshold, --calibrate, --coverage, --unsure), and the pipeline with its threshold."""

# no `from __future__ import annotations`: cyclopts would look up the names in the module of a derived class

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from openshape_ood.cli.console import Failure, failed_line, print_note, shown
from openshape_ood.cli.options import DECISION, option
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.cli.classes import RequestedClasses
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
    from openshape_ood.novelty.generated import Generated

NONE = "no verdict without a threshold: give --calibrate PATHS of known shapes, or --threshold X"


@Parameter(name="*")
@dataclass(frozen=True)
class Decision:
    """Options that decide whether a shape is novel."""

    threshold: Annotated[
        str | None,
        option(
            DECISION,
            "Threshold: a number, or a file written by --save-threshold. Shapes with a higher novelty are novel.",
            "X|FILE",
        ),
    ] = None
    calibrate: Annotated[
        list[str] | None,
        option(
            DECISION,
            "Calibration set: known shapes that are not among the examples (files, folders or patterns).",
            "PATHS...",
        ),
    ] = None
    calibrate_by: Annotated[
        Literal["file", "folder"],
        option(
            DECISION,
            "Grouping of the files of --calibrate. file: each file is one object. folder: all files of a folder are "
            "scans of one object, which counts once.",
        ),
    ] = "file"
    coverage: Annotated[
        float | None,
        option(
            DECISION,
            "Fraction of known shapes to classify as known. Default: the coverage of the given threshold, else 0.95.",
            "SHARE",
        ),
    ] = None

    unsure: Annotated[
        list[float] | None,
        option(
            DECISION,
            "Add the verdict 'unsure'. First rate: maximum fraction of known shapes called novel. Second rate, with "
            "--calibrate-novel: maximum fraction of novel shapes called known.",
            "RATES...",
        ),
    ] = None
    calibrate_novel: Annotated[
        list[str] | None,
        option(DECISION, "Examples of novel shapes, for the second rate of --unsure.", "PATHS..."),
    ] = None

    def check(self, wanted: "RequestedClasses") -> None:
        """Raise `InputError` if options contradict each other, or a file of --calibrate is also an example."""
        from openshape_ood.cli.inputs import find_files
        from openshape_ood.decisions.calibration import calibration_needed
        from openshape_ood.novelty.calibration import check_files_apart
        from openshape_ood.novelty.pipeline import check_rates

        if self.coverage is not None:
            calibration_needed(self.coverage)  # raises for a value outside 0 to 1
        if (threshold := self.given) is not None:
            threshold.at(self.coverage)
        if self.calibrate_novel and not self.unsure:
            raise InputError(
                "--calibrate-novel is given without --unsure. Expected two rates. Give --unsure 0.05 0.05."
            )
        if self.unsure:
            check_rates(self.unsure, self.calibrate_novel)
        if self.calibrate_by != "file" and not self.calibrate:
            raise InputError(
                f"--calibrate-by {self.calibrate_by} was given without --calibrate. Expected both or neither. Give "
                "--calibrate PATHS."
            )
        if self.calibrate:
            examples = {name: [file.path for file in files] for name, files in wanted.with_files.items()}
            check_files_apart([file.path for file in find_files(self.calibrate).files], examples)
            if self.threshold is not None:
                raise InputError("--threshold and --calibrate were both given. Expected one of them. Leave one out.")

    @cached_property
    def given(self) -> "Threshold | None":
        """Threshold from --threshold, a number or a file; None without this option."""
        from openshape_ood.decisions.threshold import Threshold

        if self.threshold is None:
            return None
        try:
            number = float(self.threshold)
        except ValueError:
            return Threshold.load(self.threshold)
        return Threshold(number, source="given with --threshold")

    def decided(
        self,
        pipeline: "NoveltyPipeline",
        threshold: "Threshold | None",
        failures: list[Failure],
        generated: str | None = None,
    ) -> "NoveltyPipeline":
        """Pipeline with a threshold: given, else calibrated, else saved with the known classes, else generated.

        generated: "models" if the known classes are generated models. A generated threshold is then made from models.
        """
        result, saved, groups = None, pipeline.known.threshold, None
        if self.calibrate:
            result = _calibrated(pipeline, self.calibrate, failures)
            groups = None if self.calibrate_by == "file" else [os.path.dirname(path) for path in result.shapes]
        elif threshold is None and saved is not None and not saved.fits(pipeline.provenance):
            print_note(
                "note: the threshold saved with the known classes is of another method; it is not used", "yellow"
            )
        source = f"known shapes of {', '.join(map(str, self.calibrate))}" if self.calibrate else ""
        kind: Generated = "models" if generated == "models" else "scans"
        return self.with_unsure(pipeline.decided(threshold, result, self.coverage, groups, kind, source), failures)

    def with_unsure(self, pipeline: "NoveltyPipeline", failures: list[Failure]) -> "NoveltyPipeline":
        """Pipeline with the verdict "unsure", if --unsure is given."""
        if not self.unsure:
            return pipeline
        if pipeline.threshold is None:
            raise InputError(
                "--unsure was given without a threshold. Expected a calibration set. Give --calibrate PATHS of known "
                "shapes."
            )
        from openshape_ood.novelty.pipeline import check_rates

        novel = _calibrated(pipeline, self.calibrate_novel, failures) if self.calibrate_novel else None
        return replace(pipeline, threshold=pipeline.threshold.with_unsure(*check_rates(self.unsure, novel), novel))


def warn_of_axis(threshold: "Threshold | None", assumed: str | None, remedy: str = "try --up {up}") -> None:
    """Warn if shapes were read with the axis `assumed` and the threshold was calibrated with another axis.

    assumed: None for no warning. remedy: text in which "{up}" is replaced by the threshold's axis.
    """
    from openshape_ood.shapes.points import UPS

    made = threshold and threshold.provenance
    if assumed and made and made.up in UPS and made.up != assumed and not (threshold and threshold.is_generated):
        print_note(
            f"note: the threshold is from shapes with {made.up} up, but these were read with {assumed} up; "
            f"{remedy.format(up=made.up)}",
            "yellow",
        )


def _calibrated(pipeline: "NoveltyPipeline", paths: Sequence[str], failures: list[Failure]) -> "NoveltyResult":
    """Result of the pipeline for the calibration shapes in `paths`."""
    from openshape_ood.cli.inputs import find_files
    from openshape_ood.cli.results import score_all
    from openshape_ood.novelty import NoveltyResult

    inputs, before = find_files(paths), len(failures)
    failures += inputs.failures
    results = [scored.result for scored in score_all(pipeline, inputs, failures, "calibrating")]
    failed = failures[before:]
    if not results:
        why = f"First failure: {failed_line(*failed[0])}" if failed else "Expected shape files"
        raise InputError(f"no calibration shape in {' '.join(paths)} can be used. {why}. Give known shapes.")
    return replace(NoveltyResult.joined(results), failures=tuple(failed))


def words(threshold: "Threshold | None") -> str:
    """Sentence about the threshold, printed below every table."""
    return NONE if threshold is None else shown(threshold.describe("--calibrate PATHS"))

"""Threshold of maps from known shapes: the options --false-points, --false-regions and --largest."""

# no `from __future__ import annotations`: cyclopts would look up the names in the module of the command

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openshape_ood.cli.console import Failure, progress
from openshape_ood.cli.options import DECISION, option
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.novelty_map import NoveltyMap


@Parameter(name="*")
@dataclass(frozen=True)
class MarksOptions:
    """Options of a guarantee for the marked points of maps."""

    false_points: Annotated[
        float | None,
        option(
            DECISION,
            "Guarantee for maps: on average, at most this fraction of a known, undamaged shape is marked as novel. "
            "0.01 needs 99 calibration shapes.",
            "SHARE",
        ),
    ] = None
    false_regions: Annotated[
        float | None,
        option(
            DECISION,
            "Alternative guarantee: at most this fraction of known, undamaged shapes has a region marked as novel. "
            "0.05 needs 19 calibration shapes.",
            "SHARE",
        ),
    ] = None
    largest: Annotated[
        float,
        option(
            DECISION,
            "With --false-points: maximum fraction of a shape that is marked. 0.5 halves the number of calibration "
            "shapes needed.",
            "SHARE",
        ),
    ] = 1.0

    @property
    def requested(self) -> bool:
        return self.false_points is not None or self.false_regions is not None

    @property
    def how(self) -> dict[str, Any]:
        """Arguments of `calibrate_marks` and `SurfaceModel.fit`."""
        return {name: getattr(self, name) for name in ("false_points", "false_regions", "largest")}

    def check(self, calibrate: Any, remedy: str = "--calibrate PATHS") -> None:
        """Raise `InputError` if options contradict each other, or there are no calibration shapes."""
        from openshape_ood.novelty_map.marks import rate_of

        if self.requested:
            rate_of(self.false_points, self.false_regions, self.largest)
            if not calibrate:
                raise InputError(
                    "--false-points or --false-regions was given without calibration shapes. Expected known shapes. "
                    f"Give {remedy}."
                )
        elif self.largest != 1:
            raise InputError(
                "--largest was given alone. Expected --false-points too, because it limits these marks. Give "
                "--false-points."
            )

    def threshold(self, maps: "Iterable[NoveltyMap]", source: str, groups: list[Any] | None = None) -> "Threshold":
        """Threshold from maps of known shapes.

        groups: object of each map, because all scans of an object count as one shape. The list is read after the maps,
        so the generator of the maps may fill it.
        """
        from openshape_ood.novelty_map import calibrate_marks

        return calibrate_marks(maps, **self.how, groups=groups, source=source)


def marks_of(
    options: MarksOptions,
    pipeline: "NoveltyPipeline",
    paths: list[str] | None,
    by: str,
    failures: list[Failure],
) -> "Threshold | None":
    """Threshold from maps of the shapes of --calibrate; None if `options` request none."""
    from openshape_ood.cli.inputs import find_files
    from openshape_ood.novelty_map import localize_many
    from openshape_ood.shapes.batches import Batch, in_batches
    from openshape_ood.shapes.shape import Shape

    options.check(paths)
    if not options.requested or not paths:
        return None
    inputs, groups = find_files(paths), list[Any]()
    encoder: Any = pipeline.encoders.shape

    def mapped(batch: Batch) -> "list[NoveltyMap]":
        how: dict[str, Any] = {"seed": pipeline.seed, "batch_size": pipeline.batch_size, "up": batch.ups}
        return list(localize_many(batch.shapes, pipeline.known, encoder=encoder, **how))

    def maps() -> "Iterable[NoveltyMap]":
        with progress("calibrating marks", len(inputs.files)) as bar:
            for batch in in_batches([Shape(f.path, f.path) for f in inputs.files], pipeline.reading, mapped, bar.step):
                failures.extend(batch.failures)
                if batch.given:
                    groups.extend(name if by == "file" else os.path.dirname(name) for name in batch.names)
                    yield from batch.result

    return options.threshold(maps(), f"known shapes of {', '.join(map(str, paths))}", groups)

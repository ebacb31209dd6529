"""--false-points, --false-regions and --largest -> the threshold of maps, from known shapes."""

# no `annotations` of the future: cyclopts reads those of a group in the module of the command

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
    """The options of a promise on the marks of maps."""

    false_points: Annotated[
        float | None,
        option(
            DECISION,
            "Guarantee for maps: on average at most this fraction of a known, undamaged shape is falsely marked. "
            "0.01 needs 99 shapes.",
            "SHARE",
        ),
    ] = None
    false_regions: Annotated[
        float | None,
        option(
            DECISION,
            "Alternatively: at most this fraction of known, undamaged shapes has a false region. 0.05 needs 19.",
            "SHARE",
        ),
    ] = None
    largest: Annotated[
        float,
        option(
            DECISION,
            "With --false-points: mark at most this share of a shape. 0.5 halves the number of shapes needed.",
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
        """Raises `InputError` for options that contradict each other, or have nothing to calibrate on."""
        from openshape_ood.novelty_map.marks import rate_of

        if self.requested:
            rate_of(self.false_points, self.false_regions, self.largest)
            if not calibrate:
                raise InputError(
                    f"a promise on marks was requested, without known shapes. Maps of these are needed. Give {remedy}"
                )
        elif self.largest != 1:
            raise InputError("--largest was given alone. It bounds marks with a promise. Give --false-points too")

    def threshold(self, maps: "Iterable[NoveltyMap]", source: str, groups: list[Any] | None = None) -> "Threshold":
        """The threshold of maps of known shapes; `groups` may be filled while these are made."""
        from openshape_ood.novelty_map import calibrate_marks

        return calibrate_marks(maps, **self.how, groups=groups, source=source)


def marks_of(
    options: MarksOptions,
    pipeline: "NoveltyPipeline",
    paths: list[str] | None,
    by: str,
    failures: list[Failure],
) -> "Threshold | None":
    """The threshold that `options` ask for, from maps of the shapes of --calibrate; None without a request."""
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

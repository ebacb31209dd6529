"""Options of reconstructors that are trained in steps."""

# no `from __future__ import annotations`: cyclopts would look up the names in the module of the command

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from openshape_ood.cli.options import option
from openshape_ood.errors import InputError

TRAINING = "Training"
TRAINED = ("unet", "crn")


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingOptions:
    """Training settings of unet and crn. None: the default of the reconstructor."""

    steps: Annotated[int | None, option(TRAINING, "Number of training steps. Default: 300.", min=1)] = None
    batch: Annotated[int | None, option(TRAINING, "Number of tiles per step. Default: 16.", min=1)] = None
    rate: Annotated[float | None, option(TRAINING, "Learning rate. Default: 0.002.")] = None
    optimizer: Annotated[
        Literal["adam", "adamw", "nadam", "radam", "rmsprop", "sgd"] | None,
        option(TRAINING, "Optimizer. Default: adam."),
    ] = None
    rate_schedule: Annotated[
        Literal["constant", "cosine"] | None, option(TRAINING, "Schedule of the learning rate. Default: constant.")
    ] = None
    width: Annotated[int | None, option(TRAINING, "Number of channels at the first level. Default: 16.", min=1)] = None
    depth: Annotated[int | None, option(TRAINING, "Number of levels, 5 to 12. Default: from the tile size.")] = None
    units: Annotated[int | None, option(TRAINING, "crn: number of competing U-Nets. Default: 4.", min=1)] = None
    norm: Annotated[
        Literal["group", "batch", "instance", "none"] | None,
        option(TRAINING, "crn: normalization layer. Default: group."),
    ] = None
    weights: Annotated[
        tuple[float, float, float] | None,
        option(
            TRAINING,
            "crn: loss weights of reconstruction, feedback and discrimination. Default: 1 0.25 0.25.",
            "R F D",
        ),
    ] = None
    margin: Annotated[
        float | Literal["none"] | None,
        option(TRAINING, "crn: margin of the discriminator's loss. none: no margin, as published. Default: 0.2."),
    ] = None
    corruption: Annotated[
        Literal["cutout", "none"] | None,
        option(TRAINING, "Corruption of tiles before reconstruction. cutout: boxes are cut out. Default: cutout."),
    ] = None

    def of(self, reconstructor: str | None) -> dict[str, Any]:
        """Settings that were given. Raises `InputError` for a setting that the reconstructor does not have."""
        from openshape_ood.surfaces import find_reconstructor

        given = {name: one for name, one in asdict(self).items() if one is not None}
        for name in given:
            having = [one for one in TRAINED if name in find_reconstructor(one).get_params()]
            if reconstructor not in having:
                chosen = "without --reconstructor" if reconstructor is None else f"with --reconstructor {reconstructor}"
                raise InputError(
                    f"--{name.replace('_', '-')} was given {chosen}. Expected the reconstructor {' or '.join(having)}. "
                    f"Give --reconstructor {having[-1]}, or leave the setting out."
                )
        return given | {name: None for name in ("margin", "corruption") if given.get(name) == "none"}

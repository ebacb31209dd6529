"""TrainingOptions: the options of reconstructors that are trained in steps."""

# no `annotations` of the future: cyclopts reads those of a group in the module of the command

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
    """Settings of unet and crn. Default: the reconstructor's."""

    steps: Annotated[int | None, option(TRAINING, "Steps of unet and crn. Default: 300.", min=1)] = None
    batch: Annotated[int | None, option(TRAINING, "Tiles a step. Default: 16.", min=1)] = None
    rate: Annotated[float | None, option(TRAINING, "Learning rate. Default: 0.002.")] = None
    optimizer: Annotated[
        Literal["adam", "adamw", "nadam", "radam", "rmsprop", "sgd"] | None,
        option(TRAINING, "Optimizer. Default: adam."),
    ] = None
    rate_schedule: Annotated[
        Literal["constant", "cosine"] | None, option(TRAINING, "Of the learning rate. Default: constant.")
    ] = None
    width: Annotated[int | None, option(TRAINING, "Channels of the first level. Default: 16.", min=1)] = None
    depth: Annotated[int | None, option(TRAINING, "Levels, 5 to 12. Default: by the size of the tiles.")] = None
    units: Annotated[int | None, option(TRAINING, "Of crn: U-Nets that compete. Default: 4.", min=1)] = None
    norm: Annotated[
        Literal["group", "batch", "instance", "none"] | None, option(TRAINING, "Of crn. Default: group.")
    ] = None
    weights: Annotated[
        tuple[float, float, float] | None,
        option(
            TRAINING,
            "Of crn: loss weights of reconstruction, feedback and discrimination. Default: 1 0.25 0.25.",
            "R F D",
        ),
    ] = None
    margin: Annotated[
        float | None, option(TRAINING, "Of crn: error up to which a discriminator gains. Default: 0.2.")
    ] = None
    corruption: Annotated[
        Literal["cutout", "none"] | None,
        option(TRAINING, "Cut boxes out of tiles that are to be rebuilt. Default: cutout."),
    ] = None

    def of(self, reconstructor: str | None) -> dict[str, Any]:
        """The settings that were given. Raises `InputError` for one that the reconstructor does not have."""
        from openshape_ood.surfaces import find_reconstructor

        given = {name: one for name, one in asdict(self).items() if one is not None}
        for name in given:
            having = [one for one in TRAINED if name in find_reconstructor(one).get_params()]
            if reconstructor not in having:
                chosen = "none is given" if reconstructor is None else f"given is {reconstructor}"
                raise InputError(
                    f"--{name.replace('_', '-')} is a setting of the reconstructor {' or '.join(having)}, and {chosen}"
                    f"; give --reconstructor {having[-1]}, or leave the setting out"
                )
        return given | ({"corruption": None} if self.corruption == "none" else {})

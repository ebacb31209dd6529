"""The reconstructors that stand side by side, records of trainings, and one watched for the published protocol."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from benchmarks import options
from benchmarks.training.log import Log
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.storage import make_folder
from openshape_ood.surfaces import HeightReconstructor, MeanReconstructor, PatchPCA, PCAReconstructor, Reconstructor
from openshape_ood.surfaces.competition import OPTIMIZERS, RATES, Recipe, check_recipe
from openshape_ood.surfaces.memory import PatchMemory
from openshape_ood.surfaces.networks import PUBLISHED, CompetitiveReconstructor, UNetReconstructor
from openshape_ood.surfaces.reconstructor import Report
from openshape_ood.surfaces.unet import NORMS

HEIGHT = "height alone"
BASELINES = (HEIGHT, "mean image", "PCA, 32 components", "PCA of patches")
PIXELS_KEPT = 0.99  # of the normal ones, by the threshold
TOGETHER = 64  # tiles scored at once between epochs
TUNED = ("denoising U-Net", "CRN")  # rows that take `SETTINGS`; the others keep the recipe in their name


def margin(given: str) -> float | str:
    """A number, or "none"."""
    return given if given == "none" else float(given)


SETTINGS: dict[str, dict[str, Any]] = {
    "batch": {"type": int, "help": "tiles a step of the U-Net and CRN, also of its published recipe"},
    "rate": {"type": float, "help": "learning rate of both"},
    "optimizer": {"choices": tuple(OPTIMIZERS), "help": "of both"},
    "rate_schedule": {"choices": RATES, "help": "of both"},
    "depth": {"type": int, "help": "levels of both, 5 or more; by the size of the tiles if left out"},
    "norm": {"choices": NORMS, "help": "of CRN"},
    "weights": {
        "type": float,
        "nargs": 3,
        "metavar": ("R", "F", "D"),
        "help": "of CRN: loss weights of reconstruction, feedback and discrimination",
    },
    "margin": {
        "type": margin,
        "help": "of CRN: error up to which a discriminator gains; none, as published, for no bound",
    },
    "corruption": {"choices": ("cutout", "none"), "help": "of both: boxes are cut out of tiles that are to be rebuilt"},
}


def contenders(args: argparse.Namespace) -> dict[str, Reconstructor]:
    """Reconstructors by their words in the table, with the options of `add_training`.

    Without `pretrained` the patch memory looks through a network that was not trained. Raises `InputError` for
    settings that cannot be.
    """
    kept: dict[str, Any] = {"pixel_coverage": PIXELS_KEPT}
    device, units, pretrained = args.device, args.units, args.pretrained
    budget: dict[str, Any] = {"steps": args.steps, "width": args.width, "device": device, **kept}
    seen_by = "ImageNet's" if pretrained else "untrained"
    found: dict[str, Reconstructor] = {
        HEIGHT: HeightReconstructor(**kept),
        BASELINES[1]: MeanReconstructor(**kept),
        BASELINES[2]: PCAReconstructor(32, **kept),
        BASELINES[3]: PatchPCA(**kept),
        f"patch memory, {seen_by} resnet18": PatchMemory(pretrained=pretrained, keep=0.05, device=device, **kept),
        "denoising U-Net": UNetReconstructor(**budget),
        "CRN": CompetitiveReconstructor(units, **budget),
        "CRN without competition": CompetitiveReconstructor(units, weights=(1.0, 0.0, 0.0), **budget),
        "CRN, published recipe": CompetitiveReconstructor(
            **PUBLISHED | budget | {"units": units, "batch": args.batch or 16}
        ),
    }
    for name in TUNED:
        own = found[name]
        own.set_params(**{key: one for key, one in settings(args).items() if key in own.get_params()})
        if isinstance(own, Recipe):
            check_recipe(own)
    return found


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The given ones of `SETTINGS`."""
    given = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    given |= {name: None for name in ("margin", "corruption") if given.get(name) == "none"}
    return given | ({"weights": tuple(given["weights"])} if "weights" in given else {})


def add_training(parser: argparse.ArgumentParser, steps: int, width: int) -> None:
    """Options of the commands that train reconstructors."""
    options.add_numbers(
        parser, steps=(steps, "of a training"), width=(width, "channels of the U-Nets' first level"),
        units=(4, "U-Nets that compete"),
    )  # fmt: skip
    for name, how in SETTINGS.items():
        parser.add_argument(options.flag(name), **how)
    words = "rows of the table: a whole name, or the beginning of several"
    parser.add_argument("--only", nargs="+", metavar="NAME", help=words)
    parser.add_argument("--pretrained", action="store_true", help="fetch ImageNet's weights for the patch memory")
    parser.add_argument("--compat-report", action="store_true", help="what the published protocol would have said")
    for name in ("log_file", "tensorboard"):
        parser.add_argument(options.flag(name), **options.OPTIONS[name])
    kept = "folder in which trainings are kept; after a stop the same command goes on from there"
    parser.add_argument("--state", type=Path, metavar="DIR", help=kept)


def state_folder(args: argparse.Namespace) -> Path | None:
    """The folder of `--state`, made if need be. Raises `InputError` for one beside `--compat-report`."""
    if args.state is not None and args.compat_report:
        raise InputError(
            "--compat-report scores the networks of all epochs, and --state keeps the last one. Leave one of them out"
        )
    return None if args.state is None else make_folder(args.state)


def slug(name: str) -> str:
    """Words as part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in name.replace(",", "").replace("'", "")).lower()


def some_of(given: Mapping[str, Reconstructor], names: Sequence[str] | None) -> dict[str, Reconstructor]:
    """The rows with one of these names; a name that no row has stands for all that begin so.

    Raises `UnknownNameError` for a name that none begins as.
    """
    for name in names or ():
        if not any(words.startswith(name) for words in given):
            raise UnknownNameError(f"no reconstructor is called {name!r}; there are {', '.join(given)}")
    begun = tuple(name for name in names or () if name not in given)
    return {words: one for words, one in given.items() if not names or words in names or words.startswith(begun)}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted reconstructor, its seconds and, if watched, scores (t,) of the test tiles for each epoch."""

    reconstructor: Any
    seconds: float
    epochs: Sequence[np.ndarray] = ()


def fitted(
    given: Reconstructor,
    normal: Mapping[str, Any],
    seed: int,
    log: Log,
    watched: np.ndarray | None = None,
    states: Path | None = None,
    **facts: Any,
) -> Fitted:
    """A copy of `given` that has learned from `normal`, what `fit` takes.

    watched: test tiles (t, c, h, w) that are scored after each epoch of a competition; they change nothing. states: a
    folder in which a training is kept, by its facts. The log gets the facts with each record.
    """
    own, report = clone(given), log(**facts)
    watch = None
    if watched is not None and isinstance(own, CompetitiveReconstructor):
        epoch = min(own.steps, len(normal["normal"]) // own.batch)
        watch = Watched(own, normal["normal"], watched, epoch, report)
    start = time.perf_counter()
    state = states and states / f"{slug('-'.join(map(str, facts.values())))}.safetensors"
    own.fit(**normal, seed=seed, progress=watch or report, state=state)
    return Fitted(own, time.perf_counter() - start, watch.scores if watch else ())


class Watched:
    """Scores the test tiles after each epoch of a training as the published validation does; passes records on.

    A tile's score is the mean of |G(x) - D(G(x))| of the units that are then best, by some of the normal tiles, in
    evaluation mode, which draws nothing at random and changes no buffer: the training goes on as if nobody had looked.
    """

    def __init__(
        self, reconstructor: CompetitiveReconstructor, normal: np.ndarray, test: np.ndarray, every: int, then: Report
    ) -> None:
        self.reconstructor, self.every, self.then = reconstructor, max(1, every), then
        self.normal, self.test = torch.from_numpy(normal[:TOGETHER]), torch.from_numpy(test)
        self.scores: list[np.ndarray] = []

    def __call__(self, record: Mapping[str, Any]) -> None:
        self.then(record)
        if record["step"] % self.every == 0:
            self.scores.append(self._scored())

    def _scored(self) -> np.ndarray:
        units = self.reconstructor.units_.eval()
        device = next(units.parameters()).device
        with torch.inference_mode():
            generator, discriminator = self._best(units, self.normal.to(device))
            found = []
            for some in self.test.split(TOGETHER):
                y = generator(some.to(device))
                found.append((y - discriminator(y)).abs().mean(dim=(1, 2, 3)).cpu())
        units.train()
        return torch.cat(found).numpy()

    def _best(self, units: torch.nn.ModuleList, x: torch.Tensor) -> tuple[torch.nn.Module, torch.nn.Module]:
        """The unit that rebuilds best, and the unit farthest from rebuilding the other's answers."""
        answers = [unit(x) for unit in units]
        errors = [float((x - y).abs().mean()) for y in answers]
        best = int(np.argmin(errors))
        spoiled = [float((answers[best] - unit(answers[best])).abs().mean()) for unit in units]
        return units[best], units[int(np.argmax(np.subtract(spoiled, errors)))]

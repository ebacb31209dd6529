"""The reconstructors to compare, their options and training, and scores after each epoch for the published protocol."""

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
PIXELS_KEPT = 0.99  # fraction of normal pixels that the threshold keeps
TOGETHER = 64  # tiles scored at once between epochs
TUNED = ("denoising U-Net", "CRN")  # reconstructors that use `SETTINGS`; the others have a fixed recipe


def margin(given: str) -> float | str:
    """Parse a number or "none"."""
    return given if given == "none" else float(given)


SETTINGS: dict[str, dict[str, Any]] = {
    "batch": {"type": int, "help": "tiles per step of the U-Net and CRN, also with the published recipe"},
    "rate": {"type": float, "help": "learning rate of the U-Net and CRN"},
    "optimizer": {"choices": tuple(OPTIMIZERS), "help": "optimizer of the U-Net and CRN"},
    "rate_schedule": {"choices": RATES, "help": "schedule of the learning rate, U-Net and CRN"},
    "depth": {"type": int, "help": "levels of the U-Net and CRN, 5 or more (default: by the size of the tiles)"},
    "norm": {"choices": NORMS, "help": "normalization layers of CRN"},
    "weights": {
        "type": float,
        "nargs": 3,
        "metavar": ("R", "F", "D"),
        "help": "loss weights of CRN: reconstruction, feedback, discrimination",
    },
    "margin": {
        "type": margin,
        "help": "margin of CRN's discrimination loss; larger errors have no effect; none (as published): no margin",
    },
    "corruption": {"choices": ("cutout", "none"), "help": "cut boxes out of the inputs of the U-Net and CRN, or not"},
}


def contenders(args: argparse.Namespace) -> dict[str, Reconstructor]:
    """Name in the table -> reconstructor, with the options of `add_training`.

    Without `pretrained` the patch memory uses an untrained network. Raises `InputError` for invalid settings.
    """
    kept: dict[str, Any] = {"pixel_coverage": PIXELS_KEPT}
    device, units, pretrained = args.device, args.units, args.pretrained
    budget: dict[str, Any] = {"steps": args.steps, "width": args.width, "device": device, **kept}
    seen_by = "ImageNet's" if pretrained else "untrained"
    made: dict[str, Reconstructor] = {
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
    for one in (made[name] for name in TUNED):
        one.set_params(**{key: value for key, value in settings(args).items() if key in one.get_params()})
        if isinstance(one, Recipe):
            check_recipe(one)
    return made


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `SETTINGS` that are set."""
    given = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    given |= {name: None for name in ("margin", "corruption") if given.get(name) == "none"}
    return given | ({"weights": tuple(given["weights"])} if "weights" in given else {})


def add_training(parser: argparse.ArgumentParser, steps: int, width: int) -> None:
    """Add the options of the commands that train reconstructors."""
    options.add_numbers(
        parser, steps=(steps, "training steps"), width=(width, "channels of the U-Nets' first level"),
        units=(4, "competing U-Nets"),
    )  # fmt: skip
    for name, how in SETTINGS.items():
        parser.add_argument(options.flag(name), **how)
    words = "only these reconstructors: a name in the table, or the beginning of several names"
    parser.add_argument("--only", nargs="+", metavar="NAME", help=words)
    parser.add_argument("--pretrained", action="store_true", help="download ImageNet weights for the patch memory")
    parser.add_argument("--compat-report", action="store_true", help="also print the result of the published protocol")
    for name in ("log_file", "tensorboard"):
        parser.add_argument(options.flag(name), **options.OPTIONS[name])
    kept = "folder for training states; the same command resumes an interrupted run"
    parser.add_argument("--state", type=Path, metavar="DIR", help=kept)


def state_folder(args: argparse.Namespace) -> Path | None:
    """The folder of `--state`, created if missing. Raises `InputError` together with `--compat-report`."""
    if args.state is not None and args.compat_report:
        raise InputError(
            "--compat-report scores the networks of all epochs, but --state keeps only the last. Give one of them"
        )
    return None if args.state is None else make_folder(args.state)


def slug(name: str) -> str:
    """Text as part of a file name."""
    return "".join(c if c.isalnum() else "-" for c in name.replace(",", "").replace("'", "")).lower()


def some_of(given: Mapping[str, Reconstructor], names: Sequence[str] | None) -> dict[str, Reconstructor]:
    """Reconstructors with one of these names in the table, or whose names begin with one of them.

    A name that is in the table selects only this reconstructor. Raises `UnknownNameError` for a name that selects none.
    """
    for name in names or ():
        if not any(words.startswith(name) for words in given):
            raise UnknownNameError(f"no reconstructor is called {name!r}; there are {', '.join(given)}")
    begun = tuple(name for name in names or () if name not in given)
    return {words: one for words, one in given.items() if not names or words in names or words.startswith(begun)}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted reconstructor, its training seconds and, if requested, scores of the test tiles (t,) per epoch."""

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
    """Fit a copy of `given` on `normal`, the keyword arguments of `fit`.

    Parameters
    ----------
    watched : numpy.ndarray, optional
        Test tiles (t, c, h, w), scored after each epoch of CRN. They do not change the training.
    states : Path, optional
        Folder for training states. The file is named by `facts`.
    **facts
        Added to each record of the log.
    """
    one, report = clone(given), log(**facts)
    watch = None
    if watched is not None and isinstance(one, CompetitiveReconstructor):
        epoch = min(one.steps, len(normal["normal"]) // one.batch)
        watch = Watched(one, normal["normal"], watched, epoch, report)
    start = time.perf_counter()
    state = states and states / f"{slug('-'.join(map(str, facts.values())))}.safetensors"
    one.fit(**normal, seed=seed, progress=watch or report, state=state)
    return Fitted(one, time.perf_counter() - start, watch.scores if watch else ())


class Watched:
    """Scores the test tiles after each epoch, as the published validation does, and passes the records to `then`.

    The score of a tile is the mean of |G(x) - D(G(x))|, where G and D are the best units on some normal tiles. This is
    computed in evaluation mode, without random numbers, so it does not change the training.
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
            errors = []
            for some in self.test.split(TOGETHER):
                y = generator(some.to(device))
                errors.append((y - discriminator(y)).abs().mean(dim=(1, 2, 3)).cpu())
        units.train()
        return torch.cat(errors).numpy()

    def _best(self, units: torch.nn.ModuleList, x: torch.Tensor) -> tuple[torch.nn.Module, torch.nn.Module]:
        """G, the unit with the smallest error; D, the unit whose error increases most on the outputs of G."""
        answers = [unit(x) for unit in units]
        errors = [float((x - y).abs().mean()) for y in answers]
        best = int(np.argmin(errors))
        spoiled = [float((answers[best] - unit(answers[best])).abs().mean()) for unit in units]
        return units[best], units[int(np.argmax(np.subtract(spoiled, errors)))]

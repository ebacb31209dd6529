"""U-Net reconstructors: several that compete, or a single one that learns to fill cutouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import check_choice, check_whole
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.errors import InputError
from openshape_ood.surfaces.competition import (
    Recipe,
    Weights,
    check_recipe,
    loaded_units,
    new_units,
    reported,
    train,
)
from openshape_ood.surfaces.reconstructor import Reconstructor, Training
from openshape_ood.surfaces.unet import LEAST_DEPTH, UNet, UNetSizes, depth_of

RESIDUALS = ("units", "best", "chain", "answer")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of values in [0, 1]
PUBLISHED: dict[str, Any] = {
    "units": 12, "width": 64, "norm": "batch", "initialization": "fan_out", "weights": (0.5, 1.0, 2.0),
    "margin": None, "corruption": None, "steps": 10_000, "batch": 64, "rate": 1e-4, "pairs": "random",
    "residual": "chain", "pooling": "mean",
}  # fmt: skip


def imagenet(tiles: Tensor) -> Tensor:
    """Tiles (t, 3, h, w) in [-1, 1] with ImageNet's normalization. Raises `InputError` for other channels."""
    if tiles.shape[1] != 3:
        raise InputError(
            f"tiles have {tiles.shape[1]} channels. Expected 3 (red, green, blue) for ImageNet's normalization. Give "
            "normalization=None."
        )
    center, spread = (torch.tensor(one, device=tiles.device)[:, None, None] for one in IMAGENET)
    return (tiles * 0.5 + 0.5 - center) / spread


@dataclass(eq=False, repr=False)
class CompetitiveReconstructor(Reconstructor, Recipe):
    """Competing U-Nets (CRN): each learns to rebuild tiles, and to rebuild outputs of the others as badly as possible.

    The defaults train on a CPU in a minute. `CompetitiveReconstructor(**PUBLISHED)` has the settings of the published
    code, but scores in evaluation mode. With the defaults, competition takes time and gains little. Compare the result
    with weights=(1, 0, 0) and with `PCAReconstructor`.

    Parameters
    ----------
    units : int
        Number of competing units.
    width, depth : int
        Channels of the outermost level, and number of levels, at least 5. Default depth: from the tile size, see
        `unet.depth_of`.
    norm : {"group", "batch", "instance", "none"}
        Normalization layers.
    variant : {"improved", "plain"}
        Upsampling by repetition and a convolution, or by transposed convolutions.
    initialization : {"fan_in", "fan_out"}
        Scale of the initial weights. "fan_out" is published; it saturates half of the outputs at the start.
    dropout : bool
        Use dropout in the levels with 8 * `width` channels on both sides, except the innermost. None with depth 5.
    weights : (float, float, float)
        Weights of reconstruction, feedback and discrimination in the losses, see `competition.competition_step`.
    margin : float or None
        Error above which a discriminator's loss is 0. None: no limit, as published.
    corruption : {"cutout"} or None
        "cutout": half of the training tiles get two boxes of random color.
    steps, batch, rate, optimizer, rate_schedule
        Number of training steps, tiles in a step, learning rate, optimizer (a key of `competition.OPTIMIZERS`), and
        schedule of the rate: "constant" or "cosine".
    pairs : {"round-robin", "random"}
        "round-robin": each unit is trained equally often. "random": random pairs, as published.
    residual : {"units", "best", "chain", "answer"}
        Novelty of a tile x. "units": mean over the units U of |x - U(x)|. "best": |x - G(x)| with the best generator G.
        "chain": |x - D(G(x))| with the best discriminator D, as in published inference. "answer": |G(x) - D(G(x))|, as
        in published validation.
    normalization : {"imagenet"} or None
        Normalization of tiles. Published files trained on MVTec AD need ImageNet's mean and deviation. Train without
        them, because they move targets out of the range of tanh.
    pooling, coverage, pixel_coverage
        As in `Reconstructor`.
    device : str, optional
        Default: the best available.

    Attributes
    ----------
    units_ : torch.nn.ModuleList
        In evaluation mode; scoring does not change them.
    best_ : (int, int)
        Indices of the best generator and the best discriminator among the trained units.

    References
    ----------
    Mattes, Richter, Döllner, "Detecting road damages in mobile mapping point clouds using competitive reconstruction
    networks", AGILE: GIScience Series 4, 7, 2023.
    """

    method = "crn"
    granule = 2**LEAST_DEPTH

    units: int = 4
    _: KW_ONLY
    width: int = 16
    depth: int | None = None
    norm: str = "group"
    variant: str = "improved"
    initialization: str = "fan_in"
    dropout: bool = False
    residual: str = "units"
    normalization: str | None = None
    device: str | None = None

    def _check_params(self) -> None:
        super()._check_params()
        check_whole(self.units, "units")
        check_choice(self.residual, "residual", RESIDUALS)
        if self.normalization is not None:
            check_choice(self.normalization, "normalization", ("imagenet",))
        check_choice(self.initialization, "initialization", ("fan_in", "fan_out"))
        check_recipe(self)

    def _sizes(self) -> UNetSizes:
        channels, height, width = self.shape_
        depth = depth_of(height, width) if self.depth is None else self.depth
        return UNetSizes(channels, self.width, depth, self.norm, self.variant, self.dropout)

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        device, sizes = find_device(self.device), self._sizes()
        sizes.check_sides(*self.shape_[1:])
        fan: Any = self.initialization
        self.units_ = _placed(new_units(lambda: UNet(sizes).initialize(fan), self.units, seed), device)
        mask = None if seen.all() else torch.from_numpy(seen[:, None])
        x = self._prepared(torch.from_numpy(tiles))
        with exact(device), reported(training.progress, self.steps) as report:
            self.history_, ranking = train(self.units_, x, self, seed, seen=mask, report=report, state=training.state)
        self.best_, self.trained_ = ranking.best, ranking.trained

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        device = next(self.units_.parameters()).device
        mask = torch.from_numpy(seen[:, None]).to(device)
        with torch.inference_mode(), exact(device):
            x = self._prepared(torch.from_numpy(tiles).to(device))
            return self._apart(x, mask).mean(dim=1).cpu().numpy()

    def _prepared(self, tiles: Tensor) -> Tensor:
        return tiles if self.normalization is None else imagenet(tiles)

    def _apart(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.residual == "units":
            return torch.stack([(x - self.units_[k](x)).abs() for k in self.trained_]).mean(dim=0)
        generator, discriminator = (self.units_[k] for k in self.best_)
        y = generator(x)
        if self.residual == "best":
            return (x - y).abs()
        answer = discriminator(y * mask)
        return (x - answer if self.residual == "chain" else y - answer).abs()

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {name: one.cpu().numpy() for name, one in self.units_.state_dict().items()}
        unit: Any = self.units_[0]
        state = {"sizes": asdict(unit.sizes), "units": len(self.units_), "best": list(self.best_)}
        return state | {"trained": self.trained_}, arrays

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        sizes = UNetSizes(**state["sizes"])
        tensors = {key: torch.from_numpy(one) for key, one in arrays.items()}
        units = loaded_units(lambda: UNet(sizes), int(state["units"]), tensors)
        self.adopt(units, [int(k) for k in state["trained"]], [int(k) for k in state["best"]])

    def adopt(self, units: nn.ModuleList, trained: list[int], best: list[int]) -> None:
        """Use units trained elsewhere. `trained` and `best` are indices. Raises ValueError for invalid ones."""
        if len(best) != 2 or not trained or not {*trained, *best} <= set(range(len(units))):
            raise ValueError(f"units {trained}, best {best}, of {len(units)}")
        self.units_ = _placed(units, find_device(self.device)).eval().requires_grad_(False)
        self.trained_, self.best_ = trained, (best[0], best[1])


def _placed(units: nn.ModuleList, device: torch.device) -> nn.ModuleList:
    """Move units to a device in channels-last layout, which saves a third of the time on a CPU."""
    return units.to(device).to(memory_format=torch.channels_last)


@dataclass(eq=False, repr=False)
class UNetReconstructor(CompetitiveReconstructor):
    """Single U-Net that learns to fill cutouts. Parameters as in `CompetitiveReconstructor`."""

    method = "unet"
    units: int = field(default=1, init=False)
    norm: str = field(default="group", init=False)
    variant: str = field(default="improved", init=False)
    initialization: str = field(default="fan_in", init=False)
    dropout: bool = field(default=False, init=False)
    weights: Weights = field(default=(1.0, 0.0, 0.0), init=False)
    margin: float | None = field(default=None, init=False)
    pairs: str = field(default="round-robin", init=False)
    residual: str = field(default="units", init=False)
    normalization: str | None = field(default=None, init=False)

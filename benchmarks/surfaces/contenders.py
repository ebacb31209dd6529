"""The reconstructors that stand side by side, and a training that is watched for the published protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from openshape_ood.reconstruction.memory import PatchMemory
from openshape_ood.reconstruction.networks import PUBLISHED, CompetitiveReconstructor, UNetReconstructor

from benchmarks.surfaces.logs import Report
from openshape_ood.reconstruction import MeanReconstructor, PCAReconstructor, Reconstructor

BASELINES = ("mean image", "PCA, 32 components")
PIXELS_KEPT = 0.99  # of the normal ones, by the threshold
TOGETHER = 64  # tiles scored at once between epochs


def contenders(steps: int, width: int, units: int, pretrained: bool, device: str | None) -> dict[str, Reconstructor]:
    """By the words of the table. Without `pretrained` the patch memory looks through a network that was never trained."""
    kept: dict[str, Any] = {"pixel_coverage": PIXELS_KEPT}
    budget: dict[str, Any] = {"steps": steps, "width": width, "device": device, **kept}
    seen_by = "ImageNet's" if pretrained else "untrained"
    return {
        BASELINES[0]: MeanReconstructor(**kept),
        BASELINES[1]: PCAReconstructor(32, **kept),
        f"patch memory, {seen_by} resnet18": PatchMemory(pretrained=pretrained, keep=0.05, device=device, **kept),
        "denoising U-Net": UNetReconstructor(**budget),
        "CRN": CompetitiveReconstructor(units, **budget),
        "CRN without competition": CompetitiveReconstructor(units, weights=(1.0, 0.0, 0.0), **budget),
        "CRN, published recipe": CompetitiveReconstructor(**PUBLISHED | budget | {"units": units, "batch": 16}),
    }


class Watched:
    """Scores the test tiles after each epoch of a training as the published validation does; passes records on.

    A tile's score is the mean of |G(x) - D(G(x))| of the units that are then best, in evaluation mode, which draws
    nothing at random and changes no buffer: the training goes on as if nobody had looked.

    Parameters
    ----------
    reconstructor : CompetitiveReconstructor
        The one that is trained.
    normal, test : ndarray (t, c, h, w)
        Normal tiles, of which some say which units are best; tiles to be scored.
    every : int
        Steps of an epoch.
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
        """Which rebuilds best, and which is farthest from rebuilding the other's answers."""
        answers = [unit(x) for unit in units]
        errors = [float((x - y).abs().mean()) for y in answers]
        best = int(np.argmin(errors))
        gaps = [
            float((answers[best] - unit(answers[best])).abs().mean()) - e for unit, e in zip(units, errors, strict=True)
        ]
        return units[best], units[int(np.argmax(gaps))]

"""Resumable training of point encoders: batches of scans, steps, a log.

Batches are functions of the step number, so that a resumed run gives the same weights. In training scans, label 0 means
none, and label c + 1 is class c.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.training.room_samples import Batch, Sample, together
from benchmarks.training.runs import Run
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, voxelize
from openshape_ood.scenes.point_encoder import voxel_numbers
from openshape_ood.scenes.sparse.network import SparseUNet

SHIFT = 100  # largest random shift in voxels, because the network's output changes with the position of the scan
WARM = 0.05  # fraction of warm-up steps with AdamW
STATE = "training.safetensors"


@dataclass(frozen=True)
class Plan:
    """Schedule of a training: `steps` in total, at most `minutes` in this run.

    "sgd" has the momentum and the two rate drops of Rozenberszki et al.; "adamw" has a warm-up and a cosine schedule.
    """

    steps: int = 200
    minutes: float = float("inf")
    rate: float = 4e-3
    optimizer: str = "adamw"
    decay: float = 1e-4
    seed: int = 0
    every: int = 10  # steps between two log lines and saved states


Loss = Callable[[SparseUNet, Batch, torch.Generator], Tensor]


def batch_of(
    scenes: Sequence[Scene],
    voxel: float,
    given: str,
    rng: np.random.RandomState | None = None,
    device: torch.device | str = "cpu",
) -> Batch:
    """A batch of scans, each shifted by whole voxels if `rng` is given; a voxel has the values of its first point."""
    samples = []
    for scene in scenes:
        voxels = voxelize(scene.points, voxel)
        moved = voxels.coords if rng is None else voxels.coords + rng.randint(0, SHIFT, 3)
        labels = np.full(len(voxels), -1) if scene.labels is None else scene.labels[voxels.first] - 1
        arrays = (moved, voxel_numbers(scene, voxels.first, given), labels)
        samples.append(Sample(*(torch.from_numpy(one).to(device) for one in arrays)))
    return together(samples)


def speed(progress: float, optimizer: str) -> float:
    """Factor of the learning rate after a fraction of the steps."""
    if optimizer == "sgd":
        return 0.3 ** sum(progress >= share for share in (0.3, 0.375))  # epochs 120 and 150 of 400
    return min(1.0, progress / WARM + 0.05) * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0)))


def train(
    network: SparseUNet,
    batches: Callable[[int], Batch],
    loss: Loss,
    plan: Plan,
    *,
    folder: Path | None = None,
    frozen: bool = False,
    settings: Any = None,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Train in place and return the log; the network is in evaluation mode afterwards.

    Parameters
    ----------
    batches : callable
        Step number, from 0 -> batch.
    folder : Path, optional
        Folder of `STATE`; a run with the same `settings` resumes from it.
    frozen : bool
        Train `final` only, with unchanged normalization.
    report : callable
        Called with each line of the log.

    Raises
    ------
    InputError
        For a loss that is not finite, and for a folder of a run with other settings.
    """
    network.train(not frozen)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not frozen or name.startswith("final."))
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    kinds: Any = {"sgd": partial(torch.optim.SGD, momentum=0.9, dampening=0.1), "adamw": torch.optim.AdamW}
    optimizer = kinds[plan.optimizer](trained, lr=plan.rate, weight_decay=plan.decay)
    run = Run(network, optimizer, settings, folder / STATE if folder else None, steps=plan.steps)

    def learn() -> dict[str, float]:
        batch = batches(run.step)
        value = loss(network, batch, torch.Generator().manual_seed(plan.seed * 1_000_003 + run.step))
        if not torch.isfinite(value):
            what = f"the loss of step {run.step} is {value.item()}"
            raise InputError(f"{what}. Expected a finite number. Use a smaller --rate than {plan.rate:g}")
        run.descend(value, plan.rate * speed(run.share, plan.optimizer), most=10.0)
        return {"loss": value.item(), "voxels": len(batch.grid)}

    for line in run.lines(learn, plan.every, plan.minutes):
        report(line)
        run.keep()
    network.eval().requires_grad_(False)
    return run.log

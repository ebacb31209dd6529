"""The training loop of point encoders: batches of scans, steps that can be stopped and gone on with, a log.

Batches are functions of their number, so that a run that was stopped goes on as if it had not been. In a scan that is
trained with, label 0 is none and label c + 1 is class c.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.training.room_samples import Batch, Sample, together
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, voxelize
from openshape_ood.scenes.point_encoder import GRAY, height_and_color
from openshape_ood.scenes.sparse.network import SparseUNet
from openshape_ood.storage import loaded_arrays, save_arrays

SHIFT = 100  # voxels: the network is not the same for a scan that is moved by one
WARM = 0.05  # of the steps, with AdamW
STATE, WHAT = "training.safetensors", "point training"


@dataclass(frozen=True)
class Plan:
    """How long and how fast: `steps` of the schedule, of which at most `minutes` are taken now; `sgd` has the momentum
    and the two drops of Rozenberszki et al., `adamw` a warm-up and a cosine."""

    steps: int = 200
    minutes: float = float("inf")
    rate: float = 4e-3
    optimizer: str = "adamw"
    decay: float = 1e-4
    seed: int = 0
    every: int = 10  # steps to a line of the log, and to what is kept


Loss = Callable[[SparseUNet, Batch, torch.Generator], Tensor]


def batch_of(
    scenes: Sequence[Scene],
    voxel: float,
    given: str,
    rng: np.random.RandomState | None = None,
    device: torch.device | str = "cpu",
) -> Batch:
    """Scans side by side, each moved by whole voxels where there is an `rng`; a voxel has what its first point has.

    given: what the network is given of a voxel, an input of the registry's [x.scan].
    """
    samples = []
    for scene in scenes:
        voxels = voxelize(scene.points, voxel)
        moved = voxels.coords if rng is None else voxels.coords + rng.randint(0, SHIFT, 3)
        if given == "height-color":
            numbers = height_and_color(scene, voxels.first)
        elif given == "color" and scene.color is not None:
            numbers = scene.color[voxels.first] - np.float32(GRAY)
        else:
            numbers = np.full((len(voxels), 3), float(given == "ones"), dtype=np.float32)
        labels = np.full(len(voxels), -1) if scene.labels is None else scene.labels[voxels.first] - 1
        samples.append(Sample(*(torch.from_numpy(one).to(device) for one in (moved, numbers, labels))))
    return together(samples)


def speed(progress: float, optimizer: str) -> float:
    """What the rate is multiplied by after this share of the steps."""
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
    told: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train in place; the log, a line every few steps. The network is left in evaluation mode.

    batches: from the number of a step, from 0, to its batch, always the same. loss: of the network, a batch and a
    stream of random numbers. folder: where `STATE` is kept, and gone on from if `settings` are the same. frozen: all
    but `final` stays, statistics of norms too. Raises `InputError` where the loss is no number any more, and for a
    folder of a run with other settings.
    """
    network.train(not frozen)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not frozen or name.startswith("final."))
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer: Optimizer
    if plan.optimizer == "sgd":
        optimizer = torch.optim.SGD(trained, plan.rate, momentum=0.9, dampening=0.1, weight_decay=plan.decay)
    else:
        optimizer = torch.optim.AdamW(trained, plan.rate, weight_decay=plan.decay)
    kept = folder / STATE if folder else None
    first, log = resumed(kept, network, [optimizer], settings)
    before, started = (log[-1]["minutes"] if log else 0.0), time.monotonic()
    recent: list[float] = []
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * speed(step / plan.steps, plan.optimizer)
        batch = batches(step)
        value = loss(network, batch, torch.Generator().manual_seed(plan.seed * 1_000_003 + step))
        if not torch.isfinite(value):
            raise InputError(f"the loss of step {step} is {value.item()}; a smaller --rate than {plan.rate:g} helps")
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(trained, 10.0)
        optimizer.step()
        recent.append(value.item())
        passed = (time.monotonic() - started) / 60
        last = step + 1 == plan.steps or passed >= plan.minutes
        if last or (step + 1) % plan.every == 0:
            line = {"step": step + 1, "loss": round(float(np.mean(recent)), 5), "voxels": len(batch.grid)}
            log.append(line | {"minutes": round(before + passed, 3)})
            recent = []
            if told:
                told(log[-1])
            if kept:
                keep(kept, step + 1, log, network, [optimizer], settings)
        if last:
            break
    network.eval().requires_grad_(False)
    return log


def keep(path: Path, step: int, log: Any, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any) -> None:
    """Everything that a training needs to go on as if it had not been stopped, whole or not at all."""
    tensors = {f"network.{name}": one for name, one in network.state_dict().items()}
    for place, optimizer in enumerate(optimizers):
        for i, of in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{i}.{name}": one for name, one in of.items() if isinstance(one, Tensor)}
    header = {"step": step, "log": log, "settings": settings}
    save_arrays(path, {name: one.cpu().numpy() for name, one in tensors.items()}, header, WHAT)


def resumed(
    path: Path | None, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any
) -> tuple[int, list[dict[str, Any]]]:
    """The step to go on with, and the log so far. Raises `InputError` for a run with other settings."""
    if path is None or not path.is_file():
        return 0, []
    with loaded_arrays(path, WHAT) as (header, arrays):
        tensors = {name: torch.from_numpy(one) for name, one in arrays.items()}
        step, log, before = header["step"], header["log"], header["settings"]
    if before != settings:
        raise InputError(f"{path} is of a run with other settings; give another --out, or delete it")
    network.load_state_dict({key.removeprefix("network."): t for key, t in tensors.items() if key[0] == "n"})
    states: list[dict[int, dict[str, Tensor]]] = [{} for _ in optimizers]
    for key, one in tensors.items():
        if key[0] == "o":
            _, place, i, name = key.split(".")
            states[int(place)].setdefault(int(i), {})[name] = one
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step, log

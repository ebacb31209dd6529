"""Resumable training: step, log, network, optimizers and their saved state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from benchmarks.training.processes import average_gradients
from openshape_ood.storage import keep_training, resumed_training

WHAT = "point training"
WARM = 0.03  # fraction of a run over which the learning rate rises
EVERY = 3.0  # minutes between two saved states


def ramp(share: float, fall: float, least: float) -> float:
    """Factor of the learning rate: linear rise over the share `WARM`, linear fall to `least` over the share `fall`."""
    return max(min(share / WARM, 1.0, (1 - share) / fall), least)


class Run:
    """State of a resumable training run.

    Parameters
    ----------
    network : nn.Module
        Everything that changes in training, including buffers and averages.
    settings : JSON value
        A saved state is only resumed with equal settings.
    path : Path, optional
        File of the state, which is resumed if `resume`.
    steps, minutes : int and float
        Length of the whole run; `minutes` counts if `steps` is 0.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        settings: Any,
        path: Path | None,
        *,
        steps: int = 0,
        minutes: float = float("inf"),
        resume: bool = True,
    ) -> None:
        self.network, self.optimizer, self.settings, self.path = network, optimizer, settings, path
        self.steps, self.whole = steps, minutes
        self.step, self.log = resumed(path if resume else None, network, [optimizer], settings)
        self.minutes: float = self.log[-1]["minutes"] if self.log else 0.0
        self.kept = self.minutes

    @property
    def share(self) -> float:
        """Finished fraction of the run."""
        return self.step / self.steps if self.steps else self.minutes / self.whole

    def descend(self, loss: Tensor | None, rate: float, most: float = 1.0) -> bool:
        """One step of the optimizer, with gradients clipped to norm `most`; False if no process has a loss.

        Each process passes its loss, or None; all use the mean gradients.
        """
        learning = [one for group in self.optimizer.param_groups for one in group["params"]]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        if loss is not None:
            loss.backward()
        if not average_gradients(learning, loss is not None):
            return False
        nn.utils.clip_grad_norm_(learning, most)
        self.optimizer.step()
        return True

    def lines(
        self, learn: Callable[[], Mapping[str, float]], every: int, most: float = float("inf")
    ) -> Iterator[dict[str, Any]]:
        """Train to the end, or for `most` minutes; yields a log line every `every` steps.

        A line has the means of the figures from `learn`; steps with empty figures do not count.
        """
        before, started, steps = self.minutes, time.monotonic(), list[Mapping[str, float]]()
        last = self.share >= 1
        while not last:
            if figures := learn():
                steps.append(figures)
            self.step += 1
            passed = (time.monotonic() - started) / 60
            self.minutes = before + passed
            last = self.share >= 1 or passed >= most
            if last or self.step % every == 0:
                means = {key: round(float(np.mean([one[key] for one in steps])), 5) for key in next(iter(steps), ())}
                self.log.append({"step": self.step, **means, "minutes": round(self.minutes, 3)})
                steps = []
                yield self.log[-1]

    def keep(self, every: float = 0.0) -> bool:
        """Save the state if the run has a path; during the run, at most once in `every` minutes."""
        if self.path is None or (self.share < 1 and self.minutes - self.kept < every):
            return False
        keep(self.path, self.step, self.log, self.network, [self.optimizer], self.settings)
        self.kept = self.minutes
        return True


def keep(path: Path, step: int, log: Any, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any) -> None:
    """Save everything needed to resume a training exactly, atomically."""
    keep_training(path, network, optimizers, settings, {"step": step, "log": log}, WHAT)


def resumed(
    path: Path | None, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any
) -> tuple[int, list[dict[str, Any]]]:
    """Next step and log of a saved run, or 0 and []. Raises `InputError` for a run with other settings."""
    before = resumed_training(path, network, optimizers, settings, WHAT)
    return (before["step"], before["log"]) if before else (0, [])

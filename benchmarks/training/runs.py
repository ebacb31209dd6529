"""A training that can be stopped and gone on with: how far it is, its log, and everything that it needs, kept."""

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
WARM = 0.03  # the share of a run over which the learning rate rises
EVERY = 3.0  # minutes between two states that are kept


def ramp(share: float, fall: float, least: float) -> float:
    """Factor of the learning rate: it rises over `WARM`, and falls to `least` over the share `fall`."""
    return max(min(share / WARM, 1.0, (1 - share) / fall), least)


class Run:
    """A network, its optimizer, and how far they are.

    network: with all that changes, which is more than learns. path: where the state is kept, and gone on from if
    `resume`, which needs the same settings. steps: of the whole run; where 0, minutes are.
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
        """Of the run, what is over."""
        return self.step / self.steps if self.steps else self.minutes / self.whole

    def descend(self, loss: Tensor | None, rate: float, most: float = 1.0) -> bool:
        """A step of the optimizer, with gradients of norm `most` at the most; False where there was nothing to learn.

        Of several processes each gives its loss, or None, and has the mean gradients.
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
        """Learn to the end, or for `most` minutes; a line of the log every few steps, means of what `learn` gives.

        A step that gives nothing does not count in them.
        """
        before, started, found = self.minutes, time.monotonic(), list[Mapping[str, float]]()
        last = self.share >= 1
        while not last:
            if figures := learn():
                found.append(figures)
            self.step += 1
            passed = (time.monotonic() - started) / 60
            self.minutes = before + passed
            last = self.share >= 1 or passed >= most
            if last or self.step % every == 0:
                means = {key: round(float(np.mean([one[key] for one in found])), 5) for key in next(iter(found), ())}
                self.log.append({"step": self.step, **means, "minutes": round(self.minutes, 3)})
                found = []
                yield self.log[-1]

    def keep(self, every: float = 0.0) -> bool:
        """Keep the state, if it has a place; of a run under way, not before `every` minutes are over."""
        if self.path is None or (self.share < 1 and self.minutes - self.kept < every):
            return False
        keep(self.path, self.step, self.log, self.network, [self.optimizer], self.settings)
        self.kept = self.minutes
        return True


def keep(path: Path, step: int, log: Any, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any) -> None:
    """Everything that a training needs to go on as if it had not been stopped, whole or not at all."""
    keep_training(path, network, optimizers, settings, {"step": step, "log": log}, WHAT)


def resumed(
    path: Path | None, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any
) -> tuple[int, list[dict[str, Any]]]:
    """The step to go on with, and the log so far. Raises `InputError` for a run with other settings."""
    before = resumed_training(path, network, optimizers, settings, WHAT)
    return (before["step"], before["log"]) if before else (0, [])

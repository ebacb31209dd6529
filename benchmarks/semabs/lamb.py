"""LAMB (arXiv:1904.00962) as the published training has it: without bias correction, decay within the step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """Steps of a length in proportion to each parameter's norm, at most 10."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-5,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; each parameter's state has its last `trust_ratio`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    self._move(one, group)
        return loss

    def _move(self, one: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[one], group["betas"]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(one), torch.zeros_like(one)
        state["mean"].mul_(first).add_(one.grad, alpha=1 - first)
        state["square"].mul_(second).addcmul_(one.grad, one.grad, value=1 - second)
        change = state["mean"] / (state["square"].sqrt() + group["eps"]) + group["weight_decay"] * one
        size, length = one.norm().clamp(0, 10), change.norm()
        state["trust_ratio"] = float(size / length) if size > 0 and length > 0 else 1.0
        one.add_(change, alpha=-group["lr"] * state["trust_ratio"])

"""Convolutions of kernel 1, norms and maxima over groups, without the copies that the published code makes.

A group that is short repeats its first member. Here each member stands once, with how often it is repeated, which only
the statistics of a norm must know; and of edges between rows only their sums and maxima are computed. The numbers are the
same but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def in_use(norm: Any) -> Any:
    """The norm itself, or that of two which is in use."""
    return getattr(norm, "current", norm)


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A product with (width, c); the one thing that is done in bfloat16 where autocast asks for it."""
    return functional.linear(rows, weight, bias).to(rows.dtype)


def applied(rows: Tensor, convolution: Any, norm: Any, counts: Tensor | None = None) -> Tensor:
    """Rows (m, c) through a convolution and a norm (m, width); counts (m,): how often each counts for the norm."""
    return normalized(linear(rows, convolution.weight.flatten(1), convolution.bias), norm, counts)


def normalized(rows: Tensor, norm: Any, counts: Tensor | None = None) -> Tensor:
    """Rows (m, c) through a norm, of whose statistics each row is `counts` rows."""
    norm = in_use(norm)
    if counts is None or not norm.training:
        return functional.batch_norm(
            rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, norm.momentum, norm.eps
        )
    total = float(counts.sum())
    shares = counts.to(rows.dtype) / total
    found, mean, var = _CountedNorm.apply(rows, shares, norm.weight, norm.bias, norm.eps)
    remember(norm, mean, var, total)
    return found


def remember(norm: Any, mean: Tensor, var: Tensor, total: float) -> None:
    """The running statistics (c,), as torch's norms keep them of `total` rows."""
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(var * (total / (total - 1)), norm.momentum)


def _summed(times: Tensor, rows: Tensor) -> Tensor:
    """The sum (c,) of rows (m, c), each so many times (m,)."""
    with torch.autocast(rows.device.type, enabled=False):
        return times @ rows


class _CountedNorm(torch.autograd.Function):
    """Rows (m, c) with shares (m,) -> normalized rows, mean (c,), variance (c,)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, shares: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        mean = _summed(shares, rows)
        moved = rows - mean
        var = _summed(shares, moved.square())
        scale = torch.rsqrt(var + eps)
        ctx.save_for_backward(moved, shares, weight, scale)
        ctx.mark_non_differentiable(mean, var)
        return torch.addcmul(bias, moved, weight * scale), mean, var

    @staticmethod
    def backward(ctx: Any, given: Tensor, *_: Any) -> Any:
        moved, shares, weight, scale = ctx.saved_tensors
        for_bias, for_weight = given.sum(dim=0), (given * moved).sum(dim=0) * scale
        for_rows = torch.addcmul(given, shares[:, None], -(for_bias + moved * (for_weight * scale)))
        return for_rows * (weight * scale), None, for_weight, for_bias, None


@dataclass(frozen=True, eq=False)
class Groups:
    """Members of groups, side by side: rows (m,) among those of all clouds, the group of each, how often it counts, and
    where groups begin (g,)."""

    rows: Tensor
    owners: Tensor
    counts: Tensor
    starts: Tensor

    @classmethod
    def of(cls, members: Tensor, points: int) -> Groups:
        """Of indices (b, p, k), where the first is repeated, into clouds of so many points."""
        b, p, k = members.shape
        there = members != members[..., :1]
        there[..., 0] = True
        sizes = there.sum(dim=2).flatten()
        starts = sizes.cumsum(dim=0) - sizes
        shifted = members + points * torch.arange(b, device=members.device)[:, None, None]
        counts = torch.ones(int(sizes.sum()), device=members.device)
        counts[starts] += (k - sizes).float()
        owners = torch.repeat_interleave(torch.arange(b * p, device=members.device), sizes)
        return cls(shifted[there], owners, counts, starts)

    def strongest(self, rows: Tensor) -> Tensor:
        """The maximum (g, c) of each group's rows (m, c)."""
        return functional.embedding_bag(torch.arange(len(rows), device=rows.device), rows, self.starts, mode="max")


def strongest(rows: Tensor, neighbors: Tensor) -> Tensor:
    """The maximum (b, n, c) over the neighbors (b, n, k) of each row (b, n, c)."""
    return functional.embedding_bag(_flat(neighbors), rows.flatten(0, 1), mode="max").reshape(rows.shape)


def _flat(neighbors: Tensor) -> Tensor:
    """Indices (b, n, k) as those of rows of all clouds (b n, k)."""
    b, n, _ = neighbors.shape
    return (neighbors + n * torch.arange(b, device=neighbors.device)[:, None, None]).flatten(0, 1)


def edge_moments(near: Tensor, own: Tensor, neighbors: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Mean and variance (c,) of near[j] + own[i] over all edges, of rows (b, n, c) and neighbors (b, n, k)."""
    near, own, edges = near.flatten(0, 1), own.flatten(0, 1), _flat(neighbors)
    total, k = edges.numel(), edges.shape[1]
    times = torch.bincount(edges.flatten(), minlength=len(near)).to(near.dtype)
    first, second = _summed(times, near) / total, own.mean(dim=0)
    near, own = near - first, own - second
    sums = functional.embedding_bag(edges, near, mode="sum")
    squares = _summed(times, near.square()) + (own * (2 * sums + k * own)).sum(dim=0)
    mean, var = first + second, squares / total
    remember(norm, mean, var, total)
    return mean, var

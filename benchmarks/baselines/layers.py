"""Convolutions of kernel 1, norms and maxima over groups, without the copies that the published code makes.

A group that is short repeats its first member. Here each member stands once, with how often it is repeated, which only
the statistics of a norm must know; and of edges between rows only their sums and maxima are computed. The numbers are
the same but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def in_use(norm: Any) -> Any:
    """The norm itself, or the one of two norms in use."""
    return getattr(norm, "current", norm)


def applied(rows: Tensor, convolution: Any, norm: Any) -> Tensor:
    """Rows (m, c) through a convolution and a norm (m, width)."""
    rows, norm = functional.linear(rows, convolution.weight.flatten(1), convolution.bias), in_use(norm)
    share = _share_of_next(norm) if norm.training else 0.0
    return functional.batch_norm(
        rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, share, norm.eps
    )


def rectified(rows: Tensor, norm: Any, counts: Tensor) -> Tensor:
    """Positive part of normalized rows (m, c); each row counts `counts` times in the norm's statistics."""
    norm = in_use(norm)
    if not norm.training:
        own = norm.running_mean, norm.running_var, norm.weight, norm.bias
        return functional.batch_norm(rows, *own, eps=norm.eps).relu_()
    total = float(counts.sum())
    shares = counts.to(rows.dtype) / total
    found, mean, var = _CountedNorm.apply(rows, shares, norm.weight, norm.bias, norm.eps)
    remember(norm, mean, var, total)
    return found


def remember(norm: Any, mean: Tensor, var: Tensor, total: float) -> None:
    """The running statistics (c,), as torch's norms keep them of `total` rows."""
    with torch.no_grad():
        share = _share_of_next(norm)
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(var * (total / (total - 1)), share)


def _share_of_next(norm: Any) -> float:
    """Of the running statistics: the momentum, or as much as any batch before."""
    norm.num_batches_tracked.add_(1)
    return float(1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum)


class _CountedNorm(torch.autograd.Function):
    """Rows (m, c) with shares (m,) -> normalized rows where positive, mean (c,), variance (c,).

    By hand, for what autograd would keep and pass over is several times as much memory.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, shares: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        mean = shares @ rows
        moved = rows - mean
        var = shares @ moved.square()
        scale = torch.rsqrt(var + eps)
        found = torch.addcmul(bias, moved, weight * scale).relu_()
        ctx.save_for_backward(moved, shares, weight, scale, found)
        ctx.mark_non_differentiable(mean, var)
        return found, mean, var

    @staticmethod
    def backward(ctx: Any, given: Tensor, *_: Any) -> Any:
        moved, shares, weight, scale, found = ctx.saved_tensors
        given = torch.ops.aten.threshold_backward(given, found, 0)
        for_bias, for_weight = given.sum(dim=0), (given * moved).sum(dim=0) * scale
        factor = weight * scale
        for_rows = torch.addcmul(for_bias * factor, moved, for_weight * scale * factor)
        for_rows.mul_(-shares[:, None]).addcmul_(given, factor)
        return for_rows, None, for_weight, for_bias, None


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
    first, second = times @ near / total, own.mean(dim=0)
    near, own = near - first, own - second
    sums = functional.embedding_bag(edges, near, mode="sum")
    squares = times @ near.square() + (own * (2 * sums + k * own)).sum(dim=0)
    mean, var = first + second, squares / total
    remember(norm, mean, var, total)
    return mean, var

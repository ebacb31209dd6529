"""1 x 1 convolutions, batch normalization and maxima over groups, with less memory than the published code.

In the published code a group with too few members repeats its first member. Here each member is stored once, with its
number of repeats, which only the statistics of batch normalization need. Features of edges are never stored: only their
sums and maxima are computed. Results equal those of the published code up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def in_use(norm: Any) -> Any:
    """The batch normalization itself or, for `TwoNorms`, the one in use."""
    return getattr(norm, "current", norm)


def applied(rows: Tensor, convolution: Any, norm: Any) -> Tensor:
    """Apply a 1 x 1 convolution and batch normalization to rows (m, c): (m, width)."""
    rows, norm = functional.linear(rows, convolution.weight.flatten(1), convolution.bias), in_use(norm)
    share = _share_of_next(norm) if norm.training else 0.0
    return functional.batch_norm(
        rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, share, norm.eps
    )


def rectified(rows: Tensor, norm: Any, counts: Tensor) -> Tensor:
    """Batch normalization of rows (m, c), then ReLU. Row i counts `counts[i]` times in the statistics."""
    norm = in_use(norm)
    if not norm.training:
        statistics = norm.running_mean, norm.running_var, norm.weight, norm.bias
        return functional.batch_norm(rows, *statistics, eps=norm.eps).relu_()
    total = float(counts.sum())
    shares = counts.to(rows.dtype) / total
    out, mean, var = _CountedNorm.apply(rows, shares, norm.weight, norm.bias, norm.eps)
    remember(norm, mean, var, total)
    return out


def remember(norm: Any, mean: Tensor, var: Tensor, total: float) -> None:
    """Update the running statistics (c,) with those of `total` rows, as torch does."""
    with torch.no_grad():
        share = _share_of_next(norm)
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(var * (total / (total - 1)), share)


def _share_of_next(norm: Any) -> float:
    """Weight of the next batch in the running statistics: the momentum or, without one, 1 / number of batches."""
    norm.num_batches_tracked.add_(1)
    return float(1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum)


class _CountedNorm(torch.autograd.Function):
    """Rows (m, c) with shares (m,) -> normalized rows where positive, mean (c,), variance (c,).

    The backward pass is written by hand, because autograd would use several times the memory.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, shares: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        mean = shares @ rows
        moved = rows - mean
        var = shares @ moved.square()
        scale = torch.rsqrt(var + eps)
        out = torch.addcmul(bias, moved, weight * scale).relu_()
        ctx.save_for_backward(moved, shares, weight, scale, out)
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    def backward(ctx: Any, given: Tensor, *_: Any) -> Any:
        moved, shares, weight, scale, out = ctx.saved_tensors
        given = torch.ops.aten.threshold_backward(given, out, 0)
        for_bias, for_weight = given.sum(dim=0), (given * moved).sum(dim=0) * scale
        factor = weight * scale
        for_rows = torch.addcmul(for_bias * factor, moved, for_weight * scale * factor)
        for_rows.mul_(-shares[:, None]).addcmul_(given, factor)
        return for_rows, None, for_weight, for_bias, None


@dataclass(frozen=True, eq=False)
class Groups:
    """Members of g groups, concatenated.

    rows (m,): index of each member among the points of all clouds; owners (m,): its group; counts (m,): how often it
    counts; starts (g,): first member of each group.
    """

    rows: Tensor
    owners: Tensor
    counts: Tensor
    starts: Tensor

    @classmethod
    def of(cls, members: Tensor, points: int) -> Groups:
        """Groups from indices (b, p, k) into clouds of `points` points; repeats of the first index are merged."""
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
        """Maximum (g, c) of the members' rows (m, c) over each group."""
        return functional.embedding_bag(torch.arange(len(rows), device=rows.device), rows, self.starts, mode="max")


def strongest(rows: Tensor, neighbors: Tensor) -> Tensor:
    """Maximum (b, n, c) of rows (b, n, c) over the neighbors (b, n, k) of each row."""
    return functional.embedding_bag(_flat(neighbors), rows.flatten(0, 1), mode="max").reshape(rows.shape)


def _flat(neighbors: Tensor) -> Tensor:
    """Indices (b, n, k) within clouds as indices (b n, k) among the rows of all clouds."""
    b, n, _ = neighbors.shape
    return (neighbors + n * torch.arange(b, device=neighbors.device)[:, None, None]).flatten(0, 1)


def edge_moments(near: Tensor, center: Tensor, neighbors: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Mean and variance (c,) of near[j] + center[i] over all edges (i, j).

    near, center: rows (b, n, c); neighbors: indices (b, n, k).
    """
    near, center, edges = near.flatten(0, 1), center.flatten(0, 1), _flat(neighbors)
    total, k = edges.numel(), edges.shape[1]
    times = torch.bincount(edges.flatten(), minlength=len(near)).to(near.dtype)
    first, second = times @ near / total, center.mean(dim=0)
    near, center = near - first, center - second
    sums = functional.embedding_bag(edges, near, mode="sum")
    squares = times @ near.square() + (center * (2 * sums + k * center)).sum(dim=0)
    mean, var = first + second, squares / total
    remember(norm, mean, var, total)
    return mean, var

"""Sparse convolution with a custom backward pass, and batch normalization."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from openshape_ood.scenes.sparse.grid import KernelMap
from openshape_ood.scenes.sparse.on_spconv import SpconvMap


class _Convolve(torch.autograd.Function):
    """Gather, multiply, add. To save memory, the backward pass gathers rows again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, where: KernelMap) -> Tensor:
        ctx.where = where
        ctx.save_for_backward(x, kernel)
        out = x.new_zeros(where.rows, kernel.shape[2]) if where.center is None else x @ kernel[where.center]
        for cell, rows, others in where.pairs:
            # index_select is several times as fast as x[others] on a CPU
            out.index_add_(0, rows, x.index_select(0, others) @ kernel[cell])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, kernel = ctx.saved_tensors
        where: KernelMap = ctx.where
        of_x, of_kernel = ctx.needs_input_grad[:2]
        grad_x, grad_kernel = torch.zeros_like(x) if of_x else None, torch.zeros_like(kernel) if of_kernel else None
        if where.center is not None:
            grad_x = grad @ kernel[where.center].T if of_x else None
            if grad_kernel is not None:
                grad_kernel[where.center] = x.T @ grad
        for cell, rows, others in where.pairs:
            gathered = grad.index_select(0, rows)
            if grad_x is not None:
                grad_x.index_add_(0, others, gathered @ kernel[cell].T)
            if grad_kernel is not None:
                grad_kernel[cell] = x.index_select(0, others).T @ gathered
        return grad_x, grad_kernel, None


def convolve(x: Tensor, kernel: Tensor, where: KernelMap | SpconvMap) -> Tensor:
    """Sparse convolution (w, o) as in MinkowskiEngine: rows of x (v, i) @ kernel[cell] (i, o), summed over cells.

    where: `grid.neighbors(side)`, `grid.down` (stride 2) or `grid.up` (transposed), with w output voxels. If `grid` is
    a `SpconvGrid`, spconv computes the result, without gradients.
    """
    if isinstance(where, SpconvMap):
        return where.convolve(x, kernel)
    result: Tensor = _Convolve.apply(x, kernel, where)
    return result


class Convolution(nn.Module):
    """Sparse convolution with weights: kernel (cells, i, o), or (i, o) for one cell; bias (1, o)."""

    def __init__(self, inside: int, outside: int, cells: int = 1, bias: bool = False) -> None:
        super().__init__()
        shape = (inside, outside) if cells == 1 else (cells, inside, outside)
        self.kernel = nn.Parameter(torch.empty(shape))
        if not self.kernel.is_meta:  # on meta, this would import torch's compiler, which takes a second
            nn.init.normal_(self.kernel, std=(2 / (cells * outside)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(1, outside)) if bias else None

    def forward(self, x: Tensor, where: KernelMap | SpconvMap | None = None) -> Tensor:
        out = x @ self.kernel if where is None else convolve(x, self.kernel, where)
        return out if self.bias is None else out + self.bias


class BatchNorm(nn.Module):
    """Batch normalization over all voxels."""

    def __init__(self, width: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(width, momentum=momentum)

    def forward(self, x: Tensor, relu: bool = True) -> Tensor:
        bn: Any = self.bn
        if bn.training or torch.is_grad_enabled():
            out = bn(x)
        else:  # inference without gradients: three times as fast as torch's batch normalization
            scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
            out = torch.addcmul(bn.bias - bn.running_mean * scale, x, scale)
        return F.relu(out, inplace=True) if relu else out

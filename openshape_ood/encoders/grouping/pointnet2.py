"""Farthest-point sampling by the rule of the compiled operator `pointnet2_ops`, with any sampler.

The rule differs from the rule of `plain` in two ways. Points near the origin are never picked. Among points at equal
distance, the operator picks the one that its threads prefer. To get the same result here, points near the origin are
moved to point 0, and points are reordered before sampling. Rule: github.com/erikwijmans/Pointnet2_PyTorch,
`sampling_gpu.cu`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

THREADS = 512  # maximum number of threads of the operator
# points with a smaller squared norm are never picked. The operator compares with 1e-3 in double precision
CORE = 1e-3


def sample_outside_core(xyz: Tensor, count: int, sample: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Indices (b, count) of points of `xyz` (b, n, 3), by the function `Grouping.sample`. The first index is 0."""
    order = torch.from_numpy(thread_order(xyz.shape[1])).to(xyz.device)
    x, y, z = xyz.detach().float().square().unbind(-1)
    moved = torch.where((x + y + z < CORE)[..., None], xyz[:, :1], xyz)
    return order[sample(moved[:, order], count)]


@functools.cache
def thread_order(n: int) -> np.ndarray:
    """Indices (n,) in the order of the operator's preference among points at equal distance.

    Thread t of p (a power of two) scans the points t, t + p, ... Then the operator compares thread t with t + p / 2,
    with t + p / 4 and so on; for ties the lower thread wins. The lowest bit of t is compared last, so it has the most
    weight.

    >>> thread_order(5).tolist()
    [0, 4, 2, 1, 3]
    """
    bits = min(THREADS, n).bit_length() - 1
    thread, backwards = np.arange(n) % (1 << bits), np.zeros(n, dtype=np.int64)
    for bit in range(bits):
        backwards |= ((thread >> bit) & 1) << (bits - 1 - bit)
    return np.argsort(backwards, kind="stable")

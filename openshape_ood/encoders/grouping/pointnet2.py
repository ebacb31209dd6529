"""Farthest-point sampling by the rule of the compiled operator `pointnet2_ops`, on top of any sampler.

The rule differs from the plain one in two ways, both obtained by changing the sampler's input. Points near the origin
are never picked: here they coincide with point 0, at distance 0. Ties go to the point that the operator's threads
compare first: here it comes first. Rule: github.com/erikwijmans/Pointnet2_PyTorch, `sampling_gpu.cu`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

THREADS = 512  # maximum of the operator
# squared norm; the operator compares with the double 1e-3, just below its float32
CORE = 1e-3


def sample_outside_core(xyz: Tensor, count: int, sample: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Indices (b, count) of points of `xyz` (b, n, 3), by a `Grouping.sample`; the first index is always 0."""
    order = torch.from_numpy(thread_order(xyz.shape[1])).to(xyz.device)
    x, y, z = xyz.detach().float().square().unbind(-1)
    seen = torch.where((x + y + z < CORE)[..., None], xyz[:, :1], xyz)
    return order[sample(seen[:, order], count)]


@functools.cache
def thread_order(n: int) -> np.ndarray:
    """Indices (n,) ordered by the operator's preference among ties.

    Thread t of p (a power of two) scans the points t, t + p, ...; then pairs of threads are compared, t with t + p / 2,
    t + p / 4 and so on, and the lower one wins. The lowest bit of t is compared last, so it weighs most.

    >>> thread_order(5).tolist()
    [0, 4, 2, 1, 3]
    """
    bits = min(THREADS, n).bit_length() - 1
    thread, backwards = np.arange(n) % (1 << bits), np.zeros(n, dtype=np.int64)
    for bit in range(bits):
        backwards |= ((thread >> bit) & 1) << (bits - 1 - bit)
    return np.argsort(backwards, kind="stable")

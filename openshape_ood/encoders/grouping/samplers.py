"""Which implementation of sampling and ball query an encoder uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from openshape_ood.checks import check_choice
from openshape_ood.encoders.grouping import plain
from openshape_ood.errors import InputError

Sampler = Literal["auto", "torch", "triton", "dgl"]
SAMPLERS = get_args(Sampler)
SWITCH = "OPENSHAPE_OOD_NO_TRITON"


class Grouping(NamedTuple):
    """sample: clouds (b, n, 3), p -> indices (b, p); query: clouds, centers (b, p, 3), radius, k -> (b, p, k)."""

    sample: Callable[[Tensor, int], Tensor]
    query: Callable[[Tensor, Tensor, float, int], Tensor]


PLAIN = Grouping(plain.farthest_point_sampling, plain.ball_query)


def find_grouping(name: str, device: torch.device) -> Grouping:
    """The functions of the sampler `name` for `device`; all give the same indices.

    "auto": Triton kernels on a GPU that they run on, unless the environment variable OPENSHAPE_OOD_NO_TRITON is
    set to anything but 0; else "torch". "dgl" samples only, the ball query is torch's.

    Raises `UnknownNameError` for another name, `InputError` for "triton" where the kernels do not run.
    """
    check_choice(name, "sampler", SAMPLERS)
    if name == "dgl":
        return Grouping(plain.farthest_point_sampling_dgl, plain.ball_query)
    wanted = name == "triton" or (name == "auto" and device.type == "cuda" and os.environ.get(SWITCH, "0") in ("", "0"))
    if not wanted:
        return PLAIN
    from openshape_ood.encoders.grouping import kernels

    if kernels.available(device):
        return Grouping(kernels.farthest_point_sampling, kernels.ball_query)
    if name == "triton":
        raise InputError(
            f"the sampler 'triton' needs an NVIDIA GPU on which Triton runs, not {str(device)!r}; "
            "the sampler 'auto' uses it where it can"
        )
    return PLAIN

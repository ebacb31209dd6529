"""Choice of a sampler by name: plain torch, Triton kernels, or DGL."""

from __future__ import annotations

import os
from typing import Literal, get_args

import torch

from openshape_ood.checks import check_choice
from openshape_ood.encoders.grouping import plain
from openshape_ood.errors import InputError

Sampler = Literal["auto", "torch", "triton", "dgl"]
SAMPLERS = get_args(Sampler)
SWITCH = "OPENSHAPE_OOD_NO_TRITON"


def find_grouping(name: str, device: torch.device) -> plain.Grouping:
    """Functions of the sampler `name` for `device`. All samplers give the same indices.

    "auto" uses Triton kernels on a supported GPU, else torch. The environment variable OPENSHAPE_OOD_NO_TRITON=1
    disables Triton. "dgl" is used for sampling only, and torch for the ball query.

    Raises `UnknownNameError` for another name, `InputError` for "triton" if the kernels do not run.
    """
    check_choice(name, "sampler", SAMPLERS)
    if name == "dgl":
        return plain.Grouping(plain.farthest_point_sampling_dgl, plain.ball_query)
    wanted = name == "triton" or (name == "auto" and device.type == "cuda" and os.environ.get(SWITCH, "0") in ("", "0"))
    if not wanted:
        return plain.PLAIN
    from openshape_ood.encoders.grouping import kernels  # importing Triton is slow

    if kernels.available(device):
        return plain.Grouping(kernels.farthest_point_sampling, kernels.ball_query)
    if name == "triton":
        raise InputError(
            f"the sampler 'triton' does not run on {str(device)!r}. Expected an NVIDIA GPU that Triton supports. "
            "Use the sampler 'auto', which needs no GPU."
        )
    return plain.PLAIN

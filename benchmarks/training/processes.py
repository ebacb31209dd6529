"""Processes of one training under torchrun: rank, device, averages, gathering."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from openshape_ood.encoders.devices import find_device


def processes() -> tuple[int, int]:
    """Rank of this process, and number of processes."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def own_device(device: str | torch.device | None) -> torch.device:
    """The device of this process: the requested one, or among several GPUs the one with its local rank."""
    requested = find_device(device)
    if requested.type != "cuda" or processes()[1] == 1:
        return requested
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def backend(device: torch.device, gpus: int) -> str:
    """Backend: "nccl" if every process on this machine has its own GPU, else "gloo"; nccl needs a GPU per process."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes()[1]))
    fast = device.type == "cuda" and here <= gpus and torch.distributed.is_nccl_available()
    return "nccl" if fast else "gloo"


def average(tensors: Iterable[Tensor]) -> None:
    """Replace tensors of one dtype by their means over the processes; no change in a single process."""
    held = list(tensors)
    if not held or not torch.distributed.is_initialized():
        return
    flat = torch.cat([one.detach().reshape(-1) for one in held])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for one, mean in zip(held, flat.split([one.numel() for one in held]), strict=True):
        one.detach().copy_(mean.view_as(one))


def average_gradients(parameters: Iterable[Tensor], learned: bool = True) -> bool:
    """Give all processes the mean gradients over those with `learned`; returns False if no process has it.

    A parameter without a gradient in any process keeps None. In a single process nothing changes.
    """
    if not torch.distributed.is_initialized():
        return learned
    held = list(parameters)
    grads = [one.grad if learned else None for one in held]
    count = torch.tensor([learned, *(one is not None for one in grads)], dtype=torch.float32, device=held[0].device)
    torch.distributed.all_reduce(count)
    for one, grad, of in zip(held, grads, count[1:].tolist(), strict=True):
        one.grad = (torch.zeros_like(one) if grad is None else grad) if of else None
    learning = [one.grad for one in held if one.grad is not None]
    average(learning)
    for grad in learning:
        grad.mul_(torch.distributed.get_world_size() / float(count[0]))
    return bool(count[0])


def gathered(value: Any) -> list[Any]:
    """The values of all processes, by rank."""
    if not torch.distributed.is_initialized():
        return [value]
    values = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def joined(device: str | torch.device | None) -> Iterator[tuple[int, int]]:
    """Join the process group if there are several processes, and leave it at the end; yields rank and number."""
    rank, world = processes()
    if world == 1:
        yield rank, world
        return
    local = own_device(device)
    if local.type == "cuda":
        torch.cuda.set_device(local)
    torch.distributed.init_process_group(backend(local, torch.cuda.device_count()))
    try:
        yield rank, world
    finally:
        torch.distributed.destroy_process_group()

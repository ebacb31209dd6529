"""Batches through the network, one after the other; on a CUDA device sampled ahead.

Sampling is a long chain of small steps that leaves most of a GPU idle, so the next batch is copied, sampled and
grouped on a stream of its own while the transformer works on this one. **Unmeasured**: written without a GPU at hand.
Elsewhere it is a plain loop.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from openshape_ood.devices import exact
from openshape_ood.encoders.protocols import Network, StagedNetwork


def embed_batches(network: Network, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[np.ndarray]:
    """Prepared clouds (b, n, 6) float32, batch by batch -> embeddings (b, d) float32, in order."""
    if device.type == "cuda" and isinstance(network, StagedNetwork):
        yield from _overlapped(network, batches, device)
        return
    for batch in batches:
        with torch.inference_mode(), exact(device):
            embeddings = network(torch.from_numpy(batch).to(device))
        yield embeddings.cpu().numpy()


class _Grouped(NamedTuple):
    """A batch on the GPU: points (b, n, 6), centers (b, p, 3), members (b, p, k), and when they are there."""

    points: Tensor
    centers: Tensor
    members: Tensor
    done: torch.cuda.Event


class _Copied(NamedTuple):
    """Embeddings (b, d) on their way to the host, and when they are there."""

    embeddings: Tensor
    done: torch.cuda.Event

    def wait(self) -> np.ndarray:
        self.done.synchronize()
        return self.embeddings.numpy().copy()  # what a caller keeps should pin no memory


def _overlapped(network: StagedNetwork, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[np.ndarray]:
    """Launches are asynchronous: while a batch is read and launched here, the GPU is busy with the one before."""
    ahead = _stream_ahead(device)
    previous: _Copied | None = None
    for batch in batches:
        with torch.cuda.device(device), torch.inference_mode(), exact(device):
            current = _finish(network, _start(network, batch, device, ahead))
        if previous:
            yield previous.wait()
        previous = current
    if previous:
        yield previous.wait()


@functools.cache
def _stream_ahead(device: torch.device) -> torch.cuda.Stream:
    """One a device: the allocator keeps memory for every stream that it has seen."""
    return torch.cuda.Stream(device, priority=-1)


def _start(network: StagedNetwork, batch: np.ndarray, device: torch.device, ahead: torch.cuda.Stream) -> _Grouped:
    """Copy, sample and group on the stream `ahead`, which waits for nothing on the main one."""
    with torch.cuda.stream(ahead):
        points = torch.from_numpy(batch).pin_memory().to(device, non_blocking=True)
        centers, members = network.group(points, network.sample(points))
        done = torch.cuda.Event()
        done.record(ahead)
    return _Grouped(points, centers, members, done)


def _finish(network: StagedNetwork, batch: _Grouped) -> _Copied:
    """The layers on the current stream, and the copy back to pinned memory."""
    main = torch.cuda.current_stream()
    main.wait_event(batch.done)
    for tensor in (batch.points, batch.centers, batch.members):
        tensor.record_stream(main)  # so that their memory is not given to the next batch too early
    features = network.abstract(batch.points, batch.centers, batch.members)
    embeddings = network.transform(batch.centers, features)
    host = torch.empty(embeddings.shape, dtype=embeddings.dtype, pin_memory=True)
    host.copy_(embeddings, non_blocking=True)
    done = torch.cuda.Event(blocking=True)  # waiting leaves the core to those who read
    done.record(main)
    return _Copied(host, done)

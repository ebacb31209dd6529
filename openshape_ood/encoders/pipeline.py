"""Pipelined inference on a CUDA device: the next batch is sampled while the current batch is encoded.

Sampling is a long sequence of small steps that use only a small part of a GPU. So the next batch is copied, sampled and
grouped on a separate stream while the transformer runs. **The speed was not measured**, because no GPU was available.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from openshape_ood.encoders.devices import exact
from openshape_ood.encoders.protocols import StagedNetwork


def overlapped(network: StagedNetwork, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[np.ndarray]:
    """Embeddings of batches. While the GPU encodes one batch, the next is read and launched."""
    before: tuple[Tensor, torch.cuda.Event] | None = None
    ahead = _stream_ahead(device)
    for batch in batches:
        with torch.cuda.device(device), torch.inference_mode(), exact(device):
            current = _launched(network, batch, device, ahead)
        if before:
            yield _arrived(*before)
        before = current
    if before:
        yield _arrived(*before)


@functools.cache
def _stream_ahead(device: torch.device) -> torch.cuda.Stream:
    """The stream for sampling. There is one per device, because torch keeps separate memory for every stream."""
    return torch.cuda.Stream(device, priority=-1)


def _launched(
    network: StagedNetwork, batch: np.ndarray, device: torch.device, ahead: torch.cuda.Stream
) -> tuple[Tensor, torch.cuda.Event]:
    """Start a batch. Returns the host tensor for its embeddings (b, d), and an event for the end of the copy."""
    with torch.cuda.stream(ahead):  # runs in parallel to the main stream
        points = torch.from_numpy(batch).pin_memory().to(device, non_blocking=True)
        centers, members = network.group(points, network.sample(points))
        grouped = torch.cuda.Event()
        grouped.record(ahead)
    main = torch.cuda.current_stream()
    main.wait_event(grouped)
    for tensor in (points, centers, members):
        tensor.record_stream(main)  # prevents torch from reusing the memory too early
    embeddings = network.transform(centers, network.abstract(points, centers, members))
    host = torch.empty(embeddings.shape, dtype=embeddings.dtype, pin_memory=True)
    host.copy_(embeddings, non_blocking=True)
    done = torch.cuda.Event(blocking=True)  # a blocking wait leaves the core to the reading processes
    done.record(main)
    return host, done


def _arrived(host: Tensor, done: torch.cuda.Event) -> np.ndarray:
    done.synchronize()
    return host.numpy().copy()  # a copy, so that the result does not keep pinned memory

"""Batches through the network; the order of launches on a GPU is checked on stand-ins for its streams and events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from openshape_ood import ShapeEncoder
from openshape_ood.encoders import pipeline


def batches(count: int = 3) -> list[np.ndarray]:
    rng = np.random.RandomState(0)
    return [rng.uniform(-0.5, 0.5, (2, 1024, 6)).astype(np.float32) for _ in range(count)]


def test_batch_by_batch_on_the_cpu(tiny: ShapeEncoder) -> None:
    read: list[int] = []

    def reading() -> Iterator[np.ndarray]:
        for i, batch in enumerate(batches()):
            read.append(i)
            yield batch

    for i, embeddings in enumerate(tiny.encode_batches(reading())):
        assert read == list(range(i + 1))  # none is held back
        np.testing.assert_array_equal(embeddings, tiny.encode_prepared(batches()[i]))


def test_settings_are_the_caller_s_between_batches(tiny: ShapeEncoder) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in tiny.encode_batches(batches()):
            assert torch.is_autocast_enabled("cpu") and not torch.is_inference_mode_enabled()


class Log(list[str]):
    """Stands for torch.cuda: its streams and events do nothing but say when."""

    def __init__(self) -> None:
        super().__init__()
        log, self.events = self, 0

        class Stream:
            def __init__(self, device: Any = None, priority: int = 0) -> None: ...

            def wait_event(self, event: Any) -> None:
                log.append(f"layers wait for {event.name}")

        class Event:
            def __init__(self, blocking: bool = False) -> None:
                self.name, log.events = log.events, log.events + 1

            def record(self, stream: Any) -> None: ...

            def synchronize(self) -> None:
                log.append(f"host waits for {self.name}")

        self.Stream, self.Event, self.main = Stream, Event, Stream()

    def device(self, device: Any) -> Any:
        return nullcontext()

    def stream(self, stream: Any) -> Any:
        return nullcontext()

    def current_stream(self) -> Any:
        return self.main


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_gpu_is_given_the_next_batch_before_the_host_waits(
    tiny: ShapeEncoder, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    log, empty = Log(), torch.empty
    monkeypatch.setattr(pipeline.torch, "cuda", log)
    monkeypatch.setattr(pipeline, "_stream_ahead", log.Stream)
    monkeypatch.setattr(pipeline.torch, "empty", lambda *args, pin_memory, **settings: empty(*args, **settings))
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(Tensor, "record_stream", lambda self, stream: None)
    monkeypatch.setattr(pipeline, "exact", lambda device: nullcontext())
    found = list(pipeline.overlapped(tiny.network, batches(count), tiny.device))
    # two events a batch: it is grouped (even), its embeddings are on the host (odd)
    launched = [f"layers wait for {2 * i}" for i in range(count)]
    waited = [f"host waits for {2 * i + 1}" for i in range(count)]
    between = [line for pair in zip(launched[1:], waited[:-1], strict=True) for line in pair]
    assert log == launched[:1] + between + waited[-1:]
    for embeddings, batch in zip(found, batches(count), strict=True):
        np.testing.assert_array_equal(embeddings, tiny.encode_prepared(batch))

"""Which device, and torch's global settings as embeddings need them, for as long as they are computed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from openshape_ood.errors import InputError


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Single precision, always by the same algorithms, whatever a caller's training has set for speed."""
    _SETTINGS.enter()
    try:
        with torch.autocast(device.type, enabled=False):  # each thread has its own
            yield
    finally:
        _SETTINGS.leave()


class _Shared:
    """Settings of the whole process: the first thread that embeds sets them, the last to leave restores them."""

    def __init__(self) -> None:
        self._lock, self._undo, self._inside = threading.Lock(), ExitStack(), 0

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                # cuDNN would round convolutions to TF32, and choose among algorithms by speed
                exactly = torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
                self._undo.enter_context(exactly)
                self._undo.callback(_set_matmul_precision())
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo.close()


_SETTINGS = _Shared()


def _set_matmul_precision() -> Callable[[], None]:
    """Sets products of matrices to full single precision; what it returns undoes that."""
    backends: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    if not all(hasattr(backend, "fp32_precision") for backend in backends):  # before torch 2.9
        restore = partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("highest")
        return restore
    # not by the setting for all backends, which cannot be read once a caller has set one alone
    before = [backend.fp32_precision for backend in backends]
    _set_each(backends, ["ieee"] * len(backends))
    return partial(_set_each, backends, before)


def _set_each(backends: list[Any], precisions: list[str]) -> None:
    for backend, precision in zip(backends, precisions, strict=True):
        backend.fp32_precision = precision


def find_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, then MPS, then the CPU."""
    if device is None:
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(best)
    try:
        found = torch.device(device)
        torch.empty(0, device=found).cpu()  # back, for "meta" holds no data
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return found

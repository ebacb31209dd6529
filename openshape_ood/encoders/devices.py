"""Which device, and torch's global settings as embeddings need them, for as long as they are computed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from openshape_ood.errors import InputError

# the settings are the process's: the first thread that embeds makes them, the last to leave restores them
_LOCK, _INSIDE, _UNDO = threading.Lock(), set[object](), ExitStack()


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Single precision, always by the same algorithms, whatever a caller's training has set for speed."""
    this = object()
    with _LOCK:
        if not _INSIDE:
            # cuDNN would round convolutions to TF32, and choose among algorithms by speed
            cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            _UNDO.enter_context(cudnn)
            backends: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
            if all(hasattr(backend, "fp32_precision") for backend in backends):
                # not by the setting for all backends, which cannot be read once a caller has set one alone
                for backend in backends:
                    _UNDO.callback(setattr, backend, "fp32_precision", backend.fp32_precision)
                    backend.fp32_precision = "ieee"
            else:  # before torch 2.9
                _UNDO.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
                torch.set_float32_matmul_precision("highest")
        _INSIDE.add(this)
    try:
        with torch.autocast(device.type, enabled=False):  # each thread has its own
            yield
    finally:
        with _LOCK:
            _INSIDE.remove(this)
            if not _INSIDE:
                _UNDO.close()


def find_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, then MPS, then the CPU."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found).cpu()  # back, for "meta" holds no data
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return found

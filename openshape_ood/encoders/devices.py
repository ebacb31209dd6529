"""Choice of the device, and global settings of torch while an encoder runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from openshape_ood.errors import InputError

# settings for the whole process: the first encoding thread changes them, the last one restores them
_LOCK, _INSIDE, _UNDO = threading.Lock(), set[object](), ExitStack()


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Use single precision and deterministic algorithms, regardless of the global settings of the caller."""
    this = object()
    with _LOCK:
        if not _INSIDE:
            # by default, cuDNN may round convolutions to TF32 and choose algorithms by speed
            cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            _UNDO.enter_context(cudnn)
            backends: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
            if all(hasattr(backend, "fp32_precision") for backend in backends):
                # torch cannot read its setting for all backends after a caller has changed a single backend
                for backend in backends:
                    _UNDO.callback(setattr, backend, "fp32_precision", backend.fp32_precision)
                    backend.fp32_precision = "ieee"
            else:  # before torch 2.9
                _UNDO.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
                torch.set_float32_matmul_precision("highest")
        _INSIDE.add(this)
    try:
        with torch.autocast(device.type, enabled=False):  # autocast is per thread
            yield
    finally:
        with _LOCK:
            _INSIDE.remove(this)
            if not _INSIDE:
                _UNDO.close()


def find_device(device: str | torch.device | None) -> torch.device:
    """The given device. Default: CUDA if it is available, else MPS, else the CPU."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen).cpu()  # copying back fails for "meta", which has no data
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(
            f"device {str(device)!r} cannot be used here ({str(error).splitlines()[0]}). Expected a device of this "
            "machine. Choose another one, such as 'cpu'."
        ) from error
    return chosen

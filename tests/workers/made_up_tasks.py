"""Tasks for tests of child processes: what they are told decides what becomes of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import struct
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import NoSuchShapeError

Answer = tuple[Any, list[np.ndarray]]


def echo(prefix: str = "") -> Callable[[Any], Answer]:
    """Gives back what it is told, and an array of as many numbers."""
    return lambda argument: (f"{prefix}{argument}", [np.full(argument, argument, np.float32)])


def misbehave() -> Callable[[Any], Answer]:
    return _misbehave


def _misbehave(argument: str) -> Answer:
    match argument:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "leave":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "raise":
            raise NoSuchShapeError("it is not there")
        case "bug":
            raise ZeroDivisionError("by zero")
        case "warn":
            warnings.warn("far\x1b[31m.npy", stacklevel=1)
        case "memory":
            raise ValueError("no reason given") from MemoryError()
        case "write":
            Path("file").write_bytes(b"1")
        case "environment":
            return dict(os.environ) | {"-s": sys.flags.no_user_site, "cwd": os.getcwd()}, []
        case "allocate":
            return None, [np.zeros(2**27)]  # 1 GiB
    return argument, []


def forge() -> Callable[[Any], Answer]:
    """A parser that was taken over: it finds the pipe to the parent and writes what it likes."""

    def work(hexadecimal: str) -> Answer:
        for number in range(3, 20):
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    os.write(number, bytes.fromhex(hexadecimal))
        time.sleep(0.5)
        os._exit(3)

    return work


def message(said: object) -> str:
    text = json.dumps(said).encode()
    return (struct.pack("<I", len(text)) + text).hex()


def number() -> Callable[[Any], tuple[Any, list[np.ndarray]]]:
    """The number of the process."""
    return lambda argument: (os.getpid(), [])

"""What parent and child agree on: what a task gives, and how messages and arrays go through a pipe."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np

HELLO: Final = b"\0openshape-ood worker\0"  # before it there may be what an interpreter prints as it starts
MAX_MESSAGE = 2**20
LENGTH: Final = struct.Struct("<I")

Work = Callable[[Any], tuple[Any, Sequence[np.ndarray]]]


@dataclass(frozen=True, eq=False)
class Done:
    """What became of one task.

    index: its place among the arguments; answer, arrays: what it gave; error: why it gave nothing, an error of the
    task's own, `MemoryError`, or `WorkerError` where its process ended or was ended.
    """

    index: int
    argument: Any
    answer: Any = None
    arrays: tuple[np.ndarray, ...] = ()
    error: Exception | None = None


def find(task: str) -> Callable[..., Work]:
    """The factory called "module:factory"."""
    module, _, name = task.partition(":")
    return getattr(import_module(module), name)


def attempt(work: Work, index: int, argument: Any) -> Done:
    """Do one task; an error is part of the result, also a parser's own: one task must not cost the others."""
    try:
        answer, arrays = work(argument)
    except Exception as error:
        # want of memory says nothing about a file, whatever it was taken for
        cause = error.__cause__ if isinstance(error.__cause__, MemoryError) else error
        return Done(index, argument, error=cause)
    return Done(index, argument, answer, tuple(arrays))


def send(pipe: Any, message: Any) -> None:
    text = json.dumps(message).encode("ascii")
    write(pipe, LENGTH.pack(len(text)) + text)


def receive(pipe: Any, most: int = MAX_MESSAGE) -> Any:
    """The next message; raises EOFError where the pipe ends, ValueError for what is no message."""
    head = bytearray(LENGTH.size)
    fill(pipe, memoryview(head))
    (length,) = LENGTH.unpack(head)
    if length > most:
        raise ValueError(length)
    text = bytearray(length)
    fill(pipe, memoryview(text))
    return json.loads(text)


def bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def write(pipe: Any, data: Any) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def fill(pipe: Any, view: memoryview) -> None:
    """Read until `view` is full; raises EOFError where the pipe ends."""
    while view:
        count = pipe.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]

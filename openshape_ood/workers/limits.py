"""Limits of a task, and their enforcement in a child process. The parent reports an exceeded limit."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from dataclasses import dataclass
from typing import Any

try:
    import resource
except ImportError:  # Windows, where only the wall-clock limit applies
    resource = None  # type: ignore[assignment]

SLACK = {"RLIMIT_CPU": 0, "RLIMIT_AS": 32 * 2**20}
PARENT_DEATH = 1  # PR_SET_PDEATHSIG: signal to a process when the thread that started it ends


@dataclass(frozen=True)
class Limits:
    """Limits of a task. None: no limit.

    cpu: seconds of processor time. wall: seconds since the start of the task. memory: bytes of additional address
    space, on Linux only. longer, larger: hints how to raise the time limit and the memory limit, appended to errors.
    """

    cpu: float | None = None
    wall: float | None = None
    memory: int | None = None
    longer: str = ""
    larger: str = ""

    @property
    def too_slow(self) -> str:
        return _message(f"took more than {self.cpu:.3g} s of processor time and was stopped", self.longer)

    @property
    def too_late(self) -> str:
        return _message(f"took more than {self.wall:.3g} s and was stopped", self.longer)

    @property
    def too_large(self) -> str:
        return _message(f"needs more than {(self.memory or 0) / 2**20:.0f} MiB of memory", self.larger)


def _message(limit: str, hint: str) -> str:
    return f"reading it {limit}{hint and f'; {hint}'}"


class Budget:
    """Resource limits of this process, set for each task in a child.

    A limit is changed only if it is wrong by more than `SLACK`, because a change takes as long as reading a small file.
    """

    def __init__(self) -> None:
        self._set: dict[str, float] = {}
        self._held, self._space = -1, 0  # peak resident size and address space at the last measurement

    def begin(self, cpu: float | None, memory: int | None) -> None:
        if resource is None:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._allow("RLIMIT_CPU", used.ru_utime + used.ru_stime, cpu)
        if sys.platform == "linux":  # no limit of address space elsewhere
            if used.ru_maxrss != self._held:  # an equal resident size means that the address space has hardly changed
                self._held, self._space = used.ru_maxrss, _address_space()
            self._allow("RLIMIT_AS", self._space, memory)

    def _allow(self, name: str, used: float, more: float | None) -> None:
        least = math.inf if more is None else math.ceil(used + more)
        if not least <= self._set.get(name, math.inf) <= least + SLACK[name]:
            self._set[name] = least + SLACK[name]
            _set(name, None if more is None else int(self._set[name]))


def seal(memory: int, seconds: int) -> None:
    """Set limits for the whole life of an untrusted child, before it loads a parser."""
    for name, value in {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 0}.items():
        _set(name, value, for_ever=True)


def live_with_parent() -> None:
    """In a child: disable core files, and end with the parent even if a parser blocks all threads."""
    _set("RLIMIT_CORE", 0, for_ever=True)
    if sys.platform == "linux":
        import ctypes
        import signal

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGKILL)


def _set(name: str, value: int | None, for_ever: bool = False) -> None:
    number: Any = getattr(resource, name, None)
    if number is None:
        return
    hard = resource.getrlimit(number)[1]
    if value is None:
        value = hard
    elif hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):  # some platforms define the limit but cannot set it
        resource.setrlimit(number, (value, value if for_ever else hard))


def _address_space() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

"""What one task may take, and how a child keeps to it: its parent says which bound was met."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from dataclasses import dataclass
from typing import Any

try:
    import resource
except ImportError:  # Windows; there the wall-clock limit stands alone
    resource = None  # type: ignore[assignment]

SLACK = {"RLIMIT_CPU": 0, "RLIMIT_AS": 32 * 2**20}
PARENT_DEATH = 1  # PR_SET_PDEATHSIG: the signal that a process gets when the thread that started it ends


@dataclass(frozen=True)
class Limits:
    """What one task may take; None is no limit.

    cpu: seconds of processor time; wall: of wall-clock time, from when the process begins with it; memory: bytes of
    address space beyond what the process has before, on Linux alone; longer, larger: how to allow more time and more
    memory, as clauses of an error.
    """

    cpu: float | None = None
    wall: float | None = None
    memory: int | None = None
    longer: str = ""
    larger: str = ""

    @property
    def too_slow(self) -> str:
        return _said(f"took more than {self.cpu:.3g} s of processor time and was stopped", self.longer)

    @property
    def too_late(self) -> str:
        return _said(f"took more than {self.wall:.3g} s and was stopped", self.longer)

    @property
    def too_large(self) -> str:
        return _said(f"needs more than {(self.memory or 0) / 2**20:.0f} MiB of memory", self.larger)


def _said(bound: str, more: str) -> str:
    return f"reading it {bound}{more and f'; {more}'}"


class Budget:
    """In a child: what it may still take from the beginning of a task on.

    A limit is set anew only where it is no longer right by `SLACK`, as that costs as much as reading a small file.
    """

    def __init__(self) -> None:
        self._set: dict[str, float] = {}
        self._held, self._space = -1, 0  # most that was resident, and address space then

    def begin(self, cpu: float | None, memory: int | None) -> None:
        if resource is None:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._allow("RLIMIT_CPU", used.ru_utime + used.ru_stime, cpu)
        if sys.platform == "linux":  # elsewhere address space is not bounded
            if used.ru_maxrss != self._held:  # else no more is mapped than before, nearly
                self._held, self._space = used.ru_maxrss, _address_space()
            self._allow("RLIMIT_AS", self._space, memory)

    def _allow(self, name: str, used: float, more: float | None) -> None:
        least = math.inf if more is None else math.ceil(used + more)
        if not least <= self._set.get(name, math.inf) <= least + SLACK[name]:
            self._set[name] = least + SLACK[name]
            _set(name, None if more is None else int(self._set[name]))


def seal(memory: int, seconds: int) -> None:
    """In a child that is not trusted: what it may ever take, set before it loads a parser."""
    for name, value in {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 0}.items():
        _set(name, value, for_ever=True)


def live_with_parent() -> None:
    """In a child: no core files; and it ends with its parent, also where a parser never lets another thread run."""
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
    with contextlib.suppress(ValueError, OSError):  # a platform that knows the name only
        resource.setrlimit(number, (value, value if for_ever else hard))


def _address_space() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

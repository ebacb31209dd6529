"""One child process as seen by its parent, and the message protocol."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

import openshape_ood
from openshape_ood import errors
from openshape_ood.errors import OpenShapeError, WorkerError
from openshape_ood.workers.limits import Limits

HELLO: Final = b"\0openshape-ood worker\0"  # an interpreter may print text before it
LENGTH: Final = struct.Struct("<I")
MAX_MESSAGE = 2**20
KILL_SECONDS = 5.0  # time after which a killed process is abandoned, for example if a disk blocks it
WATCH_SECONDS = 0.05
PIPE_BYTES = 2**20  # holds a large part of a cloud, to reduce context switches
TYPES: Final = ("<f8", "<f4")  # types of arrays
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# a sealed child gets only these environment variables, so it gets no tokens or passwords
PASSED: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV")


Answer = tuple[Any, Sequence[np.ndarray]]
Work = Callable[[Any], Answer]


@dataclass(frozen=True, eq=False)
class Done:
    """Result of one task: its argument with index, and its answer or error.

    error: the error of the task, `MemoryError`, or `WorkerError` if its process ended or was killed.
    """

    index: int
    argument: Any
    answer: Any = None
    arrays: tuple[np.ndarray, ...] = ()
    error: Exception | None = None


def find(task: str) -> Callable[..., Work]:
    """Import the factory named "module:factory"."""
    module, _, name = task.partition(":")
    return getattr(import_module(module), name)


def attempt(work: Callable[[], Answer], index: int, argument: Any) -> Done:
    """Run one task. An error of any class becomes part of the result, so that further tasks can run."""
    try:
        answer, arrays = work()
    except Exception as error:
        # a MemoryError is reported in place of the error that it caused, because the file may be valid
        cause = error.__cause__ if isinstance(error.__cause__, MemoryError) else error
        return Done(index, argument, error=cause)
    return Done(index, argument, answer, tuple(arrays))


@dataclass(frozen=True)
class Seal:
    """Settings of a child for untrusted input, which has no secrets, no standard error and cannot write files.

    folder: working folder. memory: bytes of address space, on platforms with this limit. seconds: lifetime, wall clock.
    most: maximum bytes of arrays in its answer.
    """

    folder: str
    memory: int
    seconds: float
    most: int


def once(
    task: str,
    settings: Mapping[str, Any],
    argument: Any,
    seal: Seal,
    begun: Callable[[Worker], None] = lambda worker: None,
) -> Done:
    """Run one task in a sealed process. The caller must validate the answer.

    begun: callback that receives the process, so that another thread can kill it. The error of the result is a
    `WorkerError` if the process ended, was killed, or sent an invalid or too large answer.
    """

    def work() -> Answer:
        try:
            worker = Worker(task, settings, seal.folder, seal)
        except OSError as error:
            raise WorkerError(f"no process can be started: {error}") from None
        begun(worker)
        limits = Limits(wall=seal.seconds)
        with contextlib.closing(worker), worker.within(seal.seconds):
            try:
                worker.begin(argument, limits)
            except (OSError, EOFError) as error:
                raise worker.lost(error) from None
            return worker.answer()

    return attempt(work, 0, argument)


class Worker:
    """Process that runs tasks one after the other."""

    def __init__(self, task: str, settings: Mapping[str, Any], folder: str, seal: Seal | None = None) -> None:
        if not sys.executable:
            raise OSError("there is no Python interpreter (sys.executable is empty)")
        bounds = {"memory": seal.memory, "seconds": math.ceil(seal.seconds) + 1} if seal else {}
        self._setup = {"task": task, "settings": settings, "bounds": bounds}
        self._most = seal.most if seal else math.inf
        package = str(Path(openshape_ood.__file__).resolve().parent.parent)
        if seal:
            env = {key: os.environ[key] for key in PASSED if key in os.environ} | ONE_THREAD | {"PYTHONPATH": package}
        else:  # the child has the import paths of this process
            path = [os.path.abspath(place) for place in sys.path if isinstance(place, str)]
            env = ONE_THREAD | os.environ | {"PYTHONPATH": os.pathsep.join([*path, package])}
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            # -P: no imports from the current folder; -s: none from the user's site-packages
            [sys.executable, "-P", *(["-s"] if seal else []), "-m", "openshape_ood.workers"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if seal else None,
            cwd=folder,
            env=env,
            start_new_session=True,  # Ctrl-C is handled by this process
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._out: Any = self._process.stdout
        self._in: Any = self._process.stdin
        self._greeted = False
        self._late = False
        self.deadline = math.inf
        self._limits = Limits()  # limits of the current task
        self.ended = False
        with contextlib.suppress(ImportError, AttributeError, OSError):  # not Linux, or a lower limit
            import fcntl

            fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # type: ignore[arg-type]
        _watch.add(self)

    def begin(self, argument: Any, limits: Limits) -> None:
        """Start a task. Raises OSError or EOFError if the process ends before the task starts."""
        self._limits = limits
        if not self._greeted:
            send(self._in, self._setup)
        send(self._in, [argument, [limits.cpu, limits.memory]])
        seen = bytearray()
        while not self._greeted:
            byte = self._out.read(1)
            if not byte or len(seen) > MAX_MESSAGE:
                raise EOFError("it ended before it was ready")
            seen += byte
            self._greeted = seen.endswith(HELLO)
        try:
            receive(self._out)
        except ValueError as error:
            raise EOFError from error

    def answer(self, seconds: float | None = None, enter: Callable[[int], None] = lambda size: None) -> Answer:
        """Answer of the task. Raises the error of the task, or the reason why there is no answer.

        seconds: time limit. enter: callback that gets the size of the arrays in bytes, and waits for buffer space.
        """
        try:
            with self.within(seconds):
                reply = receive(self._out)
            if "error" in reply:
                kind, text = str(reply["error"]), str(reply["text"])
                known: Any = MemoryError if kind == "MemoryError" else getattr(errors, kind, None)
                ours = isinstance(known, type) and issubclass(known, OpenShapeError | MemoryError)
                failure: Exception = known(text) if ours else OpenShapeError(f"{text} ({kind})" if text else kind)
                if known is MemoryError and self._limits.memory is not None:
                    self.close()  # a library may be loaded incompletely
                    failure = WorkerError(self._limits.too_large)
            else:
                specs, size = reply["arrays"], 0
                for shape, kind in specs:
                    if kind not in TYPES or len(shape) > 4 or any(type(n) is not int or n < 0 for n in shape):
                        raise ValueError(kind)
                    size += math.prod(shape) * int(kind[-1])
                if size > self._most:
                    raise ValueError(size)
                arrays = [np.empty(shape, kind) for shape, kind in specs]
                enter(size)
                with self.within(seconds):
                    for array in arrays:
                        fill(self._out, bytes_of(array))
                return reply["answer"], arrays
        except (OSError, EOFError, ValueError, TypeError, KeyError, MemoryError) as error:
            failure = self.lost(error)
        raise failure

    @contextlib.contextmanager
    def within(self, seconds: float | None) -> Generator[None]:
        """Context manager that kills the process if the block takes more than `seconds`. None: no limit."""
        if seconds is None:
            yield
            return
        with _watch.lock:
            self.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            with _watch.lock:  # so that the watch does not kill the process during the next task
                self.deadline = math.inf

    def kill(self) -> None:
        """Kill the process, from any thread."""
        self._process.kill()

    def kill_late(self) -> None:
        self._late = True
        self.kill()

    def lost(self, error: Exception) -> Exception:
        """End the process, and return the reason why there is no answer."""
        code = self.close(0.2)  # waits briefly, because the process may be about to exit with a meaningful status
        if self._late:
            return WorkerError(self._limits.too_late)
        if isinstance(error, MemoryError):
            return error
        if code == -getattr(signal, "SIGXCPU", 0) and self._limits.cpu is not None:
            return WorkerError(self._limits.too_slow)
        if not isinstance(error, OSError | EOFError):
            return WorkerError("the process that read it sent an invalid answer")
        if code is not None and code < 0:
            name = {number.value: number.name for number in signal.Signals}.get(-code, -code)
            return WorkerError(f"the process that read it was ended by {name}; perhaps memory ran out")
        return WorkerError(f"the process that read it ended with status {code}")

    def close(self, patience: float = 0.0) -> int | None:
        """Wait `patience` seconds for the process, then kill it. Returns its exit status, negative for a signal."""
        self.ended = True
        _watch.discard(self)
        for seconds in (patience, KILL_SECONDS):
            try:
                self._process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                self.kill()
        self._in.close()
        self._out.close()
        return self._process.returncode


class _Watch:
    """One thread for all time limits. A timer for each task would cost as much time as reading a small file."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._workers: set[Worker] = set()
        self._thread: threading.Thread | None = None

    def add(self, worker: Worker) -> None:
        with self.lock:
            self._workers.add(worker)
            if self._thread is None or not self._thread.is_alive():  # not alive after a fork
                self._thread = threading.Thread(target=self._run, name="openshape-ood watch", daemon=True)
                self._thread.start()

    def discard(self, worker: Worker) -> None:
        with self.lock:
            self._workers.discard(worker)

    def _run(self) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            with self.lock:
                if not self._workers:
                    self._thread = None
                    return
                for worker in self._workers:
                    if worker.deadline < time.monotonic():
                        worker.kill_late()


_watch = _Watch()


def send(pipe: Any, message: Any) -> None:
    text = json.dumps(message).encode("ascii")
    write(pipe, LENGTH.pack(len(text)) + text)


def receive(pipe: Any, most: int = MAX_MESSAGE) -> Any:
    """Next message. Raises EOFError at the end of the pipe, ValueError for an invalid message."""
    head = bytearray(LENGTH.size)
    fill(pipe, memoryview(head))
    (length,) = LENGTH.unpack(head)
    if length > most:
        raise ValueError(length)
    text = bytearray(length)
    fill(pipe, memoryview(text))
    return json.loads(text)


def bytes_of(array: np.ndarray) -> memoryview:
    """Memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def write(pipe: Any, data: Any) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def fill(pipe: Any, view: memoryview) -> None:
    """Read until `view` is full. Raises EOFError at the end of the pipe."""
    while view:
        count = pipe.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]

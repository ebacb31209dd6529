"""Shape files -> clouds, read and sampled by worker processes while the caller does something else.

`read_shapes` is the side of the caller, `python -m openshape_ood.shapes.streaming` the other. Workers are programs of
their own rather than processes of `multiprocessing`: a forked one does not survive torch's threads, and a spawned one
imports the caller's main module first, which takes seconds where that imports torch and fails for a script without a
main guard or one that comes from standard input. They are talked to over pipes: JSON with its length before it, and
clouds as their bytes. Nothing is unpickled.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np

import openshape_ood
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.shapes.meshes import check_draw
from openshape_ood.shapes.points import CloudSpec, check_up, prepare
from openshape_ood.shapes.reading import file_up, load_shape

AHEAD = 64  # files read ahead of the caller: two batches of an encoder
MOST_WORKERS = 16
HELD_BYTES = 256 * 2**20  # of clouds that wait for their turn; the next in turn may always be taken
STARTS = 3  # of a worker that ends before it begins with its file
KILL_SECONDS = 5.0  # after which a process that does not end, held by its disc, is left to the system
PIPE_BYTES = 2**20  # a whole cloud or a good part of it, so that few switches between processes are needed
MAX_MESSAGE = 2**20
MAX_ERROR = 10_000  # characters

_HELLO: Final = b"\0openshape-ood reader\0"  # before it there may be what an interpreter prints as it starts
_LENGTH: Final = struct.Struct("<I")
_TYPES: Final = ("<f8", "<f4")


@dataclass(frozen=True, eq=False)
class Read:
    """What became of one file: a cloud, or an error.

    index: its place among the paths; cloud: (n, 3|6) float64 in the file's frame and units, as `load_shape` gives it,
    or (count, 6) float32 in the frame of an encoder where one was given; up: its gravity axis, "" where there is an
    error; error: why there is no cloud.
    """

    index: int
    path: str
    cloud: np.ndarray | None
    up: str
    error: str | None = None


@dataclass(frozen=True)
class Recipe:
    """How every file is read; the same in this process and in a worker."""

    points: int
    seed: int
    up: str
    frame: CloudSpec | None = None

    def read(self, path: str) -> tuple[np.ndarray, str]:
        """The cloud in a file and its gravity axis; raises what reading or preparing it raises."""
        cloud = load_shape(path, points=self.points, seed=self.seed)
        up = file_up(path) if self.up == "file" else self.up
        if self.frame is None:
            return cloud, up
        count, to, color = self.frame.count, self.frame.up, self.frame.color
        return prepare(cloud, count=count, up=up, to=to, color=color, seed=self.seed, name=path), up

    def attempt(self, index: int, path: str) -> Read:
        """The same, with an error as part of the result."""
        try:
            cloud, up = self.read(path)
        except MemoryError:
            return Read(index, path, None, "", f"{path}: there is not enough memory to read it")
        except Exception as error:  # also a parser's own: one file must not cost the others
            return Read(index, path, None, "", str(error)[:MAX_ERROR] or f"{path}: {type(error).__name__}")
        return Read(index, path, np.ascontiguousarray(cloud), up)


def default_workers() -> int:
    """As many as there are cores for this process, less one for the encoder; 1 to `MOST_WORKERS`."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores - 1))


def read_shapes(
    paths: Iterable[str | os.PathLike[str]],
    *,
    points: int,
    seed: int,
    up: str = "y",
    frame: CloudSpec | None = None,
    workers: int | None = None,
    ahead: int | None = None,
    timeout: float | None = None,
) -> Generator[Read]:
    """The shapes in files, in the order of `paths`, which may be endless: a `Read` each, with a cloud or an error.

    points, seed: of what is sampled from surfaces; the clouds are those of `load_shape`, bit for bit. up: "y", "z" or
    "x" with an optional "-", or "file", which asks each file. frame: `encoder.spec`, where the clouds are for
    `encoder.encode_prepared`: the workers then resample and center them too.

    workers: processes that read; None for `default_workers()`, 0 to read in this process. ahead: files that may be
    read, or being read, beyond the one handed out; `AHEAD` if left out. Clouds that wait take `HELD_BYTES` together
    and one cloud more at most. timeout: seconds after which the reading of a file is given up.

    A file that cannot be read costs itself alone. So does one whose worker is killed, as for want of memory, or takes
    longer than `timeout`: that worker is replaced. With workers=0 there is neither that protection nor a timeout.
    Closing the iterator, or leaving it by an error or Ctrl-C, ends the workers; so does the end of this process.

    Raises `InputError` for values that cannot be, at once; while iterating `OpenShapeError` where no worker can be
    started, and whatever `paths` raises.

    >>> [(read.index, read.error) for read in read_shapes(["no.ply"], points=100, seed=0, workers=0)]
    [(0, 'no.ply: no such file')]
    """
    check_draw(points, seed)
    recipe = Recipe(int(points), int(seed), up if up == "file" else check_up(up), frame)
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths is one path, {os.fsdecode(paths)!r}; expected several, if only [path]")
    _check_whole("workers", workers, 0)
    _check_whole("ahead", ahead, 1)
    if timeout is not None and not 0 < timeout <= threading.TIMEOUT_MAX:
        raise InputError(f"timeout is {timeout!r}; expected seconds above 0, or None")
    if workers == 0:
        return _here(paths, recipe)
    ahead = AHEAD if ahead is None else ahead
    workers = default_workers() if workers is None else workers
    return _apart(paths, recipe, min(workers, ahead + 1), ahead, timeout)


def _check_whole(name: str, value: int | None, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise InputError(f"{name} is {value!r}; expected a whole number from {least} up, or None")


def _name(path: Any) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise InputError(f"paths holds {type(path).__name__}; expected paths of shape files") from error


def _here(paths: Iterable[Any], recipe: Recipe) -> Generator[Read]:
    for index, path in enumerate(paths):
        yield recipe.attempt(index, _name(path))


def _apart(paths: Iterable[Any], recipe: Recipe, workers: int, ahead: int, timeout: float | None) -> Generator[Read]:
    waiting: deque[_Job] = deque()
    with contextlib.closing(_Pool(recipe, workers, timeout)) as pool:
        for index, path in enumerate(paths):
            waiting.append(pool.submit(index, _name(path)))
            if len(waiting) > ahead:
                yield pool.take(waiting.popleft())
        while waiting:
            yield pool.take(waiting.popleft())


@dataclass(frozen=True, eq=False)
class _Job:
    index: int
    path: str
    done: Future[Read] = field(default_factory=Future)


class _Room:
    """Room for the clouds that were read and wait for their turn, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held, self._turn, self._closed = limit, 0, 0, False
        self._changed = threading.Condition()

    def enter(self, index: int, size: int) -> None:
        """Wait until there is room; raises EOFError when it is closed meanwhile."""
        with self._changed:
            # the one whose turn it is may always enter, or the others would wait for ever
            self._changed.wait_for(lambda: self._closed or index <= self._turn or self._held + size <= self._limit)
            if self._closed:
                raise EOFError
            self._held += size

    def leave(self, index: int, size: int) -> None:
        with self._changed:
            self._held -= size
            self._turn = index + 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Pool:
    """Files to read, and the readers that do it; a reader is begun when there is a file for it."""

    def __init__(self, recipe: Recipe, workers: int, timeout: float | None) -> None:
        self.recipe, self.timeout = recipe, timeout
        self.folder = os.getcwd()  # a worker that replaces another finds relative paths where that did
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.room = _Room(HELD_BYTES)
        self.closed = False
        self._workers = workers
        self._readers: list[_Reader] = []
        # else an iterator that is left open would be closed when threads can no longer end
        atexit.register(self.close)

    def submit(self, index: int, path: str) -> _Job:
        if len(self._readers) < self._workers:
            reader = _Reader(self)
            self._readers.append(reader)
            reader.start()
        job = _Job(index, path)
        self.jobs.put(job)
        return job

    def take(self, job: _Job) -> Read:
        read = job.done.result()
        self.room.leave(job.index, read.cloud.nbytes if read.cloud is not None else 0)
        return read

    def close(self) -> None:
        """End all workers, whatever they do."""
        atexit.unregister(self.close)
        self.closed = True
        self.room.close()
        for reader in self._readers:
            self.jobs.put(None)
            reader.stop()
        for reader in self._readers:
            reader.join()
        self._readers.clear()


class _Reader:
    """Gives one worker its files, one at a time, so that it is known whose fault its end is; and replaces it."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._thread = threading.Thread(target=self._run, name="openshape-ood reader", daemon=True)
        self._lock = threading.Lock()  # of the three below
        self._worker: _Worker | None = None
        self._reading: _Job | None = None
        self._late = False

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while self._serve(self._pool.jobs.get()):
            pass  # no name here keeps a cloud that was handed on
        self._discard()

    def stop(self) -> None:
        with self._lock:
            if self._worker is not None:
                self._worker.process.kill()

    def _serve(self, job: _Job | None) -> bool:
        if job is not None:
            try:
                job.done.set_result(self._read(job))
            except BaseException as error:  # raised where the result is waited for
                job.done.set_exception(error)
        return job is not None

    def _read(self, job: _Job) -> Read:
        trouble: Exception | None = None
        for _ in range(STARTS):
            try:
                worker = self._started()
                worker.begin(job.path)
            except (OSError, EOFError) as error:  # it ended before it came to this file, whose fault that is not
                trouble = error
                self._discard()
            else:
                return self._finish(job, worker)
        raise OpenShapeError(
            f"no process that reads files can be started: {trouble or 'it ends at once'}. See what "
            f"{sys.executable} -c 'import openshape_ood.shapes.streaming' says; workers=0 reads in this process"
        )

    def _started(self) -> _Worker:
        with self._lock:
            if self._pool.closed:
                raise OpenShapeError("reading was stopped")
            if self._worker is None:
                self._worker = _Worker(self._pool.recipe, self._pool.folder)
            return self._worker

    def _finish(self, job: _Job, worker: _Worker) -> Read:
        try:
            with self._clock(job):
                said = worker.hear()
            if said["error"] is not None:
                return Read(job.index, job.path, None, "", str(said["error"]))
            cloud, up = _room_for(said), str(said["up"])
            self._pool.room.enter(job.index, cloud.nbytes)
            _fill(worker.out, _bytes_of(cloud))
            return Read(job.index, job.path, cloud, up)
        except (OSError, EOFError, ValueError, TypeError, KeyError, MemoryError) as error:
            code = self._discard()
            return Read(job.index, job.path, None, "", f"{job.path}: {self._epitaph(error, code)}")

    @contextlib.contextmanager
    def _clock(self, job: _Job) -> Generator[None]:
        """Kills the worker when the time for this file is over."""
        self._late = False
        if self._pool.timeout is None:
            yield
            return
        timer = threading.Timer(self._pool.timeout, self._stop_if_still, [job])
        timer.daemon = True
        with self._lock:
            self._reading = job
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:  # a timer that goes off just now finds that it is too late
                self._reading = None

    def _stop_if_still(self, job: _Job) -> None:
        with self._lock:
            if self._reading is job and self._worker is not None:
                self._late = True
                self._worker.process.kill()

    def _epitaph(self, error: Exception, code: int | None) -> str:
        if self._late:
            return f"reading it took more than {self._pool.timeout:g} s and was stopped"
        if isinstance(error, MemoryError):
            return "there is not enough memory for its cloud"
        if not isinstance(error, OSError | EOFError):
            return "what came back from reading it is no cloud"
        if code is not None and code < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f"the process that read it was ended by {names.get(-code, -code)}; perhaps memory ran out"
        return f"the process that read it ended with status {code}"

    def _discard(self) -> int | None:
        """End the worker; the next file gets a fresh one. Its exit status, negative for a signal."""
        with self._lock:
            worker, self._worker = self._worker, None
        return worker.end() if worker is not None else None


class _Worker:
    """A process that reads files, seen from here."""

    def __init__(self, recipe: Recipe, folder: str) -> None:
        if not sys.executable:
            raise OSError("there is no Python interpreter (sys.executable is empty)")
        self.process = subprocess.Popen(  # noqa: S603  (our own module)
            # -P: nothing is imported from the current folder that would not be here
            [sys.executable, "-P", "-m", "openshape_ood.shapes.streaming", json.dumps(asdict(recipe))],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for this process to answer
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.out: Any = self.process.stdout
        self._in: Any = self.process.stdin
        self._greeted = False
        _widen(self.out)

    def begin(self, path: str) -> None:
        """Have it read a file; raises OSError or EOFError where it ends before it begins with it."""
        _send(self._in, {"path": path})
        if not self._greeted:
            _skip_to(self.out, _HELLO)
            self._greeted = True
        try:
            self.hear()
        except ValueError as error:
            raise EOFError from error

    def hear(self) -> dict[str, Any]:
        return _receive(self.out)

    def end(self) -> int | None:
        if not self._ended(0.2):  # it may be about to end by itself, with a status that says why
            self.process.kill()
            self._ended(KILL_SECONDS)
        self._in.close()
        self.out.close()
        return self.process.returncode

    def _ended(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def _environment() -> dict[str, str]:
    """Of a worker: it imports from where this process does, and computes in one thread."""
    package = str(Path(openshape_ood.__file__).resolve().parent.parent)
    path = [os.path.abspath(place) for place in sys.path if isinstance(place, str)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return threads | os.environ | {"PYTHONPATH": os.pathsep.join([*path, package])}


def _widen(pipe: Any) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # not Linux, or its limit is lower


def _room_for(said: dict[str, Any]) -> np.ndarray:
    """An empty array for the cloud that a worker announces; ValueError for what is no cloud."""
    rows, columns = said["shape"]
    if type(rows) is not int or rows < 1 or columns not in (3, 6) or said["type"] not in _TYPES:
        raise ValueError(said)
    return np.empty((rows, columns), said["type"])


def _bytes_of(cloud: np.ndarray) -> memoryview:
    return cloud.reshape(-1).view(np.uint8).data


def _send(pipe: Any, message: dict[str, Any]) -> None:
    text = json.dumps(message).encode("ascii")
    _write(pipe, _LENGTH.pack(len(text)) + text)


def _receive(pipe: Any) -> dict[str, Any]:
    """The next message; raises EOFError where the pipe ends, ValueError for what is no message."""
    head = bytearray(_LENGTH.size)
    _fill(pipe, memoryview(head))
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE:
        raise ValueError(length)
    text = bytearray(length)
    _fill(pipe, memoryview(text))
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError(message)
    return message


def _write(pipe: Any, data: Any) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _fill(pipe: Any, view: memoryview) -> None:
    while view:
        count = pipe.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]


def _skip_to(pipe: Any, mark: bytes) -> None:
    seen = bytearray()
    while not seen.endswith(mark):
        byte = pipe.read(1)
        if not byte or len(seen) > MAX_MESSAGE:
            raise EOFError("it ended before it was ready")
        seen += byte


def main(arguments: list[str]) -> None:
    """A worker: reads the files that it is told on the standard input, until that ends."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _volunteer()
    told = json.loads(arguments[0])
    frame = told.pop("frame")
    recipe = Recipe(**told, frame=CloudSpec(**frame) if frame else None)
    jobs, replies = _own_pipes()
    paths: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs, paths), daemon=True).start()
    _write(replies, _HELLO)
    while True:
        path = paths.get()
        _send(replies, {})  # from here on, what happens is this file's fault
        _reply(replies, recipe.attempt(0, path))


def _volunteer() -> None:
    """Where memory runs out Linux ends this process first, and not the caller's."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _own_pipes() -> tuple[Any, Any]:
    """Standard input and output for this module alone: what a parser prints goes nowhere."""
    jobs, replies = open(os.dup(0), "rb", buffering=0), open(os.dup(1), "wb", buffering=0)  # noqa: SIM115
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return jobs, replies


def _listen(jobs: Any, paths: SimpleQueue[str]) -> None:
    """In a thread, so that the end of the caller ends this process too, whatever it is reading."""
    try:
        while True:
            paths.put(_receive(jobs)["path"])
    except BaseException:
        os._exit(0)


def _reply(replies: Any, read: Read) -> None:
    if read.cloud is None:
        _send(replies, {"error": read.error})
        return
    cloud = read.cloud.astype(read.cloud.dtype.newbyteorder("<"), copy=False)
    _send(replies, {"error": None, "up": read.up, "shape": cloud.shape, "type": cloud.dtype.str})
    _write(replies, _bytes_of(cloud))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the caller is gone
        main(sys.argv[1:])

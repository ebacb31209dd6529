"""Child processes for tasks: ordered results, bounded buffers, limits of memory and time.

`in_order` runs many tasks in parallel; `once` runs a single untrusted task. Children are separate programs, `python -m
openshape_ood.workers`. `multiprocessing` is not used: a forked child can hang if torch has started threads, and a
spawned child first imports the parent's main module. Parent and child exchange messages over pipes: JSON with a length
prefix, and arrays as bytes. Nothing is unpickled.

A task is named "module:factory". The child calls `factory(**settings)` once, and gets a function for all tasks. This
function maps a JSON argument to a JSON answer and arrays.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any

from openshape_ood.errors import OpenShapeError
from openshape_ood.workers.limits import Limits
from openshape_ood.workers.process import Done, Seal, Work, Worker, attempt, find, once

__all__ = ["Done", "Limits", "Seal", "Work", "Worker", "default_workers", "in_order", "once"]

MOST_WORKERS = 16
HELD_BYTES = 256 * 2**20  # maximum bytes of buffered arrays; the next result in order is always accepted
KEPT_SECONDS = 10.0  # lifetime of idle processes after a call
STARTS = 3  # attempts to start a process


def default_workers() -> int:
    """Number of available cores, minus one for the encoder; at least 1 and at most `MOST_WORKERS`."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores - 1))


def in_order(
    task: str,
    settings: Mapping[str, Any],
    arguments: Iterable[Any],
    *,
    workers: int,
    ahead: int,
    limits: Callable[[Any], Limits] = lambda argument: Limits(),
    keep: bool = False,
) -> Generator[Done]:
    """Run a task for every argument and yield the results in the order of the arguments.

    A failed task does not stop the others. A process that is killed, for example by lack of memory, or that exceeds its
    `limits` is replaced. workers=0 runs the tasks in this process, without limits and without protection from crashes.
    Closing the iterator, or an error or Ctrl-C inside the loop, ends the processes.

    At most `ahead` arguments beyond the current one are taken, so `arguments` may be endless. Buffered arrays take at
    most `HELD_BYTES`, plus the arrays of one task. Raises `OpenShapeError` during iteration if no process can be
    started.

    keep: True to let idle processes wait `KEPT_SECONDS` for another call with the same task and settings, which then
    starts faster.
    """
    if workers == 0:
        work = find(task)(**settings)
        for index, argument in enumerate(arguments):
            yield attempt(partial(work, argument), index, argument)
        return
    waiting: deque[_Job] = deque()
    most = min(workers, ahead + 1)
    key = _surroundings(task, settings, most) if keep else None
    pool = _idle.take(key, limits) or _Pool(task, settings, most, limits)
    try:
        for index, argument in enumerate(arguments):
            waiting.append(pool.submit(index, argument))
            if len(waiting) > ahead:
                yield pool.take(waiting.popleft())
        while waiting:
            yield pool.take(waiting.popleft())
    finally:
        if key is not None and pool.is_idle:
            _idle.keep(key, pool)
        else:
            pool.close()


def _surroundings(task: str, settings: Mapping[str, Any], workers: int) -> tuple[Any, ...]:
    """Key of the state that a child inherits. An idle process is used again only if this key is equal."""
    about = os.fstat(2)  # standard error, where a child prints its warnings
    named = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(("OPENSHAPE_OOD", "PYTHON"))))
    return task, json.dumps(settings), workers, os.getpid(), os.getcwd(), *sys.path, named, about.st_dev, about.st_ino


@dataclass(frozen=True, eq=False)
class _Job:
    index: int
    argument: Any
    done: Future[Done] = field(default_factory=Future)


class _Pool:
    """Pool of threads. Each thread has one process, which runs one task at a time, so a crash fails one task."""

    def __init__(self, task: str, settings: Mapping[str, Any], workers: int, limits: Callable[[Any], Limits]) -> None:
        self._how = task, settings, os.getcwd()  # a replaced process resolves relative paths in the same folder
        self._most, self._limits = workers, limits
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()  # guards the four attributes below
        self._closed = False
        self._workers: set[Worker] = set()
        self._held: dict[int, int] = {}  # bytes of buffered arrays, by index
        self._turn = 0
        self._unfinished = 0  # number of unfinished tasks
        # an iterator that is still open at interpreter exit would be closed too late to join the threads
        atexit.register(self.close)

    def submit(self, index: int, argument: Any) -> _Job:
        if len(self._threads) < self._most:
            self._threads.append(threading.Thread(target=self._serve, name="openshape-ood worker", daemon=True))
            self._threads[-1].start()
        job = _Job(index, argument)
        self._unfinished += 1
        self._jobs.put(job)
        return job

    def take(self, job: _Job) -> Done:
        done = job.done.result()
        with self._changed:
            self._held.pop(job.index, None)
            self._turn = job.index + 1
            self._changed.notify_all()
        self._unfinished -= 1
        return done

    @property
    def is_idle(self) -> bool:
        """True if no task is left and every process is idle."""
        with self._changed:
            alive = len(self._workers) == len(self._threads) and not any(one.ended for one in self._workers)
            return alive and not self._unfinished and not self._closed

    def close(self) -> None:
        """End all processes at once."""
        atexit.unregister(self.close)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _enter(self, index: int, size: int) -> None:
        """Wait for buffer space. Raises EOFError if the pool is closed meanwhile."""
        with self._changed:
            # the next result in order is always accepted, to avoid a deadlock
            self._changed.wait_for(
                lambda: self._closed or index <= self._turn or sum(self._held.values()) + size <= HELD_BYTES
            )
            if self._closed:
                raise EOFError
            self._held[index] = size

    def _serve(self) -> None:
        worker: Worker | None = None
        while (job := self._jobs.get()) is not None:
            try:
                limits = self._limits(job.argument)
                worker = self._begun(job, limits, worker)
                answer = partial(worker.answer, limits.wall, partial(self._enter, job.index))
                job.done.set_result(attempt(answer, job.index, job.argument))
            except BaseException as error:  # raised again in the thread that takes the result
                job.done.set_exception(error)
            del job  # releases the arrays of the result, which the caller now owns
        self._end(worker)

    def _begun(self, job: _Job, limits: Limits, worker: Worker | None) -> Worker:
        """Start a job and return its worker. A worker that ends before the start is replaced."""
        trouble: Exception | None = None
        for _ in range(STARTS):
            try:
                if worker is None or worker.ended:
                    self._end(worker)
                    with self._changed:
                        if self._closed:
                            raise OpenShapeError("reading was stopped")
                        worker = Worker(*self._how)
                        self._workers.add(worker)
                worker.begin(job.argument, limits)
                return worker
            except (OSError, EOFError) as error:
                trouble = error
                self._end(worker)
        message = f"no reading process can be started: {trouble or 'it ends at once'}"
        command = f"{sys.executable} -c 'import {self._how[0].partition(':')[0]}'"
        raise OpenShapeError(
            f"{message}. Expected this command to succeed: {command}. Run it to see the error, or read with workers=0."
        )

    def _end(self, worker: Worker | None) -> None:
        if worker is not None:
            worker.close()
            with self._changed:
                self._workers.discard(worker)


class _Idle:
    """Store of at most one idle pool. A newer pool replaces an older one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[tuple[Any, ...], _Pool, threading.Timer] | None = None

    def take(self, key: tuple[Any, ...] | None, limits: Callable[[Any], Limits]) -> _Pool | None:
        """Remove and return a matching pool; None if there is none, or one of its processes has ended."""
        with self._lock:
            if key is None or self._held is None or self._held[0] != key:
                return None
            (_, pool, timer), self._held = self._held, None
        timer.cancel()
        if pool.is_idle:
            pool._limits, pool._turn = limits, 0  # for another call, with indices from 0
            return pool
        pool.close()
        return None

    def keep(self, key: tuple[Any, ...], pool: _Pool) -> None:
        timer = threading.Timer(KEPT_SECONDS, self._end, (pool,))
        timer.daemon = True
        with self._lock:
            before, self._held = self._held, (key, pool, timer)
        timer.start()
        if before is not None:
            before[2].cancel()
            if before[0][3] == os.getpid():  # after a fork, the processes belong to the parent
                before[1].close()

    def _end(self, pool: _Pool) -> None:
        with self._lock:
            if self._held is None or self._held[1] is not pool:  # another call has taken the pool
                return
            self._held = None
        pool.close()

    def close(self) -> None:
        """End idle processes."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            held[2].cancel()
            held[1].close()


_idle = _Idle()

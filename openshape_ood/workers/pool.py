"""Many tasks, done by several processes at once and handed out in order."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from openshape_ood.errors import OpenShapeError
from openshape_ood.workers.process import Worker
from openshape_ood.workers.tasks import Done, attempt, find

MOST_WORKERS = 16
HELD_BYTES = 256 * 2**20  # of arrays that wait for their turn; the next in turn may always be taken
STARTS = 3  # of a process that ends before it begins with its task


def default_workers() -> int:
    """As many as there are cores for this process, less one for the encoder; 1 to `MOST_WORKERS`."""
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
    seconds: float | None = None,
) -> Generator[Done]:
    """Do a task for every argument, and hand out what became of it in the order of the arguments.

    A task that fails costs itself alone. So does one whose process is killed, as for want of memory, or that takes
    longer than `seconds`: its process is replaced. With workers=0 there is neither that protection nor a limit of
    time. Closing the iterator, or leaving it by an error or Ctrl-C, ends the processes; so does the end of this one.

    Parameters
    ----------
    task, settings
        "module:factory", and the keywords of the factory, as JSON.
    arguments
        Of the tasks, as JSON. May be endless: no more than `ahead` are taken beyond the one handed out.
    workers
        Processes, begun as there are tasks for them; 0 does the tasks in this one.
    ahead
        Tasks that may be done, or in work, beyond the one handed out. Arrays that wait for their turn take
        `HELD_BYTES` together, and those of one task more, at most.
    seconds
        Wall-clock time for one task, from when its process begins with it.

    Yields
    ------
    Done
        One for every argument.

    Raises
    ------
    OpenShapeError
        While iterating, where no process can be started; also whatever `arguments` raises.
    """
    if workers == 0:
        work = find(task)(**settings)
        for index, argument in enumerate(arguments):
            yield attempt(work, index, argument)
        return
    waiting: deque[_Job] = deque()
    with contextlib.closing(_Pool(task, settings, min(workers, ahead + 1), seconds)) as pool:
        for index, argument in enumerate(arguments):
            waiting.append(pool.submit(index, argument))
            if len(waiting) > ahead:
                yield pool.take(waiting.popleft())
        while waiting:
            yield pool.take(waiting.popleft())


@dataclass(frozen=True, eq=False)
class _Job:
    index: int
    argument: Any
    done: Future[Done] = field(default_factory=Future)


class _Room:
    """Room for the arrays that were made and wait for their turn, in bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._turn, self._closed = most, 0, False
        self._held: dict[int, int] = {}
        self._changed = threading.Condition()

    def enter(self, index: int, size: int) -> None:
        """Wait until there is room; raises EOFError when it is closed meanwhile."""
        with self._changed:
            # the one whose turn it is may always enter, or the others would wait for ever
            self._changed.wait_for(lambda: self._closed or index <= self._turn or self._fits(size))
            if self._closed:
                raise EOFError
            self._held[index] = size

    def _fits(self, size: int) -> bool:
        return sum(self._held.values()) + size <= self._most

    def leave(self, index: int) -> None:
        with self._changed:
            self._held.pop(index, None)
            self._turn = index + 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Pool:
    """Threads that each give one process its tasks, one at a time, so that it is known whose fault its end is."""

    def __init__(self, task: str, settings: Mapping[str, Any], workers: int, seconds: float | None) -> None:
        self._how = task, settings, os.getcwd()  # one that replaces another finds relative paths where that did
        self._most, self._seconds = workers, seconds
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._room = _Room(HELD_BYTES)
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # of the two below
        self._closed = False
        self._workers: set[Worker] = set()
        # else an iterator that is left open would be closed when threads can no longer end
        atexit.register(self.close)

    def submit(self, index: int, argument: Any) -> _Job:
        if len(self._threads) < self._most:
            self._threads.append(threading.Thread(target=self._serve, name="openshape-ood worker", daemon=True))
            self._threads[-1].start()
        job = _Job(index, argument)
        self._jobs.put(job)
        return job

    def take(self, job: _Job) -> Done:
        done = job.done.result()
        self._room.leave(job.index)
        return done

    def close(self) -> None:
        """End all processes, whatever they do."""
        atexit.unregister(self.close)
        self._room.close()
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self) -> None:
        worker: Worker | None = None
        while (job := self._jobs.get()) is not None:
            try:
                worker = self._begun(job, worker)
                job.done.set_result(worker.answer(job.index, job.argument, self._seconds, self._room.enter))
            except BaseException as error:  # raised where the result is waited for
                job.done.set_exception(error)
            del job  # no name here keeps arrays that were handed on
        self._end(worker)

    def _begun(self, job: _Job, worker: Worker | None) -> Worker:
        """A worker that has begun with a job; one that ends before it comes to it is replaced."""
        trouble: Exception | None = None
        for _ in range(STARTS):
            try:
                if worker is None or worker.ended:
                    self._end(worker)
                    worker = self._start()
                worker.begin(job.argument)
                return worker
            except (OSError, EOFError) as error:
                trouble = error
                self._end(worker)
        raise OpenShapeError(
            f"no process that reads files can be started: {trouble or 'it ends at once'}. See what "
            f"{sys.executable} -c 'import {self._how[0].partition(':')[0]}' says; workers=0 reads in this process"
        )

    def _start(self) -> Worker:
        with self._lock:
            if self._closed:
                raise OpenShapeError("reading was stopped")
            worker = Worker(*self._how)
            self._workers.add(worker)
            return worker

    def _end(self, worker: Worker | None) -> None:
        if worker is not None:
            worker.end()
            with self._lock:
                self._workers.discard(worker)

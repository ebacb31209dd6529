"""Child process: reads tasks from the standard input and runs them, until the input is closed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from openshape_ood.workers.limits import Budget, live_with_parent, seal
from openshape_ood.workers.process import HELLO, attempt, bytes_of, find, receive, send, write

MAX_ERROR = 10_000  # characters


def main() -> None:
    live_with_parent()
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # if memory runs out, Linux kills this process before its parent
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # the standard streams carry messages only, so output of parsers is discarded
    tasks, replies = open(os.dup(0), "rb", buffering=0), open(os.dup(1), "wb", buffering=0)  # noqa: SIM115
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    warnings.showwarning = _print_warning
    messages: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(tasks, messages), daemon=True).start()
    write(replies, HELLO)
    how = messages.get()
    if how["bounds"]:
        seal(**how["bounds"])
    work = find(how["task"])(**how["settings"])
    budget = Budget()
    while True:
        argument, limits = messages.get()
        if not how["bounds"]:
            budget.begin(*limits)
        send(replies, {})  # confirms the start: later errors belong to the task
        done = attempt(partial(work, argument), 0, argument)
        if done.error is not None:
            send(replies, {"error": type(done.error).__name__, "text": str(done.error)[:MAX_ERROR]})
            continue
        arrays = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in done.arrays]
        send(replies, {"answer": done.answer, "arrays": [(array.shape, array.dtype.str) for array in arrays]})
        for array in arrays:
            write(replies, bytes_of(array))
        del done, arrays


def _print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning on one line, without source location and control characters, which file names may contain."""
    print("warning:", "".join(sign if sign.isprintable() else "?" for sign in str(message)), file=sys.stderr)


def _listen(tasks: Any, messages: SimpleQueue[Any]) -> None:
    """Read messages in a thread, so that this process ends with its parent, even during a task."""
    try:
        while True:
            messages.put(receive(tasks, most=2**32))
    except BaseException:
        os._exit(0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the parent has ended
        main()

"""Uploads: read by a child process that can be killed, and whose answer is checked too.

gradio bounds the bytes of an upload, not what its parser does with them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np

from openshape_ood import workers
from openshape_ood.app.fair_queue import HERE, FairQueue, Visitor
from openshape_ood.app.quotas import (
    MAX_FILE_MB,
    MAX_POINTS,
    READ_MEMORY,
    READ_SECONDS,
    READ_SECONDS_A_MB,
    READERS,
)
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import MissingPackageError, ShapeFileError, WorkerError
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.shapes.points import check_cloud
from openshape_ood.shapes.reading import load_shape, stated_up
from openshape_ood.workers.process import find

SURFACE_POINTS = 10_000  # sampled of a mesh
NOBODY = Visitor(HERE, "")
Answer = tuple[Mapping[str, Any], list[np.ndarray]]  # of a task: JSON and arrays
Read = TypeVar("Read")

_queue = FairQueue(READERS)
_reading: WeakSet[workers.Worker] = WeakSet()


def kept_rows(count: int, most: int) -> np.ndarray:
    """Rows of a cloud that is thinned at random, in order; all if there are no more than `most`."""
    return np.sort(np.random.RandomState(0).permutation(count)[:most])


@contextmanager
def taken(paths: Sequence[str | os.PathLike[str]]) -> Generator[list[Path]]:
    """Uploaded files in a folder of their own while they are read: two visitors with the same file have one path.

    A file that is gone is left out of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="taken-") as folder:
        links = []
        for i, path in enumerate(map(Path, paths)):
            links.append(Path(folder) / str(i) / path.name)
            links[-1].parent.mkdir()
            if path.is_file():
                _link(path, links[-1])
        yield links


def read_sealed(
    task: Callable[..., Answer],
    path: Path,
    visitor: Visitor,
    checked: Callable[..., Read],
    *,
    most: int,
    settings: Mapping[str, Any] | None = None,
    what: str = "cloud",
    beside: Mapping[str, Path] | None = None,
    suffixes: Sequence[str] = SUFFIXES,
    least: float = READ_SECONDS,
    seconds: float | None = None,
    memory: int = READ_MEMORY,
    max_bytes: int = MAX_FILE_MB * 2**20,
) -> Read:
    """Have `task(source, **settings)` read an uploaded file in a sealed process, which sees no other file.

    A parser that was taken over may have answered anything: `checked(answer, *arrays, name=...)` makes the result of
    the answer, or raises ValueError, TypeError, KeyError or AttributeError for what cannot be a `what`.

    most: bytes of arrays in the answer; beside: other files in the folder, by name; seconds: until it is killed,
    default: from the sizes of the files and `least`; memory: bytes of address space, where the platform bounds it;
    max_bytes: of a file. Raises `ShapeFileError` with the file's name and no path, `MissingPackageError` for a format
    whose package is an extra, `InputError` if the visitor waits too long.
    """
    others, size = beside or {}, 0
    for one in (path, *others.values()):
        _check_before(one, max_bytes, suffixes)
        size += one.stat().st_size
    time = seconds or least + READ_SECONDS_A_MB * size / 2**20
    with _queue.place(visitor), tempfile.TemporaryDirectory(prefix="reading-") as folder:
        source = Path(folder) / f"shape{path.suffix.lower()}"
        _link(path, source)
        for name, other in others.items():
            _link(other, Path(folder) / name)
        how = {"task": f"{task.__module__}:{task.__name__}", **(settings or {})}
        seal = workers.Seal(folder, memory, time, most)
        done = workers.once(f"{__name__}:reader", how, str(source), seal, _reading.add)
    if done.error is not None:
        raise _refusal(done.error, path.name, source, memory)
    try:
        return checked(done.answer, *done.arrays, name=path.name)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ShapeFileError(f"{path.name}: what came back from reading it is no {what}") from error


def reader(task: str, **settings: Any) -> Callable[..., Any]:
    """The task of the child process."""
    read: Callable[..., Any] = find(task)
    return partial(read, **settings)


def end_reading() -> None:
    """Kill the child processes; their files count as not read."""
    for worker in tuple(_reading):
        worker.kill()


def _check_before(path: Path, max_bytes: int, suffixes: Sequence[str]) -> None:
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ShapeFileError(f"{path.name}: {suffix or 'no suffix'} is not read; these are: {' '.join(suffixes)}")
    if not path.is_file():
        raise ShapeFileError(f"{path.name} is no longer there; upload it again")
    if path.stat().st_size > max_bytes:
        raise ShapeFileError(f"{path.name} is larger than {max_bytes / 2**20:.0f} MB; thin it out or split it first")


def _link(path: Path, source: Path) -> None:
    try:
        os.link(path, source)
    except OSError:  # another disc, or one that knows no links
        shutil.copyfile(path, source)


def _refusal(error: Exception, name: str, source: Path, memory: int) -> Exception:
    """The error for the visitor."""
    if isinstance(error, MemoryError):
        return ShapeFileError(f"“{name}” needs more memory than the {memory / 2**30:.3g} GiB that reading may take")
    if isinstance(error, WorkerError):
        return ShapeFileError(f"“{name}”: {error}; it may be damaged, or unfold to far more than its size")
    kind = MissingPackageError if isinstance(error, MissingPackageError) else ShapeFileError
    text = str(error).replace(str(source), f"“{name}”").replace(source.name, f"“{name}”")
    return kind(text.replace(f"{source.parent}{os.sep}", ""))


def read_threshold(source: str) -> Answer:
    """Task: the fields of a threshold, and its scores."""
    threshold = Threshold.load(source)
    return {name: value for name, value in threshold.state().items() if name != "scores"}, [threshold.scores]


def read_cloud(source: str) -> Answer:
    """Task: number of points of a file, the axis it states, and its cloud, thinned to `MAX_POINTS`."""
    cloud = check_cloud(load_shape(source, points=SURFACE_POINTS), Path(source).name)
    return {"points": len(cloud), "stated": stated_up(source)}, [cloud[kept_rows(len(cloud), MAX_POINTS)]]

"""Reading of uploads in a sandboxed child process, and validation of its answer.

gradio limits the bytes of an upload, but not the time and memory for parsing it.
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

SURFACE_POINTS = 10_000  # points sampled from a mesh
NOBODY = Visitor(HERE, "")
Answer = tuple[Mapping[str, Any], list[np.ndarray]]  # answer of a task: JSON and arrays
Read = TypeVar("Read")

_queue = FairQueue(READERS)
_reading: WeakSet[workers.Worker] = WeakSet()


def kept_rows(count: int, most: int) -> np.ndarray:
    """Sorted indices of the rows that remain after random thinning to at most `most` rows."""
    return np.sort(np.random.RandomState(0).permutation(count)[:most])


@contextmanager
def taken(paths: Sequence[str | os.PathLike[str]]) -> Generator[list[Path]]:
    """Link uploaded files into a new folder, and yield their paths there.

    Equal files of two visitors share an upload path. The links remain if the upload of one visitor is deleted while
    another visitor's request reads it. If an upload is missing, its yielded path has no file.
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
    """Run `task(source, **settings)` on an uploaded file, in a sandboxed process whose folder has only the given files.

    A compromised parser may return anything. Therefore `checked(answer, *arrays, name=...)` validates the answer and
    makes the result from it. It raises ValueError, TypeError, KeyError or AttributeError for an invalid answer.

    most: maximum bytes of arrays in the answer. what: noun for the result in messages. beside: additional files in the
    folder, by name. seconds: time limit; default: `least`, plus `READ_SECONDS_A_MB` for each MB of the files. memory:
    maximum bytes of address space, on platforms with this limit. max_bytes: maximum size of a file. Raises
    `ShapeFileError` with the name of the file, `MissingPackageError` for a format that needs an extra, and `InputError`
    if the visitor waits too long.
    """
    others, size = beside or {}, 0
    for one in (path, *others.values()):
        _check_before(one, max_bytes, suffixes)
        size += one.stat().st_size
    time = seconds or least + READ_SECONDS_A_MB * size / 2**20
    with _queue.slot(visitor), tempfile.TemporaryDirectory(prefix="reading-") as folder:
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
        raise ShapeFileError(
            f"{path.name}: the reading process returned no valid {what}. Expected an undamaged file. Export it again."
        ) from error


def reader(task: str, **settings: Any) -> Callable[..., Any]:
    """Task of the child process: the function named "module:name", with its settings."""
    read: Callable[..., Any] = find(task)
    return partial(read, **settings)


def end_reading() -> None:
    """Kill the reading processes. Their files are reported as failed."""
    for worker in tuple(_reading):
        worker.kill()


def _check_before(path: Path, max_bytes: int, suffixes: Sequence[str]) -> None:
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ShapeFileError(
            f"{path.name} has {f'the suffix {suffix}' if suffix else 'no suffix'}. Expected one of "
            f"{' '.join(suffixes)}. Convert the file."
        )
    if not path.is_file():
        raise ShapeFileError(f"{path.name} is no longer on the server. Expected a new upload. Upload it again.")
    if path.stat().st_size > max_bytes:
        raise ShapeFileError(
            f"{path.name} is too large. Expected at most {max_bytes / 2**20:.0f} MB. Thin it or split it first."
        )


def _link(path: Path, source: Path) -> None:
    try:
        os.link(path, source)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(path, source)


def _refusal(error: Exception, name: str, source: Path, memory: int) -> Exception:
    """Error message for the visitor."""
    if isinstance(error, MemoryError):
        return ShapeFileError(
            f"reading “{name}” needs too much memory. Expected at most {memory / 2**30:.3g} GiB. Thin or split it."
        )
    if isinstance(error, WorkerError):
        return ShapeFileError(
            f"“{name}”: {error}. Expected an undamaged file that does not decompress to far more than its size. "
            "Export it again."
        )
    kind = MissingPackageError if isinstance(error, MissingPackageError) else ShapeFileError
    text = str(error).replace(str(source), f"“{name}”").replace(source.name, f"“{name}”")
    return kind(text.replace(f"{source.parent}{os.sep}", ""))


def read_threshold(source: str) -> Answer:
    """Task of the child process: fields and scores of a threshold."""
    threshold = Threshold.load(source)
    return {name: value for name, value in threshold.state().items() if name != "scores"}, [threshold.scores]


def read_cloud(source: str) -> Answer:
    """Task of the child process: point count, stated axis and cloud of a file, thinned to `MAX_POINTS`."""
    cloud = check_cloud(load_shape(source, points=SURFACE_POINTS), Path(source).name)
    return {"points": len(cloud), "stated": stated_up(source)}, [cloud[kept_rows(len(cloud), MAX_POINTS)]]

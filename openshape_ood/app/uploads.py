"""Uploads, read by a process of their own that can be killed, and whose word is checked too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np

from openshape_ood import workers
from openshape_ood.app.quotas import (
    MAX_FILE_MB,
    MAX_POINTS,
    READ_MEMORY,
    READ_SECONDS,
    READ_SECONDS_A_MB,
    READERS,
)
from openshape_ood.app.turns import HERE, Turns, Visitor
from openshape_ood.errors import MissingPackageError, ShapeFileError, WorkerError
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.shapes.points import check_cloud, check_up
from openshape_ood.shapes.reading import load_shape, stated_up

SURFACE_POINTS = 10_000  # sampled of a mesh

NOBODY = Visitor(HERE, "")
Read = TypeVar("Read")

_turns = Turns(READERS)
_reading: WeakSet[workers.Worker] = WeakSet()


@dataclass(frozen=True, eq=False)
class Upload:
    """What was read: cloud (n, 3|6) float64 in the file's frame and units, n at most `MAX_POINTS`.

    name: the file's, as the visitor gave it; points: how many it had before thinning; stated: the gravity axis its file
    states, "" where it states none.
    """

    name: str
    cloud: np.ndarray
    points: int
    stated: str


def kept_rows(count: int, most: int) -> np.ndarray:
    """Rows of a cloud that is thinned at random, in order; all where there are no more than `most`."""
    return np.sort(np.random.RandomState(0).permutation(count)[:most])


@contextmanager
def taken(paths: Sequence[str | os.PathLike[str]]) -> Generator[list[Path]]:
    """Uploaded files in a folder of their own for as long as they are read: the same file of another visitor may have
    the same path. What is no longer there is left out of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="taken-") as folder:
        found = []
        for i, path in enumerate(map(Path, paths)):
            found.append(Path(folder) / str(i) / path.name)
            found[-1].parent.mkdir()
            if path.is_file():
                _link(path, found[-1])
        yield found


def read_upload(path: Path, visitor: Visitor = NOBODY, **bounds: Any) -> Upload:
    """Read an uploaded shape; bounds, as `read_sealed` takes them, are those of quotas unless given.

    Raises
    ------
    ShapeFileError
        With a message for the visitor that has the file's name and no path.
    MissingPackageError
        For a format whose package is an extra.
    InputError
        Where others have files read for longer than one waits.
    """
    most = MAX_POINTS * 6 * 8  # in 64 bits: xyz, rgb
    return read_sealed(f"{__name__}:reader", path, visitor, _checked, most=most, **bounds)


def _checked(told: Any, cloud: np.ndarray, *, name: str) -> Upload:
    stated = told["stated"]
    return Upload(name, check_cloud(cloud, name), int(told["points"]), check_up(stated) if stated else "")


def read_sealed(
    task: str,
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
    """Have an uploaded file read by a process of its own, which sees it alone in a folder, under a name of ours.

    A parser that was taken over may have answered anything: `checked(answer, *arrays, name=...)` makes of it what it
    should be, or raises ValueError, TypeError, KeyError or AttributeError for what cannot be a `what`.

    most: bytes of arrays that it may answer with; beside: other files that it sees in its folder, by name; seconds:
    after which it is killed, from the sizes of the files and `least` unless given; memory: bytes of address space,
    where the platform can bound that; max_bytes: of a file.
    """
    others, size = beside or {}, 0
    for one in (path, *others.values()):
        _check_before(one, max_bytes, suffixes)
        size += one.stat().st_size
    time = seconds or least + READ_SECONDS_A_MB * size / 2**20
    with _turns.turn(visitor), tempfile.TemporaryDirectory(prefix="reading-") as folder:
        source = Path(folder) / f"shape{path.suffix.lower()}"
        _link(path, source)
        for name, other in others.items():
            _link(other, Path(folder) / name)
        done = workers.once(task, settings or {}, str(source), workers.Seal(folder, memory, time, most), _reading.add)
    if done.error is not None:
        raise _refusal(done.error, path.name, source, memory)
    try:
        return checked(done.answer, *done.arrays, name=path.name)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ShapeFileError(f"{path.name}: what came back from reading it is no {what}") from error


def end_reading() -> None:
    """Kill the processes that read; what they were to read counts as not read."""
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
    """What the visitor is told."""
    if isinstance(error, MemoryError):
        return ShapeFileError(f"“{name}” needs more memory than the {memory / 2**30:.3g} GiB that reading may take")
    if isinstance(error, WorkerError):
        return ShapeFileError(f"“{name}”: {error}; it may be damaged, or unfold to far more than its size")
    kind = MissingPackageError if isinstance(error, MissingPackageError) else ShapeFileError
    said = str(error).replace(str(source), f"“{name}”").replace(source.name, f"“{name}”")
    return kind(said.replace(f"{source.parent}{os.sep}", ""))


def reader() -> Callable[[str], tuple[dict[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return _read


def _read(source: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """How many points a file has and which axis it states; its cloud, thinned to `MAX_POINTS`."""
    cloud = check_cloud(load_shape(source, points=SURFACE_POINTS), Path(source).name)
    return {"points": len(cloud), "stated": stated_up(source)}, [cloud[kept_rows(len(cloud), MAX_POINTS)]]

"""Uploads, read by a process of their own that can be killed, and whose word is checked too."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood import workers
from openshape_ood.app.quotas import MAX_FILE_MB, MAX_POINTS, READ_MEMORY, READ_SECONDS, READERS, WAIT_SECONDS
from openshape_ood.errors import MissingPackageError, ShapeFileError, WorkerError
from openshape_ood.shapes.points import check_cloud, check_up
from openshape_ood.shapes.reading import SUFFIXES, file_up, load_shape

SURFACE_POINTS = 10_000  # sampled of a mesh

_places = threading.BoundedSemaphore(READERS)


@dataclass(frozen=True, eq=False)
class Upload:
    """What was read: cloud (n, 3|6) float64 in the file's frame and units, n at most `MAX_POINTS`.

    name: the file's, as the visitor gave it; points: how many it had before thinning; up: the axis its file states.
    """

    name: str
    cloud: np.ndarray
    points: int
    up: str


def read_upload(
    path: str | os.PathLike[str],
    *,
    seconds: float = READ_SECONDS,
    memory: int = READ_MEMORY,
    max_bytes: int = MAX_FILE_MB * 2**20,
) -> Upload:
    """Read an uploaded file in a process of its own, which sees it alone in a folder, under a name of ours.

    Parameters
    ----------
    path
        Of the file.
    seconds
        Wall-clock time after which the process is killed.
    memory
        Bytes of address space it may have, where the platform can bound that.
    max_bytes
        Of the file.

    Raises
    ------
    ShapeFileError
        With a message for the visitor that has the file's name and no path.
    MissingPackageError
        For a format whose package is an extra.
    """
    path = Path(path)
    _check_before(path, max_bytes)
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise ShapeFileError(f"{path.name}: others are reading files just now; try again in a minute")
    try:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            source = Path(folder) / f"shape{path.suffix.lower()}"
            _link(path, source)
            # in 64 bits: xyz, rgb
            seal = workers.Seal(folder, memory, seconds, most=MAX_POINTS * 6 * 8)
            done = workers.once(f"{__name__}:reader", {}, str(source), seal)
    finally:
        _places.release()
    if done.error is not None:
        raise _refusal(done.error, path.name, source, memory)
    try:  # a parser that was taken over may have answered anything
        (cloud,) = done.arrays
        return Upload(path.name, check_cloud(cloud, path.name), int(done.answer["points"]), check_up(done.answer["up"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ShapeFileError(f"{path.name}: what came back from reading it is no cloud") from error


def _check_before(path: Path, max_bytes: int) -> None:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ShapeFileError(f"{path.name}: {suffix or 'no suffix'} is not read; these are: {' '.join(SUFFIXES)}")
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
        return ShapeFileError(f"{name}: {error}; is the file whole?")
    kind = MissingPackageError if isinstance(error, MissingPackageError) else ShapeFileError
    return kind(str(error).replace(str(source), f"“{name}”").replace(source.name, f"“{name}”"))


def reader() -> Callable[[str], tuple[dict[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return _read


def _read(source: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """How many points a file has and which axis is up; its cloud, thinned to `MAX_POINTS`."""
    cloud = check_cloud(load_shape(source, points=SURFACE_POINTS), Path(source).name)
    kept = cloud
    if len(cloud) > MAX_POINTS:
        kept = cloud[np.sort(np.random.RandomState(0).permutation(len(cloud))[:MAX_POINTS])]
    return {"points": len(cloud), "up": file_up(source)}, [kept]

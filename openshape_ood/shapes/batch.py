"""Shape files -> clouds, read and sampled by child processes while the caller does something else."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openshape_ood import workers as processes
from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.meshes import check_draw
from openshape_ood.shapes.points import check_up, prepare
from openshape_ood.shapes.reading import file_up, load_shape

AHEAD = 64  # files read ahead of the caller: two batches of an encoder


@dataclass(frozen=True, eq=False)
class Read:
    """What became of one file, the `index`-th of the paths: a cloud, or an error.

    cloud: (n, 3|6) float64 in the file's frame and units, as `load_shape` gives it, or (count, 6) float32 in the frame
    of an encoder where one was given; up: the gravity axis of the file, "" where there is an error.
    """

    index: int
    path: str
    cloud: np.ndarray | None
    up: str
    error: str | None = None


def recipe(points: int, seed: int, up: str, frame: dict[str, Any] | None) -> processes.Work:
    """How every file is read, the same in this process and in a child: gravity axis and cloud of a path."""
    spec = CloudSpec(**frame) if frame else None

    def read(path: str) -> tuple[str, list[np.ndarray]]:
        cloud, own = load_shape(path, points=points, seed=seed), file_up(path) if up == "file" else up
        if spec is not None:
            cloud = prepare(
                cloud, count=spec.size(len(cloud)), up=own, to=spec.up, color=spec.color, seed=seed, name=path
            )
        return own, [cloud]

    return read


def read_shapes(
    paths: Iterable[str | os.PathLike[str]],
    *,
    points: int,
    seed: int,
    up: str = "file",
    frame: CloudSpec | None = None,
    workers: int | None = None,
    ahead: int | None = None,
    timeout: float | None = None,
) -> Generator[Read]:
    """Read the shapes in files, in the order of `paths`; a file that cannot be read costs itself alone.

    So does one whose process is killed, as for want of memory, or that takes longer than `timeout`: that process is
    replaced. With workers=0 there is neither that protection nor a timeout. Closing the iterator, or leaving it by an
    error or Ctrl-C, ends the processes; so does the end of this one.

    Parameters
    ----------
    paths
        Of the files. May be endless: no more are taken than are read ahead.
    points, seed
        Of what is sampled from surfaces; the clouds are those of `load_shape`, bit for bit.
    up
        Gravity axis: "y", "z" or "x" with an optional "-", or "file", which asks each file.
    frame
        `encoder.spec`, where the clouds are for `encoder.encode_prepared`: they are then resampled and centered, too.
    workers
        Processes that read; None for as many as suit this machine, 0 to read in this process.
    ahead
        Files that may be read, or being read, beyond the one handed out; `AHEAD` if left out. Clouds that wait take
        256 MiB together and one cloud more at most.
    timeout
        Seconds after which the reading of a file is given up.

    Yields
    ------
    Read
        One for every path, with a cloud or an error.

    Raises
    ------
    InputError
        For values that cannot be, at once.
    OpenShapeError
        While iterating, where no process can be started; also whatever `paths` raises.

    Examples
    --------
    >>> [(read.index, read.error) for read in read_shapes(["no.ply"], points=100, seed=0, workers=0)]
    [(0, 'no.ply: no such file')]
    """
    check_draw(points, seed)
    spec = asdict(frame) if frame else None
    how = {"points": int(points), "seed": int(seed), "up": up if up == "file" else check_up(up), "frame": spec}
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths is one path, {os.fsdecode(paths)!r}; expected several, if only [path]")
    count = processes.default_workers() if workers is None else check_whole(workers, "workers", 0)
    most = AHEAD if ahead is None else check_whole(ahead, "ahead", 1)
    if timeout is not None and not 0 < timeout <= threading.TIMEOUT_MAX:
        raise InputError(f"timeout is {timeout!r}; expected seconds above 0, or None")
    task, names = f"{__name__}:{recipe.__name__}", (_name(path) for path in paths)
    return _reads(processes.in_order(task, how, names, workers=count, ahead=most, seconds=timeout))


def _reads(done: Generator[processes.Done]) -> Generator[Read]:
    with contextlib.closing(done):
        yield from map(_outcome, done)


def _name(path: Any) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise InputError(f"paths holds {type(path).__name__}; expected paths of shape files") from error


def _outcome(done: processes.Done) -> Read:
    index, path, error = done.index, done.argument, done.error
    if error is None:
        cloud = done.arrays[0] if len(done.arrays) == 1 else np.empty(0)
        if isinstance(done.answer, str) and cloud.ndim == 2 and len(cloud) and cloud.shape[1] in (3, 6):
            return Read(index, path, cloud, done.answer)
        text = "what came back from reading it is no cloud"
    elif isinstance(error, MemoryError):
        text = "there is not enough memory to read it"
    else:
        text = str(error) or type(error).__name__
    return Read(index, path, None, "", text if path in text else f"{path}: {text}")

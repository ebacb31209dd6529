"""Reading and sampling of shape files by child processes, ahead of the caller."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openshape_ood import workers as processes
from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError, ShapeFileError, WorkerError
from openshape_ood.shapes.meshes import check_draw
from openshape_ood.shapes.points import check_up, prepare
from openshape_ood.shapes.reading import file_up, load_shape
from openshape_ood.shapes.shape import Shape
from openshape_ood.shapes.spec import CloudSpec

AHEAD = 64  # files read ahead of the caller: two batches of an encoder
FILES_A_WORKER = 8  # minimum for starting another worker
SECONDS, MEGABYTES = "OPENSHAPE_OOD_READ_SECONDS", "OPENSHAPE_OOD_READ_MB"  # limits for any file; large files get more
READ_SECONDS, READ_MB = 10, 1024
SECONDS_A_MB, BYTES_A_BYTE = 1, 32  # a compressed cloud in 64 bits grows 20-fold; a mesh as text takes as much memory
WALL = 30  # wall time / processor time, for busy machines and slow disks


@dataclass(frozen=True, eq=False)
class Read:
    """Result of reading file `index` of the paths: a cloud or an error.

    cloud: as from `load_shape`, or (count, 6) float32 in the encoder's frame if a frame was given; up: gravity axis of
    the file, "" after an error.
    """

    index: int
    path: str
    cloud: np.ndarray | None
    up: str
    error: str | None = None


def reader(points: int, frame: dict[str, Any] | None) -> processes.Work:
    """Task of a worker: read a file (path, axis, seed, name in messages) and return its axis and cloud."""
    spec = CloudSpec(**frame) if frame else None

    def read(file: list[Any]) -> tuple[str, list[np.ndarray]]:
        path, up, seed, name = file
        cloud, axis = load_shape(path, points, seed), file_up(path) if up == "file" else up
        return axis, [cloud if spec is None else prepare(cloud, spec, up=axis, seed=seed, name=name)]

    return read


def _in_order(
    files: Iterable[list[Any]], points: int, spec: CloudSpec | None, workers: int, ahead: int = AHEAD
) -> Generator[processes.Done]:
    """Results of `reader` for each file, within `reading_limits`."""
    settings, limit = {"points": points, "frame": asdict(spec) if spec else None}, reading_limits()
    task = f"{__name__}:{reader.__name__}"
    how: dict[str, Any] = {"workers": workers, "ahead": ahead, "limits": lambda file: limit(file[0]), "keep": True}
    return processes.in_order(task, settings, files, **how)


def reading_limits() -> Callable[[str], processes.Limits]:
    """Limits for reading a file: processor time and memory, by environment variable or `READ_SECONDS` and `READ_MB`.

    Larger files get more. Raises `InputError` for invalid variables.
    """
    seconds, megabytes = _from_environment(SECONDS, READ_SECONDS), _from_environment(MEGABYTES, READ_MB)
    longer = f"if the file is sound, set {SECONDS}={10 * seconds:g} to allow more"
    larger = f"if the file is sound, set {MEGABYTES}={4 * megabytes:g} to allow more"

    def limits(path: str) -> processes.Limits:
        try:
            size = os.stat(path).st_size
        except (OSError, ValueError):  # reported by the reader
            size = 0
        cpu = seconds + SECONDS_A_MB * size / 2**20
        return processes.Limits(cpu, WALL * cpu, int(megabytes * 2**20) + BYTES_A_BYTE * size, longer, larger)

    return limits


def _from_environment(name: str, default: float) -> float:
    try:
        value = float(os.environ.get(name) or default)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        raise InputError(f"{name} is {os.environ[name]!r}; expected a number above 0 and below a million")
    return value


def read_shapes(
    paths: Iterable[str | os.PathLike[str]],
    *,
    points: int,
    seed: int,
    up: str = "file",
    frame: CloudSpec | None = None,
    workers: int | None = None,
    ahead: int = AHEAD,
) -> Generator[Read]:
    """Read shapes from files, in the order of `paths`. A file that cannot be read yields an error and stops nothing.

    So does a file whose process is killed or exceeds `reading_limits`. workers=0 reads without this protection and
    without limits. Closing the iterator, or an error inside the loop, ends the processes; after the last file they wait
    some seconds for the next call.

    Parameters
    ----------
    paths
        Paths of files. May be endless: paths are taken no further ahead than files are read.
    points, seed
        As in `load_shape`; the clouds are equal bit for bit.
    up
        Gravity axis: "y", "z" or "x" with an optional "-", or "file" for the axis in each file.
    frame
        `encoder.spec`, to resample and center the clouds for `encoder.encode_prepared`.
    workers
        Reading processes. Default: as many as suit this machine; 0 reads in this process.
    ahead
        Files that may be read ahead of the caller; their clouds take at most about 256 MiB.

    Yields
    ------
    Read
        One a path, with a cloud or an error.

    Raises
    ------
    InputError, OpenShapeError
        At once for invalid values; during iteration if no process can be started.

    Examples
    --------
    >>> [(read.index, read.error) for read in read_shapes(["no.ply"], points=100, seed=0, workers=0)]
    [(0, 'no.ply: no such file')]
    """
    check_draw(points, seed)
    axis = up if up == "file" else check_up(up)
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths is one path, {os.fsdecode(paths)!r}; expected several, if only [path]")
    count = processes.default_workers() if workers is None else check_whole(workers, "workers", 0)
    files = ([path, axis, int(seed), path] for path in map(_name, paths))
    return _reads(_in_order(files, int(points), frame, count, check_whole(ahead, "ahead")))


def ready_files(files: Sequence[list[Any]], frame: CloudSpec) -> Generator[np.ndarray]:
    """Clouds (count, 6) float32 in the encoder's frame, of arguments of `reader`, in order.

    Files are read by child processes within `reading_limits`; a single file is read by this process, which is faster
    than starting a child. Raises the error of the first unusable file.
    """
    alone = len({path for path, *_ in files}) < 2
    workers = 0 if alone else min(processes.default_workers(), math.ceil(len(files) / FILES_A_WORKER))
    with contextlib.closing(_in_order(files, frame.count, frame, workers)) as reads:
        for done in reads:
            if isinstance(done.error, WorkerError):
                raise ShapeFileError(f"{done.argument[3]}: {done.error}") from done.error
            if done.error is not None:
                raise done.error
            yield done.arrays[0]


def ready_clouds(jobs: Sequence[tuple[Shape, str, int]], frame: CloudSpec) -> Generator[np.ndarray]:
    """Clouds (count, 6) float32 in the encoder's frame, of shapes with gravity axis and seed, in order.

    Raises the error of the first unusable shape.
    """
    files = [[os.fsdecode(shape.path), up, seed, shape.name] for shape, up, seed in jobs if shape.path is not None]
    with contextlib.ExitStack() as stack:
        read = stack.enter_context(contextlib.closing(ready_files(files, frame))) if files else iter(())
        for shape, up, seed in jobs:
            if shape.path is None:
                yield prepare(shape.cloud(frame.count, seed), frame, up=up, seed=seed, name=shape.name)
            else:
                yield next(read)


def _reads(done: Generator[processes.Done]) -> Generator[Read]:
    with contextlib.closing(done):
        yield from map(_outcome, done)


def _name(path: Any) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise InputError(f"paths holds {type(path).__name__}; expected paths of shape files") from error


def _outcome(done: processes.Done) -> Read:
    index, path, error = done.index, done.argument[0], done.error
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

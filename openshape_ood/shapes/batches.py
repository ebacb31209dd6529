"""Reading of many shapes, and batches of them for an encoder. Each shape is read once.

Child processes read files before the encoder needs them. A shape that cannot be used is reported, and the next shapes
follow. A file that exceeds its limit of time or memory counts as such a shape.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, groupby, islice
from typing import Any

import numpy as np

from openshape_ood import workers as processes
from openshape_ood.checks import check_whole
from openshape_ood.errors import CloudError, InputError, ShapeFileError, WorkerError
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.meshes import check_draw
from openshape_ood.shapes.points import check_up, prepare
from openshape_ood.shapes.reading import file_up, load_shape, stated_up
from openshape_ood.shapes.shape import Shape
from openshape_ood.shapes.spec import CloudSpec

AHEAD = 64  # files read in advance: two batches of an encoder
FILES_A_WORKER = 8  # minimum files per process; fewer files start fewer processes
SECONDS, MEGABYTES = "OPENSHAPE_OOD_READ_SECONDS", "OPENSHAPE_OOD_READ_MB"  # environment variables of limits per file
READ_SECONDS, READ_MB = 10, 1024  # defaults of the environment variables
# additional limits by file size: seconds per MB, and bytes of memory per byte. Reading a compressed cloud into 64-bit
# columns, or a mesh from text, takes about 20 times the size of the file
SECONDS_A_MB, BYTES_A_BYTE = 1, 32
WALL = 30  # limit of wall time / limit of processor time; high, for busy machines and slow disks
POINTS_AT_ONCE = 4_000_000  # a batch ends when it has more points: 200 MB with colors
AUTO = "auto"  # as "file", but shapes that state no axis get one axis, which is found from all shapes
MANY = 64  # with at most this many files, one child process reads them, unless the number of readers is given


@dataclass(frozen=True, eq=False)
class Read:
    """Result of reading a file: a cloud or an error.

    Attributes
    ----------
    index : int
        Number of the file, from 0, in the order of the paths.
    path : str
    cloud : ndarray or None
        Cloud as from `load_shape`; if `read_shapes` got a `frame`, cloud (count, 6) float32 from `prepare`. None after
        an error.
    up : str
        Gravity axis of the cloud; "" after an error.
    error : str or None
    """

    index: int
    path: str
    cloud: np.ndarray | None
    up: str
    error: str | None = None


def reader(points: int, frame: dict[str, Any] | None) -> processes.Work:
    """Function for worker processes: it reads a file and returns the gravity axis and the cloud.

    Its argument is the list [path, axis, seed, name in messages].

    points: number of points sampled from a surface. frame: fields of a `CloudSpec`; clouds are prepared with it, as in
    `points.prepare`. None: clouds are returned as from `load_shape`.
    """
    spec = CloudSpec(**frame) if frame else None

    def read(file: list[Any]) -> tuple[str, list[np.ndarray]]:
        path, up, seed, name = file
        cloud, axis = load_shape(path, points, seed), file_up(path) if up == "file" else up
        return axis, [cloud if spec is None else prepare(cloud, spec, up=axis, seed=seed, name=name)]

    return read


def _in_order(
    files: Iterable[list[Any]], points: int, spec: CloudSpec | None, workers: int, ahead: int = AHEAD
) -> Generator[processes.Done]:
    """Run the function from `reader` on each file, within `reading_limits`, and yield the results in order."""
    settings, limit = {"points": points, "frame": asdict(spec) if spec else None}, reading_limits()
    task = f"{__name__}:{reader.__name__}"
    how: dict[str, Any] = {"workers": workers, "ahead": ahead, "limits": lambda file: limit(file[0]), "keep": True}
    return processes.in_order(task, settings, files, **how)


def reading_limits() -> Callable[[str], processes.Limits]:
    """Limits of processor time and memory for reading a file, as a function of its path.

    Environment variables set the limits of small files. Default: `READ_SECONDS` and `READ_MB`. Larger files get more.
    Raises `InputError` for invalid variables.
    """
    seconds, megabytes = _from_environment(SECONDS, READ_SECONDS), _from_environment(MEGABYTES, READ_MB)
    longer = f"if the file is valid, set {SECONDS}={10 * seconds:g} to allow more"
    larger = f"if the file is valid, set {MEGABYTES}={4 * megabytes:g} to allow more"

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
        raise InputError(f"{name} is {os.environ[name]!r}. Expected a number above 0 and below a million. Correct it.")
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
    """Read shapes from files, in the order of `paths`. After a file that cannot be read, the next file is read.

    A file also counts as failed if its process crashes or exceeds `reading_limits`. With workers=0, this process reads
    the files, without limits and without protection from crashes. Closing the iterator, or an error inside the loop,
    ends the processes. After the last file, the processes wait some seconds for the next call.

    Parameters
    ----------
    paths : iterable of str or Path
        Paths of files. The iterable may be endless: at most `ahead` paths are taken in advance.
    points, seed : int
        As in `load_shape`. The clouds are equal to those of `load_shape`, bit for bit.
    up : str
        Gravity axis: "y", "z" or "x" with an optional "-", or "file". "file" is the axis that each file states; y if it
        states none.
    frame : CloudSpec, optional
        Give `encoder.spec` to get resampled, centered and scaled clouds, for `encoder.encode_prepared`. Default: clouds
        as from `load_shape`.
    workers : int, optional
        Number of reading processes. Default: the number of cores minus one, at most 16. 0: read in this process.
    ahead : int
        Maximum number of files read in advance. Their clouds take at most about 256 MiB.

    Yields
    ------
    Read
        One for each path, with a cloud or an error.

    Raises
    ------
    InputError
        For invalid values, at the call.
    OpenShapeError
        If no process can be started, during the iteration.

    Examples
    --------
    >>> [(read.index, read.error) for read in read_shapes(["no.ply"], points=100, seed=0, workers=0)]
    [(0, 'no.ply: no such file. Expected a shape file. Check the path.')]
    """
    check_draw(points, seed)
    axis = up if up == "file" else check_up(up)
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths is one path, {os.fsdecode(paths)!r}. Expected a list of paths. Give [path].")
    count = processes.default_workers() if workers is None else check_whole(workers, "workers", 0)
    files = ([path, axis, int(seed), path] for path in map(_name, paths))
    return _reads(_in_order(files, int(points), frame, count, check_whole(ahead, "ahead")))


def ready_files(files: Sequence[list[Any]], frame: CloudSpec) -> Generator[np.ndarray]:
    """Clouds (count, 6) float32 of files, prepared for the encoder with the spec `frame`, in order.

    files: lists [path, axis, seed, name in messages]. Child processes read them within `reading_limits`. If all
    entries are the same file, this process reads it, because starting a child takes longer. Raises the error of the
    first unusable file.
    """
    alone = len({path for path, *_ in files}) < 2
    workers = 0 if alone else min(processes.default_workers(), math.ceil(len(files) / FILES_A_WORKER))
    with closing(_in_order(files, frame.count, frame, workers)) as reads:
        for done in reads:
            if isinstance(done.error, WorkerError):
                raise ShapeFileError(f"{done.argument[3]}: {done.error}") from done.error
            if done.error is not None:
                raise done.error
            yield done.arrays[0]


def prepared_batches(
    shapes: Sequence[Shape], ups: Sequence[str], seeds: Sequence[int], batch_size: int, frame: CloudSpec
) -> Generator[list[np.ndarray]]:
    """Batches of clouds (count, 6) float32 of shapes, prepared for the encoder with the spec `frame`.

    ups: gravity axis of each shape. Every batch of shapes is sampled with each seed before the next batch. Raises the
    error of the first unusable shape.
    """
    size = check_whole(batch_size, "batch_size")
    batches = [range(len(shapes))[i : i + size] for i in range(0, len(shapes), size)]
    jobs = [(shapes[i], ups[i], seed) for batch in batches for seed in seeds for i in batch]
    files = [[os.fsdecode(one.path), up, seed, one.name] for one, up, seed in jobs if one.path is not None]
    with closing(ready_files(files, frame)) as read:
        clouds = (
            prepare(shape.cloud(frame.count, seed), frame, up=up, seed=seed, name=shape.name)
            if shape.path is None
            else next(read)
            for shape, up, seed in jobs
        )
        for batch in batches:
            for _ in seeds:
                yield list(islice(clouds, len(batch)))


def _reads(done: Generator[processes.Done]) -> Generator[Read]:
    with closing(done):
        yield from map(_outcome, done)


def _name(path: Any) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise InputError(
            f"paths holds {type(path).__name__}. Expected paths of shape files. Give str or Path."
        ) from error


def _outcome(done: processes.Done) -> Read:
    index, path, error = done.index, done.argument[0], done.error
    if error is None:
        cloud = done.arrays[0] if len(done.arrays) == 1 else np.empty(0)
        if isinstance(done.answer, str) and cloud.ndim == 2 and len(cloud) and cloud.shape[1] in (3, 6):
            return Read(index, path, cloud, done.answer)
        text = "its reading process returned no cloud. Expected (n, 3) or (n, 6). Read the file with load_shape."
    elif isinstance(error, MemoryError):
        text = "there is too little memory to read it. Expected more. Split the file, or thin it out."
    else:
        text = str(error) or type(error).__name__
    return Read(index, path, None, "", text if path in text else f"{path}: {text}")


@dataclass(frozen=True)
class Reading:
    """Settings for reading shapes.

    Attributes
    ----------
    points : int
        Number of points sampled from a surface.
    up, seed, num_samples, batch_size
        As in `Encoder.encode`. `up` may also be "auto".
    readers : int, optional
        Number of reading processes; 0 for this process, without limits. Default: chosen by the number of files.
    silent : str
        Gravity axis of shapes that state none, for up "auto" or "file".
    """

    points: int
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    batch_size: int = 32
    readers: int | None = None
    silent: str = "y"

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of `encode`, without shapes and axes."""
        return {"seed": self.seed, "num_samples": self.num_samples, "batch_size": self.batch_size}


@dataclass
class Batch:
    """Shapes that were read.

    Attributes
    ----------
    given : list of Shape
        The shapes as the caller gave them.
    shapes : list
        The same shapes for the encoder: clouds if `num_samples` is 1, else the values as given, which the encoder
        samples.
    ups : list of str
        Gravity axis of each shape.
    failures : list of Failure
        Shapes that could not be used since the previous batch.
    result
        Result of the function that `in_batches` applied.
    """

    given: list[Shape] = field(default_factory=list)
    shapes: list[Any] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    result: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of files, names of other shapes."""
        return tuple(shape.path or shape.name for shape in self.given)

    def parted(self) -> list[Batch]:
        """One batch per shape."""
        return [Batch([shape], [x], [up]) for shape, x, up in zip(self.given, self.shapes, self.ups, strict=True)]


def in_batches(
    shapes: Iterable[Shape],
    reading: Reading,
    function: Callable[[Batch], Any],
    step: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Apply a function to batches of all usable shapes, and yield the batches in order.

    The result of the function is in `Batch.result`. The last batch may contain failures only, and then has no result.
    `step` is called once for each shape. Few shapes are taken in advance, so `shapes` may be endless.
    """
    failures: list[Failure] = []
    with closing(_batches(shapes, reading, failures, step)) as batches:
        for batch in batches:
            for one in _done(batch, function, failures):
                yield replace(one, failures=list(failures))
                failures.clear()
    if failures:
        yield Batch(failures=failures)


def _done(batch: Batch, function: Callable[[Batch], Any], failures: list[Failure]) -> Iterator[Batch]:
    try:
        yield replace(batch, result=function(batch))
    except (CloudError, ShapeFileError):
        # rare: a file has changed since it was read, or resampling leaves one repeated point of a cloud
        for one in batch.parted():
            try:
                yield replace(one, result=function(one))
            except (CloudError, ShapeFileError) as error:
                failures.append(Failure(one.names[0], str(error)))


def _batches(
    shapes: Iterable[Shape], reading: Reading, failures: list[Failure], step: Callable[[], None]
) -> Generator[Batch, None, None]:
    batch, points = Batch(), 0
    with closing(_read(shapes, reading)) as reads:
        for shape, read in reads:
            if read.cloud is None:
                failures.append(Failure(read.path, read.error or "it cannot be read"))
            else:
                batch.given.append(shape)
                batch.shapes.append(read.cloud if reading.num_samples == 1 else shape.value)
                batch.ups.append(_up(shape, read, reading))
                points += len(read.cloud)
            step()
            if len(batch.given) == reading.batch_size or points > POINTS_AT_ONCE:
                yield batch
                batch, points = Batch(), 0
    if batch.given:
        yield batch


def _read(shapes: Iterable[Shape], reading: Reading) -> Generator[tuple[Shape, Read], None, None]:
    """Read files in child processes, and other shapes in this process."""
    for are_files, run in groupby(shapes, lambda shape: shape.path is not None):
        yield from (_read_files if are_files else _read_others)(run, reading)


def _read_files(shapes: Iterator[Shape], reading: Reading) -> Generator[tuple[Shape, Read], None, None]:
    waiting: deque[Shape] = deque()
    first = list(islice(shapes, MANY + 1))
    workers = 1 if reading.readers is None and len(first) <= MANY else reading.readers

    def paths() -> Iterator[str]:
        for shape in chain(first, shapes):
            waiting.append(shape)
            yield str(shape.path)

    up = "file" if reading.up == AUTO else reading.up
    reads = read_shapes(paths(), points=reading.points, seed=reading.seed, up=up, workers=workers)
    with closing(reads):  # also ends the reading processes
        for read in reads:
            yield waiting.popleft(), read


def _read_others(shapes: Iterator[Shape], reading: Reading) -> Generator[tuple[Shape, Read], None, None]:
    for i, shape in enumerate(shapes):
        try:
            up = (shape.stated_up() or reading.silent) if reading.up in (AUTO, "file") else reading.up
            read = Read(i, shape.name, shape.cloud(reading.points, reading.seed), up)
        except (CloudError, ShapeFileError) as error:
            read = Read(i, shape.name, None, "", str(error))
        yield shape, read


def _up(shape: Shape, read: Read, reading: Reading) -> str:
    if shape.up not in ("", "file"):
        return check_up(shape.up)
    if shape.path is None or reading.up not in (AUTO, "file") or reading.silent == "y":
        return read.up
    return stated_up(read.path) or reading.silent

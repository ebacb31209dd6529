"""Batches of many shapes, passed through a function. Each shape is read once.

Child processes read files before the encoder needs them. A shape that cannot be used is reported, and the next shapes
follow. A file that exceeds its limit of time or memory counts as such a shape.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from typing import Any

from openshape_ood.errors import CloudError, ShapeFileError
from openshape_ood.shapes.batch import Read, read_shapes
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.points import check_up
from openshape_ood.shapes.reading import stated_up
from openshape_ood.shapes.shape import Shape

POINTS_AT_ONCE = 4_000_000  # a batch ends when it has more points: 200 MB with colors
AUTO = "auto"  # as "file", but shapes that state no axis get one axis, which is found from all shapes
MANY = 64  # with at most this many files, one child process reads them, unless the number of readers is given


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

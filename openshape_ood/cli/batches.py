"""Files -> an encoder, in batches: each is read by itself, and one that cannot be used stops nothing.

They are read by child processes, ahead of the encoder: a file that takes too much time or memory costs itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Bar, Failure
from openshape_ood.cli.inputs import File
from openshape_ood.errors import CloudError, ShapeFileError

if TYPE_CHECKING:
    from openshape_ood.shapes.batch import Read

POINTS_AT_ONCE = 4_000_000  # of all clouds of a batch: 200 MB where they have colors
AUTO = "auto"  # as "file", and the axis of files that state none is found before they are read
MANY = 64  # files; fewer are read by one process unless it is said by how many


@dataclass(frozen=True)
class Reading:
    """How files are read for an encoder: what `ShapeEncoder.encode` takes beside the shapes.

    silent: the axis of files that state none, with up "auto" or "file"; readers: processes that read, 0 for none
    beside this one, and no limits; None for as many as suit the files.
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
        """What encoding takes beside the shapes and their axes."""
        return {"seed": self.seed, "num_samples": self.num_samples, "batch_size": self.batch_size}


@dataclass
class Batch:
    """Files that were read: what the encoder gets of each, and its gravity axis; and what came of them."""

    files: list[File] = field(default_factory=list)
    shapes: list[Any] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    result: Any = None

    def parted(self) -> list[Batch]:
        """Each file by itself."""
        return [Batch([file], [x], [up]) for file, x, up in zip(self.files, self.shapes, self.ups, strict=True)]


def encode_files(
    files: Sequence[File],
    reading: Reading,
    encode: Callable[[list[Any], list[str]], Any],
    failures: list[Failure],
    bar: Bar,
) -> Iterator[Batch]:
    """`encode(shapes, ups)` of all files that can be used, batch by batch in their order; the others go to `failures`.

    Of each file `encode` gets the cloud, or for several samplings the path, as these sample a surface anew.
    """
    with closing(_batches(files, reading, failures, bar)) as batches:
        for batch in batches:
            try:
                yield replace(batch, result=encode(batch.shapes, batch.ups))
            except (CloudError, ShapeFileError):  # rare: a file that has changed, or a cloud whose few different
                for one in batch.parted():  # points sampling leaves out
                    try:
                        yield replace(one, result=encode(one.shapes, one.ups))
                    except (CloudError, ShapeFileError) as error:
                        failures.append(Failure(one.files[0].path, str(error)))


def _batches(
    files: Sequence[File], reading: Reading, failures: list[Failure], bar: Bar
) -> Generator[Batch, None, None]:
    from openshape_ood.shapes import read_shapes

    paths, up = (file.path for file in files), "file" if reading.up == AUTO else reading.up
    reads = read_shapes(paths, points=reading.points, seed=reading.seed, up=up, workers=_readers(reading, len(files)))
    batch, points = Batch(), 0
    with closing(reads):  # with them end the workers
        for file, read in zip(files, reads, strict=True):
            if read.cloud is None:
                failures.append(Failure(file.path, read.error or "it cannot be read"))
            else:
                batch.files.append(file)
                batch.shapes.append(read.cloud if reading.num_samples == 1 else file.path)
                batch.ups.append(_up(read, reading))
                points += len(read.cloud)
            bar.step()
            if len(batch.files) == reading.batch_size or points > POINTS_AT_ONCE:
                yield batch
                batch, points = Batch(), 0
    if batch.files:
        yield batch


def _up(read: Read, reading: Reading) -> str:
    if reading.up not in (AUTO, "file") or reading.silent == "y":
        return read.up
    from openshape_ood.shapes.reading import stated_up

    return stated_up(read.path) or reading.silent


def _readers(reading: Reading, count: int) -> int | None:
    return 1 if reading.readers is None and count <= MANY else reading.readers

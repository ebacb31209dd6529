"""Arguments and result of a run: lists of shapes, encoder settings, share, summary."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, given_path
from openshape_ood.embedding_store.parquet import read_words
from openshape_ood.embedding_store.schema import Failed, Header, text
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import FileError, InputError, WeightsError
from openshape_ood.registry.ensembles import check_no_file
from openshape_ood.registry.files import known_sha256, sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.shapes.points import check_up, sample_seeds
from openshape_ood.storage import check_regular

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

SHARD_ROWS = 1000
COLUMNS = ("path", "id", "up")  # columns of a list
FIRST_LINE = 65_536  # maximum number of bytes to read of a first line, which may have any length
PRECISIONS = ("float32", "bfloat16", "float16")

Step = Callable[[int, int], None]  # number of finished shapes, process id


@dataclass(frozen=True, slots=True)  # slots, because there may be millions of items
class Item:
    """Shape file: id of its row, path, and up axis if known. The run sets `stamp`, see `Rows.stamps`."""

    id: str
    path: str
    up: str | None = None
    stamp: str = ""


def is_list(path: Path) -> bool:
    """True for a list of shapes: a Parquet file, or a text file whose first line contains the column `path`."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".txt") or not path.is_file():
        return suffix == ".parquet"
    try:
        with path.open("rb") as file:
            line = file.readline(FIRST_LINE).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    return "path" in [word.strip().strip('"') for word in line.split(",")]


class ShapeList:
    """Shapes of a list file, in order. Each iteration reads the file again, without loading all of it into memory.

    Paths are relative to the folder of the list. Without a column `id`, the id is the path as written.

    Iteration raises `FileError` for an unreadable file, and `InputError` for a row without path or with an invalid
    axis.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Item]:
        folder = str(self.path.parent)
        for number, (place, id, up) in enumerate(_rows(self.path), start=1):
            if not place:
                raise InputError(
                    f"{self.path}: row {number} has no path. Expected a path in every row. Add it, or remove the row."
                )
            if up:
                check_up(up, f"{self.path}: up of row {number}")
            yield Item(text(id or place), os.path.join(folder, os.path.expanduser(place)), up or None)


def _rows(path: Path) -> Iterator[tuple[str | None, ...]]:
    if path.suffix.lower() == ".parquet":
        for rows in read_words(path, COLUMNS):
            yield from rows
        return
    try:
        check_regular(path)
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file, skipinitialspace=True)
            places = [name.strip() for name in next(lines, [])]
            for line in filter(None, lines):
                cells = dict(zip(places, line, strict=False))
                yield tuple(cells[name].strip() if name in cells else None for name in COLUMNS)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(
            f"cannot read the list {path} ({reason}). Expected a table with a column path. Check the file."
        ) from error


@dataclass(frozen=True)
class Share:
    """Share of the ids that a run embeds: number `index`, from 0, of `count`. An id is always in the same share."""

    index: int
    count: int

    @classmethod
    def parse(cls, value: str) -> Share:
        """Parse a share "index/count".

        Examples
        --------
        >>> Share.parse("3/8")
        Share(index=3, count=8)
        """
        index, _, count = value.partition("/")
        if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise InputError(f"the shard is {value!r}. Expected i/n with i from 0 to n - 1. Give for example 0/8.")
        return cls(int(index), int(count))


@dataclass(frozen=True)
class Settings:
    """Settings of a run, most of them as in `ShapeEncoder.from_pretrained` and `encode`.

    Attributes
    ----------
    model, up, seed, num_samples, precision, batch_size
        As in `ShapeEncoder.from_pretrained` and `encode`.
    checkpoint : str, optional
        Weights file that replaces the registered one.
    device : str, optional
        None: the best available device.
    readers : int, optional
        Number of processes that read files ahead of each encoder. 0: the process of the encoder reads files, without
        limits of time and memory. None: the default of the engine.
    shard_rows : int
        Number of shapes in one file of a folder.
    """

    model: str = "vitb32"
    checkpoint: str | None = None
    device: str | None = None
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    precision: str = "float32"
    batch_size: int = 32
    readers: int | None = None
    shard_rows: int = SHARD_ROWS

    def header(self) -> Header:
        """Header of the embeddings. The encoder is not loaded, but weights without a known sha256 are downloaded.

        Raises `InputError` for invalid values, `CheckpointError` if the weights cannot be downloaded.
        """
        row = find_checkpoint(self.model)
        if self.up != "file":
            check_up(self.up)
        sample_seeds(check_seed(self.seed), self.num_samples)
        check_choice(self.precision, "precision", PRECISIONS)
        check_least(self, batch_size=1, readers=0, shard_rows=1)
        check_no_file(row, self.checkpoint)
        if self.checkpoint is None:
            digest = known_sha256(row, use=True)
        else:
            path = given_path(self.checkpoint, "checkpoint")
            if not path.is_file():
                raise WeightsError(f"{self.model}: there is no file {path}. Expected a checkpoint. Check the path.")
            digest = sha256(path)
        identity = Identity(row.name, row.text.space, digest)
        made = Provenance(identity, "", self.up, int(self.seed), int(self.num_samples), __version__)
        return Header(made, row.sizes.embedding_dim, None, row.spec.count, self.precision)

    def load(self) -> ShapeEncoder:
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        more: dict[str, Any] = {} if self.precision == "float32" else {"precision": self.precision}
        return ShapeEncoder.from_pretrained(self.model, checkpoint=self.checkpoint, device=self.device, **more)


@dataclass(frozen=True)
class Summary:
    """Summary of a run.

    Attributes
    ----------
    out : str
        File or folder.
    given : int
        Number of shapes in the share of the run.
    reused : int
        Number of shapes that an earlier run embedded.
    embedded : int
        Number of shapes that this run embedded.
    failed : sequence of Failed
        Failures of this run.
    skipped : int
        Number of files that failed in earlier runs and were not tried again.
    rows, errors : int
        Number of embeddings and failures that the file or folder now contains. For a share: only those of the share.
    header : Header
    changed : int
        Number of shapes that were embedded again because their files changed.
    """

    out: str
    given: int
    reused: int
    embedded: int
    failed: Sequence[Failed]
    skipped: int
    rows: int
    errors: int
    header: Header
    changed: int = 0


def check_least(given: Any, **least: int) -> None:
    """Raise `InputError` for attributes below their minimum. The value None is accepted."""
    for name, bound in least.items():
        value = getattr(given, name)
        if value is not None and value < bound:
            raise InputError(f"{name} is {value}. Expected {bound} or more. Give a larger number.")

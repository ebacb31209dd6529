"""A folder of embeddings: parts that are there whole or not at all, every id once.

DIR/embeddings/part-*.parquet holds what was embedded, DIR/errors/part-*.parquet what failed and why, with the same
columns. A part is called by the ids it was to hold, so that the same work done twice leaves one part.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.embedding_store.schema import COLUMNS, Origin, encode, numbers, opened, read_origin, to_bytes
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.storage import save_whole

EMBEDDINGS, ERRORS = "embeddings", "errors"
BATCH_ROWS = 65_536  # of 512 numbers: 128 MiB


@dataclass(frozen=True)
class Failed:
    """A shape without an embedding, and why."""

    id: str
    path: str
    preprocessing: str
    error: str


@dataclass(frozen=True, eq=False)
class Part:
    """What came of some shapes. asked: all their ids, in order; of those embedded ids, paths, preprocessing (JSON) and
    embeddings (n, d); the others in failed."""

    asked: Sequence[str]
    ids: Sequence[str]
    paths: Sequence[str]
    preprocessing: Sequence[str]
    embeddings: np.ndarray
    failed: Sequence[Failed]

    @property
    def name(self) -> str:
        return part_name(self.asked)


@dataclass(frozen=True)
class Counts:
    """Rows of a folder, rows of its errors, and rows that were removed because their ids were there already."""

    rows: int
    errors: int
    removed: int


def part_name(ids: Sequence[str]) -> str:
    """Of the file of a part that is to hold shapes of these ids."""
    return f"part-{hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:24]}.parquet"


def write_part(folder: Path, part: Part, origin: Origin) -> None:
    """Puts a part in its place; one of the same ids is replaced. Raises `FileError`."""
    for name in (EMBEDDINGS, ERRORS):
        _make(folder / name)
    n, lost = len(part.ids), len(part.failed)
    if n:
        columns: dict[str, Sequence[Any]] = {"id": part.ids, "path": part.paths, "preprocessing": part.preprocessing}
        columns |= {"status": ["ok"] * n, "error": [None] * n}
        _save(folder / EMBEDDINGS / part.name, encode(columns | _made_by(origin, n), part.embeddings, origin))
    # second, so that a shape that succeeded now is not lost in between; `settle` knows which of two is right
    errors = folder / ERRORS / part.name
    if lost:
        columns = {
            name: [getattr(one, name) for one in part.failed] for name in ("id", "path", "preprocessing", "error")
        }
        columns |= {"status": ["error"] * lost}
        _save(errors, encode(columns | _made_by(origin, lost), None, origin))
    else:
        errors.unlink(missing_ok=True)


def written(folder: Path, name: str = EMBEDDINGS) -> Iterator[list[tuple[str, str]]]:
    """Ids and paths of what is in a folder, part by part; name: EMBEDDINGS or ERRORS."""
    for path in part_files(folder, name):
        with opened(path) as file:
            columns = file.read(columns=["id", "path"])
        yield list(zip(columns["id"].to_pylist(), columns["path"].to_pylist(), strict=True))


def written_ids(folder: str | os.PathLike[str]) -> set[str]:
    """Ids of all embeddings in a folder."""
    return {id for part in written(Path(folder)) for id, _ in part}


def read_errors(folder: str | os.PathLike[str]) -> Iterator[Failed]:
    """What failed, and why."""
    for path in part_files(Path(folder), ERRORS):
        with opened(path) as file:
            rows = file.read(columns=["id", "path", "preprocessing", "error"]).to_pylist()
        yield from (Failed(**row) for row in rows)


def forget_errors(folder: Path, ids: Collection[str]) -> None:
    """Takes the errors of some shapes out of a folder, before these are tried again."""
    for path in part_files(folder, ERRORS):
        _keep_new(path, set(ids))


def settle(folder: Path) -> Counts:
    """Every id once: no error of what was embedded since, no row twice, no file that a killed process left half done.

    For a time when nothing else writes there. Cuts whatever it removes out of its part, by replacing that.
    """
    for name in (EMBEDDINGS, ERRORS):
        for partial in (folder / name).glob("*.partial"):
            partial.unlink(missing_ok=True)
    seen: set[str] = set()
    removed = sum(_keep_new(path, seen) for path in part_files(folder, EMBEDDINGS))
    rows = len(seen)
    for path in part_files(folder, ERRORS):
        _keep_new(path, seen)
    return Counts(rows, len(seen) - rows, removed)


def read_embeddings(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    columns: Collection[str] = ("id", "path", "embedding"),
    batch_rows: int = BATCH_ROWS,
) -> Iterator[dict[str, Any]]:
    """Rows of a folder, or of Parquet files, `batch_rows` at a time, a column each: lists of str, "embedding" (n, d).

    Only one batch is held. Of files, all must be from one encoder. Raises `FileError` for what cannot be read,
    `InputError` for a column that there is not.
    """
    strangers = set(columns) - set(COLUMNS)
    if strangers or not columns:
        raise InputError(f"unknown columns {', '.join(sorted(strangers))}; known: {', '.join(COLUMNS)}")
    if batch_rows < 1:
        raise InputError(f"batch_rows is {batch_rows}; expected 1 or more")
    origin = origin_of(source)
    held = _Held(columns, batch_rows, origin.dimensions)
    for path in sources(source):
        if read_origin(path).checkpoint_hash != origin.checkpoint_hash:
            raise MixedEncodersError(f"{path} is from {read_origin(path)}, others from {origin}; expected one encoder")
        with opened(path) as file:
            for some in file.iter_batches(batch_rows, columns=list(columns)):
                while len(some):
                    some = some.slice(held.take(some))
                    if held.rows == batch_rows:
                        yield held.give()
    if held.rows:
        yield held.give()


class _Held:
    """Rows on their way into a batch; each embedding is copied once."""

    def __init__(self, columns: Collection[str], batch_rows: int, dimensions: int) -> None:
        self.words = {name: list[str]() for name in columns if name != "embedding"}
        self.shape = (batch_rows, dimensions) if "embedding" in columns else None
        self.batch_rows, self.rows = batch_rows, 0
        self.table: np.ndarray | None = None

    def take(self, some: Any) -> int:
        """Takes what there is room for from the beginning of an Arrow batch, and returns how many rows that were."""
        some = some.slice(0, self.batch_rows - self.rows)
        for name, held in self.words.items():
            held += some[name].to_pylist()
        if self.shape is not None:
            if self.table is None:
                self.table = np.empty(self.shape, dtype=np.float32)
            self.table[self.rows : self.rows + len(some)] = numbers(some["embedding"], self.shape[1])
        self.rows += len(some)
        return len(some)

    def give(self) -> dict[str, Any]:
        """The batch; from here on it is the reader's alone."""
        given: dict[str, Any] = {} if self.table is None else {"embedding": self.table[: self.rows]}
        given |= self.words
        self.words, self.table, self.rows = {name: [] for name in self.words}, None, 0
        return given


def origin_of(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Origin:
    """What made the embeddings. Raises `FileError` where there are none."""
    files = sources(source)
    first = next(iter(files), None)
    if first is None or not first.exists():
        raise FileError(f"there are no embeddings in {source}; expected what `openshape-ood embed --out DIR` wrote")
    return read_origin(first)


def sources(source: Any) -> list[Path]:
    """The Parquet files of embeddings of a folder, or those given."""
    if not isinstance(source, str | os.PathLike):
        return [Path(path).expanduser() for path in source]
    path = Path(source).expanduser()
    return part_files(path, EMBEDDINGS) if path.is_dir() else [path]


def part_files(folder: Path, name: str) -> list[Path]:
    return sorted((folder / name).glob("part-*.parquet"))


def _keep_new(path: Path, seen: set[str]) -> int:
    """Leaves in a part the rows whose ids are new, adds these to `seen`, and returns how many others there were."""
    with opened(path) as file:
        ids = file.read(columns=["id"])["id"].to_pylist()
    kept = []
    for i, id in enumerate(ids):
        if id not in seen:
            seen.add(id)
            kept.append(i)
    if not kept:
        path.unlink(missing_ok=True)
    elif len(kept) < len(ids):
        with opened(path) as file:
            table = file.read()
        _save(path, to_bytes(table.take(kept)))
    return len(ids) - len(kept)


def _made_by(origin: Origin, n: int) -> dict[str, Sequence[Any]]:
    return {"checkpoint": [origin.checkpoint] * n, "checkpoint_hash": [origin.checkpoint_hash] * n}


def _save(path: Path, content: bytes) -> None:
    save_whole(path, content, "embeddings to")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror or error}") from error

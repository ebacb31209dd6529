"""The one schema of tables of embeddings, and the only module that knows pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from openshape_ood.errors import FileError, MissingPackageError

FORMAT = "openshape_ood embedding table 1"
COLUMNS = ("id", "path", "embedding", "checkpoint", "checkpoint_hash", "preprocessing", "status", "error")
WORDS = tuple(name for name in COLUMNS if name != "embedding")
KEY = b"openshape_ood"  # of the schema's metadata


@dataclass(frozen=True)
class Origin:
    """What made the embeddings of a table: the encoder's name, the sha256 of its weights, the text tower it was
    aligned with, the numbers d of an embedding, and the temperature of its training, where the weights say so."""

    checkpoint: str
    checkpoint_hash: str
    tower: str
    dimensions: int
    temperature: float | None = None

    def __str__(self) -> str:
        return f"{self.checkpoint} (sha256 {self.checkpoint_hash[:8]})"


def check_parquet() -> ModuleType:
    """The module pyarrow. Raises `MissingPackageError`."""
    try:
        import pyarrow
    except ImportError as error:
        message = "Parquet needs pyarrow: pip install 'openshape-ood[parquet]'; .safetensors and .npz do not"
        raise MissingPackageError(message) from error
    return pyarrow


def schema(dimensions: int) -> Any:
    """Columns of a table whose embeddings have so many numbers."""
    arrow = check_parquet()
    embedding = arrow.list_(arrow.float32(), dimensions)
    return arrow.schema([(name, embedding if name == "embedding" else arrow.string()) for name in COLUMNS])


def encode(columns: Mapping[str, Sequence[Any]], embeddings: np.ndarray | None, origin: Origin) -> bytes:
    """A Parquet file of n rows. embeddings (n, d) float32, None for rows without one; columns: all others."""
    arrow = check_parquet()
    count = len(columns["id"])
    kind = arrow.list_(arrow.float32(), origin.dimensions)
    if embeddings is None:
        vectors = arrow.nulls(count, kind)
    else:
        flat = np.ascontiguousarray(embeddings, dtype=np.float32).ravel()
        vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(flat), type=kind)
    words = {name: arrow.array([_none_or_text(v) for v in columns[name]], arrow.string()) for name in WORDS}
    header = {KEY: json.dumps({"format": FORMAT, **asdict(origin)})}
    table = arrow.table({**words, "embedding": vectors}).select(COLUMNS)
    return to_bytes(table.cast(schema(origin.dimensions)).replace_schema_metadata(header))


def to_bytes(table: Any) -> bytes:
    """A Parquet file of an Arrow table; numbers are kept as they are, words by dictionary."""
    arrow = check_parquet()
    from pyarrow import parquet

    words = [field.name for field in table.schema if field.type == arrow.string()]
    buffer = arrow.BufferOutputStream()
    parquet.write_table(table, buffer, use_dictionary=words, compression="zstd")
    return buffer.getvalue().to_pybytes()


def read_origin(path: Path) -> Origin:
    """What made the embeddings of a Parquet file. Raises `FileError` where it does not say."""
    with opened(path) as file:
        try:
            header = json.loads((file.schema_arrow.metadata or {})[KEY])
            if header.pop("format") != FORMAT:
                raise KeyError("format")
            return Origin(**header)
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"{path} does not say what encoder its embeddings are from; expected {FORMAT}") from error


@contextmanager
def opened(path: Path, needed: Sequence[str] = COLUMNS) -> Iterator[Any]:
    """A Parquet file with the columns `needed`. Raises `FileError` for any other, also where that shows later."""
    arrow = check_parquet()
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            lacks = [name for name in needed if name not in file.schema_arrow.names]
            if lacks:
                raise FileError(f"{path} has no column {', '.join(lacks)}; expected {', '.join(needed)}")
            yield file
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, FileError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise FileError(
            f"cannot read {path} as Parquet: {reason}. If it is damaged, remove it and embed again"
        ) from error


def numbers(column: Any, dimensions: int) -> np.ndarray:
    """Embeddings (n, d) float32 of a column."""
    if column.null_count:
        raise FileError(f"{column.null_count} of {len(column)} rows have no embedding; expected rows with status ok")
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), dimensions)


def read_words(path: Path, columns: Sequence[str]) -> Iterator[list[tuple[str | None, ...]]]:
    """Rows of columns of words of any Parquet file, in batches; None for every column that it lacks but the first."""
    with opened(path, columns[:1]) as file:
        own = [name for name in columns if name in file.schema_arrow.names]
        for some in file.iter_batches(columns=own):
            empty = [None] * len(some)
            cells = [[_word(v) for v in some[name].to_pylist()] if name in own else empty for name in columns]
            yield list(zip(*cells, strict=True))


def _word(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of ids with gaps comes as floats
    return None if value is None else os.fsdecode(value) if isinstance(value, bytes) else str(value)


def text(value: str) -> str:
    r"""Broken bytes of a file name, which Parquet's text cannot hold, escaped.

    >>> text("a\udcff.ply")
    'a\\udcff.ply'
    """
    return value.encode("utf-8", errors="backslashreplace").decode()


def _none_or_text(value: str | None) -> str | None:
    return None if value is None else text(value)

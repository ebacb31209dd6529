"""Rows as Parquet. No other module imports pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from openshape_ood.checks import require_memory
from openshape_ood.embedding_store.footer import column_chunks
from openshape_ood.embedding_store.schema import COLUMNS, KEY, MAX_WORD, Failed, Header, Rows, text
from openshape_ood.errors import FileError, MissingPackageError
from openshape_ood.storage import DAMAGE, check_regular

GROUP_ROWS = 65_536
BATCH_BYTES = 64 * 2**20  # maximum number of bytes of embeddings to decode at once
MAX_ROWS = 2**20  # a file may have this number of rows plus one row per byte


def check_parquet() -> ModuleType:
    """Import pyarrow. Raises `MissingPackageError`."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingPackageError(
            "Parquet is not available. Expected the package pyarrow. Run pip install 'openshape-ood[parquet]', or use "
            ".safetensors or .npz."
        ) from error
    return pyarrow


def to_bytes(rows: Rows, header: Header) -> bytes:
    """Parquet file with one row per shape. Failures are at the end, with status and reason but no embedding."""
    arrow = check_parquet()
    n, lost = len(rows.ids), len(rows.failed)
    kind = arrow.list_(arrow.float32(), header.dim)
    vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.check(header).ravel()), type=kind)
    words: dict[str, Sequence[str | None]] = {
        "id": [*rows.ids, *(one.id for one in rows.failed)],
        "path": [*rows.paths, *(one.path for one in rows.failed)],
        "up": [*rows.ups, *(one.up or None for one in rows.failed)],
        "stamp": [*rows.stamps, *(one.stamp for one in rows.failed)],
        "provenance": [json.dumps(asdict(header.provenance))] * (n + lost),
        "status": ["ok"] * n + ["error"] * lost,
        "error": [None] * n + [one.error for one in rows.failed],
    }
    columns: dict[str, Any] = {
        name: arrow.array([None if value is None else text(value) for value in values], arrow.string())
        for name, values in words.items()
    }
    columns["embedding"] = arrow.concat_arrays([vectors, arrow.nulls(lost, kind)])
    return _to_bytes(arrow.table(columns).select(COLUMNS).replace_schema_metadata({KEY: header.to_json()}))


def read_header(path: Path) -> Header:
    with _opened(path) as file:
        return Header.from_json((file.schema_arrow.metadata or {}).get(KEY.encode()), path)


def read_rows(path: Path, header: Header, columns: Collection[str], batch_rows: int) -> Iterator[dict[str, Any]]:
    """Rows with an embedding, at most `batch_rows` at a time. "embedding" is (n, d), other columns are lists of str."""
    for some in _batches(path, [*{*columns, "status"}], batch_rows, header.dim):
        good = np.flatnonzero([status == "ok" for status in _words(some["status"], path)])
        if not len(good):
            continue
        some = some if len(good) == len(some) else some.take(good)
        _check_filled(some, {*columns} - {"error", "embedding"}, path)
        batch: dict[str, Any] = {name: _words(some[name], path) for name in columns if name != "embedding"}
        if "embedding" in columns:
            vectors = some["embedding"]
            if vectors.null_count:
                raise FileError(
                    f"{path} has {vectors.null_count} rows with status ok without an embedding. Expected an embedding "
                    "in each. Remove the file and embed again."
                )
            batch["embedding"] = np.asarray(vectors.flatten(), dtype=np.float32).reshape(len(vectors), header.dim)
        yield batch


def read_failed(path: Path) -> Iterator[Failed]:
    """Rows without an embedding."""
    columns = ("id", "path", "error", "up", "stamp", "status")
    for some in _batches(path, columns, GROUP_ROWS):
        for *row, status in zip(*(_words(some[name], path) for name in columns), strict=True):
            if status != "ok":
                if None in row[:3]:
                    raise FileError(
                        f"{path} has failures without id, path or reason. Expected all. Remove it and embed again."
                    )
                yield Failed(*(word or "" for word in row))


def read_words(path: Path, columns: Sequence[str]) -> Iterator[list[tuple[str | None, ...]]]:
    """String columns of any Parquet file, in batches. The first column is required; other missing columns give None."""
    with _opened(path, columns[:1], words=columns) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        for some in _all_rows(file, path, columns=present):
            empty = [None] * len(some)
            cells = [_words(some[name], path, _word) if name in present else empty for name in columns]
            yield list(zip(*cells, strict=True))


def only(path: Path, mask: np.ndarray) -> bytes:
    """Copy of the file with only the rows in the mask (n,)."""
    arrow = check_parquet()
    with _opened(path, ("embedding",)) as file:
        return _to_bytes(file.read().filter(arrow.array(mask)))


def _to_bytes(table: Any) -> bytes:
    """Parquet bytes. Strings are stored with a dictionary, numbers without."""
    from pyarrow import BufferOutputStream, parquet

    buffer, words = BufferOutputStream(), [name for name in COLUMNS if name != "embedding"]
    how = {"compression": "zstd", "row_group_size": GROUP_ROWS, "write_page_checksum": True}
    parquet.write_table(table, buffer, use_dictionary=words, **how)
    return buffer.getvalue().to_pybytes()


def _batches(path: Path, columns: Sequence[str], batch_rows: int, dim: int | None = None) -> Iterator[Any]:
    arrow = check_parquet()
    if dim is not None and "embedding" in columns:
        batch_rows = max(1, min(batch_rows, BATCH_BYTES // (4 * dim)))
    with _opened(path, columns) as file:
        if dim is not None and "embedding" in columns:
            kind = file.schema_arrow.field("embedding").type
            if not arrow.types.is_fixed_size_list(kind) or (kind.list_size, str(kind.value_type)) != (dim, "float"):
                raise FileError(
                    f"{path} has embeddings of type {kind}. Expected {dim} float32 numbers. "
                    "Remove the file and embed again."
                )
        for some in _all_rows(file, path, batch_size=batch_rows, columns=columns):
            _check_filled(some, {"status"}, path)
            yield some


def _check_filled(some: Any, columns: Collection[str], path: Path) -> None:
    for name in columns:
        if some[name].null_count:
            raise FileError(
                f"{path} has rows without {name}. Expected it in every row. Remove the file and embed again."
            )


def _all_rows(file: Any, path: Path, **how: Any) -> Iterator[Any]:
    rows = 0
    for some in file.iter_batches(**how):
        rows += len(some)
        yield some
    if rows != file.metadata.num_rows:  # pyarrow may silently skip a page with a damaged header
        raise FileError(
            f"{path} has {rows:,} readable rows. Expected {file.metadata.num_rows:,}. Remove the file and embed again."
        )


@contextmanager
def _opened(path: Path, needed: Sequence[str] = COLUMNS, words: Sequence[str] = COLUMNS) -> Iterator[Any]:
    """Open a Parquet file that has the columns `needed`. The columns `words` are read as dictionaries.

    Raises `FileError` for any other file, also for errors inside the `with` block.
    """
    arrow = check_parquet()
    from pyarrow import parquet

    try:
        check_regular(path)
        schema = parquet.read_schema(path)
        lacks = [name for name in needed if name not in schema.names]
        if lacks:
            raise FileError(
                f"{path} has no column {', '.join(lacks)}. Expected {', '.join(needed)}. Add it, or check the path."
            )
        # read as dictionaries, so that a repeated long string is stored in memory once
        words = [name for name in words if name in schema.names and not schema.field(name).type.num_fields]
        with parquet.ParquetFile(path, read_dictionary=words, page_checksum_verification=True) as file:
            _check_size(file.metadata, path)
            yield file
    except FileError:
        raise
    except (arrow.ArrowException, OSError, *DAMAGE) as error:
        reason = " ".join(str(error).split())[:300]
        raise FileError(
            f"cannot read {path} as Parquet ({reason}). Expected an undamaged file. Remove it and embed again."
        ) from error


def _check_size(metadata: Any, path: Path) -> None:
    """Raise `FileError` for a file whose content is far larger than the file, for example by repeated values."""
    size = path.stat().st_size
    if metadata.num_rows > size + MAX_ROWS:
        raise FileError(
            f"{path} has {metadata.num_rows:,} rows in {size:,} bytes. Expected no more rows than bytes. "
            "Check where it is from; it may be a decompression bomb."
        )
    chunks = column_chunks(path)
    numbers = sum(one.values for one in chunks if one.name == "embedding")
    require_memory(4 * numbers + sum(one.size for one in chunks), size, "its content")


def _words(column: Any, path: Path, as_word: Callable[[Any], Any] = lambda value: value) -> list[str | None]:
    """Column of strings, converted by `as_word` if necessary. Equal strings are one object."""
    try:
        if not hasattr(column, "dictionary"):  # numbers, or another string type
            column = column.dictionary_encode()
        words = [as_word(value) for value in column.dictionary.to_pylist()]
        values = [None if i is None else words[i] for i in column.indices.to_pylist()]
    except (UnicodeDecodeError, IndexError) as error:
        raise FileError(
            f"cannot read {path} as Parquet ({error}). Expected an undamaged file. Remove it and embed again."
        ) from error
    if any(type(word) is not str or len(word) > MAX_WORD for word in words if word is not None):
        raise FileError(
            f"{path} contains a value that is not text, or has more than {MAX_WORD:,} characters. Expected ids, paths "
            "and reasons. Embed the shapes again."
        )
    return values


def _word(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integer ids with missing values is read as floats
    return None if value is None else os.fsdecode(value) if isinstance(value, bytes) else str(value)

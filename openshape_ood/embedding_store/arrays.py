"""Rows stored as .npz and .safetensors files, without pickle.

A file contains the array `embedding` (n, d) float32. Id, path, up, stamp, failures, header and checksum are JSON.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from openshape_ood.embedding_store.schema import KEY, Failed, Header, Rows, checksum, text
from openshape_ood.errors import FileError, InputError
from openshape_ood.storage import DAMAGE, check_regular

WORDS = ("id", "path", "up", "stamp")
UNREADABLE = (OSError, EOFError, MemoryError, RuntimeError, SyntaxError, TokenError, zipfile.BadZipFile, zlib.error)


def to_npz(rows: Rows, header: Header) -> bytes:
    buffer, (embedding, words) = io.BytesIO(), _parts(rows, header)
    texts = {name: np.array(content) for name, content in words.items()}
    np.savez(buffer, allow_pickle=False, embedding=embedding, **texts)
    return buffer.getvalue()


def to_safetensors(rows: Rows, header: Header) -> bytes:
    from safetensors import SafetensorError
    from safetensors.numpy import save

    embedding, texts = _parts(rows, header)
    try:
        return save({"embedding": embedding}, texts)
    except SafetensorError as error:  # the header has at most 100 MB
        raise InputError(
            f"{len(rows):,} shapes do not fit into one .safetensors ({error}). Expected fewer shapes. Give a folder."
        ) from error


def read_header(path: Path) -> Header:
    with _opened(path) as (texts, _):
        return Header.from_json(texts.get(KEY), path)


def read_rows(path: Path, header: Header, columns: Collection[str], batch_rows: int) -> Iterator[dict[str, Any]]:
    """Rows by column, as from `parquet.read_rows`."""
    with _opened(path) as (texts, read):
        embedding = read("embedding")
        if texts["sum"] != _checksum(texts, embedding):
            raise ValueError("damaged: its checksum differs")
        words = {name: list(json.loads(texts[name])) for name in WORDS}
        shape, n = (embedding.shape, str(embedding.dtype)), len(words["id"])
        if shape != ((n, header.dim), "float32") or any(len(column) != n for column in words.values()):
            raise ValueError(f"its array is {shape} for {n} ids and {header.dim} numbers a row")
        if any(type(word) is not str for column in words.values() for word in column):
            raise ValueError("an id, path or axis is not text")
        same: dict[str, Any] = {"provenance": json.dumps(asdict(header.provenance)), "status": "ok", "error": None}
        table: dict[str, Any] = {**words, "embedding": embedding}
        for start in range(0, n, batch_rows):
            some = slice(start, min(start + batch_rows, n))
            yield {c: table[c][some] if c in table else [same[c]] * (some.stop - start) for c in columns}


def read_failed(path: Path) -> Iterator[Failed]:
    """Shapes that could not be embedded."""
    with _opened(path) as (texts, _):
        for one in json.loads(texts["failed"]):
            yield Failed(**{key: str(value) for key, value in one.items()})


def _parts(rows: Rows, header: Header) -> tuple[np.ndarray, dict[str, str]]:
    """Embedding array, and all strings."""
    embedding = rows.check(header)
    failed = [{key: text(value) for key, value in asdict(one).items()} for one in rows.failed]
    columns = {
        name: [*map(text, column)]
        for name, column in zip(WORDS, (rows.ids, rows.paths, rows.ups, rows.stamps), strict=True)
    }
    metadata = {KEY: header.to_json(), **{k: json.dumps(v) for k, v in {**columns, "failed": failed}.items()}}
    return embedding, metadata | {"sum": _checksum(metadata, embedding)}


def _checksum(texts: Mapping[str, str], embedding: np.ndarray) -> str:
    return checksum({name: texts[name] for name in (KEY, *WORDS, "failed")}, embedding.tobytes())


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Mapping[str, str], Callable[[str], np.ndarray]]]:
    """Strings of a file, and a function that reads an array.

    Raises `FileError` for any other file, also for errors inside the `with` block.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
            # arrays must be uncompressed, so that the file size bounds the memory
            if sum(one.file_size for one in members) > path.stat().st_size or any(one.compress_type for one in members):
                raise ValueError("its arrays are compressed")
            with np.load(path, allow_pickle=False) as file:
                yield {name: str(file[name]) for name in file.files if name != "embedding"}, file.__getitem__
        else:
            with safe_open(path, framework="numpy") as file:
                yield file.metadata() or {}, file.get_tensor
    except FileError:
        raise
    except (*UNREADABLE, SafetensorError, *DAMAGE) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise FileError(
            f"cannot read {path} ({reason}). Expected a file of `openshape-ood embed`. Embed the shapes again."
        ) from error

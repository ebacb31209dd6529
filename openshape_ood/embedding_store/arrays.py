"""Rows as arrays in .npz and .safetensors: `embedding` (n, d) float32, and id, path and up (n,) with it.

Of safetensors the words are in the metadata, as JSON; so is in both what failed, under `failed`. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from openshape_ood.embedding_store.schema import KEY, Failed, Header, Rows, text
from openshape_ood.errors import FileError, InputError

WORDS = ("id", "path", "up")


class _File(NamedTuple):
    """What is in a file: its texts, and the embeddings, of which slices can be taken."""

    texts: dict[str, Any]
    embedding: Any


def to_npz(rows: Rows, header: Header) -> bytes:
    buffer = io.BytesIO()
    embeddings, words, texts = _content(rows, header)
    columns: dict[str, Any] = {name: np.array(values, dtype=np.str_) for name, values in words.items()}
    np.savez(buffer, allow_pickle=False, embedding=embeddings, **columns, **{k: np.array(v) for k, v in texts.items()})
    return buffer.getvalue()


def to_safetensors(rows: Rows, header: Header) -> bytes:
    from safetensors import SafetensorError
    from safetensors.numpy import save

    embeddings, words, texts = _content(rows, header)
    try:
        return save({"embedding": embeddings}, {**texts, **{name: json.dumps(v) for name, v in words.items()}})
    except SafetensorError as error:  # 100 MB of words at most
        raise InputError(f"{len(rows):,} shapes do not fit into one .safetensors ({error}); give a folder") from error


def read_header(path: Path) -> Header:
    with _opened(path) as file:
        return Header.from_json(file.texts.get(KEY), path)


def read_rows(path: Path, columns: Collection[str], batch_rows: int) -> Iterator[dict[str, Any]]:
    """As `parquet.read_rows`."""
    with _opened(path) as file:
        header = Header.from_json(file.texts.get(KEY), path)
        words = {name: _list(file, name) for name in WORDS}
        n = len(words["id"])
        _expect(all(type(word) is str for column in words.values() for word in column), "words that are no text")
        _expect(list(file.embedding.shape) == [n, header.dim], f"no embeddings of {n} rows and {header.dim} numbers")
        _expect(all(len(column) == n for column in words.values()), "columns of different lengths")
        same = {"provenance": json.dumps(asdict(header.provenance)), "status": "ok", "error": None}
        for start in range(0, n, batch_rows):
            stop = min(start + batch_rows, n)
            batch: dict[str, Any] = {name: words[name][start:stop] for name in columns if name in words}
            batch |= {name: [same[name]] * (stop - start) for name in columns if name in same}
            if "embedding" in columns:
                batch["embedding"] = np.ascontiguousarray(file.embedding[start:stop])
                _expect(batch["embedding"].dtype == np.float32, f"embeddings of {batch['embedding'].dtype}")
            yield {name: batch[name] for name in columns}


def read_failed(path: Path) -> Iterator[Failed]:
    """What failed."""
    with _opened(path) as file:
        for one in json.loads(file.texts.get("failed", "[]")):
            yield Failed(**{key: str(value) for key, value in one.items()})


def _content(rows: Rows, header: Header) -> tuple[np.ndarray, dict[str, list[str]], dict[str, str]]:
    words = {"id": rows.ids, "path": rows.paths, "up": rows.ups}
    failed = [{key: text(value) for key, value in asdict(one).items()} for one in rows.failed]
    texts = {KEY: header.to_json(), "failed": json.dumps(failed)}
    return rows.check(header), {name: [text(word) for word in column] for name, column in words.items()}, texts


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    """The content of a file. Raises `FileError` for any other, also where that shows later."""
    from safetensors import SafetensorError

    try:
        with (_npz if path.suffix.lower() == ".npz" else _safetensors)(path) as file:
            yield file
    except (OSError, KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile, SafetensorError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read embeddings from {path}: {error or type(error).__name__}") from error


@contextmanager
def _safetensors(path: Path) -> Iterator[_File]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        yield _File(file.metadata() or {}, _Slices(file.get_slice("embedding")))


class _Slices:
    """Slices of a tensor on disk, with its shape."""

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.shape = tensor, tensor.get_shape()

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.tensor[rows]


@contextmanager
def _npz(path: Path) -> Iterator[_File]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        # stored as they are, so that no more can come out of a file than it holds
        _expect(all(one.compress_type == zipfile.ZIP_STORED for one in members.values()), "compressed arrays")
        _expect(len(members) <= 16 and sum(one.file_size for one in members.values()) <= path.stat().st_size, "a bomb")
        arrays = {name: _array(archive, info) for name, info in members.items()}
    yield _File({name: one.item() if one.ndim == 0 else one for name, one in arrays.items()}, arrays["embedding"])


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        _expect(np.lib.format.read_magic(file) == (1, 0), "arrays of another version of .npy")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        _expect(dtype.kind in "fU" and not fortran, f"an array of {dtype}")
        data = file.read()
        _expect(math.prod(shape) * dtype.itemsize == len(data), f"{len(data)} bytes for an array {shape} of {dtype}")
        return np.frombuffer(data, dtype).reshape(shape) if data else np.zeros(shape, dtype)


def _list(file: _File, name: str) -> list[Any]:
    found = file.texts[name]
    return list(json.loads(found) if isinstance(found, str) else found.tolist())


def _expect(fine: bool, found: str) -> None:
    if not fine:
        raise ValueError(f"it holds {found}; expected what `openshape-ood embed` wrote")

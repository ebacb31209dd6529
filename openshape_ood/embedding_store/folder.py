"""Folder of embeddings: shards written whole or not at all, a manifest, and every id once.

DIR/embeddings/shard-*.parquet holds embeddings, DIR/errors/shard-*.parquet failures, with the same columns.
DIR/manifest.json is the header. A shard's name is a hash of its ids, so repeated work replaces the shard.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, compress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from openshape_ood.embedding_store import parquet
from openshape_ood.embedding_store.files import EMBEDDINGS, ERRORS, shard_files
from openshape_ood.embedding_store.schema import Header, Rows
from openshape_ood.errors import FileError
from openshape_ood.storage import read_regular, save_whole

MANIFEST, LOCK = "manifest.json", ".lock"


class Counts(NamedTuple):
    """Rows of a folder, rows of its errors, and removed rows with duplicate ids."""

    rows: int
    errors: int
    removed: int


def open_folder(folder: Path, header: Header) -> None:
    """Create a folder for embeddings with this header, or check an existing one.

    Raises the errors of `Header.check_one_folder`, and `FileError` for a folder with other content.
    """
    _make(folder)
    names = os.listdir(folder)
    if MANIFEST in names:
        there = read_manifest(folder)
        if there.provenance.identity == header.identity and there.settings() == header.settings():
            return
        if next((folder / EMBEDDINGS).glob("shard-*.parquet"), None):  # a run without results does not fix the header
            header.check_one_folder(there, folder)
    others = sorted(name for name in names if not name.startswith((".", MANIFEST)) and name not in (EMBEDDINGS, ERRORS))
    if others:
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise FileError(f"{folder} holds other things ({some}) beside {MANIFEST}; expected a new or empty folder")
    save_whole(folder / MANIFEST, (json.dumps(json.loads(header.to_json()), indent=2) + "\n").encode(), "the manifest")


def read_manifest(folder: Path) -> Header:
    """Header of the embeddings in a folder. Raises `FileError` if there is none."""
    with _as_file_error(f"cannot read {folder / MANIFEST}"):
        return Header.from_json(read_regular(folder / MANIFEST), folder / MANIFEST)


@contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Lock a folder for one run, or for several `shared` ones. Raises `FileError` if another run holds it.

    The lock of a killed run is released. File systems without locks are not locked.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    _make(folder)
    with _as_file_error(f"cannot write to {folder}"):
        file = (folder / LOCK).open("w")
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(f"another run is writing to {folder}; wait for it, or give another --out") from None
        except OSError:
            pass
        yield


def write_shard(folder: Path, rows: Rows, header: Header) -> None:
    """Write a shard; a shard with the same ids is replaced. Raises `FileError`."""
    # hash of all ids, failed ones included
    ids = json.dumps(sorted([*rows.ids, *(one.id for one in rows.failed)]))
    name = f"shard-{hashlib.sha256(ids.encode()).hexdigest()[:24]}.parquet"
    for kind in (EMBEDDINGS, ERRORS):
        _make(folder / kind)
    if rows.ids:
        save_whole(folder / EMBEDDINGS / name, parquet.to_bytes(replace(rows, failed=()), header), "embeddings to")
    # after the embeddings, so that a shape is never in neither file; `settle` decides between two entries
    if rows.failed:
        lost = Rows([], [], [], rows.embeddings[:0], rows.failed)
        save_whole(folder / ERRORS / name, parquet.to_bytes(lost, header), "errors to")
    else:
        (folder / ERRORS / name).unlink(missing_ok=True)


def key(word: str) -> bytes:
    """Digest of a string; ten million strings would take gigabytes."""
    return hashlib.blake2b(word.encode(), digest_size=16).digest()


def keys(words: Iterable[str]) -> np.ndarray:
    """Digests (n,) of n strings."""
    return np.fromiter(map(key, words), dtype="S16")


def place(id: str, path: str, stamp: str = "") -> str:
    """Id, path and file state as one string."""
    return f"{id}\0{path}\0{stamp}"


def texts_of(id: str, path: str, stamp: str) -> tuple[str, str, str]:
    """Keys of a row: id; id with file and state; id with file."""
    return id, place(id, path, stamp), place(id, path)


def stamp_of(path: str) -> str:
    """Size and modification time of a file; "" if it is missing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}"


def written(folder: Path, kind: str = EMBEDDINGS) -> Iterator[tuple[str, str, str]]:
    """Id, path and stamp of every row in a folder; kind: EMBEDDINGS or ERRORS."""
    for file in shard_files(folder, kind):
        for rows in parquet.read_words(file, ("id", "path", "stamp")):
            yield from ((id or "", path or "", stamp or "") for id, path, stamp in rows)


def forget_errors(folder: Path, places: np.ndarray) -> None:
    """Remove errors from a folder before their shapes are tried again; places: `keys` of `place`."""
    for path in shard_files(folder, ERRORS):
        _keep(path, ~np.isin(keys(place(one.id, one.path, one.stamp) for one in parquet.read_failed(path)), places))


def settle(folder: Path) -> Counts:
    """Make every id unique: drop errors of shapes embedded since, duplicates, and partial files of killed processes.

    Of two rows with an id, the one of the current file stays. Call it while nothing else writes there. Shards are
    replaced by copies without the dropped rows.
    """
    for kind in (EMBEDDINGS, ERRORS):
        for partial in (folder / kind).glob("*.partial"):
            partial.unlink(missing_ok=True)
    embedded, errors = shard_files(folder, EMBEDDINGS), shard_files(folder, ERRORS)
    ids = [keys(id or "" for rows in parquet.read_words(file, ("id",)) for (id,) in rows) for file in embedded + errors]
    if not ids:
        return Counts(0, 0, 0)
    everything = np.concatenate(ids)
    _, inverse, counts = np.unique(everything, return_inverse=True, return_counts=True)
    stale = np.zeros(len(everything), dtype=bool)
    twice = counts[inverse] > 1
    if twice.any():
        rows_of = chain(written(folder), written(folder, ERRORS))
        for i, (_, path, stamp) in compress(enumerate(rows_of), twice):
            stale[i] = bool(stamp) and stamp != stamp_of(path)
    order = np.argsort(stale, kind="stable")  # embeddings come before errors
    kept = np.zeros(len(everything), dtype=bool)
    kept[order[np.unique(everything[order], return_index=True)[1]]] = True
    rows = sum(map(len, ids[: len(embedded)]))
    for file, mask in zip(embedded + errors, np.split(kept, np.cumsum([len(part) for part in ids])[:-1]), strict=True):
        _keep(file, mask)
    return Counts(int(kept[:rows].sum()), int(kept[rows:].sum()), rows - int(kept[:rows].sum()))


def _keep(path: Path, mask: np.ndarray) -> None:
    if not mask.any():
        path.unlink(missing_ok=True)
    elif not mask.all():
        save_whole(path, parquet.only(path, mask), "embeddings to")


def _make(folder: Path) -> None:
    with _as_file_error(f"cannot write to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _as_file_error(what: str) -> Iterator[None]:
    """Raise errors of the system as `FileError`."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{what}: {error.strerror or error}") from error

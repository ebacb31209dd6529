"""Folder of embeddings, with shards and a manifest. A failed write leaves no shard, and every id occurs once.

DIR/embeddings/shard-*.parquet contain embeddings, and DIR/errors/shard-*.parquet contain failures, with the same
columns. DIR/manifest.json is the header. The name of a shard is a hash of its ids, so repeated work replaces the shard.
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
    """Numbers of embeddings, of errors, and of removed rows with duplicate ids in a folder."""

    rows: int
    errors: int
    removed: int


def open_folder(folder: Path, header: Header) -> None:
    """Create a folder for embeddings with this header, or check an existing one.

    Raises the errors of `Header.check_one_folder`, and `FileError` if the folder has other content.
    """
    _make(folder)
    names = os.listdir(folder)
    if MANIFEST in names:
        there = read_manifest(folder)
        if there.provenance.identity == header.identity and there.settings() == header.settings():
            return
        if next((folder / EMBEDDINGS).glob("shard-*.parquet"), None):  # without embeddings, the header may be replaced
            header.check_one_folder(there, folder)
    others = sorted(name for name in names if not name.startswith((".", MANIFEST)) and name not in (EMBEDDINGS, ERRORS))
    if others:
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise FileError(f"{folder} contains other files ({some}). Expected a new or empty folder. Give another --out.")
    save_whole(folder / MANIFEST, (json.dumps(json.loads(header.to_json()), indent=2) + "\n").encode(), "the manifest")


def read_manifest(folder: Path) -> Header:
    """Header of the embeddings in a folder. Raises `FileError` if there is none."""
    with _as_file_error(f"cannot read {folder / MANIFEST}"):
        return Header.from_json(read_regular(folder / MANIFEST), folder / MANIFEST)


@contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Lock a folder for one run, or for several runs with `shared`. Raises `FileError` if another run has the lock.

    If a run is killed, its lock is released. On a file system without locks, nothing is locked.
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
            raise FileError(
                f"another run is writing to {folder}. Expected one run at a time. Wait for it, or give another --out."
            ) from None
        except OSError:
            pass
        yield


def write_shard(folder: Path, rows: Rows, header: Header) -> None:
    """Write a shard. It replaces a shard with the same ids. Raises `FileError` if writing fails."""
    # hash of all ids, including failed ones
    ids = json.dumps(sorted([*rows.ids, *(one.id for one in rows.failed)]))
    name = f"shard-{hashlib.sha256(ids.encode()).hexdigest()[:24]}.parquet"
    for kind in (EMBEDDINGS, ERRORS):
        _make(folder / kind)
    if rows.ids:
        save_whole(folder / EMBEDDINGS / name, parquet.to_bytes(replace(rows, failed=()), header), "embeddings to")
    # errors are written after embeddings, so that a shape is always in at least one file; `settle` removes duplicates
    if rows.failed:
        lost = Rows([], [], [], rows.embeddings[:0], rows.failed)
        save_whole(folder / ERRORS / name, parquet.to_bytes(lost, header), "errors to")
    else:
        (folder / ERRORS / name).unlink(missing_ok=True)


def key(word: str) -> bytes:
    """Digest of a string, because ten million strings would take gigabytes of memory."""
    return hashlib.blake2b(word.encode(), digest_size=16).digest()


def keys(words: Iterable[str]) -> np.ndarray:
    """Digests (n,) of n strings."""
    return np.fromiter(map(key, words), dtype="S16")


def place(id: str, path: str, stamp: str = "") -> str:
    """Id, path and file state as one string."""
    return f"{id}\0{path}\0{stamp}"


def texts_of(id: str, path: str, stamp: str) -> tuple[str, str, str]:
    """Three strings that identify a row: id; id, path and state of the file; id and path."""
    return id, place(id, path, stamp), place(id, path)


def stamp_of(path: str) -> str:
    """Size and modification time of a file; "" if it is missing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}"


def written(folder: Path, kind: str = EMBEDDINGS) -> Iterator[tuple[str, str, str]]:
    """Id, path and stamp of every row in a folder. `kind` is EMBEDDINGS or ERRORS."""
    for file in shard_files(folder, kind):
        for rows in parquet.read_words(file, ("id", "path", "stamp")):
            yield from ((id or "", path or "", stamp or "") for id, path, stamp in rows)


def forget_errors(folder: Path, places: np.ndarray) -> None:
    """Remove errors from a folder before their shapes are embedded again. `places` are digests by `keys` of `place`."""
    for path in shard_files(folder, ERRORS):
        _keep(path, ~np.isin(keys(place(one.id, one.path, one.stamp) for one in parquet.read_failed(path)), places))


def settle(folder: Path) -> Counts:
    """Make every id unique: remove duplicates, errors of shapes that were embedded later, and partial files.

    Killed processes leave partial files. If two rows have the same id, the row of the current version of the shape file
    is kept. Shards are replaced by copies without the removed rows. While this runs, no other process may write to the
    folder.
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
    """Raise errors of the operating system as `FileError`."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{what} ({error.strerror or error}). Expected a folder with access. Check its permissions and free space."
        ) from error

"""DIR/manifest.json: what a folder's embeddings are made with, so that nothing else is mixed in; one run at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openshape_ood import __version__
from openshape_ood.embedding_store.schema import FORMAT, Origin
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.storage import save_whole

NAME, LOCK = "manifest.json", ".lock"


def open_folder(folder: Path, origin: Origin, preprocessing: Mapping[str, Any]) -> None:
    """Makes a folder for embeddings of this origin and preprocessing, or checks that it is one or holds none yet.

    Raises `MixedEncodersError` for a folder of another checkpoint, `InputError` for one of other preprocessing, each
    naming both, and `FileError` for a folder of other things.
    """
    path = folder / NAME
    if not path.is_file():
        _check_empty(folder)
        _write(path, origin, preprocessing)
        return
    found = read_manifest(folder)
    if not any(folder.glob("*/part-*.parquet")):  # an earlier run that came to nothing binds none
        _write(path, origin, preprocessing)
        return
    if found["checkpoint_hash"] != origin.checkpoint_hash:
        there = f"{found['checkpoint']} (sha256 {str(found['checkpoint_hash'])[:8]})"
        raise MixedEncodersError(f"{folder} holds embeddings by {there}, asked for was {origin}; give another --out")
    if found["preprocessing"] != dict(preprocessing):
        there = _differences(found["preprocessing"], preprocessing)
        here = _differences(preprocessing, found["preprocessing"])
        raise InputError(f"{folder} holds embeddings made with {there}, asked for was {here}; give another --out")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder. Raises `FileError` where there is none."""
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] == FORMAT and isinstance(found["preprocessing"], dict) and "checkpoint_hash" in found:
            return dict(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    raise FileError(f"{path} is no manifest of {FORMAT!r}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time in a folder. Raises `FileError` while another has it; a killed run leaves it free."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise FileError(f"cannot write to {folder}: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(f"another run is writing to {folder}; wait for it, or give another --out") from None
        except OSError:
            pass  # a file system without locks
        yield


def _write(path: Path, origin: Origin, preprocessing: Mapping[str, Any]) -> None:
    content = {
        "format": FORMAT,
        "version": __version__,
        "checkpoint": origin.checkpoint,
        "checkpoint_hash": origin.checkpoint_hash,
        "dimensions": origin.dimensions,
        "preprocessing": dict(preprocessing),
    }
    save_whole(path, (json.dumps(content, indent=2) + "\n").encode(), "the manifest")


def _check_empty(folder: Path) -> None:
    others = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    if others:
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise FileError(f"{folder} holds other things ({some}) and no {NAME}; expected a new or empty folder")


def _differences(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What differs, as `own` has it."""
    keys = sorted(key for key in {*own, *other} if own.get(key) != other.get(key))
    return ", ".join(f"{key} {own.get(key)}" for key in keys)

"""Files that are there whole or not at all, cache folders, and a store of small arrays that survives a crash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openshape_ood.errors import FileError

CACHE_VARIABLE = "OPENSHAPE_OOD_CACHE"


def hub_folder() -> Path | None:
    """Where files of the Hub are kept; None leaves that to huggingface_hub (HF_HOME, HF_HUB_CACHE)."""
    moved = os.environ.get(CACHE_VARIABLE)
    return Path(moved).expanduser() / "hub" if moved else None


def own_folder(name: str) -> Path:
    """Where this library keeps what it computed itself."""
    moved = os.environ.get(CACHE_VARIABLE)
    if moved:
        return Path(moved).expanduser() / name
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "openshape_ood" / name


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which becomes `path` if nothing was raised and is gone otherwise.

    A reader sees the old file or the whole new one, however many processes and threads write at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:  # also when interrupted
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


class ArrayStore:
    """Vectors (d,) float32 on disk, one file for each key; a file that cannot be used is as good as none."""

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim

    def get(self, key: str) -> NDArray[np.float32] | None:
        try:
            vector = np.load(self._path(key), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        sound = vector.shape == (self.dim,) and vector.dtype == np.float32 and np.isfinite(vector).all()
        return vector if sound else None

    def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """Kept if the disk allows it: a cache that cannot be written must not stop the work."""
        with contextlib.suppress(OSError), replacing(self._path(key)) as partial, open(partial, "wb") as file:
            np.save(file, vector, allow_pickle=False)

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"


def save_whole(path: str | os.PathLike[str], content: bytes, what: str) -> Path:
    """Write `content` under a temporary name beside `path`, then rename. Raises `FileError` naming `what`."""
    path = Path(path).expanduser()
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise FileError(f"cannot write {what} {path}: {error.strerror or error}") from error
    finally:  # also when interrupted
        partial.unlink(missing_ok=True)
    return path

"""Clouds in HDF5 files. `index` validates a file; a row is read when it is needed."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import require_memory
from openshape_ood.errors import ShapeFileError

LAYOUT = "expected the layout of the 3DOS release, see benchmarks/README.md"
_HANDLES = 4  # open files per process
_LISTED = 256  # memory of a cloud in a list without its points, in bytes
_DAMAGE = (OSError, KeyError, IndexError, ValueError, TypeError, AttributeError)
# In files with h5py's automatic chunks, such as the caches of 3DOS, a chunk has parts of several rows. With this cache
# a row is read in a quarter of the time.
_CHUNK_CACHE = {"rdcc_nbytes": 32 << 20, "rdcc_nslots": 100_003}


@dataclass(frozen=True, slots=True)
class H5Shape:
    """A cloud in a file: row `start` of `data` (n, points, 3); with `stop`, points start to stop of `data` (n, 3)."""

    title: str
    id: str
    path: Path
    start: int
    stop: int = 0

    def read(self) -> np.ndarray:
        """Read the cloud (n, 3) float32, without the rest of the file."""
        words = f"points {self.start} to {self.stop} ({self.id})" if self.stop else f"row {self.start}"
        try:
            state = self.path.stat()
            data = _opened(str(self.path), (state.st_ino, state.st_size, state.st_mtime_ns), os.getpid())
            row = self.stop - self.start if self.stop else math.prod(data.shape[1:2])
            require_memory(12 * row, state.st_size, words)
            cloud = np.asarray(data[self.start : self.stop] if self.stop else data[self.start], dtype=np.float32)
        except _DAMAGE as error:
            raise ShapeFileError(f"cannot read {words} of {self.path}: {_reason(error)}") from error
        if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
            raise ShapeFileError(f"{words} of {self.path} has the shape {cloud.shape}; expected (n, 3)")
        if self.stop and len(cloud) != self.stop - self.start:
            raise ShapeFileError(f"{self.path} ends before point {self.stop} ({self.id})")
        return cloud


@lru_cache(maxsize=_HANDLES)
def _opened(path: str, state: tuple[int, int, int], process: int) -> Any:
    """Dataset `data` of an open file. It is opened again in each process, and after a change of the file."""
    import h5py

    return h5py.File(path, "r", **_CHUNK_CACHE)["data"]


def index(path: Path, points: int | None = None, labels: int | None = None) -> tuple[int, np.ndarray]:
    """Validate a file; returns the number of clouds in `data` (n, points, 3), and `label` (n,).

    points: required number of points, None for any; labels: number of classes, None for a file without labels.
    """
    import h5py

    if not path.is_file():
        raise ShapeFileError(f"there is no {path}; {LAYOUT}")
    try:
        with h5py.File(path, "r") as file:
            shape, kind = tuple(file["data"].shape), file["data"].dtype.kind
            require_memory(_LISTED * math.prod(shape[:1]), path.stat().st_size, f"a list of the clouds of data {shape}")
            values = np.empty(0, np.int64) if labels is None else _labels(file["label"], shape, path)
    except ShapeFileError:
        raise
    except _DAMAGE as error:
        wanted = "data" if labels is None else "data, label"
        raise ShapeFileError(f"cannot read {path} as h5 with {wanted}: {_reason(error)}") from error
    if kind not in "fiu":
        raise ShapeFileError(f"{path} has data of the type {kind!r}; expected numbers")
    if len(shape) != 3 or shape[2] != 3 or not shape[1] or points not in (None, shape[1]):
        raise ShapeFileError(f"{path} has data {shape}; expected (n, {points or 'points'}, 3)")
    if labels is None:
        return shape[0], values
    values = values.ravel()
    strange = np.flatnonzero(~np.isin(values, np.arange(labels)))
    if len(strange):
        where = f"the first in row {strange[0]}: {values[strange[0]]}"
        raise ShapeFileError(f"{path} has labels outside 0 to {labels - 1}, {where}")
    return shape[0], values.astype(np.int64)


def _labels(given: Any, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Read the labels of clouds. Raises `ShapeFileError` first if their shape or size is wrong."""
    if given.shape not in (shape[:1], (*shape[:1], 1)):
        raise ShapeFileError(f"{path} has data {shape} and label {given.shape}; expected one label per cloud")
    require_memory(given.nbytes, path.stat().st_size, f"label {given.shape}")
    return np.asarray(given)


def _reason(error: Exception) -> str:
    """Message of an h5py error, without the quotation marks of `KeyError`."""
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)

"""Cache of embeddings on disk, by content of the cloud and settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.threedos.recipes import record_key
from openshape_ood.errors import FileError
from openshape_ood.storage import replacing

SHARD = re.compile(r"[0-9a-f]{64}\.safetensors")
ABANDONED = 3600  # seconds
# a shard per batch is not lost if the run is killed, but many small files are slow; they are then merged
MOST_SHARDS = 64


class DamagedCacheWarning(UserWarning):
    """The embedding cache has a damaged file, whose clouds are embedded again."""


def content_key(cloud: np.ndarray) -> bytes:
    """sha256 of a cloud's type, shape and numbers in C order."""
    array = np.ascontiguousarray(cloud)
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.data)
    return digest.digest()


class EmbeddingStore:
    """Raw embeddings (d,) float32 by `content_key`, for one record: checkpoint, recipe and seed.

    Each `add` writes one shard: a safetensors file whose name is the sha256 of its content, which is verified when the
    file is read. Without a folder, embeddings are in memory only.
    """

    def __init__(self, root: Path | None, record: Mapping[str, Any], dim: int) -> None:
        self.dim = dim
        name = f"{record['checkpoint'][:16]}-{record_key(dict(record))[:16]}"
        self.folder = root / "embeddings" / name if root else None
        self._index: dict[bytes, int] = {}
        # one table that grows, because thousands of small arrays would fragment the memory
        self._table = np.empty((1024, dim), dtype=np.float32)
        if self.folder:
            path = self.folder / "record.json"
            if not path.is_file():  # written only once, because a complete cache may be read-only
                _replace(path, (json.dumps(record, indent=2) + "\n").encode())
            forget_abandoned(self.folder)
            self._open(self.folder)

    def __contains__(self, key: bytes) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> frozenset[bytes]:
        """Keys of all stored embeddings."""
        return frozenset(self._index)

    def get(self, keys: Sequence[bytes]) -> np.ndarray:
        """Embeddings (b, d) in the order of the keys. Raises `KeyError` for a missing key."""
        return self._table[np.array([self._index[key] for key in keys], dtype=np.int64)]

    def add(self, keys: Sequence[bytes], embeddings: np.ndarray) -> None:
        """Store embeddings (b, d), in memory and on disk."""
        embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
        if self.folder and len(keys):
            _write_shard(self.folder, keys, embeddings)
        self._keep(keys, embeddings)

    def _keep(self, keys: Sequence[bytes], embeddings: np.ndarray) -> None:
        for key, embedding in zip(keys, embeddings, strict=True):
            row = self._index.setdefault(key, len(self._index))
            if row == len(self._table):
                self._table = np.concatenate([self._table, np.empty_like(self._table)])
            self._table[row] = embedding

    def _open(self, folder: Path) -> None:
        shards = sorted(path for path in folder.iterdir() if SHARD.fullmatch(path.name))
        for path in shards:
            self._keep(*self._read(path))
        if len(shards) > MOST_SHARDS:
            keys = sorted(self._index)
            whole = _write_shard(folder, keys, self.get(keys))
            for path in set(shards) - {whole}:
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> tuple[list[bytes], np.ndarray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != path.stem:
                raise ValueError("its content differs from its sha256")
            shard = load(content)
            keys, embeddings = shard["keys"], shard["embeddings"]
            if keys.shape != (len(embeddings), 32) or embeddings.shape != (len(keys), self.dim):
                raise ValueError(f"it has keys {keys.shape} and embeddings {embeddings.shape}")
            return list(map(bytes, keys)), embeddings
        except FileNotFoundError:  # another run has merged the shards
            pass
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            warnings.warn(f"{path}: {error}; removed, its clouds are embedded again", DamagedCacheWarning, stacklevel=2)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        return [], np.empty((0, self.dim))


def _write_shard(folder: Path, keys: Sequence[bytes], embeddings: np.ndarray) -> Path:
    from safetensors.numpy import save

    table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32)
    content = save({"keys": table, "embeddings": embeddings})
    return _replace(folder / f"{hashlib.sha256(content).hexdigest()}.safetensors", content)


def forget_abandoned(folder: Path, pattern: str = "*.partial") -> None:
    """Remove partial files that are older than `ABANDONED`, which are of killed runs."""
    for partial in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > ABANDONED:
                partial.unlink()


def _replace(path: Path, content: bytes) -> Path:
    try:
        with replacing(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        what = f"cannot write embeddings to {path.parent}: {error.strerror or error}. Expected a writable folder"
        raise FileError(f"{what}. Use --cache DIR for another one, or --no-cache") from error
    return path

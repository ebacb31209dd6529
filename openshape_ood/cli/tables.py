"""Embeddings with what they are of and from, as a file: a function a format, each whole or not at all.

All hold the same: an id and a path a shape, the embeddings (n, d) float32, the gravity axis each was read with, the
checkpoint's name and sha256, seed and num_samples, and the files that failed with their reasons. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openshape_ood import __version__
from openshape_ood.embedding_store.schema import check_parquet, text, to_bytes
from openshape_ood.errors import FileError, InputError
from openshape_ood.storage import save_whole

FORMAT = "openshape_ood embeddings 1"


@dataclass(frozen=True)
class Failed:
    """A shape without an embedding."""

    id: str
    path: str
    error: str


@dataclass(frozen=True, eq=False)
class Embedded:
    """Of n shapes: ids and paths, ups, embeddings (n, d) float32 unit vectors; what failed; what produced them."""

    ids: Sequence[str]
    paths: Sequence[str]
    ups: Sequence[str]
    embeddings: np.ndarray
    failed: Sequence[Failed]
    checkpoint: str
    checkpoint_sha256: str
    seed: int
    num_samples: int

    def header(self) -> dict[str, object]:
        """All but the columns and the failures."""
        return {
            "format": FORMAT,
            "version": __version__,
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": self.checkpoint_sha256,
            "seed": self.seed,
            "num_samples": self.num_samples,
            "shapes": len(self.ids),
            "failed": len(self.failed),
        }


def write_safetensors(table: Embedded, path: Path) -> Path:
    """The tensor `embeddings`; in the metadata `header`, `ids`, `paths`, `up` and `failed`, each as JSON."""
    from safetensors.numpy import save

    words = {"header": table.header(), "ids": list(table.ids), "paths": list(table.paths), "up": list(table.ups)}
    metadata = {key: json.dumps(value) for key, value in {**words, "failed": _failed(table)}.items()}
    return save_whole(path, save({"embeddings": _contiguous(table)}, metadata), "the embeddings")


def write_npz(table: Embedded, path: Path) -> Path:
    """The arrays `embeddings`, `ids`, `paths` and `up`, and `header` and `failed` as JSON; no pickle is needed."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        embeddings=_contiguous(table),
        ids=np.array(table.ids, dtype=np.str_),
        paths=np.array(table.paths, dtype=np.str_),
        up=np.array(table.ups, dtype=np.str_),
        header=np.array(json.dumps(table.header())),
        failed=np.array(json.dumps(_failed(table))),
    )
    return save_whole(path, buffer.getvalue(), "the embeddings")


def write_parquet(table: Embedded, path: Path) -> Path:
    """A row a shape: id, path, embedding (fixed-size list, null where it failed), up, checkpoint_sha256, status, error.

    The header is in the schema's metadata, under `openshape_ood`. Raises `MissingPackageError` without pyarrow.
    """
    arrow = check_parquet()

    n, lost = len(table.ids), len(table.failed)
    flat = arrow.array(_contiguous(table).ravel())
    found = arrow.FixedSizeListArray.from_arrays(flat, table.embeddings.shape[1])
    columns = {
        "id": arrow.array([*map(text, table.ids), *(text(one.id) for one in table.failed)], arrow.string()),
        "path": arrow.array([*map(text, table.paths), *(text(one.path) for one in table.failed)], arrow.string()),
        "embedding": arrow.concat_arrays([found, arrow.nulls(lost, found.type)]),
        "up": arrow.array([*table.ups, *[None] * lost], arrow.string()),
        "checkpoint_sha256": arrow.array([table.checkpoint_sha256] * (n + lost), arrow.string()),
        "status": arrow.array(["embedded"] * n + ["failed"] * lost, arrow.string()),
        "error": arrow.array([*[None] * n, *(text(one.error) for one in table.failed)], arrow.string()),
    }
    rows = arrow.table(columns).replace_schema_metadata({"openshape_ood": json.dumps(table.header())})
    return save_whole(path, to_bytes(rows), "the embeddings")


Writer = Callable[[Embedded, Path], Path]
WRITERS: dict[str, Writer] = {".safetensors": write_safetensors, ".npz": write_npz, ".parquet": write_parquet}


def is_folder(path: Path) -> bool:
    """Whether embeddings are to go into a folder of parts rather than into one file."""
    return path.is_dir() or not path.suffix


def check_table(path: Path) -> Writer:
    """What writes a file of this name. Raises `InputError`, `FileError` or `MissingPackageError` before any work."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise InputError(
            f"--out is {path}; expected a name that ends in {', '.join(WRITERS)}, or a folder, without an ending"
        )
    if not path.expanduser().parent.is_dir():
        raise FileError(f"--out is {path}; there is no folder {path.parent}")
    if suffix == ".parquet":
        check_parquet()
    return WRITERS[suffix]


def _contiguous(table: Embedded) -> np.ndarray:
    return np.ascontiguousarray(table.embeddings, dtype=np.float32)


def _failed(table: Embedded) -> list[dict[str, str]]:
    return [{"id": one.id, "path": one.path, "error": one.error} for one in table.failed]

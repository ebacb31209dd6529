"""Stores of made-up embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openshape_ood.embedding_store import Failed, Header, Rows
from openshape_ood.embedding_store.folder import write_shard
from openshape_ood.encoders.protocols import Identity, Provenance

IDENTITY = Identity("tiny", "tiny/text.safetensors", "ab" * 32)
HEADER = Header(Provenance(IDENTITY, up="y", version="0"), 8, 0.07, points=4)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, HEADER.dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def made_rows(ids: list[str], embeddings: np.ndarray, failed: tuple[str, ...] = ()) -> Rows:
    lost = [Failed(id, f"/in/{id}", "no cloud") for id in failed]
    return Rows(ids, [f"/in/{id}" for id in ids], ["y"] * len(ids), embeddings, lost)


def write_store(folder: Path, ids: list[str], embeddings: np.ndarray, rows: int, header: Header = HEADER) -> Path:
    for i in range(0, len(ids), rows):
        write_shard(folder, made_rows(ids[i : i + rows], embeddings[i : i + rows]), header)
    return folder

"""Tables of made-up embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openshape_ood.embedding_store import Failed, Origin, Part, write_part

ORIGIN = Origin("tiny", "ab" * 32, "tiny/text.safetensors", 8, 0.07)
HOW = '{"points": 4}'


def vectors(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, ORIGIN.dimensions))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def part(ids: list[str], embeddings: np.ndarray, failed: tuple[str, ...] = ()) -> Part:
    lost = [Failed(id, f"/in/{id}", HOW, "no cloud") for id in failed]
    return Part([*ids, *failed], ids, [f"/in/{id}" for id in ids], [HOW] * len(ids), embeddings, lost)


def write_table(folder: Path, ids: list[str], embeddings: np.ndarray, rows: int) -> Path:
    for i in range(0, len(ids), rows):
        write_part(folder, part(ids[i : i + rows], embeddings[i : i + rows]), ORIGIN)
    return folder

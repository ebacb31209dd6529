"""Static text encoders: one vector per token. They need no neural network and no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.errors import ClassNamesError, WeightsError
from openshape_ood.registry.files import open_safetensors
from openshape_ood.registry.rows import PACKAGE, Row

Vectors = NDArray[np.float32]


class StaticModel:
    """Text encoder with one vector per token. A sentence gets the normalized sum of the vectors of its tokens.

    Tokens outside the vocabulary are ignored.
    """

    precision = "int8"

    def __init__(self, row: Row, path: Path) -> None:
        from tokenizers import Tokenizer

        with open_safetensors(path, "numpy", f"text encoder of {row.name!r}") as file:
            held = sorted(file.keys())
            if held != ["scales", "vectors"]:
                some = ", ".join(map(repr, held[:4])) + f" and {len(held) - 4} more" * (len(held) > 4)
                raise WeightsError(
                    f"{path} holds {some or 'nothing'}. Expected 'scales' and 'vectors'. Use a file of token vectors."
                )
            vectors, scales, metadata = file.get_tensor("vectors"), file.get_tensor("scales"), file.metadata() or {}
        if vectors.ndim != 2 or scales.shape != vectors.shape[:1]:
            raise WeightsError(
                f"{path} has vectors {vectors.shape} and scales {scales.shape}. Expected (v, d) and (v,). "
                "Use another file of token vectors."
            )
        tokenizer_file = path.with_name("tokenizer.json")
        try:
            self.tokenizer: Any = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # the library raises only Exception
            raise WeightsError(
                f"text encoder of {row.name!r}: cannot read {tokenizer_file} ({error}). Expected a tokenizer. "
                "Replace the file."
            ) from error
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        if self.tokenizer.get_vocab_size() != len(vectors):
            tokens = f"but the tokenizer.json in its folder has {self.tokenizer.get_vocab_size()} tokens"
            raise WeightsError(
                f"{path} has {len(vectors)} token vectors, {tokens}. Expected equal numbers. Use files of one encoder."
            )
        self.unknown = self.tokenizer.token_to_id("[UNK]")
        self.vectors, self.scales, self.dim = vectors, scales, vectors.shape[1]
        self.near = float(metadata.get("near", -1))
        self.trained_names = list(row.text.trained) or json.loads(metadata.get("trained_names", "[]"))

    def embed(self, sentences: Sequence[str]) -> Vectors:
        """Unit vectors (n, d). Raises `ClassNamesError` for a sentence without a known word."""
        rows = []
        for sentence in sentences:
            ids = [i for i in self.tokenizer.encode(sentence, add_special_tokens=False).ids if i != self.unknown]
            total = (self.vectors[ids] * self.scales[ids, None].astype(np.float32)).sum(axis=0)
            length = np.linalg.norm(total)
            if not length > 0:
                raise ClassNamesError(
                    f"{sentence!r} has no word that the text encoder knows. Expected at least one. Give it an alias."
                )
            rows.append((total / length).astype(np.float32))
        return np.stack(rows)

    def far(self, embeddings: Vectors) -> NDArray[np.bool_]:
        """Mask (n,) of unit embeddings (n, d) whose largest cosine with a name of the training is below `near`."""
        if not self.trained_names:
            return np.zeros(len(embeddings), dtype=bool)
        return (embeddings @ self._trained.T).max(axis=1) < self.near

    @cached_property
    def _trained(self) -> Vectors:
        return self.embed(self.trained_names)


@lru_cache(maxsize=2)
def loaded(row: Row, path: Path, changed: int) -> StaticModel:
    """Model in a file, cached in the process. A new modification time `changed` reads the file again."""
    return StaticModel(row, path)


def find_file(row: Row) -> Path:
    """File of token vectors: in the folder of the registry, else in the package."""
    for folder in (row.folder, PACKAGE):
        if (folder / row.text.model).is_file():
            return folder / row.text.model
    raise WeightsError(
        f"text encoder of {row.name!r}: there is no file {row.text.model} in {row.folder}. "
        f"Expected a file of token vectors in this folder, or in {PACKAGE}. Copy it to the first one."
    )

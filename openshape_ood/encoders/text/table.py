"""Tables of names: precomputed, centered text embeddings. For these names, the text encoder is not needed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.errors import ClassNamesError, WeightsError
from openshape_ood.registry.files import open_safetensors
from openshape_ood.registry.rows import Row

Vectors = NDArray[np.float32]
HELD = ["mean", "row", "vectors"]
PROMPT = "a {}"  # prompt of the vectors in the packaged table


class TableModel:
    """Unit vectors of the names in a file.

    The vectors are centered: the mean over the names of the table is subtracted from the unit vectors of the text
    encoder, and the result is normalized. Before you compare other vectors of the text encoder with them, apply
    `centered`. `tower` is the checkpoint whose text encoder embeds names outside the table.
    """

    precision = "float16"

    def __init__(self, row: Row, path: Path) -> None:
        with open_safetensors(path, "numpy", f"text encoder of {row.name!r}") as file:
            held = sorted(file.keys())
            if held != HELD:
                raise WeightsError(
                    f"{path} holds {held or 'nothing'}. Expected {', '.join(HELD)}. Use a file with a table of names."
                )
            self.mean, self.row, self.vectors = (file.get_tensor(name) for name in HELD)
            metadata = file.metadata() or {}
        self.names: list[str] = json.loads(metadata.get("names", "[]"))
        self.trained_names: list[str] = list(row.text.trained) or json.loads(metadata.get("trained_names", "[]"))
        self.accuracy: dict[str, float] = json.loads(metadata.get("accuracy", "{}"))
        rows, dim = self.vectors.shape if self.vectors.ndim == 2 else (0, 0)
        if self.row.shape != (len(self.names),) or self.mean.shape != (dim,) or self.row.max(initial=0) >= max(rows, 1):
            what = (
                f"{len(self.names)} names, rows {self.row.shape}, vectors {self.vectors.shape}, mean {self.mean.shape}"
            )
            raise WeightsError(
                f"{path} has {what}. Expected one row per name, vectors (v, d) and a mean (d,). Use another file."
            )
        self.places = {name: int(i) for name, i in zip(self.names, self.row, strict=True)}
        self.near, self.dim, self.tower, self.name = float(metadata.get("near", -1)), dim, row.text.tower, row.name

    def embed(self, sentences: Sequence[str], others: Vectors | None = None) -> Vectors:
        """Unit vectors (n, d). `others`: vectors (not centered) by the text encoder for names outside the table.

        Raises `ClassNamesError` if a name is outside the table and `others` is None.
        """
        unknown = [one for one in sentences if not self.knows(one)]
        if unknown and others is None:
            raise ClassNamesError(self._unknown(unknown))
        given = iter(() if others is None else self.centered(others))
        rows = [self.vectors[self.places[one.casefold()]] if self.knows(one) else next(given) for one in sentences]
        return _unit(np.stack(rows))

    def centered(self, raw: Any) -> Vectors:
        """Unit vectors (n, d) in the space of this table, from vectors (n, d) of the text encoder."""
        return _unit(_unit(np.asarray(raw)) - self.mean)

    def knows(self, name: str) -> bool:
        return name.casefold() in self.places

    def far(self, embeddings: Vectors) -> NDArray[np.bool_]:
        """Mask (n,) of unit embeddings (n, d) whose largest cosine with a name of the training is below `near`."""
        known = [self.places[name] for name in self.trained_names if name in self.places]
        if not known:
            return np.zeros(len(embeddings), dtype=bool)
        return (embeddings @ self.vectors[sorted(set(known))].astype(np.float32).T).max(axis=1) < self.near

    def _unknown(self, names: Sequence[str]) -> str:
        unknown = []
        for name in names[:5]:
            close = self._close(name.casefold())
            unknown.append(f"{name!r} (close: {', '.join(map(repr, close))})" if close else repr(name))
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        what = f"{self.name!r} has no vector for {', '.join(unknown)}{more}"
        how = f", or fetch the text encoder of {self.tower!r}, which can embed any name" if self.tower else ""
        return f"{what}. Expected one of the {len(self.names):,} names of its table. Choose one, or give an alias{how}."

    def _close(self, name: str) -> list[str]:
        """Up to three names for a hint: the last word, if the table has it, then names of similar spelling."""
        last = name.split()[-1] if name.split() else name
        same = [last] if last in self.places else []
        return list(dict.fromkeys([*same, *difflib.get_close_matches(name, self.names, n=3, cutoff=0.7)]))[:3]


def _unit(rows: Any) -> Vectors:
    rows = np.asarray(rows, dtype=np.float64)
    return (rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


@lru_cache(maxsize=2)
def loaded(row: Row, path: Path, changed: int) -> TableModel:
    """Table in a file, cached in the process. A new modification time `changed` reads the file again."""
    return TableModel(row, path)

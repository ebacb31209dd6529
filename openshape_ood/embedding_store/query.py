"""Known classes, nearest rows and novelty from tables of embeddings: read part by part, never as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from openshape_ood.embedding_store.schema import Origin
from openshape_ood.embedding_store.shards import BATCH_ROWS, origin_of, read_embeddings, sources
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError
from openshape_ood.known import Known
from openshape_ood.scoring import DEFAULTS, find_score
from openshape_ood.scoring import neighbors as neighbors
from openshape_ood.scoring.neighbors.arrays import check_k
from openshape_ood.scoring.table import check_bank

Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, eq=False)
class Scored:
    """Of n rows: ids (n,), novelty (n,), and the class (n,) each is nearest to."""

    ids: list[str]
    novelty: np.ndarray
    nearest: np.ndarray


def known_from(source: Source, labels: Mapping[str, str] | Literal["folder"] = "folder") -> Known:
    """A bank of the embeddings of a table: by the first folder of the id, or by `labels`, id -> class.

    Rows whose ids are not in `labels` are left out. Raises `InputError` for an id without a folder, and where no row
    is left.
    """
    rows: dict[str, list[np.ndarray]] = {}
    files = sources(source)
    for batch in read_embeddings(files or source, ("id", "embedding")):
        names = [_class(id, labels) for id in batch["id"]]
        for name in dict.fromkeys(name for name in names if name is not None):
            chosen = [i for i, other in enumerate(names) if other == name]
            rows.setdefault(name, []).append(batch["embedding"][chosen])
    if not rows:
        raise InputError(f"no row of {source} has a class; expected ids among the labels")
    examples = {name: np.concatenate(rows[name]) for name in sorted(rows)}
    return Known.from_examples(examples, _Embedded(origin_of(files)))


def nearest(
    queries: Any, source: Source, k: int = 1, metric: str = "cosine", batch_rows: int = BATCH_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (b, k) float64 and id (b, k) str of the k rows of a table nearest to every query (b, d), nearest first.

    Exact, as `neighbors.nearest` of all rows at once would be, while holding `batch_rows` of them; of rows at the
    same distance the first comes first. Raises what that raises, `InputError` also for fewer than k rows.
    """
    queries = np.asarray(queries)
    distances, ids, m = np.empty((len(queries), 0)), np.empty((len(queries), 0), dtype=object), 0
    files = sources(source)
    for batch in read_embeddings(files or source, ("id", "embedding"), batch_rows):
        own = neighbors.nearest(queries, batch["embedding"], check_k(min(k, len(batch["id"])), k), metric)
        distances = np.concatenate([distances, own[0]], axis=1)
        ids = np.concatenate([ids, np.array(batch["id"], dtype=object)[own[1]]], axis=1)
        best = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: earlier rows first
        distances, ids = np.take_along_axis(distances, best, axis=1), np.take_along_axis(ids, best, axis=1)
        m += len(batch["id"])
    check_k(k, m)
    return distances, ids.astype(np.str_)


def score_table(
    source: Source, known: Known, method: str | None = None, batch_rows: int = BATCH_ROWS
) -> Iterator[Scored]:
    """Novelty of every row of a table against known classes, batch by batch, as `score_novelty` has it.

    method: a key of `scores.SCORES` that needs embeddings only; None takes the default for the bank. Raises
    `MixedEncodersError` where the bank is from another encoder, `InputError` for a method that the bank cannot answer.
    """
    files = sources(source)
    origin = origin_of(files or source)
    known.check_fits(Identity(origin.checkpoint, origin.tower, origin.checkpoint_hash))
    if known.temperature is None and origin.temperature is not None:
        known = replace(known, temperature=origin.temperature)
    method = _default(known) if method is None else method
    score = find_score(method, None)
    if score.needs == "patches":
        raise InputError(f"method {method!r} needs patch tokens, a table holds embeddings; expected another method")
    check_bank(score, method, known)
    names = np.array(known.names)
    for batch in read_embeddings(source, ("id", "embedding"), batch_rows):
        queries = batch["embedding"]
        yield Scored(batch["id"], score.novelty(queries, known), names[score.nearest(queries, known)])


def _default(known: Known) -> str:
    if not len(known.examples):
        return DEFAULTS["names"]
    return DEFAULTS["examples" if len(np.unique(known.labels)) == len(known.names) else "both"]


def _class(id: str, labels: Mapping[str, str] | Literal["folder"]) -> str | None:
    if isinstance(labels, Mapping):
        return labels.get(id)
    if labels != "folder":
        raise InputError(f"labels are {labels!r}; expected a mapping from ids to classes, or 'folder'")
    folder, slash, _ = id.partition("/")
    if not (slash and folder):
        raise InputError(
            f"{id!r} lies in no folder that could be its class; give labels, a mapping from ids to classes"
        )
    return folder


class _Embedded:
    """In the place of an encoder, for embeddings that there are already."""

    def __init__(self, origin: Origin) -> None:
        self.identity = Identity(origin.checkpoint, origin.tower, origin.checkpoint_hash)
        self.dim, self.temperature = origin.dimensions, origin.temperature

    def encode(self, shapes: Any, *_: Any, **__: Any) -> np.ndarray:
        raise InputError("a table of embeddings encodes no shapes")

"""Known classes, nearest rows and novelty from stored embeddings: read batch by batch, never as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from openshape_ood.checks import check_choice, check_count
from openshape_ood.embedding_store.files import Source, read_embeddings, read_header, sources
from openshape_ood.embedding_store.schema import BATCH_ROWS, Header
from openshape_ood.errors import InputError
from openshape_ood.known import Known
from openshape_ood.scoring import DEFAULTS, find_score
from openshape_ood.scoring import neighbors as neighbors
from openshape_ood.scoring.table import check_bank

Labels = Mapping[str, str] | Literal["folder"]


@dataclass(frozen=True, eq=False)
class Scored:
    """Of n rows: ids, novelty (n,), the class (n,) each is nearest to; is_novel (n,) where there was a threshold."""

    ids: list[str]
    novelty: np.ndarray
    nearest: np.ndarray
    is_novel: np.ndarray | None = None


def known_from(source: Source, labels: Labels = "folder") -> Known:
    """Known classes of stored embeddings.

    Parameters
    ----------
    source : path or list of paths
        As for `read_embeddings`.
    labels : "folder" or mapping of str to str
        The class of every id: its first folder, or what the mapping says; rows of other ids are left out.

    Returns
    -------
    Known
        The classes, sorted by name, with all their rows as examples.

    Raises
    ------
    InputError
        For an id without a folder, and where no row is left.
    """
    files, names, kept = sources(source), list[str](), list[np.ndarray]()
    header = read_header(files or source)
    for batch in read_embeddings(files, ("id", "embedding")):
        own = [_class(id, labels) for id in batch["id"]]
        kept.append(batch["embedding"][[name is not None for name in own]])
        names += [name for name in own if name is not None]
    if not names:
        raise InputError("no row of the embeddings has a class; expected ids among the labels")
    return _known(np.concatenate(kept), names, header)


def nearest(
    queries: Any, source: Source, k: int = 1, metric: str = "cosine", batch_rows: int = BATCH_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """The k stored rows nearest to every query, exact, as `neighbors.nearest` of all rows at once would be.

    Parameters
    ----------
    queries : array (b, d)
        Embeddings.
    source : path or list of paths
        As for `read_embeddings`.
    k : int
        Neighbors of each query.
    metric : str
        "cosine" or "euclidean".
    batch_rows : int
        Rows that are held at once.

    Returns
    -------
    distance : array (b, k) of float64
        Nearest first; of rows at the same distance the first comes first.
    id : array (b, k) of str

    Raises
    ------
    InputError
        For fewer than k rows, and for all that `neighbors.nearest` refuses.
    """
    queries = np.asarray(queries)
    distances, ids, m = np.empty((len(queries), 0)), np.empty((len(queries), 0), dtype=object), 0
    for batch in read_embeddings(source, ("id", "embedding"), batch_rows):
        own = neighbors.nearest(queries, batch["embedding"], _check_k(min(k, len(batch["id"])), k), metric)
        distances = np.concatenate([distances, own[0]], axis=1)
        ids = np.concatenate([ids, np.array(batch["id"], dtype=object)[own[1]]], axis=1)
        best = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: earlier rows first
        distances, ids = np.take_along_axis(distances, best, axis=1), np.take_along_axis(ids, best, axis=1)
        m += len(batch["id"])
    _check_k(k, m)
    return distances, ids.astype(np.str_)


def score_store(
    source: Source, known: Known, method: Any = None, threshold: Any = None, batch_rows: int = BATCH_ROWS
) -> Iterator[Scored]:
    """Novelty of every stored row against known classes, as `score_novelty` has it.

    Parameters
    ----------
    source : path or list of paths
        As for `read_embeddings`.
    known : Known
        Of the same encoder, or names in its space.
    method : str or Method, optional
        One that needs embeddings only; by default what suits the known classes.
    threshold : Threshold, optional
        Says which rows are novel.
    batch_rows : int
        Rows that are held at once.

    Yields
    ------
    Scored
        A batch, in the order of `read_embeddings`.

    Raises
    ------
    MixedEncodersError
        Where the known classes are from another encoder.
    InputError
        For a method that the known classes cannot answer, or that needs patches.
    """
    files = sources(source)
    header = read_header(files or source)
    known.check_fits(header.identity)
    if known.temperature is None and header.temperature is not None:
        known = replace(known, temperature=header.temperature)
    judge, names = _judge(method, known), np.array(known.names)
    for batch in read_embeddings(files, ("id", "embedding"), batch_rows):
        novelty, index = judge(batch["embedding"])
        yield Scored(batch["id"], novelty, names[index], None if threshold is None else threshold.is_novel(novelty))


def _class(id: str, labels: Labels) -> str | None:
    if isinstance(labels, Mapping):
        return labels.get(id)
    check_choice(labels, "labels", ("folder", "a mapping from ids to classes"))
    folder, slash, _ = id.partition("/")
    if not (slash and folder):
        raise InputError(f"{id!r} lies in no folder that could be its class; give labels, a mapping from ids to them")
    return folder


def _check_k(k: Any, m: int) -> int:
    return check_count(k, "k", m, "the rows that there are")


# The three functions below are all that knows how classes are held and rows are judged.


def _known(vectors: np.ndarray, names: list[str], header: Header) -> Known:
    """KnownClasses.from_embeddings(vectors, names, header.identity, header.temperature), once there is that."""

    class Embedded:
        identity, dim, temperature = header.identity, header.dim, header.temperature

        def encode(self, *_: Any, **__: Any) -> np.ndarray:
            raise InputError("stored embeddings encode no shapes")

    labels = np.array(names)
    return Known.from_examples({str(name): vectors[labels == name] for name in np.unique(labels)}, Embedded())


def _judge(method: Any, known: Known) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """scorer = find_method(method or default_method(known), known).fit(known); then scorer.judge(rows)."""
    method = _default(known) if method is None else method
    score = find_score(method, None)
    if score.needs == "patches":
        raise InputError(f"method {method!r} needs patch tokens, stored are embeddings; expected another method")
    check_bank(score, method, known)
    return lambda rows: (score.novelty(rows, known), score.nearest(rows, known))


def _default(known: Known) -> str:
    if not len(known.examples):
        return DEFAULTS["names"]
    return DEFAULTS["examples" if len(np.unique(known.labels)) == len(known.names) else "both"]

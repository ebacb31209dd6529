"""Known classes, nearest rows and novelty from stored embeddings, read in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from openshape_ood.checks import check_choice, check_count, check_length, words
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.embedding_store.files import Source, read_embeddings, read_header, sources
from openshape_ood.embedding_store.schema import BATCH_ROWS
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.scoring import Method
from openshape_ood.scoring import neighbors as neighbors

Labels = Mapping[str, str] | Literal["folder"]


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of n rows: ids, novelty (n,), nearest class (n,), and is_novel (n,) if there is a threshold."""

    ids: list[str]
    novelty: np.ndarray
    nearest: np.ndarray
    is_novel: np.ndarray | None = None


def known_from(source: Source, labels: Labels = "folder") -> KnownClasses:
    """Known classes from stored embeddings.

    Parameters
    ----------
    source : path or list of paths
        As for `read_embeddings`.
    labels : "folder" or mapping of str to str
        Class of each id. "folder": the first folder in the id. A mapping gives the class of each id; rows with other
        ids are ignored.

    Returns
    -------
    KnownClasses
        Classes sorted by name, with all their rows as examples.

    Raises
    ------
    InputError
        If an id has no folder, or no row has a class.
    """
    files, names, kept = sources(source), list[str](), list[np.ndarray]()
    header = read_header(files or source)
    for batch in read_embeddings(files, ("id", "embedding")):
        classes = [_class(id, labels) for id in batch["id"]]
        kept.append(batch["embedding"][[name is not None for name in classes]])
        names += [name for name in classes if name is not None]
    if not names:
        raise InputError(
            "no row of the embeddings has a class. Expected labels for the ids. Check the keys of the labels."
        )
    return KnownClasses.from_embeddings(np.concatenate(kept), names, header.identity, temperature=header.temperature)


def nearest(
    queries: Any, source: Source, k: int = 1, metric: str = "cosine", batch_rows: int = BATCH_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest stored rows of every query. The result is exact, as from `neighbors.nearest` on all rows at once.

    Parameters
    ----------
    queries : array (b, d)
        Embeddings.
    source : path or list of paths
        As for `read_embeddings`.
    k, metric
        Number of neighbors of each query, and "cosine" or "euclidean".
    batch_rows : int
        Number of rows in memory at once.

    Returns
    -------
    distance, id : arrays (b, k) of float64 and str
        Nearest first. Rows at equal distance are in storage order.

    Raises
    ------
    InputError
        As in `neighbors.nearest`, and if there are fewer than k rows.
    """
    queries, rows = np.asarray(queries), "the number of rows"
    distances, ids, m = np.empty((len(queries), 0)), np.empty((len(queries), 0), dtype=object), 0
    for batch in read_embeddings(source, ("id", "embedding"), batch_rows):
        most = check_count(min(k, len(batch["id"])), "k", k, rows)
        closest = neighbors.nearest(queries, batch["embedding"], most, metric)
        distances = np.concatenate([distances, closest[0]], axis=1)
        ids = np.concatenate([ids, words(batch["id"])[closest[1]]], axis=1)
        best = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable, so that earlier rows come first
        distances, ids = np.take_along_axis(distances, best, axis=1), np.take_along_axis(ids, best, axis=1)
        m += len(batch["id"])
    check_count(k, "k", m, rows)
    return distances, ids


def score_store(
    source: Source,
    known: KnownClasses,
    method: str | Method | None = None,
    threshold: Threshold | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[Scored]:
    """Novelty of every stored row against known classes, the same as from `score_novelty`.

    Parameters
    ----------
    source : path or list of paths
        As for `read_embeddings`.
    known : KnownClasses
        Known classes of the same encoder, or names in its embedding space.
    method : str or Method, optional
        A method that needs only embeddings. Default: the default method for the known classes.
    threshold : Threshold, optional
        Threshold for `is_novel`.
    batch_rows : int
        Number of rows in memory at once.

    Yields
    ------
    Scored
        One result per batch, in the order of `read_embeddings`.

    Raises
    ------
    InputError
        If the method needs patches or does not fit the known classes. `MixedEncodersError`: the known classes belong to
        another encoder.
    """
    files = sources(source)
    header = read_header(files or source)
    known.check_fits(header.identity)
    pipeline = NoveltyPipeline.prepare(known, method=method, threshold=threshold, identity=header.identity)
    for batch in read_embeddings(files, ("id", "embedding"), batch_rows):
        result = pipeline(Embeddings(batch["embedding"], header.identity, temperature=header.temperature))
        novel = None if result.threshold is None else result.is_novel
        yield Scored(batch["id"], result.novelty, result.nearest, novel)


def _class(id: str, labels: Labels) -> str | None:
    if isinstance(labels, Mapping):
        return labels.get(id)
    check_choice(labels, "labels", ("folder", "a mapping from ids to classes"))
    folder, slash, _ = id.partition("/")
    if not (slash and folder):
        raise InputError(
            f"{id!r} has no folder that could be its class. Expected ids such as chair/1.ply. Change the ids, or in "
            "Python give labels, a mapping from ids to classes."
        )
    return check_length(folder, "the class of an id")

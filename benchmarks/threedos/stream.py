"""Clouds to embeddings as a stream: reader processes prepare them, the encoder never waits, nothing is held."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np

from benchmarks.threedos.objects import Shape
from benchmarks.threedos.recipes import Recipe
from benchmarks.threedos.store import EmbeddingStore, content_key
from openshape_ood.errors import OpenShapeError

AHEAD = 3  # batches a reader may be ahead of the encoder; a batch is its clouds, once for each seed and view


class Network(Protocol):
    """What is asked of an encoder here."""

    def encode_prepared(self, points: np.ndarray) -> np.ndarray: ...


@dataclass
class Tally:
    """How many embeddings were computed, and how many were found in the store."""

    embedded: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Job:
    """What a reader is told once: the recipe, and for each seed the clouds whose embeddings there are already."""

    recipe: Recipe
    there: Mapping[int, frozenset[bytes]]


@dataclass(frozen=True)
class Read:
    """One cloud: its content key, and prepared for each seed that lacks its embedding."""

    key: bytes
    prepared: Mapping[int, np.ndarray]


def embed(
    shapes: Sequence[Shape],
    encoder: Network,
    recipe: Recipe,
    stores: Mapping[int, EmbeddingStore],
    *,
    batch_size: int,
    workers: int,
    progress: bool,
    tally: Tally,
) -> list[bytes]:
    """Content keys (b,) of the shapes, once the store of every seed holds their embeddings.

    Batches begin at fixed places in the list, so that a run that was cut off and goes on has the same ones.
    Raises what reading or preparing a cloud raises, `OpenShapeError` when a reader process dies.
    """
    from tqdm import tqdm

    batches = [tuple(shapes[i : i + batch_size]) for i in range(0, len(shapes), batch_size)]
    job = Job(recipe, {seed: store.keys() for seed, store in stores.items()})
    keys: list[bytes] = []
    with (
        _readers(job, batches, workers) as read,
        tqdm(total=len(shapes), desc="embedding", unit="shape", disable=not (progress and shapes)) as bar,
    ):
        for batch in read:
            for seed, store in stores.items():
                _embed_missing(batch, seed, encoder, store, tally)
            keys += [cloud.key for cloud in batch]
            bar.update(len(batch))
            bar.set_postfix(reused=tally.reused, refresh=False)
    return keys


def _embed_missing(batch: Sequence[Read], seed: int, encoder: Network, store: EmbeddingStore, tally: Tally) -> None:
    # a mapping, for the same cloud can occur twice in a batch
    missing = {cloud.key: cloud.prepared[seed] for cloud in batch if cloud.key not in store}
    if missing:
        embeddings = encoder.encode_prepared(np.stack(list(missing.values())))
        _check(embeddings)
        store.add(list(missing), embeddings)
    tally.embedded += len(missing)
    tally.reused += len(batch) - len(missing)


def _check(embeddings: np.ndarray) -> None:
    if not (np.isfinite(embeddings).all() and np.linalg.norm(embeddings, axis=1).all()):
        raise OpenShapeError("the encoder gave an embedding that is zero or not finite; its weights are damaged")


def prepare_all(job: Job, shapes: Sequence[Shape]) -> list[Read]:
    """What a reader does: read, name by content, prepare for the seeds that lack it."""
    return [_prepare(job, shape) for shape in shapes]


def _prepare(job: Job, shape: Shape) -> Read:
    cloud = shape.read()
    key = content_key(cloud)
    seeds = [seed for seed, there in job.there.items() if key not in there]
    return Read(key, {seed: job.recipe.prepare(cloud, seed, shape.id) for seed in seeds})


@contextmanager
def _readers(job: Job, batches: Sequence[tuple[Shape, ...]], workers: int) -> Iterator[Iterator[list[Read]]]:
    """The batches, read in order: by so many processes, or by this one for 0."""
    if not workers or not batches:
        yield (prepare_all(job, batch) for batch in batches)
        return
    # spawned, not forked: torch's threads and a GPU do not survive a fork
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(job,))
    try:
        yield _in_order(pool, batches, workers * AHEAD)
    except BrokenProcessPool as error:
        raise OpenShapeError(
            "a reader process died, perhaps for want of memory. Run it again, with --workers 0 to read in the main "
            "process; embeddings that are in the cache are not computed again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, batches: Sequence[tuple[Shape, ...]], ahead: int) -> Iterator[list[Read]]:
    waiting: deque[Future[list[Read]]] = deque()
    for batch in batches:
        waiting.append(pool.submit(_work, batch))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_job: Any = None  # of this reader process, set when it begins


def _begin(job: Job) -> None:
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer


def _work(batch: Sequence[Shape]) -> list[Read]:
    return prepare_all(_job, batch)

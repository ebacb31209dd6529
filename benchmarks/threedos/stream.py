"""Embeddings of a stream of clouds. Reader processes prepare clouds ahead of the encoder, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.threedos.objects import Shape, from_words, to_words
from benchmarks.threedos.recipes import Recipe
from benchmarks.threedos.store import EmbeddingStore, content_key
from openshape_ood.errors import OpenShapeError, WorkerError
from openshape_ood.workers import in_order

AHEAD = 3  # most batches that each process prepares ahead; a batch has its clouds once per seed and sampling


class Network(Protocol):
    """Protocol of the encoders used here."""

    def encode_prepared(self, points: Sequence[np.ndarray]) -> np.ndarray: ...


@dataclass
class Tally:
    """Numbers of computed embeddings and of embeddings read from the store."""

    embedded: int = 0
    reused: int = 0


# content key of a cloud; seed -> prepared cloud, for the seeds without a stored embedding
Read = tuple[bytes, Mapping[int, np.ndarray]]


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
    """Store the missing embeddings of all shapes for each seed; returns the content keys (b,) of the shapes.

    Batches begin at fixed indices of the list, so a resumed run has the same batches.
    """
    from tqdm import tqdm

    batches = [tuple(shapes[i : i + batch_size]) for i in range(0, len(shapes), batch_size)]
    there = {seed: store.keys() for seed, store in stores.items()}
    keys: list[bytes] = []
    with (
        closing(_read(batches, recipe, there, workers)) as read,
        tqdm(total=len(shapes), desc="embedding", unit="shape", disable=not (progress and shapes)) as bar,
    ):
        for batch in read:
            for seed, store in stores.items():
                _embed_missing(batch, seed, encoder, store, tally)
            keys += [key for key, _ in batch]
            bar.update(len(batch))
            bar.set_postfix(reused=tally.reused, refresh=False)
    return keys


def _embed_missing(batch: Sequence[Read], seed: int, encoder: Network, store: EmbeddingStore, tally: Tally) -> None:
    # a dict, because a cloud can occur twice in a batch
    missing = {key: prepared[seed] for key, prepared in batch if key not in store}
    if missing:
        rows = encoder.encode_prepared(list(missing.values()))
        if not (np.isfinite(rows).all() and np.linalg.norm(rows, axis=1).all()):
            raise OpenShapeError("the encoder gave an embedding that is zero or not finite; its weights are damaged")
        store.add(list(missing), rows)
    tally.embedded += len(missing)
    tally.reused += len(batch) - len(missing)


def _read(
    batches: Sequence[Sequence[Shape]], recipe: Recipe, there: Mapping[int, frozenset[bytes]], workers: int
) -> Generator[list[Read]]:
    """Read the batches in order, by `workers` processes; 0 reads in this process."""
    keys = [[key.hex() for key in known] for known in there.values()]
    settings = {"recipe": asdict(recipe), "seeds": list(there), "there": keys}
    arguments = ([to_words(shape) for shape in batch] for batch in batches)
    task = f"{__name__}:{preparer.__name__}"
    with closing(in_order(task, settings, arguments, workers=workers, ahead=max(1, workers * AHEAD))) as all_done:
        for done in all_done:
            if isinstance(done.error, WorkerError):
                raise OpenShapeError(
                    f"a reader process ended, perhaps for lack of memory: {done.error}. Run the command again with "
                    "--workers 0, which reads in the main process. Cached embeddings are not computed again"
                ) from done.error
            if done.error is not None:
                raise done.error
            prepared = iter(done.arrays)
            yield [(bytes.fromhex(key), {seed: next(prepared) for seed in seeds}) for key, seeds in done.answer]


def preparer(
    recipe: dict[str, Any], seeds: list[int], there: list[list[str]]
) -> Callable[[list[Any]], tuple[list[tuple[str, list[int]]], list[np.ndarray]]]:
    """Task of a reader process: read shapes, compute keys, and prepare clouds for seeds without a stored embedding."""
    how = Recipe(**recipe)
    known = {seed: frozenset(keys) for seed, keys in zip(seeds, there, strict=True)}

    def prepare(shapes: list[Any]) -> tuple[list[tuple[str, list[int]]], list[np.ndarray]]:
        answer, arrays = [], []
        for shape in map(from_words, shapes):
            cloud = shape.read()
            key = content_key(cloud).hex()
            lacking = [seed for seed, keys in known.items() if key not in keys]
            answer.append((key, lacking))
            arrays += [how.prepare(cloud, seed, shape.id) for seed in lacking]
        return answer, arrays

    return prepare

"""Embedding of shapes into shards, shared by all engines."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import compress, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from openshape_ood.embedding_store.jobs.settings import Item, Settings, Step
from openshape_ood.embedding_store.schema import Failed, Header, Rows, text
from openshape_ood.errors import CloudError, MixedEncodersError, ShapeFileError, WeightsError
from openshape_ood.shapes.batches import Read, read_shapes

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

FIRST_ROWS = 64  # rows of the first shard, if the time per shard is limited
POINTS_AT_ONCE = 4_000_000  # maximum number of points in a batch: 200 MB with colors


class _Ready(NamedTuple):
    """File that was read: its cloud, or its path if the encoder samples the surface several times."""

    item: Item
    shape: Any
    up: str


@dataclass
class _Shard:
    """Shard in progress."""

    done: list[_Ready] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def add(self, batch: Iterable[_Ready], rows: np.ndarray) -> None:
        self.done += [one._replace(shape=None) for one in batch]
        self.rows.append(rows)

    def fail(self, item: Item, reason: str, up: str | None) -> None:
        self.failed.append(Failed(item.id, text(item.path), text(reason), up or "", item.stamp))


def load(settings: Settings, header: Header) -> tuple[ShapeEncoder, Header]:
    """Encoder, and header with the temperature of the encoder. Raises `MixedEncodersError` for other weights."""
    encoder = settings.load()
    if encoder.identity.sha256 != header.identity.sha256:
        here = f"the weights here have the sha256 {encoder.identity.sha256[:8]}"
        raise MixedEncodersError(
            f"{here}. Expected the weights of {header.identity}. Use the same weights on every machine."
        )
    return encoder, replace(header, temperature=encoder.temperature)


def embed_shards(
    encoder: ShapeEncoder,
    items: Iterable[Item],
    settings: Settings,
    item_axes: bool,
    step: Step = lambda count, process: None,
    seconds: float | None = None,
) -> Generator[Rows]:
    """Read and embed items, `shard_rows` at a time. Items are taken from the iterable only when files are read.

    `item_axes` is True if items may have an axis `up`. The same items in the same order give the same shards, unless
    `seconds` limits the time per shard. With this limit, the first shard is small, and a killed run loses little work.
    `step` is called for every file read. Raises `WeightsError` if no embedding of a batch is usable.
    """
    # the reading processes prepare clouds, unless there are several samplings or individual axes
    prepared = settings.num_samples == 1 and not item_axes
    rows = settings.shard_rows if seconds is None else min(FIRST_ROWS, settings.shard_rows)
    waiting: deque[Item] = deque()

    def paths() -> Iterator[str]:
        for item in items:
            waiting.append(item)
            yield item.path

    spec = encoder.spec
    how: dict[str, Any] = {"points": spec.count, "seed": settings.seed, "up": settings.up, "workers": settings.readers}
    with contextlib.closing(read_shapes(paths(), frame=spec if prepared else None, **how)) as reads:
        read_items = ((waiting.popleft(), read) for read in reads)
        while True:
            began, shard = time.monotonic(), _Shard()
            batches = _batches(islice(read_items, rows), settings, shard, step)
            (_embed_prepared if prepared else _embed)(encoder, batches, settings, shard)
            n = len(shard.done) + len(shard.failed)
            if not n:
                return
            done = [(one.item.id, text(one.item.path), one.up, one.item.stamp) for one in shard.done]
            ids, places, ups, stamps = zip(*done, strict=True) if done else ((), (), (), ())
            vectors = np.concatenate([np.empty((0, encoder.dim), np.float32), *shard.rows])
            yield Rows(ids, places, ups, vectors, shard.failed, stamps)
            if seconds is not None:
                fitting = int(n * seconds / max(time.monotonic() - began, 1e-3))
                rows = max(1, min(fitting, 4 * rows, settings.shard_rows))


def _batches(
    reads: Iterable[tuple[Item, Read]], settings: Settings, shard: _Shard, step: Step
) -> Iterator[list[_Ready]]:
    batch, points = list[_Ready](), 0
    for item, read in reads:
        step(1, os.getpid())
        up = item.up or read.up
        if read.cloud is None:
            shard.fail(item, read.error or "no reason given", up)
            continue
        batch.append(_Ready(item, read.cloud if settings.num_samples == 1 else item.path, up or settings.up))
        points += len(read.cloud)
        if len(batch) == settings.batch_size or points > POINTS_AT_ONCE:
            yield batch
            batch, points = [], 0
    if batch:
        yield batch


def _embed_prepared(encoder: ShapeEncoder, batches: Iterable[list[_Ready]], settings: Settings, to: _Shard) -> None:
    """Embed batches of prepared clouds. On a GPU, the next batch is sampled while the transformer runs."""
    waiting: deque[list[_Ready]] = deque()

    def clouds() -> Iterator[list[np.ndarray]]:
        for batch in batches:
            waiting.append(batch)
            yield [one.shape for one in batch]

    for rows in encoder.encode_batches(clouds()):
        batch, lengths = waiting.popleft(), np.linalg.norm(rows, axis=1)
        sound = np.isfinite(lengths) & (lengths > 0)
        if not sound.any():
            name = encoder.identity.checkpoint
            raise WeightsError(
                f"{name} gave only embeddings that are zero or not finite. Expected finite numbers. "
                "Download its weights again, because they may be damaged."
            )
        for one in compress(batch, ~sound):
            to.fail(one.item, "its embedding is zero or not finite", one.up)
        to.add([*compress(batch, sound)], rows[sound] / lengths[sound, None])


def _embed(encoder: ShapeEncoder, batches: Iterable[list[_Ready]], settings: Settings, to: _Shard) -> None:
    """Embed batches of clouds or files. If a shape of a batch fails, its shapes are embedded one by one."""
    how: dict[str, Any] = {name: getattr(settings, name) for name in ("batch_size", "seed", "num_samples")}

    for batch in batches:
        again = deque([batch])
        while again:
            some = again.popleft()
            try:
                to.add(some, encoder.encode([one.shape for one in some], up=[one.up for one in some], **how))
            except (CloudError, ShapeFileError, WeightsError) as error:
                # rare: a cloud has so few distinct points that resampling drew only equal ones, or the file changed
                if len(some) == 1:
                    to.fail(some[0].item, str(error), some[0].up)
                else:
                    again += [[one] for one in some]

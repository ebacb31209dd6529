"""Shapes in, rows out: what every engine runs beside its encoder."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.embedding_store.jobs.settings import Item, Settings
from openshape_ood.embedding_store.schema import Failed, Header, Rows, text
from openshape_ood.errors import CloudError, MixedEncodersError, ShapeFileError, WeightsError
from openshape_ood.shapes.batch import Read, read_shapes

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

FIRST_ROWS = 64  # of the first shard, where shards may take so long only
POINTS_AT_ONCE = 4_000_000  # of all clouds of a batch: 200 MB where they have colors


@dataclass
class _Batch:
    items: list[Item] = field(default_factory=list)
    shapes: list[Any] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    points: int = 0


@dataclass
class _Growing:
    """A shard that is being made."""

    items: list[Item] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def add(self, batch: _Batch, rows: np.ndarray) -> None:
        self.items += batch.items
        self.ups += batch.ups
        self.rows.append(rows)

    def fail(self, item: Item, reason: str, up: str | None) -> None:
        self.failed.append(Failed(item.id, text(item.path), text(reason), up or ""))

    def finished(self, dim: int) -> Rows:
        rows = np.concatenate(self.rows) if self.rows else np.empty((0, dim), dtype=np.float32)
        ids, paths = [item.id for item in self.items], [text(item.path) for item in self.items]
        return Rows(ids, paths, self.ups, rows, self.failed)


def load(settings: Settings, header: Header) -> tuple[ShapeEncoder, Header]:
    """The encoder, and the header with its temperature. Raises `MixedEncodersError` where its weights are others."""
    encoder = settings.load()
    if encoder.identity.sha256 != header.identity.sha256:
        raise MixedEncodersError(
            f"the weights here have the sha256 {encoder.identity.sha256[:8]}, the embeddings are by {header.identity}; "
            "expected the same file on every machine"
        )
    return encoder, replace(header, temperature=encoder.temperature)


def embed_shards(
    encoder: ShapeEncoder,
    items: Iterable[Item],
    settings: Settings,
    own_axes: bool,
    step: Callable[[int], None] = lambda count: None,
    seconds: float | None = None,
) -> Generator[Rows]:
    """Reads and embeds the items, `shard_rows` at a time, as they come: no more of them are held than are read ahead.

    own_axes: whether items may say their own `up`. The same items in the same order make the same shards, unless
    `seconds` says how long one may take: then the first is small, and the next ones as large as that allows, so that a
    run that is killed loses little. `step` is told how many more files were read. A file that cannot be used is an
    error of its shard and stops nothing. Raises `WeightsError` where no embedding of a batch can be used.
    """
    # readers prepare clouds, but for several samplings, which sample a surface anew, and for axes of their own
    prepared = settings.num_samples == 1 and not own_axes
    rows = settings.shard_rows if seconds is None else min(FIRST_ROWS, settings.shard_rows)
    with contextlib.closing(_read(encoder, items, settings, prepared)) as reads:
        while True:
            began, grown = time.monotonic(), _Growing()
            batches = _batches(islice(reads, rows), settings, grown, step)
            (_embed_prepared if prepared else _embed)(encoder, batches, settings, grown)
            shard = grown.finished(encoder.dim)
            if not len(shard):
                return
            yield shard
            if seconds is not None:
                fitting = int(len(shard) * seconds / max(time.monotonic() - began, 1e-3))
                rows = max(1, min(fitting, 4 * rows, settings.shard_rows))


def _read(
    encoder: ShapeEncoder, items: Iterable[Item], settings: Settings, prepared: bool
) -> Generator[tuple[Item, Read]]:
    """Every item with its cloud, in order; prepared (count, 6), else as the file has it (n, 3|6)."""
    waiting: deque[Item] = deque()

    def paths() -> Iterator[str]:
        for item in items:
            waiting.append(item)
            yield item.path

    spec = encoder.spec
    reads = read_shapes(
        paths(),
        points=spec.count,
        seed=settings.seed,
        up=settings.up,
        frame=spec if prepared else None,
        workers=settings.readers,
    )
    with contextlib.closing(reads):
        for read in reads:
            yield waiting.popleft(), read


def _batches(
    reads: Iterable[tuple[Item, Read]], settings: Settings, grown: _Growing, step: Callable[[int], None]
) -> Iterator[_Batch]:
    batch = _Batch()
    for item, read in reads:
        step(1)
        up = item.up or read.up
        if read.cloud is None:
            grown.fail(item, read.error or "no reason given", up)
            continue
        batch.items.append(item)
        batch.shapes.append(read.cloud if settings.num_samples == 1 else item.path)
        batch.ups.append(up or settings.up)
        batch.points += len(read.cloud)
        if len(batch.items) == settings.batch_size or batch.points > POINTS_AT_ONCE:
            yield batch
            batch = _Batch()
    if batch.items:
        yield batch


def _embed_prepared(encoder: ShapeEncoder, batches: Iterable[_Batch], settings: Settings, grown: _Growing) -> None:
    """Batches of prepared clouds; on a GPU one is sampled while the transformer works on the one before."""
    from openshape_ood.encoders.pipeline import embed_batches

    waiting: deque[_Batch] = deque()

    def clouds() -> Iterator[np.ndarray]:
        for batch in batches:
            waiting.append(batch)
            yield np.stack(batch.shapes)

    for rows in embed_batches(encoder.network, clouds(), encoder.device):
        batch, lengths = waiting.popleft(), np.linalg.norm(rows, axis=1)
        sound = np.isfinite(lengths) & (lengths > 0)
        if not sound.any():
            raise WeightsError(
                f"{encoder.identity.checkpoint} gave only embeddings that are zero or not finite; "
                "its weights are damaged"
            )
        for i in np.flatnonzero(~sound):
            grown.fail(batch.items[i], "its embedding is zero or not finite", batch.ups[i])
        kept = np.flatnonzero(sound).tolist()
        chosen = _Batch([batch.items[i] for i in kept], [], [batch.ups[i] for i in kept])
        grown.add(chosen, rows[kept] / lengths[kept, None])


def _embed(encoder: ShapeEncoder, batches: Iterable[_Batch], settings: Settings, grown: _Growing) -> None:
    """Batches of clouds or files; shape by shape where one holds a shape that cannot be embedded."""
    for batch in batches:
        try:
            grown.add(batch, _encode(encoder, batch, settings))
            continue
        except (CloudError, ShapeFileError, WeightsError):
            pass  # rare: a cloud whose few different points sampling leaves out, or a file that has changed
        for item, shape, up in zip(batch.items, batch.shapes, batch.ups, strict=True):
            single = _Batch([item], [shape], [up])
            try:
                grown.add(single, _encode(encoder, single, settings))
            except (CloudError, ShapeFileError, WeightsError) as error:
                grown.fail(item, str(error), up)


def _encode(encoder: ShapeEncoder, batch: _Batch, settings: Settings) -> np.ndarray:
    return encoder.encode(
        batch.shapes, up=batch.ups, batch_size=settings.batch_size, seed=settings.seed, num_samples=settings.num_samples
    )

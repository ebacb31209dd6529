"""Shapes in, parts of a table out: what every engine runs beside its encoder."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.embedding_store import Failed, Origin, Part, write_part
from openshape_ood.embedding_store.jobs.reading import Read, prepares, read_items
from openshape_ood.embedding_store.jobs.settings import Item, Settings
from openshape_ood.embedding_store.schema import text
from openshape_ood.errors import CloudError, MixedEncodersError, ShapeFileError, WeightsError

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

FIRST_ROWS = 64  # of the first part, where parts may take so long only
POINTS_AT_ONCE = 4_000_000  # of all clouds of a batch: 200 MB where they have colors


@dataclass
class _Batch:
    items: list[Item] = field(default_factory=list)
    shapes: list[Any] = field(default_factory=list)
    ups: list[str] = field(default_factory=list)
    points: int = 0


@dataclass
class _Growing:
    """A part that is being made."""

    ids: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    preprocessing: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def embed_parts(
    encoder: ShapeEncoder,
    items: Sequence[Item],
    settings: Settings,
    origin: Origin,
    out: Path,
    step: Callable[[int], None],
    seconds: float | None = None,
) -> Generator[Part]:
    """Reads, embeds and writes the items, `part_rows` a part; what was written, part by part.

    The same items in the same order make the same parts, unless `seconds` says how long a part may take: then the first
    is small, and the next ones as large as that allows, so that a run that is killed loses little. `step` is told how
    many more files were read. A file that cannot be used is an error row of its part and stops nothing. Raises
    `MixedEncodersError` for an encoder whose weights are others than those of `origin`, `WeightsError` where no
    embedding of a batch can be used, `FileError` where a part cannot be written.
    """
    check_weights(encoder, origin)
    origin = replace(origin, temperature=encoder.temperature)
    prepared = prepares(items, settings)
    with contextlib.closing(read_items(items, encoder.spec, settings)) as reads:
        first, rows = 0, settings.part_rows if seconds is None else min(FIRST_ROWS, settings.part_rows)
        while first < len(items):
            asked, began = items[first : first + rows], time.monotonic()
            grown = _Growing()
            batches = _batches(asked, islice(reads, len(asked)), settings, grown, step)
            embed = _embed_prepared if prepared else _embed
            embed(encoder, batches, settings, grown)
            part = _finished(asked, grown, origin.dimensions)
            write_part(out, part, origin)
            yield part
            first += rows
            if seconds is not None:
                fitting = int(len(asked) * seconds / max(time.monotonic() - began, 1e-3))
                rows = max(1, min(fitting, 4 * rows, settings.part_rows))


def check_weights(encoder: ShapeEncoder, origin: Origin) -> None:
    """On every worker: its copy of the weights might be another one."""
    if encoder.identity.sha256 != origin.checkpoint_hash:
        raise MixedEncodersError(
            f"the weights here have the sha256 {encoder.identity.sha256[:8]}, the table is by {origin}; "
            "expected the same file on every machine"
        )


def failed_part(items: Sequence[Item], reason: str, settings: Settings, origin: Origin) -> Part:
    """A part of errors only, for shapes that no worker survived."""
    grown = _Growing(failed=[_failed(item, reason, item.up, settings) for item in items])
    return _finished(items, grown, origin.dimensions)


def _batches(
    asked: Sequence[Item], reads: Iterable[Read], settings: Settings, grown: _Growing, step: Callable[[int], None]
) -> Iterator[_Batch]:
    batch = _Batch()
    for item, read in zip(asked, reads, strict=True):
        step(1)
        if read.cloud is None:
            grown.failed.append(_failed(item, read.error or "no reason given", read.up, settings))
            continue
        batch.items.append(item)
        # several samplings sample a surface anew, and so need the file
        batch.shapes.append(read.cloud if settings.num_samples == 1 else item.path)
        batch.ups.append(read.up)
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
            grown.failed.append(_failed(batch.items[i], "its embedding is zero or not finite", batch.ups[i], settings))
        kept = np.flatnonzero(sound).tolist()
        chosen = _Batch([batch.items[i] for i in kept], [], [batch.ups[i] for i in kept])
        _add(chosen, rows[kept] / lengths[kept, None], settings, grown)


def _embed(encoder: ShapeEncoder, batches: Iterable[_Batch], settings: Settings, grown: _Growing) -> None:
    """Batches of clouds or files; shape by shape where one holds a shape that cannot be embedded."""
    for batch in batches:
        try:
            _add(batch, _encode(encoder, batch, settings), settings, grown)
            continue
        except (CloudError, ShapeFileError, WeightsError):
            pass  # rare: a cloud whose few different points sampling leaves out, or a file that has changed
        for item, shape, up in zip(batch.items, batch.shapes, batch.ups, strict=True):
            single = _Batch([item], [shape], [up])
            try:
                _add(single, _encode(encoder, single, settings), settings, grown)
            except (CloudError, ShapeFileError, WeightsError) as error:
                grown.failed.append(_failed(item, str(error), up, settings))


def _encode(encoder: ShapeEncoder, batch: _Batch, settings: Settings) -> np.ndarray:
    return encoder.encode(
        batch.shapes, up=batch.ups, batch_size=settings.batch_size, seed=settings.seed, num_samples=settings.num_samples
    )


def _add(batch: _Batch, rows: np.ndarray, settings: Settings, grown: _Growing) -> None:
    grown.ids += [item.id for item in batch.items]
    grown.paths += [text(item.path) for item in batch.items]
    grown.preprocessing += [settings.row_preprocessing(up) for up in batch.ups]
    grown.rows.append(rows)


def _failed(item: Item, reason: str, up: str | None, settings: Settings) -> Failed:
    return Failed(item.id, text(item.path), settings.row_preprocessing(up), text(reason))


def _finished(asked: Sequence[Item], grown: _Growing, dimensions: int) -> Part:
    rows = np.concatenate(grown.rows) if grown.rows else np.empty((0, dimensions), dtype=np.float32)
    return Part([item.id for item in asked], grown.ids, grown.paths, grown.preprocessing, rows, grown.failed)

"""Files -> clouds as an encoder takes them, in order, ahead of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from openshape_ood.embedding_store.jobs.settings import Item, Settings
from openshape_ood.shapes import CloudSpec, read_shapes


@dataclass(frozen=True, eq=False)
class Read:
    """A file as it was read: its cloud, None where it cannot be used; which axis points up in it; why not."""

    cloud: Any
    up: str
    error: str | None


def prepares(items: Sequence[Item], settings: Settings) -> bool:
    """If readers can bring clouds into the encoder's frame: not for several samplings, nor for axes of their own."""
    return settings.num_samples == 1 and all(item.up is None for item in items)


def read_items(items: Sequence[Item], points: CloudSpec, settings: Settings) -> Generator[Read]:
    """One `Read` an item, in their order; prepared (count, 6) where `prepares`, else as the file has it (n, 3|6)."""
    reads = read_shapes(
        (item.path for item in items),
        points=points.count,
        seed=settings.seed,
        up=settings.up,
        frame=points if prepares(items, settings) else None,
        workers=settings.readers,
    )
    for item, read in zip(items, reads, strict=True):
        yield Read(read.cloud, item.up or read.up or settings.up, read.error)

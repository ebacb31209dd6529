"""One machine: the encoder in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from openshape_ood.embedding_store import Origin
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Step
from openshape_ood.embedding_store.jobs.work import embed_parts

PART_SECONDS = 60  # what a run that is killed may lose


def run(items: Sequence[Item], settings: Settings, origin: Origin, out: Path, step: Step) -> None:
    """Embeds the items and writes their parts."""
    encoder = settings.load()
    for _ in embed_parts(encoder, items, settings, origin, out, lambda count: step(count, os.getpid()), PART_SECONDS):
        pass

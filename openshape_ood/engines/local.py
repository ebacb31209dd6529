"""One machine: the encoder in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from openshape_ood.engines.settings import Item, Settings, Step
from openshape_ood.engines.work import embed_parts
from openshape_ood.tables import Origin

PART_SECONDS = 60  # what a run that is killed may lose


def run(items: Sequence[Item], settings: Settings, origin: Origin, out: Path, step: Step) -> None:
    """Embeds the items and writes their parts."""
    encoder = settings.load()
    for _ in embed_parts(encoder, items, settings, origin, out, lambda count: step(count, os.getpid()), PART_SECONDS):
        pass

"""What is embedded, how, and what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from openshape_ood import __version__
from openshape_ood.checks import given_path
from openshape_ood.embedding_store import Failed, Origin
from openshape_ood.errors import InputError, WeightsError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import Row, find_checkpoint
from openshape_ood.shapes.points import check_up, sample_seeds

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

PART_ROWS = 1000
PRECISIONS = ("float32", "bfloat16", "float16")

Step = Callable[[int, int], None]  # so many shapes are done, by the process of this id


@dataclass(frozen=True, slots=True)  # there may be millions
class Item:
    """A shape file: the id of its row, its path, and which axis points up where that is known for it alone."""

    id: str
    path: str
    up: str | None = None


@dataclass(frozen=True)
class Settings:
    """How shapes are embedded: all that `ShapeEncoder.from_pretrained` and `encode` take.

    model, checkpoint: the encoder, and a weights file in place of the registered one; device: None for the best there
    is. readers: processes that read files ahead of each encoder, 0 to read in the encoder's own, None for what suits
    the engine; part_rows: shapes that go into one file of the table.
    """

    model: str = "vitb32"
    checkpoint: str | None = None
    device: str | None = None
    up: str = "y"
    seed: int = 0
    num_samples: int = 1
    precision: str = "float32"
    batch_size: int = 32
    readers: int | None = None
    part_rows: int = PART_ROWS

    def check(self) -> Row:
        """The encoder's row of the registry. Raises `InputError` for values that cannot be used."""
        row = find_checkpoint(self.model)
        if self.up != "file":
            check_up(self.up)
        sample_seeds(self.seed, self.num_samples)
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}")
        for name, least in {"batch_size": 1, "readers": 0, "part_rows": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; expected {least} or more")
        return row

    def origin(self) -> Origin:
        """What will make the embeddings, without loading it."""
        row = self.check()
        digest = row.source.sha256
        if self.checkpoint is not None:
            path = given_path(self.checkpoint, "checkpoint")
            if not path.is_file():
                raise WeightsError(f"{self.model}: no checkpoint file at {path}")
            digest = sha256(path)
        return Origin(row.name, digest, row.text.space, row.sizes.embedding_dim)

    def preprocessing(self) -> dict[str, Any]:
        """What else embeddings depend on: the same for all that may lie in one folder."""
        points = self.check().spec.count
        return {
            "points": points,
            "up": self.up,
            "seed": self.seed,
            "num_samples": self.num_samples,
            "precision": self.precision,
        }

    def row_preprocessing(self, up: str | None) -> str:
        """The same as JSON for a row that was read with `up`, with the version of the library."""
        return _row_preprocessing(self, up or self.up)

    def load(self) -> ShapeEncoder:
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        # told only where it is not the usual one, whose embeddings are the same on all machines
        more: dict[str, Any] = {} if self.precision == "float32" else {"precision": self.precision}
        return ShapeEncoder.from_pretrained(self.model, checkpoint=self.checkpoint, device=self.device, **more)


@dataclass(frozen=True)
class Summary:
    """What a run did. given: shapes asked for; reused: embedded by an earlier run; embedded, failed: by this one;
    skipped: failed in an earlier run, and not tried again; rows, errors: in the folder now."""

    out: str
    given: int
    reused: int
    embedded: int
    failed: Sequence[Failed]
    skipped: int
    rows: int
    errors: int
    origin: Origin


@cache
def _row_preprocessing(settings: Settings, up: str) -> str:
    return json.dumps({**settings.preprocessing(), "up": up, "version": __version__})


def absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))

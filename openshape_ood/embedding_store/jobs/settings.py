"""What is embedded, how, which share of it by this run, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, given_path
from openshape_ood.embedding_store.schema import Failed, Header
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import InputError, WeightsError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import find_checkpoint
from openshape_ood.shapes.points import check_up, sample_seeds

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

SHARD_ROWS = 1000
PRECISIONS = ("float32", "bfloat16", "float16")

Step = Callable[[int, int], None]  # so many shapes are done, by the process of this id


@dataclass(frozen=True, slots=True)  # there may be millions
class Item:
    """A shape file: the id of its row, its path, and which axis points up where that is known for it alone."""

    id: str
    path: str
    up: str | None = None


@dataclass(frozen=True)
class Share:
    """Share `index` of `count`, from 0: which ids a run embeds. An id always falls into the same share."""

    index: int
    count: int

    @classmethod
    def parse(cls, value: str) -> Share:
        """
        >>> Share.parse("3/8")
        Share(index=3, count=8)
        """
        index, _, count = value.partition("/")
        if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise InputError(f"the shard is {value!r}; expected i/n with i from 0 to n - 1, as 0/8")
        return cls(int(index), int(count))


@dataclass(frozen=True)
class Settings:
    """How shapes are embedded: all that `ShapeEncoder.from_pretrained` and `encode` take.

    checkpoint: a weights file in place of the registered one; device: None for the best there is; readers: processes
    that read files ahead of each encoder, 0 to read in the encoder's own, None for what suits the engine; shard_rows:
    shapes that go into one file of a folder.
    """

    model: str = "vitb32"
    checkpoint: str | None = None
    device: str | None = None
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    precision: str = "float32"
    batch_size: int = 32
    readers: int | None = None
    shard_rows: int = SHARD_ROWS

    def header(self) -> Header:
        """What will make the embeddings, without loading it. Raises `InputError` for values that cannot be used."""
        row = find_checkpoint(self.model)
        if self.up != "file":
            check_up(self.up)
        sample_seeds(check_seed(self.seed), self.num_samples)
        check_choice(self.precision, "precision", PRECISIONS)
        for name, least in {"batch_size": 1, "readers": 0, "shard_rows": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; expected {least} or more")
        digest = row.source.sha256
        if self.checkpoint is not None:
            path = given_path(self.checkpoint, "checkpoint")
            if not path.is_file():
                raise WeightsError(f"{self.model}: no checkpoint file at {path}")
            digest = sha256(path)
        identity = Identity(row.name, row.text.space, digest)
        made = Provenance(identity, "", self.up, int(self.seed), int(self.num_samples), __version__)
        return Header(made, row.sizes.embedding_dim, None, row.spec.count, self.precision)

    def load(self) -> ShapeEncoder:
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        # told only where it is not the usual one, whose embeddings are the same on all machines
        more: dict[str, Any] = {} if self.precision == "float32" else {"precision": self.precision}
        return ShapeEncoder.from_pretrained(self.model, checkpoint=self.checkpoint, device=self.device, **more)


@dataclass(frozen=True)
class Summary:
    """What a run did.

    given: shapes asked for, of its share; reused: embedded by an earlier run; embedded, failed: by this one; skipped:
    failed in an earlier run, and not tried again; rows, errors: in the folder or file now; of a share, its own.
    """

    out: str
    given: int
    reused: int
    embedded: int
    failed: Sequence[Failed]
    skipped: int
    rows: int
    errors: int
    header: Header

"""The one schema of stored embeddings: what a row holds, and the header that says what made all of them.

Every ending holds the same. A row: id, path, embedding (d,) float32, a unit vector; up, the gravity axis it was read
with; stamp, the state of the file; status, "ok" or "error", and the error. Once for all rows, as JSON under the key
"openshape_ood": the header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import FileError, InputError, MixedEncodersError

FORMAT = "openshape_ood embeddings 3"
KEY = "openshape_ood"
COLUMNS = ("id", "path", "embedding", "up", "stamp", "provenance", "status", "error")
BATCH_ROWS = 65_536  # of 512 numbers: 128 MiB
MAX_DIM = 65_536
MAX_HEADER = 65_536  # characters
MAX_WORD = 16_384  # characters of an id, a path, an error


@dataclass(frozen=True)
class Header:
    """What made stored embeddings: the same in every ending.

    dim: d, the numbers of an embedding; temperature: of the encoder's training, where its weights say so; points: of
    the cloud that it was given; precision: of the network's products.
    """

    provenance: Provenance
    dim: int
    temperature: float | None = None
    points: int = 0
    precision: str = "float32"

    @property
    def identity(self) -> Identity:
        return self.provenance.identity

    def to_json(self) -> str:
        own = {"format": FORMAT, **asdict(self)}
        return json.dumps(own | {"sum": checksum(own)})

    @classmethod
    def from_json(cls, content: str | bytes | None, where: Any) -> Header:
        """The header in a file. Raises `FileError` naming `where` for anything else."""
        try:
            if content is None or len(content) > MAX_HEADER:
                raise ValueError("there is none")
            found = json.loads(content)
            given, kind = found.pop("sum", ""), found["format"]
            if kind != FORMAT or given != checksum(found):
                raise ValueError("another format" if kind != FORMAT else "damaged: its checksum is another")
            del found["format"]
            made = found.pop("provenance")
            header = cls(Provenance(Identity(**made.pop("identity")), **made), **found)
            header._check()
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise FileError(f"{where} does not say what made its embeddings; expected {FORMAT!r} ({error})") from error
        return header

    def _check(self) -> None:
        for part in (self, self.provenance, self.identity):
            for field in fields(part):
                value = getattr(part, field.name)
                if field.type in ("int", "str") and type(value).__name__ != field.type:
                    raise TypeError(f"{field.name} is {value!r:.50}")
        if not 1 <= self.dim <= MAX_DIM:
            raise ValueError(f"dim is {self.dim}")
        if self.temperature is not None and not 0 < float(self.temperature) < float("inf"):
            raise ValueError(f"temperature is {self.temperature}")

    def settings(self) -> dict[str, Any]:
        """All that embeddings depend on beside the weights: the same for all that lie in one folder."""
        made = {field.name: getattr(self.provenance, field.name) for field in fields(self.provenance)}
        del made["identity"], made["method"], made["version"]
        return {**made, "points": self.points, "precision": self.precision}

    def check_one_folder(self, there: Header, folder: Any) -> None:
        """Raises `MixedEncodersError` or `InputError` where a folder with the header `there` is another's."""
        if self.identity.sha256 != there.identity.sha256:
            raise MixedEncodersError(
                f"{folder} holds embeddings by {there.identity}, asked for was {self.identity}; give another --out"
            )
        own, other = self.settings(), there.settings()
        keys = [key for key in own if own[key] != other[key]]
        if keys:
            made, asked = (", ".join(f"{key} {one[key]}" for key in keys) for one in (other, own))
            raise InputError(f"{folder} holds embeddings made with {made}, asked for was {asked}; give another --out")


@dataclass(frozen=True)
class Failed:
    """A shape without an embedding, and why; up is empty where the file was not read so far; stamp as in `Rows`."""

    id: str
    path: str
    error: str
    up: str = ""
    stamp: str = ""


@dataclass(frozen=True, eq=False)
class Rows:
    """Embeddings (n, d) float32 of n shapes with their ids, paths and gravity axes, and beside them what failed.

    stamps: of each file its size and the time of its last change, as "bytes:nanoseconds", which tell whether it was
    replaced since; "" where nobody looked.
    """

    ids: Sequence[str]
    paths: Sequence[str]
    ups: Sequence[str]
    embeddings: np.ndarray
    failed: Sequence[Failed] = ()
    stamps: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps", self.stamps or [""] * len(self.ids))

    def __len__(self) -> int:
        return len(self.ids) + len(self.failed)

    def check(self, header: Header) -> np.ndarray:
        """The embeddings as they are stored. Raises `InputError` where these are no rows of `header`."""
        shape, n = np.shape(self.embeddings), len(self.ids)
        if shape != (n, header.dim) or not len(self.paths) == len(self.ups) == len(self.stamps) == n:
            given = f"the shape {shape} for {n} ids, {len(self.paths)} paths and {len(self.ups)} ups"
            raise InputError(f"embeddings have {given}; expected ({n}, {header.dim}), and one of each a row")
        return np.ascontiguousarray(self.embeddings, dtype=np.float32)


def checksum(content: Any, *more: bytes) -> str:
    """sha256 of what a JSON file can hold, and of bytes, against bits that flip."""
    return hashlib.sha256(b"".join([json.dumps(content, sort_keys=True).encode(), *more])).hexdigest()


def text(value: str) -> str:
    r"""Broken bytes of a file name, which stored text cannot hold, escaped.

    >>> text("a\udcff.ply")
    'a\\udcff.ply'
    """
    return value.encode("utf-8", errors="backslashreplace").decode()

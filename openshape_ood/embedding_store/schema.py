"""Schema of stored embeddings: rows, and a header with their origin.

All file types contain the same data. Fields of a row: id; path; embedding, a unit vector (d,) float32; up, the gravity
axis; stamp, the state of the shape file; status, "ok" or "error"; error, the reason. The header is stored once, as JSON
under the key "openshape_ood".
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
BATCH_ROWS = 65_536  # with 512 numbers each: 128 MiB
MAX_DIM = 65_536
MAX_HEADER = 65_536  # maximum number of characters
MAX_WORD = 16_384  # maximum number of characters of an id, a path or an error


@dataclass(frozen=True)
class Header:
    """Origin of stored embeddings.

    `dim` is the width d of an embedding. `temperature` is the temperature of the encoder's training; None if unknown.
    `points` is the number of points of a cloud for the encoder. `precision` is the data type of the network's matrix
    products.
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
        fields = {"format": FORMAT, **asdict(self)}
        return json.dumps(fields | {"sum": checksum(fields)})

    @classmethod
    def from_json(cls, content: str | bytes | None, where: Any) -> Header:
        """Header of a file. Raises `FileError` with `where` for any other content."""
        try:
            if content is None or len(content) > MAX_HEADER:
                raise ValueError("there is no header")
            fields = json.loads(content)
            given, kind = fields.pop("sum", ""), fields["format"]
            if kind != FORMAT or given != checksum(fields):
                raise ValueError("another format" if kind != FORMAT else "damaged: its checksum differs")
            del fields["format"]
            made = fields.pop("provenance")
            header = cls(Provenance(Identity(**made.pop("identity")), **made), **fields)
            header._check()
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise FileError(
                f"{where} has no valid header of embeddings ({str(error).rstrip('.')}). Expected the format "
                f"{FORMAT!r}. Embed the shapes again."
            ) from error
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
        """All settings that affect embeddings, except the weights. They are equal for all embeddings in a folder."""
        made = {field.name: getattr(self.provenance, field.name) for field in fields(self.provenance)}
        del made["identity"], made["method"], made["version"]
        return {**made, "points": self.points, "precision": self.precision}

    def check_one_folder(self, there: Header, folder: Any) -> None:
        """Raise an error if a folder has other settings. `there` is its header.

        `MixedEncodersError`: the encoder differs. `InputError`: another setting differs.
        """
        if self.identity.sha256 != there.identity.sha256:
            raise MixedEncodersError(
                f"{folder} has embeddings by {there.identity}. Expected {self.identity}, as requested. "
                "Give another --out."
            )
        settings, other = self.settings(), there.settings()
        keys = [key for key in settings if settings[key] != other[key]]
        if keys:
            made, wanted = (", ".join(f"{key} {one[key]}" for key in keys) for one in (other, settings))
            raise InputError(
                f"{folder} has embeddings made with {made}. Expected {wanted}, as requested. Give another --out."
            )


@dataclass(frozen=True)
class Failed:
    """Shape without an embedding, and the reason. `up` is empty if the file was not read. `stamp` is as in `Rows`."""

    id: str
    path: str
    error: str
    up: str = ""
    stamp: str = ""


@dataclass(frozen=True, eq=False)
class Rows:
    """Embeddings (n, d) float32 of n shapes with ids, paths and gravity axes, and failures.

    `stamps` are size and modification time of each file, "bytes:nanoseconds", to detect changed files; "" if unknown.
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
        """Embeddings as they are stored. Raises `InputError` if they do not fit `header`."""
        shape, n = np.shape(self.embeddings), len(self.ids)
        if shape != (n, header.dim) or not len(self.paths) == len(self.ups) == len(self.stamps) == n:
            given = f"the shape {shape} for {n} ids, {len(self.paths)} paths and {len(self.ups)} ups"
            raise InputError(
                f"embeddings have {given}. Expected ({n}, {header.dim}), with an id, a path and an up per row. "
                "Give complete rows."
            )
        return np.ascontiguousarray(self.embeddings, dtype=np.float32)


def checksum(content: Any, *more: bytes) -> str:
    """sha256 of JSON content and bytes, to detect corruption."""
    return hashlib.sha256(b"".join([json.dumps(content, sort_keys=True).encode(), *more])).hexdigest()


def text(value: str) -> str:
    r"""Escape undecodable bytes of a file name, which stored text cannot contain.

    >>> text("a\udcff.ply")
    'a\\udcff.ply'
    """
    return value.encode("utf-8", errors="backslashreplace").decode()

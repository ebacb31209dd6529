"""Which files of a checkpoint are on this machine, found without the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.errors import OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.registry.rows import Row


@dataclass(frozen=True)
class Part:
    """The encoder or the text tower of a checkpoint, or the encoder's stripped file: that file, None where it is not
    here; sha256 as registered, "" where none is; source: "package", "hub", "https", "file", or "stripped"."""

    checkpoint: str
    part: str
    path: Path | None
    sha256: str
    source: str

    @property
    def place(self) -> str:
        """For a table: where it is."""
        if self.path is None:
            return "not downloaded" if self.source in ("hub", "https") else "missing"
        places = {
            "package": "in the package",
            "hub": "in the cache",
            "https": "in the cache",
            "file": "a local file",
            "stripped": "in the cache, stripped",
        }
        return places[self.source]


def encoder_part(row: Row) -> Part:
    """What the encoder would be loaded from if there were no network: the file of the registry, or its stripped one."""
    registered = registered_part(row)
    stripped = stripped_part(row)
    return stripped if stripped and registered.path is None else registered


def registered_part(row: Row) -> Part:
    """The encoder's file as the registry names it."""
    from openshape_ood.registry.files import cached, known_sha256

    return Part(row.name, "encoder", cached(row), known_sha256(row), row.source.kind)


def stripped_part(row: Row) -> Part | None:
    """The encoder's stripped file, if there is one; its sha256 is not registered, as it is written here."""
    from openshape_ood.registry import stripped

    path = stripped.find(row)
    return Part(row.name, "encoder", path, "", "stripped") if path else None


def text_part(row: Row) -> Part:
    """Of an open_clip tower, only what the Hub's client keeps is found. Takes seconds, as open_clip is imported."""
    from openshape_ood.encoders.text.encoder import cached_file
    from openshape_ood.registry.rows import PACKAGE

    try:
        path = cached_file(row)
    except OpenShapeError:  # a tower without weights on the Hub
        path = None
    if row.text.kind == "open_clip":
        return Part(row.name, "text", path, row.text.sha256, "hub")
    source = "package" if path and path.is_relative_to(PACKAGE) else "file"
    return Part(row.name, "text", path, row.text.sha256, source)

"""Which files of a checkpoint are on this machine, found without the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.errors import OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.registry.rows import Checkpoint


@dataclass(frozen=True)
class Part:
    """The encoder or the text tower of a checkpoint, or the encoder's stripped file: that file, None where it is not
    here; sha256 as registered, "" where none is; source: "package", "hub", "beside" the registry, or "stripped"."""

    checkpoint: str
    part: str
    path: Path | None
    sha256: str
    source: str

    @property
    def place(self) -> str:
        """For a table: where it is."""
        if self.path is None:
            return "not downloaded" if self.source == "hub" else "missing"
        places = {
            "package": "in the package",
            "hub": "in the cache",
            "beside": "beside the registry",
            "stripped": "in the cache, stripped",
        }
        return places[self.source]


def encoder_part(row: Checkpoint) -> Part:
    """What the encoder would be loaded from if there were no network: the file of the registry, or its stripped one."""
    registered = registered_part(row)
    stripped = stripped_part(row)
    return stripped if stripped and registered.path is None else registered


def registered_part(row: Checkpoint) -> Part:
    """The encoder's file as the registry names it."""
    from openshape_ood.registry import hub
    from openshape_ood.registry.rows import source_kind

    return Part(row.name, "encoder", hub.cached(row), row.source.sha256, source_kind(row))


def stripped_part(row: Checkpoint) -> Part | None:
    """The encoder's stripped file, if there is one; its sha256 is not registered, as it is written here."""
    from openshape_ood.registry import stripped

    path = stripped.find(row)
    return Part(row.name, "encoder", path, "", "stripped") if path else None


def text_part(row: Checkpoint) -> Part:
    """Of an open_clip tower, only what the Hub's client keeps is found. Takes seconds, as open_clip is imported."""
    from openshape_ood.encoders.text import towers
    from openshape_ood.registry.rows import PACKAGE

    try:
        path = towers.cached_file(row)
    except OpenShapeError:  # a tower without weights on the Hub
        path = None
    if row.text.kind == "open_clip":
        return Part(row.name, "text", path, row.text.sha256, "hub")
    source = "package" if path and path.is_relative_to(PACKAGE) else "beside"
    return Part(row.name, "text", path, row.text.sha256, source)

"""Which files of a checkpoint are on this machine, found without the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.errors import OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.checkpoints import Checkpoint


@dataclass(frozen=True)
class Part:
    """The encoder or the text tower of a checkpoint: its file, None where it is not here; sha256 as registered, ""
    where none is; source: "package", "hub" or "beside" the registry, or why it cannot be told."""

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
        return {"package": "in the package", "hub": "in the cache", "beside": "beside the registry"}[self.source]


def encoder_part(row: Checkpoint) -> Part:
    from openshape_ood.checkpoints import PACKAGE, source_kind

    source, kind = row.source, source_kind(row)
    if kind == "hub":
        path = _in_cache(row, "encoder", source.sha256, source.repo, source.file, source.revision)
    else:
        path = PACKAGE / source.package if kind == "package" else row.folder / source.file
    return Part(row.name, "encoder", path if path and path.is_file() else None, source.sha256, kind)


def text_part(row: Checkpoint) -> Part:
    """Of an open_clip tower, only what the Hub's client keeps is found. Takes seconds, as open_clip is imported."""
    from openshape_ood.towers import static_file

    text = row.text
    if text.kind == "static":
        try:
            return Part(row.name, "text", static_file(row), text.sha256, "package")
        except OpenShapeError:
            return Part(row.name, "text", None, text.sha256, "beside")
    try:
        path = _in_cache(row, "text", text.sha256, *_tower_file(row), text.revision)
    except OpenShapeError:  # a tower without weights on the Hub
        path = None
    return Part(row.name, "text", path, text.sha256, "hub")


def _tower_file(row: Checkpoint) -> tuple[str, str]:
    from openshape_ood import towers

    repo, _, file = towers._pretrained_config(row).get("hf_hub", "").rpartition("/")
    return repo, file or towers.HUB_FILE


def _in_cache(row: Checkpoint, part: str, sha256: str, repo: str, file: str, revision: str) -> Path | None:
    from openshape_ood import hub

    if not repo:
        return None
    return hub._cached(hub._Wanted(row.name, part, sha256, repo, file, revision))  # type: ignore[arg-type]

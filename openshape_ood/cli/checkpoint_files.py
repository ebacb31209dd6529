"""Which files of a checkpoint are on this machine, found without the network, and whether they are sound."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood.errors import FileError, HashError, OpenShapeError, WeightsError

if TYPE_CHECKING:
    from openshape_ood.registry import Row

# kind of source: where its file is, and what there is instead
PLACES = {
    "package": ("in the package", "missing"),
    "hub": ("in the cache", "not downloaded"),
    "https": ("in the cache", "not downloaded"),
    "hand": ("in the cache", "to be fetched by hand"),
    "file": ("a local file", "missing"),
    "stripped": ("in the cache, stripped", "missing"),
}


@dataclass(frozen=True)
class Part:
    """A file of a checkpoint: of its `own_part` or its text encoder. path: None where it is not here; source: the kind
    of the row's, or "stripped"; sha256: as registered, None where none is."""

    checkpoint: str
    part: str
    path: Path | None
    source: str
    sha256: str | None

    @property
    def place(self) -> str:
        """For a table: where it is."""
        return PLACES[self.source][self.path is None]


def own_part(row: Row) -> str:
    """What the weights of a row are of."""
    from openshape_ood.registry.rows import ENCODERS

    return "encoder" if row.kind in ENCODERS else row.kind


def part_names(row: Row, with_text: bool = True) -> list[str]:
    """Its own, and "text" if it has a text encoder."""
    return [own_part(row), "text"] if with_text and row.text.kind else [own_part(row)]


def own_parts(row: Row) -> list[Part]:
    """The weights' file as the registry names it, and the stripped one, which is written here and has no registered
    sha256: those that are here, or else the first. The first is what would be loaded without a network."""
    from openshape_ood.registry import weight_cache
    from openshape_ood.registry.files import cached, known_sha256

    registered = Part(row.name, own_part(row), None, row.source.kind, row.source.sha256 or None)
    try:
        registered = replace(registered, path=cached(row), sha256=known_sha256(row) or None)
        other = Part(row.name, own_part(row), weight_cache.find(row), "stripped", None)
    except FileError:  # no home folder, where files would be kept
        return [registered]
    return [part for part in (registered, other) if part.path] or [registered]


def text_part(row: Row) -> Part:
    """Of an open_clip encoder, only what the Hub's client keeps is found. Takes seconds, as open_clip is imported."""
    from openshape_ood.encoders.text.encoder import cached_file
    from openshape_ood.registry.rows import PACKAGE

    try:
        path = cached_file(row)
    except OpenShapeError:  # one without weights on the Hub
        path = None
    source = "package" if path and path.is_relative_to(PACKAGE) else "file"
    source = "hub" if row.text.kind == "open_clip" else source
    return Part(row.name, "text", path, source, row.text.sha256 or None)


def all_parts(row: Row) -> list[Part]:
    """All files of a checkpoint, its own first."""
    return [*own_parts(row), text_part(row)] if row.text.kind else own_parts(row)


def verified(row: Row, part: Part) -> dict[str, Any]:
    """A part's record with its status: "sound", "damaged", "missing", or "present" where no hash is registered."""
    from openshape_ood.registry import weight_cache
    from openshape_ood.registry.files import sha256

    found = None
    if part.path is None:
        status = "missing"
    elif part.source == "stripped":
        status = "sound" if weight_cache.is_sound(row) else "damaged"
    elif part.sha256:
        found = sha256(part.path)
        status = "sound" if found == part.sha256 else "damaged"
    else:
        status = "present"
    return {**asdict(part), "status": status, "found_sha256": found}


def owners(digest: str) -> list[tuple[Row, str]]:
    """Row and part of every registered file with that sha256."""
    from openshape_ood.registry import load_registry

    rows = load_registry().values()
    found = [(row, own_part(row)) for row in rows if row.source.sha256 == digest]
    return found + [(row, "text") for row in rows if row.text.sha256 == digest]


def verified_file(path: Path) -> dict[str, Any]:
    """A file at hand, as `verified` has those of a checkpoint: "sound" as what, or "unknown"."""
    from openshape_ood.registry.files import sha256

    digest = sha256(path)
    found = owners(digest)
    part = Part(", ".join(row.name for row, _ in found), found[0][1] if found else "", path, "given", None)
    return {**asdict(part), "status": "sound" if found else "unknown", "found_sha256": digest}


def add_file(path: Path, name: str | None, text: bool) -> list[dict[str, Any]]:
    """Keep a file brought by hand as whatever the registry has with its sha256, or else as what it is named."""
    from openshape_ood.encoders.text.encoder import check_text
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, find_checkpoint
    from openshape_ood.registry.rows import ENCODERS, KINDS

    digest = files.sha256(path)
    found = [(row, part) for row, part in owners(digest) if name in (None, row.name)]
    if not found and name is None:
        raise HashError(
            f"{path} has the sha256 {digest}, which no file of the registry has: damaged on its way, or another one. "
            "Where the registry names no sha256, as for text encoders, say what it is: --as NAME --text. To use other "
            "weights than the registered ones: --checkpoint FILE"
        )
    if not found:
        row = find_checkpoint(str(name), kinds=ENCODERS if text else tuple(KINDS))
        if row.members:
            members = ", ".join(member.name for member in row.members)
            raise WeightsError(f"{row.name!r} is an ensemble; expected --as the one whose file it is: {members}")
        found = [(row, "text" if text else own_part(row))]
    added = []
    for row, part in found:
        if part == "text":
            check_text(row)
        if part == "text" and row.text.kind != "open_clip":
            raise WeightsError(f"text encoder of {row.name!r} is the file {row.text.model}; nothing needs to be added")
        if part != "text" and row.architecture and not files.known_sha256(row):
            from openshape_ood.registry.weights import load_network

            load_network(row, path)  # what does not fit must not be recorded as the right file
        kept = files.add(row, path, hub_address(row) if part == "text" else None)
        more = {"path": kept} if part == "text" else fetch_own(row, False)
        added.append({"checkpoint": row.name, "part": part, "found_sha256": digest, **more})
    return added


def size_text(count: int | None) -> str:
    """Bytes for people, in powers of ten, as the Hub shows them.

    >>> size_text(388_091_433), size_text(None)
    ('388 MB', 'unknown size')
    """
    if count is None:
        return "unknown size"
    for unit, digits in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**digits:
            return f"{count / 10**digits:.3g} {unit}"
    return f"{count} bytes"


def plan(rows: Sequence[Row], with_text: bool) -> list[tuple[Row, str, str, int | None]]:
    """The files of some checkpoints in the order in which they are fetched: row, part, the place to download from, ""
    for a file that is here, and bytes, None where nobody says; asks the Hub for sizes not registered."""
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, weight_cache

    planned: list[tuple[Row, str, str, int | None]] = []
    for row in rows:
        place, size = files.download_size(row)
        kept = weight_cache.find(row) if place else None
        planned.append((row, own_part(row), *(("", kept.stat().st_size) if kept else (place, size))))
        if with_text and row.text.kind == "open_clip":
            with suppress(OpenShapeError):  # one without weights on the Hub: told when it is fetched
                planned.append((row, "text", *files.download_size(row, hub_address(row))))
    return planned


def fetch_own(row: Row, progress: bool) -> dict[str, Path | None]:
    """path: of the registered file, or of the stripped one if that is all that is here, and enough."""
    from openshape_ood.registry import files, weight_cache

    kept = weight_cache.stripped_path(row) if weight_cache.is_sound(row) else None
    if kept and files.cached(row) is None:
        return {"path": kept, "stripped": kept}
    path = files.fetch(row, progress)
    return {"path": path, "stripped": kept or _strip(row, path)}


def _strip(row: Row, path: Path) -> Path | None:
    from openshape_ood.registry import weight_cache

    if weight_cache.stripped_path(row) is None:  # before torch is loaded
        return None
    from openshape_ood.registry.weights import read_file

    try:
        weights = read_file(path, row, trusted=bool(row.source.sha256))
    except WeightsError:  # the registered file all the same: whoever loads it is told
        return None
    return weight_cache.keep(row, weights)

"""Files of the registry: in the package, on the Hugging Face Hub, at an https address, or local.

A file that is cached and sound needs no network; a failure is told as the error of its kind, with what to do about it.
A file has the registered sha256; where none is registered, that of the first use is recorded, and any other is refused
from then on.
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from openshape_ood.errors import OfflineError, WeightsError
from openshape_ood.registry import hub
from openshape_ood.registry.download import Wanted, check_hash, download_url, sha256
from openshape_ood.registry.rows import PACKAGE, Row, Source
from openshape_ood.storage import own_folder, replacing


def fetch(row: Row, progress: bool = True) -> Path:
    """The file with the weights of a row, downloaded first if need be.

    Parameters
    ----------
    row : Row
        A row of the registry.
    progress : bool
        Draw a progress bar while downloading from the Hub.

    Returns
    -------
    Path
        Its sha256 is the registered one, or that of the first use.

    Raises
    ------
    OfflineError, ServerError, TransferError
        What kept the download from succeeding.
    HashError
        The file is not the registered one.
    WeightsError
        There is no file where the registry says.
    """
    wanted = _encoder(row)
    path = _fetch(wanted, progress)
    if not wanted.source.sha256:
        _pin(wanted, path)
    return path


def cached(row: Row) -> Path | None:
    """The file that `fetch` gives, if it is on this machine: asks no network, and does not look inside."""
    return _cached(_encoder(row))


def known_sha256(row: Row) -> str:
    """The sha256 that the file of `row` must have: the registered one, or that of its first use; "" before that."""
    return _encoder(row).source.sha256


def fetch_text(row: Row, repo: str, file: str, progress: bool = True) -> Path:
    """A file of the Hub with the text encoder of `row`, at the registered revision, checked if a sha256 is registered.

    It is not recorded where none is: hashing ten gigabytes at every start would take longer than all else.
    """
    return _fetch(_text(row, repo, file), progress)


def cached_text(row: Row, repo: str, file: str) -> Path | None:
    """The file that `fetch_text` gives, if it is on this machine: asks no network, and does not look inside."""
    return _cached(_text(row, repo, file))


def _encoder(row: Row) -> Wanted:
    source, name = row.source, Path(urlsplit(row.source.url).path).name
    places = {
        "package": PACKAGE / source.package,
        "file": row.folder.absolute() / source.file,
        "https": own_folder("downloads") / f"{_digest(source.url)[:16]}-{name or 'weights'}",
    }
    wanted = Wanted(row.name, "encoder", source, places.get(source.kind))
    if source.sha256:
        return wanted
    record = own_folder("pins") / f"{_digest(f'{wanted.place} {source.revision}')}.txt"
    return replace(wanted, source=replace(source, sha256=_recorded(record)), record=record)


def _text(row: Row, repo: str, file: str) -> Wanted:
    return Wanted(row.name, "text", Source(row.text.sha256, repo=repo, file=file, revision=row.text.revision))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _fetch(wanted: Wanted, progress: bool) -> Path:
    cached, local = _cached(wanted), wanted.source.kind in ("package", "file")
    if cached and (local or wanted.source.sha256 in ("", sha256(cached))):
        if local:
            check_hash(wanted, cached)
        return cached
    if local:
        raise WeightsError(f"{wanted.what}: there is no file {wanted.path}; to load another one: {wanted.call('PATH')}")
    try:
        path = download_url(wanted, wanted.path) if wanted.path else hub.download(wanted, progress)
    except OfflineError:
        if cached:  # there is a file after all, only not the right one
            check_hash(wanted, cached)
        raise
    return path


def _cached(wanted: Wanted) -> Path | None:
    if wanted.path is None:
        return hub.find(wanted)
    return wanted.path if wanted.path.is_file() else None


def _recorded(record: Path) -> str:
    try:
        found = record.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return ""
    return found[0] if found and len(found[0]) == 64 else ""


def _pin(wanted: Wanted, path: Path) -> None:
    """Records the sha256 of a first use, and tells it."""
    found = sha256(path)
    if wanted.record:
        # a cache that cannot be written must not stop the work
        with suppress(OSError), replacing(wanted.record) as partial:
            partial.write_text(f"{found}  {wanted.place}\n", encoding="utf-8")
    warnings.warn(
        f"{wanted.what}: the registry names no sha256, so that of this first use is taken: {found} ({path}). Any other "
        f"content is refused from now on; to have it so everywhere, add sha256 = {found!r} to its row",
        stacklevel=4,
    )

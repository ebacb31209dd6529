"""Files of the registry: in the package, on the Hugging Face Hub, at an https address, or local.

An undamaged cached file needs no network. Each kind of failure has its error class, and the message has a remedy. A
file must have the registered sha256. If none is registered, the hash of the first file is recorded, and other files are
refused from then on.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.request
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from openshape_ood.errors import CheckpointError, HashError, OfflineError, ServerError, TransferError, WeightsError
from openshape_ood.registry import hub
from openshape_ood.registry.ensembles import together_sha256
from openshape_ood.registry.rows import PACKAGE, Row, Source
from openshape_ood.registry.sources import WeightsFile, broken, refuse_offline
from openshape_ood.storage import CACHE_VARIABLE, check_regular, own_folder, replacing

ANSWER_SECONDS = 10  # time-out of the first answer, and of each chunk of a file
MOST_BYTES = 1 << 36  # largest download
CHUNK_BYTES = 1 << 20
REMEDIES = {
    "given": "Get the file again",
    "hub": "Delete the file and try again",
    "package": "Install the package again",
    "hand": "Delete the file and add it again",
} | dict.fromkeys(("https", "file"), "Correct `sha256` in the registry")


def fetch(row: Row, progress: bool = True, text: tuple[str, str] | None = None) -> Path:
    """Path of a row's weights, with the sha256 checked. Downloads the file if necessary.

    Parameters
    ----------
    progress : bool
        Draw a progress bar while downloading from the Hub.
    text : (str, str), optional
        Repository and file of the text encoder on the Hub. This file is fetched instead. If its sha256 is not
        registered, none is recorded, because hashing ten gigabytes at every start would take longer than all other
        work.

    Raises
    ------
    OfflineError, ServerError, TransferError, HashError, WeightsError
        The download failed, or the file differs from the registered one or is missing.
    """
    wanted = _wanted(row, text)
    path = _fetch(wanted, progress)
    if wanted.record and not wanted.source.sha256:
        digest = sha256(path)
        # a cache that cannot be written is no error
        with suppress(OSError), replacing(wanted.record) as partial:
            partial.write_text(f"{digest}  {wanted.place}\n", encoding="utf-8")
        warnings.warn(
            f"{wanted.what}: the registry has no sha256, so the hash of {path} is recorded: {digest}. Files with "
            f"another hash are refused from now on. For other machines, add sha256 = {digest!r} to the row.",
            stacklevel=3,
        )
    return path


def cached(row: Row, text: tuple[str, str] | None = None) -> Path | None:
    """Path that `fetch` would return, if the file is on this machine. No network access, no check of the content."""
    return _cached(_wanted(row, text))


def download_size(row: Row, text: tuple[str, str] | None = None) -> tuple[str, int | None]:
    """Download source of `fetch` ("" if the file is cached) and its size in bytes (None if unknown)."""
    wanted = _wanted(row, text)
    if path := _cached(wanted):
        return "", path.stat().st_size
    if wanted.source.kind != "hub" or wanted.source.bytes:
        return wanted.place, wanted.source.bytes or None
    return wanted.place, hub.size(wanted)


def known_sha256(row: Row, use: bool = False) -> str:
    """Required sha256 of a row's file: the registered one, else the one recorded on first use, else "".

    For an ensemble, it is the joint sha256 of its members. use: treat this call as the first use, and fetch the file if
    necessary.
    """
    if row.members:
        return together_sha256(known_sha256(member, use) for member in row.members)
    known = _wanted(row).source.sha256
    if known or not use:
        return known
    path = fetch(row)  # records the hash if the cache is writable
    return _wanted(row).source.sha256 or sha256(path)


def add(row: Row, file: Path, text: tuple[str, str] | None = None) -> Path:
    """Copy a file downloaded by hand to the cache path that `fetch` and `cached` use. text: as in `fetch`.

    Raises `HashError` for a file with another hash, `WeightsError` for another suffix or a row with a local file, and
    `TransferError` if copying fails.
    """
    wanted = _wanted(row, text)
    if wanted.brought is None:
        raise WeightsError(
            f"{file} cannot be added, because {wanted.what} is the local file {wanted.path}. Nothing needs to be "
            "added. Replace that file instead."
        )
    if file.suffix != wanted.brought.suffix:
        raise WeightsError(
            f"{file} is not {wanted.place}, the file of {wanted.what}. Expected a file that ends in "
            f"{wanted.brought.suffix!r}. Give that file."
        )
    try:
        with replacing(wanted.brought) as partial:
            shutil.copyfile(file, partial)
            check_hash(wanted, partial, file)
    except CheckpointError:
        raise
    except OSError as error:
        what = f"{wanted.what}: cannot copy {file} to {wanted.brought} ({error.strerror or error})"
        raise TransferError(f"{what}. Expected free space. Set {CACHE_VARIABLE} to another folder.") from error
    return wanted.brought


def _wanted(row: Row, text: tuple[str, str] | None = None) -> WeightsFile:
    if text:
        of_hub = Source(row.text.sha256, repo=text[0], file=text[1], revision=row.text.revision)
        return WeightsFile(row.name, "text", of_hub, brought=_kept_at(of_hub))
    source = row.source
    here = {"package": PACKAGE / source.package, "file": row.folder.absolute() / source.file}.get(source.kind)
    brought = None if here else _kept_at(source)
    part: Any = "encoder" if row.kind == "shape" else row.kind
    wanted = WeightsFile(row.name, part, source, here or (None if source.kind == "hub" else brought), brought)
    if source.sha256:
        return wanted
    record, recorded = own_folder("pins") / f"{_digest(f'{wanted.place} {source.revision}')}.txt", [""]
    with suppress(OSError, UnicodeDecodeError):
        recorded = [*record.read_text(encoding="utf-8").split(), ""]
    return replace(wanted, source=replace(source, sha256=recorded[0] if len(recorded[0]) == 64 else ""), record=record)


def _kept_at(source: Source) -> Path:
    """Cache path of a file from an https address or one added by hand."""
    place = source.url or f"{source.repo or source.page}/{source.file} {source.revision}"
    name = PurePosixPath(source.file or urlsplit(source.url).path).name
    return own_folder("downloads") / f"{_digest(place)[:16]}-{name or 'weights'}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cached(wanted: WeightsFile) -> Path | None:
    for path in (wanted.brought, wanted.path):
        if path and path.is_file():
            return path
    if wanted.path:
        return None
    return hub.find(wanted)


def _fetch(wanted: WeightsFile, progress: bool) -> Path:
    cached, local = _cached(wanted), wanted.source.kind in ("package", "file")
    if local and not cached:
        raise WeightsError(
            f"{wanted.what}: there is no file {wanted.path}. Expected the weights at this path. "
            f"Copy them there, or load another file: {wanted.call('PATH')}"
        )
    if wanted.source.kind == "hand":
        if not cached:
            raise WeightsError(
                f"{wanted.what} is not on this machine. Its authors offer no automatic download. {wanted.by_hand}"
            )
        local = True
    if cached and (local or wanted.source.sha256 in ("", sha256(cached))):
        if local:
            check_hash(wanted, cached)
        return cached
    try:
        path = _download(wanted, wanted.path) if wanted.path else _from_hub(wanted, progress)
        if cached and cached == wanted.brought != path:  # the cached file is damaged
            cached.unlink(missing_ok=True)
        return path
    except OfflineError:
        if cached:  # a cached file has another hash
            check_hash(wanted, cached)
        raise


def _from_hub(wanted: WeightsFile, progress: bool) -> Path:
    path = hub.download(wanted, progress)
    check_hash(wanted, path)
    return path


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(wanted: WeightsFile, path: Path, given: Path | None = None) -> None:
    """Raise `HashError` if a file differs from the registered one. given: the original, if `path` is a copy."""
    expected = wanted.source.sha256
    if not expected or expected == (digest := sha256(path)):
        return
    remedy = REMEDIES["given" if given else wanted.source.kind]
    if wanted.record:
        remedy = f"Delete {wanted.record}, which records the sha256 of its first use, and try again"
    # resolved, because the path is a link: if only the link were deleted, the Hub's client would restore it
    place = given or wanted.source.url or path.resolve()
    raise HashError(
        f"{wanted.what}: the file is not the registered one.\n  file      {place}\n"
        f"  expected  sha256 {expected}\n  found     sha256 {digest}\n"
        f"{remedy}. If you trust the file, you can load it: {wanted.call('PATH')}"
    )


def _download(wanted: WeightsFile, path: Path) -> Path:
    """Download the file at an https address to `path`. An incomplete or wrong file is not kept."""
    url, what = wanted.source.url, f"{wanted.what}: {wanted.place}"
    refuse_offline(wanted)
    received, answered = 0, False
    try:
        with replacing(path) as partial, open(partial, "wb") as file:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310, the registry takes https
                answered = True
                if urlsplit(answer.url).scheme != urlsplit(url).scheme:
                    raise ServerError(f"{what}: it redirects to {answer.url}. Expected https. {wanted.by_hand}")
                if answer.headers.get_content_type() == "text/html":
                    raise ServerError(
                        f"{what}: the server sent a web page, perhaps from a login or a proxy. Expected the file. "
                        f"{wanted.by_hand}"
                    )
                announced = int(answer.headers.get("Content-Length") or -1)
                while chunk := answer.read(CHUNK_BYTES):
                    received += file.write(chunk)
                    if received > MOST_BYTES:
                        raise TransferError(
                            f"{what}: it has too many bytes. Expected at most {MOST_BYTES:,}. {wanted.by_hand}"
                        )
            if announced not in (-1, received):
                raise http.client.IncompleteRead(b"", announced - received)
            file.flush()
            check_hash(wanted, partial)
    except CheckpointError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise broken(error, wanted, urlsplit(url).netloc, answered, received, path.parent) from error
    return path


def open_safetensors(path: Path, framework: str, what: str) -> Any:
    """Open a safetensors file. Raises `WeightsError` naming `what`."""
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        return safe_open(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{what}: cannot read {path} as safetensors ({error}). Expected an undamaged file. Get the file again."
        ) from error

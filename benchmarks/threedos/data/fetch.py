"""The archives of the 3DOS release over the network: a download that broke off goes on where it stopped."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from benchmarks.threedos.data.unpack import not_a_tar
from openshape_ood.errors import FileError, HashError, OpenShapeError, RegistryError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.tables import read_table
from openshape_ood.storage import replacing

TABLE = Path(__file__).with_name("archives.toml")
CHUNK = 1 << 20  # bytes
BUSY = (408, 429, 500, 502, 503, 504)
REASONS = {401: "the server wants a login", 403: "the server forbids it"}
REASONS |= dict.fromkeys((404, 410), "the file is no longer there")


@dataclass(frozen=True)
class Archive:
    """NAME.tar at `address` holds the one folder `folder`; size in bytes, about; 0 and "" where nothing is known."""

    name: str
    address: str
    folder: str
    needed_by: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Patience:
    """Seconds that a silence lasts at most; retries without getting on, after pauses that double from `pause` on."""

    silence: float = 30.0
    retries: int = 4
    pause: float = 1.0


PATIENCE = Patience()


class _BrokenError(Exception):
    """The download broke off; going on may help."""


class _RefusedError(Exception):
    """The server will not give the file, or gives another; going on does not help."""


def read_archives(path: Path) -> tuple[Archive, ...]:
    """The rows of an archives.toml; raises `RegistryError` with the file, the row and what is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"{path}: no table of archives can be read from it ({error})") from error
    return tuple(_row(path, name, fields) for name, fields in tables.items())


def _row(path: Path, name: str, fields: Any) -> Archive:
    row = read_table(Archive, fields | {"name": name} if isinstance(fields, dict) else fields, f"{path}: [{name}]")
    for word in (name, row.folder):
        if not re.fullmatch(r"\w[\w.-]*", word, re.ASCII):
            raise RegistryError(f"{path}: {word!r} cannot name an archive or a folder; use letters, digits, _ . -")
    if not _is_allowed(row.address):
        raise RegistryError(f"{path}: {name!r} is at {row.address!r}; expected https, or http on this machine")
    return row


def _is_allowed(address: str) -> bool:
    """Whether an address may be asked: https, or http to this machine."""
    try:
        parts = urlsplit(address)
        return (parts.scheme == "https" and bool(parts.hostname)) or _is_local(address)
    except ValueError:
        return False


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")


def note_of(tar: Path) -> Path:
    """Where it is noted which file a download is of; a .tar without a note was put there by hand."""
    return tar.with_name(f"{tar.name}.json")


def fetch(archive: Archive, root: Path, *, progress: bool = True, patience: Patience = PATIENCE) -> Path:
    """The archive's .tar below `root`, downloaded, or the rest of it, if it is not there; what came so far is kept."""
    tar = root / f"{archive.name}.tar"
    if tar.is_file():
        return tar
    partial = tar.with_name(f"{tar.name}.partial")
    by_hand = f"By hand: open {archive.address} in a browser, put the file at {tar} and run the command again; or name "
    by_hand += "a table with another address: --archives FILE."
    check_room(root, 2 * archive.size - _size(partial), f"{archive.name}, packed and unpacked,")
    try:
        _persist(archive, partial, note_of(tar), progress, patience)
    except _BrokenError as error:
        kept = f"{_size(partial):,} bytes are kept; running the command again goes on from there."
        hint = kept if _size(partial) else "Check the network and run the command again."
        raise FileError(f"{archive.name}: {archive.address}: {error}. {hint} {by_hand}") from error
    except _RefusedError as error:
        raise FileError(f"{archive.name}: {error} {by_hand}") from error
    if archive.sha256 and (found := sha256(partial)) != archive.sha256:
        partial.unlink()
        what = f"{archive.name}: what {archive.address} sent has the sha256 {found}, expected {archive.sha256}"
        raise HashError(f"{what}; it was deleted. Run the command again, or correct the table of archives")
    with writing(tar):
        os.replace(partial, tar)
    return tar


def _persist(archive: Archive, partial: Path, note: Path, progress: bool, patience: Patience) -> None:
    """All bytes, over as many connections as it takes; raises `_BrokenError` when patience is at its end."""
    furthest, failures = _size(partial), 0
    while True:
        try:
            return _transfer(archive, partial, note, progress, patience)
        except _BrokenError as error:
            # only what goes further than ever counts: a server that starts all over again would never end
            failures = 1 if _size(partial) >= furthest + CHUNK else failures + 1
            furthest = max(furthest, _size(partial))
            if failures > patience.retries:
                raise
            if progress:
                print(f"{archive.name}: {error}; trying again", file=sys.stderr)
            time.sleep(patience.pause * 2 ** (failures - 1))


def _transfer(archive: Archive, partial: Path, note: Path, progress: bool, patience: Patience) -> None:
    """One connection's worth of bytes; raises `_BrokenError` unless the file is whole at the end."""
    from tqdm import tqdm

    noted, there = _noted(archive, partial, note), _size(partial)
    if noted and noted["size"] == there:
        return
    with _ask(archive, noted, partial, patience) as answer, writing(partial):
        resumed, chunks, head = answer.status == 206, _chunks(answer, patience), b""
        ranged = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""), re.ASCII)
        total = answer.length if not resumed else int(ranged[2]) if ranged else None
        file = {"address": archive.address, "size": total}
        file |= {key: answer.headers.get(key, "") for key in ("ETag", "Last-Modified")}
        if resumed and (file != noted or not ranged or int(ranged[1]) != there):
            raise _changed(partial)
        if not resumed:  # nothing was there, or the server ignores ranges, or has another file now
            head = _beginning(archive, answer, chunks)
            partial.write_bytes(b"")  # emptied, then noted: in this order a kill in between spoils nothing
            with replacing(note) as fresh:
                fresh.write_text(json.dumps(file), encoding="utf-8")
        room = 2 * (total or archive.size) - _size(partial)
        check_room(partial.parent, room, f"{archive.name}, packed and unpacked,")
        hidden = None if progress else True  # None: where there is no terminal
        style: dict[str, Any] = {"unit": "B", "unit_scale": True, "leave": False}
        bar = tqdm(desc=archive.name, total=total, initial=_size(partial), disable=hidden, **style)
        with partial.open("ab", buffering=0) as out, bar:
            for chunk in chain([head], chunks):
                bar.update(out.write(chunk))
    if total is not None and _size(partial) != total:
        raise _BrokenError(f"{_size(partial):,} of {total:,} bytes came")


def _noted(archive: Archive, partial: Path, note: Path) -> dict[str, Any] | None:
    """What is noted of the file that the partial one is the beginning of; None if it is none of this address."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        fits = found["address"] == archive.address and 0 < _size(partial) <= (found["size"] or sys.maxsize)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if fits else None


def _ask(archive: Archive, noted: dict[str, Any] | None, partial: Path, patience: Patience) -> HTTPResponse:
    """The server's answer, by its headers; raises `_BrokenError` or `_RefusedError` where there is none."""
    headers = {"User-Agent": "openshape-ood benchmarks"}
    if noted:
        headers["Range"] = f"bytes={_size(partial)}-"
        if re.fullmatch(r'"[^"]*"', noted.get("ETag", "")):  # no other may stand there; the caller compares all
            headers["If-Range"] = noted["ETag"]
    request = urllib.request.Request(archive.address, headers=headers)  # noqa: S310 - the table's reader checked it
    direct = [urllib.request.ProxyHandler({})] if _is_local(archive.address) else []
    try:
        return urllib.request.build_opener(Redirects, *direct).open(request, timeout=patience.silence)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and _size(partial):  # more is there than the server has
            raise _changed(partial) from error
        if error.code in BUSY:
            raise _BrokenError(f"HTTP {error.code}, the server is busy or out of order") from error
        circle = "it redirects in a circle, or to where only a browser should go" if error.code < 400 else "it refuses"
        raise _RefusedError(f"HTTP {error.code}, {REASONS.get(error.code, circle)}.") from error
    except (OSError, HTTPException) as error:  # URLError is an OSError
        raise _BrokenError(f"no connection: {_silence(getattr(error, 'reason', error), patience)}") from error
    except ValueError as error:
        raise _RefusedError(f"{archive.address} redirects to what is no address ({error}).") from error


def _changed(partial: Path) -> _BrokenError:
    """The server has another file now: what is there is of no use."""
    partial.unlink(missing_ok=True)
    return _BrokenError("the server's file has changed; starting again")


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to where a table may point, and from the network never to this machine."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """The answer from where the redirect leads; raises `_RefusedError`."""
        with fp:
            target = urljoin(req.full_url, headers.get("Location", ""))
            if not _is_allowed(target) or (_is_local(target) and not _is_local(req.full_url)):
                raise _RefusedError(f"{req.full_url} redirects to {target!r}; refused, expected an https address.")
            return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _beginning(archive: Archive, answer: HTTPResponse, chunks: Iterator[bytes]) -> bytes:
    """The first bytes, if they are those of a tar; nothing is kept of anything else."""
    head = b""
    while len(head) < 512 and (chunk := next(chunks, b"")):
        head += chunk
    if len(head) < 512 and answer.length:
        raise _BrokenError(f"{len(head):,} bytes came")
    if problem := "a web page" if answer.headers.get_content_type() == "text/html" else not_a_tar(head):
        raise _RefusedError(f"{archive.address} answered with {problem} instead of a tar archive, which was not kept.")
    return head


def _chunks(answer: HTTPResponse, patience: Patience) -> Iterator[bytes]:
    """The body as it comes."""
    try:
        while chunk := answer.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenError(_silence(error, patience)) from error


def _silence(reason: object, patience: Patience) -> str:
    late = isinstance(reason, TimeoutError)
    return f"nothing came for {patience.silence:g} seconds" if late else str(reason) or type(reason).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def check_room(root: Path, needed: int, purpose: str) -> None:
    """Raises `FileError` unless the disk of `root` has `needed` bytes free."""
    free = shutil.disk_usage(root).free
    if needed > free:
        what = f"{root}: {purpose} takes {gigabytes(needed)}, the disk has {gigabytes(free)} free"
        raise FileError(f"{what}; free some space, or name another disk with --data-root")


def gigabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count:,} bytes"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes the system's refusals to write below `path` readable."""
    try:
        yield
    except OpenShapeError:
        raise
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        what = f"{path}: cannot be written ({error.strerror or error})"
        raise FileError(f"{what}; {remedy}, or name another folder with --data-root") from error

"""An archive over the network: a download that broke off or was killed goes on where it stopped."""

from __future__ import annotations

import re
import ssl
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from benchmarks.threedos.data.archives import Archive, is_allowed, is_local
from benchmarks.threedos.data.disk import check_room, writing
from benchmarks.threedos.data.partial import Note, Partial
from benchmarks.threedos.data.progress import byte_bar
from benchmarks.threedos.data.unpack import not_a_tar
from openshape_ood.errors import FileError

CHUNK = 1 << 20  # bytes
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)
REASONS = {
    401: "the server wants a login",
    403: "the server forbids it",
    404: "the file is no longer there",
    410: "the file is no longer there",
}


@dataclass(frozen=True)
class Patience:
    """How long a silence is waited through, and how often a broken download is taken up again without getting on.

    The pause before a retry doubles from `pause` on; all in seconds.
    """

    silence: float = 30.0
    retries: int = 4
    pause: float = 1.0


PATIENCE = Patience()


class _BrokenError(Exception):
    """The download broke off; going on may help."""


class _RefusedError(Exception):
    """The server will not give the file, or gives another; going on does not help."""


def fetch(archive: Archive, root: Path, *, progress: bool = True, patience: Patience = PATIENCE) -> Path:
    """The archive's .tar below `root`, downloaded, or the rest of it, if it is not there.

    Raises `FileError` that says what happened and what would work; what came so far is kept.
    """
    tar = root / f"{archive.name}.tar"
    if tar.is_file():
        return tar
    partial = Partial(tar)
    _check_room(archive, partial, archive.size)
    try:
        _persist(archive, partial, progress, patience)
    except _BrokenError as error:
        where = f"{archive.name}: {archive.address}"
        raise FileError(f"{where}: {error}. {_resumes(partial)} {_by_hand(archive, tar)}") from error
    except _RefusedError as error:
        raise FileError(f"{archive.name}: {error} {_by_hand(archive, tar)}") from error
    return partial.finish()


def _persist(archive: Archive, partial: Partial, progress: bool, patience: Patience) -> None:
    """All bytes, over as many connections as it takes; raises `_BrokenError` when patience is at its end."""
    furthest, failures = partial.size, 0
    while True:
        try:
            return _transfer(archive, partial, progress, patience)
        except _BrokenError as error:
            # only what goes further than ever counts: a server that starts all over again would never end
            failures = 1 if partial.size >= furthest + CHUNK else failures + 1
            furthest = max(furthest, partial.size)
            if failures > patience.retries:
                raise
            if progress:
                print(f"{archive.name}: {error}; trying again", file=sys.stderr)
            time.sleep(patience.pause * 2 ** (failures - 1))


def _resumes(partial: Partial) -> str:
    if partial.size:
        return f"{partial.size:,} bytes are kept; running the command again goes on from there."
    return "Check the network and run the command again."


def _by_hand(archive: Archive, tar: Path) -> str:
    return (
        f"By hand: open {archive.address} in a browser, put the file at {tar} and run the command again; or name a "
        "table with another address: --archives FILE."
    )


def _check_room(archive: Archive, partial: Partial, size: int) -> None:
    check_room(partial.tar.parent, 2 * size - partial.size, f"{archive.name}, packed and unpacked,")


def _transfer(archive: Archive, partial: Partial, progress: bool, patience: Patience) -> None:
    """One connection's worth of bytes; raises `_BrokenError` unless the file is whole at the end."""
    note = partial.note(archive.address)
    if note and note.size == partial.size:
        return
    with _ask(archive, partial, note, patience) as answer:
        found = _described(archive, answer)
        chunks = _chunks(answer, patience)
        if answer.status == 206:
            _check_continues(answer, partial, note, found)
        else:  # the whole file: nothing was there, or the server ignores ranges, or has another file now
            chunks = _checked_beginning(archive, answer, chunks)
            partial.begin(found)
        _check_room(archive, partial, found.size or archive.size)
        _append(archive, partial, chunks, found.size, progress)
    if found.size is not None and partial.size != found.size:
        raise _BrokenError(f"{partial.size:,} of {found.size:,} bytes came")


# --- asking ---


def _ask(archive: Archive, partial: Partial, note: Note | None, patience: Patience) -> HTTPResponse:
    """The server's answer, by its headers; raises `_BrokenError` or `_RefusedError` where there is none."""
    headers = {"User-Agent": "openshape-ood benchmarks"}
    if note:
        headers |= {"Range": f"bytes={partial.size}-", **note.condition}
    request = urllib.request.Request(archive.address, headers=headers)  # noqa: S310 - the table's reader checked it
    try:
        return _opener(archive.address).open(request, timeout=patience.silence)
    except urllib.error.HTTPError as error:
        error.close()
        raise _meaning(error.code, partial) from error
    except (OSError, HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError) or "unknown url type" in str(reason):
            raise _RefusedError(
                f"no safe connection to {archive.address} ({reason}); is a proxy or a login page in between?"
            ) from error
        raise _BrokenError(f"no connection: {_silence(reason, patience)}") from error
    except ValueError as error:
        raise _RefusedError(f"{archive.address} redirects to what is no address ({error}).") from error


def _meaning(status: int, partial: Partial) -> _BrokenError | _RefusedError:
    """What an HTTP error means, as the exception to raise."""
    if status == 416 and partial.size:  # more is there than the server has
        return _changed(partial)
    if status in BUSY_STATUSES:
        return _BrokenError(f"HTTP {status}, the server is busy or out of order")
    away = "it redirects in a circle, or to where only a browser should go"
    reason = away if 300 <= status < 400 else REASONS.get(status, "the server refuses")
    return _RefusedError(f"HTTP {status}, {reason}.")


def _changed(partial: Partial) -> _BrokenError:
    """The server has another file now: what is there is of no use."""
    partial.drop()
    return _BrokenError("the server's file has changed; starting again")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to where a table may point, and from the network never to this machine."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        target = urljoin(req.full_url, newurl)
        if not is_allowed(target) or (is_local(target) and not is_local(req.full_url)):
            raise _RefusedError(f"{req.full_url} redirects to {target!r}; refused, expected an https address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        with fp:  # closed, too, where the redirect is refused
            return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener(address: str) -> urllib.request.OpenerDirector:
    """Speaks http and https alone; urllib's usual opener would read file: and ftp: as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if is_local(address) else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


# --- what comes ---


def _described(archive: Archive, answer: HTTPResponse) -> Note:
    """What the answer says of the whole file."""
    size: int | None = answer.length
    if answer.status == 206:
        total = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""), re.ASCII)
        size = int(total[1]) if total else None
    etag, modified = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return Note(archive.address, etag, modified, size)


def _check_continues(answer: HTTPResponse, partial: Partial, note: Note | None, found: Note) -> None:
    """Raises `_BrokenError`, and drops what is there, unless the answer goes on where it ends, with the same file."""
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""), re.ASCII)
    if not (note and start and int(start[1]) == partial.size) or note.differs(found):
        raise _changed(partial)


def _checked_beginning(archive: Archive, answer: HTTPResponse, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, when the first bytes are those of a tar; nothing is kept of anything else."""
    head = b""
    while len(head) < tarfile.BLOCKSIZE and (chunk := next(chunks, b"")):
        head += chunk
    if len(head) < tarfile.BLOCKSIZE and answer.length:
        raise _BrokenError(f"{len(head):,} bytes came")
    if problem := "a web page" if answer.headers.get_content_type() == "text/html" else not_a_tar(head):
        raise _RefusedError(f"{archive.address} answered with {problem} instead of a tar archive, which was not kept.")
    return chain([head], chunks)


def _chunks(answer: HTTPResponse, patience: Patience) -> Iterator[bytes]:
    """The body as it comes."""
    while True:
        try:
            chunk = answer.read1(CHUNK)
        except (OSError, HTTPException) as error:
            raise _BrokenError(_silence(error, patience)) from error
        if not chunk:
            return
        yield chunk


def _silence(reason: object, patience: Patience) -> str:
    if isinstance(reason, TimeoutError):
        return f"nothing came for {patience.silence:g} seconds"
    return str(reason) or type(reason).__name__


def _append(archive: Archive, partial: Partial, chunks: Iterable[bytes], size: int | None, progress: bool) -> None:
    with writing(partial.path):
        file = partial.path.open("ab", buffering=0)
    with file, byte_bar(archive.name, size, partial.size, progress) as bar:
        for chunk in chunks:  # not under `writing`: the network's errors are others
            with writing(partial.path):
                file.write(chunk)
            bar.update(len(chunk))

"""Resumable download of the archives of the 3DOS release."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import sys
import tarfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from benchmarks.threedos.data.unpack import unpack
from openshape_ood.errors import FileError, HashError, OpenShapeError, RegistryError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.schema import read_table

TABLE = Path(__file__).with_name("archives.toml")
CHUNK = 1 << 20  # bytes
BUSY = (408, 429, 500, 502, 503, 504)
SILENCE, PAUSE = 30.0, 1.0  # seconds: timeout without data; pause before the first retry, doubled for each next one
RETRIES = 4  # most retries without progress


@dataclass(frozen=True)
class Archive:
    """An archive NAME.tar at `address` that has one folder, `folder`.

    size: approximate number of bytes, 0 if unknown; sha256: "" if unknown.
    """

    name: str
    address: str
    folder: str
    needed_by: str
    size: int = 0
    sha256: str = ""


class _BrokenError(Exception):
    """Interrupted download, for which a retry may help."""


def read_archives(path: Path) -> tuple[Archive, ...]:
    """Read a table of archives; raises `RegistryError` with the file, the row and the problem."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"{path}: it cannot be read as a table of archives ({error})") from error
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
    """True for https, and for http to this machine."""
    try:
        parts = urlsplit(address)
        return (parts.scheme == "https" and bool(parts.hostname)) or _is_local(address)
    except ValueError:
        return False


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")


def install(archive: Archive, root: Path, *, keep: bool = False, progress: bool = True) -> str:
    """Download an archive and unpack it into `root`, unless its folder exists; returns a text for the user.

    If the user has put the .tar into `root`, it is used and not deleted.
    """
    folder, by_hand = root / archive.folder, root / f"{archive.name}.tar"
    if folder.exists() or folder.is_symlink():
        return f"skipped, because {folder} exists"
    tar = by_hand if by_hand.is_file() else fetch(archive, root, progress)
    check_room(root, tar.stat().st_size, "unpacking it")
    files = unpack(tar, folder, progress=progress)
    if tar != by_hand:
        tar.replace(by_hand) if keep else tar.unlink()
    return f"unpacked {files:,} files to {folder}"


def fetch(archive: Archive, root: Path, progress: bool = True) -> Path:
    """Download an archive, or its missing part, into `root`; returns its path. A partial file is kept on failure."""
    whole, furthest, failures = root / f"{archive.name}.downloaded.tar", 0, 0
    while not whole.is_file():
        try:
            _transfer(archive, whole, progress)
        except _BrokenError as error:
            # progress is a file larger than ever before; else a server that always restarts would be retried forever
            kept = _size(_partial(whole))
            failures = 1 if kept >= furthest + CHUNK else failures + 1
            furthest = max(furthest, kept)
            if failures > RETRIES:
                hint = (
                    f"{kept:,} bytes are kept; the same command resumes" if kept else "Check the network and try again"
                )
                raise FileError(f"{archive.name}: {archive.address}: {error}. {hint}. {_by_hand(archive)}") from error
            if progress:
                print(f"{archive.name}: {error}; trying again", file=sys.stderr)
            time.sleep(PAUSE * 2 ** (failures - 1))
    if archive.sha256 and (digest := sha256(whole)) != archive.sha256:
        whole.unlink()
        what = f"{archive.name}: the file from {archive.address} has the sha256 {digest}, expected {archive.sha256}"
        raise HashError(f"{what}; it was deleted. Run the command again, or correct the table of archives")
    return whole


def _transfer(archive: Archive, whole: Path, progress: bool) -> None:
    """Download over one connection; raises `_BrokenError` if the file is still incomplete then."""
    from tqdm import tqdm

    partial = _partial(whole)
    there = _size(partial)
    with _ask(archive, partial, there) as answer, writing(whole):
        ranged = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""), re.ASCII)
        resumed = answer.status == 206
        total = answer.length if not resumed else int(ranged[2]) if ranged else None
        # the name of a partial file identifies the whole file, so that parts of two files are never mixed
        file = [archive.address, total, *(answer.headers.get(key, "") for key in ("ETag", "Last-Modified"))]
        named = whole.with_suffix(f".{hashlib.sha256(repr(file).encode()).hexdigest()[:16]}.partial")
        if resumed and (named != partial or not ranged or int(ranged[1]) != there):
            raise _changed(partial)
        if named != partial:
            partial.unlink(missing_ok=True)
        there = there if resumed else 0
        check_room(whole.parent, 2 * (total or archive.size) - there, f"{archive.name}, packed and unpacked,")
        bar = tqdm(
            desc=archive.name, total=total, initial=there, unit="B", unit_scale=True, leave=False,
            disable=None if progress else True,  # None: disabled without a terminal
        )  # fmt: skip
        with named.open("ab" if resumed else "wb", buffering=0) as out, bar:
            checked = False
            for chunk in _chunks(answer):
                bar.update(out.write(chunk))
                if not checked and out.tell() >= tarfile.BLOCKSIZE:
                    checked = _check_tar(archive, named)
        if total not in (None, _size(named)):
            raise _BrokenError(f"{_size(named):,} of {total:,} bytes came")
        named.replace(whole)


def _check_tar(archive: Archive, partial: Path) -> bool:
    """Check the first bytes of a download. If they are not a tar header, delete the file and raise `FileError`."""
    try:
        with partial.open("rb") as file:
            tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        return True
    except tarfile.HeaderError as error:
        partial.unlink()
        what = f"the answer of {archive.address} is not a tar archive ({error}), and was not kept"
        raise FileError(f"{archive.name}: {what}. {_by_hand(archive)}") from error


def _partial(whole: Path) -> Path:
    """Path of the partial file of an earlier download, or of a new one."""
    return next(whole.parent.glob(f"{whole.stem}.*.partial"), whole.with_suffix(".partial"))


def _ask(archive: Archive, partial: Path, there: int) -> HTTPResponse:
    """Open the connection; raises `_BrokenError` or `FileError` if the server does not send the file."""
    headers = {"User-Agent": "openshape-ood benchmarks"} | ({"Range": f"bytes={there}-"} if there else {})
    request = urllib.request.Request(archive.address, headers=headers)  # noqa: S310 - the table's reader checked it
    direct = [urllib.request.ProxyHandler({})] if _is_local(archive.address) else []
    try:
        answer = urllib.request.build_opener(Redirects, *direct).open(request, timeout=SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and there:  # the partial file is longer than the server's file
            raise _changed(partial) from error
        if error.code in BUSY:
            raise _BrokenError(f"HTTP {error.code}, the server is busy or out of order") from error
        raise FileError(f"{archive.name}: HTTP {error.code}, {error.reason}. {_by_hand(archive)}") from error
    except (OSError, HTTPException) as error:  # URLError is an OSError
        raise _BrokenError(f"no connection: {_silence(getattr(error, 'reason', error))}") from error
    except ValueError as error:
        raise FileError(f"{archive.name}: it redirects to no address ({error}). {_by_hand(archive)}") from error
    if answer.headers.get_content_type() == "text/html":
        answer.close()
        what = f"{archive.address} answered with a web page instead of a tar archive, which was not kept"
        raise FileError(f"{archive.name}: {what}. {_by_hand(archive)}")
    return answer


def _changed(partial: Path) -> _BrokenError:
    """Delete the partial file, because the server's file has changed."""
    partial.unlink(missing_ok=True)
    return _BrokenError("the server's file has changed; starting again")


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects only to allowed addresses, and never from the network to this machine."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Follow a redirect; raises `ValueError` for a refused address."""
        with fp:
            target = urljoin(req.full_url, headers.get("Location", ""))
            if not _is_allowed(target) or (_is_local(target) and not _is_local(req.full_url)):
                raise ValueError(f"{req.full_url} redirects to {target!r}; refused, expected an https address")
            return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    """Yield the body in chunks."""
    try:
        while chunk := answer.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenError(_silence(error)) from error


def _silence(reason: object) -> str:
    late = isinstance(reason, TimeoutError)
    return f"no data for {SILENCE:g} seconds" if late else str(reason) or type(reason).__name__


def _by_hand(archive: Archive) -> str:
    what = f"By hand: open {archive.address} in a browser, save the file as {archive.name}.tar in the data folder"
    return f"{what} and run the command again; or use a table with another address: --archives FILE."


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def check_room(root: Path, needed: int, purpose: str) -> None:
    """Raise `FileError` if the disk of `root` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(root).free
    if needed > free:
        what = f"{root}: {purpose} takes {gigabytes(needed)}, the disk has {gigabytes(free)} free"
        raise FileError(f"{what}; free some space, or name another disk with --data-root")


def gigabytes(count: int) -> str:
    """Bytes in words: "1.2 GB" or "345 bytes"."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count:,} bytes"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within this context, convert write errors of the system to `FileError`."""
    try:
        yield
    except OpenShapeError:
        raise
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        what = f"{path}: cannot be written ({error.strerror or error})"
        raise FileError(f"{what}; {remedy}, or name another folder with --data-root") from error

"""The archives of the 3DOS release over the network: a download that broke off goes on where it stopped."""

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
SILENCE, PAUSE = 30.0, 1.0  # seconds without a byte; before the first retry, doubled before each further one
RETRIES = 4  # without getting on


@dataclass(frozen=True)
class Archive:
    """NAME.tar at `address` holds the one folder `folder`; size in bytes, about; 0 and "" where nothing is known."""

    name: str
    address: str
    folder: str
    needed_by: str
    size: int = 0
    sha256: str = ""


class _BrokenError(Exception):
    """The download broke off; going on may help."""


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
    """True for an allowed address: https, or http to this machine."""
    try:
        parts = urlsplit(address)
        return (parts.scheme == "https" and bool(parts.hostname)) or _is_local(address)
    except ValueError:
        return False


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")


def install(archive: Archive, root: Path, *, keep: bool = False, progress: bool = True) -> str:
    """See to it that `root` has the archive's folder, and say how; a .tar that was put there by hand is left."""
    folder, by_hand = root / archive.folder, root / f"{archive.name}.tar"
    if folder.exists() or folder.is_symlink():
        return f"there already, skipped ({folder})"
    tar = by_hand if by_hand.is_file() else fetch(archive, root, progress)
    check_room(root, tar.stat().st_size, "unpacking it")
    files = unpack(tar, folder, progress=progress)
    if tar != by_hand:
        tar.replace(by_hand) if keep else tar.unlink()
    return f"unpacked {files:,} files to {folder}"


def fetch(archive: Archive, root: Path, progress: bool = True) -> Path:
    """The archive below `root`, downloaded, or the rest of it, if it is not there; what came so far is kept."""
    whole, furthest, failures = root / f"{archive.name}.downloaded.tar", 0, 0
    while not whole.is_file():
        try:
            _transfer(archive, whole, progress)
        except _BrokenError as error:
            # only what goes further than ever counts: a server that starts all over again would never end
            kept = _size(_partial(whole))
            failures = 1 if kept >= furthest + CHUNK else failures + 1
            furthest = max(furthest, kept)
            if failures > RETRIES:
                again = "running the command again goes on from there"
                hint = f"{kept:,} bytes are kept; {again}" if kept else "Check the network and run the command again"
                raise FileError(f"{archive.name}: {archive.address}: {error}. {hint}. {_by_hand(archive)}") from error
            if progress:
                print(f"{archive.name}: {error}; trying again", file=sys.stderr)
            time.sleep(PAUSE * 2 ** (failures - 1))
    if archive.sha256 and (found := sha256(whole)) != archive.sha256:
        whole.unlink()
        what = f"{archive.name}: what {archive.address} sent has the sha256 {found}, expected {archive.sha256}"
        raise HashError(f"{what}; it was deleted. Run the command again, or correct the table of archives")
    return whole


def _transfer(archive: Archive, whole: Path, progress: bool) -> None:
    """One connection's worth of bytes; raises `_BrokenError` unless the file is whole at the end."""
    from tqdm import tqdm

    partial = _partial(whole)
    there = _size(partial)
    with _ask(archive, partial, there) as answer, writing(whole):
        ranged = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""), re.ASCII)
        resumed = answer.status == 206
        total = answer.length if not resumed else int(ranged[2]) if ranged else None
        # a partial file is called by what it is a part of: parts of two files are never mixed
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
            disable=None if progress else True,  # None: where there is no terminal
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
    """True; deletes what does not begin as a .tar does, and raises `FileError`, before gigabytes have come."""
    try:
        with partial.open("rb") as file:
            tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        return True
    except tarfile.HeaderError as error:
        partial.unlink()
        what = f"what {archive.address} sends is no tar archive ({error}), and was not kept"
        raise FileError(f"{archive.name}: {what}. {_by_hand(archive)}") from error


def _partial(whole: Path) -> Path:
    """Partial file of an earlier download, or a path that does not exist."""
    return next(whole.parent.glob(f"{whole.stem}.*.partial"), whole.with_suffix(".partial"))


def _ask(archive: Archive, partial: Path, there: int) -> HTTPResponse:
    """The server's answer, by its headers; raises `_BrokenError` or `FileError` where there is none."""
    headers = {"User-Agent": "openshape-ood benchmarks"} | ({"Range": f"bytes={there}-"} if there else {})
    request = urllib.request.Request(archive.address, headers=headers)  # noqa: S310 - the table's reader checked it
    direct = [urllib.request.ProxyHandler({})] if _is_local(archive.address) else []
    try:
        answer = urllib.request.build_opener(Redirects, *direct).open(request, timeout=SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and there:  # more is there than the server has
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
    """The server has another file now: what is there is of no use."""
    partial.unlink(missing_ok=True)
    return _BrokenError("the server's file has changed; starting again")


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to where a table may point, and from the network never to this machine."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """The answer from where it leads; raises `ValueError` for what is refused."""
        with fp:
            target = urljoin(req.full_url, headers.get("Location", ""))
            if not _is_allowed(target) or (_is_local(target) and not _is_local(req.full_url)):
                raise ValueError(f"{req.full_url} redirects to {target!r}; refused, expected an https address")
            return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes."""
    try:
        while chunk := answer.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenError(_silence(error)) from error


def _silence(reason: object) -> str:
    late = isinstance(reason, TimeoutError)
    return f"nothing came for {SILENCE:g} seconds" if late else str(reason) or type(reason).__name__


def _by_hand(archive: Archive) -> str:
    what = f"By hand: open {archive.address} in a browser, put the file at {archive.name}.tar in the folder of the data"
    return f"{what} and run the command again; or name a table with another address: --archives FILE."


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

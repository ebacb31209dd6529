"""What is downloaded, in whose words failures are told, and files from a plain https address."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from openshape_ood.errors import CheckpointError, HashError, OfflineError, ServerError, TransferError
from openshape_ood.registry.rows import Source
from openshape_ood.storage import CACHE_VARIABLE, replacing

ANSWER_SECONDS = 10  # for one answer, and between two pieces of a file
MOST_BYTES = 1 << 36  # of a file
CHUNK_BYTES = 1 << 20
REMEDIES = {
    "hub": "Delete the file and try again",
    "https": "Correct `sha256` in the registry",
    "package": "Install the package again",
    "file": "Correct `sha256` in the registry",
}


@dataclass(frozen=True)
class Wanted:
    """A file of the row `name`.

    path: where it is, or will be; None for the Hub's client to say. record: where the sha256 of its first use is kept,
    if the registry names none.
    """

    name: str
    part: Literal["encoder", "text"]
    source: Source
    path: Path | None = None
    record: Path | None = None

    @property
    def what(self) -> str:
        return f"checkpoint {self.name!r}" if self.part == "encoder" else f"text encoder of {self.name!r}"

    @property
    def place(self) -> str:
        source = self.source
        return source.url or (f"{source.repo}/{source.file}" if source.repo else str(self.path))

    @property
    def remedy(self) -> str:
        if self.record:
            return f"Delete {self.record}, where the sha256 of its first use is recorded, and try again"
        return REMEDIES[self.source.kind]

    def call(self, path: str) -> str:
        """What loads `path` instead, spelled as the argument that `score_novelty` takes."""
        kind = "ShapeEncoder" if self.part == "encoder" else "TextEncoder"
        return f'{self.part}={kind}.from_pretrained("{self.name}", checkpoint={path})'

    @property
    def by_hand(self) -> str:
        repo, file, revision, url = self.source.repo, self.source.file, self.source.revision, self.source.url
        how = f"open {url}"
        if repo:
            how = f"`hf download {repo} {file} --revision {revision}`, or open "
            how += f"https://huggingface.co/{repo}/blob/{revision}/{file}"
        call = self.call(f'"{Path(file or urlsplit(url).path).name}"')
        return (
            f"To get it by hand, on any machine with a network: {how}; then hand {call} to score_novelty, with the "
            'path of that file. The checkpoint "tiny" is inside the package and runs offline.'
        )


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(wanted: Wanted, path: Path) -> None:
    """Raises `HashError` for another file than the registered one."""
    expected = wanted.source.sha256
    if not expected or expected == (found := sha256(path)):
        return
    # resolved, for the Hub's name is a link: were it alone deleted, the client would link the same bytes again
    raise HashError(
        f"{wanted.what}: the file is not the registered one.\n  file      {wanted.source.url or path.resolve()}\n"
        f"  expected  sha256 {expected}\n  found     sha256 {found}\n"
        f"{wanted.remedy}, or load the file as it is, if you trust it: {wanted.call('PATH')}"
    )


def download_url(wanted: Wanted, path: Path) -> Path:
    """Writes the file to `path`, whole and with the right hash or not at all."""
    url, what = wanted.source.url, f"{wanted.what}: {wanted.place}"
    refuse_offline(wanted)
    received, answered = 0, False
    try:
        with replacing(path) as partial, open(partial, "wb") as file:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310, the registry takes https
                answered = True
                if urlsplit(answer.url).scheme != urlsplit(url).scheme:
                    raise ServerError(f"{what}: it leads to {answer.url}, which is not https. {wanted.by_hand}")
                announced = int(answer.headers.get("Content-Length") or -1)
                while chunk := answer.read(CHUNK_BYTES):
                    received += file.write(chunk)
                    if received > MOST_BYTES:
                        raise TransferError(f"{what}: it is longer than {MOST_BYTES:,} bytes. {wanted.by_hand}")
            if announced not in (-1, received):
                raise http.client.IncompleteRead(b"", announced - received)
            file.flush()
            check_hash(wanted, partial)
    except CheckpointError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise broken(error, wanted, urlsplit(url).netloc, answered, received, path.parent) from error
    return path


def broken(
    error: BaseException, wanted: Wanted, host: str, answered: bool, received: int, folder: Path
) -> CheckpointError:
    """What happened and what to do, as the error of its kind."""
    place = f"{wanted.what}: {wanted.place}"
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return ServerError(f"{place}: the server answered with HTTP {error.code}; correct `url`. {wanted.by_hand}")
    on_disk = isinstance(error, OSError) and (error.filename or error.errno in (errno.ENOSPC, errno.EDQUOT))
    if isinstance(error, OSError) and on_disk:
        what = f"the disk refuses it ({error.strerror}: {error.filename or folder})."
        return TransferError(f"{place}: {what} Set {CACHE_VARIABLE} to a folder with room. {wanted.by_hand}")
    reason = str(error) or type(error).__name__
    if not answered:
        return OfflineError(f"{place}: cannot reach {host} ({reason}). Check the network, try again. {wanted.by_hand}")
    return TransferError(
        f"{place}: the download broke off after {received:,} bytes ({reason}). Try again. {wanted.by_hand}"
    )


def refuse_offline(wanted: Wanted) -> None:
    """Raises `OfflineError` where the Hub's own variable forbids downloads."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise OfflineError(
            f"{wanted.what}: {wanted.place} is not in the cache, and HF_HUB_OFFLINE forbids to download it. "
            f"Unset HF_HUB_OFFLINE. {wanted.by_hand}"
        )

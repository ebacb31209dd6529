"""Files of registry rows: their location, download by hand, and errors of failed downloads."""

from __future__ import annotations

import errno
import os
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from openshape_ood.errors import CheckpointError, OfflineError, ServerError, TransferError
from openshape_ood.registry.rows import Source
from openshape_ood.storage import CACHE_VARIABLE

WHAT = {
    "encoder": "checkpoint",
    "text": "text encoder of",
    "points": "point encoder",
    "completion": "completion network",
    "relevancy": "open_clip model",
}
# beginnings of the Python calls that load another file
LOADERS = {
    "encoder": "encoder=ShapeEncoder",
    "text": "text=TextEncoder",
    "points": "encoder=PointEncoder",
    "completion": "model=Completer",
}
USERS = {"points": "segment_scene", "completion": "complete_view"}  # all other kinds: score_novelty


@dataclass(frozen=True)
class WeightsFile:
    """A file of the row `name`.

    path: path of the file on this machine; None if the Hub's client chooses it. brought: cache path of a file that is
    added by hand. record: file with the sha256 of the first use, if the registry has no sha256.
    """

    name: str
    part: Literal["encoder", "text", "comparator", "points", "completion", "relevancy"]
    source: Source
    path: Path | None = None
    brought: Path | None = None
    record: Path | None = None
    table: ClassVar[str] = "the registry"  # place to correct a wrong name, for messages

    @property
    def what(self) -> str:
        return f"{WHAT.get(self.part, self.part)} {self.name!r}"

    @property
    def place(self) -> str:
        source = self.source
        if source.page:
            return f"{source.file} of {source.page}"
        return source.url or (f"{source.repo}/{source.file}" if source.repo else str(self.path))

    def call(self, path: str) -> str:
        """Python call that loads the file `path` instead, as text for messages."""
        if self.part == "comparator":
            return f"method=Comparator.load({path})"
        if self.part == "relevancy":
            model, _, pretrained = self.name.partition("/")
            return f'RelevancyEncoder.from_pretrained("{model}", "{pretrained}", checkpoint={path})'
        return f'{LOADERS[self.part]}.from_pretrained("{self.name}", checkpoint={path})'

    @property
    def by_hand(self) -> str:
        repo, file, revision, url = self.source.repo, self.source.file, self.source.revision, self.source.url
        how = f"open {self.source.page}, which links to {file}" if self.source.page else f"open {url}"
        if repo:
            how = f"`hf download {repo} {file} --revision {revision}`, or open "
            how += f"https://huggingface.co/{repo}/blob/{revision}/{file}"
        given = Path(file or urlsplit(url).path).name or "weights"
        if self.part == "relevancy":
            call = self.call(f'"{given}"')
            return f"To get it by hand, on any machine with a network: {how}. Then use {call}, or --checkpoint {given}."
        named = "" if self.source.sha256 else f" --as {self.name}" + " --text" * (self.part == "text")
        add = f"python -m openshape_ood checkpoints add {given}{named}"
        call = self.call(f'"{given}"')
        last = "" if self.part in USERS else ' The checkpoint "tiny" is inside the package and runs offline.'
        return (
            f"To get it by hand, on any machine with a network: {how}. Then run `{add}` here, with the path of the "
            f"file, or pass {call} to {USERS.get(self.part, 'score_novelty')}.{last}"
        )


def broken(
    error: BaseException, wanted: WeightsFile, host: str, answered: bool, received: int, folder: Path
) -> CheckpointError:
    """Error of a failed download, with a remedy."""
    place, then = f"{wanted.what}: {wanted.place}", wanted.by_hand
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return ServerError(f"{place}: the server answered with HTTP {error.code}. Correct `url`. {then}")
    if isinstance(error, OSError) and (error.filename or error.errno in (errno.ENOSPC, errno.EDQUOT)):
        what = f"the file cannot be written ({error.strerror}: {error.filename or folder})."
        return TransferError(f"{place}: {what} Set {CACHE_VARIABLE} to a folder with free space. {then}")
    reason = str(error) or type(error).__name__
    if not answered:
        return OfflineError(f"{place}: cannot reach {host} ({reason}). Check the network and try again. {then}")
    return TransferError(f"{place}: the download broke off after {received:,} bytes ({reason}). Try again. {then}")


def refuse_offline(wanted: WeightsFile) -> None:
    """Raise `OfflineError` if HF_HUB_OFFLINE is set."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise OfflineError(
            f"{wanted.what}: {wanted.place} is not in the cache, and HF_HUB_OFFLINE forbids the download. "
            f"Unset HF_HUB_OFFLINE. {wanted.by_hand}"
        )

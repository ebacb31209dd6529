"""Files of the registry: inside the package, beside the registry, or on the Hugging Face Hub.

The only module that knows huggingface_hub. A file that is cached and sound needs no network; a failure
is told within 40 seconds, as the error of its kind, with what to do about it.
"""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from openshape_ood.errors import (
    CheckpointError,
    HashError,
    OfflineError,
    RegistryError,
    ServerError,
    TransferError,
    WeightsError,
)
from openshape_ood.registry.rows import PACKAGE, Checkpoint, source_kind
from openshape_ood.storage import CACHE_VARIABLE, hub_folder

if TYPE_CHECKING:
    from huggingface_hub.utils import tqdm

ANSWER_SECONDS = 10.0  # for one answer of the Hub
SILENCE_SECONDS = 30.0  # without anything new before a download is given up
CHUNK_BYTES = 128 * 1024
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)
REMEDIES = {
    "hub": "Delete the file and try again",
    "package": "Install the package again",
    "beside": "Correct `sha256` in the registry",
}


def fetch(row: Checkpoint, progress: bool = True) -> Path:
    """The file with the weights of `row`, downloaded first if need be; its sha256 is the registered one."""
    kind, wanted = source_kind(row), _encoder(row)
    if kind == "hub":
        return _fetch_from_hub(wanted, progress)
    path = _own_file(row)
    if not path.is_file():
        raise WeightsError(f"{wanted.what}: there is no file {path}; to load another one: {wanted.call('PATH')}")
    _check_hash(wanted, path, REMEDIES[kind])
    return path


def cached(row: Checkpoint) -> Path | None:
    """The file that `fetch` gives, if it is on this machine: asks no network, and does not look inside."""
    if source_kind(row) == "hub":
        return _cached(_encoder(row))
    path = _own_file(row)
    return path if path.is_file() else None


def fetch_tower(row: Checkpoint, repo: str, file: str, progress: bool = True) -> Path:
    """A file of the Hub with the text tower of `row`, at the registered revision, checked if a sha256 is registered."""
    return _fetch_from_hub(_tower(row, repo, file), progress)


def cached_tower(row: Checkpoint, repo: str, file: str) -> Path | None:
    """The file that `fetch_tower` gives, if it is on this machine: asks no network, and does not look inside."""
    return _cached(_tower(row, repo, file))


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Wanted:
    """A file of the row `name`; without a `sha256` any content will do."""

    name: str
    part: Literal["encoder", "text"]
    sha256: str
    repo: str
    file: str
    revision: str

    @property
    def what(self) -> str:
        return f"checkpoint {self.name!r}" if self.part == "encoder" else f"text tower of {self.name!r}"

    def call(self, path: str) -> str:
        """What loads `path` instead, spelled as the argument that `score_novelty` takes."""
        kind = "ShapeEncoder" if self.part == "encoder" else "TextEncoder"
        return f'{self.part}={kind}.from_pretrained("{self.name}", checkpoint={path})'

    @property
    def by_hand(self) -> str:
        call = self.call(f'"{Path(self.file).name}"')
        return (
            f"To get it by hand, on any machine with a network: `hf download {self.repo} {self.file} --revision "
            f"{self.revision}`, or open https://huggingface.co/{self.repo}/blob/{self.revision}/{self.file}; then "
            f"hand {call} to score_novelty, with the path of that file. "
            'The checkpoint "tiny" is inside the package and runs offline.'
        )


def _encoder(row: Checkpoint) -> _Wanted:
    source = row.source
    return _Wanted(row.name, "encoder", source.sha256, source.repo, source.file, source.revision)


def _tower(row: Checkpoint, repo: str, file: str) -> _Wanted:
    return _Wanted(row.name, "text", row.text.sha256, repo, file, row.text.revision)


def _own_file(row: Checkpoint) -> Path:
    """Where the weights of a row are that is not on the Hub."""
    return PACKAGE / row.source.package if row.source.package else row.folder / row.source.file


def _fetch_from_hub(wanted: _Wanted, progress: bool) -> Path:
    cached = _cached(wanted)
    if cached and wanted.sha256 in ("", sha256(cached)):
        return cached
    try:
        path = _download(wanted, progress)
    except OfflineError:
        if cached:  # there is a file after all, only not the right one
            _check_hash(wanted, cached, REMEDIES["hub"])
        raise
    _check_hash(wanted, path, REMEDIES["hub"])
    return path


def _check_hash(wanted: _Wanted, path: Path, remedy: str) -> None:
    if not wanted.sha256 or wanted.sha256 == (found := sha256(path)):
        return
    # resolved, for the cached name is a link: were it alone deleted, the Hub's client would link the same bytes again
    raise HashError(
        f"{wanted.what}: the file is not the registered one.\n  file      {path.resolve()}\n"
        f"  expected  sha256 {wanted.sha256}\n  found     sha256 {found}\n"
        f"{remedy}, or load the file as it is, if you trust it: {wanted.call('PATH')}"
    )


def _cached(wanted: _Wanted) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(wanted.repo, wanted.file, hub_folder(), wanted.revision)
    except HFValidationError as error:
        raise RegistryError(f"{wanted.what}: {wanted.repo!r} is no repository of the Hub: {error}") from error
    return Path(path) if isinstance(path, str) else None


def _download(wanted: _Wanted, progress: bool) -> Path:
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise OfflineError(
            f"{wanted.what}: {wanted.repo}/{wanted.file} is not in the cache, and HF_HUB_OFFLINE forbids to download "
            f"it. Unset HF_HUB_OFFLINE. {wanted.by_hand}"
        )
    watch = _Watch(_repo_folder(wanted))
    try:
        return Path(_watched(lambda: _transfer(wanted, watch, progress), watch))
    except Exception as error:
        raise _explained(error, wanted, watch) from error


def _repo_folder(wanted: _Wanted) -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    return (hub_folder() or Path(HF_HUB_CACHE)) / repo_folder_name(repo_id=wanted.repo, repo_type="model")


def _transfer(wanted: _Wanted, watch: _Watch, progress: bool) -> str:
    from huggingface_hub import hf_hub_download

    _ask(wanted, watch)
    watch.answered, watch.last_error = True, None
    with _small_chunks():
        return hf_hub_download(
            wanted.repo,
            wanted.file,
            revision=wanted.revision,
            cache_dir=hub_folder(),
            etag_timeout=ANSWER_SECONDS,
            tqdm_class=_bar(watch, progress),
        )


def _ask(wanted: _Wanted, watch: _Watch) -> None:
    """Says at once what `hf_hub_download` would say after half a minute of retries: that nobody answers."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    url = hf_hub_url(wanted.repo, wanted.file, revision=wanted.revision)
    try:
        get_hf_file_metadata(url, timeout=ANSWER_SECONDS)
    except HfHubHTTPError as error:
        if error.response.status_code not in BUSY_STATUSES:
            raise
        watch.last_error = error
        get_hf_file_metadata(url, timeout=ANSWER_SECONDS, retry_on_errors=True)


@contextmanager
def _small_chunks() -> Iterator[None]:
    # the client reports each chunk when it is complete, and 10 MB take minutes on a slow line that is not a dead one
    from huggingface_hub import constants

    usual = constants.DOWNLOAD_CHUNK_SIZE
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE = usual


class _SilenceError(Exception):
    """Nothing new for too long."""


class _Watch:
    """When a download was last heard of. Only what goes further than ever counts: a loop of restarts is silence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = time.monotonic()
        self.received = 0  # bytes by this process
        self.on_disk = 0  # bytes by whichever process holds the lock
        self.answered = False
        self.over = False
        self.last_error: Exception | None = None

    def hear(self, received: float) -> None:
        if self.over:  # a thread cannot be stopped from outside; it ends here
            raise _SilenceError
        if received > self.received:
            self.received, self.heard = int(received), time.monotonic()

    def check(self) -> None:
        on_disk = sum(_size(path) for path in self.folder.glob("blobs/*.incomplete"))
        if on_disk > self.on_disk:
            self.on_disk, self.heard = on_disk, time.monotonic()
        if time.monotonic() - self.heard > SILENCE_SECONDS:
            raise _SilenceError(f"nothing came for {SILENCE_SECONDS:.0f} seconds")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _bar(watch: _Watch, progress: bool) -> type[tqdm]:
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs if progress else {**kwargs, "disable": True})
            self.received = 0.0

        def update(self, n: float | None = 1) -> bool | None:
            self.received += n or 0
            watch.hear(self.received)
            return super().update(n)

    return Bar


def _watched(work: Callable[[], str], watch: _Watch) -> str:
    """`work()` in a thread of its own, so that no retry, lock or name server can hold the caller up."""
    outcome: Future[str] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, name="openshape_ood download", daemon=True).start()
    try:
        while not wait([outcome], timeout=0.5).done:
            watch.check()
        return outcome.result()
    finally:
        watch.over = True


def _explained(error: Exception, wanted: _Wanted, watch: _Watch) -> CheckpointError:
    """What happened and what to do, as the error of its kind."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError

    causes = _causes(watch.last_error if isinstance(error, _SilenceError) and watch.last_error else error)
    place = f"{wanted.what}: {wanted.repo}/{wanted.file}"
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return ServerError(f"{place}: {_refusal(cause, wanted)} {wanted.by_hand}")
        if isinstance(cause, FileMetadataError):
            what = f"{ENDPOINT} answered, but not as the Hub does; is a proxy or a login page in between?"
            return ServerError(f"{place}: {what} {wanted.by_hand}")
        if isinstance(cause, OSError) and (cause.filename or cause.errno in (errno.ENOSPC, errno.EDQUOT)):
            what = f"the disk refuses it ({cause.strerror}: {cause.filename or watch.folder})."
            return TransferError(f"{place}: {what} Set {CACHE_VARIABLE} to a folder with room. {wanted.by_hand}")
    reason = str(causes[-1]) or type(causes[-1]).__name__
    if not watch.answered:
        what = f"cannot reach {ENDPOINT} ({reason}). Check the network and try again."
        return OfflineError(f"{place}: {what} {wanted.by_hand}")
    what = f"the download broke off after {watch.received:,} bytes ({reason}). Try again."
    return TransferError(f"{place}: {what} {wanted.by_hand}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, outermost first."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return causes


def _refusal(error: Any, wanted: _Wanted) -> str:
    """What the Hub's refusal means, and what helps."""
    from huggingface_hub import errors

    status = error.response.status_code
    page = f"https://huggingface.co/{wanted.repo}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the Hub has no revision {wanted.revision!r} of it (HTTP {status}); correct `revision` in the registry."
    if isinstance(error, errors.EntryNotFoundError):
        return f"the Hub has no such file in this repository (HTTP {status}); correct `file` in the registry."
    if isinstance(error, errors.GatedRepoError):
        return (
            f"its licence must be accepted first (HTTP {status}): at {page}; then set HF_TOKEN or run `hf auth login`."
        )
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        return (
            f"the Hub does not know the repository, or it is private (HTTP {status}); correct `repo` in the registry, "
            "or set HF_TOKEN (or run `hf auth login`) to a valid token that may read it."
        )
    if status == 403:
        return f"the Hub forbids it (HTTP 403); set HF_TOKEN to a token that may read {page}."
    return f"the Hub answered with HTTP {status}; try again later."

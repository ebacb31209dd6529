"""Files of the Hugging Face Hub: the only module that knows huggingface_hub.

A failure is told within some 40 seconds, by the client's own time-outs, as the error of its kind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openshape_ood.errors import CheckpointError, OfflineError, RegistryError, ServerError
from openshape_ood.registry.rows import Source
from openshape_ood.registry.sources import WeightsFile, broken, refuse_offline
from openshape_ood.storage import hub_folder

SILENCE_SECONDS = 5  # for the first answer, and for each of the client's six attempts to read on
RESTARTS = 3  # of a download from its beginning
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)


def find(wanted: WeightsFile) -> Path | None:
    """The file where the Hub's client keeps it, if it is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    source = wanted.source
    try:
        path = try_to_load_from_cache(source.repo, source.file, hub_folder(), source.revision)
    except HFValidationError as error:
        raise RegistryError(f"{wanted.what}: {source.repo!r} is no repository of the Hub: {error}") from error
    return Path(path) if isinstance(path, str) else None


def download(wanted: WeightsFile, progress: bool) -> Path:
    """The file, by the Hub's client, its hash not checked. Raises `OfflineError`, `ServerError` or `TransferError`."""
    from huggingface_hub import hf_hub_download

    source, bar, answered = wanted.source, _bar(progress), False
    refuse_offline(wanted)
    where: dict[str, Any] = {"revision": source.revision, "cache_dir": hub_folder(), "tqdm_class": bar}
    try:
        _ask(source)
        answered = True
        with _patience(wanted):
            found = hf_hub_download(source.repo, source.file, **where)
    except Exception as error:
        raise _explained(error, wanted, answered, bar) from error
    return Path(found)


def size(wanted: WeightsFile) -> int | None:
    """Bytes of the file, as the Hub says; None where it does not answer."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    source = wanted.source
    try:
        refuse_offline(wanted)
        url = hf_hub_url(source.repo, source.file, revision=source.revision)
        return get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT).size
    except Exception:  # of whatever kind: who downloads it is told
        return None


def upload(files: Sequence[Path], repo: str, private: bool, message: str) -> str:
    """Put files at the top of a repository in one commit, and give the commit's address. The repository is made first
    if there is none. Raises `OfflineError` or `ServerError`."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi(library_name="openshape_ood")
    added = [CommitOperationAdd(path.name, path) for path in files]
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.create_commit(repo, added, commit_message=message).commit_url)
    except OfflineModeIsEnabled as error:
        raise OfflineError(f"{repo} was not uploaded. HF_HUB_OFFLINE forbids it. Unset HF_HUB_OFFLINE") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        how = "Run `hf auth login`, or set HF_TOKEN to a token that may write to it"
        how = how if status in (401, 403) else "Try again later" if status in BUSY_STATUSES else "Check the name"
        raise ServerError(f"{repo} was not uploaded. The Hub answered with HTTP {status}. {how}") from error
    except Exception as error:  # of whatever client is below
        if not isinstance(error, OSError) and "httpx" not in type(error).__module__:
            raise
        raise OfflineError(f"{repo} was not uploaded. {ENDPOINT} cannot be reached ({error}). Try again") from error


def _ask(source: Source) -> None:
    """Says at once what `hf_hub_download` would say after minutes of retries: that nobody answers."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    url = hf_hub_url(source.repo, source.file, revision=source.revision)
    seconds = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else SILENCE_SECONDS
    for last in (False, False, True):
        try:
            get_hf_file_metadata(url, timeout=seconds)
            return
        except HfHubHTTPError as error:
            if last or error.response.status_code not in BUSY_STATUSES:
                raise
            time.sleep(1)


_RUNNING: list[WeightsFile] = []  # downloads, in whatever threads


@contextmanager
def _patience(wanted: WeightsFile) -> Iterator[None]:
    """Six attempts of ten seconds would be a minute of silence; the client's own variable goes before."""
    from huggingface_hub import constants

    if "HF_HUB_DOWNLOAD_TIMEOUT" not in os.environ:
        constants.HF_HUB_DOWNLOAD_TIMEOUT = SILENCE_SECONDS
    _RUNNING.append(wanted)
    try:
        yield
    finally:
        _RUNNING.remove(wanted)
        if not _RUNNING and "HF_HUB_DOWNLOAD_TIMEOUT" not in os.environ:
            constants.HF_HUB_DOWNLOAD_TIMEOUT = constants.DEFAULT_DOWNLOAD_TIMEOUT


def _bar(progress: bool) -> Any:
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        received, restarts = 0, 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs if progress else {**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            Bar.received += int(n or 0)
            Bar.restarts += (n or 0) < 0
            if Bar.restarts > RESTARTS:  # the client itself would begin again for ever
                raise ConnectionError(f"the server began again from the start {RESTARTS} times")
            return super().update(n)

    return Bar


def _explained(error: Exception, wanted: WeightsFile, answered: bool, bar: Any) -> CheckpointError:
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError

    causes: list[BaseException] = [error]  # and what led to it, outermost first
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    place = f"{wanted.what}: {wanted.place}"
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return ServerError(f"{place}: {_refusal(cause, wanted.source, wanted.table)} {wanted.by_hand}")
        if isinstance(cause, FileMetadataError):
            what = f"{ENDPOINT} answered, but not as the Hub does; is a proxy or a login page in between?"
            return ServerError(f"{place}: {what} {wanted.by_hand}")
    disk = [cause for cause in causes if isinstance(cause, OSError) and cause.filename]
    last = disk[0] if disk else causes[-1]
    return broken(last, wanted, ENDPOINT, answered, bar.received, hub_folder() or Path(HF_HUB_CACHE))


def _refusal(error: Any, source: Source, table: str) -> str:
    """What the Hub's refusal means, and what helps."""
    from huggingface_hub import errors

    status, page = error.response.status_code, f"https://huggingface.co/{source.repo}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the Hub has no revision {source.revision!r} of it (HTTP {status}); correct `revision` in {table}."
    if isinstance(error, errors.EntryNotFoundError):
        return f"the Hub has no such file in this repository (HTTP {status}); correct `file` in {table}."
    if isinstance(error, errors.GatedRepoError):
        how = "then set HF_TOKEN or run `hf auth login`"
        return f"its licence must be accepted first (HTTP {status}): at {page}; {how}."
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        how = "or set HF_TOKEN (or run `hf auth login`) to a valid token that may read it"
        what = f"the Hub does not know the repository, or it is private (HTTP {status})"
        return f"{what}; correct `repo` in {table}, {how}."
    if status == 403:
        return f"the Hub forbids it (HTTP 403); set HF_TOKEN to a token that may read {page}."
    return f"the Hub answered with HTTP {status}; try again later."

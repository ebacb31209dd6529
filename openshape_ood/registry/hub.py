"""Files of the Hugging Face Hub. No other module imports huggingface_hub.

Each kind of failure has its error class. The client's time-outs limit the wait to about 40 seconds.
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

SILENCE_SECONDS = 5  # time-out of the first answer, and of each of the client's six attempts
RESTARTS = 3  # maximum restarts of a download from the beginning
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)


def find(wanted: WeightsFile) -> Path | None:
    """Path of a file in the cache of the Hub's client; None if it is missing."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    source = wanted.source
    try:
        path = try_to_load_from_cache(source.repo, source.file, hub_folder(), source.revision)
    except HFValidationError as error:
        raise RegistryError(
            f"{wanted.what}: {source.repo!r} is no name of a Hub repository ({error}). Expected owner/name. "
            f"Correct `repo` in {wanted.table}."
        ) from error
    return Path(path) if isinstance(path, str) else None


def download(wanted: WeightsFile, progress: bool) -> Path:
    """Download with the Hub's client, without a hash check. Raises `OfflineError`, `ServerError`, `TransferError`."""
    from huggingface_hub import hf_hub_download

    source, bar, answered = wanted.source, _bar(progress), False
    refuse_offline(wanted)
    where: dict[str, Any] = {"revision": source.revision, "cache_dir": hub_folder(), "tqdm_class": bar}
    try:
        _ask(source)
        answered = True
        with _patience(wanted):
            path = hf_hub_download(source.repo, source.file, **where)
    except Exception as error:
        raise _explained(error, wanted, answered, bar) from error
    return Path(path)


def size(wanted: WeightsFile) -> int | None:
    """Size in bytes according to the Hub; None without an answer."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    source = wanted.source
    try:
        refuse_offline(wanted)
        url = hf_hub_url(source.repo, source.file, revision=source.revision)
        return get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT).size
    except Exception:  # the download reports the error
        return None


def upload(files: Sequence[Path], repo: str, private: bool, message: str) -> str:
    """Upload files to the top folder of a repository in one commit, and return the commit's address.

    A missing repository is created first. Raises `OfflineError` or `ServerError`.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi(library_name="openshape_ood")
    added = [CommitOperationAdd(path.name, path) for path in files]
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.create_commit(repo, added, commit_message=message).commit_url)
    except OfflineModeIsEnabled as error:
        raise OfflineError(f"{repo} was not uploaded. HF_HUB_OFFLINE forbids it. Unset HF_HUB_OFFLINE.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        how = "Run `hf auth login`, or set HF_TOKEN to a token that may write to it"
        how = how if status in (401, 403) else "Try again later" if status in BUSY_STATUSES else "Check the name"
        raise ServerError(f"{repo} was not uploaded. The Hub answered with HTTP {status}. {how}.") from error
    except Exception as error:  # errors of the HTTP client, which depends on the version
        if not isinstance(error, OSError) and "httpx" not in type(error).__module__:
            raise
        raise OfflineError(f"{repo} was not uploaded. {ENDPOINT} cannot be reached ({error}). Try again.") from error


def _ask(source: Source) -> None:
    """Raise within seconds if the Hub does not answer; `hf_hub_download` would retry for minutes."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import get_session, hf_raise_for_status

    url = hf_hub_url(source.repo, source.file, revision=source.revision)
    seconds = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else SILENCE_SECONDS
    for attempt in range(3):
        if attempt:
            time.sleep(1)
        # a plain request, because the client's own function first waits three seconds for another request
        answer = get_session().head(url, timeout=seconds, follow_redirects=False)
        if answer.status_code not in BUSY_STATUSES:  # after a refusal, the client tries with a token
            return
    hf_raise_for_status(answer)


_RUNNING: list[WeightsFile] = []  # current downloads of all threads


@contextmanager
def _patience(wanted: WeightsFile) -> Iterator[None]:
    """Set a shorter time-out for the six attempts of the client, unless its environment variable is set."""
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
            if Bar.restarts > RESTARTS:  # the client would restart forever
                raise ConnectionError(f"the server restarted the download {RESTARTS} times")
            return super().update(n)

    return Bar


def _explained(error: Exception, wanted: WeightsFile, answered: bool, bar: Any) -> CheckpointError:
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError

    causes: list[BaseException] = [error]  # the error and its causes, outermost first
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    place = f"{wanted.what}: {wanted.place}"
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return ServerError(f"{place}: {_refusal(cause, wanted.source, wanted.table)} {wanted.by_hand}")
        if isinstance(cause, FileMetadataError):
            what = f"the answer of {ENDPOINT} is not from the Hub, perhaps from a proxy or a login page."
            return ServerError(f"{place}: {what} {wanted.by_hand}")
    disk = [cause for cause in causes if isinstance(cause, OSError) and cause.filename]
    last = disk[0] if disk else causes[-1]
    return broken(last, wanted, ENDPOINT, answered, bar.received, hub_folder() or Path(HF_HUB_CACHE))


def _refusal(error: Any, source: Source, table: str) -> str:
    """Explanation of the Hub's refusal, with a remedy."""
    from huggingface_hub import errors

    status, page = error.response.status_code, f"https://huggingface.co/{source.repo}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no revision {source.revision!r} (HTTP {status}). Correct `revision` in {table}."
    if isinstance(error, errors.EntryNotFoundError):
        return f"the repository has no such file (HTTP {status}). Correct `file` in {table}."
    if isinstance(error, errors.GatedRepoError):
        how = "then set HF_TOKEN or run `hf auth login`"
        return f"its licence must be accepted first (HTTP {status}). Accept it at {page}, {how}."
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        how = "or set HF_TOKEN (or run `hf auth login`) to a valid token that may read it"
        what = f"the repository does not exist, or is private (HTTP {status})"
        return f"{what}. Correct `repo` in {table}, {how}."
    if status == 403:
        return f"the Hub forbids the download (HTTP 403). Set HF_TOKEN to a token that may read {page}."
    return f"the Hub answered with HTTP {status}. Try again later."

"""Server of the page. It has no sharing, no analytics and no external resources."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from openshape_ood.app.guard import LOOPBACK, Guard
from openshape_ood.app.quotas import MAX_FILE_MB, QUEUE, VISITS
from openshape_ood.app.uploads import end_reading
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.known import KnownClasses
from openshape_ood.registry import find_checkpoint

DEFAULT, FALLBACK = "vitb32", "small"


def run(
    host: str,
    port: int,
    model: str | None,
    known: Sequence[str] | KnownClasses,
    max_file_mb: int | None,
    open_browser: bool,
) -> None:
    """See `openshape_ood.app.serve`."""
    if isinstance(known, KnownClasses):
        model = model or known.identity.checkpoint
    if model is None:
        model = DEFAULT if _is_here(DEFAULT) else FALLBACK
        if model != DEFAULT:
            how = f"openshape-ood checkpoints fetch {DEFAULT}"
            print(f"{DEFAULT} is not on this machine (to get it: {how}). The page begins with {model}.", flush=True)
    model = find_checkpoint(model).name
    clean_names(known.names if isinstance(known, KnownClasses) else known)
    port = _free_port(host, port)
    temporary = tempfile.TemporaryDirectory(prefix="openshape-ood-page-", ignore_cleanup_errors=True)
    with temporary as folder, _stopped_politely() as stopped:
        blocks = launch(Path(folder), host, port, model, known, max_file_mb or MAX_FILE_MB, open_browser)
        try:
            print(f"The page is at http://{f'[{host}]' if ':' in host else host}:{port}/ (Ctrl+C ends it)", flush=True)
            if host not in LOOPBACK:
                print(f"It has no password: everyone who can reach {host} can use it.", flush=True)
            stopped.wait()
        finally:
            end_reading()
            blocks.close(verbose=False)


def _is_here(model: str) -> bool:
    """True if shape encoder and text encoder of a checkpoint load without network access."""
    from openshape_ood.encoders.text.encoder import cached_file
    from openshape_ood.registry import files, weight_cache

    row = find_checkpoint(model)
    return bool((weight_cache.find(row) or files.cached(row)) and cached_file(row))


def launch(
    root: Path,
    host: str,
    port: int,
    model: str,
    known: Sequence[str] | KnownClasses,
    max_file_mb: int,
    open_browser: bool,
) -> Any:
    """Start the server in its own threads, and return the gradio Blocks. Files of visitors are stored in `root`."""
    # gradio reads these variables on import or later; NO_PROXY makes requests to this machine bypass proxies
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(root / "files")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
        dict.fromkeys([*filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy")]), *LOOPBACK])
    )
    try:
        for package in ("gradio", "plotly"):  # a missing package is reported before the page is built
            import_module(package)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"the page is not available. Expected the package {error.name}. Run pip install 'openshape-ood[app]'."
        ) from error
    from starlette.middleware import Middleware

    from openshape_ood.app.page import build
    from openshape_ood.app.pipelines import Pipelines

    (root / "results").mkdir(parents=True, exist_ok=True)
    given = known if isinstance(known, KnownClasses) else None
    names = known.names if isinstance(known, KnownClasses) else known
    blocks, look = build(Pipelines(given), root / "results", model, names, max_file_mb)
    blocks.queue(max_size=QUEUE)
    largest = max_file_mb * 2**20
    guard: dict[str, Any] = {"host": host, "files": root / "files", "largest": largest, "handlers": blocks.fns}
    blocks.launch(
        server_name=f"[{host}]" if ":" in host else host,  # gradio's notation for IPv6
        server_port=port,
        inbrowser=open_browser,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=False,
        max_file_size=largest,
        state_session_capacity=2 * VISITS,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        app_kwargs={"middleware": [Middleware(Guard, **guard)]},
        **look,
    )
    return blocks


def _free_port(host: str, port: int) -> int:
    """The port itself, or a free one for 0. Raises `InputError` for an invalid or occupied port."""
    if not 0 <= port < 2**16:
        raise InputError(f"port is {port}. Expected 1 to 65535, or 0 for any free port. Give one of these.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}. Expected a free port. Give another one, or 0."
        ) from error


@contextmanager
def _stopped_politely() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set, so that the server ends normally and its folder is removed.

    gradio itself handles only SIGINT.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

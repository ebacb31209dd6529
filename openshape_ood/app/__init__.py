"""Web page for scoring shapes: `openshape-ood serve`. Needs the extra `[app]`.

- `shape_tab`, `scan_tab`, `view_tab`, `surface_tab`: inputs of the four tabs
- `uploads`: reading of uploaded files in a child process
- `session`, `session_store`: shapes and known classes of one visitor, and sessions of all visitors
- `pipelines`, `verdicts`: scoring, and its results
- `texts`, `pictures`, `downloads`: results as HTML, as pictures and as files
- `layout`, `page`: components of the page, and their handlers
- `guard`, `fair_queue`, `quotas`: checks of requests, slots for visitors, and limits
- `server`: start and end of the server
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openshape_ood.known import KnownClasses

KNOWN = ("chair", "sofa", "table", "bed", "cabinet")


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    model: str | None = None,
    *,
    known: Sequence[str] | KnownClasses = KNOWN,
    max_file_mb: int | None = None,
    open_browser: bool = False,
) -> None:
    """Serve the page until interrupted; the address is printed.

    Parameters
    ----------
    host : str
        Address to listen on. Default: loopback, this machine only. There is no password: everyone who can reach the
        address can use the page.
    port : int
        Port to listen on. 0 means any free port.
    model : str, optional
        Initial checkpoint. Default: the checkpoint of `known`, if it is a `KnownClasses`. Otherwise vitb32 if its files
        are on this machine, else small, and a note is printed.
    known : sequence of k str or KnownClasses
        Initial class names, or initial known classes. The examples and the threshold of a `KnownClasses` are used until
        a visitor changes the names or the encoder, or adds an example.
    max_file_mb : int, optional
        Largest upload in MB. Default: `quotas.MAX_FILE_MB`.
    open_browser : bool
        True to open the page in the default browser.

    Raises
    ------
    MissingPackageError
        Without gradio.
    UnknownNameError
        For an unknown model.
    InputError
        For invalid names, and for an invalid or occupied port.
    """
    from openshape_ood.app.server import run

    run(host, port, model, known, max_file_mb, open_browser)

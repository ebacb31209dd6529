"""Web page for scoring shapes: `openshape-ood serve`. Needs the extra `[app]`.

Inputs of the tabs: `shape_tab`, `scan_tab`, `view_tab`, `surface_tab`. Reading in a child process: `uploads`. Shapes
and known classes of one visitor: `session`; of all visitors: `session_store`. Scoring: `pipelines`. Results:
`verdicts`. Display of results: `pictures`, `texts`, `downloads`. Components: `layout`. Handlers: `page`. Checks of
requests: `guard`. Limits: `fair_queue`, `quotas`. Server: `server`.
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
        Port. 0: any free port.
    model : str, optional
        Initial checkpoint. Default: the checkpoint of the known classes; else vitb32 if it is on this machine, else
        tiny, with a note.
    known : sequence of k str or KnownClasses
        Initial class names, or initial known classes. Examples and threshold of the latter are used until a visitor
        changes the names or the encoder, or adds an example.
    max_file_mb : int, optional
        Largest upload in MB. Default: `quotas.MAX_FILE_MB`.
    open_browser : bool

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

"""Web page for scoring shapes: `openshape-ood serve`. The extra `[app]`.

`shape_tab`, `scan_tab`, `view_tab`, `surface_tab`: inputs of each tab; `uploads`: reading in a child process;
`session`: shapes and known classes of one visitor; `session_store`: all sessions; `pipelines`: scoring; `verdicts`:
results; `pictures`, `texts`, `downloads`: their display; `layout`: components; `page`: handlers; `guard`: checks of
requests; `fair_queue` and `quotas`: limits; `server`: the server.
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
        Address to listen on. Default: loopback, this machine only. There is no password: everyone who reaches the
        address can use the page.
    port : int
        Port; 0 takes any free one.
    model : str, optional
        Initial checkpoint. Default: the known classes', else vitb32 if it is on this machine, else tiny, with a
        note.
    known : sequence of k str or KnownClasses
        Initial class names, or initial known classes: their examples and threshold are used until a visitor changes
        the names or the encoder, or adds an example.
    max_file_mb : int, optional
        Largest upload. Default: `quotas.MAX_FILE_MB`.
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

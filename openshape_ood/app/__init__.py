"""The web page: `openshape-ood serve`. Drop a shape, see whether it is novel and where. The extra `[app]`.

`shape_tab`, `scan_tab`, `view_tab`, `surface_tab` what is read and generated in each tab, `uploads` the child process
that reads, `session` shapes and known classes of one visitor, `session_store` of all, `pipelines` the scoring,
`verdicts` its results, `pictures`, `texts`, `downloads` their forms, `layout` components, `page` handlers, `guard`
checks of requests, `fair_queue` and `quotas` limits, `server` the address.
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
        The address to listen on. Default: loopback, this machine alone. There is no password: who reaches the
        address can use the page.
    port : int
        0 takes any free one.
    model : str, optional
        The checkpoint that is chosen at first: that of the known classes, or vitb32 where it is on this machine, else
        tiny, which is said.
    known : sequence of k str or KnownClasses
        The class names written in at first, or all that is known at first: examples and threshold count until a
        visitor changes the names, the encoder or adds an example.
    max_file_mb : int, optional
        The largest upload, `quotas.MAX_FILE_MB` unless given.
    open_browser : bool

    Raises
    ------
    MissingPackageError
        Without gradio.
    UnknownNameError
        For a model there is not.
    InputError
        For names that are none and for a port that is taken or no port.
    """
    from openshape_ood.app.server import run

    run(host, port, model, known, max_file_mb, open_browser)

"""The web page: `openshape-ood serve`. Drop a shape, see whether it is novel and where. The extra `[app]`.

`limits` what is allowed, `reading` uploads parsed in a process that can be killed, `session` one visitor's bank,
`scoring` the verdict, `examples` shapes to begin with, `pictures` and `words` what is drawn and said, `page` the
layout, `server` where it listens.
"""

from __future__ import annotations

from collections.abc import Sequence

KNOWN = ("chair", "sofa", "table", "bed", "cabinet")


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    model: str = "tiny",
    *,
    known: Sequence[str] = KNOWN,
    max_file_mb: int | None = None,
    open_browser: bool = False,
) -> None:
    """Serve the page until interrupted; the address is printed.

    host: the address to listen on; loopback, so this machine alone, unless told. There is no password: who reaches
    the address can use the page. port: 0 takes any free one. model: the checkpoint that is chosen at first.
    known: the class names written in at first. max_file_mb: the largest upload, `limits.MAX_FILE_MB` unless given.

    Raises `MissingPackageError` without gradio, `UnknownNameError` for a model there is not, `InputError` for names
    that are none and for a port that is taken or no port.
    """
    from openshape_ood.app.server import run

    run(host, port, model, known, max_file_mb, open_browser)

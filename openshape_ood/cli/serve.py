"""openshape-ood serve: serve the web page."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

from openshape_ood.cli import options
from openshape_ood.cli.console import print_json
from openshape_ood.cli.options import option

EXAMPLES = """
  openshape-ood serve --open
  openshape-ood serve --port 8000 --known chair sofa 'night stand'
  openshape-ood serve --known-file known.safetensors
"""


def serve(
    *,
    host: Annotated[
        str, option(None, "Address to listen on. Default: this machine only.", None, "--host")
    ] = "127.0.0.1",
    port: Annotated[int, option(None, "Port. 0: any free port.", None, "--port", min=0, max=65535)] = 7860,
    known: options.Names = None,
    known_file: options.KnownFiles = None,
    model: Annotated[
        str | None,
        option(None, "Initial encoder.", "NAME", "--model", "-m", completer=options.checkpoint_names),
    ] = None,
    max_file_mb: Annotated[
        int | None, option(None, "Largest upload in MB. Default: 100.", None, "--max-file-mb", min=1)
    ] = None,
    open_browser: Annotated[bool, option(None, "Open the page in a browser.", None, "--open")] = False,
    json: options.Json = False,
) -> None:
    """Serve the web page for scoring and localizing shapes. Ctrl-C ends it.

    Needs pip install 'openshape-ood\\[app]'. There is no password: everyone who can reach the address can use the page.
    Initial encoder: vitb32 if it is on this machine, else small, which works offline.
    """
    from openshape_ood import app
    from openshape_ood.cli.classes import gather
    from openshape_ood.errors import InputError
    from openshape_ood.known import KnownClasses

    if known and known_file:
        raise InputError("--known and --known-file were both given. Expected one of them. Leave one out.")
    given: list[str] | tuple[str, ...] | KnownClasses = list(gather(known).examples) if known else app.KNOWN
    if known_file:
        loaded = [KnownClasses.load(path) for path in known_file]
        given = loaded[0] if len(loaded) == 1 else KnownClasses.join(*loaded)
    names = given.names if isinstance(given, KnownClasses) else given
    if json:
        print_json({"host": host, "port": port, "model": model, "known": list(names)})
    with contextlib.redirect_stdout(sys.stderr if json else sys.stdout):
        app.serve(host, port, model, known=given, max_file_mb=max_file_mb, open_browser=open_browser)


app = options.single(serve, EXAMPLES)

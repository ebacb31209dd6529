"""The command line `openshape-ood`; each command is a module of its own.

Whatever is heavy is imported inside the function that uses it, so that --help answers at once. Results go to the
standard output; notes, failures and progress to the standard error. Exit codes: 0 all well, 1 some of the input failed
or something is wrong, 2 wrong usage or nothing could be done, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> None:
    """The program `openshape-ood`. It ends by `SystemExit` with its exit code, 0 where all went well.

    Parameters
    ----------
    words : sequence of str, optional
        The command and its options; those the process was started with, unless given. What a script has added to
        `openshape_ood.scoring.METHODS` or to the registry before is offered here too.
    """
    try:
        from openshape_ood.cli.commands import run

        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name that the terminal's encoding lacks is no reason to stop
                stream.reconfigure(errors="backslashreplace")
        sys.exit(run(sys.argv[1:] if words is None else [str(word) for word in words]))
    except KeyboardInterrupt:  # also before a command has begun
        sys.exit(130)

"""The command line `openshape-ood`, with one module per command.

Heavy packages are imported inside the functions that use them, so that --help is fast. Results go to the standard
output. Notes, failures and progress go to the standard error. Exit codes: 0 success, 1 some inputs failed or a check
found a problem, 2 wrong usage or no result, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> None:
    """Run the program `openshape-ood`. Ends with `SystemExit`, whose code is 0 on success.

    Parameters
    ----------
    words : sequence of str, optional
        The command and its options. Default: the arguments of the process. Methods and registry rows that a script
        has added before this call are available.
    """
    try:
        from openshape_ood.cli.commands import run

        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # escapes characters that the terminal cannot encode
                stream.reconfigure(errors="backslashreplace")
        sys.exit(run(sys.argv[1:] if words is None else [str(word) for word in words]))
    except KeyboardInterrupt:  # also during the imports
        sys.exit(130)

"""The command: reads reports, prints their table, draws their picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.compare.picture import draw
from benchmarks.report.compare.rows import rows_of
from benchmarks.report.compare.runs import printable, read_run
from benchmarks.report.compare.text import compared
from openshape_ood.errors import InputError, OpenShapeError


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="One table of many runs.")
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="JSON files that runs left")
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="draw the figures as dots with intervals, too")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 when done, 1 with one line on stderr when a file is no report."""
    args = parse(argv)
    try:
        if args.out and args.out.suffix.lower() != ".png":
            raise InputError(f"--out is {args.out}; expected a .png file")
        runs = [read_run(path) for path in dict.fromkeys(args.reports)]
        print(compared(runs, args.markdown))
        if args.out:
            print(f"\npicture: {draw(rows_of(runs), args.out)}", file=sys.stderr)
    except (OpenShapeError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

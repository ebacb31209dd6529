"""`python -m benchmarks.data check`: what a data folder holds; `download`: fetches the release."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from openshape_ood.errors import OpenShapeError


def main(argv: Sequence[str] | None = None) -> int:
    """0 if all went well, or all is there and as published; else 1."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    from benchmarks.threedos.data.download import add_arguments, run

    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check | download")
    words = "every benchmark's objects, found and published, and what is missing"
    check = commands.add_parser("check", help=words, description=words)
    check.add_argument("--data-root", type=Path, required=True, metavar="DIR", help="the unpacked 3DOS release")
    check.add_argument("--quiet", action="store_true", help="a line a benchmark, no tables")
    check.set_defaults(run=_check)
    fetch = commands.add_parser("download", help="fetch and unpack the archives of the 3DOS release")
    add_arguments(fetch)
    fetch.set_defaults(run=run)
    return parser


def _check(args: argparse.Namespace) -> int:
    from benchmarks.threedos.data.check import check

    lines, complete = check(args.data_root, args.quiet)
    print("\n".join(lines))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks data check` checks a data folder; `data download` downloads the release."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import options
from benchmarks.threedos.data.download import TABLE, gigabytes, install, read_archives, writing
from openshape_ood.checks import check_choice
from openshape_ood.errors import FileError, OpenShapeError

DESCRIPTION = """\
Download the archives of the 3DOS release, more than 10 GB, and unpack them.
Folders that exist are skipped. The same command resumes an interrupted
download."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 if all downloads worked or all data are as published, else 1; 130 after Ctrl-C."""
    args = _parser().parse_args(argv)
    work = _check if args.command == "check" else _download
    return options.finish(partial(work, args), "; the same command resumes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check | download", dest="command")
    words = "list the found and the published objects of each benchmark, and missing files"
    check = commands.add_parser("check", help=words, description=words)
    check.add_argument("--data-root", type=Path, required=True, metavar="DIR", help="the unpacked 3DOS release")
    check.add_argument("--quiet", action="store_true", help="one line per benchmark, no tables")
    raw = argparse.RawDescriptionHelpFormatter
    words, rows = "download and unpack the archives of the 3DOS release", read_archives(TABLE)
    sizes = [(row.name, gigabytes(row.size) if row.size else "?", row.needed_by) for row in rows]
    listed = "\n".join(["archives:", *(f"  {name:28} {size:>6}  {needed}" for name, size, needed in sizes)])
    get = commands.add_parser("download", help=words, formatter_class=raw, description=DESCRIPTION, epilog=listed)
    root = Path("3D_OS_release_data")
    get.add_argument("--data-root", type=Path, default=root, metavar="DIR", help="target folder (%(default)s)")
    get.add_argument("--only", nargs="+", metavar="NAME", help="download these archives only; names below")
    get.add_argument("--archives", type=Path, default=TABLE, metavar="FILE", help="another table of archives (mirrors)")
    get.add_argument("--keep", action="store_true", help="keep each .tar after unpacking it")
    get.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _check(args: argparse.Namespace) -> int:
    from benchmarks.threedos.data.check import check

    lines, complete = check(args.data_root, args.quiet)
    print("\n".join(lines))
    return 0 if complete else 1


def _download(args: argparse.Namespace) -> int:
    """Install each archive; if one fails, the others are still tried."""
    from filelock import FileLock, Timeout

    rows, root, failed = {row.name: row for row in read_archives(args.archives)}, args.data_root, False
    for name in args.only or ():
        check_choice(name, "archive", tuple(rows))
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / ".download.lock", timeout=0):  # two processes must not write the same .partial file
            for name in args.only or rows:
                try:
                    done = install(rows[name], root, keep=args.keep, progress=not args.quiet)
                    print(f"{name}: {done}", flush=True)
                except (OpenShapeError, OSError) as error:
                    print(f"error: {options.printable(str(error))}", file=sys.stderr)
                    failed = True
    except Timeout as error:
        raise FileError(f"another download into {root} is running. Expected no other. Wait until it ends") from error
    if not failed:
        print(f"Next: python -m benchmarks data check --data-root {root}")
    return int(failed)

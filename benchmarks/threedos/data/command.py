"""`python -m benchmarks.data check`: what a data folder holds; `download`: fetches the release."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.threedos.data.fetch import (
    PATIENCE,
    TABLE,
    Archive,
    Patience,
    check_room,
    fetch,
    gigabytes,
    note_of,
    read_archives,
    writing,
)
from benchmarks.threedos.data.unpack import unpack
from openshape_ood.checks import check_choice
from openshape_ood.errors import FileError, OpenShapeError

DESCRIPTION = """\
Fetches the archives of the 3DOS release and unpacks them, more than 10 GB.
What is there already is skipped. A download that was cut off goes on where it
stopped when the command is run again."""


def main(argv: Sequence[str] | None = None, patience: Patience = PATIENCE) -> int:
    """0 if all went well, or all is there and as published; 1 if not, 130 where it was interrupted."""
    args = _parser().parse_args(argv)
    try:
        return _check(args) if args.command == "check" else _download(args, patience)
    except OpenShapeError as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        print("interrupted; running the command again goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check | download", dest="command")
    words = "every benchmark's objects, found and published, and what is missing"
    check = commands.add_parser("check", help=words, description=words)
    check.add_argument("--data-root", type=Path, required=True, metavar="DIR", help="the unpacked 3DOS release")
    check.add_argument("--quiet", action="store_true", help="a line a benchmark, no tables")
    archives = [
        f"  {row.name:28} {gigabytes(row.size) if row.size else '?':>6}  {row.needed_by}"
        for row in read_archives(TABLE)
    ]
    get = commands.add_parser(
        "download",
        help="fetch and unpack the archives of the 3DOS release",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=DESCRIPTION,
        epilog="\n".join(["archives:", *archives]),
    )
    root = Path("3D_OS_release_data")
    get.add_argument("--data-root", type=Path, default=root, metavar="DIR", help="where to put them (%(default)s)")
    get.add_argument("--only", nargs="+", metavar="NAME", help="fetch these archives alone; names below")
    get.add_argument("--archives", type=Path, default=TABLE, metavar="FILE", help="another table, such as a mirror's")
    get.add_argument("--keep", action="store_true", help="keep each .tar after unpacking it")
    get.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _check(args: argparse.Namespace) -> int:
    from benchmarks.threedos.data.check import check

    lines, complete = check(args.data_root, args.quiet)
    print("\n".join(lines))
    return 0 if complete else 1


def _download(args: argparse.Namespace, patience: Patience) -> int:
    """An archive that cannot be had does not keep the others from being tried."""
    from filelock import FileLock, Timeout

    rows = {row.name: row for row in read_archives(args.archives)}
    for name in args.only or ():
        check_choice(name, "archive", tuple(rows))
    with writing(args.data_root):
        args.data_root.mkdir(parents=True, exist_ok=True)
    failed = False
    try:
        # two that write the same .partial would spoil it
        with FileLock(args.data_root / ".download.lock", timeout=0):
            for name in args.only or rows:
                try:
                    line = install(
                        rows[name], args.data_root, keep=args.keep, progress=not args.quiet, patience=patience
                    )
                    print(f"{name}: {line}", flush=True)
                except (OpenShapeError, OSError) as error:
                    _complain(error)
                    failed = True
    except Timeout as error:
        raise FileError(f"another download into {args.data_root} is under way; wait for its end") from error
    if not failed:
        print(f"Next: python -m benchmarks.data check --data-root {args.data_root}")
    return int(failed)


def _complain(error: Exception) -> None:
    # what a server or an archive says may hold anything, such as a terminal's control sequences
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    print(f"error: {text}", file=sys.stderr)


def install(
    archive: Archive, root: Path, *, keep: bool = False, progress: bool = True, patience: Patience = PATIENCE
) -> str:
    """See to it that `root` has the archive's folder, and say in a few words how.

    A .tar that was put there by hand is used and left; one that was downloaded goes when it is unpacked, unless
    `keep`. Raises `FileError` if it cannot be had or written, `ShapeFileError` if it cannot be trusted.
    """
    folder = root / archive.folder
    if os.path.lexists(folder):
        return f"there already, skipped ({folder})"
    tar = fetch(archive, root, progress=progress, patience=patience)
    check_room(root, tar.stat().st_size, "unpacking it")
    files = unpack(tar, folder, progress=progress)
    with suppress(OSError):
        if not keep and note_of(tar).is_file():  # without a note the .tar is somebody's own
            tar.unlink(missing_ok=True)
        note_of(tar).unlink(missing_ok=True)
    return f"unpacked {files:,} files to {folder}"

"""`python -m benchmarks.data download`: the archives of the 3DOS release, fetched and unpacked."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.threedos.data.archives import TABLE, Archive, read_archives
from benchmarks.threedos.data.disk import check_room, gigabytes, sole_user
from benchmarks.threedos.data.fetch import PATIENCE, Patience, fetch
from benchmarks.threedos.data.partial import Partial
from benchmarks.threedos.data.unpack import unpack
from openshape_ood.errors import OpenShapeError, UnknownNameError

DATA_ROOT = Path("3D_OS_release_data")
DESCRIPTION = """\
Fetches the archives of the 3DOS release and unpacks them, more than 10 GB.
What is there already is skipped. A download that was cut off goes on where it
stopped when the command is run again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m benchmarks.data download` takes; its help lists the archives."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = "\n".join(["archives:", *_listed(read_archives(TABLE))])
    parser.add_argument(
        "--data-root", type=Path, default=DATA_ROOT, metavar="DIR", help="where to put them (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fetch these archives alone; names below")
    parser.add_argument(
        "--archives",
        type=Path,
        default=TABLE,
        metavar="FILE",
        help="another table of archives, such as a mirror's",
    )
    parser.add_argument("--keep", action="store_true", help="keep each .tar after unpacking it")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _listed(rows: Sequence[Archive]) -> list[str]:
    """Name, size and use of each archive, in columns."""
    width = max(len(row.name) for row in rows)
    sizes = [gigabytes(row.size) if row.size else "?" for row in rows]
    return [f"  {row.name:{width}} {size:>7}  {row.needed_by}" for row, size in zip(rows, sizes, strict=True)]


def run(args: argparse.Namespace, patience: Patience = PATIENCE) -> int:
    """Downloads what `args` ask for and says what came of it: 0 all there, 1 an error (told), 130 interrupted.

    An archive that cannot be had does not keep the others from being tried.
    """
    try:
        wanted = _chosen(read_archives(args.archives), args.only)
        with sole_user(args.data_root):
            failed = [row for row in wanted if not _told(row, args, patience)]
    except OpenShapeError as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        print("interrupted; running the command again goes on from here", file=sys.stderr)
        return 130
    if failed:
        return 1
    print(f"Next: python -m benchmarks.data check --data-root {args.data_root}")
    return 0


def _chosen(rows: Sequence[Archive], only: Sequence[str] | None) -> Sequence[Archive]:
    names = [row.name for row in rows]
    for name in only or ():
        if name not in names:
            raise UnknownNameError(f"unknown archive {name!r}; known: {', '.join(names)}")
    return [row for row in rows if not only or row.name in only]


def _told(archive: Archive, args: argparse.Namespace, patience: Patience) -> bool:
    """Installs an archive and says how, or why not; whether it is there."""
    try:
        line = install(archive, args.data_root, keep=args.keep, progress=not args.quiet, patience=patience)
    except (OpenShapeError, OSError) as error:
        _complain(error)
        return False
    print(f"{archive.name}: {line}", flush=True)
    return True


def _complain(error: Exception) -> None:
    # what a server or an archive says may hold anything, such as a terminal's control sequences
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    print(f"error: {text}", file=sys.stderr)


def install(
    archive: Archive, root: Path, *, keep: bool = False, progress: bool = True, patience: Patience = PATIENCE
) -> str:
    """Sees to it that `root` has the archive's folder, and says in a few words how.

    A .tar that was put there by hand is used and left; one that was downloaded goes when it is unpacked, unless
    `keep`. Raises `FileError` if it cannot be had or written, `ShapeFileError` if it cannot be trusted.
    """
    folder = root / archive.folder
    if os.path.lexists(folder):
        return f"there already, skipped ({folder})"
    tar = fetch(archive, root, progress=progress, patience=patience)
    check_room(root, tar.stat().st_size, "unpacking it")
    files = unpack(tar, folder, progress=progress)
    Partial(tar).forget(with_tar=not keep)
    return f"unpacked {files:,} files to {folder}"

"""The folder that data go to: one user at a time, room enough, refusals in words."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openshape_ood.errors import FileError, OpenShapeError


@contextmanager
def sole_user(root: Path) -> Iterator[None]:
    """`root`, made if need be, for this process alone: two that write the same .partial would spoil it.

    Raises `FileError` while another has it, or if it cannot be made. Systems and file systems without locks let
    everybody in.
    """
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with writing(root):
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FileError(f"another download into {root} is under way; wait for its end") from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)  # and with it the lock, as when the process is killed


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes the system's refusals to write below `path` readable."""
    try:
        yield
    except OpenShapeError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "make it writable"
        raise FileError(
            f"{path}: cannot be written ({error.strerror or error}); {remedy}, or name another folder with --data-root"
        ) from error


def check_room(root: Path, needed: int, purpose: str) -> None:
    """Raises `FileError` unless the disk of `root` has `needed` bytes free."""
    free = shutil.disk_usage(root).free
    if needed > free:
        raise FileError(
            f"{root}: {purpose} takes {gigabytes(needed)}, the disk has {gigabytes(free)} free; free some space, "
            "or name another disk with --data-root"
        )


def gigabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count:,} bytes"

"""Append-only log of events: JSON lines with sequence numbers and checksums; each line is synced to the disk."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from openshape_ood.errors import FileError
from openshape_ood.storage import check_regular

LONGEST = 64 * 2**20  # maximum bytes of a line
SEAL = ',"crc":"'  # before the checksum at the end of each line


class MapWarning(UserWarning):
    """A problem of a map or a log, and how it was handled."""


class Read(NamedTuple):
    """An event, and the byte offset of the next event in the file."""

    event: dict[str, Any]
    end: int


class EventLog:
    """Log with one writing process.

    Parameters
    ----------
    path : Path
    end : int
        Byte offset after the last complete event. The rest of the file, a torn line, is removed.
    seq : int
        Sequence number of the last event.

    Raises
    ------
    FileError
        If another process writes to the log, or if writing fails.
    """

    def __init__(self, path: Path, end: int = 0, seq: int = -1) -> None:
        self.path, self.seq, self.end = path, seq, end
        try:
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            _lock(self._file, path)
            if os.fstat(self._file).st_size != end:
                os.truncate(self._file, end)
            _sync_folder(path.parent)
        except FileError:
            self.close()
            raise
        except OSError as error:
            raise FileError(f"cannot write the events {path}: {error.strerror or error}") from error

    def append(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write an event with the next sequence number and sync it to the disk. Raises `FileError`."""
        numbered = {"seq": self.seq + 1, **event}
        line = as_line(numbered)
        if self._file is None:
            raise FileError(f"{self.path} is closed. Expected an open log. Load the map again.")
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):  # remove the partial line; a reader would drop it as well
                os.truncate(self._file, self.end)
            raise FileError(f"cannot write the events {self.path}: {error.strerror or error}") from error
        self.seq, self.end = self.seq + 1, self.end + len(line)
        return numbered

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()


def as_line(event: Mapping[str, Any]) -> bytes:
    """Event as a JSON line; its last value is the checksum of the preceding bytes.

    Examples
    --------
    >>> as_line({"seq": 0})
    b'{"seq":0,"crc":"fb6446ea"}\\n'
    """
    body = json.dumps(event, separators=(",", ":"), allow_nan=False).encode()[:-1]
    return body + f'{SEAL}{zlib.crc32(body):08x}"}}\n'.encode()


def read_events(path: Path, start: int = 0, seq: int = -1) -> Iterator[Read]:
    """Events from byte `start`; `seq` is the number of the event before. One line at a time is in memory.

    A torn last line is dropped with a `MapWarning`. Raises `FileError` for other damaged lines, gaps in the sequence
    numbers, and unreadable files.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            file.seek(start)
            end = start
            while line := file.readline(LONGEST):
                event = _event(line)
                if event is None:
                    if not file.read(1):
                        warnings.warn(
                            f"the last line of {path} is torn, because the process ended while writing it. Expected a "
                            "complete event. The line was dropped; add that view again.",
                            MapWarning,
                            stacklevel=2,
                        )
                        return
                    raise FileError(f"{path} is damaged after event {seq}. Expected event {seq + 1}. Use a backup.")
                if event.get("seq") != seq + 1:
                    given = str(event.get("seq"))[:20]
                    raise FileError(
                        f"{path} has event {given} after event {seq}. Expected event {seq + 1}. Use a backup."
                    )
                seq, end = seq + 1, end + len(line)
                yield Read(event, end)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read the events {path}: {error.strerror or error}") from error


def _event(line: bytes) -> dict[str, Any] | None:
    """Content of a complete line; None for a damaged line."""
    body, seal, end = line.rpartition(SEAL.encode())
    if not seal or end != f'{zlib.crc32(body):08x}"}}\n'.encode():
        return None
    try:
        content = json.loads(body + b"}")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileError(
            f"another process writes to {path}. Expected one writer. End the other process, or give another folder."
        ) from None


def _sync_folder(folder: Path) -> None:
    """Sync the folder entry of a new file to the disk."""
    with contextlib.suppress(OSError):  # not on Windows
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

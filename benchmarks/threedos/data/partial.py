"""What is there of a download: NAME.tar.partial, and beside it a note of which file its bytes belong to."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.threedos.data.disk import writing


@dataclass(frozen=True)
class Note:
    """Which file the bytes of a .partial belong to: its address, its validators, its size (None unknown)."""

    address: str
    etag: str = ""
    modified: str = ""
    size: int | None = None

    def differs(self, other: Note) -> bool:
        """Whether the server now tells of another file; only what both tell is compared."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.size, other.size))
        return any(mine and theirs and mine != theirs for mine, theirs in pairs)

    @property
    def condition(self) -> dict[str, str]:
        """If-Range, where there is a validator that may stand in it; `differs` is asked in any case."""
        strong = re.fullmatch(r'"[^"]*"', self.etag)  # neither W/"..." nor, as some servers send it, without quotes
        validator = self.etag if strong else "" if self.etag else self.modified
        return {"If-Range": validator} if validator else {}


class Partial:
    """The beginning of a .tar: NAME.tar.partial, and the note, NAME.tar.json."""

    def __init__(self, tar: Path) -> None:
        self.tar = tar
        self.path = tar.with_name(tar.name + ".partial")
        self.note_path = tar.with_name(tar.name + ".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def note(self, address: str) -> Note | None:
        """The note, if what is there can be a beginning of the file at `address`."""
        try:
            note = Note(**json.loads(self.note_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        fits = note.address == address and isinstance(note.size, int | None) and self.size <= (note.size or self.size)
        return note if fits and self.size else None

    def begin(self, note: Note) -> None:
        """Empties the file, then notes what it will hold: in this order a kill in between spoils nothing."""
        with writing(self.path):
            self.path.write_bytes(b"")
            temporary = self.note_path.with_name(self.note_path.name + ".partial")
            temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
            os.replace(temporary, self.note_path)

    def drop(self) -> None:
        """The bytes belong to a file that is gone."""
        with writing(self.path):
            self.path.unlink(missing_ok=True)

    def finish(self) -> Path:
        with writing(self.tar):
            os.replace(self.path, self.tar)
        return self.tar

    def forget(self, with_tar: bool) -> None:
        """The download is over. Without a note the .tar is somebody's own, and stays."""
        with suppress(OSError):
            if with_tar and self.note_path.is_file():
                self.tar.unlink(missing_ok=True)
            self.note_path.unlink(missing_ok=True)

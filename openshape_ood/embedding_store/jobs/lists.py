"""Lists of shapes: .parquet, .csv or .txt with a column `path`, and `id` and `up` if they are there."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from openshape_ood.embedding_store.jobs.settings import Item
from openshape_ood.embedding_store.parquet import read_words
from openshape_ood.embedding_store.schema import text
from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.points import check_up

COLUMNS = ("path", "id", "up")
FIRST_LINE = 65_536  # bytes: a cloud as text may be one line without an end


def is_list(path: Path) -> bool:
    """Whether a file is a list: Parquet, or text whose first line names a column `path`; clouds begin with numbers."""
    suffix = path.suffix.lower()
    return suffix == ".parquet" or (suffix in (".csv", ".txt") and path.is_file() and "path" in _header(path))


class ShapeList:
    """The shapes of a list, in its order, read anew by every loop and never held as a whole.

    Paths are relative to the folder of the list; the id is the path as the list has it where there is no column `id`.

    Parameters
    ----------
    path : Path
        .parquet, .csv or .txt with a column `path`, and `id` and `up` if they are there.

    Raises
    ------
    FileError
        While iterating, for a file that cannot be read.
    InputError
        Likewise, for a row without a path or an axis that is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Item]:
        folder = str(self.path.parent)
        for number, (place, id, up) in enumerate(_rows(self.path), start=1):
            if not place:
                raise InputError(f"{self.path}: row {number} has no path; expected one in every row")
            if up:
                check_up(up, f"{self.path}: up of row {number}")
            yield Item(text(id or place), os.path.join(folder, os.path.expanduser(place)), up or None)


def _rows(path: Path) -> Iterator[tuple[str | None, ...]]:
    if path.suffix.lower() == ".parquet":
        for rows in read_words(path, COLUMNS):
            yield from rows
        return
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = csv.reader(file, skipinitialspace=True)
            places = {name.strip(): i for i, name in enumerate(next(lines, []))}
            for line in filter(None, lines):
                yield tuple(_cell(line, places.get(name)) for name in COLUMNS)
    except (OSError, csv.Error) as error:
        raise FileError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from error


def _cell(line: list[str], place: int | None) -> str | None:
    return line[place].strip() if place is not None and place < len(line) else None


def _header(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            line = file.readline(FIRST_LINE).decode("utf-8-sig", errors="replace")
    except OSError:
        return []
    return [word.strip().strip('"') for word in line.split(",")]

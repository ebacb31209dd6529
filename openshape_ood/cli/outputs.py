"""Output files of commands, and their validation before the work begins."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from openshape_ood.cli.console import as_json, print_line, print_note, shown
from openshape_ood.errors import InputError, MissingPackageError

DRAWN = (".png", ".svg", ".pdf")


def check_out(option: str, path: Path | None, suffixes: Sequence[str], out: Path | None = None) -> None:
    """Raise `InputError` if a file cannot be written. out: output folder, which may not exist yet."""
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{option} is {path}. Expected a name that ends in {' or '.join(suffixes)}. Change it.")
    if out is not None and path.expanduser().parent == out.expanduser():
        return
    if not path.expanduser().parent.is_dir():
        raise InputError(f"{option} is {path}. Expected an existing folder {path.parent}. Create the folder.")
    if not os.access(path.expanduser().parent, os.W_OK):
        raise InputError(
            f"{option} is {path}, but {path.parent} is not writable. Expected a writable folder. Give another path."
        )


def check_empty(option: str, folder: Path | None) -> None:
    """Raise `InputError` if a folder has contents."""
    if folder is not None and (path := folder.expanduser()).exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{option} is {folder}, which has contents. Expected a new or an empty folder. Give another.")


def check_picture(
    option: str, path: Path | None, suffixes: Sequence[str], package: str = "matplotlib", out: Path | None = None
) -> None:
    """`check_out` for a picture. Raises `MissingPackageError` if the drawing package is not installed."""
    check_out(option, path, suffixes, out)
    if path is not None and find_spec(package) is None:
        raise MissingPackageError(
            f"{option} {path} is not available. Expected the package {package}. Run pip install 'openshape-ood[plots]'."
        )


def drawn_by(path: Path | None) -> str:
    """Package that draws a picture or an interactive page."""
    return "plotly" if path is not None and path.suffix.lower() == ".html" else "matplotlib"


def can_draw() -> bool:
    """True if pictures can be drawn; otherwise prints how to install the missing package."""
    if find_spec("matplotlib") is None:
        print_note("no pictures: they need pip install 'openshape-ood[plots]'", "yellow")
        return False
    return True


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV of some columns of records; missing values are empty cells, and `storage.csv_cell` escapes formulas."""
    from openshape_ood.storage import csv_cell

    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(row.get(name)) for name in columns} for row in rows)
    return buffer.getvalue()


def save_table(path: Path, record: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write some columns of rows to a .csv path, or the whole record to a .json path."""
    from openshape_ood.storage import save_whole

    content = as_json(record) if path.suffix.lower() == ".json" else csv_text(columns, rows)
    return save_whole(path, content.encode("utf-8", errors="surrogateescape"), "the table")


def print_written(paths: Sequence[Any]) -> None:
    if paths:
        print_line(f"written: {', '.join(map(shown, paths))}")

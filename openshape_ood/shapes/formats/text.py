"""Text: columns of numbers, optionally with a line of column names."""

from __future__ import annotations

import io
import itertools
import re

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.fields import Table
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.points import check_cloud

MAX_TOP = 100  # maximum lines of comments and names before the numbers


def read_text(data: bytes) -> Table:
    """Read columns of numbers, separated by spaces, tabs, commas or semicolons, optionally with a line of names."""
    text = data.decode("utf-8-sig")
    top = list(itertools.islice(io.StringIO(text), MAX_TOP))
    first = next((n for n, line in enumerate(top) if _is_numbers(line)), None)
    if first is None:
        raise CloudError(f"no line of numbers among its first {len(top)}")
    title = next((line for line in reversed(top[:first]) if line.strip()), "")
    names = [word.strip("\"'").lower() for word in _split(title.lstrip("#/ \t"))]
    delimiter = next((mark for mark in ",;" if mark in top[first]), None)
    try:
        table = np.loadtxt(io.StringIO(text), skiprows=first, delimiter=delimiter, ndmin=2, dtype=np.float64)
    except ValueError as error:
        reason = str(error).partition("; use")[0].rstrip(".")  # options of numpy's loader are meaningless here
        raise CloudError(f"{reason}; expected as many numbers, with decimal points, in every line") from error
    if {"x", "y", "z"} <= set(names) and len(names) == table.shape[1]:
        return dict(zip(names, table.T, strict=True))
    if table.shape[1] not in (3, 6):
        raise CloudError(
            f"{table.shape[1]} columns without names, expected 3 (x y z) or 6 (x y z red green blue); "
            "drop the others or name them in a first line such as 'x y z nx ny nz'"
        )
    return check_cloud(table, "it")


def _split(line: str) -> list[str]:
    return re.split(r"[,;]\s*|\s+", line.strip().rstrip(",;"))


def _is_numbers(line: str) -> bool:
    try:
        return bool([float(word) for word in _split(line)])
    except ValueError:
        return False


FORMAT = Format(suffixes=(".txt", ".xyz", ".csv"), cloud=read_text)

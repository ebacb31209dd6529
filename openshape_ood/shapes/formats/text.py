"""Text files: columns of numbers, optionally after a line with the names of the columns."""

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
    """Read columns of numbers, separated by spaces, tabs, commas or semicolons.

    The last line before the numbers, if any, has the names of the columns.
    """
    text = data.decode("utf-8-sig")
    top = list(itertools.islice(io.StringIO(text), MAX_TOP))
    first = next((n for n, line in enumerate(top) if _is_numbers(line)), None)
    if first is None:
        raise CloudError(f"it has no numbers in its first {len(top)} lines. Expected columns of numbers. Check it.")
    title = next((line for line in reversed(top[:first]) if line.strip()), "")
    names = [word.strip("\"'").lower() for word in _split(title.lstrip("#/ \t"))]
    delimiter = next((mark for mark in ",;" if mark in top[first]), None)
    try:
        table = np.loadtxt(io.StringIO(text), skiprows=first, delimiter=delimiter, ndmin=2, dtype=np.float64)
    except ValueError as error:
        reason = str(error).partition("; use")[0].rstrip(".")  # without numpy's hint at an option of its loader
        raise CloudError(
            f"{reason}. Expected as many numbers, with decimal points, in every line. Correct the line."
        ) from error
    if {"x", "y", "z"} <= set(names) and len(names) == table.shape[1]:
        return dict(zip(names, table.T, strict=True))
    if table.shape[1] not in (3, 6):
        raise CloudError(
            f"it has {table.shape[1]} columns without names. Expected 3 (x y z) or 6 (x y z red green blue). Drop the "
            "others, or name all in a first line such as 'x y z nx ny nz'."
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

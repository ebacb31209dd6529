"""Tables of queries and rows as they are given: checked, and read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import InputError

TABLE_ROWS = 4096  # rows whose products with queries are held at once
# numbers of a block of queries or rows on their way to float32: 16 MiB in float64
BLOCK_ELEMENTS = 1 << 21


def check_tables(queries: Any, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Queries (b, d) and rows (m, d) as arrays; `InputError` for what is no such pair of tables, or has no rows."""
    queries, rows = _table(queries, "queries"), _table(rows, "rows")
    if queries.shape[1] != rows.shape[1]:
        raise InputError(f"queries {queries.shape} and rows {rows.shape}; expected as many columns in either, (., d)")
    if not len(rows):
        raise InputError(f"rows {rows.shape} are empty; expected at least one row")
    return queries, rows


def _table(value: Any, name: str) -> np.ndarray:
    try:
        table = np.asarray(to_numpy(value))
    except ValueError as error:
        raise InputError(f"{name} are no table of numbers; expected (n, d)") from error
    if table.dtype.kind not in "fiub" or table.ndim != 2 or not table.shape[1]:
        raise InputError(f"{name} have the shape {table.shape} and type {table.dtype}; expected numbers (n, d), d >= 1")
    return table


def check_k(k: Any, m: int) -> int:
    """k as an int; `InputError` unless it is a whole number from 1 to m."""
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
    if not whole or not 1 <= k <= m:
        raise InputError(f"k is {k!r} for {m:,} rows; expected a whole number from 1 to {m}")
    return int(k)


def largest_number(table: np.ndarray) -> float:
    """Largest absolute value of a table (n, d), 0 without rows; `InputError` for NaN or infinity."""
    largest = 0.0
    for block in blocks(table):
        ends = float(block.min()), float(block.max())  # NaN goes through either
        if not np.isfinite(ends).all():
            raise InputError("queries or rows hold NaN or infinity; expected finite numbers")
        largest = max(largest, -ends[0], ends[1])
    return largest


def block_size(d: int) -> int:
    """Vectors of d numbers that are read at once, at least one."""
    return max(1, min(TABLE_ROWS, BLOCK_ELEMENTS // d))


def blocks(table: np.ndarray) -> Iterator[np.ndarray]:
    """Views of consecutive rows of a table (n, d), `block_size(d)` at a time."""
    step = block_size(table.shape[1])
    for i in range(0, len(table), step):
        yield table[i : i + step]

"""Clouds as columns by name: what a file says of its points beside coordinates and color."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from openshape_ood.shapes import ply, scanned, tables

READERS: dict[str, Callable[[bytes], Any]] = {
    ".ply": ply.ply_columns,
    ".npy": tables.npy_columns,
    ".npz": tables.npz_columns,
    ".txt": tables.text_columns,
    ".xyz": tables.text_columns,
    ".csv": tables.text_columns,
    ".pcd": scanned.pcd_columns,
}
SURVEYED = (".las", ".laz")
WITH_COLUMNS = (*READERS, *SURVEYED)


def cloud_columns(data: bytes, suffix: str, others: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Columns (n,) of a file's content by name, in lower case and without the "scalar_" that CloudCompare writes.

    others: of LAS and LAZ, which columns beside coordinates and color.
    """
    found = scanned.las_columns(data, others) if suffix in SURVEYED else READERS[suffix](data)
    columns = tables.plain_columns(found) if isinstance(found, np.ndarray) else found
    return {name.lower().removeprefix("scalar_"): column for name, column in columns.items()}

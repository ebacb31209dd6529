"""LAS and LAZ, the formats of laser scanning, by laspy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.guards import MAX_RATIO, SLACK, SideFiles, check_las, require_bytes
from openshape_ood.shapes.tables import named_cloud


def read_las(data: bytes, side: SideFiles) -> np.ndarray:
    """A LAS or LAZ cloud, scaled and offset as its header says; color where its point format has it."""
    import laspy

    check_las(data)
    # the parallel decoder trusts the sizes of chunks and allocates for them up front
    with laspy.open(io.BytesIO(data), read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs) as reader:
        header = reader.header
        size = header.point_count * header.point_format.size
        ratio = MAX_RATIO if header.are_points_compressed else 1
        require_bytes(size, ratio * len(data) + (SLACK if ratio > 1 else 0), f"{header.point_count:,} points")
        parts = [_las_columns(chunk) for chunk in reader.chunk_iterator(1_000_000)]
    if not parts:
        raise CloudError("it holds no points")
    if sum(len(part["x"]) for part in parts) != header.point_count:
        raise CloudError(f"it ends before the {header.point_count:,} points of its header")
    return named_cloud({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _las_columns(chunk: Any) -> dict[str, np.ndarray]:
    has_color = "red" in chunk.point_format.dimension_names
    names = ("x", "y", "z", "red", "green", "blue") if has_color else ("x", "y", "z")
    return {name: np.array(getattr(chunk, name)) for name in names}

"""Colors in named columns: three columns, a table (n, 3|4), or one packed number per point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from openshape_ood.shapes.points import unit_colors

CHANNELS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
# names of a table of colors, or of a column of packed colors; alpha is dropped
COLORS = (
    *("rgb", "colors", "colours", "color", "colour", "rgba"),
    *("vertex_colors", "vertex_colours", "vertex_color", "vertex_colour", "point_colors", "point_colours"),
)
LOOKS_LIKE = re.compile(r"rgb|colou?r|^(diffuse_)?(red|green|blue)$")
SHIFTS = np.array([16, 8, 0], dtype=np.uint32)  # bits of red, green, blue in 0x00RRGGBB, as in PointCloud2 and PCD
PLAIN = 1e-3  # minimum of the largest value of a brightness column; packed colors read as floats are below 1e-37


def named_color(columns: Mapping[str, Any], count: int) -> np.ndarray | None:
    """Colors (count, 3) in [0, 1] from named columns (lower case); None without usable colors."""
    rgb = stored_color(columns, count)
    if rgb is None:
        return None
    # LAS, and some PLY files, have 16-bit colors
    wide = rgb.dtype == np.uint16 and rgb.max(initial=0) > 255
    return unit_colors(rgb / 65535 if wide else rgb, "its colors")


def stored_color(columns: Mapping[str, Any], count: int) -> np.ndarray | None:
    """Colors (count, 3) as stored, of any type."""
    for names in CHANNELS:
        if all(name in columns and np.shape(columns[name]) == (count,) for name in names):
            return np.column_stack([columns[name] for name in names])
    arrays = (_three(np.asarray(columns[name]), count) for name in COLORS if name in columns)
    return next((rgb for rgb in arrays if rgb is not None), None)


def color_doubt(columns: Mapping[str, Any], name: str) -> str | None:
    """Text of a warning about columns that look like colors but cannot be used; None without such columns.

    Only for clouds for which `named_color` returns None.
    """
    alike = [f"{one!r} {np.dtype(c.dtype).name} {c.shape}" for one, c in _arrays(columns) if LOOKS_LIKE.search(one)]
    if not alike:
        return None
    return (
        f"{name}: {', '.join(alike[:5])} cannot be used as color. Expected columns red, green and blue, an array 'rgb' "
        "(n, 3) or (n, 4), or 32-bit numbers 0x00RRGGBB. Convert them, or leave them out."
    )


def _arrays(columns: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
    return [(name, column) for name, column in columns.items() if isinstance(column, np.ndarray)]


def _three(given: np.ndarray, count: int) -> np.ndarray | None:
    if given.dtype.kind not in "fiu" or given.shape[:1] != (count,):
        return None
    if given.ndim == 2 and given.shape[1] in (3, 4):
        return given[:, :3]
    bits = _bits(given) if given.ndim == 1 else None
    return None if bits is None else (bits[:, None] >> SHIFTS & 255).astype(np.uint8)


def _bits(given: np.ndarray) -> np.ndarray | None:
    """Packed colors (n,) uint32 of a column (n,); None if the column is a brightness or another plain number.

    The four bytes of a 32-bit column, integer or float, are the packed color. A 64-bit column, as from a text file,
    has the packed color as an integer, or as the value of the float32 with the same bytes.
    """
    native = np.ascontiguousarray(given.astype(given.dtype.newbyteorder("="), copy=False))
    if native.dtype.itemsize == 4:
        finite = native[np.isfinite(native)] if native.dtype.kind == "f" else native[:0]
        plain = finite.size and finite.min() >= 0 and PLAIN <= finite.max() <= 255
        return None if plain else native.view(np.uint32)
    if native.dtype.itemsize != 8 or not np.isfinite(native).all() or native.min(initial=0) < 0:
        return None
    most = native.max(initial=0)
    if 255 < most < 2**32 and (native == np.floor(native)).all():
        return native.astype(np.uint32)
    return native.astype(np.float32).view(np.uint32) if native.dtype.kind == "f" and most < PLAIN else None

"""A cloud from columns by name, as PLY, PCD, LAS and text files have them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.points import check_cloud, unit_colors

CHANNELS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))


def named_cloud(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """A cloud from columns by name; those that are neither coordinates nor color (normals, alpha) are left out."""
    columns = {name.lower(): values for name, values in columns.items()}
    if not {"x", "y", "z"} <= columns.keys():
        raise CloudError(f"columns {', '.join(columns)}, expected x, y and z among them")
    cloud = check_cloud(np.column_stack([columns[axis].astype(np.float64) for axis in "xyz"]), "it")
    rgb = named_color(columns)
    return cloud if rgb is None else np.hstack([cloud, rgb])


def named_color(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for channels in CHANNELS:
        if set(channels) <= columns.keys():
            rgb = np.column_stack([columns[name] for name in channels])
            # LAS, and some PLY files, have 16-bit colors
            wide = rgb.dtype == np.uint16 and rgb.max(initial=0) > 255
            return unit_colors(rgb / 65535 if wide else rgb, "its colors")
    return None

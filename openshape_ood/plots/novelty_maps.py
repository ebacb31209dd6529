"""Where a shape is novel, as a picture."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.result import COLORS
from openshape_ood.plots import canvas
from openshape_ood.plots.clouds import SIZE, draw_cloud, font_size
from openshape_ood.plots.point_colors import PointColors, choose_colors

NAMED = 4  # classes in the title


def novelty_map(
    found: NoveltyMap, *, ax: canvas.Axes | None = None, color: str = "novelty", bar: bool = True
) -> canvas.Axes:
    """Draw what `localize` found, on the map's own ramp, `bounds()`, with a mark at its threshold if it has one.

    Parameters
    ----------
    found : NoveltyMap
        Of points or voxels.
    ax : matplotlib axes, optional
    color : {"novelty", "class"}
        Novelty, or the class that each point is nearest to.
    bar : bool
        Whether to say below what the colors mean.

    Returns
    -------
    matplotlib axes
    """
    table, colors = map_colors(found, color)
    ax = canvas.axes_or_new(ax, SIZE)
    draw_cloud(ax, table, found.up, colors, bar, np.nan if found.threshold is None else found.threshold.value)
    canvas.title(ax, heading(found), fontsize=font_size(ax, 12))
    return ax


def map_colors(found: Any, color: str) -> tuple[np.ndarray, PointColors]:
    """The cloud (n, 3|6) of a map, and its colors."""
    if not isinstance(found, NoveltyMap) or found.elements.kind == "pixels":
        given = f"a map of {found.elements.kind}" if isinstance(found, NoveltyMap) else type(found).__name__
        raise InputError(f"the novelty map is {given}; expected the NoveltyMap of points that localize returns")
    if color not in COLORS:
        raise UnknownNameError(f"color is {color!r}; expected one of {', '.join(COLORS)}. cloud() draws the others")
    table = np.asarray(found.points, dtype=np.float64)
    if color == "novelty":
        return table, choose_colors(table, found.up, color, found.novelty, *found.bounds())
    return table, choose_colors(table, found.up, color, found.nearest, classes=list(found.classes))


def heading(found: NoveltyMap) -> str:
    """Which shape, and against which known classes."""
    classes = canvas.shorts([str(name) for name in found.classes], 20)
    more = [f"{len(classes) - NAMED} more"] if len(classes) > NAMED else []
    shown = canvas.short(", ".join(classes[:NAMED]), 40)
    return f"{canvas.short(PurePath(found.name).name, 50)}\nagainst {', '.join([shown, *more])}"

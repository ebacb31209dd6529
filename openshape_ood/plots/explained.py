"""Where a shape is novel, as a picture."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.plots import canvas
from openshape_ood.plots.clouds import SIZE, draw_painted, font_size
from openshape_ood.plots.paint import Paint, choose_paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("novelty", "class")
NAMED = 4  # classes in the title


def explanation(explanation: Any, *, ax: Axes | None = None, color: str = "novelty", bar: bool = True) -> Axes:
    """Draw what `explain_novelty` found: its points by novelty, or by the class that each is nearest to.

    The ramp is that of the explanation, `bounds()`; a mark stands at its `limit`, up to which 95 % of the patches of
    the known shapes lie, if it has one. bar: whether to say below what the colors mean.

    Raises `UnknownNameError` for another color, `MissingPackageError` without matplotlib.

    >>> from types import SimpleNamespace
    >>> points = np.random.RandomState(0).rand(50, 3)
    >>> found = SimpleNamespace(points=points, novelty=points[:, 0], up="y", shape="a.ply", limit=0.5,
    ...     nearest=np.full(50, "chair"), classes=np.array(["chair"]), bounds=lambda: (0.2, 0.9))
    >>> print(explanation(found).get_title())
    a.ply
    against chair
    """
    table, paint = paint_explanation(explanation, color)
    ax = canvas.axes_or_new(ax, SIZE)
    draw_painted(ax, table, explanation.up, paint, legend=bar, limit=float(explanation.limit))
    canvas.title(ax, heading(explanation), fontsize=font_size(ax, 12))
    return ax


def is_explanation(value: Any) -> bool:
    """Whether `value` is what `explain_novelty` returns, or says as much."""
    return all(hasattr(value, name) for name in ("points", "novelty", "nearest", "classes", "up", "bounds"))


def paint_explanation(explanation: Any, color: str) -> tuple[np.ndarray, Paint]:
    """The cloud (n, 3|6) of an explanation, and its colors."""
    if not is_explanation(explanation):
        raise InputError(f"explanation is {type(explanation).__name__}; expected what explain_novelty returns")
    if color not in COLORS:
        raise UnknownNameError(f"color is {color!r}; expected one of {', '.join(COLORS)}. cloud() draws the others")
    table = np.asarray(explanation.points)
    if color == "novelty":
        low, high = explanation.bounds()
        return table, choose_paint(table, explanation.up, color, explanation.novelty, low, high)
    return table, choose_paint(table, explanation.up, color, explanation.nearest, classes=list(explanation.classes))


def heading(explanation: Any) -> str:
    """Which shape, and against which known classes."""
    classes = canvas.shorts([str(name) for name in explanation.classes], 20)
    more = [f"{len(classes) - NAMED} more"] if len(classes) > NAMED else []
    name = canvas.short(PurePath(str(explanation.shape)).name, 50)
    shown = canvas.short(", ".join(classes[:NAMED]), 40)
    return f"{name}\nagainst {', '.join([shown, *more])}"

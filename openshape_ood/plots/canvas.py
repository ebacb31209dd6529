"""Where pictures are drawn: figures without a display, and careful writing on them.

Names come from files, so that a dollar sign in one must start no formula and a character that the font lacks no
warning. This is set on each piece of text, not for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from openshape_ood.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
else:  # for annotations alone: matplotlib is loaded where something is drawn
    Axes = Figure = SubFigure = Any

GREY = "#666666"
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
LONGEST_TITLE = 70  # characters of a line
PANEL = 3.6  # inches


def new_figure(size: tuple[float, float], layout: Literal["constrained"] | None = "constrained") -> Figure:
    """A figure of `size` inches that depends neither on a display nor on pyplot."""
    try:
        import matplotlib.figure
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ModuleNotFoundError as error:
        raise MissingPackageError("this picture needs matplotlib: pip install 'openshape-ood[plots]'") from error
    figure = matplotlib.figure.Figure(figsize=size, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panels(rows: int = 1, columns: int = 2, *, size: tuple[float, float] | None = None) -> tuple[Figure, np.ndarray]:
    """A figure with axes to draw on.

    Parameters
    ----------
    rows, columns : int
    size : (float, float), optional
        Inches; else 3.6 a panel.

    Returns
    -------
    figure : matplotlib figure
    axes : ndarray (rows, columns)

    Examples
    --------
    >>> panels(2, 3)[1].shape
    (2, 3)
    """
    if min(rows, columns) < 1:
        raise InputError(f"{rows} rows and {columns} columns; expected at least one of each")
    figure = new_figure((PANEL * columns, PANEL * rows) if size is None else size)
    return figure, np.asarray(figure.subplots(rows, columns, squeeze=False))


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax`, or the only axes of a new figure. Raises `InputError` for what is no axes."""
    if ax is None:
        return new_figure(size).subplots()
    if not hasattr(ax, "scatter"):
        raise InputError(f"ax is {type(ax).__name__}; expected matplotlib axes, or None for new ones")
    return ax


def title(ax: Axes, text: str, **style: Any) -> None:
    """A title of one or more lines, each cut to what fits."""
    ax.set_title("\n".join(short(line, LONGEST_TITLE) for line in text.split("\n")), **PLAIN, **style)


def legend(ax: Axes, marks: Sequence[Mapping[str, Any]] = (), **options: Any) -> None:
    """The legend of what has a label, or of `marks`: of each its label, color, marker and the like."""
    from matplotlib.lines import Line2D

    handles = {"handles": [Line2D([], [], lw=0, **mark) for mark in marks]} if marks else {}
    for text in ax.legend(**handles, **options).get_texts():
        text.update(PLAIN)


def short(text: str, length: int) -> str:
    """At most `length` characters, those left out in the middle; what the font cannot draw becomes "?".

    >>> short("a long name.ply", 9)
    'a lo….ply'
    """
    drawable = "".join(c if c.isprintable() and (c.isascii() or ord(c) in _glyphs()) else "?" for c in text)
    if len(drawable) <= length:
        return drawable
    tail = (length - 1) // 2
    return f"{drawable[: length - 1 - tail]}…{drawable[len(drawable) - tail :]}"


def shorts(texts: Iterable[Any], length: int) -> list[str]:
    return [short(str(text), length) for text in texts]


def number(value: float) -> str:
    """A novelty or a threshold as people read it.

    >>> number(0.123456), number(12345.6), number(0.0)
    ('0.1235', '1.235e+04', '0.0000')
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """The characters that the default font can draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())

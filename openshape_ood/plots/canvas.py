"""Figures without a display, safe text, checks of values, and files.

Names come from files: a dollar sign must not start a formula, and a character missing in the font must not warn. This
is set for each text, not for the whole process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from openshape_ood.checks import array, check_positive, check_whole, given_path, words
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.storage import save_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
else:  # for annotations; matplotlib is loaded on the first drawing
    Axes = Figure = SubFigure = Any

GREY = "#666666"
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
LONGEST_TITLE = 70  # characters per line
PANEL = 3.6  # inches
# metadata that would differ between two files of one picture
UNDATED: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def new_figure(size: tuple[float, float], layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Figure of `size` inches, without display and pyplot."""
    try:
        import matplotlib.figure
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ModuleNotFoundError as error:
        raise MissingPackageError("this picture needs matplotlib: pip install 'openshape-ood[plots]'") from error
    figure = matplotlib.figure.Figure(figsize=size, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panels(rows: int = 1, columns: int = 2, *, size: tuple[float, float] | None = None) -> tuple[Figure, np.ndarray]:
    """Figure with a grid of axes.

    Parameters
    ----------
    rows, columns : int
    size : (float, float), optional
        Inches. Default: 3.6 a panel.

    Returns
    -------
    figure : matplotlib figure
    axes : ndarray (rows, columns)

    Examples
    --------
    >>> panels(2, 3)[1].shape
    (2, 3)
    """
    check_whole(rows, "rows")
    check_whole(columns, "columns")
    figure = new_figure((PANEL * columns, PANEL * rows) if size is None else size)
    return figure, np.asarray(figure.subplots(rows, columns, squeeze=False))


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax`, or the axes of a new figure. Raises `InputError` for any other object."""
    if ax is None:
        return new_figure(size).subplots()
    if not hasattr(ax, "scatter"):
        raise InputError(f"ax is {type(ax).__name__}; expected matplotlib axes, or None for new ones")
    return ax


def save(picture: Any, path: str | os.PathLike[str], dpi: float = 110) -> Path:
    """Write a picture, whole or not at all. The same picture gives the same bytes.

    Parameters
    ----------
    picture : matplotlib axes or figure, or plotly figure
        For axes, their whole figure is written.
    path : str or Path
        Ends in .png, .svg or .pdf; for plotly in .html, which contains plotly (about 5 MB) and needs no network.
    dpi : float
        Pixels an inch, for PNG and for points in SVG and PDF.

    Returns
    -------
    Path

    Raises
    ------
    InputError, FileError
        For another suffix, or an object that is no picture; if writing fails.
    """
    path, html = given_path(path, "path"), hasattr(picture, "to_html")
    figure: Any = getattr(getattr(getattr(picture, "figure", None), "canvas", None), "figure", None)
    if figure is None and not html:
        given = type(picture).__name__
        raise InputError(f"the picture is {given}; expected axes or a figure of matplotlib, or of plotly")
    suffixes = (".html",) if html else tuple(f".{name}" for name in UNDATED)
    if path.suffix.lower() not in suffixes:
        what = "a plotly figure is" if html else "axes and figures of matplotlib are"
        other = "cloud() and novelty_map() draw" if html else "turnable() draws"
        raise InputError(
            f"{path.name!r} ends in {path.suffix!r}; {what} saved as {', '.join(suffixes)}; {other} what fits others"
        )
    if not html:
        if check_positive(dpi, "dpi") < 1:
            raise InputError(f"dpi is {dpi}; expected 1 or more")
        return save_whole(path, rendered(figure, path.suffix.lower()[1:], dpi), "the picture")
    config = {"displaylogo": False, "responsive": True}
    # otherwise the id would be random
    page = picture.to_html(config=config, include_plotlyjs=True, include_mathjax=False, div_id="shape")
    return save_whole(path, str(page).encode("utf-8", "replace"), "the picture")


def rendered(figure: Figure, form: str, dpi: float) -> bytes:
    """Bytes of a PNG, SVG or PDF file, equal for equal pictures."""
    from matplotlib import rc_context

    file = BytesIO()
    with rc_context({"svg.hashsalt": "openshape_ood"} if form == "svg" else {}):
        figure.savefig(file, format=form, dpi=dpi, metadata=UNDATED[form])
    return file.getvalue()


def title(ax: Axes, text: str, **style: Any) -> None:
    """Title of one or more lines, each shortened to fit."""
    ax.set_title("\n".join(shorts(text.split("\n"), LONGEST_TITLE)), **PLAIN, **style)


def legend(ax: Axes, marks: Sequence[Mapping[str, Any]] = (), **options: Any) -> None:
    """Legend of labeled artists, or of `marks`: label, color, marker and so on of each."""
    from matplotlib.lines import Line2D

    handles = {"handles": [Line2D([], [], lw=0, **mark) for mark in marks]} if marks else {}
    for text in ax.legend(**handles, **options).get_texts():
        text.update(PLAIN)


def key(ax: Axes, colors: Mapping[str, Any], *, marker: str = "o", **options: Any) -> None:
    """Legend of colors and names below the axes."""
    marks = [{"label": short(n, 24), "color": color, "marker": marker, "ms": 8} for n, color in colors.items()]
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "frameon": False}
    legend(ax, marks, **place | options)


def short(text: str, length: int) -> str:
    """Text shortened in the middle to `length` characters; characters missing in the font become "?"."""
    drawable = "".join(c if c.isprintable() and (c.isascii() or ord(c) in _glyphs()) else "?" for c in text)
    if len(drawable) <= length:
        return drawable
    tail = (length - 1) // 2
    return f"{drawable[: length - 1 - tail]}…{drawable[len(drawable) - tail :]}"


def shorts(texts: Iterable[Any], length: int) -> list[str]:
    return [short(str(text), length) for text in texts]


def number(value: float) -> str:
    """Format a novelty or a threshold.

    >>> number(0.123456), number(12345.6), number(0.0)
    ('0.1235', '1.235e+04', '0.0000')
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """Characters of the default font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def finite(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """Finite numbers (m,) float64, one a shape or point; `count` of them, if given."""
    return _counted(array(values, what, "m").astype(np.float64), what, count)


def finite_number(value: Any, what: str) -> float:
    """A finite number, or the value of a `Threshold`."""
    return float(finite([getattr(value, "value", value)], f"values of {what}")[0])


def names(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """Names (m,) of str, one a shape or point; `count` of them, if given."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray):
        raise InputError(f"{what} are {type(values).__name__}; expected a list of names, or an array (m,)")
    return _counted(words(map(str, values)), what, count)


def _counted(values: np.ndarray, what: str, count: int | None) -> np.ndarray:
    if count is not None and len(values) != count:
        raise InputError(f"{len(values)} {what} for {count}; expected one for each")
    return values

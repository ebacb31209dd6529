"""Creation of figures without a display, drawing of text, validation of values, and saving.

Texts contain names from files. A dollar sign in a name must not start a formula, and a character that is missing in the
font must not cause a warning. `PLAIN` and `short` ensure this for each text, without a change of matplotlib's settings.
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
else:  # names in annotations; the first plot imports matplotlib
    Axes = Figure = SubFigure = Any

GREY = "#666666"
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
LONGEST_TITLE = 70  # characters per line
PANEL = 3.6  # inches
# metadata without a date, so that the same picture gives the same bytes
UNDATED: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def new_figure(size: tuple[float, float], layout: Literal["constrained"] | None = "constrained") -> Figure:
    """New figure of `size` (width, height) in inches. It needs no display and does not use pyplot."""
    try:
        import matplotlib.figure
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "pictures are not available. Expected the package matplotlib. Run pip install 'openshape-ood[plots]'."
        ) from error
    figure = matplotlib.figure.Figure(figsize=size, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panels(rows: int = 1, columns: int = 2, *, size: tuple[float, float] | None = None) -> tuple[Figure, np.ndarray]:
    """New figure with a grid of axes.

    Parameters
    ----------
    rows, columns : int
    size : (float, float), optional
        Width and height of the figure in inches. Default: 3.6 per panel.

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
        raise InputError(f"ax is {type(ax).__name__}. Expected matplotlib axes. Leave ax out to get new axes.")
    return ax


def save(picture: Any, path: str | os.PathLike[str], dpi: float = 110) -> Path:
    """Write a picture to a file. If writing fails, an existing file stays unchanged.

    The same picture gives the same bytes.

    Parameters
    ----------
    picture : matplotlib axes or figure, or plotly figure
        For axes, the whole figure is written.
    path : str or Path
        Name that ends in .png, .svg or .pdf, or in .html for a plotly figure. The HTML file contains plotly (about 5
        MB), so it works without a network.
    dpi : float
        Pixels per inch of a PNG, and of the point clouds in SVG and PDF, which are rasterized.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another suffix, and for an object that is not a picture.
    FileError
        If writing fails.
    """
    path, html = given_path(path, "path"), hasattr(picture, "to_html")
    figure: Any = getattr(getattr(getattr(picture, "figure", None), "canvas", None), "figure", None)
    if figure is None and not html:
        given = type(picture).__name__
        raise InputError(
            f"the picture is {given}. Expected matplotlib axes, or a figure. Give the result of a plot function."
        )
    suffixes = (".html",) if html else tuple(f".{name}" for name in UNDATED)
    if path.suffix.lower() not in suffixes:
        what = "a plotly figure" if html else "a matplotlib figure"
        other = "cloud() or novelty_map()" if html else "turnable()"
        raise InputError(
            f"{path.name!r} ends in {path.suffix!r}. Expected {', '.join(suffixes)} for {what}. Change the name, or "
            f"draw with {other}."
        )
    if not html:
        if check_positive(dpi, "dpi") < 1:
            raise InputError(f"dpi is {dpi}. Expected 1 or more. Give for example 110.")
        return save_whole(path, rendered(figure, path.suffix.lower()[1:], dpi), "the picture")
    config = {"displaylogo": False, "responsive": True}
    # fixed id of the plot's HTML element; plotly's random id would change the bytes
    page = picture.to_html(config=config, include_plotlyjs=True, include_mathjax=False, div_id="shape")
    return save_whole(path, str(page).encode("utf-8", "replace"), "the picture")


def rendered(figure: Figure, form: str, dpi: float) -> bytes:
    """Content of a PNG, SVG or PDF file. The same picture gives the same bytes."""
    from matplotlib import rc_context

    file = BytesIO()
    with rc_context({"svg.hashsalt": "openshape_ood"} if form == "svg" else {}):
        figure.savefig(file, format=form, dpi=dpi, metadata=UNDATED[form])
    return file.getvalue()


def title(ax: Axes, text: str, **style: Any) -> None:
    """Set a title of one or more lines. Long lines are shortened."""
    ax.set_title("\n".join(shorts(text.split("\n"), LONGEST_TITLE)), **PLAIN, **style)


def legend(ax: Axes, marks: Sequence[Mapping[str, Any]] = (), **options: Any) -> None:
    """Draw a legend of the labeled artists in the axes, or of `marks`.

    marks: arguments of `Line2D` for each entry, such as label, color and marker.
    """
    from matplotlib.lines import Line2D

    handles = {"handles": [Line2D([], [], lw=0, **mark) for mark in marks]} if marks else {}
    for text in ax.legend(**handles, **options).get_texts():
        text.update(PLAIN)


def key(ax: Axes, colors: Mapping[str, Any], *, marker: str = "o", **options: Any) -> None:
    """Draw a legend below the axes. colors: color of each name."""
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
    """Code points of the characters in the default font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def finite(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """Finite numbers as an array (m,) float64. Raises `InputError` for other values, and if m differs from `count`.

    what: name of the numbers in messages. count: number of shapes or points.
    """
    return _counted(array(values, what, "m").astype(np.float64), what, count)


def finite_number(value: Any, what: str) -> float:
    """A finite number, from a number or a `Threshold`."""
    return float(finite([getattr(value, "value", value)], f"values of {what}")[0])


def names(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """Names as an array (m,) of str. Errors and arguments are as in `finite`."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray):
        raise InputError(
            f"{what} are {type(values).__name__}. Expected a list of names or an array (m,). Give one name each."
        )
    return _counted(words(map(str, values)), what, count)


def _counted(values: np.ndarray, what: str, count: int | None) -> np.ndarray:
    if count is not None and len(values) != count:
        raise InputError(
            f"{len(values)} {what} for {count} shapes or points are given. Expected one for each. Give {count}."
        )
    return values

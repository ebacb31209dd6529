"""Pictures to files: whole under their name, or not at all."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from openshape_ood.errors import InputError
from openshape_ood.plots.canvas import Figure
from openshape_ood.storage import save_whole

DPI = 110
# what would tell two files of one picture apart
UNDATED: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(picture: Any, path: str | os.PathLike[str], dpi: int = DPI) -> Path:
    """Write a picture, whole or not at all. The same picture gives the same bytes.

    Parameters
    ----------
    picture : matplotlib axes or figure, or plotly figure
    path : str or Path
        Ends in .png, .svg or .pdf; in .html for plotly, which holds plotly itself (some 5 MB) and needs no network.
    dpi : int
        Pixels an inch, of PNG and of the points in SVG and PDF.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another suffix, or what is no picture.
    FileError
        Where nothing can be written.

    Examples
    --------
    >>> save(object(), "picture.jpeg")
    Traceback (most recent call last):
    openshape_ood.errors.InputError: the picture is object; expected axes or a figure of matplotlib, or of plotly
    """
    path = Path(path)
    html = hasattr(picture, "to_html")
    figure = None if html else _figure(picture)
    suffixes = (".html",) if html else tuple(f".{name}" for name in UNDATED)
    if path.suffix.lower() not in suffixes:
        what = "a plotly figure is" if html else "axes and figures of matplotlib are"
        other = "cloud() and novelty_map() draw" if html else "turnable() draws"
        raise InputError(
            f"{path.name!r} ends in {path.suffix!r}; {what} saved as {', '.join(suffixes)}; {other} what fits others"
        )
    content = _html(picture) if figure is None else rendered(figure, path.suffix.lower()[1:], dpi)
    return save_whole(path, content, "the picture")


def rendered(figure: Figure, form: str, dpi: int) -> bytes:
    """The bytes of a PNG, SVG or PDF file, the same for the same picture."""
    from matplotlib import rc_context

    file = BytesIO()
    with rc_context({"svg.hashsalt": "openshape_ood"} if form == "svg" else {}):
        figure.savefig(file, format=form, dpi=dpi, metadata=UNDATED[form])
    return file.getvalue()


def _figure(picture: Any) -> Figure:
    """The whole figure, also of axes or a part."""
    figure = getattr(getattr(getattr(picture, "figure", None), "canvas", None), "figure", None)
    if figure is None:
        raise InputError(
            f"the picture is {type(picture).__name__}; expected axes or a figure of matplotlib, or of plotly"
        )
    return figure


def _html(figure: Any) -> bytes:
    config = {"displaylogo": False, "responsive": True}
    # without an id of its own it would be a random one
    page = figure.to_html(config=config, include_plotlyjs=True, include_mathjax=False, div_id="shape")
    return str(page).encode("utf-8", "replace")

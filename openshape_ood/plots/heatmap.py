"""How similar each shape is to each known class."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import ORANGE
from openshape_ood.plots import canvas

MOST_NAMED = 40  # rows or columns
MOST_NUMBERED = 12  # columns
LONGEST = 26  # characters of a name
CELL = (0.62, 0.32)  # inches
UNNAMED = 6.0  # inches in all of more shapes than have names


def similarity(result: Any, *, ax: canvas.Axes | None = None) -> canvas.Axes:
    """Draw the similarities of a `NoveltyResult` as a heat map: a row a shape, a column a known class.

    A frame marks the class found nearest, behind each name stands its novelty. Numbers are written for up to 12
    classes, names for up to 40 shapes.

    Parameters
    ----------
    result : NoveltyResult
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> found = SimpleNamespace(similarity=np.array([[0.5, 0.1]]), novelty=np.array([0.5]), shapes=("a.ply",),
    ...     classes=np.array(["chair", "sofa"]), nearest=np.array(["chair"]))
    >>> [text.get_text() for text in similarity(found).get_yticklabels()]
    ['a.ply (0.500)']
    """
    values = _values(result)
    b, k = values.shape
    names = canvas.shorts((PurePath(shape).name for shape in result.shapes), LONGEST)
    rows = [f"{name} ({novelty:.3f})" for name, novelty in zip(names, result.novelty, strict=True)]
    columns = canvas.shorts(result.classes, LONGEST)
    # inches, for names of so many characters
    width = 0.085 * max(map(len, rows)) + CELL[0] * k + 1.6
    height = 0.07 * max(map(len, columns)) + (CELL[1] * b if b <= MOST_NAMED else UNNAMED) + 1.0
    ax = canvas.axes_or_new(ax, (float(np.clip(width, 6.0, 14.0)), max(height, 2.6)))
    image = ax.imshow(values, cmap="cividis", aspect="auto")
    if b <= MOST_NAMED:
        _frames(ax, result)
    if b <= MOST_NAMED and k <= MOST_NUMBERED:
        middle = (values.min() + values.max()) / 2
        for (row, column), value in np.ndenumerate(values):
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": "black" if value > middle else "white"}
            ax.text(column, row, f"{round(value, 2) + 0.0:.2f}", fontsize=9.5, **style)
    _names(ax, rows, columns)
    ax.figure.colorbar(image, ax=ax, label="cosine similarity", fraction=0.05, pad=0.03)
    return ax


def _values(result: Any) -> np.ndarray:
    needed = ("similarity", "novelty", "shapes", "classes", "nearest")
    if lacking := [name for name in needed if not hasattr(result, name)]:
        raise InputError(
            f"result is {type(result).__name__}, without {lacking[0]}; expected what score_novelty returns"
        )
    values = np.asarray(result.similarity, dtype=np.float64)
    expected = (len(result.shapes), len(result.classes))
    if values.shape != expected or not values.size or not len(result.novelty) == len(result.nearest) == expected[0]:
        raise InputError(
            f"similarity is {values.shape} for {expected[0]} shapes and {expected[1]} classes; expected a row a shape "
            "and a column a class"
        )
    return values


def _frames(ax: canvas.Axes, result: Any) -> None:
    """A frame about the class that each shape was found nearest to; some scores do not take the most similar."""
    from matplotlib.patches import Rectangle

    places = {str(name): i for i, name in enumerate(result.classes)}
    for row, name in enumerate(result.nearest):
        if str(name) in places:
            corner = (places[str(name)] - 0.47, row - 0.45)
            ax.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, edgecolor=ORANGE, lw=2.2))


def _names(ax: canvas.Axes, rows: list[str], columns: list[str]) -> None:
    named = len(rows) <= MOST_NAMED
    ax.set(xlabel="known class (framed: nearest)" if named else "known class")
    ax.set(ylabel="shape (novelty)" if named else "shape")
    if len(columns) <= MOST_NAMED:
        style: dict[str, Any] = {"fontsize": 10, **canvas.PLAIN}
        if max(map(len, columns)) > 6:
            style |= {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        ax.set_xticks(range(len(columns)), columns, **style)
    if named:
        ax.set_yticks(range(len(rows)), rows, fontsize=10, **canvas.PLAIN)
    ax.tick_params(length=0)

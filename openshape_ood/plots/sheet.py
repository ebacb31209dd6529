"""The most and the least novel of many shapes, on one sheet."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import BLUE, ORANGE
from openshape_ood.plots import canvas
from openshape_ood.plots.canvas import finite, finite_number, names
from openshape_ood.plots.clouds import draw
from openshape_ood.plots.points import thinned, upright, viridis
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

COLUMNS = 6
CELL = (1.45, 1.85)  # inches
MOST = 2000  # points drawn of a shape
LONGEST = 18  # characters of a title


def contact_sheet(
    shapes: Any,
    novelty: Any,
    *,
    titles: Any = None,
    count: int = 6,
    up: Any = "file",
    figure: canvas.Figure | canvas.SubFigure | None = None,
    threshold: Any = None,
) -> canvas.Figure | canvas.SubFigure:
    """Draw the `count` most novel and the `count` least novel of b shapes, colored by height.

    Of fewer than twice `count` shapes each is drawn once. Ties keep the order of the shapes.

    Parameters
    ----------
    shapes : any form that `ShapeEncoder.encode` takes
        Only those drawn are read.
    novelty : array (b,)
        A `NoveltyResult` will do.
    titles : list of str, optional
        A name a shape, else that of its file.
    count : int
    up : str or list of str
        Gravity axis, one for all or one a shape, as in `cloud`.
    figure : matplotlib figure, optional
    threshold : float or Threshold, optional
        Up to which a shape is known; each is then called known or novel.

    Returns
    -------
    matplotlib figure

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> sheet = contact_sheet([sample("chair", 200, seed=s) for s in range(3)], [0.2, 0.9, 0.4], count=1)
    >>> [part.get_suptitle() for part in sheet.subfigs]
    ['most novel', 'least novel']
    """
    listed = list_shapes(shapes)
    values = finite(novelty, "novelties", len(listed))
    ups = resolve_ups(up, listed, drawn=True)
    given = [PurePath(shape.path or shape.name).name for shape in listed] if titles is None else titles
    named = names(given, "titles", len(listed))
    line = None if threshold is None else finite_number(threshold, "threshold")
    blocks = {title: places for title, places in ends(values, count).items() if len(places)}
    rows = [-(-len(places) // COLUMNS) for places in blocks.values()]
    columns = min(COLUMNS, max(map(len, blocks.values())))
    if figure is None:
        figure = canvas.new_figure((max(CELL[0] * columns, 3.0), CELL[1] * sum(rows) + 0.3 * len(rows)))
    if not hasattr(figure, "subfigures"):
        raise InputError(f"figure is {type(figure).__name__}; expected a matplotlib figure, or none")
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(blocks), 1, height_ratios=rows)))
    for part, (title, places), count_rows in zip(parts, blocks.items(), rows, strict=True):
        part.suptitle(title, fontsize=12, fontweight="bold")
        axes = part.subplots(count_rows, columns, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, i in zip(axes.flat, places.tolist(), strict=False):
            _cell(ax, listed[i], ups[i], str(named[i]), float(values[i]), line)
    return figure


def ends(novelty: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Indices of the most novel first, and of the least novel first, at most `count` each and none in both."""
    b = len(novelty)
    most = np.argsort(-novelty, kind="stable")[: min(check_whole(count, "count"), b - b // 2)]
    rest = np.setdiff1d(np.arange(b), most)
    return {"most novel": most, "least novel": rest[np.argsort(novelty[rest], kind="stable")][:count]}


def _cell(ax: canvas.Axes, shape: Shape, up: str, title: str, novelty: float, threshold: float | None) -> None:
    cloud = shape.cloud(MOST, seed=0)
    xyz = upright(cloud[thinned(len(cloud), MOST)], up)
    draw(ax, xyz, viridis(xyz[:, 1]), size=2.2, edges=False)
    verdict, color = "", "black"
    if threshold is not None:
        verdict, color = (", novel", ORANGE) if novelty > threshold else (", known", BLUE)
    canvas.title(ax, f"{canvas.short(title, LONGEST)}\n{canvas.number(novelty)}{verdict}", fontsize=9.5, color=color)

"""Contact sheets: figures with small pictures of many shapes, by novelty or by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.checks import check_rows, check_whole
from openshape_ood.discovery import Discovery, Group
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import BLUE, ORANGE
from openshape_ood.plots import canvas
from openshape_ood.plots.canvas import finite, finite_number, names
from openshape_ood.plots.clouds import draw
from openshape_ood.plots.points import thinned, viridis
from openshape_ood.shapes.points import upright
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

COLUMNS = 6
CELL = (1.45, 1.85)  # width and height in inches
MOST = 2000  # maximum points drawn per shape
LONGEST = 17  # maximum characters of a title
MOST_GROUPS = 40  # maximum groups on a sheet
Cell = tuple[int, str, str]  # index of the shape, its title, the title's color


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

    No shape is drawn twice, so there are fewer pictures if b is less than twice `count`. Shapes of equal novelty
    stay in the given order.

    Parameters
    ----------
    shapes : any form that `ShapeEncoder.encode` takes
        Only the drawn shapes are read.
    novelty : array (b,)
        Novelty of each shape, or a `NoveltyResult`.
    titles : list of str, optional
        Name of each shape. Default: its file name.
    count : int
        Maximum shapes in each of the two blocks.
    up : str or list of str
        Gravity axis as in `cloud`: one for all shapes, or one per shape.
    figure : matplotlib figure, optional
        Figure to draw in. Default: a new figure.
    threshold : float or Threshold, optional
        Largest novelty of a known shape. If it is given, each title ends with "known" or "novel".

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
    named = _titles(titles, listed)
    limit = None if threshold is None else finite_number(threshold, "threshold")
    verdict, color = "", "black"
    blocks: dict[str, Sequence[Cell]] = {}
    for title, indices in ends(values, count).items():
        cells: list[Cell] = []
        for i in indices.tolist():
            if limit is not None:
                verdict, color = (", novel", ORANGE) if values[i] > limit else (", known", BLUE)
            cells.append((i, f"{_short(named[i])}\n{canvas.number(float(values[i]))}{verdict}", color))
        blocks |= {title: cells} if cells else {}
    return _sheet(figure, blocks, listed, ups)


def group_sheet(
    shapes: Any,
    discovery: Discovery,
    *,
    titles: Any = None,
    count: int = 6,
    up: Any = "file",
) -> canvas.Figure | canvas.SubFigure:
    """Draw at most 40 groups of novel shapes. The heading of a group shows its size, stability and names.

    The first picture of a group is its medoid. The other pictures are members at increasing distance from the center.

    Parameters
    ----------
    shapes : sequence of b shapes, or mapping from row number to shape
        Shapes that `discover` grouped. Only the drawn shapes are read. Row numbers missing in a mapping are skipped.
    discovery : Discovery
        Result with at least one group.
    titles : list of str, optional
        Name of each shape. Default: its file name.
    count : int
        Maximum shapes drawn per group.
    up : str or list of str
        Gravity axis as in `cloud`: one for all shapes, or one per shape.

    Returns
    -------
    matplotlib figure

    Examples
    --------
    >>> from openshape_ood.discovery import Group
    >>> from openshape_ood.encoders.protocols import Embeddings, Identity
    >>> from openshape_ood.synthetic import sample
    >>> rows = Embeddings(np.eye(2), Identity("mine", "my space"))
    >>> result = Discovery((Group(1, np.array([1, 0]), stability=0.9),), np.array([True, True]), rows)
    >>> sheet = group_sheet([sample("chair", 200, seed=s) for s in range(2)], result)
    >>> [part.get_suptitle() for part in sheet.subfigs]
    ['group 1: 2 shapes, stability 0.90']
    """
    rows = list(shapes) if isinstance(shapes, Mapping) else range(len(discovery.novel))
    listed = list_shapes(list(shapes.values()) if isinstance(shapes, Mapping) else shapes)
    check_rows(np.asarray(rows), "the discovery", np.asarray(listed), "shapes")
    ups, named = resolve_ups(up, listed, drawn=True), _titles(titles, listed)
    index = {row: i for i, row in enumerate(rows)}
    blocks: dict[str, Sequence[Cell]] = {}
    for group, drawn in drawn_rows(discovery, count).items():
        words = f"\n{group.words()}" if group.names else ""
        heading = f"group {group.number}: {len(group)} shapes, stability {group.stability:.2f}{words}"
        blocks[heading] = [(index[row], _short(named[index[row]]), "black") for row in drawn if row in index]
    return _sheet(None, blocks, listed, ups)


def drawn_rows(discovery: Discovery, count: int = 6) -> dict[Group, list[int]]:
    """Row numbers of the shapes that a sheet shows, for each group. Raises `InputError` if there is no group."""
    if not discovery.groups:
        raise InputError("the discovery has no groups to draw. Expected at least one. Discover with a lower min_size.")
    most = check_whole(count, "count")
    return {group: group.rows[thinned(len(group), most)].tolist() for group in discovery.groups[:MOST_GROUPS]}


def ends(novelty: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Indices of the most novel shapes, highest first, and of the least novel, lowest first; at most `count` each.

    No index is in both.
    """
    b = len(novelty)
    most = np.argsort(-novelty, kind="stable")[: min(check_whole(count, "count"), b - b // 2)]
    rest = np.setdiff1d(np.arange(b), most)
    return {"most novel": most, "least novel": rest[np.argsort(novelty[rest], kind="stable")][:count]}


def _titles(titles: Any, listed: Sequence[Shape]) -> np.ndarray:
    given = [PurePath(shape.path or shape.name).name for shape in listed] if titles is None else titles
    return names(given, "titles", len(listed))


def _short(title: str) -> str:
    return canvas.short(str(title), LONGEST)


def _sheet(
    figure: canvas.Figure | canvas.SubFigure | None,
    blocks: Mapping[str, Sequence[Cell]],
    shapes: Sequence[Shape],
    ups: Sequence[str],
) -> canvas.Figure | canvas.SubFigure:
    """Draw blocks of cells, one below the other. Each row of a block has at most `COLUMNS` cells.

    blocks: cells of each heading.
    """
    rows = [max(1, -(-len(cells) // COLUMNS)) for cells in blocks.values()]
    columns = min(COLUMNS, max(1, *map(len, blocks.values())))
    if figure is None:
        lines = sum(heading.count("\n") + 1 for heading in blocks)
        figure = canvas.new_figure((CELL[0] * max(3, columns), CELL[1] * sum(rows) + 0.3 * lines))
    if not hasattr(figure, "subfigures"):
        raise InputError(
            f"figure is {type(figure).__name__}. Expected a matplotlib figure. Leave figure out for a new one."
        )
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(blocks), 1, height_ratios=rows)))
    for part, (heading, cells), count in zip(parts, blocks.items(), rows, strict=True):
        words = "\n".join(canvas.shorts(heading.split("\n"), max(3, columns) * LONGEST * 2 // 3))
        part.suptitle(words, fontsize=12, fontweight="bold", **canvas.PLAIN)
        axes = part.subplots(count, columns, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, (i, title, color) in zip(axes.flat, cells, strict=False):
            cloud = shapes[i].cloud(MOST, seed=0)
            xyz = upright(cloud[thinned(len(cloud), MOST)], ups[i])
            draw(ax, xyz, viridis(xyz[:, 1]), size=2.2, edges=False)
            canvas.title(ax, title, fontsize=9.5, color=color)
    return figure

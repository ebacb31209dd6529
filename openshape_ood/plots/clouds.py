"""Plots of one cloud, colored by height, rgb, novelty or class, and plots of novelty maps."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.colors import ramp
from openshape_ood.plots import canvas
from openshape_ood.plots.images import draw_pixels
from openshape_ood.plots.points import PointColors, choose_colors, one_cloud, thinned, view
from openshape_ood.shapes.points import upright

SIZE = (5.6, 5.6)  # inches
MOST = 10_000  # maximum points drawn
INK = 0.45  # total area of the points / area of the axes
NAMED = 4  # maximum classes in a title
# edge brightness / point brightness; darker edges separate light points from white paper, and near from far points
EDGE = 0.85


def cloud(
    points: Any,
    color: str = "height",
    values: Any = None,
    *,
    up: str = "file",
    ax: canvas.Axes | None = None,
    low: float | None = None,
    high: float | None = None,
    title: str | None = None,
    legend: bool = True,
) -> canvas.Axes:
    """Draw one shape, colored by `color`.

    Parameters
    ----------
    points : array (n, 3|6), path or trimesh object
        10,000 points are sampled from a surface. A cloud with more points is thinned.
    color : {"height", "rgb", "novelty", "class"}
        Height above the ground, rgb of the cloud, or `values` as novelty or class.
    values : array (n,), optional
        Novelty or class name of each point. If there are more than seven classes, the rarer ones are gray.
    up : str
        Gravity axis: "y", "z" or "x" with an optional "-", or "file". "file" is the axis that the file states; y if it
        states none.
    ax : matplotlib axes, optional
    low, high : float, optional
        Ends of the color ramp: `low` is gray, `high` is dark red. Default: minimum and maximum of `values`.
    title : str, optional
    legend : bool
        Show a legend of the colors, for "novelty" and "class".

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> chair = sample("chair", 300, seed=1)
    >>> ax = cloud(chair, "novelty", chair[:, 1])
    """
    table, up = one_cloud(points, up)
    colors = choose_colors(table, up, color, values, low, high)
    ax = canvas.axes_or_new(ax, SIZE)
    draw_cloud(ax, table, up, colors, legend)
    if title is not None:
        canvas.title(ax, title, fontsize=font_size(ax, 12))
    return ax


def novelty_map(
    result: NoveltyMap, *, ax: canvas.Axes | None = None, color: str = "novelty", bar: bool = True
) -> canvas.Axes:
    """Draw a novelty map, for example a result of `localize`.

    `result.bounds()` gives the ends of the color ramp. If the map has a threshold, the color bar marks it.

    Parameters
    ----------
    result : NoveltyMap
        Map of points or pixels. A map of pixels is drawn over the gray image.
    ax : matplotlib axes, optional
    color : {"novelty", "class"}
        Novelty, or nearest class of each point.
    bar : bool
        Show a color bar or legend below the plot.

    Returns
    -------
    matplotlib axes
    """
    if isinstance(result, NoveltyMap) and result.elements.kind == "pixels":
        result.check_color(color)
        ax = canvas.axes_or_new(ax, SIZE)
        draw_pixels(ax, result, color, bar)
    else:
        table, colors = map_colors(result, color)
        ax = canvas.axes_or_new(ax, SIZE)
        draw_cloud(ax, table, result.up, colors, bar, result.threshold)
    canvas.title(ax, heading(result), fontsize=font_size(ax, 12))
    return ax


def map_colors(result: Any, color: str) -> tuple[np.ndarray, PointColors]:
    """Points (n, 3|6) of a novelty map, and their colors."""
    if not isinstance(result, NoveltyMap) or result.elements.kind == "pixels":
        given = f"a map of {result.elements.kind}" if isinstance(result, NoveltyMap) else type(result).__name__
        raise InputError(f"the novelty map is {given}. Expected a NoveltyMap of points. Give a result of localize.")
    result.check_color(color)
    result.check_some()
    table = np.asarray(result.points, dtype=np.float64)
    if color == "novelty":  # NaN, for unseen points, is drawn in white
        return table, PointColors("novelty", result.novelty, *result.bounds())
    return table, choose_colors(table, result.up, color, result.nearest, classes=list(result.classes))


def heading(result: NoveltyMap) -> str:
    """Title of a novelty map: name of the shape, and known classes if there are any."""
    name, classes = canvas.short(PurePath(result.name).name, 50), canvas.shorts(result.classes, 20)
    more = f", {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return f"{name}\nagainst {canvas.short(', '.join(classes[:NAMED]), 40)}{more}" if classes else name


def draw_cloud(
    ax: canvas.Axes, table: np.ndarray, up: str, colors: PointColors, legend: bool, threshold: Threshold | None = None
) -> None:
    """Draw a cloud (n, 3|6) with gravity axis `up`, and a legend below."""
    chosen = thinned(len(table), MOST)
    draw(ax, upright(table[chosen], up), colors.rgb()[chosen])
    ax.set_adjustable("datalim")  # with square axes, the layout would cut off the legend
    if legend and colors.color == "novelty":
        _bar(ax, colors.low, colors.high, threshold)
    if legend and colors.color == "class":
        _key(ax, colors.classes)


def draw(ax: canvas.Axes, xyz: np.ndarray, rgb: np.ndarray, size: float | None = None, edges: bool = True) -> None:
    """Draw y-up points (n, 3) in colors (n, 3). Near points cover far points.

    size: area of a point in the picture, in square typographic points. Default: chosen for the number of points.
    """
    order = np.argsort(view(xyz)[2], kind="stable")
    (across, rise, _), rgb = view(xyz[order]), rgb[order]
    if size is None:  # few points stay visible, and many points do not merge
        size = float(np.clip(INK * min(_extent(ax)) ** 2 / len(xyz), 1.0, 60.0))
    # rasterized in SVG and PDF too, because viewers open thousands of circles slowly
    style: dict[str, Any] = {"linewidths": min(0.5, 0.13 * size**0.5), "edgecolors": EDGE * rgb}
    ax.scatter(across, rise, s=size, c=rgb, rasterized=True, **(style if edges else {"linewidths": 0}))
    ax.set_axis_off()
    ax.set_aspect("equal")
    half = 0.53 * max(np.ptp(across), np.ptp(rise), 1e-9) * np.array([-1, 1])
    # auto=True, because matplotlib warns if it widens fixed limits
    ax.set_xlim(*((across.min() + across.max()) / 2 + half), auto=True)
    ax.set_ylim(*((rise.min() + rise.max()) / 2 + half), auto=True)


def _extent(ax: canvas.Axes) -> tuple[float, float]:
    """Width and height of the axes in typographic points, before the layout."""
    box, figure = ax.get_position(), ax.figure
    scale = 72 / figure.dpi  # points per pixel
    return scale * box.width * figure.bbox.width, scale * box.height * figure.bbox.height


def font_size(ax: canvas.Axes, largest: float) -> float:
    """Font size in points, smaller for narrow axes."""
    return float(np.clip(largest * _extent(ax)[0] / 300, 0.65 * largest, largest))


def _bar(ax: canvas.Axes, low: float, high: float, threshold: Threshold | None) -> None:
    """Color bar below the cloud, from known to novel."""
    bar, size = ax.inset_axes((0.18, -0.075, 0.64, 0.028)), font_size(ax, 10)
    bar.imshow(ramp(np.linspace(0, 1, 256), 0, 1)[None], extent=(0, 1, 0, 1), aspect="auto")
    bar.set(yticks=[], xlim=(0, 1), ylim=(0, 1))
    bar.set_xticks([0, 1], [f"known\n{low:.3g}", f"novel\n{high:.3g}"], fontsize=size)
    bar.tick_params(length=0, pad=3)
    bar.spines[:].set(linewidth=0.5, color=canvas.GREY)
    if threshold is not None and low <= threshold.value <= high and high > low:
        position = (threshold.value - low) / (high - low)
        kind = "generated" if threshold.is_generated else "known"
        label = "known" if threshold.coverage is None else f"{100 * threshold.coverage:.0f} % of {kind}"
        if threshold.marks is not None and threshold.marks.rate is not None:
            rate = 100 * threshold.marks.rate
            label = f"{rate:.3g} % false" if threshold.marks.of == "points" else f"false region in {rate:.3g} %"
        bar.plot([position, position], [-0.5, 1.5], color="black", lw=1.3, clip_on=False)
        bar.text(position, -0.75, f"{label}\nup to {threshold.value:.3g}", ha="center", va="top", fontsize=0.9 * size)


def _key(ax: canvas.Axes, classes: dict[str, str]) -> None:
    """Legend of classes below the cloud."""
    # a letter is about 6 typographic points wide; too many columns would leave no space for the cloud
    widest = 6 * (4 + max(len(canvas.short(name, 24)) for name in classes))
    columns = int(np.clip(_extent(ax)[0] / widest, 1, min(len(classes), 4)))
    style: dict[str, Any] = {"handletextpad": 0.1, "columnspacing": 1.2, "ncols": columns}
    canvas.key(ax, classes, fontsize=font_size(ax, 10), **style)

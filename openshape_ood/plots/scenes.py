"""Plots of the objects of a scan with their boxes, from two sides and from above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_choice, words
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import class_colors, hex_to_rgb, ramp
from openshape_ood.plots import canvas
from openshape_ood.plots.points import PointColors, thinned, view
from openshape_ood.shapes.points import upright

if TYPE_CHECKING:
    from openshape_ood.scene_map import SceneMap
    from openshape_ood.scenes import SceneResult
    from openshape_ood.scenes.boxes import Box

VIEWS = ((30.0, 40.0), (210.0, 40.0), (0.0, 89.9))  # turn and tilt of the camera, as in `points.view`
COLORS = ("name", "novelty", "object")
MOST = 60_000  # maximum points drawn
MOST_LAYOUT = 12_000  # maximum points of floor and walls among them; objects behind a wall stay visible
FAINT, DIM = 0.86, 0.7  # gray levels: of floor and walls, and of other points without an object
# pairs of corners of a box, see `Box.corners`
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
NUMBERED = 40  # maximum objects with a number in the picture
KNOWN_EDGE, UNSURE_EDGE, NOVEL_EDGE = canvas.GREY, "#B87400", "#6E0F12"


def scene(result: SceneResult, color: str = "name", *, title: str | None = None) -> canvas.Figure:
    """Draw a result of `score_scene` from two sides and from above. The ceiling is not drawn.

    Parameters
    ----------
    result : SceneResult
    color : {"name", "novelty", "object"}
        Meaning of the colors of objects. Floor and walls are light gray, other points without an object are gray.
        Boxes are dark red for novel objects, amber for unsure objects, gray for others. Numbers are as in the table of
        the result.
    title : str, optional

    Returns
    -------
    matplotlib figure
    """
    if not hasattr(result, "numbers"):
        given = type(result).__name__
        raise InputError(f"the scene is {given}. Expected a SceneResult. Give the result of score_scene.")
    check_choice(color, "color of a scene", COLORS)
    figure, axes = canvas.panels(1, 3, size=(15, 6))
    shown, rgb = _drawn(result, color)
    for ax, (turn, tilt) in zip(axes.flat, VIEWS, strict=True):
        _draw(ax, result, shown, rgb, turn, tilt)
    canvas.title(axes[0, 1], title or f"{result.scene.name}, colored by {color}", fontsize=13)
    if color == "name":
        unsure = {"box of an unsure object": UNSURE_EDGE} if any(one.verdict == "unsure" for one in result) else {}
        canvas.key(axes[0, 1], {**_palette(result), **unsure}, ncols=6)
    return figure


def scene_colors(result: SceneResult, color: str) -> tuple[np.ndarray, PointColors]:
    """Points (m, 3) of a scan that are drawn, and their colors."""
    from openshape_ood.scenes.result import LAYOUT, LEFT

    check_choice(color, "color of a scene", COLORS)
    rows, rgb = _drawn(result, color)
    shown = result.scene.points[rows]
    if color == "object":
        return shown, PointColors("rgb", rgb)
    if color == "novelty":
        return shown, PointColors("novelty", result.map.novelty[rows], *_bounds(result))
    names = words([LEFT, *(one.name for one in result), LAYOUT])[result.numbers[rows]]
    grays = {name: "#" + f"{round(255 * gray):02X}" * 3 for name, gray in ((LEFT, DIM), (LAYOUT, FAINT))}
    return shown, PointColors("class", names, classes=_palette(result) | grays)


def map_cells(result: SceneMap) -> tuple[np.ndarray, PointColors]:
    """Cell centers (m, 3) of the objects of a map, and their colors: by name, or by verdict for an unnamed object."""
    listed = list(result)
    verdicts = [one.verdict.name or one.verdict.verdict for one in listed]
    names = words(np.repeat(np.array(verdicts, dtype=object), [len(one.cells) for one in listed]))
    unnamed = {"new": NOVEL_EDGE, "unsure": canvas.GREY}  # colors that no class has
    palette = class_colors([name for name in dict.fromkeys(verdicts) if name not in unnamed])
    return np.concatenate([one.centers for one in listed]), PointColors("class", names, classes={**palette, **unnamed})


def verdict_of(one: Any) -> str | None:
    """Verdict, as a word, of an object of a scan or of a map."""
    verdict: str | None = getattr(one.verdict, "verdict", one.verdict)
    return verdict


def box_lines(boxes: Sequence[Box]) -> np.ndarray:
    """Edges of boxes as one line (m, 3). Rows of NaN separate the edges."""
    gap = np.full(3, np.nan)
    lines = [[box.corners()[a], box.corners()[b], gap] for box in boxes for a, b in EDGES]
    return np.array(lines, dtype=np.float64).reshape(-1, 3)


def _bounds(result: SceneResult) -> tuple[float, float]:
    if result.result.threshold:
        return result.map.bounds()
    novelty = result.result.novelty
    return (float(novelty.min()), float(novelty.max())) if len(novelty) else (0.0, 0.0)


def _drawn(result: SceneResult, color: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (m,) of the drawn points of a scan, and their colors (m, 3)."""
    layout = result.numbers < 0
    ceiling = np.zeros(len(result.scene), dtype=bool)
    for plane in result.proposals.layout:
        if plane.kind == "ceiling":
            ceiling[plane.rows] = True
    parts = (np.flatnonzero(~layout), MOST - MOST_LAYOUT), (np.flatnonzero(layout & ~ceiling), MOST_LAYOUT)
    rows = np.sort(np.concatenate([part[thinned(len(part), most)] for part, most in parts]))
    # index: number of the object from 1; 0 for no object, -1 for floor and walls
    colors = np.array([[DIM] * 3, *_object_colors(result, color), [FAINT] * 3])
    return rows, colors[result.numbers[rows]]


def _object_colors(result: SceneResult, color: str) -> list[np.ndarray]:
    if color == "novelty":
        return list(ramp(np.array([one.novelty for one in result]), *_bounds(result)))
    if color == "object":
        from openshape_ood.scenes.saving import label_colors

        return list(label_colors(np.arange(1, len(result) + 1)))
    palette = _palette(result)
    return [hex_to_rgb(palette[one.name]) for one in result]


def _palette(result: SceneResult) -> dict[str, str]:
    """Color "#RRGGBB" of each name that an object has; "new", for novel objects, is dark red."""
    names = [name for name in map(str, result.result.classes) if any(one.name == name for one in result)]
    new = {"new": NOVEL_EDGE} if any(one.verdict == "novel" for one in result) else {}
    return {**class_colors(names), **new}


def _draw(ax: Any, result: SceneResult, rows: np.ndarray, rgb: np.ndarray, turn: float, tilt: float) -> None:
    across, rise, near = view(upright(result.scene.points[rows], "z"), turn, tilt)
    order = np.argsort(near, kind="stable")
    ax.scatter(across[order], rise[order], s=1.2, c=rgb[order], linewidths=0, rasterized=True)
    for one in result:
        x, y, _ = view(upright(one.box.corners(), "z"), turn, tilt)
        edge = {"novel": (NOVEL_EDGE, 1.2), "unsure": (UNSURE_EDGE, 0.9)}.get(str(one.verdict), (KNOWN_EDGE, 0.5))
        style = dict(zip(("color", "lw"), edge, strict=True))
        for a, b in EDGES:
            ax.plot(x[[a, b]], y[[a, b]], **style)
        if one.number <= NUMBERED:
            ax.text(x[4:].mean(), y[4:].mean(), str(one.number), fontsize=7, ha="center")
    ax.set_axis_off()
    ax.set_aspect("equal")

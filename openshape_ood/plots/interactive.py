"""Interactive plots, for notebooks and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.colors import NOVELTY
from openshape_ood.plots.changes import change_boxes, change_points, labelled
from openshape_ood.plots.clouds import heading, map_colors
from openshape_ood.plots.points import TILT, TURN, PointColors, choose_colors, one_cloud, thinned
from openshape_ood.plots.scenes import (
    KNOWN_EDGE,
    NOVEL_EDGE,
    UNSURE_EDGE,
    box_lines,
    map_cells,
    scene_colors,
    verdict_of,
)
from openshape_ood.plots.views import is_completed, traces, turned, visible
from openshape_ood.shapes.points import upright

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from openshape_ood.scene_map import SceneMap
    from openshape_ood.scenes.result import SceneResult

MOST = 20_000  # points
ABOVE = 50.0  # degrees above a room, to look over its walls
FLAT = 0.1  # height / width below which a cloud is seen from there too
FAR = 1000.0  # distance from the origin / size, beyond which float32 keeps no digits
DISTANCE = 1.9  # of the eye, in plotly's units
LONGEST = 1.8  # longest side of the scene in these units, visible in a square window at any rotation


def turnable(
    points: Any,
    color: str | None = None,
    values: Any = None,
    *,
    up: str = "file",
    title: str | None = None,
) -> Figure:
    """Interactive plotly figure of a shape, novelty map or scene, with the colors of `cloud`, `novelty_map`, `scene`.

    The figure is z up, and the shape is upright for any `up`. More than 20,000 points are thinned. A cloud far from the
    origin, as in a projected coordinate system, is centered.

    Parameters
    ----------
    points : array (n, 3|6), path, trimesh object, NoveltyMap, SceneResult, CompletedView, SceneMap or SceneChanges
        The last five have their own values and axis. A scene is drawn without its ceiling; a view with the surfaces of
        completed things, which needs scikit-image; a map as the cells of its objects, by name, or by verdict without a
        name; changes as both scans in one frame, by kind.
    color : str, optional
        As in `cloud`. Default: "novelty" for a map, "name" for a scene, else "height".
    values, up, title
        As in `cloud`.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> figure = turnable(sample("chair", 300, seed=1))
    >>> len(figure.data[0].x)
    300
    """
    from openshape_ood.scene_changes import SceneChanges
    from openshape_ood.scene_map import SceneMap
    from openshape_ood.scenes.result import SceneResult

    boxes: list[dict[str, Any]] = []
    places = isinstance(points, SceneResult | SceneMap | SceneChanges)
    if values is not None and (isinstance(points, NoveltyMap) or places or is_completed(points)):
        raise InputError("novelty maps, scenes and completed views bring their own values; leave them out")
    surfaces: list[dict[str, Any]] = []
    turn = TURN
    if is_completed(points):
        surfaces, table, up, turn = list(traces(points)), visible(points), "z", turned(points)
        colors = choose_colors(table, up, "rgb")
    elif isinstance(points, SceneResult):
        table, colors = scene_colors(points, color or "name")
        up, boxes = "z", list(_boxes(points))
    elif isinstance(points, SceneMap):
        if not len(points):
            raise InputError("the map has no objects yet. Expected one at least. Add views first")
        table, colors = map_cells(points)
        up, boxes, title = "z", [*_boxes(points), _labels(points)], points.describe() if title is None else title
    elif isinstance(points, SceneChanges):
        table, colors = change_points(points)
        up, boxes = "z", [*change_boxes(points), *_texts(labelled(points))]
    elif isinstance(points, NoveltyMap):
        table, colors = map_colors(points, color or "novelty")
        up, title = points.up, heading(points) if title is None else title
    else:
        table, up = one_cloud(points, up)
        colors = choose_colors(table, up, color or "height", values)
    try:
        from plotly import graph_objects
    except ModuleNotFoundError as error:
        raise MissingPackageError("turnable needs plotly: pip install 'openshape-ood[plots]'") from error
    chosen = thinned(len(table), MOST)
    rows = upright(table[chosen], up)
    across, height, deep = np.ptp(rows, axis=0)
    above = places or bool(surfaces) or height < FLAT * max(across, deep)
    if not boxes and not surfaces and np.abs(rows).max() > FAR * max(across, height, deep):
        rows = rows - rows.mean(axis=0)
    x, y, z = rows.astype(np.float32).T
    shared = {"mode": "markers", "marker": {"size": 3.5 if len(chosen) <= 3000 else 2.3, "line": {"width": 0}}}
    figure = graph_objects.Figure(layout=_layout(title, turn, ABOVE if above else TILT))
    for trace, members in _traces(colors, colors.values[chosen]):
        marker = shared["marker"] | trace.pop("marker")
        figure.add_scatter3d(x=x[members], y=-z[members], z=y[members], **shared | trace | {"marker": marker})
    for box in boxes:
        figure.add_scatter3d(**box)
    for surface in surfaces:
        figure.add_trace(surface | {"name": _plain(surface["name"]), "showlegend": True, "hoverinfo": "name"})
    return filled(figure, LONGEST)


def filled(figure: Figure, longest: float) -> Figure:
    """Scale a figure to a longest side in plotly's units, so that long thin shapes are fully visible too."""
    spans = {axis: _span(np.concatenate([trace[axis] for trace in figure.data])) for axis in "xyz"}
    sides = {axis: longest * span / max(spans.values()) for axis, span in spans.items()}
    return figure.update_scenes(aspectmode="manual", aspectratio=sides)


def _span(values: np.ndarray) -> float:
    return float(np.nanmax(values) - np.nanmin(values)) or 1e-6  # NaN interrupts lines


def _boxes(result: SceneResult | SceneMap) -> Iterator[dict[str, Any]]:
    """Traces of boxes of known, unsure and novel objects."""
    for verdicts, color, width in (
        (("known", None), KNOWN_EDGE, 1),
        (("unsure",), UNSURE_EDGE, 2),
        (("novel", "new"), NOVEL_EDGE, 3),
    ):
        x, y, z = box_lines([one.box for one in result if verdict_of(one) in verdicts]).T
        if len(x):
            line = {"color": color, "width": width}
            yield {"x": x, "y": y, "z": z, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}


def _labels(result: SceneMap) -> dict[str, Any]:
    """Trace of the numbers and names above a map's objects; hovering shows the reasons."""
    places = [one.box.center + [0, 0, one.box.size[2] / 2 + 0.1] for one in result]
    names = [f"{one.number} {one.verdict.name or one.verdict.verdict}" for one in result]
    hints = [f"object {one.number}: {one.verdict.verdict}. {one.verdict.reason}" for one in result]
    return next(_texts(list(zip(places, names, hints, strict=True))))


def _texts(labels: Sequence[tuple[np.ndarray, str, str]]) -> Iterator[dict[str, Any]]:
    """Trace of labels at places (3,), with a hint shown on hovering; none without labels."""
    if not labels:
        return
    x, y, z = np.array([place for place, _, _ in labels]).T
    names = [_plain(name) for _, name, _ in labels]
    hover = {"hovertext": [_plain(hint) for _, _, hint in labels], "hoverinfo": "text"}
    yield {"x": x, "y": y, "z": z, "mode": "text", "text": names, "showlegend": False, **hover}


def _traces(colors: PointColors, values: np.ndarray) -> Iterator[tuple[dict[str, Any], Any]]:
    """Traces with masks of their points; one trace a class, so that the legend can hide it."""
    if colors.color == "class":
        for name, color in colors.classes.items():
            trace = {"name": _plain(name), "showlegend": True, "hoverinfo": "name", "marker": {"color": color}}
            yield trace, values == name
        return
    trace = {"showlegend": False, "hoverinfo": "skip"}
    low, high = colors.low, colors.high if colors.high > colors.low else colors.low + 1.0
    if colors.color == "rgb":
        marker: dict[str, Any] = {"color": [f"rgb({r},{g},{b})" for r, g, b in np.rint(255 * values).astype(int)]}
    else:
        marker = {"color": values, "cmin": low, "cmax": high, "colorscale": "Viridis"}
    if colors.color == "novelty":
        trace["hovertemplate"] = "novelty %{marker.color:.4g}<extra></extra>"
        ticks = {"tickvals": [low, high], "ticktext": [f"{low:.3g} known", f"{high:.3g} novel"]}
        bar = {"title": {"text": "novelty", "side": "right"}, "thickness": 14, "len": 0.6, **ticks}
        marker |= {"colorscale": [list(stop) for stop in NOVELTY], "showscale": True, "colorbar": bar}
    yield trace | {"marker": marker}, slice(None)


def _layout(title: str | None, turn: float, tilt: float) -> dict[str, Any]:
    a, b = np.deg2rad(turn), np.deg2rad(tilt)
    x, y, z = DISTANCE * np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
    hidden = {"visible": False, "showbackground": False}
    camera = {"eye": {"x": x, "y": y, "z": z}, "projection": {"type": "orthographic"}}
    heading = {"text": _plain(title or "").replace("\n", "<br>"), "font": {"size": 15}, "x": 0.5, "xanchor": "center"}
    return {
        "scene": {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "camera": camera},
        "margin": {"l": 0, "r": 0, "b": 0, "t": 70 if title else 0},
        "title": heading,
        "legend": {"itemsizing": "constant", "font": {"size": 14}, "y": 0.94},  # below the toolbar
        "paper_bgcolor": "white",
    }


def _plain(text: str) -> str:
    """Escape HTML, which plotly interprets, and characters that UTF-8 cannot encode."""
    # on a page with MathJax a dollar sign would start a formula
    return escape(text.encode("utf-8", "replace").decode(), quote=False).replace("$", "&#36;")

"""Interactive plots for notebooks and the web page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.colors import NOVELTY
from openshape_ood.plots.changes import change_boxes, change_labels, change_points
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
from openshape_ood.plots.views import camera_turn, is_completed, traces, visible
from openshape_ood.shapes.points import upright

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from openshape_ood.scene_map import SceneMap
    from openshape_ood.scenes.result import SceneResult

MOST = 20_000  # maximum points drawn
ABOVE = 50.0  # tilt of the camera for rooms, in degrees; it looks over the walls
FLAT = 0.1  # height / width; a flatter cloud is drawn with the tilt ABOVE too
FAR = 1000.0  # distance from the origin / size; beyond it, float32 loses digits, so the cloud is centered
DISTANCE = 1.9  # distance of the camera from the center, in plotly's units
LONGEST = 1.8  # longest side of the scene in plotly's units; it fits into a square window at any rotation


def turnable(
    points: Any,
    color: str | None = None,
    values: Any = None,
    *,
    up: str = "file",
    title: str | None = None,
) -> Figure:
    """Draw a shape or a result as an interactive plotly figure.

    The z axis of the figure is up, and the shape is upright for any `up`. At most 20,000 points are drawn. A cloud far
    from the origin is centered, for example a georeferenced scan.

    Parameters
    ----------
    points : array (n, 3|6), path, trimesh object, or a result
        A shape, or one of these results:

        - `NoveltyMap`: its points.
        - `SceneResult`: points of the scan, without the ceiling.
        - `CompletedView`: visible points, and surfaces of the completed objects. Needs scikit-image.
        - `SceneMap`: cells of its objects, colored by name, or by verdict if an object has no name.
        - `SceneChanges`: points of both scans in one frame, colored by kind of change.
    color : str, optional
        Meaning of the colors: as in `cloud` for a shape, as in `novelty_map` or `scene` for their results. Default:
        "height" for a shape, "novelty" for a novelty map, "name" for a scene. Other results ignore it.
    values, up
        As in `cloud`. Only for a shape; results contain values and axis.
    title : str, optional

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
    is_scan = isinstance(points, SceneResult | SceneMap | SceneChanges)
    if values is not None and (isinstance(points, NoveltyMap) or is_scan or is_completed(points)):
        given = type(points).__name__
        raise InputError(f"values are given, but {given} has its own. Expected them only for a shape. Leave them out.")
    surfaces: list[dict[str, Any]] = []
    turn = TURN
    if is_completed(points):
        surfaces, table, up, turn = list(traces(points)), visible(points), "z", camera_turn(points)
        colors = choose_colors(table, up, "rgb")
    elif isinstance(points, SceneResult):
        table, colors = scene_colors(points, color or "name")
        up, boxes = "z", list(_boxes(points))
    elif isinstance(points, SceneMap):
        if not len(points):
            raise InputError("the map has no objects yet. Expected at least one. Add views first.")
        table, colors = map_cells(points)
        up, boxes, title = "z", [*_boxes(points), _labels(points)], points.describe() if title is None else title
    elif isinstance(points, SceneChanges):
        table, colors = change_points(points)
        up, boxes = "z", [*change_boxes(points), *_texts(change_labels(points))]
    elif isinstance(points, NoveltyMap):
        table, colors = map_colors(points, color or "novelty")
        up, title = points.up, heading(points) if title is None else title
    else:
        table, up = one_cloud(points, up)
        colors = choose_colors(table, up, color or "height", values)
    try:
        from plotly import graph_objects
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "turnable pictures are not available. Expected the package plotly. Run pip install 'openshape-ood[plots]'."
        ) from error
    chosen = thinned(len(table), MOST)
    rows = upright(table[chosen], up)
    across, height, deep = np.ptp(rows, axis=0)
    above = is_scan or bool(surfaces) or height < FLAT * max(across, deep)
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
    """Set the size of a figure's scene: its longest side gets the length `longest`, in plotly's units.

    With plotly's default size, a long thin shape would be cut off.
    """
    spans = {axis: _span(np.concatenate([trace[axis] for trace in figure.data])) for axis in "xyz"}
    sides = {axis: longest * span / max(spans.values()) for axis, span in spans.items()}
    return figure.update_scenes(aspectmode="manual", aspectratio=sides)


def _span(values: np.ndarray) -> float:
    return float(np.nanmax(values) - np.nanmin(values)) or 1e-6  # lines of boxes contain NaN


def _boxes(result: SceneResult | SceneMap) -> Iterator[dict[str, Any]]:
    """Plotly traces of the boxes of objects: one trace for known, one for unsure, one for novel objects."""
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
    """Plotly trace of number and name above each object of a map. Hovering shows verdict and reason."""
    positions = [one.box.center + [0, 0, one.box.size[2] / 2 + 0.1] for one in result]
    names = [f"{one.number} {one.verdict.name or one.verdict.verdict}" for one in result]
    hints = [f"object {one.number}: {one.verdict.verdict}. {one.verdict.reason}" for one in result]
    return next(_texts(list(zip(positions, names, hints, strict=True))))


def _texts(labels: Sequence[tuple[np.ndarray, str, str]]) -> Iterator[dict[str, Any]]:
    """Plotly trace of labels, each with its position (3,) and a hint that is shown on hovering.

    Without labels, there is no trace.
    """
    if not labels:
        return
    x, y, z = np.array([position for position, _, _ in labels]).T
    names = [_plain(name) for _, name, _ in labels]
    hover = {"hovertext": [_plain(hint) for _, _, hint in labels], "hoverinfo": "text"}
    yield {"x": x, "y": y, "z": z, "mode": "text", "text": names, "showlegend": False, **hover}


def _traces(colors: PointColors, values: np.ndarray) -> Iterator[tuple[dict[str, Any], Any]]:
    """Plotly traces (name, colors, legend), each with the mask (n,) of its points. The caller adds coordinates.

    Each class has one trace, so that a click in the legend hides the class.
    """
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
    """Escape HTML, because plotly interprets it, and replace characters that UTF-8 cannot encode."""
    # if the page uses MathJax, a dollar sign would start a formula
    return escape(text.encode("utf-8", "replace").decode(), quote=False).replace("$", "&#36;")

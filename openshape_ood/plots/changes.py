"""Two scans of a place side by side, with what changed between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import words
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import hex_to_rgb
from openshape_ood.plots import canvas
from openshape_ood.plots.points import PointColors, thinned, view
from openshape_ood.plots.scenes import DIM, EDGES, FAINT, box_lines
from openshape_ood.scene_changes.result import CANNOT_TELL, CHANGES, KINDS, UNCHANGED
from openshape_ood.shapes.points import upright

if TYPE_CHECKING:
    from openshape_ood.scene_changes import ObjectChange, SceneChanges
    from openshape_ood.scenes import SceneResult

VIEWS = ((30.0, 40.0), (0.0, 89.9))  # degrees to the right and upwards
MOST, THROUGH = 40_000, 9_000  # points drawn of a scan, of layout
PALETTE = {
    "moved": "#1F6FB2",
    "removed": "#B3261E",
    "added": "#2E8B3D",
    "replaced": "#8E44AD",
    CANNOT_TELL: "#D9A21B",
    UNCHANGED: "#9AA0A8",
}
SIDES = ("before", "after")


def changes(result: SceneChanges, *, title: str | None = None) -> canvas.Figure:
    """Draw both scans side by side, from one side and from above, without the ceiling; a color for each kind of change.

    Boxes and numbers are those of the reported changes and, thinner, of undecided objects.

    Parameters
    ----------
    result : SceneChanges
    title : str, optional

    Returns
    -------
    matplotlib figure
    """
    if not hasattr(result, "registration"):
        raise InputError(f"the changes are {type(result).__name__}; expected the SceneChanges of compare_scenes")
    figure, axes = canvas.panels(2, 2, size=(13, 11))
    for late, name in enumerate(SIDES):
        rows, rgb = _drawn(result, bool(late))
        points = (result.after if late else result.before).scene.points[rows]
        for ax, (turn, tilt) in zip(axes[:, late], VIEWS, strict=True):
            across, rise, near = view(upright(points, "z"), turn, tilt)
            order = np.argsort(near, kind="stable")
            ax.scatter(across[order], rise[order], s=1.2, c=rgb[order], linewidths=0, rasterized=True)
            _mark(ax, result, bool(late), turn, tilt)
            ax.set_axis_off()
            ax.set_aspect("equal")
        canvas.title(axes[0, late], f"{name}: {(result.after if late else result.before).scene.name}", fontsize=13)
    counts = result.counts()
    canvas.key(axes[1, 0], {kind: color for kind, color in PALETTE.items() if kind in counts}, ncols=6)
    if title is not None:
        figure.suptitle(title, **canvas.PLAIN)
    return figure


def change_points(result: SceneChanges) -> tuple[np.ndarray, PointColors]:
    """Points (m, 3) of both scans in one frame, colored by kind: the second scan, and what the first has more."""
    shown, kinds = [], []
    for late in (True, False):
        own, scene = result.kinds_of_points(late), _result(result, late)
        rows, _ = _drawn(result, late)
        if not late:
            rows = rows[np.isin(own[rows], [KINDS.index(kind) for kind in (*CHANGES, CANNOT_TELL)])]
        shown.append(scene.scene.points[rows])
        kinds.append(words([*KINDS, "layout and rest"])[own[rows]])
    gray = "#" + f"{round(255 * FAINT):02X}" * 3
    return np.concatenate(shown), PointColors(
        "class", np.concatenate(kinds), classes=PALETTE | {"layout and rest": gray}
    )


def change_boxes(result: SceneChanges) -> Iterator[dict[str, Any]]:
    """Traces of plotly: boxes of reported changes by kind, lines of moves, and labels with reasons."""
    style: dict[str, Any] = {"mode": "lines", "showlegend": False, "hoverinfo": "skip"}
    for kind in CHANGES:
        own = [one for one in result if one.kind == kind]
        if not own:
            continue
        lines = [box_lines([thing.box for one in own for thing in (one.before, one.after) if thing is not None])]
        if kind == "moved":
            gap = np.full(3, np.nan)
            lines += [
                np.array([one.before.box.center, one.after.box.center, gap]) for one in own if one.before and one.after
            ]
        x, y, z = np.concatenate(lines).T
        yield {"x": x, "y": y, "z": z, "line": {"color": PALETTE[kind], "width": 3}, **style}


def labelled(result: SceneChanges) -> list[tuple[np.ndarray, str, str]]:
    """A place (3,), a label, and the words under the mouse, for each reported change and undecided object."""
    found = []
    for one in result.objects:
        if one.kind != UNCHANGED:
            box = one.object.box
            place = box.center + [0, 0, box.size[2] / 2 + 0.1]
            told = f"{one.number} {one.kind}: {one.object.name}, p = {one.p_value:.3g}. {one.reason}"
            found.append((place, f"{one.number} {one.kind}", told))
    return found


def _result(result: SceneChanges, late: bool) -> SceneResult:
    return result.after if late else result.before


def _drawn(result: SceneChanges, late: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the points that are drawn, and their colors (m, 3)."""
    own, scene = result.kinds_of_points(late), _result(result, late)
    layout, ceiling = np.zeros(len(own), dtype=bool), np.zeros(len(own), dtype=bool)
    for plane in scene.proposals.layout:
        (ceiling if plane.kind == "ceiling" else layout)[plane.rows] = True
    layout &= own < 0
    parts = (np.flatnonzero(~layout & ~(ceiling & (own < 0))), MOST - THROUGH), (np.flatnonzero(layout), THROUGH)
    rows = np.sort(np.concatenate([of[thinned(len(of), most)] for of, most in parts]))
    colors = np.array([*(hex_to_rgb(PALETTE[kind]) for kind in KINDS), [FAINT] * 3])
    rgb = colors[own[rows]]
    rgb[(own[rows] < 0) & ~layout[rows]] = DIM
    return rows, rgb


def _mark(ax: Any, result: SceneChanges, late: bool, turn: float, tilt: float) -> None:
    for one in result.objects:
        thing = one.after if late else one.before
        if thing is None or one.kind == UNCHANGED:
            continue
        x, y, _ = view(upright(thing.box.corners(), "z"), turn, tilt)
        for a, b in EDGES:
            ax.plot(x[[a, b]], y[[a, b]], color=PALETTE[one.kind], lw=1.4 if one.reported else 0.7)
        ax.text(x[4:].mean(), y[4:].mean(), _label(one), fontsize=8, ha="center", **canvas.PLAIN)


def _label(one: ObjectChange) -> str:
    return f"{one.number} {canvas.short(one.object.name, 20)}" if one.reported else f"{one.number}?"

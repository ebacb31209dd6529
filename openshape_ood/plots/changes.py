"""Plots of two scans of a place, with the changes between them."""

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

VIEWS = ((30.0, 40.0), (0.0, 89.9))  # turn and tilt of the camera, as in `points.view`
MOST = 40_000  # maximum points drawn per scan
MOST_LAYOUT = 9_000  # maximum points of floor and walls among them
OTHER = "layout and rest"  # points without an object
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
    """Draw two scans side by side: in the upper row from one side, in the lower row from above. Ceilings are not drawn.

    The color of an object shows the kind of its change. Numbers are those in the table of the result. A
    reported change has a thick box. An undecided object has a thin box, and "?" after its number.

    Parameters
    ----------
    result : SceneChanges
    title : str, optional

    Returns
    -------
    matplotlib figure
    """
    if not hasattr(result, "registration"):
        given = type(result).__name__
        raise InputError(f"the changes are {given}. Expected a SceneChanges. Give the result of compare_scenes.")
    figure, axes = canvas.panels(2, 2, size=(13, 11))
    for column, name in enumerate(SIDES):
        second = name == "after"
        scene = _scan(result, second).scene
        rows, rgb = _drawn(result, second)
        points = scene.points[rows]
        for ax, (turn, tilt) in zip(axes[:, column], VIEWS, strict=True):
            across, rise, near = view(upright(points, "z"), turn, tilt)
            order = np.argsort(near, kind="stable")
            ax.scatter(across[order], rise[order], s=1.2, c=rgb[order], linewidths=0, rasterized=True)
            _draw_boxes(ax, result, second, turn, tilt)
            ax.set_axis_off()
            ax.set_aspect("equal")
        canvas.title(axes[0, column], f"{name}: {scene.name}", fontsize=13)
    counts = result.counts()
    canvas.key(axes[1, 0], {kind: color for kind, color in PALETTE.items() if kind in counts}, ncols=6)
    if title is not None:
        figure.suptitle(title, **canvas.PLAIN)
    return figure


def change_points(result: SceneChanges) -> tuple[np.ndarray, PointColors]:
    """Points (m, 3) of both scans in the frame of the first scan, and their colors by kind of change.

    The second scan is included with all points that `changes` draws, the first scan only with its changed and undecided
    objects.
    """
    shown, names = [], []
    for second in (True, False):
        kinds, scan = result.kinds_of_points(second), _scan(result, second)
        rows, _ = _drawn(result, second)
        if not second:
            rows = rows[np.isin(kinds[rows], [KINDS.index(kind) for kind in (*CHANGES, CANNOT_TELL)])]
        shown.append(scan.scene.points[rows])
        names.append(words([*KINDS, OTHER])[kinds[rows]])
    gray = "#" + f"{round(255 * FAINT):02X}" * 3
    return np.concatenate(shown), PointColors("class", np.concatenate(names), classes=PALETTE | {OTHER: gray})


def change_boxes(result: SceneChanges) -> Iterator[dict[str, Any]]:
    """Plotly traces of the reported changes, one per kind: boxes, and for moves a line between the box centers."""
    style: dict[str, Any] = {"mode": "lines", "showlegend": False, "hoverinfo": "skip"}
    for kind in CHANGES:
        reported = [change for change in result if change.kind == kind]
        if not reported:
            continue
        objects = [one for change in reported for one in (change.before, change.after) if one is not None]
        lines = [box_lines([one.box for one in objects])]
        if kind == "moved":
            gap = np.full(3, np.nan)
            lines += [
                np.array([change.before.box.center, change.after.box.center, gap])
                for change in reported
                if change.before and change.after
            ]
        x, y, z = np.concatenate(lines).T
        yield {"x": x, "y": y, "z": z, "line": {"color": PALETTE[kind], "width": 3}, **style}


def change_labels(result: SceneChanges) -> list[tuple[np.ndarray, str, str]]:
    """Position (3,), label, and text shown on hovering, for each reported change and each undecided object."""
    labels = []
    for change in result.objects:
        if change.kind != UNCHANGED:
            box = change.object.box
            position = box.center + [0, 0, box.size[2] / 2 + 0.1]
            label = f"{change.number} {change.kind}"
            hint = f"{label}: {change.object.name}, p = {change.p_value:.3g}. {change.reason}"
            labels.append((position, label, hint))
    return labels


def _scan(result: SceneChanges, second: bool) -> SceneResult:
    return result.after if second else result.before


def _drawn(result: SceneChanges, second: bool) -> tuple[np.ndarray, np.ndarray]:
    """Indices (m,) of the drawn points of a scan, and their colors (m, 3)."""
    kinds, scan = result.kinds_of_points(second), _scan(result, second)
    layout, ceiling = np.zeros(len(kinds), dtype=bool), np.zeros(len(kinds), dtype=bool)
    for plane in scan.proposals.layout:
        (ceiling if plane.kind == "ceiling" else layout)[plane.rows] = True
    no_object = kinds < 0
    layout &= no_object
    parts = (
        (np.flatnonzero(~layout & ~(ceiling & no_object)), MOST - MOST_LAYOUT),
        (np.flatnonzero(layout), MOST_LAYOUT),
    )
    rows = np.sort(np.concatenate([part[thinned(len(part), most)] for part, most in parts]))
    colors = np.array([*(hex_to_rgb(PALETTE[kind]) for kind in KINDS), [FAINT] * 3])
    rgb = colors[kinds[rows]]
    rgb[no_object[rows] & ~layout[rows]] = DIM
    return rows, rgb


def _draw_boxes(ax: Any, result: SceneChanges, second: bool, turn: float, tilt: float) -> None:
    for change in result.objects:
        one = change.after if second else change.before
        if one is None or change.kind == UNCHANGED:
            continue
        x, y, _ = view(upright(one.box.corners(), "z"), turn, tilt)
        for a, b in EDGES:
            ax.plot(x[[a, b]], y[[a, b]], color=PALETTE[change.kind], lw=1.4 if change.reported else 0.7)
        ax.text(x[4:].mean(), y[4:].mean(), _label(change), fontsize=8, ha="center", **canvas.PLAIN)


def _label(change: ObjectChange) -> str:
    return f"{change.number} {canvas.short(change.object.name, 20)}" if change.reported else f"{change.number}?"

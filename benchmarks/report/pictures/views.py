"""Rooms in one view: the picture, what the names light up, what is completed, and what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scene_data.completed import Seen
    from openshape_ood.views.completion.complete import Completer

SHOWN = 6  # names of a room, those of most cells


def draw_views(path: Path, rooms: Mapping[str, Seen], completer: Completer) -> Path:
    """A row a room, by its title; a color a name."""
    from matplotlib.patches import Patch

    from openshape_ood import plots
    from openshape_ood.scenes.saving import label_colors
    from openshape_ood.views.completion.complete import complete

    figure, axes = plots.panels(len(rooms), 4, size=(17.0, 4.4 * len(rooms)))
    for row, (title, seen) in zip(axes, rooms.items(), strict=True):
        names = sorted(seen.names, key=lambda name: -int(seen.sample.cells(name).sum()))[:SHOWN]
        colors = label_colors(np.arange(1, len(names) + 1))
        side = completer.network.sizes.side
        field = complete(seen.made.view, names, affinities=seen.affinities, model=completer)
        logits = field.grid(side).reshape(len(names), -1)
        found = (logits > completer.network.sizes.threshold) & (logits == logits.max(0)) & seen.sample.in_view
        true = np.array([seen.sample.cells(name) for name in names]) & seen.sample.in_view
        row[0].imshow(seen.made.view.rgb)
        row[0].set_title(f"{seen.made.view.name}, {title}", fontsize=11)
        row[1].imshow(_lit(seen, names, colors))
        row[1].set_title("what the names light up (stand-in)", fontsize=11)
        for axis, cells, words in ((row[2], found, "completed"), (row[3], true, "what is there")):
            _cells(figure, axis, cells.reshape(len(names), side, side, side), colors, words)
        handles = [Patch(color=color, label=name) for name, color in zip(names, colors, strict=True)]
        row[0].legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, frameon=False, fontsize=9
        )
        for axis in row[:2]:
            axis.set_axis_off()
    return plots.save(figure, path)


def _lit(seen: Seen, names: list[str], colors: np.ndarray) -> np.ndarray:
    """The image (h, w, 3) in gray, tinted by the name with the largest affinity."""
    values = np.stack([seen.affinities[name] for name in names])
    largest = np.clip(values.max(0), 0, 1)[..., None]
    gray = 0.35 + 0.5 * seen.made.view.rgb.mean(-1, keepdims=True)
    return np.clip(gray * (1 - largest) + colors[values.argmax(0)] * largest, 0, 1)


def _cells(figure: Any, axis: Any, cells: np.ndarray, colors: np.ndarray, words: str) -> None:
    """Cells (k, x, y, z) as a camera above the real one sees them, in place of an axis."""
    place = axis.get_subplotspec()
    axis.remove()
    solid = figure.add_subplot(place, projection="3d")
    shade = np.zeros((*cells.shape[1:], 3))
    for own, color in zip(cells, colors, strict=True):
        shade[own] = color
    solid.voxels(cells.any(0), facecolors=shade, edgecolor=(0, 0, 0, 0.15), linewidth=0.2)
    solid.set(xlim=(0, cells.shape[1]), ylim=(0, cells.shape[2]), zlim=(0, cells.shape[3]), title=words)
    solid.set(xticklabels=[], yticklabels=[], zticklabels=[])
    solid.set_box_aspect((3.6, 3.6, 2.4), zoom=1.3)
    solid.view_init(elev=32, azim=195)

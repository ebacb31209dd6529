"""Rooms in one view: the picture, what the names light up, what is completed, and what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scene_data.completed import Seen
    from openshape_ood.views.completion import Completer

SHOWN = 6  # names of a room, those of most cells


def draw_views(path: Path, rooms: Mapping[str, Seen], completer: Completer) -> Path:
    """A row a room, by its title; a color a name."""
    from openshape_ood import plots
    from openshape_ood.plots import canvas
    from openshape_ood.plots.views import draw_cells, lit
    from openshape_ood.views.completion import complete_view

    figure, axes = plots.panels(len(rooms), 4, size=(17.0, 4.4 * len(rooms)))
    for row, (title, seen) in zip(axes, rooms.items(), strict=True):
        names = sorted(seen.names, key=lambda name: -int(seen.sample.cells(name).sum()))[:SHOWN]
        side, threshold = completer.network.sizes.side, completer.network.sizes.threshold
        found = complete_view(seen.made.view, seen.affinities.of(names), model=completer, side=side)
        logits = found.field.grid(side).reshape(len(names), -1)
        guessed = (logits > threshold) & (logits == logits.max(0)) & seen.sample.in_view
        true = np.array([seen.sample.cells(name) for name in names]) & seen.sample.in_view
        row[0].imshow(seen.made.view.rgb)
        row[1].imshow(lit(found))
        for axis, cells in ((row[2], guessed), (row[3], true)):
            draw_cells(axis, found, dict(zip(names, cells.reshape(-1, side, side, side), strict=True)))
        words = (f"{seen.made.view.name}, {title}", "what the names light up (stand-in)", "completed", "what is there")
        for axis, said in zip(row, words, strict=True):
            axis.set_axis_off()
            canvas.title(axis, said, fontsize=11)
        canvas.key(row[0], {name: tuple(color) for name, color in found.colors().items()}, marker="s", ncols=3)
    return plots.save(figure, path)

"""Pictures of rooms in one view: image, affinities of names, completion, truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scene_data.completed import Seen
    from openshape_ood.views.completion import Completer

SHOWN = 6  # names drawn per room: those with the most cells


def draw_views(path: Path, rooms: Mapping[str, Seen], completer: Completer) -> Path:
    """Draw one row per room (title -> room), one color per name."""
    from openshape_ood import plots
    from openshape_ood.plots import canvas
    from openshape_ood.plots.views import draw_cells, lit
    from openshape_ood.views.completion import complete_view

    figure, axes = plots.panels(len(rooms), 4, size=(17.0, 4.4 * len(rooms)))
    for row, (title, seen) in zip(axes, rooms.items(), strict=True):
        names = sorted(seen.names, key=lambda name: -int(seen.sample.cells(name).sum()))[:SHOWN]
        side, threshold = completer.network.sizes.side, completer.network.sizes.threshold
        completed = complete_view(seen.made.view, seen.affinities.of(names), model=completer, side=side)
        logits = completed.field.grid(side).reshape(len(names), -1)
        guessed = (logits > threshold) & (logits == logits.max(0)) & seen.sample.in_view
        true = np.array([seen.sample.cells(name) for name in names]) & seen.sample.in_view
        row[0].imshow(seen.made.view.rgb)
        row[1].imshow(lit(completed))
        for axis, cells in ((row[2], guessed), (row[3], true)):
            draw_cells(axis, completed, dict(zip(names, cells.reshape(-1, side, side, side), strict=True)))
        words = (f"{seen.made.view.name}, {title}", "affinities of the names (simulated)", "completed", "what is there")
        for axis, text in zip(row, words, strict=True):
            axis.set_axis_off()
            canvas.title(axis, text, fontsize=11)
        canvas.key(row[0], {name: tuple(color) for name, color in completed.colors().items()}, marker="s", ncols=3)
    return plots.save(figure, path)

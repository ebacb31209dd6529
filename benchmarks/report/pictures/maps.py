"""Picture of a scene map that grows with the views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from openshape_ood import SceneMap

SIZE, DOTS = (13.0, 4.4), 80


def draw_growth(path: Path, scene_map: SceneMap, views: Sequence[Any], shown: Sequence[int]) -> Path:
    """Add the views to an empty map; draw it from above after each number of views in `shown`."""
    from matplotlib.lines import Line2D

    from openshape_ood import plots
    from openshape_ood.plots.canvas import save
    from openshape_ood.plots.scenes import map_cells

    states, colors = [], dict[str, str]()
    for i, view in enumerate(views, 1):
        scene_map.add(view, time=float(i))
        if i in shown:
            cells, colored = map_cells(scene_map)
            names = [(one.box.center, one.verdict.name or one.verdict.verdict) for one in scene_map]
            states.append((cells, np.asarray(colored.values), names, scene_map.describe()))
            colors |= dict(colored.classes)  # the last state decides, so that a class has one color in all panels
    every = np.concatenate([cells for cells, *_ in states])
    figure, axes = plots.panels(1, len(states), size=SIZE)
    for ax, (cells, values, names, title) in zip(axes.ravel(), states, strict=True):
        order = np.argsort(cells[:, 2])
        dots = [colors[str(name)] for name in values[order]]
        ax.scatter(*cells[order, :2].T, c=dots, s=3, linewidths=0)
        for (x, y, _), name in names:
            ax.text(x, y, name, ha="center", va="center", bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1})
        ax.set(xlim=_span(every[:, 0]), ylim=_span(every[:, 1]), aspect="equal", xticks=[], yticks=[])
        ax.set_title(title, fontsize=10)
    marks = [Line2D([], [], marker="o", ls="", color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False)
    return save(figure, path, DOTS)


def _span(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()) - 0.2, float(values.max()) + 0.2

"""The one picture of a run: histograms, ROC curves, the least and the most novel shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures import canvas, histograms, roc
from benchmarks.threedos.results import Finished, MethodResult

DRAWN = 7
ORDER = ("names", "prototypes")  # the methods whose histograms are shown, if they were run


def draw(path: Path, finished: Finished) -> Path:
    chosen = two_methods(finished)
    shown = chosen[-1]

    def fill(figure: Any) -> None:
        figure.suptitle(canvas.subtitle(finished), fontsize=11)
        top, middle, bottom = np.asarray(figure.subfigures(3, 1, height_ratios=[1.75, 1, 1]))
        axes = top.subplots(1, len(chosen) + 1)
        for axis, result in zip(axes, chosen, strict=False):
            histograms.panel(axis, result)
            axis.set_ylim(top=1.5 * axis.get_ylim()[1])  # room for the legend
            axis.legend(fontsize=8, loc="upper center", ncols=2)
        roc.panel(axes[-1], finished.results, "both")
        axes[-1].legend(fontsize=7.5, loc="lower right")
        _sheet(middle, "least", finished, shown)
        _sheet(bottom, "most", finished, shown)

    return canvas.save(path, (13, 11), fill)


def two_methods(finished: Finished) -> list[MethodResult]:
    """By names and by prototypes, or else the first two; of one method, that one."""
    named = {result.known_by: result for result in reversed(finished.results)}
    wanted = [named[name] for name in ORDER if name in named]
    return (wanted + [result for result in finished.results if result not in wanted])[:2]


def ends(finished: Finished, result: MethodResult, most: bool, count: int = DRAWN) -> list[tuple[str, int]]:
    """Set and index of the tested shapes at one end of the novelty scale, the first of each class."""
    scored = canvas.first_seed(result)
    places = [(part, i) for part in canvas.TEST_SETS if part in scored for i in range(len(scored[part].novelty))]
    novelty = np.array([scored[part].novelty[i] for part, i in places])
    first: dict[str, tuple[str, int]] = {}
    for at in np.argsort(-novelty if most else novelty, kind="stable").tolist():
        part, i = places[at]
        first.setdefault(str(finished.data.sets[part].titles[i]), (part, i))
        if len(first) == count:
            break
    return list(first.values())


def _sheet(figure: Any, which: str, finished: Finished, result: MethodResult) -> None:
    figure.suptitle(
        f"{which} novel of all by {result.known_by}: the first of each class, colored by height", fontsize=10
    )
    scored = canvas.first_seed(result)
    shown = ends(finished, result, which == "most")
    axes = figure.subplots(1, DRAWN, squeeze=False)[0]
    for axis in axes:
        axis.set_axis_off()
    for axis, (part, i) in zip(axes, shown, strict=False):
        shape, one = finished.data.sets[part].shapes[i], scored[part]
        canvas.draw_cloud(axis, shape.read(), size=3)
        taken = finished.data.known[int(one.nearest[i])].title
        name = f"{canvas.short(shape.title, 18)} ({canvas.SET_NAMES[part]})"
        axis.set_title(
            f"{name}\n{canvas.number(one.novelty[i])}\nnearest to {canvas.short(taken, 18)}",
            fontsize=8,
            color=canvas.SET_COLORS[part],
        )

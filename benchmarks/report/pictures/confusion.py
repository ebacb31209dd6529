"""Which novel classes are taken for which known ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures import canvas
from benchmarks.threedos.results import Finished, MethodResult

COLUMNS = 3
LONGEST = 24  # characters of a class name
CELL = (0.36, 0.27)  # inches


def draw(path: Path, finished: Finished) -> Path:
    """A panel a method: rows are novel classes, columns known ones, numbers per cent of the row."""
    results = finished.results
    columns, rows = min(COLUMNS, len(results)), -(-len(results) // COLUMNS)
    novel, known = _names(finished)
    labels = 0.085 * min(LONGEST, max((len(name) for name in (*novel, *known)), default=1))
    width = columns * max(CELL[0] * len(known), 2.2) + labels + 1.2
    height = rows * (max(CELL[1] * len(novel), 1.2) + labels + 0.6) + 0.8

    def fill(figure: Any) -> None:
        canvas.title(
            figure, finished, "What novel shapes are taken for, per cent of each class", canvas.mean_of(finished.seeds)
        )
        for i, (axis, result) in enumerate(zip(canvas.grid(figure, len(results), columns), results, strict=True)):
            panel(axis, result, novel, known, len(finished.split.novel1), named=i % columns == 0)

    return canvas.save(path, (max(width, 10), max(height, 3)), fill)


def panel(axis: Any, result: MethodResult, novel: list[str], known: list[str], first: int, named: bool) -> None:
    shares = np.array([[result.confusion.get(row, {}).get(column, 0.0) for column in known] for row in novel])
    shares = shares.reshape(len(novel), len(known))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:  # an empty cell reads as none
            color = "white" if share > 0.55 else "black"
            axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=color)
    if 0 < first < len(novel):
        axis.axhline(first - 0.5, color=canvas.ORANGE, lw=1.5)  # between novel 1 and novel 2
    names = [canvas.short(name, LONGEST) for name in novel]
    axis.set_xticks(range(len(known)), [canvas.short(name, LONGEST) for name in known], rotation=90, fontsize=8)
    axis.set_yticks(range(len(novel)), names if named else [""] * len(names), fontsize=8)
    axis.tick_params(length=0)
    axis.set_title(f"by {result.known_by}", fontsize=10)


def _names(finished: Finished) -> tuple[list[str], list[str]]:
    """Novel classes that were tested, novel 1 first, and known ones."""
    tested = {title for result in finished.results for title in result.confusion}
    novel = [c.title for c in finished.split.novel1 + finished.split.novel2 if c.title in tested]
    return novel, [c.title for c in finished.data.known]

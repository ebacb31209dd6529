"""The failures of every method on one sheet, each beside the known sample it lies nearest to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.failures.choice import COUNT, Failure, worst
from benchmarks.report.pictures import canvas
from benchmarks.threedos.results import Finished

PAIRS = 4  # to a row
GAP = 0.25  # after a pair, in clouds


def draw_failures(folder: Path, finished: Finished, count: int = COUNT) -> Path:
    """Write `failures.png` into `folder`: a block a method, the novel shape of each pair on the left.

    Raises `MissingPackageError` without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [(result, worst(finished, result, count)) for result in finished.results]
    rows = [max(1, -(-len(failures) // PAIRS)) for _, failures in blocks]

    def fill(figure: Any) -> None:
        canvas.title(figure, finished, "Novel shapes most confidently taken as known, beside the nearest known sample")
        parts = np.atleast_1d(figure.subfigures(len(blocks), 1, height_ratios=[0.25 + n for n in rows]))
        for part, (result, failures), n in zip(parts, blocks, rows, strict=True):
            limit = canvas.limit(result)
            bound = f", accepted up to {canvas.number(limit[0])} (keeps {limit[1]})" if limit else ""
            part.suptitle(f"by {result.known_by}: novelty ({result.score}){bound}", fontsize=11, fontweight="bold")
            for axes, failure in zip(_pairs_of_axes(part, n), failures, strict=False):
                _pair(axes, failure)

    return canvas.save(folder / "failures.png", (16, 0.8 + 2.35 * sum(rows) + 0.5 * len(rows)), fill, dpi=100)


def _pairs_of_axes(part: Any, rows: int) -> np.ndarray:
    """Axes (pairs, 2), hidden until drawn on, with a gap after each pair."""
    axes = part.subplots(rows, 3 * PAIRS, squeeze=False, gridspec_kw={"width_ratios": (1, 1, GAP) * PAIRS})
    for axis in axes.flat:
        axis.set_axis_off()
    return axes.reshape(-1, 3)[:, :2]


def _pair(axes: Any, failure: Failure) -> None:
    novel, known = axes
    verdict, color = ("accepted", canvas.ORANGE) if failure.accepted else ("rejected", canvas.BLUE)
    canvas.draw_cloud(novel, failure.shape.read())
    title = f"{canvas.short(failure.title, 22)}\n{canvas.number(failure.novelty)}, {verdict}"
    novel.set_title(title, fontsize=8.5, color=color)
    canvas.draw_cloud(known, failure.nearest.read())
    title = f"taken for {canvas.short(failure.taken_for, 16)}\ncosine {failure.cosine:.3f}"
    known.set_title(title, fontsize=8.5, color=canvas.GREY)

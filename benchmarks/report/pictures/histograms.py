"""How novel each method finds the known and the novel shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures import canvas
from benchmarks.threedos.results import Finished, MethodResult, Scored
from openshape_ood.plots import curves

COLUMNS = 3


def draw(path: Path, finished: Finished) -> Path:
    """A panel a method: every set's novelty, the threshold and where 95 % of the known are kept."""
    count = len(finished.results)
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)

    def fill(figure: Any) -> None:
        canvas.title(figure, finished, "Novelty of known and novel shapes")
        axes = canvas.grid(figure, count, columns)
        for axis, result in zip(axes, finished.results, strict=True):
            panel(axis, result)
        handles = {
            label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize=9, frameon=False)

    return canvas.save(path, (max(4.6 * columns, 10), 1.1 + 3.6 * rows), fill)


def panel(axis: Any, result: MethodResult) -> None:
    scored = canvas.first_seed(result)
    edges = bin_edges(scored)
    for part in (part for part in canvas.TEST_SETS if part in scored):
        color, label = canvas.SET_COLORS[part], f"{canvas.SET_NAMES[part]} ({len(scored[part].novelty):,})"
        style: dict[str, Any] = {"bins": edges, "density": True, "color": color}
        if part == "known":
            axis.hist(scored[part].novelty, histtype="stepfilled", alpha=0.35, **style)
        axis.hist(scored[part].novelty, histtype="step", lw=1.7, label=label, **style)
    if "validation" in scored:
        label = f"validation ({len(scored['validation'].novelty):,})"
        axis.hist(
            scored["validation"].novelty, edges, density=True, histtype="step", color=canvas.GREY, lw=0.8, label=label
        )
    if result.threshold is not None:
        axis.axvline(result.threshold, color=canvas.BLACK, lw=1.3, label="keeps 95 % of validation")
    if "known" in scored:
        keeps = np.quantile(scored["known"].novelty, canvas.KEPT)
        axis.axvline(keeps, color=canvas.GREY, ls="--", lw=1.3, label="keeps 95 % of known")
    axis.set(title=f"by {result.known_by}", xlabel=f"novelty ({result.score})", ylabel="density", yticks=[])


def bin_edges(scored: Mapping[str, Scored]) -> list[float]:
    """Edges that hold all values, as many as the smallest set can fill."""
    sets = [one.novelty for one in scored.values()]
    return curves.bin_edges(sets, min(map(len, sets)))

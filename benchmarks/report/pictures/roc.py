"""Known accepted against novel accepted, at every threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures import canvas
from benchmarks.threedos.results import Finished, MethodResult, Scored
from openshape_ood.plots.curves import curve

LINES = ("-", "--", "-.", ":")


def draw(path: Path, finished: Finished) -> Path:
    """A panel a novel set, a line a method, marked where 95 % of the known are accepted."""
    against = [part for part in ("novel1", "novel2", "both") if any(part in r.metrics for r in finished.results)]
    if "novel2" not in against and "novel1" in against:
        against = ["novel1"]  # both would be the same

    def fill(figure: Any) -> None:
        seeds = f"curves: {canvas.first_of(finished.seeds)}; figures: {canvas.mean_of(finished.seeds)}"
        canvas.title(figure, finished, "Known accepted against novel accepted", seeds)
        for axis, part in zip(canvas.grid(figure, len(against), len(against)), against, strict=True):
            panel(axis, finished.results, part)

    return canvas.save(path, (5.0 * max(len(against), 2), 5.6), fill)


def panel(axis: Any, results: Sequence[MethodResult], against: str) -> None:
    for i, result in enumerate(results):
        scored = canvas.first_seed(result)
        novel = novelty_of(scored, against)
        if against not in result.metrics or "known" not in scored or not len(novel):
            continue
        fpr, tpr = curve(scored["known"].novelty, novel)
        color, line = canvas.CYCLE[i % len(canvas.CYCLE)], LINES[i // len(canvas.CYCLE) % len(LINES)]
        figures = result.metrics[against]
        label = f"{result.known_by}: AUROC {100 * figures['auroc'].mean:.1f}, FPR95 {100 * figures['fpr95'].mean:.1f}"
        axis.plot(fpr, tpr, line, color=color, label=label)
        axis.plot(np.interp(canvas.KEPT, tpr, fpr), canvas.KEPT, "o", color=color, ms=6, mec="white")
    axis.axhline(canvas.KEPT, color=canvas.GREY, lw=0.8, ls="--")
    axis.plot([0, 1], [0, 1], color=canvas.GREY, lw=0.8, ls=":")
    axis.set(title=f"known against {canvas.SET_NAMES[against]}", aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.set(xlabel="share of novel accepted", ylabel="share of known accepted")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8, loc="lower right")


def novelty_of(scored: Mapping[str, Scored], against: str) -> np.ndarray:
    parts = ("novel1", "novel2") if against == "both" else (against,)
    return np.concatenate([scored[part].novelty for part in parts if part in scored] or [np.empty(0)])

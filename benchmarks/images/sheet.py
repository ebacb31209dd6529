"""The images that failed, each beside the example that it was taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.images.encoders import opened, tolerant
from benchmarks.images.lists import ImageList
from benchmarks.report.pictures import BLUE, ORANGE
from openshape_ood import plots
from openshape_ood.plots.canvas import GREY, PLAIN, new_figure, short
from openshape_ood.plots.canvas import title as set_title
from openshape_ood.scoring import Judgement

COUNT, PAIRS = 12, 6  # failures of a kind; pairs to a row


def failures(judged: Judgement, is_known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the unknown images taken as known first, and of the known ones called novel first."""
    order = np.argsort(judged.novelty, kind="stable")
    return order[~is_known[order]][:count], order[::-1][is_known[order[::-1]]][:count]


def draw_failures(
    path: Path,
    title: str,
    judged: Judgement,
    target: ImageList,
    rows: np.ndarray,
    support: ImageList,
    known: np.ndarray,
) -> Path:
    """Write a sheet: rows (n, d) and known (m, d) are the features of target and support."""
    is_known = np.isin(target.labels, support.labels)
    keeps = np.quantile(judged.novelty[is_known], 0.95)
    sides = failures(judged, is_known, COUNT)
    heights = [max(1, -(-len(own) // PAIRS)) for own in sides]
    figure = new_figure((15, 0.7 + sum(1.75 * n + 0.4 for n in heights)))
    figure.suptitle(f"{title}: novelty up to {keeps:.3g} keeps 95 % of the known images", fontsize=11, **PLAIN)
    parts = np.atleast_1d(np.asarray(figure.subfigures(2, 1, height_ratios=[n + 0.25 for n in heights])))
    kinds = "Unknown images most confidently taken as known", "Known images most confidently called novel"
    labels = np.unique(support.labels)
    for part, kind, own, n in zip(parts, kinds, sides, heights, strict=True):
        part.suptitle(f"{kind}, each beside the nearest example of the class it was taken for", fontsize=11, **PLAIN)
        axes = part.subplots(n, 3 * PAIRS, squeeze=False, gridspec_kw={"width_ratios": (1, 1, 0.2) * PAIRS})
        for ax in axes.flat:
            ax.set_axis_off()
        for pair, i in zip(axes.reshape(-1, 3), own.tolist(), strict=False):
            taken = int(labels[judged.nearest[i]])
            near = _nearest(rows[i], known, support.labels == taken)
            verdict, color = ("accepted", ORANGE) if judged.novelty[i] <= keeps else ("rejected", BLUE)
            said = f"{short(target.names[int(target.labels[i])], 16)}\n{judged.novelty[i]:.3g}, {verdict}"
            beside = f"for {short(support.names[taken], 14)}"
            shown = ((target.paths[i], said, color), (support.paths[near], beside, GREY))
            for ax, (image, words, of) in zip(pair, shown, strict=False):
                with tolerant():
                    ax.imshow(np.asarray(opened(image.read_bytes(), image).resize((160, 160))))
                set_title(ax, words, fontsize=8, color=of)
    return plots.save(figure, path, dpi=100)


def _nearest(row: np.ndarray, known: np.ndarray, own: np.ndarray) -> int:
    """The example of a class with the largest cosine."""
    places = np.flatnonzero(own)
    norms = np.linalg.norm(known[places], axis=1)
    return int(places[(known[places] @ row / np.where(norms > 0, norms, 1)).argmax()])

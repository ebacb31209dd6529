"""The images that failed, each beside the example that it was taken for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.images.encoders import opened, tolerant
from benchmarks.images.lists import ImageList
from benchmarks.report.failures import Side, draw_pairs
from openshape_ood.novelty_map.colors import BLUE, ORANGE
from openshape_ood.plots.canvas import GREY, number, short
from openshape_ood.scoring import Judgement

COUNT, PAIRS = 12, 6  # failures of a kind; pairs to a row


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
    is_known, labels = np.isin(target.labels, support.labels), np.unique(support.labels)
    keeps = np.quantile(judged.novelty[is_known], 0.95)

    def pair(i: int) -> tuple[Side[Path], Side[Path]]:
        taken = int(labels[judged.nearest[i]])
        near = _nearest(rows[i], known, np.flatnonzero(support.labels == taken))
        verdict, color = ("accepted", ORANGE) if judged.novelty[i] <= keeps else ("rejected", BLUE)
        said = f"{short(target.names[int(target.labels[i])], 16)}\n{number(judged.novelty[i])}, {verdict}"
        return (target.paths[i], said, color), (support.paths[near], f"for {short(support.names[taken], 14)}", GREY)

    order = np.argsort(judged.novelty, kind="stable")
    sides = {
        "Unknown images most confidently taken as known": order[~is_known[order]],
        "Known images most confidently called novel": order[::-1][is_known[order[::-1]]],
    }
    beside = ", each beside the nearest example of the class it was taken for"
    blocks = [(kind + beside, [pair(i) for i in own[:COUNT].tolist()]) for kind, own in sides.items()]
    heading = f"{title}: novelty up to {number(float(keeps))} keeps 95 % of the known images"
    return draw_pairs(path, heading, blocks, _show, per_row=PAIRS, height=1.75)


def _show(path: Path, ax: Any) -> None:
    with tolerant():
        ax.imshow(np.asarray(opened(path.read_bytes(), path).resize((160, 160))))


def _nearest(row: np.ndarray, known: np.ndarray, places: np.ndarray) -> int:
    """The example of some places with the largest cosine."""
    norms = np.linalg.norm(known[places], axis=1)
    return int(places[(known[places] @ row / np.where(norms > 0, norms, 1)).argmax()])

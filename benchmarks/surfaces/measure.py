"""Figures of novelty maps with known truth, with bootstrap intervals over the images.

Shapes: t images (or clouds), n places (pixels or points) of all images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.intervals import PERCENTILES
from benchmarks.threedos.intervals import metric_intervals
from openshape_ood.decisions.metrics import auroc, overlap_at, region_overlap
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError

MOST_FALSE = 0.3  # largest false-positive rate of AUPRO
# false-positive rates of the thresholds in the bootstrap; the figures themselves use all thresholds
FALSE = np.concatenate([np.linspace(0, MOST_FALSE, 301), np.linspace(MOST_FALSE, 1, 101)[1:]])
Figure = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True, eq=False)
class Places:
    """Scored pixels or points; all arrays are (n,).

    regions: 0 for undamaged places, else the number of the damaged region; owner: index of the image.
    """

    novelty: np.ndarray
    regions: np.ndarray
    owner: np.ndarray
    threshold: float

    @property
    def damaged(self) -> np.ndarray:
        """Mask of images (t,) with damage."""
        return np.bincount(self.owner, self.regions > 0) > 0


def image_figures(score: np.ndarray, bad: np.ndarray, draws: int, threshold: Threshold | None = None) -> dict:
    """AUROC with interval, from scores (t,) and labels bad (t,); with a threshold, also F1 and rate of good kept."""
    known, novel = score[~bad], score[bad]
    low, high = metric_intervals([(known, novel)], draws)["auroc"]
    result: dict[str, Figure | float] = {"image_auroc": (auroc(known, novel), low, high)}
    if threshold is not None:
        is_novel = threshold.is_novel(score)
        result |= {"image_f1": overlap_at(bad, is_novel)["f1"], "image_kept": float(1 - is_novel[~bad].mean())}
    return result


def place_figures(places: Places, draws: int) -> dict[str, Figure]:
    """AUROC, AUPRO, and IoU and F1 at the threshold, over the places of all images together."""
    bad = places.regions > 0
    at = overlap_at(bad, places.novelty > places.threshold)
    exact = {
        "auroc": auroc(places.novelty[~bad], places.novelty[bad]),
        "aupro": region_overlap(places.novelty, places.regions, MOST_FALSE),
        "iou": at["iou"],
        "f1": at["f1"],
    }
    drawn = resampled(places, draws)
    return {name: (value, *np.nanpercentile(drawn[name], PERCENTILES).tolist()) for name, value in exact.items()}


def resampled(places: Places, draws: int) -> dict[str, np.ndarray]:
    """Bootstrap figures (draws,): whole images are resampled, damaged and undamaged ones separately."""
    sums = _sums(places)
    weights = _weights(places.damaged, draws)
    false_rate, true_rate, overlap = (
        (weights @ sums[name]) / np.maximum(weights @ sums[name][:, -1], 1)[:, None]
        for name in ("sound", "damaged", "regions")
    )
    both, predicted, true = (weights @ sums[name] for name in ("both", "predicted", "true"))
    grid = np.linspace(0, MOST_FALSE, 301)
    below = np.array([np.interp(grid, x, y) for x, y in zip(false_rate, overlap, strict=True)])
    return {
        "auroc": np.trapezoid(true_rate, false_rate, axis=1),
        "aupro": np.trapezoid(below, grid, axis=1) / MOST_FALSE,
        "iou": both / np.maximum(predicted + true - both, 1),
        "f1": 2 * both / np.maximum(predicted + true, 1),
    }


def _sums(places: Places) -> dict[str, np.ndarray]:
    """Sums per image: places above each threshold of a series (t, thresholds), and above `places.threshold` (t,)."""
    bad = places.regions > 0
    if bad.all() or not bad.any():
        raise InputError("all places are undamaged, or all are damaged; expected some of each")
    steps = np.unique(np.quantile(places.novelty[~bad], 1 - FALSE))
    count = len(steps) + 2  # two more columns: the first counts no place, the last counts all places
    images = int(places.owner.max()) + 1
    # the first column that counts a place is 1 + the number of thresholds at or above its novelty
    column = len(steps) - np.searchsorted(steps, places.novelty, side="left") + 1
    cell = places.owner * count + column
    share = 1 / np.bincount(places.regions)[places.regions]

    def beyond(weights: np.ndarray) -> np.ndarray:
        table = np.bincount(cell, weights.astype(np.float64), images * count).reshape(images, count)
        return np.cumsum(table, axis=1)

    predicted = places.novelty > places.threshold
    flat = {"both": predicted & bad, "predicted": predicted, "true": bad}
    curves = {"sound": beyond(~bad), "damaged": beyond(bad), "regions": beyond(np.where(bad, share, 0.0))}
    return curves | {name: np.bincount(places.owner, one, images) for name, one in flat.items()}


def _weights(damaged: np.ndarray, draws: int) -> np.ndarray:
    """Number of times that each image occurs in each resample (draws, t)."""
    random, counts = np.random.RandomState(0), np.zeros((draws, len(damaged)))
    groups = [group for group in (np.flatnonzero(damaged), np.flatnonzero(~damaged)) if len(group)]
    for row in counts:
        for group in groups:
            np.add.at(row, group[random.randint(len(group), size=len(group))], 1)
    return counts


def below_half(figures: Mapping[str, Any]) -> list[str]:
    """Names of AUROCs below one half. They are reported, and never replaced by 1 - AUROC."""
    return [name for name, value in figures.items() if "auroc" in name and value[0] < 0.5]


def cell(value: Any) -> str:
    """A figure as text, with its interval if it has one."""
    return f"{value:.3f}" if isinstance(value, float) else "{:.3f} [{:.2f}, {:.2f}]".format(*value)


def table(columns: Mapping[str, str], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """One row per reconstructor: its figures and training seconds. Columns without figures are left out."""
    shown = [key for key in columns if any(key in row for row in figures.values())]
    rows = [
        (name, *(cell(row[key]) if key in row else "-" for key in shown), f"{row['training']:.0f} s")
        for name, row in figures.items()
    ]
    return options.grid(("", *(columns[key] for key in shown), "training"), rows)

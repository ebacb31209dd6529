"""Figures of novelty maps whose truth is known, with bootstrap intervals over the images.

Letters: t images (or clouds), n places of all of them (pixels or points).
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

MOST_FALSE = 0.3  # of AUPRO
# shares of sound places beyond the thresholds that a bootstrap works with; the figures themselves are exact
FALSE = np.concatenate([np.linspace(0, MOST_FALSE, 301), np.linspace(MOST_FALSE, 1, 101)[1:]])
Figure = tuple[float, float, float]  # with its interval, low and high


@dataclass(frozen=True, eq=False)
class Places:
    """Pixels or points that were judged.

    regions: 0 where sound, else the number of the damaged region. owner: the image of each, 0 to t - 1.
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
    """Of scores (t,) and which images are bad (t,): AUROC with interval; with a threshold F1, and the normal kept."""
    known, novel = score[~bad], score[bad]
    low, high = metric_intervals([(known, novel)], draws)["auroc"]
    found: dict[str, Figure | float] = {"image_auroc": (auroc(known, novel), low, high)}
    if threshold is not None:
        said = threshold.is_novel(score)
        found |= {"image_f1": overlap_at(bad, said)["f1"], "image_kept": float(1 - said[~bad].mean())}
    return found


def place_figures(places: Places, draws: int) -> dict[str, Figure]:
    """AUROC and AUPRO of places, IoU and F1 beyond the threshold, all places of all images as one set."""
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
    """The figures (draws,) of other images of the same kind: damaged and sound ones are drawn apart, each whole."""
    sums = _sums(places)
    weights = _weights(places.damaged, draws)
    sound, found, overlap = (
        (weights @ sums[name]) / np.maximum(weights @ sums[name][:, -1], 1)[:, None]
        for name in ("sound", "damaged", "regions")
    )
    both, said, true = (weights @ sums[name] for name in ("both", "said", "true"))
    grid = np.linspace(0, MOST_FALSE, 301)
    below = np.array([np.interp(grid, x, y) for x, y in zip(sound, overlap, strict=True)])
    return {
        "auroc": np.trapezoid(found, sound, axis=1),
        "aupro": np.trapezoid(below, grid, axis=1) / MOST_FALSE,
        "iou": both / np.maximum(said + true - both, 1),
        "f1": 2 * both / np.maximum(said + true, 1),
    }


def _sums(places: Places) -> dict[str, np.ndarray]:
    """Of each image (t, ...): how much lies beyond each of a row of thresholds, from none to all of it."""
    bad = places.regions > 0
    if bad.all() or not bad.any():
        raise InputError("all places are sound, or all are damaged; expected some of each")
    steps = np.unique(np.quantile(places.novelty[~bad], 1 - FALSE))
    count = len(steps) + 2  # beyond all, and all
    images = int(places.owner.max()) + 1
    # how many thresholds, from the highest, a place is not beyond
    column = len(steps) - np.searchsorted(steps, places.novelty, side="left") + 1
    cell = places.owner * count + column
    share = 1 / np.bincount(places.regions)[places.regions]

    def beyond(weights: np.ndarray) -> np.ndarray:
        table = np.bincount(cell, weights.astype(np.float64), images * count).reshape(images, count)
        return np.cumsum(table, axis=1)

    said = places.novelty > places.threshold
    flat = {"both": said & bad, "said": said, "true": bad}
    curves = {"sound": beyond(~bad), "damaged": beyond(bad), "regions": beyond(np.where(bad, share, 0.0))}
    return curves | {name: np.bincount(places.owner, one, images) for name, one in flat.items()}


def _weights(damaged: np.ndarray, draws: int) -> np.ndarray:
    """Number of draws of each image (draws, t)."""
    random, found = np.random.RandomState(0), np.zeros((draws, len(damaged)))
    groups = [group for group in (np.flatnonzero(damaged), np.flatnonzero(~damaged)) if len(group)]
    for row in found:
        for group in groups:
            np.add.at(row, group[random.randint(len(group), size=len(group))], 1)
    return found


def below_half(figures: Mapping[str, Any]) -> list[str]:
    """Names of AUROCs under one half: said, and never turned round."""
    return [name for name, value in figures.items() if "auroc" in name and value[0] < 0.5]


def cell(value: Any) -> str:
    """A figure, with its interval where it has one."""
    return f"{value:.3f}" if isinstance(value, float) else "{:.3f} [{:.2f}, {:.2f}]".format(*value)


def table(columns: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a reconstructor, with those figures that any has, and the seconds of its training."""
    shown = [key for key in columns if any(key in own for own in found.values())]
    rows = [
        (name, *(cell(own[key]) if key in own else "-" for key in shown), f"{own['training']:.0f} s")
        for name, own in found.items()
    ]
    return options.grid(("", *(columns[key] for key in shown), "training"), rows)

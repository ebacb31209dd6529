"""Published protocol of Competitive Reconstruction Networks, and its result for random scores.

The protocol computes the AUROC of the test images after each epoch, and replaces values below one half by 1 minus the
value. It reports the largest value of all epochs, and selects the checkpoint by it. Both steps increase the result of
random scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import options
from openshape_ood.decisions.metrics import auroc

# images without defects, images with defects, epochs; cable of MVTec AD: the published 20,000 optimizer steps
SETTINGS = {
    "25 + 25 images, one epoch": (25, 25, 1),
    "25 + 25 images, 20 epochs": (25, 25, 20),
    "cable, 58 + 92 images, 2,500 epochs": (58, 92, 2500),
}
Epochs = Sequence[tuple[np.ndarray, np.ndarray]]  # for each epoch, scores of images without and with defects


@dataclass(frozen=True)
class Noise:
    """AUROC of random scores: mean, and 95 % quantile over runs."""

    mean: float
    high: float


def published_auroc(epochs: Epochs) -> float:
    """Result of the published protocol: the largest value of max(AUROC, 1 - AUROC) over the epochs."""
    values = [auroc(good, bad) for good, bad in epochs]
    return max(max(value, 1 - value) for value in values)


def noise(good: int, bad: int, epochs: int) -> Noise:
    """Result of the published protocol for random scores in each epoch, by the exact Mann-Whitney distribution.

    >>> round(noise(25, 25, 20).mean, 2)
    0.68
    """
    law = _auroc_law(good, bad)
    values = np.arange(len(law)) / (good * bad)
    turned = np.maximum(values, 1 - values)
    steps = np.unique(turned.round(12))
    below = np.bincount(np.searchsorted(steps, turned.round(12)), law).cumsum().clip(0, 1) ** epochs
    return Noise(float(np.diff(below, prepend=0.0) @ steps), float(steps[np.searchsorted(below, 0.95)]))


def _auroc_law(good: int, bad: int) -> np.ndarray:
    """Probability (good bad + 1,) of each number of correctly ordered pairs under random scores."""
    rows = [np.ones(1) for _ in range(bad + 1)]
    for m in range(1, good + 1):
        for n in range(1, bad + 1):
            # the image with the largest score is good, or it is bad and above all m good images
            law = np.zeros(m * n + 1)
            law[: len(rows[n])] += m / (m + n) * rows[n]
            law[m:] += n / (m + n) * rows[n - 1]
            rows[n] = law
    return rows[bad]


def noise_table() -> str:
    """Table of random scores under the published protocol; their true AUROC is 0.50."""
    results = {name: noise(*setting) for name, setting in SETTINGS.items()}
    rows = [(name, "0.500", f"{one.mean:.3f}", f"{one.high:.3f}") for name, one in results.items()]
    return options.grid(("random scores", "true AUROC", "published protocol", "1 run in 20 above"), rows)


def compat_report(name: str, epochs: Epochs, honest: float) -> list[str]:
    """Lines with the AUROC, the result of the published protocol, and its result for random scores."""
    good, bad = (len(one) for one in epochs[0])
    random = noise(good, bad, len(epochs))
    value = published_auroc(epochs)
    above = "more than" if value > random.high else "no more than"
    return [
        f"{name}: image AUROC {honest:.3f}, by a score that was fixed before the test images were read",
        f"  the published protocol reports {value:.3f}: the largest of max(AUROC, 1 - AUROC) over {len(epochs)} epochs",
        f"  random scores reach {random.mean:.3f} on average under it, and {random.high:.3f} in one run of 20, with "
        f"{good} good and {bad} bad images; {value:.3f} is {above} that",
    ]

"""Published protocol of Competitive Reconstruction Networks, and its result for noise.

The protocol takes the AUROC of the test images after each epoch. Values below one half become 1 minus the value, and
the largest of all epochs is reported and chooses the checkpoint. Each step raises the result of chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import options
from openshape_ood.decisions.metrics import auroc

# images without defects, images with defects, epochs; cable: MVTec AD with the published 20,000 optimizer steps
SETTINGS = {
    "25 + 25 images, one epoch": (25, 25, 1),
    "25 + 25 images, 20 epochs": (25, 25, 20),
    "cable, 58 + 92 images, 2,500 epochs": (58, 92, 2500),
}
Epochs = Sequence[tuple[np.ndarray, np.ndarray]]  # per epoch: scores of images without and with defects


@dataclass(frozen=True)
class Noise:
    """AUROC of random scores: mean, and 95 % quantile over runs."""

    mean: float
    high: float


def published_auroc(epochs: Epochs) -> float:
    """The number that the published protocol reports: max(AUROC, 1 - AUROC), the largest over the epochs."""
    values = [auroc(good, bad) for good, bad in epochs]
    return max(max(value, 1 - value) for value in values)


def noise(good: int, bad: int, epochs: int) -> Noise:
    """Result of the published protocol for scores that are random in each epoch, from the exact Mann-Whitney law.

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
            # the largest score belongs to a good image, or to a bad one, which is then above all m good ones
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
    """Lines: the AUROC, its value under the published protocol, and the value of random scores under it."""
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

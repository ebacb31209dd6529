"""Result of the published protocol of Competitive Reconstruction Networks, next to the honest number.

The protocol takes the AUROC of the test images after each epoch, replaces values below one half by 1 minus the value,
and keeps the largest of all epochs, which also chooses the checkpoint. Each of the three steps raises chance results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import options
from openshape_ood.decisions.metrics import auroc

# images without and with defects, epochs; cable: MVTec AD's, after the published 20,000 optimizer steps
SETTINGS = {
    "25 + 25 images, one epoch": (25, 25, 1),
    "25 + 25 images, 20 epochs": (25, 25, 20),
    "cable, 58 + 92 images, 2,500 epochs": (58, 92, 2500),
}
Epochs = Sequence[tuple[np.ndarray, np.ndarray]]  # scores of the images without and with defects, an epoch each


@dataclass(frozen=True)
class Noise:
    """AUROC that scores of no skill reach: on average, and what one run in twenty is above."""

    mean: float
    high: float


def published_auroc(epochs: Epochs) -> float:
    """The number that the published protocol reports: turned to one half or more, the largest over the epochs."""
    values = [auroc(good, bad) for good, bad in epochs]
    return max(max(value, 1 - value) for value in values)


def noise(good: int, bad: int, epochs: int) -> Noise:
    """Result of the published protocol on random scores, new in each epoch: exact, by the law of Mann and Whitney.

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
    """Chances (good bad + 1,) of each number of pairs in right order, of scores that tell nothing."""
    rows = [np.ones(1) for _ in range(bad + 1)]
    for m in range(1, good + 1):
        for n in range(1, bad + 1):
            # the largest of all scores is of a good image, or of a bad one, which is above all good ones
            found = np.zeros(m * n + 1)
            found[: len(rows[n])] += m / (m + n) * rows[n]
            found[m:] += n / (m + n) * rows[n - 1]
            rows[n] = found
    return rows[bad]


def noise_table() -> str:
    """Pure noise under the published protocol, beside its honest AUROC of 0.50."""
    rows = []
    for name, setting in SETTINGS.items():
        found = noise(*setting)
        rows.append((name, "0.500", f"{found.mean:.3f}", f"{found.high:.3f}"))
    return options.grid(("scores of no skill", "honest", "published protocol", "1 run in 20 above"), rows)


def compat_report(name: str, epochs: Epochs, honest: float) -> list[str]:
    """Lines: the honest number, the published protocol's number on the same scores, and the number of pure noise."""
    good, bad = (len(one) for one in epochs[0])
    found = noise(good, bad, len(epochs))
    said = published_auroc(epochs)
    above = "more than" if said > found.high else "no more than"
    return [
        f"{name}: image AUROC {honest:.3f}, one score that was fixed before the test images were seen",
        f"  the published protocol says {said:.3f}: {len(epochs)} epochs, turned to one half or more, the largest kept",
        f"  under it noise reaches {found.mean:.3f} on average and {found.high:.3f} in one run of 20, with {good} good "
        f"and {bad} bad images; {said:.3f} is {above} that",
    ]

"""95 % intervals of means: over seeds by Student's t, over shapes or rooms by a bootstrap.

For intervals of AUROC, FPR95 and AUPR see `threedos.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

PERCENTILES = (2.5, 97.5)


def over_seeds(values: Sequence[float], least: float = 0.0, most: float = 1.0) -> dict[str, float]:
    """Mean over seeds and its interval by Student's t, clipped to [least, most].

    >>> {name: round(value, 3) for name, value in over_seeds([0.5, 0.6, 0.7]).items()}
    {'mean': 0.6, 'low': 0.352, 'high': 0.848}
    """
    array = np.asarray(values)
    count, mean = len(array), float(array.mean())
    half = student.ppf(0.975, count - 1) * array.std(ddof=1) / np.sqrt(count) if count > 1 else 0.0
    return {"mean": mean, "low": float(max(mean - half, least)), "high": float(min(mean + half, most))}


def bootstrap(values: Any, draws: int, owner: Any = None, seed: int = 0) -> dict[str, float]:
    """Mean of values (n,) and its bootstrap interval.

    With `owner` (n,), for example the room of each value, whole owners are resampled.
    """
    array = np.asarray(values, dtype=np.float64)
    groups, group = np.unique(np.arange(len(array)) if owner is None else owner, return_inverse=True)
    sums, counts = np.bincount(group, array), np.bincount(group)
    drawn = np.random.RandomState(seed).randint(len(groups), size=(draws, len(groups)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), PERCENTILES)
    return {"mean": float(array.mean()), "low": float(low), "high": float(high)}

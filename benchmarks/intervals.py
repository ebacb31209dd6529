"""95 % intervals of means: over seeds by Student's t, over shapes or rooms by a bootstrap.

Those of AUROC and its like, which are no means, stand in `threedos.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

PERCENTILES = (2.5, 97.5)


def over_seeds(values: Sequence[float], least: float = 0.0, most: float = 1.0) -> dict[str, float]:
    """Mean over seeds, and its interval by Student's t, within what a figure can be.

    >>> {name: round(value, 3) for name, value in over_seeds([0.5, 0.6, 0.7]).items()}
    {'mean': 0.6, 'low': 0.352, 'high': 0.848}
    """
    own = np.asarray(values)
    half = student.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else 0.0
    mean = float(own.mean())
    return {"mean": mean, "low": float(max(mean - half, least)), "high": float(min(mean + half, most))}


def bootstrap(values: Any, draws: int, owner: Any = None, seed: int = 0) -> dict[str, float]:
    """Mean of values (n,), and its interval by drawing them anew, or whole owners (n,) of several, as rooms are."""
    own = np.asarray(values, dtype=np.float64)
    groups, place = np.unique(np.arange(len(own)) if owner is None else owner, return_inverse=True)
    sums, counts = np.bincount(place, own), np.bincount(place)
    drawn = np.random.RandomState(seed).randint(len(groups), size=(draws, len(groups)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), PERCENTILES)
    return {"mean": float(own.mean()), "low": float(low), "high": float(high)}

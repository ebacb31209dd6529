"""Which of overlapping candidates are kept: ordered by a score, and without what overlaps a better one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

OVERLAP = 0.3  # intersection over union with a better one above which a candidate goes


def overlaps(rows: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Intersection over union (p, p) of sets of `count` rows."""
    starts = np.cumsum([0, *map(len, rows)])
    members = np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64)
    table = csr_array((np.ones(len(members), dtype=np.int32), members, starts), shape=(len(rows), count))
    both = (table @ table.T).toarray()
    size = np.diff(starts)
    return both / np.maximum(size[:, None] + size[None] - both, 1)


def suppressed(score: np.ndarray, shared: np.ndarray, overlap: float = OVERLAP) -> list[int]:
    """Indices of the candidates that are kept, best first; of equal scores the earlier candidate is the better."""
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable").tolist():
        if not kept or shared[i, kept].max() <= overlap:
            kept.append(i)
    return kept

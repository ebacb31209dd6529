"""Books on shelves and clothes on rails."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._blocks import blocks
from openshape_ood.synthetic.builders._chance import Random, count
from openshape_ood.synthetic.mesh import Mesh, rod


def books(rng: Random, x0: float, x1: float, y: float, depth: float, clear: float) -> np.ndarray:
    """Rows (n, 6) for `blocks`: books that stand on a board at `y` under a clear height."""
    if clear < 0.06 or x1 - x0 < 0.06:
        return np.zeros((0, 6))
    edges = x0 + np.concatenate([[0.0], np.cumsum(rng.uniform(0.018, 0.06, size=int((x1 - x0) / 0.03) + 1))])
    edges = edges[edges < x0 + rng.uniform(0.3, 1.0) * (x1 - x0)]
    n = len(edges) - 1
    if n < 1:
        return np.zeros((0, 6))
    high = np.minimum(rng.uniform(0.16, 0.32, size=n), clear * rng.uniform(0.75, 0.98, size=n))
    back = np.full(n, -depth / 2 + 0.01)
    deep = back + np.minimum(rng.uniform(0.12, 0.24, size=n), 0.95 * depth - 0.01)
    return np.stack([edges[:-1], edges[1:] - 0.001, np.full(n, y), y + high, back, deep], axis=1)


def clothes(rng: Random, x0: float, x1: float, y: float, depth: float, clear: float) -> list[Mesh]:
    """A rail at height `y` with garments hung from it."""
    rail = rod((x0, y, 0), (x1, y, 0), 0.012)
    n = count(rng, 0, int((x1 - x0) / 0.08))
    if n == 0:
        return [rail]
    x = np.sort(rng.uniform(x0 + 0.03, x1 - 0.03, size=n))
    drop = np.minimum(rng.uniform(0.5, 1.2, size=n), 0.95 * clear)
    wide = np.minimum(rng.uniform(0.18, 0.26, size=n), 0.45 * depth)
    lines = [(a - 0.015, a + 0.015, y - b - 0.05, y - 0.05, -c, c) for a, b, c in zip(x, drop, wide, strict=True)]
    return [rail, blocks(lines)]

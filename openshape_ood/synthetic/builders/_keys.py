"""Fields of keys."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._chance import Random
from openshape_ood.synthetic.builders._copies import stamped
from openshape_ood.synthetic.mesh import Mesh, box, join


def key_field(rng: Random, columns: int, rows: int, height: float) -> Mesh:
    """Rows of key caps and a space bar, level, centred, pitch 19 mm."""
    pitch, cap = 0.019, rng.uniform(0.0145, 0.0175)
    z, x = np.meshgrid(
        (np.arange(rows) - (rows - 1) / 2) * pitch, (np.arange(columns) - (columns - 1) / 2) * pitch, indexing="ij"
    )
    stagger = (np.arange(rows) % 3)[:, None] * 0.002
    middle = np.abs(x) < columns * pitch * 0.2
    keep = ~(middle & (np.arange(rows) == rows - 1)[:, None])
    offsets = np.stack([x + stagger, np.full_like(x, height / 2), z], axis=-1)[keep]
    space = box(columns * pitch * 0.38, height, cap).moved(y=height / 2, z=float(z.max()))
    return join(stamped(box(cap, height, cap).tapered(rng.uniform(0.7, 1)), offsets), space)

"""A novelty map as the pictures need it, without an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood import NoveltyMap
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.novelty_map import Elements

PROVENANCE = Provenance(Identity("tiny", "static"), "local")


def made_up(
    classes=("chair", "sofa"), threshold: float | None = 0.5, name="/somewhere/chair.ply", **more: Any
) -> NoveltyMap:
    """200 points in a box, more novel towards +x, by turns nearest to each class; colored from 0.1 to 0.9."""
    points = np.random.RandomState(0).rand(200, 3)
    limit = None if threshold is None else Threshold(threshold, 0.95)
    fields = {
        "elements": Elements("points", points),
        "novelty": points[:, 0],
        "nearest": np.array(classes)[np.arange(200) % len(classes)],
        "classes": np.array(classes),
        "baseline": 0.1 if threshold is not None else float("nan"),
        "threshold": limit,
        "provenance": PROVENANCE,
        "name": name,
    }
    return NoveltyMap(**{**fields, **more})

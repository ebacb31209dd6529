"""An explanation as the pictures need it, without an encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class MadeUp:
    points: np.ndarray
    novelty: np.ndarray
    nearest: np.ndarray
    classes: np.ndarray
    limit: float
    shape: str = "/somewhere/chair.ply"
    up: str = "y"

    def bounds(self) -> tuple[float, float]:
        return 0.1, 0.9


def made_up(classes=("chair", "sofa"), limit=0.4, **more) -> MadeUp:
    """200 points in a box, more novel towards +x, by turns nearest to each class."""
    points = np.random.RandomState(0).rand(200, 3)
    nearest = np.array(classes)[np.arange(200) % len(classes)]
    return MadeUp(points, points[:, 0], nearest, np.array(classes), limit, **more)

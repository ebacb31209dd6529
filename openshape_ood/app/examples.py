"""Shapes to begin with, generated: nothing is stored or downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.planted import plant

POINTS = 4096


@dataclass(frozen=True)
class Offered:
    """A shape on offer, y up, meters; origin: whole model or scan, as `scoring.ORIGINS` has it."""

    make: Callable[[], np.ndarray]
    origin: str


FIRST = "chair with a guitar for a back"
EXAMPLES = {
    FIRST: Offered(lambda: plant("chair", "guitar", POINTS, 109, 0.45, "parsons", "acoustic").cloud, "whole model"),
    "chair": Offered(lambda: sample("chair", POINTS, seed=3), "whole model"),
    "guitar": Offered(lambda: sample("guitar", POINTS, seed=3), "whole model"),
    "airplane": Offered(lambda: sample("airplane", POINTS, seed=3), "whole model"),
    "scan of a table": Offered(lambda: scan("table", POINTS, seed=4), "scan"),
    "scan of a piano": Offered(lambda: scan("piano", POINTS, seed=5), "scan"),
}

"""Threshold: the novelty up to which a thing is known, and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Provenance


@dataclass(frozen=True, eq=False)
class Threshold:
    """A limit of novelty: value, the coverage that it keeps, of n known things with the novelties `scores`."""

    value: float
    coverage: float = 0.95
    n: int = 0
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    provenance: Provenance | None = None
    source: str = ""

    def is_novel(self, novelty: Any) -> np.ndarray:
        return np.asarray(novelty) > self.value

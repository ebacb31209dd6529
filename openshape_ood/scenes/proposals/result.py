"""Proposals: what may be an object in a scan, without saying which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from openshape_ood.scenes.proposals.layout import Plane


@dataclass(frozen=True, eq=False)
class Proposals:
    """Places of a scan of n points that may be objects, the best first.

    Attributes
    ----------
    rows : tuple of ndarray (m,)
        The points of each proposal, ascending.
    score : (p,) float64
        What they are ordered by.
    layout : tuple of Plane
        Floor, ceiling and walls that were taken off, with their points; in the frame of the scan.
    by : str
        How they were made and chosen.
    candidates : int
        How many there were to choose from.
    n : int
        Points of the scan.
    """

    rows: tuple[np.ndarray, ...]
    score: np.ndarray
    layout: tuple[Plane, ...]
    by: str
    candidates: int
    n: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.rows)

    def __repr__(self) -> str:
        taken = ", ".join(plane.kind for plane in self.layout) or "nothing"
        return f"Proposals({len(self)} of {self.candidates} candidates by {self.by}; {taken} taken off {self.n} points)"

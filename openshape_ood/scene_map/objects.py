"""Object of a map: place, looks, evidence that it is new, and verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.scene_map.association import Place, joined, unpacked
from openshape_ood.scene_map.evidence import Evidence
from openshape_ood.scenes.boxes import Box

MOST_LOOKS = 32  # maximum number of stored looks of an object
KNOWN, NEW, UNSURE = "known", "new", "unsure"


class Look(NamedTuple):
    """One look at an object.

    embedding: (d,) float32; direction: (3,) unit vector from the object to the camera, zeros if unknown; points: number
    of visible points; rank: rank of its novelty among the n calibration novelties, from 1 (most novel) to n + 1; whole:
    see `SceneMap`; cells: sorted keys.
    """

    embedding: np.ndarray
    direction: np.ndarray
    points: int
    rank: int
    whole: bool
    stability: float
    cells: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """State of an object of the map.

    Attributes
    ----------
    verdict : {"known", "new", "unsure"}
        "new" has a guarantee: at most a fraction 1 - coverage of known objects get it, 5 % by default. It holds for any
        dependence between looks; with `prepare(objects=...)`, for objects seen in a similar way. "unsure": the best
        guess is new but the evidence is insufficient, or the object has no whole look.
    guess : {"known", "new"}
        Best guess, by the mean embedding.
    name : str or None
        Known class; None for other verdicts.
    nearest : str
        Nearest known class.
    novelty : float
        Novelty of the mean embedding.
    p_value : float
        Conformal p-value of the mean embedding among known objects if the map has them; else combined over whole looks.
    reason : str
        Reason of the verdict.
    """

    verdict: str
    guess: str
    name: str | None
    nearest: str
    novelty: float
    p_value: float
    reason: str


UNSEEN = Verdict(UNSURE, NEW, None, "", 0.0, 1.0, "no look yet")


@dataclass(eq=False)
class MapObject:
    """Object of a `SceneMap`. Do not change it; only the map does.

    Attributes
    ----------
    number : int
        From 1, in the order of discovery; never reused.
    cells : (v,) int64
        Sorted keys of its occupied cells.
    evidence : Evidence
        p-values of all whole looks, stored or not.
    embeddings : (m, d) float32
        Embeddings of the stored looks: at most 32, with view directions far from each other.
    directions : (m, 3) float64
        View directions of the stored looks.
    points : (m,) int64
        Visible points of each stored look.
    whole : bool
        True after the first whole look. From then on, partial looks are not stored.
    seen : int
        Number of all looks.
    stability : float
        Sum of the stability of its proposals over the looks.
    first, last : float or None
        Time of the first and the last look in seconds.
    verdict : Verdict
    label : str or None
        Name given by a person.
    """

    number: int
    cells: np.ndarray
    evidence: Evidence
    embeddings: np.ndarray
    directions: np.ndarray
    points: np.ndarray
    whole: bool = False
    seen: int = 0
    stability: float = 0.0
    first: float | None = None
    last: float | None = None
    verdict: Verdict = UNSEEN
    label: str | None = None
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))
    size: float = 0.05

    @classmethod
    def empty(cls, number: int, dim: int, n: int, origin: np.ndarray, size: float) -> MapObject:
        nothing = np.empty(0, dtype=np.int64)
        looks = np.empty((0, dim), dtype=np.float32), np.empty((0, 3)), nothing
        return cls(number, nothing, Evidence(n), *looks, origin=origin, size=size)

    def copy(self) -> MapObject:
        """A copy that can be changed. Its arrays are replaced, never modified."""
        return replace(self, evidence=Evidence(self.evidence.n, dict(self.evidence.counts)))

    @property
    def mean(self) -> np.ndarray:
        """Unit mean embedding (d,) float64 of the stored looks, weighted by visible points."""
        rows = unit_or_zero(self.embeddings) * self.points[:, None]
        mean: np.ndarray = unit_or_zero(rows.sum(axis=0)[None])[0]
        return mean

    @property
    def place(self) -> Place:
        return Place.of(self.cells)

    @property
    def centers(self) -> np.ndarray:
        """Centers (v, 3) of its cells, meters."""
        return self.origin + (unpacked(self.cells) + 0.5) * self.size

    @cached_property
    def box(self) -> Box:
        """Upright box around its cells, meters."""
        return Box.around(self.centers)

    def see(self, look: Look, time: float | None) -> None:
        """Add a look. Only whole looks are evidence. After the first whole look, partial looks are only counted."""
        self.seen += 1
        self.stability += look.stability
        self.first = time if self.first is None else self.first
        self.last = time if time is not None else self.last
        if look.whole:
            self.evidence.add(look.rank)
        if self.whole and not look.whole:
            return
        self.__dict__.pop("box", None)
        if look.whole and not self.whole:  # partial looks may contain points of neighbors
            self._keep(self.embeddings[:0], self.directions[:0], self.points[:0])
            self.whole, self.cells = True, look.cells
        self.cells = joined(self.cells, look.cells)
        self._keep(
            np.concatenate([self.embeddings, look.embedding[None]]),
            np.concatenate([self.directions, look.direction[None]]),
            np.append(self.points, look.points),
        )

    def join(self, other: MapObject) -> None:
        """Merge another object into this one."""
        self.__dict__.pop("box", None)
        self.evidence.join(other.evidence)
        self.seen, self.stability = self.seen + other.seen, self.stability + other.stability
        times = [one for one in (self.first, other.first) if one is not None]
        self.first = min(times) if times else None
        times = [one for one in (self.last, other.last) if one is not None]
        self.last = max(times) if times else None
        self.label = self.label or other.label
        if self.whole == other.whole:
            self.cells = joined(self.cells, other.cells)
            self._keep(
                np.concatenate([self.embeddings, other.embeddings]),
                np.concatenate([self.directions, other.directions]),
                np.concatenate([self.points, other.points]),
            )
        elif other.whole:
            self._keep(other.embeddings, other.directions, other.points)
            self.whole, self.cells = True, other.cells

    def _keep(self, embeddings: np.ndarray, directions: np.ndarray, points: np.ndarray) -> None:
        """Store the looks whose view directions are farthest from each other."""
        rows = np.arange(len(points))
        while len(rows) > MOST_LOOKS:
            apart = directions[rows] @ directions[rows].T
            np.fill_diagonal(apart, -np.inf)
            pair = np.unravel_index(int(np.round(apart, 9).argmax()), apart.shape)
            rows = np.delete(rows, min(pair, key=lambda i: (points[rows[i]], -i)))  # drop the one with fewer points
        self.embeddings, self.directions, self.points = embeddings[rows], directions[rows], points[rows]

    def as_json(self) -> dict[str, Any]:
        """Number, verdict and place as texts and numbers."""
        record: dict[str, Any] = {"object": self.number, **vars(self.verdict), "label": self.label, "looks": self.seen}
        record |= {"evidence": self.evidence.looks, "kept": len(self.points), "first": self.first, "last": self.last}
        return record | {"box": self.box.as_json()}

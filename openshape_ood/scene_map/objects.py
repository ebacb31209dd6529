"""An object of the map: its place, its looks, the evidence for it being new, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.scene_map.association import Place, joined, unpacked
from openshape_ood.scene_map.evidence import Evidence
from openshape_ood.scenes.boxes import Box

MOST_LOOKS = 32  # kept of an object
KNOWN, NEW, UNSURE = "known", "new", "unsure"


class Look(NamedTuple):
    """One look at an object.

    embedding: (d,) float32; direction: (3,) unit vector from the object to the camera, zeros if unknown; points: seen;
    rank: of the novelty among the n calibration novelties, from 1, the most novel, to n + 1; whole: False if the
    object is cut off or mostly hidden, so that the look says little; cells: sorted keys.
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
        "new" is guaranteed: at most 5 % of known objects get it, however their looks depend on each other. "unsure":
        the best guess is new and the evidence does not suffice, or it was seen in part only.
    guess : {"known", "new"}
        The best guess, by the mean embedding.
    name : str or None
        Of the known class; None unless the verdict is known.
    nearest : str
        The known class that is nearest.
    novelty : float
        Of the mean embedding.
    p_value : float
        Of its mean among the means of known objects, if the map has them; else combined over all looks.
    reason : str
        Why the verdict is what it is.
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
    """An object of a `SceneMap`. What it returns is for reading; the map alone changes it.

    Attributes
    ----------
    number : int
        From 1, in the order in which objects were found; never used again.
    cells : (v,) int64
        Keys of the cells that it fills, sorted.
    evidence : Evidence
        Over all whole looks, kept or not.
    embeddings : (m, d) float32
        Of the looks that are kept, at most 32, far from each other in view direction.
    directions : (m, 3) float64
    points : (m,) int64
        Seen in each look.
    whole : bool
        True if place and kept looks are of looks at all of it; until there is one, others are kept.
    seen : int
        Looks, of any kind.
    stability : float
        Sum over the looks of how well the proposals were found again.
    first, last : float or None
        Seconds, of the first and the last look.
    verdict : Verdict
    label : str or None
        The name that a person gave.
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
        """A copy that may be changed; arrays are replaced, never written to."""
        return replace(self, evidence=Evidence(self.evidence.n, dict(self.evidence.counts)))

    @property
    def mean(self) -> np.ndarray:
        """Unit mean embedding (d,) float64 of the kept looks, weighted by the points they show."""
        rows = unit_or_zero(self.embeddings) * self.points[:, None]
        found: np.ndarray = unit_or_zero(rows.sum(axis=0)[None])[0]
        return found

    @property
    def place(self) -> Place:
        return Place.of(self.cells)

    @property
    def centers(self) -> np.ndarray:
        """Centers (v, 3) of its cells, meters."""
        return self.origin + (unpacked(self.cells) + 0.5) * self.size

    @cached_property
    def box(self) -> Box:
        """The upright box around its cells, meters."""
        return Box.around(self.centers)

    def see(self, look: Look, time: float | None) -> None:
        """Take in a look. Only looks at all of the object are evidence; once there is one, others change nothing."""
        self.seen += 1
        self.stability += look.stability
        self.first = time if self.first is None else self.first
        self.last = time if time is not None else self.last
        if look.whole:
            self.evidence.add(look.rank)
        if self.whole and not look.whole:
            return
        self.__dict__.pop("box", None)
        if look.whole and not self.whole:  # what was seen in part may have been mixed with what stands beside it
            self._keep(self.embeddings[:0], self.directions[:0], self.points[:0])
            self.whole, self.cells = True, look.cells
        self.cells = joined(self.cells, look.cells)
        self._keep(
            np.concatenate([self.embeddings, look.embedding[None]]),
            np.concatenate([self.directions, look.direction[None]]),
            np.append(self.points, look.points),
        )

    def join(self, other: MapObject) -> None:
        """Take in all that another object is: both are one."""
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
        """Keep the looks that are farthest from each other in view direction."""
        rows = np.arange(len(points))
        while len(rows) > MOST_LOOKS:
            apart = directions[rows] @ directions[rows].T
            np.fill_diagonal(apart, -np.inf)
            pair = np.unravel_index(int(np.round(apart, 9).argmax()), apart.shape)
            rows = np.delete(rows, min(pair, key=lambda i: (points[rows[i]], -i)))  # of the two the one that shows less
        self.embeddings, self.directions, self.points = embeddings[rows], directions[rows], points[rows]

    def as_json(self) -> dict[str, Any]:
        """Number, verdict and place as texts and numbers."""
        told: dict[str, Any] = {"object": self.number, **vars(self.verdict), "label": self.label, "looks": self.seen}
        told |= {"evidence": self.evidence.looks, "kept": len(self.points), "first": self.first, "last": self.last}
        return told | {"box": self.box.as_json()}

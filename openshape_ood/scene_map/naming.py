"""Order of the unknown objects to name, and the reach of a given name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.discovery import discover
from openshape_ood.encoders.protocols import Embeddings, Identity
from openshape_ood.scene_map.objects import MapObject
from openshape_ood.scoring import Judgement
from openshape_ood.scoring.distances import knn_distance

SHARE = 0.5  # of the distance to the nearest object that is something else: so far a name reaches
FARTHEST = 0.35  # cosine distance that a name reaches at most
GROUPED = 2  # objects of a group, at least


@dataclass(frozen=True)
class Question:
    """Group of unknown objects that look alike; one of them is shown to a person.

    Attributes
    ----------
    object : int
        Number of the most central one, to show and to name.
    objects : tuple of int
        Numbers of all, the most central first.
    novelty : float
        Mean of 1 - p of their best guesses, 0 to 1.
    stability : float
        How well the group is found again, times how well its objects are, 0 to 1.
    score : float
        Number of objects x novelty x stability; what questions are ordered by.
    """

    object: int
    objects: tuple[int, ...]
    novelty: float
    stability: float
    score: float

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "objects": list(self.objects)}


def questions(objects: Sequence[MapObject], threshold: Threshold, identity: Identity, seed: int = 0) -> list[Question]:
    """One question for each group of unknown objects, and for each object of none; the largest score first."""
    if not objects:
        return []
    means = np.stack([one.mean for one in objects])
    novelty = 1 - threshold.p_values([one.verdict.novelty for one in objects])
    stable = np.array([one.stability / max(1, one.seen) for one in objects])
    nothing = np.zeros(len(objects))
    all_novel = Judgement(nothing + 1, nothing.astype(np.int64), nothing[:, None])
    found = discover(
        all_novel, Embeddings(means, identity), threshold=Threshold(0.5), grouping=alike, min_size=GROUPED, seed=seed
    )
    groups = [(group.rows, group.stability) for group in found.groups]
    groups += [(np.array([row]), 1.0) for row in np.flatnonzero(found.labels == 0)]
    made = []
    for rows, stability in groups:
        numbers = tuple(objects[row].number for row in rows)
        shared = float(novelty[rows].mean()), float(stability * stable[rows].mean())
        made.append(Question(numbers[0], numbers, *shared, len(rows) * shared[0] * shared[1]))
    return sorted(made, key=lambda one: (-one.score, one.object))


def alike(rows: np.ndarray, min_size: int) -> np.ndarray:
    """Groups (n,) of unit rows whose mean cosine distance is at most what a name reaches: a grouping of `discover`."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(rows) < 2:
        return np.zeros(len(rows), dtype=np.int64)
    found: np.ndarray = fcluster(linkage(rows, "average", "cosine"), FARTHEST, "distance")
    return found


def reach(examples: np.ndarray, others: np.ndarray) -> float:
    """Cosine distance from examples (m, d) of a new class up to which objects are taken for it.

    Half of the distance to the nearest of others (j, d), rows of what is something else; 0.35 at most, and if there
    are none. It is no calibrated threshold: that needs objects of the class that nobody named.
    """
    if not len(others):
        return FARTHEST
    return min(FARTHEST, SHARE * float(knn_distance(others, examples, 1).min()))


def nearest_class(mean: np.ndarray, examples: dict[str, np.ndarray]) -> tuple[str, float]:
    """The named class nearest to an embedding (d,), and the distance."""
    rows = unit_or_zero(mean[None])
    distances = {name: float(knn_distance(rows, own, 1)[0]) for name, own in examples.items()}
    name = min(distances, key=lambda one: (distances[one], one))
    return name, distances[name]

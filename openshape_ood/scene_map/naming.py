"""Order of the questions about unknown objects, and the largest distance at which a name applies."""

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

SHARE = 0.5  # reach of a named class (see `reach`) as a fraction of the distance to the nearest object of another class
FARTHEST = 0.35  # maximum reach, cosine distance
GROUPED = 2  # minimum number of objects in a group


@dataclass(frozen=True)
class Question:
    """Group of similar unknown objects; a person sees one of them.

    Attributes
    ----------
    object : int
        Number of the most central object, to show and to name.
    objects : tuple of int
        Numbers of all objects of the group, the most central first.
    novelty : float
        Mean of 1 - p over the objects, 0 to 1; p: conformal p-value of an object's mean embedding.
    stability : float
        Stability of the group times mean stability of its objects, 0 to 1.
    score : float
        Number of objects x novelty x stability; the order of questions.
    """

    object: int
    objects: tuple[int, ...]
    novelty: float
    stability: float
    score: float

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "objects": list(self.objects)}


def questions(objects: Sequence[MapObject], threshold: Threshold, identity: Identity, seed: int = 0) -> list[Question]:
    """One question for each group of unknown objects and for each ungrouped object, by descending score."""
    if not objects:
        return []
    means = np.stack([one.mean for one in objects])
    novelty = 1 - threshold.p_values([one.verdict.novelty for one in objects])
    stable = np.array([one.stability / max(1, one.seen) for one in objects])
    nothing = np.zeros(len(objects))
    all_novel = Judgement(nothing + 1, nothing.astype(np.int64), nothing[:, None])
    discovery = discover(
        all_novel, Embeddings(means, identity), threshold=Threshold(0.5), grouping=alike, min_size=GROUPED, seed=seed
    )
    groups = [(group.rows, group.stability) for group in discovery.groups]
    groups += [(np.array([row]), 1.0) for row in np.flatnonzero(discovery.labels == 0)]
    made = []
    for rows, stability in groups:
        numbers = tuple(objects[row].number for row in rows)
        shared = float(novelty[rows].mean()), float(stability * stable[rows].mean())
        made.append(Question(numbers[0], numbers, *shared, len(rows) * shared[0] * shared[1]))
    return sorted(made, key=lambda one: (-one.score, one.object))


def alike(rows: np.ndarray, min_size: int) -> np.ndarray:
    """Group labels (n,) of unit rows, as `grouping` of `discover`: average linkage, cut at cosine distance 0.35."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(rows) < 2:
        return np.zeros(len(rows), dtype=np.int64)
    labels: np.ndarray = fcluster(linkage(rows, "average", "cosine"), FARTHEST, "distance")
    return labels


def reach(examples: np.ndarray, others: np.ndarray) -> float:
    """Reach of a named class: objects within this cosine distance of the examples (m, d) get the name of the class.

    The reach is half of the distance to the nearest row of `others` (j, d), which are of other classes; at most 0.35.
    Without `others`: 0.35. It is no calibrated threshold: a calibration needs further objects of the class.
    """
    if not len(others):
        return FARTHEST
    return min(FARTHEST, SHARE * float(knn_distance(others, examples, 1).min()))


def nearest_class(mean: np.ndarray, examples: dict[str, np.ndarray]) -> tuple[str, float]:
    """Nearest named class of an embedding (d,), and its distance."""
    rows = unit_or_zero(mean[None])
    distances = {name: float(knn_distance(rows, table, 1)[0]) for name, table in examples.items()}
    name = min(distances, key=lambda one: (distances[one], one))
    return name, distances[name]

"""Known classes of a run, and the library's methods that score embeddings against them.

They use cosines, or Euclidean distances of raw features, as the published reference run does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.threedos.results import Scored
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import METHODS as LIBRARY
from openshape_ood.scoring import judge
from openshape_ood.scoring.neighbors import nearest


@dataclass(frozen=True, eq=False)
class Reference:
    """Known classes of one seed.

    names: classes by names, or None; owners: class of each name; examples: raw features of the support.
    """

    names: KnownClasses | None
    owners: np.ndarray
    examples: KnownClasses
    unit: bool

    @classmethod
    def of(
        cls,
        names: KnownClasses | None,
        owners: np.ndarray,
        support: np.ndarray,
        labels: np.ndarray,
        identity: Identity,
        unit: bool,
    ) -> Reference:
        """Reference from support (m, d) with labels (m,), which also name the classes."""
        called = tuple(map(str, range(int(labels.max()) + 1)))
        return cls(names, owners, KnownClasses(called, identity, examples=support, labels=labels), unit)

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.examples.labels)


@dataclass(frozen=True)
class Method:
    """A scoring method: the library's `score` for cosines, and its method `raw` for raw features."""

    known_by: str
    score: str
    raw: str = ""

    def judge(self, queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
        """Novelty (b,) and nearest class (b,) of queries (b, d); the best name of a class counts."""
        known = reference.examples if self.raw else reference.names
        if known is None:
            raise InputError("the classes have no names here; expected a text encoder")
        raw = self.raw and not reference.unit
        result = LIBRARY[self.raw].fit(known).judge(queries) if raw else judge(queries, known, self.score)
        return result.novelty, result.nearest if self.raw else reference.owners[result.nearest]


METHODS = (
    Method("names", "max_cosine"),
    Method("prototypes", "prototype_distance", "prototype_euclidean"),
    Method("nearest example", "nearest_distance", "nearest_euclidean"),
)


def judge_all(method: Method, sets: Mapping[str, np.ndarray], reference: Reference) -> dict[str, Scored]:
    """Scores of each nonempty set of queries (b, d), with the nearest example of the predicted class."""
    scored, metric = {}, "cosine" if reference.unit else "euclidean"
    for name, queries in ((name, queries) for name, queries in sets.items() if len(queries)):
        novelty, classes = method.judge(queries, reference)
        example = np.empty(len(queries), dtype=np.int64)
        for c in np.unique(classes):
            chosen, members = np.flatnonzero(classes == c), np.flatnonzero(reference.labels == c)
            rows = np.asarray(reference.examples.examples)[members]
            example[chosen] = members[nearest(queries[chosen], rows, metric=metric)[1][:, 0]]
        scored[name] = Scored(novelty, classes, example)
    return scored


def printed_prototype_classes(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classes (b,) as the 3DOS code prints them: it uses the nearest prototype's index as an index into the support.

    github.com/antoalli/3D_OS `classifiers/trainer_ddp_cla_md.py`; every run built on it has the same error.
    """
    return labels[np.minimum(classes, len(labels) - 1)]

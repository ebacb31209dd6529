"""Known classes of a run, and the methods of the library that score embeddings against them.

They use cosines or, as in the published reference run, Euclidean distances of raw features.
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
        """Reference from support (m, d) with labels (m,). The labels are also the names of the classes."""
        called = tuple(map(str, range(int(labels.max()) + 1)))
        return cls(names, owners, KnownClasses(called, identity, examples=support, labels=labels), unit)

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.examples.labels)


@dataclass(frozen=True)
class Method:
    """A scoring method: name of the library's method for cosines (`score`) and for raw features (`raw`)."""

    known_by: str
    score: str
    raw: str = ""

    def judge(self, queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
        """Novelty (b,) and nearest class (b,) of queries (b, d). The nearest name of a class represents it."""
        known = reference.examples if self.raw else reference.names
        if known is None:
            raise InputError("the classes have no names. Expected a text encoder. Remove --no-names")
        raw = self.raw and not reference.unit
        result = LIBRARY[self.raw].fit(known).judge(queries) if raw else judge(queries, known, self.score)
        return result.novelty, result.nearest if self.raw else reference.owners[result.nearest]


METHODS = (
    Method("names", "max_cosine"),
    Method("prototypes", "prototype_distance", "prototype_euclidean"),
    Method("nearest example", "nearest_distance", "nearest_euclidean"),
)


def judge_all(method: Method, sets: Mapping[str, np.ndarray], reference: Reference) -> dict[str, Scored]:
    """Scores of each nonempty set of queries (b, d), and the nearest example of the predicted class."""
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
    """Classes (b,) as the 3DOS code computes them: it uses the index of a prototype as an index into the support.

    The code is github.com/antoalli/3D_OS `classifiers/trainer_ddp_cla_md.py`. Runs that use it have this error too.
    """
    return labels[np.minimum(classes, len(labels) - 1)]

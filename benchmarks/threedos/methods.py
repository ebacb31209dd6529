"""What embeddings are held against, and what each method makes of it.

By cosine, the scores are the library's own. Raw features and Euclidean distances, as the published reference run
has them, are written out here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.threedos.results import Scored
from openshape_ood.encoders.protocols import Encoder
from openshape_ood.errors import InputError
from openshape_ood.known import Known
from openshape_ood.scoring import SCORES

# bounds the (queries, support) table held at once: 2^21 float64 are 16 MiB
TABLE_ELEMENTS = 1 << 21


@dataclass(frozen=True, eq=False)
class Reference:
    """What is known, under one seed.

    names: the classes' names in text, None where no text encoder is at hand; owners (p,): the class of each name.
    support (m, d) raw features, labels (m,) their classes, both in the data set's order; examples: the same as a
    bank, class by class; unit: whether shapes are compared by cosine.
    """

    names: Known | None
    owners: np.ndarray
    support: np.ndarray
    labels: np.ndarray
    examples: Known
    unit: bool

    @classmethod
    def of(
        cls,
        names: Known | None,
        owners: np.ndarray,
        support: np.ndarray,
        labels: np.ndarray,
        encoder: Encoder,
        unit: bool,
    ) -> Reference:
        # the bank's classes are called by their labels: their order is all that is needed of them
        by_class = {str(c): support[labels == c] for c in range(int(labels.max()) + 1)}
        return cls(names, owners, support, labels, Known.from_examples(by_class, encoder), unit)


@dataclass(frozen=True)
class Method:
    """A way to score: novelty (b,) and nearest class (b,) of queries (b, d)."""

    known_by: str
    score: str
    judge: Callable[[np.ndarray, Reference], tuple[np.ndarray, np.ndarray]]

    def scored(self, queries: np.ndarray, reference: Reference) -> Scored:
        novelty, nearest = self.judge(queries, reference)
        return Scored(novelty, nearest, nearest_examples(queries, nearest, reference))


def by_names(queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Of several names of a class the best one counts: 1 - max cosine over all of them."""
    if reference.names is None:
        raise InputError("the classes have no names here; expected a text encoder")
    score = SCORES["max_cosine"]
    return score.novelty(queries, reference.names), reference.owners[score.nearest(queries, reference.names)]


def by_prototypes(queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest class mean."""
    if reference.unit:
        return _library("prototype_distance", queries, reference)
    means = np.stack([reference.support[reference.labels == c].mean(axis=0) for c in range(reference.labels.max() + 1)])
    return nearest_euclidean(queries, means)


def by_nearest_example(queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest support shape."""
    if reference.unit:
        return _library("nearest_distance", queries, reference)
    distance, index = nearest_euclidean(queries, reference.support)
    return distance, reference.labels[index]


METHODS = (
    Method("names", "max_cosine", by_names),
    Method("prototypes", "prototype_distance", by_prototypes),
    Method("nearest example", "nearest_distance", by_nearest_example),
)


def usable_methods(reference: Reference) -> tuple[Method, ...]:
    """All methods, or those that do without names."""
    return METHODS if reference.names else tuple(method for method in METHODS if method.known_by != "names")


def judge_all(method: Method, sets: Mapping[str, np.ndarray], reference: Reference) -> dict[str, Scored]:
    """What a method says of each set of queries that is not empty."""
    return {name: method.scored(queries, reference) for name, queries in sets.items() if len(queries)}


def printed_prototype_classes(nearest: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classes (b,) as the 3DOS code prints them: the nearest prototype's index, looked up among the support's labels.

    github.com/antoalli/3D_OS `classifiers/trainer_ddp_cla_md.py`; every run built on it has the same slip.
    """
    return labels[np.minimum(nearest, len(labels) - 1)]


def nearest_euclidean(queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (b,) to the nearest of the rows (m, d), and which (b,); exact, in blocks of queries."""
    queries, rows = queries.astype(np.float64), rows.astype(np.float64)
    index = np.concatenate(
        [_argmin(queries[s], rows) for s in _blocks(len(queries), len(rows))] or [np.empty(0, dtype=np.int64)]
    )
    # the distance itself from the difference: the squares above lose digits where both are far from the origin
    return np.linalg.norm(queries - rows[index], axis=1), index


def _argmin(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return (np.einsum("md,md->m", rows, rows) - 2 * queries @ rows.T).argmin(axis=1)


def nearest_examples(queries: np.ndarray, nearest: np.ndarray, reference: Reference) -> np.ndarray:
    """Index (b,) into the support of the most similar shape of each query's nearest class."""
    rows = reference.support / np.linalg.norm(reference.support, axis=1, keepdims=True) if reference.unit else None
    found = np.empty(len(queries), dtype=np.int64)
    for c in np.unique(nearest):
        asked, members = np.flatnonzero(nearest == c), np.flatnonzero(reference.labels == c)
        if rows is None:
            found[asked] = members[nearest_euclidean(queries[asked], reference.support[members])[1]]
            continue
        for s in _blocks(len(asked), len(members)):
            found[asked[s]] = members[(queries[asked[s]] @ rows[members].T).argmax(axis=1)]
    return found


def _library(name: str, queries: np.ndarray, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    score = SCORES[name]
    return score.novelty(queries, reference.examples), score.nearest(queries, reference.examples)


def _blocks(queries: int, rows: int) -> list[slice]:
    step = max(1, TABLE_ELEMENTS // max(1, rows))
    return [slice(i, i + step) for i in range(0, queries, step)]

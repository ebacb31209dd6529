"""Novelty scores: pure functions (queries (b, d), known bank) -> (b,), larger meaning more novel.

`SCORES` lists them by the name that `score_novelty(method=...)` takes. Queries need not be unit vectors.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import Known, unit

# bounds the (queries, examples) table held at once: 2^21 float64 are 16 MiB
TABLE_ELEMENTS = 1 << 21


def cosine(queries: np.ndarray, known: Known) -> np.ndarray:
    """Cosine (b, k) of every query with every class anchor."""
    # rounding takes the cosine of a vector with itself beyond 1, and its novelty below 0
    return np.clip(_unit_queries(queries, known) @ known.anchors.T, -1, 1)


def max_cosine(queries: np.ndarray, known: Known) -> np.ndarray:
    """1 - max_c cos(z, a_c): distance to the best anchor, 0 (the anchor itself) to 2 (its opposite)."""
    return 1 - cosine(queries, known).max(axis=1)


def prototype_distance(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_c |z - p_c|, z and p_c unit vectors, p_c the mean of class c's examples: 0 to 2.

    Snell et al., "Prototypical networks", arXiv 1703.05175, on the unit sphere.
    """
    return _chord(cosine(queries, known).max(axis=1))


def nearest_distance(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_i |z - s_i| over all examples s_i, unit vectors: 0 to 2.

    The nearest neighbour of 3DOS, arXiv 2207.11554; Sun et al., arXiv 2204.06507, with k = 1.
    """
    return _chord(_nearest_example(queries, known)[0])


def nearest_anchor(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class whose anchor has the largest cosine."""
    return cosine(queries, known).argmax(axis=1)


def nearest_example(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class of the nearest example."""
    return known.labels[_nearest_example(queries, known)[1]]


@dataclass(frozen=True)
class Score:
    """A method: its novelty (b,), the class (b,) it finds nearest, and whether it needs example shapes."""

    novelty: Callable[[np.ndarray, Known], np.ndarray]
    nearest: Callable[[np.ndarray, Known], np.ndarray]
    needs_examples: bool = False


SCORES = {
    "max_cosine": Score(max_cosine, nearest_anchor),
    "prototype_distance": Score(prototype_distance, nearest_anchor, needs_examples=True),
    "nearest_distance": Score(nearest_distance, nearest_example, needs_examples=True),
}


def find_score(method: str, has_examples: bool) -> Score:
    """The score called `method`; raises `UnknownNameError` with the closest names, or says what it lacks."""
    if not isinstance(method, str) or method not in SCORES:
        close = difflib.get_close_matches(str(method), SCORES, n=2, cutoff=0.4)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise UnknownNameError(f"unknown method {method!r}; known: {', '.join(SCORES)}{hint}")
    score = SCORES[method]
    if score.needs_examples and not has_examples:
        by_name = ", ".join(name for name, s in SCORES.items() if not s.needs_examples)
        raise InputError(
            f"method {method!r} needs example shapes, known={{name: shapes}}; the known classes are names only. "
            f"With names: {by_name}"
        )
    return score


def _unit_queries(queries: np.ndarray, known: Known) -> np.ndarray:
    queries = np.asarray(queries)
    if queries.ndim != 2 or queries.shape[1] != known.dim:
        raise MixedEncodersError(
            f"queries have the shape {queries.shape}, the known classes of {known.identity} have embeddings of "
            f"{known.dim}; expected (b, {known.dim}) from the same encoder"
        )
    return unit(queries, "query")


def _chord(cosines: np.ndarray) -> np.ndarray:
    """Distance of two unit vectors from their cosine."""
    return np.sqrt(np.maximum(2 - 2 * cosines, 0))


def _nearest_example(queries: np.ndarray, known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Largest cosine (b,) with an example, and which (b,); in blocks of queries."""
    z = _unit_queries(queries, known)
    if not len(known.examples):
        raise InputError(f"the known classes of {known.identity} are names only; nearest examples need example shapes")
    rows = max(1, TABLE_ELEMENTS // max(1, len(known.examples)))
    index = [(z[i : i + rows] @ known.examples.T).argmax(axis=1) for i in range(0, len(z), rows)]
    best = np.concatenate(index) if index else np.empty(0, dtype=np.int64)
    return np.einsum("bd,bd->b", z, known.examples[best]), best

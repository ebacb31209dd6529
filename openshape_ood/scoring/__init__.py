"""Novelty scores: formulas as functions of arrays, and the table of those that a bank of known classes can be asked.

`by_names`, `by_examples`, `by_patches` and `fusion` hold the formulas; `table` the scores (queries, known) -> (b,),
by the names under which the literature and `score_novelty(method=...)` know them. Larger means more novel.
"""

from openshape_ood.scoring.table import (
    DEFAULTS,
    SCORES,
    Score,
    cosine,
    find_score,
    max_cosine,
    nearest_anchor,
    nearest_distance,
    nearest_example,
    prototype_distance,
)

__all__ = [
    "DEFAULTS",
    "SCORES",
    "Score",
    "cosine",
    "find_score",
    "max_cosine",
    "nearest_anchor",
    "nearest_distance",
    "nearest_example",
    "prototype_distance",
]

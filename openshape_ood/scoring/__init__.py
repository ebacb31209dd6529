"""Methods: a method fits a scorer to known classes, and the scorer judges rows. Larger novelty is more novel.

`text_scores`, `distances`, `patch_scores` and `fusion` hold the formulas as functions of arrays. `METHODS` lists the
methods by their names in the literature and in `score_novelty(method=...)`. A custom method is a `Method`.
"""

from openshape_ood.scoring.methods import (
    DEFAULTS,
    METHODS,
    Method,
    default_method,
    find_method,
    judge,
    judge_similarities,
)
from openshape_ood.scoring.scorers import Judgement, Scorer

__all__ = [
    "DEFAULTS",
    "METHODS",
    "Judgement",
    "Method",
    "Scorer",
    "default_method",
    "find_method",
    "judge",
    "judge_similarities",
]

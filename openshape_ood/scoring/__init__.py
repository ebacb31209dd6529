"""Methods: known classes in, a scorer out, which judges rows. Larger novelty is more novel.

`text_scores`, `distances`, `patch_scores` and `fusion` hold the formulas as functions of arrays; `METHODS` the methods
by the names under which the literature and `score_novelty(method=...)` know them. A method of one's own is a `Method`.
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

"""Methods of scoring. A method fits a scorer to known classes; the scorer gives each row a novelty.

`text_scores`, `distances`, `patch_scores` and `fusion` contain the formulas as functions of arrays. The keys of
`METHODS` are the names in the literature and in `score_novelty(method=...)`. A custom method is a `Method` object.
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

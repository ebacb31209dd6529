"""Methods: known classes in, a scorer out, which judges rows. Larger novelty is more novel.

`text_scores`, `distances`, `patch_scores` and `fusion` hold the formulas as functions of arrays; `METHODS` the methods
by the names under which the literature and `score_novelty(method=...)` know them. A method of one's own is a `Method`.
"""

from openshape_ood.scoring.method import Judgement, Method, Scorer
from openshape_ood.scoring.methods import DEFAULTS, METHODS, default_method, find_method, judge

__all__ = ["DEFAULTS", "METHODS", "Judgement", "Method", "Scorer", "default_method", "find_method", "judge"]

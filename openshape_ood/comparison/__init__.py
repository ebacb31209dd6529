"""Learned comparators: are these two of one class? Methods that were trained on pairs of other classes.

`families` holds what they compare by, from the plain cosine to the relation network of `network`; `pairs`, `losses` and
`training` how that is trained; `released` reads the published files.
"""

from openshape_ood.comparison.comparator import Comparator
from openshape_ood.comparison.families import FAMILIES, Cosine, PairMetric, Plda, RelationSimilarity, WhitenedCosine

__all__ = ["FAMILIES", "Comparator", "Cosine", "PairMetric", "Plda", "RelationSimilarity", "WhitenedCosine"]

"""Learned comparators: methods trained on pairs of other classes to tell whether two shapes share a class.

`families` holds the similarities, from the plain cosine to the relation network of `network`; `pairs`, `losses` and
`training` train them; `released` reads the published files.
"""

from openshape_ood.comparison.comparator import Comparator
from openshape_ood.comparison.families import FAMILIES, Cosine, PairMetric, Plda, RelationSimilarity, WhitenedCosine

__all__ = ["FAMILIES", "Comparator", "Cosine", "PairMetric", "Plda", "RelationSimilarity", "WhitenedCosine"]

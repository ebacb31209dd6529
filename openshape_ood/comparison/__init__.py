"""Learned comparators: methods that decide if two shapes have the same class, trained on pairs of other classes.

`families` contains the similarities, from the plain cosine to the relation network of `network`. `pairs`, `losses` and
`training` train them. `released` reads published files.
"""

from openshape_ood.comparison.comparator import Comparator
from openshape_ood.comparison.families import FAMILIES, Cosine, PairMetric, Plda, RelationSimilarity, WhitenedCosine

__all__ = ["FAMILIES", "Comparator", "Cosine", "PairMetric", "Plda", "RelationSimilarity", "WhitenedCosine"]

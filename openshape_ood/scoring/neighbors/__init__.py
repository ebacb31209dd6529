"""Nearest rows of a bank: exactly and in bounded memory (`nearest`), or approximately, and measured (`Index`).

`exact` holds the exact search, `index` that by faiss; `measures` the distances of both, `tables` how queries and rows
are checked and read.
"""

from openshape_ood.scoring.neighbors.exact import nearest
from openshape_ood.scoring.neighbors.index import Index
from openshape_ood.scoring.neighbors.measures import METRICS

__all__ = ["METRICS", "Index", "nearest"]

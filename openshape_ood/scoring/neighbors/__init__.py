"""Nearest rows: exact in bounded memory (`nearest`), or approximate by faiss with measured recall (`Index`)."""

from openshape_ood.scoring.neighbors.exact import METRICS, nearest, spread_out
from openshape_ood.scoring.neighbors.index import Index

__all__ = ["METRICS", "Index", "nearest", "spread_out"]

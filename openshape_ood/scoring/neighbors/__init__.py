"""Nearest rows: exactly and in bounded memory (`nearest`), or approximately by faiss, and measured (`Index`)."""

from openshape_ood.scoring.neighbors.exact import METRICS, nearest, spread_out
from openshape_ood.scoring.neighbors.index import Index

__all__ = ["METRICS", "Index", "nearest", "spread_out"]

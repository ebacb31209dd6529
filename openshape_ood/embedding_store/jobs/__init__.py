"""Embedding of many shape files, on this machine or on many machines with Ray (extras [parquet], [ray]).

`job` is one run, `shards` is the part that all engines share, and `on_ray` is the engine for many machines.
"""

from openshape_ood.embedding_store.jobs.job import ENGINES, embed
from openshape_ood.embedding_store.jobs.on_ray import Cluster
from openshape_ood.embedding_store.jobs.settings import Item, Settings, ShapeList, Share, Summary, is_list

__all__ = ["ENGINES", "Cluster", "Item", "Settings", "ShapeList", "Share", "Summary", "embed", "is_list"]

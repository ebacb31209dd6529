"""Embedding of many shape files: on this machine, or on many with Ray (extras [parquet], [ray]).

`job` is one run, `shards` the part that all engines share, `on_ray` the engine for many machines.
"""

from openshape_ood.embedding_store.jobs.job import ENGINES, embed
from openshape_ood.embedding_store.jobs.on_ray import Cluster
from openshape_ood.embedding_store.jobs.settings import Item, Settings, ShapeList, Share, Summary, is_list

__all__ = ["ENGINES", "Cluster", "Item", "Settings", "ShapeList", "Share", "Summary", "embed", "is_list"]

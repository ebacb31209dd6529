"""Many shape files into a table of embeddings: on this machine, or on many with Ray (extras [parquet], [ray]).

`running` is one run, `work` what every engine does beside an encoder, `local` and `on_ray` the engines, `lists` the
lists of shapes.
"""

from openshape_ood.embedding_store.jobs.cluster import Cluster
from openshape_ood.embedding_store.jobs.lists import is_list, read_list
from openshape_ood.embedding_store.jobs.running import ENGINES, embed
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Summary

__all__ = ["ENGINES", "Cluster", "Item", "Settings", "Summary", "embed", "is_list", "read_list"]

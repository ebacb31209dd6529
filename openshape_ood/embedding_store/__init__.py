"""Tables of embeddings: folders of Parquet that many workers write and everything reads (extra [parquet]).

`arrow` holds the schema, `parts` what is written and read, `manifest` what a folder is made with, `asking` known
classes, nearest rows and novelty from a table.
"""

from openshape_ood.embedding_store.manifest import locked, open_folder, read_manifest
from openshape_ood.embedding_store.query import Scored, known_from, nearest, score_table
from openshape_ood.embedding_store.schema import COLUMNS, FORMAT, Origin, check_parquet, schema
from openshape_ood.embedding_store.shards import (
    Counts,
    Failed,
    Part,
    forget_errors,
    origin_of,
    part_name,
    read_embeddings,
    read_errors,
    settle,
    write_part,
    written,
    written_ids,
)

__all__ = [
    "COLUMNS",
    "FORMAT",
    "Counts",
    "Failed",
    "Origin",
    "Part",
    "Scored",
    "check_parquet",
    "forget_errors",
    "known_from",
    "locked",
    "nearest",
    "open_folder",
    "origin_of",
    "part_name",
    "read_embeddings",
    "read_errors",
    "read_manifest",
    "schema",
    "score_table",
    "settle",
    "write_part",
    "written",
    "written_ids",
]

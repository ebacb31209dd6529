"""Stored embeddings: one schema in .parquet, .npz, .safetensors and folders of shards.

`schema` defines rows and header, `parquet` and `arrays` write them, `files` reads any of them, `folder` manages shards
of many writing processes, `query` gives known classes, nearest rows and novelty, `jobs` fills a store.
"""

from openshape_ood.embedding_store.files import read_embeddings, read_errors, read_header, write_embeddings
from openshape_ood.embedding_store.query import Scored, known_from, nearest, score_store
from openshape_ood.embedding_store.schema import COLUMNS, Failed, Header, Rows

__all__ = [
    "COLUMNS",
    "Failed",
    "Header",
    "Rows",
    "Scored",
    "known_from",
    "nearest",
    "read_embeddings",
    "read_errors",
    "read_header",
    "score_store",
    "write_embeddings",
]

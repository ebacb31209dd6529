"""Stored embeddings: one schema for .parquet, .npz, .safetensors and folders of shards.

`schema` defines rows and header. `parquet` and `arrays` write them, and `files` reads all kinds. `folder` manages
shards that many processes write. `query` gives known classes, nearest rows and novelty. `jobs` embeds shapes into a
store.
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

"""Embeddings that are stored, searched and scored: one schema in .parquet, .npz, .safetensors and folders of shards.

`schema` says what a row and the header are, `parquet` and `arrays` how they are written, `files` reads any of them,
`folder` is what many processes write at once, `query` asks: known classes, nearest rows, novelty; `jobs` fills it.
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

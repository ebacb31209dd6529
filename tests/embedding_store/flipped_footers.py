"""`python flipped_footers.py FILE FOLDER`: read a Parquet store with one of every 67 bits of its footer flipped."""

from __future__ import annotations

import sys
from pathlib import Path

from openshape_ood import embedding_store
from openshape_ood.errors import OpenShapeError

if __name__ == "__main__":
    data, path, refused = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]) / "flipped.parquet", 0
    length = int.from_bytes(data[-8:-4], "little")
    for bit in range(0, 8 * length, 67):
        changed = bytearray(data)
        changed[len(data) - 8 - length + bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            embedding_store.read_header(path)
            for _ in embedding_store.read_embeddings(path):
                pass
        except OpenShapeError:
            refused += 1
    print(f"refused {refused}")

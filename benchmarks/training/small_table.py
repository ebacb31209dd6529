"""Write the table of names of `small`: centered CLIP vectors, float16, with the names that it was trained with.

    python -m benchmarks.training.small_table PACK CLIP --out names.safetensors

PACK and CLIP are as in `benchmarks.training.train_small`. The table has every name of CLIP's features, its spellings,
and every trained name with another name's entry.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.object_pack import read_pack
from benchmarks.training.small_names import class_words, read_table
from benchmarks.training.vocabulary import trained_categories
from openshape_ood.storage import replacing

NEAR = 0.5  # a name gives a warning if its cosine with the nearest trained name is smaller


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.small_table", description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--accuracy", type=Path, help="JSON of evaluate_small; its accuracy by name is stored")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    table = read_table(args.clip)
    trained = [w.casefold() for ws in class_words(trained_categories(), read_pack(args.pack)) for w in ws]
    words = dict(table.words)
    for word in trained:
        entry = table.find(word)
        if entry is not None:
            words.setdefault(word, entry)
    names = sorted(words)
    kept = sorted(set(words.values()))
    place = {entry: i for i, entry in enumerate(kept)}
    arrays: dict[str, np.ndarray] = {
        "vectors": table.vectors[kept].astype(np.float16),
        "row": np.array([place[words[name]] for name in names], dtype=np.int32),
        "mean": table.mean.astype(np.float32),
    }
    known = sorted({name for name in trained if name in words})
    metadata = {"names": json.dumps(names), "trained_names": json.dumps(known), "near": str(NEAR)}
    if args.accuracy:
        content = json.loads(args.accuracy.read_text(encoding="utf-8"))
        metadata["accuracy"] = json.dumps(content["accuracy_by_name"])
    with replacing(args.out) as partial:
        save_file(arrays, partial, metadata=metadata)
    print(f"{args.out}: {len(names):,} names, {len(kept):,} vectors, {len(known)} trained names")


if __name__ == "__main__":
    main()

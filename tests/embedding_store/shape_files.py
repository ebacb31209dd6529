"""Small shape files for the engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openshape_ood.cli.inputs import list_items
from openshape_ood.embedding_store.jobs import Item
from openshape_ood.synthetic import generate, sample

BROKEN = "odd/broken.ply"
NAMES = ("chair", "lamp", "table", "guitar")


def write_files(folder: Path, count: int) -> list[Item]:
    """Every other one a mesh, the others clouds, in a folder a class; and at the end a broken one, odd/broken.ply."""
    for i in range(count):
        path = folder / NAMES[i % len(NAMES)] / f"{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % 2:
            np.save(path.with_suffix(".npy"), sample(NAMES[i % len(NAMES)], 400, i))
            continue
        mesh = generate(NAMES[i % len(NAMES)], i)
        lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in mesh.vertices]
        lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
        path.with_suffix(".obj").write_text("\n".join(lines))
    (folder / "odd").mkdir()
    (folder / "odd" / "broken.ply").write_text("no")
    return sorted(list_items([str(folder)]).items, key=lambda item: (item.id == BROKEN, item.id))

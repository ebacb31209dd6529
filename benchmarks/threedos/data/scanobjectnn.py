"""ScanObjectNN in the 3DOS release: 2,890 scanned objects of 15 classes, with background, y up, 2,048 points each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.threedos.data.h5 import H5Shape, index
from benchmarks.threedos.splits import ObjectClass

CLASSES = (
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door",
    "shelf", "table", "bed", "pillow", "sink", "sofa", "toilet",
)  # fmt: skip
SPLIT = "main_split"
NAME = "objectdataset.h5"  # objects with background
POINTS = 2048
PARTS = ("training", "test")


def path_of(root: Path, part: str) -> Path:
    """Path of a part, "training" or "test"."""
    return root / "ScanObjectNN" / "h5_files" / SPLIT / f"{part}_{NAME}"


def rows(root: Path, parts: Iterable[str], classes: Iterable[ObjectClass]) -> tuple[H5Shape, ...]:
    """Objects of these classes, part by part, in the order of the files."""
    titles = {CLASSES.index(scanned): c.title for c in classes for scanned in c.scanobjectnn}
    shapes: list[H5Shape] = []
    for path in (path_of(root, part) for part in parts):
        _, labels = index(path, POINTS, len(CLASSES))
        shapes += [H5Shape(titles[i], f"{path.name}#{row}", path, row) for row, i in enumerate(labels) if i in titles]
    return tuple(shapes)

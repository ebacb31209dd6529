"""ScanObjectNN in the 3DOS release: 2,890 scanned objects of 15 classes, with background, y up, 2,048 points each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.threedos.data.h5 import H5Row, index
from benchmarks.threedos.splits import ObjectClass

CLASSES = (
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door",
    "shelf", "table", "bed", "pillow", "sink", "sofa", "toilet",
)  # fmt: skip
FOLDER = "ScanObjectNN"
SPLIT = "main_split"
NAME = "objectdataset.h5"  # objects with background
POINTS = 2048
PARTS = ("training", "test")


def path_of(root: Path, part: str, split: str = SPLIT, name: str = NAME) -> Path:
    """Where the file of a part, "training" or "test", is expected."""
    return root / FOLDER / "h5_files" / split / f"{part}_{name}"


def rows(
    root: Path, parts: Iterable[str], classes: Iterable[ObjectClass], split: str = SPLIT, name: str = NAME
) -> tuple[H5Row, ...]:
    """The objects of some classes in file order, one part after the other. Raises `ShapeFileError`."""
    titles = {CLASSES.index(scanned): c.title for c in classes for scanned in c.scanobjectnn}
    found: list[H5Row] = []
    for part in parts:
        path = path_of(root, part, split, name)
        _, labels = index(path, POINTS, len(CLASSES))
        found += [H5Row(titles[i], f"{path.name}#{row}", path, row) for row, i in enumerate(labels) if i in titles]
    return tuple(found)

"""ShapeNetCore v2 in the 3DOS release: `sncore_fps_4096`, models of 4,096 points, y up, in three splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.threedos.data.h5 import LAYOUT, H5Shape, index
from benchmarks.threedos.splits import ObjectClass, load_split, split_names
from openshape_ood.errors import ShapeFileError

FOLDER = "sncore_fps_4096"
POINTS = 4096
PARTS = ("train", "val", "test")
KINDS = ("lidar", "occlusion")
CORRUPTED = "sncore_corrupted_v2"
SEVERITIES = (1, 2, 3, 4, 5)
# 3DOS maps cell phones to telephones, but only after the selection of classes. Its published sets have no cell phones
# (github.com/antoalli/3D_OS, datasets/sncore_4k.py).
CELL_PHONE = "02992529"


def paths_of(root: Path, part: str) -> tuple[Path, Path, Path]:
    """Paths of the clouds, synset ids and model ids of a split: "train", "val" or "test"."""
    return _three(root / FOLDER, f"sncore_{part}_{POINTS}")


def corrupted_paths(root: Path) -> tuple[tuple[Path, Path, Path], ...]:
    """Paths of the corrupted copies of the train split, for each kind and severity."""
    folder = root / FOLDER / CORRUPTED
    return tuple(_three(folder / kind, f"sncore_{kind}_sev{s}_train") for kind in KINDS for s in SEVERITIES)


def _three(folder: Path, stem: str) -> tuple[Path, Path, Path]:
    return folder / f"{stem}_points.h5", folder / f"{stem}_sids.json", folder / f"{stem}_mids.json"


def rows(root: Path, part: str, classes: Iterable[ObjectClass]) -> tuple[H5Shape, ...]:
    """Models of these classes in a split, in the order of the file."""
    return tuple(_rows(paths_of(root, part), classes, POINTS))


def corrupted(root: Path, classes: Iterable[ObjectClass]) -> tuple[H5Shape, ...]:
    """Corrupted copies of the models of these classes in the train split."""
    wanted = tuple(classes)
    return tuple(row for paths in corrupted_paths(root) for row in _rows(paths, wanted, None, f"{paths[0].stem}#"))


def _rows(
    paths: tuple[Path, Path, Path], classes: Iterable[ObjectClass], points: int | None, prefix: str = ""
) -> Iterator[H5Shape]:
    """Yield the shapes of these classes; an id consists of `prefix`, synset and model."""
    clouds, synset_path, model_path = paths
    titles = {synset: c.title for c in classes for synset in c.shapenet}
    count, _ = index(clouds, points)
    synsets, models = (_strings(path, count, clouds) for path in (synset_path, model_path))
    categories = {s for name in split_names("synthetic") for c in load_split(name).classes for s in c.shapenet}
    if unknown := sorted(set(synsets) - categories - {CELL_PHONE}):
        row = synsets.index(unknown[0])
        raise ShapeFileError(f"{synset_path} has the unknown category {unknown[0]!r} in row {row}; expected one of 55")
    for row, (synset, model) in enumerate(zip(synsets, models, strict=True)):
        if synset in titles:
            yield H5Shape(titles[synset], f"{prefix}{synset}/{model}", clouds, row)


def _strings(path: Path, count: int, clouds: Path) -> list[str]:
    """Read a JSON list of `count` strings."""
    if not path.is_file():
        raise ShapeFileError(f"there is no {path}; {LAYOUT}")
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ShapeFileError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(ids, list) or not all(isinstance(word, str) for word in ids):
        raise ShapeFileError(f"{path} is no JSON list of strings")
    if len(ids) != count:
        raise ShapeFileError(f"{path} has {len(ids)} ids, but {clouds} has {count} clouds")
    return ids

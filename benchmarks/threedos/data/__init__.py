"""Readers of the 3DOS release, which give the objects of a benchmark run.

Layout of the files, role of the sets and order of the objects are those of 3DOS:
github.com/antoalli/3D_OS, `download_data.sh`, `datasets/`, `classifiers/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.threedos.data import modelnet, scanobjectnn, shapenet
from benchmarks.threedos.objects import BenchmarkData, Objects, Shape
from benchmarks.threedos.splits import Split
from openshape_ood.errors import InputError, ShapeFileError

__all__ = ["corrupted_support", "index_sets", "load"]

SCANS = f"ScanObjectNN {scanobjectnn.SPLIT}/{scanobjectnn.NAME}"


def load(split: Split, root: Path, *, cache: Path | None = None, progress: bool = True) -> BenchmarkData:
    """Load the objects of a benchmark from `root`; classes without objects are listed in `absent`."""
    sets, source = index_sets(split, root, cache=cache, progress=progress)
    supported, tested = (set(sets[part].titles) for part in ("support", "known"))
    novel = set(sets["novel1"].titles) | set(sets["novel2"].titles)
    known = tuple(c for c in split.known if c.title in supported & tested)
    if not known or not novel:
        what = "novel classes" if known else "known classes, for both support and test"
        raise ShapeFileError(f"{root} has no objects of {split.name}'s {what}")
    complete = {c.title for c in known} | novel
    return BenchmarkData(
        source=source,
        generated=False,
        known=known,
        support=sets["support"].of(known),
        test_known=sets["known"].of(known),
        novel1=sets["novel1"],
        novel2=sets["novel2"],
        validation=sets["validation"].of(known),
        absent=tuple(c.title for c in split.classes if c.title not in complete),
    )


def index_sets(
    split: Split, root: Path, *, cache: Path | None = None, progress: bool = True
) -> tuple[dict[str, Objects], str]:
    """Objects in `root` by set, in the order of 3DOS, and their source in words. cache: folder for parsed text."""
    if not root.is_dir():
        raise ShapeFileError(f"no folder {root}; expected the unpacked 3DOS release, see benchmarks/README.md")
    tests: dict[str, Sequence[Shape]]
    support: Sequence[Shape]
    validation: Sequence[Shape] = ()
    classes = {"known": split.known, "novel1": split.novel1, "novel2": split.novel2}
    if split.track == "synthetic to real":  # the accuracy that 3DOS prints depends on the order of the support
        support, where = modelnet.shapes(root, split, "train", cache, progress)
        if modelnet.is_there(root, split, "test"):
            validation, _ = modelnet.shapes(root, split, "test", cache, progress)
        tests = {part: scanobjectnn.rows(root, scanobjectnn.PARTS, of) for part, of in classes.items()}
        source = f"ModelNet40 train ({where}), {SCANS}, both files"
    elif split.track == "synthetic":
        support, validation = (shapenet.rows(root, part, split.known) for part in ("train", "val"))
        tests = {part: shapenet.rows(root, "test", of) for part, of in classes.items()}
        source = "ShapeNetCore v2, train and test split"
    else:
        support, validation = _held_out(scanobjectnn.rows(root, ["training"], split.known))
        parts = {"known": ("test",), "novel1": scanobjectnn.PARTS, "novel2": scanobjectnn.PARTS}
        tests = {part: scanobjectnn.rows(root, parts[part], of) for part, of in classes.items()}
        source = f"{SCANS}: training file as support, test file and all novel objects as test"
    sets = {"support": support, "validation": validation} | tests
    return {name: Objects(tuple(shapes)) for name, shapes in sets.items()}, source


def corrupted_support(split: Split, root: Path) -> Objects:
    """Corrupted copies of the support in the release: lidar and occlusion, in several severities."""
    if split.track == "real":
        raise InputError(f"{split.name} has no corrupted copies, because its support shapes are scans")
    synthetic = split.track == "synthetic"
    return Objects(shapenet.corrupted(root, split.known) if synthetic else modelnet.corrupted(root, split))


def _held_out(shapes: Sequence[Shape]) -> tuple[Sequence[Shape], Sequence[Shape]]:
    """Split off a tenth for validation, with the random draw and order of trainer_ddp_cla_r2r.py."""
    from sklearn.model_selection import train_test_split

    held_out = int(len(shapes) * 10 / 100)
    if not held_out:
        return shapes, ()
    kept, drawn = train_test_split(list(range(len(shapes))), test_size=held_out, shuffle=True, random_state=42)
    return [shapes[i] for i in kept], [shapes[i] for i in drawn]

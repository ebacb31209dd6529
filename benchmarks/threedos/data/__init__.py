"""The data sets of 3DOS in the folders of its release, as the objects of a benchmark run.

Layout, roles and order: github.com/antoalli/3D_OS, `download_data.sh`, `datasets/`, `classifiers/`. An indexed
shape is a few words; its cloud is read when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.threedos.data import modelnet, scanobjectnn, shapenet
from benchmarks.threedos.objects import BenchmarkData, Objects, Shape
from benchmarks.threedos.splits import Split
from openshape_ood.errors import InputError, ShapeFileError

__all__ = ["corrupted_support", "index_sets", "load"]

_Sets = dict[str, Objects]


def load(split: Split, root: Path, *, cache: Path | None = None, progress: bool = True) -> BenchmarkData:
    """The objects of a benchmark below `root`, each set in the order that the original has it in.

    cache: a folder of ours where ModelNet40's text files are kept parsed; None reads the text each time. A class
    without an object that it needs is left out and named in `absent`. Raises `ShapeFileError` naming what is
    missing, unreadable or of an odd shape, and where nothing known or nothing novel is left.
    """
    sets, source = index_sets(split, root, cache=cache, progress=progress)
    return _benchmark(split, root, sets, source)


def index_sets(
    split: Split, root: Path, *, cache: Path | None = None, progress: bool = True
) -> tuple[dict[str, Objects], str]:
    """Everything that `root` has for a benchmark: "support", "validation", "known", "novel1", "novel2", and in a
    few words where it comes from. Arguments and errors as in `load`, but nothing is left out."""
    if not root.is_dir():
        raise ShapeFileError(f"no folder {root}; expected the unpacked 3DOS release, see benchmarks/README.md")
    if split.track == "synthetic to real":
        return _synthetic_to_real(split, root, cache, progress)
    return _synthetic(split, root) if split.track == "synthetic" else _real(split, root)


def corrupted_support(split: Split, root: Path) -> Objects:
    """Copies of the support as 3DOS made them: as a lidar sees it, and occluded, in several severities.

    Raises `InputError` for a benchmark that has none, `ShapeFileError` naming what is missing.
    """
    if split.track == "real":
        raise InputError(f"{split.name} has no corrupted copies: its support are scans")
    if split.track == "synthetic":
        return Objects(shapenet.corrupted(root, split.known))
    return Objects(modelnet.corrupted(root, split))


def _synthetic_to_real(split: Split, root: Path, cache: Path | None, progress: bool) -> tuple[_Sets, str]:
    """CAD models are known by, scans of both files are tested; the order of the support decides what 3DOS prints
    as accuracy with prototypes."""
    support, where = modelnet.shapes(root, split, "train", cache, progress)
    validation: Sequence[Shape] = ()
    if modelnet.is_there(root, split, "test"):
        validation, _ = modelnet.shapes(root, split, "test", cache, progress)
    parts = {"known": split.known, "novel1": split.novel1, "novel2": split.novel2}
    tests = {part: Objects(scanobjectnn.rows(root, scanobjectnn.PARTS, classes)) for part, classes in parts.items()}
    source = f"ModelNet40 train ({where}), ScanObjectNN {_scans()}, both files"
    return {"support": Objects(tuple(support)), "validation": Objects(tuple(validation))} | tests, source


def _synthetic(split: Split, root: Path) -> tuple[_Sets, str]:
    """CAD models throughout: the train split is known by, the test split is tested."""
    return {
        "support": Objects(shapenet.rows(root, "train", split.known)),
        "validation": Objects(shapenet.rows(root, "val", split.known)),
        "known": Objects(shapenet.rows(root, "test", split.known)),
        "novel1": Objects(shapenet.rows(root, "test", split.novel1)),
        "novel2": Objects(shapenet.rows(root, "test", split.novel2)),
    }, "ShapeNetCore v2, train and test split"


def _real(split: Split, root: Path) -> tuple[_Sets, str]:
    """Scans throughout: the training file less a tenth is known by, the test file and all novel ones are tested."""
    support, validation = _held_out(scanobjectnn.rows(root, ["training"], split.known))
    return {
        "support": Objects(support),
        "validation": Objects(validation),
        "known": Objects(scanobjectnn.rows(root, ["test"], split.known)),
        "novel1": Objects(scanobjectnn.rows(root, scanobjectnn.PARTS, split.novel1)),
        "novel2": Objects(scanobjectnn.rows(root, scanobjectnn.PARTS, split.novel2)),
    }, f"ScanObjectNN {_scans()}: training file as support, test file and all novel objects as test"


def _held_out(shapes: Sequence[Shape]) -> tuple[tuple[Shape, ...], tuple[Shape, ...]]:
    """All but a tenth, and the tenth, drawn and ordered as the original does (trainer_ddp_cla_r2r.py)."""
    from sklearn.model_selection import train_test_split

    held_out = int(len(shapes) * 10 / 100)
    if not held_out:
        return tuple(shapes), ()
    kept, drawn = train_test_split(list(range(len(shapes))), test_size=held_out, shuffle=True, random_state=42)
    return tuple(shapes[i] for i in kept), tuple(shapes[i] for i in drawn)


def _scans() -> str:
    return f"{scanobjectnn.SPLIT}/{scanobjectnn.NAME}"


def _benchmark(split: Split, root: Path, sets: _Sets, source: str) -> BenchmarkData:
    """What is left of the sets without the classes that lack objects."""
    supported, tested = (set(sets[part].titles) for part in ("support", "known"))
    novel = set(sets["novel1"].titles) | set(sets["novel2"].titles)
    known = tuple(c for c in split.known if c.title in supported & tested)
    if not known or not novel:
        what = "novel classes to test" if known else "known classes both to know them by and to test"
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

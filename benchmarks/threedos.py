"""The real data: ModelNet40 as support, ScanObjectNN as test, in the folder layout of the 3DOS release.

Support is the train split of `modelnet40_normal_resampled`; test are both files of ScanObjectNN's
main_split/objectdataset (objects with background), 2,890 objects. Both are y up.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.objects import BenchmarkData, Objects, collect
from benchmarks.splits import ObjectClass, Split
from openshape_ood.errors import ShapeFileError

SCANOBJECTNN = (
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door",
    "shelf", "table", "bed", "pillow", "sink", "sofa", "toilet",
)  # fmt: skip


def load(split: Split, root: Path, progress: bool = True) -> BenchmarkData:
    """The benchmark's objects below `root`; classes without an object are left out and named."""
    if not root.is_dir():
        raise ShapeFileError(f"no folder {root}; expected the unpacked 3DOS release, see benchmarks/README.md")
    scans = _read_scans(root / "ScanObjectNN" / "h5_files" / "main_split")
    support = {c.title: _read_modelnet(root / "modelnet40_normal_resampled", c, progress) for c in split.known}
    tests = {c.title: _of_class(scans, c) for c in split.known + split.novel1 + split.novel2}
    known = tuple(c for c in split.known if support[c.title] and tests[c.title])
    everything = split.known + split.novel1 + split.novel2
    if not known or not any(tests[c.title] for c in split.novel1 + split.novel2):
        raise ShapeFileError(f"{root} has no objects of {split.name}'s {'novel' if known else 'known'} classes to test")
    return BenchmarkData(
        source=f"ModelNet40 train, ScanObjectNN main_split objectdataset train + test, in {root}",
        known=known,
        support=collect([(c.title, support[c.title]) for c in known]),
        test_known=_collect(known, tests),
        novel1=_collect(split.novel1, tests),
        novel2=_collect(split.novel2, tests),
        absent=tuple(c.title for c in everything if not tests[c.title] or not support.get(c.title, [True])),
    )


def _collect(classes: Iterable[ObjectClass], tests: dict[str, list[np.ndarray]]) -> Objects:
    return collect([(c.title, tests[c.title]) for c in classes])


def _read_scans(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Clouds (n, 2048, 3) and labels (n,) of the training file, then the test file."""
    parts = [_read_h5(folder / f"{part}_objectdataset.h5") for part in ("training", "test")]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _read_h5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    if not path.is_file():
        raise ShapeFileError(f"there is no {path}; expected the layout of the 3DOS release, see benchmarks/README.md")
    try:
        with h5py.File(path) as file:
            clouds, labels = np.asarray(file["data"]), np.asarray(file["label"]).ravel()
    except (OSError, KeyError) as error:
        raise ShapeFileError(f"cannot read {path} as ScanObjectNN h5 (data, label): {error}") from error
    if clouds.shape != (len(labels), 2048, 3):
        raise ShapeFileError(f"{path} has data {clouds.shape} and label {labels.shape}; expected (n, 2048, 3) and (n,)")
    if not np.isin(labels, np.arange(len(SCANOBJECTNN))).all():
        raise ShapeFileError(f"{path} has labels outside 0 to {len(SCANOBJECTNN) - 1}")
    return clouds, labels


def _of_class(scans: tuple[np.ndarray, np.ndarray], c: ObjectClass) -> list[np.ndarray]:
    wanted = [SCANOBJECTNN.index(name) for name in c.scanobjectnn]
    return list(scans[0][np.isin(scans[1], wanted)])


def _read_modelnet(folder: Path, c: ObjectClass, progress: bool) -> list[np.ndarray]:
    """Clouds (10000, 3) of the class's shapes in the train split."""
    from tqdm import tqdm

    listing = folder / "modelnet40_train.txt"
    try:
        ids = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise ShapeFileError(f"cannot read the split {listing}: {error.strerror}") from error
    paths = [folder / name / f"{i}.txt" for i in ids for name in c.modelnet40 if i.rpartition("_")[0] == name]
    return [_read_txt(path) for path in tqdm(paths, desc=c.title, unit="shape", disable=not progress, leave=False)]


def _read_txt(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings(action="error"):  # of an empty file, numpy only warns
            return np.loadtxt(path, delimiter=",", usecols=(0, 1, 2), dtype=np.float32)
    except (OSError, ValueError, UserWarning) as error:
        raise ShapeFileError(f"cannot read {path} as ModelNet40 text (x, y, z, normal): {error}") from error

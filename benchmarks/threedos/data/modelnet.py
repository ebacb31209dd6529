"""ModelNet40 in the 3DOS release: CAD models of 10,000 points, y up, as text or in the h5 cache files of 3DOS."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.threedos.data.h5 import LAYOUT, H5Shape, index
from benchmarks.threedos.objects import Shape
from benchmarks.threedos.splits import Split
from benchmarks.threedos.store import forget_abandoned
from openshape_ood.errors import InputError, ShapeFileError
from openshape_ood.storage import replacing

FOLDER = "modelnet40_normal_resampled"
CACHES = f"{FOLDER}/ood_sets_cache"
CORRUPTED = "ModelNet40_corrupted"
PARTS = ("train", "test")
KINDS = ("lidar", "occlusion")
SEVERITIES = (1, 2, 3, 4)
# benchmark -> names of its known set in the cache files of 3DOS and in those of the corrupted copies
SETS = {"sr1": ("SR1", "set1"), "sr2": ("SR2", "set2")}


@dataclass(frozen=True, slots=True)
class TextShape:
    """A text file with one point per line: x, y, z and a normal, comma-separated; normals are not read."""

    title: str
    id: str
    path: Path

    def read(self) -> np.ndarray:
        try:
            text = self.path.read_text(encoding="ascii")
            if not text.strip():
                raise ValueError("it is empty")
            style: dict[str, Any] = {"delimiter": ",", "usecols": (0, 1, 2), "comments": None, "ndmin": 2}
            return np.loadtxt(io.StringIO(text), dtype=np.float32, **style)
        except (OSError, ValueError) as error:
            raise ShapeFileError(f"cannot read {self.path} as ModelNet40 text (x, y, z, normal): {error}") from error


def listing(root: Path, part: str) -> Path:
    """Path of the file that lists the shapes of a split, "train" or "test"."""
    return root / FOLDER / f"modelnet40_{part}.txt"


def original_cache(root: Path, split: Split, part: str) -> Path | None:
    """Path of the cache file of 3DOS for the known classes; None if the benchmark has none."""
    return root / CACHES / f"{SETS[split.name][0]}_{part}.h5" if split.name in SETS else None


def corrupted_paths(root: Path, split: Split) -> tuple[Path, ...]:
    """Paths of the corrupted copies of the support, by kind and severity."""
    if split.name not in SETS:
        raise InputError(f"{split.name} has no corrupted copies of ModelNet40; those that have: {', '.join(SETS)}")
    stem = f"modelnet_{SETS[split.name][1]}_train"
    return tuple(root / CORRUPTED / kind / f"{stem}_{kind}_sev{s}.h5" for kind in KINDS for s in SEVERITIES)


def is_there(root: Path, split: Split, part: str) -> bool:
    """True if the cache file of 3DOS or the text files of a split exist."""
    original = original_cache(root, split, part)
    return bool(original and original.is_file()) or listing(root, part).is_file()


def shapes(
    root: Path, split: Split, part: str, cache: Path | None = None, progress: bool = True
) -> tuple[Sequence[Shape], str]:
    """Shapes of the known classes in the order of the split, and their source: cache file of 3DOS, or text files."""
    original = original_cache(root, split, part)
    if original and original.is_file():
        return _labeled(original, split), original.name
    texts = _listed(root, split, part)
    if cache is None or not texts:
        return texts, "text files"
    # the hash of the folder in the name gives each folder its own cache file
    where = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    return _stored(cache / f"modelnet40_{split.name}_{part}_{where}.h5", texts, progress), "text files"


def corrupted(root: Path, split: Split) -> tuple[H5Shape, ...]:
    """The corrupted copies of the support."""
    return tuple(row for path in corrupted_paths(root, split) for row in _labeled(path, split))


def _labeled(path: Path, split: Split) -> tuple[H5Shape, ...]:
    """All clouds of an h5 file; its labels are indices of the split's known classes."""
    _, labels = index(path, labels=len(split.known))
    return tuple(H5Shape(split.known[i].title, f"{path.name}#{row}", path, row) for row, i in enumerate(labels))


def _listed(root: Path, split: Split, part: str) -> list[TextShape]:
    path = listing(root, part)
    try:
        ids = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ShapeFileError(f"cannot read the split {path}: {reason}; {LAYOUT}") from error
    titles = {name: c.title for c in split.known for name in c.modelnet40}
    names = [shape.rpartition("_")[0] for shape in ids]
    texts = [
        TextShape(titles[name], shape, root / FOLDER / name / f"{shape}.txt")
        for name, shape in zip(names, ids, strict=True)
        if name in titles
    ]
    missing = [text.path for text in texts if not text.path.is_file()]
    if missing:
        raise ShapeFileError(f"{path} lists {len(texts)} shapes, but {len(missing)} are missing: {missing[0]}")
    return texts


def _stored(path: Path, texts: Sequence[TextShape], progress: bool) -> tuple[H5Shape, ...]:
    """Clouds of the text files in our h5 cache. The cache is rebuilt if the text files have changed."""
    states = [(text.id, text.path.stat()) for text in texts]
    stamp = json.dumps([(name, state.st_size, state.st_mtime_ns) for name, state in states]).encode()
    starts = _starts(path, stamp) or _build(path, texts, stamp, progress)
    return tuple(H5Shape(t.title, t.id, path, *ends) for t, ends in zip(texts, pairwise(starts), strict=True))


def _starts(path: Path, stamp: bytes) -> list[int]:
    """Start of each cloud, and end of the last cloud; [] for a missing, damaged or outdated file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            starts = file["start"][:].tolist()
            whole = file["data"].shape == (starts[-1], 3) and file["made_from"][:].tobytes() == stamp
    except (OSError, KeyError, AttributeError, IndexError, ValueError, TypeError):
        return []
    return starts if whole else []


def _build(path: Path, texts: Sequence[TextShape], stamp: bytes, progress: bool) -> list[int]:
    """Parse the text files into an h5 file: data (all points, 3), start (shapes + 1,), made_from."""
    import h5py
    from tqdm import tqdm

    forget_abandoned(path.parent, f"{path.name}.*.partial")
    starts, data = [0], None
    try:
        with replacing(path) as partial, h5py.File(partial, "w") as file:
            for text in tqdm(texts, desc="ModelNet40 text", unit="shape", disable=not progress, leave=False):
                cloud = text.read()
                if data is None:  # chunks have the size of the first cloud
                    shape: dict[str, Any] = {"shape": (0, 3), "maxshape": (None, 3), "chunks": (len(cloud), 3)}
                    data = file.create_dataset("data", dtype="f4", fletcher32=True, **shape)
                starts.append(starts[-1] + len(cloud))
                data.resize(starts[-1], axis=0)
                data[starts[-2] :] = cloud
            file["start"], file["made_from"] = np.array(starts), np.frombuffer(stamp, np.uint8)
    except ShapeFileError:
        raise
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ShapeFileError(
            f"cannot write the cache {path}: {reason}. Expected a writable folder. Use --cache DIR, or --no-cache"
        ) from error
    return starts

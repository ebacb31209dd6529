"""The figures of a run on the release once more, from its cached embeddings, and without the benchmarks' own code.

Of `benchmarks/` only the table of classes is used. Files are read with h5py, json and numpy, embeddings are found by
the content of their cloud, distances are written out, metrics are written out or scikit-learn's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import load
from sklearn.metrics import balanced_accuracy_score, precision_recall_curve
from sklearn.model_selection import train_test_split

from benchmarks.threedos.splits import ObjectClass, Split

# in the order of the labels of ScanObjectNN's files: github.com/antoalli/3D_OS `datasets/scanobject.py`
SCANNED = (
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door",
    "shelf", "table", "bed", "pillow", "sink", "sofa", "toilet",
)  # fmt: skip

Clouds = list[tuple[str, np.ndarray]]  # (title of the class, cloud), in the order of the files


# ------------------------------------------------------------------ clouds


def read_release(split: Split, root: Path) -> dict[str, Clouds]:
    """Set -> its clouds, by the roles that 3DOS gives the files of its release."""
    if split.track == "synthetic to real":
        known_by = {"support": models(root, "train", split.known), "validation": models(root, "test", split.known)}
        parts = {"known": split.known, "novel1": split.novel1, "novel2": split.novel2}
        return known_by | {name: scans(root, ("training", "test"), classes) for name, classes in parts.items()}
    if split.track == "synthetic":
        known_by = {"support": shapenet(root, "train", split.known), "validation": shapenet(root, "val", split.known)}
        parts = {"known": split.known, "novel1": split.novel1, "novel2": split.novel2}
        return known_by | {name: shapenet(root, "test", classes) for name, classes in parts.items()}
    training = scans(root, ("training",), split.known)
    support, validation = train_test_split(training, test_size=int(len(training) * 10 / 100), random_state=42)
    novel = scans(root, ("training", "test"), split.novel1)
    return {"support": support, "validation": validation, "known": scans(root, ("test",), split.known), "novel1": novel}


def models(root: Path, part: str, classes: Sequence[ObjectClass]) -> Clouds:
    """ModelNet40's text files, in the order of their list."""
    title = {name: c.title for c in classes for name in c.modelnet40}
    folder = root / "modelnet40_normal_resampled"
    ids = (folder / f"modelnet40_{part}.txt").read_text(encoding="utf-8").split()
    named = [(i.rpartition("_")[0], i) for i in ids]
    return [
        (title[name], np.loadtxt(folder / name / f"{i}.txt", delimiter=",", dtype=np.float32)[:, :3])
        for name, i in named
        if name in title
    ]


def scans(root: Path, parts: Sequence[str], classes: Sequence[ObjectClass]) -> Clouds:
    title = {name: c.title for c in classes for name in c.scanobjectnn}
    found: Clouds = []
    for part in parts:
        with h5py.File(root / "ScanObjectNN" / "h5_files" / "main_split" / f"{part}_objectdataset.h5") as file:
            names = [SCANNED[label] for label in np.asarray(file["label"]).ravel()]
            found += [(title[n], cloud) for n, cloud in zip(names, file["data"][:], strict=True) if n in title]
    return found


def shapenet(root: Path, part: str, classes: Sequence[ObjectClass]) -> Clouds:
    title = {synset: c.title for c in classes for synset in c.shapenet}
    stem = root / "sncore_fps_4096" / f"sncore_{part}_4096"
    synsets = json.loads(Path(f"{stem}_sids.json").read_text(encoding="utf-8"))
    with h5py.File(f"{stem}_points.h5") as file:
        return [(title[s], cloud) for s, cloud in zip(synsets, file["data"][:], strict=True) if s in title]


# ------------------------------------------------------------------ embeddings


def key(cloud: np.ndarray) -> bytes:
    return hashlib.sha256(f"<f4{cloud.shape}".encode() + cloud.astype("<f4").tobytes()).digest()


def cached(cache: Path) -> dict[bytes, np.ndarray]:
    """Every embedding below a cache folder; a cloud must have the same one wherever it stands."""
    found: dict[bytes, np.ndarray] = {}
    for path in cache.rglob("*.safetensors"):
        shard = load(path.read_bytes())
        for name, z in zip(map(bytes, shard["keys"]), shard["embeddings"], strict=True):
            assert np.array_equal(found.setdefault(name, z), z), f"{path}: another embedding of the same cloud"
    return found


# ------------------------------------------------------------------ scores


@dataclass(frozen=True)
class Answer:
    """Novelty (b,) of the shapes of a set, and the title (b,) of the class each is nearest to."""

    novelty: np.ndarray
    nearest: np.ndarray


def answers(
    split: Split, release: Path, cache: Path, *, unit: bool, names: Mapping[str, np.ndarray] | None = None
) -> tuple[dict[str, dict[str, Answer]], dict[str, np.ndarray]]:
    """What names, prototypes and nearest example say of each set, and the true titles (b,) of each set.

    unit: directions are compared, else raw features. names: embedding (d,) of each name; without it, examples only.
    """
    embeddings = cached(cache)
    sets = read_release(split, release)
    titles = {part: np.array([title for title, _ in clouds]) for part, clouds in sets.items()}
    raw = {part: np.array([embeddings[key(c)] for _, c in clouds], dtype=np.float64) for part, clouds in sets.items()}
    z = {part: directions(rows) if unit else rows for part, rows in raw.items()}
    support, labels = z.pop("support"), titles["support"]
    known = np.array([c.title for c in split.known])
    means = np.array([support[labels == title].mean(axis=0) for title in known])
    found = {
        "prototypes": {part: nearest(q, directions(means) if unit else means, known) for part, q in z.items()},
        "nearest example": {part: nearest(q, support, labels) for part, q in z.items()},
    }
    if names:
        owners = np.array([c.title for c in split.known for _ in c.names])
        rows = directions(np.array([names[name] for c in split.known for name in c.names], dtype=np.float64))
        found["names"] = {part: by_cosine(directions(q), rows, owners) for part, q in z.items()}
    return found, titles


def directions(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nearest(queries: np.ndarray, rows: np.ndarray, owners: np.ndarray) -> Answer:
    """Distance to the nearest of the rows, and whose it is; query by query, so that equal ones get equal answers."""
    distances = np.array([np.linalg.norm(rows - q, axis=1) for q in queries])
    return Answer(distances.min(axis=1), owners[distances.argmin(axis=1)])


def by_cosine(queries: np.ndarray, rows: np.ndarray, owners: np.ndarray) -> Answer:
    """One less the largest cosine: of several names of a class the better one counts."""
    cosines = np.array([(rows * q).sum(axis=1) for q in queries])
    return Answer(1 - cosines.max(axis=1), owners[cosines.argmax(axis=1)])


# ------------------------------------------------------------------ figures


def metrics(known: np.ndarray, novel: np.ndarray) -> dict[str, float]:
    """The metrics of 3DOS from the novelty of both: known is the positive class."""
    return {
        "auroc": float(np.mean((known[:, None] < novel) + 0.5 * (known[:, None] == novel))),
        "fpr95": fpr95(known, novel),
        "aupr_in": aupr(np.repeat([1, 0], [len(known), len(novel)]), -np.concatenate([known, novel])),
        "aupr_out": aupr(np.repeat([0, 1], [len(known), len(novel)]), np.concatenate([known, novel])),
    }


def fpr95(known: np.ndarray, novel: np.ndarray) -> float:
    """Share of the novel accepted where 95 % of the known are: along the line through what each threshold gives."""
    thresholds = np.unique(np.concatenate([[-np.inf], known, novel]))
    kept, accepted = (np.array([np.mean(values <= t) for t in thresholds]) for values in (known, novel))
    return float(np.interp(0.95, kept, accepted))


def aupr(positive: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(positive, scores)
    return float(-np.trapezoid(precision, recall))  # recall falls along the curve


def figures(said: Mapping[str, Answer], titles: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Every figure of one method, by its place in the JSON of a run: "novel1.auroc", "accuracy", "kept.known"."""
    known, truth = said["known"], titles["known"]
    novel = {part: said[part].novelty for part in ("novel1", "novel2") if part in said}
    novel["both"] = np.concatenate(list(novel.values()))
    limit = np.quantile(said["validation"].novelty, 0.95)
    confusion = {
        f"confusion.{title}.{k}": np.mean(said[part].nearest[titles[part] == title] == k)
        for part in ("novel1", "novel2")
        if part in said
        for title in np.unique(titles[part])
        for k in np.unique(truth)
    }
    found = {
        **{
            f"{p}.{metric}": value
            for p, other in novel.items()
            for metric, value in metrics(known.novelty, other).items()
        },
        "accuracy": np.mean(known.nearest == truth),
        "balanced_accuracy": balanced_accuracy_score(truth, known.nearest),
        "thresholds": limit,
        **{f"kept.{part}": np.mean(answer.novelty <= limit) for part, answer in said.items()},
        **confusion,
    }
    return {name: float(value) for name, value in found.items()}

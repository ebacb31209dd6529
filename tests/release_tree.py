"""A small tree in the folders and formats of the 3DOS release, of generated shapes.

For tests, and to try a run by hand: `python tests/release_tree.py DIR --per-class 4 --points 10000`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import h5py
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, for `benchmarks`

from benchmarks.threedos.data import modelnet, scanobjectnn, shapenet
from benchmarks.threedos.splits import ObjectClass, Split, load_split, split_names
from openshape_ood.synthetic import categories, sample, scan

SEVERITY = 0.7  # of the scans
LIDAR_POINTS, OCCLUDED_POINTS = 768, 1024
# in no benchmark, but in ModelNet40: a reader has to pass over them, and over the "_" in a name
OTHERS = ("airplane", "night_stand")
SHAPE_NAMES = (
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone", "cup", "curtain",
    "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard", "lamp", "laptop", "mantel", "monitor",
    "night_stand", "person", "piano", "plant", "radio", "range_hood", "sink", "sofa", "stairs", "stool", "table",
    "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox",
)  # fmt: skip
# first seeds of shapes, so that no shape of one set is one of another
_MODELNET, _SCANS, _SHAPENET = 0, 100_000, 200_000


def write_release(
    root: Path, per_class: int = 2, seed: int = 0, *, modelnet_cache: bool = False, points: int = 256
) -> Path:
    """Writes all folders of the release below `root`, and returns it.

    per_class: shapes of every class in every split of every set. points: lines of a ModelNet40 text file, 10,000 in
    the release. modelnet_cache: whether the original's h5 caches are there too. The same arguments give the same
    clouds.
    """
    models = _modelnet_clouds(per_class, seed, points)
    _write_text(root, models)
    for name in modelnet.SETS:
        _write_labeled(root, load_split(name), models, modelnet_cache, seed)
    for part, first in (("training", 0), ("test", 50_000)):
        _write_scans(scanobjectnn.path_of(root, part), per_class, _SCANS + first, seed)
    for i, part in enumerate(shapenet.PARTS):
        _write_shapenet(root, part, per_class, _SHAPENET + 10_000 * i, seed)
    return root


def write_h5(path: Path, **datasets: np.ndarray) -> Path:
    """A file of some datasets; one that was there is replaced, not written into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def _category(c: ObjectClass, name: str = "") -> str:
    """The generated category of a class, or of one of its names; any, but always the same, where there is none."""
    if name in c.generated:
        return name
    every = categories()
    return c.generated[0] if c.generated else every[crc32(c.title.encode()) % len(every)]


def _seeds(first: int, seed: int, per_class: int) -> range:
    return range(1_000_000 * seed + first, 1_000_000 * seed + first + per_class)


def _all_classes(*names: str) -> dict[str, ObjectClass]:
    return {c.title: c for name in names for c in load_split(name).classes}


# ModelNet40: part -> shape id -> cloud, in the order of the list


def _modelnet_clouds(per_class: int, seed: int, points: int) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for first, part in enumerate(modelnet.PARTS):
        found[part] = {}
        for name, category in _modelnet_names():
            for i, number in enumerate(_seeds(_MODELNET + 1000 * first, seed, per_class)):
                cloud = sample(category, points, number)
                found[part][f"{name}_{first * per_class + i + 1:04d}"] = _unit(cloud).round(6).astype(np.float32)
    return found


def _modelnet_names() -> list[tuple[str, str]]:
    """(name in ModelNet40, generated category), in the alphabetical order of the real lists."""
    named = {name: _category(c, name) for c in _all_classes("sr1").values() for name in c.modelnet40}
    return sorted((named | dict.fromkeys(OTHERS, "airplane")).items())


def _unit(cloud: np.ndarray) -> np.ndarray:
    """In the unit sphere about the mean, as the release has its CAD models."""
    centered = cloud - cloud.mean(axis=0)
    return centered / np.linalg.norm(centered, axis=1).max()


def _write_text(root: Path, models: dict[str, dict[str, np.ndarray]]) -> None:
    folder = root / modelnet.FOLDER
    for part, clouds in models.items():
        for shape, cloud in clouds.items():
            path = folder / shape.rpartition("_")[0] / f"{shape}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{x:.6f},{y:.6f},{z:.6f},0,1,0\n" for x, y, z in cloud.tolist()))
        modelnet.listing(root, part).write_text("".join(f"{shape}\n" for shape in clouds))
    (folder / "modelnet40_shape_names.txt").write_text("".join(f"{name}\n" for name in SHAPE_NAMES))


def _write_labeled(root: Path, split: Split, models: dict[str, dict[str, np.ndarray]], caches: bool, seed: int) -> None:
    """The original's caches of a known set, where wanted, and the corrupted copies of its support."""
    labels = {name: i for i, c in enumerate(split.known) for name in c.modelnet40}
    for part, clouds in models.items():
        chosen = {shape: labels[name] for shape in clouds if (name := shape.rpartition("_")[0]) in labels}
        data = np.stack([clouds[shape] for shape in chosen])
        label = np.array(list(chosen.values()), dtype=np.int64)
        if caches:
            path = modelnet.original_cache(root, split, part)
            assert path is not None
            write_h5(path, data=data, label=label)
        if part == "train":
            for path, copies in zip(modelnet.corrupted_paths(root, split), _corruptions(data, 4, seed), strict=True):
                write_h5(path, data=copies, label=label)


def _corruptions(clouds: np.ndarray, severities: int, seed: int) -> Iterator[np.ndarray]:
    """Cut copies of clouds (b, n, 3): as lidar (b, 768, 3) in each severity, then occluded (b, 1024, 3)."""
    for kind, points in enumerate((LIDAR_POINTS, OCCLUDED_POINTS)):
        for severity in range(1, severities + 1):
            rng = np.random.RandomState([seed, kind, severity])
            keep = max(8, int(clouds.shape[1] * (1 - 0.12 * severity)))
            yield np.stack([_cut(cloud, keep, points, rng) for cloud in clouds])


def _cut(cloud: np.ndarray, keep: int, points: int, rng: np.random.RandomState) -> np.ndarray:
    """`points` of the `keep` points that lie furthest in a random direction, with repeats."""
    nearest = np.argsort(cloud @ rng.normal(size=3))[-keep:]
    return cloud[rng.choice(nearest, points)]


def _write_scans(path: Path, per_class: int, first: int, seed: int) -> None:
    """Objects of all classes in turn, as mixed as the files of the release are."""
    classes = {name: c for c in _all_classes("sr1").values() for name in c.scanobjectnn}
    label = np.tile(np.arange(len(scanobjectnn.CLASSES)), per_class)
    numbers = np.repeat(_seeds(first, seed, per_class), len(scanobjectnn.CLASSES))
    data = np.empty((len(label), scanobjectnn.POINTS, 3), np.float32)
    for row, (i, number) in enumerate(zip(label, numbers, strict=True)):
        name = scanobjectnn.CLASSES[i]
        data[row] = scan(_category(classes[name], name), scanobjectnn.POINTS, int(number), SEVERITY)
    write_h5(path, data=data, label=label)


def _write_shapenet(root: Path, part: str, per_class: int, first: int, seed: int) -> None:
    """Every category, and of the cell phones, which no benchmark uses, one model."""
    classes = _all_classes(*split_names("synthetic"))
    wanted = [(synset, _category(c)) for c in classes.values() for synset in c.shapenet]
    ids, clouds = [], []
    for synset, category in [*sorted(wanted), (shapenet.CELL_PHONE, "phone")]:
        for i in _seeds(first, seed, 1 if synset == shapenet.CELL_PHONE else per_class):
            known = category if category in categories() else categories()[0]
            clouds.append(_unit(sample(known, shapenet.POINTS, i)).astype(np.float32))
            ids.append((synset, f"{crc32(f'{synset}{i}'.encode()):08x}"))
    data = np.stack(clouds)
    _write_ids(shapenet.paths_of(root, part), data, ids)
    if part == "train":
        for paths, copies in zip(shapenet.corrupted_paths(root), _corruptions(data[:, ::8], 5, seed), strict=True):
            _write_ids(paths, copies, ids)


def _write_ids(paths: tuple[Path, Path, Path], data: np.ndarray, ids: Sequence[tuple[str, str]]) -> None:
    write_h5(paths[0], data=data)
    for path, column in zip(paths[1:], zip(*ids, strict=True), strict=True):
        path.write_text(json.dumps(column))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, metavar="DIR")
    parser.add_argument("--per-class", type=int, default=2)
    parser.add_argument("--points", type=int, default=256, help="a ModelNet40 text file, 10000 in the release")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modelnet-cache", action="store_true", help="write the original's h5 caches too")
    args = parser.parse_args()
    write_release(args.root, args.per_class, args.seed, modelnet_cache=args.modelnet_cache, points=args.points)


if __name__ == "__main__":
    main()

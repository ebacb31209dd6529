"""ScanNet200 and ScanNet20: classes, folder layouts, reader of labelled scans."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, load_scene

TABLE = Path(__file__).with_name("scannet200.csv")
RAW_MESH = "_vh_clean_2.ply"  # end of ScanNet's mesh files; their label files use NYU40
LABELS_BESIDE = ".labels.ply"
PARTS = ("train", "val", "test")
LISTS = ("{}.txt", "scannetv2_{}.txt", "train/{}.txt", "splits/{}.txt")
SCALES = ("auto", "raw", "nyu40")  # kinds of label numbers
GROUPS = ("head", "common", "tail")
MOST_NYU40 = 40
# NYU40 ids of the 20 classes; the last class has all other objects, and OpenScene's name "other"
NAMES20 = {
    **{1: "wall", 2: "floor", 3: "cabinet", 4: "bed", 5: "chair", 6: "sofa", 7: "table", 8: "door", 9: "window"},
    **{10: "bookshelf", 11: "picture", 12: "counter", 14: "desk", 16: "curtain", 24: "refrigerator"},
    **{28: "shower curtain", 33: "toilet", 34: "sink", 36: "bathtub", 39: "other"},
}


@dataclass(frozen=True, eq=False)
class ClassTable:
    """k classes of points.

    ids (k,): numbers in ScanNet's text format; of: "raw" or "nyu40" -> table from a label number to class + 1 (0 for
    none); groups: masks (k,); absent (k,): True for classes that validation does not have; colors (k, 3) in [0, 1].
    """

    title: str
    names: tuple[str, ...]
    ids: np.ndarray
    of: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    absent: np.ndarray
    colors: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def group_of(self, index: int) -> str:
        return next((name for name in GROUPS if name in self.groups and self.groups[name][index]), "")


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan with labels class + 1, 0 for none; outside: label number without a class -> number of points."""

    scene: Scene
    outside: dict[int, int]

    @property
    def has_labels(self) -> bool:
        return self.scene.labels is not None and bool(self.scene.labels.any())


def _listed_classes() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@cache
def scannet200() -> ClassTable:
    rows = _listed_classes()
    raw = np.array([int(row["raw"]) for row in rows])
    groups = {name: np.array([row["group"] == name for row in rows]) for name in GROUPS}
    absent = np.array([row["validation"] == "0" for row in rows])
    colors = np.array([list(bytes.fromhex(row["color"])) for row in rows]) / 255
    names = tuple(row["name"] for row in rows)
    return ClassTable("ScanNet200", names, raw, {"raw": _places(raw)}, groups, absent, colors)


@cache
def scannet20() -> ClassTable:
    rows, ids = _listed_classes(), np.array(list(NAMES20))
    direct = _places(ids)
    through = np.zeros(max(int(row["raw"]) for row in rows) + 1, dtype=np.int64)
    for row in rows:
        through[int(row["raw"])] = direct[int(row["scannet20"])]
    # each class has the color of the first of its classes in ScanNet200
    colors = np.array([scannet200().colors[[int(row["scannet20"]) for row in rows].index(one)] for one in ids])
    numbers, none = {"nyu40": direct, "raw": through}, np.zeros(len(ids), dtype=bool)
    return ClassTable("ScanNet20", tuple(NAMES20.values()), ids, numbers, {}, none, colors)


TABLES = {"scannet200": scannet200, "scannet20": scannet20}


def _places(ids: np.ndarray) -> np.ndarray:
    places = np.zeros(int(ids.max()) + 1, dtype=np.int64)
    places[ids] = np.arange(1, len(ids) + 1)
    return places


def find_scans(root: Path, part: str) -> list[Path]:
    """Scans of a part in a folder `root`, in the order of their names or of the list.

    `root` has a folder for each part, or a list of the part with relative paths or names of scans: `val.txt` or
    `scannetv2_val.txt`.
    """
    check_choice(part, "part", PARTS)
    if not root.is_dir():
        raise InputError(f"--data-root: no folder {root}; expected a tree of ScanNet's scans, see benchmarks/README.md")
    listed = next((path for name in LISTS if (path := root / name.format(part)).is_file()), None)
    folder = root / part
    scans = _meshes(folder) if folder.is_dir() else []
    # one preprocessor also writes the validation scans into train/; therefore a list has priority
    if listed is not None and (part == "train" or not scans):
        return _listed(listed, root)
    if scans:
        return scans
    wanted = f"a folder {part}/ with .ply files, or a list {part}.txt or scannetv2_{part}.txt"
    has = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise InputError(f"{root} has no part {part!r}: expected {wanted}; it holds {has}")


def _meshes(folder: Path) -> list[Path]:
    """Scans in a folder, or one in each of its subfolders, as in ScanNet's layout."""
    paths = sorted({*folder.glob("*.ply"), *folder.glob(f"*/*{RAW_MESH}")})
    return [path for path in paths if not path.name.endswith(LABELS_BESIDE)]


def _listed(path: Path, root: Path) -> list[Path]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    scans, missing = list[Path](), list[str]()
    for line in filter(None, lines):
        name = Path(line).name
        tried = [root / line, path.parent / line, root / "train" / name]
        tried += [place / f"{name}{end}" for place in (root, root / "train") for end in (".ply", RAW_MESH)]
        tried += [place / name / f"{name}{RAW_MESH}" for place in (root, root / "scans", root / "train")]
        scan = next((one for one in tried if one.is_file()), None)
        if scan is None:
            missing.append(line)
        else:
            scans.append(scan)
    if missing or not scans:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        problem = f"{len(missing)} of the scans in it are not there: {some}" if missing else "it is empty"
        raise InputError(f"{path}: {problem}; expected paths relative to {root}, or names of scans in it")
    return scans


def scan_name(path: Path) -> str:
    """Name of the scan of a file, for example `scene0000_00`."""
    return path.name.removesuffix(RAW_MESH) if path.name.endswith(RAW_MESH) else path.stem


def read_scan(path: Path, table: ClassTable, scale: str = "auto") -> Labelled:
    """Read a scan with its classes.

    scale: kind of its label numbers; "auto" is "nyu40" for ScanNet's mesh files, else "raw". Raises `InputError` if the
    numbers are not of that kind, or if none has a class.
    """
    check_choice(scale, "--labels", SCALES)
    meaning = ("nyu40" if path.name.endswith(RAW_MESH) else "raw") if scale == "auto" else scale
    scene = replace(load_scene(path, up="z"), name=scan_name(path))
    if scene.labels is None:
        return Labelled(scene, {})
    if meaning not in table.of:
        raise InputError(
            f"{path}: its labels are NYU40's {MOST_NYU40} classes, which do not determine those of {table.title}. "
            "Expected raw ids, as from a preprocessor of ScanNet200. If they are raw ids, use --labels raw"
        )
    most = int(scene.labels.max())
    if meaning == "nyu40" and most > MOST_NYU40:
        raise InputError(f"{path}: it has the label {most}; expected at most {MOST_NYU40} in NYU40. Try --labels raw")
    places = table.of[meaning]
    labels = np.where(scene.labels < len(places), places[np.minimum(scene.labels, len(places) - 1)], 0)
    ids, counts = np.unique(scene.labels[(labels == 0) & (scene.labels > 0)], return_counts=True)
    if not labels.any():
        some = ", ".join(map(str, ids[:5]))
        raise InputError(f"{path}: none of its labels ({some}) is the {meaning} id of a class of {table.title}")
    return Labelled(replace(scene, labels=labels), dict(zip(ids.tolist(), counts.tolist(), strict=True)))


def hidden_classes(table: ClassTable, count: int, seed: int) -> np.ndarray:
    """Random mask (k,) of classes to hide from the names; their numbers per group differ by at most one.

    Wall, floor, ceiling, "other" and classes that validation does not have are never hidden.
    """
    rng = np.random.RandomState([seed, 200])
    apart = np.isin(table.names, ("wall", "floor", "ceiling", "other")) | table.absent
    groups: Sequence[np.ndarray] = list(table.groups.values()) or [np.ones(len(table), dtype=bool)]
    queues = [rng.permutation(np.flatnonzero(group & ~apart)).tolist() for group in groups]
    order = [i for turn in range(len(table)) for q in queues for i in q[turn : turn + 1]]
    if not 0 < count < len(order):
        raise InputError(f"--hidden is {count}; expected 1 to {len(order) - 1} of the {len(table)} classes")
    return np.isin(np.arange(len(table)), order[:count])

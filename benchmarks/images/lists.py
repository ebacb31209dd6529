"""Data sets of ReSeND's evaluation: settings, published counts, and readers of image lists.

A line of a list has a path in the data folder, a space and an integer label. Classes in the support list are known. The
name of a class is the folder of its first image. Without lists, folders DOMAIN/CLASS/IMAGE are read.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from openshape_ood.errors import FileError, InputError, UnknownNameError
from openshape_ood.surfaces.inputs import IMAGES

MOST_LINES = 20_000_000  # most lines of a list
# first folder of the paths, which the lists of these data sets leave out
BELOW = {"DomainNet": "DomainNet", "ImageNet": "ImageNet/Data/CLS-LOC/train"}
SHOWN = 3  # most missing images listed by name
MOST_NAMED = 30  # most folders listed by name


@dataclass(frozen=True)
class Counts:
    """Numbers of images and classes in support and target; None if not published."""

    support: int | None
    known: int
    unknown: int
    support_classes: int
    known_classes: int
    unknown_classes: int

    def differences(self, published: Counts) -> list[str]:
        here, other = asdict(self), asdict(published)
        differ = [name for name in here if other[name] not in (None, here[name])]
        return [f"{name.replace('_', ' ')} {here[name]:,} (published {other[name]:,})" for name in differ]

    def __str__(self) -> str:
        images = (f"support {self.support or 0:,}", f"target known {self.known:,}", f"target unknown {self.unknown:,}")
        classes = self.support_classes, self.known_classes, self.unknown_classes
        return ", ".join(f"{words} images of {k} classes" for words, k in zip(images, classes, strict=True))


@dataclass(frozen=True)
class Setting:
    """A support and a target of a data set, with the names of their lists.

    published: published counts, or None for the user's folders.
    """

    dataset: str
    source: str
    target: str
    support: str
    tested: str
    published: Counts | None

    @property
    def title(self) -> str:
        return f"{self.dataset} {self.source} → {self.target}"


@dataclass(frozen=True, eq=False)
class ImageList:
    """Paths and labels (n,) of n images, and label -> name."""

    paths: tuple[Path, ...]
    labels: np.ndarray
    names: dict[int, str]

    def __len__(self) -> int:
        return len(self.paths)


# --- published counts: images in support, target known, target unknown; and their classes ---

REAL, PAINTING, SKETCH = (7230, 3134, 3027), (3954, 1722, 1473), (3206, 1387, 1659)
WITHIN = {
    "DTD": ("textures", (1952, 808, 2880), (23, 23, 24)),
    "DomainNet_IN_OUT": ("Real", REAL, (25, 25, 25)),
    "DomainNet_Painting": ("Painting", PAINTING, (25, 25, 25)),
    "DomainNet_Sketch": ("Sketch", SKETCH, (25, 25, 25)),
}
DOMAINNET = {"Real": REAL, "Painting": PAINTING, "Sketch": SKETCH}
# one domain is the target, all others are the support
PACS = {"ArtPainting": (3124, 1599, 449), "Cartoon": (3525, 1939, 405), "Photo": (3450, 1238, 432)}
PACS |= {"Sketch": (2533, 3769, 160)}
OFFICE = {"Art": (4727, 559, 388), "Clipart": (3926, 1088, 686), "Product": (3954, 1183, 683)}
OFFICE |= {"RealWorld": (3880, 1032, 671)}
LEFT_OUT = {"PACS_DG": (PACS, (6, 6, 1)), "OfficeHome_DG": (OFFICE, (54, 16, 11))}
# one support for all targets
OFFICE_SINGLE = {"Art": (1089, 1338), "Clipart": (1675, 2690), "Product": (1785, 2654)}
MULTI = {"Clipart": (816, 702), "Painting": (1544, 1581), "Real": (4049, 3029), "Sketch": (1450, 1185)}
ONE_SUPPORT = {
    "PACS_SS_DG": ("Photo", "Source", 1238, {n: PACS[n][1:] for n in ("ArtPainting", "Cartoon", "Sketch")}, (6, 6, 1)),
    "OfficeHome_SS_DG": ("RealWorld", "Source", 1811, OFFICE_SINGLE, (25, 25, 40)),
    "MultiDatasets_DG": ("Sources", "Sources", None, MULTI, (48, 23, 20)),
}


def _every() -> Iterator[Setting]:
    for name, (domain, images, classes) in WITHIN.items():
        yield Setting(name, domain, domain, "in_distribution", "out_distribution", Counts(*images, *classes))
    for source, (support, *_) in DOMAINNET.items():
        for target, (_, known, unknown) in DOMAINNET.items():
            if source != target:
                counts = Counts(support, known, unknown, 25, 25, 25)
                yield Setting("DomainNet_DG", source, target, f"Source_{source}", f"Target_{target}", counts)
    for name, (table, classes) in LEFT_OUT.items():
        for target, images in table.items():
            yield Setting(name, f"no_{target}", target, f"no_{target}", target, Counts(*images, *classes))
    for name, (source, file, shown, targets, classes) in ONE_SUPPORT.items():
        for target, (known, unknown) in targets.items():
            yield Setting(name, source, target, file, target, Counts(shown, known, unknown, *classes))


SETTINGS = tuple(_every())
DATASETS = tuple(dict.fromkeys(one.dataset for one in SETTINGS))


def settings(dataset: str, source: str | None = None, target: str | None = None) -> list[Setting]:
    """Settings of a data set, optionally of one source or target. Raises `UnknownNameError` if none matches."""
    every = [one for one in SETTINGS if one.dataset == dataset]
    kept = [one for one in every if source in (None, one.source) and target in (None, one.target)]
    if not kept:
        there = ", ".join(f"{one.source} → {one.target}" for one in every)
        raise UnknownNameError(f"{dataset} has no setting {source or 'any'} → {target or 'any'}; there are: {there}")
    return kept


# --- files ---


def find_list(lists: Path, dataset: str, name: str) -> Path:
    """Path <lists>/<dataset>/<name>.txt, where case and underscores do not matter.

    Raises `FileError` unless exactly one file matches.
    """
    folder = lists / dataset
    there = sorted(folder.glob("*.txt"))
    same = [path for path in there if _plain(path.stem) == _plain(name)]
    if len(same) != 1:
        names = ", ".join(path.name for path in there[:20]) or "no list"
        raise FileError(f"there is no list {folder / name}.txt; expected one, and {folder} has {names}")
    return same[0]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def read_list(path: Path, root: Path, skip_missing: bool = False) -> tuple[ImageList, int]:
    """Read a list of images; returns it with the number of missing images.

    Raises `InputError` for an invalid line, and for missing images unless `skip_missing`; `FileError` for a list that
    cannot be read.
    """
    rows, missing = list[tuple[Path, int]](), list[Path]()
    names: dict[int, str] = {}
    for image, label in _lines(path, root):
        names.setdefault(label, image.parent.name)
        if image.is_file():
            rows.append((image, label))
        else:
            missing.append(image)
    if missing and not skip_missing:
        some = ", ".join(map(str, missing[:SHOWN])) + ", …" * (len(missing) > SHOWN)
        raise InputError(
            f"{len(missing):,} of the {len(missing) + len(rows):,} images of {path} are not there: {some}. Expected "
            f"paths relative to {root}. Check --data-root, or leave them out with --skip-missing"
        )
    if not rows:
        raise InputError(f"{path} lists no existing image. Expected lines of a path and a label. Check --data-root")
    paths, labels = zip(*rows, strict=True)
    times = Counter(names.values())  # two classes may have folders of the same name
    shown = {c: names[c] if times[names[c]] == 1 else f"{names[c]} ({c})" for c in sorted(set(labels))}
    return ImageList(paths, np.array(labels), shown), len(missing)


def _lines(path: Path, root: Path) -> Iterator[tuple[Path, int]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if number > MOST_LINES:
                    raise InputError(f"{path} has more than {MOST_LINES:,} lines; expected a list of images")
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}", path.parent.name, root)
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from error


def _parsed(line: str, where: str, dataset: str, root: Path) -> tuple[Path, int]:
    """File and label of a line. The path may have spaces, and must be inside the root."""
    parts = re.fullmatch(r"\s*(.*?)\s+([+-]?\d{1,9})\s*", line)
    relative = PurePosixPath(parts[1].lstrip("/") if parts else "")
    if parts is None or not relative.parts:
        raise InputError(f"{where} is {line.strip()!r:.80}; expected a path, a space and an integer label")
    if ".." in relative.parts:
        raise InputError(f"{where}: the path {parts[1]!r:.80} leaves the folder of the data; expected a path inside it")
    first = next((name for name in BELOW if name in dataset), None)
    if first is not None and relative.parts[0] != first:
        relative = PurePosixPath(BELOW[first]) / relative
    return root / relative, int(parts[2])


def read_setting(
    setting: Setting, lists: Path, root: Path, skip_missing: bool = False
) -> tuple[ImageList, ImageList, list[str]]:
    """Read support and target; also returns notes on missing images and on images in both.

    Raises `InputError` if the target has no image of a known class, or none of an unknown class.
    """
    files = [find_list(lists, setting.dataset, name) for name in (setting.support, setting.tested)]
    (support, lacking), (target, absent) = (read_list(path, root, skip_missing) for path in files)
    if alone := _one_sided(support, target):
        raise InputError(
            f"all {len(target):,} images of {files[1]} are of {alone} classes, by the labels of {files[0]}; "
            "expected some of both"
        )
    lacks = zip((lacking, absent), files, strict=True)
    notes = [f"{count:,} images of {path.name} are not there" for count, path in lacks if count]
    if both := len(set(support.paths) & set(target.paths)):
        notes.append(f"{both:,} images are in the support and in the target")
    return support, target, notes


def _one_sided(support: ImageList, target: ImageList) -> str:
    """Result: "known" if all images of the target are known, "unknown" if all are unknown, else ""."""
    known = np.isin(target.labels, support.labels)
    return "known" if known.all() else "" if known.any() else "unknown"


# --- folders ---


def folder_list(folder: Path) -> ImageList:
    """All images in a folder and its subfolders; the class of an image is the name of its folder.

    Raises `InputError` if there is none.
    """
    return _numbered(_images(folder))


def listed(path: Path, root: Path, skip_missing: bool = False) -> tuple[ImageList, int]:
    """Read the images of a list or of a folder; returns them with the number of missing images."""
    return (folder_list(path), 0) if path.is_dir() else read_list(path, root, skip_missing)


def folder_settings(
    root: Path, unknown: Sequence[str] = (), source: str | None = None, target: str | None = None
) -> list[tuple[Setting, ImageList, ImageList]]:
    """Settings from folders DOMAIN/CLASS/IMAGE. Each domain is a target once, with all other domains as the support.

    Parameters
    ----------
    unknown : sequence of str
        Classes to leave out of the support.
    source, target : str, optional
        The only domain of the support, and the only target.

    Raises
    ------
    InputError
        For fewer than two domains, an unknown name, images outside a class folder, and a target without known or
        without unknown classes.
    """
    domains = {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    if len(domains) < 2:
        names = ", ".join(domains) or "none"
        raise InputError(f"{root} has the folders {names}; expected two domains or more, as in {root}/photo/dog/1.jpg")
    images = {name: _images(path) for name, path in domains.items()}
    for name, paths in images.items():
        if loose := [path for path in paths if path.parent == domains[name]]:
            raise InputError(f"{loose[0]} is not in the folder of a class; expected {root}/DOMAIN/CLASS/IMAGE")
    every = sorted({path.parent.name for paths in images.values() for path in paths})
    for one, given, there in (("--source", [source], domains), ("--target", [target], domains)):
        check_listed([name for name in given if name is not None], one, there)
    check_listed(unknown, "--unknown", every)
    made = []
    for name in [target] if target else [name for name in domains if name != source]:
        shown = [source] if source else [other for other in domains if other != name]
        support = [path for other in shown for path in images[other] if path.parent.name not in unknown]
        if not support:
            raise InputError(
                f"{' and '.join(shown)} have no image of a known class; expected a class that is not in --unknown"
            )
        words = source or f"no_{name}"
        setting = Setting(root.resolve().name, words, name, words, name, None)
        pair = _numbered(support, every), _numbered(images[name], every)
        if alone := _one_sided(*pair):
            raise InputError(
                f"all {len(pair[1]):,} images of {domains[name]} are of {alone} classes; expected known and unknown "
                f"ones. Leave a class out of the support with --unknown CLASS: {', '.join(every[:MOST_NAMED])}"
            )
        made.append((setting, *pair))
    return made


def check_listed(given: Sequence[str], option: str, there: Collection[str]) -> None:
    """Raise `InputError` for a name that is not in `there`."""
    for name in given:
        if name not in there:
            raise InputError(f"{option} {name}: no such folder; expected one of {', '.join([*there][:MOST_NAMED])}")


def _images(folder: Path) -> list[Path]:
    """Images sorted by path. Hidden files and links to folders are ignored."""
    images = list[Path]()
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        paths = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        images += [path for path in paths if path.suffix.lower() in IMAGES]
        if len(images) > MOST_LINES:
            raise InputError(f"{folder} has more than {MOST_LINES:,} images; expected fewer")
    if not images:
        raise InputError(f"{folder} has no image; expected {' '.join(IMAGES)} in a folder for each class")
    return images


def _numbered(paths: Sequence[Path], classes: Sequence[str] | None = None) -> ImageList:
    """Images whose labels are indices into `classes`. Default: their folder names, sorted."""
    folders = [path.parent.name for path in paths]
    numbers = {name: i for i, name in enumerate(classes or sorted(set(folders)))}
    labels = np.array([numbers[name] for name in folders])
    return ImageList(tuple(paths), labels, {numbers[name]: name for name in sorted(set(folders))})


def counts(support: ImageList, target: ImageList) -> Counts:
    known = np.isin(target.labels, support.labels)
    sides = support.labels, target.labels[known], target.labels[~known]
    return Counts(*map(len, sides), *(len(np.unique(labels)) for labels in sides))

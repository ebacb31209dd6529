"""Readers of published data sets: MVTec AD, road images, street panoramas.

Images are sorted by name. Masks are found by name. `openshape_ood.surfaces.pairs` pairs the images of a road.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.pictures import load_pixels
from openshape_ood.surfaces.images import image_tile
from openshape_ood.surfaces.inputs import SIDES, Source
from openshape_ood.surfaces.pairs import BAD, GOOD, images_in, pairs_in

TRAINED = 0.7  # fraction of the sorted good roads and panoramas used for training; the rest is tested


@dataclass(frozen=True)
class Image:
    """One image of a data set.

    name: path in the data set without suffix, which is unique; files: one file, or height and intensity of a road;
    kind: "good" or the defect; truth: file of an image that is above 0 where the surface is damaged, if it exists.
    """

    name: str
    files: tuple[Path, ...]
    kind: str
    truth: Path | None = None

    @property
    def bad(self) -> bool:
        return self.kind != "good"

    @property
    def source(self) -> Source:
        """The image as input of a `SurfaceModel`."""
        if len(self.files) == 1:
            return Source(self.files[0], self.name, "image")
        return Source(dict(zip(SIDES, self.files, strict=True)), self.name, "pair")


@dataclass(frozen=True)
class Layout:
    """A data set: good training images, and test images.

    pairing: for roads, folder -> "names" or "order", as in `openshape_ood.surfaces.pairs`.
    """

    name: str
    train: tuple[Image, ...]
    test: tuple[Image, ...]
    pairing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bad = sum(image.bad for image in self.test)
        if len(self.train) < 2 or bad in (0, len(self.test)):
            raise InputError(
                f"{self.name} has {len(self.train)} images to train on, {len(self.test) - bad} good and {bad} bad ones "
                "to test; expected two or more to train on, and some of each to test"
            )


def mvtec(root: Path, category: str) -> Layout:
    """Read `<category>/train/good/*`, `<category>/test/<defect or good>/*`,
    `<category>/ground_truth/<defect>/*_mask.png`.

    Raises `FileError` for a missing folder or mask, and `InputError` for a missing category.
    """
    home = root / category
    if not home.is_dir() or not category or Path(category).name != category:
        there = ", ".join(categories(root)) or "no folder with train/good"
        raise InputError(f"{root} has no category {category!r}; it has {there}")
    train = [Image(_name(path, root), (path,), "good") for path in images_in(home / "train" / "good")]
    test = []
    for folder in filter(Path.is_dir, _listed(home / "test")):
        paths, masks = images_in(folder), home / "ground_truth" / folder.name
        truths = [_mask(masks, path) if folder.name != "good" else None for path in paths]
        missing = [path.name for path, truth in zip(paths, truths, strict=True) if truth is None]
        if masks.is_dir() and missing and folder.name != "good":
            raise FileError(f"{masks} has no mask of {', '.join(missing[:3])}; expected one for each image, or none")
        test += [Image(_name(p, root), (p,), folder.name, t) for p, t in zip(paths, truths, strict=True)]
    return Layout(f"mvtec-{category}", tuple(train), tuple(test))


def categories(root: Path) -> list[str]:
    """Names of the categories in a folder."""
    return sorted(path.parent.parent.name for path in root.glob("*/train/good") if path.is_dir())


def roads(root: Path) -> Layout:
    """Read `good_ones` and `bad_ones`, each with `height_files` and `intensity_files`: pairs of gray images.

    The first 70 % of the good roads are for training, and all other roads for the test. Raises `FileError` for an image
    without its partner.
    """
    pairs = {part: pairs_in(root / part) for part in (GOOD, BAD)}
    good, bad = (
        [Image(f"{part}/{one.name}", (one.height, one.intensity), kind) for one in pairs[part]]
        for part, kind in ((GOOD, "good"), (BAD, "bad"))
    )
    split = int(TRAINED * len(good))
    pairing = {part: images[0].by for part, images in pairs.items()}
    return Layout("roads", tuple(good[:split]), (*good[split:], *bad), pairing)


def panorama(root: Path) -> Layout:
    """Read `good_ones/*` and `bad_ones/*`. The first 70 % of the good images are for training, all others for the test.

    At most twice as many bad images as training images are used.
    """
    good = [Image(_name(path, root), (path,), "good") for path in images_in(root / GOOD)]
    bad = [Image(_name(path, root), (path,), "bad") for path in images_in(root / BAD)]
    split = int(TRAINED * len(good))
    return Layout("panorama", tuple(good[:split]), (*good[split:], *bad[: 2 * split]))


@dataclass(frozen=True, eq=False)
class Loaded:
    """Images as tiles (t, c, s, s) in [-1, 1] with mask (t, s, s), and their true damage (t, s, s) bool.

    truth is None if it is missing for a bad image.
    """

    tiles: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None


def load(images: Sequence[Image], size: int) -> Loaded:
    """Load images as square tiles: three channels of an image, or height and intensity of a road.

    Raises `FileError`, and `InputError` for a road in color or with two sizes.
    """
    tiles, masks, truths = [], [], []
    known = all(image.truth for image in images if image.bad)
    for image in images:
        planes = image.source.planes()
        each = 3 if len(planes) == 1 else 1
        parts = [image_tile(one, size, each) for one in planes]
        tiles.append(np.concatenate([tile for tile, _ in parts]))
        masks.append(np.logical_and.reduce([mask for _, mask in parts]))
        truths.append(_truth(image, planes[0].shape[:2], size))
    return Loaded(np.stack(tiles), np.stack(masks), np.stack(truths) if known else None)


def _truth(image: Image, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Mask of damage (s, s), by nearest-neighbor resampling."""
    if image.truth is None:
        return np.zeros((size, size), dtype=bool)
    given = load_pixels(image.truth)
    if given.shape[:2] != tuple(shape):
        raise FileError(f"{image.truth} is {given.shape[:2]}, its image {tuple(shape)}; expected one size, (h, w)")
    rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in shape)
    return (given.reshape(*shape, -1)[..., 0] > 0)[rows][:, columns]


LAYOUTS: dict[str, Callable[..., Layout]] = {"mvtec": mvtec, "roads": roads, "panorama": panorama}


def _listed(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise FileError(f"there is no folder {folder}; see benchmarks/README.md for the layouts")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _mask(masks: Path, image: Path) -> Path | None:
    names = (masks / f"{image.stem}_mask.png", masks / image.name)
    return next((path for path in names if path.is_file()), None)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()

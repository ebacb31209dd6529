"""Pairs of road images: height and intensity of each piece of road, in two parallel folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openshape_ood.errors import FileError

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".tga", ".gif")
HEIGHT, INTENSITY = "height_files", "intensity_files"
GOOD, BAD = "good_ones", "bad_ones"  # folders of the published data set
PAIRED_BY = {"names": "their names", "order": "sorted order, as no name is on both sides"}


@dataclass(frozen=True)
class Pair:
    """Two images of one piece of road.

    name: stem of the height image. by: "names" if both sides have the same stems, else "order".
    """

    name: str
    height: Path
    intensity: Path
    by: str


def pairs_in(folder: Path) -> list[Pair]:
    """The pairs of `height_files` and `intensity_files` in a folder.

    Images are paired by their stems if both folders have the same stems. If no stem is in both, images are paired by
    sorted order, as the published loader does.

    Raises
    ------
    FileError
        - For a folder without images.
        - If some stems, but not all, are in both folders.
        - If images are paired by order, but the folders have unequal numbers of images, or the numbers in two paired
          names differ.
    """
    heights, intensities = (images_in(folder / side) for side in (HEIGHT, INTENSITY))
    sides = [[path.stem for path in side] for side in (heights, intensities)]
    alone = sorted({*sides[0]} ^ {*sides[1]})
    if alone and {*sides[0]} & {*sides[1]}:
        side, other = (HEIGHT, INTENSITY) if alone[0] in sides[0] else (INTENSITY, HEIGHT)
        raise FileError(
            f"{folder}: {len(alone)} images are in one folder only, such as {alone[0]} of {side}, which has no partner "
            f"in {other}. Expected the same names in both folders. Add the partners, or move these images away."
        )
    if alone:
        _check_order(folder, *sides)
        by = "order"
    else:  # sorted by stem, because suffixes may change the order of file names
        heights, intensities = (sorted(side, key=lambda path: path.stem) for side in (heights, intensities))
        by = "names"
    return [Pair(a.stem, a, b, by) for a, b in zip(heights, intensities, strict=True)]


def _check_order(folder: Path, heights: Sequence[str], intensities: Sequence[str]) -> None:
    """Raise `FileError` if the sorted stems do not match: unequal lengths, or different numbers in two paired stems."""
    if len(heights) != len(intensities):
        raise FileError(
            f"{folder}: {HEIGHT} has {len(heights)} images, {INTENSITY} has {len(intensities)}, and no name is in "
            f"both, for example {heights[0]} and {intensities[0]}. Expected the same names, or equal numbers of "
            "images. Add the missing images."
        )
    numbers = [[_numbers(stem) for stem in side] for side in (heights, intensities)]
    if not ({*numbers[0]} & {*numbers[1]}) - {()}:
        return
    wrong = next((i for i, (a, b) in enumerate(zip(*numbers, strict=True)) if a != b), None)
    if wrong is not None:
        raise FileError(
            f"{folder}: in sorted order {heights[wrong]} of {HEIGHT} is the partner of {intensities[wrong]} of "
            f"{INTENSITY}, but the numbers in these names differ. Expected the same numbers in both folders. Add the "
            "missing images, or give both images of a pair the same name."
        )


def _numbers(stem: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall("[0-9]+", stem)))


def images_in(folder: Path) -> list[Path]:
    """Images of a folder, sorted by name, without subfolders.

    Raises `FileError` for an empty folder, and for two images that differ only in their suffix.
    """
    if not folder.is_dir():
        raise FileError(f"there is no folder {folder}. Expected a folder with images. Check the path.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGES and not path.name.startswith(".") and path.is_file()
    )
    for stem, count in Counter(path.stem for path in paths).items():
        if count > 1:
            raise FileError(f"{folder} has several images named {stem}. Expected one. Rename the others.")
    if not paths:
        raise FileError(f"{folder} has no images. Expected {' '.join(IMAGES)}. Add images, or give another folder.")
    return paths


def homes(folder: Path) -> list[Path]:
    """Folders with both `height_files` and `intensity_files`, among this folder and all below it."""
    sides = (one for one in sorted(folder.rglob(HEIGHT)) if one.is_dir() and (one.parent / INTENSITY).is_dir())
    return [one.parent for one in sides if not any(part.startswith(".") for part in one.relative_to(folder).parts)]

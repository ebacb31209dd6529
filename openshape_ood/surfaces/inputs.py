"""Surface data from users: images, pairs of images, or clouds."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import given_path, to_numpy
from openshape_ood.errors import InputError, NoSuchShapeError
from openshape_ood.shapes import reading
from openshape_ood.shapes.columns import IN_PIECES, columns_by_width, load_columns
from openshape_ood.shapes.formats import SUFFIXES as CLOUDS
from openshape_ood.shapes.formats.text import FORMAT as TEXT_FORMAT
from openshape_ood.shapes.pictures import load_pixels
from openshape_ood.surfaces.pairs import BAD, GOOD, HEIGHT, IMAGES, INTENSITY, homes, pairs_in

TEXTS = TEXT_FORMAT.suffixes
NAMED = 3  # ignored files named in a warning
LARGE = {".laz": 1 << 25}  # bytes above which a file is read in pieces, by suffix
LARGE_ELSE = 1 << 28  # limit for all other suffixes
PIXEL_BYTES = 40  # memory for one pixel of an image and of its novelty map together
FIELDS = ("points", "intensity", "color", "strips")
SIDES = ("height", "intensity")  # the two images of a pair
KINDS = {"image": "an image", "pair": "one of a pair", "cloud": "a cloud"}


@dataclass(frozen=True, eq=False)
class Source:
    """Image, pair of images or cloud, read on demand from a path, an array or a mapping.

    Attributes
    ----------
    value : path, array or mapping
        A pair is a mapping from `SIDES` to paths or arrays. A cloud can be a mapping from names to arrays.
    kind : str
        One of `KINDS`.
    by : {"names", "order", "given"}
        How the images of a pair were matched.
    """

    value: Any
    name: str
    kind: str
    by: str = ""

    @property
    def path(self) -> Path | None:
        return self.value if isinstance(self.value, Path) else None

    @property
    def is_large(self) -> bool:
        """True for a cloud in a large file that should be read in pieces."""
        if self.kind != "cloud" or self.path is None or self.path.suffix.lower() not in IN_PIECES:
            return False
        return reading.file_size(self.path) > LARGE.get(self.path.suffix.lower(), LARGE_ELSE)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Add the name of this image or cloud to errors that are raised in the `with` block."""
        try:
            yield
        except InputError as error:
            raise type(error)(f"{self.name}: {error}") from error

    def planes(self) -> list[np.ndarray]:
        """Pixels of an image (h, w) or (h, w, c); height and intensity (h, w) of a pair. Types are kept.

        Raises `InputError` or `FileError`, also for a pair in color or with images of two sizes.
        """
        if self.kind != "pair":
            return [_pixels(self.value, self.name)]
        images = [_gray(_pixels(self.value[side], f"{self.name}, {side},"), self.name) for side in SIDES]
        if images[0].shape != images[1].shape:
            sizes = (f"{side} is {one.shape[1]} x {one.shape[0]}" for side, one in zip(SIDES, images, strict=True))
            raise InputError(f"{self.name}: {', '.join(sizes)} pixels. Expected one size. Crop both alike.")
        return images

    def cloud(self) -> dict[str, np.ndarray]:
        """Named arrays of a cloud: points (n, 3); if present intensity (n,), color (n, 3) in [0, 1], strips (n,).

        Unmeasured points (NaN) in files are dropped. Raises `ShapeFileError`.
        """
        if self.path is None:
            return dict(self.value) if isinstance(self.value, Mapping) else columns_by_width(self.value, self.name)
        return load_columns(self.path)


def list_sources(given: Any) -> list[Source]:
    """Images, pairs or clouds in files, folders (recursively), arrays, or lists of these.

    A two-dimensional array with 3 or 6 columns is a cloud, as is a mapping with "points"; other arrays are images.
    Images in `height_files` and `intensity_files` of one folder form pairs, as does a mapping with "height" and
    "intensity". Raises `InputError` for no data, unknown types and mixed kinds, and `FileError` for images without a
    partner.
    """
    sources = list(_sources(given, "the input"))
    if not sources:
        raise InputError(
            f"there is no image and no cloud in {_listed(given) or 'nothing'}. Expected "
            f"{' '.join((*IMAGES, *CLOUDS))}. Give files of these types."
        )
    kinds = {one.kind: one.name for one in reversed(sources)}
    if len(kinds) > 1:
        (first, name), (second, other) = [(text, kinds[kind]) for kind, text in KINDS.items() if kind in kinds][:2]
        raise InputError(
            f"{name} is {first}, {other} is {second}. Expected data of one kind. Use a separate model for each kind."
        )
    return sources


def good_sources(given: Any) -> list[Source]:
    """Sources as in `list_sources`, but files in a folder `bad_ones` next to a folder `good_ones` are ignored.

    These are the folder names of the published road images (pairs) and panorama images. A warning reports the number
    of ignored sources.
    """
    sources = list_sources(given)
    folders = [_folders(one) for one in sources]
    good = {folder for one in folders for folder in one if folder.name == GOOD}
    bad = [any(folder.name == BAD and folder.parent / GOOD in good for folder in one) for one in folders]
    if any(bad):
        warnings.warn(
            f"ignored {sum(bad)} {sources[0].kind}s in {BAD}. Expected good {sources[0].kind}s only, because a model "
            f"learns from them. To learn from {BAD}, give this folder alone.",
            stacklevel=2,
        )
    return [one for one, left in zip(sources, bad, strict=True) if not left]


def _folders(source: Source) -> Sequence[Path]:
    """All folders above the file of a source, or above the height image of a pair. Empty for arrays."""
    file = source.value["height"] if source.by in ("names", "order") else source.path
    return () if file is None else Path(file).parents


def pairs_by(sources: Iterable[Source]) -> dict[str, int]:
    """Number of pairs for each value of `Source.by`. Empty for images and clouds."""
    return dict(Counter(one.by for one in sources if one.kind == "pair"))


def _sources(given: Any, name: str) -> Iterable[Source]:
    if isinstance(given, Source):
        yield given
    elif isinstance(given, str | os.PathLike):
        yield from _files(given_path(given, "a file"))
    elif isinstance(given, Mapping) and given.keys() == {*SIDES}:
        yield Source({side: _side(given[side]) for side in SIDES}, name, "pair", "given")
    elif isinstance(given, Mapping):
        if "points" not in given or given.keys() - set(FIELDS):
            optional = ", ".join(FIELDS[1:])
            raise InputError(
                f"{name} has {', '.join(map(str, given))}. Expected points, and optionally {optional}. Rename or "
                "remove other names."
            )
        yield Source({key: to_numpy(one) for key, one in given.items() if one is not None}, name, "cloud")
    elif isinstance(given, np.ndarray) or hasattr(given, "__array__") or hasattr(given, "detach"):
        array = np.asarray(to_numpy(given))
        cloud = array.ndim == 2 and array.shape[1] in (3, 6)
        yield Source(array, name, "cloud" if cloud else "image")
    elif isinstance(given, Iterable):
        for i, one in enumerate(given):
            yield from _sources(one, f"number {i}")
    else:
        raise InputError(f"{name} is {type(given).__name__}. Expected a file, a folder or an array. Convert it first.")


def _files(path: Path) -> Iterable[Source]:
    if path.is_dir():
        paired = homes(path)
        for home in paired:
            for one in pairs_in(home):
                sides = dict(zip(SIDES, (one.height, one.intensity), strict=True))
                yield Source(sides, str(home / one.name), "pair", one.by)
        inside = {home / side for home in paired for side in (HEIGHT, INTENSITY)}
        yield from (Source(one, str(one), _kind(one)) for one in _searched(path) if one.parent not in inside)
        return
    if not path.exists():
        raise NoSuchShapeError(f"{path}: no such file or folder")
    if path.suffix.lower() not in (*IMAGES, *CLOUDS):
        raise InputError(
            f"{path} is neither an image nor a cloud. Expected {' '.join((*IMAGES, *CLOUDS))}. Convert it first."
        )
    yield Source(path, str(path), _kind(path))


def _searched(folder: Path) -> list[Path]:
    """Images and clouds below a folder. If there are images, text files are ignored with a warning."""
    paths = [
        one
        for one in sorted(folder.rglob("*"))
        if one.suffix.lower() in (*IMAGES, *CLOUDS)
        and not any(part.startswith(".") for part in one.relative_to(folder).parts)
        and one.is_file()
    ]
    notes = [one for one in paths if one.suffix.lower() in TEXTS]
    if not notes or not any(_kind(one) == "image" for one in paths):
        return paths
    named = ", ".join(str(one) for one in notes[:NAMED]) + (", ..." if len(notes) > NAMED else "")
    warnings.warn(
        f"ignored text files among images: {named}. To score a cloud, give its file or a folder of clouds.",
        stacklevel=2,
    )
    return [one for one in paths if one not in notes]


def _side(given: Any) -> Any:
    return given_path(given, "an image") if isinstance(given, str | os.PathLike) else to_numpy(given)


def _pixels(value: Any, name: str) -> np.ndarray:
    pixels = load_pixels(value, PIXEL_BYTES) if isinstance(value, Path) else np.asarray(to_numpy(value))
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise InputError(f"{name} has the shape {pixels.shape}. Expected an image (h, w) or (h, w, c). Reshape it.")
    return pixels


def _gray(pixels: np.ndarray, name: str) -> np.ndarray:
    """First channel (h, w) of a gray image. Raises `InputError` for a colored image."""
    if pixels.ndim == 3 and (pixels != pixels[..., :1]).any():
        raise InputError(f"{name} is in color. Expected gray images of height and intensity. Convert it to gray.")
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def _kind(path: Path) -> str:
    return "image" if path.suffix.lower() in IMAGES else "cloud"


def _listed(given: Any) -> str:
    return ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)

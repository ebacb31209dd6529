"""NoveltyMap: novelty and nearest class of each element, as colors, regions, plot and file."""

from __future__ import annotations

import io
import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from openshape_ood.checks import BLOCK_ELEMENTS, check_choice, check_whole, given_path
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import class_colors, hex_to_rgb, ramp
from openshape_ood.novelty_map.connectivity import around, highest_region, pieces
from openshape_ood.novelty_map.places import in_words, oriented
from openshape_ood.shapes.formats.ply import ply_bytes
from openshape_ood.storage import save_whole

COLORS = ("novelty", "class")
LISTED = 8  # maximum number of classes in the printed table
TELLING = 0.9  # if a larger fraction of elements is beyond the threshold, the map does not locate novelty
UNTOLD = (
    "nearly all of it is beyond the threshold. It may be another object, another axis may be up, or it may be a scan "
    "that is compared with whole models."
)

# double precision, because the coordinates of a scan may be millions of meters
PLY = np.dtype(
    [(axis, "<f8") for axis in "xyz"]
    + [(channel, "u1") for channel in ("red", "green", "blue")]
    + [("novelty", "<f4"), ("class", "<i4")]
)


@dataclass(frozen=True, eq=False)
class Elements:
    """Elements of a map.

    Attributes
    ----------
    kind : {"points", "pixels", "voxels"}
    rows : ndarray (n, 3|6)
        Points: xyz in the frame and units of the shape, and rgb in [0, 1] if it has colors. Pixels: rgb, row by row.
        Voxels: indices of their cells.
    shape : tuple of int
        Height and width (h, w) of the image; empty for points and voxels.
    """

    kind: Literal["points", "pixels", "voxels"]
    rows: np.ndarray
    shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def places(self) -> np.ndarray:
        """Position of each element: (n, 3), or (n, 2), row and column, for pixels."""
        return np.argwhere(np.ones(self.shape, dtype=bool)) if self.kind == "pixels" else self.rows[:, :3]


@dataclass(frozen=True, eq=False)
class Region:
    """Connected region of a map beyond the threshold.

    Attributes
    ----------
    indices : ndarray (m,)
        Sorted indices of the elements of the region.
    novelty : float
        Mean novelty of the elements.
    center : ndarray (3,)
        Mean position, in the frame and units of the elements. For pixels: row and column, (2,).
    nearest : str or None
        Most frequent nearest class of the elements; None if the map has no classes.
    where : str
        Position of the center in words, such as "top left". Left, right, front and back are as in plots.
    heights : tuple of float
        Lowest and highest position of the region, as fractions of the height of the map.
    p_value : float or None
        Conformal p-value, from the highest region of each calibration shape. For a known, undamaged shape, the
        probability that any region has a p-value of at most t is at most t. None if `threshold.marks` has no
        regions of calibration shapes (`peaks`), or the region is smaller than `marks.min_size`.
    """

    indices: np.ndarray
    novelty: float
    center: np.ndarray
    nearest: str | None
    where: str
    heights: tuple[float, float]
    p_value: float | None = None

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, eq=False)
class PatchNovelty:
    """Values of p patches before interpolation.

    Attributes
    ----------
    centers : ndarray (p, 3)
        Center of each patch, a point of the shape.
    novelty : ndarray (p,)
    nearest : ndarray (p,) of str
        Nearest known class.
    """

    centers: np.ndarray
    novelty: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class NoveltyMap:
    """Novelty of n elements against k known classes. `np.asarray(novelty_map)` gives the novelty.

    Attributes
    ----------
    elements : Elements
        The n points, pixels or voxels.
    novelty : ndarray (n,)
        Larger is more novel; 0 to 2 for a cosine distance. NaN means that the element was not seen.
    nearest, similarity : ndarray (n,) of str and of float, or None
        Nearest known class of each element, and the similarity to it, if available.
    classes : ndarray (k,) of str
        Names of the classes. `classes` and `nearest` contain Python strings, so that a long name is stored once.
    baseline : float
        Median novelty of known elements; NaN if unknown.
    threshold : Threshold or None
        Highest novelty of a known element.
    provenance : Provenance
        Encoder, method and settings.
    patches : PatchNovelty or None
        Values of the patches, if the novelty is interpolated from patches.
    name : str
        Name of the object, for example its path.
    up : str
        Gravity axis of the object.
    """

    elements: Elements
    novelty: np.ndarray
    nearest: np.ndarray | None
    classes: np.ndarray
    baseline: float
    threshold: Threshold | None
    provenance: Provenance
    patches: PatchNovelty | None = None
    name: str = "the shape"
    up: str = "y"
    similarity: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.elements)
        if any(one is not None and len(one) != n for one in (self.novelty, self.nearest, self.similarity)):
            raise InputError(
                f"{len(self.novelty)} novelties for {n} {self.elements.kind}. Expected one for each. Give {n} values."
            )

    def __len__(self) -> int:
        return len(self.novelty)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.novelty, dtype=dtype) if copy else np.asarray(self.novelty, dtype=dtype)

    def __repr__(self) -> str:
        against = f" against {', '.join(self.classes)}" if len(self.classes) else ""
        return f"NoveltyMap({self.name!r}, {len(self)} {self.elements.kind}, by {self.provenance.method!r}{against})"

    def __str__(self) -> str:
        beyond = "" if self.threshold is None else f", {self._beyond:.0%} beyond {self.threshold.value:.3f}"
        mean = self.novelty[self.seen].mean() if self.seen.any() else np.nan
        lines = [f"{self.name}: {len(self)} {self.elements.kind}, novelty {mean:.3f} on average{beyond}"]
        lines += [self.threshold.describe()] if self.threshold is not None and self.threshold.promise else []
        lines += [] if self.seen.all() else [f"{1 - self.seen.mean():.0%} of it was not seen"]
        shares = sorted(self.shares().items(), key=lambda item: -item[1])
        lines += [f"{share:6.1%}  nearest to {name}" for name, share in shares[:LISTED]]
        lines += [f"and {len(shares) - LISTED} more"] * (len(shares) > LISTED)
        return "\n".join([*lines, *([] if self.tells else [f"the map does not locate novelty: {UNTOLD}"])])

    @property
    def points(self) -> np.ndarray:
        """Points (n, 3|6) of a map of points."""
        return self.elements.rows

    @property
    def seen(self) -> np.ndarray:
        """Mask (n,) of elements with a novelty."""
        return np.isfinite(self.novelty)

    @property
    def is_novel(self) -> np.ndarray:
        """Mask (n,) of elements beyond the threshold. Unseen elements are False.

        If the threshold limits the marked fraction (`threshold.marks.largest`), only that fraction of the seen elements
        is True, the most novel first. Raises `InputError` without a threshold.
        """
        if self.threshold is None:
            raise InputError(
                f"{self.name}: this map by {self.provenance.method!r} has no threshold. Expected one. Localize with "
                "example shapes, or add one: dataclasses.replace(novelty_map, threshold=...)"
            )
        above, marks = self._above, self.threshold.marks
        if marks is not None and marks.largest < 1:
            most = math.floor(marks.largest * self.seen.sum() + 1e-9)
            ranked = np.argsort(np.where(above, -self.novelty, np.inf), kind="stable")
            above[ranked[most:]] = False
        return above

    @property
    def _above(self) -> np.ndarray:
        mask = np.zeros(len(self), dtype=bool)
        if self.threshold is not None:
            mask[self.seen] = self.threshold.is_novel(self.novelty[self.seen])
        return mask

    @property
    def tells(self) -> bool:
        """False if more than 90 % of the map is beyond the threshold, so that the map does not locate novelty."""
        return self.threshold is None or bool(self._beyond <= TELLING)

    @property
    def _beyond(self) -> float:
        """Fraction of the seen elements beyond the threshold."""
        return float(self._above.sum() / max(1, self.seen.sum()))

    def regions(self, min_size: float | None = None) -> list[Region]:
        """Connected regions beyond the threshold.

        Parameters
        ----------
        min_size : int or float, optional
            Minimum size of a region: a number of elements, or if below 1 a fraction of the seen elements. Default: the
            one in the marks of the threshold, else 1.

        Returns
        -------
        list of Region
            Largest first.

        Raises
        ------
        InputError
            If there is no threshold, and for an invalid size.
        """
        marks = None if self.threshold is None else self.threshold.marks
        seen = int(self.seen.sum())
        wanted = (1 if marks is None else marks.min_size) if min_size is None else min_size
        least, places, regions = region_size(wanted, seen), self.elements.places, list[Region]()
        shares = oriented(places, self.up)
        compared = marks if marks is not None and len(marks.peaks) else None
        comparable = 0 if compared is None else region_size(compared.min_size, seen)
        cells = self.elements.kind != "points"
        for piece, level in pieces(places, self.is_novel, least, self.novelty, comparable, cells=cells):
            counts = Counter([] if self.nearest is None else self.nearest[piece].tolist())
            nearest = str(min(counts, key=lambda name: (-counts[name], name))) if counts else None
            height = shares[piece, 1]
            more = in_words(shares[piece]), (float(height.min()), float(height.max()))
            p_value = None if compared is None or level is None else float(compared.p_values([level])[0])
            mean = float(self.novelty[piece].mean())
            regions.append(Region(piece, mean, places[piece].mean(axis=0), nearest, *more, p_value))
        return regions

    def p_value_of(self, piece: np.ndarray) -> float | None:
        """P-value of a connected region (m,) of pixels or voxels, as in `Region.p_value`."""
        marks = None if self.threshold is None else self.threshold.marks
        if marks is None or not len(marks.peaks):
            return None
        least = region_size(marks.min_size, int(self.seen.sum()))
        if len(piece) < least:
            return None
        shape = self.elements.shape
        places = np.stack(np.unravel_index(piece, shape), axis=1) if shape else self.elements.places[piece]
        level = highest_region(places, self.novelty[piece], least, cells=True)
        return float(marks.p_values([level])[0])

    def peak(self, share: float = 0.2) -> np.ndarray:
        """Elements around the most novel element.

        Parameters
        ----------
        share : float
            Fraction of the elements, above 0 and at most 1.

        Returns
        -------
        ndarray (n,) of bool
            True for the elements nearest to the most novel element.
        """
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}. Expected a fraction above 0 and at most 1. Give for example 0.2.")
        self.check_some()
        return around(self.elements.places, int(np.where(self.seen, self.novelty, -np.inf).argmax()), share)

    def shares(self) -> dict[str, float]:
        """For each class, fraction of the elements that are nearest to it. Empty without classes."""
        if self.nearest is None:
            return {}
        counts = np.bincount(self._class_index, minlength=len(self.classes))
        return {str(name): count / max(1, len(self)) for name, count in zip(self.classes, counts.tolist(), strict=True)}

    def bounds(self) -> tuple[float, float]:
        """Novelties at the ends of the color ramp: gray and dark red.

        Gray is the baseline. Dark red is the baseline plus twice the distance from the baseline to the threshold. These
        values are equal for all shapes with the same known classes, so that plots are comparable. Without a threshold,
        they are the minimum and maximum of this map.
        """
        if self.threshold is not None and np.isfinite(self.baseline):
            return self.baseline, self.baseline + 2 * (self.threshold.value - self.baseline)
        values = self.novelty[self.seen]
        return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)

    def colors(self, by: str = "novelty") -> np.ndarray:
        """Color (n, 3) in [0, 1] of each element, by "novelty" or by nearest "class"."""
        self.check_color(by)
        return self._colors(by, slice(None), self.bounds())

    def _colors(self, by: str, part: slice, bounds: tuple[float, float]) -> np.ndarray:
        if by == "novelty":
            return ramp(self.novelty[part], *bounds)
        palette = class_colors(list(self.classes))
        return np.stack([hex_to_rgb(palette[name]) for name in self.classes])[self._class_index[part]]

    def check_color(self, by: str) -> None:
        """Raise `UnknownNameError` for an unknown color, `InputError` if the map has no such color."""
        check_choice(by, "color of a novelty map", COLORS)
        if by == "class" and self.nearest is None:
            raise InputError(f"{self.name}: this map has no nearest classes. Expected color 'novelty'. Give it.")

    def image(self, color: str = "novelty") -> np.ndarray:
        """Image (h, w, 3) in [0, 1] of a map of pixels: its colors, blended with the gray image."""
        if self.elements.kind != "pixels":
            raise InputError(
                f"{self.name}: this is a map of {self.elements.kind}. Expected a map of pixels. Use plot()."
            )
        self.check_color(color)
        pixels, bounds = np.empty((len(self), 3), dtype=np.float32), self.bounds()
        step = BLOCK_ELEMENTS // 8  # in blocks, so that tens of millions of pixels are not copied in double precision
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            gray = self.elements.rows[part, :3].mean(axis=1, keepdims=True)
            pixels[part] = (0.35 * gray + 0.65 * self._colors(color, part, bounds)).clip(0, 1)
        return pixels.reshape(*self.elements.shape, 3)

    def plot(self, *, ax: Any = None, color: str = "novelty", bar: bool = True) -> Any:
        """Plot the map, as `openshape_ood.plots.novelty_map`. Needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.novelty_map(self, ax=ax, color=color, bar=bar)

    def save(self, path: str | os.PathLike[str], color: str = "novelty") -> Path:
        """Write a file. If writing fails, an existing file stays unchanged.

        A map of points or voxels is written as a binary PLY with x y z, red green blue, novelty and class. A map of
        pixels is written as a PNG, with colors over the gray image.

        Parameters
        ----------
        path : str or Path
            Name that ends in .ply, or in .png for pixels.
        color : {"novelty", "class"}
            Meaning of the colors.

        Returns
        -------
        Path
            Path of the file. In a PLY, the class is a number; -1 means no class. Comments in the header list the
            classes and the up axis.

        Raises
        ------
        InputError, FileError
            For another suffix, or if writing fails.
        """
        suffix = ".png" if self.elements.kind == "pixels" else ".ply"
        if given_path(path, "path").suffix.lower() != suffix:
            raise InputError(
                f"the path is {os.fspath(path)}. A novelty map of {self.elements.kind} is saved as a {suffix} file. "
                "Change the name."
            )
        if suffix == ".png":
            return save_whole(path, png_bytes(self.image(color)), "the novelty map")
        rows = np.empty(len(self), dtype=PLY)
        columns = (*self.elements.rows.T[:3], *np.rint(self.colors(color).T * 255), self.novelty, self._class_index)
        for name, column in zip(PLY.names or (), columns, strict=True):
            rows[name] = column
        return save_whole(path, ply_bytes(rows, self._comments()), "the novelty map")

    def check_some(self) -> None:
        """Raise `InputError` if the map is empty, for example because a view has no completed objects."""
        if not len(self):
            raise InputError(
                f"{self.name}: this map has no {self.elements.kind}. Expected at least one. Check the input."
            )

    @cached_property
    def _class_index(self) -> np.ndarray:
        if self.nearest is None:
            return np.full(len(self), -1)
        place = {name: i for i, name in enumerate(self.classes.tolist())}
        return np.fromiter((place[name] for name in self.nearest.tolist()), np.int64, len(self))

    def _comments(self) -> list[str]:
        # in JSON, any name is on one line
        words = [f"class {i} {json.dumps(str(name))}" for i, name in enumerate(self.classes)]
        low, high = self.bounds()
        source = f"{self.provenance.method} with {json.dumps(self.provenance.identity.checkpoint)}"
        about = [*words, f"up {self.up}", f"novelty by {source}, colored {low:.6g} to {high:.6g}"]
        if self.threshold is None or self.threshold.marks is None or not self.threshold.promise:
            return about
        return [*about, f"marked beyond {self.threshold.value:.6g}: {json.dumps(self.threshold.promise)}"]


def region_size(min_size: Any, seen: int) -> int:
    """Minimum number of elements of a region, from a number or a fraction. Raises `InputError` for an invalid size."""
    if isinstance(min_size, float) and 0 < min_size < 1:
        return max(1, math.ceil(min_size * seen - 1e-9))
    return check_whole(int(min_size) if isinstance(min_size, float) and min_size.is_integer() else min_size, "min_size")


def png_bytes(image: np.ndarray) -> bytes:
    """Content of a PNG file for an image (h, w, 3) in [0, 1]."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.empty(image.shape, dtype=np.uint8)
    for row, given in zip(pixels, image, strict=True):
        row[:] = np.rint(given * 255)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()

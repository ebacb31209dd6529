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
LISTED = 8  # classes in the printed table
TELLING = 0.9  # fraction of elements beyond the threshold above which the map does not locate anything
UNTOLD = (
    "nearly all of it is beyond the threshold. Is it another object as a whole, is another axis up, or is it a scan "
    "compared with whole models?"
)

# doubles, because a scan may lie millions of meters from its origin
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
        Points: xyz in the shape's own frame and units, and rgb in [0, 1] if it has colors. Pixels: rgb, row by row.
        Voxels: whole numbers, the cell of each.
    shape : tuple of int
        Of the image, (h, w); empty for points and voxels.
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
        Its elements, sorted.
    novelty : float
        Mean over its elements.
    center : ndarray (3,)
        Mean position, in the frame and units of the elements; (2,), row and column, for pixels.
    nearest : str or None
        Most frequent nearest class of its elements; None if the map has no classes.
    where : str
        Position of its center in words, such as "top left"; left, right, front and back as in plots.
    heights : tuple of float
        Its lowest and highest position, as fractions of the whole height.
    p_value : float or None
        Conformal, from the highest region of each calibration shape: for a known, undamaged shape the probability that
        any region has at most t is at most t. None without stored regions, and for regions smaller than theirs.
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
    """Patch values before interpolation: centers (p, 3), points of the shape; novelty (p,); nearest (p,)."""

    centers: np.ndarray
    novelty: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class NoveltyMap:
    """Novelty of n elements against k known classes. As an array it is its novelty.

    Attributes
    ----------
    elements : Elements
        The n points, pixels or voxels.
    novelty : ndarray (n,)
        Larger is more novel; 0 to 2 for a cosine distance. NaN is unseen.
    nearest, similarity : ndarray (n,) of str and of float, or None
        Nearest known class of each element, and the similarity to it, if available.
    classes : ndarray (k,) of str
        Object arrays of Python strings, so that a long name is stored once.
    baseline : float
        Median novelty of known places; NaN if unknown.
    threshold : Threshold or None
        Highest novelty of a known place.
    provenance : Provenance
        Encoder, method and settings.
    patches : PatchNovelty or None
        Patch values, if elements were interpolated from patches.
    name : str
        Name of the object: its path, if it has one.
    up : str
        Its gravity axis.
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
            raise InputError(f"{len(self.novelty)} novelties for {n} {self.elements.kind}; expected one for each")

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
        """Mask (n,) of elements beyond the threshold, False if unseen; limited to the largest fraction of its marks.

        Raises `InputError` without a threshold."""
        if self.threshold is None:
            raise InputError(
                f"{self.name}: a map by {self.provenance.method!r} has no threshold. Localize against example shapes, "
                "or give it one: dataclasses.replace(found, threshold=...)"
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
        """False if more than 90 % of the map lies beyond the threshold, so that nothing is located."""
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
            Minimum elements of a region, or below 1 the fraction of seen elements. Default: the one of the threshold's
            marks, else 1.

        Returns
        -------
        list of Region
            Largest first.

        Raises
        ------
        InputError
            Without a threshold, and for an invalid size.
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
        """P-value of a connected region (m,) of pixels or voxels, as `Region.p_value`."""
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
        """Surroundings of the most novel element.

        Parameters
        ----------
        share : float
            Fraction of the elements, above 0 and at most 1.

        Returns
        -------
        ndarray (n,) of bool
            True for this fraction of elements nearest to the most novel one.
        """
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}; expected a part of the {self.elements.kind}, above 0 and at most 1")
        self.check_some()
        return around(self.elements.places, int(np.where(self.seen, self.novelty, -np.inf).argmax()), share)

    def shares(self) -> dict[str, float]:
        """Fraction of the elements nearest to each class; empty without classes."""
        if self.nearest is None:
            return {}
        counts = np.bincount(self._class_index, minlength=len(self.classes))
        return {str(name): count / max(1, len(self)) for name, count in zip(self.classes, counts.tolist(), strict=True)}

    def bounds(self) -> tuple[float, float]:
        """Novelties at the ends of the color ramp: gray at the baseline, dark red twice as far as the threshold.

        Equal for all shapes with the same known classes, so that plots are comparable. Without a threshold, minimum and
        maximum of this map.
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
            raise InputError(f"{self.name}: this map has no nearest classes; expected color 'novelty'")

    def image(self, color: str = "novelty") -> np.ndarray:
        """Colors of a map of pixels as an image (h, w, 3) in [0, 1], blended with the gray image."""
        if self.elements.kind != "pixels":
            raise InputError(f"{self.name}: this is a map of {self.elements.kind}; only a map of pixels is an image")
        self.check_color(color)
        pixels, bounds = np.empty((len(self), 3), dtype=np.float32), self.bounds()
        step = BLOCK_ELEMENTS // 8  # of tens of millions of pixels there is no copy in double precision
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            gray = self.elements.rows[part, :3].mean(axis=1, keepdims=True)
            pixels[part] = (0.35 * gray + 0.65 * self._colors(color, part, bounds)).clip(0, 1)
        return pixels.reshape(*self.elements.shape, 3)

    def plot(self, *, ax: Any = None, color: str = "novelty", bar: bool = True) -> Any:
        """Plot, see `openshape_ood.plots.novelty_map`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.novelty_map(self, ax=ax, color=color, bar=bar)

    def save(self, path: str | os.PathLike[str], color: str = "novelty") -> Path:
        """Write a file, whole or not at all.

        A binary PLY of points or voxels with x y z, red green blue, novelty and class;
        or a PNG of pixels, with colors over the gray image.

        Parameters
        ----------
        path : str or Path
            Ends in .ply, or .png for pixels.
        color : {"novelty", "class"}
            Meaning of the colors.

        Returns
        -------
        Path
            Path of the file. The class in a PLY is a number, -1 for none; comments in its header list the classes and
            the up axis.

        Raises
        ------
        InputError, FileError
            For another suffix; if writing fails.
        """
        suffix = ".png" if self.elements.kind == "pixels" else ".ply"
        if given_path(path, "path").suffix.lower() != suffix:
            raise InputError(
                f"a novelty map of {self.elements.kind} is saved as a {suffix} file; given was {os.fspath(path)}"
            )
        if suffix == ".png":
            return save_whole(path, png_bytes(self.image(color)), "the novelty map")
        rows = np.empty(len(self), dtype=PLY)
        columns = (*self.elements.rows.T[:3], *np.rint(self.colors(color).T * 255), self.novelty, self._class_index)
        for name, column in zip(PLY.names or (), columns, strict=True):
            rows[name] = column
        return save_whole(path, ply_bytes(rows, self._comments()), "the novelty map")

    def check_some(self) -> None:
        """Raise `InputError` for an empty map, for example of a view without completed objects."""
        if not len(self):
            raise InputError(f"{self.name}: this map holds no {self.elements.kind}; there is nothing to show")

    @cached_property
    def _class_index(self) -> np.ndarray:
        if self.nearest is None:
            return np.full(len(self), -1)
        place = {name: i for i, name in enumerate(self.classes.tolist())}
        return np.fromiter((place[name] for name in self.nearest.tolist()), np.int64, len(self))

    def _comments(self) -> list[str]:
        # JSON keeps any name on one line
        words = [f"class {i} {json.dumps(str(name))}" for i, name in enumerate(self.classes)]
        low, high = self.bounds()
        source = f"{self.provenance.method} with {json.dumps(self.provenance.identity.checkpoint)}"
        about = [*words, f"up {self.up}", f"novelty by {source}, colored {low:.6g} to {high:.6g}"]
        if self.threshold is None or self.threshold.marks is None or not self.threshold.promise:
            return about
        return [*about, f"marked beyond {self.threshold.value:.6g}: {json.dumps(self.threshold.promise)}"]


def region_size(min_size: Any, seen: int) -> int:
    """Elements of a region, from a number or a fraction of seen elements. Raises `InputError` for invalid sizes."""
    if isinstance(min_size, float) and 0 < min_size < 1:
        return max(1, math.ceil(min_size * seen - 1e-9))
    return check_whole(int(min_size) if isinstance(min_size, float) and min_size.is_integer() else min_size, "min_size")


def png_bytes(image: np.ndarray) -> bytes:
    """PNG file content of an image (h, w, 3) in [0, 1]."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.empty(image.shape, dtype=np.uint8)
    for row, given in zip(pixels, image, strict=True):
        row[:] = np.rint(given * 255)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()

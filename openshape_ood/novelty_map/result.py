"""NoveltyMap: a novelty and a nearest class an element, as colors, regions, a picture, a file."""

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
LISTED = 8  # classes of the printed table
TELLING = 0.9  # of the elements: where more lie beyond the threshold, nothing stands out
UNTOLD = (
    "nearly all of it is beyond the threshold. Is it another thing as a whole, is another axis up, or is it a scan "
    "beside examples that are whole models?"
)

# doubles, for a scan may lie millions of meters from its origin
PLY = np.dtype(
    [(axis, "<f8") for axis in "xyz"]
    + [(channel, "u1") for channel in ("red", "green", "blue")]
    + [("novelty", "<f4"), ("class", "<i4")]
)


@dataclass(frozen=True, eq=False)
class Elements:
    """What the figures of a map belong to.

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
        """Where each element lies: (n, 3), or (n, 2), row and column, of pixels."""
        return np.argwhere(np.ones(self.shape, dtype=bool)) if self.kind == "pixels" else self.rows[:, :3]


@dataclass(frozen=True, eq=False)
class Region:
    """A connected piece of a map, all of it beyond the threshold.

    Attributes
    ----------
    indices : ndarray (m,)
        Its elements, ascending.
    novelty : float
        Their mean novelty.
    center : ndarray (3,)
        Their mean place, in the frame and units of the elements; (2,), row and column, of pixels.
    nearest : str or None
        The class that most of them are nearest to; None where the map has none.
    where : str
        Middle of its range in words, such as "top left": left, right, front and back are those of the pictures.
    heights : tuple of float
        Its lowest and highest place, as shares of the height of the whole.
    p_value : float or None
        Conformal, from the highest region of each calibration shape: for a known, undamaged shape the probability that
        any region has at most t is at most t. None without marks that keep them, and for a smaller piece than theirs.
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
    """What was judged, before the interpolation: centers (p, 3), points of the shape; novelty (p,); nearest (p,)."""

    centers: np.ndarray
    novelty: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class NoveltyMap:
    """Where a thing of n elements is novel against k known classes. As an array it is its novelty.

    Attributes
    ----------
    elements : Elements
        The n points, pixels or voxels.
    novelty : ndarray (n,)
        Grows with novelty; 0 to 2 where it is a distance of cosines. NaN where nothing was seen.
    nearest, similarity : ndarray (n,) of str and of float, or None
        The known class that each element speaks for, and how similar they are, where one was judged for each.
    classes : ndarray (k,) of str
        Both are arrays of Python's strings (`dtype=object`): a long name does not take its room at every element.
    baseline : float
        What half of the known places stay below; NaN where nothing says it.
    threshold : Threshold or None
        Up to which a place is known.
    provenance : Provenance
        Encoder, method and settings.
    patches : PatchNovelty or None
        What was judged, where elements were interpolated from it.
    name : str
        Of the thing: its path, if it has one.
    up : str
        The gravity axis it was read with.
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
        return "\n".join([*lines, *([] if self.tells else [f"the map does not tell where: {UNTOLD}"])])

    @property
    def points(self) -> np.ndarray:
        """The points (n, 3|6) of a map of points."""
        return self.elements.rows

    @property
    def seen(self) -> np.ndarray:
        """Which elements have a novelty (n,)."""
        return np.isfinite(self.novelty)

    @property
    def is_novel(self) -> np.ndarray:
        """Whether each element lies beyond the threshold (n,), False where nothing was seen; raises `InputError` where
        the map has none. Marks with a largest share keep to it: the most novel elements."""
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
        """Whether the map says where: not if more than 90 % lies beyond the threshold, for then nothing stands out."""
        return self.threshold is None or bool(self._beyond <= TELLING)

    @property
    def _beyond(self) -> float:
        """The share beyond the threshold of what was seen."""
        return float(self._above.sum() / max(1, self.seen.sum()))

    def regions(self, min_size: float | None = None) -> list[Region]:
        """The connected pieces beyond the threshold.

        Parameters
        ----------
        min_size : int or float, optional
            Elements that a piece has at least, or below 1 this share of those seen. The threshold's marks say it unless
            given; without marks 1.

        Returns
        -------
        list of Region
            The largest first.

        Raises
        ------
        InputError
            Where the map has no threshold, and for a size that is no whole number.
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
        """The p-value of a connected piece (m,) of pixels or voxels, as `Region.p_value`."""
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
        """The surroundings of the most novel element.

        Parameters
        ----------
        share : float
            Of the elements, above 0 and at most 1.

        Returns
        -------
        ndarray (n,) of bool
            A ball about the most novel element with that share of them.
        """
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}; expected a part of the {self.elements.kind}, above 0 and at most 1")
        self.check_some()
        return around(self.elements.places, int(np.where(self.seen, self.novelty, -np.inf).argmax()), share)

    def shares(self) -> dict[str, float]:
        """The share of the elements that each class is nearest to; empty where the map has no classes."""
        if self.nearest is None:
            return {}
        counts = np.bincount(self._class_index, minlength=len(self.classes))
        return {str(name): count / max(1, len(self)) for name, count in zip(self.classes, counts.tolist(), strict=True)}

    def bounds(self) -> tuple[float, float]:
        """Where the colors begin and end: the baseline is gray, twice as far beyond it as the threshold is dark red.

        The same for all shapes against one set of known classes, so that pictures can be compared. Without a threshold
        they run from the least to the most novel element of this map.
        """
        if self.threshold is not None and np.isfinite(self.baseline):
            return self.baseline, self.baseline + 2 * (self.threshold.value - self.baseline)
        values = self.novelty[self.seen]
        return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)

    def colors(self, by: str = "novelty") -> np.ndarray:
        """A color an element (n, 3) in [0, 1], by "novelty" or by nearest "class"."""
        self.check_color(by)
        return self._colors(by, slice(None), self.bounds())

    def _colors(self, by: str, part: slice, bounds: tuple[float, float]) -> np.ndarray:
        if by == "novelty":
            return ramp(self.novelty[part], *bounds)
        palette = class_colors(list(self.classes))
        return np.stack([hex_to_rgb(palette[name]) for name in self.classes])[self._class_index[part]]

    def check_color(self, by: str) -> None:
        """Raises `UnknownNameError` for another color than `colors` takes, `InputError` where the map has none such."""
        check_choice(by, "color of a novelty map", COLORS)
        if by == "class" and self.nearest is None:
            raise InputError(f"{self.name}: this map has no nearest classes; expected color 'novelty'")

    def image(self, color: str = "novelty") -> np.ndarray:
        """The colors of a map of pixels as an image (h, w, 3) in [0, 1], half over the gray image itself."""
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
        """Draw it, see `openshape_ood.plots.novelty_map`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.novelty_map(self, ax=ax, color=color, bar=bar)

    def save(self, path: str | os.PathLike[str], color: str = "novelty") -> Path:
        """Write a file, whole or not at all: a binary PLY of points or voxels, with x y z, red green blue, novelty
        and class; a PNG of pixels, with the colors over the gray image.

        Parameters
        ----------
        path : str or Path
            Ends in .ply, or .png for pixels.
        color : {"novelty", "class"}
            What the colors mean.

        Returns
        -------
        Path
            Of the file. The class in a PLY is a number, -1 where there is none; the header's comments say which is
            which, and which axis points up.

        Raises
        ------
        InputError, FileError
            For another suffix; where it cannot be written.
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
        """Raises `InputError` for a map of nothing, as that of a view in which nothing was completed."""
        if not len(self):
            raise InputError(f"{self.name}: this map holds no {self.elements.kind}; there is nothing to show")

    @cached_property
    def _class_index(self) -> np.ndarray:
        if self.nearest is None:
            return np.full(len(self), -1)
        place = {name: i for i, name in enumerate(self.classes.tolist())}
        return np.fromiter((place[name] for name in self.nearest.tolist()), np.int64, len(self))

    def _comments(self) -> list[str]:
        # JSON keeps a name on its line, whatever is in it
        words = [f"class {i} {json.dumps(str(name))}" for i, name in enumerate(self.classes)]
        low, high = self.bounds()
        source = f"{self.provenance.method} with {json.dumps(self.provenance.identity.checkpoint)}"
        about = [*words, f"up {self.up}", f"novelty by {source}, colored {low:.6g} to {high:.6g}"]
        if self.threshold is None or self.threshold.marks is None or not self.threshold.promise:
            return about
        return [*about, f"marked beyond {self.threshold.value:.6g}: {json.dumps(self.threshold.promise)}"]


def region_size(min_size: Any, seen: int) -> int:
    """Elements of a region of so many elements, or of a share below 1 of those seen. Raises `InputError` for others."""
    if isinstance(min_size, float) and 0 < min_size < 1:
        return max(1, math.ceil(min_size * seen - 1e-9))
    return check_whole(int(min_size) if isinstance(min_size, float) and min_size.is_integer() else min_size, "min_size")


def png_bytes(image: np.ndarray) -> bytes:
    """An image (h, w, 3) in [0, 1] as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.empty(image.shape, dtype=np.uint8)
    for row, given in zip(pixels, image, strict=True):
        row[:] = np.rint(given * 255)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()

"""Association of a look with an object of the map: by occupied cells, then by embedding."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from openshape_ood.errors import InputError

REACH = 2**20  # cells from the origin on each side: 52 km at 5 cm
BITS = 21
MOST_LOOK, MOST_OBJECT = 4096, 16_384  # maximum number of cells of a look, of an object
COVERED = 0.5  # minimum overlap of objects at one place, as a fraction of the cells of one of them
TOUCHED = 0.2  # minimum overlap of a candidate
SIMILAR_SIZE = 0.25  # minimum ratio of the cell counts of objects at one place, smaller to larger
SAME = 0.75  # minimum cosine between a look and an object that it overlaps in part
MERGED = 0.6  # minimum fraction of the smaller object's cells in or next to the larger one, to merge both
OFFSETS = np.array([(x << 2 * BITS) + (y << BITS) + z for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)])


class Place(NamedTuple):
    """Occupied cells of a look or an object: sorted keys (v,), lower and upper corner (2, 3) in cells."""

    cells: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, cells: np.ndarray) -> Place:
        corners = unpacked(cells)
        return cls(cells, np.stack([corners.min(axis=0), corners.max(axis=0)]))


def cells_of(points: np.ndarray, origin: np.ndarray, size: float) -> np.ndarray:
    """Sorted keys (v,) int64 of the cells with points (n, 3); size: cell side in meters.

    More than 4,096 cells are thinned evenly. Raises `InputError` for points more than 2**20 cells from the origin.
    """
    steps = np.floor((points - origin) / size)
    if not (np.abs(steps) < REACH - 1).all():
        away = float(np.abs(points - origin).max())
        raise InputError(
            f"points are {away:.3g} m from the start of the map. Expected less than {REACH * size:,.0f} m. Give poses "
            "in meters, in the frame of the first view."
        )
    return thinned(np.unique(packed(steps.astype(np.int64))), MOST_LOOK)


def packed(steps: np.ndarray) -> np.ndarray:
    """One key (n,) for each cell (n, 3). Keys are linear: an offset of cells is an offset of keys."""
    moved = steps + REACH
    keys: np.ndarray = (moved[:, 0] << 2 * BITS) + (moved[:, 1] << BITS) + moved[:, 2]
    return keys


def unpacked(keys: np.ndarray) -> np.ndarray:
    """Cells (n, 3) of keys (n,)."""
    mask = (1 << BITS) - 1
    return np.stack([keys >> 2 * BITS, (keys >> BITS) & mask, keys & mask], axis=1) - REACH


def thinned(keys: np.ndarray, most: int) -> np.ndarray:
    return keys if len(keys) <= most else keys[np.linspace(0, len(keys) - 1, most).astype(int)]


def joined(cells: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Union of both, sorted. New cells beyond 16,384 are dropped."""
    fresh = np.setdiff1d(more, cells, assume_unique=True)
    return np.union1d(cells, fresh[: max(0, MOST_OBJECT - len(cells))])


def dilated(cells: np.ndarray) -> np.ndarray:
    """Cells and their 26 neighbors, sorted."""
    return np.unique(cells[:, None] + OFFSETS)


def share_in(cells: np.ndarray, others: np.ndarray) -> float:
    """Fraction of `cells` that are in `others`, both sorted."""
    place = np.minimum(np.searchsorted(others, cells), len(others) - 1)
    return float((others[place] == cells).mean())


class Overlap(NamedTuple):
    """Overlap of two sets of cells.

    first, second: fraction of the cells of each set that are in the other set or next to it; sizes: numbers of cells.
    """

    first: float
    second: float
    sizes: tuple[int, int]

    @classmethod
    def of(cls, first: np.ndarray, wide: np.ndarray, second: np.ndarray) -> Overlap:
        """Overlap of two sorted sets of cells. wide: `first`, dilated."""
        inside = share_in(second, wide)
        if not inside:
            return cls(0.0, 0.0, (len(first), len(second)))
        near = second[np.searchsorted(second, wide[0]) : np.searchsorted(second, wide[-1], side="right")]
        return cls(share_in(first, dilated(near)), inside, (len(first), len(second)))

    @property
    def most(self) -> float:
        return max(self.first, self.second)

    @property
    def is_place(self) -> bool:
        """True if the overlap alone shows that both are at the same place."""
        return self.most >= COVERED and min(self.sizes) >= SIMILAR_SIZE * max(self.sizes)


class Candidate(NamedTuple):
    """An object of the map that a look may show; cosine: between the look and the object's mean embedding."""

    number: int
    overlap: Overlap
    cosine: float


def chosen(candidates: Iterable[Candidate]) -> tuple[int | None, bool]:
    """Number of the object that a look shows, or None; and True if the choice is certain.

    A single candidate at the same place is certain. Of several at the same place, the largest cosine is chosen. Without
    any, it is the largest cosine, at least `SAME`, among the candidates with a partial overlap. A look that overlaps
    objects but fits none is uncertain: it may be merged later.
    """
    touched = [one for one in candidates if one.overlap.most >= TOUCHED]
    placed = [one for one in touched if one.overlap.is_place]
    if len(placed) == 1:
        return placed[0].number, True
    if placed:
        return max(placed, key=lambda one: (one.cosine, -one.number)).number, False
    alike = [one for one in touched if one.cosine >= SAME]
    if alike:
        return max(alike, key=lambda one: (one.cosine, -one.number)).number, False
    return None, not touched


def are_one(overlap: Overlap, cosine: float, whole: tuple[bool, bool]) -> bool:
    """True to merge two objects: the smaller is inside the larger, and is similar or was seen in part only."""
    first = overlap.sizes[0] <= overlap.sizes[1]
    smaller, seen_whole = (overlap.first, whole[0]) if first else (overlap.second, whole[1])
    return smaller >= MERGED and (overlap.is_place or cosine >= SAME or not seen_whole)


def written(cells: np.ndarray) -> str:
    """Sorted cells as compressed text."""
    steps = np.diff(cells, prepend=np.int64(0)).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes(), 6)).decode()


def read(text: str) -> np.ndarray:
    """Read cells of `written`. Raises `ValueError` for any other text."""
    unpack = zlib.decompressobj()
    content = unpack.decompress(base64.b64decode(text, validate=True), 8 * MOST_LOOK)
    if unpack.unconsumed_tail or len(content) % 8:
        raise ValueError("cells of a look are damaged")
    return np.cumsum(np.frombuffer(content, dtype="<i8").astype(np.int64))

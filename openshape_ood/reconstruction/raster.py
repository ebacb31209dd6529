"""A surface as tiles of pixels, and the way from scores of pixels back to its points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.reconstruction.planes import Frame

AT_ONCE = 1 << 20  # points of tiles


@dataclass(frozen=True, eq=False)
class Raster:
    """A surface as t tiles of c channels and h × w cells, and where in them each of its n points lies.

    Attributes
    ----------
    tiles : ndarray (t, c, h, w) float32
        Each channel in [-1, 1]; 0 where the mask is False.
    mask : ndarray (t, h, w) bool
        Where a cell holds points, or is filled from one close by.
    channels : tuple of str
        The c names.
    ranges : dict of str to (float, float)
        By channel, the values that -1 and 1 stand for; what lies beyond is clipped.
    grid : ndarray (t, 2) int64
        Of a sheet's tiles: the cells from the frame's origin to each tile's first cell, along v and u; empty of views.
    points : int
        n.
    rows, tile, spot : ndarray (m,), (m,), (m, 2)
        The index, an entry for each tile that a point lies in: the point, the tile, and row and column in cells.
    frame : Frame or None
        Of a sheet.
    cell : float
        Meters along a cell.
    merge : {"mean", "max"}
        What a point has of several tiles that hold it.
    left_out : dict of str to int
        How many tiles there are not, by reason.
    """

    tiles: np.ndarray
    mask: np.ndarray
    channels: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    grid: np.ndarray
    points: int
    rows: np.ndarray
    tile: np.ndarray
    spot: np.ndarray
    frame: Frame | None
    cell: float
    merge: str = "mean"
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tiles)

    def __repr__(self) -> str:
        seen = f"{self.points:,} points, {self.seen.mean():.1%} seen"
        return f"Raster({len(self)} tiles of {' × '.join(map(str, self.tiles.shape[1:]))}, {seen})"

    @cached_property
    def seen(self) -> np.ndarray:
        """Whether each point (n,) lies in any tile."""
        found = np.zeros(self.points, dtype=bool)
        found[self.rows] = True
        return found

    def values(self, channel: str) -> np.ndarray:
        """A channel in its own unit (t, h, w): meters of heights; NaN where the mask is False."""
        check_choice(channel, "channel", self.channels)
        low, high = self.ranges[channel]
        found = low + (self.tiles[:, self.channels.index(channel)] + 1) / 2 * (high - low)
        return np.where(self.mask, found, np.nan)

    def to_points(self, scores: Any) -> np.ndarray:
        """Scores of the pixels as those of the points.

        Parameters
        ----------
        scores : array (t, h, w)
            NaN is no score.

        Returns
        -------
        ndarray (n,) float64
            Between the middles of cells, without those that the mask leaves out; of all tiles that hold the point the
            mean, of views the maximum. NaN where there is none.

        Raises
        ------
        InputError
            For another shape than that of the mask.
        """
        given = np.asarray(to_numpy(scores))
        if given.shape != self.mask.shape or given.dtype.kind not in "fiub":
            raise InputError(
                f"scores have shape {given.shape} and type {given.dtype}; expected a number a pixel, {self.mask.shape}"
            )
        valid = self.mask & np.isfinite(given)
        known, weight = np.where(valid, given, 0).astype(np.float64), valid.astype(np.float64)
        mean = self.merge == "mean"
        total = np.full(self.points, 0.0 if mean else -np.inf)
        count = np.zeros(self.points)
        for start in range(0, len(self.rows), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            about = _between(weight, self.tile[part], self.spot[part])
            told = about > 0
            rows = self.rows[part][told]
            sampled = _between(known, self.tile[part], self.spot[part])[told] / about[told]
            (np.add if mean else np.maximum).at(total, rows, sampled)
            np.add.at(count, rows, 1)
        return np.where(count > 0, total / np.maximum(count, 1) if mean else total, np.nan)

    def to_tiles(self, values: Any) -> np.ndarray:
        """Numbers of the points (n,), such as true labels, as means over pixels (t, h, w); NaN where none lies."""
        given = array(values, "values", "n", any_type=True)
        if len(given) != self.points:
            raise InputError(f"there are {len(given)} values for {self.points} points; expected one for each")
        _, h, w = self.mask.shape
        cells = (self.tile.astype(np.int64) * h + self.spot[:, 0].astype(np.int64)) * w + self.spot[:, 1].astype(int)
        count = np.bincount(cells, minlength=self.mask.size)
        total = np.bincount(cells, given[self.rows], self.mask.size)
        with np.errstate(invalid="ignore"):
            return (total / np.where(count, count, np.nan)).reshape(self.mask.shape)


def _between(pixels: np.ndarray, tile: np.ndarray, spot: np.ndarray) -> np.ndarray:
    """Pixels (t, h, w) at places (k, 2) of tiles (k,), linear between the middles of cells."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(pixels, np.vstack([tile, spot.T - 0.5]), order=1, mode="nearest")

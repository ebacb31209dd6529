"""Raster of a surface (tiles of pixels), pixel scores at its points, and georeferenced mosaics."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, given_path, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.storage import save_whole
from openshape_ood.surfaces.planes import Frame

AT_ONCE = 1 << 20  # points of tiles processed at once
LARGEST = 8 * 2**30  # maximum bytes of tiles in memory
LEVEL = 0.7  # minimum |z| of the normal of a level sheet


@dataclass(frozen=True, eq=False)
class Raster:
    """Surface as t tiles of c channels and h × w cells, with the positions of its n points in the tiles.

    Attributes
    ----------
    tiles : ndarray (t, c, h, w) float32
        Each channel in [-1, 1]; 0 where the mask is False.
    mask : ndarray (t, h, w) bool
        True for cells that have points or are filled from a near cell.
    channels : tuple of str
        Names of the c channels.
    ranges : dict of str to (float, float)
        For each channel the values that become -1 and 1. Values beyond them are clipped.
    grid : ndarray (t, 2) int64
        Position of each tile of a sheet: cells from the frame's origin to the tile's first cell, along v and u. Empty
        for views.
    points : int
        Number n of points.
    rows, tile, spot : ndarray (m,), (m,), (m, 2)
        A point in several tiles has one entry for each of them. An entry is the index of the point, the index of the
        tile, and the position (row, column) in cells.
    frame : Frame or None
        Frame of a sheet; None for views.
    cell : float
        Meters along a cell.
    merge : {"mean", "max"}
        Combination of the scores of a point in several tiles.
    left_out : dict of str to int
        Number of omitted tiles for each reason.
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
        """Mask (n,) of points in any tile."""
        seen = np.zeros(self.points, dtype=bool)
        seen[self.rows] = True
        return seen

    def values(self, channel: str) -> np.ndarray:
        """Channel in its own unit (t, h, w), such as meters; NaN where the mask is False."""
        check_choice(channel, "channel", self.channels)
        low, high = self.ranges[channel]
        result = low + (self.tiles[:, self.channels.index(channel)] + 1) / 2 * (high - low)
        return np.where(self.mask, result, np.nan)

    def to_points(self, scores: Any) -> np.ndarray:
        """Interpolate pixel scores at the points.

        Parameters
        ----------
        scores : array (t, h, w)
            NaN for pixels without a score.

        Returns
        -------
        ndarray (n,) float64
            Interpolated between the centers of cells that have a score and are in the mask. `merge` combines the scores
            of a point in several tiles. NaN for points without a score.

        Raises
        ------
        InputError
            If the shape differs from the mask's.
        """
        given = np.asarray(to_numpy(scores))
        if given.shape != self.mask.shape or given.dtype.kind not in "fiub":
            raise InputError(
                f"scores have shape {given.shape} and type {given.dtype}. Expected one number per pixel, "
                f"{self.mask.shape}. Give the scores of this raster."
            )
        valid = self.mask & np.isfinite(given)
        known, weight = np.where(valid, given, 0).astype(np.float64), valid.astype(np.float64)
        mean = self.merge == "mean"
        total = np.full(self.points, 0.0 if mean else -np.inf)
        count = np.zeros(self.points)
        for start in range(0, len(self.rows), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            about = _between(weight, self.tile[part], self.spot[part])
            scored = about > 0
            rows = self.rows[part][scored]
            sampled = _between(known, self.tile[part], self.spot[part])[scored] / about[scored]
            (np.add if mean else np.maximum).at(total, rows, sampled)
            np.add.at(count, rows, 1)
        return np.where(count > 0, total / np.maximum(count, 1) if mean else total, np.nan)

    def to_tiles(self, values: Any) -> np.ndarray:
        """Mean (t, h, w) over the points in each pixel. values (n,): one for each point, such as its true label.

        NaN for pixels without points.
        """
        given = array(values, "values", "n", any_type=True)
        if len(given) != self.points:
            raise InputError(
                f"there are {len(given)} values for {self.points} points. Expected one for each. Give a value per "
                "point."
            )
        _, h, w = self.mask.shape
        cells = (self.tile.astype(np.int64) * h + self.spot[:, 0].astype(np.int64)) * w + self.spot[:, 1].astype(int)
        count = np.bincount(cells, minlength=self.mask.size)
        total = np.bincount(cells, given[self.rows], self.mask.size)
        with np.errstate(invalid="ignore"):
            return (total / np.where(count, count, np.nan)).reshape(self.mask.shape)


def _between(pixels: np.ndarray, tile: np.ndarray, spot: np.ndarray) -> np.ndarray:
    """Values of pixels (t, h, w) at positions (k, 2) in tiles (k,), bilinear between cell centers."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(pixels, np.vstack([tile, spot.T - 0.5]), order=1, mode="nearest")


def mosaic(raster: Raster, pixels: Any = None) -> np.ndarray:
    """One image (k, H, W) float32 of all tiles of a sheet.

    Overlapping tiles are averaged; gaps are NaN. A tile that is inclined to the sheet is placed by its center and not
    stretched. At 5 degrees, this shifts the corners of a tile of 128 cells by a third of a cell.

    pixels (t, k, h, w) or (t, h, w): values to show instead of the tiles.

    Raises
    ------
    InputError
        For views, for pixels of another shape, and for images that exceed the memory limit.
    """
    given = raster.tiles if pixels is None else np.asarray(to_numpy(pixels))
    given = given[:, None] if given.ndim == 3 else given
    t, h, w = raster.mask.shape
    if raster.frame is None or given.ndim != 4 or (given.shape[0], *given.shape[2:]) != (t, h, w):
        of = "views" if raster.frame is None else "tiles"
        raise InputError(
            f"pixels are {given.shape} of {of}. Expected ({t}, k, {h}, {w}) of the tiles of a sheet. Give one image "
            "per tile."
        )
    first = raster.grid - raster.grid.min(axis=0)
    size = (given.shape[1], *(first.max(axis=0) + [h, w]))
    if np.prod(size, dtype=float) * 12 > LARGEST:
        raise InputError(
            f"the image would be {size}, which exceeds {LARGEST >> 30} GiB. Expected a smaller sheet. Process the "
            "blocks of raster_blocks one by one."
        )
    total, count = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for (row, column), tile, mask in zip(first, given, raster.mask, strict=True):
        known = mask & np.isfinite(tile)
        part = np.s_[:, row : row + h, column : column + w]
        total[part] += np.where(known, tile, 0)
        count[part] += known
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))


def save_mosaic(raster: Raster, path: str | os.PathLike[str], pixels: Any = None, *, crs: str = "") -> Path:
    """Write a `mosaic` as .npz, with the transform of a GeoTIFF: `rasterio.open(..., transform=Affine(*transform))`.

    Parameters
    ----------
    raster, pixels
        As for `mosaic`.
    path : str or Path
        File with the suffix .npz.
    crs : str
        Coordinate reference system of the cloud, such as "EPSG:25832". Only for level sheets.

    Returns
    -------
    Path
        The file. It holds the image `array` (k, H, W), `transform` (6,), `crs`, `channels`, and `origin` and `axes` of
        the sheet. `transform` has the numbers a to f: x = a column + b row + c, and y = d column + e row + f. For a
        level sheet, x and y are coordinates of the cloud; else they are u and v of the sheet.

    Raises
    ------
    InputError
        For another suffix, and for a crs with a sheet that is not level.
    FileError
        If writing fails.
    """
    path = given_path(path, "path")
    if path.suffix != ".npz":
        raise InputError(f"path is {path}. Expected an .npz file. Change the suffix.")
    picture = mosaic(raster, pixels)
    frame: Any = raster.frame  # not None, because `mosaic` raises for views
    level = abs(frame.axes[2, 2]) > LEVEL
    if crs and not level:
        raise InputError(
            f"crs is {crs!r}, but the sheet is not level (z of its normal is {frame.axes[2, 2]:.2f}). Expected a level "
            "sheet, which has map coordinates. Give crs='' instead."
        )
    axes, origin = (frame.axes[:2, :2], frame.origin[:2]) if level else (np.eye(2), np.zeros(2))
    v, u = raster.grid.min(axis=0) * raster.cell
    corner = origin + u * axes[0] + v * axes[1]
    (a, d), (b, e) = axes * raster.cell
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, array=picture, transform=np.array([a, b, corner[0], d, e, corner[1]]), crs=np.array(crs),
        channels=np.array(raster.channels if pixels is None else ["novelty"]), origin=frame.origin, axes=frame.axes,
    )  # fmt: skip
    return save_whole(path, buffer.getvalue(), "the mosaic")

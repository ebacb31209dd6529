"""From a cloud of a surface to tiles of pixels, and from scores of pixels back to its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, check_count, check_positive, check_rows, check_whole, to_numpy
from openshape_ood.errors import CloudError, InputError
from openshape_ood.reconstruction import tiles
from openshape_ood.reconstruction.planes import SAMPLE, Frame, sheet_frame
from openshape_ood.shapes.points import unit_colors

CHANNELS = ("height", "intensity", "normal", "density", "color")
RGB = ("red", "green", "blue")
GRANULE = 16  # tiles are of a multiple of so many cells
SPARSE = 0.02  # points a cell, below which a raster is nearly all holes
QUANTILES = (0.05, 0.95)  # of the logarithms of intensities, which become -0.5 and 0.5
LARGEST = 8 * 2**30  # bytes of tiles at once
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
        size = self.mask.shape[1:]
        total = np.zeros(self.points) if self.merge == "mean" else np.full(self.points, -np.inf)
        count = np.zeros(self.points)
        for start in range(0, len(self.rows), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            rows, sampled = self.rows[part], _bilinear(given, self.mask, self.tile[part], self.spot[part], size)
            told = np.isfinite(sampled)
            if self.merge == "mean":
                np.add.at(total, rows[told], sampled[told])
            else:
                np.maximum.at(total, rows[told], sampled[told])
            np.add.at(count, rows[told], 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, total / np.where(self.merge == "mean", count, 1), np.nan)

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


def _bilinear(
    scores: np.ndarray, mask: np.ndarray, tile: np.ndarray, spot: np.ndarray, size: tuple[int, ...]
) -> np.ndarray:
    """Scores (k,) at places between the middles of pixels; NaN where no pixel about one has a score."""
    middle = spot.astype(np.float64) - 0.5
    low = np.floor(middle).astype(np.int64)
    far = middle - low
    total, weights = np.zeros(len(tile)), np.zeros(len(tile))
    for down in (0, 1):
        for right in (0, 1):
            weight = np.where(down, far[:, 0], 1 - far[:, 0]) * np.where(right, far[:, 1], 1 - far[:, 1])
            row, column = (np.clip(low[:, i] + step, 0, size[i] - 1) for i, step in enumerate((down, right)))
            value = scores[tile, row, column].astype(np.float64)
            weight = weight * (mask[tile, row, column] & np.isfinite(value))
            total += weight * np.where(weight > 0, value, 0)
            weights += weight
    with np.errstate(invalid="ignore"):
        return np.where(weights > 0, total / np.where(weights > 0, weights, 1), np.nan)


@dataclass(frozen=True)
class Survey:
    """What is found from a sample of a cloud before it is cut: its frame, and by strip the range of log intensities."""

    frame: Frame
    strips: Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class Rasterizer:
    """Cuts surfaces into tiles: roads, facades, sheets of material, as clouds in meters.

    Most of the cloud has to lie about one plane, the sheet, within 60 degrees of which every tile has a plane of its
    own. Objects that are seen from all around are for `ViewRasterizer`.

    Parameters
    ----------
    cell : float
        Meters along a cell: 0.01 to 0.02 shows cracks, 0.03 to 0.05 potholes.
    tile : int
        Cells along a tile, a multiple of 16.
    overlap : float
        The share of a tile that the next one holds again, from 0 up and below 1.
    channels : sequence of {"height", "intensity", "normal", "density", "color"}
        Height off the tile's plane and its camber; logarithm of intensity, by quantiles of its strip; slope, 1 minus
        the cosine between the normal of a cell and that of the plane; logarithm to base 2 of points a cell, beside the
        tile's median; color, which is three channels. What is asked for has to be there.
    height : float
        Meters above and below that become 1 and -1.
    window : float, optional
        Meters along the square whose median height counts as camber and is taken off; half a tile if left out. A place
        that is to be seen has to be smaller than half of that square.
    reach : float
        Meters off the plane beyond which points are of other things (cars, walls, trees) and are not seen.
    fill : int
        Cells without points are filled from the nearest that has any, so many cells away at most.
    coverage : float
        The share of its cells that a tile needs to have points in.
    normal, along : sequence of 3 float, optional
        Of the sheet, where known: its normal, such as (0, 0, 1) of a road, and a direction in it that becomes u, such
        as that of the trajectory.

    Raises
    ------
    InputError
        For settings that cannot be.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plane = np.column_stack([rng.uniform(0, 1, (20_000, 2)), np.zeros(20_000)])
    >>> raster = Rasterizer(cell=0.02, tile=32, channels=("height",)).rasterize(plane)
    >>> raster.tiles.shape[1:], bool(np.abs(raster.tiles).max() < 1e-6), bool(raster.seen.mean() > 0.99)
    ((1, 32, 32), True, True)
    """

    cell: float = 0.02
    tile: int = 128
    overlap: float = 0.5
    channels: Sequence[str] = ("height", "intensity", "normal")
    height: float = 0.1
    window: float | None = None
    reach: float = 0.5
    fill: int = 3
    coverage: float = 0.05
    normal: Sequence[float] | None = None
    along: Sequence[float] | None = None

    def __post_init__(self) -> None:
        for name in ("cell", "height", "reach"):
            check_positive(getattr(self, name), name)
        if self.window is not None:
            check_positive(self.window, "window")
        check_whole(self.fill, "fill", 0)
        if check_count(self.tile, "tile", 4096, "cells along a tile") % GRANULE:
            raise InputError(f"tile is {self.tile}; expected a multiple of {GRANULE}")
        for name in ("overlap", "coverage"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)!r}; expected a share from 0 up and below 1")
        if isinstance(self.channels, str) or not self.channels or len(set(self.channels)) < len(self.channels):
            raise InputError(f"channels are {self.channels!r}; expected some of {', '.join(CHANNELS)}, each once")
        for channel in self.channels:
            check_choice(channel, "channel", CHANNELS)
        for name in ("normal", "along"):
            given = getattr(self, name)
            if given is not None and (len(given) != 3 or not np.any(array(given, name, "d"))):
                raise InputError(f"{name} is {given!r}; expected the three numbers of a direction")

    @property
    def step(self) -> int:
        """Cells from one tile to the next."""
        return max(1, round(self.tile * (1 - self.overlap)))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """By channel, the values that become -1 and 1: meters of heights, the rest without unit."""
        own = {
            "height": (-self.height, self.height),
            "intensity": (-1.0, 1.0),
            "normal": (0.0, 0.3),
            "density": (-3.0, 3.0),
        }
        colors = dict.fromkeys(RGB, (0.0, 1.0))
        return {name: (own | colors)[name] for channel in self.channels for name in _names(channel)}

    def rasterize(self, points: Any, intensity: Any = None, color: Any = None, strips: Any = None) -> Raster:
        """The tiles of a cloud, at once; `score_file` of `streaming` is for those that do not fit into memory.

        Parameters
        ----------
        points : array (n, 3)
            Meters.
        intensity : array (n,), optional
            From 0 up, of any scale.
        color : array (n, 3), optional
            rgb in [0, 1] or 0 to 255.
        strips : array (n,) of int, optional
            Which of several passes a point was measured in; intensities are brought to one scale for each apart.

        Returns
        -------
        Raster
            Tiles by rows of the sheet. One that has no plane, or too few cells with points, is left out.

        Raises
        ------
        CloudError
            For NaN, for points on one line, for those so far apart that nearly all cells are holes (as of centimeters
            taken for meters), and where no tile is left.
        InputError
            For channels whose values were not given, and arrays of other lengths.
        """
        given = _points(points)
        values = self._given(given, intensity, color)
        passes = None if strips is None else array(strips, "strips", "n", any_type=True).astype(np.int64)
        if passes is not None:
            check_rows(passes, "strips", given, "points")
        every = slice(None, None, -(-len(given) // SAMPLE))
        sampled = {name: column[every] for name, column in values.items()}
        survey = self.survey(given[every], sampled.get("intensity"), None if passes is None else passes[every])
        if "intensity" in values:
            values["intensity"] = scaled_intensity(values["intensity"], passes, survey.strips)
        return self.cut(survey.frame, survey.frame.inside(given), values)

    def _given(self, points: np.ndarray, intensity: Any, color: Any) -> dict[str, np.ndarray]:
        """By channel the values that points have, of those that are asked for."""
        found = {}
        for name, values, axes in (("intensity", intensity, "n"), ("color", color, "nc")):
            if name not in self.channels:
                continue
            if values is None:
                others = tuple(channel for channel in self.channels if channel != name)
                raise InputError(f"the cloud has no {name}, which is among the channels; give it, or channels={others}")
            found[name] = array(values, name, axes, any_type=True)
            check_rows(found[name], name, points, "points")
        if "intensity" in found and found["intensity"].min() < 0:
            raise InputError(f"the least intensity is {found['intensity'].min():g}; expected none below 0")
        if "color" in found:
            found["color"] = unit_colors(found["color"][:, :3], "color") * 2 - 1
        return found

    def survey(self, points: np.ndarray, intensity: np.ndarray | None, strips: np.ndarray | None) -> Survey:
        """Frame and scales of intensity by a sample of a cloud: points (n, 3), intensity (n,), strips (n,) of int."""
        normal, along = (None if one is None else np.asarray(one, float) for one in (self.normal, self.along))
        frame = sheet_frame(points, normal, along)
        if intensity is None:
            return Survey(frame, {})
        logs = np.log1p(intensity.astype(np.float64))
        scales = {-1: _quantiles(logs)}  # of strips that the sample has none of
        for strip in [] if strips is None else np.unique(strips).tolist():
            scales[strip] = _quantiles(logs[strips == strip])
        return Survey(frame, scales)

    def cut(
        self, frame: Frame, inside: np.ndarray, values: Mapping[str, np.ndarray], core: np.ndarray | None = None
    ) -> Raster:
        """The tiles of points in the sheet's frame (n, 3), of scaled values by channel.

        core: squares (s, 2), of `squares_of`, that the tiles have to touch; all of them if left out.
        """
        square = squares_of(inside, self)
        low = square.min(axis=0)
        span = square.max(axis=0) - low + 1
        key = (square[:, 0] - low[0]) * span[1] + square[:, 1] - low[1]
        order = np.argsort(key, kind="stable")
        held, first = np.unique(key[order], return_index=True)
        check_spacing(len(inside), len(held), self)
        slices = dict(zip(held.tolist(), np.split(order, first[1:]), strict=True))
        wanted = self._corners(np.column_stack(np.divmod(held, span[1])) + low if core is None else core)
        if len(wanted) * len(self.ranges) * self.tile**2 * 4 > LARGEST:
            raise CloudError(
                f"{len(wanted):,} tiles are more than fit into memory at once; rasterize the file piece by piece "
                "(reconstruction.score_file), take larger cells, or give meters if the points are in other units"
            )
        found, left_out = [], {"few cells": 0, "no plane": 0}
        per_tile = range(-(-self.tile // self.step))
        for corner in wanted:
            parts = [
                slices.get((i - low[0]) * span[1] + j - low[1])
                for i, j in ((corner[0] + a, corner[1] + b) for a in per_tile for b in per_tile)
                if 0 <= j - low[1] < span[1]
            ]
            rows = [part for part in parts if part is not None]
            if not rows:
                continue
            made = self._tile(inside, values, np.concatenate(rows), corner * self.step)
            if isinstance(made, str):
                left_out[made] += 1
            else:
                found.append((corner * self.step, *made))
        return self._raster(found, frame, len(inside), left_out)

    def _corners(self, squares: np.ndarray) -> np.ndarray:
        """The tiles (t, 2), by their first square, that touch any of the squares (s, 2)."""
        back = np.argwhere(np.ones((-(-self.tile // self.step),) * 2, dtype=bool))
        return np.unique((squares[:, None] - back).reshape(-1, 2), axis=0)

    def _tile(
        self, inside: np.ndarray, values: Mapping[str, np.ndarray], rows: np.ndarray, corner: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | str:
        """Channels (c, h, w), mask, points and their spots of the tile with this first cell; or why there is none."""
        size = self.tile
        v, u = (corner + size / 2) * self.cell
        placed = tiles.place(inside[rows] - [u, v, 0], size, self.cell, self.reach, self.height)
        if placed is None:
            return "no plane"
        rows, spot = rows[placed.rows], placed.spot
        cells = spot[:, 0].astype(np.int64) * size + spot[:, 1].astype(np.int64)
        count = np.bincount(cells, minlength=size**2)
        measured = (count > 0).reshape(size, size)
        if measured.mean() < max(self.coverage, 1 / size**2):
            return "few cells"
        nearest, away = tiles.nearest_cell(measured)
        mask = away <= self.fill
        height = tiles.cell_mean(placed.distance, cells, count).reshape(size, size)
        window = size // 2 if self.window is None else min(size, round(self.window / self.cell))
        height = (height - tiles.broad_median(height, measured, window)).reshape(-1)[nearest]
        made = {"height": height}
        if "normal" in self.channels:
            down, right = tiles.slopes(height, self.cell)
            made["normal"] = 1 - 1 / np.sqrt(1 + down**2 + right**2)
        if "density" in self.channels:
            made["density"] = np.log2(np.maximum(count, 1) / np.median(count[count > 0]))[nearest]
        for name, column in values.items():
            table = column[rows].reshape(len(rows), -1).T
            for channel, one in zip(_names(name), table, strict=True):
                made[channel] = tiles.cell_mean(one, cells, count)[nearest]
        stacked = np.stack([self._in_range(name, made[name]) for name in self.ranges])
        return np.where(mask, stacked, 0).astype(np.float32), mask, rows, spot

    def _in_range(self, name: str, values: np.ndarray) -> np.ndarray:
        """Into [-1, 1]; intensity and color are already."""
        if name in ("intensity", *RGB):
            return values
        low, high = self.ranges[name]
        return ((values - low) / (high - low) * 2 - 1).clip(-1, 1)

    def _raster(self, found: list[Any], frame: Frame, points: int, left_out: dict[str, int]) -> Raster:
        size, channels = self.tile, tuple(self.ranges)
        if not found:
            said = ", ".join(f"{count} of {reason}" for reason, count in left_out.items() if count) or "none"
            raise CloudError(
                f"no tile of {size} × {size} cells of {self.cell:g} m is left (left out: {said}). A tile needs points in "
                f"{self.coverage:.0%} of its cells, about one plane; take smaller cells or tiles for a small surface, "
                "larger cells for sparse points, and meters"
            )
        grid, stacked, mask, rows, spot = zip(*found, strict=True)
        owner = np.repeat(np.arange(len(rows), dtype=np.int32), [len(own) for own in rows])
        index = (np.concatenate(rows), owner, np.concatenate(spot))
        return Raster(
            np.stack(stacked), np.stack(mask), channels, self.ranges, np.stack(grid), points, *index, frame, self.cell,
            left_out=left_out,
        )  # fmt: skip


def squares_of(inside: np.ndarray, rasterizer: Rasterizer) -> np.ndarray:
    """The squares (n, 2) that points (n, 3) in a sheet's frame lie in, along v and u: a step between tiles long."""
    return np.floor(inside[:, 1::-1] / (rasterizer.cell * rasterizer.step)).astype(np.int64)


def check_spacing(points: int, squares: int, rasterizer: Rasterizer) -> None:
    """Raises `CloudError` for so few points in so many squares that nearly all cells are holes."""
    a_cell = points / (squares * rasterizer.step**2)
    if a_cell < SPARSE:
        raise CloudError(
            f"{points:,} points lie in {squares:,} squares of {rasterizer.step * rasterizer.cell:g} m: {a_cell:.2g} a "
            f"cell of {rasterizer.cell:g} m, so nearly all cells are holes. If the unit is the centimeter, give meters "
            "(points * 0.01); if it is the meter, take larger cells"
        )


def scaled_intensity(
    values: np.ndarray, strips: np.ndarray | None, scales: Mapping[int, tuple[float, float]]
) -> np.ndarray:
    """Intensities (n,) in [-1, 1], by the quantiles of the strip (n,) of each."""
    logs = np.log1p(values.astype(np.float64))
    low, high = np.array(scales[-1])
    if strips is not None:
        held, index = np.unique(strips, return_inverse=True)
        low, high = np.array([scales.get(strip, scales[-1]) for strip in held.tolist()]).T[:, index]
    return ((logs - (low + high) / 2) / np.maximum(high - low, 1e-9)).clip(-1, 1)


def _quantiles(logs: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(logs, QUANTILES).tolist()
    return low, high


def _names(channel: str) -> tuple[str, ...]:
    return RGB if channel == "color" else (channel,)


def _points(points: Any) -> np.ndarray:
    """(n, 3) float64; raises `CloudError`."""
    try:
        given = array(points, "points", "nd", any_type=True)
    except InputError as error:
        raise CloudError(
            f"{error}. Drop points that were never measured: points[np.isfinite(points).all(axis=1)]"
        ) from error
    if given.shape[1] != 3:
        raise CloudError(f"points have shape {given.shape}; expected (n, 3), meters, with color and intensity apart")
    return given.astype(np.float64)

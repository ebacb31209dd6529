"""Conversion of clouds of sheets to tiles of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, check_count, check_positive, check_rows, check_share, check_whole
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes.points import unit_colors
from openshape_ood.surfaces import tiles
from openshape_ood.surfaces.planes import Frame, sample_step, sheet_frame
from openshape_ood.surfaces.raster import LARGEST, Raster

CHANNELS = ("height", "intensity", "normal", "density", "color")
RGB = ("red", "green", "blue")
GRANULE = 16  # the side of a tile is a multiple of this number of cells
COVERAGE = 0.05  # minimum fraction of a tile's cells with points
SPARSE = 0.02  # minimum points per cell; with fewer, a raster is mostly holes
MOST_CELLS = 4096  # maximum cells along a tile
MOST_OVERLAP = 0.9
FARTHEST = 2**30  # maximum distance of a point from the origin of the sheet, in `squares`


@dataclass(frozen=True)
class Rasterizer:
    """Rasterizer of sheets in meters: roads, facades, sheets of material.

    Most of the cloud must be close to one plane, the sheet. Every tile has its own plane, at most 60 degrees from the
    sheet. For objects seen from all sides use `ViewRasterizer`.

    Parameters
    ----------
    cell : float
        Meters along a cell: 0.01 to 0.02 for cracks, 0.03 to 0.05 for potholes.
    tile : int
        Cells along a tile, a multiple of 16. The median height over windows of half a tile is removed as camber, so
        defects must be smaller than half a window.
    overlap : float
        Fraction of a tile that the next tile repeats, up to 0.9.
    channels : sequence of {"height", "intensity", "normal", "density", "color"}
        - "height": above the tile's plane and camber.
        - "intensity": logarithm, scaled by the quantiles of the point's strip.
        - "normal": slope, as 1 minus the cosine between the normals of cell and plane.
        - "density": logarithm to base 2 of the number of points in a cell, relative to the tile's median.
        - "color": three channels.

        The cloud must have intensity and color if they are requested.
    height : float
        Heights of `height` meters above and below the plane become 1 and -1.
    reach : float
        Points farther than `reach` meters from the plane belong to other objects (cars, walls, trees) and are ignored.
    fill : int
        Empty cells are filled from the nearest cell with points, up to this distance in cells.
    normal, along : sequence of 3 float, optional
        Normal of the sheet, such as (0, 0, 1) for a road. Direction of u in the sheet, such as the direction of travel.
        Default: estimated from the cloud.

    Raises
    ------
    InputError
        For invalid settings.

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
    reach: float = 0.5
    fill: int = 3
    normal: Sequence[float] | None = None
    along: Sequence[float] | None = None

    def __post_init__(self) -> None:
        for name in ("cell", "height", "reach"):
            check_positive(getattr(self, name), name)
        check_whole(self.fill, "fill", 0)
        if check_count(self.tile, "tile", MOST_CELLS, "cells along a tile") % GRANULE:
            raise InputError(f"tile is {self.tile}. Expected a multiple of {GRANULE}. Give tile=128, for example.")
        if check_share(self.overlap, "overlap") > MOST_OVERLAP:
            raise InputError(
                f"overlap is {self.overlap!r}. Expected a fraction from 0 to {MOST_OVERLAP}. Give overlap=0.5, for "
                "example."
            )
        if isinstance(self.channels, str) or not self.channels or len(set(self.channels)) < len(self.channels):
            raise InputError(
                f"channels are {self.channels!r}. Expected some of {', '.join(CHANNELS)}, each once. Give ['height'], "
                "for example."
            )
        for channel in self.channels:
            check_choice(channel, "channel", CHANNELS)
        for name in ("normal", "along"):
            given = getattr(self, name)
            if given is not None and (len(array(given, name, "d")) != 3 or not np.any(given)):
                raise InputError(
                    f"{name} is {given!r}. Expected the three numbers of a direction. Give (0, 0, 1), for example."
                )

    @property
    def step(self) -> int:
        """Cells between the starts of two adjacent tiles."""
        return max(1, round(self.tile * (1 - self.overlap)))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """For each channel the values that become -1 and 1. Heights are in meters; the other channels have no unit."""
        table = {
            "height": (-self.height, self.height),
            "intensity": (-1.0, 1.0),
            "normal": (0.0, 0.1),
            "density": (-3.0, 3.0),
        }
        colors = dict.fromkeys(RGB, (0.0, 1.0))
        return {name: (table | colors)[name] for channel in self.channels for name in _names(channel)}

    def rasterize(self, points: Any, intensity: Any = None, color: Any = None, strips: Any = None) -> Raster:
        """Tiles of a cloud in memory; for larger files use `score_file` of `streaming`.

        Parameters
        ----------
        points : array (n, 3)
            Meters.
        intensity : array (n,), optional
            0 or more, on any scale.
        color : array (n, 3), optional
            Red, green, blue in [0, 1] or 0 to 255.
        strips : array (n,) of int, optional
            Strip of each point: the number of the pass in which it was measured. Intensities are scaled separately for
            each strip.

        Returns
        -------
        Raster
            The tiles, row by row. Tiles without a plane, or with too few occupied cells, are omitted.

        Raises
        ------
        CloudError
            - For NaN and collinear points.
            - For points so sparse that most cells are holes, for example if centimeters are read as meters.
            - If no tile is left.
        InputError
            For missing channels, and arrays of different lengths.
        """
        given = cloud_points(points)
        values = self._given(given, intensity, color)
        passes = None if strips is None else array(strips, "strips", "n", any_type=True).astype(np.int64)
        if passes is not None:
            check_rows(passes, "strips", given, "points")
        every = slice(None, None, sample_step(len(given)))
        frame = self.frame(given[every])
        if "intensity" in values:
            sampled = values["intensity"][every], None if passes is None else passes[every]
            values["intensity"] = tiles.scaled_intensity(values["intensity"], passes, tiles.intensity_scales(*sampled))
        inside = frame.inside(given)
        check_spacing(len(given), len(np.unique(keys_of(self.squares(inside)))), self)
        raster = self.cut(frame, inside, values)
        if not len(raster):
            raise self.no_tile(raster.left_out)
        return raster

    def frame(self, sample: np.ndarray) -> Frame:
        """Frame of the sheet, from a sample (n, 3) of its cloud."""
        normal, along = (None if one is None else np.asarray(one, float) for one in (self.normal, self.along))
        return sheet_frame(sample, normal, along)

    def _given(self, points: np.ndarray, intensity: Any, color: Any) -> dict[str, np.ndarray]:
        """Point values for each requested channel: intensity (n,), color (n, 3)."""
        requested = {}
        for name, values, axes in (("intensity", intensity, "n"), ("color", color, "nc")):
            if name not in self.channels:
                continue
            if values is None:
                raise self.missing(name)
            requested[name] = array(values, name, axes, any_type=True)
            check_rows(requested[name], name, points, "points")
        if "color" in requested:
            if requested["color"].shape[1] < 3:
                raise InputError(
                    f"color has the shape {requested['color'].shape}. Expected (n, 3). Give red, green and blue."
                )
            requested["color"] = unit_colors(requested["color"][:, :3], "color")
        return requested

    def cut(
        self, frame: Frame, inside: np.ndarray, values: Mapping[str, np.ndarray], core: np.ndarray | None = None
    ) -> Raster:
        """Tiles of points (n, 3) in the sheet's frame. values: scaled point values for each channel.

        core: indices (s, 2) as from `squares`; only tiles that touch one of these squares are made. Default: all tiles.
        """
        key = keys_of(self.squares(inside))
        order = np.argsort(key, kind="stable")
        held, first = np.unique(key[order], return_index=True)
        members = dict(zip(held.tolist(), np.split(order, first[1:]), strict=True))
        # offsets of a tile's squares from its first square
        part = np.argwhere(np.ones((-(-self.tile // self.step),) * 2, dtype=bool))
        touched = (squares_at(held) if core is None else core)[:, None] - part
        corners = squares_at(np.unique(keys_of(touched.reshape(-1, 2))))
        if len(corners) * len(self.ranges) * self.tile**2 * 4 > LARGEST:
            raise CloudError(
                f"{len(corners):,} tiles exceed {LARGEST >> 30} GiB. Expected points in meters, and larger cells. "
                "Convert the points to meters, take larger cells, or score the file in blocks (surfaces.score_file)."
            )
        results, left_out = [], {"few cells": 0, "no plane": 0}
        for corner in corners:
            rows = [members[one] for one in keys_of(corner + part).tolist() if one in members]
            if not rows:
                continue
            made = self._tile(inside, values, np.concatenate(rows), corner * self.step)
            if isinstance(made, str):
                left_out[made] += 1
            else:
                results.append((corner * self.step, *made))
        return self._raster(results, frame, len(inside), left_out)

    def squares(self, inside: np.ndarray) -> np.ndarray:
        """Square (n, 2), along v and u, of each point (n, 3) in the sheet's frame. A side is the step between tiles."""
        squares = np.floor(inside[:, 1::-1] / (self.cell * self.step))
        if not (np.abs(squares) < FARTHEST).all():
            raise CloudError(
                f"points are up to {np.abs(inside).max():.3g} m from their median, too far to rasterize. Expected a "
                "sheet in meters. Drop stray points, or give meters."
            )
        return squares.astype(np.int64)

    def _tile(
        self, inside: np.ndarray, values: Mapping[str, np.ndarray], rows: np.ndarray, corner: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | str:
        """Channels (c, h, w), mask (h, w), point indices and positions of the tile whose first cell is `corner`.

        If the tile is omitted, returns the reason.
        """
        size = self.tile
        v, u = (corner + size / 2) * self.cell
        placed = tiles.place(inside[rows] - [u, v, 0], size, self.cell, self.reach, self.height)
        if placed is None:
            return "no plane"
        inner, spot, distance = placed
        rows = rows[inner]
        cells = spot[:, 0].astype(np.int64) * size + spot[:, 1].astype(np.int64)
        count = np.bincount(cells, minlength=size**2)
        measured = (count > 0).reshape(size, size)
        if measured.mean() < COVERAGE:
            return "few cells"
        nearest, away = tiles.nearest_cell(measured)
        mask = away <= self.fill
        height = tiles.cell_mean(distance, cells, count).reshape(size, size)
        height = (height - tiles.broad_median(height, measured)).reshape(-1)[nearest]
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
        scaled = [(made[name] - low) / (high - low) * 2 - 1 for name, (low, high) in self.ranges.items()]
        stacked = np.stack(scaled).clip(-1, 1)
        return np.where(mask, stacked, 0).astype(np.float32), mask, rows, spot

    def _raster(self, results: list[Any], frame: Frame, points: int, left_out: dict[str, int]) -> Raster:
        grid, stacked, mask, rows, spot = zip(*results, strict=True) if results else [()] * 5
        size, channels = self.tile, tuple(self.ranges)
        owner = np.repeat(np.arange(len(rows), dtype=np.int32), [len(part) for part in rows])
        return Raster(
            tiles=np.array(stacked, np.float32).reshape(-1, len(channels), size, size),
            mask=np.array(mask, bool).reshape(-1, size, size),
            channels=channels,
            ranges=self.ranges,
            grid=np.array(grid, np.int64).reshape(-1, 2),
            points=points,
            rows=np.concatenate([np.empty(0, np.int64), *rows]),
            tile=owner,
            spot=np.concatenate([np.empty((0, 2), np.float32), *spot]),
            frame=frame,
            cell=self.cell,
            left_out=left_out,
        )

    def missing(self, channel: str) -> InputError:
        """Error for a cloud without values for a channel."""
        others = tuple(one for one in self.channels if one != channel) or ("height",)
        return InputError(
            f"the cloud has no {channel}. Expected it, because it is among the channels. Give it, or channels={others}."
        )

    def no_tile(self, left_out: Mapping[str, int]) -> CloudError:
        """Error if no tile is left."""
        reasons = ", ".join(f"{count} with {reason}" for reason, count in left_out.items() if count) or "none"
        return CloudError(
            f"no tile of {self.tile} × {self.tile} cells of {self.cell:g} m is left (omitted: {reasons}). "
            f"Expected meters, and points in {COVERAGE:.0%} of the cells of a tile, close to one plane. Take smaller "
            "cells or tiles for a small surface, larger cells for sparse points."
        )


def keys_of(squares: np.ndarray) -> np.ndarray:
    """Integer key (n,) of each square (n, 2)."""
    return (squares[:, 0] << 32) + squares[:, 1] + FARTHEST


def squares_at(keys: np.ndarray) -> np.ndarray:
    """Squares (n, 2) from the keys (n,) of `keys_of`."""
    return np.stack([keys >> 32, (keys & (2**32 - 1)) - FARTHEST], axis=1)


def check_spacing(points: int, squares: int, rasterizer: Rasterizer) -> None:
    """Raise `CloudError` if most cells of the occupied squares are empty."""
    a_cell = points / (squares * rasterizer.step**2)
    if a_cell < SPARSE:
        raise CloudError(
            f"there are {a_cell:.2g} points per cell of {rasterizer.cell:g} m, so nearly all cells are empty. Expected "
            f"at least {SPARSE}, and points in meters. Convert centimeters by points * 0.01, or take larger cells."
        )


def _names(channel: str) -> tuple[str, ...]:
    return RGB if channel == "color" else (channel,)


def cloud_points(points: Any) -> np.ndarray:
    """Points (n, 3) float64. Raises `CloudError`."""
    try:
        given = array(points, "points", "nd", any_type=True)
    except InputError as error:
        raise CloudError(
            f"{str(error).rstrip('.')}. Drop points that were never measured: points[np.isfinite(points).all(axis=1)]"
        ) from error
    if given.shape[1] != 3:
        raise CloudError(f"points have shape {given.shape}. Expected (n, 3). Give color and intensity separately.")
    return given.astype(np.float64)

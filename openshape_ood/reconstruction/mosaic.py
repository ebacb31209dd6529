"""The tiles of a sheet as one picture with its place on the map, as GeoTIFF has it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import given_path, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.reconstruction.raster import Raster
from openshape_ood.reconstruction.rasterizer import LARGEST
from openshape_ood.storage import save_whole

LEVEL = 0.7  # |z| of the normal of what can be drawn on a map


def mosaic(raster: Raster, pixels: Any = None) -> np.ndarray:
    """One picture (k, H, W) float32 of the tiles of a sheet, or of `pixels` (t, k, h, w) or (t, h, w) for them.

    Overlapping tiles are averaged; NaN where there is none. A tile that is inclined to the sheet is drawn at its
    middle, not stretched: at 5 degrees its corners are off by a third of a cell in 128.

    Raises
    ------
    InputError
        For views, which are no sheet, another shape, and pictures that do not fit into memory.
    """
    given = raster.tiles if pixels is None else np.asarray(to_numpy(pixels))
    given = given[:, None] if given.ndim == 3 else given
    t, h, w = raster.mask.shape
    if raster.frame is None or given.ndim != 4 or (given.shape[0], *given.shape[2:]) != (t, h, w):
        shape = f"pixels ({t}, k, {h}, {w}) of the tiles of a sheet"
        raise InputError(
            f"given are pixels {given.shape} of {'views' if raster.frame is None else 'tiles'}; expected {shape}"
        )
    first = raster.grid - raster.grid.min(axis=0)
    size = (given.shape[1], *(first.max(axis=0) + [h, w]))
    if np.prod(size, dtype=float) * 12 > LARGEST:
        raise InputError(f"a picture of {size} does not fit into memory; take the blocks of raster_blocks one by one")
    total, count = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for (row, column), tile, mask in zip(first, given, raster.mask, strict=True):
        known = mask & np.isfinite(tile)
        part = np.s_[:, row : row + h, column : column + w]
        total[part] += np.where(known, tile, 0)
        count[part] += known
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))


def save_mosaic(raster: Raster, path: str | os.PathLike[str], pixels: Any = None, *, crs: str = "") -> Path:
    """Write a `mosaic` as .npz with what a GeoTIFF needs: `rasterio.open(..., transform=Affine(*found["transform"]))`.

    Parameters
    ----------
    raster, pixels
        As for `mosaic`.
    path : str or Path
        Ends in .npz.
    crs : str
        The coordinate reference system of the cloud, such as "EPSG:25832"; only of sheets that lie level.

    Returns
    -------
    Path
        Arrays: array (k, H, W); transform (6,), a b c d e f with x = a column + b row + c and y = d column + e row + f,
        in the cloud's x and y of a level sheet, else in its own u and v; crs; channels; origin and axes of the sheet.

    Raises
    ------
    InputError
        For another suffix, and a crs of a sheet that stands.
    FileError
        Where it cannot be written.
    """
    path = given_path(path, "path")
    if path.suffix != ".npz":
        raise InputError(f"a mosaic is saved as an .npz file; given was {path}")
    picture = mosaic(raster, pixels)
    frame: Any = raster.frame  # views, which have none, are refused by now
    level = abs(frame.axes[2, 2]) > LEVEL
    if crs and not level:
        raise InputError(
            f"the sheet stands (z of its normal {frame.axes[2, 2]:.2f}), and is on no map; expected crs=''"
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

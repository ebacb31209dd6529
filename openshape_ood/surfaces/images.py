"""Conversion of images of any size and pixel type to tiles, and of maps to the image size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from openshape_ood.checks import array, check_whole
from openshape_ood.errors import InputError
from openshape_ood.shapes.pictures import load_pixels

STRIP = 1 << 20  # pixels converted to floats at once
FULL = {"uint8": 255.0, "uint16": 65535.0, "bool": 1.0}


def image_tile(
    image: Any, size: int | Sequence[int] = 128, channels: int = 3, values: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One tile of an image of any size and pixel type.

    Parameters
    ----------
    image : path or array (h, w) or (h, w, c)
        8-bit values are divided by 255, 16-bit values by 65535; floats must be in [0, 1], unless `values` is given. NaN
        pixels are unseen.
    size : int or (int, int)
        Rows and columns of the tile; the image is resized without keeping proportions.
    channels : int
        Channels of the tile. A single channel is repeated; alpha is dropped.
    values : (float, float), optional
        Values that become -1 and 1; values beyond are clipped.

    Returns
    -------
    tile : ndarray (c, h, w) float32
        In [-1, 1].
    mask : ndarray (h, w) bool
        True for seen pixels.

    Raises
    ------
    InputError
        For an invalid image, and if the range of its values is unknown.
    FileError
        For an unreadable file.

    Examples
    --------
    >>> tile, mask = image_tile(np.full((60, 80), 65535, dtype=np.uint16), size=32)
    >>> tile.shape, float(tile.min()), bool(mask.all())
    ((3, 32, 32), 1.0, True)
    """
    pixels = np.asarray(image) if not isinstance(image, str | os.PathLike) else load_pixels(image)
    sides = [check_whole(side, "size") for side in (size if isinstance(size, list | tuple) else (size, size))]
    if len(sides) != 2:
        raise InputError(
            f"size is {size!r}. Expected rows and columns, or one number for both. Give size=(rows, columns)."
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise InputError(f"an image has the shape {pixels.shape}. Expected (h, w) or (h, w, c). Reshape it.")
    if pixels.shape[2] in (2, 4) and pixels.shape[2] != channels:
        pixels = pixels[..., :-1]
    if pixels.shape[2] not in (1, channels):
        raise InputError(f"an image has {pixels.shape[2]} channels. Expected {channels}, or 1. Select channels first.")
    resized = _resized(pixels, sides, values)
    mask = resized[-1] > 0.5
    tile = (resized[:-1] / resized[-1:].clip(1e-6)).clip(-1, 1)
    tile = np.repeat(tile, channels // len(tile), axis=0)
    return np.where(mask, tile, 0).astype(np.float32), mask


def _resized(pixels: np.ndarray, sides: Sequence[int], values: tuple[float, float] | None) -> np.ndarray:
    """Pixels (h, w, c) resized to (c + 1, rows, columns) float32.

    Unseen pixels are 0 in the first c channels. The last channel is the seen fraction of each pixel. The width is
    reduced in strips, then the height at once, so that the whole image never exists as floats.
    """
    h, w, channels = pixels.shape
    if w < sides[1] and h > sides[0]:  # a tall and narrow image is reduced in height first
        return _resized(pixels.swapaxes(0, 1), sides[::-1], values).swapaxes(1, 2)
    rows, narrow = max(1, STRIP // w), torch.empty((1, channels + 1, h, sides[1]))
    for top in range(0, h, rows):
        scaled = scaled_values(pixels[top : top + rows], values)
        seen = np.isfinite(scaled).all(axis=2, keepdims=True)
        both = np.concatenate([np.where(seen, scaled, 0), seen], axis=2).astype(np.float32)
        part = torch.from_numpy(both).movedim(2, 0)[None]
        narrow[:, :, top : top + rows] = _interpolated(part, (len(both), sides[1]))
    return _interpolated(narrow, sides)[0].numpy()


def _interpolated(image: torch.Tensor, sides: Sequence[int]) -> torch.Tensor:
    return F.interpolate(image, list(sides), mode="bilinear", antialias=True, align_corners=False)


def colors_of(pixels: np.ndarray, values: tuple[float, float] | None = None) -> np.ndarray:
    """Colors (h * w, 3) float32 in [0, 1] of an image (h, w, c); gray if c is less than 3; 0 for NaN."""
    given = pixels[..., : 3 if pixels.shape[2] > 2 else 1]
    colors, rows = np.empty((*given.shape[:2], 3), dtype=np.float32), max(1, STRIP // given.shape[1])
    for top in range(0, len(given), rows):
        colors[top : top + rows] = np.nan_to_num(scaled_values(given[top : top + rows], values) / 2 + 0.5)
    return colors.reshape(-1, 3)


def scaled_values(pixels: np.ndarray, values: tuple[float, float] | None = None) -> np.ndarray:
    """Pixels scaled to [-1, 1] by the range of their type or by `values`; NaN stays. Raises `InputError`."""
    if pixels.dtype.kind not in "fiub":
        raise InputError(f"an image is of type {pixels.dtype}. Expected numbers. Convert it first.")
    full = FULL.get(pixels.dtype.name, 1.0 if pixels.dtype.kind == "f" else None)
    if values is None and full is None:
        raise InputError(
            f"an image is of type {pixels.dtype}, from {pixels.min()} to {pixels.max()}. Expected uint8, uint16 or "
            "floats, because their range is known. Give the range, such as values=(0, 4095)."
        )
    low, high = (0.0, float(full or 1)) if values is None else value_range(values)
    scaled = (pixels.astype(np.float64) - low) / (high - low) * 2 - 1
    scaled[np.isinf(scaled)] = np.nan
    if values is None and np.nanmax(np.abs(scaled), initial=0) > 1 + 1e-6:
        raise InputError(
            f"an image of floats goes from {np.nanmin(pixels):.4g} to {np.nanmax(pixels):.4g}. Expected [0, 1]. Give "
            "the range of all images: values=(low, high)."
        )
    return np.asarray(scaled.clip(-1, 1))


def value_range(values: Any) -> tuple[float, float]:
    """Lower and upper end of a range. Raises `InputError` if they are invalid."""
    ends = array(values, "values", "v").tolist()
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise InputError(
            f"values are {values}. Expected the lower and the higher end of a range. Give values=(low, high)."
        )
    return ends[0], ends[1]


def resized_maps(maps: Any, shape: Sequence[int]) -> np.ndarray:
    """Maps (t, h, w) resized to (t, rows, columns). NaN pixels stay NaN."""
    given = array(np.nan_to_num(maps), "maps", "bhw").astype(np.float32)
    both = torch.from_numpy(np.stack([given, np.isfinite(maps).astype(np.float32)], axis=1))
    sides = [check_whole(side, "shape") for side in shape]
    values, share = F.interpolate(both, sides, mode="bilinear", align_corners=False).numpy().swapaxes(0, 1)
    return np.where(share > 0.5, values / share.clip(1e-6), np.nan)

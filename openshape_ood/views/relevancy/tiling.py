"""Square tiles of an image in several sizes, and the combination of their maps into a map of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from openshape_ood.checks import check_choice, check_seed, check_whole, to_numpy
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    import torch

LEAST_SIDE = 16  # pixels, minimum side of an image; 1 / LEAST_SIDE is the smallest scale
MOST_TILES = 50_000  # enough for images whose long side is up to 2900 times the short side
JITTER, HUE = 0.6, 0.1  # maximum jitter: JITTER for brightness, contrast and saturation, HUE for hue
Fraction = tuple[int, int]


def _fits(scale: tuple[Any, ...]) -> bool:
    whole = len(scale) == 2 and all(type(one) is int for one in scale)
    return whole and 0 < scale[0] <= scale[1] <= LEAST_SIDE * scale[0]


@dataclass(frozen=True)
class Preset:
    """Tiling of an image of h by w pixels; D is its shorter side.

    Attributes
    ----------
    scales : tuple of (int, int)
        Sides of the tiles as fractions of D, rounded down. Tiles of one size are evenly spaced from border to border,
        about a quarter of their side apart, so every scale covers every pixel.
    jitters : int
        Number of additional copies of the image with random brightness, contrast, saturation and hue.
    flip : bool
        Process a mirrored copy of every tile too.
    legacy : {"", "height", "shorter"}
        Published behavior; D is the height or the shorter side. A tile is dropped if its row is not below the width, or
        its column is not below the height. The end of a long side can stay uncovered. Uncovered pixels are 0 instead of
        unknown. Means of sentences are not normalized. The mean over the requested names is subtracted.
    """

    scales: tuple[Fraction, ...] = ((1, 1), (2, 3), (1, 2), (1, 4))
    jitters: int = 0
    flip: bool = False
    legacy: Literal["", "height", "shorter"] = ""

    def __post_init__(self) -> None:
        check_whole(self.jitters, "jitters", 0)
        check_choice(self.legacy, "legacy", ("", "height", "shorter"))
        try:
            scales = tuple(tuple(pair) for pair in self.scales)
        except TypeError:  # not pairs
            scales = ()
        if not scales or not all(map(_fits, scales)):
            raise InputError(
                f"scales are {self.scales!r:.80}. Expected pairs (1, 2) for fractions from 1/{LEAST_SIDE} to 1. "
                "Give ((1, 1), (1, 2)), for example."
            )
        object.__setattr__(self, "scales", scales)


PRESETS = {
    "ours": Preset(jitters=5, flip=True),
    "chefer_et_al": Preset(scales=((1, 1),)),
    "quick": Preset(),
}


def find_preset(preset: str | Preset, legacy: bool = False) -> Preset:
    """Preset by name, or a `Preset` unchanged. legacy: with published behavior. Raises `UnknownNameError`."""
    if not isinstance(preset, Preset):
        check_choice(preset, "preset", tuple(PRESETS))
        preset = PRESETS[preset]
    return replace(preset, legacy="height") if legacy and not preset.legacy else preset


def cut(height: int, width: int, preset: Preset) -> np.ndarray:
    """Tiles (t, 3) int32 of an image: size, row and column of the first pixel; ordered by size, column, row.

    >>> cut(16, 20, Preset(scales=((1, 1),))).tolist()
    [[16, 0, 0], [16, 0, 4]]
    """
    side = height if preset.legacy == "height" else min(height, width)
    tiles: list[tuple[int, int, int]] = []
    for above, below in preset.scales:
        size = side * above // below
        if preset.legacy:
            rows, columns = (list(range(0, length - size + 1, size // 4)) for length in (height, width))
            rows, columns = [row for row in rows if row < width], [column for column in columns if column < height]
        else:
            rows, columns = starts(height, size), starts(width, size)
        if len(tiles) + len(rows) * len(columns) > MOST_TILES:
            raise InputError(
                f"an image of {width} x {height} pixels would take more than {MOST_TILES} tiles. Expected fewer. "
                "Split it."
            )
        tiles += [(size, row, column) for column in columns for row in rows]
    return np.array(tiles, dtype=np.int32).reshape(-1, 3)


def starts(length: int, size: int) -> list[int]:
    """Start positions of tiles along a side, symmetric, from one border to the other.

    >>> starts(96, 48), starts(100, 40)
    ([0, 12, 24, 36, 48], [0, 10, 20, 30, 40, 50, 60])
    """
    spare, stride = length - size, max(1, size // 4)
    gaps = -(-spare // stride)
    # with an even number of gaps, a tile is in the middle; it cannot be centered if `spare` is odd
    gaps += spare % 2 and gaps % 2 == 0
    half = [spare * i // gaps if gaps else 0 for i in range(gaps // 2 + 1)]
    return sorted({*half, *(spare - start for start in half)})


def as_picture(rgb: Any) -> np.ndarray:
    """Image as (h, w, 3) uint8: gray becomes rgb, transparency is blended with white. Raises `InputError`."""
    given = np.asarray(to_numpy(rgb))
    expected = "Expected (h, w, 3|4) or gray (h, w), as numbers in [0, 1] or uint8. Convert it."
    if given.dtype.kind not in "fu" or (given.dtype.kind == "u" and given.dtype != np.uint8):
        raise InputError(f"the image is of type {given.dtype}. {expected}")
    if given.ndim == 2:
        given = given[..., None]
    if given.ndim != 3 or given.shape[2] not in (1, 3, 4):
        raise InputError(f"the image has the shape {given.shape}. {expected}")
    if min(given.shape[:2]) < LEAST_SIDE:
        h, w = given.shape[:2]
        raise InputError(f"the image has {w} x {h} pixels. Expected at least {LEAST_SIDE} a side. Enlarge it.")
    if given.dtype.kind == "f":
        if not (np.isfinite(given).all() and given.min() >= 0 and given.max() <= 1):
            raise InputError(f"the image has values outside [0, 1], or that are not finite. {expected}")
        given = np.rint(given * 255).astype(np.uint8)
    if given.shape[2] == 4:
        share = given[..., 3:] / np.float32(255)
        given = np.rint(given[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(given, (*given.shape[:2], 3)))


def jittered(picture: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """The image (h, w, 3) uint8, then `count` copies with jittered colors."""
    from PIL import Image
    from torchvision.transforms import functional

    yield picture
    rng = np.random.default_rng(check_seed(seed))
    change: list[Any] = [functional.adjust_brightness, functional.adjust_contrast]
    change += [functional.adjust_saturation, functional.adjust_hue]
    for _ in range(count):
        copy: Any = Image.fromarray(picture)
        factors = [*rng.uniform(1 - JITTER, 1 + JITTER, 3), rng.uniform(-HUE, HUE)]
        for i in rng.permutation(4):
            copy = change[i](copy, float(factors[i]))
        yield np.asarray(copy)


def pixels(picture: np.ndarray, tiles: np.ndarray, side: int) -> np.ndarray:
    """Tiles (t, 3) of an image, each scaled to `side`: (t, 3, side, side) uint8."""
    from PIL import Image

    whole = Image.fromarray(picture)
    scaled = []
    for size, row, column in tiles.tolist():
        tile = whole.crop((column, row, column + size, row + size))
        scaled.append(np.asarray(tile.resize((side, side), Image.Resampling.BICUBIC)))
    return np.stack(scaled).transpose(0, 3, 1, 2)


def paste(maps: torch.Tensor, tiles: np.ndarray, shape: tuple[int, int], preset: Preset) -> torch.Tensor:
    """Maps (k, h, w) of the image from maps (k, t, g, g) of tiles: mean over tiles of a scale, then over scales."""
    import torch
    from torch.nn.functional import interpolate

    total = maps.new_zeros(len(maps), *shape)
    sizes = list(dict.fromkeys(tiles[:, 0].tolist()))
    for size in sizes:
        canvas, count = torch.zeros_like(total), maps.new_zeros(shape)
        for i in np.flatnonzero(tiles[:, 0] == size).tolist():
            row, column = tiles[i, 1:].tolist()
            place = (..., slice(row, row + size), slice(column, column + size))
            canvas[place] += interpolate(maps[:, i : i + 1], (size, size), mode="bilinear")[:, 0]
            count[place] += 1
        # published behavior: the mean includes scales without tiles, and uncovered pixels are 0
        total += canvas / (count + 1e-5 / (1 + preset.jitters) if preset.legacy else count)
    return total / len(preset.scales if preset.legacy else sizes)

"""Tiles of images of other sizes and depths, and maps back to their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.pictures import load_pixels
from openshape_ood.surfaces import images
from openshape_ood.surfaces.images import image_tile, resized_maps

RAMP = np.linspace(0, 1, 40 * 60).reshape(40, 60)


@pytest.mark.parametrize("scale, kind", [(255, np.uint8), (65535, np.uint16), (1, np.float32), (1, np.float64)])
def test_the_depth_of_an_image_does_not_matter(scale: int, kind: type) -> None:
    tile, mask = image_tile((RAMP * scale).astype(kind), size=32)
    assert tile.shape == (3, 32, 32) and tile.dtype == np.float32 and mask.all()
    assert abs(tile[0, 0, 0] + 1) < 0.05 and abs(tile[0, -1, -1] - 1) < 0.05 and np.array_equal(tile[0], tile[2])


def test_files_keep_their_depth(tmp_path: Path) -> None:
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "float.tif")
    Image.fromarray((RAMP * 255).astype(np.uint8)).save(tmp_path / "plain.png")
    kinds = {"deep.png": np.uint16, "float.tif": np.float32, "plain.png": np.uint8}
    assert {name: load_pixels(tmp_path / name).dtype for name in kinds} == kinds
    tiles = [image_tile(tmp_path / name, size=(32, 64), channels=3)[0] for name in kinds]
    assert all(np.abs(tile - tiles[0]).max() < 0.01 for tile in tiles)
    with pytest.raises(FileError, match="no such file"):
        image_tile(tmp_path / "none.png")


def test_holes_stay_holes() -> None:
    image = RAMP.astype(np.float32)
    image[:, :30] = np.nan
    tile, mask = image_tile(image, size=40, channels=1)
    assert not mask[:, :19].any() and mask[:, 21:].all() and not tile[:, ~mask].any()
    maps = np.where(mask, 0.5, np.nan)[None]
    back = resized_maps(maps, image.shape)
    assert back.shape == (1, 40, 60) and np.isnan(back[0, :, :28]).all() and np.allclose(back[0, :, 32:], 0.5)


@pytest.mark.parametrize(
    "image, settings, told",
    [
        (RAMP * 300, {}, r"floats goes from 0 to 300. Expected \[0, 1\]"),
        ((RAMP * 4095).astype(np.int32), {}, "type int32, from 0 to 4095. Expected uint8"),
        (RAMP, {"values": (1, 0)}, "the lower and the higher end"),
        (RAMP, {"values": (1,)}, "the lower and the higher end"),
        (RAMP, {"values": (0, np.inf)}, "values holds NaN or infinity"),
        (RAMP, {"size": (16,)}, "Expected rows and columns"),
        (np.zeros((4, 4, 5)), {}, "5 channels. Expected 3, or 1"),
        (np.zeros(4), {}, r"shape \(4,\)"),
        (np.array([["a"]]), {}, "type <U1. Expected numbers"),
    ],
)
def test_numbers_without_a_range_are_refused(
    image: np.ndarray, settings: dict[str, tuple[int, int]], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        image_tile(image, **settings)


def test_a_given_range_is_taken() -> None:
    tile, _ = image_tile((RAMP * 4095).astype(np.int32), values=(0, 4095), size=32, channels=1)
    assert tile.min() < -0.95 and tile.max() > 0.95
    assert image_tile(np.zeros((8, 8, 4), dtype=np.uint8), size=32)[0].shape == (3, 32, 32)


@pytest.mark.parametrize(
    "shape, size", [((60, 80), 32), ((300, 200, 3), (64, 32)), ((33, 470, 4), 100), ((500, 14), 32)]
)
def test_strips_of_an_image_make_the_tile_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], size: int | tuple[int, int]
) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    image[:20, :30] = np.nan
    whole, seen = image_tile(image, size)
    monkeypatch.setattr(images, "STRIP", 1000)
    tile, mask = image_tile(image, size)
    assert np.array_equal(mask, seen) and np.abs(tile - whole).max() < 1e-5
    pixels = image.reshape(*shape[:2], -1)
    assert np.array_equal(images.colors_of(pixels)[-1], np.broadcast_to(pixels[-1, -1, :3], 3))


def test_a_high_and_narrow_image_is_not_made_wide_first(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    resize = images._interpolated
    monkeypatch.setattr(images, "_interpolated", lambda image, sides: sizes.append(sides) or resize(image, sides))
    tile, _ = image_tile(np.linspace(0, 1, 5000)[:, None] * np.ones(4), size=32)
    assert max(np.prod(side) for side in sizes) <= 4 * 32 * 32 and np.abs(tile[0, 16] - 0.03).max() < 0.01

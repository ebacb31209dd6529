"""Tiles: every pixel at every scale, mirrored the same, pictures of any kind as whole numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.views.relevancy import PRESETS, Preset, tiling


def sizes() -> np.ndarray:
    """200 sizes of pictures (200, 2): portraits, panoramas, odd ones."""
    rng = np.random.default_rng(0)
    short = rng.integers(16, 100, 200)
    return rng.permuted(np.stack([short, (short * rng.uniform(1, 3, 200)).astype(int)], 1), axis=1)


def test_every_pixel_is_covered_at_every_scale_and_no_tile_leaves_the_picture() -> None:
    for h, w in sizes().tolist():
        tiles = tiling.cut(h, w, PRESETS["ours"])
        assert (tiles >= 0).all()
        assert (tiles[:, 1:] + tiles[:, :1] <= [h, w]).all()
        assert len(np.unique(tiles[:, 0])) == 4
        for size in np.unique(tiles[:, 0]):
            of = tiles[tiles[:, 0] == size]
            for axis, length in ((1, h), (2, w)):  # tiles of a size are a grid
                begins = np.unique(of[:, axis])
                assert begins[0] == 0
                assert begins[-1] == length - size
                assert (np.diff(begins) <= size // 4 + 1).all()


def test_tiles_of_the_mirrored_picture_are_the_mirrored_tiles() -> None:
    for h, w in sizes().tolist():
        tiles = tiling.cut(h, w, PRESETS["ours"])
        mirrored = tiles.copy()
        mirrored[:, 2] = w - tiles[:, 2] - tiles[:, 0]
        assert {*map(tuple, tiles.tolist())} == {*map(tuple, mirrored.tolist())}


def test_the_published_tiles_leave_out_what_the_guard_drops() -> None:
    # a 1280 x 720 picture: shares of its pixels that are covered at the four scales, by the specification
    preset, shares = replace(PRESETS["ours"], legacy="height"), []
    tiles = tiling.cut(720, 1280, preset)
    for size in dict.fromkeys(tiles[:, 0].tolist()):
        covered = np.zeros((720, 1280), dtype=bool)
        for _, row, column in tiles[tiles[:, 0] == size].tolist():
            covered[row : row + size, column : column + size] = True
        shares.append(round(100 * covered.mean()))
    assert shares == [98, 84, 77, 67]


def test_a_constant_map_is_constant_but_with_the_published_behavior() -> None:
    tiles = tiling.cut(40, 70, PRESETS["quick"])
    maps = torch.ones(2, len(tiles), 4, 4)
    found = tiling.paste(maps, tiles, (40, 70), PRESETS["quick"])
    torch.testing.assert_close(found, torch.ones(2, 40, 70))
    legacy = tiling.find_preset("quick", legacy=True)
    tiles = tiling.cut(40, 70, legacy)
    found = tiling.paste(torch.ones(1, len(tiles), 4, 4), tiles, (40, 70), legacy)
    assert found.min() < 0.6  # unknown is irrelevant there


def test_panoramas_have_a_bound() -> None:
    assert len(tiling.cut(16, 1000, PRESETS["quick"])) < tiling.MOST_TILES
    with pytest.raises(InputError, match=r"more than 50000 tiles\. .* Split it"):
        tiling.cut(16, 100_000, PRESETS["quick"])


def test_pictures_of_any_kind() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    assert (tiling.as_picture(rgb) == rgb).all()
    assert (tiling.as_picture((rgb / 255).astype(np.float32)) == rgb).all()
    gray = tiling.as_picture(rgb[..., 0])
    assert (gray == rgb[..., :1]).all()
    assert gray.shape == (16, 20, 3)
    clear = np.dstack([rgb, np.zeros((16, 20), dtype=np.uint8)])
    assert (tiling.as_picture(clear) == 255).all()
    clear[..., 3] = 255
    assert (tiling.as_picture(clear) == rgb).all()


@pytest.mark.parametrize(
    "picture, told",
    [
        (np.zeros((8, 40, 3)), "40 x 8 pixels. Expected at least 16"),
        (np.zeros((20, 20, 5)), r"shape \(20, 20, 5\)"),
        (np.zeros((20, 20, 3), dtype=np.int64), "type int64"),
        (np.full((20, 20, 3), 255.0), r"outside \[0, 1\]"),
        (np.full((20, 20, 3), np.nan), "not finite"),
    ],
)
def test_bad_pictures(picture: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        tiling.as_picture(picture)


def test_jitters_are_seeded() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    first, again, other = (list(tiling.jittered(rgb, 2, seed)) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] == rgb).all()
    assert all((a != b).any() for a, b in zip(first[1:], other[1:], strict=True))
    assert (first[1] != first[2]).any()


def test_presets_by_name() -> None:
    assert tiling.find_preset("ours") == Preset(jitters=5, flip=True)
    assert Preset(scales=[[1, 1], [2, 3]]) == Preset(scales=((1, 1), (2, 3)))
    assert tiling.find_preset("quick", legacy=True).legacy == "height"
    with pytest.raises(UnknownNameError, match="unknown preset 'best'; known: ours, chefer_et_al, quick"):
        tiling.find_preset("best")


@pytest.mark.parametrize(
    "given, told",
    [
        ({"scales": ()}, r"scales are \(\)\. Expected pairs"),
        ({"scales": ((3, 1),)}, "from 1/16 to 1"),
        ({"scales": ((0, 1),)}, "from 1/16 to 1"),
        ({"scales": ((1, 17),)}, "from 1/16 to 1"),
        ({"scales": (1,)}, "Expected pairs"),
        ({"scales": 5}, "scales are 5"),
        ({"jitters": -1}, "jitters is -1"),
        ({"legacy": "width"}, "unknown legacy 'width'"),
    ],
)
def test_presets_that_cannot_be(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Preset(**given)

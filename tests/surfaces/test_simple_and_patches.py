"""The rules of one line and the PCA of patches: what they find, what they are for, and which are the defaults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.surfaces import (
    HeightReconstructor,
    NearestReconstructor,
    PatchPCA,
    Rasterizer,
    SurfaceModel,
    ViewRasterizer,
    load_reconstructor,
)
from openshape_ood.synthetic import generate, sample
from openshape_ood.synthetic.dents import dented

RNG = np.random.default_rng(0)


def stripes(count: int, seed: int, *, flaw: bool = False) -> np.ndarray:
    """Tiles (t, 1, 24, 24) of stripes that lie elsewhere in each; with a flaw of 3 x 3 pixels."""
    rng = np.random.default_rng(seed)
    columns = np.arange(24) / 2 + rng.uniform(0, 6, (count, 1, 1, 1))
    tiles = 0.5 * np.sin(columns) + rng.normal(0, 0.02, (count, 1, 24, 24))
    if flaw:
        tiles[:, :, 10:13, 10:13] = 0.0
    return tiles.clip(-1, 1).astype(np.float32)


def plates(count: int, points: int = 1500) -> list[np.ndarray]:
    return [sample(generate("table", 3), points, seed) for seed in range(count)]


def test_patches_find_a_flaw_that_may_be_anywhere(tmp_path: Path) -> None:
    own = PatchPCA(sides=(5, 7), components=6).fit(stripes(40, 0))
    maps = own.novelty(stripes(5, 1, flaw=True))
    assert maps[:, 10:13, 10:13].mean() > 3 * maps[:, :5].mean()
    assert own.threshold_.is_novel(own.score(stripes(5, 1, flaw=True))).all()
    assert own.threshold_.is_novel(own.score(stripes(20, 2))).mean() < 0.3
    again = load_reconstructor(own.save(tmp_path / "own.safetensors"))
    assert np.array_equal(again.novelty(stripes(2, 3)), own.novelty(stripes(2, 3)))
    assert np.array_equal(own.novelty(stripes(5, 1))[2], own.novelty(stripes(5, 1)[2:3])[0])  # whatever is beside it


def test_the_edge_of_what_is_seen_is_not_novel() -> None:
    own = PatchPCA(sides=(5,), components=6).fit(stripes(40, 0))
    tile, mask = stripes(1, 4), np.ones((1, 24, 24), dtype=bool)
    mask[:, 15:] = False
    part = own.novelty(np.where(mask[:, None], tile, np.nan), mask)
    whole = own.novelty(tile)
    assert np.isnan(part[:, 15:]).all() and np.nanmax(part) < 3 * whole.max()


def test_patches_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="odd numbers"):
        PatchPCA(sides=(4,)).fit(stripes(4, 0))
    with pytest.raises(InputError, match="sides is empty"):
        PatchPCA(sides=()).fit(stripes(4, 0))
    with pytest.raises(InputError, match="Expected smaller sides"):
        PatchPCA(sides=(25,)).fit(stripes(4, 0))
    with pytest.raises(InputError, match="patch of 15 pixels is seen"):
        PatchPCA(sides=(15,)).fit(stripes(4, 0), mask=np.tile(np.arange(24) < 7, (4, 24, 1)))


def test_the_height_is_told_from_the_level_of_the_good_ones(tmp_path: Path) -> None:
    tiles = (0.3 + RNG.normal(0, 0.01, (30, 2, 8, 8))).astype(np.float32)
    own = HeightReconstructor().fit(tiles)
    tiles[0, 0, 3:6, 3:6] = -0.2
    tiles[1, 1] = -1  # of another channel it says nothing
    assert own.threshold_.is_novel(own.score(tiles[:2])).tolist() == [True, False]
    assert own.novelty(tiles[:1])[0, 4, 4] == pytest.approx(0.5, abs=0.01)
    again = load_reconstructor(own.save(tmp_path / "own.safetensors"))
    assert np.array_equal(again.novelty(tiles), own.novelty(tiles))


def test_the_nearest_point_is_kept_of_no_more_than_is_asked_for() -> None:
    points = RNG.uniform(-1, 1, (500, 3, 1, 1)).astype(np.float32)
    own = NearestReconstructor(keep=100).fit(points)
    assert len(own.points_) == 100 and own.identity == NearestReconstructor(keep=100).fit(points).identity
    with pytest.raises(InputError, match="'nearest' takes points"):
        NearestReconstructor().fit(stripes(4, 0))


def test_the_default_follows_the_kind_of_data() -> None:
    sheet = np.column_stack([RNG.uniform(0, 2, (4000, 2)), RNG.normal(0, 0.002, 4000)])
    colored = {"points": sheet, "intensity": RNG.gamma(9, 50, 4000)}
    images = [RNG.integers(0, 255, (20, 20), dtype=np.uint8) for _ in range(3)]
    for good, how, method in (
        (images, {"size": 16}, "patches"),
        ([sheet, sheet[::-1]], {}, "height"),
        ([colored, colored], {"channels": ("intensity", "height")}, "pca"),
        (plates(2), {}, "nearest"),
        (plates(2), {"rasterizer": ViewRasterizer(size=32)}, "pca"),
        ([sheet, sheet], {"rasterizer": Rasterizer(cell=0.1, tile=16, channels=("height",))}, "height"),
    ):
        assert SurfaceModel.fit(good, **how).reconstructor.method == method


@pytest.mark.parametrize("name, good, told", [
    ("height", [np.zeros((20, 20), np.uint8)] * 2, "'height' is for sheets and pairs, but the data are images"),
    ("nearest", [np.zeros((20, 20), np.uint8)] * 2, "'nearest' is for objects, but the data are images"),
    ("height", plates(2), "'height' is for sheets and pairs, but the data are objects"),
])  # fmt: skip
def test_a_reconstructor_for_another_kind_is_refused(name: str, good: list, told: str) -> None:
    with pytest.raises(InputError, match=told):
        SurfaceModel.fit(good, name)


def test_height_without_heights_is_refused() -> None:
    sheet = np.column_stack([RNG.uniform(0, 2, (4000, 2)), RNG.normal(0, 0.002, 4000)])
    with pytest.raises(InputError, match="which must be height"):
        SurfaceModel.fit([sheet, sheet], "height", channels=("normal", "height"))


def test_a_dent_is_as_far_as_the_nearest_good_point(tmp_path: Path) -> None:
    mesh = generate("table", 3)
    model = SurfaceModel.fit([sample(mesh, 6000, seed) for seed in range(6)])
    spoilt = dented(mesh, 6000, 30, radius=0.15, depth=0.05)
    found, whole = model.score(spoilt.cloud), model.score(sample(mesh, 6000, 40))
    assert found.is_novel and not whole.is_novel and len(found.map) == 6000
    assert found.map.is_novel[spoilt.truth].mean() > 0.5 > 20 * found.map.is_novel[~spoilt.truth].mean()
    radius = np.linalg.norm(np.ptp(spoilt.cloud, axis=0)) / 2
    deep = 100 * 0.05 / radius  # hundredths of the radius; nearer where the other side of the plate is
    assert deep / 2 < found.map.novelty.max() < 1.1 * deep
    again = SurfaceModel.load(model.save(tmp_path))
    assert np.array_equal(again.score(spoilt.cloud).map.novelty, found.map.novelty)
    far = model.score(np.vstack([spoilt.cloud, [[radius, radius, 0]]]))
    assert far.map.novelty.argmax() == 6000
    assert SurfaceModel.fit(sample(mesh, 6000, 0)).threshold.n == 4  # held out by quarters

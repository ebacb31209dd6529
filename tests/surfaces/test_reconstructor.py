"""What all reconstructors share, shown on the plain baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from openshape_ood.errors import FileError, InputError, UnknownNameError
from openshape_ood.surfaces import (
    CompetitiveReconstructor,
    MeanReconstructor,
    PCAReconstructor,
    Reconstructor,
    find_reconstructor,
    load_reconstructor,
)
from openshape_ood.surfaces.reconstructor import checked_tiles, held_out, pooled

RNG = np.random.default_rng(0)
BASE = RNG.uniform(-0.5, 0.5, (4, 2 * 8 * 8))
NORMAL = (RNG.dirichlet(np.ones(4), 60) @ BASE + RNG.normal(0, 0.01, (60, 128))).reshape(60, 2, 8, 8)
BASELINES = [MeanReconstructor(), PCAReconstructor(3)]


def defective(tiles: np.ndarray) -> np.ndarray:
    bad = tiles.copy()
    bad[:, :, 2:5, 3:6] += 0.4
    return bad.clip(-1, 1)


@pytest.mark.parametrize("made", BASELINES, ids=lambda one: one.method)
def test_it_finds_where_a_tile_is_not_normal(made: Reconstructor) -> None:
    made = clone(made).fit(NORMAL[:40])
    maps = made.novelty(defective(NORMAL[40:]))
    inside = maps[:, 2:5, 3:6].mean()
    assert inside > 3 * np.delete(maps.reshape(20, -1), np.ravel_multi_index(np.mgrid[2:5, 3:6], (8, 8)), 1).mean()
    found = made.localize(defective(NORMAL[40:41])[0], name="a road")
    assert found.elements.shape == (8, 8) and np.array_equal(found.novelty, maps[0].ravel().astype(np.float64))
    assert found.is_novel.reshape(8, 8)[2:5, 3:6].sum() >= 8 and "a road" in str(found)
    assert found.provenance.method == made.method and found.provenance.identity == made.identity
    # the residual of the first components is far sharper than that of the mean
    sharp = PCAReconstructor(3).fit(NORMAL[:40]).score(NORMAL[40:]).mean()
    assert sharp < MeanReconstructor().fit(NORMAL[:40]).score(NORMAL[40:]).mean() / 3


@pytest.mark.parametrize("made", BASELINES, ids=lambda one: one.method)
def test_what_is_not_seen_counts_nowhere(made: Reconstructor) -> None:
    mask = np.ones((60, 8, 8), dtype=bool)
    mask[:, :2] = False
    hidden = NORMAL.copy()
    hidden[:, :, :2] = RNG.choice([np.nan, 1e30], hidden[:, :, :2].shape)
    made = clone(made).fit(hidden[:40], mask=mask[:40])
    maps = made.novelty(hidden[40:], mask[40:])
    assert np.isnan(maps[:, :2]).all() and np.isfinite(maps[:, 2:]).all()
    other = np.where(mask[40:, None], hidden[40:], 0.9)
    assert np.array_equal(made.novelty(other, mask[40:]), maps, equal_nan=True)
    assert np.isfinite(made.score(hidden[40:], mask=mask[40:])).all()
    none = made.score(hidden[:1], mask=np.zeros((1, 8, 8), dtype=bool))
    assert np.isnan(none).all()
    shown = made.localize(hidden[40], mask[40])
    assert not shown.is_novel.reshape(8, 8)[:2].any() and "25% of it was not seen" in str(shown)
    assert np.isfinite(shown.image()).all()


@pytest.mark.parametrize("steps", [0, 3, 1000, 1001, 2500])
def test_a_file_keeps_a_thousand_records_of_a_long_history(steps: int) -> None:
    made = MeanReconstructor().fit(NORMAL[:40])
    made.history_ = [{"step": i} for i in range(steps)]
    kept = [one["step"] for one in made.contents()[1]["history"]]
    assert len(kept) <= 1000 and kept == list(range(0, steps, 1 if steps <= 1000 else -(-steps // 1000)))


def test_scores_do_not_depend_on_order_or_company() -> None:
    """C12, of the baselines."""
    for made in BASELINES:
        made = clone(made).fit(NORMAL[:40])
        whole = made.novelty(NORMAL)
        np.testing.assert_allclose(made.novelty(NORMAL[::-1])[::-1], whole, atol=1e-5)
        for i in (0, 7):
            np.testing.assert_allclose(made.novelty(NORMAL[i : i + 1])[0], whole[i], atol=1e-5)


def test_the_threshold_is_of_tiles_held_out() -> None:
    """C16, of the mean image: fresh normal tiles are kept as promised."""
    tiles = np.random.default_rng(1).normal(0, 0.1, (600, 1, 8, 8)).clip(-1, 1)
    made = MeanReconstructor().fit(tiles[:400], seed=3)
    assert made.threshold_.n == 40 and made.threshold_.coverage == pytest.approx(0.9512, abs=1e-4)
    assert 0.85 <= 1 - made.threshold_.is_novel(made.score(tiles[400:])).mean() <= 1
    assert 0.93 <= 1 - made.pixel_threshold_.is_novel(made.novelty(tiles[400:]).ravel()).mean() <= 0.97
    few = MeanReconstructor().fit(tiles[:20])
    assert few.threshold_.n == 2 and few.threshold_.coverage == pytest.approx(2 / 3)


def test_groups_are_held_out_whole() -> None:
    groups = np.repeat(np.arange(10), 6)
    held = held_out(groups, 0)
    assert held.sum() == 6 and len(np.unique(groups[held])) == 1
    assert not held_out(np.array([0, 1, 1, 1]), 0).all() and held_out(np.array([0, 1]), 5).sum() == 1
    made = MeanReconstructor().fit(NORMAL, groups=[f"street {i // 6}" for i in range(60)])
    assert made.threshold_.n == 1  # one of each street counts


def test_pooling() -> None:
    maps = np.zeros((2, 6, 6))
    maps[0, 2, 3], maps[1, 0, 0] = 9, 4
    assert pooled(maps).tolist() == [1, 1]  # at a corner 4 of 9 pixels are there
    assert pooled(maps, "mean").tolist() == pytest.approx([0.25, 4 / 36])
    maps[0, 1] = np.nan
    assert pooled(maps)[0] == 1.5


def test_numbers_of_numpy_are_saved_as_they_are(tmp_path: Path) -> None:
    made = PCAReconstructor(np.int64(4), coverage=np.float32(0.5)).fit(NORMAL)
    assert load_reconstructor(made.save(tmp_path / "pca.safetensors")).get_params() == made.get_params()
    tiles = RNG.uniform(-1, 1, (3, 1, 32, 32))
    for given in (np.array([1, 0.5, 0.5]), (np.float32(1), 0.5, 0.5)):
        trained = CompetitiveReconstructor(2, steps=1, width=4, weights=given).fit(tiles)
        assert load_reconstructor(trained.save(tmp_path / "crn.safetensors")).weights == (1, 0.5, 0.5)
    with pytest.raises(InputError, match="is of 'pca', which has no backbone"):
        load_reconstructor(tmp_path / "pca.safetensors", backbone=3)


@pytest.mark.parametrize("made", BASELINES, ids=lambda one: one.method)
def test_saved_and_read_it_gives_the_same_maps(made: Reconstructor, tmp_path: Path) -> None:
    made = clone(made).fit(NORMAL[:40], seed=4)
    read = load_reconstructor(made.save(tmp_path / "road.safetensors"))
    assert np.array_equal(read.novelty(NORMAL), made.novelty(NORMAL)) and read.get_params() == made.get_params()
    assert read.threshold_.value == made.threshold_.value and read.identity == made.identity
    assert read.save(tmp_path / "again.safetensors").read_bytes() == (tmp_path / "road.safetensors").read_bytes()
    made.mean_[0, 0, 0] = np.nan
    with pytest.raises(FileError, match="mean holds NaN"):
        load_reconstructor(made.save(tmp_path / "nan.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "road.safetensors").read_bytes()[:-100])
    with pytest.raises(FileError):
        load_reconstructor(tmp_path / "cut.safetensors")


@pytest.mark.parametrize(
    "tiles, told",
    [
        (NORMAL[0], r"shape \(2, 8, 8\). Expected \(t, c, h, w\)"),
        ((NORMAL * 100).astype(np.uint8), "type uint8.*image_tile"),
        (NORMAL * 300, r"go from -1\d\d.* Expected \[-1, 1\]"),
        (np.where(NORMAL > 0.3, np.nan, NORMAL), "hold NaN"),
        (NORMAL[:1], "1 normal tiles.*two groups or more.*Cut a large image"),
        (NORMAL[:0], "0 normal tiles"),
    ],
)
def test_other_tiles_are_refused(tiles: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        MeanReconstructor().fit(tiles)


def test_other_masks_sizes_and_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"mask is float64 \(60, 8, 8\)"):
        checked_tiles(NORMAL, np.ones((60, 8, 8)))
    with pytest.raises(InputError, match=r"0 normal tiles .*0 groups"):
        MeanReconstructor().fit(NORMAL, mask=np.zeros((60, 8, 8), dtype=bool))
    with pytest.raises(InputError, match=r"tiles are \(2, 4, 8\).* Expected \(2, 8, 8\)"):
        MeanReconstructor().fit(NORMAL).score(NORMAL[:, :, :4])
    with pytest.raises(InputError, match=r"groups have the shape \(3,\) for 60 tiles"):
        MeanReconstructor().fit(NORMAL, groups=[1, 2, 3])
    with pytest.raises(InputError, match="components is 0"):
        PCAReconstructor(0).fit(NORMAL)
    with pytest.raises(InputError, match="coverage is 1"):
        MeanReconstructor(coverage=1).fit(NORMAL)
    with pytest.raises(UnknownNameError, match="unknown pooling 'median'; known: max, mean"):
        MeanReconstructor(pooling="median").fit(NORMAL)
    with pytest.raises(UnknownNameError, match="known: height, nearest, mean"):
        find_reconstructor("median")
    with pytest.raises(UnknownNameError, match=r"unknown setting 'component' of reconstructor 'pca'.*'components'"):
        find_reconstructor("pca", component=3)

"""Good images, sheets and objects are learned, others are judged in the same way, and what cannot be is said."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from openshape_ood.errors import CloudError, FileError, InputError, UnknownNameError
from openshape_ood.shapes.formats.ply import ply_bytes
from openshape_ood.storage import loaded_arrays, save_arrays
from openshape_ood.surfaces import (
    PCAReconstructor,
    Rasterizer,
    SurfaceModel,
    UNetReconstructor,
    examine,
    inputs,
)
from openshape_ood.surfaces.data import Images, Objects, Pairs, Sheets, kind_of_clouds
from openshape_ood.surfaces.defects import Defect
from openshape_ood.surfaces.inputs import list_sources
from openshape_ood.synthetic import generate, sample
from openshape_ood.synthetic.dents import dented

SHAPE = (24, 32)


def image(seed: int, hole: bool = False) -> np.ndarray:
    """(h, w, 3) uint8 of waves with noise."""
    waves = 120 + 60 * np.sin(np.linspace(0, 6, SHAPE[1]))[None, :, None] + np.zeros((*SHAPE, 3))
    waves += np.random.default_rng(seed).normal(0, 4, waves.shape)
    waves[8:14, 10:16] = 20 if hole else waves[8:14, 10:16]
    return waves.clip(0, 255).astype(np.uint8)


def sheet(seed: int, pit: bool = False, length: float = 2.0) -> dict[str, np.ndarray]:
    """A plane of 1.6 m times `length` with 625 points a square meter, and perhaps a pit of 5 cm, 40 cm wide."""
    rng, count = np.random.default_rng(seed), int(1000 * length)
    points = np.column_stack([rng.uniform(0, 1, (count, 2)) * [length, 1.6], rng.normal(0, 0.002, count)])
    if pit:
        points[away(points) < 0.2, 2] -= 0.05
    return {"points": points, "intensity": rng.gamma(9, 50, count)}


def away(points: np.ndarray) -> np.ndarray:
    """From the middle of the pit."""
    return np.linalg.norm(points[:, :2] - [1, 0.8], axis=1)


@pytest.fixture(scope="module")
def of_images() -> SurfaceModel:
    return SurfaceModel.fit([image(seed) for seed in range(20)], "pca", size=16)


@pytest.fixture(scope="module")
def of_sheets() -> SurfaceModel:
    return SurfaceModel.fit([sheet(seed) for seed in range(3)], "pca", size=16)


def test_images_are_judged_at_their_own_size(of_images):
    good, bad = of_images.score(image(50)), of_images.score(image(51, hole=True))
    assert (good.is_novel, bad.is_novel) == (False, True)
    assert bad.map.elements.shape == SHAPE
    where = bad.map.novelty.reshape(SHAPE)
    assert where[8:14, 10:16].mean() > 5 * where[16:].mean()
    assert of_images.threshold.n == 20  # each was held out once
    larger = of_images.score(np.kron(image(50), np.ones((2, 2, 1), np.uint8)))
    assert not larger.is_novel and len(larger.map) == 4 * len(good.map)
    with_alpha = [image(seed)[..., :2] for seed in range(3)]
    assert SurfaceModel.fit(with_alpha, size=16).score(with_alpha[0]).map.elements.shape == SHAPE


def test_what_is_no_such_image_is_said(of_images, tmp_path):
    with pytest.raises(InputError, match="of uint16, but the good images are of uint8"):
        of_images.score(image(1).astype(np.uint16) * 257)
    with pytest.raises(InputError, match="24 x 24 pixels; the good images are"):
        of_images.score(image(1)[:, :24])
    with pytest.raises(InputError, match=r"one image\. Expected two or more"):
        SurfaceModel.fit(image(1))
    with pytest.raises(InputError, match=r"is an image, .* a cloud"):
        SurfaceModel.fit([image(1), sheet(1)])
    with pytest.raises(InputError, match="no image and no cloud in"):
        SurfaceModel.fit(tmp_path)
    with pytest.raises(InputError, match="which is no image"):
        of_images.score(sheet(1))
    unseen = SurfaceModel.fit([image(seed) / 255 for seed in range(3)], size=16)
    with pytest.raises(InputError, match=r"no pixel of .* is valid"):
        unseen.score(np.full((*SHAPE, 3), np.nan))
    with pytest.raises(InputError, match=r"floats goes from .*values="):
        SurfaceModel.fit([image(seed) * 1.0 for seed in range(3)], size=16)


def test_a_model_is_found_again_as_it_was(of_images, of_sheets, tmp_path):
    for name, model, one in (("images", of_images, image(7)), ("sheets", of_sheets, sheet(7, pit=True))):
        again = SurfaceModel.load(model.save(tmp_path / name))
        assert again.data == model.data
        first, second = model.score(one), again.score(one)
        assert first.as_json() == second.as_json()
        np.testing.assert_array_equal(first.map.novelty, second.map.novelty)
    with loaded_arrays(tmp_path / "images" / "surface.safetensors", "surface") as (header, arrays):
        scale = arrays
    broken = scale | {"scale": scale["scale"] * np.nan}
    save_arrays(tmp_path / "images" / "surface.safetensors", broken, header, "surface")
    with pytest.raises(FileError, match="is not above 0"):
        SurfaceModel.load(tmp_path / "images")
    header["data"]["size"] = 4096
    save_arrays(tmp_path / "images" / "surface.safetensors", scale, header, "surface")
    with pytest.raises(FileError, match=r"its tiles are \(3, 4096, 4096\)"):
        SurfaceModel.load(tmp_path / "images")
    with loaded_arrays(tmp_path / "sheets" / "surface.safetensors", "surface") as (header, arrays):
        moved = arrays | {"reconstructor.mean": arrays["reconstructor.mean"] + 1}
    save_arrays(tmp_path / "sheets" / "surface.safetensors", moved, header, "surface")
    with pytest.raises(FileError, match="its weights differ from the saved ones"):
        SurfaceModel.load(tmp_path / "sheets")
    (tmp_path / "images" / "surface.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(FileError, match="surface"):
        SurfaceModel.load(tmp_path / "images")
    with pytest.raises(FileError, match=r"holds no surface\.safetensors. Expected"):
        SurfaceModel.load(tmp_path / "nothing")


def test_weights_of_another_model_are_refused(of_images, tmp_path):
    path = of_images.save(tmp_path / "model") / "surface.safetensors"
    with loaded_arrays(path, "surface") as (header, arrays):
        arrays, header["identity"] = dict(arrays), "0" * 64
    save_arrays(path, arrays, header, "surface")
    with pytest.raises(FileError, match="differ from the saved ones"):
        SurfaceModel.load(tmp_path / "model")


def test_a_model_saved_over_another_is_one_of_the_two_wherever_it_breaks_off(of_images, tmp_path, monkeypatch):
    folder, step = of_images.save(tmp_path / "model"), 0
    other = SurfaceModel.fit([image(seed) for seed in range(30, 40)], "pca", size=16)
    real, calls = os.replace, list[int]()

    def replace(*paths: Any) -> None:
        calls.append(1)
        if len(calls) == step:
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(os, "replace", replace)
    while step <= len(calls):
        step += 1
        calls.clear()
        with contextlib.suppress(KeyboardInterrupt):
            other.save(folder)
        found = SurfaceModel.load(folder)
        assert found.threshold.n == (20 if step <= len(calls) else 10)
    assert [one.name for one in folder.iterdir()] == ["surface.safetensors"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that saves is a fork")
def test_killed_at_any_moment_it_is_one_of_the_two(of_images, tmp_path):
    folder = of_images.save(tmp_path / "model")
    other, rng = SurfaceModel.fit([image(seed) for seed in range(30, 40)], "pca", size=16), np.random.default_rng(0)
    for _ in range(100):
        child = os.fork()
        if not child:
            while True:
                other.save(folder)
                of_images.save(folder)
        time.sleep(rng.uniform(0.005, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert SurfaceModel.load(folder).threshold.n in (10, 20)
    assert len(list(folder.iterdir())) <= 2
    of_images.save(folder)
    assert [one.name for one in folder.iterdir()] == ["surface.safetensors"]


def test_sheets_get_cells_by_their_density_and_points_their_novelty(of_sheets):
    assert isinstance(of_sheets.data, Sheets)
    assert of_sheets.data.rasterizer.cell == 0.08  # 4 points of 625 a square meter
    one = sheet(9, pit=True)
    found = of_sheets.score(one)
    assert found.is_novel and not of_sheets.score(sheet(8)).is_novel
    pit = away(one["points"]) < 0.15
    assert found.map.is_novel[pit].mean() > 0.5 > 5 * found.map.is_novel[~pit].mean()


def test_clouds_without_what_was_learned_are_refused(of_sheets):
    with pytest.raises(InputError, match="has no intensity"):
        of_sheets.score(sheet(1)["points"])
    with pytest.raises(CloudError, match=r"points \* 0\.01"):
        of_sheets.score({**sheet(1), "points": 100 * sheet(1)["points"]})
    with pytest.raises(CloudError, match="apart, so that a cell would be"):
        SurfaceModel.fit([{**sheet(seed), "points": 100 * sheet(seed)["points"]} for seed in range(2)])
    spoilt = sheet(1)["points"]
    spoilt[3] = np.nan
    with pytest.raises(CloudError, match="row 3 of the points holds NaN"):
        of_sheets.score({**sheet(1), "points": spoilt})
    with pytest.raises(InputError, match="too short to hold out"):
        SurfaceModel.fit(sheet(1), size=32)
    with pytest.raises(UnknownNameError, match="unknown reconstructor 'tokens'"):
        SurfaceModel.fit([sheet(1), sheet(2)], "tokens")
    with pytest.raises(UnknownNameError, match="unknown setting 'step' of reconstructor 'unet'"):
        SurfaceModel.fit([sheet(1), sheet(2)], "unet", step=5)


def test_sizes_of_numpy_are_saved(tmp_path):
    model = SurfaceModel.fit([image(1), image(2), image(3)], PCAReconstructor(2), size=np.int64(16))
    assert SurfaceModel.load(model.save(tmp_path)).data == model.data


def test_settings_that_have_no_say_are_refused():
    table = generate("table", 3)
    for good, how, told in (
        (
            [image(1), image(2)],
            {"cell": 1, "channels": ["height"]},
            "cell and channels have no effect: the data are images",
        ),
        ([sheet(1), sheet(2)], {"values": (0, 1)}, "values has no effect: the data are clouds"),
        ([sheet(1), sheet(2)], {"rasterizer": Rasterizer(), "size": 16}, "size has no effect: a rasterizer is given"),
        ([sample(table, 500, seed) for seed in (1, 2)], {"cell": 0.1}, r"\. Leave it out, or give shape='sheets'\.$"),
        ([sample(table, 500, seed) for seed in (1, 2)], {"size": 32}, "or give reconstructor='pca'"),
        (
            [sample(table, 500, 1)],
            {"cell": 1, "channels": [], "shape": "objects"},
            r"are objects, not sheets\. Leave them out\.$",
        ),
    ):
        with pytest.raises(InputError, match=told):
            SurfaceModel.fit(good, **how)


def test_one_long_sheet_is_held_out_by_strips():
    model = SurfaceModel.fit(sheet(1, length=6.0), PCAReconstructor(4), size=16)
    assert (model.threshold.n, model.threshold.coverage) == (1, 0.5)
    assert model.score(sheet(3, pit=True)).is_novel


def test_a_large_file_is_scored_in_blocks_with_the_same_numbers(of_sheets, tmp_path, monkeypatch):
    one = sheet(9, pit=True)
    rows = np.empty(len(one["points"]), [(name, "<f8") for name in ("x", "y", "z", "intensity")])
    for name, column in zip(rows.dtype.names, (*one["points"].T, one["intensity"]), strict=True):
        rows[name] = column
    path = tmp_path / "road.ply"
    path.write_bytes(ply_bytes(rows))
    whole = of_sheets.score(path)
    found = of_sheets.score_file(path, tmp_path / "out.ply", block_points=2000)
    assert found.novelty == pytest.approx(whole.novelty, rel=1e-5)
    np.testing.assert_allclose(found.map.novelty, whole.map.novelty, rtol=1e-5)
    with pytest.raises(InputError, match=r"Expected a \.ply file"):
        of_sheets.score_file(path, tmp_path / "out.las")
    (source,) = list_sources(path)
    first = of_sheets.data.tiles(source)
    monkeypatch.setattr(inputs, "LARGE_ELSE", 0)
    assert source.is_large and kind_of_clouds([source], None, None, 16, None) == of_sheets.data
    second = of_sheets.data.tiles(source)
    order = [np.lexsort(tiles.grid.T) for tiles in (first, second)]
    np.testing.assert_allclose(first.tiles[order[0]], second.tiles[order[1]], atol=1e-5)


def test_objects_are_seen_from_all_around(tmp_path):
    mesh = generate("table", 3)
    good = [sample(mesh, 6000, seed) for seed in range(5)]
    model = SurfaceModel.fit(good, "pca", size=32)
    assert isinstance(model.data, Objects) and model.threshold.n == 5
    spoilt = dented(mesh, 6000, 3, radius=0.15, depth=0.05)
    found = model.score(spoilt.cloud)
    assert found.is_novel and found.map.is_novel[spoilt.truth].mean() > 5 * found.map.is_novel[~spoilt.truth].mean()
    again = SurfaceModel.load(model.save(tmp_path))
    np.testing.assert_array_equal(again.score(spoilt.cloud).map.novelty, found.map.novelty)
    with pytest.raises(CloudError, match="from centimeters to meters"):
        model.score(100 * good[0])
    alone = SurfaceModel.fit(good[0], "pca", size=32)  # cut into four
    assert alone.threshold.n == 4 and not alone.score(good[0]).is_novel


def test_views_are_of_sides_that_the_reconstructor_takes():
    ball = np.random.default_rng(0).normal(size=(60_000, 3))
    sources = list_sources(ball / np.linalg.norm(ball, axis=1, keepdims=True))
    sizes = [
        kind_of_clouds(sources, None, None, None, None, None, one.granule).shape[1]
        for one in (PCAReconstructor, UNetReconstructor)
    ]
    assert sizes == [48, 32]


def test_two_questions_are_answered_apart(of_images):
    with pytest.raises(InputError, match="the model is of images"):
        examine([image(1)], of_images, ["chair"])
    mesh = generate("chair", 3)
    model = SurfaceModel.fit([sample(mesh, 4000, seed) for seed in range(4)])
    shapes = [sample(mesh, 4000, 3), sample("guitar", 4000, 1)]
    chair, guitar = examine(shapes, model, ["chair", "table"], model="tiny")
    assert chair.classes.nearest[0] == "chair" and not chair.surface.is_novel
    assert guitar.classes.novelty[0] > chair.classes.novelty[0] + 0.2 and guitar.surface.is_novel
    told = guitar.as_json()
    assert told.keys() == {"name", "class", "surface"} and "novelty" in told["class"] and "novelty" in told["surface"]
    assert "class: nearest to" in str(chair) and "surface damage: novelty" in str(chair)


def pair(seed: int, pit: bool = False) -> dict[str, np.ndarray]:
    """Height, which alone has the pit, and intensity: (h, w) uint16 and uint8."""
    height = 30_000 + np.random.default_rng(seed).normal(0, 300, SHAPE)
    height[8:14, 10:16] -= 8000 * pit
    return {"height": height.astype(np.uint16), "intensity": image(seed)[..., 0]}


@pytest.fixture(scope="module")
def of_pairs() -> SurfaceModel:
    return SurfaceModel.fit([pair(seed) for seed in range(20)], size=16)


def test_pairs_are_images_of_two_channels(of_pairs, tmp_path):
    assert of_pairs.reconstructor.method == "patches" and of_pairs.reconstructor.shape_ == (2, 16, 16)
    assert of_pairs.data == Pairs(16, None, "uint16 and uint8", 0.75) and of_pairs.threshold.n == 20
    good, bad = of_pairs.score(pair(50)), of_pairs.score(pair(51, pit=True))
    assert (good.is_novel, bad.is_novel) == (False, True) and bad.map.elements.shape == SHAPE
    assert bad.map.image().shape == (*SHAPE, 3)
    again = SurfaceModel.load(of_pairs.save(tmp_path / "model"))
    assert again.data == of_pairs.data and again.score(pair(51, pit=True)).as_json() == bad.as_json()
    by_height = SurfaceModel.fit([pair(seed) for seed in range(20)], "height", size=16)
    assert by_height.score(pair(51, pit=True)).is_novel
    meters = {**pair(1), "height": np.full(SHAPE, 3.0)}
    measured = SurfaceModel.fit([meters, meters, meters], "mean", size=16, values=(0, 6))  # of the heights alone
    np.testing.assert_allclose(measured.data.tiles(list_sources(meters)[0]).tiles[0, 0], 0, atol=1e-6)


def test_what_is_no_such_pair_is_said(of_pairs, of_images):
    one = pair(1)
    for model, given, told in (
        (of_pairs, image(1), "which is no pair. Expected one pair at a time, because this model is of pairs"),
        (of_images, one, "which is no image"),
        (of_pairs, {**one, "height": one["height"][:, :24]}, "height is 24 x 24, intensity is 32 x 24 pixels"),
        (of_pairs, {**one, "intensity": image(1) + np.arange(3, dtype=np.uint8)}, "in color. Expected gray"),
        (
            of_pairs,
            {"height": one["intensity"], "intensity": one["height"]},
            "is of uint8 and uint16, but the good pairs",
        ),
    ):
        with pytest.raises(InputError, match=told):
            model.score(given)
    with pytest.raises(InputError, match=r"is an image, .* one of a pair"):
        SurfaceModel.fit([one, image(1)])
    with pytest.raises(InputError, match=r"is one pair\. Expected two or more"):
        SurfaceModel.fit(one)


def test_settings_are_strict():
    from openshape_ood.surfaces.data import from_settings, settings

    kept = Images(16, (0.0, 4095.0), "float32", 0.75)
    assert from_settings(settings(kept)) == kept
    huge = {**settings(kept), "size": 10**9}
    for wrong in ({"kind": "images"}, {**settings(kept), "more": 1}, {**settings(kept), "kind": "roads"}, huge):
        with pytest.raises((TypeError, ValueError, KeyError, InputError)):
            from_settings(wrong)


def test_defects_have_box_and_area(of_images, of_sheets):
    spot = image(51)
    spot[8:14, 10:16] += 30
    found = of_images.score(spot)
    (first,) = found.defects
    left, top, right, bottom = first.box
    assert (left <= 10 < 16 <= right) and (top <= 8 < 14 <= bottom)
    assert 36 <= first.area <= (right - left) * (bottom - top) and first.novelty > found.map.threshold.value
    assert (
        found.as_json()["defects"][0]["box"] == first.box
        and str(first) == f"x {left}-{right}, y {top}-{bottom}, {first.area} px, p {first.p_value:.2g}"
    )
    assert of_images.score(image(50)).defects == []
    pit = of_sheets.score(sheet(9, pit=True)).defects[0]  # 40 cm wide, in the middle of 2 m times 1.6 m
    low, high = np.array(pit.box[:3]), np.array(pit.box[3:])
    assert (low[:2] < [1, 0.8]).all() and (high[:2] > [1, 0.8]).all() and "area" in str(pit)
    assert 0.8 < pit.area / (np.pi * 0.2**2) < 2  # with the cells around it


@pytest.fixture(scope="module")
def of_promised() -> SurfaceModel:
    """Learned from 24 good images, with at most one in twenty that has a false region."""
    return SurfaceModel.fit([image(seed) for seed in range(24)], "pca", size=16, false_regions=0.05)


def test_marks_promise_what_was_requested(of_promised, of_images, tmp_path):
    threshold = of_promised.pixel_threshold
    assert "at most 1 in 20 known, undamaged shapes has a false region" in threshold.promise
    assert threshold.marks is not None and threshold.marks.shapes == 24
    fresh = [of_promised.score(image(seed)).map for seed in range(100, 140)]
    assert np.mean([bool(one.regions()) for one in fresh]) <= 0.2
    loaded = SurfaceModel.load(of_promised.save(tmp_path / "model"))
    assert loaded.pixel_threshold.promise == threshold.promise
    spot = image(51)
    spot[8:14, 10:16] += 30
    (first, *_) = loaded.score(spot).defects
    assert first.p_value == 1 / 25 and f"p {first.p_value:.2g}" in str(first)
    # by points: as requested, with at most a fifth of an image marked
    points = SurfaceModel.fit([image(seed) for seed in range(20)], "pca", size=16, false_points=0.01, largest=0.2)
    assert "at most 1 % of the points" in points.pixel_threshold.promise
    assert points.score(image(51, hole=True)).map.is_novel.mean() <= 0.2
    # without a request the threshold is as before, and regions have p-values all the same
    assert of_images.pixel_threshold.coverage == pytest.approx(0.99, abs=1e-3)
    assert of_images.score(spot).defects[0].p_value == 1 / 21


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"false_points": 0.01}, r"5 calibration shapes cannot promise a rate of 0.01\. 99 or more"),
        ({"false_regions": 0.05}, "19 or more can"),
        ({"false_points": 0.3, "false_regions": 0.3}, "both given"),
        ({"largest": 0.5}, "largest is 0.5 without false_points"),
        ({"false_points": 3}, "rate"),
    ],
)
def test_promises_that_cannot_be_given_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        SurfaceModel.fit([image(seed) for seed in range(5)], "pca", size=16, **given)


def test_too_few_good_ones_are_refused_before_anything_is_read(tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for file in files:
        file.write_text("no image")
    with pytest.raises(InputError, match="19 or more can"):
        SurfaceModel.fit(files, "pca", size=16, false_regions=0.05)


def test_parts_of_one_cloud_promise_nothing():
    with pytest.raises(InputError, match="parts of one"):
        SurfaceModel.fit(sheet(0, length=12.0), "pca", size=16, false_regions=0.3)


@pytest.mark.parametrize("method", ["nearest", "pca"])
def test_objects_have_marks_too(method):
    mesh = generate("chair", 2)
    good = [sample(mesh, 1500, seed) for seed in range(6)]
    model = SurfaceModel.fit(good, method, shape="objects", false_regions=0.2)
    assert model.pixel_threshold.marks is not None and model.pixel_threshold.marks.shapes == 6
    assert len(model.score(sample(mesh, 1500, 50)).map.regions()) <= 2


def test_the_box_of_a_georeferenced_defect_keeps_its_digits() -> None:
    box = (365012.34, 5702001.5, 59.98, 365012.61, 5702001.9, 60.02)
    assert str(Defect(box, 0.109, 1.0, "top")) == (
        "x 365012.34 to 365012.61, y 5702001.50 to 5702001.90, z 59.98 to 60.02, area 0.109"
    )

"""Relevancy against the published code's own, on made-up weights.

Where OPENSHAPE_OOD_PARITY names a folder with `semabs_golden.npz`, `semabs_keys.json` and `make_semabs.py`, they are
compared, for whatever seed the file has.
"""

from __future__ import annotations

import copy
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import golden
import numpy as np
import open_clip
import pytest
import torch

from openshape_ood.views.relevancy import PRESETS, Preset, RelevancyEncoder, attention, relevancy, tiling
from openshape_ood.views.relevancy.attention import Tower

GOLDEN = "semabs_golden.npz"
pytestmark = [pytest.mark.slow, golden.needs(GOLDEN)]
CHEFER, OURS = PRESETS["chefer_et_al"], replace(PRESETS["ours"], jitters=0)
BAR, DOUBLE_BAR, HALF_BAR = 2e-5, 1e-10, 2e-3


@pytest.fixture(scope="module")
def pack() -> Iterator[Any]:
    """The golden file, beside the functions that make its inputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(golden.FOLDER)
        import make_semabs

        yield make_semabs, golden.arrays(GOLDEN)
    sys.modules.pop("make_semabs", None)


@pytest.fixture(scope="module")
def model(pack: Any) -> Any:
    make, golden = pack
    size = make.CLIP
    vision = {"image_size": size["image"], "patch_size": size["patch"], "width": size["width"]}
    vision |= {"layers": size["layers"], "head_width": size["width"] // size["heads"]}
    text = {"width": size["text_width"], "heads": size["text_heads"], "layers": size["text_layers"]}
    made = open_clip.CLIP(size["embed"], vision, text, quick_gelu=True)
    made.load_state_dict(make.state_dict("clip_small", int(golden["seed"])), strict=True)
    return made.eval()


class Given:
    """The text side of the golden numbers: an embedding a sentence, given."""

    def __init__(self, make: Any, seed: int) -> None:
        self.make, self.seed = make, seed

    def embed(self, sentences: list[str]) -> np.ndarray:
        return np.stack([self.make.text_embedding(one, 64, self.seed) for one in sentences])


def encoder(pack: Any, model: Any, templates: int = 1) -> RelevancyEncoder:
    make, golden = pack
    made = RelevancyEncoder(model, templates=make.TEMPLATES[:templates], device="cpu", cache=False)
    made._text = Given(make, int(golden["seed"]))
    return made


def check(found: Any, golden: dict[str, np.ndarray], key: str, bar: float = BAR) -> None:
    expected = golden[key]
    assert np.shape(found) == expected.shape, key
    assert np.abs(np.asarray(found) - expected).max() <= bar * np.abs(expected).max(), key


def picture_size(sizes: dict[str, Any], key: str) -> tuple[int, int]:
    found = sizes[key.split("_")[1]]
    return (found, found) if isinstance(found, int) else tuple(found)


def test_inputs_are_those_of_the_golden_numbers(pack: Any) -> None:
    make, golden = pack
    seed, size = int(golden["seed"]), json.loads(str(golden["sizes"]))["tile"]
    expected = json.loads(str(golden["inputs_crc32"]))["image_tile"]
    assert zlib.crc32(make.image(seed, size, size).tobytes()) == expected


def feature_of(tower: Tower, images: torch.Tensor) -> torch.Tensor:
    """What comes out of the tower (d,) of the first image."""
    tokens = tower.tokens(images)
    for i in tower.blocks:
        tokens = tower.visual.transformer.resblocks[i](tokens)
    return tower.pooled(tokens).detach()[0]


def test_tile(pack: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, golden = pack
    seed, size = int(golden["seed"]), json.loads(str(golden["sizes"]))["tile"]
    made = encoder(pack, model, templates=2)
    cut = tiling.pixels(make.image(seed, size, size), np.array([[size, 0, 0]]), 224)
    shrunk = tiling.pixels(make.image(seed + 300, 320, 320), np.array([[320, 0, 0]]), 224)
    check(made.normalized(shrunk)[0, :, ::28, ::28], golden, "tile/pixels_shrunk")
    x = made.normalized(cut)
    check(x[0, :, ::28, ::28], golden, "tile/pixels")
    vectors = made.encode_text(make.NAMES[:3], legacy=True)
    check(vectors, golden, "tile/text")
    text, tower = torch.from_numpy(vectors).float(), made._tower
    feature = feature_of(tower, x)
    check(feature, golden, "tile/feature")
    check(100 * feature / feature.norm() @ text.T, golden, "tile/logits")
    for way in (Tower.last_block, Tower.rollout):
        with monkeypatch.context() as patch:
            patch.setattr(Tower, "last_block", way)
            check(tower.relevancy(x, text)[:, 0], golden, "tile/relevancy")
            patch.setattr(attention, "clamped", lambda contributions: contributions)
            check(tower.relevancy(x, text)[:, 0], golden, "tile/relevancy_signed")
    check(Tower.of(model, 6).relevancy(x, text)[:, 0], golden, "tile/rollout_blocks_6_to_11")
    check(Tower.of(model, 0).relevancy(x, text)[:, 0], golden, "tile/rollout_all_blocks")


def test_tile_in_double_precision(pack: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, golden = pack
    seed, size = int(golden["seed"]), json.loads(str(golden["sizes"]))["tile"]
    double = copy.deepcopy(model).double()
    mean, std = (torch.tensor(three, dtype=torch.float64).reshape(3, 1, 1) for three in (relevancy.MEAN, relevancy.STD))
    made = [make.image(seed + more, side, side) for more, side in ((0, size), (300, 320))]
    cut = [tiling.pixels(one, np.array([[len(one), 0, 0]]), 224) for one in made]
    x, shrunk = ((torch.from_numpy(one).double() / 255 - mean) / std for one in cut)
    check(shrunk[0, :, ::28, ::28], golden, "tile/pixels_shrunk_64", DOUBLE_BAR)
    given = Given(make, seed)
    sentences = [[one.format(name) for one in make.TEMPLATES] for name in make.NAMES[:3]]
    vectors = np.stack([relevancy.average(given.embed(some).astype(np.float64), True) for some in sentences])
    check(vectors, golden, "tile/text_64", DOUBLE_BAR)
    text, tower = torch.from_numpy(vectors), Tower.of(double)
    feature = feature_of(tower, x)
    check(feature, golden, "tile/feature_64", DOUBLE_BAR)
    check(100 * feature / feature.norm() @ text.T, golden, "tile/logits_64", DOUBLE_BAR)
    for first, key in ((None, "relevancy"), (6, "rollout_blocks_6_to_11"), (0, "rollout_all_blocks")):
        check(Tower.of(double, first).relevancy(x, text)[:, 0], golden, f"tile/{key}_64", DOUBLE_BAR)
    monkeypatch.setattr(attention, "clamped", lambda contributions: contributions)
    check(tower.relevancy(x, text)[:, 0], golden, "tile/relevancy_signed_64", DOUBLE_BAR)


def test_text(pack: Any, model: Any) -> None:
    make, golden = pack
    made = RelevancyEncoder(model, templates=make.TEMPLATES, device="cpu", cache=False)
    sentences = [one.format(name) for name in make.NAMES[:3] for one in make.TEMPLATES]
    np.testing.assert_array_equal(made._text.tokenizer(sentences, context_length=77), golden["text/tokens"])
    check(made._text.embed(sentences), golden, "text/features")
    with torch.no_grad():
        double = copy.deepcopy(model).double().encode_text(torch.from_numpy(golden["text/tokens"]))
    check(double, golden, "text/features_64", DOUBLE_BAR)


def test_tiles(pack: Any) -> None:
    _, golden = pack
    sizes = json.loads(str(golden["sizes"]))
    for key in ("ours_square", "ours_wide_height", "ours_tall_height", "ours_tall_shorter"):
        legacy: Any = "shorter" if key.endswith("shorter") else "height"
        found = tiling.cut(*picture_size(sizes, key), replace(OURS, legacy=legacy))
        np.testing.assert_array_equal(found, golden[f"tiles/{key}"])
    found = tiling.cut(896, 896, replace(OURS, legacy="height"))
    np.testing.assert_array_equal(np.stack(np.unique(found[:, 0], return_counts=True), 1), golden["tiles/ours_896"])
    # the tiles of this square end flush with its edges, so that the repaired ones are the same
    square = tiling.cut(*picture_size(sizes, "ours_square"), OURS)
    np.testing.assert_array_equal(square, golden["tiles/ours_square"])


CASES: dict[str, tuple[int, Preset]] = {
    "ours_square": (0, replace(OURS, legacy="height")),
    "chefer_square": (0, replace(CHEFER, legacy="height")),
    "ours_wide_height": (100, replace(OURS, legacy="height")),
    "ours_tall_height": (200, replace(OURS, legacy="height")),
    "ours_tall_shorter": (200, replace(OURS, legacy="shorter")),
    "chefer_wide_shorter": (100, replace(CHEFER, legacy="shorter")),
    "chefer_tall_shorter": (200, replace(CHEFER, legacy="shorter")),
}


@pytest.mark.parametrize("key", CASES)
def test_image(pack: Any, model: Any, key: str) -> None:
    make, golden = pack
    (offset, preset), sizes = CASES[key], json.loads(str(golden["sizes"]))
    picture = make.image(int(golden["seed"]) + offset, *picture_size(sizes, key))
    found = encoder(pack, model).encode_image(picture, make.NAMES[:3], preset=preset, background=())
    check(found.values / relevancy.SCALE, golden, f"image/{key}")
    if key in ("ours_square", "chefer_square"):
        check(found.values / relevancy.SCALE, golden, f"image/{key}_half_canvas", HALF_BAR)
        if key == "chefer_square":  # all its tiles end flush, so that the repaired tiling gives the same
            repaired = replace(preset, legacy="")
            found = encoder(pack, model).encode_image(picture, make.NAMES[:3], preset=repaired, background=())
            check(found.values / relevancy.SCALE, golden, f"image/{key}")


def test_jitters(pack: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, golden = pack
    side = json.loads(str(golden["sizes"]))["square"]
    picture = make.image(int(golden["seed"]), side, side)
    copies = [picture, *(make.jitter(picture, i) for i in range(5))]
    monkeypatch.setattr(tiling, "jittered", lambda picture, count, seed: copies[: count + 1])
    preset = replace(PRESETS["ours"], legacy="height")
    found = encoder(pack, model).encode_image(picture, make.NAMES[:3], preset=preset, background=())
    check(found.values / relevancy.SCALE, golden, "image/ours_square_5_jitters")


def test_scene(pack: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, golden = pack
    h, w = json.loads(str(golden["sizes"]))["scene"]
    picture = make.image(int(golden["seed"]), h, w)
    copies = [picture, make.jitter(picture, 0)]
    monkeypatch.setattr(tiling, "jittered", lambda picture, count, seed: copies)
    preset = replace(PRESETS["ours"], jitters=1, legacy="height")
    found = encoder(pack, model).encode_image(picture, make.NAMES, preset=preset)  # less the mean over the five names
    inside = golden["geometry/in_bounds"].astype(bool).reshape(-1)
    check(found["lamp"].reshape(-1)[inside], golden, "scene/relevancy_lamp")


def test_templates_and_distractors(pack: Any, model: Any) -> None:
    make, golden = pack
    side = json.loads(str(golden["sizes"]))["square"]
    picture, preset = make.image(int(golden["seed"]), side, side), replace(OURS, legacy="height")
    made = encoder(pack, model, templates=2)
    found = made.encode_image(picture, make.NAMES[:3], preset=preset, background=("wall", "carpet"))
    check(found.values / relevancy.SCALE, golden, "image/ours_square_2_templates_2_distractors")

"""The same on tokens, and the memory bank of patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_roads import damaged_tiles, road_tiles
from torch import nn

from openshape_ood.encoders.protocols import Patches
from openshape_ood.errors import CheckpointError, FileError, InputError, UnknownNameError
from openshape_ood.surfaces import PatchMemory, TokenPCA, TokenReconstructor, load_reconstructor
from openshape_ood.surfaces.memory import chosen
from openshape_ood.surfaces.networks import imagenet


class Shapes:
    """Tokens on a curved surface of 8 dimensions, of 64 numbers with a code of their place; bad ones lie on another."""

    def __init__(self, seed: int, width: int = 64) -> None:
        self.rng = np.random.default_rng(seed)
        self.inner, self.other = self.rng.standard_normal((2, 8, width))
        self.code = self.rng.standard_normal((3, width))

    def draw(self, b: int, p: int = 32, bad: int = 0) -> tuple[Patches, np.ndarray]:
        centers = self.rng.uniform(-1, 1, (b, p, 3))
        features = np.tanh(self.rng.standard_normal((b, p, 8)) @ self.inner / 2) + centers @ self.code / 2
        wrong = self.rng.random((b, p)).argsort(axis=1) < bad
        other = np.tanh(self.rng.standard_normal((b, p, 8)) @ self.other / 2) + centers @ self.code / 2
        features[wrong] = other[wrong]
        return Patches(features.astype(np.float32), centers.astype(np.float32), 0.1), wrong


def auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth.ravel(), scores.ravel()))


def test_tokens_that_do_not_belong_are_novel(tmp_path: Path) -> None:
    shapes = Shapes(0, 24)
    made = TokenPCA(11).fit(shapes.draw(60)[0])
    bad, wrong = shapes.draw(20, bad=3)
    assert made.novelty(bad).shape == (20, 32) and auroc(wrong, made.novelty(bad)) > 0.8
    assert made.threshold_.n == 6 and made.score(bad).shape == (20,)
    one = Patches(bad.features[:1], bad.centers[:1], 0.1)
    points = np.repeat(bad.centers[0], 3, axis=0) + 1e-4
    found = made.localize(one, points=points, name="a chair")
    assert found.elements.kind == "points" and np.abs(found.novelty[::3] - made.novelty(one)[0]).max() < 0.01
    with pytest.raises(InputError, match=r"patches of 20 shapes\. Expected one shape"):
        made.localize(bad)
    read = load_reconstructor(made.save(tmp_path / "tokens.safetensors"))
    assert np.array_equal(read.novelty(bad), made.novelty(bad))
    with pytest.raises(InputError, match=r"tokens are of type ndarray\. Expected Patches"):
        made.fit(bad.features)
    with pytest.raises(InputError, match=r"centers are \(20, 32, 2\)"):
        made.fit(bad._replace(centers=bad.centers[..., :2]))


def test_token_networks_are_saved(tmp_path: Path) -> None:
    shapes = Shapes(0, 24)
    made = TokenReconstructor(2, steps=2, hidden=8, bottleneck=4).fit(shapes.draw(8)[0])
    read = load_reconstructor(made.save(tmp_path / "tokens.safetensors"))
    asked = shapes.draw(3)[0]
    assert np.array_equal(read.novelty(asked), made.novelty(asked)) and len(made.units_) == 2
    with pytest.raises(InputError, match="bottleneck is 0"):
        TokenReconstructor(bottleneck=0).fit(asked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_token_networks_find_bad_tokens(seed: int) -> None:
    """C19."""
    shapes = Shapes(seed)
    normal, good, (bad, wrong) = shapes.draw(222)[0], shapes.draw(100)[0], shapes.draw(100, bad=3)
    both = Patches(*(np.concatenate(pair) for pair in zip(good[:2], bad[:2], strict=True)), 0.1)
    truth, whole = np.concatenate([np.zeros_like(wrong), wrong]), np.arange(200) >= 100
    ways = {
        "mean": TokenPCA(0, pooling="max"),
        "pca": TokenPCA(12, pooling="max"),
        "rec only": TokenReconstructor(pooling="max"),
        "clean": TokenReconstructor(pooling="max", weights=(1, 0.25, 0.25)),
    }
    found = {}
    for name, made in ways.items():
        made.fit(normal, seed=seed)
        found[name] = auroc(truth, made.novelty(both)), auroc(whole, made.score(both))
        print(seed, name, *(f"{one:.3f}" for one in found[name]))
    assert found["rec only"][0] >= 0.97 and found["rec only"][1] >= 0.95
    assert found["clean"][0] >= 0.95 and found["clean"][1] >= 0.75
    assert found["mean"][0] <= 0.75


class Means(nn.Module):
    """Maps of an image at a half and a quarter of its size."""

    def forward(self, tiles: torch.Tensor) -> list[torch.Tensor]:
        return [nn.functional.avg_pool2d(tiles, 2), nn.functional.avg_pool2d(tiles, 4)]


def test_a_memory_of_patches_by_a_module(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    normal, (bad, where) = road_tiles(10, rng), damaged_tiles(6, rng)
    made = PatchMemory(Means(), keep=0.1).fit(normal, seed=1)
    assert made.rows_.shape == (round(0.1 * 9 * 256), 6)
    maps = made.novelty(bad)
    assert maps.shape == (6, 32, 32) and auroc(where, maps) > 0.85
    assert np.abs(made.novelty(bad[::-1])[::-1] - maps).max() < 1e-5
    path = made.save(tmp_path / "memory.safetensors")
    assert np.array_equal(load_reconstructor(path, backbone=Means()).novelty(bad), maps)
    with pytest.raises(FileError, match="the file lacks the backbone"):
        load_reconstructor(path)
    mask = np.ones((10, 32, 32), dtype=bool)
    mask[:, 16:] = False
    assert len(PatchMemory(Means(), keep=1).fit(normal, mask=mask).rows_) == 9 * 128
    with pytest.raises(InputError, match="keep is 0"):
        PatchMemory(Means(), keep=0).fit(normal)
    with pytest.raises(InputError, match="gives no maps"):
        PatchMemory(nn.Flatten()).fit(normal)


def test_patches_are_chosen_far_apart() -> None:
    rows = np.concatenate([np.zeros((98, 2)), [[9.0, 0.0]], [[0.0, 9.0]]])
    assert {98, 99} <= set(chosen(rows, 0.03, 0).tolist()) and len(chosen(rows, 0.03, 0)) == 3


@pytest.mark.filterwarnings("ignore")
def test_anomalib_finds_the_same_patches_novel() -> None:
    patchcore = pytest.importorskip("anomalib.models.image.patchcore.torch_model", reason="an oracle if installed")
    normal, bad = np.random.default_rng(0).uniform(-1, 1, (2, 6, 3, 64, 64)).astype(np.float32)
    ours = PatchMemory(pretrained=False, layers=(1, 2), keep=1.0, device="cpu").fit(normal, seed=1)
    oracle = patchcore.PatchcoreModel(("layer1", "layer2"), "resnet18", pre_trained=False, num_neighbors=1).eval()
    oracle.feature_extractor.feature_extractor.load_state_dict(ours.network_.state_dict())
    oracle.memory_bank = torch.from_numpy(ours.rows_)
    oracle.anomaly_map_generator.blur = nn.Identity()  # ours are not blurred
    theirs = oracle(imagenet(torch.from_numpy(bad))).anomaly_map[..., ::4, ::4]  # of 16 x 16 patches
    theirs = nn.functional.interpolate(theirs, (64, 64), mode="bilinear")[:, 0].numpy()
    assert np.abs(ours.novelty(bad) - theirs).max() < 1e-4 * theirs.max()


@pytest.mark.slow
def test_a_memory_of_patches_by_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm")
    rng = np.random.default_rng(0)
    normal, (bad, where) = road_tiles(20, rng), damaged_tiles(10, rng)
    made = PatchMemory(pretrained=False, layers=(1, 2)).fit(normal, seed=1)
    maps = made.novelty(bad)
    print("random weights", auroc(where, maps))
    assert np.array_equal(load_reconstructor(made.save(tmp_path / "memory.safetensors")).novelty(bad), maps)
    assert PatchMemory("resnet10t", pretrained=False, keep=0.01).fit(normal[:, :2]).shape_ == (2, 32, 32)
    with pytest.raises(UnknownNameError, match="timm has no network 'resnet7'"):
        PatchMemory("resnet7").fit(normal)
    with pytest.raises(CheckpointError, match=r"weights of 'resnet18\.mine' cannot be loaded"):
        PatchMemory("resnet18.mine").fit(normal)

    def unreachable(*arguments: object, **settings: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(CheckpointError, match="cannot be loaded: no network"):
        PatchMemory().fit(normal)

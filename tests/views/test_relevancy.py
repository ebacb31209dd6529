"""RelevancyEncoder on made-up weights: two ways that agree, names that do not disturb each other, the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from made_up_clip import CONFIG, clip
from safetensors.torch import save_file

from openshape_ood.errors import ClassNamesError, InputError, OfflineError, UnknownNameError, WeightsError
from openshape_ood.views.relevancy import Preset, RelevancyEncoder, relevancy
from openshape_ood.views.relevancy.attention import Tower

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 33, 3), dtype=np.uint8)
ONE = Preset(scales=((1, 1),))


@pytest.fixture(scope="module")
def encoder() -> RelevancyEncoder:
    return RelevancyEncoder(clip(), device="cpu", cache=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))
    return tmp_path


def images_and_texts() -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    text = torch.randn(3, 16, generator=drawn)
    return torch.randn(4, 3, 32, 32, generator=drawn), text / text.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("custom", [False, True])
def test_the_fast_way_agrees_with_the_general_one(custom: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    images, text = images_and_texts()
    tower = Tower.of(clip(custom=custom))
    fast = tower.relevancy(images, text)
    monkeypatch.setattr(Tower, "last_block", Tower.rollout)
    general = tower.relevancy(images, text)
    assert fast.shape == (3, 4, 4, 4)
    assert (fast - general).abs().max() < 1e-5 * general.abs().max()


def test_the_rollout_agrees_with_attention_of_torch_itself() -> None:
    # by the rule, over whole matrices, with torch's own attention weights
    images, text = images_and_texts()
    model = clip().double()
    tower, text = Tower.of(model, 1), text.double()
    tokens, kept = tower.tokens(images.double()), []
    for i in (1, 2):
        block = model.visual.transformer.resblocks[i]
        normed = block.ln_1(tokens)
        _, attention = block.attn(normed, normed, normed, need_weights=True, average_attn_weights=False)
        values = block.attn.in_proj_weight[64:] @ normed.transpose(1, 2) + block.attn.in_proj_bias[64:, None]
        values = values.unflatten(1, (2, 16)).transpose(2, 3)
        kept.append(attention)
        mixed = (attention @ values).transpose(1, 2).flatten(2)
        tokens = tokens + block.attn.out_proj(mixed)
        tokens = tokens + block.mlp(block.ln_2(tokens))
    features = model.visual.ln_post(tokens[:, 0]) @ model.visual.proj
    torch.testing.assert_close(features, model.encode_image(images.double()))
    logits = 100 * features / features.norm(dim=1, keepdim=True) @ text.T
    for p in range(3):
        rolled = torch.eye(17, dtype=torch.float64).repeat(4, 1, 1)
        gradients = torch.autograd.grad(logits[:, p].sum(), kept, retain_graph=True)
        for gradient, attention in zip(gradients, kept, strict=True):
            rolled = rolled + (gradient * attention).clamp(min=0).mean(dim=1) @ rolled
        expected = rolled[:, 0, 1:].reshape(4, 4, 4)
        torch.testing.assert_close(tower.relevancy(images.double(), text)[p], expected.detach())


def test_a_mirrored_picture_has_the_mirrored_relevancy(encoder: RelevancyEncoder) -> None:
    preset = Preset(flip=True, scales=((1, 1), (1, 2)))
    found, mirrored = (
        encoder.encode_image(one, ["chair"], preset=preset, background=()).values for one in (PICTURE, PICTURE[:, ::-1])
    )
    assert np.abs(mirrored[..., ::-1] - found).max() < 1e-5 * np.abs(found).max()


def test_another_name_changes_nothing(encoder: RelevancyEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = encoder.encode_image(PICTURE, ["chair"], preset=ONE)
    apart = 3e-5 * np.abs(alone.values).max()
    assert apart > 0
    several = encoder.encode_image(PICTURE, ["lamp", "chair", "Wall"], preset=ONE)
    np.testing.assert_allclose(several["chair"], alone["chair"], rtol=0, atol=apart)
    monkeypatch.setattr(relevancy, "HELD", 1)  # a name after the other, as hundreds of them
    said: list[tuple[int, int]] = []

    def step(*told: int) -> None:
        said.append((told[0], told[1]))

    parts = encoder.encode_image(PICTURE, ["lamp", "chair", "Wall"], preset=ONE, progress=step)
    assert said == [(i + 1, len(said)) for i in range(len(said))] and len(said) >= 8  # and the background
    np.testing.assert_allclose(parts.values, several.values, rtol=0, atol=3e-5 * np.abs(several.values).max())


def test_the_background_is_subtracted(encoder: RelevancyEncoder) -> None:
    raw = encoder.encode_image(PICTURE, ["chair", "wall", "floor"], preset=ONE, background=()).values
    found = encoder.encode_image(PICTURE, ["chair"], preset=ONE, background=["wall", "floor"]).values
    np.testing.assert_allclose(found[0], raw[0] - raw[1:].mean(axis=0), atol=1e-5)
    # as published: the mean over the names asked for, so that one alone gives nothing
    assert np.abs(encoder.encode_image(PICTURE, ["chair"], preset=ONE, legacy=True).values).max() < 1e-5


def test_text_is_of_length_one_but_as_published() -> None:
    made = RelevancyEncoder(clip(), templates=["a {}.", "one {} in a big room"], device="cpu", cache=False)
    ours, published = (made.encode_text(["chair", "lamp"], legacy=legacy) for legacy in (False, True))
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (np.linalg.norm(published, axis=1) < 0.999999).all()
    np.testing.assert_allclose(published / np.linalg.norm(published, axis=1, keepdims=True), ours, atol=1e-5)


def test_relevancies_are_kept_by_image_model_name_preset_and_seed(folder: Path, monkeypatch: Any) -> None:
    made = RelevancyEncoder(clip(), device="cpu")
    calls: list[list[str]] = []
    compute = RelevancyEncoder._compute
    monkeypatch.setattr(
        RelevancyEncoder,
        "_compute",
        lambda self, *a: calls.append(a[2]) or compute(self, *a),
    )
    how: dict[str, Any] = {"preset": ONE, "background": ()}
    first = made.encode_image(PICTURE, ["chair"], **how)
    again = made.encode_image(PICTURE, ["lamp", "chair"], **how)
    np.testing.assert_array_equal(again["chair"], first["chair"])
    assert calls == [["chair"], ["lamp"]]
    made.encode_image(PICTURE[::-1], ["chair"], **how)
    RelevancyEncoder(clip(seed=1), device="cpu").encode_image(PICTURE, ["chair"], **how)
    RelevancyEncoder(clip(), templates="", device="cpu").encode_image(PICTURE, ["chair"], **how)
    RelevancyEncoder(clip(), first_block=0, device="cpu").encode_image(PICTURE, ["chair"], **how)
    made.encode_image(PICTURE, ["chair"], preset=Preset(scales=((1, 1),), flip=True), background=())
    assert len(calls) == 7
    made.encode_image(PICTURE, ["chair"], seed=1, **how)  # no jitters, so the seed is nothing
    assert len(calls) == 7
    jitters: dict[str, Any] = {"preset": Preset(scales=((1, 1),), jitters=1), "background": ()}
    found = [made.encode_image(PICTURE, ["chair"], seed=seed, **jitters).values for seed in (0, 1, 0)]
    assert len(calls) == 9
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize(
    "names, told",
    [([], "no class names"), (["chair", "Chair"], "are the same"), ([" "], "blank"), ("chair", "Expected a list")],
)
def test_bad_names(encoder: RelevancyEncoder, names: Any, told: str) -> None:
    with pytest.raises(ClassNamesError, match=told):
        encoder.encode_image(PICTURE, names, preset=ONE)


def test_what_is_too_much(encoder: RelevancyEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClassNamesError, match="longer than the 77 tokens"):
        encoder.encode_image(PICTURE, ["chair " * 90], preset=ONE)
    monkeypatch.setattr(relevancy, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"1 names at 33 x 24 pixels would take more than 4 GiB\. .* Give fewer"):
        encoder.encode_image(PICTURE, ["chair"], preset=ONE)


def test_a_model_of_another_precision_is_taken_in_single(encoder: RelevancyEncoder) -> None:
    one, other = (
        made.encode_image(PICTURE, ["chair"], preset=ONE).values
        for made in (encoder, RelevancyEncoder(clip().double(), device="cpu", cache=False))
    )
    np.testing.assert_array_equal(one, other)


def test_other_networks_are_refused() -> None:
    with pytest.raises(InputError, match="training mode"):
        RelevancyEncoder(clip().train(), device="cpu")
    with pytest.raises(InputError, match=r"first_block is 3\. Expected one of the 3 blocks, from 0 to 2"):
        RelevancyEncoder(clip(), first_block=3, device="cpu")
    averaging = clip()
    averaging.visual.pool_type = "avg"
    for other in (averaging, torch.nn.Linear(2, 2)):
        with pytest.raises(InputError, match="Expected a square ViT of open_clip with a class token"):
            RelevancyEncoder(other, device="cpu")


@pytest.fixture
def named(tmp_path: Path) -> str:
    """A small model that open_clip knows by name."""
    (tmp_path / "made-up.json").write_text(CONFIG, encoding="utf-8")
    open_clip.add_model_config(tmp_path)
    return "made-up"


def test_weights_from_a_file(named: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "weights.safetensors"
    state = {key: value.contiguous() for key, value in clip().state_dict().items()}
    save_file(state, path)
    made = RelevancyEncoder.from_pretrained(named, checkpoint=path, device="cpu", cache=False)
    own = RelevancyEncoder(clip(), device="cpu", cache=False)
    one, other = (each.encode_image(PICTURE, ["chair"], preset=ONE).values for each in (made, own))
    np.testing.assert_array_equal(one, other)
    assert made.identity.sha256 == own.identity.sha256
    assert not caplog.records  # open_clip would say that weights are random
    state.pop("visual.proj")
    save_file(state, path)
    with pytest.raises(WeightsError, match=r"missing keys: visual\.proj"):
        RelevancyEncoder.from_pretrained(named, checkpoint=path)


def test_models_by_name(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown open_clip model 'ViT-B-33'"):
        RelevancyEncoder.from_pretrained("ViT-B-33")
    with pytest.raises(InputError, match=r"open_clip has no weights 'mine' of 'ViT-B-32'\. Expected one of openai"):
        RelevancyEncoder.from_pretrained("ViT-B-32", "mine")
    with pytest.raises(InputError, match="is no ViT"):
        RelevancyEncoder.from_pretrained("RN50", "openai")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = 'RelevancyEncoder.from_pretrained."ViT-B-32", "openai", checkpoint="open_clip_model.safetensors".'
    with pytest.raises(OfflineError, match=told):
        RelevancyEncoder.from_pretrained()

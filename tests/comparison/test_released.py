"""The published files, with made-up weights: read strictly in all their forms, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_relation import extractor_state, relation_state, write_released

from openshape_ood import Embeddings, KnownClasses, score_novelty
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.released import ImageFeatures, convert_released, prepared_image, read_released
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import FileError, MixedEncodersError, WeightsError

pytestmark = pytest.mark.slow  # the files have the published size
ROWS = np.random.RandomState(0).standard_normal((3, 512))
OPENSHAPE = Identity("vitb32", "ViT-B-32/openai", "c" * 64)  # whose embeddings have 512 numbers too


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def read(folder: Path) -> tuple[Comparator, ImageFeatures]:
    return read_released(folder)


def test_both_forms_and_the_converted_file_say_the_same(
    folder: Path, read: tuple[Comparator, ImageFeatures], tmp_path: Path
) -> None:
    """R14."""
    parts = {"feature_extractor": extractor_state(), "cls_rel": {f"module.{k}": v for k, v in relation_state().items()}}
    whole = {f"{part}.{key}": value for part, state in parts.items() for key, value in state.items()}
    torch.save(whole, tmp_path / "resend.pth")
    converted = convert_released(folder, tmp_path / "resend.safetensors")
    expected = read[0].similarity.between(ROWS, ROWS)
    for path in (tmp_path / "resend.pth", converted):
        comparator, images = read_released(path)
        assert images.identity == read[1].identity == comparator.identity
        assert np.array_equal(comparator.similarity.between(ROWS, ROWS), expected)
    own = Comparator.load(read[0].save(tmp_path / "own.safetensors"))
    assert np.array_equal(own.similarity.between(ROWS, ROWS), expected) and own.name == read[0].name


def test_it_compares_photographs_and_no_shapes(read: tuple[Comparator, ImageFeatures]) -> None:
    rows = np.abs(ROWS)
    shapes = KnownClasses(("a", "b", "c"), OPENSHAPE, examples=rows, labels=np.arange(3))
    with pytest.raises(MixedEncodersError, match=r"trained on embeddings of resend-resnet18.*of vitb32"):
        score_novelty(Embeddings(rows, OPENSHAPE), shapes, method=read[0])
    forced = Comparator.of(read[0].similarity)
    assert score_novelty(Embeddings(rows, OPENSHAPE), shapes, method=forced).novelty.shape == (3,)


def test_images_of_any_size_are_prepared_alike(read: tuple[Comparator, ImageFeatures]) -> None:
    images = [np.full((h, w, 3), 40 * h % 255, dtype=np.uint8) for h, w in ((7, 90), (224, 224), (300, 20))]
    together = read[1].encode(images, batch_size=2)
    assert together.shape == (3, 512) and (together >= 0).all() and read[1].encode([]).shape == (0, 512)
    np.testing.assert_allclose(together[2], read[1].encode(images[2:])[0], rtol=1e-4, atol=1e-5)
    gray = np.full((5, 5, 3), 255, dtype=np.uint8)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(prepared_image(gray).mean(dim=(1, 2)), expected, rtol=1e-5)


def spoiled(folder: Path, out: Path, part: str, change: Any) -> Path:
    out.mkdir()
    for name in ("feature_extractor", "cls_rel"):
        state = dict(torch.load(folder / f"{name}.pkl", weights_only=True))
        if name == part:
            change(state)
        torch.save(state, out / f"{name}.pkl")
    return out


@pytest.mark.parametrize(
    "part, change, said",
    [
        ("cls_rel", lambda state: state.pop("head.bias"), "missing keys: head.bias"),
        ("cls_rel", lambda state: state.update(extra=torch.zeros(1)), "left-over keys: extra"),
        ("cls_rel", lambda state: state.update({"proj.weight": torch.zeros(768, 1280)}), "wrong shapes: proj.weight"),
        ("feature_extractor", lambda state: state.pop("conv1.weight"), "conv1.weight occurs once"),
        (
            "feature_extractor",
            lambda state: state.update({"conv1.weight": state["conv1.weight"] + 1}),
            "conv1.weight differ",
        ),
        (
            "feature_extractor",
            lambda state: state.update({"bn1.running_var": state["bn1.running_var"] + 1}),
            "bn1.running_var differ",
        ),
    ],
)
def test_files_that_are_not_these(folder: Path, tmp_path: Path, part: str, change: Any, said: str) -> None:
    """R14."""
    with pytest.raises(WeightsError, match=said):
        read_released(spoiled(folder, tmp_path / "own", part, change))


def test_counters_of_twins_may_differ_and_other_networks_may_not(folder: Path, tmp_path: Path) -> None:
    """R14."""
    change = {"layer1.0.bn1.num_batches_tracked": torch.tensor(7)}
    read_released(spoiled(folder, tmp_path / "own", "feature_extractor", lambda state: state.update(change)))
    with pytest.raises(WeightsError, match="resend-resnet50"):
        read_released(folder, "resnet50")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "none.pth"):
        with pytest.raises(FileError, match="there is no file"):
            read_released(path)

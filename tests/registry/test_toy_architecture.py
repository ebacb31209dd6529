"""An architecture and a row of one's own: a toy ViT loads strictly, encodes and localizes without a change here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from openshape_ood import ShapeEncoder, TextEncoder, list_checkpoints, localize
from openshape_ood.encoders.protocols import Provenance, StagedNetwork
from openshape_ood.errors import InputError, WeightsError
from openshape_ood.registry import ARCHITECTURES, Architecture, find_checkpoint
from openshape_ood.registry.files import sha256
from openshape_ood.synthetic import sample

# the toy, and all that it takes


@dataclass(frozen=True)
class ToySizes:
    cells: int  # an axis, so many patches are its cube
    width: int
    depth: int
    embedding_dim: int


class ToyViT(nn.Module):
    """Patches are the cells of a grid: what their points are on average, then a transformer."""

    def __init__(self, sizes: ToySizes) -> None:
        super().__init__()
        self.sizes, self.radius = sizes, 1 / sizes.cells
        self.lift, self.place = nn.Linear(7, sizes.width), nn.Linear(3, sizes.width)
        layer = nn.TransformerEncoderLayer(sizes.width, 2, 2 * sizes.width, dropout=0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, sizes.depth, enable_nested_tensor=False)
        self.head = nn.Linear(sizes.width, sizes.embedding_dim)

    def forward(self, points: Tensor) -> Tensor:
        return self.patches(points, "projected")[0].mean(dim=1)

    def patches(self, points: Tensor, stage: str) -> tuple[Tensor, Tensor]:
        features, centers = self._cells(points)
        tokens = self.lift(features)
        if stage == "local":
            return tokens, centers
        tokens = self.blocks(tokens + self.place(centers))
        return self.head(tokens) if stage == "projected" else tokens, centers

    def _cells(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and share of the points of each cell (b, p, 7), and its middle (b, p, 3)."""
        n = self.sizes.cells
        index = ((points[..., :3] + 1) / 2 * n).long().clamp(0, n - 1)
        cell = (index[..., 0] * n + index[..., 1]) * n + index[..., 2]
        member = nn.functional.one_hot(cell, n**3).to(points.dtype).transpose(1, 2)
        count = member.sum(dim=2, keepdim=True)
        features = torch.cat([member @ points / count.clamp(min=1), count / points.shape[1]], dim=2)
        axis = (torch.arange(n, device=points.device) + 0.5) / n * 2 - 1
        return features, torch.cartesian_prod(axis, axis, axis).expand(len(points), -1, -1)


# what is shown


SIZES = ToySizes(cells=3, width=16, depth=2, embedding_dim=192)
ROW = """
[toy]
architecture = "toy-vit"
licence = "MIT"
sizes = { cells = 3, width = 16, depth = 2, embedding_dim = 192 }
source = { file = "toy.safetensors", sha256 = "SHA256" }
keys = { prefix = "visual.", drop = ["^teacher"], rename = [["^encoder\\\\.", "blocks."]], \
merge = [["*.q_weight", "*.k_weight", "*.v_weight", "*.in_proj_weight"]] }
text = { kind = "static", model = "tiny/text.safetensors", templates = "", average = "mean" }
spec = { count = 512, up = "y", color = 0.4 }
"""


def published(network: ToyViT) -> dict[str, Tensor]:
    """Its weights as a file might have them: too many, under other names, queries, keys and values apart."""
    state: dict[str, Tensor] = {"teacher.weight": torch.ones(3)}
    for key, tensor in network.state_dict().items():
        key = key.replace("blocks.", "encoder.")
        if key.endswith("in_proj_weight"):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                state[key.replace("in_proj", letter)] = part.clone()
        else:
            state[key] = tensor
    return {f"visual.{key}": tensor for key, tensor in state.items()} | {"logit_scale": torch.ones(1)}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("toy")
    torch.manual_seed(0)
    save_file(published(ToyViT(SIZES)), folder / "toy.safetensors")
    (folder / "toy.toml").write_text(ROW.replace("SHA256", sha256(folder / "toy.safetensors")))
    ARCHITECTURES["toy-vit"] = Architecture(ToySizes, ToyViT)
    yield folder / "toy.toml"
    del ARCHITECTURES["toy-vit"]


@pytest.fixture(scope="module")
def toy(registry: Path) -> ShapeEncoder:
    return ShapeEncoder.from_pretrained("toy", registry=registry, device="cpu")


def test_the_toy_is_small() -> None:
    assert sum(len(inspect.getsource(one).splitlines()) for one in (ToySizes, ToyViT)) <= 60


def test_it_stands_beside_the_packaged_rows(registry: Path) -> None:
    assert list_checkpoints(registry) == [*list_checkpoints(), "toy"]
    row = find_checkpoint("toy", registry)
    assert row.sizes == SIZES and row.spec.count == 512


def test_it_loads_strictly(toy: ShapeEncoder, registry: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = ToyViT(SIZES).state_dict()
    found = toy.network.state_dict()
    assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in found)
    assert not toy.network.training and not any(p.requires_grad for p in toy.network.parameters())
    lacking = published(ToyViT(SIZES))
    del lacking["visual.head.bias"], lacking["visual.encoder.layers.0.self_attn.k_weight"]
    save_file(lacking, tmp_path / "toy.safetensors")
    with pytest.raises(WeightsError, match="k_weight, to be merged with"):
        ShapeEncoder.from_pretrained("toy", registry=registry, checkpoint=tmp_path / "toy.safetensors")


def test_it_encodes(toy: ShapeEncoder) -> None:
    shapes = [sample("chair", 700, seed=1), sample("lamp", 300, seed=1)]
    embeddings = toy.encode(shapes, num_samples=2)
    assert embeddings.shape == (2, 192)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(toy.encode(shapes[1:], num_samples=2), embeddings[1:], atol=1e-5)
    mean, spread = toy.encode_with_spread(shapes, num_samples=2)
    np.testing.assert_allclose(mean, embeddings, atol=1e-5)
    assert spread.shape == (2,)
    patches = toy.encode_patches(shapes, stage="projected")
    assert patches.features.shape == (2, 27, 192) and patches.centers.shape == (2, 27, 3)
    assert patches.radius == pytest.approx(1 / 3)
    assert Provenance(toy.identity).as_json()["identity"]["sha256"] == toy.row.source.sha256


def test_what_it_does_not_offer_is_said(registry: Path, toy: ShapeEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(toy.network, StagedNetwork)  # so that it runs in one step on a GPU, too
    with pytest.raises(InputError, match="'toy-vit' runs only in float32"):
        ShapeEncoder.from_pretrained("toy", registry=registry, precision="bfloat16", device="cpu")
    monkeypatch.delattr(ToyViT, "patches")
    with pytest.raises(InputError, match="has no features of patches"):
        toy.encode_patches(sample("chair", 300, seed=1))


@pytest.mark.parametrize("by", ["local", "text"])
def test_it_localizes(toy: ShapeEncoder, registry: Path, by: str) -> None:
    shape = sample("chair", 400, seed=5)
    examples = {name: [sample(name, 400, seed=i) for i in range(3)] for name in ("chair", "lamp")}
    text = TextEncoder.from_pretrained("toy", registry=registry) if by == "text" else None
    found = localize(shape, list(examples) if by == "text" else examples, encoder=toy, text=text, by=by, up="y")
    assert np.shape(found.novelty) == (400,) and np.isfinite(found.novelty).all()


def test_it_is_built_and_timed_from_its_row(registry: Path) -> None:
    row = find_checkpoint("toy", registry)
    network = ARCHITECTURES[row.architecture].build(row.sizes)
    with torch.inference_mode():
        assert network(torch.zeros(1, row.spec.count, 6)).shape == (1, row.sizes.embedding_dim)

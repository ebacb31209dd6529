"""The network against a plain one in float64, and its keys against those of the published files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from published import PUBLISHED, made_up, network_shapes

from openshape_ood.encoders import staged
from openshape_ood.encoders.grouping.samplers import find_grouping
from openshape_ood.encoders.pointbert import network as pointbert
from openshape_ood.encoders.pointbert.network import PointBERT
from openshape_ood.encoders.staged import fold
from openshape_ood.registry.architectures import PointBERTSizes
from openshape_ood.registry.names import find_checkpoint

# head_width * heads differs from width, so that no size can stand in for another
SMALL: dict[str, Any] = {
    "width": 24,
    "depth": 3,
    "heads": 3,
    "head_width": 5,
    "mlp_width": 40,
    "patches": 7,
    "radius": 0.6,
    "patch_points": 9,
    "patch_width": 11,
    "channels": 6,
}

Weights = dict[str, np.ndarray]


def small(projection: int = 0, sampler: str = "torch") -> PointBERT:
    """As published and as it is trained: with batch-norm, not prepared for inference."""
    network = PointBERT(PointBERTSizes(**SMALL, projection=projection))
    network.grouping = find_grouping(sampler, torch.device("cpu"))
    network.load_state_dict({k: made_up(k, tuple(v.shape)) for k, v in network.state_dict().items()})
    return network.eval().requires_grad_(False)


def cloud(b: int = 3, n: int = 60, seed: int = 0) -> torch.Tensor:
    rng = np.random.RandomState(seed)
    xyz = rng.standard_normal((b, n, 3))
    xyz /= np.linalg.norm(xyz, axis=-1).max(axis=1)[:, None, None]
    return torch.from_numpy(np.concatenate([xyz, rng.uniform(size=(b, n, 3))], axis=-1).astype(np.float32))


def reference(w: Weights, points: np.ndarray, projection: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One cloud (n, 6) -> embedding, patch tokens, centers."""
    centers, features = reference_patches(w, points)
    x = np.concatenate([centers, features], axis=1) @ w["lift.0.weight"][:, :, 0].T + w["lift.0.bias"]
    x = np.vstack([w["cls_token"], layer_norm(x, w, "lift.2")])
    for i in range(SMALL["depth"]):
        block = f"transformer.layers.{i}"
        x = x + attention(layer_norm(x, w, f"{block}.0.norm"), w, f"{block}.0.fn")
        hidden = gelu(linear(layer_norm(x, w, f"{block}.1.norm"), w, f"{block}.1.fn.net.0"))
        x = x + linear(hidden, w, f"{block}.1.fn.net.3")
    return (linear(x[0], w, "proj") if projection else x[0]), x[1:], centers


def reference_patches(w: Weights, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    xyz = points[:, :3]
    picked = [0]
    while len(picked) < SMALL["patches"]:
        nearest = np.min([((xyz - xyz[i]) ** 2).sum(axis=1) for i in picked], axis=0)
        picked.append(int(nearest.argmax()))
    features = []
    for i in picked:
        inside = np.flatnonzero(((xyz - xyz[i]) ** 2).sum(axis=1) <= SMALL["radius"] ** 2)[: SMALL["patch_points"]]
        x = np.hstack([xyz[inside] - xyz[i], xyz[inside], points[inside, 3:]])
        for j in range(3):
            x = x @ w[f"sa.mlp_convs.{j}.weight"][:, :, 0, 0].T + w[f"sa.mlp_convs.{j}.bias"]
            x = (x - w[f"sa.mlp_bns.{j}.running_mean"]) / np.sqrt(w[f"sa.mlp_bns.{j}.running_var"] + 1e-5)
            x = np.maximum(x * w[f"sa.mlp_bns.{j}.weight"] + w[f"sa.mlp_bns.{j}.bias"], 0)
        features.append(x.max(axis=0))
    return xyz[picked], np.array(features)


def linear(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    return x @ w[f"{key}.weight"].T + w[f"{key}.bias"]


def layer_norm(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-5) * w[f"{key}.weight"] + w[f"{key}.bias"]


def attention(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    heads, width = SMALL["heads"], SMALL["head_width"]
    q, k, v = np.split(x @ w[f"{key}.to_qkv.weight"].T, 3, axis=-1)
    mixed = []
    for h in range(heads):
        own = slice(h * width, (h + 1) * width)
        affinity = np.exp(q[:, own] @ k[:, own].T / math.sqrt(width))
        mixed.append(affinity / affinity.sum(axis=-1, keepdims=True) @ v[:, own])
    return linear(np.hstack(mixed), w, f"{key}.to_out.0")


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("projection", [0, 13])
def test_against_a_plain_network(projection: int, prepared: bool) -> None:
    network, points = small(projection), cloud()
    weights = {key: value.double().numpy() for key, value in network.state_dict().items()}
    if prepared:
        network.prepare()
    for i, one in enumerate(points.double().numpy()):
        for ours, plain in zip(network(points, patches=True), reference(weights, one, projection), strict=True):
            assert np.linalg.norm(ours[i].numpy() - plain) <= 2e-6 * np.linalg.norm(plain)


@pytest.mark.parametrize("projection", [0, 13])
def test_patches(projection: int) -> None:
    network, points = small(projection).prepare(), cloud()
    embedding, tokens, centers = network(points, patches=True)
    assert torch.equal(embedding, network(points))
    assert embedding.shape == (3, projection or 24)
    assert tokens.shape == (3, 7, 24)
    assert centers.shape == (3, 7, 3)
    assert torch.equal(centers[:, 0], points[:, 0, :3])
    assert (centers[:, :, None] == points[:, None, :, :3]).all(-1).any(-1).all()


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest relative error of an embedding."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def test_a_cloud_is_the_same_alone_as_in_a_batch() -> None:
    network, points = small(13).prepare(), cloud(6)
    together = network(points)
    alone = torch.cat([network(one[None]) for one in points])
    assert relative(together, alone) <= 1e-5
    assert relative(network(points.flip(0)).flip(0), together) <= 1e-5


@pytest.mark.parametrize("rows, clouds, tokens", [(1, 1, 1), (20, 2, 17), (10**6, 10**6, 10**6)])
def test_how_much_goes_through_at_once(rows: int, clouds: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, points = small(13).prepare(), cloud(5)
    expected = [part.clone() for part in network(points, patches=True)]
    monkeypatch.setattr(pointbert, "ROWS", rows)
    monkeypatch.setattr(pointbert, "CLOUDS", clouds)
    monkeypatch.setattr(staged, "TOKENS", tokens)
    for found, whole in zip(network(points, patches=True), expected, strict=True):
        assert found.shape == whole.shape
        assert relative(found, whole) <= 1e-5


def test_the_stages_in_turn_are_the_whole() -> None:
    network, points = small(13).prepare(), cloud()
    picked = network.sample(points)
    centers, members = network.group(points, picked)
    features = network.abstract(points, centers, members)
    assert (picked.shape, picked.dtype) == ((3, 7), torch.int64)
    assert (members.shape, members.dtype) == ((3, 7, 9), torch.int64)
    assert features.shape == (3, 7, 11)
    assert torch.equal(network.transform(centers, features), network(points))
    stages = network.transform(centers, features, patches=True)
    for found, whole in zip(stages, network(points, patches=True)[:2], strict=True):
        assert torch.equal(found, whole)


@pytest.mark.parametrize("dtype, limit", [(torch.bfloat16, 0.03), (torch.float16, 0.004)])
def test_reduced_precision(dtype: torch.dtype, limit: float) -> None:
    """A product's error is half a unit in the last place, 2^-9 or 2^-12; a dozen of them add up."""
    exact, rough, points = small(13).prepare(), small(13).prepare(dtype), cloud()
    assert torch.equal(rough.sample(points), exact.sample(points))
    for found, full in zip(rough(points, patches=True), exact(points, patches=True), strict=True):
        assert found.dtype == torch.float32
        assert relative(found, full) <= limit
    assert relative(rough(points), exact(points)) > 1e-5
    assert rough.patches(points, "projected")[0].dtype == torch.float32


def test_preparing_changes_no_key() -> None:
    network = small(13)
    before = set(network.state_dict())
    assert set(network.prepare().state_dict()) == before
    assert not any(p.requires_grad for p in network.parameters())


def test_a_network_that_is_not_prepared_can_be_trained() -> None:
    network = small().train().requires_grad_(True)
    network(cloud()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert network.sa.mlp_convs[0].weight.grad.abs().max() > 0


def test_folding_a_convolution_and_its_batch_norm() -> None:
    conv, norm = torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4).eval()
    for name, tensor in {**conv.state_dict(), **norm.state_dict()}.items():
        tensor.copy_(made_up(name, tuple(tensor.shape)))
    conv, norm, x = conv.double(), norm.double(), torch.randn(2, 3, 5, 1, dtype=torch.float64)
    weight, bias = fold(conv, norm)
    found = x.squeeze(-1).transpose(1, 2) @ weight.T + bias
    assert torch.allclose(found, norm(conv(x)).squeeze(-1).transpose(1, 2), rtol=1e-12, atol=1e-12)


def test_fewer_points_than_patches_and_members() -> None:
    assert small().prepare()(cloud(2, 3)).isfinite().all()
    assert small().prepare()(torch.zeros(1, 1, 6)).isfinite().all()


def test_the_start_and_the_color_matter() -> None:
    network, points = small(), cloud(1)
    gray = points.clone()
    gray[..., 3:] = 0.4
    embedding = network(points)
    assert (network(points.flip(1)) - embedding).norm() > 1e-3 * embedding.norm()
    assert (network(gray) - embedding).norm() > 1e-3 * embedding.norm()


def test_another_sampler() -> None:
    pytest.importorskip("dgl")
    points = cloud()
    assert torch.equal(small(sampler="dgl")(points), small(sampler="torch")(points))


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_and_shapes_of_the_published_networks(name: str) -> None:
    with torch.device("meta"):
        network = PointBERT(find_checkpoint(name).sizes)
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == network_shapes(name)


@pytest.mark.parametrize(
    "name, tensors, parameters",
    [("vitb32", 158, 25_297_728), ("vitl14", 160, 25_691_712), ("vitg14", 160, 32_326_080)],
)
def test_parameter_counts_of_the_published_networks(name: str, tensors: int, parameters: int) -> None:
    with torch.device("meta"):
        network = PointBERT(find_checkpoint(name).sizes)
    assert len(network.state_dict()) == tensors
    assert sum(p.numel() for p in network.parameters()) == parameters

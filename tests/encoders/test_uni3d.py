"""Uni3D against a plain network in float64, its sampling against the operator's rule, its patches against a sort."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from published import made_up

from openshape_ood.encoders import staged
from openshape_ood.encoders.grouping import plain
from openshape_ood.encoders.grouping.plain import farthest_point_sampling, gather, nearest_points
from openshape_ood.encoders.grouping.pointnet2 import sample_outside_core, thread_order
from openshape_ood.encoders.uni3d import network as uni3d
from openshape_ood.encoders.uni3d.network import Uni3D
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.architectures import BLOCKS, Uni3DSizes

# head_width * heads differs from width, so that no size can stand in for another
SMALL: dict[str, Any] = {
    "width": 24,
    "depth": 3,
    "heads": 3,
    "head_width": 5,
    "mlp_width": 14,
    "patches": 11,
    "patch_points": 9,
    "patch_width": 20,
    "channels": 6,
    "projection": 13,
}

Weights = dict[str, np.ndarray]


def small(block: str = "gated-norm") -> Uni3D:
    """As published and as it is trained: with batch-norm, not prepared for inference."""
    network = Uni3D(Uni3DSizes(**SMALL, block=block))
    network.load_state_dict({k: made_up(k, tuple(v.shape)) for k, v in network.state_dict().items()})
    return network.eval().requires_grad_(False)


def cloud(b: int = 3, n: int = 60, seed: int = 0) -> torch.Tensor:
    rng = np.random.RandomState(seed)
    xyz = rng.standard_normal((b, n, 3))
    xyz /= np.linalg.norm(xyz, axis=-1).max(axis=1)[:, None, None]
    xyz[:, 1:6] *= 0.02  # near the origin
    return torch.from_numpy(np.concatenate([xyz, rng.uniform(size=(b, n, 3))], axis=-1).astype(np.float32))


# the plain network, written after the published description alone


def reference(w: Weights, points: np.ndarray, block: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One cloud (n, 6) -> embedding, patch tokens, features of patches."""
    xyz, picked = points[:, :3], reference_sample(points[:, :3])
    features = np.array([reference_patch(w, points, i) for i in picked])
    hidden = gelu(linear(xyz[picked], w, "pos_embed.0"))
    x = linear(features, w, "encoder2trans") + linear(hidden, w, "pos_embed.2")
    x = np.vstack([w["cls_token"][0] + w["cls_pos"][0], x])
    for i in range(SMALL["depth"]):
        own = f"visual.blocks.{i}"
        x = x + attention(layer_norm(x, w, f"{own}.norm1"), w, f"{own}.attn")
        x = x + feed_forward(layer_norm(x, w, f"{own}.norm2"), w, f"{own}.mlp", block)
    return linear(layer_norm(x[0], w, "visual.fc_norm"), w, "trans2embed"), x[1:], features


def reference_sample(xyz: np.ndarray) -> list[int]:
    picked, far = [0], (xyz**2).sum(axis=1) > 1e-3
    while len(picked) < SMALL["patches"]:
        nearest = np.min([((xyz - xyz[i]) ** 2).sum(axis=1) for i in picked], axis=0)
        picked.append(int(np.where(far, nearest, -1).argmax()))
    return picked


def reference_patch(w: Weights, points: np.ndarray, center: int) -> np.ndarray:
    offsets = points[:, :3] - points[center, :3]
    members = np.argsort((offsets**2).sum(axis=1))[: SMALL["patch_points"]]
    x = np.hstack([offsets[members], points[members, 3:]])
    x = conv(
        np.maximum(batch_norm(conv(x, w, "encoder.first_conv.0"), w, "encoder.first_conv.1"), 0), w, "first_conv.3"
    )
    x = np.hstack([np.broadcast_to(x.max(axis=0), x.shape), x])
    x = np.maximum(batch_norm(conv(x, w, "encoder.second_conv.0"), w, "encoder.second_conv.1"), 0)
    return conv(x, w, "second_conv.3").max(axis=0)


def conv(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    key = key if key.startswith("encoder.") else f"encoder.{key}"
    return x @ w[f"{key}.weight"][:, :, 0].T + w[f"{key}.bias"]


def batch_norm(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    x = (x - w[f"{key}.running_mean"]) / np.sqrt(w[f"{key}.running_var"] + 1e-5)
    return x * w[f"{key}.weight"] + w[f"{key}.bias"]


def linear(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    return x @ w[f"{key}.weight"].T + w[f"{key}.bias"]


def layer_norm(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-6) * w[f"{key}.weight"] + w[f"{key}.bias"]


def attention(x: np.ndarray, w: Weights, key: str) -> np.ndarray:
    q, k, v = np.split(x @ w[f"{key}.qkv.weight"].T, 3, axis=-1)
    q, v, width, mixed = q + w[f"{key}.q_bias"], v + w[f"{key}.v_bias"], SMALL["head_width"], []
    for h in range(SMALL["heads"]):
        own = slice(h * width, (h + 1) * width)
        affinity = np.exp(q[:, own] @ k[:, own].T / math.sqrt(width))
        mixed.append(affinity / affinity.sum(axis=-1, keepdims=True) @ v[:, own])
    return linear(np.hstack(mixed), w, f"{key}.proj")


def feed_forward(x: np.ndarray, w: Weights, key: str, block: str) -> np.ndarray:
    x = linear(x, w, f"{key}.fc1")
    if block == "plain":
        return linear(gelu(x), w, f"{key}.fc2")
    gate, value = np.split(x, 2, axis=-1)
    x = gate / (1 + np.exp(-gate)) * value
    return linear(layer_norm(x, w, f"{key}.norm") if block == "gated-norm" else x, w, f"{key}.fc2")


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def relative(found: Any, expected: Any) -> float:
    """The largest relative error of a row."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    return float((np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)).max())


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("block", BLOCKS)
def test_against_a_plain_network(block: str, prepared: bool) -> None:
    network, points = small(block), cloud()
    weights = {key: value.double().numpy() for key, value in network.state_dict().items()}
    if prepared:
        network.prepare()
    embedding, tokens, centers = network(points, patches=True)
    local, local_centers, radii = network.patches(points, "local")
    assert torch.equal(centers, local_centers)
    for i, one in enumerate(points.double().numpy()):
        expected = reference(weights, one, block)
        for ours, own in zip((embedding[i], tokens[i], local[i]), expected, strict=True):
            assert relative(ours, own) <= 1e-5
        offsets = np.linalg.norm(one[None, :, :3] - centers[i].double().numpy()[:, None], axis=-1)
        assert float(radii[i]) == pytest.approx(np.sort(offsets)[:, SMALL["patch_points"] - 1].mean(), rel=1e-5)


@pytest.mark.parametrize("block", BLOCKS)
def test_in_float64_it_is_the_plain_network(block: str) -> None:
    network, points = small(block).double(), cloud(1).double()
    weights = {key: value.double().numpy() for key, value in network.state_dict().items()}
    assert relative(network(points), reference(weights, points[0].numpy(), block)[0][None]) <= 1e-13


def test_a_cloud_is_the_same_alone_as_in_a_batch() -> None:
    network, points = small().prepare(), cloud(6)
    together = network(points)
    assert relative(torch.cat([network(one[None]) for one in points]), together) <= 1e-5
    assert torch.equal(together, network(points, patches=True)[0])


@pytest.mark.parametrize("rows, tokens", [(1, 1), (20, 17), (10**6, 10**6)])
def test_how_much_goes_through_at_once(rows: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, points = small().prepare(), cloud(5)
    expected = [part.clone() for part in network(points, patches=True)]
    monkeypatch.setattr(uni3d, "ROWS", rows)
    monkeypatch.setattr(staged, "TOKENS", tokens)
    for found, whole in zip(network(points, patches=True), expected, strict=True):
        assert relative(found, whole) <= 1e-5


@pytest.mark.parametrize("dtype, limit", [(torch.bfloat16, 0.06), (torch.float16, 0.008)])
@pytest.mark.parametrize("block", BLOCKS)
def test_reduced_precision(block: str, dtype: torch.dtype, limit: float) -> None:
    exact, rough, points = small(block).prepare(), small(block).prepare(dtype), cloud()
    for found, full in zip(rough(points, patches=True), exact(points, patches=True), strict=True):
        assert found.dtype == torch.float32
        assert relative(found, full) <= limit
    assert relative(rough(points), exact(points)) > 1e-5


def test_preparing_changes_no_key_and_training_needs_none() -> None:
    network = small()
    before = set(network.state_dict())
    assert set(network.prepare().state_dict()) == before
    network = small().train().requires_grad_(True)
    network(cloud()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_fewer_points_than_patches_and_members() -> None:
    network = small().prepare()
    assert network(cloud(2, 7)).isfinite().all()
    assert network(torch.zeros(1, 1, 6)).isfinite().all()


@pytest.mark.parametrize(
    "name, tensors, parameters",
    [
        ("uni3d-ti", 186, 6_221_824),
        ("uni3d-s", 186, 22_498_432),
        ("uni3d-b", 210, 86_951_296),
        ("uni3d-l", 390, 304_671_552),
        ("uni3d-g", 550, 1_012_864_128),
    ],
)
def test_parameter_counts_of_the_published_networks(name: str, tensors: int, parameters: int) -> None:
    with torch.device("meta"):
        network = Uni3D(find_checkpoint(name).sizes)
    assert len(network.state_dict()) == tensors
    assert sum(p.numel() for p in network.parameters()) == parameters == find_checkpoint(name).about.parameters


# sampling and patches


def operator(xyz: np.ndarray, count: int) -> list[int]:
    """The compiled sampler step by step: threads that each look at some points, then pairs of threads."""
    threads = min(512, 1 << (len(xyz).bit_length() - 1))
    picked, nearest = [0], np.full(len(xyz), np.float32(1e10))
    norms = (xyz[:, 0] ** 2 + xyz[:, 1] ** 2) + xyz[:, 2] ** 2
    while len(picked) < count:
        last = xyz[picked[-1]]
        best = [(np.float32(-1), 0)] * threads
        for i in np.flatnonzero(norms.astype(np.float64) > 1e-3):
            x, y, z = (xyz[i] - last) ** 2
            nearest[i] = min(nearest[i], (x + y) + z)
            if nearest[i] > best[i % threads][0]:
                best[i % threads] = (nearest[i], int(i))
        while len(best) > 1:
            half = len(best) // 2
            best = [low if low[0] >= high[0] else high for low, high in zip(best[:half], best[half:], strict=True)]
        picked.append(best[0][1])
    return picked


@pytest.mark.parametrize("n, count", [(700, 40), (300, 60), (33, 20)])
def test_sampling_is_that_of_the_operator_ties_and_all(n: int, count: int) -> None:
    rng = np.random.RandomState(n)
    lattice = (rng.randint(-3, 4, size=(n, 3)) / 4).astype(np.float32)
    ball = cloud(1, n)[0, :, :3].numpy()
    for xyz in (lattice, ball):
        found = sample_outside_core(torch.from_numpy(xyz)[None], count, farthest_point_sampling)
        assert found[0].tolist() == operator(xyz, count)
    assert farthest_point_sampling(torch.from_numpy(lattice)[None], count)[0].tolist() != operator(lattice, count)


def test_the_order_of_threads_is_one_of_all_points() -> None:
    for n in (1, 2, 511, 512, 513, 10_000):
        order = thread_order(n)
        assert order[0] == 0 and np.array_equal(np.sort(order), np.arange(n))


def test_the_core_ends_where_the_operator_has_it() -> None:
    """It compares with the double 1e-3, which is less than the float32 that is nearest to it."""
    edge = np.float32(1e-3)
    squares = np.array([np.nextafter(edge, np.float32(0)), edge, np.nextafter(edge, np.float32(1))])
    assert ((torch.from_numpy(squares) < 1e-3).numpy() == (squares.astype(np.float64) <= 1e-3)).all()


def test_nearest_points_are_the_nearest() -> None:
    xyz = cloud(2, 200)[..., :3]
    centers = gather(xyz, torch.arange(30).expand(2, -1))
    distances = (centers[:, :, None].double() - xyz[:, None].double()).square().sum(-1)
    expected = distances.argsort(dim=-1)[..., :16].sort(dim=-1).values
    assert torch.equal(nearest_points(xyz, centers, 16), expected)
    assert torch.equal(plain._nearest(xyz, centers, 16), expected)


def test_nearest_points_equally_far_are_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = torch.arange(-2.0, 3)
    xyz = torch.cartesian_prod(axis, axis, axis)[None].repeat(2, 1, 1)
    centers = xyz[:, [62, 0, 124]]
    found = nearest_points(xyz, centers, 5)
    distances = (xyz[0] - centers[0][:, None]).square().sum(-1).numpy()
    assert found[0].tolist() == [sorted(np.argsort(d, kind="stable")[:5].tolist()) for d in distances]
    monkeypatch.setattr(plain, "TABLE_ELEMENTS", 400)
    assert torch.equal(plain._nearest(xyz, centers, 5), found)
    few = nearest_points(xyz[:, :3], centers, 5)
    assert few.tolist() == [[[0, 1, 2, 0, 0]] * 3] * 2 == plain._nearest(xyz[:, :3], centers, 5).tolist()

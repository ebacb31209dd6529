from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from openshape_ood.comparison.losses import cross_entropy, pair_accuracy, plateaus, tanh_loss
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.errors import InputError

SIZES = RelationSizes(dim=12, width=16, depth=2, heads=4)
RANDOM = np.random.RandomState(0)
A, B = RANDOM.standard_normal((2, 5, 12))


def network(sizes: RelationSizes = SIZES, std: float = 0.3, seed: int = 1) -> Relation:
    return Relation(sizes).initialize(seed, std).double().requires_grad_(False)


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-6) * weight + bias


def written_out(state: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray, heads: int) -> tuple[float, np.ndarray]:
    """The logit of one pair, and who looks at whom in every block."""

    def linear(x: np.ndarray, key: str) -> np.ndarray:
        return x @ state[f"{key}.weight"].T + state[f"{key}.bias"]

    x = np.stack([state["cls_token"][0, 0], linear(a, "proj"), linear(b, "proj")])
    maps, i = [], 0
    while f"blocks.{i}.norm1.weight" in state:
        own = f"blocks.{i}"
        qkv = linear(norm(x, state[f"{own}.norm1.weight"], state[f"{own}.norm1.bias"]), f"{own}.attn.qkv")
        parts = []
        maps.append([])
        for q, k, v in zip(*(np.split(one, heads, axis=1) for one in np.split(qkv, 3, axis=1)), strict=True):
            maps[-1].append(softmax(q @ k.T / np.sqrt(q.shape[1]), axis=1))
            parts.append(maps[-1][-1] @ v)
        x = x + linear(np.hstack(parts), f"{own}.attn.proj")
        hidden = linear(norm(x, state[f"{own}.norm2.weight"], state[f"{own}.norm2.bias"]), f"{own}.mlp.fc1")
        x = x + linear(hidden * (1 + erf(hidden / np.sqrt(2))) / 2, f"{own}.mlp.fc2")
        i += 1
    return float(linear(norm(x[0], state["norm.weight"], state["norm.bias"]), "head")[0]), np.array(maps)


def test_it_is_what_is_written_out() -> None:
    made = network()
    state = {name: one.numpy() for name, one in made.state_dict().items()}
    logits, maps = made(torch.from_numpy(A), torch.from_numpy(B)), made.attention(*map(torch.from_numpy, (A, B)))
    for i in range(len(A)):
        expected, looks = written_out(state, A[i], B[i], heads=4)
        assert float(logits[i, 0]) == pytest.approx(expected, abs=1e-12)
        np.testing.assert_allclose(maps[:, i], looks, atol=1e-12)


@pytest.mark.parametrize("kind, most", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_order_of_a_pair_does_not_matter(kind: torch.dtype, most: float) -> None:
    """R1."""
    made = Relation(RelationSizes(64)).initialize(0).to(kind).requires_grad_(False)
    a, b = torch.randn(2, 64, 64, dtype=kind, generator=torch.Generator().manual_seed(0))
    assert float((made(a, b) - made(b, a)).abs().max()) < most and float(made(a, b).std()) > 1e-3


@pytest.mark.parametrize("dim, count", [(512, 28748545), (768, 28945153), (1280, 29338369), (2048, 29928193)])
def test_the_published_sizes_have_as_many_parameters(dim: int, count: int) -> None:
    """R2."""
    with torch.device("meta"):
        made = Relation(RelationSizes(dim, width=768, depth=4, heads=12))
    assert sum(one.numel() for one in made.parameters()) == count and len(made.state_dict()) == 55


def test_all_pairs_in_chunks_of_any_size() -> None:
    """R15."""
    made = network().float()
    whole = made.between(A, B)
    for size in (1, 7, 4096):
        torch.testing.assert_close(made.between(A, B, size), whole, atol=1e-5, rtol=0)
    one_by_one = torch.stack(
        [-made(*(torch.as_tensor(x[None], dtype=torch.float32) for x in (a, b))) for a in A for b in B]
    )
    torch.testing.assert_close(whole.flatten(), one_by_one.flatten(), atol=1e-5, rtol=0)


def test_two_logits_say_same_less_different() -> None:
    made = network(RelationSizes(12, 16, outputs=2))
    found, logits = made.between(A[:1], B[:1]), made(*(torch.from_numpy(x[:1]) for x in (A, B)))[0]
    assert float(found[0, 0]) == pytest.approx(float(logits[0] - logits[1]), abs=1e-12)


@pytest.mark.parametrize("sizes", [{"dim": 0}, {"width": 30}, {"depth": 10**6}, {"outputs": 3}, {"heads": True}])
def test_sizes_of_no_network(sizes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="Expected"):
        RelationSizes(**{"dim": 8, **sizes})


def test_the_loss_is_a_tanh_in_disguise() -> None:
    """R3."""
    z = torch.linspace(-1, 1, 101)
    for different in (0, 1):
        plain = ((2 * torch.sigmoid(10 * z) - 1 - (2 * different - 1)) ** 2).mean()
        assert float(tanh_loss(z, torch.full((101,), different))) == pytest.approx(float(plain), abs=1e-5)


@pytest.mark.parametrize("negatives, figures", [(1, (0, 1, 2)), (3, (0.5, 0.75, 1)), (20, (0.9048, 0.1814, 0.1905))])
def test_where_a_loss_stays_that_learns_nothing(negatives: int, figures: tuple[float, float, float]) -> None:
    """R5."""
    constant, unlearned, dead = plateaus(negatives)
    assert (round(constant, 4), round(unlearned, 4), round(dead, 4)) == figures
    different = torch.arange(1 + negatives) > 0
    stuck = torch.full((1 + negatives,), 9.0)
    best = torch.full((1 + negatives,), float(np.arctanh(constant)) / 5)
    assert float(tanh_loss(stuck, different)) == pytest.approx(dead)
    assert float(tanh_loss(best, different)) == pytest.approx(unlearned)
    assert pair_accuracy(stuck, different) == (0.5, 0, 1)


def test_cross_entropy_weighs_same_pairs() -> None:
    logits, different = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    own = np.log1p(np.exp(-2.0)), np.log1p(np.exp(-1.0))
    assert float(cross_entropy(logits, different, 3)) == pytest.approx((3 * own[0] + own[1]) / 4)
    assert pair_accuracy(logits, different) == (1, 1, 1)


@pytest.mark.slow
def test_pairs_in_a_second() -> None:
    """R21 and R22."""
    made = Relation(RelationSizes(512)).initialize(0, 0.06)
    a, b = RANDOM.standard_normal((50, 512)), RANDOM.standard_normal((200, 512))
    begun = time.process_time()
    made.between(a, b)
    speed = 10_000 / (time.process_time() - begun)
    print(f"{speed:,.0f} pairs a second")
    assert speed > 3000
    large = Relation(RelationSizes(1280, width=768, depth=4, heads=12)).initialize(0, zero_head=True)
    optimizer, generator = torch.optim.AdamW(large.parameters(), 1e-4), torch.Generator().manual_seed(0)
    for _ in range(5):
        loss = tanh_loss(large(*torch.randn(2, 32, 1280, generator=generator)), torch.arange(32) % 4 > 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)

"""Uni3D: patches of nearest points, a patch network, a plain vision transformer, a projection.

The network and nothing else: it takes sizes and tensors, knows no files and no numpy. Module names follow the published
checkpoints (after the registry's rules, which give the three sizes of blocks one layout), so that their keys load
strictly. Architecture: Zhou et al., "Uni3D", arXiv 2310.06773 (github.com/baaivision/Uni3D `models/point_encoder.py`);
its blocks are those of EVA-02, arXiv 2303.11331, as timm builds them, without rotary embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openshape_ood.encoders.grouping.plain import gather
from openshape_ood.encoders.grouping.pointnet2 import sample_outside_core
from openshape_ood.encoders.staged import PatchTransformer, constant, fold
from openshape_ood.registry.architectures import Uni3DSizes

# members (rows of 512 numbers) that go through the patch network at once: what is between layers stays in cache
ROWS, ROWS_ON_A_GPU = 2_048, 1 << 17
POSITION_WIDTH = 128  # of the hidden layer of positions
EPS = 1e-6  # of all layer norms


class PatchNetwork(nn.Module):
    """Groups of points -> one feature a patch, as published and as it is trained."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        whole = sizes.patch_width
        self.first_conv = _layers(sizes.channels, whole // 4, whole // 2)
        self.second_conv = _layers(whole, whole, whole)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Points (b, n, c), centers (b, p, 3), members (b, p, k) -> features (b, p, s)."""
        group = gather(points, members)
        group = torch.cat([group[..., :3] - centers[:, :, None], group[..., 3:]], dim=-1)
        x = self.first_conv(group.flatten(0, 1).transpose(1, 2))
        x = torch.cat([x.amax(dim=2, keepdim=True).expand_as(x), x], dim=1)  # of the whole patch first, then its own
        return self.second_conv(x).amax(dim=2).unflatten(0, members.shape[:2])


def _layers(first: int, hidden: int, last: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(first, hidden, 1), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Conv1d(hidden, last, 1))


class FoldedPatchNetwork(nn.Module):
    """The patch network for inference: batch-norm folded in, and no product made more often than it must be.

    - A member enters the first layer as [xyz - c, color], c the patch's center: its product is that of [xyz, color],
      which is the point's whatever patch it is in, minus that of c. Both are computed once.
    - Between the second layer f = W2 x + b2 and the third, W3 [max f, f] + b3, there is no other step: the own half is
      (W3 W2) x, half as wide inside as W3 f, and the maximum's half is computed once a patch.
    - The last bias follows the maximum over the members.
    """

    def __init__(self, trained: PatchNetwork, dtype: torch.dtype) -> None:
        # dtype is of all but the first layer, which takes differences of numbers larger than its results
        super().__init__()
        (conv1, norm1, _, conv2), (conv3, norm3, _, conv4) = trained.first_conv, trained.second_conv
        first, bias = fold(conv1, norm1)
        second, second_bias = _plain(conv2)
        third, third_bias = fold(conv3, norm3)
        fourth, fourth_bias = _plain(conv4)
        half = len(second)
        maximum, own = third[:, :half], third[:, half:]
        self.point, self.bias = constant(first, torch.float32), constant(bias, torch.float32)
        self.center = constant(first[:, :3], torch.float32)
        self.second, self.own = constant(second, dtype), constant(own @ second, dtype)
        self.maximum = constant(maximum, dtype)
        self.shared = constant(third_bias + (own + maximum) @ second_bias, dtype)
        self.fourth, self.fourth_bias = constant(fourth, dtype), constant(fourth_bias, torch.float32)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Points (b, n, c), centers (b, p, 3) and members (b, p, k) -> features (b, p, s) float32."""
        k = members.shape[2]
        most = max(1, (ROWS if points.device.type == "cpu" else ROWS_ON_A_GPU) // k)
        features = []
        for cloud, middles, groups in zip(points, centers, members, strict=True):
            each, offsets = F.linear(cloud, self.point, self.bias), F.linear(middles, self.center)
            for offset, group in zip(offsets.split(most), groups.split(most), strict=True):
                x = each.index_select(0, group.flatten()).view(len(group), k, -1)
                x = x.sub_(offset[:, None]).relu_().flatten(0, 1).to(self.second.dtype)
                largest = F.linear(x, self.second).view(len(group), k, -1).amax(dim=1)
                x = F.linear(x, self.own).view(len(group), k, -1)
                x = x.add_(F.linear(largest, self.maximum, self.shared)[:, None]).relu_().flatten(0, 1)
                x = F.linear(x, self.fourth).view(len(group), k, -1).amax(dim=1)
                features.append(x.float().add_(self.fourth_bias))
        return torch.cat(features).unflatten(0, members.shape[:2])


def _plain(conv: Any) -> tuple[Tensor, Tensor]:
    return conv.weight.detach().double().flatten(1), conv.bias.detach().double()


class Attention(nn.Module):
    """Keys have no bias: one would shift all logits of a query alike."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        inner, self.heads = sizes.heads * sizes.head_width, sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * inner, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(inner)), nn.Parameter(torch.zeros(inner))
        self.proj = nn.Linear(inner, sizes.width)

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """(b, t, w) -> (b, t, w): what every token, or only the `first` ones, take from all."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        if first is None:
            q, k, v = self._heads(x, self.qkv.weight, bias, 3)
        else:
            inner = len(self.q_bias)
            (q,) = self._heads(x[:, :first], self.qkv.weight[:inner], self.q_bias, 1)
            k, v = self._heads(x, self.qkv.weight[inner:], bias[inner:], 2)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor, weight: Tensor, bias: Tensor, parts: int) -> tuple[Tensor, ...]:
        """`parts` tensors (b, heads, t, head width)."""
        product = F.linear(x, weight, bias)
        return product.unflatten(2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class FeedForward(nn.Module):
    """Gated: the first half of the first layer is the gate, the second the value."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        self.gated = sizes.block != "plain"
        self.fc1 = nn.Linear(sizes.width, (2 if self.gated else 1) * sizes.mlp_width)
        self.norm = nn.LayerNorm(sizes.mlp_width, EPS) if sizes.block == "gated-norm" else nn.Identity()
        self.fc2 = nn.Linear(sizes.mlp_width, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        if self.gated:
            gate, value = x.chunk(2, dim=-1)
            x = F.silu(gate)
            # without gradients in place: new memory costs as much as the product
            x = x * value if torch.is_grad_enabled() else x.mul_(value)
        else:
            x = F.gelu(x)
        return self.fc2(self.norm(x))


class Block(nn.Module):
    """Attention and feed-forward; the sum that they add to stays in float32, whatever their precision."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(sizes.width, EPS), Attention(sizes)
        self.norm2, self.mlp = nn.LayerNorm(sizes.width, EPS), FeedForward(sizes)

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """(b, t, w) -> (b, t, w), or the `first` tokens of it."""
        dtype = self.mlp.fc1.weight.dtype
        x = self.attn(self.norm1(x).to(dtype), first).to(x.dtype).add_(x[:, :first])
        return self.mlp(self.norm2(x).to(dtype)).to(x.dtype).add_(x)


class Uni3D(PatchTransformer):
    """Clouds in the encoder's own frame -> embeddings, not normalized; see `PatchTransformer`."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__(sizes)
        width = sizes.width
        self.cls_token, self.cls_pos = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.encoder = PatchNetwork(sizes)
        self.encoder2trans = nn.Linear(sizes.patch_width, width)
        self.pos_embed = nn.Sequential(nn.Linear(3, POSITION_WIDTH), nn.GELU(), nn.Linear(POSITION_WIDTH, width))
        blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self.visual = nn.ModuleDict({"blocks": blocks, "fc_norm": nn.LayerNorm(width, EPS)})
        self.trans2embed = nn.Linear(width, sizes.projection)

    def prepare(self, dtype: torch.dtype = torch.float32) -> Uni3D:
        """Once the weights are in: fold them for inference, and round those of the products to `dtype`; itself.

        Sampling, grouping, positions, norms, sums and the final projection stay in float32. From then on the network is
        for inference only: later changes to the weights of `encoder` go unnoticed.
        """
        self.eval().requires_grad_(False)
        self.folded = FoldedPatchNetwork(self.encoder, dtype)
        for module in self.visual["blocks"].modules():
            if isinstance(module, Attention | FeedForward):
                module.to(dtype)
        return self

    def sample(self, points: Tensor) -> Tensor:
        return sample_outside_core(points[..., :3], self.sizes.patches, self.grouping.sample)

    def _members(self, xyz: Tensor, centers: Tensor) -> Tensor:
        return self.grouping.nearest(xyz, centers, self.sizes.patch_points)

    def _radii(self, points: Tensor, centers: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        """That of a patch is the distance of its farthest member."""
        distances = (gather(points[..., :3], members) - centers[:, :, None]).norm(dim=-1)
        return (distances.amax(dim=-1).mean(dim=-1),)

    def _patch_network(self) -> nn.Module:
        return self.encoder

    def _blocks(self) -> Sequence[nn.Module]:
        return list(self.visual["blocks"].children())

    def _tokens(self, centers: Tensor, features: Tensor) -> Tensor:
        x = self.encoder2trans(features) + self.pos_embed(centers)
        return torch.cat([(self.cls_token + self.cls_pos).expand(len(x), -1, -1), x], dim=1)

    def _project(self, tokens: Tensor) -> Tensor:
        return self.trans2embed(self.visual["fc_norm"](tokens))

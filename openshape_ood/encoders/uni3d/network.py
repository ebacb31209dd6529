"""Uni3D: patches of nearest points, a patch network, a plain vision transformer, a projection.

This module contains only the network. It needs sizes and tensors, but no files and no numpy. The modules have the names
of the published checkpoints, so that keys load strictly. The files of b and l split some tensors; rules in the registry
join them.

Architecture: Zhou et al., "Uni3D", arXiv 2310.06773 (github.com/baaivision/Uni3D `models/point_encoder.py`). The blocks
are EVA-02 blocks (arXiv 2303.11331) as in timm, without rotary embedding.
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

# points per block of the patch network, with up to 512 numbers each, so that intermediate values stay in the cache
ROWS, ROWS_ON_A_GPU = 2_048, 1 << 17
POSITION_WIDTH = 128  # hidden width of the network for positions
EPS = 1e-6  # epsilon of all layer norms


class PatchNetwork(nn.Module):
    """Features of patches. This is the published layer order, for training and for loading weights."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        whole = sizes.patch_width
        self.first_conv = _layers(sizes.channels, whole // 4, whole // 2)
        self.second_conv = _layers(whole, whole, whole)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s) from points (b, n, c), centers (b, p, 3) and members (b, p, k)."""
        group = gather(points, members)
        group = torch.cat([group[..., :3] - centers[:, :, None], group[..., 3:]], dim=-1)
        x = self.first_conv(group.flatten(0, 1).transpose(1, 2))
        # maximum over the patch, then the features of the point
        x = torch.cat([x.amax(dim=2, keepdim=True).expand_as(x), x], dim=1)
        return self.second_conv(x).amax(dim=2).unflatten(0, members.shape[:2])


def _layers(first: int, hidden: int, last: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(first, hidden, 1), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Conv1d(hidden, last, 1))


class FoldedPatchNetwork(nn.Module):
    """Patch network for inference. Batch-norm is folded into the matrices, and each product is computed once.

    - A point of a patch with center c enters the first layer W1 as [xyz - c, color]. The product is W1 [xyz, color]
      minus W1 [c, 0]. The first term is computed once per point of the cloud, the second once per patch.
    - The second layer, f = W2 x + b2, and the third, [A, B] [max f, f] + b3, have no nonlinearity in between. So B f is
      (B W2) x + B b2, with the product B W2 computed in advance. A max f is computed once per patch.
    - The last bias is added after the maximum over the points of the patch.
    """

    def __init__(self, trained: PatchNetwork, dtype: torch.dtype) -> None:
        # `dtype` is the type of all layers but the first. The first layer needs float32, because it subtracts large
        # numbers
        super().__init__()
        (conv1, norm1, _, conv2), (conv3, norm3, _, conv4) = trained.first_conv, trained.second_conv
        first, bias = fold(conv1, norm1)
        second, second_bias = _plain(conv2)
        third, third_bias = fold(conv3, norm3)
        fourth, fourth_bias = _plain(conv4)
        half = len(second)
        maximum, member = third[:, :half], third[:, half:]
        self.point, self.bias = constant(first, torch.float32), constant(bias, torch.float32)
        self.center = constant(first[:, :3], torch.float32)
        self.second, self.member = constant(second, dtype), constant(member @ second, dtype)
        self.maximum = constant(maximum, dtype)
        self.shared = constant(third_bias + (member + maximum) @ second_bias, dtype)
        self.fourth, self.fourth_bias = constant(fourth, dtype), constant(fourth_bias, torch.float32)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s) float32 from points (b, n, c), centers (b, p, 3) and members (b, p, k)."""
        k = members.shape[2]
        most = max(1, (ROWS if points.device.type == "cpu" else ROWS_ON_A_GPU) // k)
        features = []
        for cloud, middles, groups in zip(points, centers, members, strict=True):
            each, offsets = F.linear(cloud, self.point, self.bias), F.linear(middles, self.center)
            for offset, group in zip(offsets.split(most), groups.split(most), strict=True):
                x = each.index_select(0, group.flatten()).view(len(group), k, -1)
                x = x.sub_(offset[:, None]).relu_().flatten(0, 1).to(self.second.dtype)
                largest = F.linear(x, self.second).view(len(group), k, -1).amax(dim=1)
                x = F.linear(x, self.member).view(len(group), k, -1)
                x = x.add_(F.linear(largest, self.maximum, self.shared)[:, None]).relu_().flatten(0, 1)
                x = F.linear(x, self.fourth).view(len(group), k, -1).amax(dim=1)
                features.append(x.float().add_(self.fourth_bias))
        return torch.cat(features).unflatten(0, members.shape[:2])


def _plain(conv: Any) -> tuple[Tensor, Tensor]:
    return conv.weight.detach().double().flatten(1), conv.bias.detach().double()


class Attention(nn.Module):
    """Multi-head attention. Keys have no bias: it would not change the softmax over the keys."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        inner, self.heads = sizes.heads * sizes.head_width, sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * inner, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(inner)), nn.Parameter(torch.zeros(inner))
        self.proj = nn.Linear(inner, sizes.width)

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Attention over all tokens (b, t, w). Returns all tokens, or only the first `first` tokens."""
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
        """Linear layer on x (b, t, w), split into `parts` tensors (b, heads, t, head width)."""
        product = F.linear(x, weight, bias)
        return product.unflatten(2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class FeedForward(nn.Module):
    """Feed-forward. In a gated block, the output of `fc1` is a gate (first half) and a value (second half)."""

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
            # in place without gradients, because a new tensor would take as long as the product
            x = x * value if torch.is_grad_enabled() else x.mul_(value)
        else:
            x = F.gelu(x)
        return self.fc2(self.norm(x))


class Block(nn.Module):
    """Attention and feed-forward. The residual sum is float32 in every precision."""

    def __init__(self, sizes: Uni3DSizes) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(sizes.width, EPS), Attention(sizes)
        self.norm2, self.mlp = nn.LayerNorm(sizes.width, EPS), FeedForward(sizes)

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Map tokens (b, t, w) to tokens of the same shape, or only to the first `first` tokens."""
        dtype = self.mlp.fc1.weight.dtype
        x = self.attn(self.norm1(x).to(dtype), first).to(x.dtype).add_(x[:, :first])
        return self.mlp(self.norm2(x).to(dtype)).to(x.dtype).add_(x)


class Uni3D(PatchTransformer):
    """Map prepared clouds to unnormalized embeddings. See `PatchTransformer`."""

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
        """Prepare for inference: fold constants, and convert the weights of products to `dtype`. Returns the network.

        Call it after the weights are loaded. Sampling, grouping, positions, norms, sums and the final projection remain
        float32. Later changes to the weights of `encoder` have no effect.
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
        """Distance between the center of a patch and its farthest member, averaged over the patches (b,)."""
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

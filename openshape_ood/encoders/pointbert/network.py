"""PointBERT, the network of OpenShape: set abstraction, linear lift, transformer, optional projection.

This module contains only the network. It needs sizes and tensors, but no files and no numpy. The modules have the names
of the published checkpoints, so that keys load strictly. Architecture: Liu et al., "OpenShape", arXiv 2305.10764
(network `ppat`). It is based on Yu et al., "Point-BERT", arXiv 2111.14819, and on the set abstraction of PointNet++,
arXiv 1706.02413.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn
from torch_redstone import Lambda, supercat

from openshape_ood.encoders.grouping.plain import gather
from openshape_ood.encoders.staged import PatchTransformer, constant, fold
from openshape_ood.registry.architectures import PointBERTSizes

# rows of 64 numbers in a block of the set abstraction. On a CPU, 4,096 rows are a megabyte, so that intermediate values
# stay in the cache
ROWS, ROWS_ON_A_GPU = 4_096, 1 << 18
# clouds per block of the first layer; with one, the features of a cloud do not depend on the batch
CLOUDS, CLOUDS_ON_A_GPU = 1, 64
IMAGE_SHARE = 0.5  # weight of the image branch of TAMM, as published for all data sets


class SetAbstraction(nn.Module):
    """Features of patches: a small MLP, then the maximum over the points. The layers are the published ones."""

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        pairs = list(pairwise([sizes.channels + 3, 64, 64, sizes.patch_width]))
        self.mlp_convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs)
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s) from points (b, n, c), centers (b, p, 3) and members (b, p, k)."""
        group = gather(points, members)
        offsets = group[..., :3] - centers[:, :, None]
        # a matrix product over rows of channels is faster than a 1x1 convolution
        x = rearrange(torch.cat([offsets, group], dim=-1), "b p k c -> (b p k) c")
        for conv, norm in zip(self.mlp_convs, self.mlp_bns, strict=True):
            x = _layer(x, conv, norm)
        return x.view(*members.shape, -1).amax(dim=2)


def _layer(x: Tensor, conv: Any, norm: Any) -> Tensor:
    """Apply a 1x1 convolution, its batch-norm and ReLU to rows (m, c)."""
    statistics = norm.running_mean, norm.running_var, norm.weight, norm.bias
    rows = F.linear(x, conv.weight.flatten(1), conv.bias)
    return F.relu(F.batch_norm(rows, *statistics, norm.training, norm.momentum, norm.eps))


class FoldedAbstraction(nn.Module):
    """Set abstraction for inference. Batch-norm is folded into the matrices, and the first layer is split.

    A point of a patch with center c enters the first layer as [xyz - c, xyz, color]. If the matrix of the layer is
    [A, B, C], the product is ((A + B) xyz + C color) - A c. The first term is computed once per point of the cloud, the
    second once per patch. Without the split, both would be computed for each point of each patch.

    The constants move with the network to another device. They are not in the state_dict.
    """

    def __init__(self, trained: SetAbstraction, dtype: torch.dtype) -> None:
        # `dtype` is the type of the second and third layer. The first layer needs float32, because it subtracts large
        # numbers
        super().__init__()
        layers = [fold(conv, norm) for conv, norm in zip(trained.mlp_convs, trained.mlp_bns, strict=True)]
        (first, bias), (second, second_bias), (third, third_bias) = layers
        offset, xyz, color = first[:, :3], first[:, 3:6], first[:, 6:]
        self.point = constant(torch.cat([offset + xyz, color], dim=1), torch.float32)
        self.bias, self.center = constant(bias, torch.float32), constant(offset, torch.float32)
        self.second, self.second_bias = constant(second, dtype), constant(second_bias, dtype)
        self.third, self.third_bias = constant(third, dtype), constant(third_bias, dtype)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s) float32 from points (b, n, c), centers (b, p, 3) and members (b, p, k)."""
        on_cpu, k = points.device.type == "cpu", members.shape[2]
        clouds, rows = (CLOUDS, ROWS) if on_cpu else (CLOUDS_ON_A_GPU, ROWS_ON_A_GPU)
        features = []
        for part, middles, groups in zip(
            points.split(clouds), centers.split(clouds), members.split(clouds), strict=True
        ):
            b, n, _ = part.shape
            lifted = F.linear(part, self.point, self.bias).flatten(0, 1)
            offsets = F.linear(middles, self.center).flatten(0, 1)
            # indices into the rows of all clouds
            groups = (groups + n * torch.arange(b, device=points.device)[:, None, None]).flatten(0, 1)
            for offset, group in zip(offsets.split(max(1, rows // k)), groups.split(max(1, rows // k)), strict=True):
                x = lifted.index_select(0, group.flatten()).view(len(group), k, -1)
                x = x.sub_(offset[:, None]).relu_().flatten(0, 1).to(self.second.dtype)
                x = F.linear(x, self.second, self.second_bias).relu_()
                # bias and ReLU are monotonic, so they can be applied after the maximum, to fewer numbers
                x = F.linear(x, self.third).view(len(group), k, -1).amax(dim=1)
                features.append(x.add_(self.third_bias).relu_().float())
        return torch.cat(features).unflatten(0, (len(points), -1))


class Attention(nn.Module):
    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        inner, self.heads, self.norm = sizes.heads * sizes.head_width, sizes.heads, nn.LayerNorm(sizes.width)
        to_qkv, to_out = nn.Linear(sizes.width, 3 * inner, bias=False), nn.Sequential(nn.Linear(inner, sizes.width))
        self.fn = nn.ModuleDict({"to_qkv": to_qkv, "to_out": to_out})

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Attention over all tokens (b, t, w). Returns all tokens, or only the first `first` tokens."""
        weight: Any = self.fn["to_qkv"].weight
        x = self.norm(x).to(weight.dtype)
        if first is None:
            q, k, v = rearrange(F.linear(x, weight), "b t (three h w) -> three b h t w", three=3, h=self.heads)
        else:
            queries, others = weight.tensor_split([len(weight) // 3])
            q = rearrange(F.linear(x[:, :first], queries), "b t (h w) -> b h t w", h=self.heads)
            k, v = rearrange(F.linear(x, others), "b t (two h w) -> two b h t w", two=2, h=self.heads)
        if q.requires_grad and q.device.type == "cpu":  # the backward pass of torch's fused kernel is slower
            mixed = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        return self.fn["to_out"](rearrange(mixed, "b h t w -> b t (h w)"))


class FeedForward(nn.Module):
    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        first, last = nn.Linear(sizes.width, sizes.mlp_width), nn.Linear(sizes.mlp_width, sizes.width)
        # `nn.Identity` replaces a dropout of the training, so that layer numbers are as in the checkpoint's keys
        self.norm, net = nn.LayerNorm(sizes.width), nn.Sequential(first, nn.GELU(), nn.Identity(), last)
        self.fn = nn.ModuleDict({"net": net})

    def forward(self, x: Tensor) -> Tensor:
        return self.fn["net"](self.norm(x).to(next(self.fn.parameters()).dtype))


class Block(nn.Sequential):
    """Attention and feed-forward. The residual sum is float32 in every precision."""

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__(Attention(sizes), FeedForward(sizes))

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """Map tokens (b, t, w) to tokens of the same shape, or only to the first `first` tokens."""
        attention, feed_forward = self
        x = x[:, :first] + attention(x, first)
        return x + feed_forward(x)


class Adapters(nn.Module):
    """Adapters of TAMM (Zhang et al., arXiv 2402.18490), one for text and one for images.

    They replace the final projection. For zero-shot classification, TAMM adds the cosine of the text branch and half
    the cosine of the image branch. The output is the text unit vector plus half the image unit vector. So its dot
    product with the unit vector of a name is TAMM's sum. The norm of the output is between 0.5 and 1.5.
    """

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        widths = sizes.width, sizes.adapter_width, sizes.projection
        self.text, self.image = _adapter(*widths), _adapter(*widths)

    def forward(self, x: Tensor) -> Tensor:
        """(..., w) -> (..., d)."""
        rows = x.flatten(0, -2)
        text, image = F.normalize(self.text(rows), dim=-1), F.normalize(self.image(rows), dim=-1)
        return (text + IMAGE_SHARE * image).unflatten(0, x.shape[:-1])


def _adapter(width: int, hidden: int, out: int) -> nn.Sequential:
    # `nn.Identity` replaces a dropout of the training, so that layer numbers are as in the checkpoint's keys
    first = [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Identity()]
    return nn.Sequential(*first, nn.Linear(hidden, out), nn.BatchNorm1d(out), nn.GELU())


def _patches_first(x: Tensor) -> Tensor:
    # a function, because a lambda cannot be pickled
    return rearrange(x, "b w p -> b p w")


class PointBERT(PatchTransformer):
    """Map prepared clouds to unnormalized embeddings. See `PatchTransformer`."""

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__(sizes)
        self.radius = sizes.radius
        self.cls_token = nn.Parameter(torch.zeros(sizes.width))
        self.sa = SetAbstraction(sizes)
        pointwise = nn.Conv1d(sizes.patch_width + 3, sizes.width, 1)
        self.lift = nn.Sequential(pointwise, Lambda(_patches_first), nn.LayerNorm(sizes.width))
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(Block(sizes) for _ in range(sizes.depth))})
        plain = nn.Linear(sizes.width, sizes.projection) if sizes.projection else nn.Identity()
        self.proj = Adapters(sizes) if sizes.adapter_width else plain

    def prepare(self, dtype: torch.dtype = torch.float32) -> PointBERT:
        """Prepare for inference: fold constants, and convert the weights of products to `dtype`. Returns the network.

        Call it after the weights are loaded. Sampling, grouping, norms, sums and the final projection remain float32.
        Later changes to the weights of `sa` have no effect.
        """
        self.eval().requires_grad_(False)
        self.folded = FoldedAbstraction(self.sa, dtype)
        for module in (*self.transformer.modules(), *self.lift):
            if isinstance(module, nn.Linear | nn.Conv1d):
                module.to(dtype)
        return self

    def sample(self, points: Tensor) -> Tensor:
        return self.grouping.sample(points[..., :3], self.sizes.patches)

    def _members(self, xyz: Tensor, centers: Tensor) -> Tensor:
        return self.grouping.query(xyz, centers, self.sizes.radius, self.sizes.patch_points)

    def _patch_network(self) -> nn.Module:
        return self.sa

    def _blocks(self) -> Sequence[nn.Module]:
        return list(self.transformer["layers"].children())

    def _tokens(self, centers: Tensor, features: Tensor) -> Tensor:
        pointwise, _, norm = self.lift
        weight, bias = pointwise.parameters()
        x = torch.cat([centers, features], dim=-1).to(weight.dtype)
        x = norm(F.linear(x, weight[..., 0], bias).float())
        return supercat([repeat(self.cls_token, "w -> b 1 w", b=len(x)), x], dim=1)

    def _project(self, tokens: Tensor) -> Tensor:
        return self.proj(tokens)

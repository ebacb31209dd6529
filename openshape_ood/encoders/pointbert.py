"""PointBERT as OpenShape uses it: set abstraction, lift, transformer, optional projection.

The network and nothing else: it takes sizes and tensors, knows no files and no numpy. Module names
follow the published checkpoints, so that their keys load strictly. Architecture: Liu et al., "OpenShape",
arXiv 2305.10764 (network `ppat`), after Yu et al., "Point-BERT", arXiv 2111.14819, and the set abstraction
of PointNet++, arXiv 1706.02413.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, get_args, overload

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn
from torch_redstone import Lambda, supercat

from openshape_ood.architectures import PointBERTSizes
from openshape_ood.encoders.grouping import ball_query, farthest_point_sampling, gather

Sampler = Callable[[Tensor, int], Tensor]
Stage = Literal["tokens", "projected", "local"]
STAGES = get_args(Stage)


class SetAbstraction(nn.Module):
    """Points -> patch centres and one feature a patch: sample, group, a small MLP, maximum."""

    def __init__(self, sizes: PointBERTSizes, sampler: Sampler) -> None:
        super().__init__()
        self.sizes, self.sampler = sizes, sampler
        widths = [sizes.channels + 3, 64, 64, sizes.patch_width]
        pairs = list(pairwise(widths))
        self.mlp_convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs)
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(b, n, c) -> centres (b, p, 3), features (b, p, s)."""
        xyz = points[..., :3]
        centres = gather(xyz, self.sampler(xyz, self.sizes.patches))
        members = ball_query(xyz, centres, self.sizes.radius, self.sizes.patch_points)
        group = gather(points, members)
        offsets = group[..., :3] - centres[:, :, None]
        x = rearrange(torch.cat([offsets, group], dim=-1), "b p k c -> b c k p")
        for conv, norm in zip(self.mlp_convs, self.mlp_bns, strict=True):
            x = F.relu(norm(conv(x)))
        return centres, rearrange(x.amax(dim=2), "b s p -> b p s")


class PreNorm(nn.Module):
    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(width), fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(self.norm(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * head_width, width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = rearrange(self.to_qkv(x), "b t (three h w) -> three b h t w", three=3, h=self.heads)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(rearrange(mixed, "b h t w -> b t (h w)"))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        # the empty places are the training-time dropouts, which number the keys
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Transformer(nn.Module):
    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        # an Attention and a FeedForward in turn
        self.layers = nn.ModuleList(
            nn.Sequential(
                PreNorm(sizes.width, Attention(sizes.width, sizes.heads, sizes.head_width)),
                PreNorm(sizes.width, FeedForward(sizes.width, sizes.mlp_width)),
            )
            for _ in range(sizes.depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            attention, feed_forward = layer.children()
            x = x + attention(x)
            x = x + feed_forward(x)
        return x


class PointBERT(nn.Module):
    """Clouds in the encoder's own frame -> embeddings, not normalised.

    Sampling starts at point 0, so the order of the points matters: shuffle them once, with a seed.
    """

    def __init__(self, sizes: PointBERTSizes, sampler: Sampler = farthest_point_sampling) -> None:
        super().__init__()
        self.sizes = sizes
        self.cls_token = nn.Parameter(torch.zeros(sizes.width))
        self.sa = SetAbstraction(sizes, sampler)
        self.lift = nn.Sequential(
            nn.Conv1d(sizes.patch_width + 3, sizes.width, 1),
            Lambda(lambda x: rearrange(x, "b w p -> b p w")),
            nn.LayerNorm(sizes.width),
        )
        self.transformer = Transformer(sizes)
        self.proj = nn.Linear(sizes.width, sizes.projection) if sizes.projection else nn.Identity()

    @overload
    def forward(self, points: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, points: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor, Tensor]: ...
    def forward(self, points: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """(b, n, 6) -> embedding (b, d); with `patches` also patch tokens (b, p, w) and centres (b, p, 3).

        xyz in the unit ball, rgb in [0, 1]. Patch tokens are the last block's output, before the projection.
        """
        centres, features = self.sa(points)
        tokens = self.lift(rearrange(torch.cat([centres, features], dim=-1), "b p c -> b c p"))
        start = repeat(self.cls_token, "w -> b 1 w", b=len(points))
        tokens = self.transformer(supercat([start, tokens], dim=1))
        embedding = self.proj(tokens[:, 0])
        return (embedding, tokens[:, 1:], centres) if patches else embedding

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
        """(b, n, 6) -> features (b, p, w) of the patches at a stage, and their centres (b, p, 3).

        "local" is the set abstraction's output, for which the transformer does not run.
        """
        if stage == "local":
            centres, features = self.sa(points)
            return features, centres
        _, tokens, centres = self(points, patches=True)
        return (self.proj(tokens) if stage == "projected" else tokens), centres

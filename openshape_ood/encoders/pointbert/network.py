"""PointBERT as OpenShape uses it: set abstraction, lift, transformer, optional projection.

The network and nothing else: it takes sizes and tensors, knows no files and no numpy. Module names
follow the published checkpoints, so that their keys load strictly. Architecture: Liu et al., "OpenShape",
arXiv 2305.10764 (network `ppat`), after Yu et al., "Point-BERT", arXiv 2111.14819, and the set abstraction
of PointNet++, arXiv 1706.02413.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, overload

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn
from torch_redstone import Lambda, supercat

from openshape_ood.encoders.grouping.plain import gather
from openshape_ood.encoders.grouping.samplers import PLAIN, Grouping
from openshape_ood.encoders.pointbert.abstraction import abstract
from openshape_ood.encoders.pointbert.folding import FoldedAbstraction
from openshape_ood.encoders.protocols import Stage
from openshape_ood.registry.architectures import PointBERTSizes

# tokens that go through the transformer at once: few enough to bound memory, on a CPU also to stay in cache; with fewer
# still the products would spend their time on arranging the weights
TOKENS, TOKENS_ON_A_GPU = 4_096, 1 << 17


class SetAbstraction(nn.Module):
    """Groups of points -> one feature a patch: a small MLP and its maximum, as published and as it is trained.

    For inference the same is done by `abstraction.abstract`.
    """

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        widths = [sizes.channels + 3, 64, 64, sizes.patch_width]
        pairs = list(pairwise(widths))
        self.mlp_convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs)
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)

    def forward(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Points (b, n, c), centers (b, p, 3), members (b, p, k) -> features (b, p, s)."""
        group = gather(points, members)
        offsets = group[..., :3] - centers[:, :, None]
        x = rearrange(torch.cat([offsets, group], dim=-1), "b p k c -> b c k p")
        for conv, norm in zip(self.mlp_convs, self.mlp_bns, strict=True):
            x = F.relu(norm(conv(x)))
        return rearrange(x.amax(dim=2), "b s p -> b p s")

    def folded(self, dtype: torch.dtype = torch.float32) -> FoldedAbstraction:
        """The same weights for inference."""
        return FoldedAbstraction(self.mlp_convs, self.mlp_bns, dtype)


class PreNorm(nn.Module):
    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(width), fn

    def forward(self, x: Tensor, *args: int | None) -> Tensor:
        return self.fn(self.norm(x), *args)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * head_width, width))

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """(b, t, w) -> (b, t, w): what every token, or only the `first` ones, take from all."""
        weight = self.to_qkv.weight
        x = x.to(weight.dtype)
        if first is None:
            q, k, v = rearrange(self.to_qkv(x), "b t (three h w) -> three b h t w", three=3, h=self.heads)
        else:
            queries, others = weight.tensor_split([len(weight) // 3])
            q = rearrange(F.linear(x[:, :first], queries), "b t (h w) -> b h t w", h=self.heads)
            k, v = rearrange(F.linear(x, others), "b t (two h w) -> two b h t w", two=2, h=self.heads)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(rearrange(mixed, "b h t w -> b t (h w)"))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        # the empty places are the training-time dropouts, which number the keys
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.to(next(self.net.parameters()).dtype))


class Block(nn.Sequential):
    """An Attention and a FeedForward; the sum that they add to stays in float32, whatever their precision."""

    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__(
            PreNorm(sizes.width, Attention(sizes.width, sizes.heads, sizes.head_width)),
            PreNorm(sizes.width, FeedForward(sizes.width, sizes.mlp_width)),
        )

    def forward(self, x: Tensor, first: int | None = None) -> Tensor:
        """(b, t, w) -> (b, t, w), or the `first` tokens of it."""
        attention, feed_forward = self
        x = x[:, :first] + attention(x, first)
        return x + feed_forward(x)


class Transformer(nn.Module):
    def __init__(self, sizes: PointBERTSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))

    def forward(self, x: Tensor, patches: bool = False) -> tuple[Tensor, Tensor | None]:
        """(b, 1 + p, w), the class token first -> it (b, w), and with `patches` the others (b, p, w)."""
        *layers, last = self.layers
        for layer in layers:
            x = layer(x)
        # by itself even where the others are wanted too, so that it is the same number for number
        return last(x, 1)[:, 0], last(x)[:, 1:] if patches else None


def _patches_first(x: Tensor) -> Tensor:
    # a function of the module, as a lambda cannot be pickled
    return rearrange(x, "b w p -> b p w")


class PointBERT(nn.Module):
    """Clouds in the encoder's own frame -> embeddings, not normalized.

    Sampling starts at point 0, so the order of the points matters: shuffle them once, with a seed.
    """

    def __init__(self, sizes: PointBERTSizes, grouping: Grouping = PLAIN) -> None:
        super().__init__()
        self.sizes, self.grouping = sizes, grouping
        self.cls_token = nn.Parameter(torch.zeros(sizes.width))
        self.sa = SetAbstraction(sizes)
        self.lift = nn.Sequential(
            nn.Conv1d(sizes.patch_width + 3, sizes.width, 1),
            Lambda(_patches_first),
            nn.LayerNorm(sizes.width),
        )
        self.transformer = Transformer(sizes)
        self.proj = nn.Linear(sizes.width, sizes.projection) if sizes.projection else nn.Identity()
        self.folded: FoldedAbstraction | None = None

    @property
    def radius(self) -> float:
        return self.sizes.radius

    def prepare(self, dtype: torch.dtype = torch.float32) -> PointBERT:
        """Once the weights are in: fold them for inference, and round those of the products to `dtype`; itself.

        Sampling, grouping, norms, sums and the final projection stay in float32. From then on the network is for
        inference only: later changes to the weights of `sa` go unnoticed.
        """
        self.eval().requires_grad_(False)
        self.folded = self.sa.folded(dtype)
        for module in (*self.transformer.modules(), *self.lift):
            if isinstance(module, nn.Linear | nn.Conv1d):
                module.to(dtype)
        return self

    @overload
    def forward(self, points: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, points: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor, Tensor]: ...
    def forward(self, points: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """(b, n, 6) -> embedding (b, d); with `patches` also patch tokens (b, p, w) and centers (b, p, 3).

        xyz in the unit ball, rgb in [0, 1]. Patch tokens are the last block's output, before the projection.
        """
        centers, features = self._local(points)
        if not patches:
            return self.transform(centers, features)
        return *self.transform(centers, features, patches=True), centers

    def sample(self, points: Tensor) -> Tensor:
        """(b, n, 6) -> which points are patch centers (b, p) int64."""
        return self.grouping.sample(points[..., :3], self.sizes.patches)

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """(b, n, 6), (b, p) -> patch centers (b, p, 3) and which points belong to each, members (b, p, k) int64."""
        xyz = points[..., :3]
        centers = gather(xyz, picked)
        return centers, self.grouping.query(xyz, centers, self.sizes.radius, self.sizes.patch_points)

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """(b, n, 6), (b, p, 3), (b, p, k) -> one feature a patch (b, p, s), of its own points alone."""
        if self.folded is None:
            return self.sa(points, centers, members)
        return abstract(self.folded, points, centers, members)

    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def transform(self, centers: Tensor, features: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """(b, p, 3), (b, p, s) -> embedding (b, d); with `patches` also patch tokens (b, p, w)."""
        most = TOKENS if centers.device.type == "cpu" else TOKENS_ON_A_GPU
        clouds = max(1, most // (self.sizes.patches + 1))
        parts = 1 if self.folded is None else max(1, -(-len(centers) // clouds))
        pairs = zip(centers.chunk(parts), features.chunk(parts), strict=True)
        done = [self.transformer(self._tokens(*pair), patches) for pair in pairs]
        embedding = self.proj(torch.cat([own for own, _ in done]))
        return (embedding, torch.cat([others for _, others in done])) if patches else embedding

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
        """(b, n, 6) -> features (b, p, w) of the patches at a stage, and their centers (b, p, 3).

        "local" is the set abstraction's output, for which the transformer does not run.
        """
        if stage == "local":
            centers, features = self._local(points)
            return features, centers
        _, tokens, centers = self(points, patches=True)
        return (self.proj(tokens) if stage == "projected" else tokens), centers

    def _local(self, points: Tensor) -> tuple[Tensor, Tensor]:
        centers, members = self.group(points, self.sample(points))
        return centers, self.abstract(points, centers, members)

    def _tokens(self, centers: Tensor, features: Tensor) -> Tensor:
        """The transformer's input (b, 1 + p, w), the class token first."""
        pointwise, _, norm = self.lift
        weight, bias = pointwise.parameters()
        x = torch.cat([centers, features], dim=-1).to(weight.dtype)
        tokens = norm(F.linear(x, weight[..., 0], bias).float())
        return supercat([repeat(self.cls_token, "w -> b 1 w", b=len(tokens)), tokens], dim=1)

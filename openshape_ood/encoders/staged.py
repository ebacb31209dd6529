"""What the networks of patches share: sampling, grouping, a patch network, a transformer, in four stages.

`PointBERT` and `Uni3D` say what is their own: which points are centers, which belong to a patch, how features become
tokens, and how tokens become embeddings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from openshape_ood.encoders.grouping.plain import PLAIN, gather
from openshape_ood.encoders.protocols import Stage

# tokens that go through the transformer at once: few enough to bound memory, on a CPU also to stay in cache; with fewer
# still the products would spend their time on arranging the weights
TOKENS, TOKENS_ON_A_GPU = 4_096, 1 << 17


def constant(tensor: Tensor, dtype: torch.dtype) -> nn.Buffer:
    return nn.Buffer(tensor.to(dtype).contiguous(), persistent=False)


def fold(conv: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """One matrix (out, in) and bias (out,), float64, for a 1x1 convolution followed by batch-norm in evaluation."""
    weight, bias, mean, variance, scale, shift = (
        tensor.detach().double()
        for tensor in (conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    factor = scale / (variance + norm.eps).sqrt()
    return weight.flatten(1) * factor[:, None], (bias - mean) * factor + shift


class PatchTransformer(nn.Module, ABC):
    """Clouds in the encoder's own frame -> embeddings, not normalized.

    Sampling starts at point 0, so the order of the points matters: shuffle them once, with a seed.
    """

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        self.sizes, self.grouping = sizes, PLAIN
        self.folded: nn.Module | None = None  # the patch network for inference, once `prepare` has made it

    @overload
    def forward(self, points: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, points: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor, Tensor]: ...
    def forward(self, points: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """(b, n, 6) -> embedding (b, d); with `patches` also patch tokens (b, p, w) and centers (b, p, 3).

        xyz in the unit ball, rgb in [0, 1]. Patch tokens are the last block's output, before the projection.
        """
        centers, members = self.group(points, self.sample(points))
        features = self.abstract(points, centers, members)
        return (*self.transform(centers, features, True), centers) if patches else self.transform(centers, features)

    @abstractmethod
    def sample(self, points: Tensor) -> Tensor:
        """(b, n, 6) -> which points are patch centers (b, p) int64."""

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """(b, n, 6), (b, p) -> patch centers (b, p, 3) and which points belong to each, members (b, p, k) int64."""
        xyz = points[..., :3]
        centers = gather(xyz, picked)
        return centers, self._members(xyz, centers)

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """(b, n, 6), (b, p, 3), (b, p, k) -> one feature a patch (b, p, s), of its own points alone."""
        return (self._patch_network() if self.folded is None else self.folded)(points, centers, members)

    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def transform(self, centers: Tensor, features: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """(b, p, 3), (b, p, s) -> embedding (b, d); with `patches` also patch tokens (b, p, w)."""
        most = TOKENS if centers.device.type == "cpu" else TOKENS_ON_A_GPU
        clouds = max(1, most // (self.sizes.patches + 1))
        parts = 1 if self.folded is None else max(1, -(-len(centers) // clouds))
        *blocks, last = self._blocks()
        first, others = [], []
        for middles, own in zip(centers.chunk(parts), features.chunk(parts), strict=True):
            x = self._tokens(middles, own)
            for block in blocks:
                x = block(x)
            # by itself even where the others are wanted too, so that it is the same number for number
            first.append(last(x, 1)[:, 0])
            if patches:
                others.append(last(x)[:, 1:])
        embedding = self._project(torch.cat(first))
        return (embedding, torch.cat(others)) if patches else embedding

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, ...]:
        """(b, n, 6) -> features (b, p, w) of the patches at a stage, their centers (b, p, 3), and `_radii`.

        "local" is the patch network's output, for which the transformer does not run.
        """
        centers, members = self.group(points, self.sample(points))
        features = self.abstract(points, centers, members)
        if stage != "local":
            _, features = self.transform(centers, features, True)
        if stage == "projected":
            features = self._project(features)
        return features, centers, *self._radii(points, centers, members)

    def _radii(self, points: Tensor, centers: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        """The mean radius (b,) of the patches of each cloud, where they have no fixed one."""
        return ()

    @abstractmethod
    def _members(self, xyz: Tensor, centers: Tensor) -> Tensor:
        """(b, n, 3), (b, p, 3) -> (b, p, k)."""

    @abstractmethod
    def _patch_network(self) -> nn.Module:
        """As published and as it is trained."""

    @abstractmethod
    def _blocks(self) -> Sequence[nn.Module]: ...

    @abstractmethod
    def _tokens(self, centers: Tensor, features: Tensor) -> Tensor:
        """(b, p, 3), (b, p, s) -> (b, 1 + p, w), the class token first."""

    @abstractmethod
    def _project(self, tokens: Tensor) -> Tensor:
        """(..., w) -> (..., d)."""

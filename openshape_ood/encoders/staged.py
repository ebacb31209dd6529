"""Base class of patch networks, with four stages: sampling, grouping, patch network and transformer.

`PointBERT` and `Uni3D` define how centers and members are chosen, how features become tokens, and how tokens become
embeddings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from openshape_ood.encoders.grouping.plain import PLAIN, gather
from openshape_ood.encoders.protocols import Stage

# tokens per block of the transformer. Larger blocks need more memory, and do not fit into the cache of a CPU. In
# smaller blocks, preparing the weights for a product would take longer than the product
TOKENS, TOKENS_ON_A_GPU = 4_096, 1 << 17


def constant(tensor: Tensor, dtype: torch.dtype) -> nn.Buffer:
    return nn.Buffer(tensor.to(dtype).contiguous(), persistent=False)


def fold(conv: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Matrix (out, in) and bias (out,), float64, of a 1x1 convolution followed by batch-norm in evaluation mode."""
    weight, bias, mean, variance, scale, shift = (
        tensor.detach().double()
        for tensor in (conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    factor = scale / (variance + norm.eps).sqrt()
    return weight.flatten(1) * factor[:, None], (bias - mean) * factor + shift


class PatchTransformer(nn.Module, ABC):
    """Map prepared clouds to unnormalized embeddings.

    Sampling starts at point 0, so the result depends on the order of the points. Shuffle them once, with a seed.
    """

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        self.sizes, self.grouping = sizes, PLAIN
        self.folded: nn.Module | None = None  # patch network for inference, set by `prepare`

    @overload
    def forward(self, points: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, points: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor, Tensor]: ...
    def forward(self, points: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Map clouds (b, n, 6), with xyz in the unit ball and rgb in [0, 1], to embeddings (b, d).

        With `patches`, also return patch tokens (b, p, w) and centers (b, p, 3). Patch tokens are the output of the
        last block, before the projection.
        """
        centers, members = self.group(points, self.sample(points))
        features = self.abstract(points, centers, members)
        return (*self.transform(centers, features, True), centers) if patches else self.transform(centers, features)

    @abstractmethod
    def sample(self, points: Tensor) -> Tensor:
        """Indices (b, p) int64 of patch centers among the points (b, n, 6)."""

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """Patch centers (b, p, 3) and indices (b, p, k) int64 of their members, for points (b, n, 6).

        `picked` (b, p) are the indices of the centers.
        """
        xyz = points[..., :3]
        centers = gather(xyz, picked)
        return centers, self._members(xyz, centers)

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s) of patches, from points (b, n, 6), centers (b, p, 3) and members (b, p, k)."""
        return (self._patch_network() if self.folded is None else self.folded)(points, centers, members)

    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[False] = False) -> Tensor: ...
    @overload
    def transform(self, centers: Tensor, features: Tensor, patches: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def transform(self, centers: Tensor, features: Tensor, patches: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Embeddings (b, d) from centers (b, p, 3) and features (b, p, s). With `patches`, also tokens (b, p, w)."""
        most = TOKENS if centers.device.type == "cpu" else TOKENS_ON_A_GPU
        clouds = max(1, most // (self.sizes.patches + 1))
        parts = 1 if self.folded is None else max(1, -(-len(centers) // clouds))
        *blocks, last = self._blocks()
        first, others = [], []
        for middles, some in zip(centers.chunk(parts), features.chunk(parts), strict=True):
            x = self._tokens(middles, some)
            for block in blocks:
                x = block(x)
            # computed separately, so that the embedding is the same with and without `patches`
            first.append(last(x, 1)[:, 0])
            if patches:
                others.append(last(x)[:, 1:])
        embedding = self._project(torch.cat(first))
        return (embedding, torch.cat(others)) if patches else embedding

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, ...]:
        """Patch features (b, p, w) at a stage, centers (b, p, 3) and the result of `_radii`, for clouds (b, n, 6).

        "local" is the output of the patch network. For this stage, the transformer does not run.
        """
        centers, members = self.group(points, self.sample(points))
        features = self.abstract(points, centers, members)
        if stage != "local":
            _, features = self.transform(centers, features, True)
        if stage == "projected":
            features = self._project(features)
        return features, centers, *self._radii(points, centers, members)

    def _radii(self, points: Tensor, centers: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        """Mean patch radius (b,) of each cloud, if patches have no fixed radius."""
        return ()

    @abstractmethod
    def _members(self, xyz: Tensor, centers: Tensor) -> Tensor:
        """Indices (b, p, k) of the members of patches, from points (b, n, 3) and centers (b, p, 3)."""

    @abstractmethod
    def _patch_network(self) -> nn.Module:
        """Patch network with the published layers, which hold the loaded weights."""

    @abstractmethod
    def _blocks(self) -> Sequence[nn.Module]: ...

    @abstractmethod
    def _tokens(self, centers: Tensor, features: Tensor) -> Tensor:
        """Tokens (b, 1 + p, w), the class token first, from centers (b, p, 3) and features (b, p, s)."""

    @abstractmethod
    def _project(self, tokens: Tensor) -> Tensor:
        """Embeddings (..., d) of tokens (..., w)."""

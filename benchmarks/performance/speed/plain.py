"""The same network done the plain way of the reference implementation, from the published keys.

Dense distances by a matrix product, a full sort for the ball query, a loop for farthest-point sampling, 1x1
convolution and batch normalization one after the other on the grouped tensor, attention with its table written out,
every token through every block. Mathematics: Liu et al., "OpenShape", arXiv 2305.10764 (network `ppat`); set
abstraction of PointNet++, arXiv 1706.02413. The table of center differences that the reference computes and never
uses is left out.

Shapes below: b clouds, n points, p patches of k points, s features a patch, t = p + 1 tokens, w wide, d embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from openshape_ood.registry.architectures import PointBERTSizes

BATCH_NORM = ("running_mean", "running_var", "weight", "bias")


class PlainPointBERT:
    """Clouds (b, n, 6) -> embeddings (b, d), by the stages that the encoder's own network has.

    dtype: of the set abstraction's layers and of everything behind them, by autocast; sampling and grouping are
    always in float32.
    """

    def __init__(
        self,
        sizes: PointBERTSizes,
        weights: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.sizes, self.device, self.dtype = sizes, torch.device(device), dtype
        self.weights = {key: tensor.to(device) for key, tensor in weights.items()}

    def __call__(self, points: Tensor) -> Tensor:
        centers, members = self.group(points, self.sample(points))
        return self.transform(centers, self.abstract(points, centers, members))

    def sample(self, points: Tensor) -> Tensor:
        """Indices (b, p) of points far from one another, beginning with point 0."""
        xyz = points[..., :3]
        rows = torch.arange(len(xyz), device=xyz.device)
        picked = torch.zeros(len(xyz), self.sizes.patches, dtype=torch.long, device=xyz.device)
        nearest = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
        for i in range(1, self.sizes.patches):
            last = xyz[rows, picked[:, i - 1]][:, None]
            nearest = torch.minimum(nearest, ((xyz - last) ** 2).sum(dim=-1))
            picked[:, i] = nearest.argmax(dim=-1)
        return picked

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """Centers (b, p, 3), and the k lowest indices (b, p, k) in each one's ball, the first repeated where short."""
        xyz = points[..., :3]
        n, k = xyz.shape[1], self.sizes.patch_points
        centers = _rows(xyz, picked)
        squared = -2 * centers @ xyz.transpose(1, 2)
        squared += (centers**2).sum(dim=-1)[:, :, None]
        squared += (xyz**2).sum(dim=-1)[:, None, :]
        indices = torch.arange(n, device=xyz.device).expand_as(squared)
        inside = torch.where(squared > self.sizes.radius**2, n, indices)
        lowest = inside.sort(dim=-1).values[..., :k]
        return centers, torch.where(lowest == n, lowest[..., :1], lowest)

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s): three layers on every member of every group, then the maximum over the group."""
        group = _rows(points, members)
        offsets = group[..., :3] - centers[:, :, None]
        x = torch.cat([offsets, group], dim=-1).permute(0, 3, 2, 1)
        with self._precision():
            for i in range(3):
                x = F.conv2d(x, self.weights[f"sa.mlp_convs.{i}.weight"], self.weights[f"sa.mlp_convs.{i}.bias"])
                x = F.relu(self._batch_norm(x, f"sa.mlp_bns.{i}"))
            return x.amax(dim=2).transpose(1, 2)

    def transform(self, centers: Tensor, features: Tensor) -> Tensor:
        """The embedding (b, d) of centers (b, p, 3) and features (b, p, s)."""
        with self._precision():
            x = torch.cat([centers.to(features.dtype), features], dim=-1).transpose(1, 2)
            x = F.conv1d(x, self.weights["lift.0.weight"], self.weights["lift.0.bias"]).transpose(1, 2)
            x = self._layer_norm(x, "lift.2")
            first = self.weights["cls_token"].to(x.dtype).expand(len(x), 1, -1)
            x = torch.cat([first, x], dim=1)
            for i in range(self.sizes.depth):
                block = f"transformer.layers.{i}"
                x = self._attention(self._layer_norm(x, f"{block}.0.norm"), f"{block}.0.fn") + x
                x = self._feed_forward(self._layer_norm(x, f"{block}.1.norm"), f"{block}.1.fn.net") + x
            return self._linear(x[:, 0], "proj") if self.sizes.projection else x[:, 0]

    def _attention(self, x: Tensor, key: str) -> Tensor:
        b, t, _ = x.shape
        heads, wide = self.sizes.heads, self.sizes.head_width
        q, k, v = (
            part.view(b, t, heads, wide).transpose(1, 2) for part in self._linear(x, f"{key}.to_qkv").chunk(3, -1)
        )
        table = (q @ k.transpose(-1, -2) * wide**-0.5).softmax(dim=-1)  # (b, heads, t, t)
        mixed = (table @ v).transpose(1, 2).reshape(b, t, heads * wide)
        return self._linear(mixed, f"{key}.to_out.0")

    def _feed_forward(self, x: Tensor, key: str) -> Tensor:
        return self._linear(F.gelu(self._linear(x, f"{key}.0")), f"{key}.3")

    def _linear(self, x: Tensor, key: str) -> Tensor:
        return F.linear(x, self.weights[f"{key}.weight"], self.weights.get(f"{key}.bias"))

    def _layer_norm(self, x: Tensor, key: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{key}.weight"], self.weights[f"{key}.bias"])

    def _batch_norm(self, x: Tensor, key: str) -> Tensor:
        mean, variance, weight, bias = (self.weights[f"{key}.{name}"] for name in BATCH_NORM)
        return F.batch_norm(x, mean, variance, weight, bias)

    def _precision(self) -> Any:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def _rows(points: Tensor, indices: Tensor) -> Tensor:
    """Rows of `points` (b, n, c) at `indices` (b, ...) -> (b, ..., c)."""
    cloud = torch.arange(len(points), device=points.device).view(-1, *(1,) * (indices.ndim - 1))
    return points[cloud, indices]

"""Baseline for Uni3D's speed: a plain implementation of the network.

It has a loop for farthest-point sampling, dense distances by a matrix product and `topk`, separate convolution and
batch normalization on the grouped tensor, a maximum that is repeated for every member of a patch, attention with an
explicit matrix, and every token in every block. Network: Zhou et al., "Uni3D", arXiv 2310.06773; blocks: EVA-02, arXiv
2303.11331.

Shapes as in `baselines`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.performance.speed.baselines import PlainPointBERT, rows_at

CORE = 1e-3  # points with a smaller squared norm are never sampled


class PlainUni3D(PlainPointBERT):
    """Clouds (b, n, 6) -> embeddings (b, d), in the stages of the encoder's network; dtype: of the layers only."""

    def sample(self, points: Tensor) -> Tensor:
        """Farthest-point sampling: indices (b, p), beginning with point 0, without points near the origin."""
        xyz = points[..., :3]
        core = (xyz**2).sum(dim=-1, keepdim=True) < CORE
        return super().sample(torch.where(core, xyz[:, :1], xyz))

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """Centers (b, p, 3), and ascending indices (b, p, k) of the k points nearest to each center."""
        xyz = points[..., :3]
        centers = rows_at(xyz, picked)
        squared = -2 * centers @ xyz.transpose(1, 2)
        squared += (centers**2).sum(dim=-1)[:, :, None]
        squared += (xyz**2).sum(dim=-1)[:, None, :]
        return centers, squared.topk(self.sizes.patch_points, largest=False).indices.sort(dim=-1).values

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s): two layers per member, concatenation with the maximum, two layers, maximum."""
        group = rows_at(points, members)
        group = torch.cat([group[..., :3] - centers[:, :, None], group[..., 3:]], dim=-1)
        x = group.flatten(0, 1).transpose(1, 2)
        with self._precision():
            x = self._pair(x, "encoder.first_conv")
            x = torch.cat([x.amax(dim=2, keepdim=True).expand(-1, -1, x.shape[2]), x], dim=1)
            return self._pair(x, "encoder.second_conv").amax(dim=2).unflatten(0, members.shape[:2])

    def _pair(self, x: Tensor, key: str) -> Tensor:
        x = F.conv1d(x, self.weights[f"{key}.0.weight"], self.weights[f"{key}.0.bias"])
        x = F.relu(self._batch_norm(x, f"{key}.1"))
        return F.conv1d(x, self.weights[f"{key}.3.weight"], self.weights[f"{key}.3.bias"])

    def transform(self, centers: Tensor, features: Tensor) -> Tensor:
        """Embeddings (b, d) from centers (b, p, 3) and features (b, p, s)."""
        with self._precision():
            positions = self._linear(F.gelu(self._linear(centers, "pos_embed.0")), "pos_embed.2")
            x = self._linear(features.to(centers.dtype), "encoder2trans") + positions
            first = (self.weights["cls_token"] + self.weights["cls_pos"]).to(x.dtype).expand(len(x), 1, -1)
            x = torch.cat([first, x], dim=1)
            for i in range(self.sizes.depth):
                block = f"visual.blocks.{i}"
                x = x + self._attention(self._norm(x, f"{block}.norm1"), f"{block}.attn")
                x = x + self._feed_forward(self._norm(x, f"{block}.norm2"), f"{block}.mlp")
            return self._linear(self._norm(x[:, 0], "visual.fc_norm"), "trans2embed")

    def _attention(self, x: Tensor, key: str) -> Tensor:
        b, t, _ = x.shape
        heads, wide = self.sizes.heads, self.sizes.head_width
        q, k, v = self._linear(x, f"{key}.qkv").chunk(3, -1)
        q, v = q + self.weights[f"{key}.q_bias"], v + self.weights[f"{key}.v_bias"]
        q, k, v = (part.view(b, t, heads, wide).transpose(1, 2) for part in (q, k, v))
        table = (q @ k.transpose(-1, -2) * wide**-0.5).softmax(dim=-1)  # (b, heads, t, t)
        mixed = (table @ v).transpose(1, 2).reshape(b, t, heads * wide)
        return self._linear(mixed, f"{key}.proj")

    def _feed_forward(self, x: Tensor, key: str) -> Tensor:
        x = self._linear(x, f"{key}.fc1")
        if self.sizes.block == "plain":
            return self._linear(F.gelu(x), f"{key}.fc2")
        gate, value = x.chunk(2, dim=-1)
        x = F.silu(gate) * value
        return self._linear(self._norm(x, f"{key}.norm") if self.sizes.block == "gated-norm" else x, f"{key}.fc2")

    def _norm(self, x: Tensor, key: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{key}.weight"], self.weights[f"{key}.bias"], 1e-6)

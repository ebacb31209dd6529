"""Relation network: one logit for two embeddings, larger for different classes.

Both embeddings have the same projection and no position encoding, so the order of a pair does not matter. The weights
have the same names and shapes as in the published files.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from openshape_ood.encoders.devices import exact
from openshape_ood.errors import InputError
from openshape_ood.registry.architectures import MOST_LAYERS
from openshape_ood.registry.rows import MOST_SIZE

EPSILON = 1e-6  # epsilon of the layer norms
PAIRS_AT_ONCE = 2048


@dataclass(frozen=True)
class RelationSizes:
    """Sizes of a relation network.

    `dim` is the width d of the embeddings. `outputs` is the number of logits: 1 (different), or 2 (same and
    different). Raises `InputError` for invalid sizes.
    """

    dim: int
    width: int = 128
    depth: int = 2
    heads: int = 4
    mlp_ratio: int = 4
    outputs: int = 1

    def __post_init__(self) -> None:
        for name, value in ((one.name, getattr(self, one.name)) for one in fields(self)):
            most = {"depth": MOST_LAYERS, "outputs": 2}.get(name, MOST_SIZE)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise InputError(
                    f"{name} of a relation network is {value!r:.40}. Expected 1 to {most:,}. Change {name}."
                )
        if self.width % self.heads:
            raise InputError(
                f"width is {self.width} for {self.heads} heads. Expected a multiple of {self.heads}. Change one."
            )


class Block(nn.Module):
    """Pre-norm transformer block on three tokens."""

    def __init__(self, sizes: RelationSizes) -> None:
        super().__init__()
        width, hidden, self.heads = sizes.width, sizes.width * sizes.mlp_ratio, sizes.heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPSILON), nn.LayerNorm(width, eps=EPSILON)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})

    def forward(self, x: Tensor, wanted: int = 3) -> tuple[Tensor, Tensor]:
        """Apply the block to tokens (n, 3, w). Returns the first `wanted` tokens and their attention.

        The attention is (n, heads, wanted, 3).
        """
        q, k, v = self.attn["qkv"](self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attention = (q[:, :, :wanted] * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1)
        x = x[:, :wanted] + self.attn["proj"]((attention @ v).transpose(1, 2).flatten(2))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))), attention


class Relation(nn.Module):
    """Transformer on a class token and a pair of embeddings. The output is a function of the class token."""

    def __init__(self, sizes: RelationSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.proj = nn.Linear(sizes.dim, sizes.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.head = nn.Linear(sizes.width, sizes.outputs)

    def initialize(self, seed: int = 0, std: float = 0.02, zero_head: bool = False) -> Relation:
        """Draw matrices and class token from a truncated normal distribution and set biases to 0, in place.

        `std` is the standard deviation. Good values are 0.02 for a width of 768, and 0.06 for a width of 128.
        `zero_head` sets the weights of the last layer to 0. Then all initial logits are 0, and none is saturated.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, tensor in self.named_parameters():
            if tensor.ndim > 1:
                nn.init.trunc_normal_(tensor, std=std, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(tensor)
        if zero_head:
            nn.init.zeros_(self.head.weight)
        return self

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits (n, outputs) of pairs of embeddings (n, d) and (n, d)."""
        return self.head(self.features(self.proj(a), self.proj(b)))

    def features(self, a: Tensor, b: Tensor) -> Tensor:
        """Class token (n, w) after the last norm, for pairs of projected embeddings (n, w) and (n, w)."""
        x = self._tokens(a, b)
        for block in self.blocks[:-1]:
            x = block(x)[0]
        return self.norm(self.blocks[-1](x, wanted=1)[0][:, 0])

    def attention(self, a: Tensor, b: Tensor) -> Tensor:
        """Attention (depth, n, heads, 3, 3) for pairs (n, d) and (n, d). The three tokens are class token, a, b."""
        x, maps = self._tokens(self.proj(a), self.proj(b)), list[Tensor]()
        for block in self.blocks:
            x, attention = block(x)
            maps.append(attention)
        return torch.stack(maps)

    def _tokens(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([self.cls_token[0].expand_as(a), a, b], dim=1)

    @torch.inference_mode()
    def between(self, a: Any, b: Any, pairs_at_once: int = PAIRS_AT_ONCE) -> Tensor:
        """Similarities (n, m) of a (n, d) and b (m, d), on the CPU, in chunks of pairs.

        With one logit, the similarity is minus this logit. With two logits, it is the logit of "same" minus the logit
        of "different".
        """
        device, kind = self.proj.weight.device, self.proj.weight.dtype
        with exact(device):
            a, b = (self.proj(torch.as_tensor(rows, dtype=kind, device=device)) for rows in (a, b))
            table = torch.empty(len(a) * len(b), dtype=kind)
            for start in range(0, len(table), pairs_at_once):
                pairs = torch.arange(start, min(start + pairs_at_once, len(table)), device=device)
                logits = self.head(self.features(a[pairs // len(b)], b[pairs % len(b)]))
                alike = -logits[:, 0] if self.sizes.outputs == 1 else logits[:, 0] - logits[:, 1]
                table[start : start + pairs_at_once] = alike.cpu()
        return table.view(len(a), len(b))

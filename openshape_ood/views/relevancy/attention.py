"""Gradient times attention of open_clip's vision transformers: relevancy of patches for a text.

Chefer, Gur and Wolf, "Generic attention-model explainability", arXiv 2103.15679, as used by Semantic Abstraction.
open_clip does not return attention matrices, so they are computed here from the weights of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from openshape_ood.errors import InputError

LOGIT_SCALE = 100.0
MOST_ATTENTION = 1 << 25  # maximum elements of attention and gradients per batch


@dataclass(frozen=True, eq=False)
class Tower:
    """Image encoder of an open_clip model: a ViT with a class token.

    visual: the torch module; blocks: indices of the blocks whose attention is used; side: image side in pixels; grid:
    patches along a side.
    """

    visual: Any
    blocks: range
    side: int
    grid: int

    @classmethod
    def of(cls, model: Any, first_block: int | None = None) -> Tower:
        """Image encoder of a model. Raises `InputError` for another architecture, and for an invalid block."""
        visual = getattr(model, "visual", None)
        made_of = list(getattr(getattr(visual, "transformer", None), "resblocks", ()))
        sides, grids = getattr(visual, "image_size", (0, 1)), getattr(visual, "grid_size", (0, 1))
        fits = made_of and all(getattr(getattr(one, "attn", None), "batch_first", False) for one in made_of)
        pooled = getattr(visual, "attn_pool", None) is None and getattr(visual, "pool_type", "tok") == "tok"
        if not fits or not pooled or len({*sides}) != 1 or len({*grids}) != 1:
            raise InputError(
                f"the image encoder is {type(visual).__name__}. Expected a square ViT of open_clip with a class token. "
                "Give ViT-B-32, ViT-B-16 or ViT-L-14, for example."
            )
        if model.training:
            raise InputError(
                "the model is in training mode, where it may drop patches. Expected evaluation mode. Call model.eval()."
            )
        n = len(made_of)
        first = n - 1 if first_block is None else first_block
        if isinstance(first, bool) or not isinstance(first, int) or not 0 <= first < n:
            raise InputError(
                f"first_block is {first!r}. Expected one of the {n} blocks, from 0 to {n - 1}, or None. Leave it out "
                "for the last block."
            )
        return cls(visual, range(first, n), sides[0], grids[0])

    @property
    def batch(self) -> int:
        """Number of tiles per batch, limited by the memory for attention."""
        if len(self.blocks) == 1:
            return 32
        heads = self._block(self.blocks[0]).attn.num_heads
        return max(1, min(32, MOST_ATTENTION // (2 * len(self.blocks) * heads * (self.grid**2 + 1) ** 2)))

    def relevancy(self, images: Tensor, text: Tensor) -> Tensor:
        """Relevancy maps (k, b, g, g) of normalized images (b, 3, s, s) for unit texts (k, d)."""
        way = self.last_block if len(self.blocks) == 1 else self.rollout
        rows = torch.stack([row.detach() for row in way(self.tokens(images), text)])
        return rows[..., 1:].reshape(len(text), len(images), self.grid, self.grid)

    @torch.no_grad()
    def tokens(self, images: Tensor) -> Tensor:
        """Input (b, 1 + g * g, width) of the first block in `blocks`."""
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        first = visual.class_embedding.to(patches.dtype).expand(len(images), 1, -1)
        tokens = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        tokens = visual.ln_pre(tokens)
        for i in range(self.blocks[0]):
            tokens = self._block(i)(tokens)
        return tokens

    def last_block(self, tokens: Tensor, text: Tensor) -> Iterator[Tensor]:
        """Relevancy (b, 1 + g * g) of all tokens for each text, from the last block alone.

        Only the attention of the class token is needed, so gradients are computed for its query alone.
        """
        block = self._block(self.blocks[-1])
        with torch.no_grad():
            attention, values = _attention(block, tokens, queries=1)
            mixed = attention @ values  # (b, heads, 1, width of a head)
        with torch.enable_grad():
            mixed.requires_grad_()
            logits = self._logits(self._through(block, tokens[:, :1], mixed), text)
        for one in _gradients(logits, [mixed]):
            gradient = (values @ one[0].transpose(-1, -2))[..., 0]  # of the attention: (b, heads, 1 + g * g)
            yield clamped(attention[:, :, 0] * gradient).mean(dim=1)

    def rollout(self, tokens: Tensor, text: Tensor) -> Iterator[Tensor]:
        """Relevancy (b, 1 + g * g) of all tokens for each text: attention rollout over `blocks`.

        R starts as I. Each block changes R to R + C R, where C is the mean over heads of attention times gradient,
        clamped at 0. The result is the class token's row of R. It is computed alone, last block first.
        """
        attentions = []
        with torch.enable_grad():
            for i in self.blocks:
                attention, values = _attention(self._block(i), tokens)
                attentions.append(attention if attention.requires_grad else attention.requires_grad_())
                tokens = self._through(self._block(i), tokens, attentions[-1] @ values)
            logits = self._logits(tokens, text)
        for gradients in _gradients(logits, attentions):
            row = torch.zeros_like(tokens[:, :1, :1]).expand(-1, 1, tokens.shape[1]).clone()
            row[..., 0] = 1
            for attention, gradient in zip(reversed(attentions), reversed(gradients), strict=True):
                row = row + row @ clamped(attention.detach() * gradient).mean(dim=1)
            yield row[:, 0]

    def _block(self, i: int) -> Any:
        return self.visual.transformer.resblocks[i]

    def _through(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        """Output of a block for m tokens, from its mixed values (b, heads, m, width of a head), attention @ values."""
        joined = mixed.transpose(1, 2).flatten(2)
        tokens = tokens + block.ls_1(block.attn.out_proj(joined))
        return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))

    def pooled(self, tokens: Tensor) -> Tensor:
        """Output (b, d) of the image encoder, not normalized, from the tokens of its last block."""
        pooled = self.visual.ln_post(tokens[:, 0])
        return pooled if self.visual.proj is None else pooled @ self.visual.proj

    def _logits(self, tokens: Tensor, text: Tensor) -> Tensor:
        pooled = self.pooled(tokens)
        return LOGIT_SCALE * (pooled / pooled.norm(dim=-1, keepdim=True)) @ text.T


def _attention(block: Any, tokens: Tensor, queries: int | None = None) -> tuple[Tensor, Tensor]:
    """Attention (b, heads, m, n) of the first m tokens, and values (b, heads, n, width of a head)."""
    attn, normed = block.attn, block.ln_1(tokens)
    inputs = (normed[:, :queries], normed, normed)
    weights, biases = attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3)
    query, key, value = (
        linear(given, weight, bias).unflatten(-1, (attn.num_heads, -1)).transpose(1, 2)
        for given, weight, bias in zip(inputs, weights, biases, strict=True)
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=-1), value


def _gradients(logits: Tensor, leaves: list[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Gradients of each text's logits, one after the other, so that texts do not affect each other."""
    for p in range(logits.shape[1]):
        yield torch.autograd.grad(logits[:, p].sum(), leaves, retain_graph=p + 1 < logits.shape[1])


def clamped(contributions: Tensor) -> Tensor:
    return contributions.clamp(min=0)

"""Losses and figures of occupancy, as pure functions; rows b are names, c cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def weighted_cross_entropy(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """Of logits (b, c) and labels (b, c) bool over the cells that are counted (b, c), a mean for each name (b,).

    The filled cells of a name weigh the root of how many times as many are empty.
    """
    filled, every = (labels & counted).sum(1), counted.sum(1)
    weight = ((every - filled) / filled.clamp(min=1)).sqrt().clamp(min=1)
    each = binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none")
    each = each * torch.where(labels, weight[:, None], 1.0)
    return (each * counted).sum(1) / every.clamp(min=1)


def soft_jaccard(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """One less the IoU of probabilities, for each name (b,); 0 for a name without a filled cell."""
    found, labels = torch.sigmoid(logits) * counted, labels & counted
    both = (found * labels).sum(1)
    either = found.sum(1) + labels.sum(1) - both
    return torch.where(labels.any(1), 1 - both / either.clamp(min=1e-6), 0.0)


def iou(logits: Tensor, labels: Tensor, counted: Tensor, cutoffs: Tensor) -> Tensor:
    """The IoU (b, t) of what is above each cut-off (t,) over the cells that are counted; NaN for nothing of nothing."""
    labels = labels & counted
    found = (logits[:, None] > cutoffs[:, None]) & counted[:, None]
    both, either = (found & labels[:, None]).sum(2), (found | labels[:, None]).sum(2)
    return both / either

"""Losses of occupancy, as pure functions; rows b are classes or descriptions, m queries."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def balanced_weights(labels: Tensor) -> Tensor:
    """A weight for each label (b, m): the inverse of the share of its kind in its row, with mean 1 over all rows."""
    positive = labels.mean(-1, keepdim=True)
    shares = labels * positive + (1 - labels) * (1 - positive) + 1e-10  # each its own, never 0; the rest as published
    return (1 / shares) / (1 / shares).mean()


def occupancy_loss(logits: Tensor, labels: Tensor, ignored: Tensor | None = None, balance: bool = False) -> Tensor:
    """The mean cross-entropy of logits (b, m) and labels (b, m), 0 or 1.

    ignored: (b, m) bool, what is left out: padding, and queries out of bounds or view. The published training of
    relations leaves out nothing, not even padding; `ignored=None` is that.
    """
    weights = balanced_weights(labels) if balance else None
    each = binary_cross_entropy_with_logits(logits, labels, weight=weights, reduction="none")
    return each.mean() if ignored is None else each[~ignored].mean()


def accuracy(logits: Tensor, labels: Tensor, ignored: Tensor | None = None) -> Tensor:
    """The share of queries on the right side of logit 0."""
    right = (logits > 0) == (labels > 0.5)
    return (right if ignored is None else right[~ignored]).to(logits.dtype).mean()

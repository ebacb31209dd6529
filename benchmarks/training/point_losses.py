"""Losses of point encoders, from features and text anchors, or from logits.

n points, k classes, d features. Labels are indices of the anchors, -1 for unlabeled points, which are ignored.
Means are over labeled points; without any, the loss is 0 and can be differentiated.

The hinge with negatives and the class-balanced focal loss are those of Rozenberszki et al., arXiv 2204.07761.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE = 0.07


def centered(anchors: Tensor) -> Tensor:
    """Unit anchors (k, d) minus their mean, normalized again, because embeddings of names form a narrow cone."""
    units = F.normalize(anchors, dim=1)
    return F.normalize(units - units.mean(dim=0), dim=1)


def cosines(features: Tensor, anchors: Tensor) -> Tensor:
    """Cosine (n, k) of each point with each anchor."""
    return F.normalize(features, dim=1) @ F.normalize(anchors, dim=1).T


def mean_of_labeled(per_point: Tensor, labels: Tensor) -> Tensor:
    """The mean of losses (n,) over the labeled points."""
    return per_point[labels >= 0].sum() / (labels >= 0).sum().clamp(min=1)


def softmax_loss(features: Tensor, anchors: Tensor, labels: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Cross-entropy (n,) over cosines with all anchors, 0 if unlabeled; temperature 1: the paper's contrast_ce."""
    return F.cross_entropy(cosines(features, anchors) / temperature, labels, ignore_index=-1, reduction="none")


def hinge_loss(
    features: Tensor,
    anchors: Tensor,
    labels: Tensor,
    negatives: Tensor,
    *,
    near: float = 0.0,
    far: float = 0.6,
    metric: str = "cosine",
) -> tuple[Tensor, Tensor]:
    """Attraction of each point to the anchor of its class (n,), and repulsion from others (n,); 0 for unlabeled points.

    Parameters
    ----------
    negatives : Tensor (n, m)
        Other classes, see `draw_negatives`.
    near, far : float
        Distance to the right anchor below which, and mean distance to others above which, the loss is 0.
    metric : str
        "cosine" (1 - cosine), or "l2" without normalization.
    """
    right = distance(features, anchors[labels.clamp(min=0)], metric)
    others = distance(features[:, None], anchors[negatives], metric).mean(dim=1)
    labeled = labels >= 0
    return F.relu(right - near) * labeled, F.relu(far - others) * labeled


def text_loss(kind: str, features: Tensor, anchors: Tensor, labels: Tensor, draws: torch.Generator) -> Tensor:
    """Softmax loss (n,), or the sum (n,) of both parts of the hinge loss, negatives drawn by `draws` on the CPU."""
    if kind == "softmax":
        return softmax_loss(features, anchors, labels)
    negatives = draw_negatives(labels.cpu(), len(anchors), generator=draws).to(anchors.device)
    return torch.stack(hinge_loss(features, anchors, labels, negatives)).sum(dim=0)


def distance(features: Tensor, anchors: Tensor, metric: str) -> Tensor:
    if metric == "l2":
        return ((features - anchors).square().sum(dim=-1) + 1e-7).sqrt()
    return 1 - F.cosine_similarity(features, anchors, dim=-1)


def draw_negatives(labels: Tensor, classes: int, count: int = 3, generator: torch.Generator | None = None) -> Tensor:
    """Random classes (n, count), without the class of the point."""
    drawn = torch.randint(classes - 1, (len(labels), count), generator=generator)
    return drawn + (drawn >= labels[:, None]) * (labels[:, None] >= 0)


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """-a_y (1 - p_y)^gamma log p_y of each point (n,), with weights a (k,); 0 for unlabeled points.

    gamma 0 is the cross-entropy. The mean is not divided by the weights, unlike that of torch's cross-entropy.
    """
    known = labels.clamp(min=0)
    log_p = F.log_softmax(logits, dim=1).gather(1, known[:, None])[:, 0]
    scale = (1 - log_p.exp()) ** gamma if gamma else 1.0
    balance = 1.0 if weights is None else weights[known]
    return -balance * scale * log_p * (labels >= 0)

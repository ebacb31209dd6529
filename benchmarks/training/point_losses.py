"""Losses of point encoders: features beside text anchors, and logits, as functions of tensors.

n points, k classes, d features. Labels are rows of the anchors, -1 for points that nobody labeled: these count in no
loss, and where there are no others the loss is 0 with a graph. Means are over labeled points.

The hinge with negatives and the class-balanced focal loss are those of Rozenberszki et al., arXiv 2204.07761.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE = 0.07


def centered(anchors: Tensor) -> Tensor:
    """Anchors (k, d) of unit length around their mean: names lie in a narrow cone, these do not."""
    units = F.normalize(anchors, dim=1)
    return F.normalize(units - units.mean(dim=0), dim=1)


def cosines(features: Tensor, anchors: Tensor) -> Tensor:
    """Cosine (n, k) of each point with each anchor."""
    return F.normalize(features, dim=1) @ F.normalize(anchors, dim=1).T


def mean_of_labeled(per_point: Tensor, labels: Tensor) -> Tensor:
    """The mean of losses (n,) over the labeled points."""
    return per_point[labels >= 0].sum() / (labels >= 0).sum().clamp(min=1)


def softmax_loss(features: Tensor, anchors: Tensor, labels: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Cross-entropy (n,) over cosines with all anchors; at temperature 1 the paper's contrast_ce. 0 where unlabeled."""
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
    """Loss of attraction to each point's own anchor (n,), and of repulsion from others (n,); 0 where unlabeled.

    negatives: other classes (n, m), see `draw_negatives`; near: distance to the own anchor that costs nothing; far:
    mean distance to the others that costs nothing; metric: "cosine", 1 less it, or "l2" of the vectors as they are.
    """
    own = distance(features, anchors[labels.clamp(min=0)], metric)
    others = distance(features[:, None], anchors[negatives], metric).mean(dim=1)
    labeled = labels >= 0
    return F.relu(own - near) * labeled, F.relu(far - others) * labeled


def text_loss(kind: str, features: Tensor, anchors: Tensor, labels: Tensor, draws: torch.Generator) -> Tensor:
    """The softmax loss, or both sides of the hinge with negatives drawn by `draws` on the CPU (n,)."""
    if kind == "softmax":
        return softmax_loss(features, anchors, labels)
    negatives = draw_negatives(labels.cpu(), len(anchors), generator=draws).to(anchors.device)
    return torch.stack(hinge_loss(features, anchors, labels, negatives)).sum(dim=0)


def distance(features: Tensor, anchors: Tensor, metric: str) -> Tensor:
    if metric == "l2":
        return ((features - anchors).square().sum(dim=-1) + 1e-7).sqrt()
    return 1 - F.cosine_similarity(features, anchors, dim=-1)


def draw_negatives(labels: Tensor, classes: int, count: int = 3, generator: torch.Generator | None = None) -> Tensor:
    """Classes (n, count) drawn uniformly from those that are not the point's own."""
    drawn = torch.randint(classes - 1, (len(labels), count), generator=generator)
    return drawn + (drawn >= labels[:, None]) * (labels[:, None] >= 0)


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """-a_y (1 - p_y)^gamma log p_y of each point (n,), weights: a (k,); 0 where unlabeled. With gamma 0 cross-entropy.

    Weights do not divide the mean, as those of torch's cross-entropy do.
    """
    known = labels.clamp(min=0)
    log_p = F.log_softmax(logits, dim=1).gather(1, known[:, None])[:, 0]
    scale = (1 - log_p.exp()) ** gamma if gamma else 1.0
    balance = 1.0 if weights is None else weights[known]
    return -balance * scale * log_p * (labels >= 0)

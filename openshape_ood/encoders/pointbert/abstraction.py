"""The set abstraction for inference: a few patches at a time, so that what is between layers stays in cache."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from openshape_ood.encoders.pointbert.folding import FoldedAbstraction

# members (rows of 64 numbers) that go through the layers at once: on a CPU 4,096 are a megabyte
ROWS, ROWS_ON_A_GPU = 4_096, 1 << 18
# clouds whose points go through the first layer at once; with one, a cloud's features do not depend on the batch
CLOUDS, CLOUDS_ON_A_GPU = 1, 64


def abstract(weights: FoldedAbstraction, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
    """Points (b, n, c), centers (b, p, 3) and members (b, p, k) -> features (b, p, s) float32."""
    on_cpu = points.device.type == "cpu"
    clouds, rows = (CLOUDS, ROWS) if on_cpu else (CLOUDS_ON_A_GPU, ROWS_ON_A_GPU)
    parts = zip(points.split(clouds), centers.split(clouds), members.split(clouds), strict=True)
    return torch.cat([_abstract(weights, *part, rows) for part in parts])


def _abstract(weights: FoldedAbstraction, points: Tensor, centers: Tensor, members: Tensor, rows: int) -> Tensor:
    b, n, _ = points.shape
    own = F.linear(points, weights.point, weights.bias).flatten(0, 1)
    offsets = F.linear(centers, weights.center).flatten(0, 1)
    # the clouds one after the other
    members = (members + n * torch.arange(b, device=points.device)[:, None, None]).flatten(0, 1)
    patches = max(1, rows // members.shape[1])
    pairs = zip(offsets.split(patches), members.split(patches), strict=True)
    features = torch.cat([_features(weights, own, *pair) for pair in pairs])
    return features.unflatten(0, (b, -1))


def _features(weights: FoldedAbstraction, own: Tensor, offsets: Tensor, members: Tensor) -> Tensor:
    """Of q patches: products of the points (n, 64) and centers (q, 64), members (q, k) -> features (q, s)."""
    q, k = members.shape
    x = own.index_select(0, members.flatten()).view(q, k, -1)
    x = x.sub_(offsets[:, None]).relu_().flatten(0, 1).to(weights.second.dtype)
    x = F.linear(x, weights.second, weights.second_bias).relu_()
    # a bias and ReLU keep the order of numbers: the maximum may go first, and leaves less to do
    x = F.linear(x, weights.third).view(q, k, -1).amax(dim=1)
    return x.add_(weights.third_bias).relu_().float()

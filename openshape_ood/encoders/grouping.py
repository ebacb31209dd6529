"""Farthest-point sampling and ball query: geometry without weights.

Plain torch and right on any device. Distances are computed element by element and always in float32:
a matrix product would round differently with the batch size (and lose digits under TF32 or autocast),
and points near the rim of a ball would change sides.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from openshape_ood.errors import MissingPackageError

# bounds the (p, n) distance tables held at once: 2^25 float32 are 128 MiB
TABLE_ELEMENTS = 1 << 25


def gather(points: Tensor, indices: Tensor) -> Tensor:
    """Rows of `points` (b, n, c) at `indices` (b, ...) -> (b, ..., c)."""
    b, c = points.shape[0], points.shape[2]
    flat = indices.reshape(b, -1, 1).expand(-1, -1, c)
    return points.gather(1, flat).reshape(*indices.shape, c)


def farthest_point_sampling(xyz: Tensor, count: int) -> Tensor:
    """Indices (b, count) of points spread over clouds `xyz` (b, n, 3), beginning with point 0.

    Each next point is the one farthest from all before it; the lowest index wins a tie. When the
    cloud has fewer different points than `count`, point 0 is repeated.
    """
    xyz = xyz.float()
    x, y, z = xyz.unbind(-1)
    picked = torch.zeros(xyz.shape[0], count, dtype=torch.long, device=xyz.device)
    distance = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
    for i in range(1, count):
        cx, cy, cz = gather(xyz, picked[:, i - 1 : i]).unbind(-1)
        distance = torch.minimum(distance, (x - cx).square() + (y - cy).square() + (z - cz).square())
        picked[:, i] = distance.argmax(dim=1)
    return picked


def farthest_point_sampling_dgl(xyz: Tensor, count: int) -> Tensor:
    """The same indices (b, count) from dgl (CPU only).

    Raises `MissingPackageError` without the extra `[dgl]`.
    """
    # without this variable dgl writes a file under the home folder on its first import
    os.environ.setdefault("DGLBACKEND", "pytorch")
    try:
        from dgl.geometry import farthest_point_sampler
    except ImportError as error:
        raise MissingPackageError(
            "the sampler 'dgl' needs the package dgl: pip install 'openshape-ood[dgl]' (Python 3.11); "
            "the default sampler needs nothing"
        ) from error
    return farthest_point_sampler(xyz.float().cpu(), count, start_idx=0).to(xyz.device)


def ball_query(xyz: Tensor, centres: Tensor, radius: float, count: int) -> Tensor:
    """Indices (b, p, count) of points of `xyz` (b, n, 3) within `radius` of `centres` (b, p, 3).

    The lowest indices are kept; short groups repeat their first member. A centre is expected to be a
    point of the cloud, so that no group is empty (an empty one holds index 0).
    """
    xyz, centres = xyz.float(), centres.float()
    b, n, p = xyz.shape[0], xyz.shape[1], centres.shape[1]
    rows = max(1, TABLE_ELEMENTS // max(1, n * p))
    groups = [_ball_query(xyz[i : i + rows], centres[i : i + rows], radius, count) for i in range(0, b, rows)]
    return torch.cat(groups)


def _ball_query(xyz: Tensor, centres: Tensor, radius: float, count: int) -> Tensor:
    inside = _squared_distances(centres, xyz) <= radius**2
    rank = inside.cumsum(dim=-1, dtype=torch.int32)
    keep = inside & (rank <= count)
    # scatter each member to its rank; what is not kept goes to a column that is cut off
    column = torch.where(keep, rank - 1, count).long()
    index = torch.arange(xyz.shape[1], device=xyz.device).expand_as(column)
    groups = torch.zeros(*column.shape[:2], count + 1, dtype=torch.long, device=xyz.device)
    groups = groups.scatter_(-1, column, index)[..., :count]
    filled = torch.arange(count, device=xyz.device) < rank[..., -1:]
    return torch.where(filled, groups, groups[..., :1])


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(b, p, n) squared distances as |a|^2 - 2ab + |b|^2, the form the published weights were trained with."""
    product = sum(a[:, :, None, i] * b[:, None, :, i] for i in range(3))
    return (a.square().sum(-1)[:, :, None] - 2 * product) + b.square().sum(-1)[:, None, :]

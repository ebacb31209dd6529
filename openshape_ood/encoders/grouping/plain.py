"""Farthest-point sampling and ball query: geometry without weights.

Plain torch and right on any device; on the CPU the same arithmetic is done by `cpu_grouping`. Distances are
computed element by element and always in float32: a matrix product would round differently with the batch size
(and lose digits under TF32 or autocast), and points near the rim of a ball would change sides.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from openshape_ood.encoders.grouping import cpu as cpu_grouping
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
    xyz = xyz.detach().float()
    if _by_numpy(xyz):
        return torch.from_numpy(cpu_grouping.farthest_point_sampling(xyz.numpy(), count))
    return _sample(xyz, count)


def _by_numpy(xyz: Tensor) -> bool:
    # torch.compile cannot look into numpy's buffers
    return xyz.device.type == "cpu" and not torch.compiler.is_compiling()


def _sample(xyz: Tensor, count: int) -> Tensor:
    axes = xyz.transpose(1, 2).contiguous()  # (b, 3, n): each coordinate in one piece
    picked = torch.zeros(xyz.shape[0], count, dtype=torch.long, device=xyz.device)
    distance = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
    for i in range(1, count):
        last = picked[:, None, i - 1 : i].expand(-1, 3, -1)
        x, y, z = (axes - axes.gather(2, last)).square_().unbind(1)
        torch.minimum(distance, x.add_(y).add_(z), out=distance)
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


def ball_query(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    """Indices (b, p, count) of points of `xyz` (b, n, 3) within `radius` of `centers` (b, p, 3).

    The lowest indices are kept; short groups repeat their first member. A center is expected to be a
    point of the cloud, so that no group is empty (an empty one holds index 0).
    """
    xyz, centers = xyz.detach().float(), centers.detach().float()
    if _by_numpy(xyz):
        return torch.from_numpy(cpu_grouping.ball_query(xyz.numpy(), centers.numpy(), radius, count))
    return _query(xyz, centers, radius, count)


def _query(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    b, n, p = xyz.shape[0], xyz.shape[1], centers.shape[1]
    rows = max(1, TABLE_ELEMENTS // max(1, n * p))
    groups = [_query_at_once(xyz[i : i + rows], centers[i : i + rows], radius, count) for i in range(0, b, rows)]
    return torch.cat(groups)


def _query_at_once(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    inside = _squared_distances(centers, xyz) <= radius**2
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
    return (_squared_norms(a)[:, :, None] - 2 * product) + _squared_norms(b)[:, None, :]


def _squared_norms(points: Tensor) -> Tensor:
    # added one by one: a sum over the axis adds in an order of its own on a GPU, and points on the rim change sides
    x, y, z = points.square().unbind(-1)
    return x + y + z

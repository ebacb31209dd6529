"""Farthest-point sampling and ball query: numpy on the CPU, plain torch on other devices.

Both do the same float32 arithmetic element by element, so they give the same indices. They use no matrix products,
because the rounding of a matrix product depends on the batch size, TF32 and autocast. With matrix products, a point
near the edge of a ball could change from inside to outside.

On the CPU, a step with some 10,000 numbers takes about a microsecond. Function calls, temporary arrays and thread
synchronization would take more time than the arithmetic. So clouds are processed one at a time, in one thread (two were
not faster). Each coordinate is one row of an array (3, n), and buffers fit into the cache of a core.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from openshape_ood.errors import MissingPackageError

TABLE_ELEMENTS = 1 << 25  # maximum size of the (p, n) distance table: 2^25 float32 are 128 MiB
ROWS = 8  # centers per block on the CPU: 8 rows of 10,000 distances are 320 kB


def gather(points: Tensor, indices: Tensor) -> Tensor:
    """Rows (b, ..., c) of `points` (b, n, c) at `indices` (b, ...)."""
    b, c = points.shape[0], points.shape[2]
    flat = indices.reshape(b, -1, 1).expand(-1, -1, c)
    return points.gather(1, flat).reshape(*indices.shape, c)


def farthest_point_sampling(xyz: Tensor, count: int) -> Tensor:
    """Indices (b, count) int64 of points spread over clouds `xyz` (b, n, 3). The first is point 0.

    Each next point has the largest distance to the nearest previous point. If several points have this distance, the
    lowest index is taken. If the cloud has fewer distinct points than `count`, point 0 is repeated.
    """
    xyz = xyz.detach().float()
    if xyz.device.type != "cpu" or torch.compiler.is_compiling():  # the compiler cannot trace numpy buffers
        return _sample(xyz, count)
    picked = np.zeros((len(xyz), count), dtype=np.int64)
    with np.errstate(all="ignore"):
        for cloud, row in zip(xyz.transpose(1, 2).contiguous().numpy(), picked, strict=True):
            distance, square = np.full(cloud.shape[1], np.inf, dtype=np.float32), np.empty_like(cloud)
            x, y, z = square
            for i in range(1, count):
                last = row[i - 1]
                np.subtract(cloud, cloud[:, last : last + 1], out=square)
                np.multiply(square, square, out=square)
                np.add(x, y, out=x)
                np.add(x, z, out=x)
                np.minimum(distance, x, out=distance)
                row[i] = distance.argmax()
    return torch.from_numpy(picked)


def _sample(xyz: Tensor, count: int) -> Tensor:
    axes = xyz.transpose(1, 2).contiguous()  # (b, 3, n): each coordinate is contiguous
    picked = torch.zeros(xyz.shape[0], count, dtype=torch.long, device=xyz.device)
    distance = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
    for i in range(1, count):
        last = picked[:, None, i - 1 : i].expand(-1, 3, -1)
        x, y, z = (axes - axes.gather(2, last)).square_().unbind(1)
        torch.minimum(distance, x.add_(y).add_(z), out=distance)
        picked[:, i] = distance.argmax(dim=1)
    return picked


def farthest_point_sampling_dgl(xyz: Tensor, count: int) -> Tensor:
    """As `farthest_point_sampling`, but computed by dgl on the CPU. Raises `MissingPackageError` without `[dgl]`."""
    # without this setting, dgl writes a file to the home folder on its first import
    os.environ.setdefault("DGLBACKEND", "pytorch")
    try:
        from dgl.geometry import farthest_point_sampler
    except ImportError as error:
        raise MissingPackageError(
            f"the sampler 'dgl' is not available ({error}). Expected the package dgl. Run pip install "
            "'openshape-ood[dgl]' with Python 3.11, or use the default sampler."
        ) from error
    return farthest_point_sampler(xyz.float().cpu(), count, start_idx=0).to(xyz.device)


def ball_query(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    """Indices (b, p, count) int64 of points of `xyz` (b, n, 3) within `radius` of `centers` (b, p, 3).

    If a group has more than `count` points, the lowest indices are used. If it has fewer, its first member is repeated.
    Centers are points of the cloud, so no group is empty (an empty group would contain index 0).
    """
    xyz, centers = xyz.detach().float(), centers.detach().float()
    if xyz.device.type != "cpu" or torch.compiler.is_compiling():
        return _query(xyz, centers, radius, count)
    groups = np.zeros((*centers.shape[:2], count), dtype=np.int64)
    inside, most = np.empty((ROWS, xyz.shape[1]), dtype=bool), np.float32(radius**2)
    with np.errstate(all="ignore"):
        for rows, members in _distance_rows(xyz, centers, groups):
            near = inside[: len(rows)]
            np.less_equal(rows, most, out=near)
            for row, group in zip(near, members, strict=True):
                nearby = np.flatnonzero(row)[:count]
                if len(nearby):
                    group[: len(nearby)], group[len(nearby) :] = nearby, nearby[0]
    return torch.from_numpy(groups)


def _distance_rows(xyz: Tensor, centers: Tensor, groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield squared distances (r, n) of up to ROWS centers to all points, with the rows of `groups` for these centers.
    The arithmetic is the same as in `_squared_distances`. The buffer is reused, so copy the distances to keep them.
    """
    clouds = xyz.transpose(1, 2).contiguous().numpy()
    # the factor -2 is applied first, because a power of two causes no rounding
    norms, factors = [_squared_norms(points)[..., None].numpy() for points in (centers, xyz)], (-2 * centers).numpy()
    product, table = np.empty((2, ROWS, xyz.shape[1]), dtype=np.float32)
    for cloud, factor, center_norms, point_norms, members in zip(clouds, factors, *norms, groups, strict=True):
        for start in range(0, len(factor), ROWS):
            a = factor[start : start + ROWS, :, None]
            sums, term = table[: len(a)], product[: len(a)]
            np.multiply(a[:, 0], cloud[0], out=sums)
            for axis in (1, 2):
                np.multiply(a[:, axis], cloud[axis], out=term)
                np.add(sums, term, out=sums)
            np.add(sums, center_norms[start : start + ROWS], out=sums)
            np.add(sums, point_norms[:, 0], out=sums)
            yield sums, members[start : start + ROWS]


def _query(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    rows = max(1, TABLE_ELEMENTS // max(1, xyz.shape[1] * centers.shape[1]))
    if len(xyz) > rows:
        parts = zip(xyz.split(rows), centers.split(rows), strict=True)
        return torch.cat([_query(*part, radius, count) for part in parts])
    return lowest(_squared_distances(centers, xyz) <= radius**2, count)


def lowest(inside: Tensor, count: int) -> Tensor:
    """Indices (b, p, count) of the first true elements in each row of a table (b, p, n).

    If a row has fewer than `count`, its first index is repeated.
    """
    rank = inside.cumsum(dim=-1, dtype=torch.int32)
    # scatter each member to its rank. Members beyond `count` go to an additional column, which is removed
    column = torch.where(inside & (rank <= count), rank - 1, count).long()
    index = torch.arange(inside.shape[-1], device=inside.device).expand_as(column)
    groups = torch.zeros(*column.shape[:2], count + 1, dtype=torch.long, device=inside.device)
    groups = groups.scatter_(-1, column, index)[..., :count]
    filled = torch.arange(count, device=inside.device) < rank[..., -1:]
    return torch.where(filled, groups, groups[..., :1])


def nearest_points(xyz: Tensor, centers: Tensor, count: int) -> Tensor:
    """Indices (b, p, count) int64, ascending, of the points of `xyz` (b, n, 3) nearest to `centers` (b, p, 3).

    If points have equal distances, the lowest indices are used. If a cloud has fewer than `count` points, the first
    index is repeated.
    """
    xyz, centers = xyz.detach().float(), centers.detach().float()
    if xyz.device.type != "cpu" or torch.compiler.is_compiling():
        return _nearest(xyz, centers, count)
    n, groups = xyz.shape[1], np.zeros((*centers.shape[:2], count), dtype=np.int64)
    if n <= count:
        groups[..., :n] = np.arange(n)
        return torch.from_numpy(groups)
    with np.errstate(all="ignore"):
        for rows, members in _distance_rows(xyz, centers, groups):
            limits = np.partition(rows, count - 1, axis=1)[:, count - 1 : count]
            for row, limit, group in zip(rows, limits, members, strict=True):
                nearest = np.flatnonzero(row <= limit)
                if len(nearest) > count:  # several points have the largest distance
                    rim = np.flatnonzero(row == limit)
                    nearest = np.setdiff1d(nearest, rim[count - len(nearest) :], assume_unique=True)
                group[: len(nearest)] = nearest
    return torch.from_numpy(groups)


def _nearest(xyz: Tensor, centers: Tensor, count: int) -> Tensor:
    rows = max(1, TABLE_ELEMENTS // max(1, xyz.shape[1] * centers.shape[1]))
    if len(xyz) > rows:
        parts = zip(xyz.split(rows), centers.split(rows), strict=True)
        return torch.cat([_nearest(*part, count) for part in parts])
    distance, count_of = _squared_distances(centers, xyz), min(count, xyz.shape[1])
    limit = distance.kthvalue(count_of, dim=-1, keepdim=True).values
    nearer, rim = distance < limit, distance == limit
    missing = count_of - nearer.sum(dim=-1, keepdim=True)
    return lowest(nearer | (rim & (rim.cumsum(dim=-1) <= missing)), count)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances (b, p, n) as |a|^2 - 2ab + |b|^2, the form of the published training."""
    product = sum(a[:, :, None, i] * b[:, None, :, i] for i in range(3))
    return (_squared_norms(a)[:, :, None] - 2 * product) + _squared_norms(b)[:, None, :]


def _squared_norms(points: Tensor) -> Tensor:
    # explicit additions, because a sum on a GPU may have another order and round differently
    x, y, z = points.square().unbind(-1)
    return x + y + z


class Grouping(NamedTuple):
    """Functions of a sampler.

    - sample(clouds (b, n, 3), p) gives indices (b, p).
    - query(clouds, centers (b, p, 3), radius, k) gives indices (b, p, k).
    - nearest(clouds, centers, k) gives indices (b, p, k).
    """

    sample: Callable[[Tensor, int], Tensor]
    query: Callable[[Tensor, Tensor, float, int], Tensor]
    nearest: Callable[[Tensor, Tensor, int], Tensor] = nearest_points


PLAIN = Grouping(farthest_point_sampling, ball_query)

"""Farthest-point sampling and ball query as Triton kernels, for CUDA devices.

The kernels give the same indices as the reference in `plain`. Float32 operations have the same order as there. Fused
multiply-add is disabled, because it rounds once instead of twice. With it, a point near the edge of a ball could change
from inside to outside. The tests run the kernels in Triton's interpreter and compile them for a GPU. **The speed on a
GPU was not measured**, so block and warp counts are not tuned.

The wheels of torch for Linux include Triton. This module can be imported without Triton.
"""

from __future__ import annotations

import functools
import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from openshape_ood.encoders.grouping import plain
from openshape_ood.errors import InputError, MissingPackageError

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

# maximum number of points whose distances fit in the registers of one program; larger clouds use torch
LARGEST_CLOUD = 16_384
# maximum number of points whose coordinates also fit in registers. Larger clouds are read again in every step
LARGEST_RESIDENT = 8_192
# block sizes of the ball query: centers, and points per step
CENTERS, POINTS = 8, 256


def _jit(kernel):
    return kernel if triton is None else triton.jit(kernel)


def available(device: torch.device | str) -> bool:
    """True if the kernels run on `device`. It must be an NVIDIA GPU. The first call compiles and runs a small case.

    With Triton's interpreter the result is False.
    """
    device = torch.device(device)
    if device.type != "cuda" or torch.version.hip is not None or triton is None or _interpreted():
        return False
    return torch.cuda.is_available() and _runs(device)


@functools.cache
def _runs(device: torch.device) -> bool:
    try:
        line = torch.arange(4.0, device=device)[None, :, None].expand(1, 4, 3)
        return farthest_point_sampling(line, 3).tolist() == [[0, 3, 1]]
    except Exception as error:  # fall back to torch after any error of the compiler, driver or launcher
        what = f"the Triton kernels do not run on {device} ({error})"
        warnings.warn(f"{what}. Expected a GPU that Triton supports. The sampler 'torch' is used.", stacklevel=3)
        return False


def farthest_point_sampling(xyz: Tensor, count: int) -> Tensor:
    """Indices (b, count) int64 of points spread over clouds `xyz` (b, n, 3), as from `plain.farthest_point_sampling`.

    Raises `InputError` for a tensor that is not on a CUDA device or has another shape, `MissingPackageError` without
    triton.
    """
    _check(xyz, "clouds (b, n, 3)", least=1)
    b, n, _ = xyz.shape
    if n > LARGEST_CLOUD:
        return plain.farthest_point_sampling(xyz, count)
    picked = torch.zeros(b, count, dtype=torch.long, device=xyz.device)
    block = triton.next_power_of_2(n)
    resident, warps = block <= LARGEST_RESIDENT, min(32, max(1, block // 256))
    with _on(xyz.device):
        _sample[(b,)](_planes(xyz), picked, n, count, block, resident, num_warps=warps, enable_fp_fusion=False)
    return picked


def ball_query(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    """Indices (b, p, count) int64 of points of `xyz` (b, n, 3) within `radius` of `centers` (b, p, 3).

    The result equals the result of `plain.ball_query`. Raises `InputError` for tensors that are not on one CUDA device
    or have other shapes, `MissingPackageError` without triton.
    """
    _check(xyz, "clouds (b, n, 3)", least=1)
    _check(centers, "centers (b, p, 3)")
    if centers.device != xyz.device or centers.shape[0] != xyz.shape[0]:
        raise InputError(
            f"got clouds {tuple(xyz.shape)} on {xyz.device} and centers {tuple(centers.shape)} on {centers.device}. "
            "Expected the same number of clouds in both, on one device. Give one set of centers per cloud."
        )
    b, n, p = xyz.shape[0], xyz.shape[1], centers.shape[1]
    members = torch.empty(b, p, count, dtype=torch.long, device=xyz.device)
    blocks = triton.cdiv(p, CENTERS)
    # torch compares in float32, so the radius is rounded to float32 too
    limit = torch.tensor(radius**2, dtype=torch.float32, device="cpu").item()
    with _on(xyz.device):
        _query[(b * blocks,)](
            *(_planes(xyz), _planes(centers), members, n, p, count, blocks, limit),
            rows=CENTERS,
            step=POINTS,
            columns=triton.next_power_of_2(max(1, count)),
            num_warps=4,
            enable_fp_fusion=False,
        )
    return members


def _interpreted() -> bool:
    return not isinstance(_sample, triton.JITFunction)


def _check(points: Tensor, expected: str, least: int = 0) -> None:
    if triton is None:
        raise MissingPackageError(
            "the sampler 'triton' is not available. Expected the package triton. "
            "Run pip install triton, or use the sampler 'torch'."
        )
    if points.device.type != "cuda" and not _interpreted():
        raise InputError(
            f"the sampler 'triton' got a tensor on {points.device}. Expected tensors on a CUDA device. "
            "Use the sampler 'torch', which runs on any device."
        )
    if points.ndim != 3 or points.shape[2] != 3:
        raise InputError(f"got a tensor of shape {tuple(points.shape)}. Expected {expected}. Reshape it.")
    if points.shape[1] < least:
        raise InputError(f"got clouds of shape {tuple(points.shape)}. Expected at least one point. Add points.")


def _on(device: torch.device) -> AbstractContextManager:
    """Make the device of the tensors current, because Triton launches kernels on the current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _planes(points: Tensor) -> Tensor:
    """Transpose (b, n, 3) to contiguous float32 (b, 3, n), so that neighboring threads read neighboring numbers."""
    return points.detach().float().transpose(1, 2).contiguous()


@_jit
def _sample(xyz, picked, n, count, block: tl.constexpr, resident: tl.constexpr):
    """Sample one cloud of `xyz` (b, 3, n) float32. Writes into `picked` (b, count) int64, which must contain zeros."""
    cloud = tl.program_id(0).to(tl.int64)
    xs = xyz + cloud * 3 * n
    ys = xs + n
    zs = ys + n
    picked += cloud * count
    index = tl.arange(0, block)
    there = index < n
    if resident:
        x = tl.load(xs + index, mask=there, other=0.0)
        y = tl.load(ys + index, mask=there, other=0.0)
        z = tl.load(zs + index, mask=there, other=0.0)
    distance = tl.full((block,), float("inf"), tl.float32)
    last = tl.full((), 0, tl.int32)
    for i in range(1, count):
        if not resident:
            x = tl.load(xs + index, mask=there, other=0.0)
            y = tl.load(ys + index, mask=there, other=0.0)
            z = tl.load(zs + index, mask=there, other=0.0)
        dx = x - tl.load(xs + last)
        dy = y - tl.load(ys + last)
        dz = z - tl.load(zs + last)
        distance = tl.minimum(distance, dx * dx + dy * dy + dz * dz, propagate_nan=tl.PropagateNan.ALL)
        # distances are not negative, so their bits have the same order as integers. NaN becomes the largest, as in
        # torch. Lanes without a point get the smallest value, so they are never picked
        rank = tl.where(distance == distance, distance.to(tl.int32, bitcast=True), 0x7FFFFFFF)
        last = tl.argmax(tl.where(there, rank, -1), axis=0, tie_break_left=True)
        tl.store(picked + i, last.to(tl.int64))


@_jit
def _query(
    xyz, centers, members, n, p, count, blocks, limit, rows: tl.constexpr, step: tl.constexpr, columns: tl.constexpr
):
    """Query one block of `centers` (b, 3, p) in `xyz` (b, 3, n), both float32. Writes `members` (b, p, count) int64."""
    program = tl.program_id(0)
    cloud = (program // blocks).to(tl.int64)
    row = (program % blocks) * rows + tl.arange(0, rows)
    real = row < p
    xs = xyz + cloud * 3 * n
    cs = centers + cloud * 3 * p + row
    cx = tl.load(cs, mask=real, other=0.0)
    cy = tl.load(cs + p, mask=real, other=0.0)
    cz = tl.load(cs + 2 * p, mask=real, other=0.0)
    center_norm = cx * cx + cy * cy + cz * cz
    group = members + (cloud * p + row) * count

    filled = tl.where(real, 0, count)  # rows without a center count as full
    first = tl.full((rows,), 0, tl.int32) + n
    start = tl.full((), 0, tl.int32)
    while (start < n) & (tl.min(filled, axis=0) < count):
        index = start + tl.arange(0, step)
        there = index < n
        x = tl.load(xs + index, mask=there, other=0.0)
        y = tl.load(xs + n + index, mask=there, other=0.0)
        z = tl.load(xs + 2 * n + index, mask=there, other=0.0)
        norm = x * x + y * y + z * z
        product = cx[:, None] * x[None, :] + cy[:, None] * y[None, :] + cz[:, None] * z[None, :]
        distance = (center_norm[:, None] - 2 * product) + norm[None, :]
        inside = (distance <= limit) & there[None, :]
        rank = filled[:, None] + tl.cumsum(inside.to(tl.int32), axis=1)
        here = tl.broadcast_to(index[None, :], (rows, step))
        tl.store(group[:, None] + (rank - 1), here.to(tl.int64), mask=inside & (rank <= count))
        first = tl.minimum(first, tl.min(tl.where(inside, here, n), axis=1))
        filled += tl.sum(inside.to(tl.int32), axis=1)
        start += step

    first = tl.where(first < n, first, 0)
    column = tl.arange(0, columns)
    short = real[:, None] & (column[None, :] >= filled[:, None]) & (column[None, :] < count)
    filling = tl.broadcast_to(first[:, None], (rows, columns)).to(tl.int64)
    tl.store(group[:, None] + column[None, :], filling, mask=short)

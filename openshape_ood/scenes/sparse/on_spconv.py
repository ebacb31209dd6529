"""Inference backend by spconv, an optional package for GPUs.

`SpconvGrid` replaces `Grid`; network and weights are unchanged. Coordinates are passed as z, y, x: in a kernel,
spconv's last axis varies fastest, and in MinkowskiEngine x varies fastest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.scenes.sparse.grid import LEVELS, Grid

MOST = 2**31  # limit of 32-bit indices
INSTALL = "pip install spconv-cu126 (CUDA 12; spconv-cu118: CUDA 11; spconv: no GPU)"


def load_spconv(device: torch.device) -> Any:
    """The spconv module. Raises `InputError` for an unsupported device, `MissingPackageError` without spconv."""
    if device.type not in ("cuda", "cpu"):
        raise InputError(f"backend 'spconv' does not run on {device.type}. Expected cuda or cpu. Take backend 'torch'.")
    try:
        import spconv.pytorch as spconv
        from spconv.cppconstants import CPU_ONLY_BUILD
    except ImportError as error:
        raise MissingPackageError(
            f"backend 'spconv' cannot be loaded ({error}). Expected the package spconv. Run {INSTALL}, or take backend "
            "'torch'."
        ) from error
    if CPU_ONLY_BUILD and device.type == "cuda":
        raise MissingPackageError(
            f"the installed spconv was built without CUDA. Expected a build for CUDA. Uninstall spconv and cumm, then "
            f"run {INSTALL}; or take backend 'torch'."
        )
    return spconv


@dataclass(frozen=True, eq=False)
class SpconvMap:
    """`KernelMap` for spconv. grid: finer grid; layer: type of spconv's layer; side: kernel side; key: cache key."""

    grid: SpconvGrid
    layer: str
    side: int
    key: str

    def convolve(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Features (w, o) of the output grid, from features `x` (v, i) of the input grid."""
        inside, outside = kernel.shape[1:]
        if len(x) * (width := max(inside, outside)) * x.element_size() >= MOST:
            raise InputError(
                f"{len(x):,} voxels of {width} numbers need 2 GiB or more. Expected less for spconv. Take "
                "backend 'torch'."
            )
        grid, made = self.grid, self._made(inside, outside, kernel)
        if self.layer == "SparseConv3d":
            out = made(grid.holding(x, {}))
            grid.reached = SpconvGrid(out.indices, out.spatial_shape, grid.scans, grid.spconv, out.indice_dict)
            return out.features
        if self.layer == "SparseInverseConv3d":
            grid = grid.coarser
        out = made(grid.holding(x, grid.cache))
        grid.cache.update(out.indice_dict)
        return out.features

    def _made(self, inside: int, outside: int, kernel: Tensor) -> nn.Module:
        spconv, stride = self.grid.spconv, {"stride": 2} if self.layer == "SparseConv3d" else {}
        algo = None if kernel.is_cuda else spconv.ConvAlgo.Native  # other algorithms have no CPU implementation
        with torch.device("meta"):  # skips spconv's initialization, which takes time and changes the random state
            made = getattr(spconv, self.layer)(
                inside, outside, self.side, bias=False, indice_key=self.key, algo=algo, **stride
            )
        cells = kernel.detach().reshape(*[self.side] * 3, inside, outside)  # z, y, x, in, out
        made.weight = nn.Parameter(cells.permute(4, 0, 1, 2, 3).contiguous(), requires_grad=False)
        return made.eval()


class SpconvGrid:
    """Voxels for spconv: non-negative, in a box whose sides are divisible by all strides.

    Neighbors and maps that spconv computes are cached in `cache`.
    """

    def __init__(self, cells: Tensor, box: list[int], scans: int, spconv: Any, cache: dict[str, Any]) -> None:
        self.cells, self.box, self.scans = cells, box, scans
        self.spconv, self.cache = spconv, cache
        self.reached: SpconvGrid | None = None

    @classmethod
    def of(cls, grid: Grid) -> SpconvGrid:
        """Voxels of `grid` in the same order.

        Raises `InputError` if the scan covers more cells than spconv can index, because neighbors would be wrong. Also
        raises the errors of `load_spconv`.
        """
        low = grid.cells.min(dim=0).values
        low[1:] = low[1:] >> LEVELS << LEVELS  # rounded down to the coarsest voxel: the borders of all levels stay
        cells = grid.cells - low
        scans, x, y, z = (cells.max(dim=0).values + 1).tolist()
        box = [-(-n >> LEVELS) << LEVELS for n in (z, y, x)]
        # on a GPU spconv uses 64 bits for cell numbers, but 32 bits for each coordinate
        if max(box) >= MOST or (not cells.is_cuda and scans * math.prod(box) >= MOST):
            reach = " x ".join(f"{n:,}" for n in (x, y, z))
            raise InputError(
                f"the voxels reach over {reach} cells, too many for spconv. Expected fewer than 2^31 in all, or a "
                "side on a GPU. Take backend 'torch'."
            )
        return cls(cells[:, [0, 3, 2, 1]].int(), box, scans, load_spconv(cells.device), {})

    def neighbors(self, side: int) -> SpconvMap:
        """Counterpart of `Grid.neighbors`."""
        return SpconvMap(self, "SubMConv3d", side, f"{side} a side")

    @property
    def coarser(self) -> SpconvGrid:
        """Voxels with twice the side, in the order of the last `down` convolution."""
        if self.reached is None:
            raise InputError(
                "there are no coarser voxels yet. Expected a convolution `down`, which makes them. Run it first."
            )
        return self.reached

    @property
    def down(self) -> SpconvMap:
        """Map to the coarser grid."""
        return SpconvMap(self, "SparseConv3d", 2, "down")

    @property
    def up(self) -> SpconvMap:
        """Map from the coarser grid to this one: `down` with inputs and outputs exchanged."""
        return SpconvMap(self, "SparseInverseConv3d", 2, "down")

    def holding(self, x: Tensor, cache: dict[str, Any]) -> Any:
        """spconv's sparse tensor of rows (v, c) on these voxels."""
        return self.spconv.SparseConvTensor(x.detach(), self.cells, self.box, self.scans, indice_dict=cache)

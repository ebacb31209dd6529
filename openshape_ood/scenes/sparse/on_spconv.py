"""The same convolutions by spconv, an optional package for GPUs: forward only.

`SpconvGrid` stands in for `Grid`, so that network and weights stay as they are. spconv numbers the cells of a kernel by
the axes of its coordinates: given as z, y, x, x runs fastest in both, as in MinkowskiEngine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.scenes.sparse.grid import LEVELS, Grid

MOST = 2**31  # spconv counts in 32 bits
INSTALL = "pip install spconv-cu126 (CUDA 12; spconv-cu118: CUDA 11; spconv: no GPU)"


def load_spconv(device: torch.device) -> Any:
    """The package, fit for a device. Raises `InputError` for one that it has no code for, `MissingPackageError`."""
    if device.type not in ("cuda", "cpu"):
        raise InputError(f"backend 'spconv' runs on cuda and cpu, not on {device.type}; backend 'torch' does")
    try:
        import spconv.pytorch as spconv
        from spconv.cppconstants import CPU_ONLY_BUILD
    except ImportError as error:
        raise MissingPackageError(f"backend 'spconv' needs spconv ({error}): {INSTALL}; 'torch' does not") from error
    if CPU_ONLY_BUILD and device.type == "cuda":
        how = f"uninstall spconv and cumm, then {INSTALL}"
        raise MissingPackageError(f"the spconv that is installed was built without CUDA: {how}; 'torch' runs as it is")
    return spconv


@dataclass(frozen=True, eq=False)
class SpconvMap:
    """What `KernelMap` is to `convolve`: from where to where, and by which of spconv's layers."""

    grid: SpconvGrid
    layer: str
    side: int
    key: str

    def convolve(self, x: Tensor, kernel: Tensor) -> Tensor:
        """`convolve` of rows in the order of the grid that they are on; gives rows in that of the other."""
        inside, outside = kernel.shape[1:]
        if len(x) * (width := max(inside, outside)) * x.element_size() >= MOST:
            raise InputError(
                f"{len(x):,} voxels of {width} numbers are 2 GiB, too much for spconv; take backend 'torch'"
            )
        own, made = self.grid, self._made(inside, outside, kernel)
        if self.layer == "SparseConv3d":
            out = made(own.holding(x, {}))
            own.reached = SpconvGrid(out.indices, out.spatial_shape, own.scans, own.spconv, out.indice_dict)
            return out.features
        if self.layer == "SparseInverseConv3d":
            own = own.coarser
        out = made(own.holding(x, own.found))
        own.found.update(out.indice_dict)
        return out.features

    def _made(self, inside: int, outside: int, kernel: Tensor) -> nn.Module:
        spconv, stride = self.grid.spconv, {"stride": 2} if self.layer == "SparseConv3d" else {}
        algo = None if kernel.is_cuda else spconv.ConvAlgo.Native  # the others have no code for a CPU
        with torch.device("meta"):  # its own weights would cost time and random numbers
            made = getattr(spconv, self.layer)(
                inside, outside, self.side, bias=False, indice_key=self.key, algo=algo, **stride
            )
        cells = kernel.detach().reshape(*[self.side] * 3, inside, outside)  # z, y, x, in, out
        made.weight = nn.Parameter(cells.permute(4, 0, 1, 2, 3).contiguous(), requires_grad=False)
        return made.eval()


class SpconvGrid:
    """Voxels as spconv has them: never negative, within a box whose sides double down without a rest.

    What spconv finds of their neighbors, and of the way to them from finer ones, is kept in `found`.
    """

    def __init__(self, cells: Tensor, box: list[int], scans: int, spconv: Any, found: dict[str, Any]) -> None:
        self.cells, self.box, self.scans = cells, box, scans
        self.spconv, self.found = spconv, found
        self.reached: SpconvGrid | None = None

    @classmethod
    def of(cls, grid: Grid) -> SpconvGrid:
        """The same voxels in the same order.

        Raises `InputError` where the scan reaches over more cells than spconv can number, so that some neighbors would
        be wrong, and what `load_spconv` does.
        """
        low = grid.cells.min(dim=0).values
        low[1:] = low[1:] >> LEVELS << LEVELS  # by whole voxels of the coarsest level, so that these stay as they are
        cells = grid.cells - low
        scans, x, y, z = (cells.max(dim=0).values + 1).tolist()
        box = [-(-n >> LEVELS) << LEVELS for n in (z, y, x)]
        # on a GPU it takes 64 bits for them where needed, though not for a single one
        if max(box) >= MOST or (not cells.is_cuda and scans * math.prod(box) >= MOST):
            reach = " x ".join(f"{n:,}" for n in (x, y, z))
            raise InputError(f"the voxels reach over {reach} cells, too many for spconv; take backend 'torch'")
        return cls(cells[:, [0, 3, 2, 1]].int(), box, scans, load_spconv(cells.device), {})

    def neighbors(self, side: int) -> SpconvMap:
        """As those of `Grid`."""
        return SpconvMap(self, "SubMConv3d", side, f"{side} a side")

    @property
    def coarser(self) -> SpconvGrid:
        """The voxels of twice the size, in the order in which the last convolution by `down` has left them."""
        if self.reached is None:
            raise InputError("no convolution has gone `down` from these voxels yet, which is what finds coarser ones")
        return self.reached

    @property
    def down(self) -> SpconvMap:
        """From these voxels to the coarser ones."""
        return SpconvMap(self, "SparseConv3d", 2, "down")

    @property
    def up(self) -> SpconvMap:
        """From the coarser voxels to these, through the same cells."""
        return SpconvMap(self, "SparseInverseConv3d", 2, "down")

    def holding(self, x: Tensor, found: dict[str, Any]) -> Any:
        """Rows (v, c) on these voxels as spconv's layers take them."""
        return self.spconv.SparseConvTensor(x.detach(), self.cells, self.box, self.scans, indice_dict=found)

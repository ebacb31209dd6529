"""Voxel grids and neighbors, computed once for each resolution of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from openshape_ood.errors import InputError

LEVELS = 4  # number of downsampling steps
MARGIN = 2  # empty cells between two lines of keys, so that a kernel of side 5 never reaches another line
MOST_CELLS = 2**62


@dataclass(frozen=True, eq=False)
class KernelMap:
    """Pairs of rows for each cell of a kernel.

    rows: number of outputs. pairs: (cell, output rows, input rows); no row repeats within a cell, so sums are
    deterministic on any device. center: cell that pairs every row with itself, or None.
    """

    rows: int
    pairs: tuple[tuple[int, Tensor, Tensor], ...]
    center: int | None = None

    def transposed(self, rows: int) -> KernelMap:
        """Map with outputs and inputs exchanged; rows: number of new outputs."""
        return KernelMap(rows, tuple((cell, into, out) for cell, out, into in self.pairs), self.center)


class Grid:
    """Distinct voxels, sorted by key.

    cells (v, 4) int64: number of the scan in the batch, x, y, z in units of this grid. keys (v,) int64: ascending; a
    step along x adds 1 to the key, a step along y adds steps[0], a step along z adds steps[1].
    """

    def __init__(self, cells: Tensor, keys: Tensor, steps: tuple[int, int]) -> None:
        self.cells, self.keys, self.steps = cells, keys, steps
        self._maps: dict[int, KernelMap] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, coords: Tensor) -> tuple[Grid, Tensor]:
        """Grid of voxels (v, 4) int64, and their order: row i of the grid is row order[i] of `coords`.

        coords: number of the scan in the batch, x, y, z; in any order, may be negative. Raises `InputError` for no
        voxels, duplicates, and scans too large for keys of 64 bits.
        """
        if coords.ndim != 2 or coords.shape[1] != 4 or not len(coords) or coords.dtype != torch.int64:
            raise InputError(
                f"voxels are {tuple(coords.shape)} {coords.dtype}. Expected (v, 4) int64, v at least 1. Give scan, x, "
                "y and z of each voxel."
            )
        keys, steps = _keys(coords)
        keys, order = keys.sort()
        if len(keys) > 1 and not bool((keys[1:] > keys[:-1]).all()):
            raise InputError(
                f"{int((keys[1:] == keys[:-1]).sum())} of {len(keys)} voxels are given twice. Expected distinct "
                "voxels. Remove repeats."
            )
        return cls(coords.index_select(0, order), keys, steps), order

    def neighbors(self, side: int) -> KernelMap:
        """Pairs of voxels in a kernel with a side of 3 or 5 cells; x varies fastest, as in the keys.

        Only half of the kernel cells are searched: opposite cells have the same pairs, with outputs and inputs
        exchanged. In each kernel line along x, only the first cell is searched, because keys along x are consecutive.
        """
        if side not in self._maps:
            self._maps[side] = self._search(side)
        return self._maps[side]

    def _search(self, side: int) -> KernelMap:
        reach, last, pairs = side // 2, side**3 - 1, list[tuple[int, Tensor, Tensor]]()
        guarded = torch.cat([self.keys, self.keys.new_full((1,), torch.iinfo(torch.int64).max)])
        for line in range(last // 2 // side, side * side):
            y, z = line % side - reach, line // side - reach
            wanted = self.keys + (y * self.steps[0] + z * self.steps[1] - reach)
            at = torch.searchsorted(self.keys, wanted)
            for cell in range(line * side, (line + 1) * side):
                hit = guarded.index_select(0, at) == wanted
                if cell > last // 2 and (here := hit.nonzero()[:, 0]).numel():
                    other = at.index_select(0, here)
                    pairs += [(cell, here, other), (last - cell, other, here)]
                at, wanted = at + hit, wanted + 1
        return KernelMap(len(self), tuple(sorted(pairs, key=lambda pair: pair[0])), last // 2)

    @cached_property
    def coarser(self) -> Grid:
        """Grid of voxels with twice the side."""
        return self._halved[0]

    @cached_property
    def down(self) -> KernelMap:
        """Map to the coarser grid. The kernel cell of a voxel is its position in its parent voxel."""
        coarse, parents = self._halved
        x, y, z = (self.cells[:, 1:] & 1).T
        places, pairs = x + 2 * y + 4 * z, []
        for cell in range(8):
            rows = (places == cell).nonzero()[:, 0]
            if len(rows):
                pairs.append((cell, parents.index_select(0, rows), rows))
        return KernelMap(len(coarse), tuple(pairs))

    @cached_property
    def up(self) -> KernelMap:
        """Map from the coarser grid to this one: `down` with inputs and outputs exchanged."""
        return self.down.transposed(len(self))

    @cached_property
    def _halved(self) -> tuple[Grid, Tensor]:
        halves = torch.cat([self.cells[:, :1], self.cells[:, 1:] >> 1], dim=1)  # rounds down, so -1 becomes -1
        keys, steps = _keys(halves)
        distinct, parents = keys.unique(return_inverse=True)
        cells = halves.new_empty(len(distinct), 4).index_copy_(0, parents, halves)
        return Grid(cells, distinct, steps), parents


def _keys(cells: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Keys (v,) of cells, and the steps of a key along y and z. Sorted keys are sorted by scan, then z, y, x."""
    low = cells.min(dim=0).values
    sizes = (cells.max(dim=0).values - low + 1 + MARGIN).tolist()
    if math.prod(sizes) >= MOST_CELLS:
        reach = " x ".join(f"{n - MARGIN:,}" for n in sizes[1:])
        raise InputError(
            f"the voxels reach over {reach} cells, too many to number. Expected fewer than 2^62. Drop stray points."
        )
    scan, x, y, z = (cells - low).T
    steps = sizes[1], sizes[1] * sizes[2]
    return x + y * steps[0] + z * steps[1] + scan * (steps[1] * sizes[3]), steps

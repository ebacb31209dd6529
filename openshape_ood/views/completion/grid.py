"""The grid between points and the 3D network: features of points into its cells, and back at any place.

Volumes are (b, channel, x, y, z).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


@dataclass(frozen=True)
class Grid:
    """A cube of side³ cells over a box from `low` to `high`, in the frame and units of the points.

    legacy: the rules that the released networks of Semantic Abstraction were trained with, which are not right: points
    go into cells by s - 1, those outside into the cells of the border; reading divides by s, and exchanges x and z.
    """

    side: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    legacy: bool = False

    def fractions(self, points: Tensor) -> Tensor:
        """Where points (..., 3) lie in the box: 0 at its lower corner, 1 at its upper."""
        low, high = points.new_tensor(self.low), points.new_tensor(self.high)
        return (points - low) / (high - low)

    def inside(self, points: Tensor) -> Tensor:
        """Whether points (..., 3) belong to a cell (...): all do by the legacy rules, none that hold NaN."""
        if self.legacy:
            return torch.isfinite(points).all(-1)
        at = self.fractions(points)
        return ((at >= 0) & (at <= 1)).all(-1)

    def cells(self, points: Tensor) -> Tensor:
        """The number x·s² + y·s + z (...) of the cell of points (..., 3); that of the border for those outside."""
        at = self.fractions(points) * (self.side - 1 if self.legacy else self.side)
        index = at.floor().clamp(0, self.side - 1).long()
        return (index[..., 0] * self.side + index[..., 1]) * self.side + index[..., 2]

    def centers(self) -> Tensor:
        """The middles (s³, 3) float32 of the cells, in the order of their numbers."""
        steps = (torch.arange(self.side, dtype=torch.float64) + 0.5) / self.side
        low, high = torch.tensor(self.low).double(), torch.tensor(self.high).double()
        axes = [a + steps * (b - a) for a, b in zip(low, high, strict=True)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).float()

    def positions(self, queries: Tensor) -> Tensor:
        """Queries (..., 3) as the decoder is told of them: from -1 to 1 over the box."""
        at = self.fractions(queries)
        if self.legacy:
            at = at.clamp(0, 1) * (self.side - 1) / self.side
        return 2 * at - 1

    def read(self, volume: Tensor, queries: Tensor) -> Tensor:
        """A volume (b, f, s, s, s) at queries (b, m, 3), linear between cells: (b, m, f).

        Outside of the box, and within half a cell of its faces, as at the nearest cell.
        """
        at = self.positions(queries)
        if not self.legacy:
            at = at.flip(-1)  # torch wants z, y, x
        found = grid_sample(
            volume, at[:, :, None, None], mode="bilinear", padding_mode="border", align_corners=self.legacy
        )
        return found[:, :, :, 0, 0].transpose(1, 2)


def scatter(features: Tensor, index: Tensor, size: int, pooling: str = "mean") -> Tensor:
    """The "mean" or "max" of features (p, f) in each of `size` cells, of which `index` (p,) names one a row: (size, f).

    0 in cells that no row is in.
    """
    empty = features.new_zeros(size, features.shape[1])
    if pooling == "max":
        rows = index[:, None].expand_as(features)
        return empty.scatter_reduce(0, rows, features, "amax", include_self=False)
    counts = torch.bincount(index, minlength=size).clamp(min=1)
    return empty.index_add(0, index, features) / counts[:, None]

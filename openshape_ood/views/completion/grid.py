"""Grid of the 3D network: from point features to cells, and from volumes to values at any position.

Volumes have the axes (b, channel, x, y, z).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


@dataclass(frozen=True)
class Grid:
    """A cube of side³ cells over a box from `low` to `high`, in the frame and units of the points.

    legacy: conventions of the released networks of Semantic Abstraction. They are incorrect, but the weights were
    trained with them. Points are binned into s - 1 cells, and points outside go to border cells. For
    interpolation, cell numbers are divided by s instead of s - 1, and x and z are exchanged.
    """

    side: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    legacy: bool = False

    def fractions(self, points: Tensor) -> Tensor:
        """Relative positions of points (..., 3) in the box: 0 at its lower corner, 1 at its upper corner."""
        low, high = points.new_tensor(self.low), points.new_tensor(self.high)
        return (points - low) / (high - low)

    def inside(self, points: Tensor) -> Tensor:
        """Mask (...) of points (..., 3) in the box. With `legacy`, it contains all finite points."""
        if self.legacy:
            return torch.isfinite(points).all(-1)
        at = self.fractions(points)
        return ((at >= 0) & (at <= 1)).all(-1)

    def cells(self, points: Tensor) -> Tensor:
        """Cell numbers (...), x·s² + y·s + z, of points (..., 3). Points outside of the box get border cells."""
        at = self.fractions(points) * (self.side - 1 if self.legacy else self.side)
        index = at.floor().clamp(0, self.side - 1).long()
        return (index[..., 0] * self.side + index[..., 1]) * self.side + index[..., 2]

    def centers(self) -> Tensor:
        """Centers (s³, 3) float32 of the cells, by cell number."""
        steps = (torch.arange(self.side, dtype=torch.float64) + 0.5) / self.side
        low, high = torch.tensor(self.low).double(), torch.tensor(self.high).double()
        axes = [a + steps * (b - a) for a, b in zip(low, high, strict=True)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).float()

    def positions(self, queries: Tensor) -> Tensor:
        """Coordinates (..., 3) of positions `queries` for the decoder: -1 to 1 over the box."""
        at = self.fractions(queries)
        if self.legacy:
            at = at.clamp(0, 1) * (self.side - 1) / self.side
        return 2 * at - 1

    def read(self, volume: Tensor, queries: Tensor) -> Tensor:
        """Values (b, m, f) of a volume (b, f, s, s, s) at queries (b, m, 3), by trilinear interpolation.

        Outside of the box and within half a cell of its faces, border cells give the values.
        """
        at = self.positions(queries)
        if not self.legacy:
            at = at.flip(-1)  # torch expects z, y, x
        features = grid_sample(
            volume, at[:, :, None, None], mode="bilinear", padding_mode="border", align_corners=self.legacy
        )
        return features[:, :, :, 0, 0].transpose(1, 2)


def scatter(features: Tensor, index: Tensor, size: int, pooling: str = "mean") -> Tensor:
    """Mean or maximum of features (p, f) over each of `size` cells: (size, f), 0 for empty cells.

    index: (p,), the cell of each row.
    """
    empty = features.new_zeros(size, features.shape[1])
    if pooling == "max":
        rows = index[:, None].expand_as(features)
        return empty.scatter_reduce(0, rows, features, "amax", include_self=False)
    counts = torch.bincount(index, minlength=size).clamp(min=1)
    return empty.index_add(0, index, features) / counts[:, None]

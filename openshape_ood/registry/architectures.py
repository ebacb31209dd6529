"""The sizes of each architecture, apart from the networks: reading the registry needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PointBERTSizes:
    """The numbers that tell one PointBERT from another.

    width, depth, heads, head_width, mlp_width: the transformer; patches, radius, patch_points,
    patch_width: the set abstraction (radius in units of the unit ball, patch_width the width of a
    patch's feature before it is lifted); channels: of an input point; projection: width of the
    embedding after a last linear layer, 0 for none.
    """

    width: int
    depth: int
    heads: int
    head_width: int
    mlp_width: int
    patches: int
    radius: float
    patch_points: int
    patch_width: int
    channels: int
    projection: int

    @property
    def embedding_dim(self) -> int:
        return self.projection or self.width


ARCHITECTURES = {"pointbert": PointBERTSizes}

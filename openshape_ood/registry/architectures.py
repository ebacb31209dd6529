"""Architectures: which sizes a network takes and what builds it; reading them needs no torch.

The registry checks `[x.sizes]` against `Architecture.sizes`, the loader calls `Architecture.build`; nothing else knows
a network's type. What a built network has to offer is `encoders.protocols.Network`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from importlib import import_module
from typing import Any

from openshape_ood.errors import RegistryError

MOST_LAYERS = 256


@dataclass(frozen=True)
class Architecture:
    """What the registry and the loader need to know of a network.

    Parameters
    ----------
    sizes : type
        A dataclass: one field for each number (or word) in `[x.sizes]`. Numbers must be above 0 and finite;
        `field(metadata={"zero": True})` lets one be 0. What else must hold its `__post_init__` says by raising
        `ValueError`. Sizes of shape encoders have `embedding_dim`, the d of their embeddings.
    build : callable
        From sizes to a network (`torch.nn.Module`) with any weights; the loader puts those of the file in. It is called
        with torch's default device set to "meta": tensors that are not in the file (buffers that are not saved) must
        be made on first use or in `prepare`.
    """

    sizes: type
    build: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not (isinstance(self.sizes, type) and is_dataclass(self.sizes)):
            raise RegistryError(f"sizes is {self.sizes!r}; expected a dataclass with a field for each size")
        if not callable(self.build):
            raise RegistryError(f"build is {self.build!r}; expected a function from sizes to a network")


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
    projection: int = field(metadata={"zero": True})

    def __post_init__(self) -> None:
        if self.channels != 6:
            raise ValueError(f"field 'channels' is {self.channels}; clouds have 6: xyz and rgb")
        if self.depth > MOST_LAYERS:
            raise ValueError(f"field 'depth' is {self.depth!s:.20}; expected at most {MOST_LAYERS}")

    @property
    def embedding_dim(self) -> int:
        return self.projection or self.width


def _pointbert(sizes: PointBERTSizes) -> Any:
    # imported when it is built, as networks need torch
    return import_module("openshape_ood.encoders.pointbert.network").PointBERT(sizes)


ARCHITECTURES: dict[str, Architecture] = {"pointbert": Architecture(PointBERTSizes, _pointbert)}

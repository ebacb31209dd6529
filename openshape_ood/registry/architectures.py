"""Architectures: which sizes a network takes and what builds it; reading them needs no torch.

The registry checks `[x.sizes]` against `Architecture.sizes`, the loader calls `Architecture.build`; nothing else knows
a network's type. What a built network has to offer is `encoders.protocols.Network`.

The tables at the end are the only place that names modules above their own; these are imported on the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import import_module
from typing import Any

from openshape_ood.errors import RegistryError

MOST_LAYERS, MOST_WIDTH = 256, 65_536
MOST_SIDE = 512  # of a grid


@dataclass(frozen=True)
class Architecture:
    """What the registry and the loader need to know of a network.

    Parameters
    ----------
    sizes : type
        A dataclass: one field for each number (or word) in `[x.sizes]`. Numbers must be above 0 and finite;
        `field(metadata={"zero": True})` lets one be 0. What else must hold its `__post_init__` says by raising
        `ValueError`. Sizes of encoders have `embedding_dim`, the d of their embeddings; where files of one row differ,
        `of_file(keys, model)` gives the sizes of a file with these keys, which calls its network `model` ("": nothing).
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
    embedding after a last linear layer, 0 for none; adapter_width: in place of that layer two adapters with so many
    hidden numbers (TAMM), 0 for none.
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
    adapter_width: int = field(default=0, metadata={"zero": True})

    def __post_init__(self) -> None:
        _check(self.channels, self.depth)
        if self.adapter_width and not self.projection:
            raise ValueError("field 'projection' is 0, but adapters need the width of the embedding")

    @property
    def embedding_dim(self) -> int:
        return self.projection or self.width


BLOCKS = ("gated", "gated-norm", "plain")


@dataclass(frozen=True)
class Uni3DSizes:
    """The numbers that tell one Uni3D from another.

    width, depth, heads, head_width, mlp_width: the transformer; block: its feed-forward, "gated" (SwiGLU), "gated-norm"
    (with a norm before its last layer) or "plain" (GELU); patches, patch_points, patch_width: the patch network, whose
    layers are a quarter, a half and all of patch_width wide; channels: of an input point; projection: width of the
    embedding.
    """

    width: int
    depth: int
    heads: int
    head_width: int
    mlp_width: int
    block: str
    patches: int
    patch_points: int
    patch_width: int
    channels: int
    projection: int

    def __post_init__(self) -> None:
        _check(self.channels, self.depth)
        if self.block not in BLOCKS:
            raise ValueError(f"field 'block' is {self.block!r}; known: {', '.join(BLOCKS)}")
        if self.patch_width % 4:
            raise ValueError(f"field 'patch_width' is {self.patch_width}; expected a multiple of 4")

    @property
    def embedding_dim(self) -> int:
        return self.projection


EMBEDDINGS = ("features", "final")
LAST_RELU = {"Res16UNet34C": True, "Res16UNet34CR": False, "Res16UNet34D": False}  # by the name in a file


@dataclass(frozen=True)
class SparseUNetSizes:
    """The numbers that tell one sparse U-Net from another.

    channels: of a voxel; stem, side: width of the first convolution, and cells of its kernel a side, 3 or 5; widths,
    blocks: of the four levels down and the four up; momentum: of the norms outside of the blocks; last_relu: whether
    the last block ends in one; outputs, bias: of the layer `final`, 0 for none; embedding: "features" of the last block
    or what "final" makes of them; text_width: of names that a learned projection brings to the width of the features, 0
    where there is none.
    """

    channels: int
    stem: int
    side: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    momentum: float = 0.1
    last_relu: bool = True
    outputs: int = field(default=0, metadata={"zero": True})
    bias: bool = True
    embedding: str = "features"
    text_width: int = field(default=0, metadata={"zero": True})

    def __post_init__(self) -> None:
        if self.side not in (3, 5):
            raise ValueError(f"field 'side' is {self.side}; expected 3 or 5")
        for name, numbers, most in (("widths", self.widths, MOST_WIDTH), ("blocks", self.blocks, MOST_LAYERS)):
            if len(numbers) != 8 or not all(0 < number <= most for number in numbers):
                raise ValueError(f"field {name!r} is {numbers!s:.80}; expected 8 numbers from 1 to {most}")
        if self.embedding not in EMBEDDINGS:
            raise ValueError(f"field 'embedding' is {self.embedding!r}; known: {', '.join(EMBEDDINGS)}")
        if self.embedding == "final" and not self.outputs:
            raise ValueError("field 'outputs' is 0, but the embedding is that of 'final'")

    @property
    def embedding_dim(self) -> int:
        return self.outputs if self.embedding == "final" else self.widths[-1]

    def of_file(self, keys: Collection[str], model: str) -> SparseUNetSizes:
        """The same as a file with these keys has them, which calls its network `model`.

        Files of pre-training have no `final`, few have the projection of names, and whether the last block ends in a
        ReLU only the name tells.
        """
        no_final = self.embedding == "features" and not any(key.startswith("final.") for key in keys)
        projected = any(key.startswith("projection_layer.") for key in keys)
        return replace(
            self,
            outputs=0 if no_final else self.outputs,
            text_width=self.text_width if projected else 0,
            last_relu=LAST_RELU.get(model, self.last_relu),
        )


HEADS = ("name", "sentence", "text", "relation", "text-relation")


@dataclass(frozen=True)
class CompletionSizes:
    """The numbers that tell one completion network from another.

    head: what its logits are of: a "name", or a whole "sentence", by its affinity; a name by its "text"; a target in a
    "relation" to a reference, by both affinities, or by their texts, "text-relation". side: cells of the grid; low,
    high: the corners of its box in meters, z up; hidden, channels: widths of the point layers and of what they give;
    maps, groups, levels: of the 3D U-Net; inputs: numbers of a point beside xyz; pooling: of the points in a cell;
    pointing, text: widths of the vectors of relations and of text, 0 where there are none; threshold: the logit
    from which on a place is filled; legacy: the rules of the
    released files, see `views.completion.grid`, whose pooling is "mean".
    """

    head: str
    side: int
    hidden: int
    channels: int
    maps: int
    groups: int
    levels: int
    inputs: int = 1
    pooling: str = "mean"
    pointing: int = field(default=0, metadata={"zero": True})
    text: int = field(default=0, metadata={"zero": True})
    low: tuple[float, ...] = (-1.0, -1.0, -0.1)
    high: tuple[float, ...] = (1.0, 1.0, 1.9)
    threshold: float = field(default=0.0, metadata={"signed": True})
    legacy: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("head", self.head, HEADS), ("pooling", self.pooling, ("mean", "max"))):
            if value not in known:
                raise ValueError(f"field {name!r} is {value!r}; known: {', '.join(known)}")
        if self.levels > 10 or self.side > MOST_SIDE or self.side % 2 ** (self.levels - 1):
            expected = f"a multiple of 2^(levels - 1), {2 ** min(self.levels - 1, 9)}, up to {MOST_SIDE}"
            raise ValueError(f"field 'side' is {self.side} with {self.levels} levels; expected {expected}")
        widths = [self.channels, *(self.maps * 2**i for i in range(self.levels))]
        if any(width > self.groups and width % self.groups for width in widths):
            raise ValueError(f"field 'groups' is {self.groups}; expected a divisor of the widths {widths}")
        corners = list(zip(self.low, self.high, strict=False))
        if (len(self.low), len(self.high)) != (3, 3) or not all(low < high for low, high in corners):
            raise ValueError(f"fields 'low' and 'high' are {self.low} and {self.high}; expected two corners of a box")
        if self.relates != bool(self.pointing) or self.head.startswith("text") != bool(self.text):
            raise ValueError(
                f"head {self.head!r} with 'pointing' {self.pointing} and 'text' {self.text}; expected "
                "'pointing' for relations alone, 'text' for text alone"
            )

    @property
    def relates(self) -> bool:
        """Whether its logits are of a target in a relation, each relation a vector of its own."""
        return self.head.endswith("relation")


def _check(channels: int, depth: int) -> None:
    if channels != 6:
        raise ValueError(f"field 'channels' is {channels}; clouds have 6: xyz and rgb")
    if depth > MOST_LAYERS:
        raise ValueError(f"field 'depth' is {depth!s:.20}; expected at most {MOST_LAYERS}")


def _late(module: str, name: str) -> Callable[[Any], Any]:
    """A function, or a class, whose module is imported when it is called: it stands above the registry."""
    return lambda argument: getattr(import_module(module), name)(argument)


ARCHITECTURES: dict[str, Architecture] = {
    "pointbert": Architecture(PointBERTSizes, _late("openshape_ood.encoders.pointbert.network", "PointBERT")),
    "uni3d": Architecture(Uni3DSizes, _late("openshape_ood.encoders.uni3d.network", "Uni3D")),
    "sparse-unet": Architecture(SparseUNetSizes, _late("openshape_ood.scenes.sparse.network", "SparseUNet")),
    "completion": Architecture(CompletionSizes, _late("openshape_ood.views.completion.network", "CompletionNetwork")),
}
# kind of row without an architecture -> what makes a scorer of known classes from the row for their encoder
SCORERS: dict[str, Callable[[Any], Any]] = {
    "comparator": _late("openshape_ood.comparison.comparator", "registered_scorer")
}

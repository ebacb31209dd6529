"""Architectures: sizes of a network and its constructor. Reading them needs no torch.

The registry checks `[x.sizes]` against `Architecture.sizes`, the loader calls `Architecture.build`; no other module
knows a network's type. Every built network implements `encoders.protocols.Network`.

The tables at the end name modules of higher layers, which are imported on the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import import_module
from typing import Any

from openshape_ood.errors import RegistryError

MOST_LAYERS, MOST_WIDTH = 256, 65_536
MOST_SIDE = 512  # cells of a grid a side


@dataclass(frozen=True)
class Architecture:
    """Description of a network for registry and loader.

    Parameters
    ----------
    sizes : type
        A dataclass: one field for each number (or string) in `[x.sizes]`. Numbers must be above 0 and finite;
        `field(metadata={"zero": True})` permits 0. `__post_init__` raises `ValueError` for other invalid sizes. Sizes
        of encoders have `embedding_dim`, the d of their embeddings. If the files of one row differ, `of_file(keys,
        model)` returns the sizes of a file with these keys and the network name `model` ("": none).
    build : callable
        Function from sizes to a network (`torch.nn.Module`) with any weights; the loader fills in those of the file.
        Its default device is "meta": tensors that are not in the file (unsaved buffers) must be made on first use or in
        `prepare`.
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
    """Sizes of a PointBERT.

    width, depth, heads, head_width, mlp_width: of the transformer; patches, radius, patch_points, patch_width: of the
    set abstraction (radius in units of the unit ball; patch_width: features of a patch before their projection);
    channels: numbers of an input point; projection: width of the embedding after a last linear layer, 0 for none;
    adapter_width: hidden width of the two adapters in place of that layer (TAMM), 0 for none.
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
    """Sizes of a Uni3D.

    width, depth, heads, head_width, mlp_width: of the transformer; block: its feed-forward, "gated" (SwiGLU),
    "gated-norm" (with a norm before its last layer) or "plain" (GELU); patches, patch_points, patch_width: of the patch
    network, whose layers have a quarter, half and all of patch_width; channels: numbers of an input point; projection:
    width of the embedding.
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
LAST_RELU = {"Res16UNet34C": True, "Res16UNet34CR": False, "Res16UNet34D": False}  # by network name in the file


@dataclass(frozen=True)
class SparseUNetSizes:
    """Sizes of a sparse U-Net.

    channels: numbers of a voxel; stem: width of the first convolution; side: cells of its kernel a side, 3 or 5;
    widths, blocks: of the four levels down and the four up; momentum: of the norms outside the blocks; last_relu: True
    if the last block ends in a ReLU; outputs, bias: of the layer `final`, 0 for none; embedding: "features" of the last
    block, or the output of "final"; text_width: width of names before a learned projection to the width of the
    features, 0 for none.
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
            raise ValueError("field 'outputs' is 0, but 'final' gives the embedding")

    @property
    def embedding_dim(self) -> int:
        return self.outputs if self.embedding == "final" else self.widths[-1]

    def of_file(self, keys: Collection[str], model: str) -> SparseUNetSizes:
        """Sizes of a file with these keys and the network name `model`.

        Files of pre-training have no `final`, and few have the projection of names. Only the name determines the last
        ReLU.
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
    """Sizes of a completion network.

    head: input that a logit belongs to: a "name" or a whole "sentence", by its affinity; a name by its "text"; a target
    in a "relation" to a reference, by both affinities, or by their texts, "text-relation". side: cells of the grid a
    side; low, high: corners of its box in meters, z up; hidden, channels: widths of the point layers and of their
    output; maps, groups, levels: of the 3D U-Net; inputs: numbers of a point after xyz; pooling: of the points in a
    cell; pointing, text: widths of the vectors of relations and of text, 0 for none; threshold: lowest logit of an
    occupied cell; legacy: conventions of the released files, see `views.completion.grid`, with pooling "mean".
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
        """True if each relation has a vector and the logits belong to a target in a relation."""
        return self.head.endswith("relation")


def _check(channels: int, depth: int) -> None:
    if channels != 6:
        raise ValueError(f"field 'channels' is {channels}; clouds have 6: xyz and rgb")
    if depth > MOST_LAYERS:
        raise ValueError(f"field 'depth' is {depth!s:.20}; expected at most {MOST_LAYERS}")


def _late(module: str, name: str) -> Callable[[Any], Any]:
    """Function or class of a higher layer, whose module is imported on the first call."""
    return lambda argument: getattr(import_module(module), name)(argument)


ARCHITECTURES: dict[str, Architecture] = {
    "pointbert": Architecture(PointBERTSizes, _late("openshape_ood.encoders.pointbert.network", "PointBERT")),
    "uni3d": Architecture(Uni3DSizes, _late("openshape_ood.encoders.uni3d.network", "Uni3D")),
    "sparse-unet": Architecture(SparseUNetSizes, _late("openshape_ood.scenes.sparse.network", "SparseUNet")),
    "completion": Architecture(CompletionSizes, _late("openshape_ood.views.completion.network", "CompletionNetwork")),
}
# kind of a row without architecture -> function from row and encoder to a scorer of known classes
SCORERS: dict[str, Callable[[Any], Any]] = {
    "comparator": _late("openshape_ood.comparison.comparator", "registered_scorer")
}

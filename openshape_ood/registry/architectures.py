"""Architectures: sizes of a network and its constructor. Reading them needs no torch.

The registry validates `[x.sizes]` with `Architecture.sizes`, and the loader calls `Architecture.build`. No other module
knows the type of a network. Every network implements `encoders.protocols.Network`.

The tables at the end name modules that this module must not import; each is imported when its function is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, is_dataclass, replace
from importlib import import_module
from typing import Any

from openshape_ood.errors import RegistryError

MOST_LAYERS, MOST_WIDTH = 256, 65_536  # maximum number of layers, and of channels of a layer
MOST_SIDE = 512  # maximum number of cells per side of a grid


@dataclass(frozen=True)
class Architecture:
    """Description of a network for registry and loader.

    Parameters
    ----------
    sizes : type
        A dataclass with one field for each number or string in `[x.sizes]`. Numbers must be finite and above 0;
        `field(metadata={"zero": True})` permits 0. `__post_init__` raises `ValueError` for other invalid sizes. Sizes
        of encoders have `embedding_dim`, the width d of the embeddings. If the files of a row may have different sizes,
        the method `of_file(keys, model)` returns the sizes of a file, from its keys and its network name ("": none).
    build : callable
        Function from sizes to a network (`torch.nn.Module`), whose weights the loader replaces. It is called on the
        device "meta". Therefore, tensors that are not in the file (unsaved buffers) must be created on first use or in
        `prepare`.
    """

    sizes: type
    build: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not (isinstance(self.sizes, type) and is_dataclass(self.sizes)):
            raise RegistryError(
                f"sizes is {self.sizes!r}. Expected a dataclass with a field for each size. Give such a class."
            )
        if not callable(self.build):
            raise RegistryError(
                f"build is {self.build!r}. Expected a function from sizes to a network. Give a function or class."
            )


@dataclass(frozen=True)
class PointBERTSizes:
    """Sizes of a PointBERT.

    - width, depth, heads, head_width, mlp_width: sizes of the transformer.
    - patches, patch_points: number of patches, and of points in a patch.
    - radius: radius of a patch, for clouds in the unit ball.
    - patch_width: width of the features of a patch before their projection.
    - channels: numbers of an input point.
    - projection: width of the embedding after a last linear layer; 0 without this layer.
    - adapter_width: hidden width of the two adapters that replace this layer in TAMM; 0 without adapters.
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
            raise ValueError("field 'projection' is 0. Expected the width of the embedding, because there are adapters")

    @property
    def embedding_dim(self) -> int:
        return self.projection or self.width


BLOCKS = ("gated", "gated-norm", "plain")


@dataclass(frozen=True)
class Uni3DSizes:
    """Sizes of a Uni3D.

    - width, depth, heads, head_width, mlp_width: sizes of the transformer.
    - block: feed-forward layers of the transformer, "gated" (SwiGLU), "gated-norm" (with a norm before the last layer)
      or "plain" (GELU).
    - patches, patch_points: number of patches, and of points in a patch.
    - patch_width: width of the features of a patch. Layers of the patch network have 1/4, 1/2 and 1 times this width.
    - channels: numbers of an input point.
    - projection: width of the embedding.
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
            raise ValueError(f"field 'block' is {self.block!r}. Expected one of {', '.join(BLOCKS)}")
        if self.patch_width % 4:
            raise ValueError(f"field 'patch_width' is {self.patch_width}. Expected a multiple of 4")

    @property
    def embedding_dim(self) -> int:
        return self.projection


EMBEDDINGS = ("features", "final")
LAST_RELU = {"Res16UNet34C": True, "Res16UNet34CR": False, "Res16UNet34D": False}  # by network name in the file


@dataclass(frozen=True)
class SparseUNetSizes:
    """Sizes of a sparse U-Net.

    - channels: numbers of a voxel.
    - stem, side: width of the first convolution, and cells per side of its kernel, 3 or 5.
    - widths, blocks: widths and numbers of blocks of the four levels down and the four levels up.
    - momentum: momentum of the norms outside the blocks.
    - last_relu: True if the last block ends in a ReLU.
    - outputs, bias: width of the layer `final` (0 without this layer), and True if it has a bias.
    - embedding: "features" for the features of the last block, "final" for the output of the layer `final`.
    - text_width: width of text embeddings before a learned projection to the width of the features; 0 without it.
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
            raise ValueError(f"field 'side' is {self.side}. Expected 3 or 5")
        for name, numbers, most in (("widths", self.widths, MOST_WIDTH), ("blocks", self.blocks, MOST_LAYERS)):
            if len(numbers) != 8 or not all(0 < number <= most for number in numbers):
                raise ValueError(f"field {name!r} is {numbers!s:.80}. Expected 8 numbers from 1 to {most}")
        if self.embedding not in EMBEDDINGS:
            raise ValueError(f"field 'embedding' is {self.embedding!r}. Expected one of {', '.join(EMBEDDINGS)}")
        if self.embedding == "final" and not self.outputs:
            raise ValueError("field 'outputs' is 0. Expected the width of the embedding, which the layer 'final' gives")

    @property
    def embedding_dim(self) -> int:
        return self.outputs if self.embedding == "final" else self.widths[-1]

    def of_file(self, keys: Collection[str], model: str) -> SparseUNetSizes:
        """Sizes of a file with these keys and the network name `model`.

        Files of pre-training have no layer `final`, and only some files have the projection of text embeddings. The
        keys do not show whether there is a last ReLU; the network name does.
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

    - head: input for which the network gives logits. "name", "sentence": the affinity of a name or of a whole sentence.
      "text": the text embedding of a name. "relation": the affinities of a target and of a reference in a relation.
      "text-relation": the text embeddings of a target and of a reference.
    - side: cells per side of the grid.
    - low, high: corners of the box of the grid in meters, z up.
    - hidden, channels: widths of the point layers and of their output.
    - maps, groups, levels: sizes of the 3D U-Net.
    - inputs: numbers of a point after xyz.
    - pooling: reduction over the points of a cell.
    - pointing, text: widths of the vectors of relations and of text; 0 without these vectors.
    - threshold: lowest logit of an occupied cell.
    - legacy: True for the conventions of the released files (see `views.completion.grid`), with pooling "mean".
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
                raise ValueError(f"field {name!r} is {value!r}. Expected one of {', '.join(known)}")
        if self.levels > 10 or self.side > MOST_SIDE or self.side % 2 ** (self.levels - 1):
            expected = f"a multiple of 2^(levels - 1), {2 ** min(self.levels - 1, 9)}, up to {MOST_SIDE}"
            raise ValueError(f"field 'side' is {self.side} with {self.levels} levels. Expected {expected}")
        widths = [self.channels, *(self.maps * 2**i for i in range(self.levels))]
        if any(width > self.groups and width % self.groups for width in widths):
            raise ValueError(f"field 'groups' is {self.groups}. Expected a divisor of the widths {widths}")
        corners = list(zip(self.low, self.high, strict=False))
        if (len(self.low), len(self.high)) != (3, 3) or not all(low < high for low, high in corners):
            raise ValueError(f"fields 'low' and 'high' are {self.low} and {self.high}. Expected two corners of a box")
        if self.relates != bool(self.pointing) or self.head.startswith("text") != bool(self.text):
            raise ValueError(
                f"head {self.head!r} has 'pointing' {self.pointing} and 'text' {self.text}. Expected "
                "'pointing' above 0 for relations only, and 'text' above 0 for text only"
            )

    @property
    def relates(self) -> bool:
        """True if the logits belong to a target in a relation; each relation then has a learned vector."""
        return self.head.endswith("relation")


def _check(channels: int, depth: int) -> None:
    if channels != 6:
        raise ValueError(f"field 'channels' is {channels}. Expected 6: xyz and rgb")
    if depth > MOST_LAYERS:
        raise ValueError(f"field 'depth' is {depth!s:.20}. Expected at most {MOST_LAYERS}")


def _late(module: str, name: str) -> Callable[[Any], Any]:
    """Function or class of a module that is imported on the first call."""
    return lambda argument: getattr(import_module(module), name)(argument)


ARCHITECTURES: dict[str, Architecture] = {
    "pointbert": Architecture(PointBERTSizes, _late("openshape_ood.encoders.pointbert.network", "PointBERT")),
    "uni3d": Architecture(Uni3DSizes, _late("openshape_ood.encoders.uni3d.network", "Uni3D")),
    "sparse-unet": Architecture(SparseUNetSizes, _late("openshape_ood.scenes.sparse.network", "SparseUNet")),
    "completion": Architecture(CompletionSizes, _late("openshape_ood.views.completion.network", "CompletionNetwork")),
}
# kind of a row without architecture -> function that makes a scorer
SCORERS: dict[str, Callable[[Any], Any]] = {
    "comparator": _late("openshape_ood.comparison.comparator", "registered_scorer")
}

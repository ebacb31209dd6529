"""Sparse U-Net. Its sizes make it a MinkUNet or a Res16UNet of MinkowskiEngine.

Names and shapes of the weights equal those of the published files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from openshape_ood.registry.architectures import SparseUNetSizes
from openshape_ood.scenes.sparse.convolution import BatchNorm, Convolution
from openshape_ood.scenes.sparse.grid import LEVELS, Grid, KernelMap
from openshape_ood.scenes.sparse.on_spconv import SpconvGrid, SpconvMap

# for each network: widths of its eight levels, number of blocks of each level, settings that are not the default
_DOWN, _14, _18, _34 = (32, 64, 128, 256), (1,) * 8, (2,) * 8, (2, 3, 4, 6, 2, 2, 2, 2)
_RES16 = {"side": 3, "momentum": 0.02, "last_relu": False}
NETWORKS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "MinkUNet14A": ((*_DOWN, 128, 128, 96, 96), _14, {}),
    "MinkUNet18A": ((*_DOWN, 128, 128, 96, 96), _18, {}),
    "MinkUNet34A": ((*_DOWN, 256, 128, 64, 64), _34, {}),
    "MinkUNet34C": ((*_DOWN, 256, 128, 96, 96), _34, {}),
    "Res16UNet34C": ((*_DOWN, 256, 128, 96, 96), _34, {**_RES16, "last_relu": True}),
    "Res16UNet34CR": ((*_DOWN, 256, 128, 96, 96), _34, _RES16),
    "Res16UNet34D": ((*_DOWN, 256, 256, 256, 512), _34, _RES16),
}


def sizes_of(name: str, **changes: Any) -> SparseUNetSizes:
    """Sizes of a network in `NETWORKS`, with `changes`.

    >>> sizes_of("Res16UNet34D", outputs=200).embedding_dim
    512
    """
    widths, blocks, others = NETWORKS[name]
    settings = {"channels": 3, "stem": 32, "side": 5, "widths": widths, "blocks": blocks, **others, **changes}
    return SparseUNetSizes(**settings)


class Block(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, inside: int, width: int, momentum: float, relu: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = Convolution(inside, width, 27), BatchNorm(width)
        self.conv2, self.norm2 = Convolution(width, width, 27), BatchNorm(width)
        self.relu, self.downsample = relu, None
        if inside != width:
            self.downsample = nn.ModuleList([Convolution(inside, width), BatchNorm(width, momentum)])

    def forward(self, x: Tensor, where: KernelMap | SpconvMap) -> Tensor:
        out = self.norm2(self.conv2(self.norm1(self.conv1(x, where)), where), relu=False)
        if self.downsample is not None:
            x = self.downsample[1](self.downsample[0](x), relu=False)
        out += x
        return F.relu(out, inplace=True) if self.relu else out


class Blocks(nn.ModuleList):
    """Residual blocks of one level."""

    def __init__(self, inside: int, width: int, count: int, momentum: float, last_relu: bool = True) -> None:
        widths = [inside, *[width] * count]
        super().__init__(Block(widths[i], width, momentum, last_relu or i < count - 1) for i in range(count))

    def forward(self, x: Tensor, where: KernelMap | SpconvMap) -> Tensor:
        for block in self:
            x = block(x, where)
        return x


class SparseUNet(nn.Module):
    """Network from voxel inputs to voxel embeddings.

    Four steps of stride 2 down and four up, with skip connections. In MinkowskiEngine's names, `conv1p1s2` goes from
    stride 1 to 2, `convtr4p16s2` from stride 16 to 8.
    """

    def __init__(self, sizes: SparseUNetSizes) -> None:
        super().__init__()
        self.sizes, widths, momentum = sizes, sizes.widths, sizes.momentum
        self.conv0p1s1 = Convolution(sizes.channels, sizes.stem, sizes.side**3)
        self.bn0 = BatchNorm(sizes.stem, momentum)
        inside, skips = sizes.stem, [sizes.stem, *widths[: LEVELS - 1]]
        for i in range(LEVELS):
            self.add_module(f"conv{i + 1}p{2**i}s2", Convolution(inside, inside, 8))
            self.add_module(f"bn{i + 1}", BatchNorm(inside, momentum))
            self.add_module(f"block{i + 1}", Blocks(inside, widths[i], sizes.blocks[i], momentum))
            inside = widths[i]
        for i in range(LEVELS, 2 * LEVELS):
            self.add_module(f"convtr{i}p{2 ** (2 * LEVELS - i)}s2", Convolution(inside, widths[i], 8))
            self.add_module(f"bntr{i}", BatchNorm(widths[i], momentum))
            inside, relu = widths[i] + skips.pop(), sizes.last_relu or i < 2 * LEVELS - 1
            self.add_module(f"block{i + 1}", Blocks(inside, widths[i], sizes.blocks[i], momentum, relu))
            inside = widths[i]
        if sizes.outputs:
            self.final = Convolution(inside, sizes.outputs, bias=sizes.bias)
        if sizes.text_width:  # for text embeddings of names; `forward` does not use it
            self.projection_layer = nn.Conv1d(sizes.text_width, inside, 1)

    def forward(self, x: Tensor, grid: Grid | SpconvGrid) -> Tensor:
        """Embeddings (v, d) of voxel inputs (v, c)."""
        return self.embed(self.features(x, grid))

    def features(self, x: Tensor, grid: Grid | SpconvGrid) -> Tensor:
        """Features (v, w) of voxel inputs (v, c): output of the last block, before any classifier."""
        get, finer = self.get_submodule, list[tuple[Grid | SpconvGrid, Tensor]]()
        out = self.bn0(self.conv0p1s1(x, grid.neighbors(self.sizes.side)))
        for i in range(LEVELS):
            finer.append((grid, out))
            out = get(f"bn{i + 1}")(get(f"conv{i + 1}p{2**i}s2")(out, grid.down))
            grid = grid.coarser
            out = get(f"block{i + 1}")(out, grid.neighbors(3))
        for i in range(LEVELS, 2 * LEVELS):
            grid, skipped = finer.pop()
            out = get(f"bntr{i}")(get(f"convtr{i}p{2 ** (2 * LEVELS - i)}s2")(out, grid.up))
            out = get(f"block{i + 1}")(torch.cat([out, skipped], dim=1), grid.neighbors(3))
        return out

    def embed(self, features: Tensor) -> Tensor:
        """Embeddings (v, d) of features (v, w): the features, or the output of `final`."""
        return self.classify(features) if self.sizes.embedding == "final" else features

    def classify(self, features: Tensor) -> Tensor:
        """Output of `final` for features (v, w): logits (v, k) of the training classes."""
        return self.final(features)

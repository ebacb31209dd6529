"""U-Net for rebuilding tiles, as published with Competitive Reconstruction Networks, or with group norm.

Its tensors have the names of the published files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from openshape_ood.checks import check_choice, check_whole
from openshape_ood.errors import InputError

NORMS = ("group", "batch", "instance", "none")
VARIANTS = ("improved", "plain")
LEAST_DEPTH, MOST_DEPTH, DEFAULT_DEPTH = 5, 12, 8
LEAK = 0.2


@dataclass(frozen=True)
class UNetSizes:
    """Settings of a U-Net.

    channels: of input and output. width: channels of the outermost level. depth: number of levels. variant: "improved"
    upsamples by repetition, "plain" by transposed convolutions. dropout: in the levels with 8 * width
    channels on both sides, except the innermost level.
    """

    channels: int = 3
    width: int = 16
    depth: int = LEAST_DEPTH
    norm: str = "group"
    variant: str = "improved"
    dropout: bool = False

    def __post_init__(self) -> None:
        check_whole(self.channels, "channels")
        check_whole(self.width, "width")
        check_choice(self.norm, "norm", NORMS)
        check_choice(self.variant, "variant", VARIANTS)
        if check_whole(self.depth, "depth", LEAST_DEPTH) > MOST_DEPTH:
            raise InputError(
                f"depth is {self.depth}. Expected {LEAST_DEPTH} to {MOST_DEPTH} levels. Leave it out to fit the tiles."
            )

    def check_sides(self, height: int, width: int) -> None:
        """Raise `InputError` for tiles whose sides are no multiples of 2^depth."""
        step = 2**self.depth
        if height % step or width % step or not height * width:
            raise InputError(
                f"tiles have {height} x {width} pixels. Expected multiples of {step}, because this U-Net has "
                f"{self.depth} levels (at least {LEAST_DEPTH}). Resize the tiles."
            )


def depth_of(height: int, width: int) -> int:
    """Number of levels for a tile size: floor(log2(shorter side)), limited to 5 to 8, as published.

    Fewer levels, but at least 5, if a side is no multiple of 2^levels.

    >>> depth_of(128, 128), depth_of(32, 64), depth_of(1024, 1024), depth_of(96, 96)
    (7, 5, 8, 5)
    """
    depth = min(max(LEAST_DEPTH, min(height, width).bit_length() - 1), DEFAULT_DEPTH)
    while depth > LEAST_DEPTH and (height % 2**depth or width % 2**depth):
        depth -= 1
    return depth


class UNet(nn.Module):
    """Network from tiles (b, c, h, w) to tiles of the same shape, within (-1, 1).

    Raises
    ------
    InputError
        If called with sides that are no multiples of 2^depth.

    References
    ----------
    Mattes, Richter, Döllner, AGILE: GIScience Series 4, 7, 2023; pix2pix, arXiv 1611.07004.

    Examples
    --------
    >>> UNet(UNetSizes(depth=5))(torch.zeros(1, 3, 32, 64)).shape
    torch.Size([1, 3, 32, 64])
    """

    def __init__(self, sizes: UNetSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.model = _Level(sizes, 0)

    def forward(self, tiles: Tensor) -> Tensor:
        self.sizes.check_sides(*tiles.shape[2:])
        return self.model(tiles)

    def initialize(self, fan: Literal["fan_in", "fan_out"] = "fan_in") -> UNet:
        """Initialize weights with torch's generator. With "fan_out", as published, half of the outputs saturate."""
        for one in self.modules():
            if isinstance(one, nn.Conv2d | nn.ConvTranspose2d):
                # for transposed convolutions torch exchanges the fans; published files were initialized the same way
                nn.init.kaiming_normal_(one.weight, mode=fan)
                if one.bias is not None:
                    nn.init.zeros_(one.bias)
            elif fan == "fan_out" and isinstance(one, nn.BatchNorm2d):
                nn.init.normal_(one.weight, 1, 0.02)
        return self


class _Level(nn.Module):
    """A level and all levels inside it. The outermost level returns its output; others append it to their input."""

    def __init__(self, sizes: UNetSizes, level: int) -> None:
        super().__init__()
        self.outermost = level == 0
        innermost = level == sizes.depth - 1
        inner = sizes.width * min(2**level, 8)
        outer = sizes.channels if self.outermost else sizes.width * min(2 ** (level - 1), 8)
        bias = sizes.norm == "instance"
        down = nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)
        below = [] if innermost else [_Level(sizes, level + 1)]
        up = _up(inner if innermost else 2 * inner, outer, sizes, bias or (self.outermost and sizes.variant == "plain"))
        if self.outermost:
            layers = [down, *below, nn.ReLU(), *up, nn.Tanh()]
        else:
            layers = [nn.LeakyReLU(LEAK), down, *([] if innermost else _norm(sizes, inner)), *below]
            layers += [nn.ReLU(), *up, *_norm(sizes, outer)]
            # levels with 8 * width channels on both sides, except the innermost level
            layers += [nn.Dropout(0.5)] * (sizes.dropout and not innermost and outer == inner)
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        # the published code changes x in place; the following ReLU gives the same result
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def _up(inner: int, outer: int, sizes: UNetSizes, bias: bool) -> list[nn.Module]:
    if sizes.variant == "plain":
        return [nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inner, outer, 3, 1, 1, bias=bias)]


def _norm(sizes: UNetSizes, width: int) -> list[nn.Module]:
    if sizes.norm == "group":
        return [nn.GroupNorm(math.gcd(8, width), width)]
    plain = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
    return [plain[sizes.norm](width)] if sizes.norm in plain else []

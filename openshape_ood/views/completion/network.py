"""Completion network: point features, a residual 3D U-Net, and a decoder for any position.

Its input is the affinity of each point to a name, not the name itself. `sizes.head` is one of five heads: the decoder
gives a logit, or a vector that is compared with a text embedding or with the query of a relation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, max_pool3d, relu

from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.views.completion.grid import Grid, scatter

TEMPERATURE, SLOPE = 0.07, 0.01  # divisor of cosines in logits; slope of leaky ReLUs
# relations in the camera's frame, where +x is forward and +y is left
RELATIONS = ("in", "behind", "in front of", "on the left of", "on the right of", "on")


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with leaky ReLUs between them."""
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += [nn.Linear(inside, outside), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


class Stage(nn.Module):
    """Group norm, then a convolution."""

    def __init__(self, inside: int, outside: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups if inside >= groups else 1, inside)
        self.conv = nn.Conv3d(inside, outside, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.norm(x))


class Residual(nn.Module):
    """Three stages; the first output is added to the last."""

    def __init__(self, inside: int, outside: int, groups: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(inside if not i else outside, outside, groups) for i in range(3))

    def forward(self, x: Tensor) -> Tensor:
        first = relu(self.stages[0](x))
        return relu(self.stages[2](relu(self.stages[1](first))) + first)


class UNet(nn.Module):
    """U-Net on (b, channels, s, s, s); s is a multiple of 2^(levels - 1)."""

    def __init__(self, channels: int, maps: int, groups: int, levels: int) -> None:
        super().__init__()
        widths = [maps * 2**i for i in range(levels)]
        down, up = list(pairwise([channels, *widths])), list(pairwise(reversed(widths)))
        self.encoders = nn.ModuleList(Residual(a, b, groups) for a, b in down)
        self.upsamplings = nn.ModuleList(nn.ConvTranspose3d(a, b, 3, stride=2, padding=1) for a, b in up)
        self.decoders = nn.ModuleList(Residual(b, b, groups) for _, b in up)
        self.last = nn.Conv3d(maps, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for i, encoder in enumerate(self.encoders):
            skips.append(encoder(max_pool3d(skips[-1], 2) if i else x))
        x = skips.pop()
        for upsampling, decoder in zip(self.upsamplings, self.decoders, strict=True):
            skip = skips.pop()
            x = decoder(skip + upsampling(x, output_size=skip.shape[2:]))
        return self.last(x)


class CompletionNetwork(nn.Module):
    """Network from points with features to a volume for each name, and from a volume to logits at any position.

    `volume` is slow and needed once per name; `decode` is fast and can be repeated.
    """

    def __init__(self, sizes: CompletionSizes) -> None:
        super().__init__()
        self.sizes, self.grid = sizes, Grid(sizes.side, sizes.low, sizes.high, sizes.legacy)
        read = sizes.channels * (2 if sizes.head == "relation" else 1)
        self.positional = sizes.head != "text-relation"  # True if the decoder gets query coordinates
        outputs = {"text": sizes.text, "relation": sizes.pointing, "text-relation": sizes.pointing}.get(sizes.head, 1)
        self.points = perceptron(3 + sizes.inputs, sizes.hidden, sizes.hidden, sizes.channels)
        self.unet = UNet(sizes.channels, sizes.maps, sizes.groups, sizes.levels)
        self.decoder = perceptron(read + 3 * self.positional, read, outputs)
        if sizes.relates:
            self.relations = nn.ParameterDict({name: torch.randn(sizes.pointing) for name in RELATIONS})
        if sizes.head == "text-relation":
            self.query = nn.Linear(2 * sizes.text + sizes.pointing, sizes.pointing)

    def scattered(self, points: Tensor, features: Tensor) -> Tensor:
        """Input (b, channels, s, s, s) of the U-Net, from the arguments of `volume`."""
        b, s, inside = len(points), self.sizes.side, self.grid.inside(points)
        places = points[inside]
        numbers = self.points(torch.cat([places, features[inside]], -1))
        index = self.grid.cells(places) + inside.nonzero()[:, 0] * s**3
        cells = scatter(numbers, index, b * s**3, "mean" if self.sizes.legacy else self.sizes.pooling)
        # contiguous, because channels-last kernels are less exact on volumes that are mostly empty
        return cells.view(b, s, s, s, -1).permute(0, 4, 1, 2, 3).contiguous()

    def volume(self, points: Tensor, features: Tensor) -> Tensor:
        """Feature volume (b, channels, s, s, s) of each name.

        points: (b, n, 3) in the frame of the grid. Points outside of its box, such as padding, are dropped, except with
        `legacy`. features: (b, n, inputs), affinities to the name; rgb in [0, 1] for the head "text".
        """
        return self.unet(self.scattered(points, features))

    def decode(self, volume: Tensor, queries: Tensor, query: Tensor | None = None) -> Tensor:
        """Logits (b, m) at queries (b, m, 3).

        volume: (b, channels, s, s, s). For head "relation": the volumes of target and reference, concatenated along the
        channels. query: (b, d), from `relation_query`; for head "text", the text embedding of the name.
        """
        features = self.grid.read(volume, queries)
        if self.positional:
            features = torch.cat([features, self.grid.positions(queries)], -1)
        pointed = self.decoder(features)
        if query is None:
            return pointed[..., 0]
        return cosine_similarity(pointed, query[:, None], dim=-1) / TEMPERATURE

    def relation_query(self, relations: Sequence[str], texts: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Queries (b, d) of b relations for `decode`. texts: embeddings (b, t) of targets and references, if needed."""
        vectors = torch.stack([self.relations[name] for name in relations])
        return vectors if texts is None else self.query(torch.cat([*texts, vectors], -1))

    def forward(self, points: Tensor, features: Tensor, queries: Tensor, query: Tensor | None = None) -> Tensor:
        """Logits (b, m) of names by `volume` and `decode`. Not for head "relation", which needs two volumes."""
        return self.decode(self.volume(points, features), queries, query)

"""The classifiers of 3DOS: an encoder, a projection to 256 features and a head, with the published names of weights.

The encoders are DGCNN and two different networks called PointNet++. `pn2` follows the compiled operators that 3DOS
uses. `pn2_torch` is a port in plain torch that was published with other figures. Clouds are (b, n, 3), centered, with a
largest norm of 1. Architectures: github.com/antoalli/3D_OS `models/`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.baselines.layers import Groups, applied, edge_moments, in_use, rectified, strongest
from openshape_ood.checks import check_choice
from openshape_ood.encoders.grouping.plain import TABLE_ELEMENTS, gather, lowest
from openshape_ood.encoders.grouping.pointnet2 import sample_outside_core
from openshape_ood.encoders.grouping.samplers import find_grouping
from openshape_ood.errors import CloudError, InputError

WIDTH = 256  # number of features that the scores use
NEIGHBORS = 20
CENTERS = (512, 128)
# for each level and scale: radius, members per group, widths
SCALES: tuple[tuple[tuple[float, int, tuple[int, ...]], ...], ...] = (
    ((0.1, 16, (32, 32, 64)), (0.2, 32, (64, 64, 128)), (0.4, 128, (64, 96, 128))),
    ((0.2, 32, (64, 64, 128)), (0.4, 64, (128, 128, 256)), (0.8, 128, (128, 128, 256))),
)
Pairs = Sequence[tuple[Any, Any]]  # convolutions with their batch normalizations
INTO, LAST = (3, 323), (643, 256, 512, 1024)  # input width of the first two levels; widths of the last level


class DGCNN(nn.Module):
    """Clouds (b, n, 3) -> (b, 2048). Each level searches the 20 neighbors of each point anew, itself included."""

    out = 2048

    def __init__(self) -> None:
        super().__init__()
        for i, (into, width) in enumerate(((6, 64), (128, 64), (128, 128), (256, 256)), 1):
            self.add_module(f"conv{i}", nn.Sequential(nn.Conv2d(into, width, 1, bias=False), nn.BatchNorm2d(width)))
        self.conv5 = nn.Sequential(nn.Conv1d(512, 1024, 1, bias=False), nn.BatchNorm1d(1024))

    def forward(self, clouds: Tensor) -> Tensor:
        if clouds.shape[1] < NEIGHBORS:
            raise CloudError(
                f"a cloud has {clouds.shape[1]} points. Expected {NEIGHBORS} or more for DGCNN. Draw more points"
            )
        rows, levels = clouds, []
        for i in range(1, 5):
            rows = self._level(rows, *self.get_submodule(f"conv{i}").children())
            levels.append(rows)
        points = functional.leaky_relu(applied(torch.cat(levels, dim=2).flatten(0, 1), *self.conv5.children()), 0.2)
        points = points.unflatten(0, clouds.shape[:2])
        return torch.cat([points.amax(dim=1), points.mean(dim=1)], dim=1)

    def _level(self, rows: Tensor, convolution: Any, norm: Any) -> Tensor:
        """Rows (b, n, c) -> (b, n, width).

        W [xj - xi, xi] is computed as A xj + (B - A) xi, which takes n products instead of 20 n. Batch normalization
        only scales and shifts, so the maximum over the neighbors is enough, and no features of edges are stored.
        """
        (a, b), neighbors = convolution.weight[:, :, 0, 0].chunk(2, dim=1), nearest_rows(rows)
        near, center, norm = functional.linear(rows, a), functional.linear(rows, b - a), in_use(norm)
        mean, var = (
            edge_moments(near, center, neighbors, norm) if norm.training else (norm.running_mean, norm.running_var)
        )
        factor = norm.weight * torch.rsqrt(var + norm.eps)
        out = strongest(near * factor, neighbors) + center * factor + (norm.bias - mean * factor)
        return functional.leaky_relu(out, 0.2)


def nearest_rows(rows: Tensor, count: int = NEIGHBORS) -> Tensor:
    """Indices (b, n, count) of the rows (b, n, c) nearest to each row, itself included, in any order."""
    with torch.no_grad():
        # the square of row i is left out, because it is the same for all neighbors of i
        nearness = torch.baddbmm(-rows.square().sum(dim=2)[:, None], rows, rows.transpose(1, 2), alpha=2)
        return nearness.topk(count, dim=2, sorted=False).indices


class PointNet2(nn.Module):
    """Clouds (b, n, 3) -> (b, 1024), as by the operators of `pointnet2_ops`."""

    out = 1024

    def __init__(self) -> None:
        super().__init__()
        levels: list[Sequence[Sequence[int]]] = [
            [(into, *widths) for *_, widths in scales] for into, scales in zip(INTO, SCALES, strict=True)
        ]
        self.SA_modules = nn.ModuleList(_Scales(level) for level in [*levels, [LAST]])

    def forward(self, clouds: Tensor) -> Tensor:
        features: Any = None
        xyz, sample = clouds, find_grouping("auto", clouds.device).sample
        modules: Any = self.SA_modules
        for level, scales, count in zip(modules, SCALES, CENTERS, strict=False):
            centers = gather(xyz, sample_outside_core(xyz, count, sample))
            parts = []
            for (radius, kept, _), mlp in zip(scales, level.mlps, strict=True):
                members = strict_ball(xyz, centers, radius, kept)
                parts.append(_of_members(_pairs(mlp), members, xyz, centers, features, offset_first=True))
            xyz, features = centers, torch.cat(parts, dim=2)
        return _of_all(_pairs(modules[2].mlps[0]), xyz, features)


class _Scales(nn.Module):
    def __init__(self, mlps: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.mlps = nn.ModuleList(nn.Sequential(*_layers(widths)) for widths in mlps)


def _layers(widths: Sequence[int]) -> Iterator[nn.Module]:
    for into, width in itertools.pairwise(widths):
        yield from (nn.Conv2d(into, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


def _pairs(mlp: Any) -> Pairs:
    return list(zip(mlp[::3], mlp[1::3], strict=True))


def _of_members(
    pairs: Pairs, members: Tensor, xyz: Tensor, centers: Tensor, features: Tensor | None, *, offset_first: bool
) -> Tensor:
    """Layers on the members (b, p, k) of p groups, then the maximum over each group: (b, p, width).

    The input of a member is its offset from the center, and its features. offset_first: True if the first columns of
    the first weights are for the offset, False if the last ones are. The weights for features are applied to the points
    before grouping, which takes fewer products.
    """
    (convolution, norm), *rest = pairs
    groups, weight = Groups.of(members, xyz.shape[1]), convolution.weight.flatten(1)
    offsets = xyz.flatten(0, 1)[groups.rows] - centers.flatten(0, 1)[groups.owners]
    rows = functional.linear(offsets, weight[:, :3] if offset_first else weight[:, -3:], convolution.bias)
    if features is not None:
        other = weight[:, 3:] if offset_first else weight[:, :-3]
        rows = rows + functional.linear(features.flatten(0, 1), other).index_select(0, groups.rows)
    rows = rectified(rows, norm, groups.counts)
    for convolution, norm in rest:
        rows = functional.linear(rows, convolution.weight.flatten(1), convolution.bias)
        rows = rectified(rows, norm, groups.counts)
    return groups.strongest(rows).unflatten(0, members.shape[:2])


def _of_all(pairs: Pairs, xyz: Tensor, features: Tensor) -> Tensor:
    """Layers on positions (b, p, 3) and features of all centers, then the maximum over the centers: (b, width)."""
    rows = torch.cat([xyz, features], dim=2).flatten(0, 1)
    for convolution, norm in pairs:
        rows = functional.relu(applied(rows, convolution, norm))
    return rows.unflatten(0, xyz.shape[:2]).amax(dim=1)


def strict_ball(xyz: Tensor, centers: Tensor, radius: float, count: int) -> Tensor:
    """Indices as by `ball_query`, but strictly within `radius`, and with distances computed from differences."""
    with torch.no_grad():
        rows = max(1, TABLE_ELEMENTS // (xyz.shape[1] * centers.shape[1]))
        parts = []
        for cloud, middles in zip(xyz.split(rows), centers.split(rows), strict=True):
            x, y, z = (middles[:, :, None, i] - cloud[:, None, :, i] for i in range(3))
            parts.append(lowest(x * x + y * y + z * z < radius**2, count))
        return torch.cat(parts)


class PointNet2Torch(nn.Module):
    """Clouds (b, n, 3) -> (b, 1024), as by the port in plain torch.

    start: generator of the random first center of each level, which the port uses also in evaluation. None: point 0.
    """

    out = 1024

    def __init__(self) -> None:
        super().__init__()
        self.start: torch.Generator | None = None
        for i, (into, scales) in enumerate(zip(INTO, SCALES, strict=True), 1):
            self.add_module(f"sa{i}", _Port([(into, *widths) for *_, widths in scales]))
        self.sa3 = _PortLast(LAST)

    def forward(self, clouds: Tensor) -> Tensor:
        if clouds.shape[1] < CENTERS[0]:
            count = clouds.shape[1]
            raise CloudError(
                f"a cloud has {count} points. Expected {CENTERS[0]} or more for pn2_torch. Draw more points"
            )
        features: Any = None
        xyz, query = clouds, find_grouping("auto", clouds.device).query
        for i, (scales, count) in enumerate(zip(SCALES, CENTERS, strict=True), 1):
            centers = gather(xyz, self._sample(xyz, count))
            parts = []
            part: Any = self.get_submodule(f"sa{i}")
            blocks = zip(scales, part.conv_blocks, part.bn_blocks, strict=True)
            for (radius, kept, _), convolutions, norms in blocks:
                members, pairs = query(xyz, centers, radius, kept), list(zip(convolutions, norms, strict=True))
                parts.append(_of_members(pairs, members, xyz, centers, features, offset_first=False))
            xyz, features = centers, torch.cat(parts, dim=2)
        return _of_all(list(zip(self.sa3.mlp_convs, self.sa3.mlp_bns, strict=True)), xyz, features)

    def _sample(self, xyz: Tensor, count: int) -> Tensor:
        sample = find_grouping("auto", xyz.device).sample
        if self.start is None:
            return sample(xyz, count)
        first = torch.randint(xyz.shape[1], (len(xyz), 1), generator=self.start).to(xyz.device)
        rest = torch.arange(xyz.shape[1] - 1, device=xyz.device).expand(len(xyz), -1)
        order = torch.cat([first, rest + (rest >= first)], dim=1)  # samplers start at the first row
        return order.gather(1, sample(gather(xyz, order), count))


class _Port(nn.Module):
    def __init__(self, mlps: Sequence[Sequence[int]]) -> None:
        super().__init__()
        pairs = [list(itertools.pairwise(widths)) for widths in mlps]
        self.conv_blocks = nn.ModuleList(nn.ModuleList(nn.Conv2d(*pair, 1) for pair in of) for of in pairs)
        self.bn_blocks = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(width) for _, width in of) for of in pairs)


class _PortLast(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.mlp_convs = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in itertools.pairwise(widths))
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])


# --- heads ---


class Cosines(nn.Module):
    """Features (b, 256) -> cosine (b, k) with the nearest center of each class.

    The rows of `weight` are the centers, class by class.
    """

    def __init__(self, classes: int, centers: int) -> None:
        super().__init__()
        self.centers = centers
        self.weight = nn.Parameter(torch.empty(centers * classes, WIDTH))

    def forward(self, features: Tensor) -> Tensor:
        cosines = functional.normalize(features) @ functional.normalize(self.weight).T
        return cosines.reshape(len(features), -1, self.centers).amax(dim=2)


class ReciprocalPoints(nn.Module):
    """Features (b, 256) -> logits (b, k): mean squared distance to a class's reciprocal point, minus their product."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.points = nn.Parameter(torch.empty(classes, WIDTH))
        self.radius = nn.Parameter(torch.zeros(1))

    def distances(self, features: Tensor) -> Tensor:
        return (features[:, None] - self.points).square().mean(dim=2)

    def forward(self, features: Tensor) -> Tensor:
        return self.distances(features) - features @ self.points.T


NETWORKS: dict[str, type[nn.Module]] = {"dgcnn": DGCNN, "pn2": PointNet2, "pn2_torch": PointNet2Torch}
TITLES = {"dgcnn": "DGCNN", "pn2": "PointNet++", "pn2_torch": "PointNet++ port"}
HEADS = ("CE", "cosine", "subcenter_arcface", "ARPL")


@dataclass(frozen=True)
class Sizes:
    """Network (a key of `NETWORKS`), head (one of `HEADS`) and number of classes of a classifier."""

    network: str
    head: str
    classes: int

    def __post_init__(self) -> None:
        check_choice(self.network, "network", tuple(NETWORKS))
        check_choice(self.head, "head", HEADS)
        if self.classes < 2:
            raise InputError(f"there is {self.classes} known class. Expected two or more for a classifier. Add classes")


class Classifier(nn.Module):
    """Clouds (b, n, 3) -> features (b, 256), the input of the head, and logits (b, k)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        encoder: Any = NETWORKS[sizes.network]()
        act = nn.LeakyReLU(0.2) if sizes.network == "dgcnn" else nn.ReLU()
        wide = 2 * WIDTH
        self.enco = encoder
        self.penultimate = nn.Sequential(
            nn.Linear(int(encoder.out), wide, bias=False), nn.BatchNorm1d(wide), act, nn.Dropout(0.5),
            nn.Linear(wide, WIDTH, bias=sizes.head != "CE"),
        )  # fmt: skip
        if sizes.head == "CE":
            last = nn.Linear(WIDTH, sizes.classes)
            self.head: nn.Module = nn.Sequential(nn.BatchNorm1d(WIDTH), act, nn.Dropout(0.5), last)
        elif sizes.head == "ARPL":
            self.head = ReciprocalPoints(sizes.classes)
        else:
            self.head = Cosines(sizes.classes, 3 if sizes.head == "subcenter_arcface" else 1)

    def forward(self, clouds: Tensor) -> tuple[Tensor, Tensor]:
        features = self.penultimate(self.enco(clouds))
        return features, self.head(features)

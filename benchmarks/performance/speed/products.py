"""The matrix products that an embedding takes: their sizes, their floating-point operations, their time alone.

Two ways are counted. "plain": the set abstraction's layers on every member of every group, every token through every
block. "needed": what gives the same embedding with the fewest products, and what the bound is timed on: the first
layer once a point instead of once a member (it is linear, so the center's part is taken off afterwards), and in the
last block queries, output and feed-forward for the class token alone. Normalizations, softmax, sampling and grouping
count nothing in either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.performance.speed.clock import Clock
from benchmarks.performance.speed.plain import HIDDEN
from openshape_ood.registry.architectures import PointBERTSizes

LARGEST = 1 << 24  # elements of a product that are written at once


@dataclass(frozen=True)
class Product:
    """`batch` products of (rows, inner) by (inner, columns); weights: the right side is the network's, not data."""

    stage: str
    batch: int
    rows: int
    inner: int
    columns: int
    weights: bool = True

    @property
    def flop(self) -> int:
        """Multiplications and additions."""
        return 2 * self.batch * self.rows * self.inner * self.columns


def needed(sizes: PointBERTSizes, clouds: int, points: int) -> Iterator[Product]:
    """The fewest products of `clouds` clouds of `points` points."""
    yield Product("abstract", 1, clouds * points, sizes.channels, HIDDEN)
    yield Product("abstract", 1, clouds * sizes.patches, 3, HIDDEN)
    yield from _members(sizes, clouds)
    yield from _lift(sizes, clouds)
    for _ in range(sizes.depth - 1):
        yield from _block(sizes, clouds, sizes.patches + 1)
    yield from _block(sizes, clouds, 1)
    yield from _projection(sizes, clouds)


def plain(sizes: PointBERTSizes, clouds: int) -> Iterator[Product]:
    """The products of the plain way; how many points a cloud has does not matter to it."""
    members = clouds * sizes.patches * sizes.patch_points
    yield Product("abstract", 1, members, sizes.channels + 3, HIDDEN)
    yield from _members(sizes, clouds)
    yield from _lift(sizes, clouds)
    for _ in range(sizes.depth):
        yield from _block(sizes, clouds, sizes.patches + 1)
    yield from _projection(sizes, clouds)


def _members(sizes: PointBERTSizes, clouds: int) -> Iterator[Product]:
    rows = clouds * sizes.patches * sizes.patch_points
    yield Product("abstract", 1, rows, HIDDEN, HIDDEN)
    yield Product("abstract", 1, rows, HIDDEN, sizes.patch_width)


def _lift(sizes: PointBERTSizes, clouds: int) -> Iterator[Product]:
    yield Product("transform", 1, clouds * sizes.patches, sizes.patch_width + 3, sizes.width)


def _block(sizes: PointBERTSizes, clouds: int, asking: int) -> Iterator[Product]:
    """One block in which `asking` tokens of each cloud go on, and all are looked at."""
    width, inner, tokens = sizes.width, sizes.heads * sizes.head_width, sizes.patches + 1
    if asking == tokens:
        yield Product("transform", 1, clouds * tokens, width, 3 * inner)
    else:
        yield Product("transform", 1, clouds * asking, width, inner)
        yield Product("transform", 1, clouds * tokens, width, 2 * inner)
    yield Product("transform", clouds * sizes.heads, asking, sizes.head_width, tokens, weights=False)
    yield Product("transform", clouds * sizes.heads, asking, tokens, sizes.head_width, weights=False)
    yield Product("transform", 1, clouds * asking, inner, width)
    yield Product("transform", 1, clouds * asking, width, sizes.mlp_width)
    yield Product("transform", 1, clouds * asking, sizes.mlp_width, width)


def _projection(sizes: PointBERTSizes, clouds: int) -> Iterator[Product]:
    if sizes.projection:
        yield Product("transform", 1, clouds, sizes.width, sizes.projection)


def flop(products: Iterator[Product]) -> dict[str, int]:
    """Stage -> floating-point operations."""
    counts: dict[str, int] = defaultdict(int)
    for product in products:
        counts[product.stage] += product.flop
    return dict(counts)


class Bound:
    """The products of a list, on made-up numbers of one type, one after the other and nothing else.

    Results are written where earlier ones were, so that no memory is asked for; each block has weights of its own, as
    it has in the network, because a small batch waits for them to be read.
    """

    def __init__(self, products: Sequence[Product], device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._data: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self._stages: dict[str, list[Callable[[], object]]] = defaultdict(list)
        for product in products:
            self._stages[product.stage] += self._pieces(product)

    def __call__(self, clock: Clock) -> None:
        """One pass; the clock is told at the end of each stage."""
        for stage, pieces in self._stages.items():
            for multiply in pieces:
                multiply()
            clock.mark(stage)

    def _pieces(self, product: Product) -> Iterator[Callable[[], object]]:
        """The product in as few pieces as memory suggests."""
        batch, rows = product.batch, product.rows
        if product.weights:
            rows = min(rows, max(1, LARGEST // product.columns))
            counts = _split(product.rows, rows)
        else:
            batch = min(batch, max(1, LARGEST // (rows * product.columns)))
            counts = _split(product.batch, batch)
        right = self._right(product, batch)
        for count in counts:
            own = (1, count) if product.weights else (count, rows)
            left = self._reused("left", (batch, rows, product.inner))[: own[0], : own[1]]
            out = self._reused("out", (batch, rows, product.columns))[: own[0], : own[1]]
            yield _multiplication(left, right[: own[0]], out)

    def _right(self, product: Product, batch: int) -> Tensor:
        shape = (batch, product.columns, product.inner)
        kept = self._made_up(shape) if product.weights else self._reused("right", shape)
        return kept.transpose(1, 2)  # as linear layers and keys lie in memory

    def _reused(self, side: str, shape: tuple[int, ...]) -> Tensor:
        if (side, shape) not in self._data:
            self._data[side, shape] = self._made_up(shape)
        return self._data[side, shape]

    def _made_up(self, shape: tuple[int, ...]) -> Tensor:
        return (0.1 * torch.randn(shape, device=self.device)).to(self.dtype)


def _split(whole: int, piece: int) -> list[int]:
    full, rest = divmod(whole, piece)
    return [piece] * full + ([rest] if rest else [])


def _multiplication(left: Tensor, right: Tensor, out: Tensor) -> Callable[[], object]:
    if len(out) == 1:
        a, b, c = left[0], right[0], out[0]
        return lambda: torch.mm(a, b, out=c)
    return lambda: torch.bmm(left, right, out=out)

"""Matrix products of any network: recorded during one pass, counted, and timed without the rest of the network.

Recorded are linear layers, convolutions, matrix products and attention. Products with the same weights are merged to
one product, so that the batching of the network has no effect. Normalization, softmax and other operations do not
count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.performance.harness import Clock, Pass

LARGEST = 1 << 24  # most elements of a result that are computed at once


@dataclass(frozen=True)
class Product:
    """`batch` products of (rows, inner) by (inner, columns).

    weights: id of the weight matrix; None if both factors are data.
    """

    stage: str
    batch: int
    rows: int
    inner: int
    columns: int
    weights: tuple[int, ...] | None = None

    @property
    def flop(self) -> int:
        """Number of multiplications and additions."""
        return 2 * self.batch * self.rows * self.inner * self.columns


class _Watch(TorchDispatchMode):
    """Records the shapes of products. Composite operations are decomposed first."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Product] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func._overloadpacket.__name__, kwargs or {}
        if name not in SHAPES:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if name in SHAPES:
            self.seen += SHAPES[name](args, result)
        return result


def _by_weights(matrix: Tensor, rows: int, inner: int, columns: int, batch: int = 1) -> list[Product]:
    return [Product("", batch, rows, inner, columns, (matrix.data_ptr(), inner, columns))]


def _of_matrices(left: Tensor, right: Tensor) -> list[Product]:
    if left.ndim == 2:
        return _by_weights(right, left.shape[0], left.shape[1], right.shape[1])
    return [Product("", left.shape[0], left.shape[1], left.shape[2], right.shape[2])]


def _linear(args: Any, result: Tensor) -> list[Product]:
    columns, inner = args[1].shape
    return _by_weights(args[1], result.numel() // columns, inner, columns)


def _convolution(args: Any, result: Tensor) -> list[Product]:
    weight, groups = args[1], args[8]
    many = args[0] if args[6] else result  # transposed: as a convolution of the result
    return _by_weights(weight, many.numel() // len(weight), weight[0].numel(), len(weight) // groups, groups)


def _attention(args: Any, result: Any) -> list[Product]:
    query, key, value = args[:3]
    *batch, rows, width = query.shape
    scores = Product("", int(torch.Size(batch).numel()), rows, width, key.shape[-2])
    return [scores, replace(scores, inner=key.shape[-2], columns=value.shape[-1])]


SHAPES: dict[str, Callable[[Any, Any], list[Product]]] = {
    "linear": _linear,
    "mm": lambda args, _: _of_matrices(*args[:2]),
    "bmm": lambda args, _: _of_matrices(*args[:2]),
    "addmm": lambda args, _: _of_matrices(*args[1:3]),
    "baddbmm": lambda args, _: _of_matrices(*args[1:3]),
    "convolution": _convolution,
    "scaled_dot_product_attention": _attention,
}


def products_of(run: Pass, stages: Iterable[str]) -> list[Product]:
    """Matrix products of one pass in the given stages of the clock."""
    watch, seen = _Watch(), list[Product]()

    class Stages(Clock):
        def mark(self, stage: str) -> None:
            seen.extend(replace(product, stage=stage) for product in watch.seen)
            watch.seen.clear()

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # else all products are hidden in one operation
    try:
        with watch:
            run(Stages())
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    whole: dict[Any, Product] = {}
    for i, product in enumerate(product for product in seen if product.stage in set(stages)):
        key = (product.stage, product.weights) if product.weights else i
        rows = whole[key].rows if key in whole else 0
        whole[key] = replace(product, rows=rows + product.rows)
    return list(whole.values())


def flop(products: Iterable[Product]) -> dict[str, int]:
    """Stage -> floating-point operations."""
    counts: dict[str, int] = defaultdict(int)
    for product in products:
        counts[product.stage] += product.flop
    return dict(counts)


def _pieces_of(whole: int, most: int) -> list[int]:
    return [min(most, whole - start) for start in range(0, whole, most)]


class Bound:
    """Computes a list of products with random numbers, and nothing else.

    All results are written to the same memory. Each layer has its own weights, because for small batches reading the
    weights takes most of the time.
    """

    def __init__(self, products: Sequence[Product], device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._data: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self._stages: dict[str, list[Callable[[], object]]] = defaultdict(list)
        for product in products:
            self._stages[product.stage] += self._pieces(product)

    def __call__(self, clock: Clock) -> None:
        """One pass; the clock records the end of each stage."""
        for stage, pieces in self._stages.items():
            for multiply in pieces:
                multiply()
            clock.mark(stage)

    def _pieces(self, product: Product) -> Iterator[Callable[[], object]]:
        """Yield functions that compute the product, in as few pieces as `LARGEST` allows."""
        batch, rows, inner, columns = product.batch, product.rows, product.inner, product.columns
        if batch > 1:
            batch = min(batch, max(1, LARGEST // (rows * columns)))
        else:
            inner = inner if product.weights else min(inner, max(1, LARGEST // columns))
            rows = min(rows, max(1, LARGEST // max(inner, columns)))
        shape = (batch, columns, inner)
        right = (self._made_up(shape) if product.weights else self._reused("right", shape)).transpose(1, 2)
        left, out = self._reused("left", (batch, rows, inner)), self._reused("out", (batch, rows, columns))
        if product.batch > 1:
            for some in _pieces_of(product.batch, batch):
                yield partial(torch.bmm, left[:some], right[:some], out=out[:some])
            return
        for n in _pieces_of(product.rows, rows):
            for k in _pieces_of(product.inner, inner):
                yield partial(torch.mm, left[0, :n, :k], right[0, :k], out=out[0, :n])

    def _reused(self, side: str, shape: tuple[int, ...]) -> Tensor:
        if (side, shape) not in self._data:
            self._data[side, shape] = self._made_up(shape)
        return self._data[side, shape]

    def _made_up(self, shape: tuple[int, ...]) -> Tensor:
        return (0.1 * torch.randn(shape, device=self.device)).to(self.dtype)

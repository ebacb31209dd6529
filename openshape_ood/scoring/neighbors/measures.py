"""Cosine and Euclid: the distance of pairs, in double precision, and products that say which of two rows is nearer.

Letters: b queries, n vectors or pairs, d dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scoring.neighbors.arrays import blocks, largest_number

METRICS = ("cosine", "euclidean")

PAIR_ELEMENTS = 1 << 20  # numbers of the pairs measured at once: 8 MiB in float64, a few such tables


class Measure(Protocol):
    """A distance, and vectors whose products say which of two rows is nearer.

    Closeness of query and row is <q, r> - bias(r), q and r from `vectors`; it falls as the distance grows.
    squares (b,): |q|^2. least (b,): what no distance of a query falls below.
    """

    def vectors(self, block: np.ndarray) -> np.ndarray: ...

    def bias(self, vectors: np.ndarray) -> np.ndarray: ...

    def closeness(self, distance: np.ndarray, squares: np.ndarray) -> np.ndarray: ...

    def least(self, squares: np.ndarray) -> np.ndarray: ...

    def distance(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray: ...

    def check_reach(self, largest: float) -> None: ...


class Cosine:
    """Unit vectors; closeness is the cosine."""

    def vectors(self, block: np.ndarray) -> np.ndarray:
        """Unit vectors (n, d) float64; a zero vector stays zero."""
        block = np.array(block, dtype=np.float64, order="C")
        # the largest number is made about 1 first, so that no square is too large or too small for float64
        largest = np.abs(block).max(axis=1, keepdims=True)
        block *= np.ldexp(1.0, np.clip(-np.frexp(largest)[1], -1000, 1000))
        length = np.sqrt((block * block).sum(axis=1, keepdims=True))
        np.divide(block, length, out=block, where=length > 0)
        return block

    def bias(self, vectors: np.ndarray) -> np.ndarray:
        return np.zeros(len(vectors))

    def closeness(self, distance: np.ndarray, squares: np.ndarray) -> np.ndarray:
        return 1 - distance

    def least(self, squares: np.ndarray) -> np.ndarray:
        return np.where(squares > 0, 0.0, 1.0)

    def distance(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """|u - v|^2 / 2 = 1 - cos of pairs (n, d): the second form would lose the digits of a small distance."""
        u, v = self.vectors(queries), self.vectors(rows)
        zero = ~(u.any(axis=1) & v.any(axis=1))
        u -= v
        return np.where(zero, 1.0, np.minimum((u * u).sum(axis=1) / 2, 2.0))

    def check_reach(self, largest: float) -> None:
        """Any vector has a direction."""


@dataclass(frozen=True)
class Euclid:
    """Coordinates from a center; closeness is (|q|^2 - |q - r|^2) / 2.

    scale: a power of two that takes all coordinates into [-1, 1]. center (d,), in scaled coordinates, near the rows'
    mean: the smaller the products, the smaller their rounding.
    """

    scale: float
    center: np.ndarray

    def vectors(self, block: np.ndarray) -> np.ndarray:
        block = np.array(block, dtype=np.float64, order="C")
        block *= self.scale
        block -= self.center
        return block

    def bias(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors * vectors).sum(axis=1) / 2

    def closeness(self, distance: np.ndarray, squares: np.ndarray) -> np.ndarray:
        return (squares - (distance * self.scale) ** 2) / 2

    def least(self, squares: np.ndarray) -> np.ndarray:
        return np.zeros(len(squares))

    def distance(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        difference = np.array(queries, dtype=np.float64, order="C")
        difference *= self.scale
        difference -= np.asarray(rows, dtype=np.float64) * self.scale
        return np.sqrt((difference * difference).sum(axis=1)) / self.scale

    def check_reach(self, largest: float) -> None:
        """Refuses numbers so much larger than those the scale was made for that their squares leave float32."""
        if largest * self.scale > 1e15:
            raise InputError(f"queries hold {largest:.3g}, more than 10^15 times what the rows hold; expected one unit")


def find_measure(metric: str, *tables: np.ndarray) -> Measure:
    """The metric for these tables, the rows last; refuses NaN and infinity, each table being read once."""
    if metric not in METRICS:
        raise InputError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    largest = max(largest_number(table) for table in tables)
    if metric == "cosine":
        return Cosine()
    scale = float(np.ldexp(1.0, int(np.clip(-np.frexp(largest)[1], -1000, 1000))))
    rows = tables[-1]
    total = np.zeros(rows.shape[1])
    for block in blocks(rows):
        total += (block.astype(np.float64) * scale).sum(axis=0)
    return Euclid(scale, total / len(rows))


def distances(
    queries: np.ndarray, rows: np.ndarray, query: np.ndarray, row: np.ndarray, measure: Measure
) -> np.ndarray:
    """Distance (n,) of pairs, given as index of query (n,) and of row (n,)."""
    distance = np.empty(len(query))
    step = max(1, PAIR_ELEMENTS // queries.shape[1])
    for i in range(0, len(query), step):
        part = slice(i, i + step)
        distance[part] = measure.distance(queries[query[part]], rows[row[part]])
    return distance

"""Nearest rows, exactly and in bounded memory.

First, blocks of queries and rows are multiplied in single precision. This excludes rows that cannot be among the
nearest. Then the distances of the remaining rows are computed from differences in double precision. The first
step allows for its rounding error, so it never excludes a nearest row. The result equals a loop over all pairs, for any
block size and number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import array, blocks, check_choice, check_count, check_widths, unit_or_zero
from openshape_ood.errors import InputError

METRICS = ("cosine", "euclidean")

# memory for d = 512: 64 MiB of products, 32 MiB of queries and 2 MiB of rows
QUERIES, QUERY_ELEMENTS = 1 << 14, 1 << 23
ROWS, ROW_ELEMENTS = 1 << 10, 1 << 19
CANDIDATES = 128  # queries per step of the exact distances; each may have all rows of a block as candidates
PAIR_ELEMENTS = 1 << 18  # elements per step of the exact distances: 2 MiB in float64 for each temporary table


def nearest(queries: Any, rows: Any, k: int = 1, metric: str = "cosine") -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest rows of every query, exactly.

    Ties go to the lowest index. Memory: about 200 MiB in addition to queries and rows.

    Parameters
    ----------
    queries : array_like (b, d)
        Numbers of any type; torch tensors too. May be empty.
    rows : array_like (m, d)
        At least one row. They need not be unit vectors.
    k : int
        Neighbors of each query, 1 to m.
    metric : {"cosine", "euclidean"}
        "cosine": 1 - cos(q, r), from 0 to 2; a zero vector has distance 1 to every vector. "euclidean": ``|q - r|``.

    Returns
    -------
    distance : ndarray (b, k) float64
        Nearest first. Computed from the difference in float64: a distance of 1e-12 keeps its digits.
    index : ndarray (b, k) int64
        Indices of the rows.

    Raises
    ------
    InputError
        For NaN, infinity, no rows, or k below 1 or above m; `MixedEncodersError` for rows of another d.

    Examples
    --------
    >>> nearest([[0.0, 1.0]], [[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]], k=2)
    (array([[0., 0.]]), array([[0, 2]]))
    """
    check_choice(metric, "metric", METRICS)
    queries, rows = array(queries, "queries", "bd", any_type=True), array(rows, "rows", "md", any_type=True)
    check_widths(queries, "queries", rows, "rows")
    k = check_count(k, "k", len(rows), "the number of rows")
    return search(queries, rows, k, Measure.of(metric, queries, rows))


@dataclass(frozen=True, eq=False)
class Measure:
    """A metric. It gives vectors of queries and rows; the larger their product, the smaller the distance.

    "cosine": unit vectors q and r, with the product <q, r>. "euclidean": coordinates relative to a center (d,), scaled
    into [-1, 1], with the product <q, r> - |r|^2 / 2.
    """

    metric: str
    scale: float = 1.0
    center: np.ndarray | None = None

    @classmethod
    def of(cls, metric: str, *tables: np.ndarray) -> Measure:
        """Metric for these tables. The last table contains the rows."""
        if metric == "cosine":
            return cls(metric)
        largest = max(_largest(table) for table in tables)
        # scaling by a power of two is exact, and the squares stay within the range of float32
        scale = float(np.ldexp(1.0, int(np.clip(-np.frexp(largest)[1], -1000, 1000))))
        some = tables[-1][:: -(-len(tables[-1]) // _at_once(tables[-1], ROWS, ROW_ELEMENTS))]
        # the mean is subtracted, so that products and their rounding errors are small
        return cls(metric, scale, (some.astype(np.float64) * scale).mean(axis=0))

    def check_reach(self, table: np.ndarray) -> None:
        """Raise `InputError` if numbers are so large that their scaled squares overflow float32."""
        if self.center is not None and _largest(table) * self.scale > 1e15:
            raise InputError(
                f"queries have numbers up to {_largest(table):.3g}, more than 10^15 times those of the rows. "
                "Expected the same unit in both. Convert the queries."
            )

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        return unit_or_zero(rows) if self.center is None else rows * self.scale - self.center

    def products(self, queries: np.ndarray, rows: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Products (b, m) of the vectors of queries (b, d) and rows (m, d). `squares` (m,): squared lengths of rows."""
        table = queries @ rows.T
        if self.center is not None:
            table -= (squares / 2).astype(np.float32)
        return table

    def product(self, distance: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Product (b,) that corresponds to a distance (b,), for queries with these squared lengths (b,)."""
        return 1 - distance if self.center is None else (squares - (distance * self.scale) ** 2) / 2

    def distance(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distance (n,) of pairs of vectors (n, d), computed from their difference."""
        if self.center is not None:
            difference = queries.astype(np.float64, order="C") * self.scale - rows.astype(np.float64) * self.scale
            return np.sqrt((difference**2).sum(axis=1)) / self.scale
        u, v = self.vectors(queries), self.vectors(rows)
        # 1 - u v would lose digits of a small distance
        distance = np.minimum(((u - v) ** 2).sum(axis=1) / 2, 2.0)
        return np.where(u.any(axis=1) & v.any(axis=1), distance, 1.0)


def search(queries: np.ndarray, rows: np.ndarray, k: int, measure: Measure) -> tuple[np.ndarray, np.ndarray]:
    """`nearest` without checks: distance (b, k) and index (b, k)."""
    distance = np.full((len(queries), k), np.inf)
    index = np.full((len(queries), k), len(rows), dtype=np.int64)
    for part in parts(len(queries), _at_once(queries, QUERIES, QUERY_ELEMENTS)):
        _scan(queries[part], rows, measure, distance[part], index[part])
    return distance, index


def _scan(queries: np.ndarray, rows: np.ndarray, measure: Measure, distance: np.ndarray, index: np.ndarray) -> None:
    """One pass over the rows, for one block of queries. Fills distance (b, k) and index (b, k)."""
    k = distance.shape[1]
    vectors, squares = np.empty(queries.shape, dtype=np.float32), np.empty(len(queries))
    for part, block in blocks(queries):
        exact = measure.vectors(block)
        vectors[part], squares[part] = exact, (exact**2).sum(axis=1)
    # a zero vector has equal distance to all rows, so the first rows are nearest
    least = np.zeros(len(queries))
    if measure.metric == "cosine":
        zero = squares == 0
        least[zero], distance[zero], index[zero] = 1, 1, np.arange(k)
    for part in parts(len(rows), _at_once(rows, ROWS, ROW_ELEMENTS)):
        exact = measure.vectors(rows[part])
        row_squares = (exact**2).sum(axis=1)
        table = measure.products(vectors, exact.astype(np.float32), row_squares)
        slack = _slack(squares, row_squares.max(), queries.shape[1])
        threshold = measure.product(distance[:, -1], squares) - slack
        # no row is nearer than `least`; of rows at this distance, the first is kept
        threshold[distance[:, -1] <= least] = np.inf
        # after the first blocks, few queries still have candidates
        hit = np.flatnonzero(table.max(axis=1) >= threshold)
        for some in (hit[i] for i in parts(len(hit), CANDIDATES)):
            products, bound = table[some], threshold[some]
            if len(exact) >= k:  # a row with a smaller product than the block's k-th largest is not among the k nearest
                bound = np.maximum(bound, np.partition(products, -k, axis=1)[:, -k] - 2 * slack[some])
            query, row = np.nonzero(products >= bound[:, None])
            _merge(queries, rows, measure, some[query], row + part.start, distance, index)


def _slack(squares: np.ndarray, longest: float, d: int) -> np.ndarray:
    """Upper bound (b,) of the float32 error of a product, for rows of squared length up to `longest`.

    With u = 2^-24, the sum has an error of d u |q| |r| (Jeannerod and Rump, 2013). Each factor and the bias add u, and
    underflow adds a constant.
    """
    u = 2.0**-24
    return (d + 8) * (u * (np.sqrt(squares * longest) + longest + u * squares) + 1e-37)


def _merge(
    queries: np.ndarray,
    rows: np.ndarray,
    measure: Measure,
    query: np.ndarray,
    row: np.ndarray,
    distance: np.ndarray,
    index: np.ndarray,
) -> None:
    """Keep the k nearest of the current and new pairs. A pair is the index of a query and the index of a row."""
    k, touched = distance.shape[1], np.unique(query)
    new = distances(queries, rows, query, row, measure)
    query = np.concatenate([np.repeat(touched, k), query])
    new = np.concatenate([distance[touched].ravel(), new])
    row = np.concatenate([index[touched].ravel(), row])
    order = np.lexsort((row, new, query))
    best = order[np.searchsorted(query[order], touched)[:, None] + np.arange(k)]
    distance[touched], index[touched] = new[best], row[best]


def distances(
    queries: np.ndarray, rows: np.ndarray, query: np.ndarray, row: np.ndarray, measure: Measure
) -> np.ndarray:
    """Distance (n,) of pairs. A pair is the index of a query and the index of a row."""
    distance = np.empty(len(query))
    for part in parts(len(query), max(1, PAIR_ELEMENTS // queries.shape[1])):
        distance[part] = measure.distance(queries[query[part]], rows[row[part]])
    return distance


def parts(count: int, step: int) -> Iterator[slice]:
    """Slices of size `step` that cover `count`."""
    return (slice(i, i + step) for i in range(0, count, step))


def _at_once(table: np.ndarray, most: int, elements: int) -> int:
    return max(1, min(most, elements // table.shape[1]))


def _largest(table: np.ndarray) -> float:
    return max(-float(table.min()), float(table.max())) if len(table) else 0.0


def spread_out(rows: np.ndarray, k: int) -> np.ndarray:
    """Indices of up to k rows of (m, d) that are far from each other.

    The first is the row nearest to the mean. Each next row has the largest distance to its nearest chosen row.
    """
    near = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    chosen = [int(near.argmin())]
    distance = np.full(len(rows), np.inf)
    while len(chosen) < min(k, len(rows)):
        distance = np.minimum(distance, np.linalg.norm(rows - rows[chosen[-1]], axis=1))
        distance[chosen] = -1  # no row is chosen twice
        chosen.append(int(distance.argmax()))
    return np.array(chosen)

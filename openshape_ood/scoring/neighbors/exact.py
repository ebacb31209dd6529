"""Nearest rows of a bank, exactly and in bounded memory.

The exact search multiplies blocks of queries and rows in single precision. That only sorts out rows that cannot be
among the nearest: by how much such a product can be wrong is known, and what comes within that of the k-th nearest
so far is measured again from its difference, in double precision. So the answer is that of a loop over all pairs,
whatever the blocks, threads or device.

Letters: b queries, m rows, d dimensions, k neighbors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scoring.neighbors.arrays import TABLE_ROWS, block_size, blocks, check_k, check_tables
from openshape_ood.scoring.neighbors.measures import Measure, distances, find_measure

if TYPE_CHECKING:
    import torch

TABLE_QUERIES = 2048  # with TABLE_ROWS, products held at once: 2048 queries x 4096 rows in float32 are 32 MiB
# queries that share one pass over the rows: 32 MiB in float32
PASS_ELEMENTS = 1 << 23
PAIRS = 1 << 18  # pairs found at once

U32, U64 = 2.0**-24, 2.0**-53  # rounding to nearest, relative
COARSE = 2.0**-7  # of factors, where torch may round them to bfloat16 or TF32
TINY = 2.0**-126  # what is smaller may be taken for 0 in float32


def nearest(
    queries: Any,
    rows: Any,
    k: int = 1,
    metric: str = "cosine",
    device: str | torch.device | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (b, k) float64 and index (b, k) int64 of the k nearest rows (m, d) of every query (b, d), nearest first.

    metric: "cosine", 1 - cos(q, r) from 0 to 2, where a zero vector has the distance 1 to everything; or
    "euclidean", |q - r| >= 0. Distances are computed from the difference, in float64: one of 1e-12 keeps its digits.
    Of rows at the same distance the one of lowest index comes first.

    Exact, and the same on any device; some 200 MiB beside queries, rows and answer, which are read in blocks and
    never copied as a whole. device: where blocks are multiplied, None for the CPU. progress: a bar on stderr.

    Raises `InputError` for tables that do not fit each other, no rows, NaN or infinity, k < 1 or k > m, an unknown
    metric or device.

    >>> nearest([[0.0, 1.0]], [[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]], k=2)
    (array([[0., 0.]]), array([[0, 2]]))
    """
    queries, rows = check_tables(queries, rows)
    k = check_k(k, len(rows))
    measure = find_measure(metric, queries, rows)
    return search(queries, rows, k, measure, find_device(device), progress)


def search(
    queries: np.ndarray, rows: np.ndarray, k: int, measure: Measure, device: torch.device, progress: bool
) -> tuple[np.ndarray, np.ndarray]:
    """`nearest` of what has been checked: distance (b, k) and index (b, k)."""
    distance = np.full((len(queries), k), np.inf)
    index = np.full((len(queries), k), len(rows), dtype=np.int64)
    step = max(1, PASS_ELEMENTS // queries.shape[1])
    with progress_bar(len(queries) * len(rows), "pair", progress) as bar:
        for i in range(0, len(queries), step):
            part = slice(i, i + step)
            _Pass(queries[part], rows, measure, device, distance[part], index[part]).run(bar)
    return distance, index


class _Pass:
    """One pass over all rows for some queries; `distance` and `index` (b, k), views, hold the nearest so far."""

    def __init__(
        self,
        queries: np.ndarray,
        rows: np.ndarray,
        measure: Measure,
        device: torch.device,
        distance: np.ndarray,
        index: np.ndarray,
    ) -> None:
        import torch

        self.queries, self.rows, self.measure, self.device = queries, rows, measure, device
        self.distance, self.index = distance, index
        self.k = distance.shape[1]
        step = block_size(queries.shape[1])
        self.parts = [slice(i, min(i + step, len(queries))) for i in range(0, len(queries), step)]
        self.parts = [slice(i, min(i + TABLE_QUERIES, p.stop)) for p in self.parts for i in _range(p, TABLE_QUERIES)]
        self.vectors = torch.empty(queries.shape, dtype=torch.float32, device=device)
        self.squares = np.empty(len(queries))
        for part in self.parts:
            vectors = measure.vectors(queries[part])
            self.squares[part] = (vectors * vectors).sum(axis=1)
            self.vectors[part] = torch.from_numpy(vectors.astype(np.float32)).to(device)
        self.buffer = torch.empty(TABLE_QUERIES * TABLE_ROWS, dtype=torch.float32, device=device)
        self.factor_rounding = _factor_rounding()

    def run(self, bar: Any) -> None:
        import torch

        first = 0
        for block in blocks(self.rows):
            vectors = self.measure.vectors(block)
            bias = self.measure.bias(vectors)
            longest = float(np.sqrt((vectors * vectors).sum(axis=1).max()))
            columns = torch.from_numpy(vectors.astype(np.float32)).to(self.device).T
            offset = torch.from_numpy(bias.astype(np.float32)).to(self.device) if bias.any() else None
            for part in self.parts:
                self._admit(part, self._table(part, columns, offset), first, longest)
                bar.update((part.stop - part.start) * len(block))
            first += len(block)

    def _table(self, part: slice, columns: torch.Tensor, offset: torch.Tensor | None) -> torch.Tensor:
        """Closeness (b, rows of the block) of the part, rounded."""
        import torch

        shape = (part.stop - part.start, columns.shape[1])
        table = self.buffer[: shape[0] * shape[1]].view(shape)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            torch.mm(self.vectors[part], columns, out=table)
        return table if offset is None else table.sub_(offset)

    def _admit(self, part: slice, table: torch.Tensor, first: int, longest: float) -> None:
        """Takes in what of a table is nearer than what is held."""
        import torch

        limit = self._limit(part, table, first)
        cutoff = torch.from_numpy(self._cutoff(part, limit, longest)).to(self.device)
        # the largest of each query says which are worth a closer look, soon only a few
        hit = (table.amax(dim=1) >= cutoff).nonzero()[:, 0]
        for some in hit.split(512):
            mask = (table[some] >= cutoff[some, None]).cpu().numpy()
            asked = some.cpu().numpy() + part.start
            for group in _groups(mask, PAIRS):
                query, row = np.divmod(np.flatnonzero(mask[group]), mask.shape[1])
                self._merge(asked[group][query], row + first)

    def _limit(self, part: slice, table: torch.Tensor, first: int) -> np.ndarray:
        """Distance (b,) that the k-th nearest will not exceed."""
        held = self.distance[part, -1]
        if np.isfinite(held).all() or table.shape[1] < self.k:
            return held
        # nothing is held yet: k rows that seem near do for a start
        row = table.topk(self.k, dim=1).indices.cpu().numpy() + first
        query = np.repeat(np.arange(part.start, part.stop), self.k)
        seeds = distances(self.queries, self.rows, query, row.ravel(), self.measure).reshape(-1, self.k)
        return np.minimum(held, seeds.max(axis=1))

    def _cutoff(self, part: slice, limit: np.ndarray, longest: float) -> np.ndarray:
        """Closeness (b,) float32, in a table, below which a row is farther than `limit` whatever its rounding.

        A product of float32 vectors errs by no more than d u |q| |r| (Higham, "Accuracy and stability of numerical
        algorithms", section 3.1), its factors and the bias by u each; some units more are granted.
        """
        d, squares = self.queries.shape[1], self.squares[part]
        near = np.isfinite(limit)
        closeness = np.full(len(limit), -np.inf)
        closeness[near] = self.measure.closeness(limit[near], squares[near])
        error = (2.5 * self.factor_rounding + (d + 8) * U32) * np.sqrt(squares) * longest + 4 * U32 * longest**2
        error += 4 * (d + 8) * (U64 * (squares + np.abs(np.where(near, closeness, 0))) + TINY)
        # rows come in order: none can displace k that are as near as can be
        closeness[self.distance[part, -1] <= self.measure.least(squares)] = np.inf
        return np.nextafter((closeness - error).astype(np.float32), np.float32(-np.inf))

    def _merge(self, query: np.ndarray, row: np.ndarray) -> None:
        """The k nearest of those held and of new pairs of query and row."""
        touched = np.unique(query)
        distance = distances(self.queries, self.rows, query, row, self.measure)
        query = np.concatenate([np.repeat(touched, self.k), query])
        distance = np.concatenate([self.distance[touched].ravel(), distance])
        row = np.concatenate([self.index[touched].ravel(), row])
        order = np.lexsort((row, distance, query))
        starts = np.searchsorted(query[order], touched)
        best = order[starts[:, None] + np.arange(self.k)]
        self.distance[touched], self.index[touched] = distance[best], row[best]


def _factor_rounding() -> float:
    """Relative rounding of the factors of a product, by what the caller has allowed torch for speed."""
    import torch

    backends: list[Any] = [
        torch.backends.cuda.matmul,
        torch.backends.mkldnn,
        getattr(torch.backends.mkldnn, "matmul", None),
    ]
    if not all(hasattr(backend, "fp32_precision") for backend in backends):  # before torch 2.9
        return U32 if torch.get_float32_matmul_precision() == "highest" else COARSE
    allowed = {backend.fp32_precision for backend in [torch.backends, *backends]}
    return U32 if allowed <= {"none", "ieee"} else COARSE


def _groups(mask: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of consecutive rows (., n) that hold at most `most` true values, or that are one row."""
    start, total = 0, 0
    few = np.count_nonzero(mask) <= most
    for i, count in enumerate([] if few else np.count_nonzero(mask, axis=1).tolist()):
        if total + count > most and i > start:
            yield slice(start, i)
            start, total = i, 0
        total += count
    yield slice(start, len(mask))


def _range(part: slice, step: int) -> range:
    return range(part.start, part.stop, step)


def find_device(device: str | torch.device | None) -> torch.device:
    """The device of that name, None for the CPU; `InputError` where it cannot be used."""
    import torch

    try:
        found = torch.device("cpu" if device is None else device)
        torch.empty(0, device=found).cpu()  # back, for "meta" holds no data
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise InputError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return found


def progress_bar(total: int, unit: str, progress: bool) -> Any:
    """A bar on stderr for `total` units, or one that does nothing."""
    from tqdm import tqdm

    return tqdm(total=total, desc="neighbors", unit=unit, unit_scale=True, disable=not progress)

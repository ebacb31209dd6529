"""Approximate neighbors by faiss, and how many of the exact ones they miss.

Letters: b queries, m rows, d dimensions, k neighbors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import check_seed
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.scoring.neighbors.arrays import BLOCK_ELEMENTS, block_size, check_k, check_tables, largest_number
from openshape_ood.scoring.neighbors.exact import find_device, nearest, progress_bar, search
from openshape_ood.scoring.neighbors.measures import distances, find_measure


class Index:
    """Approximate neighbors by faiss: rows in cells (IVF-Flat), or a graph (HNSW). Needs the extra [faiss].

    Cosine or Euclid as in `nearest`. The index only finds candidates; their distances are computed from the
    difference, as there, and ties go to the lower index among those found. Cells are the same for the same seed; a
    graph depends on which thread comes first, unless there is one.

    Holds `rows` and a float32 copy of them. How much it misses depends on the data: ask `recall`.
    """

    def __init__(
        self,
        rows: Any,
        metric: str = "cosine",
        kind: str = "cells",
        cells: int | None = None,
        probes: int | None = None,
        seed: int = 0,
    ) -> None:
        """rows (m, d). kind: "cells" or "graph".

        cells: how many, None for about sqrt(m). probes: how many of them are searched, None for one in 128, at least
        8; for a graph, the length of its list of candidates, None for 128. More probes, more recall, more time.
        Raises `InputError` as `nearest` does, `MissingPackageError` without faiss.
        """
        faiss = _faiss()
        self.rows = check_tables(rows, rows)[1]
        self.metric, self.kind = metric, kind
        self._measure = find_measure(metric, self.rows)
        self.cells = _cells(kind, cells, len(self.rows))
        self.probes = _probes(kind, probes, self.cells)
        self._seed = check_seed(seed)
        self._index = self._build(faiss)

    def nearest(self, queries: Any, k: int = 1, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Distance (b, k) and index (b, k) of k rows near every query, as `nearest` gives them.

        A query whose cells hold fewer than k rows is searched exactly.
        """
        queries, _ = check_tables(queries, self.rows)
        k = check_k(k, len(self.rows))
        self._measure.check_reach(largest_number(queries))
        index = np.empty((len(queries), k), dtype=np.int64)
        distance = np.empty((len(queries), k))
        step = max(1, min(1024, BLOCK_ELEMENTS // queries.shape[1]))
        with progress_bar(len(queries), "query", progress) as bar:
            for i in range(0, len(queries), step):
                block = queries[i : i + step]
                distance[i : i + step], index[i : i + step] = self._near(block, k)
                bar.update(len(block))
        return distance, index

    def recall(self, queries: Any, k: int = 1, sample: int = 500) -> float:
        """Share, 0 to 1, of the k exact neighbors that the index finds, on up to `sample` of the queries (b, d).

        A row found at the same distance as the k-th exact one counts as found: which of equals is named is chance.
        """
        queries, _ = check_tables(queries, self.rows)
        if not len(queries) or sample < 1:
            raise InputError(f"recall of {len(queries)} queries, sample {sample}; expected at least one of both")
        chosen = np.random.default_rng(self._seed).permutation(len(queries))[:sample]
        some = queries[np.sort(chosen)]
        exact, _ = nearest(some, self.rows, k, self.metric)
        found, _ = self.nearest(some, k)
        return float(np.mean(found <= exact[:, -1:]))

    def _build(self, faiss: Any) -> Any:
        m, d = self.rows.shape
        product = self.metric == "cosine"
        kind = faiss.METRIC_INNER_PRODUCT if product else faiss.METRIC_L2
        if self.kind == "graph":
            index = faiss.IndexHNSWFlat(d, 32, kind)
            index.hnsw.efConstruction, index.hnsw.efSearch = 100, self.probes
        else:
            coarse = faiss.IndexFlatIP(d) if product else faiss.IndexFlatL2(d)
            index = faiss.IndexIVFFlat(coarse, d, self.cells, kind)
            coarse.this.disown()  # the index frees it
            index.own_fields = True
            index.nprobe = self.probes
            index.cp.seed, index.cp.spherical = self._seed % (1 << 31), product
            index.cp.min_points_per_centroid = 1  # few rows are no reason for a warning
            index.train(self._prepared(self._drawn(64 * self.cells)))
        step = block_size(d)
        for i in range(0, m, step):
            index.add(self._prepared(self.rows[i : i + step]))
        return index

    def _drawn(self, count: int) -> np.ndarray:
        """Up to `count` rows, to place the cells by."""
        if count >= len(self.rows):
            return self.rows
        draw = np.random.default_rng(self._seed).choice(len(self.rows), count, replace=False)
        return self.rows[np.sort(draw)]

    def _prepared(self, vectors: np.ndarray) -> np.ndarray:
        prepared = np.empty(vectors.shape, dtype=np.float32)
        step = block_size(vectors.shape[1])
        for i in range(0, len(vectors), step):
            prepared[i : i + step] = self._measure.vectors(vectors[i : i + step])
        return prepared

    def _near(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._index.search(self._prepared(queries), k)[1]
        query = np.repeat(np.arange(len(queries)), k)
        # -1 stands for none; row 0 takes its place until the exact search below
        distance = distances(queries, self.rows, query, np.maximum(found, 0).ravel(), self._measure).reshape(-1, k)
        order = np.lexsort((found, distance), axis=1)
        distance, found = (np.take_along_axis(table, order, axis=1) for table in (distance, found))
        short = np.flatnonzero((found < 0).any(axis=1))
        if len(short):
            exact = search(queries[short], self.rows, k, self._measure, find_device(None), progress=False)
            distance[short], found[short] = exact
        return distance, found


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "approximate neighbors need the package 'faiss': pip install \"openshape-ood[faiss]\"; "
            "neighbors.nearest is exact and needs no package"
        ) from error
    return faiss


def _cells(kind: str, cells: int | None, m: int) -> int:
    if kind not in ("cells", "graph"):
        raise InputError(f"unknown kind of index {kind!r}; known: cells, graph")
    if cells is None:
        return max(1, round(m**0.5))
    if not 1 <= cells <= m:
        raise InputError(f"cells is {cells} for {m:,} rows; expected 1 to {m}")
    return int(cells)


def _probes(kind: str, probes: int | None, cells: int) -> int:
    if probes is None:
        return 128 if kind == "graph" else min(cells, max(8, cells // 128))
    if probes < 1 or (kind == "cells" and probes > cells):
        raise InputError(f"probes is {probes}; expected 1 or more, and no more than the {cells} cells")
    return int(probes)

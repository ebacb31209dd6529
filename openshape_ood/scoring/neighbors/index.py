"""Approximate neighbors by faiss, with measured recall."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import array, blocks, check_choice, check_count, check_seed, check_widths
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.scoring.neighbors.exact import METRICS, Measure, distances, nearest, parts, search

QUERIES = 1024  # maximum number of queries searched at once; fewer for large d


class Index:
    """Approximate neighbors by faiss (IVF-Flat, which groups rows into cells). Needs the extra [faiss].

    The index finds candidates. Their distances are computed from differences, as in `nearest`; for ties the lower index
    is first. Results are deterministic for a seed. The index keeps `rows` and a float32 copy in memory. The recall
    depends on the data: measure it with `recall`.

    Parameters
    ----------
    rows : array_like (m, d)
        At least one.
    metric : {"cosine", "euclidean"}
        As in `nearest`.
    cells : int or None, default None
        Number of cells, 1 to m. Default: about sqrt(m).
    probes : int or None, default None
        Number of cells to search. Default: one in 128, at least 8. More probes give more recall and take more time.
    seed : int, default 0
        Seed for the cells and for the queries of `recall`.

    Raises
    ------
    InputError
        As in `nearest`, and for an invalid number of cells or probes.
    MissingPackageError
        Without faiss.

    References
    ----------
    Douze et al., "The Faiss library", arXiv 2401.08281.
    """

    def __init__(
        self,
        rows: Any,
        metric: str = "cosine",
        cells: int | None = None,
        probes: int | None = None,
        seed: int = 0,
    ) -> None:
        faiss = _faiss()
        check_choice(metric, "metric", METRICS)
        self.rows = array(rows, "rows", "md", any_type=True)
        m = len(self.rows)
        self.cells = check_count(max(1, round(m**0.5)) if cells is None else cells, "cells", m, "the number of rows")
        usual = min(self.cells, max(8, self.cells // 128))
        self.probes = check_count(usual if probes is None else probes, "probes", self.cells, "the number of cells")
        self._seed = check_seed(seed)
        self._measure = Measure.of(metric, self.rows)
        self._index = self._build(faiss)

    def nearest(self, queries: Any, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Find k rows near every query, with the results of the function `nearest`.

        If the searched cells have fewer than k rows, the search is exact.

        Parameters
        ----------
        queries : array_like (b, d)
        k : int, default 1

        Returns
        -------
        distance : ndarray (b, k) float64
        index : ndarray (b, k) int64

        Raises
        ------
        InputError
            As in `nearest`, and if queries are so much larger than the rows that their squares overflow float32.
        """
        queries = self._checked(queries)
        k = check_count(k, "k", len(self.rows), "the number of rows")
        index = np.empty((len(queries), k), dtype=np.int64)
        distance = np.empty((len(queries), k))
        for part in parts(len(queries), max(1, min(QUERIES, (1 << 21) // queries.shape[1]))):
            distance[part], index[part] = self._near(queries[part], k)
        return distance, index

    def recall(self, queries: Any, k: int = 1, sample: int = 500) -> float:
        """Fraction of the k exact neighbors that the index finds. Rows at equal distance count as found.

        Parameters
        ----------
        queries : array_like (b, d)
            At least one.
        k : int, default 1
        sample : int, default 500
            Maximum number of queries, drawn with the seed of the index.

        Returns
        -------
        float
            0 to 1.
        """
        queries = self._checked(queries)
        if not len(queries) or sample < 1:
            raise InputError(
                f"there are {len(queries)} queries, and sample is {sample}. Expected at least one. Give more queries."
            )
        chosen = np.random.default_rng(self._seed).permutation(len(queries))[:sample]
        some = queries[np.sort(chosen)]
        exact, _ = nearest(some, self.rows, k, self._measure.metric)
        neighbors, _ = self.nearest(some, k)
        return float(np.mean(neighbors <= exact[:, -1:]))

    def _checked(self, queries: Any) -> np.ndarray:
        queries = array(queries, "queries", "bd", any_type=True)
        check_widths(queries, "queries", self.rows, "rows")
        self._measure.check_reach(queries)
        return queries

    def _build(self, faiss: Any) -> Any:
        m, d = self.rows.shape
        product = self._measure.metric == "cosine"
        coarse = faiss.IndexFlatIP(d) if product else faiss.IndexFlatL2(d)
        index = faiss.IndexIVFFlat(coarse, d, self.cells, faiss.METRIC_INNER_PRODUCT if product else faiss.METRIC_L2)
        coarse.this.disown()  # the index will free it
        index.own_fields = True
        index.nprobe = self.probes
        index.cp.seed, index.cp.spherical = self._seed % (1 << 31), product
        index.cp.min_points_per_centroid = 1  # no warning for few rows
        some, count = self.rows, 64 * self.cells
        if count < m:
            some = some[np.sort(np.random.default_rng(self._seed).choice(m, count, replace=False))]
        index.train(self._prepared(some))
        for _, block in blocks(self.rows):
            index.add(self._prepared(block))
        return index

    def _prepared(self, vectors: np.ndarray) -> np.ndarray:
        prepared = np.empty(vectors.shape, dtype=np.float32)
        for part, block in blocks(vectors):
            prepared[part] = self._measure.vectors(block)
        return prepared

    def _near(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        neighbors = self._index.search(self._prepared(queries), k)[1]
        query = np.repeat(np.arange(len(queries)), k)
        # faiss returns -1 for a missing row. Row 0 replaces it here, and the exact search below corrects it
        distance = distances(queries, self.rows, query, np.maximum(neighbors, 0).ravel(), self._measure).reshape(-1, k)
        order = np.lexsort((neighbors, distance), axis=1)
        distance, neighbors = (np.take_along_axis(table, order, axis=1) for table in (distance, neighbors))
        short = np.flatnonzero((neighbors < 0).any(axis=1))
        if len(short):
            distance[short], neighbors[short] = search(queries[short], self.rows, k, self._measure)
        return distance, neighbors


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "approximate neighbors are not available. Expected the package faiss. "
            'Run pip install "openshape-ood[faiss]", or use neighbors.nearest, which is exact.'
        ) from error
    return faiss

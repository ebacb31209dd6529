from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from openshape_ood import checks
from openshape_ood.errors import InputError, MissingPackageError, MixedEncodersError, UnknownNameError
from openshape_ood.scoring.neighbors import METRICS, Index, exact, nearest

both = pytest.mark.parametrize("metric", METRICS)


def distance_by_loop(q: np.ndarray, r: np.ndarray, metric: str) -> float:
    """From the difference, in extended precision where the machine has it."""
    q, r = q.astype(np.longdouble), r.astype(np.longdouble)
    if metric == "euclidean":
        return float(np.sqrt(((q - r) ** 2).sum()))
    if not q.any() or not r.any():
        return 1.0
    u, v = (x / np.abs(x).max() for x in (q, r))
    u, v = (x / np.sqrt((x**2).sum()) for x in (u, v))
    return float(((u - v) ** 2).sum() / 2)


def by_loop(queries: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Every distance (b, m), a pair at a time."""
    return np.array([[distance_by_loop(q, r, metric) for r in rows] for q in queries])


def clustered(count: int, dim: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(20, dim))
    return (centers[random.integers(20, size=count)] + 0.3 * random.normal(size=(count, dim))).astype(np.float32)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks of every kind with few vectors; none divides the sizes below."""
    sizes = {"QUERIES": 7, "QUERY_ELEMENTS": 50, "ROWS": 11, "ROW_ELEMENTS": 70, "CANDIDATES": 3, "PAIR_ELEMENTS": 50}
    for name, size in sizes.items():
        monkeypatch.setattr(exact, name, size)
    monkeypatch.setattr(checks, "BLOCK_ELEMENTS", 30)


@both
@pytest.mark.parametrize("kinds", [(np.float32, np.float32), (np.float64, np.float32), (np.float32, np.float64)])
def test_neighbors_are_those_of_scikit_learn(metric: str, kinds: tuple[type, type]) -> None:
    queries, rows = clustered(300, 33, seed=0).astype(kinds[0]), clustered(5000, 33, seed=1).astype(kinds[1])
    search = NearestNeighbors(n_neighbors=4, algorithm="brute", metric=metric).fit(rows.astype(np.float64))
    distance, index = search.kneighbors(queries.astype(np.float64))
    found = nearest(queries, rows, 4, metric)
    np.testing.assert_array_equal(found[1], index)
    np.testing.assert_allclose(found[0], distance, rtol=0, atol=1e-7)  # theirs is 1 - cos, and so loses digits
    assert (found[0].dtype, found[1].dtype) == (np.float64, np.int64)


numbers = st.integers(-3, 3).map(float) | st.floats(-100, 100, width=32)


@given(st.data(), st.integers(1, 3), st.integers(1, 9), st.integers(1, 4), st.sampled_from(METRICS))
@settings(deadline=None, max_examples=150)
def test_distances_are_those_of_a_loop(data: st.DataObject, b: int, m: int, d: int, metric: str) -> None:
    queries = data.draw(arrays(np.float64, (b, d), elements=numbers))
    rows = data.draw(arrays(np.float64, (m, d), elements=numbers))
    k = data.draw(st.integers(1, m))
    every = by_loop(queries, rows, metric)
    distance, index = nearest(queries, rows, k, metric)
    np.testing.assert_allclose(distance, np.sort(every, axis=1)[:, :k], rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(distance, np.take_along_axis(every, index, axis=1), rtol=1e-12, atol=1e-30)
    assert all(len(set(row)) == k for row in index)


@both
@pytest.mark.parametrize("k", [1, 3, 30, 97])
def test_blocks_change_nothing(metric: str, k: int, request: pytest.FixtureRequest) -> None:
    queries, rows = clustered(40, 8, seed=2), clustered(97, 8, seed=3)
    rows[50], rows[60], queries[4] = rows[10], 0, 0
    whole = nearest(queries, rows, k, metric)
    request.getfixturevalue("small_blocks")
    for one, other in zip(whole, nearest(queries, rows, k, metric), strict=True):
        np.testing.assert_array_equal(one, other)


@both
@pytest.mark.usefixtures("small_blocks")
def test_equal_rows_come_in_order_of_index(metric: str) -> None:
    """Copies of three vectors, over many blocks: sorted by (distance, index)."""
    random = np.random.default_rng(4)
    kinds, which = random.normal(size=(3, 5)).astype(np.float32), random.integers(3, size=100)
    queries = np.concatenate([random.normal(size=(5, 5)), kinds]).astype(np.float32)
    distance, index = nearest(queries, kinds[which], 40, metric)
    for query, found in zip(queries, index, strict=True):
        every = np.array([distance_by_loop(query, kind, metric) for kind in kinds])[which]
        assert found.tolist() == np.lexsort((np.arange(100), every))[:40].tolist()
    assert (distance[5:, 0] == 0).all()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs were measured from their difference, a number for each call."""
    counts = []

    def counting(queries: Any, rows: Any, query: np.ndarray, row: np.ndarray, measure: Any) -> np.ndarray:
        counts.append(len(query))
        return distances(queries, rows, query, row, measure)

    distances = exact.distances
    monkeypatch.setattr(exact, "distances", counting)
    return counts


def test_of_many_copies_only_the_first_are_measured(measured: list[int]) -> None:
    """All rows alike, and zero queries, to which all are equally near: one block of rows tells."""
    queries = np.stack([np.ones(16), *np.zeros((50, 16))])
    distance, index = nearest(queries, np.ones((50_000, 16), dtype=np.float32), 3)
    np.testing.assert_array_equal(distance, [[0, 0, 0], *[[1, 1, 1]] * 50])
    np.testing.assert_array_equal(index, [[0, 1, 2]] * 51)
    assert sum(measured) <= exact.ROWS


@both
@pytest.mark.parametrize("origin", [0, 1000])
def test_few_pairs_need_measuring(metric: str, origin: float, measured: list[int]) -> None:
    """Of 100 × 20,000; far from the origin, too, where products without a center say little about distances."""
    rows = clustered(20_000, 8, seed=17) + np.float32(origin if metric == "euclidean" else 0)
    nearest(rows[:100] + np.float32(0.01), rows, 3, metric)
    assert sum(measured) < 100 * 50


@both
@pytest.mark.parametrize("gap", [1e-5, 1e-9, 1e-12])
def test_small_distances_keep_their_digits(metric: str, gap: float) -> None:
    """Rows that single precision cannot tell apart, far from the origin; steps at right angles to the query."""
    rows = np.tile([1.0, 0.0], (60, 1))
    rows[:, 1] = gap * np.random.default_rng(5).permutation(np.arange(1, 61))
    distance, index = nearest([[1.0, 0.0]], rows, 60, metric)
    np.testing.assert_array_equal(index[0], rows[:, 1].argsort())
    # by hand: the step itself; half its square, to first order (1 - cos of its arctangent)
    step = np.sort(rows[:, 1])
    expected = step if metric == "euclidean" else step**2 / 2
    np.testing.assert_allclose(distance[0], expected, rtol=1e-6 if gap == 1e-5 else 1e-12)


@both
def test_rows_that_products_cannot_tell_apart_are_told_apart(metric: str) -> None:
    """300 dimensions, where single precision errs by more than these rows differ."""
    random = np.random.default_rng(18)
    rows = random.normal(size=300) + 1e-6 * random.normal(size=(3000, 300))
    queries = random.normal(size=(4, 300)) + [[0.0], [1e-3], [1.0], [1e6]]
    every = by_loop(queries, rows, metric)
    distance, index = nearest(queries, rows, 3, metric)
    np.testing.assert_array_equal(index, every.argsort(axis=1)[:, :3])
    np.testing.assert_allclose(distance, np.sort(every, axis=1)[:, :3], rtol=1e-12)


def test_a_distant_origin_and_outliers_do_no_harm() -> None:
    random = np.random.default_rng(6)
    rows = 1e6 + 1e-3 * random.normal(size=(400, 3))
    rows[7] = -1e9
    queries = 1e6 + 1e-3 * random.normal(size=(20, 3))
    distance, index = nearest(queries, rows, 3, "euclidean")
    every = by_loop(queries, rows, "euclidean")
    np.testing.assert_array_equal(index, every.argsort(axis=1)[:, :3])
    np.testing.assert_allclose(distance, np.sort(every, axis=1)[:, :3], rtol=1e-12)


@both
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e150, 1e300])
def test_any_size_of_number_will_do(metric: str, size: float) -> None:
    queries, rows = clustered(10, 4, seed=7).astype(np.float64), clustered(50, 4, seed=8).astype(np.float64)
    plain = nearest(queries, rows, 2, metric)
    distance, index = nearest(queries * size, rows * size, 2, metric)
    np.testing.assert_array_equal(index, plain[1])
    np.testing.assert_allclose(distance / (size if metric == "euclidean" else 1), plain[0], rtol=1e-9)


def test_a_zero_vector_has_the_cosine_distance_one() -> None:
    distance, index = nearest([[0.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [3.0, 0.1]], 4)
    np.testing.assert_array_equal(distance[0], np.ones(4))
    assert index.tolist() == [[0, 1, 2, 3], [3, 1, 2, 0]]  # the zero vector is as far as what is at right angles
    assert distance[1].tolist()[1:] == [1, 1, 2]


@pytest.fixture
def restored_precision() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@both
@pytest.mark.usefixtures("restored_precision")
def test_what_torch_may_round_for_speed_changes_nothing(metric: str) -> None:
    queries, rows = clustered(300, 64, seed=9), clustered(3000, 64, seed=10)
    plain = nearest(queries, rows, 5, metric)
    torch.set_float32_matmul_precision("medium")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nearest(queries, rows, 5, metric)
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tensors_lists_whole_numbers_and_any_layout_are_taken() -> None:
    queries, rows = np.array([[1, 2], [3, 1]]), np.array([[3, 1], [1, 2], [0, 1]])
    expected = [[1], [0]]
    forms: list[Callable[[np.ndarray], Any]] = [torch.tensor, np.ndarray.tolist, np.asfortranarray]
    forms += [lambda x: np.repeat(x, 2, axis=1)[:, ::2], lambda x: x.astype(np.float16), lambda x: x.astype(np.uint8)]
    for form in forms:
        assert nearest(form(queries), form(rows))[1].tolist() == expected


def test_no_queries_have_no_neighbors() -> None:
    distance, index = nearest(np.empty((0, 3)), np.ones((4, 3)), 2)
    assert distance.shape == index.shape == (0, 2)


GOOD = np.ones((4, 3))


@pytest.mark.parametrize(
    "queries, rows, options, message",
    [
        (GOOD, np.ones((4, 2)), {}, "queries have 3 numbers a row, rows 2"),
        (np.ones(3), GOOD, {}, r"queries have the shape \(3,\)\. Expected \(b, d\)"),
        (GOOD, np.ones((2, 2, 3)), {}, r"rows have the shape \(2, 2, 3\)\. Expected \(m, d\)"),
        (np.ones((2, 0)), np.ones((2, 0)), {}, r"queries are empty, with the shape \(2, 0\)"),
        (np.array([["a"]]), np.ones((1, 1)), {}, "queries are of type <U1"),
        ([[1.0], [1.0, 2.0]], GOOD, {}, "queries have rows of different lengths"),
        (GOOD, np.empty((0, 3)), {}, r"rows are empty, with the shape \(0, 3\)\. Expected .* at least one m"),
        (np.array([[1.0, np.nan, 0]]), GOOD, {}, "row 0 of the queries holds NaN"),
        (GOOD, np.array([[1.0, 0, 0], [1.0, 0, -np.inf]]), {}, "row 1 of the rows holds NaN or infinity"),
        (GOOD, GOOD, {"k": 5}, "k is 5. Expected a whole number from 1 to 4, the number of rows"),
        (GOOD, GOOD, {"k": 0}, "k is 0"),
        (GOOD, GOOD, {"k": 1.5}, "k is 1.5"),
        (GOOD, GOOD, {"k": True}, "k is True"),
        (GOOD, GOOD, {"metric": "manhattan"}, "known: cosine, euclidean"),
    ],
)
def test_what_cannot_be_searched_is_said(queries: Any, rows: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        nearest(queries, rows, **options)


def test_errors_have_their_kinds() -> None:
    with pytest.raises(MixedEncodersError):
        nearest(GOOD, np.ones((4, 2)))
    with pytest.raises(UnknownNameError):
        nearest(GOOD, GOOD, metric="manhattan")


@both
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_rows_are_never_copied_as_a_whole(metric: str, kind: type) -> None:
    """39 MiB of float32 rows, whose copy in float64 would be 78 MiB."""
    rows = np.random.default_rng(11).standard_normal((80_000, 128), dtype=np.float32).astype(kind)
    nearest(rows[:10], rows[:10])  # imports
    tracemalloc.start()
    nearest(rows[:20], rows, 2, metric)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * 2**20


PEAK = """
import resource, numpy as np
from openshape_ood.scoring.neighbors import nearest
rows = np.random.default_rng(0).standard_normal((40_000, 4), dtype=np.float32)
nearest(rows[:10], rows[:10])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nearest(rows[:4_000], rows, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such counter there")
def test_memory_does_not_grow_with_the_table() -> None:
    """4000 × 40,000 closenesses are 610 MiB in float32; a block of them, and all that goes with it, 60 MiB."""
    # a process of its own: its peak is its own
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) / (2**20 if sys.platform == "darwin" else 2**10) < 200


@both
def test_the_index_finds_nearly_all(metric: str) -> None:
    pytest.importorskip("faiss")
    queries, rows = clustered(200, 24, seed=12), clustered(4000, 24, seed=13)
    index = Index(rows, metric)
    exact_distance, exact_index = nearest(queries, rows, 5, metric)
    distance, found = index.nearest(queries, 5)
    shares = [len(set(a) & set(b)) / 5 for a, b in zip(found.tolist(), exact_index.tolist(), strict=True)]
    assert index.recall(queries, 5, sample=200) == pytest.approx(np.mean(shares)) and np.mean(shares) > 0.9
    same = found == exact_index
    np.testing.assert_array_equal(distance[same], exact_distance[same])  # distances are the exact search's own
    assert (np.diff(distance, axis=1) >= 0).all()


def test_all_cells_miss_nothing_and_one_misses_some() -> None:
    pytest.importorskip("faiss")
    queries, rows = np.random.default_rng(14).normal(size=(2, 300, 6))
    all_cells, one = Index(rows, cells=20, probes=20), Index(rows, cells=20, probes=1)
    for a, b in zip(all_cells.nearest(queries, 3), nearest(queries, rows, 3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all_cells.recall(queries, 3) == 1 > one.recall(queries, 3)


@both
def test_a_query_short_of_candidates_is_searched_exactly(metric: str) -> None:
    pytest.importorskip("faiss")
    rows = np.random.default_rng(15).normal(size=(30, 3))
    index = Index(rows, metric, cells=15, probes=1)
    for a, b in zip(index.nearest(rows, 30), nearest(rows, rows, 30, metric), strict=True):
        np.testing.assert_array_equal(a, b)


def test_cells_are_the_same_for_a_seed() -> None:
    pytest.importorskip("faiss")
    queries, rows = np.random.default_rng(16).normal(size=(2, 500, 16))
    one, same, other = (Index(rows, cells=25, probes=1, seed=seed).nearest(queries, 3)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_zero_vectors_are_no_neighbors_of_an_index_either() -> None:
    pytest.importorskip("faiss")
    rows = np.array([[0.0, 0.0], [1.0, 0.9], [1.0, 1.1]])
    assert Index(rows, probes=2).nearest([[1.0, 1.0]], 3)[1].tolist() == [[2, 1, 0]]


def test_an_index_of_one_row() -> None:
    pytest.importorskip("faiss")
    assert Index([[0.0, 2.0]]).nearest([[0.0, 1.0]])[1].tolist() == [[0]]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"metric": "manhattan"}, "known: cosine, euclidean"),
        ({"cells": 5}, "cells is 5. Expected a whole number from 1 to 4, the number of rows"),
        ({"cells": 2, "probes": 3}, "probes is 3. Expected a whole number from 1 to 2, the number of cells"),
        ({"probes": 0}, "probes is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"rows": np.empty((0, 3))}, "empty"),
        ({"rows": np.full((2, 3), np.nan)}, "NaN"),
    ],
)
def test_an_index_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    pytest.importorskip("faiss")
    with pytest.raises(InputError, match=message):
        Index(**{"rows": GOOD, **options})


def test_queries_of_an_index_are_checked() -> None:
    pytest.importorskip("faiss")
    index = Index(GOOD, "euclidean")
    for queries, message in [
        (np.ones((1, 2)), "queries have 2 numbers a row, rows 3"),
        ([[np.nan, 0, 0]], "NaN"),
        ([[1e30, 0, 0]], "Expected the same unit"),
    ]:
        with pytest.raises(InputError, match=message):
            index.nearest(queries)
    with pytest.raises(InputError, match="Expected at least one"):
        index.recall(np.empty((0, 3)))


def test_without_faiss_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)  # what import does for a package that is not there
    with pytest.raises(MissingPackageError, match=r"openshape-ood\[faiss\]"):
        Index(GOOD)

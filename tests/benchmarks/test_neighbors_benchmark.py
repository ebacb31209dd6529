from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.performance import neighbors
from benchmarks.performance.neighbors import made_up, main, measure, table

SMALL = {"rows": 2000, "dim": 16, "queries": 50, "k": 3, "metric": "cosine", "sample": 20, "seed": 0}
SIZES = ["--rows", "2000", "--dim", "16", "--queries", "50", "--k", "3", "--sample", "20"]


def test_vectors_are_clusters_of_unit_length() -> None:
    rows, queries = made_up(3000, 128, seed=1, stream=0), made_up(200, 128, seed=1, stream=1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(queries, made_up(200, 128, seed=1, stream=1))
    assert rows.dtype == np.float32 and not np.array_equal(rows[:200], queries)
    # queries lie by rows of the same clusters: much nearer than in a cloud without clusters, shuffled axis by axis
    shuffled = np.random.default_rng(2).permuted(queries, axis=0)
    shuffled /= np.linalg.norm(shuffled, axis=1, keepdims=True)
    assert np.mean((queries @ rows.T).max(axis=1)) > np.mean((shuffled @ rows.T).max(axis=1)) + 0.1
    assert rows.var(axis=0)[:4].mean() > 3 * rows.var(axis=0)[-4:].mean()


def test_the_exact_search_is_measured() -> None:
    found = measure("exact", SMALL)
    assert found["search"] == "exact" and found["recall"] == 1 and found["build_seconds"] == 0
    assert found["query_seconds"] > 0 and found["peak_mib"] > found["beside_data_mib"] >= 0


def test_an_index_is_measured() -> None:
    pytest.importorskip("faiss")
    found = measure("cells", SMALL)
    assert found["settings"] == {"cells": 45, "probes": 8}  # 45 = round(sqrt 2000)
    assert 0.5 < found["recall"] <= 1 and found["build_seconds"] > 0


def test_a_run_prints_a_table_and_leaves_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In processes of their own, as a user runs it."""
    assert main([*SIZES, "--searches", "exact", "--out", str(tmp_path / "new")]) == 0
    found = json.loads(next((tmp_path / "new").glob("neighbors-*.json")).read_text(encoding="utf-8"))
    assert found["task"]["rows"] == 2000 and found["data_mib"] == pytest.approx(2050 * 16 * 4 / 2**20)
    assert [result["search"] for result in found["results"]] == ["exact"]
    assert "made up" in found["vectors"] and found["threads"] >= 1
    out = capsys.readouterr().out
    assert "exact 0.0 " in " ".join(out.split()) and "simulated vectors" in out and "neighbors-" in out


def test_the_table_says_how_much_faster() -> None:
    one = {"search": "exact", "build_seconds": 0.0, "query_seconds": 20.0, "peak_mib": 2500.0, "beside_data_mib": 100.0}
    two = one | {"search": "cells", "build_seconds": 7.0, "query_seconds": 4.0, "recall": 0.987}
    lines = table([one | {"recall": 1.0, "settings": {}}, two | {"settings": {"cells": 1000}}]).splitlines()
    assert " ".join(lines[2].split()) == "exact 0.0 20.00 1.0× 2,500 100 100.0 –"
    assert " ".join(lines[3].split()) == "cells 7.0 4.00 5.0× 2,500 100 98.7 cells 1,000"
    assert " – " in table([two | {"settings": {"cells": 1000}}])  # nothing to compare with


def test_without_faiss_the_exact_search_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(neighbors, "find_spec", lambda name: None)
    assert neighbors.possible(["exact", "cells"]) == ["exact"]
    assert "openshape-ood[faiss]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option, message",
    [(["--k", "2001"], "--k is 2001"), (["--rows", "0"], "--rows is 0"), (["--seed", "-1"], "seed is -1")],
)
def test_sizes_that_cannot_be_are_refused(option: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SIZES, *option]) == 1
    assert message in capsys.readouterr().err


def test_a_search_that_dies_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert main([*SIZES, "--searches", "exact"]) == 1
    assert "search 'exact': exit status 1" in capsys.readouterr().err

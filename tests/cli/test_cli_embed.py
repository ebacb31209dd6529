"""openshape-ood embed: three formats, one content."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape
from safetensors import safe_open

from openshape_ood import ShapeEncoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shape(tmp_path / "shapes" / "chair.npy", "chair")
    write_shape(tmp_path / "shapes" / "sub" / "sofa.npy", "sofa")
    (tmp_path / "shapes" / "bad.ply").write_text("no")
    return tmp_path / "shapes"


@pytest.fixture
def expected(folder: Path, tiny: ShapeEncoder) -> np.ndarray:
    return tiny.encode([folder / "chair.npy", folder / "sub" / "sofa.npy"], seed=3, num_samples=2)


def embed(folder: Path, out: Path) -> Any:
    found = run_json("embed", folder, "--out", out, "--model", "tiny", "--seed", 3, "--num-samples", 2, code=1)
    assert found["counts"] == {"embedded": 2, "failed": 1, "ignored": 0}
    assert found["failed"][0]["file"] == str(folder / "bad.ply")
    assert [path.name for path in out.parent.iterdir() if path.is_file()] == [out.name]
    return found


def check_header(header: dict[str, Any], tiny: ShapeEncoder) -> None:
    assert (header["checkpoint"], header["checkpoint_sha256"]) == ("tiny", tiny.identity.sha256)
    assert (header["seed"], header["num_samples"], header["shapes"], header["failed"]) == (3, 2, 2, 1)


def test_safetensors(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    out = folder.parent / "x.safetensors"
    embed(folder, out)
    with safe_open(out, framework="numpy") as file:
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        found = file.get_tensor("embeddings")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
    assert metadata["ids"] == ["chair.npy", "sub/sofa.npy"] and metadata["up"] == ["y", "y"]
    assert metadata["paths"] == [str(folder / "chair.npy"), str(folder / "sub" / "sofa.npy")]
    assert [one["id"] for one in metadata["failed"]] == ["bad.ply"]
    check_header(metadata["header"], tiny)


def test_npz_without_pickle(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    out = folder.parent / "x.npz"
    embed(folder, out)
    with np.load(out, allow_pickle=False) as found:
        np.testing.assert_allclose(found["embeddings"], expected, atol=1e-5)
        assert found["ids"].tolist() == ["chair.npy", "sub/sofa.npy"]
        assert json.loads(str(found["failed"]))[0]["id"] == "bad.ply"
        check_header(json.loads(str(found["header"])), tiny)


def test_parquet_has_a_row_for_the_failed_too(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = folder.parent / "x.parquet"
    embed(folder, out)
    table = parquet.read_table(out)
    rows = table.to_pylist()
    np.testing.assert_allclose([row["embedding"] for row in rows[:2]], expected, atol=1e-5)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[192]"
    assert [row["id"] for row in rows] == ["chair.npy", "sub/sofa.npy", "bad.ply"]
    assert [row["status"] for row in rows] == ["embedded", "embedded", "failed"]
    assert rows[2]["embedding"] is None and "bad.ply" in rows[2]["error"]
    assert {row["checkpoint_sha256"] for row in rows} == {tiny.identity.sha256}
    check_header(json.loads(table.schema.metadata[b"openshape_ood"]), tiny)


def test_a_missing_extra_is_told_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("embed", folder, "--out", folder.parent / "x.parquet", "--model", "vitb32")
    assert result.exit_code == 2 and "pip install 'openshape-ood[parquet]'" in result.stderr


def test_nothing_is_written_where_nothing_was_embedded(folder: Path) -> None:
    out = folder.parent / "x.npz"
    result = run("embed", folder / "bad.ply", "--out", out, "--model", "tiny")
    assert result.exit_code == 2 and not out.exists()


def test_no_table_of_that_kind(folder: Path) -> None:
    result = run("embed", folder, "--out", "x.pickle", "--model", "tiny")
    assert result.exit_code == 2 and ".safetensors, .npz, .parquet" in result.stderr

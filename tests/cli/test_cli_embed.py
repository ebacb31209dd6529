"""openshape-ood embed: three formats and a folder, one content that is read back."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape
from safetensors import safe_open

from openshape_ood import ShapeEncoder, score_novelty
from openshape_ood import embedding_store as store


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
    found = run_json(
        "embed", folder, "--out", out, "--model", "tiny", "--seed", 3, "--num-samples", 2, "--readers", 0, code=1
    )
    counts = found["counts"]
    assert (counts["given"], counts["embedded"], counts["failed"], counts["ignored"]) == (3, 2, 1, 0)
    assert found["failed"][0]["file"] == str(folder / "bad.ply")
    assert [path.name for path in out.parent.iterdir() if path.is_file()] == [out.name]
    return found


def check_header(header: str | bytes, tiny: ShapeEncoder, printed: Any) -> None:
    header = json.loads(header)
    assert isinstance(header, dict) and (header["dim"], header["temperature"]) == (192, tiny.temperature)
    made = header["provenance"]
    assert made == printed["provenance"] and made["identity"] == asdict(tiny.identity)
    assert (made["seed"], made["num_samples"], made["up"]) == (3, 2, "file")


def test_safetensors(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    out = folder.parent / "x.safetensors"
    printed = embed(folder, out)
    with safe_open(out, framework="numpy") as file:
        metadata, found = file.metadata(), file.get_tensor("embedding")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
    words = {key: json.loads(metadata[key]) for key in ("id", "path", "up", "failed")}
    assert words["id"] == ["chair.npy", "sub/sofa.npy"] and words["up"] == ["y", "y"]
    assert words["path"] == [str(folder / "chair.npy"), str(folder / "sub" / "sofa.npy")]
    assert [one["id"] for one in words["failed"]] == ["bad.ply"]
    check_header(metadata["openshape_ood"], tiny, printed)


def test_npz_without_pickle(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    out = folder.parent / "x.npz"
    printed = embed(folder, out)
    with np.load(out, allow_pickle=False) as found:
        np.testing.assert_allclose(found["embedding"], expected, atol=1e-5)
        assert json.loads(str(found["id"])) == ["chair.npy", "sub/sofa.npy"]
        assert json.loads(str(found["failed"]))[0]["id"] == "bad.ply"
        check_header(str(found["openshape_ood"]), tiny, printed)


def test_parquet_has_a_row_for_the_failed_too(folder: Path, expected: np.ndarray, tiny: ShapeEncoder) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = folder.parent / "x.parquet"
    printed = embed(folder, out)
    table = parquet.read_table(out)
    rows = table.to_pylist()
    np.testing.assert_allclose([row["embedding"] for row in rows[:2]], expected, atol=1e-5)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[192]"
    assert [row["id"] for row in rows] == ["chair.npy", "sub/sofa.npy", "bad.ply"]
    assert [row["status"] for row in rows] == ["ok", "ok", "error"]
    assert rows[2]["embedding"] is None and "bad.ply" in rows[2]["error"]
    assert {row["provenance"] for row in rows} == {json.dumps(printed["provenance"])}
    check_header(table.schema.metadata[b"openshape_ood"], tiny, printed)


@pytest.mark.parametrize("name", ["x.parquet", "x.npz", "x.safetensors", "x"])
def test_what_was_embedded_is_opened_and_scored(name: str, tmp_path: Path, tiny: ShapeEncoder) -> None:
    """Whatever the ending, novelty of what is stored is that of `score_novelty` on the files."""
    if not name.endswith((".npz", ".safetensors")):
        pytest.importorskip("pyarrow")
    known, new = tmp_path / "known", tmp_path / "new"
    examples = {c: [write_shape(known / c / f"{i}.npy", c, i) for i in range(3)] for c in ("chair", "lamp")}
    files = [write_shape(new / f"{c}.npy", c, 7) for c in ("chair", "guitar", "lamp")]
    (new / "bad.ply").write_text("no")
    for folder, out, code in ((known, tmp_path / f"k-{name}", 0), (new, tmp_path / f"n-{name}", 1)):
        run_json("embed", folder, "--out", out, "--model", "tiny", "--readers", "0", code=code)
    stored = store.known_from(tmp_path / f"k-{name}")
    assert stored.identity == tiny.identity and store.read_header(tmp_path / f"n-{name}").dim == 192
    for method in ("nearest_distance", "prototype_distance", None):
        expected = score_novelty(files, examples, encoder=tiny, method=method)
        (found,) = store.score_store(tmp_path / f"n-{name}", stored, method)
        assert found.ids == ["chair.npy", "guitar.npy", "lamp.npy"]
        np.testing.assert_allclose(found.novelty, expected.novelty, atol=1e-5)
        assert found.nearest.tolist() == expected.nearest.tolist()
    (lost,) = store.read_errors(tmp_path / f"n-{name}")
    assert lost.id == "bad.ply" and "bad.ply" in lost.error
    assert store.nearest(found_rows(tmp_path / f"n-{name}")[:1], tmp_path / f"k-{name}")[1][0][0].startswith("chair/")


def found_rows(source: Path) -> np.ndarray:
    (batch,) = store.read_embeddings(source)
    return batch["embedding"]


def test_two_files_of_one_name_keep_their_paths(folder: Path) -> None:
    first, second = (write_shape(folder / name / "x.npy", "chair", seed) for seed, name in enumerate("ab"))
    out = folder.parent / "x.npz"
    run_json("embed", first, second, first, "--out", out, "--model", "tiny")
    (batch,) = store.read_embeddings(out)
    assert batch["id"] == [first.as_posix(), second.as_posix()]


def test_a_missing_extra_is_told_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("embed", folder, "--out", folder.parent / "x.parquet", "--model", "vitb32")
    assert result.exit_code == 2 and "pip install 'openshape-ood[parquet]'" in result.stderr


def test_nothing_is_written_where_nothing_was_embedded(folder: Path) -> None:
    out = folder.parent / "x.npz"
    result = run("embed", folder / "bad.ply", "--out", out, "--model", "tiny")
    assert result.exit_code == 2 and not out.exists()


def test_the_axis_is_asked_of_what_was_read(folder: Path) -> None:
    said = run("embed", folder, "--out", folder / "x.npz", "--model", "tiny").stderr
    assert "2 files do not state their up axis" in said


def test_no_file_of_that_kind(folder: Path) -> None:
    result = run("embed", folder, "--out", "x.pickle", "--model", "tiny")
    assert result.exit_code == 2 and ".safetensors, .npz, .parquet" in result.stderr

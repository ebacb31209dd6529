"""openshape-ood embed --out DIR: folders, patterns and lists into a folder, again and again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape
from forks import COMMAND, Forks

from openshape_ood import embedding_store as store
from openshape_ood.cli.inputs import list_items

pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shape(tmp_path / "shapes" / "chair" / "1.npy", "chair")
    write_shape(tmp_path / "shapes" / "sofa" / "1.npy", "sofa")
    (tmp_path / "shapes" / "bad.ply").write_text("no")
    return tmp_path / "shapes"


def ids_of(folder: Path) -> set[str]:
    return {id for batch in store.read_embeddings(folder) for id in batch["id"]}


def content(folder: Path) -> tuple[list[Path], list[Any], list[str], np.ndarray]:
    """Shards and errors, which are the same in every run, and ids and embeddings (n, d), by id."""
    batches = store.read_embeddings(folder)
    rows = {id: row for batch in batches for id, row in zip(batch["id"], batch["embedding"], strict=True)}
    ids = sorted(rows)
    shards, errors = sorted(folder.rglob("*.parquet")), list(store.read_errors(folder))
    return shards, errors, ids, np.array([rows[id] for id in ids])


def embed(given: Any, out: Path, *more: str, code: int = 0) -> Any:
    return run_json("embed", given, "--out", out, "--model", "tiny", "--readers", "0", *more, code=code)


def test_a_folder_into_a_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = embed(folder, out, code=1)
    assert found["counts"] | {"ignored": 0} == {
        "given": 3, "embedded": 2, "reused": 0, "changed": 0, "failed": 1, "skipped": 0, "ignored": 0, "rows": 2,
        "errors": 1,
    }  # fmt: skip
    assert ids_of(out) == {"chair/1.npy", "sofa/1.npy"}
    assert store.known_from(out).names == ("chair", "sofa")
    write_shape(folder / "chair" / "2.npy", "chair", seed=2)
    again = embed(folder, out, code=1)["counts"]
    assert (again["embedded"], again["reused"], again["skipped"], again["rows"]) == (1, 2, 1, 3)
    tried = embed(folder, out, "--retry-failed", code=1)["counts"]
    assert (tried["embedded"], tried["failed"], tried["skipped"]) == (0, 1, 0)


def test_words_for_people(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("embed", folder, "--out", out, "--model", "tiny", "--readers", "0")
    first, second = run(*words), run(*words)
    assert first.exit_code == second.exit_code == 1
    assert "2 embeddings of 192 numbers" in first.stdout and "2 embedded now, 0 embedded before" in first.stdout
    assert "bad.ply" in first.stderr
    assert "0 embedded now, 2 embedded before" in second.stdout and "--retry-failed" in second.stderr


def test_ids_do_not_depend_on_what_else_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [item.id for item in list_items([str(folder)]).items]
    assert ids == ["bad.ply", "chair/1.npy", "sofa/1.npy"]
    assert [item.id for item in list_items([f"{folder}/*/1.npy"]).items] == ids[1:]
    assert [item.id for item in list_items([f"{folder}/**/1.npy"]).items] == ids[1:]
    assert [item.id for item in list_items([str(folder / "chair" / "1.npy")]).items] == ["1.npy"]
    monkeypatch.chdir(folder)
    assert [item.id for item in list_items(["."]).items] == ids
    assert [item.id for item in list_items(["*/1.npy"]).items] == ids[1:]
    assert [item.id for item in list_items(["chair/1.npy"]).items] == ["1.npy"]


def test_a_list(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,id,up\nshapes/chair/1.npy,c,z\nshapes/sofa/1.npy,s,\n")
    assert embed(tmp_path / "list.csv", tmp_path / "out")["counts"]["rows"] == 2
    assert ids_of(tmp_path / "out") == {"c", "s"}


def test_ids_that_are_not_unique_are_refused(folder: Path, tmp_path: Path) -> None:
    result = run("embed", folder / "chair", folder / "sofa", "--out", tmp_path / "out", "--model", "tiny")
    assert result.exit_code == 2 and "two shapes have the id '1.npy'" in result.stderr


def test_a_folder_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    embed(folder, tmp_path / "out", code=1)
    result = run("embed", folder, "--out", tmp_path / "out", "--model", "tiny", "--num-samples", "2")
    assert result.exit_code == 2 and "num_samples 1. Expected num_samples 2" in result.stderr


def test_options_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    def refused(*words: str | Path) -> str:
        result = run("embed", folder, "--model", "tiny", *words)
        assert result.exit_code == 2
        return result.stderr

    assert "need a folder" in refused("--out", tmp_path / "x.npz", "--engine", "ray")
    assert "Expected --engine ray" in refused("--out", tmp_path / "out", "--workers", "2")
    assert "known: local, ray" in refused("--out", tmp_path / "out", "--engine", "spark")
    assert "a file. Engines, shards" in refused("--out", tmp_path / "x.npz", "--shard", "0/2")
    for shard in ("2/2", "-1/2", "1", "a/b", "0/0"):
        assert "Expected i/n with i from 0 to n - 1" in refused("--out", tmp_path / "out", f"--shard={shard}")
    assert not (tmp_path / "out").exists()


def test_nothing_but_failures(folder: Path, tmp_path: Path) -> None:
    found = embed(folder / "bad.ply", tmp_path / "out", code=2)
    assert found["counts"]["errors"] == 1
    result = run("embed", tmp_path / "nothing*", "--out", tmp_path / "other", "--model", "tiny")
    assert result.exit_code == 2


def test_without_pyarrow(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("embed", folder, "--out", tmp_path / "out", "--model", "tiny")
    assert result.exit_code == 2 and "pip install 'openshape-ood[parquet]'" in result.stderr


def test_without_ray(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("embed", folder, "--out", tmp_path / "out", "--model", "tiny", "--engine", "ray")
    assert result.exit_code == 2 and "pip install 'openshape-ood[ray]'" in result.stderr


def test_shares_of_a_list_by_processes_that_run_at_once(tmp_path: Path, forks: Forks) -> None:
    """Every shape once, as in one run; a share that is done is not done again; the same share twice is harmless."""
    paths = [write_shape(tmp_path / "in" / f"{i}.npy", "chair", i) for i in range(8)]
    (tmp_path / "list.txt").write_text("\n".join(["path", *(f"in/{path.name}" for path in paths), "in/none.npy"]))
    out = tmp_path / "out"
    words = ["embed", tmp_path / "list.txt", "--out", out, "--model", "tiny", "--readers", "0", "--json", "--shard"]
    started = [forks.start(COMMAND, *words, f"{i}/2") for i in (0, 0)]
    own = run(*words, "1/2")  # here, meanwhile
    processes = [forks.wait(one) for one in started]
    said = [json.loads(process.stdout)["counts"] for process in processes][1:]
    said.append(json.loads(own.stdout)["counts"])
    codes = [processes[1].returncode, own.exit_code]
    assert sum(counts["given"] for counts in said) == 9 and all(counts["given"] for counts in said)
    assert sorted(codes) == [0, 1]
    shards, errors, ids, embeddings = content(out)
    assert len(shards) == 3  # two shards, and one of errors
    again = embed(tmp_path / "list.txt", out, "--shard", "0/2", code=codes[0])["counts"]
    assert again["embedded"] == 0 and again["reused"] + again["skipped"] == said[0]["given"]
    for path in shards:
        path.unlink()
    for i in range(2):
        embed(tmp_path / "list.txt", out, "--shard", f"{i}/2", code=codes[i])
    *same, again_embeddings = content(out)
    assert same == [shards, errors, ids]
    np.testing.assert_allclose(again_embeddings, embeddings, rtol=0, atol=1e-5)  # of other processes, by this one
    write_shape(tmp_path / "in" / "none.npy", "lamp")
    tried = [embed(tmp_path / "list.txt", out, "--shard", f"{i}/2", "--retry-failed")["counts"] for i in range(2)]
    assert sorted(counts["embedded"] for counts in tried) == [0, 1]
    whole = embed(tmp_path / "list.txt", out)["counts"]
    assert (whole["reused"], whole["skipped"], whole["rows"], whole["errors"]) == (9, 0, 9, 0)

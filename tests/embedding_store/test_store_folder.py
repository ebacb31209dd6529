"""Folders of embeddings: the schema, shards, errors, and every id once."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from made_up_store import HEADER, IDENTITY, made_rows, vectors, write_store

from openshape_ood.embedding_store import COLUMNS, known_from, nearest, read_embeddings, read_errors, read_header
from openshape_ood.embedding_store.folder import (
    Counts,
    forget_errors,
    keys,
    locked,
    open_folder,
    place,
    settle,
    write_shard,
    written,
)
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import FileError, InputError, MixedEncodersError

parquet = pytest.importorskip("pyarrow.parquet")
OTHER = replace(HEADER, provenance=Provenance(replace(IDENTITY, checkpoint="vitb32", sha256="cd" * 32), up="y"))


def ids_of(folder: Path) -> list[str]:
    return sorted(id for id, _, _ in written(folder))


def test_schema_and_values(tmp_path: Path) -> None:
    embeddings = vectors(2)
    write_shard(tmp_path, made_rows(["a", "b\udcff"], embeddings, failed=("c",)), HEADER)
    (good,), (bad,) = (list((tmp_path / name).iterdir()) for name in ("embeddings", "errors"))
    assert good.name == bad.name
    table = parquet.read_table(good)
    assert table.column_names == list(COLUMNS)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[8]"
    rows = table.to_pylist()
    assert rows[0] == {
        "id": "a",
        "path": "/in/a",
        "embedding": embeddings[0].tolist(),
        "up": "y",
        "stamp": "",
        "provenance": json.dumps(asdict(HEADER.provenance)),
        "status": "ok",
        "error": None,
    }
    assert rows[1]["id"] == "b\\udcff"
    lost = parquet.read_table(bad).to_pylist()[0]
    assert (lost["status"], lost["error"], lost["embedding"]) == ("error", "no cloud", None)
    assert parquet.read_table(bad).schema.equals(table.schema)
    assert read_header(tmp_path) == HEADER


def test_the_same_shard_twice_is_there_once(tmp_path: Path) -> None:
    write_shard(tmp_path, made_rows(["a"], vectors(1), failed=("b",)), HEADER)
    write_shard(tmp_path, made_rows(["a", "b"], vectors(2)), HEADER)
    assert len(list((tmp_path / "embeddings").iterdir())) == 1
    assert ids_of(tmp_path) == ["a", "b"] and list(read_errors(tmp_path)) == []


def test_settling_leaves_every_id_once(tmp_path: Path) -> None:
    write_shard(tmp_path, made_rows(["a", "b"], vectors(2), failed=("c", "d")), HEADER)
    write_shard(tmp_path, made_rows(["b", "c"], vectors(2, 1), failed=("d",)), HEADER)
    (tmp_path / "embeddings" / "shard-x.parquet.7.partial").write_bytes(b"half")
    assert settle(tmp_path) == Counts(rows=3, errors=1, removed=1)
    assert sorted(id for batch in read_embeddings(tmp_path) for id in batch["id"]) == ["a", "b", "c"]
    assert [one.id for one in read_errors(tmp_path)] == ["d"]
    assert not list(tmp_path.rglob("*.partial")) and read_header(tmp_path) == HEADER
    forget_errors(tmp_path, keys([place("d", "/in/d")]))
    assert list(read_errors(tmp_path)) == []


@pytest.mark.parametrize("batch_rows", [1, 4, 7, 100])
def test_reading_in_batches(tmp_path: Path, batch_rows: int) -> None:
    embeddings, ids = vectors(10), [f"{i}" for i in range(10)]
    write_store(tmp_path, ids, embeddings, rows=3)
    batches = list(read_embeddings(tmp_path, batch_rows=batch_rows))
    assert [len(batch["id"]) for batch in batches[:-1]] == [batch_rows] * (len(batches) - 1)
    assert sum(len(batch["id"]) for batch in batches) == 10
    found = {id: row for batch in batches for id, row in zip(batch["id"], batch["embedding"], strict=True)}
    np.testing.assert_array_equal([found[id] for id in ids], embeddings)


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no embeddings"):
        list(read_embeddings(tmp_path))
    write_store(tmp_path, ["a"], vectors(1), rows=1)
    with pytest.raises(InputError, match="Expected some of id, path"):
        list(read_embeddings(tmp_path, ("color",)))
    (tmp_path / "embeddings" / "shard-z.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FileError, match="shard-z"):
        ids_of(tmp_path)


def test_stores_of_two_encoders_are_not_read_as_one(tmp_path: Path) -> None:
    write_shard(tmp_path / "a", made_rows(["a"], vectors(1)), HEADER)
    write_shard(tmp_path / "b", made_rows(["b"], vectors(1)), OTHER)
    with pytest.raises(MixedEncodersError, match="Expected one encoder"):
        list(read_embeddings([tmp_path / "a", tmp_path / "b"]))


def test_a_folder_of_another_checkpoint_or_other_settings_is_refused_with_both_named(tmp_path: Path) -> None:
    open_folder(tmp_path, OTHER)
    open_folder(tmp_path, HEADER)  # nothing was embedded: nothing is mixed
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "shard-1.parquet").touch()
    open_folder(tmp_path, replace(HEADER, provenance=replace(HEADER.provenance, version="1")))
    with pytest.raises(MixedEncodersError, match=r"tiny \(sha256 abababab\).*vitb32 \(sha256 cdcdcdcd\)"):
        open_folder(tmp_path, OTHER)
    with pytest.raises(InputError, match=r"made with up y\. Expected up z"):
        open_folder(tmp_path, replace(HEADER, provenance=replace(HEADER.provenance, up="z")))
    with pytest.raises(InputError, match=r"made with precision float32\. Expected precision bfloat16"):
        open_folder(tmp_path, replace(HEADER, precision="bfloat16"))


def test_a_folder_that_another_process_is_just_opening_is_no_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "manifest.json.7.partial").write_bytes(b"half")
    (tmp_path / "embeddings").mkdir()
    open_folder(tmp_path, HEADER)
    assert json.loads((tmp_path / "manifest.json").read_text())["provenance"] == asdict(HEADER.provenance)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "chair.ply").write_text("ply")
    with pytest.raises(FileError, match=r"chair\.ply"):
        open_folder(tmp_path, HEADER)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(FileError, match="manifest"):
        open_folder(tmp_path, HEADER)


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FileError, match="another run"), locked(tmp_path):
        pass
    shared = locked(tmp_path, shared=True), locked(tmp_path, shared=True)
    with shared[0], shared[1], pytest.raises(FileError, match="another run"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_generator_of_files_is_read_once(tmp_path: Path) -> None:
    write_shard(tmp_path, made_rows(["a/1", "b/1"], vectors(2)), HEADER)
    files = list((tmp_path / "embeddings").glob("*.parquet"))
    assert known_from(file for file in files).names == ("a", "b")
    assert nearest(vectors(1), (file for file in files), k=1)[1].tolist() == [["a/1"]]

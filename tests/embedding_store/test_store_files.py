"""One schema, whatever the ending: what is written is read back, and what is hostile or damaged is refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_store import HEADER, IDENTITY, made_rows, vectors
from safetensors.numpy import save_file

from openshape_ood.embedding_store import (
    COLUMNS,
    Header,
    known_from,
    read_embeddings,
    read_errors,
    read_header,
    write_embeddings,
)
from openshape_ood.embedding_store.footer import column_chunks
from openshape_ood.embedding_store.schema import MAX_WORD, checksum
from openshape_ood.errors import FileError, InputError, MixedEncodersError

arrow = pytest.importorskip("pyarrow")
TEXTS = ("id", "path", "up", "failed")
ENDINGS = (".parquet", ".npz", ".safetensors")
IDS = [f"{name}/{i}" for name in ("chair", "lamp") for i in range(5)]


def write(folder: Path, ending: str, header: Header = HEADER, seed: int = 0) -> Path:
    return write_embeddings(folder / f"x{ending}", made_rows(IDS, vectors(10, seed), failed=("odd/1",)), header)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str, batch_rows: int) -> None:
    path = write(tmp_path, ending)
    assert read_header(path) == HEADER
    batches = list(read_embeddings(str(path), COLUMNS, batch_rows))
    assert max(len(batch["id"]) for batch in batches) == min(batch_rows, 10)
    for missing in (path.with_name("no.npz"), [path, path.with_name("no.npz")]):
        with pytest.raises(FileError, match=r"there are no embeddings in .*no\.npz"):
            read_header(missing)
    columns = {name: [one for batch in batches for one in batch[name]] for name in COLUMNS}
    np.testing.assert_array_equal(columns.pop("embedding"), vectors(10))
    assert columns["id"] == IDS and columns["path"] == [f"/in/{id}" for id in IDS]
    assert columns["up"] == ["y"] * 10 and columns["status"] == ["ok"] * 10 and columns["error"] == [None] * 10
    assert {json.loads(one)["identity"]["sha256"] for one in columns["provenance"]} == {IDENTITY.sha256}
    (lost,) = read_errors(path)
    assert (lost.id, lost.path, lost.error, lost.up) == ("odd/1", "/in/odd/1", "no cloud", "")


def test_files_of_several_endings_are_one_source(tmp_path: Path) -> None:
    known = known_from(write(tmp_path, ending, seed=i) for i, ending in enumerate(ENDINGS))
    assert known.names == ("chair", "lamp") and known.examples is not None and len(known.examples) == 30
    other = write(
        tmp_path,
        ".npz",
        replace(HEADER, dim=8, provenance=replace(HEADER.provenance, identity=replace(IDENTITY, sha256="0"))),
    )
    with pytest.raises(MixedEncodersError, match="Expected one encoder"):
        list(read_embeddings([tmp_path / "x.parquet", other]))


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a name that ends in"):
        write_embeddings(tmp_path / "x.pickle", made_rows([], vectors(0)), HEADER)
    with pytest.raises(InputError, match=r"Expected \(1, 8\)"):
        write_embeddings(tmp_path / "x.npz", made_rows(["a"], vectors(2)), HEADER)
    (tmp_path / "x.pickle").write_bytes(b"cos\nsystem\n")
    with pytest.raises(FileError, match="not a file of embeddings"):
        list(read_embeddings(tmp_path / "x.pickle"))
    with pytest.raises(FileError, match="no embeddings"):
        list(read_embeddings([]))
    for batch_rows in (0, -1, 2.5):
        with pytest.raises(InputError, match="batch_rows"):
            list(read_embeddings(write(tmp_path, ".npz"), batch_rows=batch_rows))


def npz(bad: Path, compression: int = zipfile.ZIP_STORED, **arrays: Any) -> Path:
    """A good file, but for `arrays`: arrays, or the bytes of members; None leaves one out. Its checksum is right."""
    good = dict(np.load(write(bad.parent, ".npz")))
    good["sum"] = np.array(right_sum({k: v for k, v in (good | arrays).items() if k != "sum"}))
    with zipfile.ZipFile(bad, "w", compression) as archive:
        for name, value in (good | arrays).items():
            buffer = io.BytesIO()
            if value is not None and not isinstance(value, bytes):
                np.save(buffer, value, allow_pickle=True)
            if value is not None:
                archive.writestr(f"{name}.npy", value if isinstance(value, bytes) else buffer.getvalue())
    return bad


def right_sum(arrays: Mapping[str, Any]) -> str:
    """What a file of this content would say, as far as there is any."""
    embedding = arrays.get("embedding")
    content = b"" if embedding is None or isinstance(embedding, bytes) else embedding.tobytes()
    return checksum(
        {key: str(arrays[key]) for key in ("openshape_ood", *TEXTS) if arrays.get(key) is not None}, content
    )


def forged(old: str, new: str) -> str:
    """The header with a change, and the checksum of that."""
    changed = json.loads(HEADER.to_json().replace(old, new))
    return json.dumps(changed | {"sum": checksum({key: changed[key] for key in changed if key != "sum"})})


def huge() -> bytes:
    """A head that promises 4 TiB, and nothing behind it."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10, 10**11)})
    return buffer.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        {"compression": zipfile.ZIP_DEFLATED},
        {"embedding": huge()},
        {"embedding": np.array([{"a": 1}] * 10, dtype=object)},
        {"embedding": vectors(9)},
        {"embedding": vectors(10).astype(np.float64)},
        {"embedding": np.full((10, 8), np.nan, dtype=np.float32)},
        {"embedding": None},
        {"id": None},
        {"id": np.array(json.dumps([7] * 10))},
        {"path": np.array('["a"]')},
        {"openshape_ood": None},
        {"openshape_ood": np.array("[" * 60_000)},
        {"openshape_ood": np.array(forged(" 3", " 2"))},
        {"openshape_ood": np.array(forged('"dim": 8', '"dim": 1000000000'))},
        {"openshape_ood": np.array(forged('"dim": 8', '"dim": "8"'))},
        {"openshape_ood": np.array(forged('"dim": 8', '"rank": 8'))},
        {"openshape_ood": np.array(forged("0.07", "-1"))},
        {"sum": np.array("0" * 64)},
        {"sum": None},
    ],
)
def test_a_damaged_npz_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(FileError, match=r"bad\.npz"):
        list(read_embeddings(npz(tmp_path / "bad.npz", **change)))


def test_damaged_safetensors_are_refused(tmp_path: Path) -> None:
    words = {name: json.dumps(IDS) for name in TEXTS} | {"failed": "[]"}
    good = {"openshape_ood": HEADER.to_json(), **words}
    bad = tmp_path / "bad.safetensors"
    for embedding, metadata in (
        (vectors(10), {}),
        (vectors(10), good | {"id": "[[["}),
        (vectors(10), good | {"id": "7"}),
        (vectors(10)[:, :4].copy(), good),
        (vectors(10).ravel(), good),
        (vectors(10).astype(np.float16), good),
    ):
        signed = {**metadata, "sum": right_sum({**metadata, "embedding": embedding})}
        save_file({"embedding": embedding}, bad, signed)
        with pytest.raises(FileError, match=r"bad\.safetensors"):
            list(read_embeddings(bad))
    bad.write_bytes(b"\xff" * 100)
    with pytest.raises(FileError, match=r"bad\.safetensors"):
        read_header(bad)


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table, bad = parquet.read_table(write(tmp_path, ".parquet")), tmp_path / "bad.parquet"
    metadata = table.schema.metadata

    def changed(name: str, values: Any) -> Any:
        return table.set_column(table.column_names.index(name), name, values).replace_schema_metadata(metadata)

    long = "x" * (MAX_WORD + 1)
    for other in (
        table.replace_schema_metadata({}),
        table.drop_columns(["id"]),
        changed("id", arrow.array([long] * 11)),
        changed("embedding", arrow.array([[1.0] * 4] * 11, arrow.list_(arrow.float32(), 4))),
        changed("embedding", arrow.array([[1.0] * 8] * 11)),
        changed("status", arrow.array(["ok"] * 11)),
        changed("embedding", arrow.array([[float("inf")] * 8] * 11, arrow.list_(arrow.float32(), 8))),
    ):
        parquet.write_table(other, bad)
        with pytest.raises(FileError, match=r"bad\.parquet"):
            list(read_embeddings(bad))
    bad.write_bytes(b"PAR1" + b"\0" * 50 + b"PAR1")
    with pytest.raises(FileError, match=r"bad\.parquet"):
        read_header(bad)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_flipped_bit_is_believed(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path, ending)

    def content() -> Any:
        batches = [{**one, "embedding": one["embedding"].tobytes()} for one in read_embeddings(path, COLUMNS)]
        return read_header(path), batches, list(read_errors(path))

    sound, expected, told = path.read_bytes(), content(), 0
    for place in np.random.default_rng(0).integers(0, 8 * len(sound), 120):
        damaged = bytearray(sound)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = content()
        except FileError:
            told += 1
        else:  # bits that nothing depends on
            assert found == expected
    assert told > 60


def test_a_footer_says_what_pyarrow_says(tmp_path: Path) -> None:
    from pyarrow import parquet

    given = {"a": list(range(60)), "b": [["x", None]] * 60, "c": [{"u": 1.5, "v": True}] * 60}
    parquet.write_table(arrow.table(given), tmp_path / "t.parquet", row_group_size=20)
    told = parquet.ParquetFile(tmp_path / "t.parquet").metadata
    groups = [told.row_group(i) for i in range(told.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    expected = [(one.path_in_schema.split(".")[0], one.num_values, one.total_uncompressed_size) for one in columns]
    assert column_chunks(tmp_path / "t.parquet") == expected and len(expected) == 12


def test_a_flipped_footer_does_not_end_the_process(tmp_path: Path) -> None:
    """pyarrow's own account of columns does, where their statistics contradict themselves."""
    run = [sys.executable, str(Path(__file__).with_name("flipped_footers.py")), str(write(tmp_path, ".parquet"))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*run, str(tmp_path)], capture_output=True, text=True, env=env)
    assert done.returncode == 0 and "refused" in done.stdout, done.stderr

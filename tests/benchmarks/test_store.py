from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from benchmarks.threedos.store import MOST_SHARDS, DamagedCacheWarning, EmbeddingStore, content_key

RECORD = {"checkpoint": "ab" * 32, "points": 1024, "seed": 1}
KEYS = [bytes([i]) * 32 for i in range(3)]
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def filled(root: Path) -> EmbeddingStore:
    store = EmbeddingStore(root, RECORD, 4)
    store.add(KEYS[:2], ROWS[:2])
    store.add(KEYS[2:], ROWS[2:])
    return store


def shards(store: EmbeddingStore) -> list[Path]:
    assert store.folder
    return sorted(store.folder.glob("*.safetensors"))


def test_what_is_added_is_there_in_another_process_too(tmp_path: Path) -> None:
    assert len(shards(filled(tmp_path))) == 2
    again = EmbeddingStore(tmp_path, RECORD, 4)
    np.testing.assert_array_equal(again.get(KEYS[::-1]), ROWS[::-1])
    assert again.keys() == set(KEYS)
    assert KEYS[0] in again and b"x" * 32 not in again
    with pytest.raises(KeyError):
        again.get([b"x" * 32])


@pytest.mark.parametrize("changed", [{"seed": 2}, {"points": 2048}, {"checkpoint": "cd" * 32}])
def test_another_seed_recipe_or_checkpoint_shares_nothing(tmp_path: Path, changed: dict) -> None:
    filled(tmp_path)
    assert len(EmbeddingStore(tmp_path, RECORD | changed, 4)) == 0


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = EmbeddingStore(None, RECORD, 4)
    store.add(KEYS, ROWS)
    np.testing.assert_array_equal(store.get(KEYS), ROWS)
    assert list(tmp_path.iterdir()) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_width(path: Path) -> None:
    shard = load(path.read_bytes())
    content = save({"keys": shard["keys"], "embeddings": np.ascontiguousarray(shard["embeddings"][:, :3])})
    path.unlink()
    (path.parent / f"{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, empty, of_another_width])
def test_a_damaged_shard_is_removed_and_the_others_kept(tmp_path: Path, damage: object) -> None:
    store = filled(tmp_path)
    (second,) = (path for path in shards(store) if load(path.read_bytes())["keys"].shape[0] == 1)
    damage(second)
    with pytest.warns(DamagedCacheWarning, match="its clouds are embedded again"):
        again = EmbeddingStore(tmp_path, RECORD, 4)
    assert again.keys() == set(KEYS[:2])
    assert len(shards(again)) == 1


def test_what_a_kill_leaves_behind_is_not_read(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.folder
    (store.folder / f"{'0' * 64}.safetensors.17.partial").write_bytes(b"half a sha")
    assert EmbeddingStore(tmp_path, RECORD, 4).keys() == set(KEYS)


def test_many_shards_become_one(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, RECORD, 4)
    rows = np.random.RandomState(0).normal(size=(MOST_SHARDS + 1, 4)).astype(np.float32)
    keys = [hashlib.sha256(bytes([i])).digest() for i in range(len(rows))]
    for key, row in zip(keys, rows, strict=True):
        store.add([key], row[None])
    again = EmbeddingStore(tmp_path, RECORD, 4)
    assert len(shards(again)) == 1
    np.testing.assert_array_equal(EmbeddingStore(tmp_path, RECORD, 4).get(keys), rows)


def test_the_key_is_the_content() -> None:
    cloud = np.arange(12, dtype=np.float32).reshape(4, 3)
    expected = hashlib.sha256(b"<f4(4, 3)" + cloud.tobytes()).digest()
    assert content_key(cloud) == content_key(np.asfortranarray(cloud)) == expected
    others = [cloud + 1, cloud.reshape(2, 6), cloud.astype(np.float64), cloud[::-1]]
    assert len({content_key(other) for other in others} | {expected}) == 5

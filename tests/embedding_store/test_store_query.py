"""Stores as known classes, as rows to search, as shapes to score: the same as with all rows at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import Farthest
from made_up_store import HEADER, IDENTITY, vectors, write_store

from openshape_ood import embedding_store as store
from openshape_ood import score_novelty
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Identity
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Method
from openshape_ood.scoring import neighbors as neighbors

pytest.importorskip("pyarrow")
IDS = [f"{name}/{i}.ply" for name in ("chair", "lamp") for i in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_store(tmp_path, IDS, vectors(12), rows=5)


def in_order(folder: Path) -> tuple[list[str], np.ndarray]:
    (batch,) = store.read_embeddings(folder)
    return batch["id"], batch["embedding"]


@pytest.mark.parametrize("batch_rows", [1, 5, 100])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_nearest_is_that_of_all_rows_at_once(folder: Path, batch_rows: int, metric: str) -> None:
    ids, rows = in_order(folder)
    queries = vectors(4, seed=1)
    distance, index = neighbors.nearest(queries, rows, 3, metric)
    found, names = store.nearest(queries, folder, 3, metric, batch_rows)
    np.testing.assert_allclose(found, distance, atol=1e-12)
    assert names.tolist() == [[ids[i] for i in row] for row in index]


def test_nearest_of_equal_rows_is_the_first(tmp_path: Path) -> None:
    same = np.repeat(vectors(1), 4, axis=0)
    write_store(tmp_path, list("abcd"), same, rows=2)
    ids, _ = in_order(tmp_path)
    assert store.nearest(same[:1], tmp_path, 2, batch_rows=1)[1].tolist() == [ids[:2]]


def test_nearest_refuses_more_than_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match="from 1 to 12"):
        store.nearest(vectors(1), folder, 13)
    with pytest.raises(InputError, match="k is 0"):
        store.nearest(vectors(1), folder, 0)


def test_known_classes_by_folder_and_by_labels(folder: Path) -> None:
    known = store.known_from(folder)
    assert known.names == ("chair", "lamp") and np.bincount(known.labels).tolist() == [6, 6]
    assert known.identity == IDENTITY
    assert known.temperature == HEADER.temperature
    ids, rows = in_order(folder)
    chairs = rows[[i for i, id in enumerate(ids) if id.startswith("chair")]]
    np.testing.assert_allclose(known.examples[known.labels == 0], chairs, atol=1e-5)
    some = store.known_from(folder, {"lamp/0.ply": "light", "chair/1.ply": "seat", "none": "none"})
    assert some.names == ("light", "seat") and len(some.examples) == 2
    with pytest.raises(InputError, match="no row"):
        store.known_from(folder, {})


def test_no_class_without_a_folder(tmp_path: Path) -> None:
    write_store(tmp_path, ["a.ply"], vectors(1), rows=1)
    with pytest.raises(InputError, match="in Python give labels, a mapping"):
        store.known_from(tmp_path)


@pytest.mark.parametrize("method", ["max_cosine", "knn", "mahalanobis", None])
def test_scores_batch_by_batch(folder: Path, tmp_path: Path, method: str | None) -> None:
    known = store.known_from(write_store(tmp_path / "known", IDS, vectors(12, seed=3), rows=12))
    ids, rows = in_order(folder)
    batches = list(store.score_store(folder, known, method, batch_rows=5))
    assert [id for batch in batches for id in batch.ids] == ids and len(batches) == 3
    assert all(batch.is_novel is None for batch in batches)
    expected = score_novelty(Embeddings(rows, IDENTITY), known, method=method)
    np.testing.assert_allclose(np.concatenate([b.novelty for b in batches]), expected.novelty, atol=1e-12)
    assert np.concatenate([b.nearest for b in batches]).tolist() == expected.nearest.tolist()


@pytest.mark.parametrize("temperature", [0.07, 0.5, None])
def test_a_softmax_has_the_temperature_of_the_encoder_that_filled_the_store(
    tmp_path: Path, temperature: float | None
) -> None:
    header = replace(HEADER, temperature=temperature)
    folder = write_store(tmp_path, IDS, vectors(12), rows=5, header=header)
    known, (_, rows) = KnownClasses(("a", "b", "c"), IDENTITY, vectors(3, seed=5)), in_order(folder)
    assert known.temperature is None
    (batch,) = store.score_store(folder, known, "mcm")
    softmax = np.exp(rows.astype(np.float64) @ known.text.T / (temperature or 0.01))
    np.testing.assert_allclose(batch.novelty, 1 - softmax.max(axis=1) / softmax.sum(axis=1), atol=1e-5)
    (own,) = store.score_store(folder, replace(known, temperature=0.2), "mcm")  # that of the classes goes first
    softmax = np.exp(rows.astype(np.float64) @ known.text.T / 0.2)
    np.testing.assert_allclose(own.novelty, 1 - softmax.max(axis=1) / softmax.sum(axis=1), atol=1e-5)


def test_a_method_and_a_threshold_of_ones_own(folder: Path) -> None:
    known, (_, rows) = store.known_from(folder), in_order(folder)
    method = Method("farthest", Farthest)
    provenance = replace(HEADER.provenance, method="farthest")
    threshold = Threshold(1.0, provenance=provenance)
    (batch,) = store.score_store(folder, known, method, threshold)
    np.testing.assert_allclose(batch.novelty, 1 - (rows @ known.anchors.T).min(axis=1), atol=1e-5)
    assert batch.is_novel is not None and batch.is_novel.tolist() == (batch.novelty > 1).tolist()
    with pytest.raises(MixedEncodersError, match="same encoder and method"):
        next(store.score_store(folder, known, "knn", threshold))


def test_scores_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    known = store.known_from(folder)
    with pytest.raises(InputError, match="scores their patches"):
        next(store.score_store(folder, known, "vote_entropy"))
    with pytest.raises(InputError, match="'neglabel' needs names"):
        next(store.score_store(folder, known, "neglabel"))
    stranger = replace(known, identity=Identity("vitb32", "other", "cd" * 32))
    with pytest.raises(MixedEncodersError):
        next(store.score_store(folder, stranger))
    with pytest.raises(FileError, match="no embeddings"):
        next(store.score_store(tmp_path / "nothing", known))

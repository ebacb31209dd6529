"""discover of more rows than are grouped at once: a sample is grouped, the others join."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from openshape_ood import Embeddings, discover
from openshape_ood.discovery import Discovery, grouping
from openshape_ood.encoders.protocols import Identity

GROUPS, EACH, ALONE, WIDTH = 3, 60, 20, 12


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(grouping, "MOST", 90)
    random = np.random.RandomState(0)
    near = np.repeat(np.eye(WIDTH)[:GROUPS], EACH, axis=0) + random.normal(0, 0.05, (GROUPS * EACH, WIDTH))
    return np.concatenate([near, random.normal(0, 1, (ALONE, WIDTH))])


def found(vectors: np.ndarray, **settings: object) -> Discovery:
    all_novel = SimpleNamespace(novelty=np.ones(len(vectors)), is_novel=np.ones(len(vectors), dtype=bool))
    return discover(all_novel, Embeddings(vectors, Identity("mine", "mine")), **settings)


def test_rows_beyond_the_sample_join_the_groups_and_strangers_stay_alone(vectors: np.ndarray) -> None:
    one = found(vectors)
    assert one.grouped == one.as_json()["grouped"] == 90 and len(one.groups) == GROUPS
    for group in one.groups:
        own = group.rows[group.rows < GROUPS * EACH] // EACH
        assert len(set(own)) == 1 and EACH - 12 <= len(own) <= EACH
    assert (one.labels[-ALONE:] == 0).any()
    again, other = found(vectors), found(vectors, seed=1)
    assert (again.labels == one.labels).all() and len(other.groups) == GROUPS


def test_the_order_of_the_rows_does_not_matter(vectors: np.ndarray) -> None:
    order = np.random.RandomState(1).permutation(len(vectors))
    one, other = found(vectors), found(vectors[order])
    sizes = sorted(map(len, one.groups))
    assert sorted(map(len, other.groups)) == sizes
    assert ((other.labels == 0) == (one.labels == 0)[order]).all()


def test_a_row_farther_away_than_members_from_each_other_stays_alone() -> None:
    line = np.column_stack([[0.0, 0.01, 0.02, 0.029, 0.04, 0.5, 0.51], np.ones(7)])
    labels = grouping.spread_labels(line, np.array([0, 1, 2]), np.array([0, 0, 0]))
    assert labels.tolist() == [0, 0, 0, 0, -1, -1, -1]
    # the nearest of the last is of no group
    assert grouping.spread_labels(line, np.array([0, 2, 5]), np.array([0, 0, -1])).tolist() == [0, 0, 0, 0, 0, -1, -1]


def test_up_to_the_limit_all_are_grouped(vectors: np.ndarray) -> None:
    assert grouping.sample_of(90, seed=3).tolist() == list(range(90))
    assert len(np.unique(grouping.sample_of(91, seed=3))) == 90
    assert found(vectors[:80]).grouped == 80

from __future__ import annotations

import pickle

import numpy as np
import pytest

from benchmarks.threedos.generated import FIRST, POINTS, SEVERITY, load
from benchmarks.threedos.objects import Shape
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.errors import InputError
from openshape_ood.synthetic import sample, scan


@pytest.mark.parametrize("name", split_names())
def test_every_benchmark_can_be_generated(name: str) -> None:
    split = load_split(name)
    data = load(split, per_class=3, seed=0)
    assert data.generated
    assert [c.title for c in data.known] == [c.title for c in split.known if c.generated]
    assert data.support.counts() == data.test_known.counts() == {c.title: 3 for c in data.known}
    assert set(data.validation.counts().values()) == {2}
    assert set(data.novel1.counts().values()) == {3}
    assert bool(len(data.novel2)) == bool(split.novel2)
    assert set(data.absent) == {c.title for c in split.classes if not c.generated}


def clean(shape: Shape) -> bool:
    category, _, seed = shape.id.rpartition(" ")
    expected = sample(category, POINTS, int(seed)), scan(category, POINTS, int(seed), severity=SEVERITY)
    (which,) = (i for i, cloud in enumerate(expected) if np.array_equal(shape.read(), cloud.astype(np.float32)))
    return which == 0


@pytest.mark.parametrize(
    "name, support, test", [("sr1", True, False), ("sn1", True, True), ("sr12", False, False)], ids=str
)
def test_the_track_says_what_is_clean_and_what_is_scanned(name: str, support: bool, test: bool) -> None:
    data = load(load_split(name), per_class=1, seed=0)
    assert clean(data.support.shapes[0]) == clean(data.validation.shapes[0]) == support
    assert clean(data.test_known.shapes[0]) == clean(data.novel1.shapes[0]) == test


def test_clouds_are_made_when_read_and_the_same_for_ever() -> None:
    shape = load(load_split("sr1"), per_class=1, seed=0).test_known.shapes[1]
    assert (shape.title, shape.id) == ("bookshelf", "bookshelf 5000000")
    cloud = pickle.loads(pickle.dumps(shape)).read()
    assert (cloud.shape, cloud.dtype) == ((POINTS, 3), np.float32)
    np.testing.assert_array_equal(cloud, shape.read())


def test_classes_of_several_categories_take_them_in_turn() -> None:
    data = load(load_split("sr2"), per_class=4, seed=0)
    ids = [s.id.split()[0] for s in data.support.shapes if s.title == "desk/table"]
    assert ids == ["desk", "table", "desk", "table"]


@pytest.mark.parametrize("per_class", [2, 1500])
def test_no_seed_is_used_twice(per_class: int) -> None:
    seen: set[str] = set()
    for seed in (0, 1, 7):
        data = load(load_split("sr1"), per_class, seed)
        ids = [shape.id for part in data.sets.values() for shape in part.shapes]
        assert len(ids) == len(set(ids)) and seen.isdisjoint(ids)
        seen.update(ids)
    assert max(int(i.split()[-1]) for i in seen) < 2**24  # where training begins


def test_limits() -> None:
    sr1 = load_split("sr1")
    last = load(sr1, per_class=2000, seed=1249)
    assert max(int(s.id.split()[-1]) for s in last.support.shapes) < FIRST["validation"]
    for per_class, seed in ((0, 0), (1, -1), (1, 2500), (2000, 1250), (2_500_001, 0)):
        with pytest.raises(InputError, match=f"per_class is {per_class}|data seed is {seed}"):
            load(sr1, per_class, seed)

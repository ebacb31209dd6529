from __future__ import annotations

import pytest

from benchmarks.splits import ObjectClass, load_split
from benchmarks.threedos import SCANOBJECTNN
from openshape_ood.synthetic import CATEGORIES

# The class tables of 3DOS (arXiv 2207.11554; github.com/antoalli/3D_OS, datasets/modelnet.py and scanobject.py):
# names in ModelNet40 -> label ids in ScanObjectNN
SR1 = {("chair",): (4,), ("bookshelf",): (8,), ("door",): (7,), ("sink",): (12,), ("sofa",): (13,)}
SR2 = {("bed",): (10,), ("toilet",): (14,), ("desk", "table"): (5, 9), ("monitor",): (6,)}
COMMON_NOVEL = {"bag": 0, "bin": 1, "box": 2, "cabinet": 3, "pillow": 11}


def table(classes: tuple[ObjectClass, ...]) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {c.modelnet40: tuple(SCANOBJECTNN.index(name) for name in c.scanobjectnn) for c in classes}


@pytest.mark.parametrize("name, known, novel1", [("sr1", SR1, SR2), ("sr2", SR2, SR1)])
def test_classes_are_those_of_3dos(name: str, known: dict, novel1: dict) -> None:
    split = load_split(name)
    assert (split.name, table(split.known), table(split.novel1)) == (name, known, novel1)
    assert {c.title: SCANOBJECTNN.index(*c.scanobjectnn) for c in split.novel2} == COMMON_NOVEL
    assert not any(c.modelnet40 for c in split.novel2)


@pytest.mark.parametrize("name", ["sr1", "sr2"])
def test_every_object_plays_exactly_one_part(name: str) -> None:
    split = load_split(name)
    names = [n for c in split.known + split.novel1 + split.novel2 for n in c.scanobjectnn]
    assert sorted(names) == sorted(SCANOBJECTNN)


@pytest.mark.parametrize("name", ["sr1", "sr2"])
def test_every_class_can_be_generated(name: str) -> None:
    split = load_split(name)
    assert all(c.names and set(c.generated) <= set(CATEGORIES) for c in split.known + split.novel1 + split.novel2)
    assert not set(split.novel_categories) & {g for c in split.known for g in c.generated}


def test_desk_and_table_are_one_class_of_two_names() -> None:
    merged = next(c for c in load_split("sr2").known if len(c.names) == 2)
    assert (merged.title, merged.names, merged.generated) == ("desk/table", ("desk", "table"), ("desk", "table"))

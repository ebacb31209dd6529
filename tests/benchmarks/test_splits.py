from __future__ import annotations

import pytest

from benchmarks.threedos.data.scanobjectnn import CLASSES as SCANOBJECTNN
from benchmarks.threedos.splits import ObjectClass, load_split, split_names
from openshape_ood.errors import UnknownNameError
from openshape_ood.synthetic import categories

# The class tables of 3DOS (arXiv 2207.11554; github.com/antoalli/3D_OS, datasets/modelnet.py and scanobject.py):
# names in ModelNet40 -> label ids in ScanObjectNN
SR1 = {("chair",): (4,), ("bookshelf",): (8,), ("door",): (7,), ("sink",): (12,), ("sofa",): (13,)}
SR2 = {("bed",): (10,), ("toilet",): (14,), ("desk", "table"): (5, 9), ("monitor",): (6,)}
COMMON_NOVEL = {"bag": 0, "bin": 1, "box": 2, "cabinet": 3, "pillow": 11}
# datasets/sncore_splits.py: the synsets of each set
SN1 = """02818832 02828884 02843684 02871439 02880940 02942699 03046257 03085013 03207941 03211117 03593526 03636649
    03691459 03797390 03928116 04330267 04401088 04554684"""
SN2 = """02747177 02773838 02801938 02808440 02933112 03001627 03261776 03337140 03624134 03642806 03710193 03759954
    03938244 03991062 04004475 04256520 04379243 04460130"""
SN3 = """02691156 02876657 02924116 02946921 02954340 02958343 03325088 03467517 03513137 03761084 03790512 03948459
    04074963 04090263 04099429 04225987 04468005 04530566"""
# datasets/scanobject.py: ids in ScanObjectNN, in the order of the labels
SR12 = [(4,), (8,), (7,), (12,), (13,), (10,), (14,), (5, 9), (6,)]
SR13 = [(4,), (8,), (7,), (12,), (13,), (0,), (1,), (2,), (3,), (11,)]
SR23 = [(10,), (14,), (5, 9), (6,), (0,), (1,), (2,), (3,), (11,)]


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
    assert all(c.names and set(c.generated) <= set(categories()) for c in split.known + split.novel1 + split.novel2)
    assert not set(split.novel_categories) & {g for c in split.known for g in c.generated}


def test_desk_and_table_are_one_class_of_two_names() -> None:
    merged = next(c for c in load_split("sr2").known if len(c.names) == 2)
    assert (merged.title, merged.names, merged.generated) == ("desk/table", ("desk", "table"), ("desk", "table"))


def synsets(classes: tuple[ObjectClass, ...]) -> list[str]:
    return [synset for c in classes for synset in c.shapenet]


@pytest.mark.parametrize("name, sets", [("sn1", (SN1, SN2, SN3)), ("sn2", (SN2, SN1, SN3)), ("sn3", (SN3, SN1, SN2))])
def test_synthetic_sets_are_in_the_order_of_their_synsets(name: str, sets: tuple[str, ...]) -> None:
    split = load_split(name)
    assert [synsets(part) for part in (split.known, split.novel1, split.novel2)] == [ids.split() for ids in sets]
    assert all(len(c.names) == 1 for c in split.classes)


@pytest.mark.parametrize("name, known, novel", [("sr12", SR12, "sr1"), ("sr13", SR13, "sr2"), ("sr23", SR23, "sr1")])
def test_real_sets_and_the_set_that_is_left(name: str, known: list, novel: str) -> None:
    split = load_split(name)
    assert [tuple(SCANOBJECTNN.index(n) for n in c.scanobjectnn) for c in split.known] == known
    # what is novel: the common set for SR12, else the known classes of the other benchmark
    expected = load_split(novel).novel2 if name == "sr12" else load_split(novel).known
    assert (split.novel1, split.novel2) == (expected, ())


def test_benchmarks_by_track() -> None:
    assert split_names("synthetic to real") == ("sr1", "sr2")
    assert split_names("synthetic") == ("sn1", "sn2", "sn3")
    assert split_names("real") == ("sr12", "sr13", "sr23")
    with pytest.raises(UnknownNameError, match="unknown benchmark 'sr3'; known: sr1, sr2, sn1"):
        load_split("sr3")


@pytest.mark.parametrize("name", split_names())
def test_no_class_is_known_and_novel(name: str) -> None:
    split = load_split(name)
    titles = [c.title for c in split.classes]
    assert len(titles) == len(set(titles))
    assert {g for c in split.classes for g in c.generated} <= set(categories())
    assert not set(split.novel_categories) & {g for c in split.known for g in c.generated}

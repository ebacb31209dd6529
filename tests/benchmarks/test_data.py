"""The readers, on generated trees in the layout of the 3DOS release."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from release_tree import write_h5, write_release
from sklearn.model_selection import train_test_split

from benchmarks.threedos.data import corrupted_support, load, scanobjectnn
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.errors import InputError, ShapeFileError

SR1, SR2, SN1, SR12 = (load_split(name) for name in ("sr1", "sr2", "sn1", "sr12"))
TRAIN = ["chair_0001", "chair_0002", "bookshelf_0001", "door_0001", "sink_0001", "sofa_0001", "night_stand_0001"]


def scans_path(root: Path, part: str) -> Path:
    return root / "ScanObjectNN" / "h5_files" / "main_split" / f"{part}_objectdataset.h5"


def listing_path(root: Path, part: str) -> Path:
    return root / "modelnet40_normal_resampled" / f"modelnet40_{part}.txt"


def sofa_path(root: Path) -> Path:
    return root / "modelnet40_normal_resampled" / "sofa" / "sofa_0001.txt"


def original_path(root: Path, part: str = "train", known: str = "SR1") -> Path:
    return root / "modelnet40_normal_resampled" / "ood_sets_cache" / f"{known}_{part}.h5"


def copies_path(root: Path) -> Path:
    return root / "ModelNet40_corrupted" / "occlusion" / "modelnet_set2_train_occlusion_sev3.h5"


def write_scans(path: Path, labels: list[int], **replaced: Any) -> None:
    clouds = np.random.RandomState(len(labels)).normal(size=(len(labels), 2048, 3)).astype(np.float32)
    clouds[:, 0] = np.array(labels)[:, None]  # tells a class in the tests
    write_h5(path, **({"data": clouds, "label": np.array(labels)} | replaced))


def write_modelnet(root: Path, ids: list[str], part: str = "train", points: int = 50) -> None:
    for i, shape in enumerate(ids):
        path = root / "modelnet40_normal_resampled" / shape.rpartition("_")[0] / f"{shape}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.random.RandomState(i).normal(size=(points, 6)), delimiter=",", fmt="%.6f")
    listing_path(root, part).write_text("".join(f"{i}\n" for i in ids))


def write_shapenet(root: Path, part: str, synsets: list[str], points: int = 4096) -> None:
    stem = root / "sncore_fps_4096" / f"sncore_{part}_4096"
    clouds = np.random.RandomState(0).normal(size=(len(synsets), points, 3)).astype(np.float32)
    write_h5(Path(f"{stem}_points.h5"), data=clouds)
    Path(f"{stem}_sids.json").write_text(json.dumps(synsets))
    Path(f"{stem}_mids.json").write_text(json.dumps([f"{part}{i}" for i in range(len(synsets))]))


def titles(objects: Objects) -> list[str]:
    return [shape.title for shape in objects.shapes]


def ids(objects: Objects) -> list[str]:
    return [shape.id for shape in objects.shapes]


def clouds(objects: Objects) -> list[np.ndarray]:
    return [shape.read() for shape in objects.shapes]


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders of sr1 by hand: each class once in the training file, the first ten again in the test file."""
    write_modelnet(tmp_path, TRAIN)
    write_scans(scans_path(tmp_path, "training"), list(range(15)))
    write_scans(scans_path(tmp_path, "test"), list(range(10)))
    return tmp_path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of sn1 by hand: bed, mug and telephone are known, chair is novel 1, rifle is novel 2."""
    for part in ("train", "val", "test"):
        write_shapenet(tmp_path, part, ["04401088", "02818832", "03797390", "03001627", "04090263", "02992529"])
    return tmp_path


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All folders, two shapes a class and part; nothing may be changed in it."""
    return write_release(tmp_path_factory.mktemp("release"), per_class=2, modelnet_cache=True)


@pytest.fixture(scope="module")
def without_cache(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same ModelNet40 and ScanObjectNN without the original's caches."""
    root = tmp_path_factory.mktemp("without_cache")
    for folder in ("modelnet40_normal_resampled", "ScanObjectNN"):
        shutil.copytree(release / folder, root / folder, ignore=shutil.ignore_patterns("ood_sets_cache"))
    return root


# roles, order and counts


def test_objects_go_where_the_split_says(root: Path) -> None:
    data = load(SR1, root, progress=False)
    assert data.support.counts() == {"bookshelf": 1, "chair": 2, "door": 1, "sink": 1, "sofa": 1}
    assert data.test_known.counts() == {"bookshelf": 2, "chair": 2, "door": 2, "sink": 1, "sofa": 1}
    assert data.novel1.counts() == {"bed": 1, "desk/table": 4, "monitor": 2, "toilet": 1}
    assert data.novel2.counts() == {"bag": 2, "bin": 2, "box": 2, "cabinet": 2, "pillow": 1}
    assert (data.absent, data.known, data.generated, len(data.validation)) == ((), SR1.known, False, 0)


def test_clouds_are_points_without_normals(root: Path) -> None:
    data = load(SR1, root, progress=False)
    assert {cloud.shape for cloud in clouds(data.support)} == {(50, 3)}
    tests = [cloud for part in (data.test_known, data.novel1, data.novel2) for cloud in clouds(part)]
    assert {cloud.shape for cloud in tests} == {(2048, 3)} and {cloud.dtype for cloud in tests} == {np.dtype("f4")}
    chairs = [shape.read()[0, 0] for shape in data.test_known.shapes if shape.title == "chair"]
    assert chairs == [scanobjectnn.CLASSES.index("chair")] * 2
    expected = np.random.RandomState(0).normal(size=(50, 6))[:, :3]
    np.testing.assert_allclose(data.support.shapes[0].read(), expected, atol=1e-5)


@pytest.mark.parametrize("name", split_names())
def test_every_benchmark_has_every_class(release: Path, name: str) -> None:
    split, data = load_split(name), load(load_split(name), release, progress=False)
    assert (data.known, data.absent) == (split.known, ())
    for part, classes in (("known", split.known), ("novel1", split.novel1), ("novel2", split.novel2)):
        assert set(titles(data.sets[part])) == {c.title for c in classes}
    assert set(titles(data.support)) == {c.title for c in split.known}
    assert len(data.validation) and set(titles(data.validation)) <= {c.title for c in split.known}


def test_synthetic_to_real_keeps_the_order_of_list_and_files(without_cache: Path) -> None:
    """3DOS prints accuracy with prototypes by the labels of the *first* support shapes, so their order counts."""
    data = load(SR1, without_cache, progress=False)
    wanted = {"chair", "bookshelf", "door", "sink", "sofa"}
    for part, objects in (("train", data.support), ("test", data.validation)):
        listed = listing_path(without_cache, part).read_text().split()
        assert ids(objects) == [i for i in listed if i.rpartition("_")[0] in wanted]
    assert titles(data.support)[0] == "bookshelf" != SR1.known[0].title
    expected = []
    for part in ("training", "test"):
        with h5py.File(scans_path(without_cache, part)) as file:
            labels = file["label"][:].tolist()
        expected += [f"{part}_objectdataset.h5#{row}" for row, label in enumerate(labels) if label in (4, 7, 8, 12, 13)]
    assert ids(data.test_known) == expected


def test_desk_and_table_are_one_class(without_cache: Path) -> None:
    data = load(SR2, without_cache, progress=False)
    assert data.support.counts() == {"bed": 2, "desk/table": 4, "monitor": 2, "toilet": 2}
    assert data.test_known.counts() == {"bed": 4, "desk/table": 8, "monitor": 4, "toilet": 4}
    assert [i for i, t in zip(ids(data.support), titles(data.support), strict=True) if t == "desk/table"] == [
        "desk_0001", "desk_0002", "table_0001", "table_0002",
    ]  # fmt: skip


def test_half_of_desk_and_table_is_enough(root: Path) -> None:
    write_modelnet(root, ["bed_1", "toilet_1", "table_1", "monitor_1"])
    data = load(SR2, root, progress=False)
    assert data.absent == ()
    assert data.support.counts()["desk/table"] == 1


def test_a_class_without_objects_is_left_out_and_named(root: Path) -> None:
    write_modelnet(root, [i for i in TRAIN if not i.startswith("sofa")])
    write_modelnet(root, ["sofa_0009", "chair_0009"], "test")
    for part in ("training", "test"):
        present = [i for i, name in enumerate(scanobjectnn.CLASSES) if name not in ("door", "bed", "bag")]
        write_scans(scans_path(root, part), present)
    data = load(SR1, root, progress=False)
    assert data.absent == ("door", "sofa", "bed", "bag")
    assert [c.title for c in data.known] == ["chair", "bookshelf", "sink"]
    assert set(titles(data.support)) == set(titles(data.test_known)) == {"chair", "bookshelf", "sink"}
    assert ids(data.validation) == ["chair_0009"]
    assert "bed" not in data.novel1.counts()


def test_synthetic_splits_and_ids(models: Path) -> None:
    for part in ("train", "val", "test"):
        write_shapenet(models, part, ["04401088", "02818832", "03001627", "04090263", "02992529", "02818832"])
    data = load(SN1, models, progress=False)
    expected = {
        "support": ["04401088/train0", "02818832/train1", "02818832/train5"],  # the cell phone is no telephone
        "validation": ["04401088/val0", "02818832/val1", "02818832/val5"],
        "known": ["04401088/test0", "02818832/test1", "02818832/test5"],
        "novel1": ["03001627/test2"],
        "novel2": ["04090263/test3"],
    }
    assert {part: ids(objects) for part, objects in data.sets.items()} == expected
    assert [c.title for c in data.known] == ["bed", "telephone"]
    assert len(data.absent) == 54 - 4
    with h5py.File(models / "sncore_fps_4096" / "sncore_train_4096_points.h5") as file:
        np.testing.assert_array_equal(data.support.shapes[2].read(), file["data"][5])


@pytest.mark.parametrize(
    "name, known, novel",  # label ids: github.com/antoalli/3D_OS, datasets/scanobject.py
    [
        ("sr12", {4, 8, 7, 12, 13, 10, 14, 5, 9, 6}, {0, 1, 2, 3, 11}),
        ("sr13", {4, 8, 7, 12, 13, 0, 1, 2, 3, 11}, {10, 14, 5, 6, 9}),
        ("sr23", {10, 14, 5, 9, 6, 0, 1, 2, 3, 11}, {4, 8, 7, 12, 13}),
    ],
)
def test_real_to_real_holds_out_the_tenth_that_3dos_does(release: Path, name: str, known: set, novel: set) -> None:
    labels = {}
    for part in ("training", "test"):
        with h5py.File(scans_path(release, part)) as file:
            labels[part] = file["label"][:].tolist()

    def rows(part: str, wanted: set) -> list[str]:
        return [f"{part}_objectdataset.h5#{row}" for row, label in enumerate(labels[part]) if label in wanted]

    whole = rows("training", known)
    kept, held_out = train_test_split(
        list(range(len(whole))), test_size=int(len(whole) * 10 / 100), shuffle=True, random_state=42
    )
    data = load(load_split(name), release, progress=False)
    assert (len(whole), len(held_out)) == (20, 2)
    assert ids(data.support) == [whole[i] for i in kept]
    assert ids(data.validation) == [whole[i] for i in held_out]
    assert ids(data.test_known) == rows("test", known)
    assert ids(data.novel1) == rows("training", novel) + rows("test", novel)
    assert len(data.novel2) == 0


def test_too_few_scans_to_hold_a_tenth_out(root: Path) -> None:
    write_scans(scans_path(root, "training"), [4, 8, 7, 12, 13, 10, 14, 5, 6, 0])
    write_scans(scans_path(root, "test"), [4, 8, 0])
    data = load(SR12, root, progress=False)  # nine known ones: a tenth of them is no object
    assert (len(data.support), len(data.validation), data.novel1.counts()) == (2, 0, {"bag": 2})


def test_shapes_can_be_handed_to_another_process(release: Path, without_cache: Path, tmp_path: Path) -> None:
    for data in (load(SR1, release), load(SN1, release), load(SR1, without_cache, cache=tmp_path, progress=False)):
        for objects in data.sets.values():
            before = objects.shapes[-1]
            after = pickle.loads(pickle.dumps(before))
            assert (after, after.title) == (before, before.title)
            np.testing.assert_array_equal(after.read(), before.read())
    text = load(SR1, without_cache).support.shapes[0]
    assert pickle.loads(pickle.dumps(text)) == text


def test_a_benchmark_needs_only_its_own_folder(release: Path, tmp_path: Path) -> None:
    (tmp_path / "ScanObjectNN").symlink_to(release / "ScanObjectNN")
    assert len(load(SR12, tmp_path).support) == 18
    with pytest.raises(ShapeFileError, match=r"sncore_train_4096_points\.h5.*layout of the 3DOS release"):
        load(SN1, tmp_path)


# caches of ModelNet40


def test_the_original_cache_holds_what_the_text_does(release: Path, without_cache: Path) -> None:
    for split in (SR1, SR2):
        cached, text = load(split, release), load(split, without_cache)
        for part in ("support", "validation"):
            assert titles(cached.sets[part]) == titles(text.sets[part])
            np.testing.assert_array_equal(clouds(cached.sets[part]), clouds(text.sets[part]))
    assert ids(cached.support)[3] == "SR2_train.h5#3" and "SR2_train.h5" in cached.source


def test_the_original_cache_comes_first(root: Path, tmp_path: Path) -> None:
    data = np.ones((3, 10, 3), np.float32)
    write_h5(original_path(root), data=data, label=np.array([4, 0, 4]))
    listing_path(root, "train").unlink()
    found = load(SR1, root, cache=tmp_path / "ours", progress=False)
    assert (titles(found.support), found.support.shapes[1].read().tolist()) == (
        ["sofa", "chair", "sofa"],
        [[1.0] * 3] * 10,
    )
    assert not (tmp_path / "ours").exists()


def test_our_cache_holds_what_the_text_does(without_cache: Path, tmp_path: Path) -> None:
    cached, text = load(SR1, without_cache, cache=tmp_path, progress=False), load(SR1, without_cache)
    assert [p.name.rpartition("_")[0] for p in sorted(tmp_path.iterdir())] == [
        "modelnet40_sr1_test",
        "modelnet40_sr1_train",
    ]
    for part in ("support", "validation"):
        assert ids(cached.sets[part]) == ids(text.sets[part])
        np.testing.assert_array_equal(clouds(cached.sets[part]), clouds(text.sets[part]))


def our_cache(root: Path) -> Path:
    (path,) = (root / "ours").glob("modelnet40_sr1_train_*.h5")
    return path


def stored(root: Path) -> tuple[int, list[np.ndarray]]:
    """Which file the cache is (it is never written into), and its clouds."""
    data = load(SR1, root, cache=root / "ours", progress=False)
    return our_cache(root).stat().st_mtime_ns, clouds(data.support)


def test_two_folders_have_caches_of_their_own(without_cache: Path, tmp_path: Path) -> None:
    first = load(SR1, without_cache, cache=tmp_path / "ours", progress=False)
    before = clouds(first.support)
    other = tmp_path / "other"
    shutil.copytree(without_cache, other)
    move_first_point(other)
    load(SR1, other, cache=tmp_path / "ours", progress=False)
    assert len(list((tmp_path / "ours").iterdir())) == 4
    np.testing.assert_array_equal(clouds(first.support), before)


def move_first_point(root: Path) -> None:
    path = sofa_path(root)
    state, text = path.stat(), path.read_text()
    path.write_text("9.999999" + text[text.index(",") :])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def touch(root: Path) -> None:
    state = sofa_path(root).stat()
    os.utime(sofa_path(root), ns=(state.st_atime_ns, state.st_mtime_ns + 1))


def turn_list(root: Path) -> None:
    path = listing_path(root, "train")
    path.write_text("\n".join(reversed(path.read_text().split())))


def damage_cache(damage: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda root: damage(our_cache(root))


def without_source(path: Path) -> None:
    with h5py.File(path) as file:
        rest = {name: file[name][:] for name in file if name != "made_from"}
    write_h5(path, **rest)


def test_our_cache_is_read_again(root: Path) -> None:
    before, first = stored(root)
    after, second = stored(root)
    assert before == after
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "change",
    [
        move_first_point,  # by as many bytes more as 9.999999 is longer, under the old time
        touch,
        turn_list,
        damage_cache(halve),
        damage_cache(without_source),
        damage_cache(lambda path: path.write_text("<html>")),
        damage_cache(lambda path: write_h5(path, data=np.zeros(3))),
    ],
)
def test_our_cache_is_built_again(root: Path, change: Callable[[Path], Any]) -> None:
    sofa_path(root).write_text("1,2,3\n4,5,6\n")
    before, _ = stored(root)
    change(root)
    after, found = stored(root)
    assert after != before
    for cloud, expected in zip(found, clouds(load(SR1, root).support), strict=True):
        np.testing.assert_array_equal(cloud, expected)


def test_our_cache_takes_clouds_of_different_sizes(root: Path) -> None:
    write_modelnet(root, ["chair_0001"], points=200)
    write_modelnet(root, ["sink_0001"], points=7)
    write_modelnet(root, ["sofa_0001"])
    listing_path(root, "train").write_text("chair_0001\nsink_0001\nsofa_0001\n")
    _, found = stored(root)
    assert [cloud.shape for cloud in found] == [(200, 3), (7, 3), (50, 3)]
    for cloud, expected in zip(found, clouds(load(SR1, root).support), strict=True):
        np.testing.assert_array_equal(cloud, expected)


def test_no_half_cache_is_left(root: Path) -> None:
    sofa_path(root).write_text("1,2\n")
    with pytest.raises(ShapeFileError, match=r"sofa_0001\.txt"):
        load(SR1, root, cache=root / "ours", progress=False)
    assert list((root / "ours").iterdir()) == []


def test_a_cache_folder_that_cannot_be_written(root: Path) -> None:
    (root / "ours").write_text("a file")
    with pytest.raises(ShapeFileError, match=r"cannot write the cache .*ours"):
        load(SR1, root, cache=root / "ours", progress=False)


def test_a_cache_changed_after_it_was_indexed(root: Path) -> None:
    data = load(SR1, root, cache=root / "ours", progress=False)
    write_h5(our_cache(root), data=np.zeros((120, 3), np.float32))
    assert data.support.shapes[0].read().shape == (50, 3)
    with pytest.raises(ShapeFileError, match=r"ends before point 150 \(bookshelf_0001\)"):
        data.support.shapes[2].read()


# corrupted copies


def test_corrupted_copies_are_those_of_the_support(release: Path) -> None:
    for split in (SR1, SR2):
        support, copies = load(split, release).support, corrupted_support(split, release)
        assert titles(copies) == titles(support) * 8  # 2 kinds, 4 severities
        assert [len(cloud) for cloud in clouds(copies)] == [768] * 4 * len(support) + [1024] * 4 * len(support)
    assert ids(copies)[-1] == f"modelnet_set2_train_occlusion_sev4.h5#{len(support) - 1}"


def test_corrupted_copies_of_the_synthetic_track(release: Path) -> None:
    support, copies = load(SN1, release).support, corrupted_support(SN1, release)
    assert titles(copies) == titles(support) * 10  # 2 kinds, 5 severities
    assert ids(copies)[0] == f"sncore_lidar_sev1_train_points#{ids(support)[0]}"
    assert copies.shapes[-1].read().shape == (1024, 3)


def test_scans_have_no_corrupted_copies(release: Path) -> None:
    with pytest.raises(InputError, match="sr12 has no corrupted copies"):
        corrupted_support(SR12, release)


def test_missing_and_damaged_copies_are_named(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ShapeFileError, match=r"modelnet_set1_train_lidar_sev1\.h5"):
        corrupted_support(SR1, tmp_path)
    with pytest.raises(ShapeFileError, match=r"sncore_lidar_sev1_train_points\.h5"):
        corrupted_support(SN1, tmp_path)
    shutil.copytree(release / "ModelNet40_corrupted", tmp_path / "ModelNet40_corrupted")
    halve(copies_path(tmp_path))
    assert len(corrupted_support(SR1, tmp_path)) == 80
    with pytest.raises(ShapeFileError, match=r"modelnet_set2_train_occlusion_sev3\.h5.*truncated"):
        corrupted_support(SR2, tmp_path)


# what cannot be read


def only_known(root: Path) -> None:
    for part in ("training", "test"):
        write_scans(scans_path(root, part), [4, 7, 8, 12, 13])


def original(**datasets: Any) -> Callable[[Path], Any]:
    return lambda root: write_h5(original_path(root), **datasets)


def scans(labels: list[int], **replaced: Any) -> Callable[[Path], Any]:
    return lambda root: write_scans(scans_path(root, "test"), labels, **replaced)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda root: scans_path(root, "test").unlink(), "no .*test_objectdataset.h5; expected the layout"),
        (lambda root: halve(scans_path(root, "test")), "test_objectdataset.h5.*truncated"),
        (lambda root: scans_path(root, "training").write_text("<html>"), "training_objectdataset.h5"),
        (scans([1], data=np.zeros((1, 1024, 3))), r"\(1, 1024, 3\); expected \(n, 2048, 3\)"),
        (scans([1], data=np.zeros((1, 2048, 6))), r"\(1, 2048, 6\)"),
        (scans([1], data=np.zeros(6144)), r"data \(6144,\)"),
        (scans([1], data=np.full((1, 2048, 3), b"x")), "test_objectdataset.h5 has data of the type 'S'"),
        (scans([1], label=np.arange(2)), r"label \(2,\)"),
        (scans([3, 15]), "test_objectdataset.h5 has labels outside 0 to 14, the first in row 1: 15"),
        (scans([-1]), "labels outside 0 to 14"),
        (scans([1], label=np.array([0.5])), "labels outside 0 to 14"),
        (lambda root: write_h5(scans_path(root, "test")), "data, label"),
        (lambda root: write_h5(scans_path(root, "test"), data=np.zeros((1, 2048, 3))), "test_objectdataset.h5"),
        (lambda root: listing_path(root, "train").unlink(), "modelnet40_train.txt: No such file"),
        (lambda root: listing_path(root, "train").write_bytes(b"\xff\n"), "modelnet40_train.txt"),
        (lambda root: sofa_path(root).unlink(), "lists 6 shapes, but 1 are missing: .*sofa_0001.txt"),
        (lambda root: write_modelnet(root, ["airplane_0001"]), "no objects of sr1's known classes"),
        (only_known, "no objects of sr1's novel classes"),
        (original(data=np.zeros((2, 10, 3)), label=np.array([0, 5])), "SR1_train.h5 has labels outside 0 to 4"),
        (original(data=np.zeros((2, 10, 6)), label=np.arange(2)), r"SR1_train.h5 has data \(2, 10, 6\)"),
        (original(data=np.zeros((2, 0, 3)), label=np.arange(2)), r"SR1_train.h5 has data \(2, 0, 3\)"),
        (lambda root: original()(root).write_text(""), "SR1_train.h5"),
    ],
)
def test_damage_is_found_when_indexing(root: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(root)
    with pytest.raises(ShapeFileError, match=message):
        load(SR1, root, progress=False)


@pytest.mark.parametrize(
    "text", ["", " \n", "1,2\n", "a,b,c\n", "1,2,3\n1,2\n", "# nothing\n", "1,2,\x00\n", "1;2;3\n", "é"]
)
def test_text_that_cannot_be_read_names_the_file(root: Path, text: str) -> None:
    sofa_path(root).write_text(text)
    data = load(SR1, root, progress=False)
    with pytest.raises(ShapeFileError, match=r"sofa_0001\.txt as ModelNet40 text"):
        data.support.shapes[-1].read()


def test_a_single_point_is_a_cloud(root: Path) -> None:
    sofa_path(root).write_text("1,2,3,0,1,0\n")
    assert load(SR1, root, progress=False).support.shapes[-1].read().tolist() == [[1, 2, 3]]


def test_a_row_that_cannot_be_read_is_named(root: Path) -> None:
    """The values of a chunk are overwritten, so that its checksum does not fit."""
    path = scans_path(root, "test")
    values = np.full((10, 2048, 3), 7.25, np.float32)
    path.unlink()
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(1, 2048, 3), fletcher32=True)
        file["label"] = np.arange(10)
        offset = file["data"].id.get_chunk_info(4).byte_offset
    data = load(SR1, root)
    with path.open("r+b") as raw:
        raw.seek(offset + 100)
        raw.write(b"damaged")
    with pytest.raises(ShapeFileError, match=r"cannot read row 4 of .*test_objectdataset\.h5"):
        next(s for s in data.test_known.shapes if s.id == "test_objectdataset.h5#4").read()
    assert next(s for s in data.test_known.shapes if s.id == "test_objectdataset.h5#7").read()[0, 0] == 7.25


def test_files_that_go_away_or_change_are_named(root: Path) -> None:
    data = load(SR1, root)
    last = data.test_known.shapes[-1]
    first = last.read()
    write_scans(scans_path(root, "test"), list(range(3)))
    write_scans(scans_path(root, "training"), [1, 2])
    with pytest.raises(ShapeFileError, match=r"cannot read row 8 of .*test_objectdataset\.h5"):
        last.read()
    scans_path(root, "test").unlink()
    with pytest.raises(ShapeFileError, match=r"cannot read row 8 of .*test_objectdataset\.h5.*No such file"):
        last.read()
    write_scans(scans_path(root, "test"), list(range(10)))
    np.testing.assert_array_equal(last.read(), first)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.with_name("sncore_val_4096_points.h5").unlink(), "sncore_val_4096_points.h5"),
        (lambda path: halve(path.with_name("sncore_test_4096_points.h5")), "sncore_test_4096_points.h5.*truncated"),
        (lambda path: path.unlink(), "no .*sncore_train_4096_sids.json; expected the layout"),
        (lambda path: path.write_text("["), "sncore_train_4096_sids.json as JSON"),
        (lambda path: path.write_bytes(b"\xff"), "sncore_train_4096_sids.json as JSON"),
        (lambda path: path.write_text('{"a": 1}'), "no JSON list of strings"),
        (lambda path: path.write_text("[1, 2, 3, 4, 5, 6]"), "no JSON list of strings"),
        (lambda path: path.write_text('["02818832"]'), "1 ids, but .*sncore_train_4096_points.h5 has 6 clouds"),
        (lambda path: path.with_name("sncore_train_4096_mids.json").write_text("[]"), "sncore_train_4096_mids.json"),
        (lambda path: path.write_text(json.dumps(["04401088"] * 5 + ["x"])), "unknown category 'x' in row 5"),
        (lambda path: write_shapenet(path.parents[1], "train", ["04401088"], 2048), r"\(1, 2048, 3\); expected"),
    ],
)
def test_damaged_models_name_the_file(models: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(models / "sncore_fps_4096" / "sncore_train_4096_sids.json")
    with pytest.raises(ShapeFileError, match=message):
        load(SN1, models, progress=False)


def test_no_data_at_all(tmp_path: Path) -> None:
    for name in split_names():
        with pytest.raises(ShapeFileError, match=r"no folder .*expected the unpacked 3DOS release"):
            load(load_split(name), tmp_path / "nowhere", progress=False)


def test_few_files_are_held_open(release: Path) -> None:
    def read_all(data: BenchmarkData) -> None:
        for objects in data.sets.values():
            clouds(Objects(objects.shapes[:2]))

    for name in split_names():
        read_all(load(load_split(name), release))
        clouds(corrupted_support(SR1, release))
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) <= 4

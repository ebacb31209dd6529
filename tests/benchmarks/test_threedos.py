"""The loader on a small tree in the layout of the 3DOS release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from benchmarks.splits import load_split
from benchmarks.threedos import SCANOBJECTNN, load
from openshape_ood.errors import ShapeFileError

SR1, SR2 = load_split("sr1"), load_split("sr2")
TRAIN = ["chair_0001", "chair_0002", "bookshelf_0001", "door_0001", "sink_0001", "sofa_0001", "night_stand_0001"]


def scans_path(root: Path, part: str) -> Path:
    return root / "ScanObjectNN" / "h5_files" / "main_split" / f"{part}_objectdataset.h5"


def sofa_path(root: Path) -> Path:
    return root / "modelnet40_normal_resampled" / "sofa" / "sofa_0001.txt"


def write_scans(path: Path, labels: list[int], **replaced: Any) -> None:
    clouds = np.random.RandomState(len(labels)).normal(size=(len(labels), 2048, 3)).astype(np.float32)
    clouds[:, 0] = np.array(labels)[:, None]  # tells a class in the tests
    with h5py.File(path, "w") as file:
        for name, values in ({"data": clouds, "label": np.array(labels)} | replaced).items():
            file[name] = values


def write_modelnet(root: Path, ids: list[str]) -> None:
    folder = root / "modelnet40_normal_resampled"
    for i, shape in enumerate(ids):
        path = folder / shape.rpartition("_")[0] / f"{shape}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.random.RandomState(i).normal(size=(50, 6)), delimiter=",", fmt="%.6f")
    (folder / "modelnet40_train.txt").write_text("\n".join(ids) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Each class once in the training file, the first ten again in the test file."""
    write_modelnet(tmp_path, TRAIN)
    scans_path(tmp_path, "test").parent.mkdir(parents=True)
    write_scans(scans_path(tmp_path, "training"), list(range(15)))
    write_scans(scans_path(tmp_path, "test"), list(range(10)))
    return tmp_path


def test_objects_go_where_the_split_says(root: Path) -> None:
    data = load(SR1, root, progress=False)
    assert data.support.counts() == {"bookshelf": 1, "chair": 2, "door": 1, "sink": 1, "sofa": 1}
    assert data.test_known.counts() == {"bookshelf": 2, "chair": 2, "door": 2, "sink": 1, "sofa": 1}
    assert data.novel1.counts() == {"bed": 1, "desk/table": 4, "monitor": 2, "toilet": 1}
    assert data.novel2.counts() == {"bag": 2, "bin": 2, "box": 2, "cabinet": 2, "pillow": 1}
    assert (data.absent, data.known) == ((), SR1.known)
    assert str(root) in data.source


def test_clouds_are_points_without_normals(root: Path) -> None:
    data = load(SR1, root, progress=False)
    assert {cloud.shape for cloud in data.support.clouds} == {(50, 3)}
    assert {cloud.shape for cloud in data.test_known.clouds + data.novel1.clouds} == {(2048, 3)}
    tests = zip(data.test_known.clouds, data.test_known.titles, strict=True)
    assert [cloud[0, 0] for cloud, title in tests if title == "chair"] == [SCANOBJECTNN.index("chair")] * 2
    expected = np.random.RandomState(0).normal(size=(50, 6))[:, :3]
    np.testing.assert_allclose(data.support.clouds[0], expected, atol=1e-6)


def test_a_class_without_objects_is_left_out_and_named(root: Path) -> None:
    write_modelnet(root, [i for i in TRAIN if not i.startswith("sofa")])
    for part in ("training", "test"):
        write_scans(scans_path(root, part), [i for i in range(15) if SCANOBJECTNN[i] not in ("door", "bed", "bag")])
    data = load(SR1, root, progress=False)
    assert data.absent == ("door", "sofa", "bed", "bag")
    assert [c.title for c in data.known] == ["chair", "bookshelf", "sink"]
    assert set(data.support.titles) == set(data.test_known.titles) == {"chair", "bookshelf", "sink"}
    assert "bed" not in data.novel1.counts()


def test_half_of_desk_and_table_is_enough(root: Path) -> None:
    write_modelnet(root, ["bed_1", "toilet_1", "table_1", "monitor_1"])
    data = load(SR2, root, progress=False)
    assert data.absent == ()
    assert data.support.counts()["desk/table"] == 1


def only_known(root: Path) -> None:
    for part in ("training", "test"):
        write_scans(scans_path(root, part), [4, 7, 8, 12, 13])


def truncated(root: Path) -> None:
    path = scans_path(root, "test")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda root: scans_path(root, "test").unlink(), "test_objectdataset.h5"),
        (truncated, "test_objectdataset.h5.*truncated"),
        (lambda root: scans_path(root, "training").write_text("<html>"), "training_objectdataset.h5"),
        (lambda root: write_scans(scans_path(root, "test"), [1], data=np.zeros((1, 1024, 3))), r"\(1, 1024, 3\)"),
        (lambda root: write_scans(scans_path(root, "test"), [1], data=np.zeros((1, 2048, 6))), r"\(1, 2048, 6\)"),
        (lambda root: write_scans(scans_path(root, "test"), [1], data=np.zeros(6144)), r"data \(6144,\)"),
        (lambda root: write_scans(scans_path(root, "test"), [1], label=np.arange(2)), r"label \(2,\)"),
        (lambda root: write_scans(scans_path(root, "test"), [3, 15]), "labels outside 0 to 14"),
        (lambda root: write_scans(scans_path(root, "test"), [-1]), "labels outside 0 to 14"),
        (lambda root: h5py.File(scans_path(root, "test"), "w").close(), "data, label"),
        (lambda root: (root / "modelnet40_normal_resampled" / "modelnet40_train.txt").unlink(), "modelnet40_train.txt"),
        (lambda root: sofa_path(root).unlink(), "sofa_0001.txt"),
        (
            lambda root: sofa_path(root).write_text(""),
            "sofa_0001.txt",
        ),
        (
            lambda root: sofa_path(root).write_text("1,2\n"),
            "sofa_0001",
        ),
        (
            lambda root: sofa_path(root).write_text("a,b,c\n"),
            "sofa_0001",
        ),
        (lambda root: write_modelnet(root, ["airplane_0001"]), "no objects of sr1's known classes"),
        (only_known, "no objects of sr1's novel classes"),
    ],
)
def test_damaged_data_name_the_file(root: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(root)
    with pytest.raises(ShapeFileError, match=message):
        load(SR1, root, progress=False)


def test_no_data_at_all(tmp_path: Path) -> None:
    with pytest.raises(ShapeFileError, match=r"no folder .*expected the unpacked 3DOS release"):
        load(SR1, tmp_path / "nowhere", progress=False)

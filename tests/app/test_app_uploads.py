"""Uploads are read by a process that can be killed."""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

import hostile_uploads
import numpy as np
import pytest

from openshape_ood.app import uploads
from openshape_ood.app.fair_queue import HERE, FairQueue, Visitor
from openshape_ood.app.quotas import MAX_POINTS
from openshape_ood.app.shape_tab import read_shape
from openshape_ood.errors import InputError, MissingPackageError, ShapeFileError
from openshape_ood.workers import Done

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel bounds a process's memory on Linux alone")


@pytest.fixture
def cloud() -> np.ndarray:
    return np.random.RandomState(0).standard_normal((500, 3))


def test_a_cloud_comes_back_whole(tmp_path: Path, cloud: np.ndarray) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    shape = read_shape(tmp_path / "lamp.npy")
    assert np.array_equal(shape.cloud, cloud)
    assert (shape.name, shape.note, shape.stated) == ("lamp.npy", "500 points", "")


def test_a_large_cloud_is_thinned(tmp_path: Path) -> None:
    many = np.arange(3.0 * (MAX_POINTS + 5000)).reshape(-1, 3)
    np.save(tmp_path / "hall.npy", many)
    shape = read_shape(tmp_path / "hall.npy")
    assert shape.note == "thinned from 25,000 to 20,000 points" and shape.cloud.shape == (MAX_POINTS, 3)
    assert set(shape.cloud[:, 0]) <= set(many[:, 0])  # points of the file, none twice
    assert (np.diff(shape.cloud[:, 0]) > 0).all()


def test_the_files_own_axis_is_passed_on(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    content = trimesh.exchange.dae.export_collada(trimesh.creation.box())
    (tmp_path / "box.dae").write_bytes(content.replace(b"Y_UP", b"Z_UP"))
    assert read_shape(tmp_path / "box.dae").stated == ("z" if b"Y_UP" in content else "y")


@pytest.mark.parametrize(
    "make, name, said",
    [
        (hostile_uploads.ply_of_2_gb, "large.ply", "2,160,000,000 bytes"),
        (hostile_uploads.glb_of_gigapixels, "box.glb", "'wallpaper' has far more than 64 MPixel"),
        (
            hostile_uploads.npz_bomb,
            "points.npz",
            "157,286,528 bytes of memory, and the file has [0-9,]+ bytes",
        ),
    ],
)
def test_hostile_files_are_refused_by_name(tmp_path: Path, make: object, name: str, said: str) -> None:
    path = make(tmp_path / name)
    with pytest.raises(ShapeFileError, match=said) as refusal:
        read_shape(path)
    assert name in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)
    assert "reading-" not in str(refusal.value)  # nor the folder in which it was read


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = hostile_uploads.pickle_as_npy(tmp_path / "array.npy", tmp_path / "sprung")
    with pytest.raises(ShapeFileError, match=r"“array\.npy” .*pickles are never loaded"):
        read_shape(path)
    assert not (tmp_path / "sprung").exists()


def test_other_suffixes_are_refused_unopened(tmp_path: Path) -> None:
    path = hostile_uploads.zip_bomb(tmp_path / "part.3mf", megabytes=1)
    with pytest.raises(ShapeFileError, match=r"part\.3mf has the suffix \.3mf\. Expected one of \.ply \.obj"):
        read_shape(path)


def test_too_many_bytes(tmp_path: Path, cloud: np.ndarray) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    with pytest.raises(ShapeFileError, match=r"lamp\.npy is too large\. Expected at most"):
        read_shape(tmp_path / "lamp.npy", max_bytes=1000)


def test_a_reader_that_takes_too_long_is_killed(tmp_path: Path, cloud: np.ndarray) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    start = time.monotonic()
    with pytest.raises(ShapeFileError, match=r"“lamp\.npy”: reading it took more than 0\.01 s and was stopped"):
        read_shape(tmp_path / "lamp.npy", seconds=0.01)
    assert time.monotonic() - start < 30


@LINUX
def test_a_reader_that_asks_for_too_much_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "hall.npy", np.ones((3_000_000, 3)))  # 72 MB
    with pytest.raises(ShapeFileError, match=r"“hall\.npy” needs too much memory\. Expected at most 0\.244 GiB"):
        read_shape(tmp_path / "hall.npy", memory=250 * 2**20)


def answers(monkeypatch: pytest.MonkeyPatch, done: Done) -> None:
    """Have the process that reads answer so."""
    monkeypatch.setattr(uploads.workers, "once", lambda *_: done)


def test_a_reader_that_dies_is_reported(tmp_path: Path, cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    once = uploads.workers.once
    monkeypatch.setattr(uploads.workers, "once", lambda task, how, *rest: once("os:abort", {}, *rest))
    with pytest.raises(ShapeFileError, match=r"“lamp\.npy”: the process .* by SIGABRT.* decompress to far more"):
        read_shape(tmp_path / "lamp.npy")


@pytest.mark.parametrize(
    "answer, arrays",
    [
        ({"points": 1, "stated": "y"}, [np.zeros((2, 4))]),
        ({"points": 1, "stated": "y"}, [np.full((2, 3), np.nan)]),
        ({"points": 1, "stated": "y"}, [np.zeros((2, 3))]),
        ({"points": 1, "stated": "y"}, []),
        ({"points": 1, "stated": "w"}, [np.eye(3)]),
        ({"points": [], "stated": "y"}, [np.eye(3)]),
        ({"points": 1}, [np.eye(3)]),
        (None, [np.eye(3)]),
    ],
)
def test_the_result_of_a_reader_is_not_trusted(
    tmp_path: Path, cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch, answer: object, arrays: list[np.ndarray]
) -> None:
    """A parser that was taken over could answer what it likes; how it is said is tested in workers/."""
    np.save(tmp_path / "lamp.npy", cloud)
    answers(monkeypatch, Done(0, "", answer, tuple(arrays)))
    with pytest.raises(ShapeFileError, match=r"lamp\.npy: the reading process returned no valid cloud"):
        read_shape(tmp_path / "lamp.npy")


def test_places_for_readers_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_queue", FairQueue(1))
    path = hostile_uploads.ply_of_2_gb(tmp_path / "large.ply")
    for _ in range(2):
        with pytest.raises(ShapeFileError, match="bytes"):
            read_shape(path)


def test_a_file_is_read_when_it_is_the_visitors_turn(
    tmp_path: Path, cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    monkeypatch.setattr(uploads, "_queue", FairQueue(1))
    greedy = [Visitor("10.0.0.7", "a")]
    with uploads._queue.slot(greedy[0]):
        monkeypatch.setattr(uploads._queue, "_check", lambda visitor: greedy.append(visitor))
        monkeypatch.setattr(uploads._queue._changed, "wait_for", lambda *_: False)
        with pytest.raises(InputError, match="other visitors use all slots"):
            read_shape(tmp_path / "lamp.npy", Visitor(HERE, "b"))
    assert greedy[1] == Visitor(HERE, "b")


def test_the_time_for_reading_is_short_and_grows_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "lamp.npy", np.zeros(2**20, np.uint8))
    seconds = []

    def once(task: str, settings: object, source: str, seal: uploads.workers.Seal, begun: object) -> Done:
        seconds.append(seal.seconds)
        return Done(0, source, {"points": 3, "stated": "z"}, (np.eye(3),))

    monkeypatch.setattr(uploads.workers, "once", once)
    read_shape(tmp_path / "lamp.npy")
    assert 10 < seconds[0] < 11


def test_the_same_file_of_two_visitors(tmp_path: Path, cloud: np.ndarray) -> None:
    """They have one path; what one of them does with it must not be seen by the other."""
    np.save(tmp_path / "lamp.npy", cloud)
    with uploads.taken([tmp_path / "lamp.npy"]) as (mine,), uploads.taken([tmp_path / "lamp.npy"]) as (other,):
        mine.unlink()
        (tmp_path / "lamp.npy").unlink()
        assert other.name == "lamp.npy" and np.array_equal(np.load(other), cloud)
    with uploads.taken([tmp_path / "lamp.npy"]) as (gone,), pytest.raises(ShapeFileError, match="Upload it again"):
        read_shape(gone)


def test_processes_that_read_end_with_the_page(
    tmp_path: Path, cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "lamp.npy", cloud)
    once = uploads.workers.once
    monkeypatch.setattr(uploads.workers, "once", lambda task, how, *rest: once("signal:pause", {}, *rest))  # for ever
    refused: list[str] = []

    def read() -> None:
        try:
            read_shape(tmp_path / "lamp.npy")
        except ShapeFileError as error:
            refused.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    while all(worker.ended for worker in uploads._reading) and reader.is_alive():
        time.sleep(0.01)
    uploads.end_reading()
    reader.join(5)
    assert refused and "SIGKILL" in refused[0]


def test_readers_are_sealed(tmp_path: Path, cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the seal does is tested in workers/; here, that it is asked for, and that the file is alone."""
    np.save(tmp_path / "lamp.npy", cloud)
    (tmp_path / "beside.mtl").write_text("newmtl m")

    def once(task: str, settings: object, source: str, seal: uploads.workers.Seal, begun: object) -> Done:
        assert (seal.memory, seal.seconds, seal.most) == (5, 7, MAX_POINTS * 48)
        assert [path.name for path in Path(source).parent.iterdir()] == ["shape.npy"]
        return Done(0, source, {"points": 3, "stated": "z"}, (np.eye(3),))

    monkeypatch.setattr(uploads.workers, "once", once)
    assert read_shape(tmp_path / "lamp.npy", seconds=7, memory=5).stated == "z"


def test_a_missing_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scan.las").write_bytes(b"LASF")
    answers(monkeypatch, Done(0, "", error=MissingPackageError("needs laspy: pip install laspy")))
    with pytest.raises(MissingPackageError, match=re.escape("pip install laspy")):
        read_shape(tmp_path / "scan.las")


def test_a_damaged_file_is_named_as_the_visitor_named_it(tmp_path: Path) -> None:
    (tmp_path / "lamp.ply").write_bytes(b"ply\n")
    with pytest.raises(ShapeFileError, match=r"“lamp\.ply” as PLY: it has no PLY header") as refusal:
        read_shape(tmp_path / "lamp.ply")
    assert "shape.ply" not in str(refusal.value)

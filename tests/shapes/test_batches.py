from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.errors import CloudError
from openshape_ood.shapes import Read, batches
from openshape_ood.shapes.batches import Batch, Reading, in_batches
from openshape_ood.shapes.shape import Shape


def files(folder: Path, count: int) -> list[Shape]:
    """Cloud i is a random one about the point (i, i, i)."""
    found = [Shape(str(folder / f"{i}.npy"), f"{i}") for i in range(count)]
    for i, file in enumerate(found):
        np.save(file.value, i + np.random.RandomState(i).rand(20, 3) / 2, allow_pickle=False)
    return found


def places(batch: Batch) -> list[int]:
    return [int(cloud.min()) for cloud in batch.shapes]


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_encoded_in_batches_whoever_reads_them(tmp_path: Path, workers: int) -> None:
    given = files(tmp_path, 7)
    given.insert(3, Shape(str(tmp_path / "none.ply"), "none"))
    steps: list[int] = []
    done = list(in_batches(given, Reading(points=9, batch_size=3, readers=workers), places, lambda: steps.append(1)))
    assert [one.result for one in done] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [shape.name for shape in done[1].given] == ["3", "4", "5"]
    assert [failure.source for one in done for failure in one.failures] == [str(tmp_path / "none.ply")]
    assert len(steps) == 8


@pytest.mark.parametrize(("up", "silent", "unstated"), [("file", "-y", "-y"), ("z", "-y", "z"), ("-x", "y", "-x")])
def test_files_and_clouds_in_their_order_with_an_axis_each(tmp_path: Path, up: str, silent: str, unstated: str) -> None:
    """An axis of the reading stands above that of shapes without one, and below that of a shape."""
    one, two, three = files(tmp_path, 3)
    given = [one, Shape(np.eye(3) + 5, "five", up="x"), Shape(np.eye(2), "flat"), two, Shape(three.value, "2", "z")]
    (done,) = in_batches(given, Reading(points=9, up=up, silent=silent, readers=0), places)
    assert (done.result, done.ups) == ([0, 5, 1, 2], [unstated, "x", unstated, "z"])
    assert [failure.source for failure in done.failures] == ["flat"]


def test_a_cloud_that_the_encoder_refuses_stops_nothing(tmp_path: Path) -> None:
    def encode(batch: Batch) -> list[int]:
        if 1 in places(batch):
            raise CloudError("not this one")
        return places(batch)

    done = list(in_batches(files(tmp_path, 4), Reading(points=9, batch_size=3), encode))
    assert [one.result for one in done if one.given] == [[0], [2], [3]]
    assert [failure.error for one in done for failure in one.failures] == ["not this one"]


def test_failures_after_the_last_batch_are_not_lost(tmp_path: Path) -> None:
    (done,) = in_batches([Shape(str(tmp_path / "none.ply"), "0")], Reading(9, readers=0), places)
    assert (done.given, len(done.failures)) == ([], 1)


def test_no_more_is_taken_than_is_read_ahead(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Shape]:
        while True:
            taken.append(1)
            yield Shape(np.eye(3), "cloud")

    stream = in_batches(endless(), Reading(9, batch_size=4), places)
    next(stream), next(stream)
    assert len(taken) <= 9


def test_many_files_are_read_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def read_shapes(paths: Any, *, workers: int | None, **how: Any) -> Any:
        asked.append(workers)
        return (Read(i, path, np.eye(3), "y") for i, path in enumerate(paths))

    monkeypatch.setattr(batches, "read_shapes", read_shapes)
    for count, workers in ((batches.MANY, None), (batches.MANY + 1, None), (1, 3), (1000, 0)):
        list(in_batches([Shape("a.npy", "a")] * count, Reading(9, readers=workers), places))
    assert asked == [1, None, 3, 0]  # None is as many as there are cores for


def test_no_worker_outlives_an_encoder_that_fails(tmp_path: Path) -> None:
    def encode(batch: Batch) -> None:
        raise RuntimeError("no device")

    with pytest.raises(RuntimeError, match="no device"):
        list(in_batches(files(tmp_path, 4), Reading(9, batch_size=1, readers=1), encode))
    assert not readers()


def readers() -> list[Path]:
    """Reading processes of this one that are still there; other tests may have left children of other kinds."""
    own = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"openshape_ood.workers" in (process / "cmdline").read_bytes():
                own.append(process)
    return own

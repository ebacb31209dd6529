from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import shapes
from openshape_ood.cli import batches
from openshape_ood.cli.batches import Reading, encode_files
from openshape_ood.cli.console import Bar, Failure
from openshape_ood.cli.inputs import File
from openshape_ood.errors import CloudError


def files(folder: Path, count: int) -> list[File]:
    """Cloud i is a random one about the point (i, i, i)."""
    found = [File(str(folder / f"{i}.npy"), f"{i}.npy") for i in range(count)]
    for i, file in enumerate(found):
        np.save(file.path, i + np.random.RandomState(i).rand(20, 3) / 2, allow_pickle=False)
    return found


def places(shapes: list[Any], ups: list[str]) -> list[int]:
    return [int(cloud.min()) for cloud in shapes]


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_encoded_in_batches_whoever_reads_them(tmp_path: Path, workers: int) -> None:
    given = files(tmp_path, 7)
    given.insert(3, File(str(tmp_path / "none.ply"), "none.ply"))
    failures: list[Failure] = []
    how = Reading(points=9, batch_size=3, readers=workers)
    done = list(encode_files(given, how, places, failures, Bar()))
    assert [one.result for one in done] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [file.id for file in done[1].files] == ["3.npy", "4.npy", "5.npy"]
    assert [failure.file for failure in failures] == [str(tmp_path / "none.ply")]


def test_a_cloud_that_the_encoder_refuses_stops_nothing(tmp_path: Path) -> None:
    def encode(shapes: list[Any], ups: list[str]) -> list[int]:
        if 1 in places(shapes, ups):
            raise CloudError("not this one")
        return places(shapes, ups)

    failures: list[Failure] = []
    done = list(encode_files(files(tmp_path, 4), Reading(points=9, batch_size=3), encode, failures, Bar()))
    assert [one.result for one in done] == [[0], [2], [3]]
    assert [failure.reason for failure in failures] == ["not this one"]


def test_many_files_are_read_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def read_shapes(paths: Any, *, workers: int | None, **how: Any) -> Any:
        asked.append(workers)
        return (shapes.Read(i, path, np.eye(3), "y") for i, path in enumerate(paths))

    monkeypatch.setattr(shapes, "read_shapes", read_shapes)
    for count, workers in ((batches.MANY, None), (batches.MANY + 1, None), (1, 3), (1000, 0)):
        list(encode_files([File("a", "a")] * count, Reading(9, readers=workers), places, [], Bar()))
    assert asked == [1, None, 3, 0]  # None is as many as there are cores for


def test_no_worker_outlives_an_encoder_that_fails(tmp_path: Path) -> None:
    def encode(shapes: list[Any], ups: list[str]) -> None:
        raise RuntimeError("no device")

    with pytest.raises(RuntimeError, match="no device"):
        list(encode_files(files(tmp_path, 4), Reading(9, batch_size=1, readers=1), encode, [], Bar()))
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

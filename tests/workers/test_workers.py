"""Child processes, whatever their task; what reading adds is tested in shapes/test_batch.py and app/."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import workers
from openshape_ood.errors import NoSuchShapeError, OpenShapeError, WorkerError
from openshape_ood.workers import Done, Limits, Seal, in_order, once
from tests.workers.made_up_tasks import message

TASKS = "tests.workers.made_up_tasks"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel bounds a process's memory on Linux alone")


def sealed(folder: Path, argument: Any, task: str = "misbehave", **change: Any) -> Done:
    limits = {"memory": 3 * 2**30, "seconds": 20.0, "most": 1000} | change
    return once(f"{TASKS}:{task}", {}, argument, Seal(str(folder), **limits))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_answers_and_arrays_come_in_order(workers: int) -> None:
    settings = {"prefix": "n"}
    found = list(in_order(f"{TASKS}:echo", settings, iter([3, 0, 7]), workers=workers, ahead=2))
    assert [(done.index, done.argument, done.answer, done.error) for done in found] == [
        (0, 3, "n3", None), (1, 0, "n0", None), (2, 7, "n7", None)
    ]  # fmt: skip
    for done in found:
        (array,) = done.arrays
        assert array.dtype == np.float32 and array.tolist() == [done.argument] * done.argument


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_keep_their_kind(workers: int) -> None:
    words = ["raise", "bug", "memory", "fine"]
    missing, bug, memory, fine = in_order(f"{TASKS}:misbehave", {}, words, workers=workers, ahead=4)
    assert type(missing.error) is NoSuchShapeError and str(missing.error) == "it is not there"
    assert "by zero" in str(bug.error) and "ZeroDivisionError" in f"{bug.error!r}"
    assert type(memory.error) is MemoryError
    assert fine.answer == "fine" and fine.error is None


def test_a_warning_is_a_line_that_no_terminal_obeys(capfd: pytest.CaptureFixture[str]) -> None:
    (done,) = in_order(f"{TASKS}:misbehave", {}, ["warn"], workers=1, ahead=1)
    assert done.answer == "warn" and capfd.readouterr().err == "warning: far?[31m.npy\n"


def test_a_killed_and_a_hung_process_cost_their_own_task() -> None:
    words = ["a", "die", "b", "hang", "c", "leave", "d"]
    found = list(in_order(f"{TASKS}:misbehave", {}, words, workers=2, ahead=3, limits=lambda argument: Limits(wall=1)))
    assert [done.answer for done in found] == ["a", None, "b", None, "c", None, "d"]
    errors = [str(done.error) for done in found if isinstance(done.error, WorkerError)]
    assert len(errors) == 3
    assert "SIGKILL" in errors[0] and "more than 1 s" in errors[1] and "status 3" in errors[2]


def test_large_settings_are_told_once() -> None:
    (done,) = in_order(f"{TASKS}:echo", {"prefix": "x" * 3_000_000}, [2], workers=1, ahead=1)
    assert isinstance(done.error, WorkerError)  # an answer of three million characters is none
    (done,) = in_order(f"{TASKS}:echo", {"prefix": "x" * 300_000}, [2], workers=1, ahead=1)
    assert done.answer == "x" * 300_000 + "2"


def test_a_task_that_does_not_exist_is_said() -> None:
    with pytest.raises(OpenShapeError, match=r"can be started.*import tests\.workers\.no_such_module"):
        list(in_order("tests.workers.no_such_module:task", {}, [1], workers=1, ahead=1))


def test_a_transfer_that_breaks_off_leaves_its_room() -> None:
    """Or others would wait for ever."""
    with closing(workers._Pool(f"{TASKS}:forge", {}, 1, lambda argument: Limits())) as pool:
        done = pool.take(pool.submit(0, message({"answer": 1, "arrays": [[[10], "<f8"]]})))
        assert isinstance(done.error, WorkerError) and not pool._held


# sealed


def test_a_sealed_process_inherits_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    found = sealed(tmp_path, "environment").answer
    assert "HF_TOKEN" not in found and "elsewhere" not in found["PYTHONPATH"] and found["-s"] == 1
    assert found["cwd"] == str(tmp_path) and found["OMP_NUM_THREADS"] == "1"


@LINUX
def test_a_sealed_process_is_bounded(tmp_path: Path) -> None:
    assert isinstance(sealed(tmp_path, "allocate", memory=2**29).error, MemoryError)
    assert "the process that read it sent an invalid answer" in str(sealed(tmp_path, "allocate").error)
    assert "File too large" in str(sealed(tmp_path, "write").error)
    assert not (tmp_path / "file").exists() or not (tmp_path / "file").stat().st_size


def test_the_time_of_a_sealed_process_is_from_its_start(tmp_path: Path) -> None:
    start = time.monotonic()
    for word, seconds in (("hang", 1.0), ("fine", 0.01)):
        error = sealed(tmp_path, word, seconds=seconds).error
        assert isinstance(error, WorkerError) and f"more than {seconds:g} s" in str(error)
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("word, said", [("die", "SIGKILL"), ("leave", "status 3")])
def test_the_end_of_a_sealed_process_is_said(tmp_path: Path, word: str, said: str) -> None:
    error = sealed(tmp_path, word).error
    assert isinstance(error, WorkerError) and said in str(error)


@pytest.mark.parametrize("program", ["/bin/false", "/no/python", ""])
def test_a_sealed_process_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert isinstance(sealed(tmp_path, "fine").error, WorkerError)


@pytest.mark.parametrize(
    "forged",
    [
        b"\xff\xff\xff\xff".hex(),
        b"\x04\x00\x00\x00{{{{".hex(),
        message([]),
        message({}),
        message({"answer": 1}),
        message({"answer": 1, "arrays": [[[2, 3], "|O"]]}),
        message({"answer": 1, "arrays": [[[True, 3], "<f8"]]}),
        message({"answer": 1, "arrays": [[[-2, -3], "<f8"]]}),
        message({"answer": 1, "arrays": [[["9", 3], "<f8"]]}),
        message({"answer": 1, "arrays": [[[2**40, 2**40], "<f8"]]}),
        message({"answer": 1, "arrays": [[[100, 3], "<f8"]]}),  # more than the 1000 bytes that may come
        message({"answer": 1, "arrays": [[[1, 1, 1, 1, 1], "<f8"]]}),
        message({"answer": 1, "arrays": 5}),
    ],
)
def test_the_word_of_a_process_is_not_trusted(tmp_path: Path, forged: str) -> None:
    """Whatever a parser that was taken over writes: an error, and no memory asked for on its word."""
    error = sealed(tmp_path, forged, "forge").error
    assert isinstance(error, WorkerError) and "the process that read it sent an invalid answer" in str(error)


def test_an_error_that_is_none_of_ours_is_named(tmp_path: Path) -> None:
    error = sealed(tmp_path, message({"error": "SystemExit", "text": "x"}), "forge").error
    assert type(error) is OpenShapeError and str(error) == "x (SystemExit)"


# processes that wait for a next call


def answers(words: list[Any], **how: Any) -> list[Any]:
    found = in_order(f"{TASKS}:number", {}, words, workers=1, ahead=2, keep=True, **how)
    return [done.answer for done in found]


@pytest.fixture
def waiting() -> Iterator[None]:
    workers._idle.close()
    yield
    workers._idle.close()


@pytest.mark.usefixtures("waiting")
def test_a_next_call_finds_the_process_of_the_last_one() -> None:
    first, again = answers(["a", "b"]), answers(["c"])
    assert len({*first, *again}) == 1
    (alone,) = in_order(f"{TASKS}:number", {}, ["a"], workers=1, ahead=2)  # keep is False
    assert alone.answer not in first


@pytest.mark.usefixtures("waiting")
def test_what_surrounds_it_must_be_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [answers(["a"])]
    (other,) = in_order(f"{TASKS}:echo", {"prefix": "n"}, [2], workers=1, ahead=2, keep=True)
    assert other.answer == "n2"
    found.append(answers(["a"]))  # in the meantime it had ended
    monkeypatch.chdir(tmp_path)
    found.append(answers(["a"]))
    monkeypatch.setenv("OPENSHAPE_OOD_READ_SECONDS", "9")
    found.append(answers(["a"]))
    assert len({*map(str, found)}) == len(found)


@pytest.mark.usefixtures("waiting")
def test_one_that_was_left_in_the_middle_or_has_ended_is_not_used_again() -> None:
    with closing(in_order(f"{TASKS}:number", {}, iter("abcdef"), workers=1, ahead=2, keep=True)) as found:
        left = next(found).answer
    first = answers(["a"])
    assert first != [left]
    os.kill(first[0], signal.SIGKILL)
    assert answers(["a"])[0] not in (left, *first)


@pytest.mark.usefixtures("waiting")
def test_it_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "KEPT_SECONDS", 0.05)
    (number,) = answers(["a"])
    for _ in range(200):
        if not Path(f"/proc/{number}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{number}").exists() and workers._idle._held is None


@pytest.mark.usefixtures("waiting")
def test_limits_are_those_of_the_call() -> None:
    task = f"{TASKS}:misbehave"
    (fine,) = in_order(task, {}, ["fine"], workers=1, ahead=1, keep=True, limits=lambda word: Limits(wall=60))
    late, after = in_order(task, {}, ["hang", "a"], workers=1, ahead=1, keep=True, limits=lambda word: Limits(wall=0.5))
    assert fine.answer == "fine" and "more than 0.5 s" in str(late.error) and after.answer == "a"

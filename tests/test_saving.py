"""Files are there whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import score_novelty
from openshape_ood.cli.outputs import csv_text
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Identity, Provenance
from openshape_ood.errors import FileError, InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.storage import save_whole, saving


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_whole(tmp_path / "it", b"first", "the thing")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FileError, match=r"cannot write the thing .*it: No space left on device"):
        save_whole(path, b"second", "the thing")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")


def killed_while_saving(path: Path) -> None:
    child = os.fork()
    if not child:
        with saving(path, "the thing") as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@forks
def test_what_killed_processes_leave_is_one_file_and_gone_with_the_next(tmp_path: Path) -> None:
    path = save_whole(tmp_path / "it", b"first", "the thing")
    for _ in range(5):
        killed_while_saving(path)
    assert path.read_bytes() == b"first"
    (left,) = {*tmp_path.iterdir()} - {path}
    assert left.read_bytes() == b"half" and left.name.endswith(".partial")
    save_whole(path, b"2nd", "the thing")
    assert path.read_bytes() == b"2nd"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_save_at_once_write_two_files(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with saving(path, "the thing") as file:
        file.write(b"slow")
        save_whole(path, b"quick, and longer", "the thing")
        assert path.read_bytes() == b"quick, and longer"
        assert len(list(tmp_path.iterdir())) == 2
    assert path.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [path]


@forks
def test_the_next_to_save_keeps_its_file_when_the_one_before_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, taken = os.replace, list[Path]()

    def replaced_and_taken(partial: Path, path: Path) -> None:
        replace(partial, path)
        Path(partial).write_bytes(b"of the next")  # the name is free from here on, and another process takes it
        taken.append(Path(partial))

    monkeypatch.setattr(os, "replace", replaced_and_taken)
    save_whole(tmp_path / "a", b"of the first", "the file")
    assert (tmp_path / "a").read_bytes() == b"of the first" and taken[0].read_bytes() == b"of the next"


@pytest.mark.parametrize("how", ["link", "second name", "pipe", "folder", "read only"])
def test_what_lies_at_the_name_of_a_killed_process_is_not_written_to(how: str, tmp_path: Path) -> None:
    path, victim = tmp_path / "it", tmp_path / "victim"
    killed_while_saving(path)
    (left,) = tmp_path.iterdir()
    left.unlink()
    victim.write_bytes(b"precious")
    if how == "link":
        left.symlink_to(victim)
    elif how == "second name":
        os.link(victim, left)
    elif how == "pipe":
        os.mkfifo(left)
    elif how == "folder":
        left.mkdir()
    else:
        left.touch(0o400)
    save_whole(path, b"new", "the thing")
    assert path.read_bytes() == b"new" and victim.read_bytes() == b"precious"


def test_a_cell_is_no_formula() -> None:
    text = csv_text(["file", "novelty"], [{"file": "=cmd()", "novelty": -0.5}, {"file": "a=b.ply"}, {"file": "@x"}])
    assert text == "file,novelty\n'=cmd(),-0.5\na=b.ply,\n'@x,\n"


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path(path: Any) -> None:
    rows = np.eye(2)
    known = KnownClasses.from_embeddings(rows, ["chair", "lamp"], Identity("mine", "words", "ab" * 32))
    fields = {"nearest": None, "classes": None, "baseline": float("nan"), "threshold": None}
    drawn = NoveltyMap(Elements("points", np.eye(3)), np.zeros(3), provenance=Provenance(known.identity), **fields)
    doors = (Threshold(0.5).save, Threshold.load, known.save, KnownClasses.load, drawn.save)
    for door in doors:
        with pytest.raises(InputError, match=f"path is {path} .*Expected the path of a file"):
            door(path)


def test_ready_embeddings_do_not_tell_how_they_were_made() -> None:
    ready = Embeddings(np.eye(2), Identity("mine", "words", "ab" * 32))
    known = KnownClasses.from_embeddings(np.eye(2), ["chair", "lamp"], ready.identity)
    made = score_novelty(ready, known, seed=5).provenance
    assert (made.up, made.seed, made.num_samples) == ("", 0, 1)
    for wrong in ({"seed": "a"}, {"seed": -1}, {"num_samples": 0}, {"num_samples": "a"}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
            score_novelty(ready, known, **wrong)

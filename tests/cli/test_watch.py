"""openshape-ood watch: a folder as it fills, a bag, and what cannot be used."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run
from made_up_bag import messages, write_bag

from openshape_ood.scene_map.arrivals import arrivals, digest_of, is_view
from openshape_ood.scenes import Scene, save_scene
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.views import room_view
from openshape_ood.views.files import save_view

KNOWN = ("--known", "chair", "sofa", "--model", "tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two looks at a chair and a guitar, and a file that is none."""
    made = tmp_path_factory.mktemp("scans")
    chair, guitar = (sample(name, 6000, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    for i in range(2):
        save_scene(Scene(np.concatenate([chair[i::2], guitar[i::2] + [3, 0, 0]])), made / f"{i}.ply")
    (made / "broken.ply").write_text("ply\n")
    (made / "notes.txt").write_text("no scan")
    return made


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_folder_once_then_again_and_a_page(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home.map"
    first = run("watch", folder, *KNOWN, "--map", home, "--once", "--json")
    assert first.exit_code == 1, first.output
    told = lines(first.stdout)
    assert [one["source"] for one in told if one["event"] == "skipped"] == ["broken.ply"]
    assert [one["event"] for one in told].count("object") == 2
    assert told[-1]["views"] == 2 and told[-1]["failed"]
    assert all(one["reason"] for one in told if one["event"] == "verdict")
    again = run("watch", folder, "--map", home, "--once", "--page", tmp_path / "home.html")
    assert again.exit_code == 0, again.output
    assert "2 objects" in again.stdout and "2 views" in again.stdout
    assert "object 1" in (tmp_path / "home.html").read_text(encoding="utf-8")
    other = run("watch", folder, "--known", "lamp", "--model", "tiny", "--map", home, "--once")
    assert other.exit_code == 2 and "Expected the same encoder" in other.stderr


def test_copies_are_skipped_and_other_files_of_a_known_name_are_not(folder: Path, tmp_path: Path) -> None:
    home, more = tmp_path / "home.map", tmp_path / "more"
    more.mkdir()
    shutil.copy(folder / "0.ply", more / "0.ply")
    assert run("watch", more, *KNOWN, "--map", home, "--once").exit_code == 0
    shutil.copy(folder / "0.ply", more / "copy.ply")
    shutil.copy(folder / "1.ply", more / "0.ply")  # the next drive has the same file names
    result = run("watch", more, "--map", home, "--once", "--json")
    assert result.exit_code == 0, result.output
    skipped = [one for one in lines(result.stdout) if one["event"] == "skipped"]
    assert [one["source"] for one in skipped] == ["copy.ply"]
    assert "copy.ply has the same content as 0.ply" in skipped[0]["reason"]
    assert lines(result.stdout)[-1]["views"] == 2
    shutil.copy(folder / "0.ply", more / "0.ply")
    again = run("watch", more, "--map", home, "--once")  # all contents are remembered, the copy too
    assert again.exit_code == 0 and "2 views" in again.stdout and "same content" not in again.stderr


def test_a_bag_again_adds_nothing_and_says_so(tmp_path: Path) -> None:
    pytest.importorskip("mcap_ros2")
    bag, words = write_bag(tmp_path / "drive.mcap", messages(3)), ("--map", tmp_path / "home.map", "--max-jump", "0")
    assert run("watch", bag, *KNOWN, *words).exit_code == 0
    again = run("watch", bag, *words)
    assert again.exit_code == 0 and "3 views" in again.stdout
    assert "3 frames of drive.mcap are not after 1.200 s" in " ".join(again.stderr.split())


def test_digests_are_of_the_content(tmp_path: Path) -> None:
    assert digest_of(tmp_path / "missing") == ""
    os.mkfifo(tmp_path / "pipe.ply")
    assert digest_of(tmp_path / "pipe.ply") == ""  # a pipe is not opened, because that would wait forever
    view = room_view(1, categories=["chair"], objects=1).view
    for name in ("first", "second"):
        save_view(view, tmp_path / name)
    assert digest_of(tmp_path / "first") == digest_of(tmp_path / "second") != ""
    (tmp_path / "second" / "camera.json").write_text("{}")
    assert digest_of(tmp_path / "first") != digest_of(tmp_path / "second")


@pytest.mark.parametrize(
    "words, message",
    [
        (["nothing", "--known", "chair"], "there is no nothing"),
        (["{folder}/0.ply", "--known", "chair"], "is a file. Expected a folder"),
        (["{folder}", "--once"], "known"),
        (["{folder}", "--known", "chair", "--page", "map.txt"], "ends in .html"),
    ],
)
def test_what_cannot_be_watched(folder: Path, tmp_path: Path, words: list[str], message: str) -> None:
    asked = [word.format(folder=folder) for word in words]
    result = run("watch", *asked, "--map", tmp_path / "home.map")
    assert result.exit_code == 2 and message in result.stderr


def test_a_bag_that_is_damaged(tmp_path: Path) -> None:
    pytest.importorskip("mcap_ros2")
    (tmp_path / "drive.mcap").write_bytes(b"no bag")
    result = run("watch", tmp_path / "drive.mcap", *KNOWN, "--map", tmp_path / "home.map")
    assert result.exit_code == 1 and "truncated or damaged" in result.stderr


def test_files_are_given_once_when_they_have_stopped_growing(tmp_path: Path) -> None:
    waits = iter(range(4))

    def grow(_: float) -> None:
        i = next(waits)  # StopIteration ends the watch
        if i < 2:
            (tmp_path / "a.ply").write_bytes(b"x" * (i + 1))

    incoming = arrivals(tmp_path, once=False, poll=0.1, wait=grow)
    path = next(incoming)
    assert (path.name, path.stat().st_size) == ("a.ply", 2)
    with pytest.raises(RuntimeError):
        next(incoming)


def test_views_are_told_from_scans(tmp_path: Path) -> None:
    view = room_view(1, categories=["chair"], objects=1).view
    save_view(view, tmp_path / "view.npz")
    save_view(view, tmp_path / "pictures")
    np.savez(tmp_path / "scan.npz", points=np.ones((4, 3)))
    assert is_view(tmp_path / "view.npz") and is_view(tmp_path / "pictures")
    assert not is_view(tmp_path / "scan.npz") and not is_view(tmp_path / "broken.npz")
    names = [path.name for path in arrivals(tmp_path, once=True, poll=1)]
    assert sorted(names) == ["pictures", "scan.npz", "view.npz"]

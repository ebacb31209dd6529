"""Which files a folder, a pattern or a name stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openshape_ood.cli.classes import gather
from openshape_ood.cli.commands import app
from openshape_ood.cli.console import shown
from openshape_ood.cli.inputs import find_files, named_ignored
from openshape_ood.errors import ClassNamesError, FileError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.ply", "a.OBJ", "a.mtl", "skin.png", "sub/c.npy", "sub/notes.md", ".hidden.ply", ".git/d.ply"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(given: list[str | Path], start: Path) -> list[str]:
    return [os.path.relpath(file.path, start) for file in find_files(given).files]


def test_a_folder_is_searched_through_and_through(folder: Path) -> None:
    found = find_files([folder])
    assert [file.id for file in found.files] == ["a.OBJ", "b.ply", "sub/c.npy"]
    # a hidden folder is not entered
    assert [os.path.relpath(path, folder) for path in found.ignored] == [
        ".hidden.ply",
        "a.mtl",
        "skin.png",
        "sub/notes.md",
    ]
    assert not found.failures


def test_patterns_are_expanded(folder: Path) -> None:
    assert names([f"{folder}/*.ply"], folder) == ["b.ply"]
    assert names([f"{folder}/**/*.npy"], folder) == ["sub/c.npy"]
    assert names([f"{folder}/*"], folder) == ["a.OBJ", "b.ply", "sub/c.npy"]
    (failure,) = find_files([f"{folder}/*.stl"]).failures
    assert failure.error.startswith("no file matches this pattern. Expected")


def test_a_name_with_brackets_is_a_name_if_there_is_such_a_file(folder: Path) -> None:
    (folder / "b[1].ply").touch()
    assert names([folder / "b[1].ply"], folder) == ["b[1].ply"]


def test_links_to_folders_are_named_and_not_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "link.obj").symlink_to(folder / "b.ply")
    found = find_files([folder])
    assert [file.id for file in found.files] == ["a.OBJ", "b.ply", "link.obj", "sub/c.npy"]
    named_ignored(found.ignored)
    said = " ".join(capsys.readouterr().err.split())
    assert f"links to folders (give the folders themselves): {folder / 'sub' / 'up'}" in said and "and 1 more" in said
    assert find_files([folder / "sub" / "up"]).files  # that one itself is searched


def test_each_file_comes_once_and_side_files_that_a_shell_brings_are_ignored(folder: Path) -> None:
    assert names([folder / "b.ply", folder], folder) == ["b.ply", "a.OBJ", "sub/c.npy"]
    assert find_files([folder / "a.mtl", folder / "b.ply"]).ignored == [str(folder / "a.mtl")]


def test_what_was_named_is_tried_whatever_it_is(folder: Path) -> None:
    assert names([folder / "gone.ply", folder / "sub" / "notes.md"], folder) == ["gone.ply", "sub/notes.md"]


def test_ids_tell_files_apart(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "c.npy").touch()
    ids = [file.id for file in find_files([folder / "sub", folder / "other"]).files]
    assert ids == [f"{folder}/sub/c.npy", f"{folder}/other/c.npy"]


@pytest.mark.parametrize(
    "words, option, expected",
    [
        (["--known", "a", "b"], "known", ["a", "b"]),
        (["--known=a", "b", "--json"], "known", ["a", "b"]),
        (["--known", "a", "--known", "b"], "known", ["a", "b"]),
        (["--calibrate", "x", "y", "--up", "-y"], "calibrate", ["x", "y"]),
        (["--calibrate", "x", "y", "--up", "-y"], "up", "-y"),
        (["--threshold", "-0.5"], "threshold", "-0.5"),
        (["--known-file", "a", "b"], "known_file", [Path("a"), Path("b")]),
        (["--known", "a", "--", "b", "c"], "known", ["a"]),
        (["--examples", "a", "--examples", "b"], "examples", [Path("a"), Path("b")]),
        (["--seed", "1", "--seed", "2"], "seed", 2),
    ],
)
def test_several_words_after_an_option(words: list[str], option: str, expected: object) -> None:
    bound = app.parse_args(["score", "f.ply", *words])[1].arguments
    assert getattr(bound["chosen"], option) == expected and bound["files"][0] == "f.ply"


def test_classes_of_names_and_folders_are_one(folder: Path) -> None:
    (folder / "kinds" / "Night_Stand").mkdir(parents=True)
    (folder / "kinds" / "Night_Stand" / "a.ply").touch()
    wanted = gather(["chair, sofa", "night stand"], [folder / "kinds"])
    assert list(wanted.examples) == ["chair", "sofa", "night stand"]
    assert wanted.by_name == ["chair", "sofa"] and wanted.kind == "both"
    assert gather(["chair"]).kind == "names" and gather(None, [folder / "kinds"]).kind == "examples"


def test_known_classes_that_cannot_be(folder: Path) -> None:
    with pytest.raises(ClassNamesError, match="no known classes"):
        gather(None)
    with pytest.raises(ClassNamesError, match=r"'b.ply' looks like a file.*after --"):
        gather(["chair", "b.ply"])
    with pytest.raises(ClassNamesError, match="are repeated"):
        gather(["chair", "chair"])
    with pytest.raises(FileError, match="no subfolders"):
        gather(None, [folder / "sub"])
    (folder / "sub" / "empty").mkdir()
    with pytest.raises(FileError, match="no shape files in 'empty'"):
        gather(None, [folder / "sub"])
    with pytest.raises(FileError, match="cannot be read as a folder"):
        gather(None, [folder / "gone"])


def test_nothing_in_a_name_reaches_the_terminal_as_a_command() -> None:
    assert shown("a\x1b[31m\n\udcff[bold]") == "a\\x1b[31m\\n\\udcff[bold]"

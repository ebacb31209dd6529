"""`python -m benchmarks data download`, against a local server."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_server import FILES, TOP, ArchiveServer, file, folders, tar_of, unpacked, whole_tar
from filelock import FileLock

from benchmarks.threedos.data import unpack
from benchmarks.threedos.data.command import main
from benchmarks.threedos.data.download import Archive, install
from openshape_ood.errors import ShapeFileError


def command(archive: Archive, root: Path, *options: str) -> int:
    table = root.with_name("archives.toml")
    table.write_text(f'[{archive.name}]\naddress = "{archive.address}"\nfolder = "{archive.folder}"\nneeded_by = ""\n')
    return main(["download", "--data-root", str(root), "--archives", str(table), "--quiet", *options])


def visible(folder: Path) -> list[str]:
    """What a user sees there; the lock of a download stays."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def test_help_lists_the_archives(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["download", "--help"])
    assert "\n  ScanObjectNN                 2.6 GB  sr1, sr2: the tested scans" in capsys.readouterr().out


def test_command_leaves_the_folder_and_nothing_else(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "new" / "release"
    root.parent.mkdir()
    assert command(archive, root) == 0
    assert {name: data for name, data in unpacked(root).items() if name != ".download.lock"} == FILES
    assert visible(root) == [TOP]
    said = capsys.readouterr()
    assert said.out == (
        f"{TOP}: unpacked 2 files to {root / TOP}\nNext: python -m benchmarks data check --data-root {root}\n"
    )
    assert said.err == ""


def test_command_skips_what_is_there(
    archive: Archive, server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "root" / TOP).mkdir(parents=True)
    assert command(archive, tmp_path / "root") == 0
    assert "skipped, because " in capsys.readouterr().out
    assert server.requests == []


def test_command_tells_an_error_in_one_line(
    archive: Archive, server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.behaviors = ["404"]
    assert command(archive, tmp_path / "root") == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"error: {TOP}: HTTP 404, Not Found. By hand: open {archive.address}")


def test_command_refuses_unknown_names(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(archive, tmp_path / "root", "--only", "nonsense") == 1
    assert capsys.readouterr().err == f"error: unknown archive 'nonsense'; known: {TOP}\n"


def test_command_keeps_terminal_sequences_of_a_name_from_the_terminal(
    archive: Archive, server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content = tar_of([*folders(), file(f"{TOP}/\x1b[2J\nerror, all is well")])
    assert command(archive, tmp_path / "root") == 1
    error = capsys.readouterr().err
    assert "unprintable" in error and error[:-1].isprintable()


def test_ctrl_c_leaves_no_half_unpacked_folder(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unpack, "_write", interrupted)
    assert command(archive, tmp_path / "root") == 130
    assert visible(tmp_path / "root") == [f"{TOP}.downloaded.tar"]
    assert "the same command resumes" in capsys.readouterr().err
    monkeypatch.undo()
    assert command(archive, tmp_path / "root") == 0  # and the download counts
    assert visible(tmp_path / "root") == [TOP]


def test_two_at_once_are_refused(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "root").mkdir()
    with FileLock(tmp_path / "root" / ".download.lock"):
        assert command(archive, tmp_path / "root") == 1
    assert "another download" in capsys.readouterr().err


@pytest.mark.parametrize("keep", [False, True])
def test_downloaded_tar_goes_unless_kept(archive: Archive, tmp_path: Path, keep: bool) -> None:
    install(archive, tmp_path, keep=keep, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [TOP, f"{TOP}.tar"][: 1 + keep]


def test_tar_put_there_by_hand_is_used_and_left(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / f"{TOP}.tar").write_bytes(whole_tar())
    install(archive, tmp_path, progress=False)
    assert server.requests == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [TOP, f"{TOP}.tar"]


def test_cut_of_untold_size_is_found_when_unpacked(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.sized, server.behaviors = False, ["cut"]
    with pytest.raises(ShapeFileError, match=r"truncated.*Delete the file and run the command again"):
        install(archive, tmp_path, progress=False)

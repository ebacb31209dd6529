"""Downloads from a local server that fails in every way."""

from __future__ import annotations

import hashlib
import io
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import archive_server
import pytest
from archive_server import TOP, ArchiveServer, file, folders, tar_of

from benchmarks.threedos.data import download
from benchmarks.threedos.data.download import Archive
from openshape_ood.errors import FileError, HashError


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SILENCE": 5, "RETRIES": 2, "PAUSE": 0}.items():
        monkeypatch.setattr(download, name, value)


def got(archive: Archive, root: Path) -> bytes:
    return download.fetch(archive, root, progress=False).read_bytes()


def refusal(archive: Archive, root: Path) -> str:
    with pytest.raises(FileError) as caught:
        download.fetch(archive, root, progress=False)
    return str(caught.value)


def broken(archive: Archive, server: ArchiveServer, root: Path) -> str:
    """Half of the file is there, and the server is well again."""
    server.behaviors = ["cut"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "RETRIES", 0)
        message = refusal(archive, root)
    server.behaviors = [""]
    return message


def test_broken_download_is_taken_up_where_it_broke(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.behaviors = ["cut", ""]
    assert got(archive, tmp_path) == server.content
    half = len(server.content) // 2
    assert server.ranges == ["", f"bytes={half}-"]


def test_next_run_takes_up_what_the_last_one_left(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    message = broken(archive, server, tmp_path)
    half = len(server.content) // 2
    assert f"{half:,} of {len(server.content):,} bytes came. {half:,} bytes are kept" in message
    assert got(archive, tmp_path) == server.content
    assert server.ranges == ["", f"bytes={half}-"]


def test_silence_ends(archive: Archive, server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "SILENCE", 0.1)
    monkeypatch.setattr(download, "RETRIES", 1)
    server.behaviors = ["stall"]
    assert "no data for 0.1 seconds" in refusal(archive, tmp_path)
    # half of it, then half of the rest
    assert len(server.requests) == 2 and server.ranges[1] == f"bytes={len(server.content) // 2}-"


def test_retries_end_with_a_server_that_starts_all_over_again(
    archive: Archive, server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CHUNK", 1000)  # so that each half is more than what counts as getting on
    monkeypatch.setattr(archive_server.Answer, "start", lambda *_: 0)
    server.behaviors = ["cut"]
    refusal(archive, tmp_path)
    assert len(server.requests) == 1 + 2  # the first gets on, two more do not


def test_server_without_ranges_sends_it_all_again(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.behaviors = ["cut", "no ranges"]
    assert got(archive, tmp_path) == server.content


@pytest.mark.parametrize("etags", [('"one"', '"two"'), ('W/"one"', 'W/"two"'), ("one", "two"), ("", "")])
@pytest.mark.parametrize("length", [-512, 512])
def test_changed_file_is_never_mixed(
    etags: tuple[str, str], length: int, archive: Archive, server: ArchiveServer, tmp_path: Path
) -> None:
    server.etag = etags[0]
    broken(archive, server, tmp_path)
    other = tar_of([*folders(), file(f"{TOP}/other.h5", b"o" * (len(server.content) + length))])
    server.content, server.etag = other, etags[1]
    assert got(archive, tmp_path) == other


def test_file_that_became_shorter_than_what_is_there(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.etag = ""
    broken(archive, server, tmp_path)
    server.content = tar_of(folders())  # the server answers 416
    assert got(archive, tmp_path) == server.content
    assert server.ranges[-1] == ""


def test_other_range_than_asked_for_is_not_taken(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.behaviors = ["cut", "shifted", ""]
    assert got(archive, tmp_path) == server.content


def test_other_address_starts_again(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    broken(archive, server, tmp_path)
    assert got(Archive(TOP, server.address + "&mirror", TOP, ""), tmp_path) == server.content
    assert server.ranges[-1] == ""  # after what is there was seen to be of another


def test_whole_download_asks_nothing(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / f"{TOP}.downloaded.tar").write_bytes(server.content)
    assert got(archive, tmp_path) == server.content
    assert server.requests == []


def test_size_need_not_be_told(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.sized = False
    assert got(archive, tmp_path) == server.content


@pytest.mark.parametrize("before", ["", "cut"])
def test_web_page_is_refused_and_not_kept(before: str, archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    if before:
        broken(archive, server, tmp_path)
    server.behaviors = ["html"]
    assert "a web page instead of a tar archive, which was not kept. By hand: open" in refusal(archive, tmp_path)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [len(server.content) // 2] * bool(before)


@pytest.mark.parametrize("head", [b"PK\3\4", b"\x1f\x8b", b""])
def test_what_is_no_tar_ends_with_its_first_bytes(
    head: bytes, archive: Archive, server: ArchiveServer, tmp_path: Path
) -> None:
    server.content, server.behaviors = head + bytes(600_000), ["stall"]  # of which only the first half comes
    assert "is not a tar archive" in refusal(archive, tmp_path) and len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "status, words, requests",
    [
        ("403", "Forbidden", 1),
        ("401", "Unauthorized", 1),
        ("410", "Gone", 1),
        ("418", "Teapot", 1),
        ("503", "busy", 3),
        ("429", "busy", 3),
    ],
)
def test_http_errors(
    status: str, words: str, requests: int, archive: Archive, server: ArchiveServer, tmp_path: Path
) -> None:
    server.behaviors = [status]
    message = refusal(archive, tmp_path)
    assert f"HTTP {status}" in message and words in message and archive.address in message
    assert f"save the file as {TOP}.tar in the data folder" in message
    assert len(server.requests) == requests


def test_busy_server_is_asked_again(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.behaviors = ["503", "429", ""]
    assert got(archive, tmp_path) == server.content


@pytest.mark.parametrize("target", ["to file", "to ftp", "to nonsense"])
def test_redirects_away_from_http_are_refused(
    target: str, archive: Archive, server: ArchiveServer, tmp_path: Path
) -> None:
    server.behaviors = [target]
    assert "redirect" in refusal(archive, tmp_path).lower()
    assert list(tmp_path.iterdir()) == []


def test_redirect_to_this_machine_is_followed_and_circles_end(
    archive: Archive, server: ArchiveServer, tmp_path: Path
) -> None:
    server.behaviors = ["to itself", "cut", "to itself", ""]
    assert got(archive, tmp_path) == server.content
    assert server.ranges[-1] == f"bytes={len(server.content) // 2}-"  # it goes along
    (tmp_path / f"{TOP}.downloaded.tar").unlink()
    server.behaviors = ["to itself"]
    assert "infinite loop" in refusal(archive, tmp_path)


@pytest.mark.parametrize("address", ["http://127.0.0.1/x", "http://x.org/x", "file:///etc/passwd", "ftp://x.org/x"])
def test_network_may_not_send_us_to_this_machine(address: str) -> None:
    request = urllib.request.Request("https://x.org/a.tar")
    with pytest.raises(ValueError, match="refused"):
        download.Redirects().http_error_302(request, io.BytesIO(), 302, "", {"Location": address})


def test_a_file_of_another_hash_is_refused_and_deleted(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    right = replace(archive, sha256=hashlib.sha256(server.content).hexdigest())
    with pytest.raises(HashError, match=f"has the sha256 {right.sha256}, expected {'0' * 64}"):
        download.fetch(replace(archive, sha256="0" * 64), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())
    assert got(right, tmp_path) == server.content


def test_nobody_there(tmp_path: Path) -> None:
    with archive_server.running(b"") as server:
        address = server.address
    message = refusal(Archive(TOP, address, TOP, ""), tmp_path)
    assert "no connection" in message and "Check the network" in message


def test_room_is_asked_for_before(
    archive: Archive, server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2 * len(server.content) - 1)  # packed and unpacked need one more
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "free some space" in refusal(archive, tmp_path)
    assert len(server.requests) == 1  # only the server knew the size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_full_disk_is_no_broken_connection(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    broken(archive, server, tmp_path)
    (partial,) = tmp_path.iterdir()
    partial.unlink()
    partial.symlink_to("/dev/full")
    server.requests.clear()
    assert "cannot be written (No space left on device); free some space" in refusal(archive, tmp_path)
    assert len(server.requests) == 1


def test_killed_download_is_resumed(archive: Archive, server: ArchiveServer, tmp_path: Path) -> None:
    server.behaviors = ["stall", ""]
    code = (
        "import sys; from pathlib import Path; from benchmarks.threedos.data.download import Archive, fetch;"
        "fetch(Archive(sys.argv[1], sys.argv[2], sys.argv[1], ''), Path(sys.argv[3]))"
    )
    half = len(server.content) // 2
    child = subprocess.Popen([sys.executable, "-c", code, TOP, archive.address, str(tmp_path)])
    try:
        deadline = time.monotonic() + 60
        while [path.stat().st_size for path in tmp_path.iterdir()] != [half] and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert got(archive, tmp_path) == server.content
    assert server.ranges == ["", f"bytes={half}-"]

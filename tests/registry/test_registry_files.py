"""Files from an https address, and hashes that are recorded at the first use; the Hub's have tests of their own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hub_server
import pytest
from hub_server import CONTENT, SHA256, HubServer, table

from openshape_ood.errors import FileError, HashError, OfflineError, ServerError, TransferError, WeightsError
from openshape_ood.registry import files
from openshape_ood.registry.files import cached, fetch, known_sha256, sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row
from openshape_ood.storage import own_folder

OTHER = "a" * 64


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with hub_server.running() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path / "cache"


def row(folder: Path, source: str, digest: str = SHA256) -> Row:
    (folder / "mine.toml").write_text(table("mine", source, digest))
    return find_checkpoint("mine", folder / "mine.toml")


def address(folder: Path, url: str, digest: str = SHA256) -> Row:
    """As if plain http, of which the registry wants to know nothing, were https."""
    made = row(folder, 'url = "https://lab.org/model.pt"', digest)
    return replace(made, source=replace(made.source, url=url))


def pins() -> list[Path]:
    return sorted(own_folder("pins").glob("*"))


def test_an_address_is_downloaded_once(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = address(tmp_path, f"{server.url}/storage/lab/sound")
    assert cached(made) is None
    path = fetch(made)
    assert path.read_bytes() == CONTENT and path.name.endswith("-sound") and path.is_relative_to(tmp_path / "cache")
    asked = len(server.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(made) == cached(made) == path and len(server.requests) == asked
    path.write_bytes(CONTENT[:-1])  # damaged
    with pytest.raises(HashError):
        fetch(made)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert fetch(made).read_bytes() == CONTENT
    assert not pins()


@pytest.mark.parametrize(
    "repo, error, words",
    [
        ("storage/lab/other/m.pt", HashError, "Correct `sha256`"),
        ("storage/lab/short", TransferError, "broke off after"),
        ("storage/lab/stalls", TransferError, "broke off after"),
        ("nowhere", ServerError, "HTTP 404"),
        ("lab/portal/resolve/main/m.pt", ServerError, "the server sent a web page"),
        ("lab/mute/resolve/main/m.pt", OfflineError, "cannot reach 127.0.0.1"),
    ],
)
def test_failures_leave_nothing_and_are_their_own_errors(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: str, error: type, words: str
) -> None:
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.5)
    made = address(tmp_path, f"{server.url}/{repo}")
    with pytest.raises(error, match=words) as caught:
        fetch(made)
    assert "checkpoint 'mine'" in str(caught.value) and f"{server.url}/{repo}" in str(caught.value)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match=r"refused.*open http://127.0.0.1:9/model.pt\. Then"):
        fetch(address(tmp_path, "http://127.0.0.1:9/model.pt"))


def test_what_is_longer_than_any_checkpoint(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    with pytest.raises(TransferError, match=r"too many bytes\. Expected at most 1,000"):
        fetch(address(tmp_path, f"{server.url}/storage/lab/sound"))


def test_an_address_that_leads_out_of_https_is_refused(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        url = "http://lab.org/model.pt"

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(files.urllib.request, "urlopen", lambda url, timeout: Answer())
    with pytest.raises(ServerError, match="Expected https"):
        fetch(row(tmp_path, 'url = "https://lab.org/model.pt"'))


def test_the_disk_refuses(server: HubServer, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # a file where the folder should be
    with pytest.raises(TransferError, match="OPENSHAPE_OOD_CACHE"):
        fetch(address(tmp_path, f"{server.url}/storage/lab/sound"))


# hashes of a first use


def test_the_first_use_is_recorded_told_once_and_kept_to(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(CONTENT)
    made = row(tmp_path, 'file = "m.pt"', "")
    assert known_sha256(made) == ""
    with pytest.warns(UserWarning, match=f"no sha256.*{SHA256}"):
        fetch(made)
    assert known_sha256(made) == SHA256 and len(pins()) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetch(made) == tmp_path / "m.pt"
    (tmp_path / "m.pt").write_bytes(CONTENT[::-1])
    with pytest.raises(HashError, match="which records the sha256 of its first use") as caught:
        fetch(made)
    assert str(pins()[0]) in str(caught.value)
    pins()[0].unlink()
    with pytest.warns(UserWarning, match="no sha256"):
        fetch(made)
    assert known_sha256(made) == sha256(tmp_path / "m.pt")


def test_an_address_without_a_hash_is_pinned(server: HubServer, tmp_path: Path) -> None:
    made = address(tmp_path, f"{server.url}/storage/lab/sound", "")
    with pytest.warns(UserWarning, match=SHA256):
        path = fetch(made)
    path.write_bytes(b"other")
    assert fetch(made).read_bytes() == CONTENT  # downloaded again
    pins()[0].write_text(f"{OTHER}  somewhere\n")
    path.unlink()
    with pytest.raises(HashError, match=OTHER):
        fetch(made)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_a_damaged_record_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pt").write_bytes(CONTENT)
    made = row(tmp_path, 'file = "m.pt"', "")
    for _ in range(2):
        with pytest.warns(UserWarning, match="no sha256"):
            fetch(made)
        pins()[0].write_bytes(content)


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    (tmp_path / "m.pt").write_bytes(CONTENT)
    made = row(tmp_path, 'file = "m.pt"', "")
    for _ in range(2):
        with pytest.warns(UserWarning, match="no sha256"):
            assert fetch(made) == tmp_path / "m.pt"


@pytest.mark.parametrize(
    "name, words",
    [
        ("semabs-vool", r'pass model=Completer.from_pretrained\("semabs-vool", checkpoint=".*"\) to complete_view.$'),
        (
            "lground-34d",
            r'pass encoder=PointEncoder.from_pretrained\("lground-34d", checkpoint=".*"\) to segment_scene.$',
        ),
    ],
)
def test_what_is_given_to_people_only_says_who_takes_it(name: str, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        fetch(find_checkpoint(name, kinds=("completion", "points")))


@pytest.mark.parametrize("variable", ["OPENSHAPE_OOD_CACHE", "XDG_CACHE_HOME"])
def test_what_is_packaged_needs_no_home(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENSHAPE_OOD_CACHE")
    monkeypatch.setenv(variable, "~nosuchuser/cache")
    assert fetch(find_checkpoint("tiny")).is_file()
    with pytest.raises(
        FileError, match=r"there is no cache folder ~nosuchuser/cache.* Set OPENSHAPE_OOD_CACHE to a folder"
    ):
        fetch(find_checkpoint("vitb32"))


def test_local_files_lie_beside_the_registry_or_where_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "m.pt").write_bytes(CONTENT)
    assert fetch(row(tmp_path / "one", 'file = "m.pt"')) == tmp_path / "one" / "m.pt"
    assert fetch(row(tmp_path, f'file = "{tmp_path}/one/m.pt"')) == tmp_path / "one" / "m.pt"
    with pytest.raises(WeightsError, match="there is no file"):
        fetch(row(tmp_path, 'file = "m.pt"'))
    monkeypatch.chdir(tmp_path / "one")
    row(tmp_path / "one", 'file = "m.pt"')
    relative = find_checkpoint("mine", "mine.toml")
    assert os.path.isabs(fetch(relative))

"""openshape-ood checkpoints: downloads from a local Hub, in a process, as its settings are read at import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_server
import pytest
from cli_runs import run, run_json
from hub_cache import delete_download, download
from hub_server import HubServer, environment, table

from openshape_ood import ShapeEncoder
from openshape_ood.cli.doctor import examine
from openshape_ood.encoders.text import open_clip
from openshape_ood.encoders.text.encoder import fetch_file
from openshape_ood.errors import OfflineError
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.rows import PACKAGE


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with hub_server.running() as running:
        yield running


@pytest.fixture
def env(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of a process that may ask the Hub; registry and cache are those of this process too, which is never to ask it."""
    rows = [table(name, f'repo = "lab/{name}"\nfile = "model.pt"') for name in ("sound", "gone", "other")]
    (tmp_path / "mine.toml").write_text("".join(rows))
    (tmp_path / "text.safetensors").touch()
    own = {"OPENSHAPE_OOD_CHECKPOINTS": str(tmp_path / "mine.toml"), "OPENSHAPE_OOD_CACHE": str(tmp_path / "cache")}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return environment(hub, tmp_path / "home", **own)


def test_fetch_and_verify(env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "openshape_ood", "checkpoints", "fetch", "sound", "gone", "other", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    said, fetched = done.stderr.splitlines(), json.loads(done.stdout)
    # what is missing is said first, with its size
    assert said[0] == "sound, encoder: 600 kB from lab/sound/model.pt"
    assert "other, encoder: 600 kB from lab/other/model.pt" in said[:4]
    assert said[3] == "download in total: 1.2 MB and the files of unknown size"
    assert [(one["checkpoint"], one["part"]) for one in fetched["fetched"]] == [
        ("sound", "encoder"),
        ("sound", "text"),
        ("gone", "text"),  # its text encoder lies beside the registry
        ("other", "text"),
    ]
    assert [one["bytes"] for one in fetched["fetched"]] == [600_000, None, None, None]
    assert [one["file"] for one in fetched["failed"]] == ["gone (encoder)", "other (encoder)"]
    assert "the repository does not exist, or is private" in fetched["failed"][0]["reason"]
    assert "is not the registered one" in fetched["failed"][1]["reason"]
    assert run_json("checkpoints", "verify", "sound")["files"][0]["status"] == "sound"
    assert run_json("checkpoints", "verify", "gone", code=1)["files"][0]["status"] == "missing"
    here = {one["name"]: one["here"] for one in run_json("checkpoints", "list")["checkpoints"]}
    assert here["sound"] and here["tiny"] and not here["gone"]
    blob = Path(fetched["fetched"][0]["path"]).resolve()
    os.truncate(blob, 100)
    damaged = run_json("checkpoints", "verify", code=1)
    states = {one["checkpoint"]: one["status"] for one in damaged["files"] if one["part"] == "encoder"}
    assert damaged["ok"] is False and states["sound"] == "damaged" and states["tiny"] == "sound"


def test_sizes_that_nobody_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openshape_ood.cli.checkpoints import plan
    from openshape_ood.registry import find_checkpoint

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))
    planned = plan([find_checkpoint(name) for name in ("uni3d-b", "tamm")], False)
    sizes = {row.name: size for row, _, _, size in planned}
    assert sizes == {"uni3d-b": 178_008_217, "tamm": None}


def test_what_is_here_is_not_announced(downloaded: Path) -> None:
    from openshape_ood.cli.checkpoints import plan
    from openshape_ood.registry import find_checkpoint

    ((_, part, place, size),) = plan([find_checkpoint("mine")], with_text=True)  # its text encoder is no download
    assert (place, part) == ("", "encoder") and size
    assert "from lab" not in run("checkpoints", "fetch", "mine", "--no-text").stderr


def test_nothing_fetched_is_2(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run_json("checkpoints", "fetch", "other", "--no-text", code=2)["fetched"] == []


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, with the checkpoint "mine" downloaded; its text vectors are missing."""
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(download(tmp_path, tmp_path / "cache")))
    return tmp_path / "cache"


def test_fetch_makes_the_stripped_file_that_does_without_the_download(downloaded: Path) -> None:
    (fetched,) = run_json("checkpoints", "fetch", "mine", "--no-text")["fetched"]
    stripped = Path(fetched["stripped"])
    assert stripped.parent == downloaded / "encoders" and Path(fetched["path"]).name == "model.pt"
    assert str(stripped) in "".join(run("checkpoints", "fetch", "mine", "--no-text").stdout.split("\n"))
    delete_download(downloaded)
    (again,) = run_json("checkpoints", "fetch", "mine", "--no-text")["fetched"]
    assert again["path"] == again["stripped"] == str(stripped)
    stripped.unlink()
    assert fetched_nothing()


def fetched_nothing() -> bool:
    row = listed()
    return not row["here"] and row["path"] is None


def listed() -> dict[str, Any]:
    return next(row for row in run_json("checkpoints", "list")["checkpoints"] if row["name"] == "mine")


def test_list_show_and_verify_know_the_stripped_file(downloaded: Path) -> None:
    stripped = Path(run_json("checkpoints", "fetch", "mine", "--no-text")["fetched"][0]["stripped"])
    assert sources("show") == ["hub", "stripped", "file"]
    assert statuses() == ["sound", "sound", "missing"]
    delete_download(downloaded)
    row = listed()
    assert row["here"] and row["path"] == str(stripped)
    assert "in the cache, stripped" in run("checkpoints", "list").stdout
    assert sources("show") == sources("verify") == ["stripped", "file"]
    assert examine(network=False)["checkpoints"][-1]["encoder"] == "in the cache, stripped"
    assert "encoder, stripped file" in run("checkpoints", "show", "mine").stdout
    content = bytearray(stripped.read_bytes())
    content[-1] ^= 1
    stripped.write_bytes(content)
    assert statuses(code=1) == ["damaged", "missing"]
    assert "stripped" in run("checkpoints", "verify").stdout


def sources(command: str) -> list[str]:
    found = run_json("checkpoints", command, *["mine"] * (command == "show"))["files"]
    return [part["source"] for part in found if part["checkpoint"] == "mine"]


def statuses(code: int = 0) -> list[str]:
    found = run_json("checkpoints", "verify", code=code)["files"]
    return [one["status"] for one in found if one["checkpoint"] == "mine"]


def test_list_and_show() -> None:
    found = {row["name"]: row for row in run_json("checkpoints", "list")["checkpoints"]}
    assert found["tiny"]["here"] and found["vitg14"]["up"] == "z"
    assert "in the package" in run("checkpoints", "list").stdout
    shown = run_json("checkpoints", "show", "tiny")
    assert shown["sizes"]["projection"] == 192 and shown["files"][0]["source"] == "package"
    assert "embeddings" not in shown and "folder" not in shown
    assert "spec.count" in run("checkpoints", "show", "vitb32").stdout
    of_small = run_json("checkpoints", "show", "small")
    assert "chair" in of_small["trained_names"] and len(of_small["names"]) > 2000
    assert "trained names" in run("checkpoints", "show", "small").stdout
    bare = run("checkpoints", "show", "semabs-vool").stdout
    assert "sizes." in bare and "spec." not in bare and "text." not in bare


def test_without_a_home_what_is_packaged_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", "~nosuchuser/cache")
    found = {row["name"]: row["here"] for row in run_json("checkpoints", "list")["checkpoints"]}
    assert found["tiny"] and not found["vitb32"]


def test_the_list_is_a_table_to_choose_by() -> None:
    found = {row["name"]: row for row in run_json("checkpoints", "list")["checkpoints"]}
    uni3d, default = found["uni3d-b"], found["vitb32"]
    assert uni3d["parameters"] == 86_951_296 and uni3d["memory"] == 4 * 86_951_296 and uni3d["cost"] > default["cost"]
    assert default["cost"] == 1 and default["zero_shot"] == {"lvis": None, "modelnet40": None, "scanobjectnn": None}
    assert uni3d["zero_shot"] == {"lvis": 51.7, "modelnet40": 86.3, "scanobjectnn": 63.8}
    assert uni3d["published"] == "Uni3D README" and uni3d["licence"] == "not stated" and uni3d["points"] == 10_000
    assert all(row["whom"] for row in found.values()) and found["tripletmix"]["unconfirmed"]
    lines = {line.split()[0]: line for line in run("checkpoints", "list").stdout.splitlines() if line}
    for words in ("87.0 M", "348 MB", "51.7", "86.3", "63.8", "not stated", "not downloaded", "real scans"):
        assert words in lines["uni3d-b"]
    assert "unconfirmed" in lines["tamm"] and " 137 " in lines["uni3d-g"]


def test_a_row_of_ones_own_says_nothing_to_choose_by(downloaded: Path) -> None:
    row = listed()
    assert (row["parameters"], row["memory"], row["cost"], row["whom"]) == (None, None, None, "")
    assert "mine" in run("checkpoints", "list").stdout


def test_verify_what_is_in_the_package() -> None:
    files = run_json("checkpoints", "verify", "tiny")["files"]
    assert [one["status"] for one in files] == ["sound", "sound"]


def test_names_that_there_are_not() -> None:
    for command in ("show", "fetch", "verify"):
        result = run("checkpoints", command, "tinny")
        assert result.exit_code == 2 and "Did you mean 'tiny'" in result.stderr


@pytest.fixture
def stick(downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint "mine" on a stick, at a machine that has none and no network."""
    path = tmp_path / "stick" / "model.pt"
    path.parent.mkdir()
    shutil.copy(downloaded / "hub/models--lab--mine/blobs/bytes", path)
    delete_download(downloaded)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return path


def test_a_file_brought_by_hand_serves_everywhere(stick: Path, downloaded: Path) -> None:
    with pytest.raises(OfflineError, match=r"python -m openshape_ood checkpoints add model\.pt` here"):
        ShapeEncoder.from_pretrained("mine", device="cpu")
    said = run("embed", stick, "--out", stick.with_name("x.npz"), "--model", "mine").stderr
    assert "no download is needed with --checkpoint FILE or --model tiny" in said
    (found,) = run_json("checkpoints", "verify", stick)["files"]
    assert (found["checkpoint"], found["part"], found["status"]) == ("mine", "encoder", "sound")
    (added,) = run_json("checkpoints", "add", stick)["added"]
    assert (added["checkpoint"], added["part"]) == ("mine", "encoder")
    assert Path(added["path"]).is_relative_to(downloaded) and Path(added["stripped"]).is_file()
    stick.unlink()  # pulled out
    encoder = ShapeEncoder.from_pretrained("mine", device="cpu")
    assert encoder.identity.sha256 == added["found_sha256"] == find_checkpoint("mine").source.sha256
    assert {one["status"] for one in run_json("checkpoints", "verify", "mine", code=1)["files"]} == {"sound", "missing"}
    (one,) = (one for one in run_json("checkpoints", "list")["checkpoints"] if one["name"] == "mine")
    assert one["here"] and one["path"] == added["path"]


def test_another_file_is_not_added(stick: Path, downloaded: Path) -> None:
    with stick.open("ab") as file:
        file.write(b"\0")
    (found,) = run_json("checkpoints", "verify", stick, code=1)["files"]
    assert (found["status"], found["checkpoint"]) == ("unknown", "")
    for words, told in {
        ("add", stick): "which is not in the registry",
        ("add", stick, "--as", "mine"): "expected",
    }.items():
        error = run_json("checkpoints", *words, code=2)["error"]
        assert error["type"] == "HashError" and told in error["message"] and str(stick) in error["message"]
    error = run_json("checkpoints", "add", stick, "--as", "tiny", code=2)["error"]
    assert error["type"] == "WeightsError" and "Nothing needs to be added" in error["message"]
    both = run("checkpoints", "add", stick, "--as", "vitb32+tiny")
    assert both.exit_code == 2 and "Expected one encoder. Give one of tiny, vitb32" in both.stderr
    missing = run("checkpoints", "add", stick.with_name("none.pt"))
    assert missing.exit_code == 2 and "there is no file" in missing.stderr and "no download" not in missing.stderr
    assert not list((downloaded / "downloads").glob("*"))


def test_a_text_encoder_brought_by_hand(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which file it is the registry cannot tell; from then on it is found where the Hub's would be."""
    monkeypatch.setattr(open_clip, "hub_address", lambda row: ("lab/clip", "text.safetensors"))
    row = find_checkpoint("vitb32")
    with pytest.raises(OfflineError, match=r"checkpoints add text\.safetensors --as vitb32 --text` here"):
        fetch_file(row)
    error = run_json("checkpoints", "add", stick, "--as", "vitb32", "--text", code=2)["error"]
    assert "Expected a file that ends in '.safetensors'" in error["message"]
    file = stick.with_name("renamed.safetensors")
    file.write_bytes(b"weights")
    (added,) = run_json("checkpoints", "add", file, "--as", "vitb32", "--text")["added"]
    assert added["part"] == "text" and fetch_file(row) == Path(added["path"])
    assert fetch_file(row).read_bytes() == b"weights"
    assert fetch_file(find_checkpoint("vitl14")) == Path(added["path"])  # the same repository and file


def test_point_encoders_are_listed_and_shown() -> None:
    found = {row["name"]: row for row in run_json("checkpoints", "list")["checkpoints"]}
    lseg, lground = found["openscene-scannet-lseg"], found["lground-34d"]
    assert (lseg["kind"], lseg["voxel"], lseg["input"], lseg["dim"], lseg["points"]) == (
        "points",
        0.02,
        "ones",
        512,
        None,
    )
    assert (found["tiny"]["kind"], found["tiny"]["voxel"], found["tiny"]["input"]) == ("shape", None, "")
    listed = run("checkpoints", "list").stdout
    line = next(line for line in listed.splitlines() if line.startswith("lground-34d"))
    assert "0.02 m" in line and "color" in line and "to be fetched by hand" in line and lground["up"] == "z"
    shown = run_json("checkpoints", "show", "lground-34d")
    assert shown["scan"]["voxel"] == 0.02 and shown["source"]["page"].startswith("https://github.com/")
    assert [part["source"] for part in shown["files"]] == ["hand", "hub"]
    assert run_json("checkpoints", "verify", "lground-34d", code=1)["files"][0]["status"] == "missing"
    failed = run_json("checkpoints", "fetch", "lground-34d", "--no-text", code=2)["failed"]
    assert "Its authors offer no automatic download" in failed[0]["reason"]


PAGE_ROWS = """
[scans]
like = "tiny-points"
licence = "MIT"
source = { page = "https://example.org/", file = "scans.safetensors" }
[unnamed]
like = "tiny-points"
licence = "MIT"
source = { page = "https://example.org/", file = "unnamed.safetensors" }
text = { kind = "open_clip", model = "ViT-B-32", pretrained = "none", templates = "openscene", average = "mean" }
[views]
like = "completion-rooms"
licence = "MIT"
source = { page = "https://example.org/", file = "views.safetensors" }
"""


@pytest.fixture
def page_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose files are got by hand, with no sha256."""
    (tmp_path / "mine.toml").write_text(PAGE_ROWS)
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("page_rows")
@pytest.mark.parametrize(
    ("name", "part", "source", "code"),
    [
        ("scans", "encoder", "tiny/points.safetensors", 0),
        ("unnamed", "encoder", "tiny/points.safetensors", 1),  # its text is missing
        ("views", "completion", "completion/rooms.safetensors", 0),
    ],
)
def test_what_is_got_by_hand(name: str, part: str, source: str, code: int) -> None:
    done = run("checkpoints", "add", PACKAGE / source, "--as", name)
    assert done.exit_code == 0 and done.stdout.startswith(f"{name}, {part}: ")
    assert done.stderr.startswith("warning: ") and "the registry has no sha256" in done.stderr
    first = run_json("checkpoints", "verify", name, code=code)["files"][0]
    assert (first["part"], first["status"]) == (part, "sound")
    assert Path(first["path"]).read_bytes() == (PACKAGE / source).read_bytes()
    assert run_json("checkpoints", "show", name)["files"][0]["path"] == first["path"]
    error = run_json("checkpoints", "add", PACKAGE / "tiny/encoder.safetensors", "--as", name, code=2)["error"]
    assert error["type"] == "HashError" and "tiny/encoder.safetensors" in error["message"]


@pytest.mark.usefixtures("page_rows")
def test_what_does_not_fit_is_not_recorded(tmp_path: Path) -> None:
    error = run_json("checkpoints", "add", PACKAGE / "tiny/encoder.safetensors", "--as", "scans", code=2)["error"]
    assert error["type"] == "WeightsError" and "does not hold the weights of scans" in error["message"]
    error = run_json("checkpoints", "add", PACKAGE / "tiny/text.safetensors", "--as=views", "--text", code=2)["error"]
    assert "is of kind 'completion'" in error["message"]
    assert not list((tmp_path / "cache").rglob("*"))

"""Downloads end to end: a client in a process of its own, as its settings are read at import, and a local Hub."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import hub_server
import pytest
from hub_server import CONTENT, REFUSALS, SHA256, TOKEN, HubServer, environment, table
from huggingface_hub.errors import HfHubHTTPError

from openshape_ood import errors
from openshape_ood.errors import HashError, WeightsError
from openshape_ood.registry import hub
from openshape_ood.registry.files import cached, fetch, sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import PACKAGE, Source

REPOS = ["sound", "other", "blip", "mute", "stalls", "short", "restarts", "portal", "a..b"]
REPOS += [repo.removeprefix("lab/") for repo in REFUSALS]

# fetches the named checkpoints (or text encoders: "text NAME"), all at once, and prints what came of each as JSON
CLIENT = """
import json, os, sys, time, threading
from openshape_ood.registry import files
from openshape_ood.registry.names import find_checkpoint

registry, *names = sys.argv[1:]
if os.environ.get("HURRIED"):  # between two attempts nobody waits
    sleep, time.sleep = time.sleep, lambda seconds: sleep(seconds / 20)

def fetch(name):
    start = time.monotonic()
    try:
        row = find_checkpoint(name.removeprefix("text "), registry)
        path = files.fetch(row, text=(f"lab/{row.name}", "model.pt") if name.startswith("text ") else None)
        outcome = {"path": str(path)}
    except Exception as error:
        outcome = {"error": type(error).__name__, "message": str(error)}
    outcomes[name] = {"seconds": time.monotonic() - start, **outcome}

outcomes = {}
threads = [threading.Thread(target=fetch, args=(name,)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with hub_server.running() as running:
        yield running


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("registry") / "mine.toml"
    path.write_text("".join(table(name, f'repo = "lab/{name}"\nfile = "model.pt"') for name in REPOS))
    return path


def run(registry: Path, names: list[str], env: dict[str, str], **streams: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", CLIENT, str(registry), *names]
    streams = streams or {"stderr": subprocess.PIPE}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True, timeout=120, **streams)
    return json.loads(done.stdout)


FAILURES = {
    "gone": ("ServerError", "the repository does not exist, or is private"),
    "no-revision": ("ServerError", "no revision 'main'"),
    "no-file": ("ServerError", "no such file"),
    "private": ("ServerError", "HF_TOKEN"),
    "gated": ("ServerError", "licence must be accepted"),
    "forbidden": ("ServerError", "forbids the download (HTTP 403)"),
    "broken": ("ServerError", "HTTP 500"),
    "busy": ("ServerError", "HTTP 503"),
    "portal": ("ServerError", "login page"),
    "mute": ("OfflineError", "cannot reach http://127.0.0.1"),
    "stalls": ("TransferError", "broke off after"),
    "short": ("TransferError", "broke off after"),
    "restarts": ("TransferError", "broke off after"),
    "other": ("HashError", "Delete the file and try again"),
    "a..b": ("RegistryError", "is no name of a Hub repository"),
}


@pytest.fixture(scope="module")
def failures(server: HubServer, registry: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    short = {"HF_HUB_ETAG_TIMEOUT": "3", "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HURRIED": "1"}
    return run(registry, list(FAILURES), environment(server, tmp_path_factory.mktemp("home"), **short))


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_is_its_own_error(failures: dict[str, Any], name: str) -> None:
    kind, words = FAILURES[name]
    outcome = failures[name]
    assert outcome.get("error") == kind
    assert issubclass(getattr(errors, kind), OSError)
    assert f"checkpoint {name!r}" in outcome["message"]
    assert words in outcome["message"]


@pytest.mark.parametrize("name", [name for name in FAILURES if FAILURES[name][0] not in ("HashError", "RegistryError")])
def test_a_failed_download_says_how_to_go_on(failures: dict[str, Any], name: str) -> None:
    message = failures[name]["message"]
    assert f"hf download lab/{name} model.pt" in message
    assert f"https://huggingface.co/lab/{name}/blob/main/model.pt" in message
    call = f'encoder=ShapeEncoder.from_pretrained("{name}", checkpoint="model.pt")'
    assert f"pass {call} to score_novelty" in message
    assert '"tiny" is inside the package and runs offline' in message


def test_a_wrong_hash_names_the_file_that_must_go(failures: dict[str, Any]) -> None:
    message = failures["other"]["message"]
    path = Path(next(line for line in message.splitlines() if line.startswith("  file ")).split()[-1])
    found = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert path.is_file() and not path.is_symlink()
    assert f"expected  sha256 {SHA256}" in message
    assert f"found     sha256 {found}" in message
    assert 'encoder=ShapeEncoder.from_pretrained("other", checkpoint=PATH)' in message


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("busy, asked", [(0, 1), (2, 3), (3, 3)])
def test_a_busy_hub_is_asked_three_times(monkeypatch: pytest.MonkeyPatch, status: int, busy: int, asked: int) -> None:
    waits, answers = answered(monkeypatch, [status] * busy)
    if busy < 3:
        hub._ask(Source(repo="lab/x", file="model.pt"))
    else:
        with pytest.raises(HfHubHTTPError):
            hub._ask(Source(repo="lab/x", file="model.pt"))
    assert len(answers) == asked and waits == [1] * (asked - 1)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 410, 501])
def test_any_other_answer_is_enough(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    waits, answers = answered(monkeypatch, [status])
    hub._ask(Source(repo="lab/x", file="model.pt", revision="v2"))
    assert answers == ["https://huggingface.co/lab/x/resolve/v2/model.pt"] and not waits


def answered(monkeypatch: pytest.MonkeyPatch, statuses: list[int]) -> tuple[list[float], list[str]]:
    """Waits between questions, and what was asked of a Hub that answers with these statuses, and then well."""
    waits: list[float] = []
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(statuses[len(asked) - 1] if len(asked) <= len(statuses) else 200)

    monkeypatch.setattr(
        "huggingface_hub.utils.get_session", lambda: httpx2.Client(transport=httpx2.MockTransport(answer))
    )
    monkeypatch.setattr(hub.time, "sleep", waits.append)
    return waits, asked


@pytest.mark.slow
def test_every_failure_is_said_within_forty_seconds(server: HubServer, registry: Path, tmp_path: Path) -> None:
    outcomes = run(registry, list(FAILURES), environment(server, tmp_path))
    assert {name: outcome.get("error") for name, outcome in outcomes.items()} == {k: v[0] for k, v in FAILURES.items()}
    assert max(outcome["seconds"] for outcome in outcomes.values()) < 40


def test_a_download_is_kept_and_needs_no_network_again(server: HubServer, registry: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = run(registry, ["sound", "blip"], environment(server, home))
    path = Path(first["sound"]["path"])
    assert path.is_relative_to(home) and path.read_bytes() == CONTENT
    assert sha256(first["blip"]["path"]) == SHA256  # one 503 is no failure
    asked = len(server.requests)
    assert run(registry, ["sound"], environment(server, home))["sound"]["path"] == str(path)
    assert len(server.requests) == asked
    without = run(registry, ["sound", "gone"], environment(None, home))
    assert without["sound"]["path"] == str(path)
    assert without["gone"]["error"] == "OfflineError" and "refused" in without["gone"]["message"]
    forbidden = run(registry, ["sound", "gone"], environment(server, home, HF_HUB_OFFLINE="1"))
    assert forbidden["sound"]["path"] == str(path)
    assert forbidden["gone"]["error"] == "OfflineError" and "HF_HUB_OFFLINE" in forbidden["gone"]["message"]


def test_a_damaged_file_is_refused_until_deleted(server: HubServer, registry: Path, tmp_path: Path) -> None:
    blob = Path(run(registry, ["sound"], environment(server, tmp_path))["sound"]["path"]).resolve()
    blob.write_bytes(CONTENT[:-1] + b"?")
    assert run(registry, ["sound"], environment(None, tmp_path))["sound"]["error"] == "HashError"
    assert run(registry, ["sound"], environment(server, tmp_path))["sound"]["error"] == "HashError"
    blob.unlink()
    assert "path" in run(registry, ["sound"], environment(server, tmp_path))["sound"]


def test_text_encoders_are_pinned_as_far_as_registered(server: HubServer, tmp_path: Path) -> None:
    registry, pins = tmp_path / "mine.toml", {"sound": SHA256, "other": SHA256, "blip": "", "gone": ""}
    texts = {name: f', revision = "v2", sha256 = "{digest}"' for name, digest in pins.items()}
    registry.write_text("".join(table(name, 'file = "model.pt"', text=text) for name, text in texts.items()))
    start = len(server.requests)
    outcomes = run(registry, [f"text {name}" for name in pins], environment(server, tmp_path))
    assert all(sha256(outcomes[f"text {name}"]["path"]) == SHA256 for name in ("sound", "blip"))
    assert "/lab/sound/resolve/v2/model.pt" in {request.path for request in server.requests[start:]}
    wrong, missing = outcomes["text other"], outcomes["text gone"]
    assert wrong["error"] == "HashError" and wrong["message"].startswith("text encoder of 'other'")
    assert 'text=TextEncoder.from_pretrained("other", checkpoint=PATH)' in wrong["message"]
    assert missing["error"] == "ServerError" and "model.pt --revision v2" in missing["message"]
    assert 'pass text=TextEncoder.from_pretrained("gone", checkpoint="model.pt") to' in missing["message"]
    asked = len(server.requests)
    assert "path" in run(registry, ["text sound"], environment(server, tmp_path))["text sound"]
    assert len(server.requests) == asked


def test_what_is_cached_is_found_without_a_look_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))
    (tmp_path / "mine.toml").write_text(table("mine", 'repo = "lab/mine"\nfile = "model.pt"', text=', revision = "v2"'))
    row = find_checkpoint("mine", tmp_path / "mine.toml")
    assert cached(row) is None is cached(row, ("lab/tower", "text.pt"))
    repos = tmp_path / "hub"
    for repo, revision, file in (("mine", "main", "model.pt"), ("tower", "v2", "text.pt")):
        folder = repos / f"models--lab--{repo}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / revision).write_text("0" * 40)
        (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
        (folder / "snapshots" / ("0" * 40) / file).write_bytes(b"whatever it is")
    assert cached(row) == repos / "models--lab--mine" / "snapshots" / ("0" * 40) / "model.pt"
    found = cached(row, ("lab/tower", "text.pt"))
    assert found == repos / "models--lab--tower" / "snapshots" / ("0" * 40) / "text.pt"


def test_a_token_goes_to_the_hub_and_nowhere_else(server: HubServer, registry: Path, tmp_path: Path) -> None:
    start = len(server.requests)
    outcome = run(registry, ["private"], environment(server, tmp_path, HF_TOKEN=TOKEN))["private"]
    assert sha256(outcome["path"]) == SHA256
    tokens = {request.path: request.token for request in server.requests[start:]}
    assert tokens["/lab/private/resolve/main/model.pt"] == f"Bearer {TOKEN}"
    assert tokens["/storage/lab/private/model.pt"] == ""


def test_our_variable_moves_the_cache(server: HubServer, registry: Path, tmp_path: Path) -> None:
    env = environment(server, tmp_path / "home", OPENSHAPE_OOD_CACHE=str(tmp_path / "moved"))
    path = Path(run(registry, ["sound"], env)["sound"]["path"])
    assert path.is_relative_to(tmp_path / "moved" / "hub")
    (tmp_path / "file").touch()
    env["OPENSHAPE_OOD_CACHE"] = str(tmp_path / "file")
    outcome = run(registry, ["sound"], env)["sound"]
    assert outcome["error"] == "TransferError" and "OPENSHAPE_OOD_CACHE" in outcome["message"]


def test_a_progress_bar_is_drawn_on_a_terminal(server: HubServer, registry: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    try:
        run(registry, ["sound"], environment(server, tmp_path), stderr=theirs)
        os.set_blocking(ours, False)
        shown = b"".join(iter(lambda: _read_if_any(ours), b"")).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "100%" in shown and "600k/600k" in shown


def _read_if_any(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def test_files_of_the_package_and_beside_the_registry(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        table("packed", 'package = "checkpoints.toml"', sha256(PACKAGE / "checkpoints.toml"))
        + table("beside", 'file = "m.pt"', sha256(__file__))
        + table("lost", 'file = "n.pt"')
        + table("packed-other", 'package = "checkpoints.toml"')
        + table("beside-other", 'file = "m.pt"')
    )
    shutil.copy(__file__, tmp_path / "m.pt")
    for find in (fetch, cached):
        assert find(find_checkpoint("packed", tmp_path / "mine.toml")) == PACKAGE / "checkpoints.toml"
        assert find(find_checkpoint("beside", tmp_path / "mine.toml")) == tmp_path / "m.pt"
    assert cached(find_checkpoint("lost", tmp_path / "mine.toml")) is None
    with pytest.raises(WeightsError, match=r"'lost'.*no file.*n\.pt"):
        fetch(find_checkpoint("lost", tmp_path / "mine.toml"))
    with pytest.raises(HashError, match=r"(?s)'packed-other'.*checkpoints\.toml.*Install the package again"):
        fetch(find_checkpoint("packed-other", tmp_path / "mine.toml"))
    with pytest.raises(HashError, match=r"(?s)'beside-other'.*m\.pt.*Correct `sha256` in the registry"):
        fetch(find_checkpoint("beside-other", tmp_path / "mine.toml"))


@pytest.mark.parametrize(("variable", "seconds"), [(None, hub.SILENCE_SECONDS), ("40", None)])
def test_the_first_answer_is_awaited_for_seconds(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, seconds: int | None
) -> None:
    """A proxy that never answers is given up after seconds; the client's own variable goes before."""
    import huggingface_hub

    given: list[float | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        given.append(request.extensions["timeout"]["read"])
        return httpx2.Response(200)

    monkeypatch.setattr(
        "huggingface_hub.utils.get_session", lambda: httpx2.Client(transport=httpx2.MockTransport(answer))
    )
    monkeypatch.delenv("HF_HUB_ETAG_TIMEOUT", raising=False)
    if variable:
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", variable)
    hub._ask(Source(repo="lab/sound", file="model.pt"))
    assert given == [seconds or huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT]

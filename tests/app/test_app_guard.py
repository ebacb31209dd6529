"""What the server refuses before gradio sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openshape_ood.app import guard
from openshape_ood.app.guard import JOIN, UPLOAD, Guard

pytest.importorskip("starlette", reason="the page needs the extra [app]")
from starlette.testclient import TestClient

LARGEST = 1000  # bytes


class Behind:
    """What stands behind the guard: answers what it was asked, or for uploads what it would have stored."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        told = self.stored if scope["path"] == UPLOAD else {"headers": headers, "body": body.decode()}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def asking(behind: Behind, files: Path, host: str = "127.0.0.1", base: str = "http://127.0.0.1:7860") -> TestClient:
    return TestClient(Guard(behind, host, files, LARGEST), base_url=base)


@pytest.fixture
def page(behind: Behind, files: Path) -> TestClient:
    return asking(behind, files)


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1:1/x.npy", "https://example.org/x.npy", "//example.org/x.npy", "x.npy"]
)
@pytest.mark.parametrize("deep", [False, True])
def test_an_address_in_place_of_a_file_is_refused(page: TestClient, path: str, deep: bool) -> None:
    given: Any = {"path": path, "meta": {"_type": "gradio.FileData"}}
    answer = page.post(JOIN, json={"data": [[{"a": [given]}] if deep else given]})
    assert (answer.status_code, answer.text) == (403, "a file is one that was uploaded")


@pytest.mark.parametrize("path", ["/etc/passwd", "{files}/../other/x.npy", "{files}", 7, None])
def test_a_file_is_an_uploaded_one(page: TestClient, files: Path, path: Any) -> None:
    path = path.format(files=files) if isinstance(path, str) else path
    assert page.post(JOIN, json={"data": [{"path": path}]}).status_code == (200 if path == str(files) else 403)


def test_an_uploaded_file_passes_without_any_address(page: TestClient, files: Path) -> None:
    given = {"path": str(files / "a" / "x.npy"), "url": "http://127.0.0.1:1/x.npy", "orig_name": "x.npy"}
    answer = page.post(JOIN, json={"data": [given, "chair"], "fn_index": 3})
    kept = {"path": given["path"], "orig_name": "x.npy"}
    assert json.loads(answer.json()["body"]) == {"data": [kept, "chair"], "fn_index": 3}


@pytest.mark.parametrize(
    "told",
    [
        {"data": [], "fn_index": 3},
        {"data": [1, 2, 3], "fn_index": 3},
        {"data": {"0": 1, "1": 2}, "fn_index": 3},
        {"data": [1, 2], "fn_index": 4},
        {"data": [1, 2], "fn_index": True},
        {"data": [1, 2]},
        {"fn_index": 3},
        [1, 2],
        None,
    ],
)
def test_a_request_has_a_value_for_each_input(behind: Behind, files: Path, told: Any) -> None:
    page = TestClient(Guard(behind, "127.0.0.1", files, LARGEST, {1: 2, 3: 2}), base_url="http://127.0.0.1:7860")
    answer = page.post(JOIN, json=told)
    assert (answer.status_code, answer.text) == (400, "a request has a value for each input")
    assert page.post(JOIN, json={"data": [1, 2], "fn_index": 3}).status_code == 200
    assert page.post("/gradio_api/cancel", json={"event_id": "a"}).status_code == 200


def test_what_is_no_request_of_the_page(page: TestClient) -> None:
    assert page.post(JOIN, content=b"{").status_code == 400
    assert page.post(JOIN, content=b"[" * 100_000).status_code == 400
    assert page.post(JOIN, json={"data": "x" * 2**20}).status_code == 413
    for path in ("/openapi.json", "/gradio_api/openapi.json", "/docs", "/monitoring", "/gradio_api/proxy=http://a.b/c"):
        assert page.get(path).status_code == 404, path
    for path in (
        "/gradio_api/run/predict",
        "/gradio_api/call/x",
        "/gradio_api/component_server",
        "/gradio_api/vibe-edit",
    ):
        assert page.post(path, json={}).status_code == 404, path
    assert page.get("/gradio_api/file=http://127.0.0.1:1/").status_code == 404
    assert page.delete("/").status_code == 404
    assert page.get("/").status_code == page.get("/gradio_api/file=/tmp/x.ply").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "http://localhost:7860", "null", "http://["]
)
def test_pages_from_elsewhere_are_refused(page: TestClient, origin: str) -> None:
    for answer in (
        page.post(UPLOAD, content=b"x", headers={"Origin": origin}),
        page.get("/", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403 and "elsewhere" in answer.text
    assert page.post(UPLOAD, content=b"x", headers={"Origin": "http://127.0.0.1:7860"}).status_code == 200
    assert page.post(UPLOAD, content=b"x").status_code == 200  # no browser


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_the_page_has_the_names_of_loopback(behind: Behind, files: Path, host: str) -> None:
    page = asking(behind, files, host)
    for name in ("127.0.0.1:7860", "localhost", "[::1]:7860", "[::1]"):
        assert page.get("/", headers={"Host": name}).status_code == 200, name
    for name in ("evil.example", "127.0.0.1.evil.example", "[::2]:7860", "[", ""):
        assert page.get("/", headers={"Host": name}).status_code == 400, name
    assert asking(behind, files, "0.0.0.0").get("/", headers={"Host": "shapes.example.org"}).status_code == 200


def test_where_it_was_asked_is_not_believed(page: TestClient) -> None:
    said = dict.fromkeys(("X-Forwarded-Host", "Forwarded", "X-Gradio-Server", "X-Forwarded-Prefix"), "evil.example")
    answer = page.get("/config", headers=said)
    assert "evil.example" not in answer.text and "content-security-policy" in answer.headers


def test_uploads_of_an_address_are_counted(page: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(guard.UPLOADS_OF_LARGEST):
        assert page.post(UPLOAD, content=bytes(LARGEST)).status_code == 200
    refusal = page.post(UPLOAD, content=b"x")
    assert refusal.status_code == 429 and "10 times the largest file from your address in 10 minutes" in refusal.text
    monkeypatch.setattr(guard, "WINDOW_SECONDS", -1)
    assert page.post(UPLOAD, content=b"x").status_code == 200  # the time is over


def test_many_small_files_are_too_many(page: TestClient, behind: Behind, files: Path) -> None:
    behind.stored = [str(files / str(i)) for i in range(300)]
    assert [page.post(UPLOAD, content=b"x").status_code for _ in range(3)] == [200, 200, 429]


def test_one_address_does_not_have_the_others_refused(
    behind: Behind, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, whole = asking(behind, files), guard.DISC_OF_LARGEST // guard.UPLOADS_OF_LARGEST
    for whose in range(whole):
        monkeypatch.setattr(guard, "address", lambda host, whose=whose: str(whose))
        for _ in range(guard.UPLOADS_OF_LARGEST):
            assert page.post(UPLOAD, content=bytes(LARGEST)).status_code == 200
    monkeypatch.setattr(guard, "address", lambda host: "another")
    assert page.post(UPLOAD, content=b"x").status_code == 503  # the disc is not endless


def test_an_upload_says_how_long_it_is(page: TestClient) -> None:
    assert page.post(UPLOAD, content=iter([b"x"])).status_code == 411


def test_files_are_removed_when_nobody_can_need_them(
    page: TestClient, behind: Behind, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("old", "again"):
        (files / name).write_bytes(b"x")
    (tmp_path / "other").write_bytes(b"x")
    behind.stored = [str(files / "old"), str(files / "again"), str(tmp_path / "other")]
    page.post(UPLOAD, content=b"x")
    now = guard.time.monotonic()
    behind.stored = [str(files / "again")]
    monkeypatch.setattr(guard.time, "monotonic", lambda: now + guard.WINDOW_SECONDS / 2)
    page.post(UPLOAD, content=b"x")
    monkeypatch.setattr(guard.time, "monotonic", lambda: now + guard.WINDOW_SECONDS + 1)
    page.post(UPLOAD, content=b"x")
    assert not (files / "old").exists()
    assert (files / "again").exists() and (tmp_path / "other").exists()

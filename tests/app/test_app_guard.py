"""What the server refuses before gradio sees it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openshape_ood.app import guard
from openshape_ood.app.guard import JOIN, UPLOAD, Guard

testclient = pytest.importorskip("starlette.testclient", reason="the page needs the extra [app]")

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


class FileModel:
    """As `gradio.data_classes.FileData`, or several; the real ones are in test_app_browser.py."""

    def __init__(self, several: bool) -> None:
        self.several = several

    def model_validate(self, value: Any, context: Any) -> None:
        assert context == {"validate_meta": True}
        listed = value if self.several else [value]
        if not isinstance(listed, list) or not all(isinstance(one, dict) and "meta" in one for one in listed):
            raise ValueError("no file")


def component(label: str, value: Any = None, kind: str = "textbox", **more: Any) -> SimpleNamespace:
    return SimpleNamespace(label=label, value=value, get_block_name=lambda: kind, **more)


HANDLERS = {
    0: SimpleNamespace(
        inputs=[
            component("Clouds", data_model=FileModel(several=True)),
            component("Scan", data_model=FileModel(several=False)),
            component("Names", "a"),
            component("Class"),
            component("Up axis", "x", "dropdown", choices=[("as x", "x"), ("as y", "y")]),
            component("Color", "name", "radio", choices=[("name", "name")]),
        ],
        collects_event_data=False,
    ),
    1: SimpleNamespace(inputs=[], collects_event_data=True),
}


def asking(behind: Behind, files: Path, host: str = "127.0.0.1") -> Any:
    return testclient.TestClient(Guard(behind, host, files, LARGEST, HANDLERS), base_url="http://127.0.0.1:7860")


@pytest.fixture
def page(behind: Behind, files: Path) -> Any:
    return asking(behind, files)


def upload(path: Path) -> dict[str, Any]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def request(files: Path, **changed: Any) -> dict[str, Any]:
    """A request of the page to the first handler; changed: values by label, or fields."""
    values = {"Clouds": [upload(files / "a.npy")], "Scan": None, "Names": "chair", "Class": None}
    values |= {"Up axis": "y", "Color": "object"}
    values |= {label: value for label, value in changed.items() if label in values}
    fields = {"data": list(values.values()), "fn_index": 0, "session_hash": "me", "event_data": None}
    return fields | {name: value for name, value in changed.items() if name not in values}


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1:1/x.npy", "https://example.org/x.npy", "//example.org/x.npy", "x.npy"]
)
@pytest.mark.parametrize("deep", [False, True])
def test_an_address_in_place_of_a_file_is_refused(page: Any, files: Path, path: str, deep: bool) -> None:
    given: Any = {"path": path, "meta": {"_type": "gradio.FileData"}}
    answer = page.post(JOIN, json=request(files, Clouds=[{"a": [given]}] if deep else [given]))
    assert answer.status_code == 403 and answer.text.startswith("the path is not an uploaded file.")


@pytest.mark.parametrize("path", ["/etc/passwd", "{files}/../other/x.npy", "x.npy", 7, None])
def test_a_file_is_an_uploaded_one(page: Any, files: Path, path: Any) -> None:
    path = path.format(files=files) if isinstance(path, str) else path
    assert page.post(JOIN, json=request(files, Scan=upload(path))).status_code == 403


def test_an_uploaded_file_passes_without_any_address(page: Any, files: Path) -> None:
    given = {**upload(files / "a" / "x.npy"), "url": "http://127.0.0.1:1/x.npy", "orig_name": "x.npy"}
    answer = page.post(JOIN, json=request(files, Scan=given, batched=True, simple_format=True))
    passed = json.loads(answer.json()["body"])
    given.pop("url")
    assert passed == request(files, Scan=given)  # nor the fields that the page never sends


@pytest.mark.parametrize(
    "changed, text",
    [
        ({"data": []}, "data is not a list of 6 values"),
        ({"data": [1] * 7}, "data is not a list of 6 values"),
        ({"data": {str(i): 1 for i in range(6)}}, "data is not a list of 6 values"),
        ({"data": None}, "data is not a list of 6 values"),
        ({"fn_index": 4}, "fn_index is not the number of a handler"),
        ({"fn_index": False}, "fn_index is not the number of a handler"),
        ({"fn_index": None}, "fn_index is not the number of a handler"),
        ({"session_hash": None}, "session_hash is not the name"),
        ({"session_hash": ""}, "session_hash is not the name"),
        ({"Clouds": "a.npy"}, "Clouds: 'a.npy' is not a valid value"),
        ({"Clouds": [7]}, r"Clouds: [7] is not a valid value"),
        ({"Clouds": [None]}, r"Clouds: [None] is not a valid value"),
        ({"Scan": []}, r"Scan: [] is not a valid value"),
        ({"Scan": {"name": "x"}}, "Scan: {'name': 'x'} is not a valid value"),
        ({"Names": None}, "Names: None is not a valid value"),
        ({"Names": 7}, "Names: 7 is not a valid value"),
        ({"Names": ["chair"]}, "Names: ['chair'] is not a valid value"),
        ({"Class": {}}, "Class: {} is not a valid value"),
        ({"Up axis": "w"}, "Up axis: 'w' is not a valid value"),
        ({"Up axis": ["y"]}, "Up axis: ['y'] is not a valid value"),
        ({"Up axis": None}, "Up axis: None is not a valid value"),
        ({"Color": 1.5}, "Color: 1.5 is not a valid value"),
        ({"fn_index": 1, "data": []}, "event_data lacks index and value"),
        ({"fn_index": 1, "data": [], "event_data": {"index": 1}}, "event_data lacks index and value"),
    ],
)
def test_a_request_has_a_value_of_the_right_type_for_each_input(
    page: Any, files: Path, changed: dict[str, Any], text: str
) -> None:
    answer = page.post(JOIN, json=request(files, **changed))
    assert answer.status_code == 400 and answer.text.startswith(text)


def test_requests_of_the_page_pass(page: Any, files: Path) -> None:
    assert page.post(JOIN, json=request(files)).status_code == 200
    clicked = request(files, fn_index=1, data=[], event_data={"index": 2, "value": None})
    assert page.post(JOIN, json=clicked).status_code == 200
    assert page.post("/gradio_api/cancel", json={"event_id": "a"}).status_code == 200
    for content in ([1, 2], None, 7):
        assert page.post(JOIN, json=content).status_code == 400


def test_what_is_no_request_of_the_page(page: Any) -> None:
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
def test_pages_from_elsewhere_are_refused(page: Any, origin: str) -> None:
    for answer in (
        page.post(UPLOAD, content=b"x", headers={"Origin": origin}),
        page.get("/", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403 and "other sites" in answer.text
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


def test_where_it_was_asked_is_not_believed(page: Any) -> None:
    said = dict.fromkeys(("X-Forwarded-Host", "Forwarded", "X-Gradio-Server", "X-Forwarded-Prefix"), "evil.example")
    answer = page.get("/config", headers=said)
    assert "evil.example" not in answer.text and "content-security-policy" in answer.headers


def test_uploads_of_an_address_are_counted(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(guard.UPLOADS_OF_LARGEST):
        assert page.post(UPLOAD, content=bytes(LARGEST)).status_code == 200
    refusal = page.post(UPLOAD, content=b"x")
    assert refusal.status_code == 429 and "your address sent too many MB" in refusal.text
    monkeypatch.setattr(guard, "WINDOW_SECONDS", -1)
    assert page.post(UPLOAD, content=b"x").status_code == 200  # the time is over


def test_many_small_files_are_too_many(page: Any, behind: Behind, files: Path) -> None:
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


def test_an_upload_says_how_long_it_is(page: Any) -> None:
    assert page.post(UPLOAD, content=iter([b"x"])).status_code == 411

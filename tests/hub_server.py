"""A local stand-in for the Hugging Face Hub, and registries that point to it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np

CONTENT = np.random.RandomState(0).bytes(600_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_goodfortests"

# status, X-Error-Code, X-Error-Message
REFUSALS = {
    "lab/gone": (404, "RepoNotFound", "Repository not found"),
    "lab/no-revision": (404, "RevisionNotFound", "Invalid rev id: main"),
    "lab/no-file": (404, "EntryNotFound", "Entry not found"),
    "lab/private": (401, "RepoNotFound", "Repository not found"),
    "lab/gated": (403, "GatedRepo", "Access to model lab/gated is restricted"),
    "lab/forbidden": (403, "", "You have no permission"),
    "lab/broken": (500, "", "Internal Error"),
    "lab/busy": (503, "", "Service unavailable"),
}


class Request(NamedTuple):
    method: str
    path: str
    token: str


class HubServer(ThreadingHTTPServer):
    """Repositories: lab/sound; lab/other (other bytes than registered); those of REFUSALS; lab/blip (503 once);
    lab/mute (never answers); lab/stalls, lab/short and lab/restarts (half of the file, then silence, an end, or
    all over again); lab/portal (a login page). Takes uploads with TOKEN, to any repository but lab/forbidden."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.requests: list[Request] = []
        self.uploaded: dict[str, bytes] = {}  # owner/name/file -> content
        self.secret: set[str] = set()  # repositories made private
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage(self) -> str:
        """The same server under a second name: the Hub sends its clients to another host for the bytes."""
        return f"http://localhost:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Clients that give up are part of the tests."""


class Answer(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        """What the client asks in an upload: the repository, how each file is sent, and the commit with all of them."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(Request(self.command, self.path, self.headers.get("Authorization", "")))
        repo = "/".join(self.path.split("/")[3:5])
        if self.path == "/api/validate-yaml":
            self.send_json({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send(401, {"X-Error-Message": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            given = json.loads(body)
            name = f"{given.get('organization') or 'lab'}/{given['name']}"
            self.server.secret |= {name} if given.get("private") or given.get("visibility") == "private" else set()
            self.send(403, {}) if name == "lab/forbidden" else self.send_json({"url": f"{self.server.url}/{name}"})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.send_json({"files": files})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "file"]
            self.server.uploaded |= {f"{repo}/{one['path']}": b64decode(one["content"]) for one in files}
            self.send_json(
                {"commitUrl": f"{self.server.url}/{repo}/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
            )
        else:
            self.send(404, {})

    def send_json(self, value: object) -> None:
        self.send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def answer(self) -> None:
        self.server.requests.append(Request(self.command, self.path, self.headers.get("Authorization", "")))
        parts = self.path.strip("/").split("/")
        if parts[0] == "storage":
            self.send_content("/".join(parts[1:]))
        elif len(parts) > 3 and parts[2] == "resolve":
            self.resolve("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self.send(404, {"X-Error-Code": "EntryNotFound"})

    def resolve(self, repo: str, file: str) -> None:
        first = [request.path for request in self.server.requests].count(self.path) == 1
        allowed = repo == "lab/private" and self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo == "lab/mute":
            self.server.closing.wait(100)
        elif repo == "lab/portal":
            self.send(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
        elif repo == "lab/blip" and first:
            self.send(503, {})
        elif repo in REFUSALS and not allowed:
            status, code, message = REFUSALS[repo]
            self.send(status, {"X-Error-Code": code, "X-Error-Message": message})
        else:
            place = f"{repo}/{file}"
            self.send(302, {"Location": f"{self.server.storage}/storage/{place}", **self.description(place)})

    def description(self, place: str) -> dict[str, str]:
        content = self.content(place)
        etag = hashlib.sha256(content).hexdigest()
        return {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}

    def content(self, place: str) -> bytes:
        """Of owner/name/file."""
        default = CONTENT[::-1] if place.startswith("lab/other/") else CONTENT
        return self.server.uploaded.get(place, default)

    def send_content(self, place: str) -> None:
        content, repo = self.content(place), "/".join(place.split("/")[:2])
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        if repo == "lab/restarts":
            start = 0
        half = len(content) // 2
        end = max(start, half) if repo in ("lab/stalls", "lab/short", "lab/restarts") else len(content)
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.send(206 if start else 200, headers, content[start:end], announced=len(content) - start)
        if repo == "lab/stalls":
            self.server.closing.wait(100)
        if end < len(content):
            self.close_connection = True

    def send(self, status: int, headers: dict[str, str], body: bytes = b"", announced: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[HubServer]:
    """A server on a free port of 127.0.0.1, stopped at the end."""
    with HubServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()


def table(name: str, source: str, sha256: str = SHA256, text: str = "") -> str:
    return f"""
["{name}"]
architecture = "pointbert"
licence = "MIT"
sizes = {{ width = 8, depth = 1, heads = 1, head_width = 8, mlp_width = 8, patches = 2, radius = 0.4, \
patch_points = 2, patch_width = 8, channels = 6, projection = 0 }}
keys = {{ inside = "", prefix = "", body = "" }}
text = {{ kind = "static", model = "text.safetensors", templates = "", average = "mean" {text} }}
spec = {{ count = 16, up = "y", color = 0.4 }}

["{name}".source]
sha256 = "{sha256}"
{source}
"""


def environment(server: HubServer | None, home: Path, **settings: str) -> dict[str, str]:
    """Nothing of the caller's own Hub settings; without a server, an address where nobody listens."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "OPENSHAPE_")) and "proxy" not in k.lower()}
    url = server.url if server else "http://127.0.0.1:9"
    package = str(Path(__file__).parent.parent)
    return {**kept, "HF_ENDPOINT": url, "HF_HOME": str(home), "PYTHONPATH": package, **settings}

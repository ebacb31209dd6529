"""A local stand-in for the host of the release's archives: it serves tars made in a test, and fails on demand."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

TOP = "ScanObjectNN"
FILES = {f"{TOP}/h5_files/{name}.h5": name.encode() * 20_000 for name in ("training", "test")}  # 240 kB


class Request(NamedTuple):
    range: str
    if_range: str


class ArchiveServer(ThreadingHTTPServer):
    """Serves `content` under every path. What it does wrong:

    behaviors  one word an answer, the last one for all that follow: "" well, "cut" (ends after half of what was
                asked for), "stall" (goes silent there), "no ranges" (always the whole file), "html", "to file",
                "to ftp", "to nonsense", "to itself", "shifted" (a range that was not asked for), or an HTTP status
    etag        of the file, as it stands in the header; "" sends none
    sized       whether Content-Length is told
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = content
        self.etag = '"one"'
        self.behaviors: list[str] = [""]
        self.sized = True
        self.requests: list[Request] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.tar?dl=1"

    @property
    def ranges(self) -> list[str]:
        return [request.range for request in self.requests]

    def handle_error(self, *_: object) -> None:
        """Clients that give up are part of the tests."""


class Answer(BaseHTTPRequestHandler):
    server: ArchiveServer

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(Request(self.headers.get("Range", ""), self.headers.get("If-Range", "")))
        behavior = server.behaviors.pop(0) if len(server.behaviors) > 1 else server.behaviors[0]
        places = {
            "to file": "file:///etc/passwd",
            "to ftp": "ftp://127.0.0.1/file.tar",
            "to nonsense": "http://[",
            "to itself": self.path,
        }
        if behavior == "html":
            self.send(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><html>Log in</html>")
        elif behavior in places:
            self.send(302, {"Location": places[behavior]}, b"")
        elif behavior.isdigit():
            self.send(int(behavior), {}, b"")
        else:
            self.send_content(behavior)

    def send_content(self, behavior: str) -> None:
        content, start = self.server.content, self.start(behavior)
        headers = {"Content-Type": "application/binary"} | ({"ETag": self.server.etag} if self.server.etag else {})
        if start > len(content):
            return self.send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
        if start and behavior == "shifted":
            start -= 1
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        body = rest[: len(rest) // 2] if behavior in ("cut", "stall") else rest
        self.send(206 if start else 200, headers, body, len(rest))
        if behavior == "stall":
            self.server.closing.wait(60)

    def start(self, behavior: str) -> int:
        condition = self.headers.get("If-Range", self.server.etag)
        if behavior == "no ranges" or condition != self.server.etag:
            return 0
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])

    def send(self, status: int, headers: dict[str, str], body: bytes, announced: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.sized:
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running(content: bytes | None = None) -> Iterator[ArchiveServer]:
    """A server of `content`, by default `whole_tar()`, on a free port of 127.0.0.1, stopped at the end."""
    with ArchiveServer(whole_tar() if content is None else content) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()


def whole_tar() -> bytes:
    """FILES below their folders, as GNU tar packs them."""
    return tar_of([*folders(), *(file(name, data) for name, data in FILES.items())])


def folders() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [member(name, type=tarfile.DIRTYPE, mode=0o700) for name in (TOP, f"{TOP}/h5_files")]


def file(name: str, data: bytes = b"data") -> tuple[tarfile.TarInfo, bytes]:
    return member(name, data, mode=0o4777, uid=12345, size=len(data))


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_of(members: Sequence[tuple[tarfile.TarInfo, bytes]], end: bool = True) -> bytes:
    """A plain tar with exactly these headers, whatever they claim, each with its data."""
    packed = io.BytesIO()
    for info, data in members:
        packed.write(info.tobuf(tarfile.GNU_FORMAT if not info.pax_headers else tarfile.PAX_FORMAT))
        packed.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
    return packed.getvalue() + bytes(20 * tarfile.BLOCKSIZE if end else 0)


def unpacked(root: Path) -> dict[str, bytes]:
    """Path -> content of every file below `root`."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

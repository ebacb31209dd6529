"""What the server answers at all: a few paths, to pages of its own, within bounds for every address."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openshape_ood.app.quotas import (
    DISC_OF_LARGEST,
    REQUEST_BYTES,
    UPLOADS,
    UPLOADS_OF_LARGEST,
    WINDOW_SECONDS,
)
from openshape_ood.app.turns import address

LOOPBACK = ("127.0.0.1", "localhost", "::1")
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
# all that the page asks for; the rest of gradio's addresses, its description of an API among them, is not there
ANSWERED = {
    "GET": re.compile(
        r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/(assets|static|svelte)/.*|/gradio_api/"
        r"(info|startup-events|queue/data|upload_progress|heartbeat/[^/]*|file=(?!\w+:).*)"
    ),
    "POST": re.compile(rf"{UPLOAD}|{JOIN}|/gradio_api/(cancel|reset)"),
}
# what a browser may load for the page: what comes from here, and nothing else whoever asks for it
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode("ascii"),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
# gradio would take its own address from these, whoever sent them
UNBELIEVED = (b"forwarded", b"x-forwarded-host", b"x-forwarded-server", b"x-forwarded-prefix", b"x-gradio-server")


class RefusedRequestError(Exception):
    """status and what is said."""


@dataclass(eq=False)
class Uploaded:
    """One request: when, from where, how many bytes, and the files that it became."""

    at: float
    address: str
    size: int
    files: list[str] = field(default_factory=list)


class Guard:
    """ASGI: refuses what the page itself never asks for; files: the folder that uploads lie in; inputs: how many values
    each handler takes, by its number."""

    def __init__(self, app: Any, host: str, files: Path, largest: int, inputs: Mapping[int, int] | None = None) -> None:
        self._app = app
        self._hosts = LOOPBACK if host in LOOPBACK else None
        self._files = files.resolve()
        self._largest = largest
        self._inputs = inputs
        self._uploads: deque[Uploaded] = deque()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def with_headers(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", []), *HEADERS.items()]}
            await send(event)

        try:
            self._check(scope)
            scope = _without(scope, *UNBELIEVED)
            if scope["method"] == "POST" and scope["path"] == UPLOAD:
                await self._upload(scope, receive, with_headers)
            elif scope["method"] == "POST":
                body = await _checked_body(receive, self._files, self._inputs if scope["path"] == JOIN else None)
                await self._app(_without(scope, b"content-length"), body, with_headers)
            else:
                await self._app(scope, receive, with_headers)
        except RefusedRequestError as refusal:
            status, said = refusal.args
            head = [(b"content-type", b"text/plain; charset=utf-8")]
            await with_headers({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": said.encode()})

    def _check(self, scope: Any) -> None:
        headers = dict(scope["headers"])
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin")
        # a page elsewhere that has its own name point to this machine gets nothing
        if self._hosts is not None and _name(f"//{host}") not in self._hosts:
            raise RefusedRequestError(400, "this page is asked for by the name of this machine")
        if origin is not None and origin.decode("latin-1").partition("//")[2].lower() != host.lower():
            raise RefusedRequestError(403, "pages from elsewhere may not ask this one")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in ANSWERED or not ANSWERED[method].fullmatch(scope["path"]):
            raise RefusedRequestError(404, "there is no such address")

    async def _upload(self, scope: Any, receive: Any, send: Any) -> None:
        """Count it before it begins, and the files once they are there."""
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            raise RefusedRequestError(411, "an upload says how long it is")
        own = self._counted(address((scope.get("client") or ("",))[0]), int(length))
        answer = bytearray()

        async def kept(event: Any) -> None:
            if event["type"] == "http.response.body" and len(answer) < REQUEST_BYTES:
                answer.extend(event.get("body", b""))
            await send(event)

        await self._app(scope, receive, kept)
        with contextlib.suppress(ValueError):
            told = json.loads(answer)
            own.files = [path for path in told if isinstance(path, str)] if isinstance(told, list) else []

    def _counted(self, whose: str, size: int) -> Uploaded:
        """A new upload among those of the last minutes; raises where that would be too much."""
        now = time.monotonic()
        while self._uploads and now - self._uploads[0].at > WINDOW_SECONDS:
            self._remove(self._uploads.popleft())
        theirs = [one for one in self._uploads if one.address == whose]
        minutes = f"in {WINDOW_SECONDS / 60:.0f} minutes; try again later"
        if sum(max(1, len(one.files)) for one in theirs) >= UPLOADS:
            raise RefusedRequestError(429, f"there were {UPLOADS} uploads from your address {minutes}")
        if sum(one.size for one in theirs) + size > UPLOADS_OF_LARGEST * self._largest:
            raise RefusedRequestError(
                429, f"there were {UPLOADS_OF_LARGEST} times the largest file from your address {minutes}"
            )
        if sum(one.size for one in self._uploads) + size > DISC_OF_LARGEST * self._largest:
            raise RefusedRequestError(503, "others have uploaded much just now; try again in some minutes")
        self._uploads.append(Uploaded(now, whose, size))
        return self._uploads[-1]

    def _remove(self, old: Uploaded) -> None:
        """The files of an upload that nobody sent again since; the same file of two visitors has one path."""
        again = {path for one in self._uploads for path in one.files}
        for path in set(old.files) - again:
            if Path(path).is_relative_to(self._files):
                Path(path).unlink(missing_ok=True)


def _without(scope: Any, *headers: bytes) -> Any:
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in headers]}


def _name(address: str) -> str:
    """The host of an address, without its port."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _checked_body(receive: Any, files: Path, inputs: Mapping[int, int] | None) -> Any:
    """A `receive` that gives a body once more, which is JSON of bounded size, and names no file but uploaded ones; of
    a request to a handler it holds all that this takes."""
    body = bytearray()
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise RefusedRequestError(400, "the request ended too early")
        body += event.get("body", b"")
        more = event.get("more_body", False)
        if len(body) > REQUEST_BYTES:
            raise RefusedRequestError(413, f"a request has at most {REQUEST_BYTES:,} bytes")
    try:
        told = json.loads(body or b"null")
    except (ValueError, RecursionError):
        raise RefusedRequestError(400, "a request is JSON") from None
    waiting: list[Any] = [told]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "path" in one and not _is_uploaded(one["path"], files):
                raise RefusedRequestError(403, "a file is one that was uploaded")
            one.pop("url", None)  # nor what stands at an address
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    if inputs is not None and not _is_complete(told, inputs):
        raise RefusedRequestError(400, "a request has a value for each input")
    given = json.dumps(told).encode()
    sent = False

    async def again() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": given, "more_body": False}

    return again


def _is_complete(told: Any, inputs: Mapping[int, int]) -> bool:
    if not isinstance(told, dict):
        return False
    number, data = told.get("fn_index"), told.get("data")
    if type(number) is not int or not isinstance(data, list):
        return False
    return len(data) == inputs.get(number)


def _is_uploaded(path: Any, files: Path) -> bool:
    try:
        return isinstance(path, str) and Path(path).is_absolute() and Path(path).resolve().is_relative_to(files)
    except (OSError, ValueError):
        return False

"""Checks of every request before gradio: address, origin, size, uploads per visitor, types of values.

gradio 6 limits the size of a file (`max_file_size`), accepts and serves uploaded files only, and deletes old files
(`delete_cache`). These checks are not repeated here. gradio does not check the Host header, and does not count uploads.
It carries out requests from pages of other sites; only the answer is hidden from them. It trusts X-Forwarded-Host and
publishes its API. It fetches http addresses that are given in place of files, and prints a traceback for a wrong
type.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openshape_ood.app.fair_queue import address
from openshape_ood.app.quotas import (
    DISC_OF_LARGEST,
    REQUEST_BYTES,
    UPLOADS,
    UPLOADS_OF_LARGEST,
    WINDOW_SECONDS,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
# paths that the page uses, by method; all other paths of gradio are blocked
ANSWERED = {
    "GET": re.compile(
        r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/(assets|static|svelte)/.*|/gradio_api/"
        r"(info|startup-events|queue/data|upload_progress|heartbeat/[^/]*|file=(?!\w+:).*)"
    ),
    "POST": re.compile(rf"{UPLOAD}|{JOIN}|/gradio_api/(cancel|reset)"),
}
# content security policy: the page loads from this server only
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
# removed headers: gradio would derive its own address from them, but any client can set them
UNTRUSTED = (b"forwarded", b"x-forwarded-host", b"x-forwarded-server", b"x-forwarded-prefix", b"x-gradio-server")
RELOAD = "Expected a request as the page sends it. Reload the page."
FIELDS = ("data", "event_data", "fn_index", "trigger_id", "session_hash")  # fields of a request to a handler


class RefusedRequestError(Exception):
    """Refused request: status code and message."""


@dataclass(eq=False)
class Upload:
    """One upload: time, address, bytes and number of files."""

    at: float
    address: str
    size: int
    files: int = 1


class Guard:
    """ASGI middleware that refuses requests which the page itself never sends.

    files: folder of uploads. largest: maximum bytes of an upload. handlers: number -> handler of the gradio Blocks.
    """

    def __init__(self, app: Any, host: str, files: Path, largest: int, handlers: Mapping[int, Any]) -> None:
        self._app = app
        self._hosts = LOOPBACK if host in LOOPBACK else None
        self._files = files.resolve()
        self._largest = largest
        self._handlers = handlers
        self._uploads: deque[Upload] = deque()

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
            scope = _without(scope, *UNTRUSTED)
            if scope["method"] == "POST" and scope["path"] == UPLOAD:
                await self._upload(scope, receive, with_headers)
            elif scope["method"] == "POST":
                request = self._checked(await _body(receive), scope["path"] == JOIN)
                await self._app(_without(scope, b"content-length"), _once_more(request, receive), with_headers)
            else:
                await self._app(scope, receive, with_headers)
        except RefusedRequestError as refusal:
            status, text = refusal.args
            head = [(b"content-type", b"text/plain; charset=utf-8")]
            await with_headers({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": text.encode()})

    def _check(self, scope: Any) -> None:
        headers = dict(scope["headers"])
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin")
        # protects against other sites whose name resolves to this machine (DNS rebinding)
        if self._hosts is not None and _name(f"//{host}") not in self._hosts:
            raise RefusedRequestError(
                400, "the Host header is not a name of this machine. Expected localhost or 127.0.0.1. Use this address."
            )
        if origin is not None and origin.decode("latin-1").partition("//")[2].lower() != host.lower():
            raise RefusedRequestError(
                403, "requests from pages of other sites are refused. Expected a request of this page. Open this page."
            )
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in ANSWERED or not ANSWERED[method].fullmatch(scope["path"]):
            raise RefusedRequestError(404, "the path is not part of the page. Expected /. Open the page itself.")

    async def _upload(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass an upload on. Its bytes are counted before it begins, its files after it is complete."""
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            raise RefusedRequestError(
                411, "the upload has no Content-Length. Expected its size in bytes. Add the header."
            )
        upload = self._counted(address((scope.get("client") or ("",))[0]), int(length))
        answer = bytearray()

        async def kept(event: Any) -> None:
            if event["type"] == "http.response.body" and len(answer) < REQUEST_BYTES:
                answer.extend(event.get("body", b""))
            await send(event)

        await self._app(scope, receive, kept)
        with contextlib.suppress(ValueError, TypeError):  # after a refusal, the answer is no list of files
            upload.files = max(1, len(json.loads(answer)))

    def _counted(self, sender: str, size: int) -> Upload:
        """Record a new upload. Raises `RefusedRequestError` if recent uploads are too many, or too large in total."""
        now = time.monotonic()
        while self._uploads and now - self._uploads[0].at > WINDOW_SECONDS:
            self._uploads.popleft()
        theirs = [one for one in self._uploads if one.address == sender]
        minutes = f"in {WINDOW_SECONDS / 60:.0f} minutes. Try again later."
        if sum(one.files for one in theirs) >= UPLOADS:
            raise RefusedRequestError(429, f"your address sent too many files. Expected at most {UPLOADS} {minutes}")
        if sum(one.size for one in theirs) + size > UPLOADS_OF_LARGEST * self._largest:
            total = UPLOADS_OF_LARGEST * self._largest / 2**20
            raise RefusedRequestError(429, f"your address sent too many MB. Expected at most {total:,.0f} {minutes}")
        if sum(one.size for one in self._uploads) + size > DISC_OF_LARGEST * self._largest:
            raise RefusedRequestError(
                503, "the server has too many uploads. Expected fewer. Try again in some minutes."
            )
        self._uploads.append(Upload(now, sender, size))
        return self._uploads[-1]

    def _checked(self, body: bytes, joins: bool) -> bytes:
        """Validated JSON body, in which every path is an uploaded file. joins: True if the request calls a handler."""
        try:
            request = json.loads(body or b"null")
        except (ValueError, RecursionError):
            raise RefusedRequestError(400, "the request is no JSON. Expected JSON. Use the page.") from None
        waiting: list[Any] = [request]
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                if "path" in one and not _is_uploaded(one["path"], self._files):
                    raise RefusedRequestError(
                        403, "the path is not an uploaded file. Expected an uploaded file. Upload the file first."
                    )
                one.pop("url", None)  # gradio would fetch it
            waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return json.dumps(self._of_handler(request) if joins else request).encode()

    def _of_handler(self, request: Any) -> dict[str, Any]:
        """Validated request to a handler. gradio would print a traceback for a missing value or a wrong type."""
        number = request.get("fn_index") if isinstance(request, dict) else None
        handler = self._handlers.get(number) if type(number) is int else None
        if handler is None:
            raise RefusedRequestError(400, f"fn_index is not the number of a handler. {RELOAD}")
        data, session, event = (request.get(name) for name in ("data", "session_hash", "event_data"))
        if not isinstance(data, list) or len(data) != len(handler.inputs):
            raise RefusedRequestError(400, f"data is not a list of {len(handler.inputs)} values. {RELOAD}")
        for component, value in zip(handler.inputs, data, strict=True):
            if not _suits(value, component):
                raise RefusedRequestError(400, f"{component.label}: {repr(value)[:60]} is not a valid value. {RELOAD}")
        if not isinstance(session, str) or not session:
            raise RefusedRequestError(400, f"session_hash is not the name of a session. {RELOAD}")
        if handler.collects_event_data and not (isinstance(event, dict) and {"index", "value"} <= event.keys()):
            raise RefusedRequestError(400, f"event_data lacks index and value of the clicked row. {RELOAD}")
        return {name: request[name] for name in FIELDS if name in request}


def _suits(value: Any, component: Any) -> bool:
    """True if a value has the type of a gradio component and is one of its choices."""
    if value is None:
        return component.value is None  # a component is None until it gets a text or a file
    model = getattr(component, "data_model", None)
    if model is None:
        # the handler checks the value of a radio, because its choices depend on the result
        choices = component.choices if component.get_block_name() == "dropdown" else ()
        return isinstance(value, str) and (not choices or value in {known for _, known in choices})
    try:
        model.model_validate(value, context={"validate_meta": True})
    except ValueError:
        return False
    return True


def _without(scope: Any, *headers: bytes) -> Any:
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in headers]}


def _name(address: str) -> str:
    """Host name in an address, without port."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _body(receive: Any) -> bytes:
    """Body of a request, at most `REQUEST_BYTES`."""
    body, more = bytearray(), True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise RefusedRequestError(400, "the request ended too early. Expected its whole body. Send it again.")
        body += event.get("body", b"")
        more = event.get("more_body", False)
        if len(body) > REQUEST_BYTES:
            raise RefusedRequestError(
                413, f"the request is too large. Expected at most {REQUEST_BYTES:,} bytes. Shorten the texts."
            )
    return bytes(body)


def _once_more(body: bytes, receive: Any) -> Any:
    """A `receive` that replays a body, then continues with `receive`."""
    events = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return events.pop() if events else await receive()

    return again


def _is_uploaded(path: Any, files: Path) -> bool:
    try:
        return isinstance(path, str) and Path(path).is_absolute() and Path(path).resolve().is_relative_to(files)
    except (OSError, ValueError):
        return False

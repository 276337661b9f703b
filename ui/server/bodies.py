"""What of a body reaches a route: no more than is allowed, no slower than is bearable, and JSON that is sane."""

from __future__ import annotations

import asyncio
import json
import math
import time
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from audio_ml.budget import show_size
from audio_ml.errors import InvalidInput
from ui.server.options import ServerOptions
from ui.server.refusals import TooLarge, TooSlow, WrongMediaType

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/v1/"
UPLOADS = "/v1/uploads"
BODIES = ("POST", "PUT", "PATCH")
FORM_BYTES = 1 << 20  # what a form says around its file
LONGEST_PAUSE = 30.0  # seconds in which nothing comes
PATIENCE = 60.0  # seconds that any body may take
BYTES_PER_SECOND = 1000  # what it comes at, at least, beyond them
DEEPEST = 32
MOST_CONTAINERS, MOST_PARTS = 50_000, 250_000  # as far as their marks tell, those in texts among them
LARGEST_INTEGER = 2**63


class InvalidJson(InvalidInput):
    """The body is no JSON, or JSON that no request of ours can be."""


class BodyLimits:
    """Pure ASGI: counts and times the body of each request, and reads the JSON of the interface beforehand.

    What is refused is raised, for the guard to reply.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app, self._options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = _Body(receive, self._limit(scope))
        headers = dict(scope["headers"])
        body.check_declared(headers.get(b"content-length"))
        source: Receive = body.receive
        if is_json_expected(scope):
            content = await body.read()
            if content:
                check_media_type(headers.get(b"content-type", b""))
                await asyncio.to_thread(check_json, content)
            source = _replay(content, body.receive)
        await _run(self._app, scope, source, send, body)

    def _limit(self, scope: Scope) -> int:
        if is_upload(scope):
            return int(scope["state"]["caller"].limits.max_upload_bytes)
        if scope["path"].startswith(API):
            return self._options.max_body_bytes
        return self._options.max_upload_bytes + FORM_BYTES


def is_upload(scope: Scope) -> bool:
    """Tells whether a request carries bytes of a file."""
    path = scope["path"]
    return bool(path == UPLOADS or path.startswith(UPLOADS + "/"))


def is_json_expected(scope: Scope) -> bool:
    """Tells whether a body of this request has to be JSON."""
    return scope["path"].startswith(API) and scope["method"] in BODIES and not is_upload(scope)


def check_media_type(value: bytes) -> None:
    """Raises `WrongMediaType` unless it is JSON's."""
    kind = value.split(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise WrongMediaType("The body has to be JSON, with Content-Type: application/json.")


def check_json(content: bytes) -> None:
    """Raises `InvalidJson` for what is no JSON, and for JSON with what Python reads but nobody should send.

    >>> check_json(b'{"gain": NaN}')
    Traceback (most recent call last):
    ui.server.bodies.InvalidJson: The body is not JSON: NaN is no number.
    """
    if content.count(b"[") + content.count(b"{") > MOST_CONTAINERS or content.count(b",") > MOST_PARTS:
        raise InvalidJson("The body has too many parts.")  # to read them would hold everybody up
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InvalidJson(f"The body is nested more than {DEEPEST} deep.") from error
    except json.JSONDecodeError as error:
        raise InvalidJson(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise InvalidJson("The body is not JSON: it is not in UTF-8.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidJson("The body has a number that is too large.") from error
    level = [value]
    for _ in range(DEEPEST):
        level = [part for outer in level for part in _parts(outer)]
        if not level:
            return
    raise InvalidJson(f"The body is nested more than {DEEPEST} deep.")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"The body is not JSON: {name} is no number.")


def _parts(value: Any) -> list[Any]:
    """Returns what a container holds, or checks what is none."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidJson("The body has text with half a character (a lone surrogate).") from error
    elif (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and abs(value) >= LARGEST_INTEGER
    ):
        raise InvalidJson("The body has a number that is too large.")
    return []


class _Body:
    """A body on its way in; time counts only while somebody waits for it."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._n_bytes, self._waited, self._ended = 0, 0.0, False
        self.refusal: TooLarge | TooSlow | None = None

    def check_declared(self, length: bytes | None) -> None:
        if length is not None and length.isdigit() and int(length) > self._limit:
            self._refuse_size()

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()
        message = await self._next()
        if message["type"] == "http.request":
            self._n_bytes += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._n_bytes > self._limit:
                self._refuse_size()
        return message

    async def read(self) -> bytes:
        """Returns the whole of it; raises `ClientDisconnect` when the client goes away."""
        from starlette.requests import ClientDisconnect

        parts = []
        while not self._ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def _next(self) -> Message:
        left = PATIENCE + self._n_bytes / BYTES_PER_SECOND - self._waited
        before = time.monotonic()
        try:
            with anyio.fail_after(max(0.0, min(LONGEST_PAUSE, left))):
                return await self._receive()
        except TimeoutError:
            self.refusal = TooSlow("The body came too slowly. Send it again, or as an upload that can be resumed.")
            raise self.refusal from None
        finally:
            self._waited += time.monotonic() - before

    def _refuse_size(self) -> NoReturn:
        self.refusal = TooLarge(
            f"The body is larger than {show_size(self._limit)}, which is the most that is taken here."
        )
        raise self.refusal


def _replay(content: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that gives the body in one piece, and then what comes after it."""
    pending: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send, body: _Body) -> None:
    """Runs a route; what it makes of a refused body is dropped in favour of the refusal."""
    started = False

    async def send_unless_refused(message: Message) -> None:
        nonlocal started
        if body.refusal is None or started:
            started = True
            await send(message)

    try:
        await app(scope, receive, send_unless_refused)
    except Exception:
        if body.refusal is None:
            raise
    if body.refusal is not None:
        raise body.refusal

"""One request and its reply on their way through the guard: an id, headers for safety, an end that can be read."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

LINGER_SECONDS = 2.0  # in which a client that still sends can read why it is not listened to
GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}


class Exchange:
    """Wraps what ASGI gives for one request; `status` is 0 until the reply has started, `is_whole` when it has ended.

    A route's own headers stay, but those of CORS, which nobody may set. Where a reply comes before the end of the
    body, the connection is closed after a moment, since else the rest could trickle in for ever.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._body_ended = not _has_body(scope)
        self._closing = False
        self.request_id = _request_id(scope)
        self.status = 0
        self.is_whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._body_ended = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._closing = not self._body_ended
            message = {**message, "headers": self._headers(message)}
        elif self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)
        self.is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        kept = [(name.lower(), value) for name, value in message.get("headers", ())]
        kept = [(name, value) for name, value in kept if not name.startswith(b"access-control-")]
        added = [(name, value) for name, value in HEADERS.items() if name not in dict(kept)]
        if self._closing:
            added.append((b"connection", b"close"))
        return [*kept, *added, (b"x-request-id", self.request_id.encode())]

    async def _linger(self) -> None:
        """Throws away what still comes: a connection that is closed on it takes the reply with it."""
        with anyio.move_on_after(LINGER_SECONDS):
            while not self._body_ended:
                await self.receive()
                await anyio.sleep(0)  # where there is always more at hand, time passes all the same


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0 ") != b""


def _request_id(scope: Scope) -> str:
    """Returns the client's own id, where it is one that can do no harm in a log, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GOOD_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid.uuid4().hex

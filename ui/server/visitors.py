"""Who has the page open: a key in a cookie, which makes a visitor the owner of jobs and uploads."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from ui.server.refusals import NotAuthorised

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "audio_ml_visitor"
KEY = re.compile(r"[\w-]{32}")
KEY_BYTES = 24
SECONDS = 365 * 24 * 3600
OWNER = "page/"  # and what the key comes to; no token has such a name
MINE = "/mine"  # below it is the interface, for the visitor


def visitor_of(cookies: Mapping[str, str]) -> str:
    """Returns the name of the visitor who has these cookies; their key cannot be found from it.

    Raises:
        NotAuthorised: when there is no key among them.
    """
    key = cookies.get(COOKIE, "")
    if not KEY.fullmatch(key):
        raise NotAuthorised("Your browser sent no key of this page: open the page anew, and let it keep its cookie.")
    return OWNER + hashlib.sha256(key.encode()).hexdigest()[:32]


class GivesKeys:
    """Wraps the page: a browser that comes without a key gets one, which no script can read and no other site sends."""

    def __init__(self, page: ASGIApp) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or _has_key(scope):
            return await self._page(scope, receive, send)

        async def send_with_key(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", _cookie(scope["scheme"] == "https"))
            await send(message)

        await self._page(scope, receive, send_with_key)


class Mine:
    """The interface below `/mine`, where the caller is the visitor whose key comes with the request."""

    def __init__(self, interface: ASGIApp) -> None:
        self._interface = interface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["caller"] = replace(state["caller"], name=visitor_of(Request(scope).cookies), roots=())
        scope["path"] = scope["path"].removeprefix(MINE)
        scope["raw_path"] = scope.get("raw_path", b"").removeprefix(MINE.encode())
        await self._interface(scope, receive, send)


def _has_key(scope: Scope) -> bool:
    return KEY.fullmatch(Request(scope).cookies.get(COOKIE, "")) is not None


def _cookie(secure: bool) -> str:
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = secrets.token_urlsafe(KEY_BYTES)
    morsel = cookie[COOKIE]
    morsel["path"], morsel["max-age"], morsel["samesite"] = "/", str(SECONDS), "Lax"
    morsel["httponly"], morsel["secure"] = True, secure
    return morsel.OutputString()

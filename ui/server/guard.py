"""Who may talk to the server: the outermost layer, through which every request and reply goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from audio_ml.errors import AudioMLError
from ui.server.bodies import BodyLimits
from ui.server.exchange import Exchange
from ui.server.logs import REQUEST_ID
from ui.server.options import ServerOptions
from ui.server.origins import Origins, single_header
from ui.server.refusals import NotAuthorised
from ui.server.replies import error_reply
from ui.server.tokens import Caller, Tokens, local_caller

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = ("/health",)  # to everybody, token or not
QUIET = ("/health", "/ready", "/metrics")  # asked every few seconds, so that they would drown the rest of the log
CLIENT_WENT = 499
WEBSOCKET_REFUSED = 1008
CHALLENGE = 'Bearer realm="audio-ml"'
log = logging.getLogger(__name__)
Observer = Callable[[str, str, int, float], None]  # takes method, route ("" where there is none), status, seconds


def guarded(
    app: ASGIApp, options: ServerOptions, host: str, tokens: Tokens | None, observe: Observer | None = None
) -> ASGIApp:
    """Returns an application that only those reach who may: `host` is the address that it is served on.

    Routes find `caller` and `request_id` in the request's state; `observe` is told of every request that ended.
    """
    return Guard(BodyLimits(app, options), options, host, tokens, observe)


class Guard:
    """Pure ASGI: checks names, origins and tokens, gives each request an id, and writes it down."""

    def __init__(
        self,
        app: ASGIApp,
        options: ServerOptions,
        host: str,
        tokens: Tokens | None,
        observe: Observer | None = None,
    ) -> None:
        self._app, self._tokens, self._observe = app, tokens, observe
        self._origins = Origins(host, options, tokens is not None)
        self._local = local_caller(options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": WEBSOCKET_REFUSED})  # the server has none
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = Exchange(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        known_as = REQUEST_ID.set(exchange.request_id)
        began = time.monotonic()
        try:
            await self._serve(scope, exchange)
        finally:
            self._write_down(scope, exchange, time.monotonic() - began)
            REQUEST_ID.reset(known_as)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        from starlette.requests import ClientDisconnect

        try:
            scope["state"]["caller"] = self._admit(scope)
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return  # nobody is there to be told
        except asyncio.CancelledError:  # the server ends
            log.info("A request was cut off.", extra={"facts": {"path": scope["path"]}})
        except Exception as error:
            if not isinstance(error, AudioMLError) or exchange.status:
                log.exception("A request failed.", extra={"facts": {"path": scope["path"]}})
            if not exchange.status:
                await error_reply(error, exchange.request_id)(scope, exchange.receive, exchange.send)

    def _admit(self, scope: Scope) -> Caller:
        """Returns who calls.

        Raises:
            ForeignRequest: when a name or an origin is not the server's.
            NotAuthorised: when a token is needed and none that is valid was shown.
        """
        self._origins.check(scope)
        if self._tokens is None or scope["path"] in OPEN:
            return self._local
        scheme, _, bearer = (single_header(scope, b"authorization") or "").partition(" ")
        if not bearer.strip() or scheme.lower() != "bearer":
            raise NotAuthorised(
                "This server needs a token: Authorization: Bearer TOKEN.", {"WWW-Authenticate": CHALLENGE}
            )
        caller = self._tokens.find(bearer.strip())
        if caller is None:
            raise NotAuthorised("Nobody has this token.", {"WWW-Authenticate": CHALLENGE + ', error="invalid_token"'})
        return caller

    def _write_down(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        caller, status = scope["state"].get("caller"), exchange.status or CLIENT_WENT
        facts = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 4),
            "caller": caller.name if caller else None,
            "client": (scope.get("client") or ("",))[0],
            "whole": exchange.is_whole,
        }
        level = logging.DEBUG if scope["path"] in QUIET and status < 400 else logging.INFO
        log.log(level, "request", extra={"facts": facts})
        if self._observe is not None:
            self._observe(scope["method"], getattr(scope.get("route"), "path", ""), status, seconds)

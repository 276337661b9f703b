"""How uvicorn holds its connections: HTTP/1.1 by h11, for those who come to the point; TLS by certificate files."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from audio_ml.errors import InvalidInput
from audio_ml.streams import show
from ui.server.options import ServerOptions

HEADER_SECONDS = 15.0  # from the first byte of a request, or a new connection, to the end of the headers
STALLED_SECONDS = 120.0  # in which a client takes nothing of a reply that is ready
KEEP_ALIVE_SECONDS = 30
MOST_CONNECTIONS = 800  # below the 1024 files that a process may usually have open, as long as few are downloads


def connection_settings(options: ServerOptions) -> dict[str, Any]:
    """Returns what `uvicorn.Config` is given for it.

    Raises:
        InvalidInput: when certificate and key cannot be used.

    >>> connection_settings(ServerOptions())["access_log"]  # the guard writes it
    False
    """
    check_certificate(options)
    settings: dict[str, Any] = {
        "http": PunctualProtocol,
        "ws": "none",
        "proxy_headers": False,  # who may set them is not known here
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "limit_concurrency": MOST_CONNECTIONS,
    }
    if options.certificate:
        settings |= {"ssl_certfile": options.certificate, "ssl_keyfile": options.key or None}
    return settings


def check_certificate(options: ServerOptions) -> None:
    """Raises `InvalidInput` when certificate and key cannot be used."""
    if not options.certificate:
        if options.key:
            raise InvalidInput("A --key needs the --certificate that it belongs to.")
        return
    for name in filter(None, (options.certificate, options.key)):
        try:
            Path(name).open("rb").close()
        except OSError as error:
            raise InvalidInput(f"{show(name)} cannot be read: {error.strerror}.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            options.certificate, options.key or None, password=_refuse_to_ask
        )
    except (ssl.SSLError, ValueError) as error:
        reason = (
            getattr(error, "reason", None) or "it asks for a password" if isinstance(error, ssl.SSLError) else error
        )
        files = " and ".join(show(name) for name in (options.certificate, options.key) if name)
        raise InvalidInput(f"{files} cannot be used for HTTPS: {reason}.") from error


def _refuse_to_ask() -> str:
    raise ValueError("the key is locked with a password")


class PunctualProtocol(H11Protocol):
    """Ends a connection whose headers do not come in time, or whose replies are not taken; bodies are timed elsewhere.

    A connection that is only closed would wait until its last bytes are taken, which may be for ever.
    """

    _timer: asyncio.TimerHandle | None = None
    _watch: asyncio.TimerHandle | None = None
    _stalled_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    def _look(self) -> None:
        now = self.loop.time()
        if self._stalled_since is None and self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._stalled_since = now
        if self._stalled_since is not None and now - self._stalled_since > STALLED_SECONDS:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(STALLED_SECONDS / 4, self._look)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

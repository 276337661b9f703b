"""A small application behind the server's guard, in memory and on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict

from audio_ml.errors import OutOfMemory
from audio_ml.options import Options, parse
from ui.server.connections import connection_settings
from ui.server.database import Database
from ui.server.guard import guarded
from ui.server.options import ServerOptions
from ui.server.replies import add_error_replies
from ui.server.tokens import Tokens
from ui.server.uploads import Uploads


class Sent(BaseModel):
    """The body of the application's one route that takes JSON."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    options: dict[str, Any] = {}


class Echo(Options):
    """What `options` may hold."""

    gain: float = 0.0


def small_app(options: ServerOptions, host: str = "127.0.0.1", observe: Any = None) -> Any:
    """Returns an application with a route of each kind, behind the guard."""
    app = FastAPI()
    add_error_replies(app)
    uploads = Uploads(_database(options), options.uploads_folder, options)
    app.state.uploads = uploads
    app.include_router(uploads.router())

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/who/{name}")
    def who(request: Request, name: str) -> dict[str, Any]:
        return {"caller": request.state.caller.name, "id": request.state.request_id, "name": name}

    @app.post("/v1/echo")
    def echo(sent: Sent) -> dict[str, Any]:
        return {"text": sent.text, "gain": parse(Echo, sent.options).gain}

    @app.get("/v1/echo")
    def silence() -> dict[str, str]:
        return {}

    @app.post("/v1/bytes")
    async def count(request: Request) -> dict[str, int]:
        return {"n": len(await request.body())}

    @app.get("/v1/flood/{n_blocks}")
    def flood(n_blocks: int) -> StreamingResponse:
        return StreamingResponse(bytes(50_000) for _ in range(n_blocks))

    @app.get("/v1/fail/{how}")
    def fail(how: str) -> PlainTextResponse:
        if how == "memory":
            raise OutOfMemory("It does not fit; take a smaller segment.")
        if how == "cors":
            return PlainTextResponse("x", headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "private"})
        raise RuntimeError("secret of the inside")

    guarded_app = guarded(
        app, options, host, Tokens(Path(options.tokens), options) if options.tokens else None, observe
    )
    guarded_app.uploads = uploads  # type: ignore[attr-defined]
    return guarded_app


def _database(options: ServerOptions) -> Database:
    options.data_folder.mkdir(parents=True, exist_ok=True)
    return Database(options.data_folder / "jobs.sqlite")


class Asked:
    """Sends requests into an application without a socket."""

    def __init__(self, app: Any, base: str = "http://127.0.0.1:8600", **headers: str) -> None:
        self._app, self._base, self._headers = app, base, headers

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base, headers=self._headers) as client:
                return await client.request(method, path, **request)

        return asyncio.run(send())


@contextmanager
def served(app: Any, options: ServerOptions, **settings: Any) -> Iterator[int]:
    """Serves an application on a port of chance, with the settings of the real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, **{**connection_settings(options), "timeout_graceful_shutdown": 1, **settings})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def talk(port: int, sent: bytes, seconds: float = 60.0, more: Callable[[socket.socket], None] | None = None) -> bytes:
    """Sends bytes as they are and returns all that comes until the connection is closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(sent)
        if more is not None:
            more(connection)
        with contextlib.suppress(ConnectionResetError):
            while block := connection.recv(65536):
                received += block
    return received

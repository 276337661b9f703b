"""A real server in this process for tests: its workers are processes, its address a free port of 127.0.0.1."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from audio_ml.weights import WeightStore
from ui.server.app import admit, create_app
from ui.server.connections import connection_settings
from ui.server.launch import listen, running
from ui.server.options import ServerOptions
from ui.server.page import page_of
from ui.server.services import Services

SECONDS_TO_BEGIN = 180.0


@dataclass(frozen=True)
class Reply:
    """What came back: `json` is the body where it is one."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A server that runs, and plain requests to it."""

    url: str
    services: Services

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Sends a request; a body that is no bytes goes as JSON. A reply of any status is returned."""
        told = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body, told = json.dumps(body).encode(), {"Content-Type": "application/json"} | told
        request = urllib.request.Request(self.url + path, data=body, headers=told, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=300) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def submit(self, **request: Any) -> dict[str, Any]:
        """Submits a job that is accepted, and returns it."""
        reply = self.ask("POST", "/v1/jobs", request)
        assert reply.status == 202, reply.body
        return dict(reply.json)

    def end_of(self, job: dict[str, Any], seconds: float = 300.0) -> dict[str, Any]:
        """Waits until a job has ended, and returns it."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            found = self.ask("GET", f"/v1/jobs/{job['id']}").json
            if found["state"] in ("done", "failed", "cancelled"):
                return dict(found)
            time.sleep(0.05)
        raise AssertionError(f"the job did not end: {found}")

    def upload(self, path: Path) -> dict[str, str]:
        """Uploads a file in one request, and returns what a job calls it."""
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(path.stat().st_size),
            "Upload-Metadata": "filename " + base64.b64encode(path.name.encode()).decode(),
            "Content-Type": "application/offset+octet-stream",
        }
        reply = self.ask("POST", "/v1/uploads", path.read_bytes(), headers)
        assert reply.status == 201, reply.body
        return {"upload": reply.headers["Location"].rpartition("/")[2]}


@contextmanager
def serving(
    options: ServerOptions,
    *,
    page: bool = False,
    **settings: Any,
) -> Iterator[Server]:
    """Runs a server for a block; its workers are ready when it begins."""
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        services = stack.enter_context(running(options, device="cpu", **settings))
        app: ASGIApp = create_app(services)
        if page:
            app = stack.enter_context(page_of(services, app, WeightStore())).beside
        config = uvicorn.Config(admit(app, services), **connection_settings(options), timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        ends_at = time.monotonic() + SECONDS_TO_BEGIN
        while not (server.started and all(worker.is_ready for worker in services.fleet.workers.values())):
            assert time.monotonic() < ends_at, "the server did not begin"
            time.sleep(0.02)
        try:
            yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
        finally:
            server.should_exit = True
            thread.join()

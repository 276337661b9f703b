"""A server with the routes of speech, models and health alone; a thread stands in for the worker processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from fake_speech import FAKE_SPEECH
from fastapi import FastAPI
from serving import Server
from starlette.types import Receive, Scope, Send

from audio_ml import catalogue
from audio_ml.errors import AudioMLError, Cancelled
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from ui.server import schema
from ui.server.database import Database
from ui.server.launch import listen
from ui.server.logs import AuditLog
from ui.server.metrics import Metrics
from ui.server.options import ServerOptions
from ui.server.replies import add_error_replies
from ui.server.routes import health, models, speech
from ui.server.services import Services
from ui.server.speech_stream import speak
from ui.server.store import JobStore
from ui.server.streams import Stream, Streams
from ui.server.tokens import CallerLimits, local_caller
from ui.server.wire import Message
from ui.server.worker_process import WorkerProcess


class StandInWorker:
    """Speaks on threads; `holds` it back, or `fails` it, behind its first piece."""

    def __init__(self, loader: ModelLoader) -> None:
        self.name, self.is_ready, self.loader = "speech", True, loader
        self.streams = Streams(cast(WorkerProcess, self))
        self.asked: list[Message] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.holds_first = False
        self.failure: AudioMLError | None = None
        self.told_to_stop, self.cancelled = threading.Event(), threading.Event()
        self.n_pieces = 0
        self._running: dict[str, Progress] = {}

    def send(self, message: Message) -> bool:
        if message["do"] == "stream":
            self.asked.append(message["request"])
            self._running[message["id"]] = Progress(lambda state: self._say(message["id"], {"is": "progress"}))
            threading.Thread(target=self._speak, args=(message,), daemon=True).start()
        elif message["do"] == "cancel":
            self._running[message["id"]].cancel()
            self.told_to_stop.set()
        return True

    def _say(self, id: str, message: Message, content: bytes | None = None) -> None:
        self.streams.hear({**message, "id": id}, content)

    def _speak(self, message: Message) -> None:
        id, self.n_pieces, progress = message["id"], 0, self._running[message["id"]]
        try:
            if self.holds_first:
                self.go_on.wait(60)
            for piece in speak(message["request"], self.loader, progress):
                self.n_pieces += 1
                self._say(id, {"is": "bytes"}, piece)
                self.go_on.wait(60)
                if self.failure is not None:
                    raise self.failure
        except Exception as error:
            if isinstance(error, Cancelled):
                self.cancelled.set()
            status = getattr(error, "http_status", 500)
            told = {"type": type(error).__name__, "message": str(error), "code": status}
            self._say(id, {"is": "failed", "error": told})
        else:
            self._say(id, {"is": "end"})


class StandInFleet:
    """The workers of a server: one, which is a stand-in."""

    def __init__(self) -> None:
        self.loader = ModelLoader("cpu")
        self.memory_budget = self.loader.memory_budget
        self.worker = StandInWorker(self.loader)
        self.workers = {"device": SimpleNamespace(name="device", is_ready=True), "speech": self.worker}

    def stream(self, request: Mapping[str, Any], owner: str, limits: CallerLimits | None = None) -> Stream:
        return self.worker.streams.open(request, owner, limits)

    def stream_counts(self) -> dict[str, int]:
        return self.worker.streams.counts()

    def memory(self) -> list[dict[str, Any]]:
        models = [vars(state) for state in self.loader.states()]
        of_one = {"pid": 1, "name": "speech", "device": "cpu", "memory_budget": 10, "n_evicted": 2, "models": models}
        return [of_one]

    def load(self, task: str, model: str) -> None:
        with self.loader.use_all(catalogue.find(task, model).parts):
            pass

    def unload(self, task: str, model: str) -> bool:
        return any(self.loader.unload(part.name) for part in catalogue.find(task, model).parts)


@contextmanager
def speech_serving(folder: Path, patch: Any, **options: Any) -> Iterator[Server]:
    """Runs such a server for a block, with the voices of the fake engine beside ours."""
    found = catalogue.models
    patch.setattr(catalogue, "models", lambda task: (*found(task), *([FAKE_SPEECH] if task == "tts" else [])))
    schema.offers.cache_clear()
    settings = ServerOptions(folder=str(folder), **options)
    database = Database(folder / "jobs.sqlite")
    unused: Any = None
    fleet: Any = StandInFleet()
    services = Services(
        options=settings,
        database=database,
        store=JobStore(database),
        fleet=fleet,
        scheduler=unused,
        uploads=unused,
        audit=AuditLog(folder / "audit.jsonl"),
        metrics=Metrics(),
    )
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(_application(services), log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        try:
            yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
        finally:
            fleet.worker.go_on.set()
            server.should_exit = True
            thread.join()
            schema.offers.cache_clear()


def _application(services: Services) -> Any:
    app = FastAPI()
    app.state.services = services
    for module in (health, models, speech):
        app.include_router(module.router)
    add_error_replies(app)

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {}).update(caller=local_caller(services.options), request_id="r1")
        await app(scope, receive, send)

    return admitted

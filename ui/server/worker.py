"""A worker process: owns one device and its loader, runs each job on a thread, and ends when the server does.

Begun as `python -m ui.server.worker NAME FD`; everything else comes over the connection (see `wire.py`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from audio_ml import catalogue, own_files
from audio_ml.errors import AudioMLError, Cancelled
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress, ProgressState
from audio_ml.weights import WeightStore
from ui.server.wire import Message, Wire

SECONDS_BETWEEN_REPORTS = 0.1
MOST_UNREAD = 64  # pieces of a stream that nobody has read yet: further ones wait


class Worker:
    """What a worker does with the messages of the server."""

    def __init__(self, wire: Wire, settings: Message) -> None:
        self._wire = wire
        self._server = settings["server"]
        self._loader = ModelLoader(
            settings["device"],
            WeightStore(**settings["fetch"]),
            memory_budget=settings["memory_budget"],
            **settings["memory"],
        )
        self._running: dict[str, Progress] = {}
        self._unread: dict[str, threading.Semaphore] = {}

    def ready(self) -> None:
        """Says that work may come."""
        device, budget = self._loader.device.kind, self._loader.memory_budget
        self._wire.send({"is": "ready", "device": device, "memory_budget": budget})

    def take(self, message: Message) -> None:
        """Does what a message asks for; work goes to a thread of its own."""
        what = message["do"]
        if what in ("job", "stream"):
            reporter = _Reporter(self._wire, message["id"]) if what == "job" else None  # a stream's pieces tell enough
            progress = self._running[message["id"]] = Progress(reporter)
            self._unread[message["id"]] = threading.Semaphore(MOST_UNREAD)
            work = self._job if what == "job" else self._stream
            threading.Thread(target=self._run, args=(work, message, progress), name=message["id"]).start()
        elif what == "cancel":
            if (running := self._running.get(message["id"])) is not None:
                running.cancel()
        elif what == "more":
            if (unread := self._unread.get(message["id"])) is not None:
                unread.release(message["n"])
        else:
            threading.Thread(target=self._answer, args=(message,), daemon=True).start()

    def stop(self) -> None:
        """Asks all work to end."""
        for progress in list(self._running.values()):
            progress.cancel()

    def _run(self, work: Callable[[Message, Progress], Message], message: Message, progress: Progress) -> None:
        id = message["id"]
        try:
            said = work(message, progress)
        except Exception as error:
            said = {"is": "failed", "error": _told(error)}
        del self._running[id], self._unread[id]
        try:
            self._wire.send({**said, "id": id})
        except (TypeError, ValueError) as error:  # JSON has no word for it
            self._wire.send({"is": "failed", "id": id, "error": _told(error)})

    def _job(self, message: Message, progress: Progress) -> Message:
        from ui.server.tasks import run_task

        folder = Path(message["folder"])
        report = run_task(message["request"], message["inputs"], folder, self._server, self._loader, progress)
        return {"is": "done", "report": report}

    def _stream(self, message: Message, progress: Progress) -> Message:
        from ui.server.speech_stream import speak

        id, unread = message["id"], self._unread[message["id"]]
        ends_at = time.monotonic() + self._server["job_seconds"]
        for content in speak(message["request"], self._loader, progress):
            while not unread.acquire(timeout=1):
                progress.check()
                if time.monotonic() > ends_at:
                    raise Cancelled(f"The speech was stopped after {self._server['job_seconds']:.0f} s.")
            self._wire.send({"is": "bytes", "id": id}, content)
        return {"is": "end"}

    def _answer(self, message: Message) -> None:
        try:
            answer = self._asked(message)
        except Exception as error:
            answer = {"error": _told(error)}
        self._wire.send({**answer, "is": "answer", "number": message["number"]})

    def _asked(self, message: Message) -> Message:
        if message["do"] == "memory":
            states = [dataclasses.asdict(state) for state in self._loader.states()]
            return {"models": states, "n_evicted": self._loader.n_evicted}
        if message["do"] == "load":
            with self._loader.use_all(catalogue.find(message["task"], message["model"]).parts):
                return {"loaded": True}
        parts = catalogue.find(message["task"], message["model"]).parts
        unloaded = [self._loader.unload(part.name) for part in parts]
        return {"unloaded": any(unloaded)}


class _Reporter:
    """Tells the server how far a job is, not more often than somebody can look."""

    def __init__(self, wire: Wire, id: str) -> None:
        self._wire, self._id = wire, id
        self._stage, self._told_at = "", 0.0

    def __call__(self, state: ProgressState) -> None:
        now = time.monotonic()
        if state.stage == self._stage and now - self._told_at < SECONDS_BETWEEN_REPORTS:
            return
        self._stage, self._told_at = state.stage, now
        self._wire.send({"is": "progress", "id": self._id, **dataclasses.asdict(state)})


def _told(error: Exception) -> dict[str, Any]:
    """Returns an error as the server may tell it; what nobody foresaw keeps its trace for the log."""
    if isinstance(error, AudioMLError):
        return {"type": type(error).__name__, "message": str(error), "code": error.http_status, "param": error.param}
    trace = "".join(traceback.format_exception(error))
    return {
        "type": "InternalError",
        "message": f"An unexpected {type(error).__name__} ended the job; the server's log has it.",
        "code": 500,
        "trace": trace,
    }


def main(fd: int) -> None:
    """Serves until the server says so or is gone; a job that is at work then is not finished."""
    own_files.serve_others()
    wire = Wire(Connection(fd))
    received = wire.receive()
    if received is None:
        return
    worker = Worker(wire, received[0])
    worker.ready()
    while (received := wire.receive()) is not None and received[0]["do"] != "stop":
        worker.take(received[0])
    worker.stop()
    if received is None:
        os._exit(1)  # the server was killed: whatever is made now nobody will ask for
    wire.close()


if __name__ == "__main__":
    try:
        main(int(sys.argv[2]))
    except (AudioMLError, Cancelled) as error:
        print(json.dumps({"level": "error", "worker": sys.argv[1], "message": str(error)}), file=sys.stderr)
        sys.exit(1)

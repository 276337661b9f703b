"""The workers of a server together: one that owns the device, one for light speech, within one memory budget."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from audio_ml import catalogue, errors
from audio_ml.budget import find_budget
from audio_ml.catalogue import ModelSpec
from audio_ml.device import resolve
from audio_ml.errors import AudioMLError
from ui.server.lanes import DEVICE, SPEECH, share_budget
from ui.server.refusals import QueueFull
from ui.server.wire import Message
from ui.server.worker_process import WorkerGone, WorkerProcess, WorkerSettings

STREAMS_AT_ONCE = 2  # further ones wait
MOST_WAITING_STREAMS = 32
SECONDS_TO_ANSWER = 10.0
SECONDS_TO_LOAD = 600.0

Hears = Callable[[WorkerProcess, Message], None]


@dataclass(frozen=True)
class FleetOptions:
    """How workers work: the device by name, and as they were given the options of their weight stores (`FetchOptions`),
    of their loaders (`LoaderOptions`) and of the server."""

    device: str
    memory_budget: str
    fetch: Mapping[str, Any]
    memory: Mapping[str, Any]
    server: Mapping[str, Any]


class Fleet:
    """Every worker of the server. Who `subscribe`s hears what they say of jobs."""

    def __init__(self, options: FleetOptions) -> None:
        kind = resolve(options.device).kind
        self.memory_budget = find_budget(kind, options.memory_budget)
        shares = share_budget(self.memory_budget, one_device=kind == "cpu")
        fetch = {
            "offline": options.fetch.get("offline"),
            "accept_licences": options.fetch.get("accept_licence", False),
        }
        rows = [catalogue.find_row(name) for name in options.memory.get("pinned", ())]
        pinned = [part.name for row in rows for part in (row.parts if isinstance(row, ModelSpec) else (row,))]
        memory = {**options.memory, "pinned": pinned}
        rest = {"fetch": fetch, "memory": memory, "server": options.server}
        self.workers = {
            name: WorkerProcess(WorkerSettings(name, device, shares[name], rest), self._hear)
            for name, device in ((DEVICE, options.device), (SPEECH, "cpu"))
        }
        self._listeners: list[Hears] = []
        self._streams: dict[str, queue.SimpleQueue[tuple[Message, bytes | None]]] = {}
        self._slots = threading.Semaphore(STREAMS_AT_ONCE)
        self._n_streams = 0  # those that wait among them
        self._lock = threading.Lock()

    def subscribe(self, listener: Hears) -> None:
        """Has a function hear what workers say of jobs, and when one is ready or gone."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begins the workers."""
        for worker in self.workers.values():
            worker.start()

    def close(self) -> None:
        """Ends the workers, at the same time."""
        with ThreadPoolExecutor(len(self.workers)) as pool:
            list(pool.map(WorkerProcess.close, self.workers.values()))

    def stream(self, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Speaks in the worker for speech, piece by piece as it is made; closing the iterator stops the work.

        Raises:
            QueueFull: when as many streams wait already as may.
            AudioMLError: what the worker raises; before the first piece, if the request is at fault.
        """
        with self._turn():
            id, pieces = secrets.token_hex(8), queue.SimpleQueue[tuple[Message, bytes | None]]()
            self._streams[id] = pieces
            worker = self.workers[SPEECH]
            has_ended = False
            try:
                if not worker.send({"do": "stream", "id": id, "request": request}):
                    raise WorkerGone("The worker for speech is not there just now; try again in a moment.")
                while True:
                    message, content = pieces.get()
                    if message["is"] == "bytes":
                        worker.send({"do": "more", "id": id})
                        yield content or b""
                        continue
                    if message["is"] == "progress":
                        continue
                    has_ended = True
                    if message["is"] == "failed":
                        raise as_error(message["error"])
                    return
            finally:
                del self._streams[id]
                if not has_ended:
                    worker.send({"do": "cancel", "id": id})

    def load(self, spec_task: str, model: str) -> None:
        """Loads a model into the worker that runs it; raises what that raises."""
        self._ask(self._worker_of(spec_task), {"do": "load", "task": spec_task, "model": model}, SECONDS_TO_LOAD)

    def unload(self, spec_task: str, model: str) -> bool:
        """Gives a model's memory back; False when it is not loaded, or at work."""
        told = self._ask(
            self._worker_of(spec_task), {"do": "unload", "task": spec_task, "model": model}, SECONDS_TO_ANSWER
        )
        return bool(told["unloaded"])

    def memory(self) -> list[dict[str, Any]]:
        """Returns what each worker has in memory; of one that does not answer, nothing."""
        return [
            {
                "pid": worker.pid,
                "name": worker.name,
                "device": worker.settings.device,
                "memory_budget": worker.settings.memory_budget,
                "models": self._models_of(worker),
            }
            for worker in self.workers.values()
        ]

    def _models_of(self, worker: WorkerProcess) -> list[dict[str, Any]]:
        try:
            return list(self._ask(worker, {"do": "memory"}, SECONDS_TO_ANSWER)["models"])
        except WorkerGone:
            return []

    def _worker_of(self, task: str) -> WorkerProcess:
        return self.workers[SPEECH if task == "tts" else DEVICE]

    def _ask(self, worker: WorkerProcess, message: Message, seconds: float) -> Message:
        try:
            answer = worker.ask(message, seconds)
        except TimeoutError as error:
            raise WorkerGone(f"The worker '{worker.name}' did not answer in {seconds:.0f} s.") from error
        if "error" in answer:
            raise as_error(answer["error"])
        return answer

    def _hear(self, worker: WorkerProcess, message: Message, content: bytes | None) -> None:
        stream = self._streams.get(message.get("id", ""))
        if stream is not None:
            stream.put((message, content))
            return
        if message["is"] == "gone" and worker.name == SPEECH:
            error = {"type": "WorkerGone", "message": "The worker for speech broke down.", "code": 503}
            for stream in list(self._streams.values()):
                stream.put(({"is": "failed", "error": error}, None))
        for listener in self._listeners:
            listener(worker, message)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Waits for the turn of a stream, unless too many wait for theirs."""
        with self._lock:
            if self._n_streams >= STREAMS_AT_ONCE + MOST_WAITING_STREAMS:
                raise QueueFull("Too many texts wait to be spoken; try again in a moment.", {"Retry-After": "1"})
            self._n_streams += 1
        try:
            with self._slots:
                yield
        finally:
            with self._lock:
                self._n_streams -= 1


def as_error(told: Mapping[str, Any]) -> AudioMLError:
    """Returns an error that a worker told of, as it was raised there."""
    kind = getattr(errors, told["type"], None)
    if isinstance(kind, type) and issubclass(kind, AudioMLError):
        return kind(told["message"])
    return _Told(told)


class _Told(AudioMLError):
    """An error of a worker that has no class here."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(told["message"])
        self.http_status = told["code"]
        self.type = told["type"]

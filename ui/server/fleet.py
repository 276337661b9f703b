"""The workers of a server together: one that owns the device, one for light speech, within one memory budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from audio_ml import catalogue
from audio_ml.budget import find_budget
from audio_ml.catalogue import ModelSpec
from audio_ml.device import resolve
from ui.server.lanes import DEVICE, SPEECH, share_budget
from ui.server.refusals import QueueFull
from ui.server.streams import Stream, Streams
from ui.server.tokens import CallerLimits
from ui.server.wire import Message
from ui.server.worker_process import WorkerGone, WorkerProcess, WorkerSettings, as_error

LOADS_AT_ONCE = 4
SECONDS_TO_ANSWER = 30.0
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
        self._loading = threading.BoundedSemaphore(LOADS_AT_ONCE)
        self._streams = Streams(self.workers[SPEECH])

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

    def stream(self, request: Mapping[str, Any], owner: str, limits: CallerLimits | None = None) -> Stream:
        """Speaks in the worker for speech, piece by piece as it is made; closing the stream stops the work.

        Raises:
            QueueFull: when as many streams wait already as may.
        """
        return self._streams.open(request, owner, limits)

    def stream_counts(self) -> dict[str, int]:
        """Counts the streams that wait and those that are spoken, as jobs are counted by their state."""
        return self._streams.counts()

    def load(self, spec_task: str, model: str) -> None:
        """Loads a model into the worker that runs it; raises what that raises, or `QueueFull`."""
        if not self._loading.acquire(blocking=False):
            raise QueueFull("Other models are being loaded; try again in a moment.", {"Retry-After": "5"})
        try:
            self._ask(self._worker_of(spec_task), {"do": "load", "task": spec_task, "model": model}, SECONDS_TO_LOAD)
        finally:
            self._loading.release()

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
                "device": worker.device,
                "memory_budget": worker.memory_budget,
                **self._memory_of(worker),
            }
            for worker in self.workers.values()
        ]

    def _memory_of(self, worker: WorkerProcess) -> dict[str, Any]:
        try:
            told = self._ask(worker, {"do": "memory"}, SECONDS_TO_ANSWER)
        except WorkerGone:
            return {"models": [], "n_evicted": None}
        return {"models": told["models"], "n_evicted": told["n_evicted"]}

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
        if worker.name == SPEECH and self._streams.hear(message, content):
            return
        for listener in self._listeners:
            listener(worker, message)
